/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * calls.c: calls what modules offer, and believes none of them to say why it failed.
 */
#include "core/plugin/calls.h"

gboolean seal_call_ended(const char *name, gboolean ok, GError *problem, GError **error)
{
    if (ok && !problem)
        return TRUE;
    if (!problem)
        problem = g_error_new(SEAL_ERROR, SEAL_ERROR_FAILED, "%s failed and did not say why", name);
    g_propagate_error(error, problem);
    return FALSE;
}

/* Likewise, and an operator must know which stage it was. */
static gboolean stage_ended(const SealStageEntry *stage, gboolean ok, GError *problem,
                            GError **error)
{
    if (problem)
        g_prefix_error(&problem, "stage %s: ", stage->table.name);
    return seal_call_ended(stage->table.name, ok, problem, error);
}

/* Likewise, of a call that gives content. Takes both over. */
static SealContent *content_made(const char *name, SealContent *content, GError *problem,
                                 GError **error)
{
    if (seal_call_ended(name, content != NULL, problem, error))
        return content;
    seal_content_unref(content);
    return NULL;
}

static gboolean is_undecided(const char *name, const char *about, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s did not decide about %s", name, about);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Stages
 */

gboolean seal_stage_plan(const SealStageEntry *stage, SealJob *job, SealRecipient *recipient,
                         SealDecision *decision, GError **error)
{
    const char *name = stage->table.name;
    GError *problem = NULL;

    if (!stage->table.plan) {
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "no objection");
        return TRUE;
    }
    gboolean ok = stage->table.plan(stage->module, job, recipient, decision, &problem);
    if (!stage_ended(stage, ok, problem, error))
        return FALSE;

    SealVerdict verdict = seal_decision_verdict(decision);
    return verdict == SEAL_VERDICT_PASS || verdict == SEAL_VERDICT_UNABLE ||
           verdict == SEAL_VERDICT_REFUSE ||
           is_undecided(name, seal_address_text(seal_recipient_address(recipient)), error);
}

gboolean seal_stage_apply(const SealStageEntry *stage, SealJob *job, SealDelivery *delivery,
                          GCancellable *cancellable, GError **error)
{
    GError *problem = NULL;
    gboolean ok = !stage->table.apply ||
                  stage->table.apply(stage->module, job, delivery, cancellable, &problem);

    return stage_ended(stage, ok, problem, error);
}

/* What is not proved has a reason; what is none of the two is nothing. */
gboolean seal_stage_prove(const SealStageEntry *stage, SealJob *job, SealProof *proof, char **why,
                          GError **error)
{
    g_autofree char *text = NULL;
    SealProof found = SEAL_PROOF_NONE;
    GError *problem = NULL;
    gboolean ok = stage->table.prove(stage->module, job, &found, &text, &problem);

    if (!stage_ended(stage, ok, problem, error))
        return FALSE;
    if (found != SEAL_PROOF_AUTHOR && !text)
        return is_undecided(stage->table.name, "the author", error);
    *proof = found == SEAL_PROOF_AUTHOR ? SEAL_PROOF_AUTHOR : SEAL_PROOF_NONE;
    *why = *proof == SEAL_PROOF_NONE ? g_steal_pointer(&text) : NULL;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Formats
 */

static gboolean is_asked(const SealFormatEntry *format, const char *name)
{
    return !name || g_str_equal(format->table.name, name);
}

gboolean seal_module_read_keys(SealModule *self, const char *format, GBytes *data,
                               const SealOrigin *origin, GPtrArray *keys, GError **error)
{
    GPtrArray *formats = seal_registry_formats(self->registry);
    g_autoptr(GError) first = NULL;

    for (guint i = 0; i < formats->len; i++) {
        const SealFormatEntry *entry = g_ptr_array_index(formats, i);
        g_autoptr(GError) why = NULL;
        GError *problem = NULL;

        if (!is_asked(entry, format))
            continue;
        gboolean ok = entry->table.read(entry->module, data, origin, keys, &problem);
        if (!seal_call_ended(entry->table.name, ok, problem, &why) && !first)
            first = g_steal_pointer(&why);
    }
    if (!first)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&first));
    return FALSE;
}

