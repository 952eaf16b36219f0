/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * import.c: files that people have keys in, entry by entry: what is damaged in one hides nothing of
 * the others, and what is no public key is left by name.
 */
#include "pgp.h"
#include "ring.h"

#include <string.h>

enum { MAX_ENTRIES = 100000 };

#define BEGIN  "-----BEGIN PGP "
#define DASHES "-----"

typedef struct {
    SealModule *self;
    const PgpModule *module;
    const SealOrigin *origin;
    SealKeyImport *import;
    GPtrArray *keys; /* SealKey, as they come */
} Import;

G_GNUC_PRINTF(3, 4)
static void fail_entry(const Import *import, const char *entry, const char *format, ...)
{
    g_autoptr(GError) problem = NULL;
    va_list args;

    va_start(args, format);
    problem = g_error_new_valist(SEAL_ERROR, SEAL_ERROR_KEY, format, args);
    va_end(args);
    seal_key_import_fail(import->import, entry, problem);
}

/* Those that stand first under their fingerprint, and what is to be merged with each. */
static void gather_copies(const Import *import, GPtrArray *firsts, GHashTable *copies)
{
    for (guint i = 0; i < import->keys->len; i++) {
        SealKey *key = g_ptr_array_index(import->keys, i);
        const PgpKey *native = seal_key_native(key);
        const char *fingerprint = seal_key_fingerprint(key);
        GPtrArray *same = native->is_revocation ? NULL : g_hash_table_lookup(copies, fingerprint);

        if (native->is_revocation)
            continue;
        if (!same) {
            same = g_ptr_array_new();
            g_hash_table_insert(copies, (gpointer)fingerprint, same);
            g_hash_table_insert(copies, (gpointer)pgp_key_primary(native)->id,
                                g_ptr_array_ref(same));
            g_ptr_array_add(firsts, same);
        }
        g_ptr_array_add(same, key);
    }
}

/* A revocation goes with its key, or by itself where that is not here. */
static void gather_revocations(const Import *import, GPtrArray *firsts, GHashTable *copies)
{
    for (guint i = 0; i < import->keys->len; i++) {
        SealKey *key = g_ptr_array_index(import->keys, i);
        const PgpKey *native = seal_key_native(key);

        if (!native->is_revocation)
            continue;
        GPtrArray *same = g_hash_table_lookup(copies, seal_key_fingerprint(key));
        if (!same) {
            same = g_ptr_array_new();
            g_hash_table_insert(copies, (gpointer)seal_key_fingerprint(key), same);
            g_ptr_array_add(firsts, same);
        }
        g_ptr_array_add(same, key);
    }
}

static void add_merged(const Import *import, GPtrArray *copies)
{
    SealKey *first = g_ptr_array_index(copies, 0);
    g_autoptr(GError) problem = NULL;
    g_autoptr(SealKey) key =
        copies->len == 1 ? seal_key_ref(first) : pgp_merge(import->self, copies, &problem);
    const PgpKey *native = key ? seal_key_native(key) : NULL;

    if (!key)
        seal_key_import_fail(import->import, seal_key_label(first), problem);
    else if (native->flooded)
        fail_entry(import, native->label,
                   "the key %s is flooded: it has more user ids, subkeys or signatures than a key "
                   "can need",
                   seal_key_fingerprint(key));
    else
        seal_key_import_add(import->import, native->label, key);
}

static void add_keys(const Import *import)
{
    g_autoptr(GPtrArray) firsts = g_ptr_array_new();
    g_autoptr(GHashTable) copies =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);

    gather_copies(import, firsts, copies);
    gather_revocations(import, firsts, copies);
    for (guint i = 0; i < firsts->len; i++)
        add_merged(import, g_ptr_array_index(firsts, i));
}

static void leave_secrets(const Import *import, const PgpRing *ring, const char *entry)
{
    for (guint i = 0; i < ring->secrets->len; i++) {
        const char *name = g_ptr_array_index(ring->secrets, i);

        seal_key_import_leave(import->import, name ? name : entry,
                              "a private key; `gpg --export` writes its public part");
    }
}

static void report_faults(const Import *import, const PgpRing *ring, const char *entry)
{
    if (ring->broken == 1)
        fail_entry(import, entry, "the OpenPGP key cannot be read: %s", ring->fault);
    else if (ring->broken > 1)
        fail_entry(import, entry, "%u OpenPGP keys cannot be read: %s", ring->broken, ring->fault);
    if (ring->old > 0)
        fail_entry(import, entry,
                   "%u OpenPGP keys are of version 2 or 3, which nobody should use any more",
                   ring->old);
}

