/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-check.c: `sealctl keys check`: what somebody should look at; and `refresh`.
 */
#include "filters/ctl/keys.h"

enum {
    MAX_ROWS = 1000, /* the others are counted */
    WINDOW_S = 30 * 86400,
};

typedef struct {
    SealDispatcher *dispatcher;
    SealOut *out;
    gint64 now;
    gint64 soon;
    guint checked;
    guint problems;
    CtlPeople *people;
} Checking;

static void G_GNUC_PRINTF(6, 7)
    put_problem(Checking *checking, const char *kind, const char *address, const char *format,
                const char *fingerprint, const char *text, ...)
{
    va_list args;

    if (++checking->problems > MAX_ROWS)
        return;
    va_start(args, text);
    g_autofree char *said = g_strdup_vprintf(text, args);
    va_end(args);
    seal_out_row(checking->out, "problems");
    seal_out_text(checking->out, "problem", "%s", kind);
    seal_out_text(checking->out, "address", "%s", address);
    seal_out_text(checking->out, "format", "%s", format);
    seal_out_text(checking->out, "fingerprint", "%s", fingerprint);
    seal_out_text(checking->out, "text", "%s", said);
    seal_out_end_row(checking->out);
}

static void put_key(Checking *checking, const SealKey *key, const char *kind, const char *text)
{
    g_autofree char *addresses = ctl_key_addresses(key);

    put_problem(checking, kind, addresses, seal_key_format(key), seal_key_fingerprint(key), "%s",
                text);
}

/* -------------------------------------------------------------------------------------------
 * Whether it could be used
 */

/* What is only for signing, or for issuing, is as it should be. */
static gboolean is_to_encrypt(const SealKey *key)
{
    return seal_key_purposes(key) & SEAL_PURPOSE_ENCRYPT ||
           !(seal_key_purposes(key) & (SEAL_PURPOSE_SIGN | SEAL_PURPOSE_ISSUE));
}

static void check_use(Checking *checking, SealKey *key, GBytes *octets)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(SealKey) whole =
        seal_dispatcher_read_key(checking->dispatcher, key, octets, &problem);
    g_autoptr(SealDecision) decision =
        whole ? seal_dispatcher_judge_key(checking->dispatcher, whole, NULL, &problem) : NULL;

    if (!decision)
        put_key(checking, key, "unreadable", problem->message);
    else if (seal_decision_verdict(decision) != SEAL_VERDICT_PASS)
        put_key(checking, key, seal_decision_code(decision), seal_decision_text(decision));
}

static void check_time(Checking *checking, SealKey *key, GBytes *octets)
{
    gint64 until = seal_key_valid_until(key);
    g_autofree char *day = seal_text_day(until);
    g_autofree char *text =
        g_strdup_printf(until <= checking->now ? "it expired on %s" : "it expires on %s", day);

    if (until <= checking->now)
        put_key(checking, key, "expired", text);
    else if (is_to_encrypt(key))
        check_use(checking, key, octets);
    if (until > checking->now && until <= checking->soon)
        put_key(checking, key, "expiring", text);
}

static void put_people(const CtlPeopleTrouble *trouble, gpointer user_data)
{
    put_problem(user_data, trouble->kind, trouble->address, trouble->format, trouble->fingerprint,
                "%s", trouble->text);
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

static gboolean check_key(SealModule *self G_GNUC_UNUSED, SealKey *key, GBytes *octets,
                          gpointer user_data, GError **error G_GNUC_UNUSED)
{
    Checking *checking = user_data;

    checking->checked++;
    check_time(checking, key, octets);
    ctl_people_note(checking->people, key);
    return TRUE;
}

static gboolean check_pending(Checking *checking, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!seal_dispatcher_has_book(checking->dispatcher))
        return TRUE;
    if (!seal_dispatcher_read_book(checking->dispatcher, NULL, SEAL_STANDING_PENDING, keys, error))
        return FALSE;
    for (guint i = 0; i < keys->len; i++) {
        const SealKey *key = g_ptr_array_index(keys, i);
        const char *const *bound = seal_key_bound(key);

        put_problem(checking, "pending", bound && *bound ? *bound : "", seal_key_format(key),
                    seal_key_fingerprint(key),
                    "it waits for leave to take another one's place: sealctl keys approve, or "
                    "reject");
    }
    return TRUE;
}

static int check_all(Checking *checking, GError **error)
{
    const SealKeyFilter filter = {.size = sizeof filter};
    g_auto(SealLooking) looking = {0};

    seal_out_list(checking->out, "problems");
    if (!seal_dispatcher_list_keys(checking->dispatcher, &looking, &filter, check_key, checking,
                                   error) ||
        !check_pending(checking, error))
        return CTL_PROBLEM;
    ctl_people_end(checking->people);
    seal_out_number(checking->out, "checked", checking->checked);
    seal_out_number(checking->out, "found", checking->problems);
    if (looking.unlisted)
        seal_out_text(checking->out, "not_checked", "%s", looking.unlisted);
    return ctl_looking_check(&looking, error) && checking->problems == 0 ? CTL_OK : CTL_PROBLEM;
}

int ctl_keys_check(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC, window = WINDOW_S;
    g_autofree char *expiring = NULL;
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"expiring", 0, 0, G_OPTION_ARG_STRING, &expiring, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, 0, &words, error) ||
        (expiring && !ctl_time_read(expiring, &window, error)))
        return CTL_USAGE;
    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;

    Checking checking = {
        .dispatcher = opened.dispatcher, .out = out, .now = now, .soon = now + window};
    g_autoptr(CtlPeople) people = ctl_people_new(put_people, &checking);
    checking.people = people;
    return check_all(&checking, error);
}

/* -------------------------------------------------------------------------------------------
 * Refresh
 */

int ctl_keys_refresh(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    gboolean all = FALSE;
    char **words = NULL;
    gint64 next = G_MAXINT64;
    const GOptionEntry entries[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, 0, &words, error))
        return CTL_USAGE;
    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;
    return seal_dispatcher_refresh(opened.dispatcher, all, out, &next, error) ? CTL_OK
                                                                              : CTL_PROBLEM;
}
