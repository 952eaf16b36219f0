/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-pgp-unsupported.c: keys of other versions, and of algorithms that gpg lacks.
 */
#include "test-pgp.h"

#include <string.h>

#define ALICE "Alice <alice@example.org>"

static const gint64 NOW = 2000000000; /* 2033 */

/* RFC 9580 A.3: a key of version 6 without a user id, and its fingerprint. */
static const char V6[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
                         "\n"
                         "xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf\n"
                         "GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxy\n"
                         "KwwfHifBilZwj2Ul7Ce62azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw\n"
                         "gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE\n"
                         "QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn\n"
                         "+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh\n"
                         "BssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJAAAAAAQBIKbpGG2dWTX8\n"
                         "j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805\n"
                         "I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==\n"
                         "-----END PGP PUBLIC KEY BLOCK-----\n";
#define V6_FINGERPRINT "cb186c4f0609a697e4d52dfa6c722b0c1f1e27c18a56708f6525ec27bad9acc9"

static void put_packet(GByteArray *to, guint8 tag, const void *data, gsize length)
{
    const guint8 head[] = {
        0xc0 | tag,    255, (guint8)(length >> 24), (guint8)(length >> 16), (guint8)(length >> 8),
        (guint8)length};

    g_byte_array_append(to, head, sizeof head);
    g_byte_array_append(to, data, (guint)length);
}

/* The packets of what the module has written: those of @tag, the @nth of them. */
static const guint8 *packet_of(GBytes *written, guint8 tag, guint nth, gsize *length)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(written, &size);

    for (gsize at = 0; at < size; at += 6 + *length) {
        *length = (gsize)data[at + 2] << 24 | (gsize)data[at + 3] << 16 | (gsize)data[at + 4] << 8 |
                  data[at + 5];
        if ((data[at] & 0x3f) == tag && nth-- == 0)
            return data + at + 6;
    }
    g_assert_not_reached();
}

static GBytes *bytes_of(const GByteArray *array)
{
    return g_bytes_new(array->data, array->len);
}

static GBytes *write_again(Pgp *pgp, GBytes *data)
{
    g_autoptr(SealKey) key = pgp_key(pgp, data);
    g_autoptr(GError) error = NULL;
    GBytes *written = pgp->format->write(pgp->module, key, &error);

    g_assert_no_error(error);
    return written;
}

/* The key of version 6, with user ids that say to be certified. */
static GBytes *v6_with(Pgp *pgp, guint count, const char *name)
{
    g_autoptr(GBytes) data = g_bytes_new_static(V6, strlen(V6));
    g_autoptr(GBytes) written = write_again(pgp, data);
    g_autoptr(GByteArray) key = g_byte_array_new();
    gsize primary_size, signature_size;
    const guint8 *primary = packet_of(written, 6, 0, &primary_size);
    const guint8 *signature = packet_of(written, 2, 0, &signature_size);
    g_autofree guint8 *certification = g_memdup2(signature, signature_size);

    certification[1] = 0x13;
    put_packet(key, 6, primary, primary_size);
    for (guint i = 0; i < count; i++) {
        g_autofree char *text = g_strdup_printf("%s%u@example.org", name, i);
        put_packet(key, 13, text, strlen(text));
        put_packet(key, 2, certification, signature_size);
    }
    return bytes_of(key);
}

static void assert_judged(Pgp *pgp, SealKey *key, const char *whose, const char *code,
                          const char *part)
{
    g_autofree char *text = NULL;
    g_autofree char *got = pgp_judge_for(pgp, key, whose, SEAL_PURPOSE_ENCRYPT, NOW, &text);

    g_test_message("%s", text);
    g_assert_cmpstr(got, ==, code);
    g_assert_nonnull(strstr(text, part));
}

static void test_version_6(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(GBytes) bare = g_bytes_new_static(V6, strlen(V6));
    g_autoptr(SealKey) nobodys = pgp_key(&pgp, bare);
    g_autoptr(GBytes) data = v6_with(&pgp, 2, "alice");
    g_autoptr(SealKey) key = pgp_key(&pgp, data);
    g_autoptr(SealAddress) alice = seal_address_parse("alice1@example.org", NULL);

    g_assert_cmpstr(seal_key_fingerprint(nobodys), ==, V6_FINGERPRINT);
    g_assert_cmpuint(seal_key_addresses(nobodys)->len, ==, 0);
    g_assert_cmpstr(seal_key_fingerprint(key), ==, V6_FINGERPRINT);
    g_assert_cmpuint(seal_key_addresses(key)->len, ==, 2);
    g_assert_true(seal_key_is_for(key, alice));
    assert_judged(&pgp, key, "alice1@example.org", "unsupported", "version 6");
    assert_judged(&pgp, key, NULL, "unsupported", V6_FINGERPRINT);
    assert_judged(&pgp, key, "bob@example.org", "user-id", "bob@example.org");
}

