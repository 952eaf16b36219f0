/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.c: writes the tables of sealpipe.conf(5) from the descriptors themselves, so that page
 * and program cannot disagree. Arguments: the module files; or --module and one, for the page of
 * that module alone.
 */
#include "core/frontend-keys.h"
#include "core/plugin/tables.h"

#include <gmodule.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const TYPES[] = {
    [SEAL_SETTING_STRING] = "text",
    [SEAL_SETTING_BOOLEAN] = "true or false",
    [SEAL_SETTING_INTEGER] = "number",
    [SEAL_SETTING_SIZE] = "size",
    [SEAL_SETTING_DURATION] = "time",
    [SEAL_SETTING_CHOICE] = "word",
    [SEAL_SETTING_LIST] = "list",
    [SEAL_SETTING_PATH] = "path",
    [SEAL_SETTING_PATHS] = "list of paths",
    [SEAL_SETTING_SECRET] =
        "path of a secret file, mode 0600, or 0640 with the group of the user that "
        "sealpipe runs as",
};

/* Prints with roff's special characters escaped, and | as a comma. */
static void print_text(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            fputs("\\e", stdout);
        else if (*c == '-')
            fputs("\\-", stdout);
        else if (*c == '|')
            fputs(", ", stdout);
        else
            putchar(*c);
    }
}

static void print_row(const SealSetting *row)
{
    printf(".TP\n.B ");
    print_text(row->key);
    if (row->preset && *row->preset) {
        printf(" = ");
        print_text(row->preset);
    }
    printf("\n");
    print_text(row->help);
    printf(" (%s", TYPES[row->type]);
    if (row->range) {
        printf(": ");
        print_text(row->range);
    }
    printf(")\n");
    if (row->later && strcmp(row->later, "*") == 0) {
        printf("Has no effect in this version yet; only the default is accepted.\n");
    } else if (row->later) {
        printf("Without effect in this version yet, and refused: ");
        print_text(row->later);
        printf(".\n");
    }
}

static void print_table(const char *group, const char *about, const SealSetting *table)
{
    printf(".SS [%s]\n%s\n", group, about);
    for (; table && table->key; table++)
        print_row(table);
}

/* What core adds to a module that is one. Where there are several, each has a trust of its own. */
static void print_sources(const SealSource *const *sources)
{
    const SealSource *source = *sources;

    printf(".PP\nAs a key source it also takes\n");
    if (!sources[1])
        printf(".B trust\n(%s unless set) and\n", seal_trust_name(source->trust));
    printf(".B on_error\n(%s unless set); see KEYS.\n", source->may_skip ? "skip" : "defer");
}

static const SealModuleDescriptor *open_module(const char *path)
{
    GModule *file = g_module_open_full(path, G_MODULE_BIND_LOCAL, NULL);
    gpointer symbol = NULL;

    if (!file || !g_module_symbol(file, "seal_module", &symbol)) {
        fprintf(stderr, "%s: %s\n", path, g_module_error());
        exit(1);
    }
    return symbol;
}

static void print_module(const char *path)
{
    const SealModuleDescriptor *module = open_module(path);
    g_autofree char *group = g_strconcat("module ", module->name, NULL);
    g_autofree char *about = g_strconcat(module->summary, ".", NULL);
    print_table(group, about, module->settings);
    if (module->sources && *module->sources)
        print_sources(module->sources);
}

static void print_page(const char *path)
{
    const SealModuleDescriptor *module = open_module(path);

    printf("Defaults are shown. Where none is, the setting is unset.\n");
    for (const SealSetting *row = module->settings; row && row->key; row++)
        print_row(row);
    if (module->sources && *module->sources)
        print_sources(module->sources);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--module") == 0) {
        print_page(argv[2]);
        return 0;
    }
    print_table("core", "What holds for all.", SEAL_TABLE_CORE);
    print_table("pipeline", "The way of a message.", SEAL_TABLE_PIPELINE);
    print_table("policy", "What each message requires.", SEAL_TABLE_POLICY);
    print_table("rule NAME",
                "What matches: each of these settings that is there must, and of a list one item. "
                "Beside them a rule takes every setting of [policy]; what it does not say is as in "
                "[policy]. Of the rules, the first that matches counts.",
                SEAL_TABLE_RULE);
    print_table("keyring", "Where keys are looked for.", SEAL_TABLE_KEYRING);
    print_table(
        "daemon",
        "What sealpiped(8) asks for; the programs that the mail server runs need none of it.",
        SEAL_TABLE_DAEMON);
    print_table("expiry", "Who is told in time that a key ends, by sealctl keys remind.",
                SEAL_TABLE_EXPIRY);
    for (int i = 1; i < argc; i++)
        print_module(argv[i]);
    return 0;
}
