/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * database.c: the database, opened in each process when it is needed first. What is in it is not
 * believed to be as we wrote it: statements are ours alone, values are bound, and nothing that the
 * file says is run.
 */
#include "keys-store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOK_US = G_USEC_PER_SEC,          /* between two looks for changes */
    MAX_WAIT_US = 20 * 1000,           /* between two tries to get at a database that is in use */
    STEPS_BETWEEN_LOOKS = 20000,       /* of SQLite's machine, at the clock */
    MAX_LENGTH = 2 * STORE_MAX_OCTETS, /* of a value */
};

static const struct {
    gboolean makes;
    gboolean writes;
    gboolean lightly;
    gint64 time_us; /* waiting for others included */
} USES[] = {
    [STORE_READ] = {FALSE, FALSE, FALSE, 10 * G_USEC_PER_SEC},
    [STORE_LIST] = {FALSE, FALSE, FALSE, 300 * G_USEC_PER_SEC},
    [STORE_PUT] = {TRUE, TRUE, FALSE, 300 * G_USEC_PER_SEC},
    [STORE_REMOVE] = {FALSE, TRUE, FALSE, 300 * G_USEC_PER_SEC},
    [STORE_NOTE] = {TRUE, TRUE, FALSE, 20 * G_USEC_PER_SEC},
    [STORE_FORGET] = {FALSE, TRUE, FALSE, 20 * G_USEC_PER_SEC},
    [STORE_REMEMBER] = {TRUE, TRUE, TRUE, 2 * G_USEC_PER_SEC},
    [STORE_TOUCH] = {FALSE, TRUE, TRUE, G_USEC_PER_SEC / 20},
};

#define FOLDER    "keys-store"
#define FILE_NAME "keys.db"

/* The cache holds the same few pages however many keys there are. */
static const char SET_UP[] = "PRAGMA foreign_keys = ON;"
                             "PRAGMA cell_size_check = ON;"
                             "PRAGMA mmap_size = 0;"
                             "PRAGMA cache_size = -512;"
                             "PRAGMA temp_store = MEMORY;"
                             "PRAGMA journal_size_limit = 4194304;"
                             "PRAGMA synchronous = FULL;";

/* -------------------------------------------------------------------------------------------
 * Faults
 */

static gboolean fail_on_path(const Store *store, GError **error, const char *why)
{
    return store_fail(error, SEAL_ERROR_UNAVAILABLE,
                      "%s: %s; the user that sealpipe runs as must own it and its folder, and be "
                      "able to write there",
                      store->path, why);
}

gboolean store_damaged(Store *store, const char *what, GError **error)
{
    return store_fail(error, SEAL_ERROR_UNAVAILABLE,
                      "%s is damaged: %s; move it away, with its -wal and -shm beside it, and put "
                      "a copy in its place or add the keys again",
                      store->path, what);
}

static gboolean fail_on_time(const Store *store, GError **error)
{
    if (store->cancellable && g_cancellable_is_cancelled(store->cancellable))
        return store_fail(error, SEAL_ERROR_DEADLINE, "%s: the time for it is over", store->path);
    return store_fail(error, SEAL_ERROR_UNAVAILABLE,
                      "%s: it took too long: another process keeps it, or it is damaged",
                      store->path);
}

static gboolean database_failed(Store *store, int code, GError **error)
{
    const char *text = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);

    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return fail_on_time(store, error);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR: /* a table of ours is not what it was */
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_FORMAT:
        return store_damaged(store, text, error);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return fail_on_path(store, error, text);
    default:
        return store_fail(error, SEAL_ERROR_UNAVAILABLE, "%s: %s", store->path, text);
    }
}

/* -------------------------------------------------------------------------------------------
 * Time
 */

static gboolean is_over(const Store *store)
{
    return g_get_monotonic_time() > store->until ||
           (store->cancellable && g_cancellable_is_cancelled(store->cancellable));
}

static int stop_if_over(void *data)
{
    return is_over(data);
}

/* Not all who wait at once. */
static int wait_for_others(void *data, int tries)
{
    if (is_over(data))
        return 0;
    g_usleep((gulong)g_random_int_range(1000, MIN(2000 << MIN(tries, 4), MAX_WAIT_US)));
    return 1;
}

/* -------------------------------------------------------------------------------------------
 * Opening
 */

static void close_database(Store *store)
{
    g_hash_table_remove_all(store->statements);
    sqlite3_close_v2(store->db);
    store->db = NULL;
}

