/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-pgp-detect.c: what is taken for encrypted or signed, and what only looks like it. The
 * packets are made here; nothing in them needs to decrypt.
 */
#include "test-pgp.h"

#include <string.h>

static Pgp pgp;

/* -------------------------------------------------------------------------------------------
 * Packets and armour
 */

static void put(GByteArray *to, const void *data, gsize length)
{
    g_byte_array_append(to, data, (guint)length);
}

static void add_packet(GByteArray *to, guint8 tag, const void *body, gsize length)
{
    guint8 head[6] = {
        0xc0 | tag, 255, 0, (guint8)(length >> 16), (guint8)(length >> 8), (guint8)(length & 255)};

    put(to, head, sizeof head);
    put(to, body, length);
}

/* Octets as a cipher makes them: @length of them, always the same. (transfer full) */
static guint8 *noise(gsize length)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(19);
    guint8 *octets = g_malloc(length);

    for (gsize i = 0; i < length; i++)
        octets[i] = (guint8)g_rand_int(rand);
    return octets;
}

/* A session key for the key that has this octet eight times in its id. */
static void add_session_key(GByteArray *to, guint8 id)
{
    guint8 body[10 + 2 + 33 + 1 + 48] = {3};
    g_autofree guint8 *random = noise(sizeof body);

    memset(body + 1, id, 8);
    body[9] = 18;
    memcpy(body + 10, "\x01\x07\x40", 3);
    memcpy(body + 13, random, 32);
    body[45] = 48;
    memcpy(body + 46, random + 32, 48);
    add_packet(to, 1, body, sizeof body);
}

static void add_data(GByteArray *to, guint8 tag, gsize length)
{
    g_autofree guint8 *body = noise(length);

    body[0] = 1;
    add_packet(to, tag, body, length);
}

static void add_signature(GByteArray *to, guint8 type)
{
    guint8 body[60] = {4,  type, 22, 10, 0, 6, 5, 2, 0x60, 0, 0, 0, 0, 10, 9,
                       16, 7,    7,  7,  7, 7, 7, 7, 7,    1, 2, 0, 8, 1};

    add_packet(to, 2, body, sizeof body);
}

static guint32 crc_of(const guint8 *data, gsize length)
{
    guint32 crc = 0xb704ce;

    for (gsize i = 0; i < length; i++) {
        crc ^= (guint32)data[i] << 16;
        for (guint bit = 0; bit < 8; bit++)
            crc = crc & 0x800000 ? ((crc << 1) ^ 0x1864cfb) & 0xffffff : crc << 1;
    }
    return crc;
}

static char *armor(const GByteArray *packets, const char *label)
{
    GString *text = g_string_new(NULL);
    guint32 crc = crc_of(packets->data, packets->len);
    guint8 sum[3] = {(guint8)(crc >> 16), (guint8)(crc >> 8), (guint8)crc};
    g_autofree char *sum_text = g_base64_encode(sum, 3);

    g_string_printf(text, "-----BEGIN PGP %s-----\n\n", label);
    for (guint at = 0; at < packets->len; at += 48) {
        g_autofree char *line = g_base64_encode(packets->data + at, MIN(48, packets->len - at));
        g_string_append_printf(text, "%s\n", line);
    }
    g_string_append_printf(text, "=%s\n-----END PGP %s-----\n", sum_text, label);
    return g_string_free(text, FALSE);
}

/* An ordinary message: two recipients, one of them hidden. */
static GByteArray *message(void)
{
    GByteArray *packets = g_byte_array_new();

    add_session_key(packets, 0xa1);
    add_session_key(packets, 0);
    add_data(packets, 18, 3000);
    return packets;
}

#define HEAD                                                                                       \
    "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n"
#define CONTROL "--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n"
#define PAYLOAD "--b\nContent-Type: application/octet-stream\n\n"

