/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-store.c: the key sources `store`, of keys that were added by hand, and `harvested`, of keys
 * that came with mail.
 */
#include "keys-store.h"

#include <unistd.h>

/* Each key has a trust of its own. */
static gboolean keys_store_init(SealModule *self, GError **error)
{
    if (seal_module_trust(self, "store") != SEAL_TRUST_MANUAL ||
        seal_module_trust(self, "harvested") != SEAL_TRUST_HARVESTED)
        return seal_module_refuse(self, "trust", error,
                                  "the store's keys are trusted as was said when each was added "
                                  "(sealctl keys add --trust), and harvested ones as harvested; "
                                  "take this line out");
    seal_module_set_data(self, store_new(self));
    return TRUE;
}

static void keys_store_fini(SealModule *self)
{
    store_free(seal_module_data(self));
}

/* It is opened when it is needed, since it may not be there yet. */
static void keys_store_detach(SealModule *self)
{
    store_close(seal_module_data(self));
}

static gboolean keys_store_remove(SealModule *self, const SealKeyFilter *filter, guint *removed,
                                  GError **error)
{
    return store_keys_remove(seal_module_data(self), STORE_OF_STORE, filter, removed, error);
}

static gboolean keys_store_remove_harvested(SealModule *self, const SealKeyFilter *filter,
                                            guint *removed, GError **error)
{
    return store_keys_remove(seal_module_data(self), STORE_OF_HARVESTED, filter, removed, error);
}

static gboolean keys_store_unbind(SealModule *self, const SealKeyFilter *filter, const char *bound,
                                  guint *count, GError **error)
{
    return store_keys_unbind(seal_module_data(self), STORE_OF_STORE, filter, bound, count, error);
}

static gboolean keys_store_unbind_harvested(SealModule *self, const SealKeyFilter *filter,
                                            const char *bound, guint *count, GError **error)
{
    return store_keys_unbind(seal_module_data(self), STORE_OF_HARVESTED, filter, bound, count,
                             error);
}

static gboolean keys_store_list(SealModule *self, const SealKeyFilter *filter, SealKeyListed visit,
                                gpointer user_data, GError **error)
{
    return store_keys_list(seal_module_data(self), STORE_OF_STORE, filter, visit, user_data, error);
}

static gboolean keys_store_list_harvested(SealModule *self, const SealKeyFilter *filter,
                                          SealKeyListed visit, gpointer user_data, GError **error)
{
    return store_keys_list(seal_module_data(self), STORE_OF_HARVESTED, filter, visit, user_data,
                           error);
}

static gboolean keys_store_put(SealModule *self, GPtrArray *keys, guint *added, GError **error)
{
    return store_keys_put_counted(seal_module_data(self), STORE_OF_STORE, keys, added, error);
}

static gboolean keys_store_put_each(SealModule *self, GPtrArray *keys, SealPut *kept,
                                    GError **error)
{
    return store_keys_put(seal_module_data(self), STORE_OF_STORE, keys, kept, error);
}

static gboolean keys_store_put_harvested(SealModule *self, GPtrArray *keys, guint *added,
                                         GError **error)
{
    return store_keys_put_counted(seal_module_data(self), STORE_OF_HARVESTED, keys, added, error);
}

static gboolean keys_store_put_each_harvested(SealModule *self, GPtrArray *keys, SealPut *kept,
                                              GError **error)
{
    return store_keys_put(seal_module_data(self), STORE_OF_HARVESTED, keys, kept, error);
}

static gboolean keys_store_lookup(SealModule *self, SealAddress *address, const char *format,
                                  SealTrust trust, GCancellable *cancellable, GPtrArray *keys,
                                  char **doubt, GError **error)
{
    return store_keys_find(seal_module_data(self), STORE_OF_STORE, address, format, cancellable,
                           keys, doubt, error);
}

static gboolean keys_store_lookup_harvested(SealModule *self, SealAddress *address,
                                            const char *format, SealTrust trust,
                                            GCancellable *cancellable, GPtrArray *keys,
                                            char **doubt, GError **error)
{
    return store_keys_find(seal_module_data(self), STORE_OF_HARVESTED, address, format, cancellable,
                           keys, doubt, error);
}

