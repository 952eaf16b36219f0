/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys.c: the keys of those whom mail goes to: that there are some, and how many of them serve.
 * A large store is counted as far as the time reaches.
 */
#include "filters/ctl/check/check.h"

#include <string.h>

enum {
    PATIENCE = 10, /* seconds for all sources */
    MAX_SHOWN = 8, /* sources */
    MAX_NAMED = 3, /* of those that have expired */
    MAX_NAME = 100,
};

#define TOPIC "keys"

/* Of one source, in one place of it. */
typedef struct {
    guint keys;
    guint usable;
    guint expired;
    guint unjudged;
    GString *names; /* of some that have expired */
} Count;

static void count_free(gpointer data)
{
    Count *count = data;

    g_string_free(count->names, TRUE);
    g_free(count);
}

typedef struct {
    CheckRun *run;
    GHashTable *counts; /* name of a source to Count */
    gint64 until;       /* monotonic: the end of judging */
    gint64 now;
} Counting;

static gboolean is_usable(Counting *counting, SealKey *key, GBytes *octets)
{
    SealDispatcher *dispatcher = check_dispatcher(counting->run);
    g_autoptr(SealKey) whole = seal_dispatcher_read_key(dispatcher, key, octets, NULL);
    g_autoptr(SealDecision) decision =
        whole ? seal_dispatcher_judge_key(dispatcher, whole, NULL, NULL) : NULL;

    return decision && seal_decision_verdict(decision) == SEAL_VERDICT_PASS;
}

static void note_expired(Count *count, const SealKey *key)
{
    const char *label = seal_key_label(key) ? seal_key_label(key) : "";
    g_autofree char *name = seal_text_line(label, strlen(label), MAX_NAME);

    if (count->expired < MAX_NAMED)
        g_string_append_printf(count->names, "%s%s", count->expired > 0 ? ", " : "", name);
    else if (count->expired == MAX_NAMED)
        g_string_append(count->names, ", ...");
    count->expired++;
}

static gboolean count_key(SealModule *self G_GNUC_UNUSED, SealKey *key, GBytes *octets,
                          gpointer user_data, GError **error G_GNUC_UNUSED)
{
    Counting *counting = user_data;
    const char *source = seal_key_source(key);
    Count *count = g_hash_table_lookup(counting->counts, source);

    if (!count) {
        count = g_new0(Count, 1);
        count->names = g_string_new(NULL);
        g_hash_table_insert(counting->counts, g_strdup(source), count);
    }
    count->keys++;
    if (seal_key_valid_until(key) <= counting->now)
        note_expired(count, key);
    else if (g_get_monotonic_time() > counting->until)
        count->unjudged++;
    else if (is_usable(counting, key, octets))
        count->usable++;
    return TRUE;
}

static void note_rule(const char *rule G_GNUC_UNUSED, const char *senders G_GNUC_UNUSED,
                      gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
}

/* Some mail, by policy or by a rule. */
static gboolean is_encrypting(const CheckRun *run)
{
    static const char *const needs[] = {"preferred", "required"};
    gboolean any = g_strcmp0(check_setting(run, "policy", "encrypt"), "never") != 0;

    for (guint i = 0; i < G_N_ELEMENTS(needs) && !any; i++)
        check_visit_rules(run, "encrypt", needs[i], note_rule, &any);
    return any;
}

static void put_count(CheckRun *run, const char *source, const Count *count)
{
    g_autofree char *left = count->unjudged > 0
                                ? g_strdup_printf(", and %u were not looked at within %d seconds",
                                                  count->unjudged, PATIENCE)
                                : g_strdup("");

    if (count->usable == 0 && count->unjudged == 0 && is_encrypting(run))
        check_put(run, CHECK_WARNING, TOPIC,
                  "sealctl keys check says what is wrong with each; get new ones of their owners",
                  "%s: %u %s, of which none can be encrypted to now%s%s", source, count->keys,
                  count->keys == 1 ? "key" : "keys", count->expired > 0 ? "; expired: " : "",
                  count->names->str);
    else
        check_put(run, CHECK_OK, TOPIC, NULL,
                  "%s: %u %s, of which %u can be encrypted to; %u expired%s", source, count->keys,
                  count->keys == 1 ? "key" : "keys", count->usable, count->expired, left);
}

/* By name, so that two runs say the same. */
static void put_counts(const Counting *counting)
{
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(counting->counts), (GCompareFunc)strcmp);
    guint shown = 0;

    for (GList *name = names; name && shown < MAX_SHOWN; name = name->next, shown++)
        put_count(counting->run, name->data, g_hash_table_lookup(counting->counts, name->data));
}

/* Mail waits, or is refused, where nobody has a key. */
static void put_empty(CheckRun *run, const SealLooking *looking)
{
    if (!is_encrypting(run) || looking->hidden)
        return;
    check_put(run, CHECK_PROBLEM, TOPIC,
              "put the recipients' certificates and keys into the folder that paths= in [module "
              "keys-file] names, or give them by hand: sealctl keys add FILE",
              "no key source has any key, so that nothing can be encrypted to anybody");
}

void check_keys(CheckRun *run)
{
    g_autoptr(GHashTable) counts =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, count_free);
    g_auto(SealLooking) looking = {.nearby = TRUE};
    const SealKeyFilter filter = {.size = sizeof filter};
    g_autoptr(GError) error = NULL;
    Counting counting = {run, counts, g_get_monotonic_time() + PATIENCE * G_USEC_PER_SEC,
                         g_get_real_time() / G_USEC_PER_SEC};

    if (!seal_dispatcher_list_keys(check_dispatcher(run), &looking, &filter, count_key, &counting,
                                   &error))
        check_put_error(run, TOPIC, "mend that, then run sealctl check again", error);
    put_counts(&counting);
    if (looking.trouble && !check_has_trouble(run, TOPIC))
        check_put(run, CHECK_PROBLEM, TOPIC, "mend that, then run sealctl check again", "%s",
                  looking.trouble);
    if (looking.unlisted)
        check_leave(run, TOPIC, "%s: its keys cannot be counted, since it is asked by address",
                    looking.unlisted);
    else if (g_hash_table_size(counts) == 0 && !looking.trouble && !check_has_problem(run, TOPIC))
        put_empty(run, &looking);
}
