/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/worker/input.h"

#include "filters/worker/file.h"

#include <string.h>

enum { MAX_RETURN_PATH = 8 * 1024 };

SealContent *worker_read_message(const WorkerTask *task, GError **error)
{
    if (task->message >= 0)
        return worker_read_file(task->message, 0, error);
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "there is no message in the request");
    return NULL;
}

gboolean worker_is_message(const SealContent *content, GError **error)
{
    if (seal_content_size(content) > 0)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MESSAGE, "no message: the input is empty");
    return FALSE;
}

/* Behind the field that @data begins with, folded lines included; 0 where its end is not in sight.
 */
static gsize field_end(const char *data, gsize size)
{
    const char *end = memchr(data, '\n', size);

    while (end && end + 1 < data + size && (end[1] == ' ' || end[1] == '\t'))
        end = memchr(end + 1, '\n', size - (gsize)(end + 1 - data));
    return end && end + 1 < data + size ? (gsize)(end + 1 - data) : 0;
}

SealContent *worker_without_return_path(SealContent *message)
{
    static const char name[] = "Return-path:";
    g_autoptr(SealContent) front = seal_content_slice(message, 0, MAX_RETURN_PATH);
    g_autoptr(GBytes) bytes = seal_content_to_bytes(front, MAX_RETURN_PATH, NULL);
    gsize size = 0;
    const char *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;

    if (size < strlen(name) || g_ascii_strncasecmp(data, name, strlen(name)) != 0)
        return seal_content_ref(message);
    return seal_content_slice(message, field_end(data, size), G_MAXUINT64);
}
