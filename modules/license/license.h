/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * license.h: what the parts of the module license share.
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
 * The file (file.c, date.c)
 */

enum {
    LICENSE_MAX_FILE = 64 * 1024,
    LICENSE_MAX_TEXT = 200, /* octets of a licensee or an id */
    LICENSE_MAX_COVERS = 1000,
    LICENSE_MAX_SENDERS = 10000,
    LICENSE_TRIALS = 5,
    LICENSE_TRIAL_DAYS = 30,
    LICENSE_WARN_DAYS = 14,
    LICENSE_DAY = 24 * 60 * 60,
    LICENSE_ID_SIZE = 16, /* octets of an installation's id */
};

typedef struct {
    char *kind; /* one of LICENSE_KINDS */
    char *licensee;
    char *id;
    gint64 issued;      /* the day's first second */
    gint64 valid_until; /* the day's last second; G_MAXINT64 for never */
    char **covers;      /* addresses, @domain, @.domain; NULL: every sender */
    gint64 max_senders; /* 0: any number */
    gint64 trial;       /* 1 to LICENSE_TRIALS; 0 where it extends no trial */
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
/** TRUE where @sender may send under @license. */
gboolean license_covers(const License *license, const SealAddress *sender);

gboolean license_is_evaluation(const License *license);

/** Reads YYYY-MM-DD: the day's first second, UTC. */
gboolean license_parse_day(const char *text, gint64 *day);
/** (transfer full) "never" for G_MAXINT64. */
char *license_format_day(gint64 time);
/** Lower-case hexadecimal. (transfer full) */
char *license_hex(const guint8 *data, gsize size);
/** Reads exactly @size octets from the base64 @text, which is as it would be written. */
gboolean license_base64(const char *text, gsize length, guint8 *data, gsize size);
/** Reads a regular file of at most @max octets; SEAL_ERROR_KEY where it is larger. *@missing tells
 * that there is none. (transfer full) */
GBytes *license_load(const char *path, gsize max, gboolean *missing, GError **error);
/** Writes @path as a whole or not at all, and waits until it is on the disk. */
gboolean license_save(const char *path, const char *data, gsize size, mode_t mode, GError **error);

/* -------------------------------------------------------------------------------------------
 * Keys (keys.c)
 */

/** Writes BASE.key, protected with @passphrase, and BASE.pub. An existing file is an error. */
gboolean license_keys_make(const char *base, const SealSecret *passphrase, GError **error);
/** Reads BASE.key into @secret_key, which is guarded memory. */
gboolean license_keys_open(const char *path, const SealSecret *passphrase, guint8 *secret_key,
                           GError **error);
/** Reads a public key from a file, or from the text of one. */
gboolean license_public_key_read(const char *path, guint8 *public_key, GError **error);
gboolean license_public_key_parse(const char *text, guint8 *public_key, GError **error);

/* -------------------------------------------------------------------------------------------
 * State (state.c): when the trial began, which licences were used, who sent
 */

typedef struct {
    char installation[2 * LICENSE_ID_SIZE + 1];
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
 * be told. Needs no lock: files are replaced as a whole. */
gboolean license_state_read(const char *dir, LicenseState **state, GError **error);
/** One that has just begun, with an id of its own. (transfer full) */
LicenseState *license_state_new(void);
gboolean license_state_write(LicenseStore *store, const LicenseState *state, GError **error);
/** How a sender is kept. (transfer full) */
char *license_state_sender(const LicenseState *state, const SealAddress *sender);

/* -------------------------------------------------------------------------------------------
 * What follows from both (verdict.c)
 */

typedef struct {
    gboolean lapsed;
    gint64 until;     /* G_MAXINT64: never ends */
    char *text;       /* for people: what holds, or why it has lapsed */
    gboolean changed; /* the state must be written */
    gboolean warn;    /* the log is to be told, once a day */
} LicenseVerdict;

void license_verdict_clear(LicenseVerdict *verdict);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LicenseVerdict, license_verdict_clear)

/** Judges at @now, and puts into @state what is to be remembered. @license is NULL where there is
 * no file. @sender may be NULL: nobody to be counted. @count: a message is sent, not only asked
 * about.
 */
void license_judge(const License *license, LicenseState *state, const SealAddress *sender,
                   gboolean count, gint64 now, LicenseVerdict *verdict);

/* -------------------------------------------------------------------------------------------
 * The module (license.c) for its commands (commands.c)
 */

/** Reads file and state and judges. An error: it cannot be told. */
gboolean license_ask(SealModule *self, const SealAddress *sender, gboolean count,
                     LicenseVerdict *verdict, GError **error);
/** Where the licence is, or would be put: `file`, else in the state folder. NULL and an error where
 *  that cannot be used. (transfer full) */
char *license_path(SealModule *self, GError **error);
/** The folder of the module's state. (transfer full) */
char *license_dir(SealModule *self, GError **error);
/** The public key that licences here are verified with; FALSE where there is none. */
gboolean license_public_key(SealModule *self, guint8 *public_key, GError **error);
/** The licence in force, or NULL; *@invalid says why one that is there is none. FALSE: cannot be
 *  told. */
gboolean license_current(SealModule *self, License **license, char **invalid, GError **error);
/** The public key that was built in, or "". */
extern const char *const LICENSE_BUILT_IN_KEY;

extern const SealCommand *const license_commands[];
extern const SealCheck *const license_checks[];
