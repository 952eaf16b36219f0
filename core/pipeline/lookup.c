/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * lookup.c: what people are told of all keys for an address.
 */
#include "core/pipeline/dispatcher.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"

/* In the order in which formats are tried. */
typedef struct {
    SealOut *out;
    const SealRegistry *registry;
    const char *format; /* the one that wins, or NULL */
    GPtrArray *keys;    /* of it */
    GError *problem;    /* what would have had mail wait before one did */
} LookUp;

static void seen_clear(gpointer data)
{
    seal_key_unref(((SealKeySeen *)data)->key);
}

static const char *serves_name(SealServes serves)
{
    static const char *const names[] = {
        [SEAL_SERVES_NOT] = "",
        [SEAL_SERVES_ADDRESS] = "address",
        [SEAL_SERVES_BOUND] = "bound",
        [SEAL_SERVES_DOMAIN] = "domain",
    };

    return names[serves];
}

/* A source behind a network did not say so just now: it is asked anew when [keyring] cache is over.
 * (transfer full) */
static char *since(const LookUp *look, const SealKey *key)
{
    const char *name = seal_key_source(key);
    const SealSourceEntry *source = name ? seal_registry_source(look->registry, name) : NULL;

    if (!source || !(source->table.flags & SEAL_SOURCE_REMOTE) || seal_key_added(key) <= 0)
        return g_strdup("");
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seal_key_added(key));
    g_autofree char *text = time ? g_date_time_format_iso8601(time) : g_strdup("");
    return g_strdup_printf("; remembered of key source %s since %s", source->table.name, text);
}

static void put_key(const LookUp *look, const SealKeySeen *seen, const GPtrArray *winners)
{
    static const char *const standings[] = {"", "serving", "pending", "rejected", "pinned"};
    const SealKey *key = seen->key;
    const char *by = seal_key_proven_by(key);
    gboolean passes = seal_decision_verdict(seen->decision) == SEAL_VERDICT_PASS;
    gboolean used = passes && winners && winners == look->keys;
    gboolean late = passes && !used;
    g_autofree char *remembered = since(look, key);

    seal_out_row(look->out, "keys");
    seal_out_text(look->out, "format", "%s", seal_key_format(key));
    seal_out_text(look->out, "fingerprint", "%s", seal_key_fingerprint(key));
    seal_out_text(look->out, "label", "%s", seal_key_label(key) ? seal_key_label(key) : "");
    seal_out_text(look->out, "serves", "%s", serves_name(seen->serves));
    seal_out_text(look->out, "origin", "%s", seal_key_source(key));
    seal_out_text(look->out, "place", "%s", seal_key_place(key) ? seal_key_place(key) : "");
    seal_out_text(look->out, "trust", "%s", seal_trust_name(seal_key_trust(key)));
    seal_out_text(look->out, "proof", "%s", by ? by : "");
    seal_out_text(look->out, "standing", "%s", standings[seal_key_standing(key)]);
    seal_out_boolean(look->out, "used", used);
    seal_out_text(look->out, "code", "%s", late ? "beaten" : seal_decision_code(seen->decision));
    if (late)
        seal_out_text(look->out, "reason", "it could serve, but %s comes first%s",
                      look->format ? look->format : "waiting", remembered);
    else
        seal_out_text(look->out, "reason", "%s%s", seal_decision_text(seen->decision), remembered);
    seal_out_end_row(look->out);
}