static char *mime(const char *text)
{
    return g_strconcat(HEAD CONTROL PAYLOAD, text, "\n--b--\n", NULL);
}

static void assert_found(const char *what, const char *text, SealDetected expected)
{
    g_autoptr(SealDetection) found = pgp_look(&pgp, text, strlen(text));

    if (seal_detection_what(found) != expected)
        g_error("%s: found %d (%s), not %d", what, seal_detection_what(found),
                seal_detection_text(found), expected);
}

/* -------------------------------------------------------------------------------------------
 * Whole messages
 */

static char *with_crlf(const char *text)
{
    char **lines = g_strsplit(text, "\n", -1);
    char *joined = g_strjoinv("\r\n", lines);

    g_strfreev(lines);
    return joined;
}

static void test_whole(void)
{
    g_autoptr(GByteArray) packets = message();
    g_autofree char *block = armor(packets, "MESSAGE");
    g_autofree char *text = mime(block);
    g_autofree char *crlf = with_crlf(text);
    const char *forms[] = {text, crlf};

    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(SealDetection) found = pgp_look(&pgp, forms[i], strlen(forms[i]));
        g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_ENCRYPTED);
        g_assert_cmpuint(seal_detection_ids(found)->len, ==, 1);
        g_assert_cmpstr(g_ptr_array_index(seal_detection_ids(found), 0), ==, "a1a1a1a1a1a1a1a1");
        g_assert_cmpuint(seal_detection_hidden(found), ==, 1);
        g_assert_cmpuint(seal_detection_content_size(found), ==, 3000);
    }
}

/* Pieces of 512 octets, as gpg writes them. */
static void test_pieces(void)
{
    g_autoptr(GByteArray) packets = g_byte_array_new();
    g_autofree guint8 *pieces = noise(1024);

    add_session_key(packets, 0xa1);
    put(packets, "\xd2\xe9", 2);
    pieces[0] = 1;
    put(packets, pieces, 512);
    put(packets, "\xe9", 1);
    put(packets, pieces + 512, 512);
    put(packets, "\x05zzzzz", 6);
    g_autofree char *block = armor(packets, "MESSAGE");
    g_autofree char *text = mime(block);
    g_autoptr(SealDetection) found = pgp_look(&pgp, text, strlen(text));
    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpuint(seal_detection_content_size(found), ==, 1029);

    /* The last piece lacks. */
    g_byte_array_set_size(packets, packets->len - 6);
    g_autofree char *cut = armor(packets, "MESSAGE");
    g_autofree char *cut_text = mime(cut);
    assert_found("last piece", cut_text, SEAL_DETECTED_PARTLY);
}

/* Wherever it breaks off, it is not whole. */
static void test_cut(void)
{
    g_autoptr(GByteArray) packets = message();
    g_autofree char *block = armor(packets, "MESSAGE");
    gsize last = strlen(block) - strlen("\n");

    for (gsize keep = 0; keep < last; keep += keep < 200 || keep > last - 100 ? 1 : 37) {
        g_autofree char *front = g_strndup(block, keep);
        g_autofree char *text = mime(front);
        g_autoptr(SealDetection) found = pgp_look(&pgp, text, strlen(text));
        g_assert_cmpint(seal_detection_what(found), !=, SEAL_DETECTED_ENCRYPTED);
    }
    /* The octets are cut, the armour around them is right. */
    for (guint keep = 1; keep < packets->len; keep += 61) {
        g_autoptr(GByteArray) front = g_byte_array_new();
        put(front, packets->data, keep);
        g_autofree char *front_block = armor(front, "MESSAGE");
        g_autofree char *text = mime(front_block);
        g_autoptr(SealDetection) found = pgp_look(&pgp, text, strlen(text));
        g_assert_cmpint(seal_detection_what(found), !=, SEAL_DETECTED_ENCRYPTED);
    }
}

