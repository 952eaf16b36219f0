/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ctl.h: what the parts of sealctl share.
 */
#pragma once

#include "core/frontend.h"

/** Exit codes. */
enum {
    CTL_OK = 0,
    CTL_PROBLEM = 1,
    CTL_USAGE = 2,
};

typedef struct {
    const char *conf_dir; /* NULL: the built-in one */
    gboolean json;
    gboolean help;
    gboolean version;
    GPtrArray *words; /* the command and what belongs to it; NULL-terminated, borrowed */
} CtlOptions;

/** An option, for --help, the manual page's test and the shell's completion. */
typedef struct {
    const char *name;  /* "--trust"; "-n, --dry-run" where it has a letter */
    const char *value; /* what it takes, in capitals: FILE, DIR, TRUST, ...; NULL: nothing */
    const char *help;
} CtlOption;

/** A command, and what is said of it. */
typedef struct CtlCommand CtlCommand;
struct CtlCommand {
    const char *name;
    const char *words;        /* what follows the options: "FILE [RECIPIENT]..."; NULL: nothing */
    const char *summary;      /* one line for the list of commands, 60 characters at most */
    const char *help;         /* sentences for its own --help, a line end between paragraphs; NULL:
                                 the summary alone */
    const CtlOption *options; /* ends with a NULL name; NULL: none but sealctl's */
    /* Does it, an exit code. @argv[0] is the name, and NULL stands behind the last: made for
     * ctl_parse_words(). Nothing but the name, unless the command has words or options. An error
     * with CTL_USAGE gets "usage: ..." in front. NULL: a module's, or one of @commands. */
    int (*run)(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
    const CtlCommand *commands; /* the next word is one of these; ends with a NULL name */
};

/** What sealctl does, once it knows its options; an exit code. */
typedef int CtlWork(const CtlOptions *options);

/** Does it in a child. An end that it did not come to by itself is a problem, and said on standard
 *  error. */
int ctl_guard(CtlWork *work, const CtlOptions *options);

/** Private keys that are not for the service's user to read; -1 where there are none. */
typedef struct {
    int listed;     /* for seal_dispatcher_prepare() */
    int socket;     /* for seal_dispatcher_ask_at() */
    gboolean opens; /* set before: what was encrypted is to be opened with them, too */
    char *tended;   /* what the daemon that runs has for its workers, or NULL */
} CtlKept;

/** Where root asks, and has the daemon keep them; before a service is opened. FALSE: they cannot be
 *  read. To be closed in any case. */
gboolean ctl_kept_open(CtlKept *kept, const char *conf_dir, GError **error);
void ctl_kept_close(CtlKept *kept);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CtlKept, ctl_kept_close)

/** All of them, and those of `sealctl keys`. Both end with a NULL name. */
extern const CtlCommand CTL_COMMANDS[];
extern const CtlCommand CTL_KEYS_COMMANDS[];
/** What commands take; each ends with a NULL name. */
extern const CtlOption CTL_EXPLAIN_OPTIONS[];
extern const CtlOption CTL_REPORT_OPTIONS[];
extern const CtlOption CTL_TEST_OPTIONS[];
extern const CtlOption CTL_STATUS_OPTIONS[];

/** All that may be wrong, and what to do about it. */
int ctl_check(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_explain(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_test(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_modules(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
/** What became of mail, for each domain. */
int ctl_report(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
/** Whether all is well, and what was done; also of a configuration that does not load. */
int ctl_status(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_suspend(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
int ctl_resume(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error);
/** Runs what the words name. */
int ctl_run_words(const CtlOptions *options, SealOut *out, GError **error);

/* -------------------------------------------------------------------------------------------
 * usage.c
 */

/** Sealctl's own, which stand with every command. */
extern const CtlOption CTL_OPTIONS[];

/** The one of that name; NULL where there is none. (borrowed) */
const CtlCommand *ctl_command_find(const CtlCommand *commands, const char *name);
/** How it is called, behind "sealctl "; @above: the command that it is one of, or NULL.
 *  (transfer full) */
char *ctl_command_usage(const CtlCommand *command, const CtlCommand *above);
/** Prints the help that the words ask for, sealctl's own where they name no command. */
int ctl_help(const CtlCommand *commands, const CtlOptions *options);
/** Appends how the commands of the module of that name are called, each behind a line end. TRUE
 *  where @both is one of them. */
gboolean ctl_module_usages(const char *name, const char *both, GString *list);

/** complete.c: prints what may stand in the place of the last of @argv. */
int ctl_complete(const CtlCommand *commands, char **argv);

/* -------------------------------------------------------------------------------------------
 * words.c
 */

/** Sets an error of the command line. Always CTL_USAGE. */
int ctl_misuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** Reads the options of a command (@entries may be NULL). *@words, borrowed and NULL-terminated,
 * are what is left: @least of them or more, and no more than @most. FALSE: the command line is
 * wrong. */
gboolean ctl_parse_words(int argc, char **argv, const GOptionEntry *entries, guint least,
                         guint most, char ***words, GError **error);

/* -------------------------------------------------------------------------------------------
 * suspend.c
 */

/** Says "suspended", and finds it out. FALSE: it cannot be told. */
gboolean ctl_put_suspended(const SealService *service, SealOut *out, gboolean *suspended,
                           GError **error);
/** Says that outbound mail passes as it comes. */
void ctl_put_disabled(SealOut *out);

/* -------------------------------------------------------------------------------------------
 * Answers
 */

/** A value for people. Text may come from outside: nothing in it can steer a terminal or begin a
 *  line. (transfer full) */
char *ctl_text(GVariant *value);
/** Prints rows (aa{sv}, at least one) as a table that is no wider than the terminal. */
void ctl_print_table(GVariant *rows);
/** Prints an answer (a{sv}): as JSON; for a terminal with tables; else a line for each value. */
void ctl_print(GVariant *answer, gboolean json);
/** @text as one word of a shell's, for commands that people are to copy. (transfer full) */
char *ctl_shell_word(const char *text);
/** Whether standard output is to have colours. */
gboolean ctl_wants_colours(void);

/* -------------------------------------------------------------------------------------------
 * rows.c: what stands in an answer
 */

/** Of a row, or the answer itself: "", 0 or FALSE where there is none of that name. (borrowed) */
const char *ctl_row_text(GVariant *row, const char *name);
gint64 ctl_row_number(GVariant *row, const char *name);
gboolean ctl_row_is_set(GVariant *row, const char *name);
typedef void CtlRowVisitor(GVariant *row, gpointer user_data);
/** Calls @visit with each row of @list. */
void ctl_rows_visit(GVariant *answer, const char *list, CtlRowVisitor *visit, gpointer user_data);
gsize ctl_rows_count(GVariant *answer, const char *list);
