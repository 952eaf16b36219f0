/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-file.h: what the files of the module keys-file share.
 */
#pragma once

#include "core/sealpipe.h"

/* -------------------------------------------------------------------------------------------
 * index.c: which keys stand where. Nothing of it is written once it is made, so that processes that
 * are forked then share it; but for the keys that were read at once, of which there are few.
 */

/** Where a key stands. */
typedef struct {
    guint address; /**< hash of seal_address_key(), or of "@domain": two may have the same, which
                        costs a look */
    guint file;
    guint32 offset;
    guint32 length;
    guint sum; /**< of its octets: they must be the same when they are read */
    const char *format;
} KeysSpot;

typedef struct {
    const char *path;
    SealFileState state;
    gboolean converted; /**< offsets count octets of seal_text_plain() */
} KeysPlace;

/** What could not be read, and may be somebody's key. */
typedef struct {
    char *text;
    guint file;
    const char *format; /**< NULL: of any */
    gboolean must;      /**< be read: the setting names it and nothing in it is good, or another try
                             may find what this one did not */
} KeysDamage;

typedef struct {
    GStringChunk *names;
    GArray *files;       /**< element type KeysPlace */
    GHashTable *numbers; /**< path to its place in files, and 1 */
    GArray *spots;       /**< element type KeysSpot, sorted by address, then file and place */
    SealKeyIndex *keys;  /**< those that were read at once */
    GPtrArray *read;     /**< the same ones, in order of files */
    GArray *damages;     /**< element type KeysDamage */
    SealTrust trust;
    guint count;
    guint readable; /**< files */
} KeysIndex;

/** One without anything in it. (transfer full) */
KeysIndex *keys_index_new(SealTrust trust);
void keys_index_free(KeysIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeysIndex, keys_index_free)
/** Finds out what is in a file. FALSE: there are too many keys. */
gboolean keys_index_add(KeysIndex *index, SealModule *self, const SealFile *file, GError **error);
/** A file of which nothing is believed. */
void keys_index_add_bad(KeysIndex *index, const char *path, const SealFileState *state,
                        const char *why);
/** Once all files are added. */
void keys_index_finish(KeysIndex *index);
/** The number of the file; -1 where it is not in the index. */
gint keys_index_number(const KeysIndex *index, const char *path);
const KeysPlace *keys_index_place(const KeysIndex *index, guint number);
/** What KeysSpot.address is for keys of @address, and for those of its whole domain. */
void keys_address_hashes(const SealAddress *address, guint hashes[2]);
/** The first spot of that hash, or where it would stand. */
guint keys_index_first(const KeysIndex *index, guint hash);
int keys_spot_compare(gconstpointer a, gconstpointer b);

/* -------------------------------------------------------------------------------------------
 * follow.c: what changes while the process runs
 */

typedef struct KeysFollow KeysFollow;

/** What there is: the index that was made first, without the files that are gone or have changed,
 *  and one of those that are new or have changed. */
typedef struct {
    KeysIndex *base;
    KeysIndex *own;  /**< of this process */
    guint8 *gone;    /**< for each file of base; NULL: none is */
    char *empty;     /**< folders without a file, for people; NULL where there is none */
    char *trouble;   /**< why it cannot be found out what there is; NULL where it can */
    guint64 changes; /**< how often something did */
    SealTrust trust; /**< of all keys */
    KeysFollow *follow;
} KeysFile;

/** Reads all there is. FALSE where @source is not to be used. */
gboolean keys_follow_begin(SealModule *self, KeysFile *source, GError **error);
void keys_follow_end(KeysFile *source);
/** Looks, at most once a second, at the folders and what the setting names. */
void keys_follow_look(SealModule *self);
/** Looks at all files, if that has not been done within the last second, or lately where it takes
 *  long; at once with @now. */
void keys_follow_sweep(SealModule *self, gboolean now);
/** TRUE where @place is what it was, as far as a look within this second says. */
gboolean keys_follow_is_same(KeysFile *source, const KeysPlace *place);
gboolean keys_file_is_gone(const KeysFile *source, const KeysIndex *index, guint number);
