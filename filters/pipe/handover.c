/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/pipe/handover.h"

#include "filters/client/child.h"
#include "filters/client/io.h"
#include "filters/client/log.h"
#include "filters/pipe/become.h"
#include "filters/pipe/container.h"
#include "filters/pipe/journal.h"
#include "filters/pipe/sendmail.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Postfix lets a pipe run for 1000 s, and then bounces. */
#define BUDGET_S  600
#define LINE_SIZE 898 /* without its end */
#define WORDS_MAX 32

static const char too_big[] = "as it is to leave it is larger than the mail server takes "
                              "(message_size_limit of what sealpipe-pipe hands over)";

typedef struct {
    int file;
    SealContainer container;
    SealJournal journal;
    bool journalled;
    size_t n_pending; /* recipients, in the order of the deliveries */
    off_t at;         /* of the first of them in the journal */
    char *command;    /* sendmail's words lie in it */
    char *words[WORDS_MAX];
    size_t n_words;
    bool failed;   /* a hand-over was */
    char why[512]; /* what is left is not handed over */
    char line[LINE_SIZE + 1];
} Handover;

/* -------------------------------------------------------------------------------------------
 * The log: behind what the runner says of a recipient, what became of the hand-over
 */

__attribute__((format(printf, 5, 6))) static void log_recipient(const Handover *self,
                                                                SealContainerRecipient *recipient,
                                                                SealClientLevel level,
                                                                const char *result,
                                                                const char *format, ...)
{
    char reason[2048];
    SealClientLine line = {self->container.id, self->container.sender, recipient->address, result,
                           reason};
    va_list args;

    if (!line.from[0])
        line.from = "<>";
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    recipient->told = true;
    seal_client_log(level, &line);
}

/* Those of whom the runner's line, that there is something for them, would be the last. */
static void log_rest(const Handover *self)
{
    for (size_t i = 0; i < self->container.n_recipients; i++) {
        SealContainerRecipient *recipient = &self->container.recipients[i];

        if (recipient->result == SEAL_CONTAINER_SENT && !recipient->told)
            log_recipient(self, recipient, SEAL_CLIENT_ERROR, "deferred", "not handed over: %s",
                          self->why);
    }
}

/* What holds for all that is left. */
__attribute__((format(printf, 2, 3))) static void give_up(Handover *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(self->why, sizeof self->why, format, args);
    va_end(args);
}

/* -------------------------------------------------------------------------------------------
 * The line for the mail server
 */

/* Printable ASCII: it may become a part of an SMTP reply. What does not fit is left out. */
static void add_text(Handover *self, const char *text)
{
    size_t size = strlen(self->line);

    for (; *text && size < LINE_SIZE; text++)
        self->line[size++] = *text >= ' ' && *text < 0x7f ? *text : '?';
    self->line[size] = '\0';
}

/* Where nobody takes the line, the exit status still says it all. */
static int answer_line(Handover *self, int status)
{
    size_t size = strlen(self->line);

    self->line[size++] = '\n';
    seal_io_write(STDOUT_FILENO, self->line, size);
    return status;
}

static int defer_message(Handover *self, const char *why)
{
    self->line[0] = '\0';
    add_text(self, "4.3.0 ");
    add_text(self, why);
    return answer_line(self, EX_TEMPFAIL);
}

static size_t count_of(const Handover *self, SealContainerResult result)
{
    size_t count = 0;

    for (size_t i = 0; i < self->container.n_recipients; i++)
        count += self->container.recipients[i].result == result;
    return count;
}

/* @begin, and who they are whose result this is. */
static int answer_names(Handover *self, int status, const char *begin, SealContainerResult result)
{
    const char *separator = "";

    add_text(self, begin);
    for (size_t i = 0; i < self->container.n_recipients; i++) {
        const SealContainerRecipient *recipient = &self->container.recipients[i];

        if (recipient->result != result)
            continue;
        add_text(self, separator);
        add_text(self, recipient->address);
        add_text(self, ": ");
        add_text(self, recipient->reason);
        separator = "; ";
    }
    return answer_line(self, status);
}

/* One code stands for all of them: the one that they have in common, or the general one. */
static const char *common_code(const Handover *self)
{
    const char *code = NULL;

    for (size_t i = 0; i < self->container.n_recipients; i++) {
        const SealContainerRecipient *recipient = &self->container.recipients[i];

        if (recipient->result != SEAL_CONTAINER_REFUSED)
            continue;
        if (code && strcmp(code, recipient->code) != 0)
            return "5.7.1";
        code = recipient->code;
    }
    return code;
}

static int conclude_answer(Handover *self)
{
    if (self->failed)
        return defer_message(self, "the message could not be handed over; the log says why");
    if (count_of(self, SEAL_CONTAINER_DEFERRED) > 0)
        return answer_names(self, EX_TEMPFAIL, "4.3.0 deferred: ", SEAL_CONTAINER_DEFERRED);
    if (count_of(self, SEAL_CONTAINER_REFUSED) == 0)
        return EX_OK;
    /* Ahead of the names, which may be more than there is room for. */
    add_text(self, common_code(self));
    return answer_names(self, EX_UNAVAILABLE,
                        count_of(self, SEAL_CONTAINER_SENT) > 0
                            ? " refused, while all other recipients have got the message: "
                            : " refused: ",
                        SEAL_CONTAINER_REFUSED);
}

