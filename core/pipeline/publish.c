/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * publish.c: the organisation's own keys, for a directory: what the local sources have for its
 * addresses, judged as for a message to them.
 */
#include "core/pipeline/dispatcher.h"

#include "core/base/pattern.h"
#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"
#include "core/plugin/module.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------
 * Where to, and from where
 */

static const SealSourceEntry *find_target(const SealDispatcher *self, const char *to,
                                          GError **error)
{
    const SealSourceEntry *source = seal_registry_source(self->registry, to);

    if (!source)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                    "no enabled module offers the key source \"%s\"", to);
    else if (!seal_source_can_put(source))
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                    "nothing can be put into the key source \"%s\": its keys are managed otherwise",
                    to);
    return source && seal_source_can_put(source) ? source : NULL;
}

/* What was harvested is other people's word, whoever vouches for it, and a ring of everybody's keys
 * is not the organisation's. */
static gboolean is_local(const SealSourceEntry *source, const char *to)
{
    return source->table.list &&
           !(source->table.flags & (SEAL_SOURCE_REMOTE | SEAL_SOURCE_MIXED)) &&
           seal_source_trust(source) != SEAL_TRUST_HARVESTED &&
           !g_str_equal(source->table.name, to);
}

gboolean seal_dispatcher_publish_domains(SealDispatcher *self, const char *to,
                                         const char *const **domains, GError **error)
{
    static const char *const none[] = {NULL};
    const SealSourceEntry *source = find_target(self, to, error);

    if (!source)
        return FALSE;
    *domains = none;
    for (const SealSetting *setting = source->module->descriptor.settings; setting && setting->key;
         setting++) {
        if (setting->type == SEAL_SETTING_LIST && g_str_equal(setting->key, "domains"))
            *domains = seal_settings_list(source->module->settings, "domains");
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Whose keys there are
 */

typedef struct {
    GPtrArray *globs; /* of SealGlob, over domains */
    GHashTable *seen; /* seal_address_key() of each */
    GPtrArray *addresses;
} Roll;

static void glob_free(gpointer glob)
{
    seal_glob_free(glob);
}

/* As A-labels, which addresses have; a glob is taken as it is. */
static GPtrArray *read_globs(const char *const *domains)
{
    GPtrArray *globs = g_ptr_array_new_with_free_func(glob_free);

    for (; *domains; domains++) {
        g_autofree char *text = g_strconcat("@", *domains, NULL);
        g_autofree char *lower = g_ascii_strdown(*domains, -1);
        g_autofree char *plain = strpbrk(*domains, "*?") ? NULL : seal_key_bind_to(text);

        g_ptr_array_add(globs, seal_glob_new(plain ? plain + 1 : lower));
    }
    return globs;
}

static void enrol_address(Roll *roll, SealAddress *address)
{
    for (guint i = 0; i < roll->globs->len; i++) {
        if (!seal_glob_match(g_ptr_array_index(roll->globs, i), seal_address_domain(address)))
            continue;
        if (g_hash_table_add(roll->seen, g_strdup(seal_address_key(address))))
            g_ptr_array_add(roll->addresses, seal_address_ref(address));
        return;
    }
}

static gboolean enrol_key(SealModule *self G_GNUC_UNUSED, SealKey *key,
                          GBytes *octets G_GNUC_UNUSED, gpointer user_data,
                          GError **error G_GNUC_UNUSED)
{
    Roll *roll = user_data;
    GPtrArray *named = seal_key_addresses(key);

    /* A CA's mailbox is nobody who is written to by that key. */
    if (seal_key_purposes(key) == SEAL_PURPOSE_ISSUE)
        return TRUE;
    for (guint i = 0; i < named->len; i++)
        enrol_address(roll, g_ptr_array_index(named, i));
    for (const char *const *bound = seal_key_bound(key); *bound; bound++) {
        g_autoptr(SealAddress) address = **bound == '@' ? NULL : seal_address_parse(*bound, NULL);

        if (address)
            enrol_address(roll, address);
    }
    return TRUE;
}

static gboolean enrol_all(const SealDispatcher *self, const char *to, Roll *roll, GError **error)
{
    const SealKeyFilter filter = {.size = sizeof filter};
    GPtrArray *sources = seal_registry_sources(self->registry);

    for (guint i = 0; i < sources->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(sources, i);

        g_autoptr(GError) problem = NULL;

        /* What this process is not to know is none of its own. */
        if (!is_local(source, to) || seal_source_list(source, &filter, enrol_key, roll, &problem) ||
            g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED))
            continue;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return TRUE;
}

gboolean seal_dispatcher_publish_addresses(SealDispatcher *self, const char *to,
                                           GPtrArray *addresses, GError **error)
{
    const char *const *domains = NULL;

    if (!seal_dispatcher_publish_domains(self, to, &domains, error))
        return FALSE;

    g_autoptr(GPtrArray) globs = read_globs(domains);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Roll roll = {globs, seen, addresses};
    return enrol_all(self, to, &roll, error);
}

/* -------------------------------------------------------------------------------------------
 * Which of them
 */

/* While the keys of one address are judged. */
typedef struct {
    SealDispatcher *dispatcher;
    const char *to;
    SealAddress *address;
    SealPublishVisitor visit;
    gpointer user_data;
    guint told;
} Judging;

static void seen_clear(gpointer data)
{
    seal_key_unref(((SealKeySeen *)data)->key);
}

static gboolean is_same(const SealKey *a, const SealKey *b)
{
    return g_str_equal(seal_key_format(a), seal_key_format(b)) &&
           g_str_equal(seal_key_fingerprint(a), seal_key_fingerprint(b));
}

static gboolean is_used(const SealKeySeen *seen)
{
    return seal_decision_verdict(seen->decision) == SEAL_VERDICT_PASS;
}

/* A key that mail is encrypted to, or another source's copy of one. */
static gboolean is_fit(const GArray *all, const SealKeySeen *seen)
{
    gboolean used = is_used(seen);

    if (g_strcmp0(seal_decision_code(seen->decision), "copy") == 0) {
        for (guint i = 0; i < all->len && !used; i++) {
            const SealKeySeen *other = &g_array_index(all, SealKeySeen, i);

            used = is_used(other) && is_same(other->key, seen->key);
        }
    }
    return used && seal_key_trust(seen->key) >= SEAL_TRUST_VERIFIED;
}

static void tell_seen(Judging *judging, const GArray *all, const SealKeySeen *seen)
{
    SealRegistry *registry = judging->dispatcher->registry;
    const char *name = seal_key_source(seen->key);
    const SealSourceEntry *source = name ? seal_registry_source(registry, name) : NULL;
    const char *text = seal_decision_text(seen->decision);
    const char *why = is_fit(all, seen) ? NULL : text && *text ? text : "it could not be judged";

    if (!source || !is_local(source, judging->to) || seen->serves == SEAL_SERVES_DOMAIN)
        return;
    if (seal_key_trust(seal_key_as_found(seen->key)) == SEAL_TRUST_HARVESTED)
        why = "it was harvested";
    judging->visit(seen->key, why, judging->user_data);
    judging->told++;
}

static SealJob *ask_about(const SealAddress *address, GError **error)
{
    const char *const recipients[] = {seal_address_text(address), NULL};
    const SealJobSpec spec = {.recipients = recipients};
    SealJob *job = seal_job_new(&spec, error);

    if (job)
        job->asks = TRUE;
    return job;
}

static void judge_format(Judging *judging, SealJob *job, const SealPolicy *policy,
                         const SealFormatEntry *format, GError **error)
{
    g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(SealKeySeen));
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autofree char *why = NULL;
    gboolean in_doubt = FALSE;
    const SealKeyQuery query = {
        .address = judging->address,
        .format = format,
        .purpose = SEAL_PURPOSE_ENCRYPT,
        .min_trust = MAX(policy->min_trust, SEAL_TRUST_VERIFIED),
        .at = g_get_real_time() / G_USEC_PER_SEC,
        .every = TRUE,
        .asks = TRUE,
        .seen = seen,
    };

    g_array_set_clear_func(seen, seen_clear);
    seal_keyring_find(judging->dispatcher->outbound->keyring, job, &query, NULL, keys, &why, NULL,
                      &in_doubt, error);
    for (guint i = 0; i < seen->len; i++)
        tell_seen(judging, seen, &g_array_index(seen, SealKeySeen, i));
}

gboolean seal_dispatcher_publish_judge(SealDispatcher *self, const char *to, SealAddress *address,
                                       SealPublishVisitor visit, gpointer user_data, GError **error)
{
    g_autoptr(SealJob) job = ask_about(address, error);
    Judging judging = {self, to, address, visit, user_data, 0};

    if (!job)
        return FALSE;
    SealRecipient *recipient = g_ptr_array_index(job->recipients, 0);
    const SealPolicy *policy = seal_policies_find(self->outbound->policies, job, recipient, 0);
    g_autoptr(GError) first = NULL;
    for (const char *const *name = policy->formats; *name; name++) {
        const SealFormatEntry *format = seal_pipeline_format(self->outbound, *name);

        if (format)
            judge_format(&judging, job, policy, format, first ? NULL : &first);
    }
    /* What one source could not say is no reason where a local one did. */
    if (!first || judging.told > 0)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&first));
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

gboolean seal_dispatcher_rehearse_keys(SealDispatcher *self, const char *to, GPtrArray *keys,
                                       GError **error)
{
    const SealSourceEntry *source = find_target(self, to, error);

    if (!source || source->table.rehearse)
        return source && seal_source_rehearse(source, keys, error);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                "the key source \"%s\" cannot tell beforehand what would be written", to);
    return FALSE;
}

/* In the entry of nobody else whom the key names. */
gboolean seal_dispatcher_publish_key(SealDispatcher *self, const char *to, SealKey *key,
                                     const SealAddress *address, gboolean dry, gboolean *added,
                                     GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    guint count = 0;

    g_ptr_array_add(one, seal_key_given_to(key, address));
    gboolean ok = dry ? seal_dispatcher_rehearse_keys(self, to, one, error)
                      : seal_dispatcher_put_keys(self, to, one, &count, error);
    if (ok)
        *added = count > 0;
    return ok;
}
