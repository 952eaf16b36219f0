/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/ctl/remind/post.h"

#include "filters/client/exchange.h"
#include "filters/pipe/sendmail.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_TO = 20,
    MAX_ORDER = 65536, /* octets of all addresses */
};

struct RemindPost {
    pid_t child;
    int socket;
};

/* -------------------------------------------------------------------------------------------
 * The process
 */

/* What is no address here was made by nobody of ours: it is never an option. */
static gboolean read_order(const char *text, gsize size, GPtrArray *argv)
{
    const char *end = text + size;

    for (const char *at = text; at < end; at += strlen(at) + 1) {
        g_autoptr(SealAddress) address = *at == '-' ? NULL : seal_address_parse(at, NULL);

        if (!address || argv->len > MAX_TO + 5)
            return FALSE;
        /* The first is the sender. */
        g_ptr_array_add(argv, (char *)at);
        if (argv->len == 4)
            g_ptr_array_add(argv, (char *)"--");
    }
    return argv->len > 5;
}

static void carry_out(int socket, const char *sendmail, const char *text, gsize size, int message)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    SealSendmailEnd end = {.why = "it is addressed to nobody"};

    g_ptr_array_add(argv, (char *)sendmail);
    g_ptr_array_add(argv, (char *)"-i");
    g_ptr_array_add(argv, (char *)"-f");
    if (read_order(text, size, argv)) {
        g_ptr_array_add(argv, NULL);
        seal_sendmail_run((char *const *)argv->pdata, message, &end);
    }
    g_autofree char *answer =
        end.done ? g_strdup("T")
                 : g_strdup_printf("F%s%s%s", end.why, *end.says ? ": " : "", end.says);
    seal_record_send(socket, answer, strlen(answer), -1);
}

/* Until the other end is closed. */
_Noreturn static void serve_orders(int socket, const char *sendmail)
{
    g_autofree char *text = g_malloc0(MAX_ORDER + 1);

    for (;;) {
        int message = -1;
        ssize_t size = seal_record_receive(socket, text, MAX_ORDER, &message, 1);

        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0 || size > MAX_ORDER || message < 0)
            break;
        text[size] = '\0';
        carry_out(socket, sendmail, text, (gsize)size, message);
        close(message);
    }
    _exit(0);
}

RemindPost *remind_post_open(const char *sendmail, GError **error)
{
    int pair[2];
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || (child = fork()) < 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                            "the process that hands mails over cannot be started");
        return NULL;
    }
    if (child == 0) {
        close(pair[0]);
        serve_orders(pair[1], sendmail);
    }
    close(pair[1]);
    RemindPost *post = g_new0(RemindPost, 1);
    *post = (RemindPost){child, pair[0]};
    return post;
}

void remind_post_close(RemindPost *post)
{
    if (!post)
        return;
    close(post->socket);
    while (waitpid(post->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    g_free(post);
}

/* -------------------------------------------------------------------------------------------
 * Orders
 */

/* All of it, so that whoever reads it reads to its end; -1 on error. */
static int write_message(const char *message)
{
    int fd = memfd_create("sealctl-remind", MFD_CLOEXEC);

    if (fd >= 0 && seal_fd_write(fd, message, strlen(message)) && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static GString *make_order(const SealAddress *from, const GPtrArray *to)
{
    GString *order = g_string_new(seal_address_text(from));

    g_string_append_c(order, '\0');
    for (guint i = 0; i < to->len; i++) {
        g_string_append(order, seal_address_text(g_ptr_array_index(to, i)));
        g_string_append_c(order, '\0');
    }
    return order;
}

gboolean remind_post_send(RemindPost *post, const SealAddress *from, const GPtrArray *to,
                          const char *message, GError **error)
{
    char answer[SEAL_EXCHANGE_TEXT_MAX + 1] = "";
    GString *order = make_order(from, to);
    int file = write_message(message), none = -1;
    gboolean sent = file >= 0 && order->len <= MAX_ORDER &&
                    seal_record_send(post->socket, order->str, order->len, file);

    g_string_free(order, TRUE);
    if (file >= 0)
        close(file);
    ssize_t size =
        sent ? seal_record_receive(post->socket, answer, SEAL_EXCHANGE_TEXT_MAX, &none, 1) : -1;
    if (none >= 0)
        close(none);
    answer[CLAMP(size, 0, SEAL_EXCHANGE_TEXT_MAX)] = '\0';
    if (*answer == 'T')
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "the mail was not taken: %s",
                *answer == 'F' ? answer + 1 : "it could not be handed over");
    return FALSE;
}
