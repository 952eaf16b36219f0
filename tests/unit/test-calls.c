/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-calls.c: modules that fail without a word, that fail and say that they did not, and that
 * leave undone what they were asked for. Core notices each of them, in every table.
 */
#include "core/plugin/calls.h"

/* What the functions below do. */
static enum {
    WELL,
    SILENT,    /* fail, and set no error */
    BOTH,      /* succeed, and set an error */
    UNDECIDED, /* succeed, and decide nothing */
} mood;

static gboolean behave(GError **error)
{
    if (mood == BOTH)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "two words");
    return mood != SILENT;
}

static gboolean stage_plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                           SealDecision *decision, GError **error)
{
    if (mood != UNDECIDED)
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "go on");
    return behave(error);
}

static gboolean stage_apply(SealModule *self, SealJob *job, SealDelivery *delivery,
                            GCancellable *cancellable, GError **error)
{
    return behave(error);
}

static gboolean format_read(SealModule *self, GBytes *data, const SealOrigin *origin,
                            GPtrArray *keys, GError **error)
{
    return behave(error);
}

static gboolean format_detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                              SealDetection *detection, GError **error)
{
    return behave(error);
}

static gboolean format_usable(SealModule *self, SealKey *key, SealAddress *address,
                              SealPurpose purpose, gint64 at, SealDecision *decision,
                              GError **error)
{
    if (mood != UNDECIDED)
        seal_decision_set_usable(decision, SEAL_KEY_USABLE, "usable", "it is");
    return behave(error);
}

static SealContent *format_make(SealModule *self, const SealSealing *sealing,
                                GCancellable *cancellable, GError **error)
{
    return behave(error) ? seal_content_new_copy("x", 1) : NULL;
}

static gboolean format_signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                               GPtrArray *keys, GError **error)
{
    return behave(error);
}

static gboolean source_lookup(SealModule *self, SealAddress *address, const char *format,
                              SealTrust trust, GCancellable *cancellable, GPtrArray *keys,
                              char **doubt, GError **error)
{
    g_assert_cmpint(trust, ==, SEAL_TRUST_DISCOVERED);
    return behave(error);
}

static gboolean source_unbind(SealModule *self, const SealKeyFilter *filter, const char *bound,
                              guint *count, GError **error)
{
    g_assert_cmpstr(bound, ==, "@example.org");
    *count = 3;
    return behave(error);
}

static gboolean check_run(SealModule *self, SealOut *out, GError **error)
{
    return behave(error);
}

static gboolean module_refresh(SealModule *self, gboolean all, gint64 now,
                               GCancellable *cancellable, SealOut *out, gint64 *next,
                               GError **error)
{
    return behave(error);
}

static const SealSetting SETTINGS[] = {
    {"trust", SEAL_SETTING_CHOICE, .range = "unverified|harvested|discovered|verified|manual"},
    {"on_error", SEAL_SETTING_CHOICE, .range = "defer|skip"},
    {NULL},
};

/* -------------------------------------------------------------------------------------------
 * Every call once
 */

typedef struct {
    SealModule module;
    SealStageEntry stage;
    SealFormatEntry format;
    SealSourceEntry source;
    SealCheckEntry check;
    SealJob *job;
    SealRecipient *recipient;
    SealKey *key;
    SealAddress *address;
    GPtrArray *keys;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    static const char *const recipients[] = {"alice@example.org", NULL};
    const SealJobSpec job = {.sender = "", .recipients = recipients};
    const SealKeySpec key = {.size = sizeof key, .format = "called", .label = "Alice's key"};
    const SealOrigin origin = {.size = sizeof origin};

    f->module.settings = seal_settings_new("module test", NULL, SETTINGS, NULL, NULL);
    f->stage =
        (SealStageEntry){&f->module, {.name = "called", .plan = stage_plan, .apply = stage_apply}};
    f->format = (SealFormatEntry){&f->module,
                                  {.name = "called",
                                   .read = format_read,
                                   .detect = format_detect,
                                   .usable = format_usable,
                                   .encrypt = format_make,
                                   .sign = format_make,
                                   .signers = format_signers}};
    f->source = (SealSourceEntry){&f->module,
                                  {.name = "called",
                                   .trust = SEAL_TRUST_DISCOVERED,
                                   .lookup = source_lookup,
                                   .unbind = source_unbind}};
    f->check = (SealCheckEntry){&f->module, {.name = "called", .run = check_run}};
    f->module.descriptor.name = "called";
    f->module.descriptor.refresh = module_refresh;
    f->job = seal_job_new(&job, NULL);
    f->recipient = g_ptr_array_index(seal_job_recipients(f->job), 0);
    f->key = seal_key_new(&key, &origin);
    f->address = seal_address_parse("alice@example.org", NULL);
    f->keys = g_ptr_array_new();
}

static void tear_down(Fixture *f, gconstpointer data)
{
    g_ptr_array_unref(f->keys);
    seal_address_unref(f->address);
    seal_key_unref(f->key);
    seal_job_free(f->job);
    seal_settings_free(f->module.settings);
}

static gboolean call_plan(Fixture *f, GError **error)
{
    g_autoptr(SealDecision) decision = seal_decision_new("called", "");

    return seal_stage_plan(&f->stage, f->job, f->recipient, decision, error);
}

