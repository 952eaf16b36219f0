/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * commands.c: sealctl's own commands, and those of modules.
 */
#include "filters/ctl/keys.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------
 * Config
 */

static int show_config(const CtlOptions *options, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                       SealOut *out, GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};

    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;
    seal_dispatcher_show_config(opened.dispatcher, out);
    return CTL_OK;
}

static int print_help(const CtlOptions *options, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                      SealOut *out G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    return ctl_help(CTL_COMMANDS, options);
}

/* -------------------------------------------------------------------------------------------
 * All of them. --help, the completion and the manual page's test go by this.
 */

const CtlCommand CTL_COMMANDS[] = {
    {"check", NULL, "all that may be wrong, and what to do about it",
     "Looks for all that may be wrong, in order, and says what to do about it. It works with a "
     "configuration that does not load.",
     NULL, ctl_check},
    {"test", "ADDRESS", "what would become of a test message to an address",
     "Makes a test message for ADDRESS, and says what would become of it as `sealctl explain` "
     "does, "
     "and whether what would leave can be opened again, where a private key for that is here. "
     "Nothing is sent, unless with --send.",
     CTL_TEST_OPTIONS, ctl_test},
    {"explain", "FILE [RECIPIENT]...", "what would become of a message, and why",
     "Says what would become of the message in FILE (-: standard input) for each RECIPIENT, or, "
     "without one, for all that To, Cc and Bcc name: the rules, key sources and keys that were "
     "asked and what came of it, and the structure of what would leave. Nothing is sent, and "
     "nothing is written down; body and Subject are not shown.",
     CTL_EXPLAIN_OPTIONS, ctl_explain},
    {"status", "[SECONDS]", "whether mail is handled, and what the daemon has done",
     "Says whether mail is handled, whether the daemon runs, where the log goes, and whether each "
     "module is ready; what the daemon has done and what has failed; which keys end, and which "
     "wait; and what room is left. It works with a configuration that does not load, and says why.",
     CTL_STATUS_OPTIONS, ctl_status},
    {"report", NULL, "what became of mail in the last days, for each domain",
     "Says for each domain how many recipients' mail was sealed, signed, left in clear and by "
     "which rule, was refused or deferred, as it was written down in state_dir/ledger. Days are "
     "whole "
     "ones, UTC. Of a message there is nothing in it, nor are there mailboxes.\n"
     "A message that the mail server tries again counts again. Days without a file are named, and "
     "lines that are missing or damaged are counted: the exit status is then 1.",
     CTL_REPORT_OPTIONS, ctl_report},
    {"suspend", NULL, "let outbound mail pass as it comes, unencrypted",
     "Lets outbound mail pass as it comes, unencrypted, until `sealctl resume`.", NULL,
     ctl_suspend},
    {"resume", NULL, "handle outbound mail again", "Ends what `sealctl suspend` began.", NULL,
     ctl_resume},
    {"modules", NULL, "the modules that are installed",
     "Lists the modules that are installed, enabled or not, and what they offer.", NULL,
     ctl_modules},
    {"config", NULL, "every setting in force, and where it was written",
     "Lists every setting in force, and the file and line where it was written.", NULL,
     show_config},
    {"keys", "COMMAND [ARGUMENT]...", "keys of those whom mail goes to: add, list, lookup, ...",
     "Looks after the keys of those whom mail is sent to.", .commands = CTL_KEYS_COMMANDS},
    {"license", "COMMAND [ARGUMENT]...",
     "show, install, request; for issuers keygen, issue, verify"},
    {"help", "[COMMAND]...", "print this, or what a command does, and exit", NULL, NULL,
     print_help},
    {NULL},
};

/* -------------------------------------------------------------------------------------------
 * Commands of modules
 */

/* @skip words are the name. */
static int call_command(const SealCommand *command, SealModule *module, guint skip,
                        const CtlOptions *options, SealOut *out, GError **error)
{
    g_autofree char **argv = g_new0(char *, options->words->len + 1);
    int argc = (int)(options->words->len - skip);

    /* The last word is the NULL behind them. */
    argv[0] = (char *)command->name;
    for (int i = 1; i < argc; i++)
        argv[i] = g_ptr_array_index(options->words, skip + (guint)i - 1);

    int status = seal_command_run(command, module, argc, argv, out, error);
    if (status == CTL_USAGE)
        g_prefix_error(error, "usage: sealctl %s: ", command->usage);
    return status;
}

