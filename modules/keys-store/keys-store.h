/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-store.h: what the parts of the module keys-store share. Each part uses those above it alone.
 */
#pragma once

#include "core/sealpipe.h"

#include <sqlite3.h>
#include <sys/types.h>

enum {
    STORE_MAX_OCTETS = 1024 * 1024, /* of one key, with what was added to it */
    STORE_MAX_NAMES = 4096,         /* of one key, of each kind */
    STORE_MAX_FOUND = 1001,         /* keys for one address: one more than core takes */
    STORE_MAX_PENDING = 8,          /* for one address and format */
};

/* -------------------------------------------------------------------------------------------
 * The tables (schema.c)
 */

/** Sets @error. Always FALSE. */
gboolean store_fail(GError **error, SealError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/** What is counted when it changes, so that look-ups that are remembered change nothing. */
typedef enum {
    STORE_OF_STORE,
    STORE_OF_HARVESTED,
    STORE_OF_BOOK,
    STORE_PARTS,
} StorePart;

extern const char *const STORE_PART_NAMES[STORE_PARTS];

/** Brings the tables to what this version has, within a transaction; in an empty database it makes
 *  them. FALSE with SEAL_ERROR_UNSUPPORTED where a newer one was here, with SEAL_ERROR_KEY where
 * they are not ours, or else as SQLite has it. */
gboolean store_schema_bring(sqlite3 *db, GError **error);
/** TRUE where store_schema_bring() has nothing to do; *@empty: there are no tables at all. */
gboolean store_schema_is_current(sqlite3 *db, gboolean *empty, GError **error);

/* -------------------------------------------------------------------------------------------
 * The database (database.c)
 */

typedef struct {
    SealModule *self;
    sqlite3 *db; /* NULL: it is not open */
    char *path;  /* of the file, as the configuration has it */
    dev_t device;
    ino_t inode;
    GHashTable *statements;       /* text to sqlite3_stmt */
    GCancellable *cancellable;    /* of the call, or NULL */
    gint64 until;                 /* when the call must be over; monotonic, microseconds */
    gboolean lightly;             /* what is written may be lost with the power */
    gboolean writing;             /* the transaction is one that writes */
    GHashTable *used;             /* keys of which it is written that they were used */
    guint remembered;             /* look-ups, in this process */
    gboolean is_other;            /* it was opened since somebody last looked for changes */
    gint64 looked;                /* when somebody last looked for changes, likewise */
    gint64 seen[STORE_PARTS];     /* the counts that are in the database */
    guint64 changes[STORE_PARTS]; /* what changes() says */
    guint64 offered;              /* the count of changes with which authorities were last read */
    char *trouble;                /* why it cannot be read, when somebody last looked; NULL */
} Store;

/** (transfer full) */
Store *store_new(SealModule *self);
/** Closes the database; the next call opens it again. */
void store_close(Store *store);
void store_free(Store *store);

/** What a call uses the database for: whether it makes one where there is none, whether it writes,
 *  whether that has to outlive a power failure, and how long it may take. */
typedef enum {
    STORE_READ,     /* writes nothing; in the way of a message */
    STORE_LIST,     /* writes nothing; takes its time */
    STORE_PUT,      /* makes it; outlives; takes its time */
    STORE_REMOVE,   /* outlives; takes its time */
    STORE_NOTE,     /* makes it; outlives; in the way of a message */
    STORE_FORGET,   /* outlives; in the way of a message */
    STORE_REMEMBER, /* makes it; does not wait long */
    STORE_TOUCH,    /* does not wait */
} StoreUse;

/** Opens the database and begins a transaction. The call is over after some time, or with
 *  @cancellable, which may be NULL. Where it returns TRUE and *@there, store_end() follows. */
gboolean store_begin(Store *store, StoreUse use, GCancellable *cancellable, gboolean *there,
                     GError **error);
/** Ends the transaction: for good where @ok, else nothing has happened. FALSE where that was not
 *  @ok, or fails. */
gboolean store_end(Store *store, gboolean ok, GError **error);

/** A statement with its values: @types has a letter for each of ..., t: const char *, NULL too; i:
 *  gint64; b: GBytes *, which must live as long as the statement runs. Texts are copied. NULL with
 * @error. (borrowed) */
sqlite3_stmt *store_query(Store *store, GError **error, const char *sql, const char *types, ...);
/** Goes to the next row; *@row is FALSE behind the last one, and the statement has ended. */
gboolean store_step(Store *store, sqlite3_stmt *statement, gboolean *row, GError **error);
/** Ends a statement that was not gone through to its end. NULL is allowed. */
void store_done(sqlite3_stmt *statement);
/** Runs a statement without rows. Takes NULL, as store_query() gives it. */
gboolean store_run(Store *store, sqlite3_stmt *statement, GError **error);
/** A text of the current row; "" for NULL. (transfer full) */
char *store_text(sqlite3_stmt *statement, int column);
/** Octets of the current row. (transfer full) */
GBytes *store_octets(sqlite3_stmt *statement, int column);
/** What is in the database is none of ours. Always FALSE. */
gboolean store_damaged(Store *store, const char *what, GError **error);

/** In a transaction that writes: what a part has was changed. */
gboolean store_count_change(Store *store, StorePart part, GError **error);
/** Looks for changes, at most once a second, and gives the count of @part. */
guint64 store_changes(Store *store, StorePart part);

/* -------------------------------------------------------------------------------------------
 * Keys (kept.c)
 */

/** A row of `keys`, and what belongs to it. */
typedef struct {
    char *format;
    char *fingerprint;
    char *label;
    GBytes *octets;
    gint64 valid_from;
    gint64 valid_until;
    guint purposes;
    SealTrust trust;
    char *place;
    gint64 added;
    gint64 last_used;
    GStrv ids;
    GStrv addresses;
    GStrv domains;
    GStrv bound;
} StoreRow;

void store_row_clear(StoreRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StoreRow, store_row_clear)

/** A text of lines as a list, and back. (transfer full) */
GStrv store_split(const char *text);
char *store_join(const char *const *list);

/** The key as it is known without its Format. (transfer full) */
SealKey *store_row_key(const StoreRow *row, const SealOrigin *origin);
/** Appends what the Format reads of @octets. FALSE where it is not that key alone, once or more
 *  often. */
gboolean store_octets_read(Store *store, const char *format, const char *fingerprint,
                           GBytes *octets, const SealOrigin *origin, GPtrArray *keys,
                           GError **error);
/** Appends the key as its Format reads it, with all that was added to it. FALSE, with
 *  SEAL_ERROR_KEY, where it reads nothing, or another one. */
gboolean store_row_read(Store *store, const StoreRow *row, const SealOrigin *origin,
                        GPtrArray *keys, GError **error);

/** Has the Formats read the authorities that were added, unless they have: what a look-up finds,
 * and what other sources do, may be issued by one that nobody asks for by name. Some of the newest
 *  where there are too many. Not within a transaction. */
gboolean store_issuers_offer(Store *store, GCancellable *cancellable, GError **error);

/** Each of these begins and ends its own transaction. See SealSource. */
gboolean store_keys_find(Store *store, StorePart part, const SealAddress *address,
                         const char *format, GCancellable *cancellable, GPtrArray *keys,
                         char **doubt, GError **error);
gboolean store_keys_copies(Store *store, StorePart part, const SealKey *key,
                           GCancellable *cancellable, GPtrArray *keys, GError **error);
gboolean store_keys_list(Store *store, StorePart part, const SealKeyFilter *filter,
                         SealKeyListed visit, gpointer user_data, GError **error);
gboolean store_keys_remove(Store *store, StorePart part, const SealKeyFilter *filter,
                           guint *removed, GError **error);
gboolean store_keys_unbind(Store *store, StorePart part, const SealKeyFilter *filter,
                           const char *bound, guint *count, GError **error);
/** Writes down that it was used just now. */
void store_keys_touch(Store *store, StorePart part, const SealKey *key);
/** *@count: how many there are of both parts. */
gboolean store_keys_count(Store *store, gint64 *count, GError **error);

/* -------------------------------------------------------------------------------------------
 * Putting keys (put.c)
 */

/** In a transaction of its own. See SealSource. */
gboolean store_keys_put(Store *store, StorePart part, GPtrArray *keys, SealPut *kept,
                        GError **error);
gboolean store_keys_put_counted(Store *store, StorePart part, GPtrArray *keys, guint *added,
                                GError **error);

/* -------------------------------------------------------------------------------------------
 * What is written down of keys (book.c)
 */

extern const SealKeyBook store_book;

/* -------------------------------------------------------------------------------------------
 * What other sources said (found.c)
 */

/** See SealSource. */
gboolean store_recall(Store *store, SealRecollection *asked, gboolean *known, GError **error);
gboolean store_remember(Store *store, const SealRecollection *told, GError **error);
