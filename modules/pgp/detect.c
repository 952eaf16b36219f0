/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detect.c: what an entity is (RFC 3156). The MIME structure says whether to look; what is there is
 * said by armour and packets alone, to their last octet.
 */
#include "pgp.h"

#include <string.h>

#define MAX_SESSION_KEYS 10000
#define MAX_SIGNATURES   100

enum {
    MAX_SESSION_KEY = 64 * 1024,
    MAX_SIGNATURE = 64 * 1024,
    MAX_CONTROL = 1024,   /* the part that says Version: 1 */
    MAX_OUTSIDE = 4096,   /* delimiters, and the header of a part */
    MIN_PROTECTED = 40,   /* version, prefix and modification detection code of an empty packet */
    MIN_SALTED = 36 + 16, /* version 2: what comes before the data, and one tag */
};

/* What the packets of a message were. */
typedef struct {
    guint session_keys;
    gboolean has_data;
    gboolean unprotected;
    guint64 size;
    GPtrArray *ids; /* of those who say who they are */
    guint hidden;
} Walk;

static void walk_clear(Walk *walk)
{
    g_clear_pointer(&walk->ids, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Walk, walk_clear)

G_GNUC_PRINTF(4, 5)
static void set_detection(SealDetection *detection, SealDetected what, guint64 size,
                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_detection_set(detection, what, size, text);
}

/* -------------------------------------------------------------------------------------------
 * An encrypted message: session keys, then one packet of protected data, then nothing
 */

static void add_key_id(Walk *walk, const guint8 *id)
{
    static const guint8 hidden[PGP_KEY_ID] = {0};

    if (memcmp(id, hidden, PGP_KEY_ID) == 0)
        walk->hidden++;
    else
        g_ptr_array_add(walk->ids, seal_text_hex(id, PGP_KEY_ID));
}

static gboolean walk_session_key(Walk *walk, PgpPacket *packet)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    if (++walk->session_keys > MAX_SESSION_KEYS)
        return pgp_octets_fail(packet->octets,
                               "it has more than " G_STRINGIFY(MAX_SESSION_KEYS) " recipients");
    if (!pgp_packet_rest(packet, data, MAX_SESSION_KEY))
        return FALSE;
    if (packet->tag == PGP_TAG_SKESK) {
        /* A password: someone can read it, nobody knows who. */
        walk->hidden++;
        return TRUE;
    }
    if (data->len > 12 && data->data[0] == 3) {
        add_key_id(walk, data->data + 1);
        return TRUE;
    }
    if (data->len > 24 && data->data[0] == 6 && data->data[1] == 21 && data->data[2] == 4) {
        add_key_id(walk, data->data + 3 + PGP_FINGERPRINT - PGP_KEY_ID);
        return TRUE;
    }
    if (data->len > 2 && data->data[0] == 6) {
        walk->hidden++;
        return TRUE;
    }
    return pgp_octets_fail(packet->octets, "a session key packet is of an unknown version");
}

static gboolean walk_data(Walk *walk, PgpPacket *packet)
{
    guint8 version = 0;

    walk->has_data = TRUE;
    walk->unprotected = packet->tag == PGP_TAG_SED;
    if (packet->tag == PGP_TAG_SED)
        return pgp_packet_skip(packet, &walk->size);
    if (!pgp_packet_read(packet, &version, 1))
        return FALSE;
    walk->size = 1;
    if (version < 1 || version > 2 || (packet->tag == PGP_TAG_AEAD && version != 1))
        return pgp_octets_fail(packet->octets, "the ciphertext is of an unknown version");
    if (!pgp_packet_skip(packet, &walk->size))
        return FALSE;
    if (walk->size < (version == 1 ? MIN_PROTECTED : MIN_SALTED))
        return pgp_octets_fail(packet->octets, "the ciphertext is too short to hold anything");
    return TRUE;
}

