/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl-store.c: what was fetched, read once for each change, and what is to be, written down.
 */
#include "crl.h"

#include <dirent.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <utime.h>

enum {
    ONE_DAY = 86400,
    LEAST_WEIGHT = 256,
};

/* A list, or that there is none. */
typedef struct {
    SealFileState state;
    guint64 seen;
    SmimeList *list;
} Fetched;

struct SmimeStore {
    SealCache *lists;    /* of Fetched, by id */
    GHashTable *written; /* id to when that was, in minutes */
    SealFileState folder;
    gint64 looked; /* seconds; of a clock that is not set */
    guint64 seen;
    gboolean warned;
    guint left_out; /* when that was said, in minutes */
};

static void fetched_free(gpointer data)
{
    Fetched *fetched = data;

    smime_list_free(fetched->list);
    g_free(fetched);
}

SmimeStore *smime_store_new(gsize most)
{
    SmimeStore *store = g_new0(SmimeStore, 1);

    store->lists = seal_cache_new(most, fetched_free);
    store->written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return store;
}

void smime_store_free(SmimeStore *store)
{
    if (!store)
        return;
    seal_cache_free(store->lists);
    g_hash_table_unref(store->written);
    g_free(store);
}

static SmimeStore *get_store(SealModule *self)
{
    return ((SmimeModule *)seal_module_data(self))->store_of_lists;
}

/* -------------------------------------------------------------------------------------------
 * The folder
 */

static gboolean make_folders(const char *state_dir, GError **error)
{
    static const char *const names[] = {"smime", "smime/crl", "smime/crl/" SMIME_WANTED};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(state_dir, names[i], NULL);

        if (g_mkdir(path, 0700) == 0 || errno == EEXIST)
            continue;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}

char *smime_store_folder(SealModule *self, gboolean make, GError **error)
{
    const char *dir = seal_module_state_dir(self, make, error);

    return dir && (!make || make_folders(dir, error)) ? g_build_filename(dir, "smime", "crl", NULL)
                                                      : NULL;
}

static void warn_once(SealModule *self, const char *what, const char *why)
{
    SmimeStore *store = get_store(self);

    if (!store->warned)
        seal_module_warn(self, "%s: %s", what, why);
    store->warned = TRUE;
}

/* As long as it is young, the next change may leave it as it is. */
guint64 smime_store_look(SealModule *self)
{
    SmimeStore *store = get_store(self);
    gint64 now = g_get_monotonic_time() / G_USEC_PER_SEC;
    SealFileState state = {0};

    if (store->seen > 0 && store->looked == now)
        return store->seen;
    store->looked = now;
    g_autofree char *folder = smime_store_folder(self, FALSE, NULL);
    if (folder)
        seal_file_state(folder, &state);
    if (store->seen == 0 || !seal_file_state_equal(&state, &store->folder) ||
        seal_file_state_is_young(&state, g_get_real_time() / G_USEC_PER_SEC))
        store->seen++;
    store->folder = state;
    return store->seen;
}

/* -------------------------------------------------------------------------------------------
 * What was fetched
 */

static Fetched *read_fetched(SealModule *self, const char *path, const SealFileState *state)
{
    SmimeModule *module = seal_module_data(self);
    Fetched *fetched = g_new0(Fetched, 1);
    g_autoptr(GError) problem = NULL;

    fetched->state = *state;
    if (state->length == 0)
        return fetched;
    g_autoptr(GBytes) data = seal_file_read(path, module->crl_most, &problem);
    if (data) {
        gsize size = 0;
        const guint8 *octets = g_bytes_get_data(data, &size);
        fetched->list = smime_list_new(octets, size, &problem);
    }
    if (!fetched->list)
        warn_once(self, path, problem->message);
    return fetched;
}

SmimeList *smime_store_find(SealModule *self, const char *id)
{
    SmimeStore *store = get_store(self);
    guint64 seen = smime_store_look(self);
    Fetched *fetched = seal_cache_find(store->lists, id);
    SealFileState state = {0};

    if (fetched && fetched->seen == seen)
        return fetched->list;
    g_autofree char *folder = smime_store_folder(self, FALSE, NULL);
    if (!folder)
        return NULL;
    g_autofree char *name = g_strconcat(id, ".crl", NULL);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    seal_file_state(path, &state);
    if (fetched && seal_file_state_equal(&state, &fetched->state)) {
        fetched->seen = seen;
        return fetched->list;
    }
    fetched = read_fetched(self, path, &state);
    fetched->seen = seen;
    seal_cache_put(store->lists, id, fetched,
                   LEAST_WEIGHT + (fetched->list ? smime_list_size(fetched->list) : 0));
    fetched = seal_cache_find(store->lists, id);
    return fetched ? fetched->list : NULL;
}

