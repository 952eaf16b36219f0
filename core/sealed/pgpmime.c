/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pgpmime.c: PGP/MIME (RFC 3156), and what Exchange makes of it. The MIME structure says whether to
 * look; what is there is said by armour and packets alone. Nothing stands beside the ciphertext but
 * what mail programs are known to write there.
 */
#include "core/mail/entity.h"
#include "core/mail/preamble.h"
#include "core/sealed/known.h"
#include "core/sealed/openpgp.h"

#include <string.h>

enum {
    MAX_CONTROL = 1024, /* the part that says Version: 1 */
    MAX_OUTSIDE = 4096, /* what stands before the first delimiter, or behind the last */
};

G_GNUC_PRINTF(3, 4)
static void set_detection(SealDetection *detection, SealDetected what, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_detection_set(detection, what, 0, text);
}

/* As text; NULL where it is larger than @max or has a NUL. (transfer full) */
static char *read_text(SealContent *content, gsize max)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(content, max, NULL);
    gsize size;

    if (!bytes)
        return NULL;
    const char *data = g_bytes_get_data(bytes, &size);
    return size > 0 && memchr(data, 0, size) ? NULL : g_strndup(size > 0 ? data : "", size);
}

static gboolean is_blank(const char *text)
{
    return text && text[strspn(text, " \t\r\n")] == '\0';
}

/* The body without its transfer encoding, likewise. (transfer full) */
static char *decode_text(SealEntity *part, gsize max)
{
    g_autoptr(GInputStream) in = seal_content_read(seal_entity_body(part));
    g_autofree guint8 *out = g_malloc(max + 1);
    gsize length = 0, got = 0;
    SealBodyEncoding encoding;
    SealBody body;

    if (seal_content_size(seal_entity_body(part)) > max || !seal_body_encoding(part, &encoding))
        return NULL;
    seal_body_init(&body, in, encoding, NULL);
    gboolean ok = TRUE;
    while ((ok = length + SEAL_BODY_ROOM < max &&
                 seal_body_read(&body, out + length, max - length, &got)) &&
           got > 0)
        length += got;
    seal_body_clear(&body);
    return ok && !memchr(out, 0, length) ? g_strndup((const char *)out, length) : NULL;
}

static gboolean is_control(SealEntity *part)
{
    g_autofree char *text = decode_text(part, MAX_CONTROL);

    if (!text || !g_str_equal(seal_entity_type(part), "application/pgp-encrypted"))
        return FALSE;
    g_strstrip(text);
    return g_ascii_strcasecmp(text, "Version: 1") == 0;
}

static gboolean is_payload(SealEntity *part)
{
    SealBodyEncoding encoding;

    return g_str_equal(seal_entity_type(part), "application/octet-stream") &&
           seal_body_encoding(part, &encoding);
}

/* Exchange turns multipart/encrypted into multipart/mixed, with an empty text before it. */
static gboolean is_empty_text(SealEntity *part)
{
    g_autofree char *text = decode_text(part, MAX_CONTROL);

    return g_str_equal(seal_entity_type(part), "text/plain") && is_blank(text);
}

static const char *check_outside(SealEntity *entity)
{
    SealContent *body = seal_entity_body(entity);
    guint64 start, end;

    if (!seal_entity_frame(entity, &start, &end))
        return "the line that ends its parts is missing";
    g_autoptr(SealContent) before = seal_content_slice(body, 0, start);
    g_autoptr(SealContent) after = seal_content_slice(body, end, G_MAXUINT64);
    g_autofree char *preamble = read_text(before, MAX_OUTSIDE);
    g_autofree char *epilogue = read_text(after, MAX_OUTSIDE);
    return preamble && seal_preamble_is_known(preamble) && is_blank(epilogue)
               ? NULL
               : "there is text before or after its parts";
}

static const char *check_fields(SealEntity *entity, GPtrArray *parts)
{
    const char *fault = seal_known_fields(entity, FALSE);

    for (guint i = 0; i < parts->len && !fault; i++)
        fault = seal_known_fields(g_ptr_array_index(parts, i), TRUE);
    return fault;
}