/* Of any installed module; the one that has the command's name first. */
static const SealCommand *find_standalone(const char *name)
{
    g_autofree char *first = g_strndup(name, strcspn(name, " "));
    const SealCommand *command = seal_module_standalone(NULL, first, name, NULL);
    g_autoptr(GPtrArray) names = command ? NULL : seal_module_names(NULL, NULL);

    for (guint i = 0; names && i < names->len && !command; i++)
        command = seal_module_standalone(NULL, g_ptr_array_index(names, i), name, NULL);
    return command;
}

/* -------------------------------------------------------------------------------------------
 * What is not a command, or not yet
 */

/* Always CTL_USAGE. */
static int refuse_planned(const char *name, const char *instead, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                "there is no command \"%s\" in this version yet; %s", name, instead);
    return CTL_USAGE;
}

/* Always CTL_USAGE. */
static int refuse_unknown(const char *const *names, GError **error)
{
    static const struct {
        const char *name, *instead;
    } planned[] = {
        {"ca", "openssl makes certificates"},
    };
    g_autoptr(GString) list = g_string_new(NULL);

    if (*names[0] == '-')
        return ctl_misuse(error, "there is no option \"%s\"; see --help", names[0]);
    for (guint i = 0; i < G_N_ELEMENTS(planned); i++) {
        if (g_str_equal(names[0], planned[i].name))
            return refuse_planned(names[0], planned[i].instead, error);
    }
    gboolean known = ctl_module_usages(names[0], names[1], list);
    if (list->len == 0)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "no enabled module offers the command \"%s\"; see --help", names[0]);
    else if (known)
        g_set_error(
            error, SEAL_ERROR, SEAL_ERROR_FAILED,
            "\"%s\" needs the module %s to be enabled: [module %s] in the configuration does it",
            names[1], names[0], names[0]);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the commands of %s are:%s", names[0],
                    list->str);
    return CTL_USAGE;
}

static int run_of_module(const CtlOptions *options, SealOut *out, GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    const char *first = g_ptr_array_index(options->words, 0);
    const char *second = g_ptr_array_index(options->words, 1);
    g_autofree char *both = second ? g_strjoin(" ", first, second, NULL) : NULL;
    const char *const names[] = {first, both, NULL};
    SealModule *module = NULL;

    for (guint i = 0; i < 2 && names[i]; i++) {
        const SealCommand *command = find_standalone(names[i]);
        if (command)
            return call_command(command, NULL, i + 1, options, out, error);
    }
    for (guint i = 1; i + 1 < options->words->len; i++)
        seal_file_keep(g_ptr_array_index(options->words, i));
    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;
    for (guint i = 0; i < 2 && names[i]; i++) {
        const SealCommand *command = seal_dispatcher_command(opened.dispatcher, names[i], &module);
        if (command)
            return call_command(command, module, i + 1, options, out, error);
    }
    return refuse_unknown(names, error);
}

/* -------------------------------------------------------------------------------------------
 * The command line
 */

/* Always CTL_USAGE. */
static int refuse_word(const CtlCommand *group, const char *word, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (const CtlCommand *command = group->commands; command->name; command++)
        g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", command->name);
    return word
               ? ctl_misuse(error, "there is no command %s \"%s\"; there are %s", group->name, word,
                            names->str)
               : ctl_misuse(error, "usage: sealctl %s COMMAND, one of %s", group->name, names->str);
}

/* @skip words stand in front of its name. */
static int run_own(const CtlCommand *command, const CtlCommand *above, const CtlOptions *options,
                   SealOut *out, GError **error)
{
    guint skip = above ? 1 : 0;
    /* The last word is the NULL behind them. */
    int argc = (int)(options->words->len - 1 - skip);
    g_autofree char **argv =
        g_memdup2(options->words->pdata + skip, ((gsize)argc + 1) * sizeof *argv);

    if (argc > 1 && !command->words && !command->options)
        return ctl_misuse(error, "%s takes no arguments, not \"%s\"", command->name, argv[1]);
    int status = command->run(options, argc, argv, out, error);
    if (status == CTL_USAGE) {
        g_autofree char *usage = ctl_command_usage(command, above);
        g_prefix_error(error, "usage: sealctl %s: ", usage);
    }
    return status;
}

int ctl_run_words(const CtlOptions *options, SealOut *out, GError **error)
{
    const char *const *words = (const char *const *)options->words->pdata;
    const CtlCommand *command = ctl_command_find(CTL_COMMANDS, words[0]), *own;

    if (!command || (!command->run && !command->commands))
        return run_of_module(options, out, error);
    if (!command->commands)
        return run_own(command, NULL, options, out, error);
    own = ctl_command_find(command->commands, words[1]);
    return own ? run_own(own, command, options, out, error) : refuse_word(command, words[1], error);
}
