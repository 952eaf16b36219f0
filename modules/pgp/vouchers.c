/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * vouchers.c: what others have certified of a key (RFC 4880 5.2.1, 0x10 to 0x13), verified by gpg
 * in a home that has their keys and this one alone.
 */
#include "context.h"

#include <string.h>

/* Nobody's trust is reckoned here: that is what the operator has said. */
#define OPTIONS                                                                                    \
    "lock-never\nno-random-seed-file\nno-auto-check-trustdb\ntrust-model always\n"                 \
    "no-allow-non-selfsigned-uid\n"

typedef struct {
    const PgpKey *key;
    GPtrArray *vouchers; /* PgpKey */
} Asked;

static const PgpKey *find_voucher(const Asked *asked, const char *id)
{
    for (guint i = 0; i < asked->vouchers->len; i++) {
        const PgpKey *voucher = g_ptr_array_index(asked->vouchers, i);

        if (g_ascii_strcasecmp(pgp_key_primary(voucher)->id, id) == 0)
            return voucher;
    }
    return NULL;
}

static gboolean is_revocation(gpgme_key_sig_t signature)
{
    return signature->revoked || signature->sig_class == 0x30;
}

/* The newest one counts (RFC 4880 5.2.3.3); of two of the same second, the revocation. */
static gboolean is_newer(gpgme_key_sig_t one, gpgme_key_sig_t other)
{
    return !other || one->timestamp > other->timestamp ||
           (one->timestamp == other->timestamp && is_revocation(one));
}

static gpgme_key_sig_t find_newest(gpgme_user_id_t user_id, const char *id)
{
    gpgme_key_sig_t newest = NULL;

    for (gpgme_key_sig_t at = user_id->signatures; at; at = at->next) {
        if (at->keyid && g_ascii_strcasecmp(at->keyid, id) == 0 &&
            gpgme_err_code(at->status) == GPG_ERR_NO_ERROR && !at->invalid && is_newer(at, newest))
            newest = at;
    }
    return newest;
}

static gboolean certifies(gpgme_key_sig_t signature)
{
    return !is_revocation(signature) && signature->sig_class >= 0x10 &&
           signature->sig_class <= 0x13;
}

static void take_user_id(const Asked *asked, gpgme_user_id_t user_id, PgpJudgement *judgement)
{
    g_autofree char *address = user_id->revoked || user_id->invalid || !user_id->uid
                                   ? NULL
                                   : pgp_user_id_address(user_id->uid);

    for (guint i = 0; address && i < asked->vouchers->len; i++) {
        const char *id = pgp_key_primary(g_ptr_array_index(asked->vouchers, i))->id;
        gpgme_key_sig_t signature = find_newest(user_id, id);
        PgpVouched vouched = {0};

        if (!signature || !certifies(signature))
            continue;
        vouched.address = g_strdup(address);
        vouched.created = signature->timestamp;
        vouched.expires = signature->expires;
        g_strlcpy(vouched.by, id, sizeof vouched.by);
        g_array_append_val(judgement->vouched, vouched);
        g_ptr_array_add(judgement->addresses, g_strdup(address));
    }
}

static gpgme_error_t list_signatures(PgpLoop *loop, gpgme_ctx_t ctx, const char *fingerprint)
{
    gpgme_error_t problem =
        gpgme_set_keylist_mode(ctx, GPGME_KEYLIST_MODE_LOCAL | GPGME_KEYLIST_MODE_SIGS);

    if (!problem)
        problem = gpgme_op_keylist_start(ctx, fingerprint, 0);
    return problem ? problem : pgp_loop_run(loop, ctx, NULL);
}

/* What gpg refused to import it says nothing of. */
static gboolean list_in(const char *home, const Asked *asked, PgpJudgement *judgement,
                        GError **error)
{
    const char *fingerprint = pgp_key_primary(asked->key)->fingerprint;
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    PgpStatus status = {0};

    if (!pgp_context_open_in(home, &status, &loop, &ctx, error))
        return FALSE;
    gpgme_error_t problem = list_signatures(&loop, ctx, fingerprint);
    if (problem)
        return pgp_fail_gpgme(error, SEAL_ERROR_UNAVAILABLE, "gpg cannot list certifications",
                              problem);
    for (guint i = 0; i < loop.keys->len; i++) {
        gpgme_key_t listed = g_ptr_array_index(loop.keys, i);

        if (!listed->fpr || g_ascii_strcasecmp(listed->fpr, fingerprint) != 0)
            continue;
        judgement->known = TRUE;
        for (gpgme_user_id_t user_id = listed->uids; user_id; user_id = user_id->next)
            take_user_id(asked, user_id, judgement);
        return TRUE;
    }
    if (status.no_such_key)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                        "gpg ended before it had listed all certifications");
    return FALSE;
}

static void append_octets(GByteArray *to, const GByteArray *from)
{
    g_byte_array_append(to, from->data, from->len);
}

/* gpg names who certified by the key id alone, so that nobody else in that home may have it. */
static gboolean has_id_of_voucher(const Asked *asked)
{
    for (guint i = 0; i < asked->key->subkeys->len; i++) {
        const PgpSubkey *subkey = &g_array_index(asked->key->subkeys, PgpSubkey, i);
        if (find_voucher(asked, subkey->id))
            return TRUE;
    }
    return FALSE;
}

/* gpg verifies nothing that an expired key has certified, be it as long as that was alive: then it
 * is given the time of that. Whoever has certified since is found by its date. */
static gboolean write_options(const SealFolder *home, gint64 clock, GError **error)
{
    g_autofree char *options =
        clock ? g_strdup_printf(OPTIONS "ignore-time-conflict\n"
                                        "faked-system-time %" G_GINT64_FORMAT "\n",
                                clock)
              : g_strdup(OPTIONS);

    return pgp_context_write_options(home, options, error);
}

PgpJudgement *pgp_engine_ask_vouchers(PgpEngine *engine, const PgpKey *key, GPtrArray *vouchers,
                                      gint64 clock, GError **error)
{
    const Asked asked = {key, vouchers};
    g_autoptr(PgpJudgement) judgement = pgp_judgement_new();

    if (has_id_of_voucher(&asked))
        return g_steal_pointer(&judgement);
    g_autoptr(SealFolder) home = seal_module_make_folder(engine->self, error);
    if (!home || !write_options(home, clock, error))
        return NULL;
    g_autoptr(GByteArray) octets = pgp_key_names(key);
    for (guint i = 0; i < vouchers->len; i++) {
        g_autoptr(GByteArray) names = pgp_key_names(g_ptr_array_index(vouchers, i));
        append_octets(octets, names);
    }
    if (!pgp_context_import(seal_folder_path(home), octets, "gpg cannot take the certifiers' keys",
                            NULL, error) ||
        !list_in(seal_folder_path(home), &asked, judgement, error))
        return NULL;
    return g_steal_pointer(&judgement);
}