static gboolean walk_packet(Walk *walk, PgpPacket *packet)
{
    guint8 mark[3];

    if (walk->has_data)
        return pgp_octets_fail(packet->octets, "something stands after the ciphertext");
    switch (packet->tag) {
    case PGP_TAG_PKESK:
    case PGP_TAG_SKESK:
        return walk_session_key(walk, packet);
    case PGP_TAG_SEIPD:
    case PGP_TAG_AEAD:
    case PGP_TAG_SED:
        return walk_data(walk, packet);
    case PGP_TAG_MARKER:
        if (packet->left != sizeof mark || !pgp_packet_read(packet, mark, sizeof mark) ||
            memcmp(mark, "PGP", sizeof mark) != 0)
            return pgp_octets_fail(packet->octets, "a marker packet does not say PGP");
        return TRUE;
    default:
        return pgp_octets_fail(packet->octets, "a packet is neither a session key nor ciphertext");
    }
}

static gboolean walk_message(Walk *walk, PgpOctets *octets)
{
    for (;;) {
        PgpPacket packet;
        gboolean none;

        if (!pgp_packet_next(&packet, octets, &none))
            return FALSE;
        if (none)
            break;
        if (!walk_packet(walk, &packet))
            return FALSE;
    }
    if (!walk->has_data)
        return pgp_octets_fail(octets, "there is no ciphertext");
    if (walk->session_keys == 0)
        return pgp_octets_fail(octets, "there is no session key packet: nobody could open it");
    return !walk->unprotected ||
           pgp_octets_fail(octets, "the ciphertext has no integrity protection");
}

/* The whole of it, from the armour's first line to its last. *@fault says what is wrong with it,
 * NULL for nothing. */
static gboolean walk_armor(Walk *walk, SealContent *armor, GCancellable *cancellable,
                           const char **fault, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read(armor);
    g_auto(PgpOctets) octets = {0};

    walk->ids = g_ptr_array_new_with_free_func(g_free);
    pgp_octets_init(&octets, in, "MESSAGE", FALSE, cancellable);
    gboolean whole = walk_message(walk, &octets);
    /* A fault without words is one as well. */
    *fault = whole ? NULL : octets.fault ? octets.fault : "it cannot be read";
    if (!octets.error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&octets.error));
    return FALSE;
}

static gboolean look_at_message(SealContent *armor, SealDetection *detection,
                                GCancellable *cancellable, GError **error)
{
    g_auto(Walk) walk = {0};
    const char *fault;

    if (!walk_armor(&walk, armor, cancellable, &fault, error))
        return FALSE;
    if (fault) {
        set_detection(detection,
                      walk.session_keys > 0 || walk.has_data ? SEAL_DETECTED_PARTLY
                                                             : SEAL_DETECTED_NOTHING,
                      walk.size, "not a whole OpenPGP message: %s", fault);
        return TRUE;
    }
    for (guint i = 0; i < walk.ids->len; i++)
        seal_detection_add(detection, g_ptr_array_index(walk.ids, i));
    for (guint i = 0; i < walk.hidden; i++)
        seal_detection_add(detection, NULL);
    set_detection(detection, SEAL_DETECTED_ENCRYPTED, walk.size, "OpenPGP to %u recipient%s",
                  walk.session_keys, walk.session_keys == 1 ? "" : "s");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What the engine has made, compared with what it was to make
 */

/* Takes one of the key's ids out of @ids. */
static gboolean take_id(GPtrArray *ids, const SealKey *key)
{
    const char *const *names = seal_key_detected_ids(key);

    for (guint i = 0; i < ids->len; i++) {
        if (g_strv_contains(names, g_ptr_array_index(ids, i))) {
            g_ptr_array_remove_index_fast(ids, i);
            return TRUE;
        }
    }
    return FALSE;
}

static const char *check_recipients(const Walk *walk, const SealSealing *sealing)
{
    g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < sealing->keys->len; i++) {
        SealKey *key = g_ptr_array_index(sealing->keys, i);

        if (g_hash_table_add(keys, (gpointer)seal_key_fingerprint(key)) && !sealing->hide &&
            !take_id(walk->ids, key))
            return "it is not encrypted to every recipient";
    }
    if (walk->ids->len > 0)
        return "it is encrypted to a key of nobody among the recipients";
    if (walk->hidden != (sealing->hide ? g_hash_table_size(keys) : 0))
        return "it has another number of hidden recipients than it should";
    return NULL;
}

