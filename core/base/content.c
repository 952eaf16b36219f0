/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * content.c: the rope. Immutable pieces, on the heap or ranges of an unlinked file, shared by
 * slices and joins, read as GIO streams.
 */
#include "core/base/content.h"

#include "core/base/clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { READ_BUFFER = 64 * 1024 };

/* An open temporary file that several pieces share. */
typedef struct {
    gatomicrefcount refs;
    int fd;
} SharedFile;

/* Either bytes or file is set; offset and length are within it. */
typedef struct {
    GBytes *bytes;
    SharedFile *file;
    guint64 offset;
    guint64 length;
} Piece;

struct SealContent {
    gatomicrefcount refs;
    GArray *pieces;
    guint64 size;
};

static void shared_file_unref(SharedFile *file)
{
    if (!g_atomic_ref_count_dec(&file->refs))
        return;
    close(file->fd);
    g_free(file);
}

static void piece_clear(gpointer data)
{
    Piece *piece = data;

    if (piece->bytes)
        g_bytes_unref(piece->bytes);
    if (piece->file)
        shared_file_unref(piece->file);
}

static SealContent *content_new_empty(void)
{
    SealContent *content = g_new0(SealContent, 1);

    g_atomic_ref_count_init(&content->refs);
    content->pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    g_array_set_clear_func(content->pieces, piece_clear);
    return content;
}

/* Appends the part of @piece that begins at @offset, sharing its bytes. */
static void content_append(SealContent *content, const Piece *piece, guint64 offset, guint64 length)
{
    Piece copy = *piece;

    if (length == 0)
        return;
    if (copy.bytes)
        g_bytes_ref(copy.bytes);
    if (copy.file)
        g_atomic_ref_count_inc(&copy.file->refs);
    copy.offset += offset;
    copy.length = length;
    g_array_append_val(content->pieces, copy);
    content->size += length;
}

SealContent *seal_content_ref(SealContent *content)
{
    g_atomic_ref_count_inc(&content->refs);
    return content;
}

void seal_content_unref(SealContent *content)
{
    if (!content || !g_atomic_ref_count_dec(&content->refs))
        return;
    g_array_unref(content->pieces);
    g_free(content);
}

SealContent *seal_content_new(GBytes *bytes)
{
    SealContent *content = content_new_empty();
    Piece piece = {.bytes = bytes};

    content_append(content, &piece, 0, g_bytes_get_size(bytes));
    return content;
}

SealContent *seal_content_new_copy(const void *data, gsize length)
{
    g_autoptr(GBytes) bytes = g_bytes_new(data, length);

    return seal_content_new(bytes);
}

SealContent *seal_content_new_file(int fd, guint64 length)
{
    SealContent *content = content_new_empty();
    SharedFile *file = g_new0(SharedFile, 1);
    Piece piece = {.file = file};

    g_atomic_ref_count_init(&file->refs);
    file->fd = fd;
    content_append(content, &piece, 0, length);
    shared_file_unref(file);
    return content;
}

SealContent *seal_content_slice(SealContent *content, guint64 offset, guint64 length)
{
    SealContent *slice = content_new_empty();

    for (guint i = 0; i < content->pieces->len && length > 0; i++) {
        const Piece *piece = &g_array_index(content->pieces, Piece, i);

        if (offset >= piece->length) {
            offset -= piece->length;
            continue;
        }
        guint64 take = MIN(length, piece->length - offset);
        content_append(slice, piece, offset, take);
        length -= take;
        offset = 0;
    }
    return slice;
}

SealContent *seal_content_join(SealContent *first, SealContent *second)
{
    SealContent *joined = content_new_empty();
    SealContent *both[] = {first, second};

    for (guint n = 0; n < G_N_ELEMENTS(both); n++) {
        for (guint i = 0; i < both[n]->pieces->len; i++) {
            const Piece *piece = &g_array_index(both[n]->pieces, Piece, i);
            content_append(joined, piece, 0, piece->length);
        }
    }
    return joined;
}

guint64 seal_content_size(const SealContent *content)
{
    return content->size;
}

static gssize piece_pread(const Piece *piece, guint64 offset, void *buffer, gsize length,
                          GError **error)
{
    length = MIN(length, piece->length - offset);
    if (piece->bytes) {
        const guint8 *data = g_bytes_get_data(piece->bytes, NULL);
        memcpy(buffer, data + piece->offset + offset, length);
        return (gssize)length;
    }

    ssize_t got;
    do
        got = pread(piece->file->fd, buffer, length, (off_t)(piece->offset + offset));
    while (got < 0 && errno == EINTR);
    if (got > 0)
        return got;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "cannot read back a temporary file: %s",
                got < 0 ? g_strerror(errno) : "it has become shorter");
    return -1;
}

gssize seal_content_pread(SealContent *content, guint64 offset, void *buffer, gsize length,
                          GError **error)
{
    gsize done = 0;

    for (guint i = 0; i < content->pieces->len && done < length; i++) {
        const Piece *piece = &g_array_index(content->pieces, Piece, i);

        while (offset < piece->length && done < length) {
            gssize got = piece_pread(piece, offset, (guint8 *)buffer + done, length - done, error);
            if (got < 0)
                return -1;
            done += (gsize)got;
            offset += (guint64)got;
        }
        offset -= piece->length;
    }
    if (done > 0)
        seal_clock_move();
    return (gssize)done;
}

