/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gpgme.c: the engine: gpg, through GPGME: judging keys, and what is sealed with them.
 */
#include "context.h"
#include "home.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE "65536"

enum {
    CIPHER_AES128 = 7,
    CIPHER_AES256 = 9,
};

/* -------------------------------------------------------------------------------------------
 * Judging keys
 */

/* gpg-agent keeps each secret key in a file that is named after its keygrip. */
static gboolean has_secret(PgpEngine *engine, const char *keygrip, gboolean *secret, GError **error)
{
    g_autofree char *name = g_strdup_printf("%s.key", keygrip);
    g_autofree char *path = g_build_filename(engine->home, "private-keys-v1.d", name, NULL);
    struct stat st;

    *secret = stat(path, &st) == 0;
    if (*secret || errno == ENOENT)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

static gboolean add_subkey(PgpEngine *engine, PgpJudgement *judgement, gpgme_subkey_t from,
                           GError **error)
{
    PgpJudgedSubkey subkey = {
        .encrypts = from->can_encrypt,
        .signs = from->can_sign,
        .dead = from->revoked || from->disabled || from->invalid,
        .created = from->timestamp,
        .expires = from->expires,
    };

    if (from->fpr) {
        g_autofree char *lower = g_ascii_strdown(from->fpr, -1);
        g_strlcpy(subkey.fingerprint, lower, sizeof subkey.fingerprint);
    }
    if (engine->home && from->keygrip && *from->keygrip &&
        !has_secret(engine, from->keygrip, &subkey.secret, error))
        return FALSE;
    g_array_append_val(judgement->subkeys, subkey);
    return TRUE;
}

static gboolean take_key(PgpEngine *engine, PgpJudgement *judgement, gpgme_key_t from,
                         GError **error)
{
    judgement->known = TRUE;
    judgement->revoked = from->revoked;
    judgement->disabled = from->disabled;
    judgement->invalid = from->invalid;
    for (gpgme_subkey_t subkey = from->subkeys; subkey; subkey = subkey->next) {
        if (!add_subkey(engine, judgement, subkey, error))
            return FALSE;
    }
    for (gpgme_user_id_t user_id = from->uids; user_id; user_id = user_id->next) {
        char *address = user_id->revoked || user_id->invalid || !user_id->uid
                            ? NULL
                            : pgp_user_id_address(user_id->uid);
        if (address)
            g_ptr_array_add(judgement->addresses, address);
    }
    gpgme_key_ref(from);
    judgement->own = from;
    judgement->own_free = (GDestroyNotify)gpgme_key_unref;
    return TRUE;
}

/* The key as its octets are: gpg verifies the signatures in it and keeps nothing. */
static gpgme_error_t start_list_of_octets(gpgme_ctx_t ctx, PgpKey *key, gpgme_data_t *data)
{
    const GByteArray *octets = pgp_key_bare(key);
    gpgme_error_t problem =
        gpgme_data_new_from_mem(data, (const char *)octets->data, octets->len, 0);

    return problem ? problem : gpgme_op_keylist_from_data_start(ctx, *data, 0);
}

static gpgme_error_t start_list_of_home(gpgme_ctx_t ctx, const PgpKey *key)
{
    gpgme_error_t problem =
        gpgme_set_keylist_mode(ctx, GPGME_KEYLIST_MODE_LOCAL | GPGME_KEYLIST_MODE_WITH_KEYGRIP);

    return problem ? problem : gpgme_op_keylist_start(ctx, pgp_key_primary(key)->fingerprint, 0);
}

static gboolean fail_broken_off(GError **error, const PgpKey *key)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "gpg ended before it had listed all of the key %s",
                pgp_key_primary(key)->fingerprint);
    return FALSE;
}

