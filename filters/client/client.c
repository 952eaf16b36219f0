/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/client.h"

#include "filters/client/child.h"
#include "filters/client/io.h"
#include "filters/client/person.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct {
    bool help;
    bool version;
    bool debug;
} Options;

static bool print_text(const char *text)
{
    return seal_io_write(STDOUT_FILENO, text, strlen(text));
}

static bool print_name(const char *behind)
{
    return print_text(seal_client.name) && print_text(behind);
}

/* Exim takes a filter that did not read all of its input for a broken one, or for a good one with
 * a short message, depending on the transport. Neither is wanted. */
static void drain_input(void)
{
    char bytes[16384];
    ssize_t size;

    do
        size = read(STDIN_FILENO, bytes, sizeof bytes);
    while (size > 0 || (size < 0 && errno == EINTR));
}

/* -------------------------------------------------------------------------------------------
 * The command line. The runner knows it; the client looks for what it answers itself.
 */

static void read_option(Options *options, const char *word)
{
    if (strcmp(word, "--help") == 0)
        options->help = true;
    else if (strcmp(word, "--version") == 0)
        options->version = true;
    else if (strcmp(word, "--debug") == 0)
        options->debug = true;
}

/* In the same word (-fx, --id=x); NULL: @word is not this option with a value. */
static const char *joined_value(const char *word, const char *option)
{
    size_t size = strlen(option);

    if (strncmp(word, option, size) != 0 || word[size] == '\0')
        return NULL;
    if (option[1] != '-')
        return word + size;
    return word[size] == '=' ? word + size + 1 : NULL;
}

/* Where @word is this option; its value may be the next word, or NULL where there is none. */
static void read_value(const char *word, const char *next, const char *option, const char **value)
{
    const char *joined = joined_value(word, option);

    if (joined || (next && strcmp(word, option) == 0))
        *value = joined ? joined : next;
}

static void read_job_option(SealClientJob *job, const char *word, const char *next)
{
    read_value(word, next, "--id", &job->id);
    read_value(word, next, "-f", &job->from);
    read_value(word, next, "--sender", &job->from);
}

/* Without memory there are no recipients, not even a place for them. */
static void read_words(int argc, char **argv, Options *options, SealClientJob *job)
{
    bool ended = false;

    *job = (SealClientJob){.id = ""};
    job->recipients = calloc((size_t)argc + 1, sizeof *job->recipients);
    for (int i = 1; i < argc && job->recipients; i++) {
        if (ended || argv[i][0] != '-') {
            job->recipients[job->n_recipients++] = argv[i];
            continue;
        }
        ended = strcmp(argv[i], "--") == 0;
        read_option(options, argv[i]);
        read_job_option(job, argv[i], argv[i + 1]);
        i += seal_option_takes_value(argv[i]);
    }
    if (job->from && job->from[0] == '\0')
        job->from = "<>";
    else if (!job->from)
        job->from = "";
}

/* The runner's argv: (transfer full), the strings borrowed. */
static char **runner_argv(int argc, char **argv)
{
    static char name[] = "sealpipe-run";
    size_t given = argc > 1 ? (size_t)argc - 1 : 0;
    char **list = calloc(given + 3, sizeof *list);

    if (!list)
        return NULL;
    list[0] = name;
    list[1] = (char *)seal_client.mode;
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

static bool takes_message(void)
{
    return seal_client.kind != SEAL_CLIENT_ANSWER;
}

static bool is_answer(int status)
{
    return status == 0 || status == EX_TEMPFAIL || (status == EX_UNAVAILABLE && !takes_message());
}

/* What the runner could not log itself. */
static void log_fault(const SealChildEnd *end, const SealClientJob *job)
{
    char reason[64];

    if (is_answer(end->status))
        return;
    snprintf(reason, sizeof reason, "the runner ended with status %d, which is no answer",
             end->status);
    seal_client_log_deferred(job, end->reason[0] ? end->reason : reason);
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

static int answer_mta(SealChildEnd *end, const SealClientJob *job)
{
    int status = is_answer(end->status) ? end->status : EX_TEMPFAIL;
    bool written;

    if (seal_client.kind == SEAL_CLIENT_FILTER)
        return status;
    if (seal_client.kind == SEAL_CLIENT_HANDOVER)
        return seal_client.finish(end->file, job);
    make_line(end);
    if (is_answer(end->status) && (end->output_size > 0 || status != EX_TEMPFAIL))
        written = seal_io_write(STDOUT_FILENO, end->output, end->output_size);
    else
        written = print_name(": cannot tell now");
    if (isatty(STDOUT_FILENO))
        written = print_text("\n") && written;
    return written ? status : EX_TEMPFAIL;
}

static int run_client(int argc, char **argv, bool debug, const SealClientJob *job)
{
    SealChildSpec spec = {
        .path = SEALPIPE_RUNNER,
        .argv = runner_argv(argc, argv),
        .debug = debug,
        .passes = seal_client.kind == SEAL_CLIENT_FILTER,
        .makes_file = seal_client.kind == SEAL_CLIENT_HANDOVER,
    };
    SealChildEnd end = {.status = -1, .reason = "out of memory", .file = -1, .log.file = -1};
    int status;

    if (spec.argv && job->recipients)
        seal_child_run(&spec, &end);
    free((void *)spec.argv);
    seal_client_log_use(&end.log);
    if (end.fatal) {
        log_fault(&end, job);
        raise(end.fatal);
    }
    status = answer_mta(&end, job);
    if (status != 0 && takes_message())
        drain_input();
    /* Last, since a log that does not answer must not keep the MTA from its answer. */
    log_fault(&end, job);
    seal_io_close(&end.log.file);
    return status;
}

static int answer_words(int argc, char **argv, const Options *options, const SealClientJob *job)
{
    bool is_wrong;
    int status;

    seal_person_look(seal_client.name);
    if (!open_standard_fds(options->debug)) {
        if (takes_message())
            drain_input();
        return EX_TEMPFAIL;
    }
    /* A reader that is gone is an error of write(), not our end. The runner gets the default. */
    signal(SIGPIPE, SIG_IGN);
    if (options->help)
        return print_text(seal_client.usage) ? 0 : EX_TEMPFAIL;
    if (options->version)
        return print_name(" " SEALPIPE_VERSION "\n") ? 0 : EX_TEMPFAIL;
    /* At a terminal he would wait for us, as we for his message. */
    is_wrong = seal_person_check(argc, argv, seal_client.usage);
    if (is_wrong && takes_message() && isatty(STDIN_FILENO))
        return EX_TEMPFAIL;
    seal_client_log_open(seal_client.mode, options->debug);
    status = run_client(argc, argv, options->debug, job);
    if (status == EX_TEMPFAIL && takes_message() && !options->debug && !is_wrong)
        seal_person_tell("nothing was done; the log says why, and --debug says it here");
    return status;
}

int main(int argc, char **argv)
{
    Options options = {0};
    SealClientJob job;
    int status;

    read_words(argc, argv, &options, &job);
    status = answer_words(argc, argv, &options, &job);
    free((void *)job.recipients);
    return status;
}
