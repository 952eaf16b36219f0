/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * readers.c: what the settings ask for and a widespread mail program cannot read. It is the
 * operator's to choose, and stops nothing.
 */
#include "smime.h"

static void note(SealModule *self, const char *text)
{
    SmimeModule *module = seal_module_data(self);

    if (module->notes->len > 0)
        g_string_append(module->notes, "; ");
    g_string_append(module->notes, text);
    seal_module_warn(self, "%s", text);
}

void smime_note_cipher(SealModule *self)
{
    SmimeModule *module = seal_module_data(self);

    if (module->cipher == SMIME_CIPHER_AES256_GCM || module->cipher == SMIME_CIPHER_AES128_GCM)
        note(self,
             "cipher: with AES-GCM the content is authEnvelopedData, which Thunderbird and "
             "others cannot open; \"auto\" takes AES-GCM where every certificate announces it");
}

void smime_note_signer(SealModule *self, SealKey *key, const char *place)
{
    const SmimeKey *native = seal_key_native(key);

    if (EVP_PKEY_get_base_id(X509_get0_pubkey(native->cert)) != EVP_PKEY_RSA_PSS)
        return;
    g_autofree char *text = g_strdup_printf(
        "%s: the key of %s is for RSA-PSS alone (id-RSASSA-PSS), and Thunderbird calls signatures "
        "of such keys bad; those of an ordinary RSA key are good, with rsa_signature=pss as well",
        place, seal_key_label(key));
    note(self, text);
}
