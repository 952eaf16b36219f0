/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * frontend-keys.h: what people do with keys; a part of frontend.h, which includes it.
 */
#pragma once

#include "core/sealpipe.h"

G_BEGIN_DECLS

/** Marks what libsealpipe exports to the programs of this tree only. */
#define SEAL_FRONT __attribute__((visibility("default")))

typedef struct SealDispatcher SealDispatcher;

/** "verified" and so on; "" for SEAL_TRUST_UNSET. */
SEAL_FRONT const char *seal_trust_name(SealTrust trust);
/** SEAL_TRUST_UNSET where @name is none. */
SEAL_FRONT SealTrust seal_trust_parse(const char *name);
/** "pinned" and so on; "" for SEAL_STANDING_NONE. */
SEAL_FRONT const char *seal_standing_name(SealStanding standing);

/* -------------------------------------------------------------------------------------------
 * Files of keys
 */

/** What an entry of a file of keys is. */
typedef enum {
    SEAL_IMPORT_KEY,    /**< a key that can be stored */
    SEAL_IMPORT_LEFT,   /**< something that is not stored among public keys */
    SEAL_IMPORT_FAILED, /**< something that should be a key and cannot be read */
} SealImported;

/** Borrowed. */
typedef struct {
    SealImported what;
    const char *format;
    const char *entry;     /**< its name for people, or NULL */
    SealKey *key;          /**< of KEY */
    const char *text;      /**< of LEFT: what it is */
    const GError *problem; /**< of FAILED */
    SealPut kept;          /**< of KEY: what has become of it, of all its copies together */
} SealImportEntry;

typedef void (*SealImportVisitor)(const SealImportEntry *entry, gpointer user_data);

/** How the keys of a file are to be kept. */
typedef struct {
    const char *source; /**< which is to keep them; NULL: the first that does and is no network's */
    const char *place;  /**< where they come from, for people */
    SealTrust trust;
    const char *const *bound;     /**< whom they are given to, as SealOrigin has it. Below
                                       SEAL_TRUST_MANUAL one of them has to name each by itself */
    const SealSecret *passphrase; /**< or NULL */
    gboolean dry;                 /**< nothing is kept */
} SealShelving;

/** Keeps the keys in @data: all that can be read, or none. @visit hears of each entry, of a key
 * once it is kept, and of one only where @data has it several times. What an enabled Format could
 * not read as a whole is a FAILED without a name; with SEAL_ERROR_UNAVAILABLE where it takes
 * another passphrase. *@added: how many were not there before. FALSE where keeping has failed. */
SEAL_FRONT gboolean seal_dispatcher_add_keys(SealDispatcher *self, GBytes *data,
                                             const SealShelving *how, SealImportVisitor visit,
                                             gpointer user_data, guint *added, GError **error);
/** Has @source (NULL: as above) keep @keys (element type SealKey). */
SEAL_FRONT gboolean seal_dispatcher_put_keys(SealDispatcher *self, const char *source,
                                             GPtrArray *keys, guint *added, GError **error);

/** @count private keys are in @where now. */
typedef void (*SealInstallVisitor)(const char *format, guint count, const char *where,
                                   gpointer user_data);
/** Has every Format put the private keys in @data where its module finds them. @name: what the file
 *  was called. No private key at all is SEAL_ERROR_KEY. */
SEAL_FRONT gboolean seal_dispatcher_install_keys(SealDispatcher *self, GBytes *data,
                                                 const SealSecret *passphrase, const char *name,
                                                 SealInstallVisitor visit, gpointer user_data,
                                                 GError **error);

/* -------------------------------------------------------------------------------------------
 * Keys that are kept. @source is a key source's name; NULL means all that can do this.
 */

