/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ledger.c: writes down what became of mail.
 */
#include "core/base/ledger.h"

#include "core/base/log.h"
#include "core/base/user.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOT_OURS "it belongs to another user, or others can write to it"

enum {
    PIECE = 4096, /* of one write: the lines of few messages need more */
    MODE = 0640,
    MAX_MISSING = G_MAXINT32,
};

/* One a process, as the log. */
static struct {
    char *state_dir; /* NULL: none is kept */
    gint64 days;
    gboolean failed; /* and that was said */
    int file;        /* of that day, for who writes often; -1 */
    gint64 day;
} the_ledger = {.file = -1};

static void close_file(void)
{
    if (the_ledger.file >= 0)
        close(the_ledger.file);
    the_ledger.file = -1;
}

void seal_ledger_configure(const char *state_dir, gint64 days)
{
    close_file();
    g_free(the_ledger.state_dir);
    the_ledger.state_dir = days > 0 ? g_strdup(state_dir) : NULL;
    the_ledger.days = days;
    the_ledger.failed = FALSE;
}

static gboolean fail(const char *path, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

/* One that another user has made, say, whom the mail server ran this as before. */
static gboolean fail_folder(const char *state_dir, const char *path, const char *why,
                            GError **error)
{
    g_autofree char *user = seal_user_name(geteuid());
    struct stat st;

    if (stat(state_dir, &st) == 0 && st.st_uid != geteuid())
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "%s: %s: this runs as user %s, who has to own state_dir", path, why, user);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "%s: %s; as root: chown -R %s %s && chmod go-w %s", path, why, user, path,
                    path);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What is in the folder beside today's file
 */

