/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * container.h: the file in which the runner gives the client of sealpipe-pipe all that is to be
 * handed over.
 *
 * First come the deliveries' octets, one delivery behind the other; then the index; then a trailer
 * of fixed size, the last that is written, so that a file that was cut has none:
 *
 *   OFFSET SIZE sealpipe-pipe-2 LF      both of the index, each 16 lower-case hexadecimal digits
 *
 * The index is a row of strings, each with a NUL behind it; numbers are decimal:
 *
 *   state_dir, id, sender ("" is the null sender), sendmail's command
 *   number of recipients; for each: address, "sent", "refused" or "deferred", the enhanced
 *     status code (RFC 3463) of what is refused, reason
 *   number of deliveries; for each: octets, number of recipients, for each of them: its number
 *     from 0, and its journal key (64 hexadecimal digits, or "" where no journal is kept)
 *   "end"
 *
 * Every "sent" recipient is in exactly one delivery, no other is in one, and no delivery is empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_CONTAINER_MARK        "sealpipe-pipe-2"
#define SEAL_CONTAINER_TRAILER     (16 + 1 + 16 + 1 + sizeof SEAL_CONTAINER_MARK - 1 + 1)
#define SEAL_CONTAINER_INDEX_MAX   (32 << 20)
#define SEAL_CONTAINER_MEMBERS_MAX 20000 /* recipients, and deliveries */
#define SEAL_CONTAINER_KEY         64

typedef enum {
    SEAL_CONTAINER_SENT, /* in a delivery */
    SEAL_CONTAINER_REFUSED,
    SEAL_CONTAINER_DEFERRED,
} SealContainerResult;

typedef struct {
    const char *address;
    SealContainerResult result;
    const char *code; /* "5.7.1"; "" where it is not refused */
    const char *reason;
    const char *key; /* "" where no journal is kept */
    bool placed;     /* a delivery has it; the hand-over takes it out again */
    bool told;       /* the log has what became of it here */
} SealContainerRecipient;

typedef struct {
    uint64_t start, end; /* of its octets in the file */
    size_t count;
    SealContainerRecipient **recipients; /* borrowed from the container */
} SealContainerDelivery;

/** Strings lie in @index. Zeroes are an empty one. */
typedef struct {
    char *index;
    const char *state_dir;
    const char *id;
    const char *sender;
    const char *sendmail;
    size_t n_recipients;
    SealContainerRecipient *recipients;
    size_t n_deliveries;
    SealContainerDelivery *deliveries;
    SealContainerRecipient **places; /* the sent ones, delivery by delivery */
} SealContainer;

/** Reads and verifies the whole index. FALSE: *@why says what is wrong with it; @container is to be
 *  cleared all the same. */
bool seal_container_read(SealContainer *container, int file, const char **why);
void seal_container_clear(SealContainer *container);
