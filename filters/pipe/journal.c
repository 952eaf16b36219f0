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
#define LOCK_WAIT 20   /* seconds; the lock is held for one write */

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

static long today(void)
{
    return (long)(time(NULL) / 86400);
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
    char name[24];

    snprintf(name, sizeof name, "%ld", today());
    journal->file =
        openat(journal->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (journal->file < 0 || fsync(journal->folder) != 0)
        return note_failure(journal, "cannot open the journal's file %s", name);
    return true;
}

bool seal_journal_open(SealJournal *journal, const char *state_dir)
{
    *journal = (SealJournal){.folder = -1, .file = -1};
    return open_folder(journal, state_dir) && open_today(journal);
}

void seal_journal_close(SealJournal *journal)
{
    seal_io_close(&journal->file);
    seal_io_close(&journal->folder);
}

/* -------------------------------------------------------------------------------------------
 * Looking up
 */

/* A key, and which of the caller's it is. */
typedef struct {
    const char *text;
    size_t number;
} Wanted;

static int compare_keys(const void *a, const void *b)
{
    return memcmp(((const Wanted *)a)->text, ((const Wanted *)b)->text, SEAL_JOURNAL_KEY);
}

static void look_at_record(const char *record, const Wanted *wanted, size_t count, bool *found)
{
    const Wanted key = {.text = record};
    const Wanted *hit;

    if (record[SEAL_JOURNAL_KEY] != ' ' || record[SEAL_JOURNAL_KEY + 1] != '+')
        return;
    hit = bsearch(&key, wanted, count, sizeof *wanted, compare_keys);
    if (hit)
        found[hit->number] = true;
}

static bool search_file(int file, const Wanted *wanted, size_t count, bool *found)
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
            look_at_record(records + at, wanted, count, found);
        memmove(records, records + at, have - at);
        have -= at;
    }
}

static bool search_name(SealJournal *journal, const char *name, const Wanted *wanted, size_t count,
                        bool *found)
{
    int file = openat(journal->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    /* Another may have dropped it meanwhile. */
    if (file < 0)
        return errno == ENOENT || note_failure(journal, "cannot open the journal's file %s", name);
    ok = search_file(file, wanted, count, found);
    if (!ok)
        note_failure(journal, "cannot read the journal's file %s", name);
    close(file);
    return ok;
}

static bool search_folder(SealJournal *journal, DIR *folder, const Wanted *wanted, size_t count,
                          bool *found)
{
    const long oldest = today() - SEAL_JOURNAL_DAYS;
    const struct dirent *entry;

    while (errno = 0, (entry = readdir(folder)) != NULL) {
        long day = day_of(entry->d_name);

        if (day < 0)
            continue;
        if (day < oldest)
            unlinkat(journal->folder, entry->d_name, 0);
        else if (!search_name(journal, entry->d_name, wanted, count, found))
            return false;
    }
    return errno == 0 || note_failure(journal, "cannot list the journal's folder");
}

/* A descriptor of its own: closedir() closes it, and its place is its own. */
static DIR *list_folder(SealJournal *journal)
{
    int fd = openat(journal->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (!folder && fd >= 0)
        close(fd);
    return folder;
}

bool seal_journal_find(SealJournal *journal, const char *const *keys, size_t count, bool *found)
{
    Wanted *wanted = calloc(count + 1, sizeof *wanted);
    DIR *folder = list_folder(journal);
    bool ok = false;

    if (wanted && folder) {
        for (size_t i = 0; i < count; i++)
            wanted[i] = (Wanted){keys[i], i};
        qsort(wanted, count, sizeof *wanted, compare_keys);
        ok = search_folder(journal, folder, wanted, count, found);
    } else {
        note_failure(journal, "cannot list the journal's folder");
    }
    if (folder)
        closedir(folder);
    free(wanted);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static bool lock_file(SealJournal *journal)
{
    const struct timespec pause = {.tv_nsec = 10000000};

    for (int i = 0; i < LOCK_WAIT * 100; i++) {
        if (flock(journal->file, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        nanosleep(&pause, NULL);
    }
    return note_failure(journal, "cannot lock the journal within %d s", LOCK_WAIT);
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