/* That a source is trusted too little is told once, and not with each format. */
static gboolean was_told(const SealJob *job, guint at)
{
    const SealDecision *decision = g_ptr_array_index(job->decisions, at);

    if (g_strcmp0(seal_decision_code(decision), "source-trust") != 0)
        return FALSE;
    for (guint i = 0; i < at; i++) {
        if (g_strcmp0(seal_decision_text(g_ptr_array_index(job->decisions, i)),
                      seal_decision_text(decision)) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Sources that were not asked, or could not find out. */
static void put_sources(const LookUp *look, const SealJob *job, guint first, const char *format)
{
    for (guint i = first; i < job->decisions->len; i++) {
        const SealDecision *decision = g_ptr_array_index(job->decisions, i);

        if ((!g_str_equal(seal_decision_step(decision), "source") &&
             !g_str_equal(seal_decision_step(decision), "problem")) ||
            was_told(job, i))
            continue;
        seal_out_row(look->out, "sources");
        seal_out_text(look->out, "format", "%s", format);
        seal_out_text(look->out, "code", "%s", seal_decision_code(decision));
        seal_out_text(look->out, "reason", "%s", seal_decision_text(decision));
        seal_out_end_row(look->out);
    }
}

static void put_doubt(const LookUp *look, const char *format, const char *why)
{
    seal_out_row(look->out, "sources");
    seal_out_text(look->out, "format", "%s", format);
    seal_out_text(look->out, "code", SEAL_CODE_IN_DOUBT);
    seal_out_text(look->out, "reason",
                  "%s; mail that must be encrypted waits, unless there is another key", why);
    seal_out_end_row(look->out);
}

static void look_up(const SealPipeline *pipeline, SealJob *job, const SealRecipient *recipient,
                    const SealFormatEntry *format, LookUp *look)
{
    g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(SealKeySeen));
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) problem = NULL;
    g_autofree char *why = NULL;
    guint first = job->decisions->len;
    gboolean in_doubt = FALSE;
    const SealKeyQuery query = {
        .address = recipient->address,
        .format = format,
        .purpose = SEAL_PURPOSE_ENCRYPT,
        .min_trust = recipient->policy->min_trust,
        .at = g_get_real_time() / G_USEC_PER_SEC,
        .every = !recipient->policy->newest_key,
        .asks = TRUE,
        .seen = seen,
    };

    g_array_set_clear_func(seen, seen_clear);
    gboolean ok = seal_keyring_find(pipeline->keyring, job, &query, NULL, keys, &why, NULL,
                                    &in_doubt, &problem);
    if (!ok && !look->format && !look->problem)
        look->problem = g_steal_pointer(&problem);
    if (ok && keys->len > 0 && !look->format && !look->problem) {
        look->format = format->table.name;
        look->keys = g_ptr_array_ref(keys);
    }
    for (guint i = 0; i < seen->len; i++)
        put_key(look, &g_array_index(seen, SealKeySeen, i), keys);
    put_sources(look, job, first, format->table.name);
    if (ok && in_doubt)
        put_doubt(look, format->table.name, why);
}

static SealJob *ask_about(const char *address, GError **error)
{
    const char *const recipients[] = {address, NULL};
    const SealJobSpec spec = {.recipients = recipients};
    SealJob *job = seal_job_new(&spec, error);

    if (job)
        job->asks = TRUE;
    return job;
}

gboolean seal_dispatcher_lookup_keys(SealDispatcher *self, const char *address, SealOut *out,
                                     gboolean *found, GError **error)
{
    g_autoptr(SealJob) job = ask_about(address, error);
    LookUp look = {.out = out, .registry = self->registry};

    if (!job)
        return FALSE;
    SealRecipient *recipient = g_ptr_array_index(job->recipients, 0);
    recipient->policy = seal_policies_find(self->outbound->policies, job, recipient, 0);
    seal_out_text(out, "address", "%s", seal_address_text(recipient->address));
    seal_out_list(out, "keys");
    seal_out_list(out, "sources");
    for (const char *const *name = recipient->policy->formats; *name; name++) {
        const SealFormatEntry *format = seal_pipeline_format(self->outbound, *name);

        if (format)
            look_up(self->outbound, job, recipient, format, &look);
    }
    seal_out_boolean(out, "found", look.format != NULL);
    seal_out_text(out, "format", "%s", look.format ? look.format : "");
    *found = look.format != NULL;
    g_clear_pointer(&look.keys, g_ptr_array_unref);
    if (!look.problem)
        return TRUE;
    g_propagate_error(error, look.problem);
    return FALSE;
}
