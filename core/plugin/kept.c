/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * kept.c: private keys that another process keeps.
 */
#include "core/plugin/kept.h"
#include "core/frontend.h"
#include "core/plugin/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LIST = 256 * 1024 * 1024 };

struct SealKept {
    GByteArray *list; /* NAME key OCTETS, again and again */
    int socket;       /* -1: nobody can be asked from here */
    gboolean lost;
};

static gboolean fail_kept(GError **error, const char *why)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "the process that keeps the private keys: %s", why);
    return FALSE;
}

SealKept *seal_kept_read(int file, GError **error)
{
    SealKept *kept = NULL;
    struct stat info;

    if (fstat(file, &info) != 0 || info.st_size > MAX_LIST || lseek(file, 0, SEEK_SET) != 0) {
        fail_kept(error, "what it lists cannot be read");
        return NULL;
    }
    kept = g_new0(SealKept, 1);
    kept->socket = -1;
    kept->list = g_byte_array_new();
    g_byte_array_set_size(kept->list, (guint)info.st_size);
    if (seal_fd_read(file, kept->list->data, kept->list->len) == (gssize)kept->list->len)
        return kept;
    fail_kept(error, "what it lists cannot be read");
    seal_kept_free(kept);
    return NULL;
}

void seal_kept_free(SealKept *kept)
{
    if (!kept)
        return;
    g_byte_array_unref(kept->list);
    g_free(kept);
}

void seal_kept_ask_at(SealKept *kept, int socket)
{
    kept->socket = socket;
}

gboolean seal_kept_is_lost(const SealKept *kept)
{
    return kept->lost;
}

void seal_kept_list(const SealKept *kept, const char *name, SealPrivateVisitor visit,
                    gpointer user_data)
{
    SealWire wire = {kept->list->data, kept->list->data + kept->list->len};
    const guint8 *found, *octets;
    gsize found_length, length;
    guint32 key;

    while (seal_wire_octets(&wire, &found, &found_length) && seal_wire_number(&wire, &key) &&
           seal_wire_octets(&wire, &octets, &length)) {
        if (found_length == strlen(name) && memcmp(found, name, found_length) == 0)
            visit(key, octets, length, user_data);
    }
}

/* -------------------------------------------------------------------------------------------
 * Asking
 */

static gssize exchange_records(int socket, const GByteArray *asked, guint8 *answer, gsize size)
{
    gssize rc;

    do
        rc = send(socket, asked->data, asked->len, MSG_NOSIGNAL);
    while (rc < 0 && errno == EINTR);
    if (rc != (gssize)asked->len)
        return -1;
    do
        rc = recv(socket, answer, size, MSG_TRUNC);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* The answer behind its first octet, in @answer; -1, and an error. */
static gssize ask(SealKept *kept, const GByteArray *asked, guint8 *answer, GError **error)
{
    if (kept->socket < 0 || kept->lost) {
        fail_kept(error, "nobody is there to be asked");
        return -1;
    }
    gssize size = exchange_records(kept->socket, asked, answer, SEAL_WIRE_MAX);
    if (size < 1 || size > SEAL_WIRE_MAX) {
        kept->lost = TRUE;
        fail_kept(error, "it has ended");
        return -1;
    }
    if (answer[0] == 0)
        return size - 1;
    g_autofree char *why = seal_text_line((const char *)answer + 1, (gsize)size - 1, 400);
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, why);
    return -1;
}

static GByteArray *begin_record(char letter, const char *name, guint key, guint scheme, guint hash)
{
    GByteArray *record = g_byte_array_new();

    g_byte_array_append(record, (const guint8 *)&letter, 1);
    seal_wire_put_octets(record, name, strlen(name));
    seal_wire_put_number(record, key);
    seal_wire_put_number(record, scheme);
    seal_wire_put_number(record, hash);
    return record;
}

gboolean seal_kept_sign(SealKept *kept, const char *name, const SealDigestSigning *signing,
                        GByteArray *signature, GError **error)
{
    g_autoptr(GByteArray) record =
        begin_record('S', name, signing->key, signing->scheme, signing->hash);
    guint8 answer[SEAL_WIRE_MAX];

    seal_wire_put_octets(record, signing->digest, seal_hash_length(signing->hash));
    gssize size = ask(kept, record, answer, error);
    if (size < 0)
        return FALSE;
    g_byte_array_append(signature, answer + 1, (guint)size);
    return TRUE;
}

gboolean seal_kept_unwrap(SealKept *kept, const char *name, const SealKeyUnwrapping *unwrapping,
                          guint8 *key, GError **error)
{
    g_autoptr(GByteArray) record =
        begin_record('U', name, unwrapping->key, unwrapping->scheme, unwrapping->hash);
    guint8 answer[SEAL_WIRE_MAX];

    seal_wire_put_octets(record, unwrapping->encrypted, unwrapping->encrypted_length);
    seal_wire_put_octets(record, unwrapping->originator, unwrapping->originator_length);
    seal_wire_put_octets(record, unwrapping->shared_info, unwrapping->shared_info_length);
    seal_wire_put_number(record, (guint32)unwrapping->wrap_length);
    seal_wire_put_number(record, (guint32)unwrapping->length);
    if (record->len > SEAL_WIRE_MAX)
        return fail_kept(error, "the encrypted key is too long");
    gssize size = ask(kept, record, answer, error);
    if (size < 0)
        return FALSE;
    gboolean fits = (gsize)size == unwrapping->length;
    if (fits)
        memcpy(key, answer + 1, (gsize)size);
    explicit_bzero(answer, sizeof answer);
    return fits || fail_kept(error, "it gave a key of another length");
}
