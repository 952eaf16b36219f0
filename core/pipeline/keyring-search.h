/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-search.h: one search, for the parts of the keyring.
 */
#pragma once

#include "core/pipeline/keyring-query.h"

enum {
    SEAL_MAX_SOURCE_KEYS = 1000, /* for one address, from one source */
    SEAL_DOWN_TIME = 30,         /* seconds */
};

/** What a source said of an address, and until when it is believed. */
typedef struct {
    GPtrArray *keys;
    char *doubt;     /* what the source could not read, or NULL */
    gint64 until;    /* monotonic, microseconds */
    guint64 changes; /* what the source, or all of them, said to that then */
} SealMemory;
void seal_memory_free(gpointer memory);

struct SealKeyring {
    const SealRegistry *registry;
    GPtrArray *sources;          /* of SealSourceEntry, borrowed */
    const SealSourceEntry *book; /* which keeps what is written down of keys, or NULL */
    const SealSourceEntry *past; /* which keeps look-ups beyond this process, or NULL */
    gint64 cache;                /* microseconds, as is the next */
    gint64 negative_cache;
    SealCache *memory; /* "source\nformat\naddress" -> SealMemory; with "\ntrust" behind it, of
                          keys merged with their copies in sources of that trust */
    GHashTable *down;  /* name of a source behind a network -> gint64, monotonic: not asked for
                          copies until then */
    gboolean warned;   /* that look-ups could not be kept or recalled */
};

/** What is written down of the keys of one address. */
typedef struct {
    SealAddress *address;
    GPtrArray *keys;   /* of the query's format */
    GPtrArray *others; /* of the other ones */
} SealPage;

/** One search for one key, or for all. */
typedef struct {
    SealKeyring *keyring;
    SealJob *job;
    const SealKeyQuery *query;
    GCancellable *cancellable;
    guint first;         /* of the job's decisions that are the search's */
    char *doubt;         /* what a source could not read */
    char *detail;        /* what else is for the log alone: it may name files */
    gboolean in_doubt;   /* and is not to be passed over */
    GPtrArray *found;    /* of SealKey: those to use; NULL where one alone is judged */
    SealKey *other;      /* a usable one that is not among those that come first */
    gboolean failed;     /* another source than the one that was asked; that has been said */
    gboolean gave;       /* what could not find out just now once gave a key for the address */
    gboolean for_copies; /* what else there is of a key is asked for */
    gboolean partly;     /* a source could not be asked for copies */
    GPtrArray *pages;    /* of SealPage */
    GPtrArray *proven;   /* of char *: fingerprints of those that public roots alone vouch for */
    GPtrArray *domain;   /* of SealFind: keys of the whole domain */
    const char *over;    /* why no more are taken: it goes on to show all there are; or NULL */
    gboolean pinned;     /* since one is pinned, of this format or another */
    GError *stopped;     /* then: what ended the search proper */
} SealSearch;

/** What one source has for one address. */
typedef struct {
    const SealSourceEntry *source; /* NULL for the book */
    SealAddress *address;
    GPtrArray *keys;
} SealFind;

/** An array with SealKey as its element type. (transfer full) */
GPtrArray *seal_keys_new(void);
/** Takes out what does not serve @address, or is not of the query's format: a source's keys are
 *  believed to be for an address only where they, or the operator, say so. */
void seal_keys_keep_right(GPtrArray *keys, const SealKeyQuery *query, const SealAddress *address);
/** Sorts the most trusted first, and of those the newest. */
int seal_keys_best_first(gconstpointer a, gconstpointer b);
/** The one of that fingerprint, or NULL. (borrowed) */
SealKey *seal_keys_find(GPtrArray *keys, const char *fingerprint);
/** @key with no more trust than its source has now. Takes it over. (transfer full) */
SealKey *seal_keyring_trust_anew(const SealKeyring *keyring, SealKey *key);
/** TRUE where a key of @format from @source could be trusted so much. */
gboolean seal_keyring_may_reach(const SealFormatEntry *format, const SealSourceEntry *source,
                                SealTrust trust);

