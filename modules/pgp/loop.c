/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loop.c: waits for gpg in GPGME's place. GPGME's own loop never ends where gpg dies while the pipe
 * to it is full: poll then says POLLERR alone, which GPGME does not take for an event.
 */
#include "loop.h"

#include <errno.h>
#include <poll.h>

enum { PATIENCE = 500 }; /* milliseconds between looks at the cancellable */

typedef struct {
    int fd; /* -1: no longer wanted */
    short events;
    gpgme_io_cb_t call;
    void *data;
} Watch;

static gpgme_error_t add_watch(void *data, int fd, int reads, gpgme_io_cb_t call, void *call_data,
                               void **tag)
{
    PgpLoop *loop = data;
    Watch *watch = g_new0(Watch, 1);

    watch->fd = fd;
    watch->events = reads ? POLLIN : POLLOUT;
    watch->call = call;
    watch->data = call_data;
    g_ptr_array_add(loop->watches, watch);
    *tag = watch;
    return 0;
}

/* It may be removed from within its own call, or another's. */
static void remove_watch(void *tag)
{
    ((Watch *)tag)->fd = -1;
}

static void take_event(void *data, gpgme_event_io_t type, void *type_data)
{
    PgpLoop *loop = data;

    if (type == GPGME_EVENT_NEXT_KEY) {
        g_ptr_array_add(loop->keys, type_data);
    } else if (type == GPGME_EVENT_DONE) {
        const struct gpgme_io_event_done_data *done = type_data;

        loop->done = TRUE;
        loop->problem = done->err ? done->err : done->op_err;
    }
}

void pgp_loop_init(PgpLoop *loop, gpgme_ctx_t ctx)
{
    struct gpgme_io_cbs calls = {add_watch, loop, remove_watch, take_event, loop};

    loop->watches = g_ptr_array_new_with_free_func(g_free);
    loop->keys = g_ptr_array_new_with_free_func((GDestroyNotify)gpgme_key_unref);
    gpgme_set_io_cbs(ctx, &calls);
}

void pgp_loop_clear(PgpLoop *loop)
{
    g_clear_pointer(&loop->watches, g_ptr_array_unref);
    g_clear_pointer(&loop->keys, g_ptr_array_unref);
}

static void forget_removed(PgpLoop *loop)
{
    for (guint i = loop->watches->len; i > 0; i--) {
        if (((Watch *)g_ptr_array_index(loop->watches, i - 1))->fd < 0)
            g_ptr_array_remove_index(loop->watches, i - 1);
    }
}

/* Whatever poll says of a descriptor is for its call to find out: it reads the end, or EPIPE. */
static void call_ready(PgpLoop *loop, const struct pollfd *fds, guint count)
{
    for (guint i = 0; i < count && !loop->done; i++) {
        Watch *watch = g_ptr_array_index(loop->watches, i);

        if (fds[i].revents && watch->fd == fds[i].fd)
            watch->call(watch->data, watch->fd);
    }
}

static gboolean wait_once(PgpLoop *loop)
{
    guint count = loop->watches->len;
    g_autofree struct pollfd *fds = g_new0(struct pollfd, count);

    for (guint i = 0; i < count; i++) {
        const Watch *watch = g_ptr_array_index(loop->watches, i);

        fds[i].fd = watch->fd;
        fds[i].events = watch->events;
    }
    if (poll(fds, count, PATIENCE) < 0)
        return errno == EINTR;
    call_ready(loop, fds, count);
    return TRUE;
}

gpgme_error_t pgp_loop_run(PgpLoop *loop, gpgme_ctx_t ctx, GCancellable *cancellable)
{
    while (!loop->done) {
        forget_removed(loop);
        if (loop->watches->len == 0)
            return gpgme_error(GPG_ERR_EOF);
        if (g_cancellable_is_cancelled(cancellable)) {
            gpgme_cancel(ctx);
            return gpgme_error(GPG_ERR_CANCELED);
        }
        if (!wait_once(loop)) {
            gpgme_cancel(ctx);
            return gpgme_error_from_errno(errno);
        }
    }
    return loop->problem;
}
