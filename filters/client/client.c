/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/client.h"

#include "filters/client/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

typedef struct {
    bool help;
    bool version;
    bool debug;
} Options;

/* An MTA's pipe cannot be written to twice, and stdio would buffer. */
static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        size -= (size_t)done;
    }
    return true;
}

static bool write_text(int fd, const char *text)
{
    return write_all(fd, text, strlen(text));
}

/* Exim takes a filter that did not read all of its input for a broken one, or for a good one with
 * a short message, depending on the transport. Neither is wanted. */
static void drain(int fd)
{
    char bytes[16384];
    ssize_t size;

    do
        size = read(fd, bytes, sizeof bytes);
    while (size > 0 || (size < 0 && errno == EINTR));
}

/* -------------------------------------------------------------------------------------------
 * The command line. The runner knows it; the client looks for what it answers itself.
 */

/* The next word is a value, whatever it looks like: a sender may be called --debug. */
static bool takes_value(const char *option)
{
    static const char *const options[] = {
        "-c",     "-d",          "-f",       "-H",        "--id",         "--sendmail",
        "--conf", "--direction", "--sender", "--headers", "--submission",
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(option, options[i]) == 0)
            return true;
    }
    return false;
}

static Options read_options(int argc, char **argv)
{
    Options options = {0};

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (takes_value(argv[i]))
            i++;
        else if (strcmp(argv[i], "--help") == 0)
            options.help = true;
        else if (strcmp(argv[i], "--version") == 0)
            options.version = true;
        else if (strcmp(argv[i], "--debug") == 0)
            options.debug = true;
    }
    return options;
}

/* The runner's argv: (transfer full), the strings borrowed. */
static char **runner_argv(const SealClient *client, int argc, char **argv)
{
    static char name[] = "sealpipe-run";
    size_t given = argc > 1 ? (size_t)argc - 1 : 0;
    char **list = calloc(given + 3, sizeof *list);

    if (!list)
        return NULL;
    list[0] = name;
    list[1] = (char *)client->mode;
    for (size_t i = 0; i < given; i++)
        list[i + 2] = argv[i + 1];
    return list;
}

/* -------------------------------------------------------------------------------------------
 * Descriptors
 */

/* A descriptor that is closed would be given to the next file opened, and our own files would be
 * read as the message or written over by the result. FALSE: there is no stdout to answer on. */
static bool open_standard_fds(bool debug)
{
    bool answerable = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return false;
    /* In Exim fd 2 is the mail, too; libc itself may write to it. */
    if (!debug && dup2(fd, STDERR_FILENO) < 0)
        answerable = false;
    close(fd);
    return answerable;
}

/* -------------------------------------------------------------------------------------------
 * The answer
 */

static bool takes_message(const SealClient *client)
{
    return client->kind != SEAL_CLIENT_ANSWER;
}

static bool is_answer(const SealClient *client, int status)
{
    return status == 0 || status == EX_TEMPFAIL ||
           (status == EX_UNAVAILABLE && !takes_message(client));
}

/* What the runner could not log itself. */
static void log_fault(const SealClient *client, const SealChildEnd *end)
{
    if (is_answer(client, end->status))
        return;
    if (end->reason[0])
        syslog(LOG_ERR, "%s", end->reason);
    else
        syslog(LOG_ERR, "the runner ended with status %d", end->status);
}

/* One line without its end: Exim puts it into an SMTP reply, which a newline would break. */
static void make_line(SealChildEnd *end)
{
    while (end->output_size > 0 && strchr("\r\n", end->output[end->output_size - 1]))
        end->output_size--;
    for (size_t i = 0; i < end->output_size; i++) {
        unsigned char byte = (unsigned char)end->output[i];

        if (byte < ' ' || byte == 0x7f)
            end->output[i] = ' ';
    }
}

static int answer(const SealClient *client, SealChildEnd *end)
{
    int status = is_answer(client, end->status) ? end->status : EX_TEMPFAIL;
    bool written;

    if (client->kind == SEAL_CLIENT_FILTER)
        return status;
    if (client->kind == SEAL_CLIENT_HANDOVER)
        return client->finish(end->file);
    make_line(end);
    if (is_answer(client, end->status) && (end->output_size > 0 || status != EX_TEMPFAIL))
        written = write_all(STDOUT_FILENO, end->output, end->output_size);
    else
        written = write_text(STDOUT_FILENO, client->name) &&
                  write_text(STDOUT_FILENO, ": cannot tell now");
    return written ? status : EX_TEMPFAIL;
}

static int run(const SealClient *client, int argc, char **argv, bool debug)
{
    SealChildSpec spec = {
        .path = SEALPIPE_RUNNER,
        .argv = runner_argv(client, argc, argv),
        .debug = debug,
        .passes = client->kind == SEAL_CLIENT_FILTER,
        .makes_file = client->kind == SEAL_CLIENT_HANDOVER,
    };
    SealChildEnd end = {.status = -1, .reason = "out of memory", .file = -1};
    int status;

    if (spec.argv)
        seal_child_run(&spec, &end);
    free((void *)spec.argv);
    status = answer(client, &end);
    if (status != 0 && takes_message(client))
        drain(STDIN_FILENO);
    /* Last, since a log that does not answer must not keep the MTA from its answer. */
    log_fault(client, &end);
    return status;
}

int seal_client_main(const SealClient *client, int argc, char **argv)
{
    Options options = read_options(argc, argv);

    if (!open_standard_fds(options.debug)) {
        if (takes_message(client))
            drain(STDIN_FILENO);
        return EX_TEMPFAIL;
    }
    /* A reader that is gone is an error of write(), not our end. The runner gets the default. */
    signal(SIGPIPE, SIG_IGN);
    if (options.help)
        return write_text(STDOUT_FILENO, client->usage) ? 0 : EX_TEMPFAIL;
    if (options.version)
        return write_text(STDOUT_FILENO, client->name) &&
                       write_text(STDOUT_FILENO, " " SEALPIPE_VERSION "\n")
                   ? 0
                   : EX_TEMPFAIL;
    openlog(client->name, LOG_PID | (options.debug ? LOG_PERROR : 0), LOG_MAIL);
    return run(client, argc, argv, options.debug);
}
