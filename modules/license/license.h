/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * license.h: what the parts of the module license share. Each part uses those above it alone.
 */
#pragma once

#include "core/sealpipe.h"

#include <sodium.h>

/* -------------------------------------------------------------------------------------------
 * The world (clock.c; a test binary links its own)
 */

/** The time in Unix seconds. */
gint64 license_now(void);
/** What names this machine, or "" where nothing does. (transfer full) */
char *license_machine(void);

/* -------------------------------------------------------------------------------------------
 * Basics (basics.c)
 */

enum {
    LICENSE_MAX_FILE = 64 * 1024,
    LICENSE_TRIALS = 5,
    LICENSE_TRIAL_DAYS = 30,
    LICENSE_WARN_DAYS = 14,
    LICENSE_CHECK_DAYS = 30,
    LICENSE_DAY = 24 * 60 * 60,
    LICENSE_ID_SIZE = 16, /* octets of an installation's id */
};

/** The length of @size octets in base64. */
#define LICENSE_BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/** Octets in guarded memory, from sodium_malloc(). */
typedef guint8 LicenseGuarded;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LicenseGuarded, sodium_free)

/** Sets @error. Always FALSE. */
gboolean license_fail(GError **error, SealError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/** To be called before any part below is. */
gboolean license_start_sodium(GError **error);
/** Base64. (transfer full) */
char *license_encode_octets(const void *octets, gsize size);
/** Reads exactly @size octets from base64 that is as it would be written. */
gboolean license_decode_octets(const char *text, gsize length, void *octets, gsize size);
/** Reads a regular file; *@bytes stays NULL where there is none. SEAL_ERROR_KEY: it is larger than
 *  @max, so that it is none of ours; SEAL_ERROR_UNAVAILABLE: it cannot be read. */
gboolean license_read_file(const char *path, gsize max, GBytes **bytes, GError **error);

/* -------------------------------------------------------------------------------------------
 * The file (file.c)
 */

typedef struct {
    char *kind; /* one of LICENSE_KINDS */
    char *licensee;
    char *id;
    gint64 issued;      /* the day's first second */
    gint64 valid_until; /* the day's last second; G_MAXINT64 for never */
    char *covers;       /* addresses, @domain, @.domain, with ; between; NULL: every sender */
    gint64 max_senders; /* 0: any number */
    gint64 trial;       /* from 1 on; 0 where it extends no trial */
    char *installation; /* hexadecimal; NULL: any */
} License;

extern const char *const LICENSE_KINDS[];

void license_free(License *license);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(License, license_free)

/** Reads a licence whose signature @public_key (crypto_sign_PUBLICKEYBYTES) made. Not one octet may
 *  be other than license_write() has it. SEAL_ERROR_KEY. (transfer full) */
License *license_read(const guint8 *data, gsize size, const guint8 *public_key, GError **error);
/** Checks what license_read() would, and writes the file, signed with @secret_key
 *  (crypto_sign_SECRETKEYBYTES). (transfer full) */
char *license_write(const License *license, const guint8 *secret_key, GError **error);
/** Sets one of its days, by the field's name, from text as it would stand in the file. */
gboolean license_set(License *license, const char *name, const char *text, GError **error);
/** Answers with every field that is set. */
void license_show(const License *license, SealOut *out);
/** TRUE where @sender may send under @license. */
gboolean license_covers(const License *license, const SealAddress *sender);
gboolean license_is_evaluation(const License *license);

/* -------------------------------------------------------------------------------------------
 * Keys (keys.c)
 */

/** Writes BASE.key, protected with @passphrase, and BASE.pub. An existing file is an error. */
gboolean license_make_keys(const char *base, const SealSecret *passphrase, GError **error);
/** Reads BASE.key: crypto_sign_SECRETKEYBYTES. (transfer full) */
LicenseGuarded *license_read_secret_key(const char *path, const SealSecret *passphrase,
                                        GError **error);
/** Reads a public key from a file; the one that was built in where @path is NULL. */
gboolean license_read_public_key(const char *path, guint8 *public_key, GError **error);
gboolean license_has_built_in_key(void);

/* -------------------------------------------------------------------------------------------
 * State (state.c): when the trial began, which licences were used, who sent
 */

typedef struct {
    char *installation; /* its id, hexadecimal */
    gint64 started;     /* the trial's first second; 0: there was none */
    gint64 until;       /* its last */
    gint64 seen;        /* the latest time that was seen */
    gint64 warned;      /* the day on which the log was warned last, counted from 1970 */
    gint64 trials;      /* extensions so far */
    gboolean unmarked;  /* the file that shows that there was a state is missing */
    char *active;       /* the id of the licence that was seen last, or "" */
    GPtrArray *used;    /* ids of all licences that were seen, char * */
    GPtrArray *senders; /* under the active one: keyed hashes, char * */
} LicenseState;

void license_state_free(LicenseState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LicenseState, license_state_free)

/** A folder with state, locked by nobody else while it is open. */
typedef struct LicenseStore LicenseStore;

/** Opens @dir, which is made where it is missing. */
LicenseStore *license_store_open(const char *dir, GError **error);
void license_store_close(LicenseStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LicenseStore, license_store_close)

/** Reads what is there. A NULL state without an error: there is none and never was as far as can be
 *  told. SEAL_ERROR_KEY: it was deleted, edited, or comes from elsewhere. Other errors: it cannot
 *  be told. Needs no lock: files are replaced as a whole. */
gboolean license_state_read(const char *dir, LicenseState **state, GError **error);
/** One that has just begun, with an id of its own. (transfer full) */
LicenseState *license_state_new(void);
gboolean license_state_write(LicenseStore *store, LicenseState *state, GError **error);
/** How a sender is kept. (transfer full) */
char *license_state_sender(const LicenseState *state, const SealAddress *sender);

/* -------------------------------------------------------------------------------------------
 * What follows from both (verdict.c)
 */

typedef struct {
    gboolean lapsed;
    gboolean refused; /* it holds, but not for this sender */
    gint64 until;     /* G_MAXINT64: never ends */
    char *text;       /* for people: what holds, or why it has lapsed */
    gboolean changed; /* the state must be written */
    gboolean warn;    /* the log is to be told, once a day */
    gboolean clock;   /* it has lapsed since the clock was set back, and for nothing else */
} LicenseVerdict;

void license_verdict_clear(LicenseVerdict *verdict);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LicenseVerdict, license_verdict_clear)

