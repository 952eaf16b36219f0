/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage.c: what --help says, from the tables of commands and options.
 */
#include "filters/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 80,
    NAMES = 18,   /* the column behind the commands' names */
    OPTIONS = 30, /* and, at most, behind the options' */
};

const CtlOption CTL_OPTIONS[] = {
    {"-c", "DIR", "configuration folder, instead of the built-in conf.d"},
    {"--json", NULL, "answer in JSON"},
    {"--help", NULL, "print this and exit; behind a command, what that does"},
    {"--version", NULL, "print the version and exit"},
    {NULL},
};

/* -------------------------------------------------------------------------------------------
 * Names
 */

const CtlCommand *ctl_command_find(const CtlCommand *commands, const char *name)
{
    for (; commands && name && commands->name; commands++) {
        if (g_str_equal(commands->name, name))
            return commands;
    }
    return NULL;
}

char *ctl_command_usage(const CtlCommand *command, const CtlCommand *above)
{
    return g_strdup_printf("%s%s%s%s%s%s", above ? above->name : "", above ? " " : "",
                           command->name, command->options ? " [OPTION]..." : "",
                           command->words ? " " : "", command->words ? command->words : "");
}

/* -------------------------------------------------------------------------------------------
 * Printing
 */

/* Words from @column on; the cursor is at @at. Each line of @text is a paragraph. */
static void print_wrapped(const char *text, int at, int column)
{
    for (int length; *text; text += length + (text[length] != '\0')) {
        length = (int)strcspn(text, " \n");
        if (at > column && at + 1 + length >= WIDTH)
            at = printf("\n%*s", column, "") - 1;
        at += printf("%s%.*s", at > column ? " " : "", length, text);
        if (text[length] == '\n')
            at = printf("\n%*s", column, "") - 1;
    }
    putchar('\n');
}

static void print_row(const char *name, int column, const char *text)
{
    int at = printf("%s", name);

    at += printf("%*s", MAX(column - at, 1), "");
    print_wrapped(text, at, column);
}

static void print_commands(const CtlCommand *commands)
{
    for (; commands->name; commands++) {
        g_autofree char *name = g_strdup_printf(
            "  %s%s", commands->name, commands->commands || !commands->run ? " COMMAND" : "");

        print_row(name, NAMES, commands->summary);
    }
}

/* What has no letter stands where the others' names do. (transfer full) */
static char *option_label(const CtlOption *option)
{
    return g_strdup_printf("%s%s%s%s", g_str_has_prefix(option->name, "--") ? "      " : "  ",
                           option->name, option->value ? " " : "",
                           option->value ? option->value : "");
}

static void print_options(const CtlOption *options)
{
    int column = 0;

    for (const CtlOption *option = options; option->name; option++) {
        g_autofree char *label = option_label(option);
        column = MAX(column, (int)strlen(label) + 2);
    }
    for (; options->name; options++) {
        g_autofree char *label = option_label(options);
        print_row(label, MIN(column, OPTIONS), options->help);
    }
}

static int print_all(const CtlCommand *commands)
{
    puts("Usage: sealctl [OPTION]... COMMAND [ARGUMENT]...\n"
         "Looks after sealpipe. Options stand before or after the command.\n"
         "\n"
         "Commands:");
    print_commands(commands);
    puts("\nOptions:");
    print_options(CTL_OPTIONS);
    puts("\n`sealctl COMMAND --help` says what each does.\n"
         "Exit status: 0 all is well, 1 a problem was found, 2 the command line is wrong.");
    return CTL_OK;
}

static int print_one(const CtlCommand *command, const CtlCommand *above)
{
    g_autofree char *usage = ctl_command_usage(command, above);
    g_autofree char *said = g_strdup(command->help ? command->help : command->summary);

    *said = g_ascii_toupper(*said);
    print_row("Usage: sealctl", 15, usage);
    print_wrapped(said, 0, 0);
    if (command->options) {
        putchar('\n');
        print_options(command->options);
    }
    return CTL_OK;
}

static int print_group(const CtlCommand *group)
{
    print_one(group, NULL);
    putchar('\n');
    print_commands(group->commands);
    printf("\n`sealctl %s COMMAND --help` says what each does.\n", group->name);
    return CTL_OK;
}

/* -------------------------------------------------------------------------------------------
 * Modules' commands
 */

gboolean ctl_module_usages(const char *name, const char *both, GString *list)
{
    const SealModuleDescriptor *module = seal_module_peek(NULL, name, NULL);
    const SealCommand *const *commands = module ? module->commands : NULL;
    gboolean found = FALSE;

    for (; commands && *commands; commands++) {
        found = found || g_strcmp0((*commands)->name, both) == 0;
        g_string_append_printf(list, "\n  sealctl %s", (*commands)->usage);
    }
    return found;
}

static int print_module(const char *name)
{
    g_autoptr(GString) list = g_string_new(NULL);

    ctl_module_usages(name, NULL, list);
    if (list->len > 0) {
        printf("Usage:%s\n", list->str);
        return CTL_OK;
    }
    fprintf(stderr, "sealctl: there is no command \"%s\", and no module of that name; see --help\n",
            name);
    return CTL_USAGE;
}

/* -------------------------------------------------------------------------------------------
 * Which
 */

int ctl_help(const CtlCommand *commands, const CtlOptions *options)
{
    const char *const *words = (const char *const *)options->words->pdata;
    const CtlCommand *command, *own;

    if (g_strcmp0(words[0], "help") == 0)
        words++;
    if (!words[0])
        return print_all(commands);
    command = ctl_command_find(commands, words[0]);
    if (!command || (!command->run && !command->commands))
        return print_module(words[0]);
    own = ctl_command_find(command->commands, words[1]);
    if (own)
        return print_one(own, command);
    return command->commands ? print_group(command) : print_one(command, NULL);
}
