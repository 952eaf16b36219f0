/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * archive.c: finds the keys of archive_to. They open all mail, so that they have to be verified,
 * whatever trust is enough for one recipient.
 */
#include "core/pipeline/archive.h"

#include "core/plugin/key.h"

typedef struct {
    GPtrArray *keys; /* NULL where there are none */
    char *why;
} Archive;

static void archive_free(gpointer data)
{
    Archive *archive = data;

    if (archive->keys)
        g_ptr_array_unref(archive->keys);
    g_free(archive->why);
    g_free(archive);
}

static SealTrust least_trust(const SealPolicy *policy)
{
    return MAX(policy->min_trust, SEAL_TRUST_VERIFIED);
}

/* Why there are none, and that this is a fault of the configuration. Takes @why over. */
static char *reason_of(const SealPolicy *policy, const char *format, char *why)
{
    g_autofree char *own = why;

    return g_strdup_printf(
        "nothing is sealed in %s as long as archive_to=%s has no usable key for it that is trusted "
        "as %s at least: %s",
        format, seal_address_text(policy->archive_to), seal_trust_name(least_trust(policy)), own);
}

static gboolean look_up(const SealPipeline *pipeline, SealJob *job, const SealPolicy *policy,
                        const char *format, GCancellable *cancellable, Archive *archive,
                        GError **error)
{
    const SealKeyQuery query = {
        .address = policy->archive_to,
        .format = seal_pipeline_format(pipeline, format),
        .purpose = SEAL_PURPOSE_ENCRYPT,
        .min_trust = least_trust(policy),
        .at = g_get_real_time() / G_USEC_PER_SEC,
        .every = !policy->newest_key,
    };
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) problem = NULL;
    gboolean in_doubt = FALSE;
    g_autofree char *detail = NULL;
    char *why = NULL;

    if (!seal_keyring_find(pipeline->keyring, job, &query, cancellable, keys, &why, &detail,
                           &in_doubt, &problem)) {
        if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        why = g_strdup(problem->message);
    }
    if (why && detail) {
        char *both = g_strjoin("; ", why, detail, NULL);
        g_free(why);
        why = both;
    }
    if (why)
        archive->why = reason_of(policy, format, why);
    else
        archive->keys = g_steal_pointer(&keys);
    return TRUE;
}

static char *name_of(const SealPolicy *policy, const char *format)
{
    return g_strdup_printf("%s\n%s\n%d\n%d", format, seal_address_key(policy->archive_to),
                           (int)least_trust(policy), policy->newest_key);
}

gboolean seal_archive_find(const SealPipeline *pipeline, SealJob *job, const SealPolicy *policy,
                           const char *format, GCancellable *cancellable, GPtrArray **keys,
                           const char **why, GError **error)
{
    *keys = NULL;
    *why = NULL;
    if (!policy->archive_to)
        return TRUE;

    g_autofree char *name = name_of(policy, format);
    if (!job->archives)
        job->archives = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, archive_free);
    Archive *archive = g_hash_table_lookup(job->archives, name);
    if (!archive) {
        archive = g_new0(Archive, 1);
        if (!look_up(pipeline, job, policy, format, cancellable, archive, error)) {
            archive_free(archive);
            return FALSE;
        }
        g_hash_table_insert(job->archives, g_steal_pointer(&name), archive);
    }
    *keys = archive->keys;
    *why = archive->why;
    return TRUE;
}

gboolean seal_archive_choose(const SealPipeline *pipeline, SealJob *job,
                             const SealRecipient *recipient, SealFacts *facts,
                             GCancellable *cancellable, SealAnswer *answer, GError **error)
{
    GPtrArray *keys = NULL;

    *answer = seal_choice_make(facts);
    if (answer->choice != SEAL_CHOICE_SEAL)
        return TRUE;
    const char *format = seal_key_format(g_ptr_array_index(recipient->keys, 0));
    if (!seal_archive_find(pipeline, job, recipient->policy, format, cancellable, &keys,
                           &facts->no_archive, error))
        return FALSE;
    *answer = seal_choice_make(facts);
    return TRUE;
}

