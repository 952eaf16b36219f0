/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/client.h"

#include "filters/client/child.h"
#include "filters/client/daemon.h"
#include "filters/client/exim.h"
#include "filters/client/io.h"
#include "filters/client/person.h"
#include "filters/client/take.h"

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
    bool says_id;
    const char *conf;
    const char *exim; /* of --exim-spool */
} Options;

static bool print_text(const char *text)
{
    return seal_io_write(STDOUT_FILENO, text, strlen(text));
}

static bool print_name(const char *behind)
{
    return print_text(seal_client.name) && print_text(behind);
}

/* -------------------------------------------------------------------------------------------
 * The command line. The worker knows it; the client looks for what it needs itself.
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

static void read_valued_option(Options *options, SealClientJob *job, const char *word,
                               const char *next)
{
    read_value(word, next, "-c", &options->conf);
    read_value(word, next, "--conf", &options->conf);
    read_value(word, next, "--exim-spool", &options->exim);
    read_value(word, next, "--id", &job->id);
    read_value(word, next, "-f", &job->from);
    read_value(word, next, "--sender", &job->from);
}

/* Without memory there are no recipients, not even a place for them. */
static void read_words(int argc, char **argv, Options *options, SealClientJob *job)
{
    bool ended = false;

    *job = (SealClientJob){0};
    job->recipients = calloc((size_t)argc + 1, sizeof *job->recipients);
    for (int i = 1; i < argc && job->recipients; i++) {
        if (ended || argv[i][0] != '-') {
            job->recipients[job->n_recipients++] = argv[i];
            continue;
        }
        ended = strcmp(argv[i], "--") == 0;
        read_option(options, argv[i]);
        read_valued_option(options, job, argv[i], argv[i + 1]);
        i += seal_option_takes_value(argv[i]);
    }
    options->says_id = job->id != NULL;
    if (!job->id)
        job->id = "";
    if (job->from && job->from[0] == '\0')
        job->from = "<>";
    else if (!job->from)
        job->from = "";
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

/* What the worker could not log itself. */
static void log_fault(const SealAnswer *answer, const SealClientJob *job)
{
    char reason[64];

    if (!answer->fault[0] && is_answer(answer->status))
        return;
    snprintf(reason, sizeof reason, "the runner ended with status %d, which is no answer",
             answer->status);
    seal_client_log_deferred(job, answer->fault[0] ? answer->fault : reason);
}

/* One line without its end: Exim puts it into an SMTP reply, which a newline would break. */
static void make_line(SealAnswer *answer)
{
    while (answer->text_size > 0 && strchr("\r\n", answer->text[answer->text_size - 1]))
        answer->text_size--;
    for (size_t i = 0; i < answer->text_size; i++) {
        unsigned char byte = (unsigned char)answer->text[i];

        if (byte < ' ' || byte == 0x7f)
            answer->text[i] = ' ';
    }
}

/* What is written is all of it: whether there is a whole result is known by now. */
static int give_result(SealAnswer *answer)
{
    if (answer->status != 0)
        return EX_TEMPFAIL;
    if (answer->file < 0 && answer->n_pieces == 0)
        seal_answer_fail(answer, "there is no result");
    else if (!seal_give_answer(answer))
        seal_answer_fail(answer, "cannot write the result to standard output: %s", strerror(errno));
    return answer->fault[0] ? EX_TEMPFAIL : 0;
}

static int give_reason(SealAnswer *answer)
{
    int status = is_answer(answer->status) ? answer->status : EX_TEMPFAIL;
    bool written;

    make_line(answer);
    if (is_answer(answer->status) && (answer->text_size > 0 || status != EX_TEMPFAIL))
        written = seal_io_write(STDOUT_FILENO, answer->text, answer->text_size);
    else
        written = print_name(": cannot tell now");
    if (isatty(STDOUT_FILENO))
        written = print_text("\n") && written;
    if (!written)
        seal_person_tell("standard output cannot be written to: %s", strerror(errno));
    return written ? status : EX_TEMPFAIL;
}

static int answer_mta(SealAnswer *answer, const SealClientJob *job)
{
    int file;

    if (answer->fault[0])
        answer->status = -1;
    if (seal_client.kind == SEAL_CLIENT_FILTER)
        return give_result(answer);
    if (seal_client.kind == SEAL_CLIENT_ANSWER)
        return give_reason(answer);
    file = answer->status == 0 ? answer->file : -1;
    if (file >= 0)
        answer->file = -1;
    return seal_client.finish(file, job);
}

/* -------------------------------------------------------------------------------------------
 * The work
 */

static void read_conf(const Options *options, SealClientConf *conf)
{
    const char *dir = options->conf ? options->conf : getenv("SEALPIPE_CONF");

    seal_client_conf_read(dir ? dir : SEAL_CONF_DIR, conf);
}

/* An empty id is that of a message whose recipients are still being named. */
static bool has_exim_file(const Options *options, const SealClientJob *job)
{
    return options->exim && (takes_message() || !options->says_id || job->id[0] != '\0');
}

/* FALSE: *@why. Standard input has been read all the same. */
static bool fill_request(int argc, char **argv, const Options *options, const SealClientJob *job,
                         const SealClientConf *conf, SealRequest *request, const char **why)
{
    if (takes_message())
        request->files[SEAL_REQUEST_MESSAGE] = seal_take_message(conf, why);
    if (*why)
        return false;
    if (!job->recipients)
        *why = "out of memory";
    else
        request->files[SEAL_REQUEST_WORDS] = seal_take_words(argc, argv, why);
    strcpy(request->mode, seal_client.mode);
    request->device = conf->device;
    request->inode = conf->inode;
    if (has_exim_file(options, job))
        seal_exim_open(options->exim, job->id, request);
    return !*why;
}

/* The signal that is to end this, or 0. What --debug asks for only the runner can do. */
static int do_work(const SealClientConf *conf, const Options *options, const SealRequest *request,
                   SealAnswer *answer)
{
    if (!options->debug && seal_daemon_run(conf, request, answer))
        return 0;
    seal_answer_begin(answer, SEAL_CHILD_FIRST_LIMIT_MS);
    return seal_child_run(SEALPIPE_RUNNER, options->conf, options->debug, request, answer);
}

static int run_client(int argc, char **argv, const Options *options, const SealClientJob *job)
{
    SealClientConf conf;
    SealRequest request = SEAL_REQUEST_NONE;
    SealAnswer answer;
    const char *why = NULL;
    int status, fatal = 0;

    seal_answer_begin(&answer, 0);
    read_conf(options, &conf);
    if (fill_request(argc, argv, options, job, &conf, &request, &why))
        fatal = do_work(&conf, options, &request, &answer);
    else
        seal_answer_fail(&answer, "%s", why);
    seal_request_clear(&request);
    seal_client_log_use(&answer.log);
    if (fatal) {
        log_fault(&answer, job);
        raise(fatal);
    }
    status = answer_mta(&answer, job);
    /* Last, since a log that does not answer must not keep the MTA from its answer. */
    log_fault(&answer, job);
    seal_answer_clear(&answer);
    return status;
}

/* Whoever asks for that is no mail server, and standard error is his. */
static int tell_about(const Options *options)
{
    bool written =
        options->help ? print_text(seal_client.usage) : print_name(" " SEALPIPE_VERSION "\n");

    if (written)
        return 0;
    fprintf(stderr, "%s: standard output cannot be written to: %s\n", seal_client.name,
            strerror(errno));
    return EX_TEMPFAIL;
}

static int answer_words(int argc, char **argv, const Options *options, const SealClientJob *job)
{
    bool is_wrong;
    int status;

    /* A reader that is gone is an error of write(), not our end. */
    signal(SIGPIPE, SIG_IGN);
    if (options->help || options->version)
        return tell_about(options);
    seal_person_look(seal_client.name);
    if (!open_standard_fds(options->debug)) {
        if (takes_message())
            seal_take_nothing();
        return EX_TEMPFAIL;
    }
    /* At a terminal he would wait for us, as we for his message. */
    is_wrong = seal_person_check(argc, argv, seal_client.usage);
    if (is_wrong && takes_message() && isatty(STDIN_FILENO))
        return EX_TEMPFAIL;
    seal_client_log_open(seal_client.mode, options->debug);
    status = run_client(argc, argv, options, job);
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
