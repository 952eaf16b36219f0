/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally.c: counters that processes share. Each is added to by itself, so that nobody waits for
 * anybody, and one that is killed leaves nothing undone.
 */
#include "core/base/tally.h"

#include "core/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC      G_GUINT64_CONSTANT(0x7365616c74616c02) /* the last octet is the version */
#define MAX_NUMBER ((G_GUINT64_CONSTANT(1) << 53) - 1)    /* as a double has it, too */

enum {
    MAX_RESULTS = 8,
    MAX_REASONS = 64,
    MAX_FORMATS = 8,
    MAX_FORMAT_NAME = 32,
    MAX_MODES = 4,
    MAX_BOUNDS = 16,
    N_FAILURES = 32,
    MAX_WORKERS = 1024,
    OTHER = 0,
};

/* The closed sets by which is counted. Only ever appended to, as MAGIC changes with the order. */
static const char *const RESULTS[] = {"other",    "sealed",  "signed",  "plain",
                                      "reported", "refused", "deferred"};
static const char *const MODES[] = {"other", "transport", "pipe", "check"};
/* What a decision's code is, and what stands for an error that has none. */
static const char *const REASONS[] = {
    "other",     "key",      "already-sealed", "no-key",      "pinned",
    "unable",    "pending",  "unsupported",    "unavailable", "never",
    "reduced",   "refused",  "deferred",       "all-or-none", "bcc",
    "archive",   "returns",  "size",           "limit",       "malformed",
    "no-signer", "gate",     "disabled",       "config",      "module",
    "address",   "deadline", "error",          "in-doubt",    "lapsed",
    "closed",    "sender",   "signer",
};
G_STATIC_ASSERT(G_N_ELEMENTS(RESULTS) <= MAX_RESULTS && G_N_ELEMENTS(MODES) <= MAX_MODES &&
                G_N_ELEMENTS(REASONS) <= MAX_REASONS);

/* How long a call took at most, in milliseconds; longer ones count in the total alone. */
static const guint BOUNDS[] = {10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000};
G_STATIC_ASSERT(G_N_ELEMENTS(BOUNDS) <= MAX_BOUNDS);

typedef _Atomic guint64 Counter;

/* One of the last failures. @turn is odd while it is written. Whoever is killed at it leaves it so,
 * to be passed over until its turn comes again. */
typedef struct {
    Counter turn;
    gint64 time; /* seconds since 1970 */
    guint8 result;
    guint8 reason;
    char id[64];
    char to[256];
    char text[256];
} Failure;

struct SealTally {
    guint64 magic;
    Counter requests[MAX_MODES];
    Counter recipients[MAX_RESULTS][MAX_REASONS];
    Counter formats[MAX_RESULTS][MAX_FORMATS];
    char names[MAX_FORMATS][MAX_FORMAT_NAME]; /* of formats; the first is that of all others */
    Counter times[MAX_BOUNDS];                /* up to that bound, and above the one before it */
    Counter ended, ended_usec;
    Counter wanted, alive, busy, missed;
    Counter n_failures;
    Failure failures[N_FAILURES];
};

static struct {
    SealTally *tally;
    gint64 begun; /* monotonic; 0: nothing is being done */
    gboolean asks;
} here;

/* -------------------------------------------------------------------------------------------
 * The memory
 */

static int fail_file(int file, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "there is no memory for counters: %s",
                g_strerror(errno));
    if (file >= 0)
        close(file);
    return -1;
}

int seal_tally_create(GError **error)
{
    const guint64 magic = MAGIC;
    int file = memfd_create("sealpipe-tally", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (file < 0 || ftruncate(file, sizeof(SealTally)) != 0 ||
        pwrite(file, &magic, sizeof magic, 0) != sizeof magic ||
        fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return fail_file(file, error);
    return file;
}

static gboolean is_tally(int file)
{
    guint64 magic = 0;
    struct stat info;

    return fstat(file, &info) == 0 && info.st_size == sizeof(SealTally) &&
           (fcntl(file, F_GET_SEALS) & F_SEAL_SHRINK) &&
           pread(file, &magic, sizeof magic, 0) == sizeof magic && magic == MAGIC;
}

SealTally *seal_tally_map(int file, GError **error)
{
    void *memory;

    if (!is_tally(file)) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                            "the counters are of another version of sealpiped: they stand still "
                            "until it is started anew");
        return NULL;
    }
    memory = mmap(NULL, sizeof(SealTally), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED || madvise(memory, sizeof(SealTally), MADV_DONTFORK) != 0) {
        fail_file(-1, error);
        return NULL;
    }
    return memory;
}

