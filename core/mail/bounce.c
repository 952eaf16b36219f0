/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bounce.c: takes out of a bounce the message that it returns.
 */
#include "core/mail/bounce.h"

#include "core/mail/entity.h"

#include <string.h>

static const char LEFT_OUT[] = "The rest of this message has been left out, since it could not be "
                               "encrypted.";

static SealContent *join_text(SealContent *first, const char *text)
{
    g_autoptr(SealContent) next = seal_content_new_copy(text, strlen(text));

    return seal_content_join(first, next);
}

/* The text for people comes first in a report; what programs read follows. */
static gboolean part_stays(SealEntity *part, guint index)
{
    const char *type = seal_entity_type(part);

    return g_str_equal(type, "message/delivery-status") ||
           g_str_equal(type, "message/global-delivery-status") ||
           g_str_equal(type, "message/disposition-notification") ||
           (index == 0 && g_str_equal(type, "text/plain"));
}

static SealContent *reduce_report(SealEntity *entity, SealContent *front, GPtrArray *parts)
{
    const char *eol = seal_entity_header(entity)->eol;
    const char *boundary = seal_entity_parameter(entity, "boundary");
    g_autofree char *delimiter = g_strconcat("--", boundary, eol, NULL);
    g_autofree char *last = g_strconcat(delimiter, "Content-Type: text/plain", eol, eol, LEFT_OUT,
                                        eol, "--", boundary, "--", eol, NULL);
    SealContent *whole = seal_content_ref(front);

    for (guint i = 0; i < parts->len; i++) {
        SealEntity *part = g_ptr_array_index(parts, i);
        if (!part_stays(part, i))
            continue;

        g_autoptr(SealContent) before = whole;
        g_autoptr(SealContent) opened = join_text(before, delimiter);
        g_autoptr(SealContent) filled = seal_content_join(opened, seal_entity_content(part));
        whole = join_text(filled, eol);
    }
    g_autoptr(SealContent) before = whole;
    return join_text(before, last);
}

/* What is no report has no part of which one could know what it is. */
static SealContent *reduce_other(SealMessage *message)
{
    const char *eol = seal_message_header(message)->eol;
    g_autofree char *text = g_strconcat("Content-Type: text/plain", eol, eol, LEFT_OUT, eol, NULL);
    g_autoptr(SealContent) entity = seal_content_new_copy(text, strlen(text));

    return seal_message_wrap(message, entity);
}

SealContent *seal_bounce_reduce(SealMessage *message, GError **error)
{
    SealEntity *entity = seal_message_entity(message);
    GPtrArray *parts = NULL;

    if (!g_str_equal(seal_entity_type(entity), "multipart/report"))
        return reduce_other(message);
    if (!seal_entity_parts(entity, &parts, error))
        return NULL;
    if (parts->len == 0)
        return reduce_other(message);

    g_autoptr(SealContent) clear = seal_message_clear(message);
    g_autoptr(SealMessage) again = seal_message_new(clear, error);
    if (!again)
        return NULL;
    g_autoptr(SealContent) front =
        seal_content_slice(clear, 0, seal_message_header(again)->body_offset);
    return reduce_report(entity, front, parts);
}