static void test_packets(void)
{
    struct {
        const char *name;
        GByteArray *packets;
        SealDetected expected;
    } cases[8] = {
        {"data in clear after it", message(), SEAL_DETECTED_PARTLY},
        {"no integrity protection", g_byte_array_new(), SEAL_DETECTED_PARTLY},
        {"no recipient", g_byte_array_new(), SEAL_DETECTED_PARTLY},
        {"recipients only", g_byte_array_new(), SEAL_DETECTED_PARTLY},
        {"too short", g_byte_array_new(), SEAL_DETECTED_PARTLY},
        {"two messages", message(), SEAL_DETECTED_PARTLY},
        {"literal data", g_byte_array_new(), SEAL_DETECTED_NOTHING},
        {"a password", g_byte_array_new(), SEAL_DETECTED_PARTLY},
    };

    add_packet(cases[0].packets, 11, "b\0\0\0\0\0clear", 11);
    add_session_key(cases[1].packets, 1);
    add_data(cases[1].packets, 9, 100);
    add_data(cases[2].packets, 18, 100);
    add_session_key(cases[3].packets, 1);
    add_session_key(cases[4].packets, 1);
    add_data(cases[4].packets, 18, 20);
    add_session_key(cases[5].packets, 1);
    add_data(cases[5].packets, 18, 100);
    add_packet(cases[6].packets, 11, "b\0\0\0\0\0clear", 11);
    add_packet(cases[7].packets, 3, "\4\11\3\10saltsalt`", 13);
    add_data(cases[7].packets, 18, 100);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *block = armor(cases[i].packets, "MESSAGE");
        g_autofree char *text = mime(block);
        assert_found(cases[i].name, text, cases[i].expected);
        g_byte_array_unref(cases[i].packets);
    }
}

/* -------------------------------------------------------------------------------------------
 * What stands beside it
 */

static char *replaced(const char *text, const char *from, const char *to)
{
    g_auto(GStrv) pieces = g_strsplit(text, from, 2);

    g_assert_nonnull(pieces[1]);
    return g_strjoinv(to, pieces);
}

static void test_beside(void)
{
    static const struct {
        const char *name, *from, *to;
        SealDetected expected;
    } cases[] = {
        {"preamble", "\n\n--b\n", "\n\nin clear\n--b\n", SEAL_DETECTED_PARTLY},
        {"blank preamble", "\n\n--b\n", "\n\n\n \n--b\n", SEAL_DETECTED_ENCRYPTED},
        {"epilogue", "--b--\n", "--b--\nin clear\n", SEAL_DETECTED_PARTLY},
        {"blank epilogue", "--b--\n", "--b--\n\n\n", SEAL_DETECTED_ENCRYPTED},
        {"third part", "--b--\n", "--b\nContent-Type: text/plain\n\nin clear\n--b--\n",
         SEAL_DETECTED_PARTLY},
        {"no end", "--b--\n", "", SEAL_DETECTED_PARTLY},
        {"other version", "Version: 1", "Version: 2", SEAL_DETECTED_PARTLY},
        {"more control", "Version: 1\n", "Version: 1\nin clear\n", SEAL_DETECTED_PARTLY},
        {"before the armour", "-----BEGIN", "in clear\n-----BEGIN", SEAL_DETECTED_NOTHING},
        {"after the armour", "MESSAGE-----\n\n--b--", "MESSAGE-----\nin clear\n--b--",
         SEAL_DETECTED_PARTLY},
        {"twice the type", "Content-Type: multipart",
         "Content-Type: text/plain\nContent-Type: multipart", SEAL_DETECTED_NOTHING},
        {"encoding", "Content-Type: multipart",
         "Content-Transfer-Encoding: quoted-printable\nContent-Type: multipart",
         SEAL_DETECTED_PARTLY},
        {"other protocol", "pgp-encrypted\"; b", "x-encrypted\"; b", SEAL_DETECTED_NOTHING},
        {"payload type", "application/octet-stream", "text/plain", SEAL_DETECTED_PARTLY},
        {"an octet changed", "\nwf8AAA", "\nwf8AAB", SEAL_DETECTED_PARTLY},
        {"two checksums", "\n=", "\n=AAAA\n=", SEAL_DETECTED_PARTLY},
        {"armour header", "MESSAGE-----\n\n",
         "MESSAGE-----\nVersion: GnuPG v2.0.22 (GNU/Linux)\nCharset: utf-8\n\n",
         SEAL_DETECTED_ENCRYPTED},
        {"armour header that is none", "MESSAGE-----\n\n", "MESSAGE-----\nin clear\n\n",
         SEAL_DETECTED_NOTHING},
    };
    g_autoptr(GByteArray) packets = message();
    g_autofree char *block = armor(packets, "MESSAGE");
    g_autofree char *text = mime(block);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *changed = replaced(text, cases[i].from, cases[i].to);
        assert_found(cases[i].name, changed, cases[i].expected);
    }
}

