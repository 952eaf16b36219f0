/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * proof.c: whether the author of a message is he who submitted it. From is what anybody writes;
 * what the mail server says of who logged in is compared with it here, not there.
 */
#include "core/pipeline/job.h"
#include "core/plugin/calls.h"

/* One mailbox, whatever subaddress it was written with. */
static gboolean is_same_mailbox(const SealAddress *a, const SealAddress *b)
{
    g_autoptr(SealAddress) plain_a = seal_address_without_detail(a);
    g_autoptr(SealAddress) plain_b = seal_address_without_detail(b);

    return seal_address_equal(plain_a ? plain_a : a, plain_b ? plain_b : b);
}

gboolean seal_job_author_is_sender(const SealJob *job)
{
    return job->vouched_sender && job->sender && job->author &&
           is_same_mailbox(job->sender, job->author);
}

static char *unsubmitted_text(const SealJob *job)
{
    if (job->unproven)
        return g_strdup(job->unproven);
    return g_strdup("nobody said that the sender may use this server (--submission=yes)");
}

/* Where no stage knows more of it than the mail server said. */
static SealProof prove_by_sender(const SealJob *job, char **why)
{
    if (seal_job_author_is_sender(job))
        return SEAL_PROOF_AUTHOR;
    *why = g_strdup_printf("nobody said that the sender may write as %s",
                           seal_address_text(job->author));
    return SEAL_PROOF_NONE;
}

static gboolean prove(const SealModule *self, SealJob *job, SealProof *proof, char **why,
                      GError **error)
{
    const SealStageEntry *stage = seal_registry_prover(self->registry);

    if (stage)
        return seal_stage_prove(stage, job, proof, why, error);
    *proof = prove_by_sender(job, why);
    return TRUE;
}

static gboolean is_author_of(const SealAddress *author, const char *item)
{
    g_autoptr(SealAddress) address = NULL;

    if (*item == '@')
        return g_ascii_strcasecmp(seal_address_domain(author), item + 1) == 0;
    address = seal_address_parse(item, NULL);
    return address && is_same_mailbox(author, address);
}

/* Whoever handed the message in may be believed for some authors only. */
static gboolean may_be_author(const SealJob *job)
{
    for (guint i = 0; job->authors && job->authors[i]; i++) {
        if (is_author_of(job->author, job->authors[i]))
            return TRUE;
    }
    return !job->authors;
}

gboolean seal_module_prove_author(SealModule *self, SealJob *job, SealProof *proof, char **why,
                                  GError **error)
{
    g_autofree char *text = NULL;
    SealProof found = SEAL_PROOF_NONE;

    if (!job->author) {
        found = seal_job_has_header(job) ? SEAL_PROOF_NONE : SEAL_PROOF_UNDECIDED;
        text = seal_job_no_author_reason(job);
    } else if (!may_be_author(job)) {
        text = g_strdup_printf("who handed it in is not believed on %s ([daemon] submission_peers)",
                               seal_address_text(job->author));
    } else if (!prove(self, job, &found, &text, error)) {
        return FALSE;
    } else if (found == SEAL_PROOF_NONE && !job->submitted) {
        found = job->submission_unknown ? SEAL_PROOF_UNDECIDED : SEAL_PROOF_NONE;
        g_free(text);
        text = unsubmitted_text(job);
    }
    *proof = found;
    *why = found == SEAL_PROOF_NONE ? g_steal_pointer(&text) : NULL;
    return TRUE;
}