gboolean seal_module_reads_keys(const SealModule *self, const char *format)
{
    return seal_registry_format(self->registry, format) != NULL;
}

/* While a Format scans. */
struct SealKeyScan {
    SealModule *self;
    SealKeySpot spot;
    gsize size; /* of the data */
    SealKeyVisitor visit;
    gpointer user_data;
};

static void scan_tell(SealKeyScan *scan, const char *text)
{
    SealKeySpot *spot = &scan->spot;
    g_autoptr(SealAddress) address = *text == '@' ? NULL : seal_address_parse(text, NULL);
    g_autofree char *domain = *text == '@' ? seal_key_bind_to(text) : NULL;

    spot->address = address;
    spot->domain = domain;
    if (address || domain)
        scan->visit(scan->self, spot, scan->user_data);
    spot->address = NULL;
    spot->domain = NULL;
}

void seal_key_scan_add(SealKeyScan *scan, gsize offset, gsize length, const char *const *addresses)
{
    SealKeySpot *spot = &scan->spot;

    if (offset > scan->size || length > scan->size - offset)
        g_error("bug: a key of format %s outside of its octets", spot->format);
    spot->offset = offset;
    spot->length = length;
    if (!addresses)
        scan->visit(scan->self, spot, scan->user_data);
    for (; addresses && *addresses; addresses++)
        scan_tell(scan, *addresses);
}

void seal_module_scan_keys(SealModule *self, GBytes *data, SealKeyVisitor visit, gpointer user_data)
{
    GPtrArray *formats = seal_registry_formats(self->registry);
    gsize size = g_bytes_get_size(data);

    for (guint i = 0; i < formats->len; i++) {
        const SealFormatEntry *entry = g_ptr_array_index(formats, i);
        SealKeyScan scan = {.self = self,
                            .spot = {.size = sizeof scan.spot, .format = entry->table.name},
                            .size = size,
                            .visit = visit,
                            .user_data = user_data};
        g_autoptr(GError) why = NULL;
        GError *problem = NULL;

        if (!entry->table.scan) {
            seal_key_scan_add(&scan, 0, size, NULL);
            continue;
        }
        gboolean ok = entry->table.scan(entry->module, data, &scan, &problem);
        if (seal_call_ended(entry->table.name, ok, problem, &why))
            continue;
        const SealKeySpot damage = {
            .size = sizeof damage, .format = entry->table.name, .problem = why};
        visit(self, &damage, user_data);
    }
}

gboolean seal_format_can_sign(const SealFormatEntry *format)
{
    return format->table.sign != NULL;
}

SealDetection *seal_format_detect(const SealFormatEntry *format, SealEntity *entity,
                                  GCancellable *cancellable, GError **error)
{
    g_autoptr(SealDetection) detection = seal_detection_new();
    GError *problem = NULL;
    gboolean ok = format->table.detect(format->module, entity, cancellable, detection, &problem);

    return seal_call_ended(format->table.name, ok, problem, error) ? g_steal_pointer(&detection)
                                                                   : NULL;
}

gboolean seal_format_usable(const SealFormatEntry *format, SealKey *key, SealAddress *address,
                            SealPurpose purpose, gint64 at, SealDecision *decision, GError **error)
{
    GError *problem = NULL;
    gboolean ok =
        format->table.usable(format->module, key, address, purpose, at, decision, &problem);

    if (!seal_call_ended(format->table.name, ok, problem, error))
        return FALSE;

    SealVerdict verdict = seal_decision_verdict(decision);
    return verdict == SEAL_VERDICT_PASS || verdict == SEAL_VERDICT_SKIP ||
           is_undecided(format->table.name, seal_key_label(key), error);
}

SealKey *seal_format_merge(const SealFormatEntry *format, GPtrArray *copies, GError **error)
{
    const char *name = format->table.name;
    const char *fingerprint = seal_key_fingerprint(g_ptr_array_index(copies, 0));
    GError *problem = NULL;
    g_autoptr(SealKey) made = format->table.merge(format->module, copies, &problem);

    if (!seal_call_ended(name, made != NULL, problem, error))
        return NULL;
    if (g_str_equal(seal_key_format(made), name) &&
        g_str_equal(seal_key_fingerprint(made), fingerprint))
        return g_steal_pointer(&made);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                "%s made another key of the copies of the key %s", name, fingerprint);
    return NULL;
}

