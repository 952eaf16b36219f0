/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * stream.c: content in canonical form (RFC 8551 3.1.1) through OpenSSL's CMS into lines of base64,
 * piece by piece.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

enum {
    CHUNK = 64 * 1024,
    LINE_OCTETS = 57, /* make a line of 76 characters (RFC 2045 6.8) */
    LINE_CHARS = 77,  /* with its LF */
};

/* -------------------------------------------------------------------------------------------
 * Where it ends: a BIO that writes base64 lines into a GIO stream, in large pieces
 */

typedef struct {
    GOutputStream *out;
    GCancellable *cancellable;
    GError *error; /* the first one: it is told in the words of the stream, not of OpenSSL */
    guint8 line[LINE_OCTETS];
    gsize pending; /* octets of an unfinished line */
    char *buffer;
    gsize used;
} Sink;

static void sink_clear(Sink *sink)
{
    g_clear_pointer(&sink->buffer, g_free);
    g_clear_error(&sink->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sink, sink_clear)

static gboolean sink_drain(Sink *sink)
{
    gboolean ok =
        sink->used == 0 || g_output_stream_write_all(sink->out, sink->buffer, sink->used, NULL,
                                                     sink->cancellable, &sink->error);

    sink->used = 0;
    return ok;
}

static gboolean sink_put_line(Sink *sink, const guint8 *data, gsize length)
{
    if (sink->used + LINE_CHARS > CHUNK && !sink_drain(sink))
        return FALSE;
    sink->used += seal_base64_encode(data, length, sink->buffer + sink->used);
    sink->buffer[sink->used++] = '\n';
    return TRUE;
}

static gboolean sink_put(Sink *sink, const guint8 *data, gsize length)
{
    if (sink->pending > 0) {
        gsize more = MIN(length, LINE_OCTETS - sink->pending);

        memcpy(sink->line + sink->pending, data, more);
        sink->pending += more;
        data += more;
        length -= more;
        if (sink->pending < LINE_OCTETS)
            return TRUE;
        if (!sink_put_line(sink, sink->line, sink->pending))
            return FALSE;
    }
    for (; length >= LINE_OCTETS; data += LINE_OCTETS, length -= LINE_OCTETS) {
        if (!sink_put_line(sink, data, LINE_OCTETS))
            return FALSE;
    }
    memcpy(sink->line, data, length);
    sink->pending = length;
    return TRUE;
}

static int bio_write(BIO *bio, const char *data, size_t length, size_t *written)
{
    Sink *sink = BIO_get_data(bio);

    *written = 0;
    if (sink->error || !sink_put(sink, (const guint8 *)data, length))
        return 0;
    *written = length;
    return 1;
}

/* OpenSSL flushes now and then; the last line is written by sink_finish(). */
static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH && !((Sink *)BIO_get_data(bio))->error;
}

/* Made once: OpenSSL's stock of type numbers is small. */
static const BIO_METHOD *bio_method(void)
{
    static gsize once = 0;

    if (g_once_init_enter(&once)) {
        BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sealpipe");

        if (method &&
            (!BIO_meth_set_write_ex(method, bio_write) || !BIO_meth_set_ctrl(method, bio_ctrl)))
            g_clear_pointer(&method, BIO_meth_free);
        g_once_init_leave(&once, method ? (gsize)method : 1);
    }
    return once == 1 ? NULL : (const BIO_METHOD *)once;
}

/* A BIO over @sink, which must outlive it. (transfer full) */
static BIO *sink_bio(Sink *sink, GError **error)
{
    const BIO_METHOD *method = bio_method();
    BIO *bio = method ? BIO_new(method) : NULL;

    if (!bio) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot prepare to write CMS");
        return NULL;
    }
    sink->buffer = g_malloc(CHUNK);
    BIO_set_data(bio, sink);
    BIO_set_init(bio, 1);
    return bio;
}

/* Writes what is pending. The first error of all writes is returned here. */
static gboolean sink_finish(Sink *sink, GError **error)
{
    if (!sink->error && (sink->pending == 0 || sink_put_line(sink, sink->line, sink->pending)) &&
        sink_drain(sink))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&sink->error));
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What goes in
 */

gboolean smime_write_text(GOutputStream *out, const char *text, GCancellable *cancellable,
                          GError **error)
{
    return g_output_stream_write_all(out, text, strlen(text), NULL, cancellable, error);
}

