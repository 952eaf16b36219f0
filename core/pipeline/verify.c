/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * verify.c: the signature that a message came with satisfies sign=required only where it is the
 * author's and covers the whole entity. The header outside is covered by no signature: an entity
 * that its author once signed may come again with another Subject.
 */
#include "core/pipeline/verify.h"

#include "core/base/content.h"
#include "core/mail/entity.h"
#include "core/mail/preamble.h"
#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"

#include <string.h>

enum {
    MAX_BETWEEN = 4096, /* octets around a delimiter */
    MAX_KEYS = 10,      /* of the author's that may have made one signature */
    MAX_SIGNATURES = 10,
    COMPARED = 65536,
};

/* -------------------------------------------------------------------------------------------
 * The whole
 */

/* The octets of the body from @from to @to as text; NULL where there are many, or a NUL. */
static char *text_between(SealContent *body, guint64 from, guint64 to)
{
    g_autoptr(SealContent) slice = seal_content_slice(body, from, to - from);
    g_autoptr(GBytes) bytes = seal_content_to_bytes(slice, MAX_BETWEEN, NULL);
    gsize size = 0;

    if (!bytes)
        return NULL;
    const char *data = g_bytes_get_data(bytes, &size);
    return size > 0 && memchr(data, 0, size) ? NULL : g_strndup(data, size);
}

/* @text is one delimiter line with the line end before it, and a preamble where it is the first. */
static gboolean is_delimiter(const char *text, const char *boundary, gboolean first, gboolean last)
{
    g_autofree char *line = g_strconcat("--", boundary, last ? "--" : "", NULL);
    const char *at = first ? g_strrstr(text, line) : strstr(text, line);

    if (!at || (at > text && at[-1] != '\n') || (at == text && !first))
        return FALSE;
    gsize before = (gsize)(at - text);
    g_autofree char *preamble = first ? g_strndup(text, before) : NULL;
    if (first ? !seal_preamble_is_known(preamble) : before > 2 || strspn(text, "\r\n") < before)
        return FALSE;
    at += strlen(line);
    return at[strspn(at, " \t\r\n")] == '\0';
}

static gboolean nothing_beside(SealEntity *entity, GPtrArray *parts)
{
    SealContent *body = seal_entity_body(entity);
    const char *boundary = seal_entity_parameter(entity, "boundary");
    guint64 at = 0;

    for (guint i = 0; i <= parts->len; i++) {
        SealEntity *part = i < parts->len ? g_ptr_array_index(parts, i) : NULL;
        guint64 to = part ? seal_entity_offset(part) : seal_content_size(body);
        g_autofree char *text = text_between(body, at, to);

        if (!text || !is_delimiter(text, boundary, i == 0, !part))
            return FALSE;
        if (part)
            at = to + seal_content_size(seal_entity_content(part));
    }
    return TRUE;
}

static gboolean is_bare(SealEntity *entity)
{
    const char *encoding = seal_entity_encoding(entity);

    return g_str_equal(encoding, "7bit") || g_str_equal(encoding, "8bit") ||
           g_str_equal(encoding, "binary");
}

/* Why a signature in it cannot cover all of it, NULL where it can. */
static const char *check_whole(SealMessage *message)
{
    SealEntity *entity = seal_message_entity(message);
    g_autoptr(GError) problem = NULL;
    GPtrArray *parts;

    if (seal_entity_count(entity, "Content-Type") != 1 ||
        seal_entity_count(entity, "Content-Transfer-Encoding") > 1 ||
        seal_entity_count(entity, "MIME-Version") > 1)
        return "a field that says what the message is stands twice";
    if (!g_str_equal(seal_entity_type(entity), "multipart/signed"))
        return NULL;
    if (!is_bare(entity))
        return "a transfer encoding stands where none can";
    if (!seal_entity_parts(entity, &parts, &problem) || parts->len != 2)
        return "it does not have exactly two parts";
    return nothing_beside(entity, parts) ? NULL : "text stands before, between or after its parts";
}

