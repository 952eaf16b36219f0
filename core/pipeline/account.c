/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * account.c: what became of a message, summed by domain: the ledger has no mailboxes.
 */
#include "core/pipeline/account.h"

#include "core/base/ledger.h"
#include "core/base/log.h"

#include <string.h>

/* With many recipients each is compared with the last few: what is alike is mostly together. */
enum { BACK = 32 };

static gboolean is_alike(const SealLedgerEntry *one, const SealLedgerEntry *other)
{
    return g_str_equal(one->domain, other->domain) && g_str_equal(one->result, other->result) &&
           g_str_equal(one->format, other->format) && g_str_equal(one->rule, other->rule) &&
           g_str_equal(one->code, other->code);
}

static void add_entry(GArray *entries, const SealLedgerEntry *entry)
{
    for (guint i = entries->len; i > 0 && i + BACK > entries->len; i--) {
        SealLedgerEntry *other = &g_array_index(entries, SealLedgerEntry, i - 1);

        if (is_alike(other, entry)) {
            other->count += entry->count;
            return;
        }
    }
    g_array_append_vals(entries, entry, 1);
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static const char *domain_of(const SealAddress *address)
{
    return address ? seal_address_domain(address) : "";
}

/* -------------------------------------------------------------------------------------------
 * Of a job
 */

const char *seal_account_format(const SealRecipient *recipient)
{
    gboolean used =
        recipient->result == SEAL_VERDICT_SEALED || recipient->result == SEAL_VERDICT_SIGNED;

    return used && recipient->key ? seal_key_format(recipient->key) : "";
}

static gboolean is_no(SealVerdict result)
{
    return result != SEAL_VERDICT_SEALED && result != SEAL_VERDICT_SIGNED &&
           result != SEAL_VERDICT_PLAIN && result != SEAL_VERDICT_REPORT;
}

/* Of what leaves, why it is to leave so: the gate was the last to look at all of it. */
const char *seal_account_code(const SealRecipient *recipient)
{
    if (recipient->chosen && !is_no(recipient->result))
        return recipient->chosen;
    return text_of(recipient->settled ? seal_decision_code(recipient->settled) : NULL);
}

void seal_account_job(const SealJob *job, gboolean asked)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(SealLedgerEntry));

    for (guint i = 0; i < job->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        const SealLedgerEntry entry = {
            .by = seal_log_by(),
            .domain = domain_of(recipient->address),
            .result = seal_verdict_name(recipient->result),
            .format = seal_account_format(recipient),
            .rule = text_of(seal_recipient_rule(recipient)),
            .code = seal_account_code(recipient),
            .sender = domain_of(job->sender),
            .count = 1,
        };

        if (!asked || is_no(recipient->result))
            add_entry(entries, &entry);
    }
    seal_ledger_write(entries);
}

/* -------------------------------------------------------------------------------------------
 * Without one
 */

/* What is no address has no domain. (transfer full) */
static SealAddress *read_address(const char *text)
{
    return text && *text && !g_str_equal(text, "<>") ? seal_address_parse(text, NULL) : NULL;
}

void seal_account_texts(const char *sender, const char *const *recipients, SealVerdict result,
                        const char *code)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(SealLedgerEntry));
    g_autoptr(GPtrArray) kept = g_ptr_array_new_with_free_func((GDestroyNotify)seal_address_unref);
    g_autoptr(SealAddress) from = read_address(sender);

    for (; recipients && *recipients; recipients++) {
        SealAddress *address = read_address(*recipients);
        const SealLedgerEntry entry = {
            .by = seal_log_by(),
            .domain = domain_of(address),
            .result = seal_verdict_name(result),
            .format = "",
            .rule = "",
            .code = code,
            .sender = domain_of(from),
            .count = 1,
        };

        if (address)
            g_ptr_array_add(kept, address);
        add_entry(entries, &entry);
    }
    seal_ledger_write(entries);
}
