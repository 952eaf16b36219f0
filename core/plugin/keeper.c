/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keeper.c: the process that keeps private keys: it reads them, says what is no secret of them, and
 * answers those who ask for a signature or a content key. It reads nothing that came by mail.
 */
#include "core/frontend.h"
#include "core/plugin/config.h"
#include "core/plugin/private.h"
#include "core/plugin/tables.h"
#include "core/plugin/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct SealKeeper {
    SealConfig *config;
    SealSettings *core;
    SealRegistry *registry;
    gboolean unwraps; /* there is an inbound pipeline, or somebody said so */
};

/* -------------------------------------------------------------------------------------------
 * Life
 */

static gboolean load_halves(SealKeeper *self, GError **error)
{
    GPtrArray *halves = seal_registry_privates(self->registry);

    for (guint i = 0; i < halves->len; i++) {
        if (!seal_private_load(g_ptr_array_index(halves, i), error))
            return FALSE;
    }
    return TRUE;
}

SealKeeper *seal_keeper_open(const char *conf_dir, const char *module_dir, GError **error)
{
    g_autoptr(SealKeeper) self = g_new0(SealKeeper, 1);
    g_autofree char *dir = seal_service_folder(conf_dir);

    if (!module_dir)
        module_dir = g_getenv("SEALPIPE_MODULES");
    self->config = seal_config_read(dir, error);
    if (!self->config)
        return NULL;
    self->core = seal_settings_new("core", seal_config_group(self->config, "core"), SEAL_TABLE_CORE,
                                   NULL, error);
    self->registry =
        self->core ? seal_registry_new(self->config, module_dir ? module_dir : SEAL_MODULE_DIR,
                                       self->core, error)
                   : NULL;
    if (!self->registry || !load_halves(self, error))
        return NULL;
    /* Root may look at them; whom this becomes may not. */
    seal_watch_hold(seal_registry_watch(self->registry));
    return g_steal_pointer(&self);
}

void seal_keeper_let_open(SealKeeper *self)
{
    self->unwraps = TRUE;
}

gboolean seal_keeper_look(const SealKeeper *self, guint64 *sum)
{
    return seal_watch_look(seal_registry_watch(self->registry), sum);
}

void seal_keeper_free(SealKeeper *self)
{
    if (!self)
        return;
    seal_registry_free(self->registry);
    seal_settings_free(self->core);
    seal_config_free(self->config);
    g_free(self);
}

/* -------------------------------------------------------------------------------------------
 * What is no secret
 */

typedef struct {
    const char *name;
    GByteArray *list;
} Listing;

static void put_listed(guint key, const guint8 *octets, gsize length, gpointer user_data)
{
    Listing *listing = user_data;

    seal_wire_put_octets(listing->list, listing->name, strlen(listing->name));
    seal_wire_put_number(listing->list, key);
    seal_wire_put_octets(listing->list, octets, length);
}

int seal_keeper_list(SealKeeper *self, GError **error)
{
    GPtrArray *halves = seal_registry_privates(self->registry);
    g_autoptr(GByteArray) list = g_byte_array_new();
    int file = memfd_create("listed", MFD_CLOEXEC);

    for (guint i = 0; i < halves->len; i++) {
        const SealPrivateEntry *half = g_ptr_array_index(halves, i);
        Listing listing = {half->table.name, list};

        half->table.list(half->module, put_listed, &listing);
    }
    if (file >= 0 && seal_fd_write(file, list->data, list->len))
        return file;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "cannot make a file in memory: %s",
                g_strerror(errno));
    if (file >= 0)
        close(file);
    return -1;
}

/* -------------------------------------------------------------------------------------------
 * Requests
 */

typedef struct {
    const SealPrivateEntry *half;
    guint32 key;
    guint32 scheme;
    guint32 hash;
} Front;

static const SealPrivateEntry *find_half(const SealKeeper *self, const guint8 *name, gsize length)
{
    GPtrArray *halves = seal_registry_privates(self->registry);

    for (guint i = 0; i < halves->len; i++) {
        const SealPrivateEntry *half = g_ptr_array_index(halves, i);

        if (strlen(half->table.name) == length && memcmp(half->table.name, name, length) == 0)
            return half;
    }
    return NULL;
}

