/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * proof.c: who may write as whom, by the settings. A login counts by the table alone; submission
 * without one by submission_domains; and where neither is set, the sender whom the mail server
 * vouches for is his own login.
 */
#include "proof.h"

void sign_proof_free(SignProof *setup)
{
    if (!setup)
        return;
    senders_free(setup->senders);
    authors_free(setup->submission);
    g_free(setup);
}

static gboolean read_senders(SealModule *self, SignProof *setup, GError **error)
{
    const char *path = seal_module_string(self, "senders");
    g_autoptr(GError) problem = NULL;

    if (!path)
        return TRUE;
    setup->senders = senders_read(path, &problem);
    return setup->senders || seal_module_refuse(self, "senders", error, "%s", problem->message);
}

/* `example.org` and `@example.org` mean the same, and an address means itself. */
static gboolean read_submission(SealModule *self, SignProof *setup, GError **error)
{
    const char *const *words = seal_module_list(self, "submission_domains");

    setup->submission = authors_new();
    for (; *words; words++) {
        g_autofree char *domain = strchr(*words, '@') ? NULL : g_strconcat("@", *words, NULL);
        g_autoptr(GError) problem = NULL;

        if (!authors_add(setup->submission, domain ? domain : *words, &problem))
            return seal_module_refuse(self, "submission_domains", error,
                                      "a domain or an address was expected: %s", problem->message);
    }
    return TRUE;
}

SignProof *sign_proof_new(SealModule *self, GError **error)
{
    g_autoptr(SignProof) setup = g_new0(SignProof, 1);

    setup->trust_from = seal_module_boolean(self, "trust_from");
    if (!read_senders(self, setup, error) || !read_submission(self, setup, error))
        return NULL;
    return g_steal_pointer(&setup);
}

/* -------------------------------------------------------------------------------------------
 * Proof
 */

static SealProof prove_by_login(const SignProof *setup, const char *login,
                                const SealAddress *author, char **why)
{
    const Authors *authors = setup->senders ? senders_find(setup->senders, login) : NULL;
    g_autofree char *name = seal_text_line(login, strlen(login), 128);

    if (authors && authors_have(authors, author))
        return SEAL_PROOF_AUTHOR;
    *why = g_strdup_printf("login %s may not sign as %s: %s", name, seal_address_text(author),
                           authors          ? "senders= does not have it among his authors"
                           : setup->senders ? "senders= does not have this login"
                                            : "senders= is not set");
    return SEAL_PROOF_NONE;
}

static gboolean is_bare(const SignProof *setup)
{
    return !setup->senders && !authors_has_any(setup->submission);
}

static SealProof prove_by_submission(const SignProof *setup, const SealJob *job,
                                     const SealAddress *author, char **why)
{
    if (authors_have(setup->submission, author) ||
        (is_bare(setup) && seal_job_author_is_sender(job)))
        return SEAL_PROOF_AUTHOR;
    *why = g_strdup_printf(
        "submission without a login may not sign as %s: submission_domains= does "
        "not have it%s",
        seal_address_text(author), is_bare(setup) ? ", and the sender is another" : "");
    return SEAL_PROOF_NONE;
}

gboolean sign_prove(SealModule *self, SealJob *job, SealProof *proof, char **why,
                    G_GNUC_UNUSED GError **error)
{
    const SignProof *setup = seal_module_data(self);
    const SealAddress *author = seal_job_author(job);
    const char *login = seal_job_login(job);

    *proof = SEAL_PROOF_NONE;
    if (setup->trust_from)
        *proof = SEAL_PROOF_AUTHOR;
    else if (!seal_job_submitted(job))
        *why = g_strdup("it was not submitted by somebody who may use this server");
    else if (login)
        *proof = prove_by_login(setup, login, author, why);
    else
        *proof = prove_by_submission(setup, job, author, why);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What `sealctl status` says
 */

static const char *without_login(SealModule *self, const SignProof *setup)
{
    static const char *const NOTHING = "nothing: submission_domains is empty";

    if (setup->trust_from)
        return "as every author, submitted or not: trust_from=true";
    if (authors_has_any(setup->submission))
        return "as the authors of submission_domains";
    return seal_module_string(self, "senders")
               ? NOTHING
               : "as the sender whom the mail server names with -f, where it names no logins";
}

static gboolean sign_check(SealModule *self, SealOut *out, G_GNUC_UNUSED GError **error)
{
    const SignProof *setup = seal_module_data(self);

    seal_out_text(out, "submission_without_login_signs", "%s", without_login(self, setup));
    seal_out_number(out, "logins", setup->senders ? senders_count(setup->senders) : 0);
    return TRUE;
}

static const SealCheck the_check = {.size = sizeof the_check, .name = "sign", .run = sign_check};
const SealCheck *const sign_checks[] = {&the_check, NULL};
