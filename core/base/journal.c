/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * journal.c: an entry of the journal: through its own library or, in a build without, through GLib.
 */
#include "core/base/journal.h"

#include <string.h>
#include <unistd.h>

#ifdef SEAL_JOURNAL

/* A place in this file would say nothing. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

/* Nobody there is success to sd_journal_sendv(), and a line that is lost. */
gboolean seal_journal_send(GPtrArray *fields)
{
    g_autofree struct iovec *parts = g_new(struct iovec, fields->len);

    for (guint i = 0; i < fields->len; i++) {
        char *field = g_ptr_array_index(fields, i);
        parts[i] = (struct iovec){field, strlen(field)};
    }
    return access(SEAL_JOURNAL_SOCKET, F_OK) == 0 && sd_journal_sendv(parts, (int)fields->len) == 0;
}

#else

gboolean seal_journal_send(GPtrArray *fields)
{
    g_autofree GLogField *parts = g_new(GLogField, fields->len);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < fields->len; i++) {
        const char *field = g_ptr_array_index(fields, i);
        gsize length = strcspn(field, "=");

        g_ptr_array_add(names, g_strndup(field, length));
        parts[i] = (GLogField){g_ptr_array_index(names, i), field + length + 1, -1};
    }
    return g_log_writer_journald(G_LOG_LEVEL_MESSAGE, parts, fields->len, NULL) ==
           G_LOG_WRITER_HANDLED;
}

#endif
