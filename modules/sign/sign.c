/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sign.c: chooses who signs: the author, with a key that is here, where the sender is known to be
 * one of ours. How is the Format's business.
 */
#include "proof.h"

/* The words of `signature`, in their order. */
enum {
    SIGNATURE_DETACHED,
    SIGNATURE_OPAQUE,
};

static gboolean is_opaque(SealModule *self)
{
    return seal_module_choice(self, "signature") == SIGNATURE_OPAQUE;
}

static gboolean sign_init(SealModule *self, GError **error)
{
    if (is_opaque(self) && g_str_equal(seal_module_string(self, "format"), "pgp"))
        return seal_module_refuse(
            self, "signature", error,
            "opaque is not possible with format=pgp: signatures of OpenPGP are detached");

    SignProof *proof = sign_proof_new(self, error);
    seal_module_set_data(self, proof);
    return proof != NULL;
}

static void sign_fini(SealModule *self)
{
    sign_proof_free(seal_module_data(self));
}

/* -------------------------------------------------------------------------------------------
 * The signer
 */

/* A forged From must not be signed. *@may: it may be signed, or nobody can tell yet. */
static gboolean may_sign(SealModule *self, SealJob *job, gboolean *may, char **why, GError **error)
{
    SealProof proof = SEAL_PROOF_NONE;

    if (!seal_module_prove_author(self, job, &proof, why, error))
        return FALSE;
    *may = proof != SEAL_PROOF_NONE;
    return TRUE;
}

/* Formats to sign in where nothing is encrypted: what `format` says, or those of the policy. */
static GPtrArray *clear_formats(SealModule *self, const SealRecipient *recipient)
{
    const char *format = seal_module_string(self, "format");
    const char *const *formats = seal_recipient_formats(recipient);
    GPtrArray *list = g_ptr_array_new();

    if (!g_str_equal(format, "auto"))
        g_ptr_array_add(list, (gpointer)format);
    else
        for (; *formats; formats++)
            g_ptr_array_add(list, (gpointer)*formats);
    return list;
}

/* Formats in which it may come to be signed, whether it is encrypted or not. */
static GPtrArray *every_format(SealModule *self, const SealRecipient *recipient)
{
    GPtrArray *list = clear_formats(self, recipient);

    for (const char *const *name = seal_recipient_formats(recipient); *name; name++) {
        if (!g_ptr_array_find_with_equal_func(list, *name, g_str_equal, NULL))
            g_ptr_array_add(list, (gpointer)*name);
    }
    return list;
}

/* The first of @formats with a key of the author's. *@signer is NULL where none has one; @why says
 * so. Ends @formats with NULL. */
static gboolean find_signer(SealModule *self, SealJob *job, GPtrArray *formats,
                            GCancellable *cancellable, SealKey **signer, char **why,
                            gboolean *in_doubt, GError **error)
{
    gboolean may = FALSE;

    if (formats->len == 0) {
        *why = g_strdup("no format of the policy is enabled");
        return TRUE;
    }
    if (!may_sign(self, job, &may, why, error))
        return FALSE;
    g_ptr_array_add(formats, NULL);
    return !may || seal_module_find_signer(self, job, (const char *const *)formats->pdata,
                                           cancellable, signer, why, in_doubt, error);
}

/* -------------------------------------------------------------------------------------------
 * The stage
 */

static gboolean fail_unsigned(gboolean in_doubt, const char *why, GError **error)
{
    g_set_error(error, SEAL_ERROR, in_doubt ? SEAL_ERROR_UNAVAILABLE : SEAL_ERROR_REFUSED,
                "cannot be signed: %s", why);
    return FALSE;
}

/* What must be signed and cannot be, whatever the format, is refused before anything is done. */
static gboolean sign_plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                          SealDecision *decision, GError **error)
{
    g_autoptr(SealKey) signer = NULL;
    g_autofree char *why = NULL;
    gboolean in_doubt = FALSE;

    if (!seal_job_has_header(job) || seal_recipient_sign(recipient) != SEAL_NEED_REQUIRED) {
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "no signature is required");
        return TRUE;
    }

    g_autoptr(GPtrArray) formats = every_format(self, recipient);
    if (!find_signer(self, job, formats, NULL, &signer, &why, &in_doubt, error))
        return FALSE;
    if (!signer && in_doubt)
        return fail_unsigned(in_doubt, why, error);
    if (signer)
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "signer", "the author has a key here");
    else
        seal_decision_set_plan(decision, SEAL_PLAN_REFUSE, "no-signer", "cannot be signed: %s",
                               why);
    return TRUE;
}

static gboolean leave_unsigned(SealDelivery *delivery, const char *why, gboolean in_doubt,
                               GError **error)
{
    if (seal_delivery_sign(delivery) != SEAL_NEED_REQUIRED) {
        seal_delivery_note(delivery, "not signed: %s", why);
        return TRUE;
    }
    return fail_unsigned(in_doubt, why, error);
}

static gboolean sign_apply(SealModule *self, SealJob *job, SealDelivery *delivery,
                           GCancellable *cancellable, GError **error)
{
    const char *format = seal_delivery_format(delivery);
    g_autoptr(GPtrArray) formats = NULL;
    g_autoptr(SealKey) signer = NULL;
    g_autofree char *why = NULL;
    gboolean in_doubt = FALSE;

    if (seal_delivery_sign(delivery) == SEAL_NEED_NEVER)
        return TRUE;
    if (format) {
        /* The signature is read by those who read the encryption. */
        formats = g_ptr_array_new();
        g_ptr_array_add(formats, (gpointer)format);
    } else {
        formats = clear_formats(self, g_ptr_array_index(seal_delivery_recipients(delivery), 0));
    }
    if (!find_signer(self, job, formats, cancellable, &signer, &why, &in_doubt, error))
        return FALSE;
    if (!signer)
        return leave_unsigned(delivery, why, in_doubt, error);
    seal_delivery_set_signer(delivery, signer, is_opaque(self));
    return TRUE;
}

static const SealSetting settings[] = {
    {.key = "format",
     .type = SEAL_SETTING_CHOICE,
     .preset = "auto",
     .range = "auto|smime|pgp",
     .help = "How mail is signed that is not encrypted; auto: the first of the policy's formats in "
             "which the author has a key"},
    {.key = "signature",
     .type = SEAL_SETTING_CHOICE,
     .preset = "detached",
     .range = "detached|opaque",
     .help = "Whether an S/MIME signature stands beside what it signs or encloses it; OpenPGP's is "
             "always detached"},
    {.key = "senders",
     .type = SEAL_SETTING_PATH,
     .help = "Which authors a login may sign as: a file with lines `login: address, @domain`"},
    {.key = "submission_domains",
     .type = SEAL_SETTING_LIST,
     .preset = "",
     .help = "Domains, or addresses, that submission without a login may sign as"},
    {.key = "trust_from",
     .type = SEAL_SETTING_BOOLEAN,
     .preset = "false",
     .help = "true: From is believed without proof of submission; only for a server that sees "
             "nothing but its own users' mail"},
    {.key = NULL},
};

static const SealStage stage = {
    .size = sizeof stage,
    .name = "sign",
    .plan = sign_plan,
    .apply = sign_apply,
    .prove = sign_prove,
    .flags = SEAL_STAGE_SIGNS,
};

static const SealStage *const stages[] = {&stage, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "sign",
    .version = "0.1.0",
    .summary = "Has mail signed with its author's key",
    .settings = settings,
    .init = sign_init,
    .fini = sign_fini,
    .stages = stages,
    .checks = sign_checks,
};
