/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sealpipe-keys.h: keys, where they come from, and what is kept of them; a part of sealpipe.h,
 * which includes it.
 */
#pragma once

#include "core/sealpipe-keeping.h"

G_BEGIN_DECLS

typedef struct SealAddress SealAddress;
typedef struct SealSecret SealSecret;
typedef struct SealKey SealKey;
typedef struct SealKeyIndex SealKeyIndex;
typedef struct SealKeyImport SealKeyImport;

/* -------------------------------------------------------------------------------------------
 * Keys
 */

/** What a key can be used for; a set. */
typedef enum {
    SEAL_PURPOSE_ENCRYPT = 1 << 0, /**< to encrypt to its owner */
    SEAL_PURPOSE_SIGN = 1 << 1,    /**< to make its owner's signatures, and check them */
    SEAL_PURPOSE_ISSUE = 1 << 2,   /**< a CA's: to vouch for others */
    SEAL_PURPOSE_VERIFY = 1 << 3,  /**< asked of usable() alone: to check its owner's signatures,
                                        whoever has the private key */
} SealPurpose;

/** How far a key's binding to its address is believed, in ascending order. */
typedef enum {
    SEAL_TRUST_UNSET = 0,
    SEAL_TRUST_UNVERIFIED,
    SEAL_TRUST_HARVESTED,
    SEAL_TRUST_DISCOVERED,
    SEAL_TRUST_VERIFIED,
    SEAL_TRUST_MANUAL,
} SealTrust;

/** What has been written down of a key for one address. */
typedef enum {
    SEAL_STANDING_NONE = 0, /**< nothing */
    SEAL_STANDING_SERVING,  /**< it was taken into use on its own */
    SEAL_STANDING_PENDING,  /**< it would take the place of one that serves, and waits for leave */
    SEAL_STANDING_REJECTED, /**< leave was refused */
    SEAL_STANDING_PINNED,   /**< it alone is used for the address */
} SealStanding;

/** Where a key came from. Strings are copied where an object is made from it. */
typedef struct {
    gsize size;         /**< sizeof(SealOrigin) */
    const char *source; /**< the key source's name */
    const char *place;  /**< within the source: a path, a URL */
    SealTrust trust;
    const char *const *bound; /**< whom the operator has given it to, whatever it names: addresses,
                                   @domain, and @.domain for the subdomains; NULL-terminated, or
                                   NULL. Counts at SEAL_TRUST_MANUAL alone */
    SealStanding standing;
    gint64 added;     /**< when the source got it; 0 where it does not know */
    gint64 last_used; /**< when it last served, about; likewise */
} SealOrigin;

/** What a Format says of a key that it read. Strings are copied; @native is taken over. */
typedef struct {
    gsize size;                      /**< sizeof(SealKeySpec) */
    const char *format;              /**< the Format's name */
    const char *fingerprint;         /**< lower-case hexadecimal; SHA-256 for certificates */
    const char *label;               /**< for people: subject or user id */
    const char *const *addresses;    /**< mailboxes as written in the key, NULL-terminated */
    const char *const *detected_ids; /**< what detect() calls this key, NULL-terminated */
    gint64 valid_from;
    gint64 valid_until; /**< G_MAXINT64 for never */
    guint purposes;     /**< SealPurpose */
    gpointer native;    /**< the Format's own object */
    GDestroyNotify native_free;
    gsize native_size; /**< octets of memory that it takes, about; 0 where that is not known */
    const char *const *domains; /**< domains that it says it is for as a whole; NULL-terminated, or
                                     NULL */
    gpointer reserved[2];
} SealKeySpec;

/** An immutable key. Addresses that do not parse are left out. (transfer full) */
SEAL_API SealKey *seal_key_new(const SealKeySpec *spec, const SealOrigin *origin);
SEAL_API SealKey *seal_key_ref(SealKey *key);
SEAL_API void seal_key_unref(SealKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealKey, seal_key_unref)

SEAL_API const char *seal_key_format(const SealKey *key);
SEAL_API const char *seal_key_fingerprint(const SealKey *key);
SEAL_API const char *seal_key_label(const SealKey *key);
SEAL_API const char *seal_key_source(const SealKey *key);
SEAL_API const char *seal_key_place(const SealKey *key);
SEAL_API SealTrust seal_key_trust(const SealKey *key);
SEAL_API guint seal_key_purposes(const SealKey *key);
SEAL_API gint64 seal_key_valid_from(const SealKey *key);
SEAL_API gint64 seal_key_valid_until(const SealKey *key);
/** The mailboxes it is for. (borrowed, element type SealAddress) */
SEAL_API GPtrArray *seal_key_addresses(const SealKey *key);
/** TRUE where @address is one of them. */
SEAL_API gboolean seal_key_is_for(const SealKey *key, const SealAddress *address);
/** How a key comes to serve an address, the better first. */
typedef enum {
    SEAL_SERVES_NOT = 0,
    SEAL_SERVES_ADDRESS, /**< it names it */
    SEAL_SERVES_BOUND,   /**< the operator has given it to the address: SEAL_TRUST_MANUAL alone */
    SEAL_SERVES_DOMAIN,  /**< it is for all of the domain: it says so itself, or, at
                              SEAL_TRUST_MANUAL, the operator does */
} SealServes;
SEAL_API SealServes seal_key_serves(const SealKey *key, const SealAddress *address);
/** @text, whom a key is to be given to, as seal_key_bound() has it: an address, @domain or
 * @.domain; NULL where it is none of these. (transfer full) */
