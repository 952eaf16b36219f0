/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-search.h: one search, for the parts of the keyring.
 */
#pragma once

#include "core/pipeline/keyring-query.h"

enum { SEAL_MAX_SOURCE_KEYS = 1000 }; /* for one address, from one source */

/** What a source said of an address, and until when it is believed. */
typedef struct {
    GPtrArray *keys;
    char *doubt;     /* what the source could not read, or NULL */
    gint64 until;    /* monotonic, microseconds */
    guint64 changes; /* what the source, or all of them, said to that then */
} SealMemory;
void seal_memory_free(gpointer memory);

struct SealKeyring {
    GPtrArray *sources; /* of SealSourceEntry, borrowed */
    gint64 cache;       /* microseconds, as is the next */
    gint64 negative_cache;
    SealCache *memory; /* "source\nformat\naddress" -> SealMemory; with "\ntrust" behind it, of
                          keys merged with their copies in sources of that trust */
};

/** One search for one key, or for all. */
typedef struct {
    SealKeyring *keyring;
    SealJob *job;
    const SealKeyQuery *query;
    GCancellable *cancellable;
    guint first;       /* of the job's decisions that are the search's */
    char *why;         /* why the first one was passed over */
    char *doubt;       /* what a source could not read */
    char *detail;      /* what else is for the log alone: it may name files */
    gboolean in_doubt; /* and is not to be passed over */
    GPtrArray *found;  /* of SealKey: those to use; NULL where one alone is judged */
    SealKey *other;    /* a usable one that is not among those that come first */
    gboolean failed;   /* another source than the one that was asked; that has been said */
} SealSearch;

/** An array with SealKey as its element type. (transfer full) */
GPtrArray *seal_keys_new(void);
/** Takes out what is not for @address, or not of the query's format: a source's keys are believed
 *  to be for an address only where they say so themselves. */
void seal_keys_keep_right(GPtrArray *keys, const SealKeyQuery *query, const SealAddress *address);
/** Sorts the most trusted first, and of those the newest. */
int seal_keys_best_first(gconstpointer a, gconstpointer b);
gboolean seal_keys_have(GPtrArray *keys, const char *fingerprint);

/** What @source has for @address, asked now or remembered. (transfer full) */
GPtrArray *seal_search_ask(SealSearch *search, const SealSourceEntry *source, SealAddress *address,
                           GError **error);
/** Takes @doubt over. */
void seal_search_remember(SealKeyring *keyring, const char *name, GPtrArray *keys, char *doubt,
                          gint64 time, guint64 changes);
/** What is remembered and still holds, or NULL. (borrowed) */
const SealMemory *seal_search_recall(SealKeyring *keyring, const char *name, guint64 changes);

void seal_search_add_detail(SealSearch *search, const char *text);
/** TRUE where @problem of @source is passed over; a decision either way. Takes @problem over. */
gboolean seal_search_pass_over(SealSearch *search, const SealSourceEntry *source, GError *problem,
                               GError **error);
/** Each of @keys with what every source has of it. (transfer full) */
GPtrArray *seal_search_merge(SealSearch *search, GPtrArray *keys, SealAddress *address,
                             GError **error);
/** What @source has for @address, each key merged with its copies. (transfer full) */
GPtrArray *seal_search_ask_merged(SealSearch *search, const SealSourceEntry *source,
                                  SealAddress *address, GError **error);

/** Is @key fit? A decision either way. */
gboolean seal_search_judge(SealSearch *search, SealKey *key, SealAddress *address, gboolean *usable,
                           GError **error);
/** Takes those of @keys that are usable as @address's: the first one, or every one. */
gboolean seal_search_find_usable(SealSearch *search, GPtrArray *keys, SealAddress *address,
                                 GError **error);
/** Appends what was found to @keys, or says why nothing was; @ok: the search came to its end. */
gboolean seal_search_end(SealSearch *search, gboolean ok, GPtrArray *keys, char **ret_why,
                         char **ret_detail);
