/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sink.c: where OpenSSL's stream of ciphertext ends: a BIO that writes base64 lines into a GIO
 * stream, in large pieces.
 */
#include "smime.h"

#include <string.h>

enum { BUFFER = 64 * 1024 };

static gboolean drain(SmimeSink *sink)
{
    gboolean ok =
        sink->used == 0 || g_output_stream_write_all(sink->out, sink->buffer, sink->used, NULL,
                                                     sink->cancellable, &sink->error);

    sink->used = 0;
    return ok;
}

static gboolean put_line(SmimeSink *sink, const guint8 *data, gsize length)
{
    if (sink->used + SMIME_LINE_CHARS > BUFFER && !drain(sink))
        return FALSE;
    sink->used += smime_encode_line(&sink->encoder, data, length, sink->buffer + sink->used);
    return TRUE;
}

static gboolean put(SmimeSink *sink, const guint8 *data, gsize length)
{
    if (sink->pending > 0) {
        gsize more = MIN(length, SMIME_LINE_OCTETS - sink->pending);

        memcpy(sink->line + sink->pending, data, more);
        sink->pending += more;
        data += more;
        length -= more;
        if (sink->pending < SMIME_LINE_OCTETS)
            return TRUE;
        if (!put_line(sink, sink->line, sink->pending))
            return FALSE;
        sink->pending = 0;
    }
    for (; length >= SMIME_LINE_OCTETS; data += SMIME_LINE_OCTETS, length -= SMIME_LINE_OCTETS) {
        if (!put_line(sink, data, SMIME_LINE_OCTETS))
            return FALSE;
    }
    memcpy(sink->line, data, length);
    sink->pending = length;
    return TRUE;
}

static int bio_write(BIO *bio, const char *data, size_t length, size_t *written)
{
    SmimeSink *sink = BIO_get_data(bio);

    *written = 0;
    if (sink->error || !put(sink, (const guint8 *)data, length))
        return 0;
    *written = length;
    return 1;
}

/* OpenSSL flushes now and then; the last line is written by smime_sink_finish(). */
static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH && !((SmimeSink *)BIO_get_data(bio))->error;
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

BIO *smime_sink_new(SmimeSink *sink, GOutputStream *out, GCancellable *cancellable, GError **error)
{
    const BIO_METHOD *method = bio_method();
    BIO *bio = method ? BIO_new(method) : NULL;

    if (!bio) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot prepare to write ciphertext");
        return NULL;
    }
    sink->out = out;
    sink->cancellable = cancellable;
    sink->buffer = g_malloc(BUFFER);
    smime_encoder_init(&sink->encoder);
    BIO_set_data(bio, sink);
    BIO_set_init(bio, 1);
    return bio;
}

gboolean smime_sink_finish(SmimeSink *sink, GError **error)
{
    if (!sink->error && sink->pending > 0 && put_line(sink, sink->line, sink->pending))
        sink->pending = 0;
    if (!sink->error)
        drain(sink);
    if (!sink->error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&sink->error));
    return FALSE;
}

void smime_sink_clear(SmimeSink *sink)
{
    g_clear_pointer(&sink->buffer, g_free);
    g_clear_error(&sink->error);
}
