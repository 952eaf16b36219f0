/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * person.h: whoever has started the program at a terminal, and not a mail server.
 */
#pragma once

#include <stdbool.h>

/** Remembers standard error where it is a terminal. Call before it is replaced. @program: its name
 *  in each line. */
void seal_person_look(const char *program);
/** A line on that terminal; nothing where there is none. */
void seal_person_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Tells what is wrong with the command line, by what --help says in @usage. FALSE where nothing
 *  is, as far as that tells, or where nobody is there. */
bool seal_person_check(int argc, char **argv, const char *usage);

/** TRUE for an option of any of the programs whose next word is its value, whatever that looks
 *  like: a sender may be called --debug. */
bool seal_option_takes_value(const char *option);