/* -------------------------------------------------------------------------------------------
 * Before the first hand-over
 */

/* Blanks part words; there is no quoting, and no shell. */
static bool split_command(Handover *self)
{
    char *rest = NULL;

    self->command = strdup(self->container.sendmail);
    if (!self->command)
        return false;
    for (char *word = strtok_r(self->command, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        if (self->n_words == WORDS_MAX)
            return false;
        self->words[self->n_words++] = word;
    }
    return self->n_words > 0 && self->words[0][0] == '/';
}

/* Takes those out that an earlier try has handed over. */
static void keep_pending(Handover *self, const char **keys, const bool *found)
{
    size_t kept = 0;

    for (size_t i = 0; i < self->n_pending; i++) {
        SealContainerRecipient *recipient = self->container.places[i];

        recipient->placed = !found[i];
        if (found[i])
            log_recipient(self, recipient, SEAL_CLIENT_INFO, "handed-over",
                          "by an earlier try, and not again");
        else
            keys[kept++] = keys[i];
    }
    self->n_pending = kept;
}

static bool use_journal(Handover *self, const char **keys, bool *found)
{
    if (!seal_journal_open(&self->journal, self->container.state_dir) ||
        !seal_journal_lock(&self->journal, self->container.id, keys, self->n_pending) ||
        !seal_journal_find(&self->journal, keys, self->n_pending, found))
        return false;
    keep_pending(self, keys, found);
    return self->n_pending == 0 ||
           seal_journal_begin(&self->journal, keys, self->n_pending, &self->at);
}

/* By hand root may run this. The runner has become the service's user, whose its file is therefore;
 * the journal is that user's, and sendmail is run as in the mail server's own runs. */
static bool become_runner_user(Handover *self)
{
    struct stat st;

    if (geteuid() != 0)
        return true;
    if (fstat(self->file, &st) == 0 && (st.st_uid == 0 || seal_pipe_become(st.st_uid)))
        return true;
    give_up(self, "cannot become the user that the runner has become");
    return false;
}

/* There is a journal where every recipient has a key for it. */
static bool prepare_journal(Handover *self)
{
    size_t count = count_of(self, SEAL_CONTAINER_SENT);
    const char **keys = calloc(count + 1, sizeof *keys);
    bool *found = calloc(count + 1, sizeof *found);
    bool ok = keys && found;

    self->n_pending = count;
    self->journalled = ok;
    for (size_t i = 0; i < count && ok; i++) {
        keys[i] = self->container.places[i]->key;
        self->journalled = self->journalled && keys[i][0] != '\0';
    }
    if (self->journalled)
        ok = use_journal(self, keys, found);
    if (!ok)
        give_up(self, "%s", self->journal.why);
    free((void *)keys);
    free(found);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * Handing over
 */

/* CMD -G -i -f SENDER -- RCPT...; (transfer full), the strings borrowed. */
static char **sendmail_argv(const Handover *self, const SealContainerDelivery *delivery)
{
    static char relay[] = "-G", dots[] = "-i", from[] = "-f", none[] = "<>", last[] = "--";
    char **argv = calloc(self->n_words + delivery->count + 6, sizeof *argv);
    char **word = argv;

    if (!argv)
        return NULL;
    for (size_t i = 0; i < self->n_words; i++)
        *word++ = self->words[i];
    *word++ = relay;
    *word++ = dots;
    *word++ = from;
    *word++ = self->container.sender[0] ? (char *)self->container.sender : none;
    *word++ = last;
    for (size_t i = 0; i < delivery->count; i++) {
        if (delivery->recipients[i]->placed)
            *word++ = (char *)delivery->recipients[i]->address;
    }
    return argv;
}

/* The file ends where the delivery does: what sendmail reads is all there, whoever dies. */
static bool lay_out(const Handover *self, const SealContainerDelivery *delivery)
{
    return ftruncate(self->file, (off_t)delivery->end) == 0 &&
           lseek(self->file, (off_t)delivery->start, SEEK_SET) == (off_t)delivery->start;
}

__attribute__((format(printf, 5, 6))) static void log_delivery(
    const Handover *self, const SealContainerDelivery *delivery, SealClientLevel level,
    const char *result, const char *format, ...)
{
    char reason[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    for (size_t i = 0; i < delivery->count; i++) {
        if (delivery->recipients[i]->placed)
            log_recipient(self, delivery->recipients[i], level, result, "%s", reason);
    }
}

/* A retry would meet the same limit. */
static void refuse_too_big(Handover *self, const SealContainerDelivery *delivery,
                           const SealSendmailEnd *end)
{
    for (size_t i = 0; i < delivery->count; i++) {
        SealContainerRecipient *recipient = delivery->recipients[i];

        if (!recipient->placed)
            continue;
        recipient->result = SEAL_CONTAINER_REFUSED;
        recipient->code = "5.3.4";
        recipient->reason = too_big;
    }
    log_delivery(self, delivery, SEAL_CLIENT_WARNING, "refused",
                 "%s; it has %" PRIu64 " octets, and %s: %s", too_big,
                 delivery->end - delivery->start, end->why, end->says);
}

/* @first: the number of the delivery's first recipient among the pending. FALSE: no further one. */
static bool hand_one(Handover *self, const SealContainerDelivery *delivery, size_t first,
                     size_t count)
{
    SealSendmailEnd end = {.why = "out of memory"};
    char **argv = sendmail_argv(self, delivery);

    if (argv && !lay_out(self, delivery))
        snprintf(end.why, sizeof end.why, "cannot cut the temporary file to this delivery: %s",
                 strerror(errno));
    else if (argv)
        seal_sendmail_run(argv, self->file, &end);
    free((void *)argv);
    if (end.too_big) {
        refuse_too_big(self, delivery, &end);
        return true;
    }
    if (!end.done) {
        self->failed = true;
        log_delivery(self, delivery, SEAL_CLIENT_ERROR, "deferred", "the hand-over failed: %s%s%s",
                     end.why, end.says[0] ? ": " : "", end.says);
        give_up(self, "another hand-over failed");
        /* With a journal the others need not wait; without one each would get it once more. */
        return self->journalled && !end.left;
    }
    bool marked = !self->journalled || seal_journal_mark(&self->journal, self->at, first, count);
    log_delivery(self, delivery, marked ? SEAL_CLIENT_INFO : SEAL_CLIENT_ERROR, "handed-over",
                 "to %s%s%s", self->words[0],
                 marked ? "" : "; a retry would do so again: ", marked ? "" : self->journal.why);
    return true;
}

/* What would end us waits until the exit status is known: a hand-over that is not in the journal
 * would be made again. From here on nothing takes long but sendmail, which has its limit. */
static void hold_signals(sigset_t *held)
{
    seal_child_fatal_signals(held);
    sigprocmask(SIG_BLOCK, held, NULL);
}

static bool is_interrupted(const sigset_t *held)
{
    sigset_t came;

    if (sigpending(&came) != 0)
        return false;
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&came, number) == 1 && sigismember(held, number) == 1)
            return true;
    }
    return false;
}