/* Has gpg list @key, and takes what it says. */
static gboolean list_key(PgpEngine *engine, PgpKey *key, gboolean from_home,
                         PgpJudgement *judgement, GError **error)
{
    const char *fingerprint = pgp_key_primary(key)->fingerprint;
    g_auto(gpgme_data_t) data = NULL;
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    PgpStatus status = {0};

    g_autofree char *ring = from_home ? pgp_home_ring(engine->home, error) : NULL;

    if ((from_home && !ring) || !pgp_context_open(engine, from_home, &status, &loop, &ctx, error))
        return FALSE;
    gpgme_error_t problem =
        from_home ? start_list_of_home(ctx, key) : start_list_of_octets(ctx, key, &data);
    if (!problem)
        problem = pgp_loop_run(&loop, ctx, NULL);
    if (problem) {
        g_autofree char *what = g_strdup_printf("gpg cannot list the key %s", fingerprint);
        return pgp_fail_gpgme(error, SEAL_ERROR_UNAVAILABLE, what, problem);
    }
    for (guint i = 0; i < loop.keys->len; i++) {
        gpgme_key_t listed = g_ptr_array_index(loop.keys, i);

        if (listed->fpr && g_ascii_strcasecmp(listed->fpr, fingerprint) == 0) {
            if (!take_key(engine, judgement, listed, error))
                return FALSE;
            break;
        }
    }
    gboolean ended = from_home ? judgement->known || status.no_such_key : status.import_ended;
    return ended || fail_broken_off(error, key);
}

static const PgpJudgedSubkey *find_subkey(const PgpJudgement *judgement, const char *fingerprint)
{
    for (guint i = 0; i < judgement->subkeys->len; i++) {
        const PgpJudgedSubkey *subkey = &g_array_index(judgement->subkeys, PgpJudgedSubkey, i);

        if (g_str_equal(subkey->fingerprint, fingerprint))
            return subkey;
    }
    return NULL;
}

/* gpg signs by what it has in the home: a secret subkey serves where that is alive there as well.
 */
static void take_home(PgpJudgement *judgement, PgpJudgement *home)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;

    judgement->known = judgement->known && home->known;
    judgement->disabled = judgement->disabled || home->disabled;
    g_clear_pointer(&judgement->own, judgement->own_free);
    judgement->own = g_steal_pointer(&home->own);
    judgement->own_free = judgement->own ? home->own_free : NULL;
    home->own_free = NULL;
    for (guint i = 0; i < judgement->subkeys->len; i++) {
        PgpJudgedSubkey *subkey = &g_array_index(judgement->subkeys, PgpJudgedSubkey, i);
        const PgpJudgedSubkey *same = find_subkey(home, subkey->fingerprint);

        subkey->secret =
            same && same->secret && !same->dead && (same->expires == 0 || same->expires > now);
    }
}

/* By its octets, which are verified as they are; from the home comes what is in no octets. */
static gboolean judge_key(PgpEngine *engine, PgpKey *key, PgpJudgement *judgement, GError **error)
{
    if (!list_key(engine, key, FALSE, judgement, error))
        return FALSE;
    if (!key->in_home)
        return TRUE;

    g_autoptr(PgpJudgement) home = pgp_judgement_new();
    if (!list_key(engine, key, TRUE, home, error))
        return FALSE;
    /* A list that breaks off looks like a key that has less. */
    if (home->known && !key->merged && home->subkeys->len < judgement->subkeys->len)
        return fail_broken_off(error, key);
    take_home(judgement, home);
    return TRUE;
}

PgpJudgement *pgp_engine_judge(PgpEngine *engine, PgpKey *key, GError **error)
{
    g_autoptr(PgpJudgement) judgement = pgp_judgement_new();

    return judge_key(engine, key, judgement, error) ? g_steal_pointer(&judgement) : NULL;
}

/* -------------------------------------------------------------------------------------------
 * Keys to sign with
 */

/* When the last of its parts that sign ends; 0 where there is none with a secret half. The primary
 * key takes all others with it. */
static gboolean find_signing_end(PgpEngine *engine, gpgme_key_t key, gint64 *until, GError **error)
{
    gint64 whole = key->subkeys && key->subkeys->expires ? key->subkeys->expires : G_MAXINT64;

    *until = 0;
    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next) {
        gint64 end = subkey->expires ? subkey->expires : G_MAXINT64;
        gboolean secret = FALSE;

        if (!subkey->can_sign || subkey->revoked || subkey->disabled || subkey->invalid ||
            !subkey->keygrip)
            continue;
        if (!has_secret(engine, subkey->keygrip, &secret, error))
            return FALSE;
        if (secret)
            *until = MAX(*until, MIN(end, whole));
    }
    return TRUE;
}

static gpgme_error_t list_home(PgpLoop *loop, gpgme_ctx_t ctx)
{
    gpgme_error_t problem =
        gpgme_set_keylist_mode(ctx, GPGME_KEYLIST_MODE_LOCAL | GPGME_KEYLIST_MODE_WITH_KEYGRIP);

    if (!problem)
        problem = gpgme_op_keylist_start(ctx, NULL, 0);
    return problem ? problem : pgp_loop_run(loop, ctx, NULL);
}