/* -------------------------------------------------------------------------------------------
 * What is wanted
 */

/* For one more with @id. */
static gboolean check_room(const char *folder, const char *id, X509 *issuer, GError **error)
{
    DIR *dir = opendir(folder);
    guint all = 0, of_issuer = 0;

    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!smime_points_is_id(entry->d_name))
            continue;
        all++;
        of_issuer += strncmp(entry->d_name, id, SMIME_ISSUER_DIGITS) == 0;
    }
    if (dir)
        closedir(dir);
    if (all < SMIME_MAX_WANTED && of_issuer < SMIME_MAX_OF_ISSUER)
        return TRUE;
    g_autofree char *name = smime_name_text(X509_get_subject_name(issuer));
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT,
                "%s: as many revocation lists are wanted as may be, %d%s%s; the others are not "
                "fetched",
                folder, of_issuer < SMIME_MAX_OF_ISSUER ? SMIME_MAX_WANTED : SMIME_MAX_OF_ISSUER,
                of_issuer < SMIME_MAX_OF_ISSUER ? "" : " of ",
                of_issuer < SMIME_MAX_OF_ISSUER ? "" : name);
    return FALSE;
}

static char *encode_cert(X509 *cert)
{
    guint8 *der = NULL;
    int length = i2d_X509(cert, &der);
    char *text = length > 0 ? g_base64_encode(der, (gsize)length) : g_strdup("");

    OPENSSL_free(der);
    return text;
}

static gboolean write_wanted(const char *path, SmimeCerts *chain, int from, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    gsize size = 0;

    for (int i = from; i < sk_X509_num(chain); i++)
        g_ptr_array_add(texts, encode_cert(sk_X509_value(chain, i)));
    g_key_file_set_string_list(file, "wanted", "chain", (const char *const *)texts->pdata,
                               texts->len);
    g_autofree char *data = g_key_file_to_data(file, &size, NULL);
    if (size <= SMIME_MAX_NOTE)
        return seal_file_save(path, data, size, 0600, error);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "%s: the certificates are too large", path);
    return FALSE;
}

static gboolean note_wanted(SealModule *self, const char *id, SmimeCerts *chain, int from,
                            GError **error)
{
    g_autofree char *folder = smime_store_folder(self, TRUE, error);
    if (!folder)
        return FALSE;
    g_autofree char *wanted = g_build_filename(folder, SMIME_WANTED, NULL);
    g_autofree char *path = g_build_filename(wanted, id, NULL);
    struct stat st;

    if (stat(path, &st) == 0)
        return st.st_mtime + ONE_DAY > g_get_real_time() / G_USEC_PER_SEC ||
               utime(path, NULL) == 0 || write_wanted(path, chain, from, error);
    return check_room(wanted, id, sk_X509_value(chain, from + 1), error) &&
           write_wanted(path, chain, from, error);
}

/* In the log, and where `sealctl status` and `keys refresh` see it: once an hour, however many. */
static void say_left_out(SealModule *self, const char *text, guint now)
{
    SmimeStore *store = get_store(self);
    g_autofree char *folder = smime_store_folder(self, TRUE, NULL);
    g_autofree char *path = folder ? g_build_filename(folder, SMIME_LEFT_OUT, NULL) : NULL;

    if (store->left_out != 0 && now - store->left_out < 60)
        return;
    store->left_out = MAX(now, 1);
    seal_module_warn(self, "%s", text);
    if (path)
        seal_file_save(path, text, strlen(text), 0600, NULL);
}

void smime_store_want(SealModule *self, const char *id, SmimeCerts *chain, int from)
{
    SmimeStore *store = get_store(self);
    guint now = (guint)(g_get_monotonic_time() / G_USEC_PER_SEC / 60);
    gpointer last;
    g_autoptr(GError) problem = NULL;

    if (g_hash_table_lookup_extended(store->written, id, NULL, &last) &&
        now - GPOINTER_TO_UINT(last) < 60)
        return;
    if (g_hash_table_size(store->written) > SMIME_MAX_WANTED)
        g_hash_table_remove_all(store->written);
    g_hash_table_replace(store->written, g_strdup(id), GUINT_TO_POINTER(now));
    if (note_wanted(self, id, chain, from, &problem))
        return;
    if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT))
        say_left_out(self, problem->message, now);
    else
        warn_once(self, "a revocation list that is wanted cannot be written down",
                  problem->message);
}