/* Its keys decide who can read mail: nobody else may be able to write them. */
static gboolean check_owner(const Store *store, const char *path, mode_t kind, struct stat *st,
                            GError **error)
{
    if (lstat(path, st) < 0)
        return fail_on_path(store, error, g_strerror(errno));
    if ((st->st_mode & S_IFMT) != kind)
        return fail_on_path(store, error, "what is there is neither a file nor a folder of ours");
    if (st->st_uid != geteuid())
        return fail_on_path(store, error, "it belongs to another user than the one that runs this");
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return fail_on_path(store, error, "others can write to it");
    return TRUE;
}

static gboolean make_file(const Store *store, const char *folder, GError **error)
{
    int fd;

    if (g_mkdir(folder, 0700) < 0 && errno != EEXIST)
        return fail_on_path(store, error, g_strerror(errno));
    fd = open(store->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno != EEXIST)
        return fail_on_path(store, error, g_strerror(errno));
    /* SQLite has not opened the file: closing this takes no lock of its away. */
    if (fd >= 0)
        close(fd);
    return TRUE;
}

/* Nothing at all is there. A link that leads nowhere may be to what is not mounted. */
static gboolean is_missing(const Store *store, const char *folder)
{
    struct stat st;

    return lstat(store->path, &st) < 0 && errno == ENOENT &&
           (lstat(folder, &st) < 0 ? errno == ENOENT : S_ISDIR(st.st_mode));
}

static gboolean has_beside(const Store *store, const char *ending, gboolean empty_too)
{
    g_autofree char *path = g_strconcat(store->path, ending, NULL);
    struct stat st;

    return lstat(path, &st) == 0 && (empty_too || st.st_size > 0);
}

/* What is beside it was written for a file with tables: an empty one, or none, is not how it was.
 * A process that makes the file writes to it before there is anything beside it. */
static gboolean check_beside(Store *store, GError **error)
{
    struct stat st = {0};
    gboolean missing = lstat(store->path, &st) < 0;

    if (missing ? errno != ENOENT : st.st_size > 0)
        return TRUE;
    if (missing ? !has_beside(store, "-wal", FALSE)
                : !has_beside(store, "-wal", TRUE) && !has_beside(store, "-shm", TRUE))
        return TRUE;
    /* It may have been made between the two looks. */
    if (lstat(store->path, &st) == 0 && st.st_size > 0)
        return TRUE;
    return store_damaged(
        store, missing ? "it is gone, and its -wal is not" : "it is empty, and was not", error);
}

/* *@there: there is such a file, and it is ours. */
static gboolean find_file(Store *store, gboolean make, gboolean *there, struct stat *st,
                          GError **error)
{
    g_autofree char *folder = g_path_get_dirname(store->path);

    *there = TRUE;
    if (!check_beside(store, error))
        return FALSE;
    *there = make || !is_missing(store, folder);
    if (!*there)
        return TRUE;
    if (!make && lstat(folder, st) < 0)
        return fail_on_path(store, error, g_strerror(errno));
    return seal_module_state_dir(store->self, make, error) &&
           (!make || make_file(store, folder, error)) &&
           check_owner(store, folder, S_IFDIR, st, error) &&
           check_owner(store, store->path, S_IFREG, st, error);
}

static gboolean set_options(sqlite3 *db)
{
    return sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
           sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
           sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL) == SQLITE_OK &&
           sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL) == SQLITE_OK &&
           sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL) == SQLITE_OK &&
           sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL) == SQLITE_OK;
}

/* SQLite does not wait for others where it changes the way of writing. */
static gboolean use_wal(Store *store, GError **error)
{
    int code;

    for (int tries = 0;; tries++) {
        code = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (code != SQLITE_BUSY || !wait_for_others(store, tries))
            break;
    }
    return code == SQLITE_OK || database_failed(store, code, error);
}

/* Links on the way there are followed here, and none by SQLite. */
static gboolean open_file(Store *store, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(store->path);
    char *real = realpath(folder, NULL);
    g_autofree char *path = g_build_filename(real ? real : folder, FILE_NAME, NULL);

    free(real);
    int code = sqlite3_open_v2(
        path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    if (code != SQLITE_OK)
        return database_failed(store, code, error);
    sqlite3_extended_result_codes(store->db, 0);
    sqlite3_busy_handler(store->db, wait_for_others, store);
    sqlite3_progress_handler(store->db, STEPS_BETWEEN_LOOKS, stop_if_over, store);
    sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, MAX_LENGTH);
    sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(store->db, SQLITE_LIMIT_WORKER_THREADS, 0);
    if (!set_options(store->db))
        return store_fail(error, SEAL_ERROR_UNSUPPORTED, "SQLite %s is too old",
                          sqlite3_libversion());
    code = sqlite3_exec(store->db, SET_UP, NULL, NULL, NULL);
    return code == SQLITE_OK || database_failed(store, code, error);
}

