/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mock.c: a format without cryptography, which signs and lies as it is told, and a stage that sets
 * its signer: to see whether core notices.
 */
#include "core/sealpipe.h"

#include <string.h>

static const SealSetting SETTINGS[] = {
    {"fault", SEAL_SETTING_STRING, "none", .help = "What to do wrong in sign."},
    {"signers", SEAL_SETTING_STRING, "one", .help = "What to answer in signers."},
    {"usable", SEAL_SETTING_STRING, "yes", .help = "What to answer in usable."},
    {"verify", SEAL_SETTING_STRING, "none", .help = "What to answer in verify."},
    {"stage", SEAL_SETTING_STRING, "sign", .help = "What to do in the stage."},
    {"opaque", SEAL_SETTING_BOOLEAN, "false", .help = "Ask for an opaque signature."},
    {NULL},
};

static gboolean is(SealModule *self, const char *key, const char *value)
{
    return g_str_equal(seal_module_string(self, key), value);
}

static gboolean read_keys(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                          GError **error)
{
    return TRUE;
}

/* application/x-mock; signer=ID is signed. */
static gboolean detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                       SealDetection *detection, GError **error)
{
    const char *signer = seal_entity_parameter(entity, "signer");
    gboolean mock = g_str_equal(seal_entity_type(entity), "application/x-mock") && signer;

    seal_detection_set(detection, mock ? SEAL_DETECTED_SIGNED : SEAL_DETECTED_NOTHING, 0,
                       mock ? "mock" : "no mock");
    if (mock)
        seal_detection_add(detection, signer);
    if (mock && seal_entity_parameter(entity, "second"))
        seal_detection_add(detection, seal_entity_parameter(entity, "second"));
    return TRUE;
}

static gboolean usable(SealModule *self, SealKey *key, SealAddress *address, SealPurpose purpose,
                       gint64 at, SealDecision *decision, GError **error)
{
    gboolean yes = is(self, "usable", "yes") &&
                   (purpose == SEAL_PURPOSE_SIGN || purpose == SEAL_PURPOSE_VERIFY);

    seal_decision_set_usable(decision, yes ? SEAL_KEY_USABLE : SEAL_KEY_UNUSABLE, "mock", "%s",
                             yes ? "fine" : "the mock key has expired");
    return TRUE;
}

static SealContent *encrypt(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                            GError **error)
{
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "a mock does not encrypt");
    return NULL;
}

static const char *parameters(SealModule *self)
{
    return is(self, "fault", "unsigned") ? "x=y"
           : is(self, "fault", "other")  ? "signer=other"
           : is(self, "fault", "two")    ? "signer=author; second=other"
                                         : "signer=author";
}

static SealContent *sign(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                         GError **error)
{
    if (is(self, "fault", "fail")) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the fault that was asked for");
        return NULL;
    }
    g_assert_cmpstr(seal_key_fingerprint(sealing->signer), ==, "author");
    g_autofree char *head = g_strdup_printf("Content-Type: application/x-mock; %s; form=%s\n\n",
                                            parameters(self), sealing->opaque ? "opaque" : "clear");
    g_autoptr(SealContent) first = seal_content_new_copy(head, strlen(head));
    return seal_content_join(first, sealing->entity);
}

static SealKey *make_key(const char *address)
{
    const char *const addresses[] = {address, NULL};
    const char *const ids[] = {"author", NULL};
    const SealKeySpec spec = {
        .size = sizeof spec,
        .format = "mock",
        .fingerprint = "author",
        .label = "Carol",
        .addresses = addresses,
        .detected_ids = ids,
        .purposes = SEAL_PURPOSE_SIGN,
    };
    const SealOrigin origin = {sizeof origin, "server", "mock", SEAL_TRUST_MANUAL};

    return seal_key_new(&spec, &origin);
}

static gboolean signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                        GPtrArray *keys, GError **error)
{
    if (is(self, "signers", "error")) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "the agent does not answer");
        return FALSE;
    }
    if (!is(self, "signers", "none"))
        g_ptr_array_add(keys, make_key(is(self, "signers", "stranger") ? "stranger@example.org"
                                                                       : "carol@example.org"));
    return TRUE;
}

/* Whoever is said to have signed has. */
static gboolean verify(SealModule *self, const SealVerifying *verifying, GCancellable *cancellable,
                       GPtrArray *signers, char **why, GError **error)
{
    if (is(self, "verify", "error")) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "the agent does not answer");
        return FALSE;
    }
    if (is(self, "verify", "stranger"))
        g_ptr_array_add(signers, make_key("stranger@example.org"));
    else if (is(self, "verify", "author"))
        g_ptr_array_add(signers, make_key("carol@example.org"));
    else
        *why = g_strdup("the mock has made it up");
    return TRUE;
}

static gboolean apply(SealModule *self, SealJob *job, SealDelivery *delivery,
                      GCancellable *cancellable, GError **error)
{
    static const char *const formats[] = {"mock", NULL};
    g_autoptr(SealKey) signer = NULL;
    g_autofree char *why = NULL;
    gboolean in_doubt;

    if (is(self, "stage", "nothing") || seal_delivery_sign(delivery) == SEAL_NEED_NEVER)
        return TRUE;
    if (!seal_module_find_signer(self, job, formats, cancellable, &signer, &why, &in_doubt, error))
        return FALSE;
    if (signer)
        seal_delivery_set_signer(delivery, signer, seal_module_boolean(self, "opaque"));
    else
        seal_delivery_note(delivery, "%s", why);
    return TRUE;
}

static const SealFormat FORMAT = {
    .size = sizeof FORMAT,
    .name = "mock",
#ifdef MOCK_OPAQUE
    .flags = SEAL_FORMAT_OPAQUE,
#endif
    .read = read_keys,
    .detect = detect,
    .usable = usable,
    .encrypt = encrypt,
    .sign = sign,
    .signers = signers,
    .verify = verify,
};
static const SealFormat *const FORMATS[] = {&FORMAT, NULL};
static const SealStage STAGE = {
    .size = sizeof STAGE, .name = "mocksign", .apply = apply, .flags = SEAL_STAGE_SIGNS};
static const SealStage *const STAGES[] = {&STAGE, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = MOCK_NAME,
    .version = "1",
    .summary = "Signs and lies as it is told",
    .settings = SETTINGS,
    .stages = STAGES,
    .formats = FORMATS,
};
