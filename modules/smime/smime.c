/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * smime.c: the module: its settings, its life, its Format.
 */
#include "smime.h"

static void module_fini(SealModule *self)
{
    SmimeModule *module = seal_module_data(self);

    smime_anchors_free(module);
    smime_pool_free(module->pool);
    seal_cache_free(module->chains);
    smime_crls_unload(module);
    seal_key_index_free(module->server_keys);
    g_ptr_array_unref(module->server_list);
    g_ptr_array_unref(module->server_chain);
    g_string_free(module->notes, TRUE);
    g_free(module);
    seal_module_set_data(self, NULL);
}

static gboolean module_init(SealModule *self, GError **error)
{
    if (!smime_start(self, error))
        return FALSE;

    SmimeModule *module = g_new0(SmimeModule, 1);
    module->pool = smime_pool_new();
    module->chains = smime_chains_new();
    module->server_keys = seal_key_index_new();
    module->server_list = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    module->server_chain = g_ptr_array_new_with_free_func((GDestroyNotify)X509_free);
    module->notes = g_string_new(NULL);
    module->cipher = (SmimeCipher)seal_module_choice(self, "cipher");
    module->rsa = (SmimeRsa)seal_module_choice(self, "rsa");
    module->rsa_signature = (SmimeRsaSignature)seal_module_choice(self, "rsa_signature");
    seal_module_set_data(self, module);
    smime_note_cipher(self);
    if (smime_anchors_load(self, error) && smime_crls_load(self, error) &&
        smime_server_load(self, error))
        return TRUE;
    module_fini(self);
    return FALSE;
}

static const SealSetting settings[] = {
    {.key = "trust_anchors",
     .type = SEAL_SETTING_PATHS,
     .words = "mail",
     .help = "CA certificates that are trusted to vouch for recipients: files or folders, or mail: "
             "those that Mozilla trusts for mail, of the package libnss3"},
    {.key = "mail_roots",
     .type = SEAL_SETTING_PATH,
     .help = "Where trust_anchors=mail finds Mozilla's roots: NSS's libnssckbi.so; without it "
             "where Debian has it"},
    {.key = "crls",
     .type = SEAL_SETTING_PATHS,
     .help = "Certificate revocation lists, PEM or DER: files or folders. They always count"},
    {.key = "crl",
     .type = SEAL_SETTING_CHOICE,
     .preset = "off",
     .range = "off|soft|hard",
     .help = "Whether revocation lists are fetched from where the certificates of a verified chain "
             "say, by the daemon or sealctl keys refresh. soft: what is not known passes. hard: "
             "each certificate below the anchor needs a current list; until there is one, mail "
             "that must be encrypted waits"},
    {.key = "crl_inside",
     .type = SEAL_SETTING_BOOLEAN,
     .preset = "false",
     .help = "Whether lists may be fetched from addresses that are not public (private, loopback, "
             "link-local) and from other ports than 80: certificates say from where"},
    {.key = "crl_proxy",
     .type = SEAL_SETTING_STRING,
     .help = "A proxy for fetching lists, http://HOST:PORT. It should refuse what lies inside, "
             "which cannot be told here where it resolves the names. None is taken from the "
             "environment"},
    {.key = "crl_deadline",
     .type = SEAL_SETTING_DURATION,
     .preset = "2m",
     .range = "1s..1h",
     .help = "How long fetching one list may take"},
    {.key = "crl_size_limit",
     .type = SEAL_SETTING_SIZE,
     .preset = "32M",
     .range = "64K..256M",
     .help = "The largest list that is fetched. Each process keeps four times as much of them in "
             "memory at most"},
    {.key = "cipher",
     .type = SEAL_SETTING_CHOICE,
     .preset = "auto",
     .range = "auto|aes-256-cbc|aes-128-cbc|aes-256-gcm|aes-128-gcm",
     .help = "How content is encrypted; auto goes by what the certificates announce"},
    {.key = "rsa",
     .type = SEAL_SETTING_CHOICE,
     .preset = "auto",
     .range = "auto|oaep|pkcs1",
     .help = "How keys are encrypted to RSA; auto is OAEP where the certificate announces it"},
    {.key = "rsa_signature",
     .type = SEAL_SETTING_CHOICE,
     .preset = "auto",
     .range = "auto|pkcs1|pss",
     .help = "How RSA keys sign; auto is PKCS#1 v1.5. RSA-PSS keys always sign with PSS"},
    {.key = "server_keys",
     .type = SEAL_SETTING_PATHS,
     .help = "Private keys to sign with, their certificates and the CAs between, in PEM or "
             "PKCS#12: files or folders that others cannot read",
     .kept = TRUE},
    {.key = "passphrase_file",
     .type = SEAL_SETTING_SECRET,
     .help = "A file whose first line opens what is encrypted in server_keys; without it the empty "
             "passphrase is tried"},
    {.key = NULL},
};

static const SealFormat format = {
    .size = sizeof format,
    .name = SMIME_FORMAT,
    .flags = SEAL_FORMAT_INCOMPRESSIBLE | SEAL_FORMAT_OPAQUE,
    .read = smime_read,
    .detect = seal_smime_detect,
    .usable = smime_usable,
    .encrypt = smime_encrypt,
    .sign = smime_sign,
    .signers = smime_signers,
    .scan = smime_scan,
    .verify = smime_verify,
    .open = smime_open,
    .write = smime_write,
    .prove = smime_prove,
    .succeeds = smime_succeeds,
    .import = smime_import,
    .install = smime_install,
    .own = smime_own,
};

static const SealPrivate half = {
    .size = sizeof half,
    .name = SMIME_FORMAT,
    .load = smime_private_load,
    .unload = smime_private_unload,
    .list = smime_private_list,
    .sign = smime_sign_digest,
    .unwrap = smime_unwrap_key,
};

static const SealPrivate *const privates[] = {&half, NULL};

static const SealFormat *const formats[] = {&format, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "smime",
    .version = "0.1.0",
    .summary = "S/MIME (RFC 8551) through OpenSSL",
    .settings = settings,
    .init = module_init,
    .fini = module_fini,
    .formats = formats,
    .checks = smime_checks,
    .privates = privates,
    .refresh = smime_refresh,
};
