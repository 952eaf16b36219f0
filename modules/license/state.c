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

#define STATE_FILE  "state"
#define MARKER_FILE "installation"
#define LOCK_FILE   "lock"
#define GROUP       "state"
#define MAC         "mac="

enum {
    MAX_STATE = 2 * 1024 * 1024,
    MAC_SIZE = 32,
    SENDER_SIZE = MAX(10, crypto_generichash_BYTES_MIN),
};

struct LicenseStore {
    char *dir;
    int lock;
};

void license_state_free(LicenseState *state)
{
    if (!state)
        return;
    g_free(state->installation);
    g_free(state->active);
    g_ptr_array_unref(state->used);
    g_ptr_array_unref(state->senders);
    g_free(state);
}

LicenseState *license_state_new(void)
{
    LicenseState *state = g_new0(LicenseState, 1);
    guint8 id[LICENSE_ID_SIZE];

    randombytes_buf(id, sizeof id);
    state->installation = seal_text_hex(id, sizeof id);
    state->active = g_strdup("");
    state->used = g_ptr_array_new_with_free_func(g_free);
    state->senders = g_ptr_array_new_with_free_func(g_free);
    return state;
}

/* -------------------------------------------------------------------------------------------
 * Members, each said once: what is read is what was written
 */

static void copy_text(GKeyFile *file, gboolean write, const char *key, char **text)
{
    if (write) {
        g_key_file_set_string(file, GROUP, key, *text);
        return;
    }
    g_free(*text);
    *text = g_key_file_get_string(file, GROUP, key, NULL);
    if (!*text)
        *text = g_strdup("");
}

static void copy_number(GKeyFile *file, gboolean write, const char *key, gint64 *number)
{
    if (write)
        g_key_file_set_int64(file, GROUP, key, *number);
    else
        *number = g_key_file_get_int64(file, GROUP, key, NULL);
}

static void copy_list(GKeyFile *file, gboolean write, const char *key, GPtrArray *list)
{
    if (write) {
        g_key_file_set_string_list(file, GROUP, key, (const char *const *)list->pdata, list->len);
        return;
    }
    g_auto(GStrv) items = g_key_file_get_string_list(file, GROUP, key, NULL, NULL);
    for (char **item = items; item && *item; item++)
        g_ptr_array_add(list, g_strdup(*item));
}

/* From @state to @file where it is to @write, else back. */
static void copy_members(GKeyFile *file, gboolean write, LicenseState *state)
{
    copy_text(file, write, "installation", &state->installation);
    copy_number(file, write, "started", &state->started);
    copy_number(file, write, "until", &state->until);
    copy_number(file, write, "seen", &state->seen);
    copy_number(file, write, "warned", &state->warned);
    copy_number(file, write, "trials", &state->trials);
    copy_text(file, write, "active", &state->active);
    copy_list(file, write, "used", state->used);
    copy_list(file, write, "senders", state->senders);
}

/* -------------------------------------------------------------------------------------------
 * Authentication
 */

/* Under a key that another machine, or another installation on this one, does not have. (transfer
 * full) */
static char *keyed_hash(const char *installation, const char *purpose, const void *data, gsize size,
                        gsize length)
{
    guint8 key[crypto_generichash_KEYBYTES], hash[crypto_generichash_BYTES_MAX];
    g_autofree char *machine = license_machine();
    g_autofree char *text = g_strjoin("\n", purpose, installation, machine, NULL);

    crypto_generichash(key, sizeof key, (const guint8 *)text, strlen(text), NULL, 0);
    crypto_generichash(hash, length, data, size, key, sizeof key);
    sodium_memzero(key, sizeof key);
    return seal_text_hex(hash, length);
}

static char *hash_state(const LicenseState *state, const char *data, gsize size)
{
    return keyed_hash(state->installation, "sealpipe licence state", data, size, MAC_SIZE);
}

/* Several addresses of one mailbox are one sender. Not the address itself, since nobody needs it.
 */