static int open_missing(int folder, int how)
{
    int fd = openat(folder, SEAL_LEDGER_MISSING,
                    O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | how, MODE);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Where another counts, too, he is not waited for: it is a bound. */
static void count_missing(int folder, guint lines)
{
    int fd = open_missing(folder, O_CREAT);
    struct stat st;

    if (fd < 0)
        return;
    flock(fd, LOCK_EX | LOCK_NB);
    if (fstat(fd, &st) == 0 && st.st_size < MAX_MISSING &&
        ftruncate(fd, st.st_size + (off_t)lines) != 0)
        seal_log_warning("lines that the ledger misses cannot be counted: %s", g_strerror(errno));
    close(fd);
}

/* They are older than all that is there. */
static void forget_missing(int folder, gint64 oldest)
{
    struct stat st;

    if (fstatat(folder, SEAL_LEDGER_MISSING, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0 &&
        st.st_mtime / SEAL_LEDGER_DAY < oldest)
        unlinkat(folder, SEAL_LEDGER_MISSING, 0);
}

static void remove_old(int folder, gint64 keep, gint64 today)
{
    g_autoptr(GArray) days = seal_ledger_days(folder);
    const gint64 oldest = today - keep + 1;
    gint64 younger = 0;

    for (guint i = 0; i < days->len; i++)
        younger += g_array_index(days, gint64, i) >= oldest;
    if (younger < MIN(keep, SEAL_LEDGER_YOUNGER))
        return;
    for (guint i = 0; i < days->len && g_array_index(days, gint64, i) < oldest; i++) {
        char name[SEAL_LEDGER_NAME];

        seal_ledger_name_day(name, g_array_index(days, gint64, i));
        unlinkat(folder, name, 0);
    }
    forget_missing(folder, oldest);
}

/* -------------------------------------------------------------------------------------------
 * Opening
 */

/* Whoever else could write here would have what we write go elsewhere. */
static gboolean is_own(const struct stat *st)
{
    return st->st_uid == geteuid() && !(st->st_mode & 022);
}

static gboolean is_ours(int folder)
{
    struct stat st;

    return fstat(folder, &st) == 0 && is_own(&st);
}

/* -1 with errno set. */
static int try_folder(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* In another user's folder it would be in his way for good: EPERM. */
static int make_folder(const char *state_dir, const char *path)
{
    struct stat st;

    if (stat(state_dir, &st) != 0)
        return -1;
    if (!is_own(&st)) {
        errno = EPERM;
        return -1;
    }
    if (mkdir(path, 0750) != 0 && errno != EEXIST)
        return -1;
    int folder = try_folder(path);
    /* It is there before the disk is full. */
    int missing = folder >= 0 && is_ours(folder) ? open_missing(folder, O_CREAT) : -1;
    if (missing >= 0)
        close(missing);
    return folder;
}

/* *@begun: the file is new. */
static int open_day(int folder, const char *name, gboolean *begun)
{
    const int how = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK;
    int file = openat(folder, name, how);

    *begun = FALSE;
    if (file >= 0 || errno != ENOENT)
        return file;
    file = openat(folder, name, how | O_CREAT | O_EXCL, MODE);
    *begun = file >= 0;
    return file >= 0 || errno != EEXIST ? file : openat(folder, name, how);
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

/* In one go, so that lines of several processes do not mix. The rest of what was cut short would
 * be as damaged. */
static gboolean write_piece(int file, const GString *piece)
{
    gssize done;

    do {
        done = write(file, piece->str, piece->len);
    } while (done < 0 && errno == EINTR);
    if (done >= 0 && (gsize)done < piece->len)
        errno = ENOSPC;
    return done == (gssize)piece->len;
}

/* Returns how many of @entries are written, with errno set where it is not all. */
static guint write_entries(int file, gint64 now, const GArray *entries)
{
    g_autoptr(GString) piece = g_string_new("\n");
    guint written = 0;

    for (guint i = 0; i < entries->len; i++) {
        seal_ledger_put(piece, now, &g_array_index(entries, SealLedgerEntry, i));
        if (i + 1 < entries->len && piece->len + SEAL_LEDGER_LINE < PIECE)
            continue;
        if (!write_piece(file, piece))
            break;
        written = i + 1;
        g_string_assign(piece, "\n");
    }
    return written;
}

/* *@file stays open where all went well. */
static gboolean append_in(int folder, const char *path, gint64 keep, gint64 now,
                          const GArray *entries, int *ret_file, GError **error)
{
    const gint64 day = now / SEAL_LEDGER_DAY;
    char name[SEAL_LEDGER_NAME];
    gboolean begun = FALSE;
    guint written = 0;

    seal_ledger_name_day(name, day);
    int file = open_day(folder, name, &begun);
    if (file >= 0)
        written = write_entries(file, now, entries);
    if (written < entries->len) {
        g_autofree char *whole = g_build_filename(path, name, NULL);
        fail(whole, error);
        count_missing(folder, entries->len - written);
    }
    if (begun)
        remove_old(folder, keep, day);
    if (written == entries->len)
        *ret_file = file;
    else if (file >= 0)
        close(file);
    return written == entries->len;
}

/* *@file: -1 where nothing was written. */
static gboolean append_anew(const char *state_dir, gint64 days, gint64 now, const GArray *entries,
                            int *file, GError **error)
{
    g_autofree char *path = g_build_filename(state_dir, SEAL_LEDGER_FOLDER, NULL);
    int folder = try_folder(path);
    gboolean ok;

    *file = -1;
    if (folder < 0 && errno == ENOENT)
        folder = make_folder(state_dir, path);
    if (folder < 0 && errno == EACCES)
        return fail_folder(state_dir, path, g_strerror(errno), error);
    if (folder < 0 && errno == EPERM)
        return fail_folder(state_dir, state_dir, NOT_OURS, error);
    if (folder < 0)
        return errno == ENOENT || fail(path, error);
    if (is_ours(folder))
        ok = append_in(folder, path, days, now, entries, file, error);
    else
        ok = fail_folder(state_dir, path, NOT_OURS, error);
    close(folder);
    return ok;
}

gboolean seal_ledger_append(const char *state_dir, gint64 days, gint64 now, const GArray *entries,
                            GError **error)
{
    int file;
    gboolean ok = append_anew(state_dir, days, now, entries, &file, error);

    if (file >= 0)
        close(file);
    return ok;
}

/* As many as there can be, where the file of the day is open already and has not been removed.
 * Returns how many. */
static guint append_again(gint64 now, const GArray *entries)
{
    struct stat st;
    guint written = 0;

    if (the_ledger.file < 0)
        return 0;
    if (the_ledger.day == now / SEAL_LEDGER_DAY && fstat(the_ledger.file, &st) == 0 &&
        st.st_nlink > 0)
        written = write_entries(the_ledger.file, now, entries);
    if (written < entries->len)
        close_file();
    return written;
}

void seal_ledger_write(GArray *entries)
{
    const gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autoptr(GError) error = NULL;

    if (!the_ledger.state_dir || entries->len == 0)
        return;
    g_array_remove_range(entries, 0, append_again(now, entries));
    if (entries->len == 0)
        return;
    the_ledger.day = now / SEAL_LEDGER_DAY;
    if (append_anew(the_ledger.state_dir, the_ledger.days, now, entries, &the_ledger.file, &error))
        the_ledger.failed = FALSE;
    else if (!the_ledger.failed) {
        seal_log_warning("what becomes of mail is not written down for sealctl report: %s; mail is "
                         "handled all the same",
                         error->message);
        the_ledger.failed = TRUE;
    }
}