gboolean seal_format_can_prove(const SealFormatEntry *format)
{
    SealProven proven = SEAL_PROVEN_NOT;
    g_autofree char *by = NULL;

    return format->table.prove &&
           format->table.prove(format->module, NULL, NULL, 0, &proven, &by, NULL) &&
           proven != SEAL_PROVEN_NOT;
}

gboolean seal_format_prove(const SealFormatEntry *format, SealKey *key, SealAddress *address,
                           gint64 at, SealProven *proven, char **by, GError **error)
{
    GError *problem = NULL;
    g_autofree char *text = NULL;

    *proven = SEAL_PROVEN_NOT;
    if (!format->table.prove)
        return TRUE;
    gboolean ok = format->table.prove(format->module, key, address, at, proven, &text, &problem);
    if (!seal_call_ended(format->table.name, ok, problem, error))
        return FALSE;
    *by = *proven == SEAL_PROVEN_NOT ? NULL : g_steal_pointer(&text);
    return TRUE;
}

gboolean seal_format_succeeds(const SealFormatEntry *format, SealKey *old, SealKey *key,
                              SealAddress *address, gint64 at, gboolean *succeeds, char **why,
                              GError **error)
{
    GError *problem = NULL;

    *why = NULL;
    *succeeds = g_str_equal(seal_key_fingerprint(old), seal_key_fingerprint(key));
    if (*succeeds || !format->table.succeeds)
        return TRUE;
    gboolean ok =
        format->table.succeeds(format->module, old, key, address, at, succeeds, why, &problem);
    return seal_call_ended(format->table.name, ok, problem, error);
}

GBytes *seal_module_write_key(SealModule *self, SealKey *key, GError **error)
{
    const SealFormatEntry *format = seal_registry_format(self->registry, seal_key_format(key));
    GError *problem = NULL;

    if (!format || !format->table.write) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED, "no enabled format writes %s keys",
                    seal_key_format(key));
        return NULL;
    }
    if (!seal_key_native(key)) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "the %s key %s has not been read by it",
                    seal_key_format(key), seal_key_fingerprint(key));
        return NULL;
    }
    g_autoptr(GBytes) octets = format->table.write(format->module, key, &problem);
    return seal_call_ended(format->table.name, octets != NULL, problem, error)
               ? g_steal_pointer(&octets)
               : NULL;
}

/* The one key in @octets, which the Format has written. (transfer full) */
static SealKey *read_written(SealModule *self, const SealKey *key, GBytes *octets, GError **error)
{
    const SealOrigin origin = {.size = sizeof origin,
                               .source = seal_key_source(key),
                               .place = seal_key_place(key),
                               .trust = seal_key_trust(key),
                               .bound = seal_key_bound(key),
                               .standing = seal_key_standing(key),
                               .added = seal_key_added(key),
                               .last_used = seal_key_last_used(key)};
    const char *format = seal_key_format(key), *fingerprint = seal_key_fingerprint(key);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!seal_module_read_keys(self, format, octets, &origin, keys, error))
        return NULL;
    if (keys->len == 1 &&
        g_str_equal(seal_key_fingerprint(g_ptr_array_index(keys, 0)), fingerprint))
        return seal_key_ref(g_ptr_array_index(keys, 0));
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s reads another key than it wrote of %s",
                format, fingerprint);
    return NULL;
}

/* A copy that would add something says what was lost: a Format may keep less than all of many. */
static gboolean check_whole(SealModule *self, const SealFormatEntry *format, SealKey *whole,
                            GBytes *octets, SealKey *copy, GError **error)
{
    g_autoptr(GPtrArray) both = g_ptr_array_new();

    g_ptr_array_add(both, whole);
    g_ptr_array_add(both, copy);
    g_autoptr(SealKey) again = seal_format_merge(format, both, error);
    g_autoptr(GBytes) written = again ? seal_module_write_key(self, again, error) : NULL;
    if (!written || g_bytes_equal(written, octets))
        return written != NULL;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT,
                "what the copies of the key %s say together is more than %s keeps of one",
                seal_key_fingerprint(whole), format->table.name);
    return FALSE;
}