char *license_state_sender(const LicenseState *state, const SealAddress *sender)
{
    const char *key = seal_address_key(sender);

    return keyed_hash(state->installation, "sealpipe licence sender", key, strlen(key),
                      SENDER_SIZE);
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

/* Believed once its authentication holds: nothing else was parsed before but where that stands. */
static LicenseState *parse_state(GBytes *bytes)
{
    gsize size = g_bytes_get_size(bytes), tail = strlen(MAC) + 2 * MAC_SIZE + 1;
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), size);
    g_autoptr(GKeyFile) file = g_key_file_new();

    if (size < tail || strlen(text) != size || strncmp(text + size - tail, MAC, strlen(MAC)) != 0 ||
        text[size - 1] != '\n' ||
        !g_key_file_load_from_data(file, text, size - tail, G_KEY_FILE_NONE, NULL))
        return NULL;

    g_autoptr(LicenseState) state = license_state_new();
    copy_members(file, FALSE, state);
    g_autofree char *mac = hash_state(state, text, size - tail);
    if (sodium_memcmp(mac, text + size - tail + strlen(MAC), 2 * MAC_SIZE) != 0)
        return NULL;
    return g_steal_pointer(&state);
}

static gboolean is_marker_of(GBytes *marker, const LicenseState *state)
{
    g_autofree char *line = g_strconcat(state->installation, "\n", NULL);
    g_autoptr(GBytes) wanted = g_bytes_new(line, strlen(line));

    return g_bytes_equal(marker, wanted);
}

gboolean license_state_read(const char *dir, LicenseState **state, GError **error)
{
    g_autofree char *marker_path = g_build_filename(dir, MARKER_FILE, NULL);
    g_autofree char *state_path = g_build_filename(dir, STATE_FILE, NULL);
    g_autoptr(GBytes) marker = NULL;
    g_autoptr(GBytes) bytes = NULL;

    /* In the order that is not the one of writing: who sees the marker sees the state, too. */
    if (!license_read_file(marker_path, MAX_STATE, &marker, error) ||
        !license_read_file(state_path, MAX_STATE, &bytes, error))
        return FALSE;
    if (!bytes)
        return !marker || license_fail(error, SEAL_ERROR_KEY,
                                       "the licence's state was deleted: %s is there, and %s is "
                                       "not",
                                       marker_path, state_path);

    g_autoptr(LicenseState) found = parse_state(bytes);
    if (!found)
        return license_fail(error, SEAL_ERROR_KEY,
                            "the licence's state was edited, or comes from another machine: the "
                            "last line of %s does not fit the others",
                            state_path);
    if (marker && !is_marker_of(marker, found))
        return license_fail(error, SEAL_ERROR_KEY,
                            "the licence's state comes from another installation: %s does not name "
                            "the one of %s",
                            state_path, marker_path);
    found->unmarked = marker == NULL;
    *state = g_steal_pointer(&found);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static gboolean lock_fd(int fd)
{
    int rc;

    do
        rc = flock(fd, LOCK_EX);
    while (rc < 0 && errno == EINTR);
    return rc == 0;
}

LicenseStore *license_store_open(const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename(dir, LOCK_FILE, NULL);
    gboolean made = g_mkdir(dir, 0700) == 0 || errno == EEXIST;
    int fd = made ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

    if (fd < 0 || !lock_fd(fd)) {
        license_fail(error, SEAL_ERROR_UNAVAILABLE,
                     "the licence's state: %s: %s; the user that sealpipe runs as must be able to "
                     "write there",
                     made ? path : dir, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }

    LicenseStore *store = g_new0(LicenseStore, 1);
    *store = (LicenseStore){g_strdup(dir), fd};
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

gboolean license_state_write(LicenseStore *store, LicenseState *state, GError **error)
{
    g_autofree char *state_path = g_build_filename(store->dir, STATE_FILE, NULL);
    g_autofree char *marker_path = g_build_filename(store->dir, MARKER_FILE, NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    gsize size = 0;

    copy_members(file, TRUE, state);
    g_autofree char *members = g_key_file_to_data(file, &size, NULL);
    g_autofree char *mac = hash_state(state, members, size);
    g_autofree char *text = g_strconcat(members, MAC, mac, "\n", NULL);
    g_autofree char *line = g_strconcat(state->installation, "\n", NULL);
    g_autoptr(GBytes) marker = NULL;

    if (!seal_file_save(state_path, text, strlen(text), 0600, error))
        return FALSE;
    license_read_file(marker_path, MAX_STATE, &marker, NULL);
    return (marker && is_marker_of(marker, state)) ||
           seal_file_save(marker_path, line, strlen(line), 0600, error);
}