gboolean pgp_check_made(SealContent *content, const SealSealing *sealing, GCancellable *cancellable,
                        GError **error)
{
    g_auto(Walk) walk = {0};
    const char *fault;

    if (!walk_armor(&walk, content, cancellable, &fault, error))
        return FALSE;
    if (!fault)
        fault = check_recipients(&walk, sealing);
    if (fault)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "what gpg made is not used: %s", fault);
    return !fault;
}

/* -------------------------------------------------------------------------------------------
 * A signature
 */

static gboolean add_signer(SealDetection *detection, PgpPacket *packet)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    PgpSignature signature;

    if (packet->tag != PGP_TAG_SIGNATURE)
        return pgp_octets_fail(packet->octets, "a packet is not a signature");
    if (!pgp_packet_rest(packet, data, MAX_SIGNATURE))
        return FALSE;
    if (!pgp_signature_read(&signature, data->data, data->len) || signature.type > 1)
        return pgp_octets_fail(
            packet->octets, "a signature is broken, of an unknown version, or not over a message");

    g_autofree char *id = signature.has_issuer_fingerprint
                              ? seal_text_hex(signature.issuer_fingerprint, PGP_FINGERPRINT)
                          : signature.has_issuer ? seal_text_hex(signature.issuer, PGP_KEY_ID)
                                                 : NULL;
    seal_detection_add(detection, id);
    return TRUE;
}

static gboolean walk_signatures(SealDetection *detection, PgpOctets *octets, guint *count)
{
    for (*count = 0;; ++*count) {
        PgpPacket packet;
        gboolean none;

        if (!pgp_packet_next(&packet, octets, &none))
            return FALSE;
        if (none)
            return *count > 0 || pgp_octets_fail(octets, "there is no signature packet");
        if (*count == MAX_SIGNATURES)
            return pgp_octets_fail(
                octets, "there are more than " G_STRINGIFY(MAX_SIGNATURES) " signatures");
        if (!add_signer(detection, &packet))
            return FALSE;
    }
}