void seal_tally_share(SealTally *self)
{
    madvise(self, sizeof *self, MADV_DOFORK);
}

void seal_tally_unmap(SealTally *self)
{
    if (!self)
        return;
    if (here.tally == self)
        here.tally = NULL;
    munmap(self, sizeof *self);
}

/* -------------------------------------------------------------------------------------------
 * Counting
 */

static void count_up(Counter *counter, guint64 number)
{
    atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

static void set_counter(Counter *counter, guint64 number)
{
    atomic_store_explicit(counter, number, memory_order_relaxed);
}

static guint find_word(const char *const *words, guint count, const char *word)
{
    for (guint i = 0; word && i < count; i++) {
        if (g_str_equal(words[i], word))
            return i;
    }
    return OTHER;
}
#define FIND_WORD(words, word) find_word(words, G_N_ELEMENTS(words), word)

void seal_tally_use(SealTally *tally)
{
    here.tally = tally;
    here.begun = 0;
}

/* One that was given a name has it as long as the memory is there. */
static guint find_format(const SealTally *self, const char *name)
{
    for (guint i = OTHER + 1; i < MAX_FORMATS; i++) {
        if (strncmp(self->names[i], name, MAX_FORMAT_NAME) == 0)
            return i;
    }
    return OTHER;
}

void seal_tally_name_format(SealTally *self, const char *name)
{
    if (find_format(self, name) != OTHER || strlen(name) >= MAX_FORMAT_NAME)
        return;
    for (guint i = OTHER + 1; i < MAX_FORMATS; i++) {
        if (!*self->names[i]) {
            g_strlcpy(self->names[i], name, MAX_FORMAT_NAME);
            return;
        }
    }
}

void seal_tally_begin(const char *mode)
{
    if (!here.tally)
        return;
    here.begun = MAX(g_get_monotonic_time(), 1);
    here.asks = g_str_equal(mode, "check");
    count_up(&here.tally->requests[FIND_WORD(MODES, mode)], 1);
}

void seal_tally_end(void)
{
    gint64 took = g_get_monotonic_time() - here.begun;

    if (!here.tally || !here.begun)
        return;
    here.begun = 0;
    count_up(&here.tally->ended, 1);
    count_up(&here.tally->ended_usec, (guint64)MAX(took, 0));
    for (guint i = 0; i < G_N_ELEMENTS(BOUNDS); i++) {
        if (took <= (gint64)BOUNDS[i] * 1000) {
            count_up(&here.tally->times[i], 1);
            return;
        }
    }
}

void seal_tally_workers(guint wanted, guint alive, guint busy)
{
    if (!here.tally)
        return;
    set_counter(&here.tally->wanted, wanted);
    set_counter(&here.tally->alive, alive);
    set_counter(&here.tally->busy, busy);
}

void seal_tally_miss_worker(void)
{
    if (here.tally)
        count_up(&here.tally->missed, 1);
}

static void keep_failure(SealTally *self, const SealTallyEntry *entry, guint result, guint reason)
{
    guint64 turn = atomic_fetch_add_explicit(&self->n_failures, 1, memory_order_relaxed);
    Failure *failure = &self->failures[turn % N_FAILURES];

    atomic_store_explicit(&failure->turn, 2 * turn + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    failure->time = g_get_real_time() / G_USEC_PER_SEC;
    failure->result = (guint8)result;
    failure->reason = (guint8)reason;
    g_strlcpy(failure->id, entry->id ? entry->id : "", sizeof failure->id);
    g_strlcpy(failure->to, entry->to ? entry->to : "", sizeof failure->to);
    g_strlcpy(failure->text, entry->text ? entry->text : "", sizeof failure->text);
    atomic_store_explicit(&failure->turn, 2 * turn + 2, memory_order_release);
}

static gboolean is_failure(const char *result)
{
    return !g_str_equal(result, "sealed") && !g_str_equal(result, "signed") &&
           !g_str_equal(result, "plain");
}

void seal_tally_count(const SealTallyEntry *entry)
{
    SealTally *self = here.tally;
    guint result = FIND_WORD(RESULTS, entry->result);
    guint reason = FIND_WORD(REASONS, entry->reason);

    if (!self || !here.begun || here.asks)
        return;
    count_up(&self->recipients[result][reason], 1);
    if (entry->format && *entry->format)
        count_up(&self->formats[result][find_format(self, entry->format)], 1);
    if (is_failure(entry->result))
        keep_failure(self, entry, result, reason);
}

const char *seal_tally_reason_of(const GError *error)
{
    static const char *const words[] = {
        [SEAL_ERROR_CONFIG] = "config",
        [SEAL_ERROR_MODULE] = "module",
        [SEAL_ERROR_MESSAGE] = "malformed",
        [SEAL_ERROR_LIMIT] = "limit",
        [SEAL_ERROR_ADDRESS] = "address",
        [SEAL_ERROR_UNSUPPORTED] = "unsupported",
        [SEAL_ERROR_UNAVAILABLE] = "unavailable",
        [SEAL_ERROR_DEADLINE] = "deadline",
        [SEAL_ERROR_GATE] = "gate",
        [SEAL_ERROR_REFUSED] = "refused",
    };

    if (error->domain != SEAL_ERROR || error->code < 0 ||
        (guint)error->code >= G_N_ELEMENTS(words) || !words[error->code])
        return "error";
    return words[error->code];
}

/* -------------------------------------------------------------------------------------------
 * Reading, of what anybody may have written
 */

static guint64 read_counter(const Counter *counter)
{
    const guint64 number = atomic_load_explicit(counter, memory_order_relaxed);

    return MIN(number, MAX_NUMBER);
}

static guint64 read_up_to(const Counter *counter, guint64 most)
{
    const guint64 number = read_counter(counter);

    return MIN(number, most);
}

static void show_requests(const SealTally *self, SealOut *out)
{
    seal_out_list(out, "requests");
    for (guint i = 0; i < G_N_ELEMENTS(MODES); i++) {
        guint64 count = read_counter(&self->requests[i]);

        if (count == 0 && i == OTHER)
            continue;
        seal_out_row(out, "requests");
        seal_out_text(out, "mode", "%s", MODES[i]);
        seal_out_number(out, "count", (gint64)count);
        seal_out_end_row(out);
    }
}

/* Those that there are. */
static void show_pairs(SealOut *out, const char *list, const char *other, const Counter *row,
                       guint result, const char *const *words, guint n_words)
{
    for (guint i = 0; i < n_words; i++) {
        guint64 count = read_counter(&row[i]);

        if (count == 0 || !*words[i])
            continue;
        seal_out_row(out, list);
        seal_out_text(out, "result", "%s", RESULTS[result]);
        seal_out_text(out, other, "%s", words[i]);
        seal_out_number(out, "count", (gint64)count);
        seal_out_end_row(out);
    }
}

/* A copy of each; "" for what is no word, or stands there twice. */
static void copy_names(const SealTally *self, char (*copies)[MAX_FORMAT_NAME])
{
    g_strlcpy(copies[OTHER], "other", MAX_FORMAT_NAME);
    for (guint i = OTHER + 1; i < MAX_FORMATS; i++) {
        memcpy(copies[i], self->names[i], MAX_FORMAT_NAME);
        copies[i][MAX_FORMAT_NAME - 1] = 0;
        if (copies[i][strspn(copies[i], G_CSET_a_2_z G_CSET_DIGITS "-_")] != 0)
            *copies[i] = 0;
        for (guint n = 0; n < i; n++) {
            if (g_str_equal(copies[n], copies[i]))
                *copies[i] = 0;
        }
    }
}

static void show_recipients(const SealTally *self, SealOut *out)
{
    char names[MAX_FORMATS][MAX_FORMAT_NAME];
    const char *words[MAX_FORMATS];

    copy_names(self, names);
    for (guint i = 0; i < MAX_FORMATS; i++)
        words[i] = names[i];
    seal_out_list(out, "recipients");
    seal_out_list(out, "formats");
    for (guint i = 0; i < G_N_ELEMENTS(RESULTS); i++) {
        show_pairs(out, "recipients", "reason", self->recipients[i], i, REASONS,
                   G_N_ELEMENTS(REASONS));
        show_pairs(out, "formats", "format", self->formats[i], i, words, MAX_FORMATS);
    }
}

/* Each bound with all that took no longer. What was added up while it was read need not agree: none
 * of them is more than the total. */
static void show_times(const SealTally *self, SealOut *out)
{
    guint64 ended = read_counter(&self->ended), sum = 0;

    seal_out_number(out, "handled", (gint64)ended);
    seal_out_number(out, "handled_ms", (gint64)(read_counter(&self->ended_usec) / 1000));
    seal_out_list(out, "times");
    for (guint i = 0; i < G_N_ELEMENTS(BOUNDS); i++) {
        sum += read_counter(&self->times[i]);
        sum = MIN(sum, ended);
        seal_out_row(out, "times");
        seal_out_number(out, "up_to_ms", BOUNDS[i]);
        seal_out_number(out, "count", (gint64)sum);
        seal_out_end_row(out);
    }
}

static void show_workers(const SealTally *self, SealOut *out)
{
    guint64 alive = read_up_to(&self->alive, MAX_WORKERS);

    seal_out_number(out, "workers", (gint64)read_up_to(&self->wanted, MAX_WORKERS));
    seal_out_number(out, "alive", (gint64)alive);
    seal_out_number(out, "busy", (gint64)read_up_to(&self->busy, alive));
    seal_out_number(out, "missed", (gint64)read_counter(&self->missed));
}

/* FALSE: it is empty, or was being written. */
static gboolean copy_failure(const Failure *from, Failure *to)
{
    guint64 turn = atomic_load_explicit(&from->turn, memory_order_acquire);

    memcpy((char *)to + sizeof to->turn, (const char *)from + sizeof from->turn,
           sizeof *to - sizeof to->turn);
    atomic_thread_fence(memory_order_acquire);
    to->turn = turn;
    return turn != 0 && turn % 2 == 0 &&
           atomic_load_explicit(&from->turn, memory_order_relaxed) == turn;
}

static int compare_failures(const void *a, const void *b)
{
    const guint64 first = ((const Failure *)a)->turn, second = ((const Failure *)b)->turn;

    return first < second ? -1 : first > second;
}

static void show_octets(SealOut *out, const char *name, const char *text, gsize size)
{
    g_autofree char *line = seal_text_line(text, strnlen(text, size), size);

    seal_out_text(out, name, "%s", line);
}

static void show_failure(const Failure *failure, gboolean whole, SealOut *out)
{
    guint result = failure->result < G_N_ELEMENTS(RESULTS) ? failure->result : OTHER;
    guint reason = failure->reason < G_N_ELEMENTS(REASONS) ? failure->reason : OTHER;

    seal_out_row(out, "failures");
    seal_out_number(out, "time", failure->time);
    show_octets(out, "id", failure->id, sizeof failure->id);
    seal_out_text(out, "result", "%s", RESULTS[result]);
    seal_out_text(out, "reason", "%s", REASONS[reason]);
    if (whole) {
        show_octets(out, "to", failure->to, sizeof failure->to);
        show_octets(out, "text", failure->text, sizeof failure->text);
    }
    seal_out_end_row(out);
}

/* The oldest first. One of the future is nobody's. */
static void show_failures(const SealTally *self, gboolean whole, SealOut *out)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autofree Failure *copies = g_new0(Failure, N_FAILURES);
    guint count = 0;

    for (guint i = 0; i < N_FAILURES; i++) {
        Failure *copy = &copies[count];

        if (copy_failure(&self->failures[i], copy) && copy->time > 0 && copy->time <= now + 60)
            count++;
    }
    qsort(copies, count, sizeof *copies, compare_failures);
    seal_out_list(out, "failures");
    for (guint i = 0; i < count; i++)
        show_failure(&copies[i], whole, out);
}

void seal_tally_show(const SealTally *self, gboolean whole, SealOut *out)
{
    show_workers(self, out);
    show_times(self, out);
    show_requests(self, out);
    show_recipients(self, out);
    show_failures(self, whole, out);
}
