/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wiring.h: what the looks at mail servers' wiring share. A server is asked by its own programs
 * what it would do, since these know its macros, defaults and overrides.
 */
#pragma once

#include "filters/ctl/check/check.h"

/** What a mail server's page is called, for a remedy. */
#define WIRING_PAGE(name) SEALPIPE_DOC_DIR "/mta/" name ".md"

/** Asks exim4 or exim, postconf. TRUE: it runs Sealpipe, well or badly; what is wrong has been put.
 *  *@there: the server is on this host. */
gboolean wiring_exim(CheckRun *run, gboolean *there);
gboolean wiring_postfix(CheckRun *run, gboolean *there);

/** What a program prints; @argv[0] is its path. It has a clean environment, and may take 20
 * seconds. The error has its own first words. (transfer full) */
char *wiring_ask(const char *const *argv, GError **error);

/** The words of a command as mail servers split it: at blanks that are in no quotes and no braces;
 * quotes and braces around a whole word are taken off. It ends at a brace too many. (transfer
 *  full) */
GStrv wiring_words(const char *text);
/** What stands behind the option @name, as in `-c DIR` and `--id=ID`, ahead of `--`; NULL where it
 *  is not there. (borrowed) */
const char *wiring_option(char *const *words, const char *name);
/** TRUE where `--` stands ahead of the last word. */
gboolean wiring_has_dashes(char *const *words);
/** TRUE where @word names the program @name, with or without folders. */
gboolean wiring_names(const char *word, const char *name);
/** TRUE where @list, at @separators, has @item. */
gboolean wiring_has_item(const char *list, const char *separators, const char *item);

/** Puts what is wrong with the program and the -c of @words, which @who runs. */
void wiring_check_command(CheckRun *run, const char *topic, const char *who, char *const *words);
/** Puts it where @user, who runs the programs for @who, may not hand in messages. @submits: he says
 *  who has logged in as well. */
void wiring_check_user(CheckRun *run, const char *topic, const char *who, const char *user,
                       gboolean submits);
/** TRUE where something is to be signed for those who log in. */
gboolean wiring_signs(CheckRun *run);

/** "50M", "250K", "0" in octets; -1 where it is no size. */
gint64 wiring_size(const char *text);
/** "1h30m", "60s", "1000" in seconds; -1 where it is no duration. */
gint64 wiring_seconds(const char *text);
/** What a message of @size octets may take at most, in seconds. */
gint64 wiring_patience(CheckRun *run, gint64 size);
/** [core] size_limit; 0 where there is none. */
gint64 wiring_size_limit(CheckRun *run);