/* FALSE where nothing was in it. */
static gboolean take_ring(const Import *import, PgpRing *ring, const char *entry)
{
    g_ptr_array_set_free_func(ring->keys, NULL);
    for (guint i = 0; i < ring->keys->len; i++)
        g_ptr_array_add(import->keys,
                        pgp_seal_key(g_ptr_array_index(ring->keys, i), import->origin));
    leave_secrets(import, ring, entry);
    report_faults(import, ring, entry);
    return ring->keys->len + ring->secrets->len + ring->broken + ring->old > 0;
}

static gboolean take_part(const Import *import, GBytes *part, const char *entry)
{
    g_auto(PgpRing) ring = {.named = import->module->named};

    pgp_ring_read(&ring, part);
    return take_ring(import, &ring, entry);
}

/* -------------------------------------------------------------------------------------------
 * Keyboxes
 */

static void take_blob(const Import *import, GBytes *keybox, const PgpBlob *blob, guint number)
{
    g_autofree char *entry = g_strdup_printf("entry %u", number);

    if (blob->fault) {
        fail_entry(import, entry, "%s", blob->fault);
    } else if (blob->type == PGP_BLOB_CERTIFICATE) {
        seal_key_import_leave(import->import, entry,
                              "an X.509 certificate; `gpgsm --export` writes it");
    } else if (blob->type == PGP_BLOB_KEY) {
        g_autoptr(GBytes) part = g_bytes_new_from_bytes(keybox, blob->offset, blob->length);
        g_auto(PgpRing) ring = {.named = import->module->named};

        pgp_ring_read_packets(&ring, part);
        if (!take_ring(import, &ring, entry))
            fail_entry(import, entry, "it should be a key, and no OpenPGP packet of one is in it");
    }
}

static void take_keybox(const Import *import, GBytes *keybox)
{
    PgpBlob blob;
    guint number = 0;

    for (gsize at = 0; pgp_keybox_next(keybox, &at, &blob);) {
        if (++number > MAX_ENTRIES) {
            fail_entry(import, NULL, "there are more than %d entries in it", MAX_ENTRIES);
            return;
        }
        take_blob(import, keybox, &blob, number);
    }
}

/* -------------------------------------------------------------------------------------------
 * Armour
 */

/* The line at *@at that begins a block, or NULL. */
static const char *find_block(const char *text, gsize length, gsize *at)
{
    while (*at < length) {
        const char *found = memmem(text + *at, length - *at, BEGIN, strlen(BEGIN));

        if (!found)
            return NULL;
        *at = (gsize)(found - text) + strlen(BEGIN);
        if (found == text || found[-1] == '\n' || found[-1] == '\r' || found[-1] == ':')
            return found;
    }
    return NULL;
}

/* What stands in the line between BEGIN PGP and the dashes. (transfer full) */
static char *read_label(const char *line, gsize left)
{
    const char *from = line + strlen(BEGIN);
    const char *end = memchr(from, '\n', left - strlen(BEGIN));
    gsize length = end ? (gsize)(end - from) : left - strlen(BEGIN);
    const char *dashes = memmem(from, length, DASHES, strlen(DASHES));

    return seal_text_line(from, dashes ? (gsize)(dashes - from) : length, 40);
}

void pgp_block_clear(PgpBlock *block)
{
    g_clear_pointer(&block->octets, g_bytes_unref);
    g_clear_pointer(&block->label, g_free);
}

gboolean pgp_block_next(GBytes *data, gsize *at, PgpBlock *block)
{
    gsize length;
    const char *text = g_bytes_get_data(data, &length);
    const char *line = find_block(text, length, at);

    pgp_block_clear(block);
    if (!line)
        return FALSE;
    gsize from = (gsize)(line - text), behind = *at;
    const char *next = find_block(text, length, &behind);
    gsize end = next ? (gsize)(next - text) : length;

    block->label = read_label(line, length - from);
    block->octets = g_bytes_new_from_bytes(data, from, end - from);
    block->laid_by = from > 0 && line[-1] == ':';
    *at = end;
    return TRUE;
}

