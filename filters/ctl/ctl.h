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

/** One of sealctl's own commands. */
typedef struct {
    const char *name;
    int (*run)(const CtlOptions *options, SealOut *out, GError **error);
    gboolean has_words; /* more of them follow */
} CtlCommand;

/** What sealctl does, once it knows its options; an exit code. */
typedef int CtlWork(const CtlOptions *options);

/** Does it in a child. An end that it did not come to by itself is a problem, and said on standard
 *  error. */
int ctl_guard(CtlWork *work, const CtlOptions *options);

/** Private keys that are not for the service's user to read; -1 where there are none. */
typedef struct {
    int listed; /* for seal_dispatcher_prepare() */
    int socket; /* for seal_dispatcher_ask_at() */
} CtlKept;

/** Where root asks, and has the daemon keep them; before a service is opened. FALSE: they cannot be
 *  read. To be closed in any case. */
gboolean ctl_kept_open(CtlKept *kept, const char *conf_dir, GError **error);
void ctl_kept_close(CtlKept *kept);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CtlKept, ctl_kept_close)

/** Ends with a NULL name. */
extern const CtlCommand CTL_COMMANDS[];

/** All that may be wrong, and what to do about it. */
int ctl_check(const CtlOptions *options, SealOut *out, GError **error);
int ctl_modules(const CtlOptions *options, SealOut *out, GError **error);
/** Runs what the word behind "keys" names. */
int ctl_keys(const CtlOptions *options, SealOut *out, GError **error);
/** Prints how it is called; @name may be NULL, or none. */
void ctl_keys_help(const char *name);
/** Runs a command of a module: its name is the first word, or the first two. */
int ctl_module_command(const CtlOptions *options, SealOut *out, GError **error);

/** A value for people. Text may come from outside: nothing in it can steer a terminal or begin a
 *  line. (transfer full) */
char *ctl_text(GVariant *value);
/** Prints rows (aa{sv}, at least one) as a table that is no wider than the terminal. */
void ctl_print_table(GVariant *rows);
/** Prints an answer (a{sv}): as JSON; for a terminal with tables; else a line for each value. */
void ctl_print(GVariant *answer, gboolean json);
