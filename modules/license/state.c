/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * state.c: what is remembered from one message to the next, by any number of processes. A file is
 * replaced as a whole, by who holds the lock; reading needs none. What is read was written here on
 * this machine: its last line authenticates the rest. A second file, written after the first one,
 * shows that there was a state. docs/decisions/0010-licence-state.md says what that is worth.
 */
#include "license.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP "state"
#define MAC   "mac="

enum {
    MAX_STATE = 2 * 1024 * 1024,
    MAC_SIZE = 32,
    SENDER_SIZE = 10,
};

struct LicenseStore {
    char *dir;
    int lock;
};

static char *state_path(const char *dir)
{
    return g_build_filename(dir, "state", NULL);
}

static char *marker_path(const char *dir)
{
    return g_build_filename(dir, "installation", NULL);
}

void license_state_free(LicenseState *state)
{
    if (!state)
        return;
    g_free(state->active);
    g_ptr_array_unref(state->used);
    g_ptr_array_unref(state->senders);
    g_free(state);
}

static LicenseState *state_new(void)
{
    LicenseState *state = g_new0(LicenseState, 1);

    state->active = g_strdup("");
    state->used = g_ptr_array_new_with_free_func(g_free);
    state->senders = g_ptr_array_new_with_free_func(g_free);
    return state;
}

LicenseState *license_state_new(void)
{
    LicenseState *state = state_new();
    guint8 id[LICENSE_ID_SIZE];

    randombytes_buf(id, sizeof id);
    sodium_bin2hex(state->installation, sizeof state->installation, id, sizeof id);
    return state;
}

/* -------------------------------------------------------------------------------------------
 * Authentication
 */

/* A key that another machine, or another installation on this one, does not have. */
static void derive(const char *installation, const char *purpose, guint8 *key)
{
    g_autofree char *machine = license_machine();
    g_autofree char *text = g_strjoin("\n", purpose, installation, machine, NULL);

    crypto_generichash(key, crypto_generichash_KEYBYTES, (const guint8 *)text, strlen(text), NULL,
                       0);
}

/* (transfer full) */
static char *keyed_hash(const char *installation, const char *purpose, const void *data, gsize size,
                        gsize length)
{
    guint8 key[crypto_generichash_KEYBYTES], hash[crypto_generichash_BYTES_MAX];

    derive(installation, purpose, key);
    crypto_generichash(hash, length, data, size, key, sizeof key);
    sodium_memzero(key, sizeof key);
    return license_hex(hash, length);
}

static char *mac_of(const char *installation, const char *data, gsize size)
{
    return keyed_hash(installation, "sealpipe licence state", data, size, MAC_SIZE);
}

/* Several addresses of one mailbox are one sender. Not the address itself, since nobody needs it.
 */
char *license_state_sender(const LicenseState *state, const SealAddress *sender)
{
    const char *key = seal_address_key(sender);

    return keyed_hash(state->installation, "sealpipe licence sender", key, strlen(key),
                      MAX(SENDER_SIZE, crypto_generichash_BYTES_MIN));
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

static gboolean tampered(GError **error, const char *why)
{
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, why);
    return FALSE;
}

static void take_list(GKeyFile *file, const char *key, GPtrArray *list)
{
    g_auto(GStrv) items = g_key_file_get_string_list(file, GROUP, key, NULL, NULL);

    for (char **item = items; item && *item; item++)
        g_ptr_array_add(list, g_strdup(*item));
}

static LicenseState *from_file(GKeyFile *file)
{
    LicenseState *state = state_new();
    g_autofree char *active = g_key_file_get_string(file, GROUP, "active", NULL);
    g_autofree char *id = g_key_file_get_string(file, GROUP, "installation", NULL);

    g_strlcpy(state->installation, id ? id : "", sizeof state->installation);
    state->started = g_key_file_get_int64(file, GROUP, "started", NULL);
    state->until = g_key_file_get_int64(file, GROUP, "until", NULL);
    state->seen = g_key_file_get_int64(file, GROUP, "seen", NULL);
    state->warned = g_key_file_get_int64(file, GROUP, "warned", NULL);
    state->trials = g_key_file_get_int64(file, GROUP, "trials", NULL);
    g_free(state->active);
    state->active = active ? g_steal_pointer(&active) : g_strdup("");
    take_list(file, "used", state->used);
    take_list(file, "senders", state->senders);
    return state;
}