/** What @source has for @address, asked now or remembered. (transfer full) */
GPtrArray *seal_search_ask(SealSearch *search, const SealSourceEntry *source, SealAddress *address,
                           GError **error);
/** Takes @doubt over. */
void seal_search_remember(SealKeyring *keyring, const char *name, GPtrArray *keys, char *doubt,
                          gint64 time, guint64 changes);
/** What is remembered and still holds, or NULL. (borrowed) */
const SealMemory *seal_search_recall(SealKeyring *keyring, const char *name, guint64 changes);
/** A source behind a network did not answer: it is not asked for copies for a while. */
void seal_keyring_note_down(SealKeyring *keyring, const SealSourceEntry *source);
/** TRUE, with an error, where a look-up for copies would ask one that did not answer just now. */
gboolean seal_search_is_down(const SealSearch *search, const SealSourceEntry *source,
                             GError **error);
/** TRUE where nothing that this search finds out is to be written down. */
gboolean seal_search_asks(const SealSearch *search);

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

/** All that sources which are not watched have for @address, fit or not, of every format, and of
 *  whatever trust. (transfer full) */
GPtrArray *seal_search_ask_elsewhere(SealSearch *search, SealAddress *address, GError **error);

/** A decision on @key, to be settled. (borrowed) */
SealDecision *seal_search_decide(SealSearch *search, SealKey *key, SealServes serves);
/** Is @key, which serves @address so, fit? *@decision is settled either way. */
gboolean seal_search_judge(SealSearch *search, SealKey *key, SealAddress *address,
                           SealServes serves, SealDecision **decision, GError **error);
/** Takes those of @find's keys that are usable: the first one, or every one. */
gboolean seal_search_find_usable(SealSearch *search, const SealFind *find, GError **error);
/** Appends what was found to @keys, or says why nothing was. */
void seal_search_end(SealSearch *search, GPtrArray *keys, char **ret_why, char **ret_detail);
/** Frees what it has found on its way. */
void seal_search_clear(SealSearch *search);

/* How far keys are believed, and what is written down of them. */

/** @key as far as it is believed to be @address's: with more trust where others vouch for it.
 *  (transfer full) */
SealKey *seal_search_lift(SealSearch *search, SealKey *key, SealAddress *address, GError **error);

/** What keys of one source are to one address while they are judged. */
typedef struct {
    const SealSourceEntry *source;
    SealAddress *address;
    const SealPage *own;  /* what is written down of the address */
    GPtrArray *page;      /* that, and what is for the address without its detail */
    gboolean watched;     /* a key that is new there has to be admitted */
    gboolean is_first;    /* nothing is in use there yet, of whatever format */
    GPtrArray *elsewhere; /* of SealKey, of whatever format: what sources that are not watched
                             have; NULL: they have not been asked yet */
    GPtrArray *taken;     /* of SealKey: to be written down as serving */
    gboolean displaces;   /* one of them takes the place of another */
    gboolean waits;       /* one has to wait */
} SealWatching;
void seal_watching_clear(SealWatching *watching);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SealWatching, seal_watching_clear)

/** Those that alone are used for the query's address, and for whom they are; empty where there is
 *  none, or where it is of another format: then the search is over. (@find.keys: transfer full) */
gboolean seal_search_find_pinned(SealSearch *search, SealFind *find, GError **error);
/** Nothing but what is pinned is used. */
void seal_search_tell_pinned(SealSearch *search);
gboolean seal_search_begin_watching(SealSearch *search, const SealFind *find,
                                    SealWatching *watching, GError **error);
/** May @key, which is fit, serve? Where it may not, @decision says why. */
gboolean seal_search_admit(SealSearch *search, SealWatching *watching, SealKey *key,
                           SealDecision *decision, gboolean *admitted, GError **error);
/** Writes down what has come of it. FALSE where a key that is new could not be. */
gboolean seal_search_end_watching(SealSearch *search, SealWatching *watching, GPtrArray *offered,
                                  GError **error);
/** Those that serve by what is written down, each with its copies. (transfer full) */
GPtrArray *seal_search_read_serving(SealSearch *search, const SealWatching *watching,
                                    GError **error);