gboolean smime_write_der(CMS_ContentInfo *cms, GOutputStream *out, GCancellable *cancellable,
                         GError **error)
{
    g_auto(Sink) sink = {.out = out, .cancellable = cancellable};
    g_autoptr(BIO) bio = sink_bio(&sink, error);

    if (!bio)
        return FALSE;
    if (i2d_CMS_bio(bio, cms) <= 0 && !sink.error) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot write the signature");
        return FALSE;
    }
    ERR_clear_error();
    return sink_finish(&sink, error);
}

gboolean smime_feed(SealContent *entity, BIO *to, const char *verb, GCancellable *cancellable,
                    GError **error)
{
    g_autoptr(GInputStream) from = seal_content_read_canonical(entity);
    g_autofree guint8 *buffer = g_malloc(CHUNK);

    for (;;) {
        gssize got = g_input_stream_read(from, buffer, CHUNK, cancellable, error);

        if (got < 0)
            return FALSE;
        if (got == 0)
            break;
        if (BIO_write(to, buffer, (int)got) != (int)got) {
            smime_set_error(error, SEAL_ERROR_FAILED, "cannot %s", verb);
            return FALSE;
        }
    }
    if (BIO_flush(to) > 0)
        return TRUE;
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot %s to the end", verb);
    return FALSE;
}

/* Frees the BIOs that OpenSSL put before ours, and leaves ours. */
static void free_chain(BIO *chain, BIO *end)
{
    while (chain != end) {
        BIO *next = BIO_pop(chain);
        BIO_free(chain);
        chain = next;
    }
    ERR_clear_error();
}

static gboolean write_stream(SealContent *entity, CMS_ContentInfo *cms, GOutputStream *out,
                             const char *verb, GCancellable *cancellable, GError **error)
{
    g_auto(Sink) sink = {.out = out, .cancellable = cancellable};
    g_autoptr(GError) problem = NULL;
    g_autoptr(BIO) end = sink_bio(&sink, error);
    if (!end)
        return FALSE;

    BIO *chain = BIO_new_CMS(end, cms);
    if (!chain) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot begin to %s", verb);
        return FALSE;
    }
    gboolean ok = smime_feed(entity, chain, verb, cancellable, &problem);
    free_chain(chain, end);
    if (!ok && !sink.error) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return sink_finish(&sink, error) && ok;
}

static gboolean write_bytes(BIO *bio, GBytes *bytes)
{
    gsize length = 0;
    gconstpointer data = g_bytes_get_data(bytes, &length);

    return length == 0 || BIO_write(bio, data, (int)length) == (int)length;
}

static gboolean write_between(GBytes *front, SealContent *entity, GBytes *back, GOutputStream *out,
                              const char *verb, GCancellable *cancellable, GError **error)
{
    g_auto(Sink) sink = {.out = out, .cancellable = cancellable};
    g_autoptr(GError) problem = NULL;
    g_autoptr(BIO) end = sink_bio(&sink, error);

    if (!end)
        return FALSE;
    gboolean ok = write_bytes(end, front) && smime_feed(entity, end, verb, cancellable, &problem) &&
                  write_bytes(end, back);
    ERR_clear_error();
    if (!ok && !sink.error && problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return sink_finish(&sink, error) && ok;
}

/* They stand on one line each, since some readers do not unfold them. */
static gboolean write_fields(GOutputStream *out, const char *smime_type, GCancellable *cancellable,
                             GError **error)
{
    g_autofree char *fields =
        g_strdup_printf("Content-Type: application/pkcs7-mime; smime-type=%s; name=\"smime.p7m\"\n"
                        "Content-Transfer-Encoding: base64\n"
                        "Content-Disposition: attachment; filename=\"smime.p7m\"\n"
                        "\n",
                        smime_type);

    return smime_write_text(out, fields, cancellable, error);
}

SealContent *smime_enclose(SealModule *self, SealContent *entity, CMS_ContentInfo *cms,
                           const char *smime_type, const char *verb, GCancellable *cancellable,
                           GError **error)
{
    g_autoptr(GOutputStream) out = seal_module_spool(self);

    if (!write_fields(out, smime_type, cancellable, error) ||
        !write_stream(entity, cms, out, verb, cancellable, error))
        return NULL;
    return seal_spool_finish(out, error);
}

SealContent *smime_enclose_between(SealModule *self, GBytes *front, SealContent *entity,
                                   GBytes *back, const char *smime_type, const char *verb,
                                   GCancellable *cancellable, GError **error)
{
    g_autoptr(GOutputStream) out = seal_module_spool(self);

    if (!write_fields(out, smime_type, cancellable, error) ||
        !write_between(front, entity, back, out, verb, cancellable, error))
        return NULL;
    return seal_spool_finish(out, error);
}
