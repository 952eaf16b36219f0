/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * stream.c: content in canonical form (RFC 8551 3.1.1) through OpenSSL's CMS into a stream, piece
 * by piece.
 */
#include "smime.h"

#include <openssl/err.h>

enum { CHUNK = 64 * 1024 };

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
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot finish to %s", verb);
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

gboolean smime_stream(SealContent *entity, CMS_ContentInfo *cms, GOutputStream *out,
                      const char *verb, GCancellable *cancellable, GError **error)
{
    g_auto(SmimeSink) sink = {0};
    g_autoptr(GError) problem = NULL;
    g_autoptr(BIO) end = smime_sink_new(&sink, out, cancellable, error);
    if (!end)
        return FALSE;

    BIO *chain = BIO_new_CMS(end, cms);
    if (!chain) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot begin to %s", verb);
        return FALSE;
    }
    gboolean ok = smime_feed(entity, chain, verb, cancellable, &problem);
    free_chain(chain, end);
    /* A failed write is told by the sink, in the words of the stream. */
    if (!ok && !sink.error) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return smime_sink_finish(&sink, error) && ok;
}