static const SealFormatEntry *find_merging(SealModule *self, GPtrArray *keys, GError **error)
{
    const SealKey *first = g_ptr_array_index(keys, 0);
    const SealFormatEntry *format = seal_registry_format(self->registry, seal_key_format(first));

    if (!format || !format->table.merge) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                    "no enabled format merges copies of %s keys", seal_key_format(first));
        return NULL;
    }
    for (guint i = 0; i < keys->len; i++) {
        if (seal_key_native(g_ptr_array_index(keys, i)))
            continue;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "the %s key %s has not been read by it",
                    seal_key_format(first), seal_key_fingerprint(first));
        return NULL;
    }
    return format;
}

SealKey *seal_module_merge_keys(SealModule *self, GPtrArray *keys, GBytes **octets, GError **error)
{
    const SealFormatEntry *format = find_merging(self, keys, error);
    g_autoptr(SealKey) merged = format ? seal_format_merge(format, keys, error) : NULL;
    g_autoptr(GBytes) written = merged ? seal_module_write_key(self, merged, error) : NULL;
    g_autoptr(SealKey) whole = written ? read_written(self, merged, written, error) : NULL;

    for (guint i = 0; whole && i < keys->len; i++) {
        if (!check_whole(self, format, whole, written, g_ptr_array_index(keys, i), error))
            return NULL;
    }
    if (whole)
        *octets = g_steal_pointer(&written);
    return g_steal_pointer(&whole);
}

SealContent *seal_format_encrypt(const SealFormatEntry *format, const SealSealing *sealing,
                                 GCancellable *cancellable, GError **error)
{
    GError *problem = NULL;
    SealContent *made = format->table.encrypt(format->module, sealing, cancellable, &problem);

    return content_made(format->table.name, made, problem, error);
}

SealContent *seal_format_sign(const SealFormatEntry *format, const SealSealing *sealing,
                              GCancellable *cancellable, GError **error)
{
    GError *problem = NULL;
    SealContent *made = format->table.sign(format->module, sealing, cancellable, &problem);

    return content_made(format->table.name, made, problem, error);
}

SealContent *seal_format_open(const SealFormatEntry *format, SealEntity *entity,
                              GCancellable *cancellable, SealDetection *detection, GError **error)
{
    GError *problem = NULL;

    if (!format->table.open) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                    "not opened again: %s cannot open anything in this version",
                    format->table.name);
        return NULL;
    }
    SealContent *made =
        format->table.open(format->module, entity, cancellable, detection, &problem);
    return content_made(format->table.name, made, problem, error);
}

gboolean seal_format_verify(const SealFormatEntry *format, const SealVerifying *verifying,
                            GCancellable *cancellable, GPtrArray *signers, char **why,
                            GError **error)
{
    GError *problem = NULL;

    if (!format->table.verify) {
        *why = g_strdup_printf("%s cannot verify signatures", format->table.name);
        return TRUE;
    }
    gboolean ok =
        format->table.verify(format->module, verifying, cancellable, signers, why, &problem);
    return seal_call_ended(format->table.name, ok, problem, error);
}

gboolean seal_format_signers(const SealFormatEntry *format, SealAddress *address,
                             GCancellable *cancellable, GPtrArray *keys, GError **error)
{
    GError *problem = NULL;
    gboolean ok = !format->table.signers ||
                  format->table.signers(format->module, address, cancellable, keys, &problem);

    return seal_call_ended(format->table.name, ok, problem, error);
}

/* -------------------------------------------------------------------------------------------
 * Sources
 */

SealTrust seal_source_trust(const SealSourceEntry *source)
{
    int set = seal_settings_choice(source->module->settings, "trust");

    return set < 0 ? source->table.trust : SEAL_TRUST_UNVERIFIED + (SealTrust)set;
}

SealTrust seal_module_trust(SealModule *self, const char *source)
{
    const SealSourceEntry *entry = seal_registry_source(self->registry, source);

    if (!entry || entry->module != self)
        g_error("bug: module %s has no key source %s", self->descriptor.name, source);
    return seal_source_trust(entry);
}

