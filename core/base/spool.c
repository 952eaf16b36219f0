/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * spool.c: content being written: on the heap while it is small, then in an unlinked file.
 */
#include "core/base/spool.h"

#include "core/base/clock.h"
#include "core/base/content.h"
#include "core/base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { COPY_BUFFER = 64 * 1024 };

/* A private subclass; callers see a GOutputStream. */
typedef struct {
    GOutputStream parent;
    char *dir;
    gsize memory;
    GByteArray *heap;
    int fd;
    guint64 length; /* of the file */
} Spool;

typedef GOutputStreamClass SpoolClass;

static GType spool_get_type(void);
G_DEFINE_TYPE(Spool, spool, G_TYPE_OUTPUT_STREAM)

/* A file without a name, so that nothing is left behind however the process ends. */
static int open_unlinked(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;

    g_autofree char *name = g_build_filename(dir, "sealpipe-XXXXXX", NULL);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

int seal_spool_file(const char *dir, GError **error)
{
    int fd = open_unlinked(dir);

    if (fd < 0)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "cannot make a temporary file in %s: %s; see [core] spool_dir", dir,
                    g_strerror(errno));
    return fd;
}

static gboolean write_file(Spool *self, const void *data, gsize count, GError **error)
{
    if (!seal_fd_write(self->fd, data, count)) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "cannot write a temporary file in %s: %s; see [core] spool_dir", self->dir,
                    g_strerror(errno));
        return FALSE;
    }
    self->length += count;
    return TRUE;
}

static gboolean move_to_file(Spool *self, GError **error)
{
    self->fd = seal_spool_file(self->dir, error);
    if (self->fd < 0 || !write_file(self, self->heap->data, self->heap->len, error))
        return FALSE;
    g_clear_pointer(&self->heap, g_byte_array_unref);
    return TRUE;
}

static gssize spool_write(GOutputStream *stream, const void *buffer, gsize count,
                          GCancellable *cancellable, GError **error)
{
    Spool *self = (Spool *)stream;

    if (g_cancellable_set_error_if_cancelled(cancellable, error))
        return -1;
    if (self->fd < 0 && self->heap->len + count > self->memory && !move_to_file(self, error))
        return -1;
    if (self->fd < 0)
        g_byte_array_append(self->heap, buffer, (guint)count);
    else if (!write_file(self, buffer, count, error))
        return -1;
    seal_clock_move();
    return (gssize)count;
}

static void spool_finalize(GObject *object)
{
    Spool *self = (Spool *)object;

    if (self->fd >= 0)
        close(self->fd);
    g_clear_pointer(&self->heap, g_byte_array_unref);
    g_free(self->dir);
    G_OBJECT_CLASS(spool_parent_class)->finalize(object);
}

static void spool_class_init(SpoolClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = spool_finalize;
    klass->write_fn = spool_write;
}

static void spool_init(Spool *self)
{
    self->fd = -1;
    self->heap = g_byte_array_new();
}

GOutputStream *seal_spool_open(const char *dir, gsize memory)
{
    Spool *self = g_object_new(spool_get_type(), NULL);

    self->dir = g_strdup(dir);
    self->memory = memory;
    return G_OUTPUT_STREAM(self);
}

gboolean seal_spool_copy(GOutputStream *spool, GInputStream *from, GCancellable *cancellable,
                         GError **error)
{
    g_autofree guint8 *buffer = g_malloc(COPY_BUFFER);

    for (;;) {
        gssize got = g_input_stream_read(from, buffer, COPY_BUFFER, cancellable, error);

        if (got <= 0)
            return got == 0;
        if (!g_output_stream_write_all(spool, buffer, (gsize)got, NULL, cancellable, error))
            return FALSE;
    }
}

SealContent *seal_spool_finish(GOutputStream *stream, GError **error)
{
    Spool *self = (Spool *)stream;

    if (!g_output_stream_close(stream, NULL, error))
        return NULL;
    if (self->fd >= 0)
        return seal_content_new_file(g_steal_fd(&self->fd), self->length);

    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(g_steal_pointer(&self->heap));
    return seal_content_new(bytes);
}