/* Believed once its authentication holds: nothing else was parsed before but where that stands. */
static LicenseState *parse(GBytes *bytes, GError **error)
{
    static const char foreign[] = "the licence's state was edited, or comes from another machine";
    gsize size = g_bytes_get_size(bytes), tail = strlen(MAC) + 2 * MAC_SIZE + 1;
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), size);
    g_autoptr(GKeyFile) file = g_key_file_new();

    if (size < tail || strlen(text) != size || strncmp(text + size - tail, MAC, strlen(MAC)) != 0 ||
        text[size - 1] != '\n' ||
        !g_key_file_load_from_data(file, text, size - tail, G_KEY_FILE_NONE, NULL)) {
        tampered(error, foreign);
        return NULL;
    }

    g_autoptr(LicenseState) state = from_file(file);
    g_autofree char *mac = mac_of(state->installation, text, size - tail);
    if (sodium_memcmp(mac, text + size - tail + strlen(MAC), 2 * MAC_SIZE) != 0) {
        tampered(error, foreign);
        return NULL;
    }
    return g_steal_pointer(&state);
}

/* NULL where it is missing; *@problem where it cannot be read. */
static GBytes *load(const char *path, GError **problem)
{
    gboolean missing = FALSE;
    GBytes *bytes = license_load(path, MAX_STATE, &missing, problem);

    if (missing)
        g_clear_error(problem);
    return bytes;
}

static gboolean same_installation(GBytes *marker, const LicenseState *state)
{
    gsize size = strlen(state->installation);

    return g_bytes_get_size(marker) == size + 1 &&
           memcmp(g_bytes_get_data(marker, NULL), state->installation, size) == 0;
}

gboolean license_state_read(const char *dir, LicenseState **state, GError **error)
{
    g_autofree char *marker_file = marker_path(dir);
    g_autofree char *state_file = state_path(dir);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) marker = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(LicenseState) found = NULL;

    if (sodium_init() < 0)
        return tampered(error, "libsodium does not start");
    /* In the order that is not the one of writing: who sees the marker sees the state, too. */
    marker = load(marker_file, &problem);
    if (!problem)
        bytes = load(state_file, &problem);
    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (!bytes && marker)
        return tampered(error, "the licence's state was deleted");
    if (bytes) {
        found = parse(bytes, error);
        if (!found)
            return FALSE;
        if (marker && !same_installation(marker, found))
            return tampered(error, "the licence's state comes from another installation");
        found->unmarked = marker == NULL;
    }
    *state = g_steal_pointer(&found);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static gboolean failed(GError **error, const char *path)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "the licence's state: %s: %s; the user that sealpipe runs as must be able to write "
                "there",
                path, g_strerror(errno));
    return FALSE;
}

LicenseStore *license_store_open(const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename(dir, "lock", NULL);
    int rc;

    if (g_mkdir(dir, 0700) < 0 && errno != EEXIST) {
        failed(error, dir);
        return NULL;
    }

    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        failed(error, path);
        return NULL;
    }
    do
        rc = flock(fd, LOCK_EX);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        failed(error, path);
        close(fd);
        return NULL;
    }

    LicenseStore *store = g_new0(LicenseStore, 1);
    store->dir = g_strdup(dir);
    store->lock = fd;
    return store;
}

void license_store_close(LicenseStore *store)
{
    if (!store)
        return;
    close(store->lock);
    g_free(store->dir);
    g_free(store);
}

static void put_list(GKeyFile *file, const char *key, GPtrArray *list)
{
    g_key_file_set_string_list(file, GROUP, key, (const char *const *)list->pdata, list->len);
}

static char *render(const LicenseState *state)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *text = NULL;
    g_autofree char *mac = NULL;
    gsize size = 0;

    g_key_file_set_string(file, GROUP, "installation", state->installation);
    g_key_file_set_int64(file, GROUP, "started", state->started);
    g_key_file_set_int64(file, GROUP, "until", state->until);
    g_key_file_set_int64(file, GROUP, "seen", state->seen);
    g_key_file_set_int64(file, GROUP, "warned", state->warned);
    g_key_file_set_int64(file, GROUP, "trials", state->trials);
    g_key_file_set_string(file, GROUP, "active", state->active);
    put_list(file, "used", state->used);
    put_list(file, "senders", state->senders);
    text = g_key_file_to_data(file, &size, NULL);
    mac = mac_of(state->installation, text, size);
    return g_strconcat(text, MAC, mac, "\n", NULL);
}

gboolean license_state_write(LicenseStore *store, const LicenseState *state, GError **error)
{
    g_autofree char *state_file = state_path(store->dir);
    g_autofree char *marker_file = marker_path(store->dir);
    g_autofree char *text = render(state);
    g_autofree char *line = g_strconcat(state->installation, "\n", NULL);
    g_autoptr(GBytes) expected = g_bytes_new_static(line, strlen(line));
    g_autoptr(GBytes) marker = load(marker_file, NULL);

    return license_save(state_file, text, strlen(text), 0600, error) &&
           ((marker && g_bytes_equal(marker, expected)) ||
            license_save(marker_file, line, strlen(line), 0600, error));
}
