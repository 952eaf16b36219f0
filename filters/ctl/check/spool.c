/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * spool.c: room for messages and for what is written down. Who may write where is another topic:
 * here it is whether there is anything left to write to.
 */
#include "filters/ctl/check/wiring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    TRIAL = 64 * 1024, /* octets that are written, and not kept */
    LEAST_FILES = 100,
    MAX_PLACES = 8,
};

#define MIB ((guint64)1 << 20)

/* Without a size_limit: what mail servers take as a rule. */
#define USUAL_SIZE (50 * MIB)
/* For what is written down: keys, counts, lines of the log. */
#define LEAST_STATE (64 * MIB)

/* A folder that is written to. */
typedef struct {
    const char *what; /* the setting */
    const char *dir;
    guint64 wanted;     /* octets, for all that goes on at the same time */
    const char *remedy; /* what to do where it is full */
    gboolean trial;     /* files are made there; else one is only written on */
} Place;

typedef struct {
    CheckRun *run;
    dev_t told[MAX_PLACES]; /* file systems that something was said of */
    guint n_told;
    GString *fine;
} Look;

static gboolean was_told(Look *look, dev_t device)
{
    for (guint i = 0; i < look->n_told; i++) {
        if (look->told[i] == device)
            return TRUE;
    }
    return FALSE;
}

static void note_told(Look *look, dev_t device)
{
    if (look->n_told < MAX_PLACES)
        look->told[look->n_told++] = device;
}

/* -------------------------------------------------------------------------------------------
 * One place
 */

/* A file without a name. Else errno says why. */
static gboolean try_writing(const char *dir)
{
    g_autofree char *octets = g_malloc0(TRIAL);
    g_autofree char *name = g_build_filename(dir, ".sealctl-check-XXXXXX", NULL);
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
            unlink(name);
    }
    gboolean written = fd >= 0 && seal_fd_write(fd, octets, TRIAL) && fdatasync(fd) == 0;
    int problem = errno;
    if (fd >= 0)
        close(fd);
    errno = problem;
    return written;
}

/* Who may write there, and whether it is there, others say. */
static gboolean is_about_room(int problem)
{
    return problem != EACCES && problem != EPERM && problem != ENOENT && problem != ENOTDIR;
}

static void put_unwritten(Look *look, const Place *place, const struct statvfs *room, int problem)
{
    if (room->f_flag & ST_RDONLY || problem == EROFS)
        check_put(look->run, CHECK_PROBLEM, "spool",
                  "mount it for writing; where it became so by itself, the kernel's log (dmesg) "
                  "says what is wrong with the disk",
                  "%s, %s, is on a file system that is mounted read-only", place->what, place->dir);
    else if (problem == EDQUOT)
        check_put(look->run, CHECK_PROBLEM, "spool", "raise his quota, or remove files of his",
                  "in %s, %s, nothing can be written: the quota of %s is used up", place->what,
                  place->dir, g_get_user_name());
    else if (problem == ENOSPC && room->f_files > 0 && room->f_favail == 0)
        check_put(look->run, CHECK_PROBLEM, "spool", place->remedy,
                  "in %s, %s, no file can be made: its file system has no inode left", place->what,
                  place->dir);
    else
        check_put(look->run, CHECK_PROBLEM, "spool", place->remedy,
                  "in %s, %s, %d KiB could not be written: %s (%" G_GUINT64_FORMAT " MiB are free)",
                  place->what, place->dir, TRIAL / 1024, g_strerror(problem),
                  (guint64)room->f_bavail * room->f_frsize / MIB);
}

/* (transfer full) */
static char *text_size(guint64 octets)
{
    const double mib = (double)octets / (double)MIB;

    return mib < 1024 ? g_strdup_printf("%.1f MiB", mib) : g_strdup_printf("%.1f GiB", mib / 1024);
}