gboolean seal_source_may_skip(const SealSourceEntry *source, gboolean gave)
{
    const char *set = seal_settings_string(source->module->settings, "on_error");

    return set ? g_str_equal(set, "skip") : source->table.may_skip && !gave;
}

gboolean seal_source_lookup(const SealSourceEntry *source, SealAddress *address, const char *format,
                            GCancellable *cancellable, GPtrArray *keys, char **doubt,
                            GError **error)
{
    GError *problem = NULL;
    gboolean ok = source->table.lookup(source->module, address, format, seal_source_trust(source),
                                       cancellable, keys, doubt, &problem);

    return seal_call_ended(source->table.name, ok, problem, error);
}

gboolean seal_source_copies(const SealSourceEntry *source, SealKey *key, GCancellable *cancellable,
                            GPtrArray *keys, GError **error)
{
    GError *problem = NULL;
    gboolean ok = source->table.copies(source->module, key, seal_source_trust(source), cancellable,
                                       keys, &problem);

    return seal_call_ended(source->table.name, ok, problem, error);
}

guint64 seal_source_changes(const SealSourceEntry *source, SealAddress *address, const char *format)
{
    return source->table.changes ? source->table.changes(source->module, address, format) : 0;
}

void seal_source_key_used(const SealRegistry *registry, SealKey *key)
{
    const char *name = seal_key_source(key);
    const SealSourceEntry *source = name ? seal_registry_source(registry, name) : NULL;

    if (source && source->table.used)
        source->table.used(source->module, key);
}

char *seal_source_lack(const SealSourceEntry *source)
{
    return source->table.lack ? source->table.lack(source->module) : NULL;
}

gboolean seal_source_recall(const SealSourceEntry *source, SealRecollection *recollection,
                            gboolean *known, GError **error)
{
    GError *problem = NULL;

    *known = FALSE;
    gboolean ok = source->table.recall(source->module, recollection, known, &problem);
    return seal_call_ended(source->table.name, ok, problem, error);
}

gboolean seal_source_remember(const SealSourceEntry *source, const SealRecollection *recollection,
                              GError **error)
{
    GError *problem = NULL;
    gboolean ok = source->table.remember(source->module, recollection, &problem);

    return seal_call_ended(source->table.name, ok, problem, error);
}

/* -------------------------------------------------------------------------------------------
 * What sources keep
 */

gboolean seal_source_can_put(const SealSourceEntry *source)
{
    return source->table.put != NULL;
}

static gboolean source_put_each(const SealSourceEntry *source, GPtrArray *keys, SealPut *kept,
                                guint *added, GError **error)
{
    GError *problem = NULL;
    gboolean ok = source->table.put_each(source->module, keys, kept, &problem);

    if (!seal_call_ended(source->table.name, ok, problem, error))
        return FALSE;
    *added = 0;
    for (guint i = 0; i < keys->len; i++)
        *added += kept[i] == SEAL_PUT_ADDED;
    return TRUE;
}

gboolean seal_source_put(const SealSourceEntry *source, GPtrArray *keys, SealPut *kept,
                         guint *added, GError **error)
{
    GError *problem = NULL;
    guint count = 0;

    for (guint i = 0; i < keys->len; i++)
        kept[i] = SEAL_PUT_UNTOLD;
    if (source->table.put_each)
        return source_put_each(source, keys, kept, added, error);
    gboolean ok = source->table.put(source->module, keys, &count, &problem);
    if (!seal_call_ended(source->table.name, ok, problem, error))
        return FALSE;
    *added = count;
    return TRUE;
}

gboolean seal_source_rehearse(const SealSourceEntry *source, GPtrArray *keys, GError **error)
{
    GError *problem = NULL;
    gboolean ok = source->table.rehearse(source->module, keys, &problem);

    return seal_call_ended(source->table.name, ok, problem, error);
}

gboolean seal_source_list(const SealSourceEntry *source, const SealKeyFilter *filter,
                          SealKeyListed visit, gpointer user_data, GError **error)
{
    GError *problem = NULL;
    gboolean ok = source->table.list(source->module, filter, visit, user_data, &problem);

    return seal_call_ended(source->table.name, ok, problem, error);
}