SEAL_API char *seal_key_bind_to(const char *text);
/** Domains that it says it is for as a whole, as A-labels. (borrowed; NULL-terminated) */
SEAL_API const char *const *seal_key_domains(const SealKey *key);
/** Whom the operator has given it to: addresses as seal_address_key() has them, @domain, @.domain.
 *  (borrowed; NULL-terminated) */
SEAL_API const char *const *seal_key_bound(const SealKey *key);
SEAL_API SealStanding seal_key_standing(const SealKey *key);
SEAL_API gint64 seal_key_added(const SealKey *key);
SEAL_API gint64 seal_key_last_used(const SealKey *key);
/** The names under which detect() reports it. (borrowed) */
SEAL_API const char *const *seal_key_detected_ids(const SealKey *key);
/** What the Format put there. (borrowed) */
SEAL_API gpointer seal_key_native(const SealKey *key);

/** Keys by the addresses and domains that they are for. (transfer full) */
SEAL_API SealKeyIndex *seal_key_index_new(void);
SEAL_API void seal_key_index_free(SealKeyIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealKeyIndex, seal_key_index_free)
/** Adds @key under each of its addresses and domains, with references of its own. */
SEAL_API void seal_key_index_add(SealKeyIndex *index, SealKey *key);
/** Appends a reference to each key for @address to @keys, in the order in which they were added,
 *  then to those for its whole domain; those of @format alone, unless it is NULL. */
SEAL_API void seal_key_index_find(const SealKeyIndex *index, const SealAddress *address,
                                  const char *format, GPtrArray *keys);
/** Appends a reference to each key that a source's copies() is to give of @key. */
SEAL_API void seal_key_index_find_copies(const SealKeyIndex *index, const SealKey *key,
                                         GPtrArray *keys);

/* -------------------------------------------------------------------------------------------
 * Reading them
 */

/** Has the Format of that name (NULL: every enabled one) read @data: how a key source turns octets
 * into keys. Each Format sees all of it; all of them can be asked from init on. @keys (element type
 * SealKey, with seal_key_unref() as its free function) gets a reference to each. FALSE where a
 * Format found something that should be a key and is none; what is in @keys counts all the same. */
SEAL_API gboolean seal_module_read_keys(SealModule *self, const char *format, GBytes *data,
                                        const SealOrigin *origin, GPtrArray *keys, GError **error);

/** What seal_module_scan_keys() reports. Borrowed. */
typedef struct {
    gsize size; /**< sizeof(SealKeySpot), as core has it */
    const char *format;
    const SealAddress *address; /**< whom a key is for; without it and a domain it has to be read
                                   whoever is asked for */
    gsize offset;               /**< seal_module_read_keys() is to be given these octets of it */
    gsize length;
    const GError
        *problem;       /**< something there is damaged; then nothing else is set but the format */
    const char *domain; /**< "@domain": it is for all of that */
    gpointer reserved[3];
} SealKeySpot;

typedef void (*SealKeyVisitor)(SealModule *self, const SealKeySpot *spot, gpointer user_data);
/** Has every enabled Format say where in @data there are keys and for whom, so that a source with
 *  many can read those that are asked for. @visit is called for each key and each of its addresses.
 */
SEAL_API void seal_module_scan_keys(SealModule *self, GBytes *data, SealKeyVisitor visit,
                                    gpointer user_data);

/* -------------------------------------------------------------------------------------------
 * What vouches for a key
 */

/** Who says that a key is an address's. */
typedef enum {
    SEAL_PROVEN_NOT = 0,
    SEAL_PROVEN_PUBLIC, /**< one who is trusted for everybody's mail, as Mozilla's roots are */
    SEAL_PROVEN_NAMED,  /**< one whom the operator has named: an anchor in a file, an introducer */
} SealProven;

/** TRUE where keys of @format can be read here: its module is enabled. */
SEAL_API gboolean seal_module_reads_keys(const SealModule *self, const char *format);
/** @key as one of the Format of @self is written: see SealFormat.write. SEAL_ERROR_UNSUPPORTED
 * where that Format writes none. (transfer full) */
SEAL_API GBytes *seal_module_write_key(SealModule *self, SealKey *key, GError **error);
/** One key of @keys (element type SealKey, each as its Format has read it): copies of a key, the
 *  first of them whole, and parts of it, as a revocation by itself. See SealFormat.merge; the
 *  origin is the first one's. It is what the Format reads of *@octets, which it has written, and
 *  says all that any of them says: where that cannot be, SEAL_ERROR_LIMIT, or the Format's own
 *  error. SEAL_ERROR_UNSUPPORTED where the Format does not merge. (both: transfer full) */