/* -------------------------------------------------------------------------------------------
 * Whose it is
 */

/* One signature, and what was found out about it. */
typedef struct {
    const SealPipeline *pipeline;
    SealJob *job;
    SealKeyQuery query;
    GCancellable *cancellable;
    SealKey *signer; /* the author's, or NULL: then, why */
    char *why;
} Verify;

static void verify_clear(Verify *verify)
{
    seal_key_unref(verify->signer);
    g_free(verify->why);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Verify, verify_clear)

/* The first reason is the one that counts. */
static void give_reason(Verify *verify, const char *why)
{
    if (!verify->why)
        verify->why = g_strdup(why);
}

/* Only keys that the signature names, where it names any. */
static void keep_named(GPtrArray *keys, const SealDetection *detection)
{
    GPtrArray *ids = seal_detection_ids(detection);

    for (guint i = keys->len; i > 0 && seal_detection_hidden(detection) == 0; i--) {
        const char *const *names = seal_key_detected_ids(g_ptr_array_index(keys, i - 1));
        gboolean named = FALSE;

        for (; *names && !named; names++)
            named = g_ptr_array_find_with_equal_func(ids, *names, g_str_equal, NULL);
        if (!named)
            g_ptr_array_remove_index(keys, i - 1);
    }
    if (keys->len > MAX_KEYS)
        g_ptr_array_set_size(keys, MAX_KEYS);
}

static gboolean judge_signer(Verify *verify, SealKey *key, SealAddress *bare, GError **error)
{
    SealKeyQuery query = verify->query;
    g_autofree char *why = NULL;

    if (!seal_key_is_for(key, query.address) && bare && seal_key_is_for(key, bare))
        query.address = bare;
    if (!seal_key_is_for(key, query.address)) {
        g_autofree char *text =
            g_strdup_printf("it was made by %s, whose key is not for %s", seal_key_label(key),
                            seal_address_text(verify->job->author));
        give_reason(verify, text);
        return TRUE;
    }
    if (!seal_keyring_judge(verify->pipeline->keyring, verify->job, &query, key,
                            verify->cancellable, &why, error))
        return FALSE;
    if (why)
        give_reason(verify, why);
    else
        verify->signer = seal_key_ref(key);
    return TRUE;
}

static gboolean verify_signature(Verify *verify, const SealDetection *detection, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GPtrArray) signers = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(SealAddress) bare = seal_address_without_detail(verify->job->author);
    g_autofree char *why = NULL;
    gboolean in_doubt = FALSE;

    if (seal_detection_ids(detection)->len + seal_detection_hidden(detection) > MAX_SIGNATURES) {
        give_reason(verify, "it has more than " G_STRINGIFY(10) " signers");
        return TRUE;
    }
    if (!seal_keyring_collect(verify->pipeline->keyring, verify->job, &verify->query,
                              verify->cancellable, keys, &in_doubt, error))
        return FALSE;
    verify->job->signature_in_doubt = verify->job->signature_in_doubt || in_doubt;
    keep_named(keys, detection);
    SealVerifying verifying = {
        .size = sizeof verifying,
        .entity = seal_message_entity(verify->job->message),
        .keys = keys,
    };
    if (!seal_format_verify(verify->query.format, &verifying, verify->cancellable, signers, &why,
                            error))
        return FALSE;
    for (guint i = 0; i < signers->len && !verify->signer; i++) {
        if (!judge_signer(verify, g_ptr_array_index(signers, i), bare, error))
            return FALSE;
    }
    give_reason(verify, why ? why : "nobody has made it");
    return TRUE;
}

static gboolean verify_as(Verify *verify, const SealFormatEntry *format, GError **error)
{
    g_autoptr(SealDetection) detection = seal_format_detect(
        format, seal_message_entity(verify->job->message), verify->cancellable, error);

    if (!detection)
        return FALSE;
    verify->query.format = format;
    return seal_detection_what(detection) != SEAL_DETECTED_SIGNED ||
           verify_signature(verify, detection, error);
}

