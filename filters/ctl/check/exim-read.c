/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exim-read.c: reads what `exim -bP` prints: for each driver a line "NAME router:", then its
 * options, each as "name = value", or "name" and "no_name".
 */
#include "filters/ctl/check/exim.h"

#include <string.h>

static void driver_free(gpointer data)
{
    EximDriver *driver = data;

    g_free(driver->name);
    g_hash_table_unref(driver->options);
    g_free(driver);
}

static EximDriver *driver_new(const char *name, gsize size)
{
    EximDriver *driver = g_new0(EximDriver, 1);

    driver->name = g_strndup(name, size);
    driver->options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return driver;
}

static void read_option(EximDriver *driver, const char *line)
{
    const char *equals = strchr(line, '=');
    gboolean is_no = !equals && g_str_has_prefix(line, "no_");
    g_autofree char *name = equals ? g_strndup(line, (gsize)(equals - line))
                                   : g_strdup(is_no ? line + strlen("no_") : line);
    const char *value = equals ? equals + 1 : is_no ? "false" : "true";

    g_strstrip(name);
    g_hash_table_insert(driver->options, g_steal_pointer(&name), g_strstrip(g_strdup(value)));
}

/* @kind: " router:" or " transport:", behind a name. */
static GPtrArray *read_drivers(const char *text, const char *kind)
{
    g_autoptr(GPtrArray) drivers = g_ptr_array_new_with_free_func(driver_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    EximDriver *driver = NULL;

    for (guint i = 0; lines[i]; i++) {
        if (g_str_has_suffix(lines[i], kind) && !strchr(lines[i], '=')) {
            driver = driver_new(lines[i], strlen(lines[i]) - strlen(kind));
            driver->at = drivers->len;
            g_ptr_array_add(drivers, driver);
        } else if (driver && *lines[i]) {
            read_option(driver, lines[i]);
        }
    }
    return g_steal_pointer(&drivers);
}

static EximDriver *read_main(const char *text)
{
    EximDriver *driver = driver_new("", 0);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i]; i++)
        read_option(driver, lines[i]);
    return driver;
}

Exim *exim_read(CheckRun *run, const char *program, GError **error)
{
    const char *const all[] = {program, "-bP", NULL};
    const char *const of_routers[] = {program, "-bP", "routers", NULL};
    const char *const of_transports[] = {program, "-bP", "transports", NULL};
    g_autofree char *main = wiring_ask(all, error);
    g_autofree char *routers = main ? wiring_ask(of_routers, error) : NULL;
    g_autofree char *transports = routers ? wiring_ask(of_transports, error) : NULL;

    if (!transports)
        return NULL;
    Exim *exim = g_new0(Exim, 1);
    exim->run = run;
    exim->program = program;
    exim->main = read_main(main);
    exim->routers = read_drivers(routers, " router:");
    exim->transports = read_drivers(transports, " transport:");
    return exim;
}

void exim_free(Exim *exim)
{
    if (!exim)
        return;
    driver_free(exim->main);
    g_ptr_array_unref(exim->routers);
    g_ptr_array_unref(exim->transports);
    g_free(exim);
}

const char *exim_option(const EximDriver *driver, const char *name)
{
    const char *value = g_hash_table_lookup(driver->options, name);

    return value ? value : "";
}

gboolean exim_flag(const EximDriver *driver, const char *name)
{
    return g_str_equal(exim_option(driver, name), "true");
}

gboolean exim_is(const EximDriver *driver, const char *kind)
{
    return g_str_equal(exim_option(driver, "driver"), kind);
}

EximDriver *exim_transport(const Exim *exim, const EximDriver *router)
{
    const char *name = exim_option(router, "transport");

    for (guint i = 0; *name && i < exim->transports->len; i++) {
        EximDriver *transport = g_ptr_array_index(exim->transports, i);

        if (g_str_equal(transport->name, name))
            return transport;
    }
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * What it runs of ours
 */

static gboolean is_inbound(char *const *words)
{
    return g_strcmp0(wiring_option(words, "-d"), "inbound") == 0;
}

GStrv exim_filter_words(const EximDriver *transport)
{
    g_auto(GStrv) words = wiring_words(exim_option(transport, "transport_filter"));

    if (words[0] && wiring_names(words[0], "sealpipe") && !is_inbound(words))
        return g_steal_pointer(&words);
    return NULL;
}

GStrv exim_check_words(const EximDriver *router)
{
    const char *data = exim_option(router, "data");
    const char *found = exim_is(router, "redirect") ? strstr(data, "sealpipe-check") : NULL;

    while (found && found > data && !strchr("{ \t", found[-1]))
        found--;
    return found ? wiring_words(found) : NULL;
}

char *exim_tag(const EximDriver *transport)
{
    g_auto(GStrv) words = wiring_words(exim_option(transport, "command"));
    const char *tag = exim_is(transport, "pipe") ? wiring_option(words, "-oMr") : NULL;

    return g_strdup(tag);
}

/* -------------------------------------------------------------------------------------------
 * Whose mail
 */

static gboolean is_inside(const char *item)
{
    return g_str_equal(item, "+local_domains") || g_str_equal(item, "+relay_to_domains") ||
           g_str_equal(item, "@") || g_str_equal(item, "@[]");
}

EximReach exim_reach(const EximDriver *router)
{
    const char *domains = exim_option(router, "domains");
    g_auto(GStrv) items = g_strsplit(domains, ":", -1);
    EximReach reach = EXIM_INSIDE;
    const char *last = "!";

    if (strchr(domains, '$') || strchr(domains, ';'))
        return EXIM_NAMED;
    for (guint i = 0; items[i]; i++) {
        const char *item = g_strstrip(items[i]);

        if (g_str_equal(item, "*"))
            return EXIM_ANY;
        if (*item && *item != '!' && !is_inside(item))
            reach = EXIM_NAMED;
        if (*item)
            last = item;
    }
    /* A list that ends with what it leaves out takes all else. */
    return *last == '!' ? EXIM_ANY : reach;
}