/** Which sources are looked through, and what comes of that. To be cleared. */
typedef struct {
    const char *source; /**< one alone; or NULL */
    gboolean nearby;    /**< what seal_dispatcher_find_keys() asks by address, such as what is
                             behind a network, is not looked through unless @source names it */
    char *unlisted;     /**< names of sources that do not tell, with commas between; or NULL. With
                             @nearby and an address, not of those that are asked by it */
    gboolean hidden;    /**< one of them is not asked by address either: this process is not to
                             know what it has */
    char *trouble;      /**< which could not tell, or not all, and why; or NULL */
} SealLooking;
SEAL_FRONT void seal_looking_clear(SealLooking *looking);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SealLooking, seal_looking_clear)

/** Calls @visit with each key that @filter lets through, one source after the other. FALSE where
 *  @visit ended it, or there is no such source. */
SEAL_FRONT gboolean seal_dispatcher_list_keys(SealDispatcher *self, SealLooking *looking,
                                              const SealKeyFilter *filter, SealKeyListed visit,
                                              gpointer user_data, GError **error);
/** TRUE where an enabled module has the Format @name; else the error names those that there are. */
SEAL_FRONT gboolean seal_dispatcher_has_format(SealDispatcher *self, const char *name,
                                               GError **error);
/** Forgets what @filter lets through. */
SEAL_FRONT gboolean seal_dispatcher_remove_keys(SealDispatcher *self, const char *source,
                                                const SealKeyFilter *filter, guint *removed,
                                                GError **error);
/** Takes @bound, as seal_key_bound() has it, from what @filter lets through: the keys stay.
 * *@count: how many were bound to it. What is written down of them is another matter. */
SEAL_FRONT gboolean seal_dispatcher_unbind_keys(SealDispatcher *self, const char *source,
                                                const SealKeyFilter *filter, const char *bound,
                                                guint *count, GError **error);
/** Appends what the sources that cannot list their keys, or are behind a network, have for
 *  @address, in every format. A source that could not find out is passed over, and *@trouble then
 * says so. (@trouble: transfer full) */
SEAL_FRONT void seal_dispatcher_find_keys(SealDispatcher *self, SealAddress *address,
                                          GPtrArray *keys, char **trouble);
/** What one source says of an address, and in what time. Borrowed. */
typedef struct {
    const char *source;
    const char *module; /**< whose it is */
    gint64 usec;
    const GError *problem; /**< it could not find out; or NULL */
    const char *lack;      /**< what it was told to read, and has no keys in it; or NULL */
} SealProbe;
typedef void (*SealProbeVisitor)(const SealProbe *probe, gpointer user_data);
/** Asks each source that [keyring] names for @address in every format; nothing is remembered. */
SEAL_FRONT void seal_dispatcher_probe_sources(SealDispatcher *self, SealAddress *address,
                                              SealProbeVisitor visit, gpointer user_data);
/** @key with its native part, read from @octets where it has none. (transfer full) */
SEAL_FRONT SealKey *seal_dispatcher_read_key(SealDispatcher *self, SealKey *key, GBytes *octets,
                                             GError **error);
/** What its Format says of it, to encrypt to it now: see SealFormat.usable. @address may be NULL.
 *  (transfer full) */
SEAL_FRONT SealDecision *seal_dispatcher_judge_key(SealDispatcher *self, SealKey *key,
                                                   SealAddress *address, GError **error);
/** @key as its Format writes it: see SealFormat.write. (transfer full) */
SEAL_FRONT GBytes *seal_dispatcher_write_key(SealDispatcher *self, SealKey *key, GError **error);
/** What its Format says of it, to sign with it now; where it may, it signs a few octets as well,
 * and NULL then means that it cannot. (transfer full) */
SEAL_FRONT SealDecision *seal_dispatcher_try_signer(SealDispatcher *self, SealKey *key,
                                                    GError **error);
/** Appends the keys with which mail of @address is signed here, fit or not. */
SEAL_FRONT gboolean seal_dispatcher_own_keys(SealDispatcher *self, SealAddress *address,
                                             GPtrArray *keys, GError **error);