static gboolean verify_message(Verify *verify, GError **error)
{
    GPtrArray *formats = seal_registry_formats(verify->pipeline->registry);
    const char *fault =
        verify->job->author ? check_whole(verify->job->message) : "From does not name one author";

    if (fault) {
        give_reason(verify, fault);
        return TRUE;
    }
    for (guint i = 0; i < formats->len && !verify->signer; i++) {
        if (!verify_as(verify, g_ptr_array_index(formats, i), error))
            return FALSE;
    }
    give_reason(verify, "no enabled format can verify it");
    return TRUE;
}

static void note_result(SealJob *job, Verify *verify)
{
    SealDecision *decision =
        seal_job_decide(job, "signature", job->author ? seal_address_text(job->author) : "");

    if (verify->signer) {
        seal_decision_set(decision, SEAL_VERDICT_PASS, "verified",
                          "the message came signed by its author");
        seal_decision_set_key(decision, seal_key_fingerprint(verify->signer));
        seal_key_unref(job->verified_key);
        job->verified_key = g_steal_pointer(&verify->signer);
        job->verified |= 1u << verify->query.min_trust;
    } else {
        seal_decision_set(decision, SEAL_VERDICT_SKIP, "not-verified",
                          "the signature that the message came with does not count: %s",
                          verify->why);
        g_free(job->not_verified);
        job->not_verified = g_steal_pointer(&verify->why);
    }
    job->was_verified |= 1u << verify->query.min_trust;
}

gboolean seal_verify(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                     SealTrust min_trust, GCancellable *cancellable, GError **error)
{
    g_auto(Verify) verify = {
        .pipeline = pipeline,
        .job = job,
        .cancellable = cancellable,
        .query = {.address = job->author,
                  .purpose = SEAL_PURPOSE_VERIFY,
                  .min_trust = min_trust,
                  .at = g_get_real_time() / G_USEC_PER_SEC},
    };

    if (!(job->was_verified & 1u << min_trust)) {
        if (!verify_message(&verify, error))
            return FALSE;
        note_result(job, &verify);
    }
    recipient->keeps_signature = (job->verified & 1u << min_trust) != 0;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What leaves
 */

gboolean seal_verify_keeps(const SealDelivery *delivery)
{
    for (guint i = 0; i < delivery->recipients->len && !delivery->is_signed; i++) {
        if (((SealRecipient *)g_ptr_array_index(delivery->recipients, i))->keeps_signature)
            return TRUE;
    }
    return FALSE;
}

static gboolean same_octets(SealContent *a, SealContent *b, gboolean *same, GError **error)
{
    g_autofree guint8 *one = g_malloc(COMPARED);
    g_autofree guint8 *two = g_malloc(COMPARED);
    guint64 size = seal_content_size(a);

    *same = size == seal_content_size(b);
    for (guint64 at = 0; at < size && *same; at += COMPARED) {
        gssize got = seal_content_pread(a, at, one, COMPARED, error);

        if (got < 0 || seal_content_pread(b, at, two, COMPARED, error) < 0)
            return FALSE;
        *same = memcmp(one, two, (gsize)got) == 0;
    }
    return TRUE;
}

gboolean seal_verify_check_kept(SealJob *job, const SealDelivery *delivery, SealMessage *message,
                                GError **error)
{
    gboolean same = FALSE;

    if (!seal_verify_keeps(delivery))
        return TRUE;
    g_autoptr(SealContent) verified = seal_message_inner(job->message);
    g_autoptr(SealContent) leaving = seal_message_inner(message);
    return same_octets(verified, leaving, &same, error) &&
           (same || seal_job_stop(job, error,
                                  "its author's signature was verified, and what it covers was "
                                  "changed since"));
}
