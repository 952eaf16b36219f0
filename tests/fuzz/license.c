/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * license.c: fuzzes licences: as they come, and signed, so that what is behind the signature is
 * reached. What is read is, written again, the same.
 */
#include "fuzz.h"

#include "modules/license/license.h"

#include <string.h>

gint64 license_now(void)
{
    return 1700000000;
}

char *license_machine(void)
{
    return g_strdup("machine");
}

static guint8 public_key[crypto_sign_PUBLICKEYBYTES];
static guint8 secret_key[crypto_sign_SECRETKEYBYTES];

static gboolean ready;

static void set_up(void)
{
    static const guint8 seed[crypto_sign_SEEDBYTES] = {7};

    g_assert_cmpint(sodium_init(), >=, 0);
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    ready = TRUE;
}

static void check(const char *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(License) license = license_read((const guint8 *)data, size, public_key, &error);

    if (!license) {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
        fuzz_assert_one_line(error->message);
        return;
    }
    g_autofree char *again = license_write(license, secret_key, NULL);
    g_assert_cmpuint(strlen(again), ==, size);
    g_assert_true(memcmp(again, data, size) == 0);
    fuzz_assert_one_line(license->licensee);

    g_autoptr(LicenseState) state = license_state_new();
    g_autoptr(SealAddress) sender = seal_address_parse("a@example.org", NULL);
    g_auto(LicenseVerdict) verdict = {0};
    license_judge(license, state, sender, TRUE, license_now(), &verdict);
    fuzz_assert_one_line(verdict.text);
}

/* The input with the signature that it lacks. */
static void check_signed(const uint8_t *data, size_t size)
{
    guint8 signature[crypto_sign_BYTES];
    char encoded[89];
    g_autoptr(GString) text = g_string_new_len((const char *)data, (gssize)size);

    crypto_sign_detached(signature, NULL, data, size, secret_key);
    sodium_bin2base64(encoded, sizeof encoded, signature, sizeof signature,
                      sodium_base64_VARIANT_ORIGINAL);
    g_string_append_printf(text, "signature: %s\n", encoded);
    check(text->str, text->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!ready)
        set_up();
    check((const char *)data, size);
    check_signed(data, size);
    return 0;
}
