/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-sealed.c: what may stand beside ciphertext, and what may not: fields, armour headers,
 * preambles, and text in every place of CMS and OpenPGP that no cipher covers. Nothing here needs
 * to decrypt.
 */
#include "core/frontend.h"
#include "core/mail/message.h"
#include "core/mail/preamble.h"
#include "core/sealed/body.h"
#include "core/sealed/known.h"
#include "core/sealed/noise.h"

#include <string.h>

#define TEXT "The offer from Oslo is 3.2 million; sign before Friday noon, and tell nobody of it."

/* Octets as a cipher makes them, always the same. (transfer full) */
static guint8 *random_octets(gsize length)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(23);
    guint8 *octets = g_malloc(length);

    for (gsize i = 0; i < length; i++)
        octets[i] = (guint8)g_rand_int(rand);
    return octets;
}

typedef gboolean (*Detect)(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                           SealDetection *detection, GError **error);

static SealDetection *detect(Detect detector, const char *text)
{
    g_autoptr(SealContent) content = seal_content_new_copy(text, strlen(text));
    g_autoptr(SealMessage) message = seal_message_new(content, NULL);
    g_autoptr(SealDetection) found = seal_detection_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(detector(NULL, seal_message_entity(message), NULL, found, &error));
    g_assert_no_error(error);
    return g_steal_pointer(&found);
}

/* As core takes it of a message that somebody else has sealed. */
static void assert_detected(const char *what, Detect detector, const char *text,
                            SealDetected expected)
{
    g_autoptr(SealDetection) found = detect(detector, text);

    SealDetected seen =
        seal_detection_doubt(found) ? SEAL_DETECTED_PARTLY : seal_detection_what(found);

    if (seen != expected)
        g_error("%s: found %d (%s), not %d", what, seen, seal_detection_text(found), expected);
}

/* -------------------------------------------------------------------------------------------
 * Noise
 */

static void test_noise_random(void)
{
    g_autofree guint8 *octets = random_octets(1 << 20);

    for (gsize size = 0; size < 3000; size++)
        g_assert_true(seal_noise_check(octets + size, size));
    g_assert_true(seal_noise_check(octets, 1 << 20));
}

static void test_noise_text(void)
{
    g_autofree guint8 *octets = random_octets(1 << 16);
    g_autofree char *base64 = g_base64_encode(octets, 600);
    guint8 wide[2 * sizeof TEXT];

    for (gsize size = 16; size < sizeof TEXT; size++)
        g_assert_false(seal_noise_check((const guint8 *)TEXT, size));
    g_assert_false(seal_noise_check((const guint8 *)base64, 800));
    for (gsize i = 0; i < sizeof wide; i++)
        wide[i] = i % 2 ? 0 : (guint8)TEXT[i / 2];
    g_assert_false(seal_noise_check(wide, sizeof wide));
    memset(wide, 0, sizeof wide);
    g_assert_false(seal_noise_check(wide, sizeof wide));
    /* A passage of three lines in the midst of much. */
    for (guint i = 0; i < 4; i++)
        memcpy(octets + 40000 + i * (sizeof TEXT - 1), TEXT, sizeof TEXT - 1);
    g_assert_false(seal_noise_check(octets, 1 << 16));
}

/* -------------------------------------------------------------------------------------------
 * Transfer encodings
 */

