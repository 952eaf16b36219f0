/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/pipe/container.h"

#include "filters/client/io.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The strings of the index that are still to be taken. */
typedef struct {
    const char *at;
    const char *end;
} Rest;

/* Where the index is: it must reach exactly to the trailer. */
static bool read_trailer(int file, uint64_t *ret_offset, uint64_t *ret_size, const char **why)
{
    char trailer[SEAL_CONTAINER_TRAILER];
    struct stat st;
    uint64_t offset, size, end;

    *why = "it was cut: no trailer is at its end";
    if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < sizeof trailer)
        return false;
    end = (uint64_t)st.st_size - sizeof trailer;
    if (!seal_io_read_at(file, trailer, sizeof trailer, (off_t)end) || trailer[16] != ' ' ||
        trailer[33] != ' ' ||
        memcmp(trailer + 34, SEAL_CONTAINER_MARK "\n", sizeof SEAL_CONTAINER_MARK) != 0)
        return false;
    *why = "its index is not where its trailer says";
    if (!seal_io_number(trailer, 16, 16, end, &offset) ||
        !seal_io_number(trailer + 17, 16, 16, end, &size) || size != end - offset)
        return false;
    *why = "its index is empty, or larger than 32 MiB";
    if (size == 0 || size > SEAL_CONTAINER_INDEX_MAX)
        return false;
    *ret_offset = offset;
    *ret_size = size;
    return true;
}

/* -------------------------------------------------------------------------------------------
 * The index
 */

static bool take_text(Rest *rest, const char **ret)
{
    const char *nul =
        rest->at < rest->end ? memchr(rest->at, '\0', (size_t)(rest->end - rest->at)) : NULL;

    if (!nul)
        return false;
    *ret = rest->at;
    rest->at = nul + 1;
    return true;
}

static bool take_number(Rest *rest, uint64_t max, uint64_t *ret)
{
    const char *text;

    return take_text(rest, &text) && seal_io_number(text, strlen(text), 10, max, ret);
}

static bool take_count(Rest *rest, size_t *ret)
{
    uint64_t count;

    if (!take_number(rest, SEAL_CONTAINER_MEMBERS_MAX, &count))
        return false;
    *ret = (size_t)count;
    return true;
}

/* An address is one argument of sendmail and a word in a log line. */
static bool is_address(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    }
    return true;
}

/* Of a permanent failure, and nothing where there is none. */
static bool is_code(const char *text, SealContainerResult result)
{
    if (result != SEAL_CONTAINER_REFUSED)
        return *text == '\0';
    return text[0] == '5' && text[1] == '.' && text[2] >= '0' && text[2] <= '9' && text[3] == '.' &&
           text[4] >= '0' && text[4] <= '9' && text[5] == '\0';
}

static bool take_recipient(Rest *rest, SealContainerRecipient *recipient)
{
    static const char *const results[] = {"sent", "refused", "deferred"};
    const char *result;
    size_t i = 0;

    if (!take_text(rest, &recipient->address) || !take_text(rest, &result) ||
        !take_text(rest, &recipient->code) || !take_text(rest, &recipient->reason))
        return false;
    while (i < sizeof results / sizeof *results && strcmp(result, results[i]) != 0)
        i++;
    recipient->result = (SealContainerResult)i;
    /* What cannot be an address may be among the refused, to be named. */
    return i < sizeof results / sizeof *results && is_code(recipient->code, recipient->result) &&
           (recipient->result == SEAL_CONTAINER_REFUSED || is_address(recipient->address));
}

static bool take_recipients(Rest *rest, SealContainer *container)
{
    if (!take_count(rest, &container->n_recipients) || container->n_recipients == 0)
        return false;
    container->recipients = calloc(container->n_recipients, sizeof *container->recipients);
    container->places = calloc(container->n_recipients, sizeof *container->places);
    if (!container->recipients || !container->places)
        return false;
    for (size_t i = 0; i < container->n_recipients; i++) {
        if (!take_recipient(rest, &container->recipients[i]))
            return false;
    }
    return true;
}

static bool is_key(const char *text)
{
    size_t size = strlen(text);

    return size == 0 || (size == SEAL_CONTAINER_KEY && strspn(text, "0123456789abcdef") == size);
}

static bool take_place(Rest *rest, SealContainer *container, SealContainerRecipient **place)
{
    SealContainerRecipient *recipient;
    uint64_t number;

    if (!take_number(rest, container->n_recipients - 1, &number))
        return false;
    recipient = &container->recipients[number];
    if (recipient->result != SEAL_CONTAINER_SENT || recipient->placed ||
        !take_text(rest, &recipient->key) || !is_key(recipient->key))
        return false;
    recipient->placed = true;
    *place = recipient;
    return true;
}

/* @places: how many recipients have a delivery already. */
static bool take_delivery(Rest *rest, SealContainer *container, SealContainerDelivery *delivery,
                          size_t *places, uint64_t *offset, uint64_t limit)
{
    uint64_t size;

    if (!take_number(rest, limit - *offset, &size) || size == 0 ||
        !take_count(rest, &delivery->count) || delivery->count == 0 ||
        delivery->count > container->n_recipients - *places)
        return false;
    delivery->start = *offset;
    delivery->end = *offset += size;
    delivery->recipients = container->places + *places;
    for (size_t i = 0; i < delivery->count; i++) {
        if (!take_place(rest, container, &container->places[(*places)++]))
            return false;
    }
    return true;
}

static bool take_deliveries(Rest *rest, SealContainer *container, uint64_t limit)
{
    uint64_t offset = 0;
    size_t places = 0;

    if (!take_count(rest, &container->n_deliveries))
        return false;
    container->deliveries = calloc(container->n_deliveries + 1, sizeof *container->deliveries);
    if (!container->deliveries)
        return false;
    for (size_t i = 0; i < container->n_deliveries; i++) {
        if (!take_delivery(rest, container, &container->deliveries[i], &places, &offset, limit))
            return false;
    }
    return offset == limit;
}

static bool all_placed(const SealContainer *container)
{
    for (size_t i = 0; i < container->n_recipients; i++) {
        const SealContainerRecipient *recipient = &container->recipients[i];

        if (recipient->placed != (recipient->result == SEAL_CONTAINER_SENT))
            return false;
    }
    return true;
}

static bool take_index(Rest *rest, SealContainer *container, uint64_t limit)
{
    const char *last;

    return take_text(rest, &container->state_dir) && take_text(rest, &container->id) &&
           take_text(rest, &container->sender) && take_text(rest, &container->sendmail) &&
           take_recipients(rest, container) && take_deliveries(rest, container, limit) &&
           take_text(rest, &last) && strcmp(last, "end") == 0 && rest->at == rest->end &&
           all_placed(container);
}

bool seal_container_read(SealContainer *container, int file, const char **why)
{
    uint64_t offset, size;
    Rest rest;

    memset(container, 0, sizeof *container);
    if (!read_trailer(file, &offset, &size, why))
        return false;
    *why = "its index cannot be read";
    container->index = malloc((size_t)size);
    if (!container->index || !seal_io_read_at(file, container->index, (size_t)size, (off_t)offset))
        return false;
    *why = "its index contradicts itself";
    rest = (Rest){container->index, container->index + size};
    return take_index(&rest, container, offset);
}

void seal_container_clear(SealContainer *container)
{
    free(container->index);
    free(container->recipients);
    free(container->deliveries);
    free((void *)container->places);
    memset(container, 0, sizeof *container);
}