gboolean seal_archive_is_same(const SealPolicy *one, const SealPolicy *other)
{
    if (!one->archive_to || !other->archive_to)
        return one->archive_to == other->archive_to;
    return seal_address_equal(one->archive_to, other->archive_to);
}

/* -------------------------------------------------------------------------------------------
 * The gate
 */

static gboolean has_key(GPtrArray *keys, const SealKey *key)
{
    for (guint i = 0; i < keys->len; i++) {
        if (g_str_equal(seal_key_fingerprint(g_ptr_array_index(keys, i)),
                        seal_key_fingerprint(key)))
            return TRUE;
    }
    return FALSE;
}

/* Those that were found for it, whoever they name: one may be of its domain, or given to it. */
static gboolean has_keys_of(SealJob *job, const SealDelivery *delivery, const SealPolicy *policy)
{
    g_autofree char *name = name_of(policy, delivery->format);
    const Archive *archive = job->archives ? g_hash_table_lookup(job->archives, name) : NULL;

    if (!archive || !archive->keys || archive->keys->len == 0)
        return FALSE;
    for (guint i = 0; i < archive->keys->len; i++) {
        if (!has_key(delivery->keys, g_ptr_array_index(archive->keys, i)))
            return FALSE;
    }
    return TRUE;
}

gboolean seal_archive_check(SealJob *job, const SealDelivery *delivery, GError **error)
{
    for (guint i = 0; i < delivery->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);
        const SealPolicy *policy = recipient->policy;

        if (policy->archive_to && !has_keys_of(job, delivery, policy))
            return seal_job_stop(job, error, "not encrypted to archive_to=%s",
                                 seal_address_text(policy->archive_to));
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * For sealctl
 */

static gboolean inspect_one(const SealPipeline *pipeline, const SealPolicy *policy,
                            const char *format, SealOut *out)
{
    const char *const recipients[] = {seal_address_text(policy->archive_to), NULL};
    const SealJobSpec spec = {.recipients = recipients};
    g_autoptr(GError) problem = NULL;
    g_autoptr(SealJob) job = seal_job_new(&spec, &problem);
    GPtrArray *keys = NULL;
    const char *why = NULL;

    if (job && !seal_archive_find(pipeline, job, policy, format, NULL, &keys, &why, &problem))
        why = problem->message;
    seal_out_row(out, "checks");
    seal_out_text(out, "check", "archive_to");
    seal_out_text(out, "address", "%s", recipients[0]);
    seal_out_text(out, "format", "%s", format);
    seal_out_boolean(out, "ready", keys != NULL);
    seal_out_text(out, "problem", "%s", keys ? "" : why ? why : problem->message);
    seal_out_end_row(out);
    if (!keys)
        seal_out_finding(
            out, SEAL_FINDING_PROBLEM, "keys", "add a key for that address, with sealctl keys add",
            "archive_to %s, %s: %s", recipients[0], format, why ? why : problem->message);
    return keys != NULL;
}

gboolean seal_archive_inspect(const SealPipeline *pipeline, SealOut *out)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gboolean ready = TRUE;
    const SealPolicy *policy;

    for (guint i = 0; (policy = seal_policies_nth(pipeline->policies, i)) != NULL; i++) {
        if (!policy->archive_to || policy->encrypt == SEAL_NEED_NEVER)
            continue;
        for (guint n = 0; policy->formats[n]; n++) {
            char *name = name_of(policy, policy->formats[n]);

            if (!g_hash_table_add(seen, name) ||
                !seal_pipeline_format(pipeline, policy->formats[n]))
                continue;
            ready = inspect_one(pipeline, policy, policy->formats[n], out) && ready;
        }
    }
    return ready;
}
