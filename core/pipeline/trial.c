/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * trial.c: whether a key of our own can sign: the one way to know is to have it done, since a
 * private half may be elsewhere, locked, or another certificate's.
 */
#include "core/pipeline/dispatcher.h"
#include "core/plugin/calls.h"
#include "core/plugin/key.h"

#define SAMPLE "Content-Type: text/plain\r\n\r\nA trial of a signature.\r\n"

enum { PATIENCE = 20 }; /* seconds: an agent may never answer, and here no message's time ends it */

typedef struct {
    GMutex lock;
    GCond ended;
    gboolean done;
    GCancellable *cancellable;
} TrialTimer;

static gpointer wait_trial_timer(gpointer data)
{
    TrialTimer *timer = data;
    gint64 until = g_get_monotonic_time() + PATIENCE * G_TIME_SPAN_SECOND;

    g_mutex_lock(&timer->lock);
    while (!timer->done && g_cond_wait_until(&timer->ended, &timer->lock, until))
        ;
    if (!timer->done)
        g_cancellable_cancel(timer->cancellable);
    g_mutex_unlock(&timer->lock);
    return NULL;
}

static void end_trial_timer(TrialTimer *timer, GThread *thread)
{
    g_mutex_lock(&timer->lock);
    timer->done = TRUE;
    g_cond_signal(&timer->ended);
    g_mutex_unlock(&timer->lock);
    g_thread_join(thread);
    g_cond_clear(&timer->ended);
    g_mutex_clear(&timer->lock);
}

static gboolean sign_sample(const SealFormatEntry *format, SealKey *key, GError **error)
{
    g_autoptr(SealContent) sample = seal_content_new_copy(SAMPLE, sizeof SAMPLE - 1);
    const SealSealing sealing = {.size = sizeof sealing, .entity = sample, .signer = key};
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    TrialTimer timer = {.cancellable = cancellable};

    g_mutex_init(&timer.lock);
    g_cond_init(&timer.ended);
    GThread *thread = g_thread_new("trial", wait_trial_timer, &timer);
    g_autoptr(SealContent) signed_sample = seal_format_sign(format, &sealing, cancellable, error);
    end_trial_timer(&timer, thread);
    if (!signed_sample && g_cancellable_is_cancelled(cancellable)) {
        g_clear_error(error);
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_DEADLINE, "no answer within %d s", PATIENCE);
    }
    return signed_sample != NULL;
}

SealDecision *seal_dispatcher_try_signer(SealDispatcher *self, SealKey *key, GError **error)
{
    const SealFormatEntry *format = seal_registry_format(self->registry, seal_key_format(key));
    g_autoptr(SealDecision) decision = seal_decision_new("key", seal_key_fingerprint(key));
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;

    if (!format) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "there is no format %s",
                    seal_key_format(key));
        return NULL;
    }
    if (!seal_format_usable(format, key, NULL, SEAL_PURPOSE_SIGN, now, decision, error))
        return NULL;
    if (seal_decision_verdict(decision) == SEAL_VERDICT_PASS && !sign_sample(format, key, error))
        return NULL;
    return g_steal_pointer(&decision);
}
