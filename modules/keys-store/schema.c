/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * schema.c: the tables, and what makes those of this version of an older one's. What once was
 * released is never changed here: a change is one more step.
 */
#include "keys-store.h"

const char *const STORE_PART_NAMES[STORE_PARTS] = {"store", "harvested", "book"};

/* names: of kind address, bound or domain, as they are looked for; an address also as it is
 * written. standings: a key of its own, since what it is to an address outlives its source. */
static const char STEP_1[] =
    "CREATE TABLE counts ("
    " part TEXT PRIMARY KEY,"
    " changes INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO counts VALUES ('store', 0), ('harvested', 0), ('book', 0);"
    "CREATE TABLE keys ("
    " id INTEGER PRIMARY KEY,"
    " source TEXT NOT NULL,"
    " format TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL,"
    " label TEXT NOT NULL,"
    " octets BLOB NOT NULL,"
    " valid_from INTEGER NOT NULL,"
    " valid_until INTEGER NOT NULL,"
    " purposes INTEGER NOT NULL,"
    " trust INTEGER NOT NULL,"
    " place TEXT NOT NULL,"
    " ids TEXT NOT NULL,"
    " added INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL,"
    " UNIQUE (source, format, fingerprint)"
    ") STRICT;"
    "CREATE TABLE names ("
    " kind TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " key INTEGER NOT NULL REFERENCES keys ON DELETE CASCADE,"
    " written TEXT NOT NULL,"
    " PRIMARY KEY (kind, name, key)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX names_of_key ON names (key, kind);"
    "CREATE TABLE standings ("
    " address TEXT NOT NULL,"
    " format TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL,"
    " standing INTEGER NOT NULL,"
    " since INTEGER NOT NULL,"
    " label TEXT NOT NULL,"
    " octets BLOB NOT NULL,"
    " valid_from INTEGER NOT NULL,"
    " valid_until INTEGER NOT NULL,"
    " purposes INTEGER NOT NULL,"
    " trust INTEGER NOT NULL,"
    " source TEXT NOT NULL,"
    " place TEXT NOT NULL,"
    " bound TEXT NOT NULL,"
    " ids TEXT NOT NULL,"
    " last_used INTEGER NOT NULL,"
    " PRIMARY KEY (address, format, fingerprint)"
    ") STRICT;"
    "CREATE INDEX standings_of_kind ON standings (standing, address);";

/* What sources beyond a network said. */
static const char STEP_2[] = "CREATE TABLE lookups ("
                             " id INTEGER PRIMARY KEY,"
                             " source TEXT NOT NULL,"
                             " format TEXT NOT NULL,"
                             " address TEXT NOT NULL,"
                             " found INTEGER NOT NULL,"
                             " until INTEGER NOT NULL,"
                             " UNIQUE (source, format, address)"
                             ") STRICT;"
                             "CREATE INDEX lookups_by_end ON lookups (until);"
                             "CREATE TABLE found ("
                             " lookup INTEGER NOT NULL REFERENCES lookups ON DELETE CASCADE,"
                             " number INTEGER NOT NULL,"
                             " fingerprint TEXT NOT NULL,"
                             " label TEXT NOT NULL,"
                             " octets BLOB NOT NULL,"
                             " trust INTEGER NOT NULL,"
                             " place TEXT NOT NULL,"
                             " PRIMARY KEY (lookup, number)"
                             ") STRICT;";

/* Authorities are read as a whole. */
static const char STEP_3[] = "CREATE INDEX keys_that_issue ON keys (source) "
                             "WHERE (purposes & 4) <> 0;";

static const char *const STEPS[] = {STEP_1, STEP_2, STEP_3};

enum { CURRENT = G_N_ELEMENTS(STEPS) };

gboolean store_fail(GError **error, SealError code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, SEAL_ERROR, code, text);
    return FALSE;
}

static gboolean schema_failed(sqlite3 *db, GError **error)
{
    return store_fail(error, SEAL_ERROR_UNAVAILABLE, "%s", sqlite3_errmsg(db));
}

static gboolean ask_number(sqlite3 *db, const char *sql, gint64 *number, GError **error)
{
    sqlite3_stmt *statement = NULL;
    gboolean ok = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
                  sqlite3_step(statement) == SQLITE_ROW;

    if (ok)
        *number = sqlite3_column_int64(statement, 0);
    else
        schema_failed(db, error);
    sqlite3_finalize(statement);
    return ok;
}

/* Views and triggers are none of ours, and could do what no statement of ours says. */
static gboolean check_tables(sqlite3 *db, gint64 version, gboolean *empty, GError **error)
{
    gint64 tables = 0, others = 0;

    if (!ask_number(db, "SELECT count(*) FROM sqlite_schema", &tables, error) ||
        !ask_number(db,
                    "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index') "
                    "OR (type = 'table' AND sql LIKE 'CREATE VIRTUAL%')",
                    &others, error))
        return FALSE;
    *empty = tables == 0 && version == 0;
    if (version > CURRENT)
        return store_fail(error, SEAL_ERROR_UNSUPPORTED,
                          "a newer sealpipe has made it: schema %" G_GINT64_FORMAT
                          ", and this one knows those up to %d; use that sealpipe, or move the "
                          "store away and add the keys again",
                          version, CURRENT);
    if (version < 0 || others > 0 || (version == 0) != (tables == 0))
        return store_fail(error, SEAL_ERROR_KEY,
                          "it is a database, but none of sealpipe's keys; move it away");
    return TRUE;
}

gboolean store_schema_is_current(sqlite3 *db, gboolean *empty, GError **error)
{
    gint64 version = 0;

    return ask_number(db, "PRAGMA user_version", &version, error) &&
           check_tables(db, version, empty, error) && version == CURRENT;
}

gboolean store_schema_bring(sqlite3 *db, GError **error)
{
    gint64 version = 0;
    gboolean empty;

    if (!ask_number(db, "PRAGMA user_version", &version, error) ||
        !check_tables(db, version, &empty, error))
        return FALSE;
    for (; version < CURRENT; version++) {
        g_autofree char *mark =
            g_strdup_printf("PRAGMA user_version = %" G_GINT64_FORMAT, version + 1);

        if (sqlite3_exec(db, STEPS[version], NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(db, mark, NULL, NULL, NULL) != SQLITE_OK)
            return schema_failed(db, error);
    }
    return TRUE;
}