gboolean seal_content_visit(SealContent *content, SealPieceVisitor visit, gpointer user_data)
{
    gboolean ok = TRUE;

    for (guint i = 0; i < content->pieces->len && ok; i++) {
        const Piece *piece = &g_array_index(content->pieces, Piece, i);
        const guint8 *data = piece->bytes ? g_bytes_get_data(piece->bytes, NULL) : NULL;

        ok = visit(piece->file ? piece->file->fd : -1, piece->offset,
                   data ? data + piece->offset : NULL, piece->length, user_data);
    }
    return ok;
}

GBytes *seal_content_to_bytes(SealContent *content, gsize max, GError **error)
{
    if (content->size > max) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT,
                    "%" G_GUINT64_FORMAT " octets where at most %" G_GSIZE_FORMAT " are allowed",
                    content->size, max);
        return NULL;
    }

    g_autofree guint8 *data = g_malloc(content->size + 1);
    gssize done = seal_content_pread(content, 0, data, content->size, error);
    if (done < 0)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&data), (gsize)done);
}

/* -------------------------------------------------------------------------------------------
 * The stream. A private subclass, since GIO has none that reads ranges of a descriptor by offset;
 * callers see a GInputStream.
 */

typedef struct {
    GInputStream parent;
    SealContent *content;
    guint64 offset;
    gboolean canonical;
    /* Canonical form only: what was read and not yet converted. */
    guint8 *raw;
    gsize raw_at;
    gsize raw_len;
    gboolean after_cr;
    gboolean owe_lf; /* the CR of a CRLF is out, its LF is not */
} RopeStream;

typedef GInputStreamClass RopeStreamClass;

static GType rope_stream_get_type(void);
G_DEFINE_TYPE(RopeStream, rope_stream, G_TYPE_INPUT_STREAM)

static gboolean rope_fill(RopeStream *self, GError **error)
{
    gssize got = seal_content_pread(self->content, self->offset, self->raw, READ_BUFFER, error);

    if (got < 0)
        return FALSE;
    self->offset += (guint64)got;
    self->raw_at = 0;
    self->raw_len = (gsize)got;
    return TRUE;
}

/* Moves octets up to the next lone LF from raw to @out; returns how many were put there. */
static gsize rope_convert(RopeStream *self, guint8 *out, gsize space)
{
    if (self->owe_lf) {
        *out = '\n';
        self->owe_lf = FALSE;
        self->after_cr = FALSE;
        return 1;
    }

    const guint8 *from = self->raw + self->raw_at;
    gsize n = MIN(space, self->raw_len - self->raw_at);
    const guint8 *lf = memchr(from, '\n', n);

    if (lf == from && !self->after_cr) {
        *out = '\r';
        self->raw_at++;
        self->owe_lf = TRUE;
        return 1;
    }
    if (lf) {
        gboolean lone = lf > from && lf[-1] != '\r';
        n = (gsize)(lf - from) + (lone ? 0 : 1);
    }
    memcpy(out, from, n);
    self->raw_at += n;
    self->after_cr = out[n - 1] == '\r';
    return n;
}

static gssize rope_read_canonical(RopeStream *self, guint8 *out, gsize space, GError **error)
{
    gsize done = 0;

    while (done < space) {
        if (!self->owe_lf && self->raw_at == self->raw_len) {
            if (!rope_fill(self, error))
                return -1;
            if (self->raw_len == 0)
                break;
        }
        done += rope_convert(self, out + done, space - done);
    }
    return (gssize)done;
}

static gssize rope_stream_read(GInputStream *stream, void *buffer, gsize count,
                               GCancellable *cancellable, GError **error)
{
    RopeStream *self = (RopeStream *)stream;

    if (g_cancellable_set_error_if_cancelled(cancellable, error))
        return -1;
    if (self->canonical)
        return rope_read_canonical(self, buffer, count, error);

    gssize got = seal_content_pread(self->content, self->offset, buffer, count, error);
    if (got > 0)
        self->offset += (guint64)got;
    return got;
}

static void rope_stream_finalize(GObject *object)
{
    RopeStream *self = (RopeStream *)object;

    seal_content_unref(self->content);
    g_free(self->raw);
    G_OBJECT_CLASS(rope_stream_parent_class)->finalize(object);
}

static void rope_stream_class_init(RopeStreamClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = rope_stream_finalize;
    klass->read_fn = rope_stream_read;
}

static void rope_stream_init(RopeStream *self)
{
}

GInputStream *seal_content_read(SealContent *content)
{
    RopeStream *self = g_object_new(rope_stream_get_type(), NULL);

    self->content = seal_content_ref(content);
    return G_INPUT_STREAM(self);
}

GInputStream *seal_content_read_canonical(SealContent *content)
{
    GInputStream *stream = seal_content_read(content);
    RopeStream *self = (RopeStream *)stream;

    self->canonical = TRUE;
    self->raw = g_malloc(READ_BUFFER);
    return stream;
}

gboolean seal_content_canonical_size(SealContent *content, guint64 *ret_size, GError **error)
{
    g_autoptr(GInputStream) stream = seal_content_read_canonical(content);
    g_autofree guint8 *buffer = g_malloc(READ_BUFFER);
    guint64 size = 0;
    gssize got;

    while ((got = g_input_stream_read(stream, buffer, READ_BUFFER, NULL, error)) > 0)
        size += (guint64)got;
    if (got == 0)
        *ret_size = size;
    return got == 0;
}
