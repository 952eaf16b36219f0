/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * answer.c: the worker's side of the exchange. The client holds the clock, since it is outside the
 * process group that may have to be ended.
 */
#include "filters/client/exchange.h"
#include "filters/worker/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IDLE_LIMIT (5 * G_TIME_SPAN_MINUTE)

enum {
    BUFFER = 256 * 1024,
    MEMORY = 1024 * 1024, /* of a result; a larger one goes to a file in spool_dir */
};

static int client = -1;
static pid_t worker;      /* a child of it has nothing to say */
static gint64 client_due; /* what it was told; 0: nothing yet */
static gint64 idle_since;
static void (*watcher)(gint64 usec);

void worker_exchange_begin(int socket)
{
    worker = getpid();
    client = socket;
    client_due = idle_since = 0;
    seal_clock_listen(worker_arm);
}

void worker_exchange_watch(void (*watch)(gint64 usec))
{
    watcher = watch;
}

static gboolean tell_client(const char *text, int file)
{
    return client < 0 || getpid() != worker || seal_record_send(client, text, strlen(text), file);
}

void worker_tell_log(void)
{
    int level = 0, file = -1;
    const char *target = seal_log_target(&level, &file);
    g_autofree char *line = g_strdup_printf("L %d %s", level, target);

    tell_client(line, file);
}

gboolean worker_is_news(gint64 *told, gint64 usec)
{
    gint64 due = g_get_monotonic_time() + usec;

    if (*told && ABS(due - *told) <= MIN(G_TIME_SPAN_SECOND, usec / 8))
        return FALSE;
    *told = due;
    return TRUE;
}

void worker_arm(gint64 usec)
{
    idle_since = 0;
    if (client >= 0 && worker_is_news(&client_due, usec)) {
        g_autofree char *line = g_strdup_printf("A %" G_GINT64_FORMAT, usec / 1000);

        tell_client(line, -1);
    }
    if (watcher && getpid() == worker)
        watcher(usec);
}

void worker_arm_idle(void)
{
    gint64 now = g_get_monotonic_time();

    if (idle_since && now - idle_since < G_TIME_SPAN_SECOND)
        return;
    worker_arm(IDLE_LIMIT);
    idle_since = now;
}

void worker_tell_text(const char *text)
{
    g_autofree char *line = g_strdup_printf("T %.*s", SEAL_EXCHANGE_TEXT_MAX, text);

    tell_client(line, -1);
}

int worker_end(int status)
{
    g_autofree char *line = g_strdup_printf("E %d", status);

    return tell_client(line, -1) ? status : WORKER_DEFER;
}

/* -------------------------------------------------------------------------------------------
 * The result
 */

gboolean worker_give_file(int file, GError **error)
{
    if (tell_client("F", file))
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "cannot hand the result to the client: %s",
                g_strerror(errno));
    return FALSE;
}

static int open_result(const SealService *service, guint64 size, GError **error)
{
    int file;

    if (size > MEMORY)
        return seal_service_spool_file(service, error);
    file = memfd_create("result", MFD_CLOEXEC);
    if (file < 0)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "cannot make a file in memory for the result: %s", g_strerror(errno));
    return file;
}

/* In memory nothing is waited for. */
static gboolean write_content(SealContent *content, int file, GError **error)
{
    gboolean in_memory = seal_content_size(content) <= MEMORY;
    g_autoptr(GInputStream) stream = seal_content_read(content);
    g_autofree guint8 *buffer = g_malloc(BUFFER);
    gssize got;

    while ((got = g_input_stream_read(stream, buffer, BUFFER, NULL, error)) > 0) {
        if (!in_memory)
            worker_arm_idle();
        if (!seal_fd_write(file, buffer, (gsize)got)) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                        "cannot write the result to a temporary file: %s; see [core] spool_dir",
                        g_strerror(errno));
            return FALSE;
        }
    }
    return got == 0;
}

static gboolean give_copy(const SealService *service, SealContent *content, GError **error)
{
    int file = open_result(service, seal_content_size(content), error);
    gboolean ok = file >= 0 && write_content(content, file, error) && worker_give_file(file, error);

    if (file >= 0)
        close(file);
    return ok;
}

/* What is in memory goes into one file there, in the order in which it is given. */
typedef struct {
    guint pieces;
    guint64 in_memory;
    int memory;
    guint64 at;
} Giving;

static gboolean count_piece(int fd, guint64 from, const guint8 *data, guint64 size,
                            gpointer user_data)
{
    Giving *giving = user_data;

    giving->pieces++;
    giving->in_memory += data ? size : 0;
    return TRUE;
}

static gboolean give_piece(int fd, guint64 from, const guint8 *data, guint64 size,
                           gpointer user_data)
{
    Giving *giving = user_data;

    if (data) {
        fd = giving->memory;
        from = giving->at;
        giving->at += size;
        if (!seal_fd_write(fd, data, size))
            return FALSE;
    }
    g_autofree char *line =
        g_strdup_printf("F %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, from, size);
    return tell_client(line, fd);
}

static gboolean give_pieces(SealContent *content, Giving *giving, GError **error)
{
    giving->memory = memfd_create("result", MFD_CLOEXEC);
    gboolean ok = giving->memory >= 0 && seal_content_visit(content, give_piece, giving);

    if (!ok)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "cannot hand the result to the client: %s", g_strerror(errno));
    if (giving->memory >= 0)
        close(giving->memory);
    return ok;
}

/* What lies in files already is not copied. */
gboolean worker_give_content(const SealService *service, SealContent *content, GError **error)
{
    Giving giving = {0};

    seal_content_visit(content, count_piece, &giving);
    if (seal_content_size(content) <= MEMORY || giving.pieces > SEAL_EXCHANGE_PIECES ||
        giving.in_memory > MEMORY)
        return give_copy(service, content, error);
    return give_pieces(content, &giving, error);
}