gboolean seal_source_remove(const SealSourceEntry *source, const SealKeyFilter *filter,
                            guint *removed, GError **error)
{
    GError *problem = NULL;
    guint count = 0;
    gboolean ok = source->table.remove(source->module, filter, &count, &problem);

    if (!seal_call_ended(source->table.name, ok, problem, error))
        return FALSE;
    *removed = count;
    return TRUE;
}

gboolean seal_source_unbind(const SealSourceEntry *source, const SealKeyFilter *filter,
                            const char *bound, guint *count, GError **error)
{
    GError *problem = NULL;
    guint taken = 0;
    gboolean ok = source->table.unbind(source->module, filter, bound, &taken, &problem);

    if (!seal_call_ended(source->table.name, ok, problem, error))
        return FALSE;
    *count = taken;
    return TRUE;
}

gboolean seal_book_read(const SealSourceEntry *source, const SealAddress *address,
                        const char *format, SealStanding standing, GPtrArray *keys, GError **error)
{
    GError *problem = NULL;
    gboolean ok =
        source->table.book->read(source->module, address, format, standing, keys, &problem);

    return seal_call_ended(source->table.name, ok, problem, error);
}

gboolean seal_book_write(const SealSourceEntry *source, const SealAddress *address, SealKey *key,
                         SealStanding standing, GError **error)
{
    GError *problem = NULL;
    gboolean ok = source->table.book->write(source->module, address, key, standing, &problem);

    return seal_call_ended(source->table.name, ok, problem, error);
}

gboolean seal_format_install(const SealFormatEntry *format, GBytes *data,
                             const SealSecret *passphrase, const char *name, guint *count,
                             char **where, GError **error)
{
    GError *problem = NULL;
    g_autofree char *place = NULL;
    guint found = 0;
    gboolean ok = !format->table.install || format->table.install(format->module, data, passphrase,
                                                                  name, &found, &place, &problem);

    if (!seal_call_ended(format->table.name, ok, problem, error))
        return FALSE;
    *count = found;
    *where = g_steal_pointer(&place);
    return TRUE;
}

gboolean seal_format_own(const SealFormatEntry *format, SealOwnVisitor visit, gpointer user_data,
                         GError **error)
{
    GError *problem = NULL;
    gboolean ok =
        !format->table.own || format->table.own(format->module, visit, user_data, &problem);

    return seal_call_ended(format->table.name, ok, problem, error);
}

/* -------------------------------------------------------------------------------------------
 * Checks and commands
 */

gboolean seal_check_until(const SealCheckEntry *check, gint64 *until, char **what, GError **error)
{
    GError *problem = NULL;
    g_autofree char *text = NULL;
    gint64 found = G_MAXINT64;
    gboolean ok = !check->table.until || check->table.until(check->module, &found, &text, &problem);

    if (!seal_call_ended(check->table.name, ok, problem, error))
        return FALSE;
    *until = text ? found : G_MAXINT64;
    *what = g_steal_pointer(&text);
    return TRUE;
}

gboolean seal_check_run(const SealCheckEntry *check, SealOut *out, GError **error)
{
    GError *problem = NULL;
    gboolean ok = check->table.run(check->module, out, &problem);

    return seal_call_ended(check->table.name, ok, problem, error);
}

gboolean seal_call_refresh(SealModule *module, gboolean all, gint64 now, GCancellable *cancellable,
                           SealOut *out, gint64 *next, GError **error)
{
    const SealModuleDescriptor *table = &module->descriptor;
    GError *problem = NULL;
    gboolean ok = table->refresh(module, all, now, cancellable, out, next, &problem);

    return seal_call_ended(table->name, ok, problem, error);
}

/* A problem may show in the answer alone; a wrong command line needs words. */
int seal_command_run(const SealCommand *command, SealModule *module, int argc, char **argv,
                     SealOut *out, GError **error)
{
    GError *problem = NULL;
    int status = command->run(module, argc, argv, out, &problem);

    if (status == 0 && problem)
        status = 1;
    if (status > 1 && !problem)
        problem = g_error_new_literal(SEAL_ERROR, SEAL_ERROR_FAILED, "the command line is wrong");
    if (problem)
        g_propagate_error(error, problem);
    return status;
}