static void take_secret_block(const Import *import, GBytes *block, const char *entry)
{
    g_auto(PgpRing) ring = {0};

    pgp_ring_read_armor(&ring, block, "PRIVATE KEY BLOCK");
    leave_secrets(import, &ring, entry);
    if (ring.secrets->len == 0)
        seal_key_import_leave(import->import, entry, "a private key that cannot be read");
}

/* @of_text: a signature that belongs to the signed text before it. */
static void take_block(const Import *import, GBytes *block, const char *label, const char *entry,
                       gboolean of_text)
{
    if (g_str_equal(label, "PRIVATE KEY BLOCK")) {
        take_secret_block(import, block, entry);
    } else if (g_str_equal(label, "PUBLIC KEY BLOCK") || g_str_equal(label, "SIGNATURE")) {
        if (!take_part(import, block, entry) && !of_text)
            seal_key_import_leave(import->import, entry,
                                  *label == 'S' ? "a signature, and no revocation of a key"
                                                : "an OpenPGP block without a key");
    } else if (g_str_equal(label, "SIGNED MESSAGE")) {
        seal_key_import_leave(import->import, entry, "a signed text");
    } else {
        g_autofree char *what = g_str_equal(label, "MESSAGE")
                                    ? g_strdup("an OpenPGP message")
                                    : g_strdup_printf("an OpenPGP block named %s", label);
        seal_key_import_leave(import->import, entry, what);
    }
}

/* FALSE where there is none. */
static gboolean take_armor(const Import *import, GBytes *data)
{
    g_auto(PgpBlock) block = {0};
    gboolean of_text = FALSE;
    guint number = 0;

    for (gsize at = 0; pgp_block_next(data, &at, &block);) {
        g_autofree char *entry = g_strdup_printf("block %u", ++number);

        if (number > MAX_ENTRIES) {
            fail_entry(import, NULL, "there are more than %d blocks in it", MAX_ENTRIES);
            break;
        }
        if (block.laid_by)
            seal_key_import_leave(import->import, entry,
                                  "a block with a colon before its dashes: take it away to use it");
        else
            take_block(import, block.octets, block.label, entry, of_text);
        of_text = g_str_equal(block.label, "SIGNED MESSAGE");
    }
    return number > 0;
}

/* -------------------------------------------------------------------------------------------
 * Octets
 */

/* Packets from the first to the last, beginning with one that messages and signatures begin with
 * (RFC 4880 11.3). */
static const char *name_message(GBytes *data)
{
    g_autoptr(GInputStream) in = g_memory_input_stream_new_from_bytes(data);
    g_autoptr(SealPackets) packets = seal_packets_new(in, NULL, FALSE);
    guint8 first = 0, tag;

    do {
        if (!seal_packets_next(packets, &tag) || (tag && !seal_packets_skip(packets)))
            return NULL;
        first = first ? first : tag;
    } while (tag);
    switch (first) {
    case PGP_TAG_SIGNATURE:
        return "a signature, and no revocation of a key";
    case 1:
    case 3:
    case 4:
    case 8:
    case 9:
    case 11:
    case 18:
    case 20:
        return "an OpenPGP message";
    default:
        return NULL;
    }
}

static void take_octets(const Import *import, GBytes *data)
{
    const char *message = NULL;

    if (take_part(import, data, NULL))
        return;
    gsize length;
    const guint8 *octets = g_bytes_get_data(data, &length);
    if (length > 0 && octets[0] & 0x80)
        message = name_message(data);
    if (message)
        seal_key_import_leave(import->import, NULL, message);
}

static gboolean take_packets(const Import *import, GBytes *data)
{
    g_auto(PgpRing) ring = {.named = import->module->named};

    pgp_ring_read_packets(&ring, data);
    return take_ring(import, &ring, NULL);
}

/* What nobody could read to its end was said of its entry. */
gboolean pgp_import(SealModule *self, GBytes *data, const SealSecret *passphrase,
                    const SealOrigin *origin, SealKeyImport *import, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    const Import all = {self, seal_module_data(self), origin, import, keys};
    g_autoptr(GBytes) plain = seal_text_plain(data);

    if (pgp_ring_is_keybox(data))
        take_keybox(&all, data);
    else if (!(pgp_ring_is_packets(plain) && take_packets(&all, plain)) && !take_armor(&all, plain))
        take_octets(&all, plain);
    add_keys(&all);
    return TRUE;
}