static gboolean keys_store_copies(SealModule *self, SealKey *key, SealTrust trust,
                                  GCancellable *cancellable, GPtrArray *keys, GError **error)
{
    return store_keys_copies(seal_module_data(self), STORE_OF_STORE, key, cancellable, keys, error);
}

static gboolean keys_store_copies_harvested(SealModule *self, SealKey *key, SealTrust trust,
                                            GCancellable *cancellable, GPtrArray *keys,
                                            GError **error)
{
    return store_keys_copies(seal_module_data(self), STORE_OF_HARVESTED, key, cancellable, keys,
                             error);
}

static guint64 keys_store_changes(SealModule *self, SealAddress *address, const char *format)
{
    return store_changes(seal_module_data(self), STORE_OF_STORE);
}

static guint64 keys_store_changes_harvested(SealModule *self, SealAddress *address,
                                            const char *format)
{
    return store_changes(seal_module_data(self), STORE_OF_HARVESTED);
}

static gboolean keys_store_recall(SealModule *self, SealRecollection *recollection, gboolean *known,
                                  GError **error)
{
    return store_recall(seal_module_data(self), recollection, known, error);
}

static gboolean keys_store_remember(SealModule *self, const SealRecollection *recollection,
                                    GError **error)
{
    return store_remember(seal_module_data(self), recollection, error);
}

static void keys_store_used(SealModule *self, SealKey *key)
{
    store_keys_touch(seal_module_data(self), STORE_OF_STORE, key);
}

static void keys_store_used_harvested(SealModule *self, SealKey *key)
{
    store_keys_touch(seal_module_data(self), STORE_OF_HARVESTED, key);
}

/* Always asked: some of its keys are trusted the most. */
static const SealSource source = {
    .size = sizeof source,
    .name = "store",
    .trust = SEAL_TRUST_MANUAL,
    .lookup = keys_store_lookup,
    .copies = keys_store_copies,
    .changes = keys_store_changes,
    .put = keys_store_put,
    .list = keys_store_list,
    .remove = keys_store_remove,
    .recall = keys_store_recall,
    .remember = keys_store_remember,
    .book = &store_book,
    .used = keys_store_used,
    .unbind = keys_store_unbind,
    .put_each = keys_store_put_each,
};

static const SealSource harvested = {
    .size = sizeof harvested,
    .name = "harvested",
    .trust = SEAL_TRUST_HARVESTED,
    .lookup = keys_store_lookup_harvested,
    .copies = keys_store_copies_harvested,
    .changes = keys_store_changes_harvested,
    .put = keys_store_put_harvested,
    .list = keys_store_list_harvested,
    .remove = keys_store_remove_harvested,
    .used = keys_store_used_harvested,
    .unbind = keys_store_unbind_harvested,
    .put_each = keys_store_put_each_harvested,
};

static const SealSource *const sources[] = {&source, &harvested, NULL};

static gboolean keys_store_check(SealModule *self, SealOut *out, G_GNUC_UNUSED GError **error)
{
    Store *store = seal_module_data(self);
    g_autoptr(GError) problem = NULL;
    gint64 count = 0;

    if (!store_keys_count(store, &count, &problem)) {
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "keys",
                         "restore it from a backup, or move it away, so that a new one is made",
                         "%s", problem->message);
        return TRUE;
    }
    const char *folder = seal_module_state_path(self);
    if (access(folder, F_OK) != 0)
        seal_out_text(
            out, "detail",
            "warning: there is no state_dir %s, and no key can be added; make it, for the "
            "user that sealpipe runs as, mode 0700",
            folder);
    else
        seal_out_text(out, "detail", "%" G_GINT64_FORMAT " keys in %s", count, store->path);
    return TRUE;
}

static const SealCheck check = {
    .size = sizeof check, .name = "keys-store", .run = keys_store_check};
static const SealCheck *const checks[] = {&check, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "keys-store",
    .version = "0.1.0",
    .summary = "Keys in a store of sealpipe's own, and what is written down of them",
    .init = keys_store_init,
    .fini = keys_store_fini,
    .detach = keys_store_detach,
    .sources = sources,
    .checks = checks,
};