static void test_bait(void)
{
    g_autoptr(GByteArray) packets = message();
    g_autofree char *block = armor(packets, "MESSAGE");
    g_autofree char *inline_text = g_strconcat("Content-Type: text/plain\n\n", block, NULL);
    g_autofree char *no_type = g_strconcat("Subject: s\n\n", block, NULL);
    g_autofree char *mixed = g_strconcat(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello\n",
        CONTROL PAYLOAD, block, "\n--b--\n", NULL);
    g_autofree char *attached =
        g_strconcat("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
                    "text/plain\n\nhello\n" PAYLOAD,
                    block, "\n--b--\n", NULL);

    assert_found("inline", inline_text, SEAL_DETECTED_NOTHING);
    assert_found("no type", no_type, SEAL_DETECTED_NOTHING);
    assert_found("a text beside it", mixed, SEAL_DETECTED_PARTLY);
    assert_found("an attachment", attached, SEAL_DETECTED_NOTHING);
    assert_found("a text", "Content-Type: text/plain\n\n-----BEGIN PGP MESSAGE-----\n",
                 SEAL_DETECTED_NOTHING);
    assert_found("an empty multipart", HEAD "--b--\n", SEAL_DETECTED_NOTHING);
    assert_found("plain text in it", HEAD CONTROL PAYLOAD "hello\n--b--\n", SEAL_DETECTED_NOTHING);
}

/* As Exchange leaves it. */
static void test_exchange(void)
{
    g_autoptr(GByteArray) packets = message();
    g_autofree char *block = armor(packets, "MESSAGE");
    g_autofree char *with_text = g_strconcat(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n\n",
        CONTROL PAYLOAD, block, "\n--b--\n", NULL);
    g_autofree char *without = g_strconcat("Content-Type: multipart/mixed; boundary=b\n\n",
                                           CONTROL PAYLOAD, block, "\n--b--\n", NULL);

    assert_found("with an empty text", with_text, SEAL_DETECTED_ENCRYPTED);
    assert_found("without", without, SEAL_DETECTED_ENCRYPTED);
}

/* -------------------------------------------------------------------------------------------
 * Signatures
 */

static char *signed_mime(const char *signature)
{
    return g_strconcat("Content-Type: multipart/signed; micalg=pgp-sha512; boundary=b; "
                       "protocol=\"application/pgp-signature\"\n\n"
                       "--b\nContent-Type: text/plain\n\nhello\n"
                       "--b\nContent-Type: application/pgp-signature\n\n",
                       signature, "\n--b--\n", NULL);
}

