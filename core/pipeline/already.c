/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * already.c: what a message was before it came here. That is told by structure, whatever is
 * enabled; the formats that are enabled have the keys that say whether it was encrypted to the
 * recipient, or to somebody else only.
 */
#include "core/pipeline/already.h"

#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"

typedef gboolean (*Detect)(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                           SealDetection *detection, GError **error);

static const Detect DETECTORS[] = {seal_smime_detect, seal_openpgp_detect};

/* -------------------------------------------------------------------------------------------
 * What it is
 */

/* What was found, and the format whose keys it is for, NULL where that is not enabled. */
typedef struct {
    SealDetection *detection;
    const SealFormatEntry *format;
    gboolean is_signed;
    gboolean is_partly;
} Look;

static void look_clear(Look *look)
{
    g_clear_pointer(&look->detection, seal_detection_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Look, look_clear)

/* Takes @detection over; what is encrypted as a whole is found once. */
static void take_detection(Look *look, SealDetection *detection, const SealFormatEntry *format)
{
    SealDetected what = seal_detection_what(detection);

    look->is_signed = look->is_signed || what == SEAL_DETECTED_SIGNED;
    if (what != SEAL_DETECTED_ENCRYPTED && (what != SEAL_DETECTED_PARTLY || look->detection)) {
        seal_detection_free(detection);
        return;
    }
    look_clear(look);
    look->is_partly = what == SEAL_DETECTED_PARTLY;
    look->detection = detection;
    look->format = format;
}

static gboolean is_done(const Look *look)
{
    return look->detection && !look->is_partly;
}

static const SealFormatEntry *find_format(const SealPipeline *pipeline, Detect detect)
{
    GPtrArray *formats = seal_registry_formats(pipeline->registry);

    for (guint i = 0; i < formats->len; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);

        if (format->table.detect == detect)
            return format;
    }
    return NULL;
}

static gboolean look_by_structure(const SealPipeline *pipeline, SealEntity *entity, Look *look,
                                  GCancellable *cancellable, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(DETECTORS) && !is_done(look); i++) {
        g_autoptr(SealDetection) detection = seal_detection_new();

        if (!DETECTORS[i](NULL, entity, cancellable, detection, error))
            return FALSE;
        take_detection(look, g_steal_pointer(&detection), find_format(pipeline, DETECTORS[i]));
    }
    return TRUE;
}

static gboolean is_core(Detect detect)
{
    for (guint i = 0; i < G_N_ELEMENTS(DETECTORS); i++) {
        if (DETECTORS[i] == detect)
            return TRUE;
    }
    return FALSE;
}

/* Formats other than those that core knows. */
static gboolean look_by_formats(const SealPipeline *pipeline, SealEntity *entity, Look *look,
                                GCancellable *cancellable, GError **error)
{
    GPtrArray *formats = seal_registry_formats(pipeline->registry);

    for (guint i = 0; i < formats->len && !is_done(look); i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);

        if (is_core(format->table.detect))
            continue;
        SealDetection *detection = seal_format_detect(format, entity, cancellable, error);
        if (!detection)
            return FALSE;
        take_detection(look, detection, format);
    }
    return TRUE;
}

static void say_partly(Look *look, const char *text)
{
    look->is_partly = TRUE;
    seal_detection_set(look->detection, SEAL_DETECTED_PARTLY, 0, text);
}

/* A second MIME-Version, and readers differ in what it is. */
static gboolean look_at(const SealPipeline *pipeline, SealMessage *message, Look *look,
                        GCancellable *cancellable, GError **error)
{
    SealEntity *entity = seal_message_entity(message);

    if (!look_by_structure(pipeline, entity, look, cancellable, error) ||
        !look_by_formats(pipeline, entity, look, cancellable, error))
        return FALSE;
    if (seal_header_count(seal_message_header(message), "MIME-Version") > 1 && is_done(look))
        say_partly(look, "encrypted, but with more than one MIME-Version field");
    if (is_done(look) && seal_detection_doubt(look->detection))
        say_partly(look, seal_detection_doubt(look->detection));
    return TRUE;
}

/* Readers show nothing of what stands before the first part and behind the last. */
static gboolean look_without_rest(const SealPipeline *pipeline, SealJob *job, Look *look,
                                  GCancellable *cancellable, GError **error)
{
    g_autoptr(SealMessage) parts = NULL;
    g_auto(Look) again = {0};

    if (!look->is_partly)
        return TRUE;
    if (!seal_message_without_rest(job->message, &parts, error))
        return FALSE;
    if (!parts)
        return TRUE;
    if (!look_at(pipeline, parts, &again, cancellable, error))
        return FALSE;
    if (is_done(&again)) {
        look_clear(look);
        *look = again;
        again.detection = NULL;
        job->has_rest = TRUE;
    }
    return TRUE;
}

