/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exim.c: fuzzes Exim's spool files: whatever is in one, there is one login at most, and the header
 * is made of octets of the file.
 */
#include "fuzz.h"

#include "filters/worker/exim.h"

#include <string.h>

#define ID "1xXZoK-0000B7-2h"

enum { EXIM = 101 };

/* Behind the login's option nothing else of the file can name another. */
static guint count_logins(const uint8_t *data, size_t size, const char *login)
{
    g_autofree char *end = g_strconcat("auth_id ", login, "\n", NULL);
    const uint8_t *at = data, *stop = data + size;
    guint count = 0;

    while ((at = memmem(at, (gsize)(stop - at), end, strlen(end)))) {
        count++;
        at++;
    }
    return count;
}

static void check(const WorkerExim *spool, const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(spool->header, G_MAXINT32, NULL);
    gsize length = 0;
    const char *header = g_bytes_get_data(bytes, &length);

    g_assert_true(!(spool->login && spool->unproven));
    g_assert_nonnull(spool->sender);
    g_assert_null(strchr(spool->sender, '\n'));
    g_assert_true(length >= 2 && length < size && header[length - 2] == '\n');
    if (!spool->login)
        return;
    g_assert_true(*spool->login && !strchr(spool->login, '\n'));
    /* A local one is of the second line. */
    g_assert_true(count_logins(data, size, spool->login) > 0 ||
                  g_str_has_prefix((const char *)data + strlen(ID "-H\n"), spool->login));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(WorkerExim) spool = {0};
    g_autoptr(GError) error = NULL;

    memcpy(text, data, size);
    if (worker_exim_parse(ID, text, size, EXIM, &spool, &error)) {
        g_assert_no_error(error);
        check(&spool, (const uint8_t *)text, size);
    } else {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
        g_assert_true(!spool.login && !spool.header && !spool.sender);
    }
    return 0;
}