/* Nobody verifies whom it names, so that it may not name half the world. */
static void test_claims(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(GBytes) data = v6_with(&pgp, 30, "person");
    g_autoptr(SealKey) key = pgp_key(&pgp, data);

    g_assert_cmpuint(seal_key_addresses(key)->len, ==, 20);
    assert_judged(&pgp, key, "person3@example.org", "flooded", "flooded");
}

/* The others in the file are read as they were. */
static void test_among_others(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autoptr(GBytes) good = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(GBytes) other = v6_with(&pgp, 1, "bob");
    g_autoptr(GByteArray) both = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    g_byte_array_append(both, g_bytes_get_data(other, NULL), (guint)g_bytes_get_size(other));
    g_byte_array_append(both, g_bytes_get_data(good, NULL), (guint)g_bytes_get_size(good));
    g_autoptr(GBytes) data = bytes_of(both);
    g_autoptr(GPtrArray) keys = pgp_keys(&pgp, data, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 2);
    assert_judged(&pgp, g_ptr_array_index(keys, 0), "bob0@example.org", "unsupported", "gpg");
    assert_judged(&pgp, g_ptr_array_index(keys, 1), "alice@example.org", "usable", "valid");
}

/* Alice's key with a subkey of another kind; with @alone, it has no other. What binds it is what
 * binds the other: gpg is not asked about it. */
static GBytes *with_unknown(Pgp *pgp, guint8 version, guint8 algorithm, gboolean alone)
{
    g_autoptr(GBytes) data = gpg_export(pgp, pgp->theirs, "alice@example.org", FALSE);
    g_autoptr(GBytes) written = write_again(pgp, data);
    g_autoptr(GByteArray) key = g_byte_array_new();
    g_autofree guint8 *material = g_malloc0(1222);
    gsize total, length;
    const guint8 *all = g_bytes_get_data(written, &total);
    const guint8 *subkey = packet_of(written, 14, 0, &length);
    gsize before = (gsize)(subkey - 6 - all);

    g_byte_array_append(key, all, (guint)(alone ? before : total));
    memcpy(material, subkey, 5);
    material[0] = version;
    material[5] = algorithm;
    put_packet(key, 14, material, 1222);
    const guint8 *binding = packet_of(written, 2, 1, &length);
    put_packet(key, 2, binding, length);
    return bytes_of(key);
}

static void assert_serves(Pgp *pgp, SealKey *key)
{
    static const char entity[] = "Content-Type: text/plain\r\n\r\nthe secret words\r\n";
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    assert_judged(pgp, key, "alice@example.org", "usable", "valid");
    g_ptr_array_add(keys, key);
    g_autoptr(GBytes) made = pgp_make(pgp, entity, strlen(entity), keys, NULL, FALSE, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) armor = pgp_armor_of(made, "MESSAGE");
    gsize size;
    const char *octets = g_bytes_get_data(armor, &size);
    g_autofree char *path = pgp_write(pgp, "sealed.asc", octets, size);
    g_autoptr(GBytes) text = gpg_decrypt(pgp, pgp->theirs, path);
    const char *opened = g_bytes_get_data(text, &size);
    g_assert_nonnull(g_strstr_len(opened, (gssize)size, "the secret words"));
}

static void test_subkeys(void)
{
    static const guint8 kinds[][2] = {{4, 35}, {4, 25}, {4, 99}, {5, 8}, {6, 36}};
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GBytes) beside = with_unknown(&pgp, kinds[i][0], kinds[i][1], FALSE);
        g_autoptr(GBytes) alone = with_unknown(&pgp, kinds[i][0], kinds[i][1], TRUE);
        g_autoptr(SealKey) one = pgp_key(&pgp, beside);
        g_autoptr(SealKey) other = pgp_key(&pgp, alone);
        g_autofree char *number = g_strdup_printf("algorithm %u", kinds[i][1]);

        assert_serves(&pgp, one);
        assert_judged(&pgp, other, "alice@example.org", "unsupported", number);
        /* It is written with that subkey: another version may have use for it. */
        g_autoptr(GBytes) written = write_again(&pgp, beside);
        g_assert_true(g_bytes_equal(written, beside));
    }
}