gboolean pgp_engine_visit_signers(PgpEngine *engine, PgpSignerVisitor visit, gpointer user_data,
                                  GError **error)
{
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    PgpStatus status = {0};

    if (!engine->home)
        return TRUE;
    if (!pgp_context_open(engine, TRUE, &status, &loop, &ctx, error))
        return FALSE;
    gpgme_error_t problem = list_home(&loop, ctx);
    if (problem)
        return pgp_fail_gpgme(error, SEAL_ERROR_UNAVAILABLE, "gpg cannot list the keys of home",
                              problem);
    for (guint i = 0; i < loop.keys->len; i++) {
        gpgme_key_t key = g_ptr_array_index(loop.keys, i);
        gint64 until = 0;

        if (!key->fpr || key->revoked)
            continue;
        if (!find_signing_end(engine, key, &until, error))
            return FALSE;
        if (until > 0)
            visit(key->fpr, until, user_data);
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Streams
 */

/* What goes to gpg, and what comes from it. */
typedef struct {
    GInputStream *in;
    GOutputStream *out;
    GCancellable *cancellable;
    gpgme_data_t data_in;
    gpgme_data_t data_out;
    gboolean read_all;
    GError *error;
} Flow;

static void flow_clear(Flow *flow)
{
    gpgme_data_release(flow->data_in);
    gpgme_data_release(flow->data_out);
    g_clear_error(&flow->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Flow, flow_clear)

static ssize_t flow_read(void *handle, void *buffer, size_t size)
{
    Flow *flow = handle;
    gssize got = flow->error
                     ? -1
                     : g_input_stream_read(flow->in, buffer, size, flow->cancellable, &flow->error);
    if (got < 0)
        errno = EIO;
    flow->read_all = got == 0;
    return got;
}

static ssize_t flow_write(void *handle, const void *buffer, size_t size)
{
    Flow *flow = handle;

    if (!flow->error &&
        g_output_stream_write_all(flow->out, buffer, size, NULL, flow->cancellable, &flow->error))
        return (ssize_t)size;
    errno = EIO;
    return -1;
}

static gboolean make_data(Flow *flow, GError **error)
{
    static struct gpgme_data_cbs reader = {.read = flow_read};
    static struct gpgme_data_cbs writer = {.write = flow_write};
    gpgme_error_t problem = gpgme_data_new_from_cbs(&flow->data_in, &reader, flow);

    if (!problem)
        problem = gpgme_data_new_from_cbs(&flow->data_out, &writer, flow);
    if (!problem)
        problem = gpgme_data_set_flag(flow->data_in, "io-buffer-size", PIECE);
    if (!problem)
        problem = gpgme_data_set_flag(flow->data_out, "io-buffer-size", PIECE);
    return !problem ||
           pgp_fail_gpgme(error, SEAL_ERROR_FAILED, "no data can be exchanged with gpg", problem);
}

/* -------------------------------------------------------------------------------------------
 * Recipients and signers
 */

/* Public keys only, each in a file that is there as long as gpg needs it. */
static char *write_key(PgpEngine *engine, PgpKey *key, GError **error)
{
    const GByteArray *octets = pgp_key_bare(key);
    g_autofree char *path =
        pgp_context_make_folder(engine, error)
            ? g_strdup_printf("%s/%u.pgp", seal_folder_path(engine->folder), ++engine->files)
            : NULL;

    if (!path || !g_file_set_contents_full(path, (const char *)octets->data, octets->len,
                                           G_FILE_SET_CONTENTS_NONE, 0600, error))
        return NULL;
    return g_steal_pointer(&path);
}

static void remove_file(gpointer path)
{
    unlink(path);
    g_free(path);
}

/* GPGME's list: a recipient a line, with switches between them. Never an address, which would have
 * gpg look for keys elsewhere: it encrypts to the very octets that were judged. */
static gboolean list_recipients(PgpEngine *engine, const SealSealing *sealing, GString *list,
                                GPtrArray *files, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    if (sealing->hide)
        g_string_append(list, "--hidden\n");
    for (guint i = 0; i < sealing->keys->len; i++) {
        SealKey *key = g_ptr_array_index(sealing->keys, i);
        PgpKey *native = seal_key_native(key);

        if (!g_hash_table_add(seen, (gpointer)seal_key_fingerprint(key)))
            continue;
        char *path = write_key(engine, native, error);
        if (!path)
            return FALSE;
        g_ptr_array_add(files, path);
        g_string_append_printf(list, "--file\n%s\n", path);
    }
    g_string_set_size(list, list->len - 1);
    return TRUE;
}

/* Asked for again, the passphrase was wrong. */
static gpgme_error_t give_passphrase(void *hook, const char *hint, const char *info, int was_bad,
                                     int fd)
{
    PgpEngine *engine = hook;
    const SealSecret *secret = engine->passphrase;

    if (was_bad)
        return gpgme_error(GPG_ERR_CANCELED);
    if (secret && seal_secret_size(secret) > 0 &&
        gpgme_io_writen(fd, seal_secret_data(secret), seal_secret_size(secret)) != 0)
        return gpgme_error_from_errno(errno);
    return gpgme_io_writen(fd, "\n", 1) == 0 ? 0 : gpgme_error_from_errno(errno);
}

/* An agent of others asks nobody for a passphrase, and its keys have none. */
static gpgme_error_t allow_secrets(PgpEngine *engine, gpgme_ctx_t ctx)
{
    if (engine->tended)
        return 0;
    gpgme_set_passphrase_cb(ctx, give_passphrase, engine);
    return gpgme_set_pinentry_mode(ctx, GPGME_PINENTRY_MODE_LOOPBACK);
}

static gboolean add_signer(PgpEngine *engine, gpgme_ctx_t ctx, const SealKey *key, GError **error)
{
    PgpKey *signer = seal_key_native(key);
    g_autoptr(PgpJudgement) judgement = signer->judgement ? pgp_judgement_ref(signer->judgement)
                                                          : pgp_engine_judge(engine, signer, error);

    if (!judgement)
        return FALSE;
    if (!signer->in_home || !judgement->own) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "the signing key %s is not in home",
                    seal_key_fingerprint(key));
        return FALSE;
    }
    gpgme_error_t problem = gpgme_signers_add(ctx, judgement->own);
    if (!problem)
        problem = allow_secrets(engine, ctx);
    return !problem ||
           pgp_fail_gpgme(error, SEAL_ERROR_FAILED, "gpg cannot be told to sign", problem);
}

/* -------------------------------------------------------------------------------------------
 * Making
 */

G_GNUC_PRINTF(2, 3)
static gboolean reject_output(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "what gpg made is not used: %s", why);
    return FALSE;
}

