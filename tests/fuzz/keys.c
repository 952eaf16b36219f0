/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys.c: fuzzes the reading and judging of certificates. To a key that is said to be usable a
 * message is encrypted, and what comes of it is found to be encrypted to that key.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 40 }; /* judged of one input */

/* 2040-01-01: the seeds' certificates are valid then, whenever this runs. */
static const gint64 AT = 2208988800;

static FuzzSmime smime;

static void tear_down(void)
{
    fuzz_smime_close(&smime);
}

static void check_key(const SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    g_assert_cmpstr(seal_key_format(key), ==, "smime");
    g_assert_cmpuint(strlen(seal_key_fingerprint(key)), ==, 64);
    g_assert_cmpuint(strspn(seal_key_fingerprint(key), "0123456789abcdef"), ==, 64);
    fuzz_assert_one_line(seal_key_label(key));
    g_assert_true(*seal_key_label(key));
    for (guint i = 0; i < addresses->len; i++)
        fuzz_assert_one_line(seal_address_text(g_ptr_array_index(addresses, i)));
}

static gboolean names_key(const SealDetection *detection, const SealKey *key)
{
    GPtrArray *ids = seal_detection_ids(detection);

    return ids->len == 1 && seal_detection_hidden(detection) == 0 &&
           g_strv_contains(seal_key_detected_ids(key), g_ptr_array_index(ids, 0));
}

static void check_sealed(SealContent *sealed, const SealKey *key, guint64 size)
{
    g_autoptr(SealMessage) message = seal_message_new(sealed, NULL);
    g_autoptr(SealDetection) detection = seal_detection_new();

    g_assert_nonnull(message);
    g_assert_true(
        smime.format->detect(smime.module, seal_message_entity(message), NULL, detection, NULL));
    g_assert_cmpint(seal_detection_what(detection), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpuint(seal_detection_content_size(detection), >=, size);
    g_assert_true(names_key(detection, key));
}

static void encrypt_to(SealKey *key)
{
    static const char text[] = "Content-Type: text/plain\r\n\r\nthe secret words\r\n";
    g_autoptr(SealContent) entity = seal_content_new_copy(text, strlen(text));
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    SealSealing sealing = {.size = sizeof sealing, .entity = entity, .keys = keys};
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(keys, key);
    g_autoptr(SealContent) sealed = smime.format->encrypt(smime.module, &sealing, NULL, &error);
    if (sealed)
        check_sealed(sealed, key, strlen(text));
    else
        fuzz_assert_one_line(error->message);
}

static SealVerdict judge(SealKey *key, SealPurpose purpose)
{
    g_autoptr(SealDecision) decision = seal_decision_new("fuzz", "key");
    g_autoptr(GError) error = NULL;

    if (!smime.format->usable(smime.module, key, NULL, purpose, AT, decision, &error)) {
        g_assert_nonnull(error);
        return SEAL_VERDICT_NONE;
    }
    g_assert_no_error(error);
    SealVerdict verdict = seal_decision_verdict(decision);
    g_assert_true(verdict == SEAL_VERDICT_PASS || verdict == SEAL_VERDICT_SKIP);
    g_assert_nonnull(seal_decision_code(decision));
    fuzz_assert_one_line(seal_decision_text(decision));
    if (verdict == SEAL_VERDICT_PASS) {
        g_assert_true(seal_key_purposes(key) & purpose);
        g_assert_true(seal_key_valid_from(key) <= AT && AT <= seal_key_valid_until(key));
    }
    return verdict;
}

/* While what scan() says is compared with what read() finds. */
typedef struct {
    GBytes *bytes;
    GHashTable *addresses;
} Scanned;

static void note_address(GHashTable *addresses, const SealAddress *address)
{
    g_hash_table_add(addresses, g_strdup(seal_address_key(address)));
}

/* Those of @key, and its domains. */
static void note_key(GHashTable *addresses, const SealKey *key)
{
    GPtrArray *named = seal_key_addresses(key);
    const char *const *domains = seal_key_domains(key);

    for (guint i = 0; i < named->len; i++)
        note_address(addresses, g_ptr_array_index(named, i));
    for (; *domains; domains++)
        g_hash_table_add(addresses, g_strconcat("@", *domains, NULL));
}

static void take_spot(SealModule *self, const SealKeySpot *spot, gpointer user_data)
{
    const SealOrigin origin = {sizeof origin, "fuzz", "input", SEAL_TRUST_VERIFIED};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    Scanned *scanned = user_data;

    g_assert_null(spot->problem);
    if (spot->address) {
        note_address(scanned->addresses, spot->address);
        return;
    }
    if (spot->domain) {
        g_hash_table_add(scanned->addresses, g_strdup(spot->domain));
        return;
    }
    g_autoptr(GBytes) part = g_bytes_new_from_bytes(scanned->bytes, spot->offset, spot->length);
    seal_module_read_keys(self, spot->format, part, &origin, keys, NULL);
    for (guint i = 0; i < keys->len; i++)
        note_key(scanned->addresses, g_ptr_array_index(keys, i));
}

/* Nobody who has a key may be missed. */
static void check_scan(GBytes *bytes, GPtrArray *keys)
{
    g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer name;
    Scanned scanned = {bytes, found};

    seal_module_scan_keys(smime.module, bytes, take_spot, &scanned);
    for (guint i = 0; i < keys->len; i++)
        note_key(wanted, g_ptr_array_index(keys, i));
    g_hash_table_iter_init(&iter, wanted);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        g_assert_true(g_hash_table_contains(found, name));
}

static void try_keys(GBytes *bytes, SealTrust trust)
{
    const SealOrigin origin = {sizeof origin, "fuzz", "input", trust};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) error = NULL;

    if (!smime.dispatcher) {
        static gsize once = 0;

        fuzz_smime_open(&smime);
        if (!once++)
            atexit(tear_down);
    }
    if (!smime.format->read(smime.module, bytes, &origin, keys, &error))
        fuzz_assert_one_line(error->message);
    else
        g_assert_no_error(error);
    check_scan(bytes, keys);
    for (guint i = 0; i < MIN(keys->len, MAX_KEYS); i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        check_key(key);
        judge(key, SEAL_PURPOSE_SIGN);
        judge(key, SEAL_PURPOSE_ISSUE);
        if (judge(key, SEAL_PURPOSE_ENCRYPT) == SEAL_VERDICT_PASS)
            encrypt_to(key);
    }
    /* What the module remembers of certificates it met must not help the next input. */
    if (keys->len > 0)
        fuzz_smime_close(&smime);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) bytes = g_bytes_new(data, size);

    try_keys(bytes, SEAL_TRUST_VERIFIED);
    try_keys(bytes, SEAL_TRUST_MANUAL);
    return 0;
}