static size_t pending_of(const SealContainerDelivery *delivery)
{
    size_t count = 0;

    for (size_t i = 0; i < delivery->count; i++)
        count += delivery->recipients[i]->placed;
    return count;
}

/* From the last to the first, so that each can be the end of the file. */
static void hand_all(Handover *self)
{
    const int64_t begun = seal_io_now_ms();
    size_t rest = self->n_pending;
    sigset_t held;

    hold_signals(&held);

    for (size_t i = self->container.n_deliveries; i-- > 0;) {
        const SealContainerDelivery *delivery = &self->container.deliveries[i];
        size_t count = pending_of(delivery);

        if (count == 0)
            continue;
        bool interrupted = is_interrupted(&held);
        long passed = (long)((seal_io_now_ms() - begun) / 1000);
        if (interrupted || passed > BUDGET_S) {
            give_up(self, "%s after %ld s of at most %d; %zu recipients are left to a retry",
                    interrupted ? "interrupted by a signal" : "stopped", passed, BUDGET_S, rest);
            self->failed = true;
            return;
        }
        rest -= count;
        if (!hand_one(self, delivery, rest, count))
            return;
    }
}

static int run_handover(Handover *self)
{
    if (!split_command(self)) {
        give_up(self, "--sendmail takes an absolute path and up to %d words, not \"%s\"",
                WORDS_MAX - 1, self->container.sendmail);
        return defer_message(self, "sendmail cannot be run");
    }
    if (!become_runner_user(self))
        return defer_message(self, "the message cannot be handled now");
    if (!prepare_journal(self))
        return defer_message(self, "the journal cannot be used now");
    /* Each retry would give it once more to those who have it. */
    if (!self->journalled && count_of(self, SEAL_CONTAINER_DEFERRED) > 0) {
        give_up(self, "another recipient is deferred, and there is no journal without --id");
        return conclude_answer(self);
    }
    hand_all(self);
    return conclude_answer(self);
}

/* Where it cannot be used, nobody is known but those of the command line. */
static int defer_all(Handover *self, const SealClientJob *job, const char *why)
{
    char reason[256];

    snprintf(reason, sizeof reason, "not handed over: the runner's file cannot be used: %s", why);
    seal_client_log_deferred(job, reason);
    return defer_message(self, "the message cannot be handled now");
}

int seal_handover(int file, const SealClientJob *job)
{
    Handover self = {.file = file,
                     .journal = {.folder = -1, .file = -1, .lock = -1, .why = "out of memory"}};
    const char *why;
    int status;

    if (file < 0)
        return defer_message(&self, "the message cannot be handled now; the log says why");
    if (seal_container_read(&self.container, file, &why)) {
        status = run_handover(&self);
        log_rest(&self);
    } else {
        status = defer_all(&self, job, why);
    }
    seal_journal_close(&self.journal);
    seal_container_clear(&self.container);
    free(self.command);
    close(file);
    return status;
}
