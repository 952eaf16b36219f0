/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * postfix-read.c: reads what postconf prints: main.cf with all defaults (-x), the services of
 * master.cf, each in one line (-M), and their overrides (-P).
 */
#include "filters/ctl/check/postfix.h"

#include <string.h>

enum {
    N_FIELDS = 8, /* ahead of a command's arguments */
};

static void service_free(gpointer data)
{
    PostfixService *service = data;

    g_free(service->name);
    g_free(service->type);
    g_free(service->unprivileged);
    g_free(service->chroot);
    g_free(service->command);
    g_free(service->arguments);
    g_free(service);
}

/* (transfer full) The next field; *@text goes behind it. */
static char *take_field(const char **text)
{
    const char *begin = *text + strspn(*text, " \t");

    *text = begin + strcspn(begin, " \t");
    return g_strndup(begin, (gsize)(*text - begin));
}

static PostfixService *read_service(const char *line)
{
    PostfixService *service = g_new0(PostfixService, 1);
    g_autoptr(GPtrArray) fields = g_ptr_array_new();

    for (guint i = 0; i < N_FIELDS; i++)
        g_ptr_array_add(fields, take_field(&line));
    service->name = g_ptr_array_index(fields, 0);
    service->type = g_ptr_array_index(fields, 1);
    g_free(g_ptr_array_index(fields, 2)); /* private */
    service->unprivileged = g_ptr_array_index(fields, 3);
    service->chroot = g_ptr_array_index(fields, 4);
    g_free(g_ptr_array_index(fields, 5)); /* wake-up time */
    g_free(g_ptr_array_index(fields, 6)); /* how many */
    service->command = g_ptr_array_index(fields, 7);
    service->arguments = g_strstrip(g_strdup(line));
    return service;
}

static GPtrArray *read_services(const char *text)
{
    GPtrArray *services = g_ptr_array_new_with_free_func(service_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        if (*lines[i])
            g_ptr_array_add(services, read_service(lines[i]));
    }
    return services;
}

/* Lines "name = value". */
static GHashTable *read_settings(const char *text)
{
    GHashTable *settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        char *equals = strchr(lines[i], '=');
        if (!equals)
            continue;
        *equals = '\0';
        g_hash_table_insert(settings, g_strdup(g_strstrip(lines[i])),
                            g_strdup(g_strstrip(equals + 1)));
    }
    return settings;
}

/* (transfer full) */
static char *ask_postconf(const char *postconf, const char *folder, const char *option,
                          GError **error)
{
    const char *const first[] = {postconf, option, NULL};
    const char *const other[] = {postconf, "-c", folder, option, NULL};

    return wiring_ask(folder ? other : first, error);
}

Postfix *postfix_read(CheckRun *run, const char *postconf, const char *folder, GError **error)
{
    g_autofree char *settings = ask_postconf(postconf, folder, "-x", error);
    g_autofree char *services = settings ? ask_postconf(postconf, folder, "-M", error) : NULL;
    g_autofree char *overrides = services ? ask_postconf(postconf, folder, "-P", error) : NULL;

    if (!overrides)
        return NULL;
    Postfix *postfix = g_new0(Postfix, 1);
    postfix->run = run;
    postfix->postconf = postconf;
    postfix->settings = read_settings(settings);
    postfix->services = read_services(services);
    postfix->overrides = read_settings(overrides);
    postfix->folder = g_strdup(folder ? folder : postfix_setting(postfix, "config_directory"));
    return postfix;
}

void postfix_free(Postfix *postfix)
{
    if (!postfix)
        return;
    g_free(postfix->folder);
    g_hash_table_unref(postfix->settings);
    g_hash_table_unref(postfix->overrides);
    g_ptr_array_unref(postfix->services);
    g_free(postfix);
}

const char *postfix_setting(const Postfix *postfix, const char *name)
{
    const char *value = g_hash_table_lookup(postfix->settings, name);

    return value ? value : "";
}

gboolean postfix_flag(const Postfix *postfix, const char *name)
{
    return g_ascii_strcasecmp(postfix_setting(postfix, name), "yes") == 0;
}

const char *postfix_override(const Postfix *postfix, const char *service, const char *name)
{
    g_autofree char *key = g_strconcat(service, "/", name, NULL);

    return g_hash_table_lookup(postfix->overrides, key);
}

const PostfixService *postfix_service(const Postfix *postfix, const char *name, const char *type)
{
    for (guint i = 0; i < postfix->services->len; i++) {
        const PostfixService *service = g_ptr_array_index(postfix->services, i);

        if (g_str_equal(service->name, name) && g_str_equal(service->type, type))
            return service;
    }
    return NULL;
}

gboolean postfix_goes_by(const char *destination, const char *transport)
{
    gsize size = strlen(transport);

    return strncmp(destination, transport, size) == 0 &&
           (destination[size] == ':' || destination[size] == '\0');
}

/* -------------------------------------------------------------------------------------------
 * A pipe
 */

static gboolean is_command(const char *word)
{
    return g_str_has_prefix(word, "argv=");
}

GStrv postfix_words(const PostfixService *service)
{
    g_auto(GStrv) words = wiring_words(service->arguments);
    char **command = words;

    if (!g_str_equal(service->command, "pipe"))
        return NULL;
    while (*command && !is_command(*command))
        command++;
    if (!*command)
        return NULL;
    memmove(*command, *command + strlen("argv="), strlen(*command + strlen("argv=")) + 1);
    return wiring_names(*command, "sealpipe-pipe") ? g_strdupv(command) : NULL;
}

char *postfix_attribute(const PostfixService *service, const char *name)
{
    g_auto(GStrv) words = wiring_words(service->arguments);
    g_autofree char *start = g_strconcat(name, "=", NULL);

    for (guint i = 0; words[i] && !is_command(words[i]); i++) {
        if (g_str_has_prefix(words[i], start))
            return g_strdup(words[i] + strlen(start));
    }
    return NULL;
}