static gboolean read_front(const SealKeeper *self, SealWire *wire, Front *front)
{
    const guint8 *name;
    gsize length;

    if (!seal_wire_octets(wire, &name, &length) || !seal_wire_number(wire, &front->key) ||
        !seal_wire_number(wire, &front->scheme) || !seal_wire_number(wire, &front->hash))
        return FALSE;
    front->half = find_half(self, name, length);
    return front->half && seal_hash_length(front->hash) > 0;
}

static gboolean refuse_record(GError **error)
{
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the request is malformed");
    return FALSE;
}

/* A digest of exactly its length, and nothing else, is signed. */
static gboolean answer_signing(const SealKeeper *self, SealWire *wire, GByteArray *answer,
                               GError **error)
{
    Front front;
    const guint8 *digest;
    gsize length;

    if (!read_front(self, wire, &front) || !seal_wire_octets(wire, &digest, &length) ||
        !seal_wire_ended(wire) || length != seal_hash_length(front.hash))
        return refuse_record(error);
    SealDigestSigning signing = {
        .size = sizeof signing,
        .key = front.key,
        .scheme = front.scheme,
        .hash = front.hash,
        .digest = digest,
    };
    return seal_private_sign(front.half, &signing, answer, error);
}

static gboolean read_unwrapping(SealWire *wire, const Front *front, SealKeyUnwrapping *unwrapping)
{
    guint32 wrap_length, length;

    *unwrapping = (SealKeyUnwrapping){
        .size = sizeof *unwrapping,
        .key = front->key,
        .scheme = front->scheme,
        .hash = front->hash,
    };
    if (!seal_wire_octets(wire, &unwrapping->encrypted, &unwrapping->encrypted_length) ||
        !seal_wire_octets(wire, &unwrapping->originator, &unwrapping->originator_length) ||
        !seal_wire_octets(wire, &unwrapping->shared_info, &unwrapping->shared_info_length) ||
        !seal_wire_number(wire, &wrap_length) || !seal_wire_number(wire, &length) ||
        !seal_wire_ended(wire))
        return FALSE;
    unwrapping->wrap_length = wrap_length;
    unwrapping->length = length;
    return length == 16 || length == 24 || length == 32;
}

static gboolean answer_unwrapping(const SealKeeper *self, SealWire *wire, GByteArray *answer,
                                  GError **error)
{
    SealKeyUnwrapping unwrapping;
    guint8 key[32];
    Front front;

    if (!self->unwraps) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY,
                            "no mail is opened here: there is no inbound pipeline");
        return FALSE;
    }
    if (!read_front(self, wire, &front) || !read_unwrapping(wire, &front, &unwrapping))
        return refuse_record(error);
    gboolean ok = seal_private_unwrap(front.half, &unwrapping, key, error);
    if (ok)
        g_byte_array_append(answer, key, (guint)unwrapping.length);
    explicit_bzero(key, sizeof key);
    return ok;
}

static gboolean answer_record(const SealKeeper *self, const guint8 *record, gsize size,
                              GByteArray *answer, GError **error)
{
    SealWire wire = {record + 1, record + size};

    if (record[0] == 'S')
        return answer_signing(self, &wire, answer, error);
    if (record[0] == 'U')
        return answer_unwrapping(self, &wire, answer, error);
    return refuse_record(error);
}

/* FALSE: nobody takes it. */
static gboolean give_answer(int socket, const GByteArray *answer)
{
    gssize sent;

    do
        sent = send(socket, answer->data, answer->len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (gssize)answer->len;
}

static gboolean serve_record(const SealKeeper *self, int socket, const guint8 *record, gsize size)
{
    static const guint8 ok = 0, not_ok = 1;
    g_autoptr(GByteArray) answer = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    g_byte_array_append(answer, &ok, 1);
    if (!answer_record(self, record, size, answer, &error)) {
        g_byte_array_set_size(answer, 0);
        g_byte_array_append(answer, &not_ok, 1);
        g_byte_array_append(answer, (const guint8 *)error->message,
                            (guint)MIN(strlen(error->message), SEAL_WIRE_MAX_TEXT));
    }
    gboolean given = give_answer(socket, answer);
    explicit_bzero(answer->data, answer->len);
    return given;
}

void seal_keeper_serve(SealKeeper *self, int socket)
{
    guint8 record[SEAL_WIRE_MAX];

    for (;;) {
        gssize size = recv(socket, record, sizeof record, MSG_TRUNC);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 1 || size > (gssize)sizeof record ||
            !serve_record(self, socket, record, (gsize)size))
            return;
    }
}