static gboolean check_room(Look *look, const Place *place, const struct statvfs *room)
{
    guint64 left = (guint64)room->f_bavail * room->f_frsize;

    if (left < place->wanted) {
        g_autofree char *found = text_size(left);
        g_autofree char *wanted = text_size(place->wanted);

        check_put(look->run, CHECK_WARNING, "spool", place->remedy,
                  "in %s, %s, %s are free, and up to %s may be needed at the same time",
                  place->what, place->dir, found, wanted);
        return FALSE;
    }
    if (room->f_files > 0 && room->f_favail < LEAST_FILES) {
        check_put(look->run, CHECK_WARNING, "spool", place->remedy,
                  "in %s, %s, %" G_GUINT64_FORMAT " files can still be made: its file system has "
                  "hardly an inode left",
                  place->what, place->dir, (guint64)room->f_favail);
        return FALSE;
    }
    return TRUE;
}

static void note_fine(Look *look, const Place *place, const struct statvfs *room)
{
    guint64 left = (guint64)room->f_bavail * room->f_frsize;
    g_autofree char *size = text_size(left);

    g_string_append_printf(look->fine, "%s%s free in %s", look->fine->len ? ", " : "", size,
                           place->dir);
}

/* One file system that is full is one thing to mend. */
static void check_place(Look *look, const Place *place)
{
    struct statvfs room;
    struct stat info;

    if (stat(place->dir, &info) != 0 || statvfs(place->dir, &room) != 0 ||
        was_told(look, info.st_dev))
        return;
    gboolean written =
        place->trial ? try_writing(place->dir) : !(room.f_flag & ST_RDONLY) && room.f_bavail > 0;
    int problem = place->trial ? errno : room.f_flag & ST_RDONLY ? EROFS : ENOSPC;
    if (!written && !is_about_room(problem))
        return;
    if (!written)
        put_unwritten(look, place, &room, problem);
    if (!written || !check_room(look, place, &room))
        note_told(look, info.st_dev);
    else
        note_fine(look, place, &room);
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

static guint count_workers(CheckRun *run)
{
    const char *text = check_setting(run, "daemon", "workers");
    guint64 count = 0;

    if (text && g_ascii_string_to_unsigned(text, 10, 1, 256, &count, NULL))
        return (guint)count;
    return (guint)CLAMP(sysconf(_SC_NPROCESSORS_ONLN), 2, 256);
}

static void check_spool_dir(Look *look)
{
    gint64 limit = wiring_size_limit(look->run);
    const Place place = {
        .what = "[core] spool_dir",
        .dir = check_setting(look->run, "core", "spool_dir"),
        .wanted = (limit > 0 ? (guint64)limit : USUAL_SIZE) * count_workers(look->run),
        .remedy = "make room there, or name another folder in [core] spool_dir: large messages "
                  "are kept in it while they are worked on",
        .trial = TRUE,
    };

    if (place.dir)
        check_place(look, &place);
}

static void check_state_dir(Look *look)
{
    const Place place = {
        .what = "[core] state_dir",
        .dir = check_setting(look->run, "core", "state_dir"),
        .wanted = LEAST_STATE,
        .remedy = "make room there: keys and what was found out of them are kept in it",
        .trial = TRUE,
    };

    if (place.dir)
        check_place(look, &place);
}

static void check_log_dir(Look *look)
{
    const char *target = check_setting(look->run, "core", "log_target");
    g_autofree char *dir = target && *target == '/' ? g_path_get_dirname(target) : NULL;
    const Place place = {
        .what = "the log's folder",
        .dir = dir,
        .wanted = LEAST_STATE,
        .remedy = "make room there, as by rotating the log",
    };

    if (dir)
        check_place(look, &place);
}

void check_spool(CheckRun *run)
{
    g_autoptr(GString) fine = g_string_new(NULL);
    Look look = {.run = run, .fine = fine};

    check_spool_dir(&look);
    check_state_dir(&look);
    check_log_dir(&look);
    if (!check_has_trouble(run, "spool") && fine->len)
        check_put(run, CHECK_OK, "spool", NULL, "%s", fine->str);
}
