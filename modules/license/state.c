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
    SENDER_SIZE = MAX(10, crypto_generichash_BYTES_MIN),
};

struct LicenseStore {
    char *state_path;
    char *marker_path;
    int lock;
};

/* -------------------------------------------------------------------------------------------
 * Members: one table, by which a state is read and written
 */

typedef enum {
    MEMBER_TEXT,
    MEMBER_NUMBER,
    MEMBER_LIST,
} MemberType;

static const struct {
    const char *key;
    MemberType type;
    gsize offset;
} MEMBERS[] = {
    {"installation", MEMBER_TEXT, G_STRUCT_OFFSET(LicenseState, installation)},
    {"started", MEMBER_NUMBER, G_STRUCT_OFFSET(LicenseState, started)},
    {"until", MEMBER_NUMBER, G_STRUCT_OFFSET(LicenseState, until)},
    {"seen", MEMBER_NUMBER, G_STRUCT_OFFSET(LicenseState, seen)},
    {"warned", MEMBER_NUMBER, G_STRUCT_OFFSET(LicenseState, warned)},
    {"trials", MEMBER_NUMBER, G_STRUCT_OFFSET(LicenseState, trials)},
    {"active", MEMBER_TEXT, G_STRUCT_OFFSET(LicenseState, active)},
    {"used", MEMBER_LIST, G_STRUCT_OFFSET(LicenseState, used)},
    {"senders", MEMBER_LIST, G_STRUCT_OFFSET(LicenseState, senders)},
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

static void list_from_strings(GPtrArray *list, char **strings)
{
    for (; strings && *strings; strings++)
        g_ptr_array_add(list, g_strdup(*strings));
}

static LicenseState *state_from_key_file(GKeyFile *file)
{
    LicenseState *state = license_state_new();

    for (guint i = 0; i < G_N_ELEMENTS(MEMBERS); i++) {
        gpointer member = G_STRUCT_MEMBER_P(state, MEMBERS[i].offset);
        const char *key = MEMBERS[i].key;
        g_auto(GStrv) strings = NULL;

        switch (MEMBERS[i].type) {
        case MEMBER_TEXT:
            g_free(*(char **)member);
            *(char **)member = g_key_file_get_string(file, GROUP, key, NULL);
            if (!*(char **)member)
                *(char **)member = g_strdup("");
            break;
        case MEMBER_NUMBER:
            *(gint64 *)member = g_key_file_get_int64(file, GROUP, key, NULL);
            break;
        case MEMBER_LIST:
            strings = g_key_file_get_string_list(file, GROUP, key, NULL, NULL);
            list_from_strings(*(GPtrArray **)member, strings);
            break;
        }
    }
    return state;
}

static GKeyFile *state_to_key_file(const LicenseState *state)
{
    GKeyFile *file = g_key_file_new();

    for (guint i = 0; i < G_N_ELEMENTS(MEMBERS); i++) {
        gconstpointer member = G_STRUCT_MEMBER_P(state, MEMBERS[i].offset);
        const char *key = MEMBERS[i].key;
        const GPtrArray *list;

        switch (MEMBERS[i].type) {
        case MEMBER_TEXT:
            g_key_file_set_string(file, GROUP, key, *(char *const *)member);
            break;
        case MEMBER_NUMBER:
            g_key_file_set_int64(file, GROUP, key, *(const gint64 *)member);
            break;
        case MEMBER_LIST:
            list = *(GPtrArray *const *)member;
            g_key_file_set_string_list(file, GROUP, key, (const char *const *)list->pdata,
                                       list->len);
            break;
        }
    }
    return file;
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

    g_autoptr(LicenseState) state = state_from_key_file(file);
    g_autofree char *mac = hash_state(state, text, size - tail);
    if (sodium_memcmp(mac, text + size - tail + strlen(MAC), 2 * MAC_SIZE) != 0)
        return NULL;
    return g_steal_pointer(&state);
}

static gboolean is_marker_of(GBytes *marker, const LicenseState *state)
{
    g_autofree char *line = g_strconcat(state->installation, "\n", NULL);
    g_autoptr(GBytes) expected = g_bytes_new_static(line, strlen(line));

    return marker && g_bytes_equal(marker, expected);
}

gboolean license_state_read(const char *dir, LicenseState **state, GError **error)
{
    g_autofree char *marker_path = g_build_filename(dir, "installation", NULL);
    g_autofree char *state_path = g_build_filename(dir, "state", NULL);
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
    g_autofree char *path = g_build_filename(dir, "lock", NULL);
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
    store->state_path = g_build_filename(dir, "state", NULL);
    store->marker_path = g_build_filename(dir, "installation", NULL);
    store->lock = fd;
    return store;
}

void license_store_close(LicenseStore *store)
{
    if (!store)
        return;
    close(store->lock);
    g_free(store->state_path);
    g_free(store->marker_path);
    g_free(store);
}

gboolean license_state_write(LicenseStore *store, const LicenseState *state, GError **error)
{
    g_autoptr(GKeyFile) file = state_to_key_file(state);
    gsize size = 0;
    g_autofree char *members = g_key_file_to_data(file, &size, NULL);
    g_autofree char *mac = hash_state(state, members, size);
    g_autofree char *text = g_strconcat(members, MAC, mac, "\n", NULL);
    g_autofree char *line = g_strconcat(state->installation, "\n", NULL);
    g_autoptr(GBytes) marker = NULL;

    if (!seal_file_save(store->state_path, text, strlen(text), 0600, error))
        return FALSE;
    license_read_file(store->marker_path, MAX_STATE, &marker, NULL);
    return is_marker_of(marker, state) ||
           seal_file_save(store->marker_path, line, strlen(line), 0600, error);
}
