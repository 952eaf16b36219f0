/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-pgp.h: keys made by gpg in homes of the test's own, and the pgp module opened for a test.
 */
#pragma once

#include "core/frontend.h"

/** A folder with two homes: "theirs" of those who write to one another, "ours" of sealpipe. */
typedef struct {
    char *dir;
    char *theirs;
    char *ours;
    SealDispatcher *dispatcher;
    const SealFormat *format;
    SealModule *module;
} Pgp;

void pgp_prepare(Pgp *pgp);
/** Opens a dispatcher; @settings are the lines of [module pgp]. */
gboolean pgp_open(Pgp *pgp, const char *settings, GError **error);
/** pgp_prepare, and pgp_open with sealpipe's home. */
void pgp_start(Pgp *pgp);
void pgp_end(Pgp *pgp);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pgp, pgp_end)
gboolean pgp_logged(Pgp *pgp, const char *text);
/** Writes a file into the folder. (transfer full) the path */
char *pgp_write(Pgp *pgp, const char *name, const void *data, gsize length);

/** Runs gpg in @home with these words; its output. It must succeed. (transfer full) */
GBytes *gpg(Pgp *pgp, const char *home, const char *first, ...) G_GNUC_NULL_TERMINATED;
/** What gpg decrypts. Its exit status says nothing: it is not 0 where a key that was tried for a
 *  hidden recipient was not the right one. (transfer full) */
GBytes *gpg_decrypt(Pgp *pgp, const char *home, const char *path);
/** A key for signing and encrypting, without a passphrase unless there is one. */
void gpg_generate(Pgp *pgp, const char *home, const char *user_id, const char *passphrase);
/** The public key, armoured or not. (transfer full) */
GBytes *gpg_export(Pgp *pgp, const char *home, const char *user_id, gboolean armor);

/** The keys in some bytes. (transfer full) */
GPtrArray *pgp_keys(Pgp *pgp, GBytes *data, GError **error);
/** The one key in them. (transfer full) */
SealKey *pgp_key(Pgp *pgp, GBytes *data);
/** From sealpipe's own home. (transfer full) */
SealKey *pgp_home_key(Pgp *pgp, const char *address);
/** The code of the decision on it; "usable" for PASS. (transfer full) */
char *pgp_judge(Pgp *pgp, SealKey *key, SealPurpose purpose, gint64 at, char **text);
/** Likewise, as the key of somebody. (transfer full) */
char *pgp_judge_for(Pgp *pgp, SealKey *key, const char *whose, SealPurpose purpose, gint64 at,
                    char **text);
/** What detect() says of a message. (transfer full) */
SealDetection *pgp_look(Pgp *pgp, const void *message, gsize length);
/** Encrypts, or signs where there are no keys. (transfer full) */
GBytes *pgp_make(Pgp *pgp, const char *entity, gsize length, GPtrArray *keys, SealKey *signer,
                 gboolean hide, GError **error);
/** What stands between the armour's first line and its last. (transfer full) */
GBytes *pgp_armor_of(GBytes *entity, const char *label);
