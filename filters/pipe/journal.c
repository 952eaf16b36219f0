/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/pipe/journal.h"

#include "filters/client/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD    (SEAL_JOURNAL_KEY + 3)
#define BATCH     1000 /* records read at once */
#define LOCKS_MAX 200  /* of one run */

__attribute__((format(printf, 2, 3))) static bool note_failure(SealJournal *journal,
                                                               const char *format, ...)
{
    int error = errno;
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(journal->why, sizeof journal->why, format, args);
    va_end(args);
    if (error && size >= 0 && (size_t)size < sizeof journal->why)
        snprintf(journal->why + size, sizeof journal->why - (size_t)size, ": %s", strerror(error));
    return false;
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

enum { DAY_NAME = 24 };

static long today(void)
{
    return (long)(time(NULL) / 86400);
}

static void name_day(char name[DAY_NAME], long day)
{
    snprintf(name, DAY_NAME, "%ld", day);
}

/* -1 for what is none of the journal's files. */
static long day_of(const char *name)
{
    uint64_t day;

    if (strlen(name) >= 10 || !seal_io_number(name, strlen(name), 10, UINT32_MAX, &day))
        return -1;
    return (long)day;
}

static bool open_folder(SealJournal *journal, const char *state_dir)
{
    int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    bool ok = false;

    if (state < 0)
        return note_failure(journal, "cannot open the state folder %s", state_dir);
    if (mkdirat(state, "journal", 0700) != 0 && errno != EEXIST)
        note_failure(journal, "cannot make the journal's folder %s/journal", state_dir);
    else if ((journal->folder =
                  openat(state, "journal", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0 ||
             fstat(journal->folder, &st) != 0)
        note_failure(journal, "cannot open the journal's folder %s/journal", state_dir);
    else if (fsync(state) != 0)
        note_failure(journal, "cannot sync the state folder %s", state_dir);
    else
        ok = true;
    close(state);
    /* Whoever else may write here could make us skip a message. */
    errno = 0;
    if (ok && (st.st_uid != geteuid() || (st.st_mode & 022) != 0))
        return note_failure(journal,
                            "the journal's folder %s/journal has mode %04o and belongs to uid %u, "
                            "where nobody but uid %u may be able to write",
                            state_dir, st.st_mode & 07777, st.st_uid, geteuid());
    return ok;
}

static bool open_today(SealJournal *journal)
{
    char name[DAY_NAME];

    name_day(name, today());
    journal->file =
        openat(journal->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (journal->file < 0 || fsync(journal->folder) != 0)
        return note_failure(journal, "cannot open the journal's file %s", name);
    return true;
}

/* -------------------------------------------------------------------------------------------
 * Locks
 */

static bool try_file(int file, const void *unused)
{
    return flock(file, LOCK_EX | LOCK_NB) == 0;
}

/* Of the open file, not of the process: what another descriptor of ours does releases nothing. */
static bool try_octet(int file, const void *octet)
{
    return fcntl(file, F_OFD_SETLK, octet) == 0;
}

static int64_t end_of_wait(void)
{
    return seal_io_now_ms() + (int64_t)SEAL_JOURNAL_WAIT_S * 1000;
}

/* Asks again and again, since there is no waiting with an end. */
static bool wait_lock(bool (*try)(int file, const void *what), int file, const void *what,
                      int64_t until)
{
    const struct timespec pause = {.tv_nsec = 10000000};

    while (!try(file, what)) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return false;
        errno = 0;
        if (seal_io_now_ms() >= until)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* FNV-1a. Two texts with one place would wait for each other, and that is all. */
static off_t place_of(const char *text)
{
    uint64_t hash = 14695981039346656037U;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211U;
    return (off_t)(hash >> 2);
}

/* An octet for each text, of a file that has none: nothing is to be removed, and whoever holds one
 * loses it by ending. */
static bool lock_octet(SealJournal *journal, const char *text, short type, int64_t until)
{
    const struct flock octet = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = place_of(text),
        .l_len = 1,
    };

    return wait_lock(try_octet, journal->lock, &octet, until);
}

/* A mail server may run us once for each recipient, and these need not wait for one another: the
 * id's octet is shared. With many recipients it stands for all of them. */
static bool lock_octets(SealJournal *journal, const char *id, const char *const *keys, size_t count)
{
    const int64_t until = end_of_wait();
    bool ok = lock_octet(journal, id, count > LOCKS_MAX ? F_WRLCK : F_RDLCK, until);

    for (size_t i = 0; i < count && count <= LOCKS_MAX && ok; i++)
        ok = lock_octet(journal, keys[i], F_WRLCK, until);
    return ok;
}

bool seal_journal_lock(SealJournal *journal, const char *id, const char *const *keys, size_t count)
{
    journal->lock = openat(journal->folder, "lock",
                           O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (journal->lock < 0)
        return note_failure(journal, "cannot open the journal's lock");
    return lock_octets(journal, id, keys, count) ||
           note_failure(journal,
                        "another run is handing the same over, and did not end within %d s",
                        SEAL_JOURNAL_WAIT_S);
}

/* -------------------------------------------------------------------------------------------
 * Opening
 */

bool seal_journal_open(SealJournal *journal, const char *state_dir)
{
    *journal = (SealJournal){.folder = -1, .file = -1, .lock = -1};
    return open_folder(journal, state_dir) && open_today(journal);
}

void seal_journal_close(SealJournal *journal)
{
    seal_io_close(&journal->lock);
    seal_io_close(&journal->file);
    seal_io_close(&journal->folder);
}

/* -------------------------------------------------------------------------------------------
 * Looking up
 */

/* A file. */
typedef struct {
    long number; /* of its day */
    bool needed; /* what is looked for stands in it */
} Day;

typedef struct {
    Day *list;
    size_t count;
} Days;

static int compare_days(const void *a, const void *b)
{
    long one = ((const Day *)a)->number, other = ((const Day *)b)->number;

    return (one > other) - (one < other);
}

/* A key, and which of the caller's it is. */
typedef struct {
    const char *text;
    size_t number;
} Wanted;

static int compare_keys(const void *a, const void *b)
{
    return memcmp(((const Wanted *)a)->text, ((const Wanted *)b)->text, SEAL_JOURNAL_KEY);
}

static bool look_at_record(const char *record, const Wanted *wanted, size_t count, bool *found)
{
    const Wanted key = {.text = record};
    const Wanted *hit;

    if (record[SEAL_JOURNAL_KEY] != ' ' || record[SEAL_JOURNAL_KEY + 1] != '+')
        return false;
    hit = bsearch(&key, wanted, count, sizeof *wanted, compare_keys);
    if (hit)
        found[hit->number] = true;
    return hit != NULL;
}

/* *@needed: one of them was found here. */
static bool search_file(int file, const Wanted *wanted, size_t count, bool *found, bool *needed)
{
    static char records[BATCH * RECORD];
    size_t have = 0;

    for (;;) {
        ssize_t got = read(file, records + have, sizeof records - have);
        size_t at = 0;

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        have += (size_t)got;
        for (; have - at >= RECORD; at += RECORD)
            *needed |= look_at_record(records + at, wanted, count, found);
        memmove(records, records + at, have - at);
        have -= at;
    }
}

static bool search_day(SealJournal *journal, Day *day, const Wanted *wanted, size_t count,
                       bool *found)
{
    char name[DAY_NAME];
    name_day(name, day->number);
    int file = openat(journal->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    /* Another may have dropped it meanwhile. */
    if (file < 0)
        return errno == ENOENT || note_failure(journal, "cannot open the journal's file %s", name);
    ok = search_file(file, wanted, count, found, &day->needed);
    if (!ok)
        note_failure(journal, "cannot read the journal's file %s", name);
    close(file);
    return ok;
}

/* The number of its files, and these by day. A list that is too short fails: it would drop what is
 * not old. */
static bool read_days(DIR *folder, Days *days)
{
    const struct dirent *entry;

    while (errno = 0, (entry = readdir(folder)) != NULL) {
        long number = day_of(entry->d_name);
        Day *list;

        if (number < 0)
            continue;
        list = realloc(days->list, (days->count + 1) * sizeof *list);
        if (!list)
            return false;
        days->list = list;
        days->list[days->count++] = (Day){.number = number};
    }
    qsort(days->list, days->count, sizeof *days->list, compare_days);
    return errno == 0;
}

/* A descriptor of its own: closedir() closes it, and its place is its own. */
static bool list_days(SealJournal *journal, Days *days)
{
    int fd = openat(journal->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok = folder && read_days(folder, days);
    int error = errno;

    if (folder)
        closedir(folder);
    else if (fd >= 0)
        close(fd);
    errno = error;
    return ok || note_failure(journal, "cannot list the journal's folder");
}

static bool search_days(SealJournal *journal, Days *days, const Wanted *wanted, size_t count,
                        bool *found)
{
    for (size_t i = 0; i < days->count; i++) {
        if (!search_day(journal, &days->list[i], wanted, count, found))
            return false;
    }
    return true;
}

/* The clock alone is not believed. */
static void drop_old_days(SealJournal *journal, const Days *days)
{
    const long oldest = today() - SEAL_JOURNAL_DAYS;

    for (size_t i = 0; i + SEAL_JOURNAL_FILES < days->count; i++) {
        const Day *day = &days->list[i];
        char name[DAY_NAME];

        name_day(name, day->number);
        if (day->number < oldest && !day->needed)
            unlinkat(journal->folder, name, 0);
    }
}

bool seal_journal_find(SealJournal *journal, const char *const *keys, size_t count, bool *found)
{
    Wanted *wanted = calloc(count + 1, sizeof *wanted);
    Days days = {0};
    bool ok;

    if (!wanted)
        return note_failure(journal, "cannot look into the journal");
    for (size_t i = 0; i < count; i++)
        wanted[i] = (Wanted){keys[i], i};
    qsort(wanted, count, sizeof *wanted, compare_keys);
    ok = list_days(journal, &days) && search_days(journal, &days, wanted, count, found);
    if (ok)
        drop_old_days(journal, &days);
    free(days.list);
    free(wanted);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

/* The lock is held for one write. */
static bool lock_file(SealJournal *journal)
{
    return wait_lock(try_file, journal->file, NULL, end_of_wait()) ||
           note_failure(journal, "cannot lock the journal within %d s", SEAL_JOURNAL_WAIT_S);
}

/* Behind the last whole record: one that was cut was begun by a process which did not get to its
 * hand-over. */
static bool append_records(SealJournal *journal, const char *records, size_t size, off_t *ret_at)
{
    struct stat st;

    if (fstat(journal->file, &st) != 0)
        return false;
    *ret_at = st.st_size - st.st_size % RECORD;
    if (seal_io_write_at(journal->file, records, size, *ret_at) && fsync(journal->file) == 0)
        return true;
    int error = errno;
    if (ftruncate(journal->file, *ret_at) == 0)
        errno = error;
    return false;
}

bool seal_journal_begin(SealJournal *journal, const char *const *keys, size_t count, off_t *ret_at)
{
    char *records = malloc(count * RECORD + 1);
    bool ok = false;

    if (!records)
        return note_failure(journal, "cannot make the journal's records");
    for (size_t i = 0; i < count; i++)
        snprintf(records + i * RECORD, RECORD + 1, "%.*s -\n", SEAL_JOURNAL_KEY, keys[i]);
    if (lock_file(journal)) {
        ok = append_records(journal, records, count * RECORD, ret_at) ||
             note_failure(journal, "cannot write the journal");
        flock(journal->file, LOCK_UN);
    }
    free(records);
    return ok;
}

bool seal_journal_mark(SealJournal *journal, off_t at, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        if (!seal_io_write_at(journal->file, "+", 1,
                              at + (off_t)(i * RECORD) + SEAL_JOURNAL_KEY + 1))
            return note_failure(journal, "cannot write the journal");
    }
    return fdatasync(journal->file) == 0 || note_failure(journal, "cannot write the journal");
}