static gboolean is_signer(const PgpKey *key, const char *fingerprint)
{
    for (guint i = 0; i < key->subkeys->len; i++) {
        if (g_str_equal(g_array_index(key->subkeys, PgpSubkey, i).fingerprint, fingerprint))
            return TRUE;
    }
    return FALSE;
}

static gboolean check_status(const SealSealing *sealing, const PgpStatus *status, const Flow *flow,
                             GError **error)
{
    guint signatures = sealing->signer ? 1 : 0;

    if (!flow->read_all)
        return reject_output(error, "it ended before it had read the whole message");
    if (sealing->keys && !status->end_encryption)
        return reject_output(error, "it ended before it had written the whole ciphertext");
    if (sealing->keys && !status->integrity)
        return reject_output(error, "the ciphertext has no integrity protection");
    if (sealing->keys && (status->cipher < CIPHER_AES128 || status->cipher > CIPHER_AES256))
        return reject_output(error, "cipher %u is not AES (7 to 9)", status->cipher);
    if (status->signatures != signatures)
        return reject_output(error, "it made %u signatures, not %u", status->signatures,
                             signatures);
    if (sealing->signer && !is_signer(seal_key_native(sealing->signer), status->signer))
        return reject_output(error, "it signed with the key %s, not with %s", status->signer,
                             seal_key_fingerprint(sealing->signer));
    if (sealing->signer && !pgp_is_sound_hash(status->hash))
        return reject_output(error, "hash %u of the signature is not SHA-2 (8 to 11)",
                             status->hash);
    return TRUE;
}

static gpgme_error_t start_sealing(gpgme_ctx_t ctx, const SealSealing *sealing,
                                   const char *recipients, gpgme_data_t in, gpgme_data_t out)
{
    const gpgme_encrypt_flags_t flags = GPGME_ENCRYPT_ALWAYS_TRUST | GPGME_ENCRYPT_NO_ENCRYPT_TO;

    if (!sealing->keys)
        return gpgme_op_sign_start(ctx, in, out, GPGME_SIG_MODE_DETACH);
    if (sealing->signer)
        return gpgme_op_encrypt_sign_ext_start(ctx, NULL, recipients, flags, in, out);
    return gpgme_op_encrypt_ext_start(ctx, NULL, recipients, flags, in, out);
}

