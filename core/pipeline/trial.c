/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * trial.c: whether a key of our own can sign: the one way to know is to have it done, since a
 * private half may be elsewhere, locked, or another certificate's.
 */
#include "core/pipeline/dispatcher.h"
#include "core/plugin/calls.h"
#include "core/plugin/key.h"

#define SAMPLE "Content-Type: text/plain\r\n\r\nA trial of a signature.\r\n"

static gboolean sign_sample(const SealFormatEntry *format, SealKey *key, GError **error)
{
    g_autoptr(SealContent) sample = seal_content_new_copy(SAMPLE, sizeof SAMPLE - 1);
    const SealSealing sealing = {.size = sizeof sealing, .entity = sample, .signer = key};
    g_autoptr(SealContent) signed_sample = seal_format_sign(format, &sealing, NULL, error);

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