/* The whole, read with this much room. (transfer full) NULL where there is a fault. */
static char *decode(const char *text, SealBodyEncoding encoding, gsize room)
{
    g_autoptr(GInputStream) in =
        g_memory_input_stream_new_from_data(text, (gssize)strlen(text), NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    SealBody body;
    guint8 piece[64];
    gsize got = 0;

    seal_body_init(&body, in, encoding, NULL);
    gboolean ok;
    while ((ok = seal_body_read(&body, piece, room, &got)) && got > 0)
        g_string_append_len(out, (char *)piece, (gssize)got);
    g_assert_true(ok == (body.fault == NULL));
    seal_body_clear(&body);
    return ok ? g_strdup(out->str) : NULL;
}

static void test_body(void)
{
    static const struct {
        const char *text;
        SealBodyEncoding encoding;
        const char *expected;
    } rows[] = {
        {"a=3D=\r\nb=\n=41 =  \nc", SEAL_BODY_QUOTED, "a=bA c"},
        {"a=3", SEAL_BODY_QUOTED, NULL},
        {"a=", SEAL_BODY_QUOTED, NULL},
        {"a=x", SEAL_BODY_QUOTED, NULL},
        {"a= x", SEAL_BODY_QUOTED, NULL},
        {"SGVs\r\nbG8=\n", SEAL_BODY_BASE64, "Hello"},
        {"SGVsbG8", SEAL_BODY_BASE64, NULL},
        {"SGVsbG8=\nmore", SEAL_BODY_BASE64, NULL},
        {"=41", SEAL_BODY_PLAIN, "=41"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (gsize room = SEAL_BODY_ROOM; room <= 64; room++) {
            g_autofree char *out = decode(rows[i].text, rows[i].encoding, room);
            g_assert_cmpstr(out, ==, rows[i].expected);
        }
    }
}

/* -------------------------------------------------------------------------------------------
 * Fields, armour headers, preambles
 */

static gboolean is_known(const char *header, gboolean is_part)
{
    g_autofree char *text = g_strconcat(header, "\n\nbody\n", NULL);
    g_autoptr(SealContent) content = seal_content_new_copy(text, strlen(text));
    g_autoptr(SealMessage) message = seal_message_new(content, NULL);

    return seal_known_fields(seal_message_entity(message), is_part) == NULL;
}

static void test_fields(void)
{
    static const char *const known[] = {
        "Content-Type: application/pgp-encrypted",
        "content-type: APPLICATION/PGP-ENCRYPTED; name=\"PGPMIME version identification\"",
        "Content-Type: application/octet-stream; name=\"encrypted.asc\";",
        "Content-Type: application/octet-stream;\n\tname=msg.asc",
        "Content-Type: application/octet-stream; name=ATT00002.asc",
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
        "Content-Type: text/plain; charset=\"iso-8859-1\"; format=flowed; delsp=yes",
        "Content-Type: multipart/encrypted; boundary=\"Apple-Mail=_0A1B-2C\"; protocol=\n"
        " \"application/pgp-encrypted\"",
        "Content-Type: multipart/encrypted; boundary=\"=_abc1def2bad3fee4ace5add6abcd7def8\"",
        "Content-Type: multipart/encrypted; boundary=----=_Part_1.2; "
        "protocol=\"application/pgp-encrypted\"",
        "Content-Disposition: inline; filename=\"encrypted.asc\"",
        "Content-Disposition: attachment; filename=smime.p7m; size=1234;\n"
        " creation-date=\"Tue, 03 Nov 2026 08:12:00 GMT\"",
        "Content-Description: OpenPGP encrypted message",
        "Content-Description: PGP/MIME version identification",
        "Content-Transfer-Encoding: Base64",
        "Content-ID: <7AAE3C25B2FB6E4C9B7D@prod.example.net>",
        "Content-Language: en-US",
        "MIME-Version: 1.0",
    };
    static const char *const unknown[] = {
        "X-Note: " TEXT,
        "Subject: " TEXT,
        "Content-Description: " TEXT,
        "Content-Note: x",
        "Content-Type: application/octet-stream; name=\"" TEXT "\"",
        "Content-Type: application/octet-stream; name=gate-code-7714.asc",
        "Content-Type: application/octet-stream; name*=utf-8''encrypted.asc",
        "Content-Type: application/octet-stream; name*0=encrypted; name*1=.asc",
        "Content-Type: application/octet-stream; x-note=Oslo",
        "Content-Type: application/octet-stream (the offer from Oslo)",
        "Content-Type: application/octet-stream; name=msg.asc (the offer)",
        "Content-Type: application/octet-stream; name=msg.asc; name=msg.asc",
        "Content-Type: application/octet-stream; name=\"m\\sg.asc\"",
        "Content-Type: application/octet-stream the offer",
        "Content-Type: application/x-the-offer",
        "Content-Type: multipart/encrypted; boundary=\"the offer from Oslo\"",
        "Content-Type: multipart/encrypted; boundary=\"The_offer_from_Oslo_is_3.2_million\"",
        "Content-Type: multipart/encrypted; boundary=\"bad1face2offer3Oslo4from5deal6will\"",
        "Content-Type: multipart/encrypted; protocol=\"the offer\"",
        "Content-Type: application/pkcs7-mime; smime-type=the-offer",
        "Content-Type: text/plain; charset=the-offer",
        "Content-Disposition: the-offer",
        "Content-Disposition: inline; filename==?utf-8?q?encrypted=2Easc?=",
        "Content-Disposition: attachment; size=the-offer",
        "Content-Disposition: attachment; creation-date=\"the offer\"",
        "Content-Transfer-Encoding: x-the-offer",
        "Content-Transfer-Encoding: base64 (the offer)",
        "Content-ID: <the.offer.from.oslo@example.net>",
        "Content-ID: the offer",
        "Content-Language: the offer",
        "Content-Type: text/plain\nContent-Type: text/plain",
        "MIME-Version: 1.0 (the offer)",
    };

    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!is_known(known[i], TRUE))
            g_error("unknown: %s", known[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(unknown); i++) {
        if (is_known(unknown[i], TRUE))
            g_error("known: %s", unknown[i]);
    }
    /* Of a message, only the Content fields are part of what is sealed. */
    g_assert_true(is_known("Subject: " TEXT "\nMIME-Version: 1.0 (x)", FALSE));
    g_assert_false(is_known("Subject: x\nContent-Description: " TEXT, FALSE));
    /* Those of our own are random; none may have the look of words. */
    for (guint i = 0; i < 20000; i++) {
        g_autofree char *own =
            g_strdup_printf("Content-Type: multipart/encrypted; boundary=\"=_%08x%08x%08x%08x\"",
                            (guint)g_test_rand_int(), (guint)g_test_rand_int(),
                            (guint)g_test_rand_int(), (guint)g_test_rand_int());
        g_assert_true(is_known(own, FALSE));
    }
    g_autofree char *much = g_strnfill(80, 'b');
    g_autofree char *boundary = g_strconcat("Content-Type: multipart/mixed; boundary=", much, NULL);
    g_assert_false(is_known(boundary, FALSE));
    boundary[strlen(boundary) - 10] = '\0';
    g_assert_true(is_known(boundary, FALSE));
}

static void test_armor_headers(void)
{
    static const char *const known[] = {
        "Version: GnuPG v2",
        "Version: GnuPG v1.4.11 (GNU/Linux)",
        "Version: GnuPG/MacGPG2 v2.0.17 (Darwin)",
        "Version: OpenPGP.js v4.10.10",
        "Version: BCPG C# v1.6.1.0",
        "Version: PGP Desktop 10.2.0 (Build 2317)",
        "Version: rnp 0.16.2",
        "Comment: Using GnuPG with Thunderbird - https://www.enigmail.net/",
        "Comment: https://www.mailvelope.com",
        "Charset: UTF-8",
    };
    static const char *const unknown[] = {
        "Comment: " TEXT,
        "Version: " TEXT,
        "Version: GnuPG v2 gate code 7714",
        "Version: 7 7 1 4",
        "Hash: SHA512",
        "MessageID: the-offer",
        "Charset: the-offer",
        "X-Note: the offer",
        "Version: v7714771477147714771477147714",
        "Oslo",
        "comment: https://x",
        ": GnuPG v2",
    };

    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!seal_known_armor_header(known[i], strlen(known[i])))
            g_error("unknown: %s", known[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(unknown); i++) {
        if (seal_known_armor_header(unknown[i], strlen(unknown[i])))
            g_error("known: %s", unknown[i]);
    }
}

/* Names of certification authorities, and sentences. */
static void test_names(void)
{
    static const char *const names[] = {
        "VeriSign Class 1 Public Primary Certification Authority - G3",
        "Terms of use at https://www.verisign.com/rpa (c)05",
        "(c) 2006 VeriSign, Inc. - For authorized use only",
        "www.entrust.net/GCCA_CPS incorp. by ref. (limits liab.)",
        "Verein zur Foerderung eines Deutschen Forschungsnetzes e. V.",
        "COMODO SHA-256 Client Authentication and Secure Email CA",
        "",
    };
    static const char *const sentences[] = {
        "The offer from Oslo is 3.2 million; sign before Friday noon.",
        "Gate code of the northern yard: 7714, valid through May.",
        "THE OFFER FROM OSLO IS THREE MILLION AND HE SIGNS ON FRIDAY",
        "Sign! Now",
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        g_assert_false(seal_known_is_prose(names[i], strlen(names[i])));
    for (guint i = 0; i < G_N_ELEMENTS(sentences); i++)
        g_assert_true(seal_known_is_prose(sentences[i], strlen(sentences[i])));
}

static void test_preambles(void)
{
    g_assert_true(seal_preamble_is_known(""));
    g_assert_true(seal_preamble_is_known("\r\n \n"));
    g_assert_true(seal_preamble_is_known(
        "This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)\r\n"));
    g_assert_true(seal_preamble_is_known("\nThis is a multi-part message\n in MIME format.\n\n"));
    g_assert_true(seal_preamble_is_known(
        "This is a cryptographically signed message in MIME format.\r\n\r\n"));
    g_assert_false(seal_preamble_is_known("This is a cryptographically signed message"));
    g_assert_false(seal_preamble_is_known(TEXT));
    g_assert_false(seal_preamble_is_known(
        "This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)\n" TEXT));
}

/* -------------------------------------------------------------------------------------------
 * OpenPGP
 */

static void put(GByteArray *to, const void *data, gsize length)
{
    g_byte_array_append(to, data, (guint)length);
}

static void put_packet(GByteArray *to, guint8 tag, const void *body, gsize length)
{
    guint8 head[6] = {0xc0 | tag, 255, 0, 0, (guint8)(length >> 8), (guint8)length};

    put(to, head, sizeof head);
    put(to, body, length);
}

/* Of this version and algorithm, with @front, and @random octets behind it. */
static void put_session_key(GByteArray *to, guint8 algorithm, const char *front, gsize front_size,
                            gsize random)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    g_autofree guint8 *octets = random_octets(random);

    put(body, "\x03\x11\x22\x33\x44\x55\x66\x77\x88", 9);
    put(body, &algorithm, 1);
    put(body, front, front_size);
    put(body, octets, random);
    put_packet(to, 1, body->data, body->len);
}

static void put_ciphertext(GByteArray *to)
{
    g_autofree guint8 *octets = random_octets(300);

    octets[0] = 1;
    put_packet(to, 18, octets, 300);
}

/* In armour, without a checksum. (transfer full) */
static char *armor(const GByteArray *packets)
{
    GString *text = g_string_new("-----BEGIN PGP MESSAGE-----\n\n");

    for (guint at = 0; at < packets->len; at += 48) {
        g_autofree char *line = g_base64_encode(packets->data + at, MIN(48, packets->len - at));
        g_string_append_printf(text, "%s\n", line);
    }
    return g_string_free(g_string_append(text, "-----END PGP MESSAGE-----\n"), FALSE);
}

#define RSA_2048 "\x08\x00"

/* To one RSA key, the usual way. (transfer full) */
static char *usual_armor(void)
{
    g_autoptr(GByteArray) packets = g_byte_array_new();

    put_session_key(packets, 1, RSA_2048, 2, 256);
    put_ciphertext(packets);
    return armor(packets);
}

#define PGP_HEAD                                                                                   \
    "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n"
#define CONTROL "--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n"
#define PAYLOAD "--b\nContent-Type: application/octet-stream\n"

static void assert_packets(const char *what, const GByteArray *packets, SealDetected expected)
{
    g_autofree char *block = armor(packets);
    g_autofree char *text = g_strconcat(PGP_HEAD CONTROL PAYLOAD "\n", block, "\n--b--\n", NULL);

    assert_detected(what, seal_openpgp_detect, text, expected);
}

static void test_session_keys(void)
{
    /* What stands before the random octets, how many those are, and whether it is a session key. */
    static const struct {
        const char *name;
        guint8 algorithm;
        const char *front;
        gsize front_size, random;
        gboolean right;
    } rows[] = {
        {"RSA", 1, RSA_2048, 2, 256, TRUE},
        {"RSA with more", 1, RSA_2048, 2, 300, FALSE},
        {"RSA with less", 1, RSA_2048, 2, 200, FALSE},
        {"RSA of nothing", 1, "\0\0", 2, 0, FALSE},
        {"X25519", 25, "", 0, 32, FALSE},
        {"ECDH without a wrapped key", 18, "\x01\x07\x40", 3, 32, FALSE},
        {"an algorithm to come", 35, "", 0, 1200, TRUE},
        {"endless", 35, "", 0, 5000, FALSE},
        {"RSA, text", 1, "\x02\x80" TEXT, 2 + 80, 0, FALSE},
        {"an algorithm to come, text", 35, TEXT, sizeof TEXT - 1, 0, FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) packets = g_byte_array_new();

        put_session_key(packets, rows[i].algorithm, rows[i].front, rows[i].front_size,
                        rows[i].random);
        put_ciphertext(packets);
        assert_packets(rows[i].name, packets,
                       rows[i].right ? SEAL_DETECTED_ENCRYPTED : SEAL_DETECTED_PARTLY);
    }
}

static void test_openpgp_text(void)
{
    g_autoptr(GByteArray) made_up = g_byte_array_new();
    g_autoptr(GByteArray) password = g_byte_array_new();
    g_autoptr(GByteArray) markers = g_byte_array_new();
    g_autoptr(GByteArray) padded = g_byte_array_new();

    put_session_key(made_up, 1, RSA_2048, 2, 256);
    put_packet(made_up, 18, "\x01" TEXT, sizeof TEXT);
    assert_packets("text in the place of ciphertext", made_up, SEAL_DETECTED_PARTLY);
    put_session_key(password, 1, RSA_2048, 2, 256);
    put_packet(password, 3, "\4\11\3\10saltsalt`", 13);
    put_ciphertext(password);
    assert_packets("a password beside a key", password, SEAL_DETECTED_PARTLY);
    put_packet(markers, 10, "PGP", 3);
    put_session_key(markers, 1, RSA_2048, 2, 256);
    put_ciphertext(markers);
    assert_packets("a marker", markers, SEAL_DETECTED_ENCRYPTED);
    g_byte_array_prepend(markers, (const guint8 *)"\xca\x03PGP", 5);
    assert_packets("two markers", markers, SEAL_DETECTED_NOTHING);
    put_packet(padded, 21, TEXT, sizeof TEXT);
    put_session_key(padded, 1, RSA_2048, 2, 256);
    put_ciphertext(padded);
    assert_packets("padding", padded, SEAL_DETECTED_NOTHING);
}

/* Keys of version 6 are nobody's here, and not hidden. */
static void test_version_6(void)
{
    g_autoptr(GByteArray) packets = g_byte_array_new();
    g_autoptr(GByteArray) body = g_byte_array_new();
    g_autofree guint8 *octets = random_octets(32 + 1 + 40);

    octets[32] = 40;
    put(body, "\x06\x21\x06", 3);
    for (guint i = 0; i < 32; i++)
        put(body, "\xa7", 1);
    put(body, "\x19", 1);
    put(body, octets, 73);
    put_packet(packets, 1, body->data, body->len);
    put_ciphertext(packets);
    g_autofree char *block = armor(packets);
    g_autofree char *text = g_strconcat(PGP_HEAD CONTROL PAYLOAD "\n", block, "\n--b--\n", NULL);
    g_autoptr(SealDetection) found = detect(seal_openpgp_detect, text);
    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpuint(seal_detection_hidden(found), ==, 0);
    g_assert_cmpstr(g_ptr_array_index(seal_detection_ids(found), 0), ==, "a7a7a7a7a7a7a7a7");
}

/* (transfer full) */
static char *quoted(const char *text)
{
    GString *out = g_string_new(NULL);

    for (; *text; text++)
        g_string_append_printf(out, strchr("=- ", *text) ? "=%02X" : "%c", *text);
    return g_string_free(out, FALSE);
}

static void test_mime_forms(void)
{
    g_autofree char *block = usual_armor();
    g_autofree char *base64 = g_base64_encode((const guint8 *)block, strlen(block));
    g_autofree char *escaped = quoted(block);
    const struct {
        const char *name, *front, *payload, *end;
        SealDetected expected;
    } rows[] = {
        {"as it is", PGP_HEAD CONTROL PAYLOAD "\n", block, "", SEAL_DETECTED_ENCRYPTED},
        {"Thunderbird",
         PGP_HEAD "This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)\n" CONTROL PAYLOAD
                  "Content-Description: OpenPGP encrypted message\n\n",
         block, "", SEAL_DETECTED_ENCRYPTED},
        {"base64", PGP_HEAD CONTROL PAYLOAD "Content-Transfer-Encoding: base64\n\n", base64, "",
         SEAL_DETECTED_ENCRYPTED},
        {"quoted-printable",
         PGP_HEAD CONTROL PAYLOAD "Content-Transfer-Encoding: quoted-printable\n\n", escaped, "",
         SEAL_DETECTED_ENCRYPTED},
        {"base64 that says it is none", PGP_HEAD CONTROL PAYLOAD "\n", base64, "",
         SEAL_DETECTED_NOTHING},
        {"text behind base64", PGP_HEAD CONTROL PAYLOAD "Content-Transfer-Encoding: base64\n\n",
         base64, "\n" TEXT, SEAL_DETECTED_PARTLY},
        {"Exchange",
         "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; "
         "charset=\"us-ascii\"\nContent-Transfer-Encoding: "
         "quoted-printable\n\n\n--b\nContent-Type: "
         "application/pgp-encrypted; name=\"PGPMIME version identification\"\n"
         "Content-Transfer-Encoding: base64\n\nVmVyc2lvbjogMQ0K\n\n" PAYLOAD
         "Content-Transfer-Encoding: base64\n\n",
         base64, "", SEAL_DETECTED_ENCRYPTED},
        {"a text that is not empty",
         "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n"
         "Content-Transfer-Encoding: base64\n\nSGVsbG8=\n" CONTROL PAYLOAD "\n",
         block, "", SEAL_DETECTED_PARTLY},
        {"a preamble", PGP_HEAD TEXT "\n" CONTROL PAYLOAD "\n", block, "", SEAL_DETECTED_PARTLY},
        {"a field of a part", PGP_HEAD CONTROL PAYLOAD "Content-Description: " TEXT "\n\n", block,
         "", SEAL_DETECTED_PARTLY},
        {"a field of the whole", "Content-Description: " TEXT "\n" PGP_HEAD CONTROL PAYLOAD "\n",
         block, "", SEAL_DETECTED_PARTLY},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text =
            g_strconcat(rows[i].front, rows[i].payload, rows[i].end, "\n--b--\n", NULL);
        assert_detected(rows[i].name, seal_openpgp_detect, text, rows[i].expected);
    }
}

/* Nobody has signed what is not signed: the second packet is broken. */
static void test_signers_of_nothing(void)
{
    static const guint8 signature[60] = {4,  0, 22, 10, 0, 6, 5, 2, 0x60, 0, 0, 0, 0, 10, 9,
                                         16, 7, 7,  7,  7, 7, 7, 7, 7,    1, 2, 0, 8, 1};
    g_autoptr(GByteArray) packets = g_byte_array_new();

    put_packet(packets, 2, signature, sizeof signature);
    put_packet(packets, 2, signature, 30 - 6);
    g_autofree char *block = armor(packets);
    g_auto(GStrv) pieces = g_strsplit(block, "MESSAGE", -1);
    g_autofree char *renamed = g_strjoinv("SIGNATURE", pieces);
    g_autofree char *text = g_strconcat(
        "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\n\n"
        "--b\n\nhello\n--b\nContent-Type: application/pgp-signature\n\n",
        renamed, "\n--b--\n", NULL);
    g_autoptr(SealDetection) found = detect(seal_openpgp_detect, text);
    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpuint(seal_detection_ids(found)->len + seal_detection_hidden(found), ==, 0);
}

/* -------------------------------------------------------------------------------------------
 * CMS, made of pieces
 */

/* An element around @content, which it takes. (transfer full) */
static GByteArray *element(guint8 tag, GByteArray *content)
{
    GByteArray *whole = g_byte_array_new();
    guint8 head[4] = {tag, 0x82, (guint8)(content->len >> 8), (guint8)content->len};

    put(whole, head, sizeof head);
    put(whole, content->data, content->len);
    g_byte_array_unref(content);
    return whole;
}

static GByteArray *octets_of(const void *data, gsize length)
{
    GByteArray *octets = g_byte_array_new();

    put(octets, data, length);
    return octets;
}

#define BYTES(text) octets_of(text, sizeof text - 1)

/* One after the other; takes them, up to a NULL. */
static GByteArray *joined(GByteArray *first, ...)
{
    va_list args;
    GByteArray *next;

    va_start(args, first);
    while ((next = va_arg(args, GByteArray *)) != NULL) {
        put(first, next->data, next->len);
        g_byte_array_unref(next);
    }
    va_end(args);
    return first;
}

static GByteArray *random_of(gsize length)
{
    g_autofree guint8 *octets = random_octets(length);

    return octets_of(octets, length);
}

#define RSA_ALGORITHM "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
#define AES_CBC       "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a"
#define AES_GCM       "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e"
#define ID_DATA       "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define ENVELOPED     "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
#define AUTHENVELOPED "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17"
#define COMMON_NAME   "\x06\x03\x55\x04\x03"
#define WRAP          "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2d"
#define AGREEMENT     "\x06\x06\x2b\x81\x04\x01\x0b\x01"

/* Where text may be put. */
typedef enum {
    NOWHERE,
    ORIGINATOR,
    ISSUER_LONG,
    ISSUER_TEXT,
    SERIAL,
    KEY_ID,
    KEY_ALGORITHM,
    OAEP_LABEL,
    KEY,
    KEY_SIZE,
    SHARED_KEY,
    PASSWORD,
    OTHER_RECIPIENT,
    ORIGINATOR_KEY,
    MATERIAL,
    RECIPIENT_KEY_ID,
    WRAPPED_KEY,
    VECTOR,
    CONTENT,
    AUTHENTICATED,
    UNPROTECTED,
    PLACES
} Place;

static const char *const PLACE_NAMES[] = {
    "nowhere",     "originator",       "long issuer",   "issuer",
    "serial",      "key identifier",   "key algorithm", "label",
    "key",         "size of key",      "shared key",    "password",
    "other",       "originator's key", "material",      "recipient's key id",
    "wrapped key", "vector",           "content",       "attribute",
    "unprotected",
};

static GByteArray *name_of(Place place)
{
    g_autofree char *much = g_strnfill(200, 'x');
    GByteArray *value = place == ISSUER_LONG   ? octets_of(much, 200)
                        : place == ISSUER_TEXT ? octets_of(TEXT, 60)
                                               : BYTES("Example Root");

    return element(
        0x30, element(0x31, element(0x30, joined(BYTES(COMMON_NAME), element(0x0c, value), NULL))));
}

static GByteArray *issuer_serial(Place place)
{
    return element(
        0x30, joined(name_of(place),
                     element(0x02, place == SERIAL ? octets_of(TEXT, 40) : BYTES("\x07")), NULL));
}

static GByteArray *text_octets(guint8 tag)
{
    return element(tag, BYTES(TEXT));
}

static GByteArray *transport(Place place)
{
    GByteArray *who = place == KEY_ID ? element(0x80, octets_of(TEXT, 20)) : issuer_serial(place);
    GByteArray *algorithm =
        place == KEY_ALGORITHM
            ? element(0x30, joined(BYTES("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"),
                                   text_octets(0x04), NULL))
        : place == OAEP_LABEL
            ? element(0x30,
                      joined(BYTES("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07"),
                             element(0x30,
                                     element(0xa2, element(0x30, joined(BYTES("\x06\x09\x2a"
                                                                              "\x86\x48\x86"
                                                                              "\xf7\x0d\x01"
                                                                              "\x01\x09"),
                                                                        text_octets(0x04), NULL)))),
                             NULL))
            : BYTES(RSA_ALGORITHM);
    GByteArray *key = place == KEY        ? joined(octets_of(TEXT, 64), octets_of(TEXT, 64), NULL)
                      : place == KEY_SIZE ? random_of(4096)
                                          : random_of(256);

    return element(0x30, joined(BYTES("\x02\x01\x00"), who, algorithm, element(0x04, key), NULL));
}

static GByteArray *agreement(Place place)
{
    GByteArray *point =
        joined(BYTES("\x00"), place == ORIGINATOR_KEY ? octets_of(TEXT, 65) : random_of(65), NULL);
    GByteArray *originator =
        element(0xa0, element(0xa1, joined(BYTES("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"),
                                           element(0x03, point), NULL)));
    GByteArray *who =
        place == RECIPIENT_KEY_ID
            ? element(0xa0, joined(element(0x04, random_of(20)), text_octets(0x18), NULL))
            : issuer_serial(place);
    GByteArray *key = place == WRAPPED_KEY ? octets_of(TEXT, 40) : random_of(40);

    return element(
        0xa1,
        joined(BYTES("\x02\x01\x03"), originator,
               element(0xa1, place == MATERIAL ? text_octets(0x04) : element(0x04, random_of(32))),
               element(0x30, joined(BYTES(AGREEMENT), BYTES(WRAP), NULL)),
               element(0x30, element(0x30, joined(who, element(0x04, key), NULL))), NULL));
}

static GByteArray *recipients(Place place)
{
    GByteArray *all = joined(transport(place), agreement(place), NULL);

    if (place == SHARED_KEY)
        all = joined(all, element(0xa2, joined(BYTES("\x02\x01\x04"), text_octets(0x04), NULL)),
                     NULL);
    if (place == PASSWORD)
        all = joined(all, element(0xa3, joined(BYTES("\x02\x01\x00"), text_octets(0x04), NULL)),
                     NULL);
    if (place == OTHER_RECIPIENT)
        all = joined(all, element(0xa4, joined(BYTES("\x06\x01\x2a"), text_octets(0x04), NULL)),
                     NULL);
    return element(0x31, all);
}

static GByteArray *attribute(guint8 tag)
{
    return element(tag, element(0x30, joined(BYTES("\x06\x03\x2a\x03\x04"),
                                             element(0x31, text_octets(0x0c)), NULL)));
}

static GByteArray *encrypted_content(Place place, gboolean gcm)
{
    GByteArray *cipher =
        gcm ? joined(
                  BYTES(AES_GCM),
                  element(0x30, joined(element(0x04, random_of(12)), BYTES("\x02\x01\x10"), NULL)),
                  NULL)
            : joined(BYTES(AES_CBC),
                     element(0x04, place == VECTOR ? octets_of(TEXT, 16) : random_of(16)), NULL);
    GByteArray *content = place == CONTENT ? octets_of(TEXT, 80) : random_of(160);

    return element(0x30,
                   joined(BYTES(ID_DATA), element(0x30, cipher), element(0x80, content), NULL));
}

/* (transfer full) A message with text in that place. */
static char *cms_message(Place place, gboolean gcm)
{
    GByteArray *data = BYTES("\x02\x01\x02");

    if (place == ORIGINATOR)
        data = joined(data, element(0xa0, element(0xa0, text_octets(0xa3))), NULL);
    data = joined(data, recipients(place), encrypted_content(place, gcm), NULL);
    if (gcm && place == AUTHENTICATED)
        data = joined(data, attribute(0xa1), NULL);
    if (gcm)
        data = joined(data, element(0x04, random_of(16)), NULL);
    if (place == UNPROTECTED)
        data = joined(data, attribute(gcm ? 0xa2 : 0xa1), NULL);
    GByteArray *whole = element(0x30, joined(gcm ? BYTES(AUTHENVELOPED) : BYTES(ENVELOPED),
                                             element(0xa0, element(0x30, data)), NULL));
    g_autofree char *base64 = g_base64_encode(whole->data, whole->len);

    g_byte_array_unref(whole);
    return g_strconcat("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n"
                       "Content-Transfer-Encoding: base64\n\n",
                       base64, "\n", NULL);
}

static void test_cms_text(void)
{
    for (int gcm = 0; gcm < 2; gcm++) {
        for (guint place = NOWHERE; place < PLACES; place++) {
            g_autofree char *text = cms_message((Place)place, gcm);
            gboolean is_not_there = (place == AUTHENTICATED && !gcm) || (place == VECTOR && gcm);

            assert_detected(PLACE_NAMES[place], seal_smime_detect, text,
                            place == NOWHERE || is_not_there ? SEAL_DETECTED_ENCRYPTED
                                                             : SEAL_DETECTED_PARTLY);
        }
    }
}

/* The fields of the entity are part of it. */
static void test_cms_fields(void)
{
    g_autofree char *good = cms_message(NOWHERE, FALSE);
    g_autofree char *described = g_strconcat("Content-Description: " TEXT "\n", good, NULL);
    g_autofree char *known =
        g_strconcat("Content-Description: S/MIME Encrypted Message\n", good, NULL);

    assert_detected("a description", seal_smime_detect, described, SEAL_DETECTED_PARTLY);
    assert_detected("a known one", seal_smime_detect, known, SEAL_DETECTED_ENCRYPTED);
}

/* gpg 2.2 takes the last line for data where neither padding nor a checksum ends them. */
static void test_armor_written(void)
{
    guint8 octets[100];

    memset(octets, 0x99, sizeof octets);
    for (gsize size = 1; size <= sizeof octets; size++) {
        g_autoptr(GBytes) packets = g_bytes_new(octets, size);
        g_autoptr(GBytes) armor = seal_packets_armor(packets);
        gsize length;
        const char *text = g_bytes_get_data(armor, &length);
        const char *sum = g_strstr_len(text, (gssize)length, "\n=");

        g_assert_nonnull(sum);
        g_assert_true(g_str_has_prefix(sum + 6, "\n-----END PGP PUBLIC KEY BLOCK-----\n"));
    }
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
    g_autoptr(GBytes) armor = seal_packets_armor(nothing);
    g_assert_nonnull(g_strstr_len(g_bytes_get_data(armor, NULL), (gssize)g_bytes_get_size(armor),
                                  "\n=twTO\n")); /* RFC 4880 6.1: what it begins with */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sealed/noise/random", test_noise_random);
    g_test_add_func("/sealed/noise/text", test_noise_text);
    g_test_add_func("/sealed/body", test_body);
    g_test_add_func("/sealed/fields", test_fields);
    g_test_add_func("/sealed/armor-headers", test_armor_headers);
    g_test_add_func("/sealed/names", test_names);
    g_test_add_func("/sealed/preambles", test_preambles);
    g_test_add_func("/sealed/session-keys", test_session_keys);
    g_test_add_func("/sealed/openpgp-text", test_openpgp_text);
    g_test_add_func("/sealed/version-6", test_version_6);
    g_test_add_func("/sealed/mime-forms", test_mime_forms);
    g_test_add_func("/sealed/signers-of-nothing", test_signers_of_nothing);
    g_test_add_func("/sealed/cms-text", test_cms_text);
    g_test_add_func("/sealed/cms-fields", test_cms_fields);
    g_test_add_func("/sealed/armor-written", test_armor_written);
    return g_test_run();
}
