/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/runner/input.h"

#include "filters/runner/runner.h"

#include <errno.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024 };

SealContent *runner_read_message(const SealService *service, GError **error)
{
    g_autoptr(GOutputStream) spool = seal_service_spool(service);
    g_autofree guint8 *buffer = g_malloc(BUFFER);
    ssize_t got;

    /* As much as is there: each wait has a limit of its own. */
    do {
        runner_watch_idle();
        got = read(STDIN_FILENO, buffer, BUFFER);
        if (got > 0 && !g_output_stream_write_all(spool, buffer, (gsize)got, NULL, NULL, error))
            return NULL;
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got == 0)
        return seal_spool_finish(spool, error);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                "cannot read the message from standard input: %s", g_strerror(errno));
    return NULL;
}

gboolean runner_is_message(const SealContent *content, GError **error)
{
    if (seal_content_size(content) > 0)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MESSAGE, "no message: the input is empty");
    return FALSE;
}
