/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * postfix.c: Postfix's wiring: which instance runs sealpipe-pipe, and in which way. Each fault says
 * what follows from it; docs/mta/postfix.md says how it should be.
 */
#include "filters/ctl/check/postfix.h"

#include <string.h>
#include <unistd.h>

/* -------------------------------------------------------------------------------------------
 * The way that mail takes
 */

static gboolean is_default(const Postfix *postfix, const PostfixService *service)
{
    return postfix_goes_by(postfix_setting(postfix, "default_transport"), service->name);
}

static gboolean is_filter(const Postfix *postfix, const PostfixService *service)
{
    GHashTableIter each;
    gpointer key, value;

    g_hash_table_iter_init(&each, postfix->overrides);
    while (g_hash_table_iter_next(&each, &key, &value)) {
        if (g_str_has_suffix(key, "/content_filter") && postfix_goes_by(value, service->name))
            return TRUE;
    }
    return postfix_goes_by(postfix_setting(postfix, "content_filter"), service->name);
}

/* A table or another setting may name it. */
static gboolean is_named(const Postfix *postfix, const PostfixService *service)
{
    GHashTableIter each;
    gpointer key, value;

    if (*postfix_setting(postfix, "transport_maps"))
        return TRUE;
    g_hash_table_iter_init(&each, postfix->settings);
    while (g_hash_table_iter_next(&each, &key, &value)) {
        if (g_str_has_suffix(key, "_transport") && postfix_goes_by(value, service->name))
            return TRUE;
    }
    return FALSE;
}

/* (transfer full) The folder of the instance that sealpipe-pipe hands over to; NULL: the one that
 * its sendmail takes. */
static char *find_out_folder(char *const *words)
{
    const char *sendmail = wiring_option(words, "--sendmail");
    g_auto(GStrv) command = wiring_words(sendmail ? sendmail : "");

    return command[0] ? g_strdup(wiring_option(command, "-C")) : NULL;
}

static gboolean is_same(const char *one, const char *other)
{
    g_autofree char *first = g_canonicalize_filename(one, "/");
    g_autofree char *second = g_canonicalize_filename(other, "/");

    return g_str_equal(first, second);
}

static gboolean is_instance(const Postfix *postfix, const char *folder)
{
    g_auto(GStrv) folders =
        g_strsplit_set(postfix_setting(postfix, "multi_instance_directories"), ", \t", -1);

    for (guint i = 0; folders[i]; i++) {
        if (*folders[i] && is_same(folders[i], folder))
            return TRUE;
    }
    return FALSE;
}

static void check_two(Postfix *postfix, const PostfixService *service, const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Postfix) out = NULL;

    postfix_check_first(postfix, service);
    if (!is_instance(postfix, folder))
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "make it with postmulti: see \"Two instances\" in " WIRING_PAGE("postfix"),
                  "%s is no instance of this Postfix (multi_instance_directories): its sendmail "
                  "refuses what is handed over",
                  folder);
    out = postfix_read(postfix->run, postfix->postconf, folder, &error);
    if (out)
        postfix_check_out(postfix, out, service);
    else
        check_put_error(postfix->run, POSTFIX_TOPIC, "mend the second instance's configuration",
                        error);
}

static void check_way(Postfix *postfix, const PostfixService *service, char *const *words)
{
    g_autofree char *folder = find_out_folder(words);
    gboolean leaves = folder && !is_same(folder, postfix->folder);

    if (is_default(postfix, service) && leaves)
        check_two(postfix, service, folder);
    else if (is_default(postfix, service))
        check_put(
            postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
            "add to it: {--sendmail=/usr/sbin/sendmail -C /etc/postfix-out}",
            "service %s hands back to the instance of %s, whose default_transport it is: mail "
            "goes round for ever",
            service->name, postfix->folder);
    else if (is_filter(postfix, service))
        postfix_check_filter(postfix, service);
    else if (!is_named(postfix, service))
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "set default_transport or a content_filter: see " WIRING_PAGE("postfix"),
                  "no setting names the service %s: mail leaves in clear", service->name);
}

/* -------------------------------------------------------------------------------------------
 * All of it
 */

static gboolean check_instance(Postfix *postfix)
{
    gboolean found = FALSE;

    for (guint i = 0; i < postfix->services->len; i++) {
        const PostfixService *service = g_ptr_array_index(postfix->services, i);
        g_auto(GStrv) words = postfix_words(service);

        if (!words)
            continue;
        found = TRUE;
        postfix_check_pipe(postfix, service, words);
        check_way(postfix, service, words);
    }
    return found;
}

static const char *find_program(void)
{
    static const char *const paths[] = {"/usr/sbin/postconf", "/usr/local/sbin/postconf"};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    return NULL;
}

gboolean wiring_postfix(CheckRun *run, gboolean *there)
{
    const char *postconf = find_program();
    g_autoptr(GError) error = NULL;
    g_autoptr(Postfix) postfix = postconf ? postfix_read(run, postconf, NULL, &error) : NULL;

    *there = postconf != NULL;
    if (!postconf)
        return FALSE;
    if (!postfix) {
        check_put_error(run, POSTFIX_TOPIC,
                        "mend Postfix's configuration; postfix check looks at it", error);
        return TRUE;
    }
    gboolean found = check_instance(postfix);
    if (found && !check_has_trouble(run, POSTFIX_TOPIC))
        check_put(run, CHECK_OK, POSTFIX_TOPIC, NULL,
                  "the instance of %s hands what leaves to sealpipe-pipe", postfix->folder);
    return found;
}