/* The subkey that gpg knows is over, and the other one is not. */
static void test_dead_beside(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autoptr(GBytes) exported = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(SealKey) whole = pgp_key(&pgp, exported);
    g_autoptr(GBytes) with = with_unknown(&pgp, 4, 35, FALSE);
    g_bytes_unref(
        gpg(&pgp, pgp.theirs, "--quick-set-expire", seal_key_fingerprint(whole), "1d", "*", NULL));
    g_autoptr(GBytes) shorter = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(SealKey) first = pgp_key(&pgp, with);
    g_autoptr(SealKey) second = pgp_key(&pgp, shorter);
    g_autoptr(GPtrArray) copies = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(copies, first);
    g_ptr_array_add(copies, second);
    g_autoptr(SealKey) merged = pgp.format->merge(pgp.module, copies, &error);
    g_assert_no_error(error);
    assert_judged(&pgp, merged, "alice@example.org", "unsupported", "ML-KEM-768");
    assert_judged(&pgp, second, "alice@example.org", "expired", "expired");
}

/* What others have published: name, fingerprint, code. */
static void test_samples(void)
{
    static const struct {
        const char *name;
        const char *code;
        const char *fingerprint;
    } samples[] = {
        {"openpgp/rnp/RFC9580/A.3.transferable-pubkey-v6.asc", "unsupported", V6_FINGERPRINT},
        {"openpgp/pqc-draft/test-vectors/v4-eddsa-sample-pk.asc", "unsupported",
         "342e5db2de345215cb2c944f7102ffed3b9cf12d"},
        {"openpgp/pqc-draft/test-vectors/v6-eddsa-sample-pk.asc", "unsupported", NULL},
        {"openpgp/pqc-draft/test-vectors/v6-mldsa-65-sample-pk.asc", "unsupported", NULL},
        {"openpgp/pqc-draft/test-vectors/v6-mldsa-87-sample-pk.asc", "unsupported", NULL},
        {"openpgp/pqc-draft/test-vectors/v6-slhdsa-128s-sample-pk.asc", "unsupported", NULL},
        {"openpgp/pqc-draft/test-vectors/v6-slhdsa-256s-sample-pk.asc", "unsupported", NULL},
        {"openpgp/gnupg/samplekeys/pqc-sample-1.key.asc", "unsupported", NULL},
        {"openpgp/gnupg/samplekeys/v5-sample-1-pub.asc", "unsupported",
         "19347bc9872464025f99df3ec2e0000ed9884892e1f7b3ea4c94009159569b54"},
    };
    const char *corpus = g_getenv("SEALPIPE_TEST_CORPUS");
    g_auto(Pgp) pgp = {0};

    if (!corpus || !g_file_test(corpus, G_FILE_TEST_IS_DIR)) {
        g_test_skip("the samples of others are not here");
        return;
    }
    pgp_start(&pgp);
    for (guint i = 0; i < G_N_ELEMENTS(samples); i++) {
        g_autofree char *path = g_build_filename(corpus, samples[i].name, NULL);
        char *text = NULL;
        gsize size;

        g_test_message("%s", samples[i].name);
        g_assert_true(g_file_get_contents(path, &text, &size, NULL));
        g_autoptr(GBytes) data = g_bytes_new_take(text, size);
        g_autoptr(SealKey) key = pgp_key(&pgp, data);
        assert_judged(&pgp, key, NULL, samples[i].code, "algorithm");
        if (samples[i].fingerprint)
            g_assert_cmpstr(seal_key_fingerprint(key), ==, samples[i].fingerprint);
        g_autoptr(GBytes) written = write_again(&pgp, data);
        g_autoptr(SealKey) again = pgp_key(&pgp, written);
        g_assert_cmpstr(seal_key_fingerprint(again), ==, seal_key_fingerprint(key));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pgp/unsupported/version-6", test_version_6);
    g_test_add_func("/pgp/unsupported/claims", test_claims);
    g_test_add_func("/pgp/unsupported/among-others", test_among_others);
    g_test_add_func("/pgp/unsupported/subkeys", test_subkeys);
    g_test_add_func("/pgp/unsupported/dead-beside", test_dead_beside);
    g_test_add_func("/pgp/unsupported/samples", test_samples);
    return g_test_run();
}