/* The error of a stream says more than what GPGME makes of it. */
static gboolean run_sealing(PgpLoop *loop, gpgme_ctx_t ctx, const SealSealing *sealing,
                            const char *recipients, Flow *flow, GError **error)
{
    gpgme_error_t problem = start_sealing(ctx, sealing, recipients, flow->data_in, flow->data_out);

    if (!problem)
        problem = pgp_loop_run(loop, ctx, flow->cancellable);
    if (flow->error) {
        g_propagate_error(error, g_steal_pointer(&flow->error));
        return FALSE;
    }
    return !problem ||
           pgp_fail_gpgme(error, SEAL_ERROR_FAILED,
                          sealing->keys ? (sealing->signer ? "gpg cannot sign and encrypt"
                                                           : "gpg cannot encrypt")
                                        : "gpg cannot sign",
                          problem);
}

/* Of a home where it cannot make its socket the agent says no more than that it does not run. */
static void name_home(const PgpEngine *engine, GError **error)
{
    if (engine->home && !engine->tended && access(engine->home, W_OK) != 0)
        g_prefix_error(error, "%s cannot be written here (%s): ", engine->home, g_strerror(errno));
}

static gboolean make_output(PgpEngine *engine, PgpLoop *loop, gpgme_ctx_t ctx,
                            const SealSealing *sealing, Flow *flow, GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(remove_file);
    g_autoptr(GString) recipients = g_string_new(NULL);

    if (sealing->signer && !add_signer(engine, ctx, sealing->signer, error))
        return FALSE;
    if (sealing->keys && !list_recipients(engine, sealing, recipients, files, error))
        return FALSE;
    if (!make_data(flow, error))
        return FALSE;
    if (run_sealing(loop, ctx, sealing, recipients->str, flow, error))
        return TRUE;
    if (sealing->signer)
        name_home(engine, error);
    return FALSE;
}

SealContent *pgp_engine_make(PgpEngine *engine, const SealSealing *sealing, GOutputStream *spool,
                             guint *hash, GCancellable *cancellable, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read_canonical(sealing->entity);
    g_auto(Flow) flow = {.in = in, .out = spool, .cancellable = cancellable};
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    PgpStatus status = {0};

    if (!pgp_context_open(engine, sealing->signer != NULL, &status, &loop, &ctx, error) ||
        !make_output(engine, &loop, ctx, sealing, &flow, error) ||
        !check_status(sealing, &status, &flow, error))
        return NULL;
    if (hash)
        *hash = status.hash;
    return seal_spool_finish(spool, error);
}

/* -------------------------------------------------------------------------------------------
 * Opening
 */

static gboolean fail_opening(const PgpEngine *engine, gpgme_error_t problem, GError **error)
{
    gpgme_err_code_t code = gpgme_err_code(problem);

    if (engine->home && code != GPG_ERR_NO_SECKEY)
        return pgp_fail_gpgme(error, SEAL_ERROR_KEY, "not opened again: gpg cannot decrypt it",
                              problem);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "not opened again: no private key for it is in %s",
                engine->home ? engine->home : "a home: home= is not set");
    return FALSE;
}

SealContent *pgp_engine_open(PgpEngine *engine, SealContent *armor, GOutputStream *spool,
                             GCancellable *cancellable, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read(armor);
    g_auto(Flow) flow = {.in = in, .out = spool, .cancellable = cancellable};
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    PgpStatus status = {0};

    if (!pgp_context_open(engine, TRUE, &status, &loop, &ctx, error) || !make_data(&flow, error))
        return NULL;
    gpgme_error_t problem = allow_secrets(engine, ctx);
    if (!problem)
        problem = gpgme_op_decrypt_start(ctx, flow.data_in, flow.data_out);
    if (!problem)
        problem = pgp_loop_run(&loop, ctx, cancellable);
    if (flow.error) {
        g_propagate_error(error, g_steal_pointer(&flow.error));
        return NULL;
    }
    return !problem || fail_opening(engine, problem, error) ? seal_spool_finish(spool, error)
                                                            : NULL;
}