static gboolean schema_problem(Store *store, GError *problem, GError **error)
{
    const int code = sqlite3_errcode(store->db);

    if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE) && code != SQLITE_OK)
        database_failed(store, code, error);
    else
        store_fail(error, SEAL_ERROR_UNAVAILABLE, "%s: %s", store->path, problem->message);
    g_error_free(problem);
    return FALSE;
}

/* Processes that start at once make the tables one after the other. */
static gboolean bring_schema(Store *store, GError **error)
{
    GError *problem = NULL;
    int code = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (code != SQLITE_OK)
        return database_failed(store, code, error);
    if (!store_schema_bring(store->db, &problem)) {
        schema_problem(store, problem, error);
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        return FALSE;
    }
    code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    return code == SQLITE_OK || database_failed(store, code, error);
}

/* *@there: it has tables. Who only reads leaves an empty file to who is making it. */
static gboolean check_schema(Store *store, gboolean make, gboolean *there, GError **error)
{
    GError *problem = NULL;
    gboolean empty = FALSE, current = store_schema_is_current(store->db, &empty, &problem);

    if (problem)
        return schema_problem(store, problem, error);
    *there = !empty || make;
    return !*there || (use_wal(store, error) && (current || bring_schema(store, error)));
}

static gboolean is_same_file(const Store *store, const struct stat *st)
{
    return store->db && store->device == st->st_dev && store->inode == st->st_ino;
}

/* Where another file stands in its place, as of a copy that was put back, that one counts. */
static gboolean open_database(Store *store, gboolean make, gboolean *there, GError **error)
{
    struct stat st = {0};

    if (!find_file(store, make, there, &st, error) || !*there) {
        close_database(store);
        return !*there;
    }
    if (is_same_file(store, &st))
        return TRUE;
    close_database(store);
    gboolean ok = open_file(store, error) && check_schema(store, make, there, error);
    if (ok && *there) {
        store->device = st.st_dev;
        store->inode = st.st_ino;
        store->lightly = FALSE;
        store->is_other = TRUE;
    } else {
        close_database(store);
    }
    return ok;
}

static void finalize(gpointer statement)
{
    sqlite3_finalize(statement);
}

Store *store_new(SealModule *self)
{
    Store *store = g_new0(Store, 1);

    store->self = self;
    store->path = g_build_filename(seal_module_state_path(self), FOLDER, FILE_NAME, NULL);
    store->statements = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, finalize);
    store->used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return store;
}

void store_close(Store *store)
{
    close_database(store);
}

void store_free(Store *store)
{
    if (!store)
        return;
    close_database(store);
    g_hash_table_unref(store->statements);
    g_hash_table_unref(store->used);
    g_free(store->path);
    g_free(store->trouble);
    g_free(store);
}

/* -------------------------------------------------------------------------------------------
 * Statements
 */

static sqlite3_stmt *prepare(Store *store, const char *sql, GError **error)
{
    sqlite3_stmt *statement = g_hash_table_lookup(store->statements, sql);
    int code;

    if (statement) {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        return statement;
    }
    code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK) {
        database_failed(store, code, error);
        return NULL;
    }
    g_hash_table_insert(store->statements, (gpointer)sql, statement);
    return statement;
}

static int bind_octets(sqlite3_stmt *statement, int column, GBytes *octets)
{
    gsize size = 0;
    const void *data = g_bytes_get_data(octets, &size);

    return size == 0 ? sqlite3_bind_zeroblob(statement, column, 0)
                     : sqlite3_bind_blob64(statement, column, data, size, SQLITE_STATIC);
}

sqlite3_stmt *store_query(Store *store, GError **error, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement = prepare(store, sql, error);
    int code = SQLITE_OK;
    va_list args;

    if (!statement)
        return NULL;
    va_start(args, types);
    for (int i = 1; code == SQLITE_OK && types[i - 1]; i++) {
        if (types[i - 1] == 't')
            code =
                sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        else if (types[i - 1] == 'i')
            code = sqlite3_bind_int64(statement, i, va_arg(args, gint64));
        else
            code = bind_octets(statement, i, va_arg(args, GBytes *));
    }
    va_end(args);
    if (code == SQLITE_OK)
        return statement;
    database_failed(store, code, error);
    return NULL;
}