/** What a sender is judged for. */
typedef enum {
    LICENSE_ASKED,       /* nothing is sent: nobody takes a place */
    LICENSE_REHEARSED,   /* likewise, and nothing is written down */
    LICENSE_SENT,        /* by somebody who has not shown that he is the sender: nor here */
    LICENSE_SENT_BY_HIM, /* the sender takes one of max-senders' places */
} LicenseUse;

/** Judges at @now, and puts into @state what is to be remembered. @license is NULL where there is
 *  no file. @sender may be NULL: nobody to be judged. */
void license_judge(const License *license, LicenseState *state, const SealAddress *sender,
                   LicenseUse use, gint64 now, LicenseVerdict *verdict);

/* -------------------------------------------------------------------------------------------
 * What holds here (ask.c)
 */

/** The module's data. */
typedef struct {
    guint8 public_key[crypto_sign_PUBLICKEYBYTES]; /* which licences are verified with */
    gboolean has_key;
} LicenseSetup;

typedef struct {
    License *license;       /* NULL: there is none that is valid */
    gboolean invalid;       /* though there is a file */
    LicenseState *state;    /* NULL: there is none that can be believed */
    char *lost;             /* why the state that should be there is none, or NULL */
    LicenseVerdict verdict; /* on all of it */
} LicenseAnswer;

void license_answer_clear(LicenseAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LicenseAnswer, license_answer_clear)

/** Reads file and state and judges. FALSE: it cannot be told. @answer begins with zeros. */
gboolean license_ask(SealModule *self, const SealAddress *sender, LicenseUse use,
                     LicenseAnswer *answer, GError **error);
/** Puts a licence into its place, unless it is none or would lapse here. */
gboolean license_install(SealModule *self, GBytes *bytes, GError **error);

/* -------------------------------------------------------------------------------------------
 * Commands and the check (commands.c)
 */

extern const SealCommand *const license_commands[];
extern const SealCheck *const license_checks[];