static void test_signed(void)
{
    g_autoptr(GByteArray) one = g_byte_array_new();
    g_autoptr(GByteArray) two = g_byte_array_new();
    g_autoptr(GByteArray) over_key = g_byte_array_new();
    g_autoptr(GByteArray) other = message();
    add_signature(one, 0);
    add_signature(two, 0);
    add_signature(two, 1);
    add_signature(over_key, 0x10);
    g_autofree char *block = armor(one, "SIGNATURE");
    g_autofree char *text = signed_mime(block);
    g_autoptr(SealDetection) found = pgp_look(&pgp, text, strlen(text));
    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_SIGNED);
    g_assert_cmpuint(seal_detection_ids(found)->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(seal_detection_ids(found), 0), ==, "0707070707070707");

    g_autofree char *two_block = armor(two, "SIGNATURE");
    g_autofree char *two_text = signed_mime(two_block);
    g_autoptr(SealDetection) both = pgp_look(&pgp, two_text, strlen(two_text));
    g_assert_cmpint(seal_detection_what(both), ==, SEAL_DETECTED_SIGNED);
    g_assert_cmpuint(seal_detection_ids(both)->len, ==, 2);

    g_autofree char *key_block = armor(over_key, "SIGNATURE");
    g_autofree char *key_text = signed_mime(key_block);
    assert_found("over a key", key_text, SEAL_DETECTED_NOTHING);
    g_autofree char *other_block = armor(other, "SIGNATURE");
    g_autofree char *other_text = signed_mime(other_block);
    assert_found("no signature", other_text, SEAL_DETECTED_NOTHING);
    g_autofree char *empty = signed_mime("");
    assert_found("empty", empty, SEAL_DETECTED_NOTHING);
    g_autofree char *beside = replaced(text, "-----BEGIN", "words\n-----BEGIN");
    assert_found("words before it", beside, SEAL_DETECTED_NOTHING);
}

/* What others have made. */
static void test_corpus(void)
{
    static const struct {
        const char *name;
        SealDetected expected;
    } cases[] = {
        {"openpgp/autocrypt-spec/example-draft.eml", SEAL_DETECTED_ENCRYPTED},
        {"openpgp/autocrypt-spec/example-gossip.eml", SEAL_DETECTED_ENCRYPTED},
        {"openpgp/autocrypt-spec/example-setup-message.eml", SEAL_DETECTED_NOTHING},
        {"smime/protected-headers-draft/pgpmime-sign+enc.eml", SEAL_DETECTED_ENCRYPTED},
        {"smime/protected-headers-draft/pgpmime-layered.eml", SEAL_DETECTED_ENCRYPTED},
        {"smime/protected-headers-draft/pgpmime-signed.eml", SEAL_DETECTED_SIGNED},
        {"mime/gmime/pgp/encrypted-message.txt", SEAL_DETECTED_NOTHING},
    };
    const char *corpus = g_getenv("SEALPIPE_TEST_CORPUS");
    guint lacking = 0;

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_build_filename(corpus ? corpus : ".", cases[i].name, NULL);
        g_autofree char *text = NULL;
        gsize length;

        if (!g_file_get_contents(path, &text, &length, NULL)) {
            lacking++;
            continue;
        }
        g_autoptr(SealDetection) found = pgp_look(&pgp, text, length);
        if (seal_detection_what(found) != cases[i].expected)
            g_error("%s: %s", cases[i].name, seal_detection_text(found));
    }
    g_test_message("%u of %u are not there", lacking, (guint)G_N_ELEMENTS(cases));
    if (lacking == G_N_ELEMENTS(cases))
        g_test_skip("no corpus");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    pgp_start(&pgp);
    g_test_add_func("/pgp/whole", test_whole);
    g_test_add_func("/pgp/pieces", test_pieces);
    g_test_add_func("/pgp/cut", test_cut);
    g_test_add_func("/pgp/packets", test_packets);
    g_test_add_func("/pgp/beside", test_beside);
    g_test_add_func("/pgp/bait", test_bait);
    g_test_add_func("/pgp/exchange", test_exchange);
    g_test_add_func("/pgp/signed", test_signed);
    g_test_add_func("/pgp/corpus", test_corpus);
    int status = g_test_run();
    pgp_end(&pgp);
    return status;
}