SEAL_API SealKey *seal_module_merge_keys(SealModule *self, GPtrArray *keys, GBytes **octets,
                                         GError **error);

/* -------------------------------------------------------------------------------------------
 * Importing: what a Format says of each entry of a file. @entry names it for people ("certificate
 * 3", an alias), and is NULL where the file has one only.
 */

/** A key that can be stored. Takes a reference. */
SEAL_API void seal_key_import_add(SealKeyImport *import, const char *entry, SealKey *key);
/** Something that belongs there and is not stored among public keys: @what says for people what it
 *  is ("a private key", "a revocation list"). */
SEAL_API void seal_key_import_leave(SealKeyImport *import, const char *entry, const char *what);
/** Something that should be a key and cannot be read. @problem is copied. */
SEAL_API void seal_key_import_fail(SealKeyImport *import, const char *entry, const GError *problem);

/* -------------------------------------------------------------------------------------------
 * An installation's own
 */

/** What a key is to this installation. */
typedef enum {
    SEAL_OWN_SIGNER = 1, /**< mail is signed with it */
    SEAL_OWN_CHAIN,      /**< it goes along with signatures, or fills gaps in others' chains */
    SEAL_OWN_ANCHOR,     /**< the operator has named it: what it vouches for is believed */
} SealOwnUse;

/** A key whose end somebody here has to see to. Borrowed. */
typedef struct {
    gsize size; /**< sizeof(SealOwn) */
    SealKey *key;
    SealOwnUse use;
    gint64 until; /**< when it stops serving, as far as that is a matter of time: that may be before
                       the key itself ends; G_MAXINT64 for never */
    gpointer reserved[2];
} SealOwn;

typedef void (*SealOwnVisitor)(SealModule *self, const SealOwn *own, gpointer user_data);

/* -------------------------------------------------------------------------------------------
 * What sources keep
 */

/** Which of a source's keys are meant; each member that is set must fit. */
typedef struct {
    gsize size;              /**< sizeof(SealKeyFilter), as core has it */
    const char *format;      /**< a Format's name */
    const char *fingerprint; /**< the beginning of it, lower-case hexadecimal */
    const SealAddress
        *address;          /**< which the key names, or is bound to; domain keys do not count */
    const char *domain;    /**< "@domain" or "@.domain", which it is bound to */
    gint64 expires_before; /**< 0: whenever */
    gpointer reserved[4];
} SealKeyFilter;

/** TRUE where every member of @filter that is set fits @key. */
SEAL_API gboolean seal_key_passes(const SealKey *key, const SealKeyFilter *filter);

/** What has become of a key that was put. */
typedef enum {
    SEAL_PUT_UNTOLD = 0, /**< the source does not say */
    SEAL_PUT_KNOWN,      /**< it was there as it is now */
    SEAL_PUT_CHANGED,    /**< it was there: its trust, what it is bound to, or what it says has
                               changed */
    SEAL_PUT_ADDED,      /**< it was not there */
} SealPut;

/** Is called with each key. It may lack its native part: seal_key_native() is then NULL, and
 * @octets are what the Format reads it from. FALSE ends the visits. */
typedef gboolean (*SealKeyListed)(SealModule *self, SealKey *key, GBytes *octets,
                                  gpointer user_data, GError **error);

/** What a source once said of an address. */
typedef struct {
    gsize size;         /**< sizeof(SealRecollection), as core has it */
    const char *source; /**< which was asked; behind a space, how it was configured then */
    const char *format;
    const SealAddress *address;
    GPtrArray *keys; /**< element type SealKey, with a free function: none is an answer, too.
                          recall() appends */
    gint64 found;    /**< Unix seconds; recall() sets this and the next */
    gint64 until;    /**< as long it is believed */
    gpointer reserved[4];
} SealRecollection;

/** Pins, and which keys serve or wait: what one source keeps for all. */
typedef struct {
    gsize size; /**< sizeof(SealKeyBook) */
    /** Appends a key for each that something is written down of, with its standing and its
     *  origin; of @address, or, where that is NULL, of all with @standing (NONE: any). In the
     *  latter case a key is bound to the address in question, once for each. */
    gboolean (*read)(SealModule *self, const SealAddress *address, const char *format,
                     SealStanding standing, GPtrArray *keys, GError **error);
    /** Writes down what @key is to @address from now on; NONE forgets it. SEAL_ERROR_LIMIT where as
     *  many as may be are pending for it already. */
    gboolean (*write)(SealModule *self, const SealAddress *address, SealKey *key,
                      SealStanding standing, GError **error);
    /** Counts up once read() may answer otherwise. */
    guint64 (*changes)(SealModule *self);
    gpointer reserved[4];
} SealKeyBook;

G_END_DECLS