static void keep_look(SealJob *job, Look *look)
{
    job->already_signed = look->is_signed;
    if (is_done(look)) {
        GPtrArray *ids = seal_detection_ids(look->detection);

        job->already_sealed = TRUE;
        job->sealed_format = look->format;
        job->sealed_hidden = seal_detection_hidden(look->detection) > 0;
        job->sealed_ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (guint i = 0; i < ids->len; i++)
            g_hash_table_add(job->sealed_ids, g_strdup(g_ptr_array_index(ids, i)));
    } else if (look->detection) {
        job->sealed_partly = g_strdup(seal_detection_text(look->detection));
        seal_decision_set(seal_job_decide(job, "already", "message"), SEAL_VERDICT_SKIP, "partly",
                          "%s", job->sealed_partly);
    }
}

gboolean seal_already_look(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                           GError **error)
{
    g_auto(Look) look = {0};

    if (!job->message || job->header_only)
        return TRUE;
    if (!look_at(pipeline, job->message, &look, cancellable, error) ||
        !look_without_rest(pipeline, job, &look, cancellable, error))
        return FALSE;
    keep_look(job, &look);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * For whom
 */

/* The usable key for the recipient, one of those that the ciphertext names where there is one. */
static gboolean find_key(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                         const SealPolicy *policy, const SealFormatEntry *format, SealKey **key,
                         GCancellable *cancellable, GError **error)
{
    g_autofree char *why = NULL;
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    SealKeyQuery query = {
        .address = recipient->address,
        .format = format,
        .purpose = SEAL_PURPOSE_ENCRYPT,
        .min_trust = policy->min_trust,
        .at = g_get_real_time() / G_USEC_PER_SEC,
        .asks = TRUE,
        .among = job->sealed_ids,
    };

    gboolean in_doubt = FALSE;
    if (!seal_keyring_find(pipeline->keyring, job, &query, cancellable, keys, &why, NULL, &in_doubt,
                           error))
        return FALSE;
    *key = keys->len > 0 ? seal_key_ref(g_ptr_array_index(keys, 0)) : NULL;
    recipient->in_doubt = recipient->in_doubt || in_doubt;
    return TRUE;
}

/* *@known: there is a usable key, and the ciphertext does not name it. */
static gboolean ask_format(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                           const SealPolicy *policy, const SealFormatEntry *format, gboolean *known,
                           GCancellable *cancellable, GError **error)
{
    g_autoptr(SealKey) key = NULL;

    if (!find_key(pipeline, job, recipient, policy, format, &key, cancellable, error))
        return FALSE;
    if (key && seal_key_is_among(key, job->sealed_ids))
        recipient->sealed_key = g_steal_pointer(&key);
    else if (key)
        *known = TRUE;
    return TRUE;
}

/* In the ciphertext's own format, whatever policy says; then in those that policy would take. */
static gboolean ask_formats(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                            const SealPolicy *policy, gboolean *known, GCancellable *cancellable,
                            GError **error)
{
    if (job->sealed_format && !ask_format(pipeline, job, recipient, policy, job->sealed_format,
                                          known, cancellable, error))
        return FALSE;
    for (guint i = 0; policy->formats[i] && !*known && !recipient->sealed_key; i++) {
        const SealFormatEntry *format = seal_pipeline_format(pipeline, policy->formats[i]);

        if (format && format != job->sealed_format &&
            !ask_format(pipeline, job, recipient, policy, format, known, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

gboolean seal_already_ask(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                          const SealPolicy *policy, GCancellable *cancellable, GError **error)
{
    gboolean known = FALSE;

    if (!job->already_sealed)
        return TRUE;
    if (!job->sealed_hidden && policy->encrypt != SEAL_NEED_NEVER &&
        !ask_formats(pipeline, job, recipient, policy, &known, cancellable, error))
        return FALSE;
    recipient->is_sealed = recipient->sealed_key || !known;
    if (!recipient->is_sealed)
        seal_decision_set(seal_job_decide(job, "already", seal_address_text(recipient->address)),
                          SEAL_VERDICT_SKIP, "another",
                          "it came encrypted, but to none of the keys that are known for %s",
                          seal_address_text(recipient->address));
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * As it leaves
 */

static gboolean check_recipient(SealJob *job, const SealRecipient *recipient, GHashTable *ids,
                                GError **error)
{
    const char *address = seal_address_text(recipient->address);

    if (!recipient->is_sealed)
        return seal_job_stop(job, error, "planned as encrypted already, but not to %s", address);
    return !recipient->sealed_key || seal_key_is_among(recipient->sealed_key, ids) ||
           seal_job_stop(job, error, "planned as encrypted already to the key of %s, but it is not",
                         address);
}

gboolean seal_already_check(const SealPipeline *pipeline, SealJob *job,
                            const SealDelivery *delivery, SealMessage *message,
                            GCancellable *cancellable, GError **error)
{
    g_auto(Look) look = {0};

    if (!look_at(pipeline, message, &look, cancellable, error))
        return FALSE;
    if (!is_done(&look))
        return seal_job_stop(job, error, "planned as encrypted already, but it is not");
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *found = seal_detection_ids(look.detection);
    for (guint i = 0; i < found->len; i++)
        g_hash_table_add(ids, g_ptr_array_index(found, i));
    for (guint i = 0; i < delivery->recipients->len; i++) {
        if (!check_recipient(job, g_ptr_array_index(delivery->recipients, i), ids, error))
            return FALSE;
    }
    return TRUE;
}
