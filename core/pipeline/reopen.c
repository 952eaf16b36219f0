/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * reopen.c: opens what a rehearsal has sealed, as its reader would.
 */
#include "core/pipeline/dispatcher.h"
#include "core/plugin/calls.h"

enum { MAX_OPENED = 16 * 1024 * 1024 }; /* octets that are compared */

/* In canonical form. (transfer full) */
static GBytes *canonical_bytes(SealContent *content, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read_canonical(content);
    g_autoptr(GOutputStream) out = g_memory_output_stream_new_resizable();

    if (seal_content_size(content) > MAX_OPENED) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "it is too large to be compared");
        return NULL;
    }
    if (g_output_stream_splice(out, in, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, error) < 0)
        return NULL;
    return g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(out));
}

static gboolean is_same(SealContent *opened, SealContent *sealed, gboolean *same, GError **error)
{
    g_autoptr(GBytes) one = canonical_bytes(opened, error);
    g_autoptr(GBytes) other = one ? canonical_bytes(sealed, error) : NULL;

    *same = other && g_bytes_equal(one, other);
    return other != NULL;
}

/* (transfer full) */
static SealContent *open_delivery(SealDispatcher *self, const SealDelivery *delivery,
                                  GError **error)
{
    const SealFormatEntry *format = seal_registry_format(self->registry, delivery->format);
    g_autoptr(SealMessage) message = seal_message_new(delivery->content, error);
    g_autoptr(SealDetection) detection = seal_detection_new();

    return message ? seal_format_open(format, seal_message_entity(message), NULL, detection, error)
                   : NULL;
}

/* FALSE where it was opened, and is something else. */
static gboolean put_opened(SealDispatcher *self, const SealDelivery *delivery, SealOut *out)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(SealContent) opened = open_delivery(self, delivery, &problem);
    gboolean same = FALSE;
    gboolean told = opened && is_same(opened, delivery->inner, &same, &problem);

    seal_out_row(out, "opened");
    seal_out_number(out, "delivery", delivery->number);
    seal_out_text(out, "format", "%s", delivery->format);
    seal_out_boolean(out, "opened", opened != NULL);
    seal_out_boolean(out, "same", same);
    seal_out_text(out, "text", "%s",
                  problem ? problem->message
                  : same  ? "opened again with a private key that is here: it is what was sealed"
                          : "opened again, and it is not what was sealed");
    seal_out_end_row(out);
    return !told || same;
}

gboolean seal_dispatcher_reopen(SealDispatcher *self, SealJob *job, SealOut *out)
{
    gboolean ok = TRUE;

    seal_out_list(out, "opened");
    for (guint i = 0; i < job->deliveries->len; i++) {
        const SealDelivery *delivery = g_ptr_array_index(job->deliveries, i);

        if (delivery->choice == SEAL_CHOICE_SEAL && delivery->inner)
            ok = put_opened(self, delivery, out) && ok;
    }
    return ok;
}
