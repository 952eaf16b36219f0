/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * faulty.c: a module that lies and fails as it is told, to see whether core notices.
 */
#include "core/sealpipe.h"

#include <string.h>

static const SealSetting SETTINGS[] = {
    {"fault", SEAL_SETTING_STRING, "none", .help = "What to do wrong in apply."},
    {"plan", SEAL_SETTING_STRING, "pass", .help = "What to say in plan."},
    {"on_unable", SEAL_SETTING_STRING, "policy", .help = "What is to follow where plan is unable."},
    {"lookup", SEAL_SETTING_STRING, "nothing", .help = "What to do in lookup."},
    {"file", SEAL_SETTING_PATH, .help = "What to put in the message's place; keys for lookup."},
    {"better", SEAL_SETTING_PATH, .help = "Keys for lookup, with the trust that is asked for."},
    {NULL},
};

static gboolean is(SealModule *self, const char *key, const char *value)
{
    return g_str_equal(seal_module_string(self, key), value);
}

static void set_text(SealDelivery *delivery, const char *text, gsize length)
{
    g_autoptr(SealContent) content = seal_content_new_copy(text, length);

    seal_delivery_set_content(delivery, content);
}

static void replace(SealModule *self, SealDelivery *delivery)
{
    g_autofree char *text = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(seal_module_string(self, "file"), &text, &length, NULL));
    set_text(delivery, text, length);
}

/* Puts @before ahead of the message, or @after behind it, or @between header and body. */
static void surround(SealDelivery *delivery, const char *before, const char *between,
                     const char *after)
{
    g_autoptr(GBytes) bytes =
        seal_content_to_bytes(seal_delivery_content(delivery), G_MAXINT32, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    const char *body = g_strstr_len(data, (gssize)size, "\n\n") + 2;
    g_autoptr(GString) text = g_string_new(before);

    g_string_append_len(text, data, body - data);
    g_string_append(text, between);
    g_string_append_len(text, body, (gssize)(size - (gsize)(body - data)));
    g_string_append(text, after);
    set_text(delivery, text->str, text->len);
}

static void wrap_in_multipart(SealDelivery *delivery)
{
    g_autoptr(GBytes) bytes =
        seal_content_to_bytes(seal_delivery_content(delivery), G_MAXINT32, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    const char *fields = g_strstr_len(data, (gssize)size, "Content-Type");
    g_autoptr(GString) text = g_string_new_len(data, fields - data);

    g_string_append(text, "Content-Type: multipart/mixed; boundary=b\n\n--b\n");
    g_string_append_len(text, fields, (gssize)(size - (gsize)(fields - data)));
    g_string_append(text, "\n--b\n\nthe secret words\n--b--\n");
    set_text(delivery, text->str, text->len);
}

static gboolean apply(SealModule *self, SealJob *job, SealDelivery *delivery,
                      GCancellable *cancellable, GError **error)
{
    if (is(self, "fault", "file"))
        replace(self, delivery);
    else if (is(self, "fault", "empty"))
        set_text(delivery, "", 0);
    else if (is(self, "fault", "append"))
        surround(delivery, NULL, "", "the secret words\n");
    else if (is(self, "fault", "prepend"))
        surround(delivery, NULL, "the secret words\n", "");
    else if (is(self, "fault", "field"))
        surround(delivery, "X-Body: the secret words\n", "", "");
    else if (is(self, "fault", "content-field"))
        surround(delivery, "Content-Body: the secret words\n", "", "");
    else if (is(self, "fault", "bcc"))
        surround(delivery, "Bcc: hidden@example.org\n", "", "");
    else if (is(self, "fault", "twice"))
        surround(delivery, "Content-Disposition: inline\n", "", "");
    else if (is(self, "fault", "version"))
        surround(delivery, "MIME-Version: 1.0\n", "", "");
    else if (is(self, "fault", "multipart"))
        wrap_in_multipart(delivery);
    else if (is(self, "fault", "fail"))
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the fault that was asked for");
    return !is(self, "fault", "fail") && !is(self, "fault", "silent");
}

static void unable(SealModule *self, SealRecipient *recipient, SealDecision *decision)
{
    seal_decision_set_plan(decision, SEAL_PLAN_UNABLE, "unable", "the licence has lapsed");
    if (!is(self, "on_unable", "policy"))
        seal_recipient_set_fallback(recipient, is(self, "on_unable", "allow") ? SEAL_FALLBACK_ALLOW
                                               : is(self, "on_unable", "report")
                                                   ? SEAL_FALLBACK_REPORT
                                                   : SEAL_FALLBACK_REFUSE);
}

static gboolean plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                     SealDecision *decision, GError **error)
{
    if (is(self, "plan", "fail")) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the plan that was asked for");
        return FALSE;
    }
    if (is(self, "plan", "silent"))
        return FALSE;
    if (is(self, "plan", "pass"))
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "go on");
    else if (is(self, "plan", "unable"))
        unable(self, recipient, decision);
    else if (is(self, "plan", "refuse"))
        seal_decision_set_plan(decision, SEAL_PLAN_REFUSE, "refuse", "not this one");
    else if (is(self, "plan", "sealed"))
        seal_decision_set_plan(decision, (SealPlanVerdict)99, "sealed", "believe me");
    return TRUE;
}

static gboolean read_file(SealModule *self, const char *setting, SealTrust trust, GPtrArray *keys,
                          GError **error)
{
    const SealOrigin origin = {sizeof origin, "faulty", "file", trust};
    g_autofree char *text = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(seal_module_string(self, setting), &text, &length, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, length);
    return seal_module_read_keys(self, NULL, bytes, &origin, keys, error);
}

static gboolean lookup(SealModule *self, SealAddress *address, const char *format, SealTrust trust,
                       GCancellable *cancellable, GPtrArray *keys, char **doubt, GError **error)
{
    if (is(self, "lookup", "nothing"))
        return TRUE;
    if (is(self, "lookup", "silent"))
        return FALSE;
    if (is(self, "lookup", "error")) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "the directory does not answer");
        return FALSE;
    }
    /* Keys, whoever they are for. */
    return read_file(self, "file", is(self, "lookup", "weak") ? SEAL_TRUST_UNVERIFIED : trust, keys,
                     error) &&
           (!seal_module_string(self, "better") || read_file(self, "better", trust, keys, error));
}

static const SealStage STAGE = {sizeof STAGE, "faulty", plan, apply};
static const SealStage *const STAGES[] = {&STAGE, NULL};
static const SealSource SOURCE = {sizeof SOURCE, "faulty", SEAL_TRUST_VERIFIED, FALSE, lookup};
static const SealSource *const SOURCES[] = {&SOURCE, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    SEAL_MODULE_HEAD,     .name = "faulty",
    .version = "1",       .summary = "Lies and fails as it is told",
    .settings = SETTINGS, .stages = STAGES,
    .sources = SOURCES,
};