static gboolean look_at_signature(SealContent *armor, SealDetection *detection,
                                  GCancellable *cancellable, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read(armor);
    g_auto(PgpOctets) octets = {0};
    guint count;

    pgp_octets_init(&octets, in, "SIGNATURE", FALSE, cancellable);
    if (walk_signatures(detection, &octets, &count)) {
        set_detection(detection, SEAL_DETECTED_SIGNED, 0, "OpenPGP, signed only");
    } else if (octets.error) {
        g_propagate_error(error, g_steal_pointer(&octets.error));
        return FALSE;
    } else {
        set_detection(detection, SEAL_DETECTED_NOTHING, 0, "no OpenPGP signature: %s",
                      octets.fault);
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The MIME structure
 */

static gboolean is_unencoded(SealEntity *entity)
{
    const char *encoding = seal_entity_encoding(entity);

    return g_str_equal(encoding, "7bit") || g_str_equal(encoding, "8bit") ||
           g_str_equal(encoding, "binary");
}

static gboolean is_repeated(SealEntity *entity)
{
    return seal_entity_count(entity, "Content-Type") > 1 ||
           seal_entity_count(entity, "Content-Transfer-Encoding") > 1;
}

/* A slice as text; NULL where it is larger than @max or has a NUL. */
static char *slice_text(SealContent *content, guint64 offset, guint64 length, gsize max)
{
    g_autoptr(SealContent) slice = seal_content_slice(content, offset, length);
    g_autoptr(GBytes) bytes = seal_content_to_bytes(slice, max, NULL);
    gsize size;

    if (!bytes)
        return NULL;
    const char *data = g_bytes_get_data(bytes, &size);
    return size > 0 && memchr(data, 0, size) ? NULL : g_strndup(data, size);
}

static gboolean is_blank(const char *text)
{
    return text && text[strspn(text, " \t\r\n")] == '\0';
}

/* How long the delimiter is that stands at the start of @text, blank lines before it included where
 * @first; zero where none does. */
static gsize delimiter_length(const char *text, const char *boundary, gboolean first)
{
    const char *at = text;

    if (first) {
        at += strspn(at, " \t\r\n");
        if (at > text && at[-1] != '\n')
            return 0;
    } else {
        at += *at == '\r';
        if (*at++ != '\n')
            return 0;
    }
    if (!g_str_has_prefix(at, "--") || !g_str_has_prefix(at + 2, boundary))
        return 0;
    at += 2 + strlen(boundary);
    at += strspn(at, " \t");
    at += *at == '\r';
    return *at == '\n' ? (gsize)(at + 1 - text) : 0;
}

/* After the last part: the closing delimiter and nothing else. */
static gboolean is_end(const char *text, const char *boundary)
{
    text += *text == '\r';
    if (*text++ != '\n' || !g_str_has_prefix(text, "--"))
        return FALSE;
    text += 2;
    if (!g_str_has_prefix(text, boundary))
        return FALSE;
    text += strlen(boundary);
    return g_str_has_prefix(text, "--") && is_blank(text + 2);
}

/* Between the parts stand their delimiters: no word before the first, none after the last. */
static gboolean nothing_beside(SealEntity *entity, GPtrArray *parts)
{
    SealContent *body = seal_entity_body(entity);
    const char *boundary = seal_entity_parameter(entity, "boundary");
    guint64 at = 0;

    for (guint i = 0; i < parts->len; i++) {
        g_autofree char *text = slice_text(body, at, MAX_OUTSIDE / 2, MAX_OUTSIDE);
        gsize length = text ? delimiter_length(text, boundary, i == 0) : 0;

        if (length == 0)
            return FALSE;
        at += length + seal_content_size(seal_entity_content(g_ptr_array_index(parts, i)));
    }
    g_autofree char *rest = slice_text(body, at, G_MAXUINT64, MAX_OUTSIDE);
    return rest && is_end(rest, boundary);
}

static gboolean has_short_header(SealEntity *part)
{
    return seal_content_size(seal_entity_content(part)) -
               seal_content_size(seal_entity_body(part)) <=
           MAX_OUTSIDE;
}

static gboolean is_control(SealEntity *part)
{
    g_autofree char *text = slice_text(seal_entity_body(part), 0, G_MAXUINT64, MAX_CONTROL);

    if (!text || !g_str_equal(seal_entity_type(part), "application/pgp-encrypted") ||
        !is_unencoded(part) || is_repeated(part) || !has_short_header(part))
        return FALSE;
    g_strstrip(text);
    return g_ascii_strcasecmp(text, "Version: 1") == 0;
}

static gboolean is_payload(SealEntity *part)
{
    return g_str_equal(seal_entity_type(part), "application/octet-stream") && is_unencoded(part) &&
           !is_repeated(part) && has_short_header(part);
}

/* Exchange turns multipart/encrypted into multipart/mixed, with an empty text before it. */
static gboolean is_empty_text(SealEntity *part)
{
    g_autofree char *text = slice_text(seal_entity_body(part), 0, G_MAXUINT64, MAX_CONTROL);

    return g_str_equal(seal_entity_type(part), "text/plain") && is_blank(text) &&
           has_short_header(part);
}

static const char *check_encrypted(SealEntity *entity, GPtrArray *parts, guint lead)
{
    if (is_repeated(entity) || !is_unencoded(entity))
        return "its header repeats a Content field, or names a transfer encoding";
    if (parts->len != lead + 2)
        return "it does not have exactly two parts";
    if (lead > 0 && !is_empty_text(g_ptr_array_index(parts, 0)))
        return "the first of its three parts is not an empty text";
    if (!is_control(g_ptr_array_index(parts, lead)))
        return "the part before the ciphertext is not application/pgp-encrypted with Version: 1";
    if (!is_payload(g_ptr_array_index(parts, lead + 1)))
        return "the part with the ciphertext is not a plain application/octet-stream";
    return nothing_beside(entity, parts) ? NULL
                                         : "there is text before, between or after its parts";
}

/* Is there anything in it that somebody has encrypted? */
static gboolean has_control(GPtrArray *parts)
{
    for (guint i = 0; i < parts->len; i++) {
        if (g_str_equal(seal_entity_type(g_ptr_array_index(parts, i)), "application/pgp-encrypted"))
            return TRUE;
    }
    return FALSE;
}

static gboolean detect_encrypted(SealEntity *entity, GPtrArray *parts, gboolean mixed,
                                 SealDetection *detection, GCancellable *cancellable,
                                 GError **error)
{
    guint lead = mixed && parts->len == 3 ? 1 : 0;

    if (mixed && !has_control(parts)) {
        set_detection(detection, SEAL_DETECTED_NOTHING, 0, "not PGP/MIME");
        return TRUE;
    }
    const char *fault = check_encrypted(entity, parts, lead);
    if (fault) {
        set_detection(detection, has_control(parts) ? SEAL_DETECTED_PARTLY : SEAL_DETECTED_NOTHING,
                      0, "not whole PGP/MIME: %s", fault);
        return TRUE;
    }
    return look_at_message(seal_entity_body(g_ptr_array_index(parts, lead + 1)), detection,
                           cancellable, error);
}

static gboolean detect_signed(SealEntity *entity, GPtrArray *parts, SealDetection *detection,
                              GCancellable *cancellable, GError **error)
{
    SealEntity *last = parts->len == 2 ? g_ptr_array_index(parts, 1) : NULL;

    if (!last || !g_str_equal(seal_entity_type(last), "application/pgp-signature") ||
        !is_unencoded(last) || is_repeated(last) || is_repeated(entity)) {
        set_detection(detection, SEAL_DETECTED_NOTHING, 0, "not signed by PGP/MIME");
        return TRUE;
    }
    return look_at_signature(seal_entity_body(last), detection, cancellable, error);
}

static gboolean claims_to_be(SealEntity *entity, const char *type, const char *protocol)
{
    const char *found = seal_entity_parameter(entity, "protocol");

    return g_str_equal(seal_entity_type(entity), type) && found &&
           g_ascii_strcasecmp(found, protocol) == 0;
}

gboolean pgp_detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                    SealDetection *detection, GError **error)
{
    gboolean mixed = g_str_equal(seal_entity_type(entity), "multipart/mixed");
    gboolean is_signed = claims_to_be(entity, "multipart/signed", "application/pgp-signature");
    g_autoptr(GError) problem = NULL;
    GPtrArray *parts;

    if (!mixed && !is_signed &&
        !claims_to_be(entity, "multipart/encrypted", "application/pgp-encrypted")) {
        set_detection(detection, SEAL_DETECTED_NOTHING, 0, "not PGP/MIME");
        return TRUE;
    }
    if (!seal_entity_parts(entity, &parts, &problem)) {
        /* What has more parts than can be is none of ours; that stops no message. */
        if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT)) {
            set_detection(detection, SEAL_DETECTED_NOTHING, 0, "not PGP/MIME: %s",
                          problem->message);
            return TRUE;
        }
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return is_signed ? detect_signed(entity, parts, detection, cancellable, error)
                     : detect_encrypted(entity, parts, mixed, detection, cancellable, error);
}