static gboolean call_apply(Fixture *f, GError **error)
{
    return seal_stage_apply(&f->stage, f->job, NULL, NULL, error);
}

static gboolean call_detect(Fixture *f, GError **error)
{
    g_autoptr(SealDetection) detection = seal_format_detect(&f->format, NULL, NULL, error);

    return detection != NULL;
}

static gboolean call_usable(Fixture *f, GError **error)
{
    g_autoptr(SealDecision) decision = seal_decision_new("called", "");

    return seal_format_usable(&f->format, f->key, NULL, SEAL_PURPOSE_ENCRYPT, 0, decision, error);
}

static gboolean call_encrypt(Fixture *f, GError **error)
{
    g_autoptr(SealContent) made = seal_format_encrypt(&f->format, NULL, NULL, error);

    return made != NULL;
}

static gboolean call_sign(Fixture *f, GError **error)
{
    g_autoptr(SealContent) made = seal_format_sign(&f->format, NULL, NULL, error);

    return made != NULL;
}

static gboolean call_signers(Fixture *f, GError **error)
{
    return seal_format_signers(&f->format, f->address, NULL, f->keys, error);
}

static gboolean call_lookup(Fixture *f, GError **error)
{
    g_autofree char *doubt = NULL;

    return seal_source_lookup(&f->source, f->address, "called", NULL, f->keys, &doubt, error);
}

/* What one that fails has counted is nobody's. */
static gboolean call_unbind(Fixture *f, GError **error)
{
    guint count = 0;
    gboolean ok = seal_source_unbind(&f->source, NULL, "@example.org", &count, error);

    g_assert_cmpuint(count, ==, ok ? 3 : 0);
    return ok;
}

static gboolean call_check(Fixture *f, GError **error)
{
    g_autoptr(SealOut) out = seal_out_new();

    return seal_check_run(&f->check, out, error);
}

static gboolean call_refresh(Fixture *f, GError **error)
{
    g_autoptr(SealOut) out = seal_out_new();
    gint64 next = 0;

    return seal_call_refresh(&f->module, FALSE, 0, NULL, out, &next, error);
}

static const struct {
    const char *path;
    gboolean (*call)(Fixture *f, GError **error);
    gboolean decides;
} CALLS[] = {
    {"/calls/stage-plan", call_plan, TRUE},         {"/calls/stage-apply", call_apply, FALSE},
    {"/calls/format-detect", call_detect, FALSE},   {"/calls/format-usable", call_usable, TRUE},
    {"/calls/format-encrypt", call_encrypt, FALSE}, {"/calls/format-sign", call_sign, FALSE},
    {"/calls/format-signers", call_signers, FALSE}, {"/calls/source-lookup", call_lookup, FALSE},
    {"/calls/check-run", call_check, FALSE},        {"/calls/refresh", call_refresh, FALSE},
    {"/calls/source-unbind", call_unbind, FALSE},
};

static void test_call(Fixture *f, gconstpointer data)
{
    const guint i = GPOINTER_TO_UINT(data);
    g_autoptr(GError) silent = NULL, both = NULL, undecided = NULL;

    mood = WELL;
    g_assert_true(CALLS[i].call(f, NULL));
    mood = SILENT;
    g_assert_false(CALLS[i].call(f, &silent));
    g_assert_error(silent, SEAL_ERROR, SEAL_ERROR_FAILED);
    g_assert_cmpstr(silent->message, ==, "called failed and did not say why");
    g_assert_false(CALLS[i].call(f, NULL));
    mood = BOTH;
    g_assert_false(CALLS[i].call(f, &both));
    /* A stage's own words do not say whose they are. */
    g_assert_cmpstr(both->message, ==,
                    g_str_has_prefix(CALLS[i].path, "/calls/stage") ? "stage called: two words"
                                                                    : "two words");
    mood = UNDECIDED;
    g_assert_true(CALLS[i].call(f, &undecided) != CALLS[i].decides);
    if (CALLS[i].decides)
        g_assert_nonnull(strstr(undecided->message, "called did not decide about "));
}

/* -------------------------------------------------------------------------------------------
 * Commands
 */

static int command_status;

static int command_run(SealModule *self, int argc, char **argv, SealOut *out, GError **error)
{
    behave(error);
    return command_status;
}

static int call_command(int status, GError **error)
{
    static const SealCommand command = {.size = sizeof command, .name = "x", .run = command_run};
    g_autoptr(SealOut) out = seal_out_new();

    command_status = status;
    return seal_command_run(&command, NULL, 0, NULL, out, error);
}

static void test_command(void)
{
    g_autoptr(GError) wrong = NULL, both = NULL;

    mood = WELL;
    g_assert_cmpint(call_command(0, NULL), ==, 0);
    /* The answer itself tells. */
    g_assert_cmpint(call_command(1, NULL), ==, 1);
    g_assert_cmpint(call_command(2, &wrong), ==, 2);
    g_assert_cmpstr(wrong->message, ==, "the command line is wrong");
    mood = BOTH;
    g_assert_cmpint(call_command(0, &both), ==, 1);
    g_assert_cmpstr(both->message, ==, "two words");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(CALLS); i++)
        g_test_add(CALLS[i].path, Fixture, GUINT_TO_POINTER(i), set_up, test_call, tear_down);
    g_test_add_func("/calls/command-run", test_command);
    return g_test_run();
}
