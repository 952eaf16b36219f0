/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/person.h"

#include "filters/client/io.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int terminal = -1;
static const char *name;

/* What mail servers give as standard error is a pipe, a file, or the mail itself. */
void seal_person_look(const char *program)
{
    name = program;
    if (isatty(STDERR_FILENO))
        terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

void seal_person_tell(const char *format, ...)
{
    char line[512];
    va_list args;

    if (terminal < 0)
        return;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size < 0)
        return;
    /* A word of the command line is not to steer the terminal. */
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    seal_io_write(terminal, name, strlen(name));
    seal_io_write(terminal, ": ", 2);
    seal_io_write(terminal, line, strlen(line));
    seal_io_write(terminal, "\n", 1);
}

bool seal_option_takes_value(const char *option)
{
    static const char *const options[] = {
        "-c",          "-d",       "-f",        "-H",           "--id",    "--sendmail",   "--conf",
        "--direction", "--sender", "--headers", "--submission", "--login", "--exim-spool",
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(option, options[i]) == 0)
            return true;
    }
    return false;
}

/* Where --help has it: with a blank before it, and no letter behind. */
static bool is_in_usage(const char *usage, const char *word, size_t length)
{
    const char *at = usage;

    for (; (at = strstr(at, word)) != NULL && length > 0; at++) {
        if (at[-1] == ' ' && !strchr("abcdefghijklmnopqrstuvwxyz-", at[length]))
            return true;
    }
    return false;
}

static bool is_option(const char *usage, const char *word)
{
    char option[40] = "";
    size_t length = word[1] == '-' ? strcspn(word, "=") : 2;

    if (length >= sizeof option)
        return false;
    memcpy(option, word, length);
    /* The long names of those that --help has with one letter. */
    return is_in_usage(usage, option, length) || strcmp(option, "--conf") == 0 ||
           strcmp(option, "--direction") == 0 || strcmp(option, "--sender") == 0 ||
           strcmp(option, "--headers") == 0;
}

bool seal_person_check(int argc, char **argv, const char *usage)
{
    int words = 0;

    if (terminal < 0)
        return false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            words += argc - i - 1;
            break;
        }
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            words++;
        } else if (!is_option(usage, argv[i])) {
            seal_person_tell("there is no option %s; see --help", argv[i]);
            return true;
        } else if (seal_option_takes_value(argv[i]) && ++i == argc) {
            seal_person_tell("%s needs a value; see --help", argv[argc - 1]);
            return true;
        }
    }
    if (words == 0)
        seal_person_tell("no recipient was given; see --help");
    return words == 0;
}
