/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gpgme.c: the engine: gpg, through GPGME. GPGME says Success when gpg has died, so that nothing
 * counts here but what gpg itself has reported to the end.
 */
#include "agent.h"
#include "engine.h"
#include "home.h"
#include "loop.h"

#include <errno.h>
#include <gpgme.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE "65536"

/* Nobody else uses a home of our own, and the kernel has random octets at any time: gpg takes more
 * from it whether or not it has kept some in a file. */
#define QUICK "lock-never\nno-random-seed-file\n"

/* Where others tend to the home and its agent. */
#define TENDED "no-autostart\nno-auto-check-trustdb\n"

/* Of a home of our own. gpg 2.4 lists user ids that their key's owner never certified, and 2.2 does
 * not: such are dropped by both. */
#define OPTIONS "no-allow-non-selfsigned-uid\n" QUICK

enum {
    CIPHER_AES128 = 7,
    CIPHER_AES256 = 9,
};

struct PgpEngine {
    SealModule *self;
    char *home;             /* of the operator's, or NULL */
    gboolean tended;        /* by pgp_tend(): it has no agent, and nothing is written there */
    SealFolder *joined;     /* then: a home of our own, of what is there and the agent's socket */
    SealFolder *folder;     /* of our own: key files, and the home where there is no other */
    guint files;            /* made there so far */
    SealSecret *passphrase; /* or NULL: the empty one */
};

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(gpgme_ctx_t, gpgme_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(gpgme_data_t, gpgme_data_release, NULL)

static gboolean fail_gpgme(GError **error, SealError code, const char *what, gpgme_error_t problem)
{
    char text[160] = "";

    gpgme_strerror_r(problem, text, sizeof text);
    g_set_error(error, SEAL_ERROR, code, "%s: %s", what, text);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What gpg reports
 */

typedef struct {
    gboolean import_ended; /* it has seen the whole of the keys that it was to judge */
    gboolean told;         /* it has said something about a signature, or why it could not */
    gboolean no_such_key;
    gboolean end_encryption;
    guint cipher;
    gboolean integrity;
    guint signatures;
    guint hash;
    char signer[2 * PGP_FINGERPRINT + 1];
} Status;

static void note_encryption(Status *status, const char *arguments)
{
    g_auto(GStrv) words = g_strsplit(arguments, " ", 4);

    if (g_strv_length(words) >= 2) {
        status->integrity = g_ascii_strtoull(words[0], NULL, 10) > 0 ||
                            (words[2] && g_ascii_strtoull(words[2], NULL, 10) > 0);
        status->cipher = (guint)g_ascii_strtoull(words[1], NULL, 10);
    }
}

/* "SIG_CREATED <type> <key algorithm> <hash> <class> <time> <fingerprint>" */
static void note_signature(Status *status, const char *arguments)
{
    g_auto(GStrv) words = g_strsplit(arguments, " ", 7);

    status->signatures++;
    if (g_strv_length(words) >= 6) {
        status->hash = (guint)g_ascii_strtoull(words[2], NULL, 10);
        g_autofree char *lower = g_ascii_strdown(words[5], -1);
        g_strlcpy(status->signer, lower, sizeof status->signer);
    }
}

static gpgme_error_t note_status(void *data, const char *keyword, const char *arguments)
{
    Status *status = data;

    if (g_str_equal(keyword, "IMPORT_RES"))
        status->import_ended = TRUE;
    else if (g_str_equal(keyword, "ERROR") && g_str_has_prefix(arguments, "keylist.getkey "))
        status->no_such_key = TRUE;
    else if (g_str_equal(keyword, "BEGIN_ENCRYPTION"))
        note_encryption(status, arguments);
    else if (g_str_equal(keyword, "END_ENCRYPTION"))
        status->end_encryption = TRUE;
    else if (g_str_equal(keyword, "GOODSIG") || g_str_equal(keyword, "BADSIG") ||
             g_str_equal(keyword, "ERRSIG") || g_str_equal(keyword, "EXPSIG") ||
             g_str_equal(keyword, "EXPKEYSIG") || g_str_equal(keyword, "REVKEYSIG") ||
             g_str_equal(keyword, "NODATA") || g_str_equal(keyword, "FAILURE"))
        status->told = TRUE;
    else if (g_str_equal(keyword, "SIG_CREATED"))
        note_signature(status, arguments);
    return 0;
}

/* -------------------------------------------------------------------------------------------
 * Life
 */

PgpEngine *pgp_engine_new(SealModule *self, const char *home, gboolean tended,
                          SealSecret *passphrase)
{
    PgpEngine *engine = g_new0(PgpEngine, 1);

    engine->self = self;
    engine->home = g_strdup(home);
    engine->tended = tended;
    engine->passphrase = passphrase;
    return engine;
}

void pgp_engine_free(PgpEngine *engine)
{
    if (!engine)
        return;
    seal_folder_free(engine->joined);
    seal_folder_free(engine->folder);
    g_free(engine->home);
    seal_secret_free(engine->passphrase);
    g_free(engine);
}

/* Asks GPGME for as few children as it can do with: gpgconf is not asked where gpg is, and the home
 * goes through the environment, since setting it in the context has gpg's version asked again. */
static gboolean start_gpgme(GError **error)
{
    static gsize once = 0;

    if (g_once_init_enter(&once)) {
        gboolean ok = gpgme_set_global_flag("disable-gpgconf", "1") == 0 &&
                      gpgme_set_global_flag("gpg-name", "gpg") == 0 &&
                      gpgme_check_version("1.18.0") != NULL;
        g_once_init_leave(&once, ok ? 1 : 2);
    }
    if (once == 1)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MODULE,
                        "GPGME cannot start, or is older than 1.18.0");
    return FALSE;
}

/* GPGME runs gpg for its version where it has not yet done so. */
gboolean pgp_engine_prepare(GError **error)
{
    if (!start_gpgme(error))
        return FALSE;
    gpgme_error_t problem = gpgme_engine_check_version(GPGME_PROTOCOL_OpenPGP);
    return !problem || fail_gpgme(error, SEAL_ERROR_FAILED, "gpg cannot be used", problem);
}

/* gpg speaks to nobody but us, and reads a dozen files for any language but this one. */
static void set_environment(const char *home)
{
    if (g_strcmp0(g_getenv("GNUPGHOME"), home) != 0)
        g_setenv("GNUPGHOME", home, TRUE);
    if (g_strcmp0(g_getenv("LC_ALL"), "C") != 0)
        g_setenv("LC_ALL", "C", TRUE);
}

static gboolean write_options(const SealFolder *folder, const char *options, GError **error)
{
    g_autofree char *path = g_build_filename(seal_folder_path(folder), "gpg.conf", NULL);

    return g_file_set_contents(path, options, -1, error);
}

static gboolean make_folder(PgpEngine *engine, GError **error)
{
    g_autoptr(SealFolder) folder =
        engine->folder ? NULL : seal_module_make_folder(engine->self, error);

    if (!folder)
        return engine->folder != NULL;
    if (!write_options(folder, OPTIONS, error))
        return FALSE;
    engine->folder = g_steal_pointer(&folder);
    return TRUE;
}

/* Of what others keep for us: gpg wants to write beside it, and finds the agent in its home. */
static gboolean make_joined(PgpEngine *engine, GError **error)
{
    g_autoptr(SealFolder) folder =
        engine->joined ? NULL : seal_module_make_folder(engine->self, error);

    if (!folder)
        return engine->joined != NULL;
    if (!write_options(folder, OPTIONS TENDED, error) ||
        !pgp_agent_join(seal_folder_path(folder), engine->home, error))
        return FALSE;
    engine->joined = g_steal_pointer(&folder);
    return TRUE;
}

/* A context in @home that reports gpg's status lines to @status. */
static gboolean open_context_in(const char *home, Status *status, PgpLoop *loop, gpgme_ctx_t *ctx,
                                GError **error)
{
    if (!pgp_engine_prepare(error))
        return FALSE;
    set_environment(home);

    gpgme_error_t problem = gpgme_new(ctx);
    if (!problem)
        problem = gpgme_set_ctx_flag(*ctx, "full-status", "1");
    if (problem)
        return fail_gpgme(error, SEAL_ERROR_FAILED, "gpg cannot be used", problem);
    gpgme_set_offline(*ctx, 1);
    gpgme_set_armor(*ctx, 1);
    gpgme_set_status_cb(*ctx, note_status, status);
    pgp_loop_init(loop, *ctx);
    return TRUE;
}

/* @in_home: gpg needs what is in the operator's home, if there is one; else in one of our own. A
 * home without a ring has nothing that is needed, and gpg would make one there, which would then
 * say of everybody that he has no key. */
static gboolean open_context(PgpEngine *engine, gboolean in_home, Status *status, PgpLoop *loop,
                             gpgme_ctx_t *ctx, GError **error)
{
    g_autofree char *ring = in_home && engine->home ? pgp_home_ring(engine->home, NULL) : NULL;

    if (!ring)
        return make_folder(engine, error) &&
               open_context_in(seal_folder_path(engine->folder), status, loop, ctx, error);
    if (!engine->tended)
        return open_context_in(engine->home, status, loop, ctx, error);
    return make_joined(engine, error) &&
           open_context_in(seal_folder_path(engine->joined), status, loop, ctx, error);
}

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
static gpgme_error_t start_list_of_octets(gpgme_ctx_t ctx, const PgpKey *key, gpgme_data_t *data)
{
    gpgme_error_t problem =
        gpgme_data_new_from_mem(data, (const char *)key->octets->data, key->octets->len, 0);

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
static gboolean list_key(PgpEngine *engine, const PgpKey *key, gboolean from_home,
                         PgpJudgement *judgement, GError **error)
{
    const char *fingerprint = pgp_key_primary(key)->fingerprint;
    g_auto(gpgme_data_t) data = NULL;
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    Status status = {0};

    g_autofree char *ring = from_home ? pgp_home_ring(engine->home, error) : NULL;

    if ((from_home && !ring) || !open_context(engine, from_home, &status, &loop, &ctx, error))
        return FALSE;
    gpgme_error_t problem =
        from_home ? start_list_of_home(ctx, key) : start_list_of_octets(ctx, key, &data);
    if (!problem)
        problem = pgp_loop_run(&loop, ctx, NULL);
    if (problem) {
        g_autofree char *what = g_strdup_printf("gpg cannot list the key %s", fingerprint);
        return fail_gpgme(error, SEAL_ERROR_UNAVAILABLE, what, problem);
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
static gboolean judge_key(PgpEngine *engine, const PgpKey *key, PgpJudgement *judgement,
                          GError **error)
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

PgpJudgement *pgp_engine_judge(PgpEngine *engine, const PgpKey *key, GError **error)
{
    g_autoptr(PgpJudgement) judgement = pgp_judgement_new();

    return judge_key(engine, key, judgement, error) ? g_steal_pointer(&judgement) : NULL;
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
           fail_gpgme(error, SEAL_ERROR_FAILED, "no data can be exchanged with gpg", problem);
}

/* -------------------------------------------------------------------------------------------
 * Recipients and signers
 */

/* Public keys only, each in a file that is there as long as gpg needs it. */
static char *write_key(PgpEngine *engine, const PgpKey *key, GError **error)
{
    g_autofree char *path =
        make_folder(engine, error)
            ? g_strdup_printf("%s/%u.pgp", seal_folder_path(engine->folder), ++engine->files)
            : NULL;

    if (!path || !g_file_set_contents_full(path, (const char *)key->octets->data, key->octets->len,
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

static gboolean add_signer(PgpEngine *engine, gpgme_ctx_t ctx, const SealKey *key, GError **error)
{
    const PgpKey *signer = seal_key_native(key);
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
    /* An agent of others asks nobody for a passphrase, and its keys have none. */
    if (!engine->tended) {
        if (!problem)
            problem = gpgme_set_pinentry_mode(ctx, GPGME_PINENTRY_MODE_LOOPBACK);
        gpgme_set_passphrase_cb(ctx, give_passphrase, engine);
    }
    return !problem || fail_gpgme(error, SEAL_ERROR_FAILED, "gpg cannot be told to sign", problem);
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

/* MD5, SHA-1 and RIPEMD-160 are no longer to be signed with. */
static gboolean is_sound_hash(guint hash)
{
    return hash >= 8 && hash <= 11;
}

static gboolean check_status(const SealSealing *sealing, const Status *status, const Flow *flow,
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
    if (sealing->signer && !is_sound_hash(status->hash))
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
    return !problem || fail_gpgme(error, SEAL_ERROR_FAILED,
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
    Status status = {0};

    if (!open_context(engine, sealing->signer != NULL, &status, &loop, &ctx, error) ||
        !make_output(engine, &loop, ctx, sealing, &flow, error) ||
        !check_status(sealing, &status, &flow, error))
        return NULL;
    if (hash)
        *hash = status.hash;
    return seal_spool_finish(spool, error);
}

/* -------------------------------------------------------------------------------------------
 * Verifying
 */

static gboolean import_keys(const char *home, GPtrArray *keys, GCancellable *cancellable,
                            GError **error)
{
    g_autoptr(GByteArray) octets = g_byte_array_new();
    g_auto(gpgme_data_t) data = NULL;
    g_auto(PgpLoop) loop = {0};
    g_auto(gpgme_ctx_t) ctx = NULL;
    Status status = {0};

    for (guint i = 0; i < keys->len; i++) {
        const PgpKey *key = seal_key_native(g_ptr_array_index(keys, i));
        g_byte_array_append(octets, key->octets->data, key->octets->len);
    }
    if (!open_context_in(home, &status, &loop, &ctx, error))
        return FALSE;
    gpgme_error_t problem =
        gpgme_data_new_from_mem(&data, (const char *)octets->data, octets->len, 0);
    if (!problem)
        problem = gpgme_op_import_start(ctx, data);
    if (!problem)
        problem = pgp_loop_run(&loop, ctx, cancellable);
    if (!problem && status.import_ended)
        return TRUE;
    return fail_gpgme(error, SEAL_ERROR_UNAVAILABLE, "gpg cannot take the keys of the author",
                      problem);
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
    return is_sound_hash(signature->hash_algo) ? NULL : "its hash can be forged";
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
    Status status = {0};

    if (!import_keys(home, keys, flow->cancellable, error) ||
        !open_context_in(home, &status, &loop, &ctx, error) || !make_data(flow, error))
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
        return fail_gpgme(error, SEAL_ERROR_UNAVAILABLE, "gpg cannot verify", problem);
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
