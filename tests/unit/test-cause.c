/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-cause.c: what is told of why there is no key.
 */
#include "core/pipeline/cause.h"
#include "core/plugin/decision.h"

#include <string.h>

/* From the most telling on; those in one line are alike. */
static const char *const ORDER[] = {
    "in-doubt",
    "expired",
    "revoked",
    "not-yet-valid",
    "disabled",
    "chain-expired",
    "weak-chain",
    "untrusted",
    "trust",
    "weak-key",
    "key-usage=ext-key-usage",
    "no-encryption-key=no-signing-key=no-secret-key=purpose",
    "algorithm",
    "of-a-module",
    "user-id=address",
    "flooded",
    "invalid",
    "unavailable",
};

static void test_order(void)
{
    guint last = G_MAXUINT;

    for (guint i = 0; i < G_N_ELEMENTS(ORDER); i++) {
        g_auto(GStrv) alike = g_strsplit(ORDER[i], "=", -1);

        g_assert_cmpuint(seal_cause_rank(alike[0]), <, last);
        last = seal_cause_rank(alike[0]);
        for (guint n = 0; alike[n]; n++)
            g_assert_cmpuint(seal_cause_rank(alike[n]), ==, last);
    }
    g_assert_cmpuint(last, >, seal_cause_rank(NULL));
    g_assert_cmpuint(seal_cause_rank(NULL), ==, 0);
    g_assert_cmpuint(seal_cause_rank("source-trust"), ==, 0);
}

typedef struct {
    const char *step;
    SealVerdict verdict;
    const char *code;
    const char *key;
    const char *text;
} Row;

static GPtrArray *decisions_of(const Row *rows)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)seal_decision_free);

    for (; rows->step; rows++) {
        SealDecision *decision = seal_decision_new(rows->step, "bob@example.org");

        seal_decision_set(decision, rows->verdict, rows->code, "%s", rows->text);
        if (rows->key)
            seal_decision_set_key(decision, rows->key);
        g_ptr_array_add(list, decision);
    }
    return list;
}

#define FINGERPRINT "0123456789abcdef0123456789abcdef"

static void check_find(const Row *rows, guint from, const char *want)
{
    g_autoptr(GPtrArray) decisions = decisions_of(rows);
    g_auto(SealCause) cause = seal_cause_find(decisions, from, "no smime key");

    g_assert_cmpstr(cause.text, ==, want);
    g_assert_cmpuint(cause.rank, ==, seal_cause_rank_of(decisions, from));
}

static void test_find(void)
{
    static const Row none[] = {{NULL, 0, NULL, NULL, NULL}};
    static const Row rows[] = {
        {"key", SEAL_VERDICT_SKIP, "expired", FINGERPRINT, "of another search"},
        {"key", SEAL_VERDICT_SKIP, "key-usage", FINGERPRINT, "is for signatures"},
        {"key", SEAL_VERDICT_PASS, "expired", FINGERPRINT, "no fault"},
        {"result", SEAL_VERDICT_SKIP, "expired", NULL, "of no key"},
        {"key", SEAL_VERDICT_SKIP, "revoked", FINGERPRINT,
         "the key " FINGERPRINT " of bob@example.org was revoked"},
        {"key", SEAL_VERDICT_SKIP, "revoked", FINGERPRINT, "the second one"},
        {NULL, 0, NULL, NULL, NULL},
    };
    static const Row source[] = {
        {"source", SEAL_VERDICT_SKIP, "unavailable", NULL, "key source hkp could not find out"},
        {"source", SEAL_VERDICT_SKIP, "source-trust", NULL, "key source wkd is not asked"},
        {NULL, 0, NULL, NULL, NULL},
    };

    check_find(none, 0, "no smime key");
    check_find(rows, 0, "of another search (key 0123456789abcdef for bob@example.org)");
    check_find(rows, 1, "the key " FINGERPRINT " of bob@example.org was revoked");
    check_find(rows, 5, "the second one (key 0123456789abcdef for bob@example.org)");
    check_find(rows, 6, "no smime key");
    check_find(source, 0, "no smime key: key source hkp could not find out");
    check_find(source, 1, "no smime key");
}

static void check_tell(const char *want, guint first, const char *one, guint second,
                       const char *two)
{
    const SealCause causes[] = {{first, (char *)one}, {second, (char *)two}};
    g_autofree char *text = seal_cause_tell(causes, two ? 2 : 1);

    g_assert_cmpstr(text, ==, want);
}

static void test_tell(void)
{
    const guint expired = seal_cause_rank("expired"), weak = seal_cause_rank("weak-key");
    g_autofree char *long_text = g_strnfill(500, 'x');
    const SealCause one = {expired, long_text};
    const SealCause two[] = {{expired, (char *)"short"}, {weak, long_text}};

    check_tell("a", 0, "a", 0, NULL);
    check_tell("a", expired, "a", 0, NULL);
    /* Nothing beside something says nothing. */
    check_tell("b", 0, "a", expired, "b");
    check_tell("a", weak, "a", 0, "b");
    check_tell("a; b", 0, "a", 0, "b");
    check_tell("b; a", weak, "a", expired, "b");
    check_tell("a; b", expired, "a", expired, "b");
    g_autofree char *cut = seal_cause_tell(&one, 1);
    g_assert_cmpuint(strlen(cut), <=, 303);
    g_autofree char *left = seal_cause_tell(two, 2);
    g_assert_cmpstr(left, ==, "short");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cause/order", test_order);
    g_test_add_func("/cause/find", test_find);
    g_test_add_func("/cause/tell", test_tell);
    return g_test_run();
}
