/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pgp.c: the module: its settings, its life, its Format and its key source.
 */
#include "pgp.h"
#include "options.h"

#include <string.h>
#include <sys/stat.h>

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

/* Where the daemon's keys have a user of their own, nobody but the daemon has to do with their
 * home.
 */
static gboolean find_home(SealModule *self, PgpModule *module, GError **error)
{
    const char *home = seal_module_string(self, "home"), *tended = seal_module_tended_folder(self);

    if (!home)
        return TRUE;
    if (!tended && seal_module_path_is_apart(self, home)) {
        module->missing = g_strdup_printf(
            "home %s is that of [daemon] keys_user: the daemon alone, started by root, uses it",
            home);
        return TRUE;
    }
    module->home = g_strdup(tended ? tended : home);
    return tended || pgp_home_check(self, home, error);
}

static void clear_module(PgpModule *module)
{
    pgp_engine_free(module->engine);
    pgp_judged_free(module->judged);
    seal_key_index_free(module->ring);
    g_clear_pointer(&module->ring_keys, g_ptr_array_unref);
    g_clear_pointer(&module->certifiers, seal_key_index_free);
    g_clear_pointer(&module->introducers, g_ptr_array_unref);
    g_clear_pointer(&module->named, g_byte_array_unref);
    g_free(module->ring_state);
    g_free(module->seen_state);
    g_free(module->missing);
    g_free(module->home);
    g_free(module);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgpModule, clear_module)

static gboolean init_module(SealModule *self, GError **error)
{
    g_autoptr(PgpModule) module = g_new0(PgpModule, 1);
    gboolean tended = seal_module_tended_folder(self) != NULL;
    SealSecret *passphrase = NULL;

    if (!find_home(self, module, error) || !check_signing_key(self, error) ||
        !pgp_load_introducers(self, module, error) ||
        (!tended && !read_passphrase(self, &passphrase, error)))
        return FALSE;
    if (seal_module_stays(self) && !pgp_engine_prepare(error)) {
        seal_secret_free(passphrase);
        return FALSE;
    }
    module->engine = pgp_engine_new(self, module->home, tended, passphrase);
    module->judged = pgp_judged_new(module->home);
    seal_module_set_data(self, g_steal_pointer(&module));
    return TRUE;
}

static void free_module(SealModule *self)
{
    clear_module(seal_module_data(self));
}

static const SealSetting settings[] = {
    {.key = "home",
     .type = SEAL_SETTING_PATH,
     .owned = TRUE,
     .of_keys = TRUE,
     .help = "A GnuPG home, mode 0700, for sealpipe alone: its public keys are the key source "
             "gnupg, its secret keys sign; where root starts sealpiped it is that of [daemon] "
             "keys_user"},
    {.key = "signing_key",
     .type = SEAL_SETTING_STRING,
     .preset = "auto",
     .help = "Fingerprint of the one key in home that may sign; auto goes by the author's address"},
    {.key = "passphrase_file",
     .type = SEAL_SETTING_SECRET,
     .help = "A file whose first line opens the secret keys in home; not where root starts "
             "sealpiped"},
    {.key = "introducers",
     .type = SEAL_SETTING_LIST,
     .help = "Fingerprints of keys whose owners are believed: what they have certified of a user "
             "id, validly, unexpired and with SHA-2, makes that key verified, from whatever source "
             "it comes"},
    {.key = "introducer_keys",
     .type = SEAL_SETTING_PATHS,
     .help = "Files with the introducers' public keys; without it they are looked for in home"},
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
    .write = pgp_write,
    .import = pgp_import,
    .install = pgp_install,
    .prove = pgp_prove,
    .succeeds = pgp_succeeds,
    .encrypt = pgp_encrypt,
    .sign = pgp_sign,
    .signers = pgp_signers,
    .own = pgp_own,
    .verify = pgp_verify,
    .open = pgp_open,
};

static const SealSource source = {
    .size = sizeof source,
    .name = "gnupg",
    .trust = SEAL_TRUST_VERIFIED,
    .lookup = pgp_lookup,
    .copies = pgp_copies,
    .changes = pgp_changes,
    .list = pgp_list,
    .flags = SEAL_SOURCE_MIXED,
};

/* Files of options in the home are refused; those for the whole system are not ours. */
static gboolean run_check(SealModule *self, SealOut *out, GError **error)
{
    const PgpModule *module = seal_module_data(self);
    g_autofree char *options = pgp_options_describe(PGP_SYSTEM_FOLDER);
    g_autoptr(GError) problem = NULL;

    if (module->missing)
        seal_out_text(out, "home", "%s", module->missing);
    if (options)
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "gnupg",
                         "remove them there, or put them into the homes of those who want them",
                         "gpg obeys options for the whole system, also in a home of sealpipe's "
                         "own: %s; mail that they change is deferred",
                         options);
    if (!module->missing && !pgp_load_ring(self, &problem))
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "gnupg",
                         "mend that: mail waits for everybody who may have a key there", "%s",
                         problem->message);
    return problem || pgp_check_introducers(self, error);
}

/* The secret keys are gpg-agent's: sign() has none of them. */
static gboolean load_nothing(SealModule *self, GError **error)
{
    return TRUE;
}

static void unload_nothing(SealModule *self)
{
}

static void list_nothing(SealModule *self, SealPrivateVisitor visit, gpointer user_data)
{
}

static gboolean refuse_to_sign(SealModule *self, const SealDigestSigning *signing,
                               GByteArray *signature, GError **error)
{
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                        "OpenPGP signatures are made by gpg-agent");
    return FALSE;
}

static const SealPrivate private_half = {
    .size = sizeof private_half,
    .name = PGP_FORMAT,
    .load = load_nothing,
    .unload = unload_nothing,
    .list = list_nothing,
    .sign = refuse_to_sign,
    .tend = pgp_tend,
};

static const SealCheck check = {.size = sizeof check, .name = "pgp", .run = run_check};

static const SealFormat *const formats[] = {&format, NULL};
static const SealSource *const sources[] = {&source, NULL};
static const SealCheck *const checks[] = {&check, NULL};
static const SealPrivate *const privates[] = {&private_half, NULL};

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
    .privates = privates,
};
