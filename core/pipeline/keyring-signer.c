/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-signer.c: finds the key to sign with. Sources are not asked: a Format has its private
 * keys itself.
 */
#include "core/pipeline/cause.h"
#include "core/pipeline/keyring-search.h"
#include "core/plugin/calls.h"
#include "core/plugin/key.h"

/* A key of the whole domain signs for nobody. */
static void keep_named(GPtrArray *keys, const SealKeyQuery *query, const SealAddress *address)
{
    seal_keys_keep_right(keys, query, address);
    for (guint i = keys->len; i > 0; i--) {
        if (!seal_key_is_for(g_ptr_array_index(keys, i - 1), address))
            g_ptr_array_remove_index(keys, i - 1);
    }
}

/* The usable one that the format has for @address. */
static gboolean find_own_key(SealSearch *search, SealAddress *address, GError **error)
{
    g_autoptr(GPtrArray) keys = seal_keys_new();
    const SealFind find = {NULL, address, keys};

    if (!seal_format_signers(search->query->format, address, search->cancellable, keys, error))
        return FALSE;
    keep_named(keys, search->query, address);
    g_ptr_array_sort(keys, seal_keys_best_first);
    return seal_search_find_usable(search, &find, error);
}

static gboolean find_signer(SealJob *job, const SealFormatEntry *format, GCancellable *cancellable,
                            SealKey **signer, char **why, GError **error)
{
    SealKeyQuery query = {
        .address = job->author,
        .format = format,
        .purpose = SEAL_PURPOSE_SIGN,
        .at = g_get_real_time() / G_USEC_PER_SEC,
    };
    SealSearch search = {.job = job,
                         .query = &query,
                         .cancellable = cancellable,
                         .first = job->decisions->len,
                         .found = seal_keys_new()};
    g_autoptr(SealAddress) bare = seal_address_without_detail(job->author);
    g_autoptr(GPtrArray) found = seal_keys_new();

    GError *problem = NULL;
    gboolean ok = find_own_key(&search, job->author, &problem) &&
                  (search.found->len > 0 || !bare || find_own_key(&search, bare, &problem));
    /* Of the keys, whatever its code: the message is not at fault. */
    if (problem) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, problem->message);
        g_error_free(problem);
    }
    if (ok)
        seal_search_end(&search, found, why, NULL);
    seal_search_clear(&search);
    *signer = found->len > 0 ? seal_key_ref(g_ptr_array_index(found, 0)) : NULL;
    return ok;
}

static gboolean find_signer_in(SealModule *self, SealJob *job, const char *format,
                               GCancellable *cancellable, SealKey **signer, SealCause *cause,
                               GError **error)
{
    const SealFormatEntry *entry = seal_registry_format(self->registry, format);
    guint first = job->decisions->len;

    if (!entry)
        cause->text = g_strdup_printf("there is no format %s", format);
    else if (!find_signer(job, entry, cancellable, signer, &cause->text, error))
        return FALSE;
    cause->rank = seal_cause_rank_of(job->decisions, first);
    return TRUE;
}

gboolean seal_module_find_signer(SealModule *self, SealJob *job, const char *const *formats,
                                 GCancellable *cancellable, SealKey **signer, char **why,
                                 gboolean *in_doubt, GError **error)
{
    guint first = job->decisions->len;
    g_autoptr(GArray) causes = g_array_new(FALSE, TRUE, sizeof(SealCause));
    g_autoptr(SealKey) found = NULL;

    g_array_set_clear_func(causes, (GDestroyNotify)seal_cause_clear);
    *why = NULL;
    for (; *formats && !found && job->author; formats++) {
        g_array_set_size(causes, causes->len + 1);
        if (!find_signer_in(self, job, *formats, cancellable, &found,
                            &g_array_index(causes, SealCause, causes->len - 1), error))
            return FALSE;
    }
    if (!found)
        *why = job->author ? seal_cause_tell((SealCause *)(void *)causes->data, causes->len)
                           : seal_job_no_author_reason(job);
    *in_doubt =
        !found && seal_cause_rank_of(job->decisions, first) == seal_cause_rank(SEAL_CODE_IN_DOUBT);
    *signer = g_steal_pointer(&found);
    return TRUE;
}
