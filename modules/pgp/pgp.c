/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pgp.c: the module: its settings, its life, its Format and its key source.
 */
#include "pgp.h"
#include "options.h"

#include <string.h>

#define CREDENTIAL "sealpipe-pgp-passphrase"

/* The setting, else systemd's credential of that name, where there is one (systemd.exec(5)). */
static gboolean read_passphrase(SealModule *self, SealSecret **passphrase, GError **error)
{
    const char *folder = g_getenv("CREDENTIALS_DIRECTORY");
    g_autofree char *path = g_strdup(seal_module_string(self, "passphrase_file"));

    if (!path && folder) {
        path = g_build_filename(folder, CREDENTIAL, NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            g_clear_pointer(&path, g_free);
    }
    if (!path)
        return TRUE;
    g_autoptr(SealSecret) secret = seal_secret_read(path, error);
    if (secret)
        *passphrase = seal_secret_first_line(secret, error);
    return *passphrase != NULL;
}

static gboolean check_signing_key(SealModule *self, GError **error)
{
    const char *value = seal_module_string(self, "signing_key");

    return g_str_equal(value, "auto") ||
           (strlen(value) == 2 * PGP_FINGERPRINT &&
            strspn(value, "0123456789abcdefABCDEF") == 2 * PGP_FINGERPRINT) ||
           seal_module_refuse(self, "signing_key", error,
                              "%s is neither auto nor a fingerprint of 40 hexadecimal digits",
                              value);
}

static gboolean init_module(SealModule *self, GError **error)
{
    const char *home = seal_module_string(self, "home");
    SealSecret *passphrase = NULL;

    if ((home && !pgp_home_check(self, home, error)) || !check_signing_key(self, error) ||
        !read_passphrase(self, &passphrase, error))
        return FALSE;
    if (seal_module_stays(self) && !pgp_engine_prepare(error)) {
        seal_secret_free(passphrase);
        return FALSE;
    }
    PgpModule *module = g_new0(PgpModule, 1);
    module->engine = pgp_engine_new(self, home, passphrase);
    module->judged = pgp_judged_new(home);
    seal_module_set_data(self, module);
    return TRUE;
}

static void free_module(SealModule *self)
{
    PgpModule *module = seal_module_data(self);

    pgp_engine_free(module->engine);
    pgp_judged_free(module->judged);
    seal_key_index_free(module->ring);
    g_free(module->ring_state);
    g_free(module->seen_state);
    g_free(module);
}

static const SealSetting settings[] = {
    {.key = "home",
     .type = SEAL_SETTING_PATH,
     .owned = TRUE,
     .help = "A GnuPG home, mode 0700, for sealpipe alone: its public keys are the key source "
             "gnupg, its secret keys sign"},
    {.key = "signing_key",
     .type = SEAL_SETTING_STRING,
     .preset = "auto",
     .help = "Fingerprint of the one key in home that may sign; auto goes by the author's address"},
    {.key = "passphrase_file",
     .type = SEAL_SETTING_SECRET,
     .help = "A file whose first line opens the secret keys in home"},
    {.key = NULL},
};

static const SealFormat format = {
    .size = sizeof format,
    .name = PGP_FORMAT,
    .flags = SEAL_FORMAT_COMBINES | SEAL_FORMAT_HIDES_RECIPIENTS,
    .read = pgp_read,
    .detect = seal_openpgp_detect,
    .usable = pgp_usable,
    .merge = pgp_merge,
    .encrypt = pgp_encrypt,
    .sign = pgp_sign,
    .signers = pgp_signers,
    .verify = pgp_verify,
};

static const SealSource source = {
    .size = sizeof source,
    .name = "gnupg",
    .trust = SEAL_TRUST_VERIFIED,
    .lookup = pgp_lookup,
    .copies = pgp_copies,
    .changes = pgp_changes,
};

/* Files of options in the home are refused; those for the whole system are not ours. */
static gboolean run_check(SealModule *self, SealOut *out, GError **error)
{
    g_autofree char *options = pgp_options_describe(PGP_SYSTEM_FOLDER);

    if (!options)
        return pgp_load_ring(self, error);
    g_set_error(
        error, SEAL_ERROR, SEAL_ERROR_CONFIG,
        "gpg obeys options for the whole system, also in a home of sealpipe's own: %s; remove "
        "them there, or put them into the homes of those who want them: mail that they change "
        "is deferred",
        options);
    return FALSE;
}

static const SealCheck check = {.size = sizeof check, .name = "pgp", .run = run_check};

static const SealFormat *const formats[] = {&format, NULL};
static const SealSource *const sources[] = {&source, NULL};
static const SealCheck *const checks[] = {&check, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "pgp",
    .version = "0.1.0",
    .summary = "OpenPGP (RFC 4880, RFC 3156) through GPGME",
    .settings = settings,
    .init = init_module,
    .fini = free_module,
    .formats = formats,
    .sources = sources,
    .checks = checks,
};