static const char *check_encrypted(SealEntity *entity, GPtrArray *parts, guint lead)
{
    SealBodyEncoding encoding;

    if (!seal_body_encoding(entity, &encoding) || encoding != SEAL_BODY_PLAIN)
        return "its header names a transfer encoding";
    if (parts->len != lead + 2)
        return "it does not have exactly two parts";
    if (lead > 0 && !is_empty_text(g_ptr_array_index(parts, 0)))
        return "the first of its three parts is not an empty text";
    if (!is_control(g_ptr_array_index(parts, lead)))
        return "the part before the ciphertext is not application/pgp-encrypted with Version: 1";
    if (!is_payload(g_ptr_array_index(parts, lead + 1)))
        return "the part with the ciphertext is not an application/octet-stream";
    const char *fault = check_fields(entity, parts);
    return fault ? fault : check_outside(entity);
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
    SealBodyEncoding encoding = SEAL_BODY_PLAIN;

    if (mixed && !has_control(parts)) {
        set_detection(detection, SEAL_DETECTED_NOTHING, "not PGP/MIME");
        return TRUE;
    }
    const char *fault = check_encrypted(entity, parts, lead);
    if (fault) {
        set_detection(detection, has_control(parts) ? SEAL_DETECTED_PARTLY : SEAL_DETECTED_NOTHING,
                      "not whole PGP/MIME: %s", fault);
        return TRUE;
    }
    SealEntity *payload = g_ptr_array_index(parts, lead + 1);
    return seal_body_encoding(payload, &encoding) &&
           seal_openpgp_message(seal_entity_body(payload), encoding, cancellable, detection, error);
}

static gboolean is_repeated(SealEntity *entity)
{
    return seal_entity_count(entity, "Content-Type") > 1 ||
           seal_entity_count(entity, "Content-Transfer-Encoding") > 1;
}

static gboolean detect_signed(SealEntity *entity, GPtrArray *parts, SealDetection *detection,
                              GCancellable *cancellable, GError **error)
{
    SealEntity *last = parts->len == 2 ? g_ptr_array_index(parts, 1) : NULL;
    SealBodyEncoding encoding = SEAL_BODY_PLAIN;

    if (!last || !g_str_equal(seal_entity_type(last), "application/pgp-signature") ||
        !seal_body_encoding(last, &encoding) || is_repeated(last) || is_repeated(entity)) {
        set_detection(detection, SEAL_DETECTED_NOTHING, "not signed by PGP/MIME");
        return TRUE;
    }
    return seal_openpgp_signature(seal_entity_body(last), encoding, cancellable, detection, error);
}

static gboolean claims_to_be(SealEntity *entity, const char *type, const char *protocol)
{
    const char *found = seal_entity_parameter(entity, "protocol");

    return g_str_equal(seal_entity_type(entity), type) && found &&
           g_ascii_strcasecmp(found, protocol) == 0;
}

gboolean seal_openpgp_detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                             SealDetection *detection, GError **error)
{
    gboolean mixed = g_str_equal(seal_entity_type(entity), "multipart/mixed");
    gboolean is_signed = claims_to_be(entity, "multipart/signed", "application/pgp-signature");
    g_autoptr(GError) problem = NULL;
    GPtrArray *parts;

    if (!mixed && !is_signed &&
        !claims_to_be(entity, "multipart/encrypted", "application/pgp-encrypted")) {
        set_detection(detection, SEAL_DETECTED_NOTHING, "not PGP/MIME");
        return TRUE;
    }
    if (!seal_entity_parts(entity, &parts, &problem)) {
        /* What has more parts than can be is none of ours; that stops no message. */
        if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT)) {
            set_detection(detection, SEAL_DETECTED_NOTHING, "not PGP/MIME: %s", problem->message);
            return TRUE;
        }
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return is_signed ? detect_signed(entity, parts, detection, cancellable, error)
                     : detect_encrypted(entity, parts, mixed, detection, cancellable, error);
}
