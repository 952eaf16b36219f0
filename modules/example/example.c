/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * example.c: the smallest useful stage. It refuses recipients in domains that nobody should write
 * to any more, and adds a footer to plain text. Copy it to begin a module of your own.
 */
#include "core/sealpipe.h"

static const SealSetting settings[] = {
    {.key = "closed_domains",
     .type = SEAL_SETTING_LIST,
     .help = "Domains to which no mail may go."},
    {.key = "footer",
     .type = SEAL_SETTING_STRING,
     .help = "A line to add below the text of plain text mail."},
    {.key = NULL},
};

/* Asked about each recipient, before anything is changed. */
static gboolean plan(SealModule *self, SealJob *job G_GNUC_UNUSED, SealRecipient *recipient,
                     SealDecision *decision, GError **error G_GNUC_UNUSED)
{
    const char *domain = seal_address_domain(seal_recipient_address(recipient));

    if (g_strv_contains(seal_module_list(self, "closed_domains"), domain))
        seal_decision_set_plan(decision, SEAL_PLAN_REFUSE, "closed", "%s takes no mail any more",
                               domain);
    else
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "not a closed domain");
    return TRUE;
}

/* Called for each delivery, which may have several recipients. What earlier stages made is what
 * this one sees. Bytes are joined, not rendered. */
static gboolean apply(SealModule *self, SealJob *job G_GNUC_UNUSED, SealDelivery *delivery,
                      GCancellable *cancellable G_GNUC_UNUSED, GError **error)
{
    const char *footer = seal_module_string(self, "footer");
    SealEntity *entity = seal_delivery_entity(delivery, error);

    if (!entity)
        return FALSE;
    if (!footer || !g_str_equal(seal_entity_type(entity), "text/plain") ||
        !g_str_equal(seal_entity_encoding(entity), "7bit"))
        return TRUE;

    g_autofree char *text = g_strconcat("\n-- \n", footer, "\n", NULL);
    g_autoptr(SealContent) end = seal_content_new_copy(text, strlen(text));
    g_autoptr(SealContent) whole = seal_content_join(seal_delivery_content(delivery), end);
    seal_delivery_set_content(delivery, whole);
    return TRUE;
}

static const SealStage stage = {
    .size = sizeof stage,
    .name = "example",
    .plan = plan,
    .apply = apply,
};
static const SealStage *const stages[] = {&stage, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "example",
    .version = "1.0",
    .summary = "Refuses closed domains and adds a footer",
    .settings = settings,
    .stages = stages,
};
