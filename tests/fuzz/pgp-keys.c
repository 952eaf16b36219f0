/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pgp-keys.c: fuzzes the reading of OpenPGP keys. gpg is asked nothing.
 */
#include "core/frontend-keys.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static FuzzSmime pgp;

static void tear_down(void)
{
    fuzz_smime_close(&pgp);
}

static void check_id(const char *id)
{
    gsize length = strlen(id);

    g_assert_true(length == 16 || length == 40 || length == 64);
    g_assert_cmpuint(strspn(id, "0123456789abcdef"), ==, length);
}

static void check_key(const SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);
    const char *const *ids = seal_key_detected_ids(key);

    g_assert_cmpstr(seal_key_format(key), ==, "pgp");
    fuzz_assert_one_line(seal_key_label(key));
    g_assert_true(*seal_key_label(key));
    if (!*ids) { /* a bare revocation */
        check_id(seal_key_fingerprint(key));
        g_assert_cmpuint(addresses->len, ==, 0);
        g_assert_cmpuint(seal_key_purposes(key), ==, 0);
        return;
    }
    g_assert_cmpuint(strlen(seal_key_fingerprint(key)), >=, 40);
    g_assert_true(g_strv_contains(ids, seal_key_fingerprint(key)));
    for (; *ids; ids++)
        check_id(*ids);
    for (guint i = 0; i < addresses->len; i++)
        fuzz_assert_one_line(seal_address_text(g_ptr_array_index(addresses, i)));
}

/* What is written is read as the same key, and written again as the same octets. */
static void check_written(SealKey *key)
{
    const SealOrigin origin = {sizeof origin, "fuzz", "input", SEAL_TRUST_VERIFIED};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) data = pgp.format->write(pgp.module, key, &error);

    if (!data) {
        fuzz_assert_one_line(error->message);
        return;
    }
    g_assert_true(pgp.format->read(pgp.module, data, &origin, keys, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    SealKey *again = g_ptr_array_index(keys, 0);
    g_assert_cmpstr(seal_key_fingerprint(again), ==, seal_key_fingerprint(key));
    g_assert_cmpuint(seal_key_addresses(again)->len, ==, seal_key_addresses(key)->len);
    g_autoptr(GBytes) same = pgp.format->write(pgp.module, again, &error);
    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(same, data));
}

static void visit_entry(const SealImportEntry *entry, gpointer user_data)
{
    if (entry->entry)
        fuzz_assert_one_line(entry->entry);
    if (entry->what == SEAL_IMPORT_KEY)
        check_key(entry->key);
    else if (entry->what == SEAL_IMPORT_FAILED)
        fuzz_assert_one_line(entry->problem->message);
    else
        fuzz_assert_one_line(entry->text);
}

static void import_keys(const uint8_t *data, size_t size)
{
    const SealShelving how = {.place = "input", .trust = SEAL_TRUST_VERIFIED, .dry = TRUE};
    g_autoptr(GBytes) bytes = g_bytes_new(data, size);
    guint added;

    g_assert_true(
        seal_dispatcher_add_keys(pgp.dispatcher, bytes, &how, visit_entry, NULL, &added, NULL));
}

/* TRUE where all of them were read. */
static gboolean read_keys(const uint8_t *data, size_t size, GPtrArray *keys)
{
    const SealOrigin origin = {sizeof origin, "fuzz", "input", SEAL_TRUST_VERIFIED};
    g_autoptr(GBytes) bytes = g_bytes_new(data, size);
    g_autoptr(GError) error = NULL;

    if (pgp.format->read(pgp.module, bytes, &origin, keys, &error)) {
        g_assert_no_error(error);
        return TRUE;
    }
    fuzz_assert_one_line(error->message);
    return FALSE;
}

/* Whatever lies beside it, and in whatever order, a key remains that key. */
static void check_merged(GPtrArray *keys, guint at)
{
    g_autoptr(GPtrArray) copies = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    SealKey *key = g_ptr_array_index(keys, at);

    if (!*seal_key_detected_ids(key))
        return;
    g_ptr_array_add(copies, key);
    for (guint i = 0; i < keys->len; i++)
        g_ptr_array_add(copies, g_ptr_array_index(keys, i));
    g_autoptr(SealKey) merged = pgp.format->merge(pgp.module, copies, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(seal_key_fingerprint(merged), ==, seal_key_fingerprint(key));
    check_key(merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GPtrArray) again = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!pgp.dispatcher) {
        fuzz_smime_open(&pgp);
        atexit(tear_down);
    }
    gboolean all = read_keys(data, size, keys);
    for (guint i = 0; i < keys->len; i++)
        check_key(g_ptr_array_index(keys, i));
    for (guint i = 0; i < MIN(keys->len, 4); i++) {
        check_written(g_ptr_array_index(keys, i));
        check_merged(keys, i);
    }
    import_keys(data, size);
    /* What was read once is read the same way again. */
    g_assert_cmpint(read_keys(data, size, again), ==, all);
    g_assert_cmpuint(again->len, ==, keys->len);
    return 0;
}
