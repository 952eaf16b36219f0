/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/exchange.h"

#include "filters/client/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LETTERS "wmhb"

/* Room for one more than may come, so that it is seen. */
typedef union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE((SEAL_REQUEST_FILES + 1) * sizeof(int))];
} Control;

/* -------------------------------------------------------------------------------------------
 * Records
 */

static bool send_record(int socket, const char *text, size_t size, const int *files, size_t n_files)
{
    Control control = {0};
    struct iovec octets = {.iov_base = (char *)text, .iov_len = size};
    struct msghdr message = {.msg_iov = &octets, .msg_iovlen = 1};
    ssize_t sent;

    if (n_files > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(n_files * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(n_files * sizeof(int));
        memcpy(CMSG_DATA(&control.head), files, n_files * sizeof(int));
    }
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size;
}

bool seal_record_send(int socket, const char *text, size_t size, int file)
{
    return send_record(socket, text, size, &file, file >= 0);
}

/* FALSE: there were more than @n_files of them. */
static bool take_files(struct msghdr *message, int *files, size_t n_files)
{
    bool fits = !(message->msg_flags & MSG_CTRUNC);
    size_t taken = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (taken < n_files) {
                files[taken++] = fd;
            } else {
                close(fd);
                fits = false;
            }
        }
    }
    return fits;
}

static ssize_t receive_record(int socket, struct msghdr *message, Control *control)
{
    ssize_t got;

    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    do
        got = recvmsg(socket, message, MSG_CMSG_CLOEXEC | MSG_TRUNC);
    while (got < 0 && errno == EINTR);
    return got;
}

ssize_t seal_record_receive(int socket, char *text, size_t size, int *files, size_t n_files)
{
    Control control;
    struct iovec octets = {.iov_base = text, .iov_len = size};
    struct msghdr message = {.msg_iov = &octets, .msg_iovlen = 1};
    ssize_t got;

    for (size_t i = 0; i < n_files; i++)
        files[i] = -1;
    got = receive_record(socket, &message, &control);
    /* The kernel looks for a record, and then whether the other side has closed: the last record
     * may have come in between. None comes behind that. A record of files alone is none of ours. */
    if (got == 0 && message.msg_controllen == 0)
        got = receive_record(socket, &message, &control);
    if (got < 0 ||
        (take_files(&message, files, n_files) && (got > 0 || n_files == 0 || files[0] < 0)))
        return got;
    for (size_t i = 0; i < n_files; i++)
        seal_io_close(&files[i]);
    errno = EPROTO;
    return -1;
}

/* -------------------------------------------------------------------------------------------
 * The request
 */

bool seal_request_send(int socket, const SealRequest *request)
{
    char text[SEAL_EXCHANGE_TEXT_MAX];
    char letters[SEAL_REQUEST_FILES + 1] = "";
    int files[SEAL_REQUEST_FILES];
    size_t count = 0;
    int size;

    for (size_t i = 0; i < SEAL_REQUEST_FILES; i++) {
        if (request->files[i] >= 0) {
            letters[count] = LETTERS[i];
            files[count++] = request->files[i];
        }
    }
    size = snprintf(text, sizeof text, SEAL_EXCHANGE_MARK " %s %" PRIu64 " %" PRIu64 " %s\n%s",
                    request->mode, request->device, request->inode, letters, request->problem);
    return size > 0 && send_record(socket, text, (size_t)size, files, count);
}

/* The word at *@at, which is then behind the octet that ends it; NULL: none ends so. */
static char *next_word(char **at, char end)
{
    char *word = *at;
    char *stop = strchr(word, end);

    if (!stop || stop == word)
        return NULL;
    *stop = '\0';
    *at = stop + 1;
    return word;
}

static bool read_number(char **at, uint64_t *ret)
{
    const char *word = next_word(at, ' ');

    return word && seal_io_number(word, strlen(word), 10, UINT64_MAX, ret);
}

/* Puts what came in its place. */
static bool place_files(SealRequest *request, const char *letters, int *came)
{
    size_t next = 0;

    for (size_t i = 0; i < SEAL_REQUEST_FILES; i++) {
        if (*letters != LETTERS[i])
            continue;
        letters++;
        request->files[i] = came[next];
        came[next++] = -1;
        if (request->files[i] < 0)
            return false;
    }
    return *letters == '\0' && (next == SEAL_REQUEST_FILES || came[next] < 0) &&
           request->files[SEAL_REQUEST_WORDS] >= 0;
}

static bool read_request(SealRequest *request, char *text, int *came)
{
    const char *mark = SEAL_EXCHANGE_MARK " ";
    const char *mode, *letters;

    if (strncmp(text, mark, strlen(mark)) != 0)
        return false;
    text += strlen(mark);
    mode = next_word(&text, ' ');
    if (!mode || strlen(mode) >= sizeof request->mode || !read_number(&text, &request->device) ||
        !read_number(&text, &request->inode))
        return false;
    strcpy(request->mode, mode);
    letters = next_word(&text, '\n');
    if (!letters || strlen(text) >= sizeof request->problem)
        return false;
    strcpy(request->problem, text);
    return place_files(request, letters, came);
}

bool seal_request_receive(int socket, SealRequest *request, const char **why)
{
    char text[SEAL_EXCHANGE_TEXT_MAX];
    int came[SEAL_REQUEST_FILES];
    ssize_t size = seal_record_receive(socket, text, sizeof text - 1, came, SEAL_REQUEST_FILES);
    bool ok;

    *request = (SealRequest)SEAL_REQUEST_NONE;
    if (size <= 0) {
        *why = size == 0 ? "the client has gone" : strerror(errno);
        return false;
    }
    text[(size_t)size < sizeof text ? (size_t)size : sizeof text - 1] = '\0';
    ok = (size_t)size < sizeof text && strlen(text) == (size_t)size &&
         read_request(request, text, came);
    for (size_t i = 0; i < SEAL_REQUEST_FILES; i++)
        seal_io_close(&came[i]);
    *why = "the request is malformed; are client and worker of one version?";
    return ok;
}

void seal_request_clear(SealRequest *request)
{
    for (size_t i = 0; i < SEAL_REQUEST_FILES; i++)
        seal_io_close(&request->files[i]);
}
