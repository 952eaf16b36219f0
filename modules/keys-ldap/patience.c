/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * patience.c: a layer between libldap's TLS and its socket. With GnuTLS libldap asks a socket that
 * does not block again and again while hands are shaken, and waits for ever at one that does,
 * whatever its options say; so the waiting is done here, and has an end.
 */
#include "keys-ldap.h"

#include <errno.h>
#include <poll.h>

enum { LOOK_MS = 250 };

/* FALSE, with errno: the time is over. */
static gboolean await_socket(const LdapPatience *patience, short events)
{
    struct pollfd fd = {.fd = patience->socket, .events = events};

    for (;;) {
        gint64 left = (patience->until - g_get_monotonic_time()) / 1000;

        if (left <= 0 || g_cancellable_is_cancelled(patience->cancellable)) {
            errno = ETIMEDOUT;
            return FALSE;
        }
        if (poll(&fd, 1, (int)MIN(left + 1, LOOK_MS)) > 0)
            return TRUE;
    }
}

static int patience_setup(Sockbuf_IO_Desc *layer, void *argument)
{
    layer->sbiod_pvt = argument;
    return 0;
}

static int patience_nothing(Sockbuf_IO_Desc *layer)
{
    (void)layer;
    return 0;
}

static int patience_ctrl(Sockbuf_IO_Desc *layer, int option, void *argument)
{
    return LBER_SBIOD_CTRL_NEXT(layer, option, argument);
}

static ber_slen_t patience_read(Sockbuf_IO_Desc *layer, void *octets, ber_len_t length)
{
    const LdapPatience *patience = layer->sbiod_pvt;

    if (patience->until && !await_socket(patience, POLLIN))
        return -1;
    return LBER_SBIOD_READ_NEXT(layer, octets, length);
}

static ber_slen_t patience_write(Sockbuf_IO_Desc *layer, void *octets, ber_len_t length)
{
    const LdapPatience *patience = layer->sbiod_pvt;

    if (patience->until && !await_socket(patience, POLLOUT))
        return -1;
    return LBER_SBIOD_WRITE_NEXT(layer, octets, length);
}

gboolean ldap_patience_add(LdapPatience *patience, Sockbuf *buffer)
{
    static Sockbuf_IO layer = {
        .sbi_setup = patience_setup,
        .sbi_remove = patience_nothing,
        .sbi_ctrl = patience_ctrl,
        .sbi_read = patience_read,
        .sbi_write = patience_write,
        .sbi_close = patience_nothing,
    };

    return ber_sockbuf_add_io(buffer, &layer, LBER_SBIOD_LEVEL_PROVIDER + 1, patience) == 0;
}