/* -------------------------------------------------------------------------------------------
 * Verifying
 */

static gboolean import_keys(const char *home, GPtrArray *keys, GCancellable *cancellable,
                            GError **error)
{
    g_autoptr(GByteArray) octets = g_byte_array_new();

    for (guint i = 0; i < keys->len; i++) {
        const GByteArray *bare = pgp_key_bare(seal_key_native(g_ptr_array_index(keys, i)));
        g_byte_array_append(octets, bare->data, bare->len);
    }
    return pgp_context_import(home, octets, "gpg cannot take the keys of the author", cancellable,
                              error);
}

static SealKey *find_signer(GPtrArray *keys, const char *fingerprint)
{
    g_autofree char *lower = g_ascii_strdown(fingerprint, -1);

    for (guint i = 0; i < keys->len; i++) {
        if (is_signer(seal_key_native(g_ptr_array_index(keys, i)), lower))
            return g_ptr_array_index(keys, i);
    }
    return NULL;
}

static const char *signature_fault(gpgme_signature_t signature)
{
    switch (gpgme_err_code(signature->status)) {
    case GPG_ERR_NO_ERROR:
        break;
    case GPG_ERR_BAD_SIGNATURE:
        return "what it signs was changed, or it was made for something else";
    case GPG_ERR_SIG_EXPIRED:
        return "it has expired";
    case GPG_ERR_KEY_EXPIRED:
        return "its key has expired";
    case GPG_ERR_CERT_REVOKED:
        return "its key was revoked";
    case GPG_ERR_NO_PUBKEY:
        return "no key of the author is known here that has made it";
    default:
        return "gpg cannot verify it";
    }
    if (signature->wrong_key_usage)
        return "its key is not for signatures";
    return pgp_is_sound_hash(signature->hash_algo) ? NULL : "its hash can be forged";
}

/* gpg's list holds one for each signature packet. */
static void take_signatures(gpgme_ctx_t ctx, GPtrArray *keys, GPtrArray *signers, char **why)
{
    gpgme_verify_result_t result = gpgme_op_verify_result(ctx);

    for (gpgme_signature_t at = result ? result->signatures : NULL; at; at = at->next) {
        const char *fault = signature_fault(at);
        SealKey *key = !fault && at->fpr ? find_signer(keys, at->fpr) : NULL;

        if (key)
            g_ptr_array_add(signers, seal_key_ref(key));
        else if (!*why)
            *why = g_strdup(fault ? fault : "it was made by a key that is not the author's");
    }
    if (signers->len == 0 && !*why)
        *why = g_strdup("gpg finds no signature in it");
}

static gboolean verify_in(const char *home, GPtrArray *keys, Flow *flow, GBytes *signature,
                          GPtrArray *signers, char **why, GError **error)
{
    gsize size;
    const char *octets = g_bytes_get_data(signature, &size);
    g_auto(gpgme_data_t) data = NULL;
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    PgpStatus status = {0};

    if (!import_keys(home, keys, flow->cancellable, error) ||
        !pgp_context_open_in(home, &status, &loop, &ctx, error) || !make_data(flow, error))
        return FALSE;
    gpgme_error_t problem = gpgme_data_new_from_mem(&data, octets, size, 0);
    if (!problem)
        problem = gpgme_op_verify_start(ctx, data, flow->data_in, NULL);
    if (!problem)
        problem = pgp_loop_run(&loop, ctx, flow->cancellable);
    if (flow->error) {
        g_propagate_error(error, g_steal_pointer(&flow->error));
        return FALSE;
    }
    /* gpg that dies says nothing; what it says of a bad signature is an answer. */
    if (!status.told)
        return pgp_fail_gpgme(error, SEAL_ERROR_UNAVAILABLE, "gpg cannot verify", problem);
    take_signatures(ctx, keys, signers, why);
    return TRUE;
}

/* In a home that has these keys alone, so that nobody else's can count. */
gboolean pgp_engine_verify(PgpEngine *engine, GPtrArray *keys, SealContent *text, GBytes *signature,
                           GCancellable *cancellable, GPtrArray *signers, char **why,
                           GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read_canonical(text);
    g_auto(Flow) flow = {.in = in, .cancellable = cancellable};
    g_autoptr(SealFolder) home = seal_module_make_folder(engine->self, error);

    return home && verify_in(seal_folder_path(home), keys, &flow, signature, signers, why, error);
}