/* -------------------------------------------------------------------------------------------
 * What is written down of keys: see SealKeyBook
 */

/** Appends keys of every format. SEAL_ERROR_CONFIG where no source has a book. */
SEAL_FRONT gboolean seal_dispatcher_read_book(SealDispatcher *self, const SealAddress *address,
                                              SealStanding standing, GPtrArray *keys,
                                              GError **error);
SEAL_FRONT gboolean seal_dispatcher_write_book(SealDispatcher *self, const SealAddress *address,
                                               SealKey *key, SealStanding standing, GError **error);
/** TRUE where there is one. */
SEAL_FRONT gboolean seal_dispatcher_has_book(SealDispatcher *self);

/* -------------------------------------------------------------------------------------------
 * Publishing the organisation's own: what the local sources have for addresses in the domains of a
 * directory. Those list their keys, lie behind no network, and are not of what was harvested.
 */

/** *@domains: what the module of the key source @to has in its setting `domains`; empty where it
 *  has none. FALSE where nothing can be put into it. (@domains: borrowed) */
SEAL_FRONT gboolean seal_dispatcher_publish_domains(SealDispatcher *self, const char *to,
                                                    const char *const **domains, GError **error);
/** Appends the addresses (element type SealAddress) in these domains that keys of the local sources
 *  name, or are given to; each once. */
SEAL_FRONT gboolean seal_dispatcher_publish_addresses(SealDispatcher *self, const char *to,
                                                      GPtrArray *addresses, GError **error);
/** @why is NULL where @key is to be published, and else says why not. */
typedef void (*SealPublishVisitor)(SealKey *key, const char *why, gpointer user_data);
/** Calls @visit with each key of the local sources for @address, judged as for a message to it,
 *  with verified as the least trust; keys of its whole domain are passed over. FALSE where it could
 *  not be found out. */
SEAL_FRONT gboolean seal_dispatcher_publish_judge(SealDispatcher *self, const char *to,
                                                  SealAddress *address, SealPublishVisitor visit,
                                                  gpointer user_data, GError **error);
/** Has @to keep @key for @address alone, or (@dry) say whether it could. *@added: it was not there.
 */
SEAL_FRONT gboolean seal_dispatcher_publish_key(SealDispatcher *self, const char *to, SealKey *key,
                                                const SealAddress *address, gboolean dry,
                                                gboolean *added, GError **error);
/** Would @source find a place for each of @keys? Nothing is written. SEAL_ERROR_UNSUPPORTED where
 *  it cannot tell. */
SEAL_FRONT gboolean seal_dispatcher_rehearse_keys(SealDispatcher *self, const char *source,
                                                  GPtrArray *keys, GError **error);

/* -------------------------------------------------------------------------------------------
 * What ends
 */

/** What something that ends is here. */
typedef enum {
    SEAL_ENDING_SIGNER,    /**< mail is signed with it */
    SEAL_ENDING_CHAIN,     /**< it goes along with signatures */
    SEAL_ENDING_ANCHOR,    /**< the operator has named it to vouch for others */
    SEAL_ENDING_CHECK,     /**< no key, but what a module needs: a licence */
    SEAL_ENDING_AUTHORITY, /**< of a key source: a CA's, for chains */
    SEAL_ENDING_RECIPIENT, /**< of a key source: mail is encrypted to it */
} SealEndingWhat;

/** "signer" and so on. */
SEAL_FRONT const char *seal_ending_name(SealEndingWhat what);

/** Something that ends at a time. */
typedef struct {
    SealEndingWhat what;
    SealKey *key;       /**< NULL of a CHECK */
    const char *check;  /**< of a CHECK: its name. (borrowed from the dispatcher) */
    char *text;         /**< for people: whose it is, or what. Made by who made the key */
    gint64 until;       /**< Unix seconds; 0: it has ended, and when is not known */
    SealKey *successor; /**< what takes its place by itself, or NULL: of the same format, it lasts
                             longer, can be used now, and serves all its addresses */
} SealEnding;
SEAL_FRONT void seal_ending_free(SealEnding *ending);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealEnding, seal_ending_free)