gboolean store_step(Store *store, sqlite3_stmt *statement, gboolean *row, GError **error)
{
    int code = sqlite3_step(statement);

    *row = code == SQLITE_ROW;
    if (*row)
        return TRUE;
    if (code != SQLITE_DONE)
        database_failed(store, code, error);
    sqlite3_reset(statement);
    return code == SQLITE_DONE;
}

void store_done(sqlite3_stmt *statement)
{
    if (statement)
        sqlite3_reset(statement);
}

gboolean store_run(Store *store, sqlite3_stmt *statement, GError **error)
{
    gboolean row = FALSE;
    gboolean ok = statement && store_step(store, statement, &row, error);

    store_done(statement);
    return ok;
}

char *store_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text ? g_utf8_make_valid(text, -1) : g_strdup("");
}

GBytes *store_octets(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);

    return g_bytes_new(data, (gsize)sqlite3_column_bytes(statement, column));
}

/* -------------------------------------------------------------------------------------------
 * Transactions
 */

static gboolean run_plain(Store *store, const char *sql, GError **error)
{
    return store_run(store, store_query(store, error, sql, ""), error);
}

/* Not a statement that is kept: this one takes effect when it is read. */
static gboolean set_care(Store *store, gboolean lightly, GError **error)
{
    int code;

    if (store->lightly == lightly)
        return TRUE;
    code = sqlite3_exec(store->db,
                        lightly ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL", NULL,
                        NULL, NULL);
    store->lightly = lightly;
    return code == SQLITE_OK || database_failed(store, code, error);
}

gboolean store_begin(Store *store, StoreUse use, GCancellable *cancellable, gboolean *there,
                     GError **error)
{
    store->writing = USES[use].writes;
    store->cancellable = cancellable;
    store->until = g_get_monotonic_time() + USES[use].time_us;
    if (!open_database(store, USES[use].makes, there, error))
        return FALSE;
    if (!*there)
        return TRUE;
    return set_care(store, USES[use].lightly, error) &&
           run_plain(store, store->writing ? "BEGIN IMMEDIATE" : "BEGIN", error);
}

/* What is damaged is opened anew, since it may have been mended by then. */
gboolean store_end(Store *store, gboolean ok, GError **error)
{
    gboolean ended = ok && run_plain(store, "COMMIT", error);

    if (!ended) {
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        if (!sqlite3_get_autocommit(store->db))
            close_database(store);
    }
    if (store->writing)
        store->looked = 0;
    store->cancellable = NULL;
    return ended;
}

/* -------------------------------------------------------------------------------------------
 * Changes
 */

gboolean store_count_change(Store *store, StorePart part, GError **error)
{
    return store_run(store,
                     store_query(store, error,
                                 "UPDATE counts SET changes = changes + 1 WHERE part = ?1", "t",
                                 STORE_PART_NAMES[part]),
                     error);
}

static gboolean read_counts(Store *store, gint64 *counts, GError **error)
{
    for (guint i = 0; i < STORE_PARTS; i++) {
        sqlite3_stmt *statement = store_query(
            store, error, "SELECT changes FROM counts WHERE part = ?1", "t", STORE_PART_NAMES[i]);
        gboolean row = FALSE;

        if (!statement || !store_step(store, statement, &row, error))
            return FALSE;
        counts[i] = row ? sqlite3_column_int64(statement, 0) : 0;
        store_done(statement);
    }
    return TRUE;
}

/* -1 for each where there is no database. */
static gboolean look_at_counts(Store *store, gint64 *counts, GError **error)
{
    gboolean there = FALSE;

    for (guint i = 0; i < STORE_PARTS; i++)
        counts[i] = -1;
    if (!store_begin(store, STORE_READ, NULL, &there, error))
        return FALSE;
    return !there || store_end(store, read_counts(store, counts, error), error);
}

guint64 store_changes(Store *store, StorePart part)
{
    gint64 now = g_get_monotonic_time(), counts[STORE_PARTS];
    g_autoptr(GError) problem = NULL;

    if (store->looked > 0 && now < store->looked + LOOK_US)
        return store->changes[part];
    look_at_counts(store, counts, &problem);
    gboolean other =
        store->is_other || g_strcmp0(store->trouble, problem ? problem->message : NULL) != 0;
    for (guint i = 0; i < STORE_PARTS; i++) {
        if (other || counts[i] != store->seen[i])
            store->changes[i]++;
        store->seen[i] = counts[i];
    }
    g_free(store->trouble);
    store->trouble = problem ? g_strdup(problem->message) : NULL;
    store->looked = g_get_monotonic_time();
    store->is_other = FALSE;
    return store->changes[part];
}
