/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ledger-read.c: reads what became of mail. Files may be cut, or damaged: what is no line is
 * counted.
 */
#include "core/base/ledger.h"

#include "core/base/user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024 };

typedef struct {
    gint64 day;
    SealLedgerVisitor visit;
    gpointer user_data;
    SealLedgerFaults *faults;
    char *buffer; /* of BUFFER and an octet for the end of a line */
    gsize used;
    gboolean skips; /* the rest of a line that is too long */
} Reading;

/* -------------------------------------------------------------------------------------------
 * One day
 */

/* @complete: its end is there. */
static void take_line(Reading *reading, char *line, gsize length, gboolean complete)
{
    SealLedgerEntry entry;

    if (length == 0)
        return;
    line[length] = '\0';
    if (complete && length < SEAL_LEDGER_LINE && seal_ledger_parse(line, length, &entry))
        reading->visit(reading->day, &entry, reading->user_data);
    else
        reading->faults->damaged++;
}

/* Those that are whole in the buffer; what is left moves to its beginning. */
static void take_lines(Reading *reading)
{
    char *at = reading->buffer, *end = reading->buffer + reading->used, *stop;

    while ((stop = memchr(at, '\n', (gsize)(end - at)))) {
        if (!reading->skips)
            take_line(reading, at, (gsize)(stop - at), TRUE);
        reading->skips = FALSE;
        at = stop + 1;
    }
    reading->used = (gsize)(end - at);
    memmove(reading->buffer, at, reading->used);
    if (reading->used == BUFFER || (reading->skips && reading->used > 0)) {
        if (!reading->skips)
            reading->faults->damaged++;
        reading->skips = TRUE;
        reading->used = 0;
    }
}

static gboolean read_file(Reading *reading, int file)
{
    gssize got;

    reading->used = 0;
    reading->skips = FALSE;
    do {
        got = read(file, reading->buffer + reading->used, BUFFER - reading->used);
        if (got > 0) {
            reading->used += (gsize)got;
            take_lines(reading);
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got == 0)
        take_line(reading, reading->buffer, reading->used, FALSE);
    return got == 0;
}

static void read_day(Reading *reading, int folder)
{
    char name[SEAL_LEDGER_NAME];
    struct stat st;

    seal_ledger_name_day(name, reading->day);
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    gboolean ok = file >= 0 && fstat(file, &st) == 0 && S_ISREG(st.st_mode);
    if (ok)
        reading->visit(reading->day, NULL, reading->user_data);
    if (!ok || !read_file(reading, file))
        reading->faults->unread++;
    if (file >= 0)
        close(file);
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

static gboolean refuse_folder(const char *state_dir, const char *path, GError **error)
{
    const int number = errno;
    struct stat st;
    g_autofree char *user = stat(state_dir, &st) == 0 ? seal_user_name(st.st_uid) : NULL;

    if (number == ENOENT)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "there is no ledger %s yet: it begins with the next message, where [core] "
                    "ledger_days is not 0 and state_dir is there",
                    path);
    else if (number == EACCES)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "%s: %s: run this as root, or as the user whose %s is%s%s", path,
                    g_strerror(number), state_dir, user ? ", " : "", user ? user : "");
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(number));
    return FALSE;
}

static void read_missing(int folder, SealLedgerFaults *faults)
{
    struct stat st;

    if (fstatat(folder, SEAL_LEDGER_MISSING, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode) || st.st_size == 0)
        return;
    faults->missing = st.st_size;
    faults->missing_day = st.st_mtime / SEAL_LEDGER_DAY;
}

gboolean seal_ledger_read(const char *state_dir, gint64 first, gint64 last, SealLedgerVisitor visit,
                          gpointer user_data, SealLedgerFaults *faults, GError **error)
{
    g_autofree char *path = g_build_filename(state_dir, SEAL_LEDGER_FOLDER, NULL);
    g_autofree char *buffer = g_malloc(BUFFER + 1);
    Reading reading = {.visit = visit, .user_data = user_data, .faults = faults, .buffer = buffer};
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    *faults = (SealLedgerFaults){.missing_day = -1};
    if (folder < 0)
        return refuse_folder(state_dir, path, error);
    g_autoptr(GArray) days = seal_ledger_days(folder);
    for (guint i = 0; i < days->len; i++) {
        reading.day = g_array_index(days, gint64, i);
        if (reading.day >= first && reading.day <= last)
            read_day(&reading, folder);
    }
    read_missing(folder, faults);
    close(folder);
    return TRUE;
}