/** All that is this installation's own, whenever it ends: keys that mail is signed with, what goes
 *  along with them, anchors and introducers that the configuration names, and the licence; the
 *  first to end comes first. @trouble: what could not be told, and why, or NULL: what is there
 *  counts all the same. (both: transfer full; element type SealEnding) */
SEAL_FRONT GPtrArray *seal_dispatcher_own_endings(SealDispatcher *self, char **trouble);
/** Those of them that end before @before (Unix seconds) or have ended, and likewise the keys in the
 *  sources that @looking lets look through, but for what was rejected. Each key once: what is our
 *  own is told as that. @looking: as for seal_dispatcher_list_keys(); its trouble is told besides
 * in @looking. Successors are looked for in sources that are not behind a network. FALSE: an error
 * kept it from looking. (@endings: transfer full, element type SealEnding) */
SEAL_FRONT gboolean seal_dispatcher_list_endings(SealDispatcher *self, gint64 before,
                                                 SealLooking *looking, GPtrArray **endings,
                                                 char **trouble, GError **error);

/** What [expiry] says of who is told. */
typedef struct {
    GPtrArray *mail_to;     /**< SealAddress; none: nobody is */
    SealAddress *mail_from; /**< or NULL: nothing is said */
    GArray *days;           /**< gint, the most first; at least one */
    gboolean owners;
    char *owners_text; /**< the file's path, or NULL */
} SealExpirySettings;

/** @settings is to be cleared in any case. */
SEAL_FRONT gboolean seal_dispatcher_expiry_settings(const SealDispatcher *self,
                                                    SealExpirySettings *settings, GError **error);
SEAL_FRONT void seal_expiry_settings_clear(SealExpirySettings *settings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SealExpirySettings, seal_expiry_settings_clear)

/* -------------------------------------------------------------------------------------------
 * What gets out of date
 */

/** TRUE where a module fetches over the network what gets out of date, as it is configured. */
SEAL_FRONT gboolean seal_dispatcher_can_refresh(const SealDispatcher *dispatcher);
/** Has every such module fetch what is due, or everything (@all); see SealModuleDescriptor.refresh.
 *  Rows of "refreshed" in @out, which is there even without rows: "what" (a URL, or what else it
 *  is about), "result" ("fetched", "unchanged", "failed", "dropped", "put off" to the next time,
 *  "left out" for want of room), "until" (a day, or ""), "problem" ("" where there is none); the
 *  numbers of them, "due", "fetched" (or unchanged) and "failed"; and "next", the time of *@next,
 * or "never".
 * *@next: when the first of them wants to be called again; G_MAXINT64: none does. FALSE, with the
 * first error, where something could not be had; the others have been called all the same. */
SEAL_FRONT gboolean seal_dispatcher_refresh(SealDispatcher *dispatcher, gboolean all, SealOut *out,
                                            gint64 *next, GError **error);

/** What a message to @address would be encrypted to, and why by nothing else. In @out: "address",
 *  "found", and "format", which is "" where none is; a row of "keys" for each key that any source
 *  has, in the order in which they are asked: format, fingerprint, label, serves (address, bound,
 *  domain), origin, place, trust (as it is believed), proof (who vouches for it, or ""), standing,
 *  used (boolean), code and reason; a row of "sources" for each that was passed over: format, code
 *  and reason, which names it. Nothing is written down. *@found: there is a key. FALSE: cannot
 *  tell; what is in
 *  @out counts all the same. */
SEAL_FRONT gboolean seal_dispatcher_lookup_keys(SealDispatcher *dispatcher, const char *address,
                                                SealOut *out, gboolean *found, GError **error);

G_END_DECLS
