/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exchange.h: what a client and a worker say to each other, over a Unix socket of records
 * (SOCK_SEQPACKET), for one message. A worker is the runner, on descriptor 3, or one of the daemon.
 *
 * The client sends one record, the request, with one descriptor for each letter of FILES:
 *
 *   sealpipe 1 MODE DEVICE INODE FILES LF PROBLEM
 *
 * MODE is transport, check or pipe. DEVICE and INODE are those of the configuration's folder,
 * decimal, or 0 0 where it cannot be opened. FILES is "w", the words of the command line, each with
 * a NUL behind it; then "m", the message; "h" and "b", Exim's files of the header and the body.
 * PROBLEM says why Exim's file of the header could not be opened; it is empty where it was.
 *
 * The worker answers with records:
 *
 *   N                not mine: the request is about another configuration; nothing else follows
 *   L LEVEL TARGET   where the log goes, before any A: from which level up (0 errors, 3 all), and
 *                    to "syslog", "journal", or a "file" that comes along, open for appending
 *   A MILLISECONDS   arms the timer: take me for dead if by then I have not armed it again
 *   T TEXT           what there is to say; TEXT has any octets
 *   F                the result, a file that comes along
 *   F FROM SIZE      a piece of the result, in a file that comes along; of a transport's there may
 *                    be several, one behind the other: what is large is not copied
 *   E STATUS         the last: the work is done, and this is its exit status
 *
 * Anything else is a fault, and so is an end without E: whatever a worker has loaded can end the
 * process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SEAL_EXCHANGE_MARK     "sealpipe 1"
#define SEAL_EXCHANGE_TEXT_MAX 4096
#define SEAL_EXCHANGE_PIECES   16
#define SEAL_EXCHANGE_WORDS    (8 << 20) /* octets of the command line */

/** What comes along with a request, in this order. */
typedef enum {
    SEAL_REQUEST_WORDS,
    SEAL_REQUEST_MESSAGE,
    SEAL_REQUEST_EXIM_HEADER,
    SEAL_REQUEST_EXIM_BODY,
    SEAL_REQUEST_FILES,
} SealRequestFile;

/** The request. */
typedef struct {
    char mode[16];
    uint64_t device;
    uint64_t inode;
    int files[SEAL_REQUEST_FILES]; /**< -1 where there is none */
    char problem[256];
} SealRequest;

#define SEAL_REQUEST_NONE                                                                          \
    {                                                                                              \
        .files = { -1, -1, -1, -1 }                                                                \
    }

/** One record of @size octets, with a descriptor or, for -1, without. FALSE with errno set; EAGAIN
 *  where it does not block and there is no room. */
bool seal_record_send(int socket, const char *text, size_t size, int file);
/** The next record, cut at @size octets, with at most @n_files descriptors; the others of @files
 * are -1. Returns how many octets it had in all, which may be more than @size; 0 at the end of the
 *  other side; -1 with errno set, EPROTO where more descriptors came than were asked for. */
ssize_t seal_record_receive(int socket, char *text, size_t size, int *files, size_t n_files);

/** FALSE with errno set. The files stay the caller's. */
bool seal_request_send(int socket, const SealRequest *request);
/** Waits for it. FALSE: *@why says what is wrong with it, and @request is to be cleared all the
 *  same. */
bool seal_request_receive(int socket, SealRequest *request, const char **why);
/** Closes its files. */
void seal_request_clear(SealRequest *request);
