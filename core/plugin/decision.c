/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * decision.c: what was decided, and what was found in a message, as data.
 */
#include "core/plugin/decision.h"

struct SealDecision {
    char *step;
    char *subject;
    SealVerdict verdict;
    char *code;
    char *key;
    char *text;
    SealAbout *about; /* NULL but in a job that explains */
};

struct SealDetection {
    SealDetected what;
    guint64 content_size;
    char *text;
    char *doubt;
    GPtrArray *ids;
    guint hidden;
};

static const char *const VERDICT_NAMES[] = {
    [SEAL_VERDICT_NONE] = "undecided", [SEAL_VERDICT_PASS] = "pass",
    [SEAL_VERDICT_SKIP] = "skip",      [SEAL_VERDICT_UNABLE] = "unable",
    [SEAL_VERDICT_SEALED] = "sealed",  [SEAL_VERDICT_SIGNED] = "signed",
    [SEAL_VERDICT_PLAIN] = "plain",    [SEAL_VERDICT_REPORT] = "reported",
    [SEAL_VERDICT_REFUSE] = "refused", [SEAL_VERDICT_DEFER] = "deferred",
};

SealDecision *seal_decision_new(const char *step, const char *subject)
{
    SealDecision *decision = g_new0(SealDecision, 1);

    decision->step = g_strdup(step);
    decision->subject = g_strdup(subject);
    return decision;
}

void seal_decision_free(SealDecision *decision)
{
    if (!decision)
        return;
    g_free(decision->step);
    g_free(decision->subject);
    g_free(decision->code);
    g_free(decision->key);
    g_free(decision->text);
    if (decision->about)
        seal_key_unref(decision->about->key);
    g_free(decision->about);
    g_free(decision);
}

static void decision_set(SealDecision *decision, SealVerdict verdict, const char *code,
                         const char *format, va_list args) G_GNUC_PRINTF(4, 0);

static void decision_set(SealDecision *decision, SealVerdict verdict, const char *code,
                         const char *format, va_list args)
{
    g_free(decision->code);
    g_free(decision->text);
    decision->verdict = verdict;
    decision->code = g_strdup(code);
    decision->text = g_strdup_vprintf(format, args);
}

void seal_decision_set(SealDecision *decision, SealVerdict verdict, const char *code,
                       const char *format, ...)
{
    va_list args;

    va_start(args, format);
    decision_set(decision, verdict, code, format, args);
    va_end(args);
}

void seal_decision_set_plan(SealDecision *decision, SealPlanVerdict verdict, const char *code,
                            const char *format, ...)
{
    static const SealVerdict verdicts[] = {
        [SEAL_PLAN_PASS] = SEAL_VERDICT_PASS,
        [SEAL_PLAN_UNABLE] = SEAL_VERDICT_UNABLE,
        [SEAL_PLAN_REFUSE] = SEAL_VERDICT_REFUSE,
    };
    gboolean known = (guint)verdict < G_N_ELEMENTS(verdicts);
    va_list args;

    va_start(args, format);
    decision_set(decision, known ? verdicts[verdict] : SEAL_VERDICT_NONE, code, format, args);
    va_end(args);
}

void seal_decision_set_usable(SealDecision *decision, SealKeyVerdict verdict, const char *code,
                              const char *format, ...)
{
    static const SealVerdict verdicts[] = {
        [SEAL_KEY_USABLE] = SEAL_VERDICT_PASS,
        [SEAL_KEY_UNUSABLE] = SEAL_VERDICT_SKIP,
        [SEAL_KEY_UNSUPPORTED] = SEAL_VERDICT_SKIP,
    };
    gboolean known = (guint)verdict < G_N_ELEMENTS(verdicts);
    va_list args;

    if (verdict == SEAL_KEY_UNSUPPORTED)
        code = SEAL_CODE_UNSUPPORTED;
    va_start(args, format);
    decision_set(decision, known ? verdicts[verdict] : SEAL_VERDICT_NONE, code, format, args);
    va_end(args);
}

SealAbout *seal_decision_about(SealDecision *decision)
{
    if (!decision->about)
        decision->about = g_new0(SealAbout, 1);
    return decision->about;
}

const SealAbout *seal_decision_peek_about(const SealDecision *decision)
{
    return decision->about;
}

void seal_decision_set_key(SealDecision *decision, const char *fingerprint)
{
    g_free(decision->key);
    decision->key = g_strdup(fingerprint);
}

SealVerdict seal_decision_verdict(const SealDecision *decision)
{
    return decision->verdict;
}

const char *seal_decision_step(const SealDecision *decision)
{
    return decision->step;
}

const char *seal_decision_subject(const SealDecision *decision)
{
    return decision->subject;
}

const char *seal_decision_code(const SealDecision *decision)
{
    return decision->code;
}

const char *seal_decision_key(const SealDecision *decision)
{
    return decision->key;
}

const char *seal_decision_text(const SealDecision *decision)
{
    return decision->text;
}

const char *seal_verdict_name(SealVerdict verdict)
{
    return (guint)verdict < G_N_ELEMENTS(VERDICT_NAMES) ? VERDICT_NAMES[verdict] : "undecided";
}

SealDetection *seal_detection_new(void)
{
    SealDetection *detection = g_new0(SealDetection, 1);

    detection->ids = g_ptr_array_new_with_free_func(g_free);
    return detection;
}

void seal_detection_free(SealDetection *detection)
{
    if (!detection)
        return;
    g_free(detection->text);
    g_free(detection->doubt);
    g_ptr_array_unref(detection->ids);
    g_free(detection);
}

void seal_detection_set(SealDetection *detection, SealDetected what, guint64 content_size,
                        const char *text)
{
    g_free(detection->text);
    detection->what = what;
    detection->content_size = content_size;
    detection->text = g_strdup(text);
}

void seal_detection_add(SealDetection *detection, const char *detected_id)
{
    if (detected_id)
        g_ptr_array_add(detection->ids, g_strdup(detected_id));
    else
        detection->hidden++;
}

void seal_detection_set_doubt(SealDetection *detection, const char *text)
{
    g_free(detection->doubt);
    detection->doubt = g_strdup(text);
}

const char *seal_detection_doubt(const SealDetection *detection)
{
    return detection->doubt;
}

SealDetected seal_detection_what(const SealDetection *detection)
{
    return detection->what;
}

guint64 seal_detection_content_size(const SealDetection *detection)
{
    return detection->content_size;
}

const char *seal_detection_text(const SealDetection *detection)
{
    return detection->text;
}

GPtrArray *seal_detection_ids(const SealDetection *detection)
{
    return detection->ids;
}

guint seal_detection_hidden(const SealDetection *detection)
{
    return detection->hidden;
}
