/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-out.c: what a command answers: values, rows, and what a check has found.
 */
#include "core/frontend.h"

static void test_findings(void)
{
    g_autoptr(SealOut) out = seal_out_new();
    GPtrArray *findings = seal_out_findings(out);

    g_assert_cmpuint(findings->len, ==, 0);
    seal_out_row(out, "checks");
    seal_out_finding(out, SEAL_FINDING_WARNING, "signing", "renew it", "%s: 30 days", "alice");
    seal_out_text(out, "check", "one");
    seal_out_end_row(out);
    g_assert_true(seal_out_claim_findings(out, 0, "one"));
    seal_out_finding(out, SEAL_FINDING_OK, NULL, NULL, "fine");
    g_assert_true(seal_out_claim_findings(out, 1, "two"));
    seal_out_finding(out, SEAL_FINDING_PROBLEM, NULL, "mend it", "\xff");
    g_assert_false(seal_out_claim_findings(out, 1, "two"));
    g_assert_true(seal_out_claim_findings(out, 3, "none"));

    g_assert_cmpuint(findings->len, ==, 3);
    const SealFinding *first = g_ptr_array_index(findings, 0);
    g_assert_cmpstr(first->check, ==, "one");
    g_assert_cmpstr(first->topic, ==, "signing");
    g_assert_cmpstr(first->remedy, ==, "renew it");
    g_assert_cmpstr(first->text, ==, "alice: 30 days");
    g_assert_cmpint(first->state, ==, SEAL_FINDING_WARNING);
    const SealFinding *second = g_ptr_array_index(findings, 1);
    g_assert_cmpstr(second->check, ==, "two");
    g_assert_cmpstr(second->topic, ==, "modules");
    g_assert_cmpstr(second->remedy, ==, "");
    const SealFinding *third = g_ptr_array_index(findings, 2);
    g_assert_true(g_utf8_validate(third->text, -1, NULL));
}

/* They stand in nobody's way: the row that is open goes on. */
static void test_rows(void)
{
    g_autoptr(SealOut) out = seal_out_new();
    const char *check = NULL;
    gboolean ready = FALSE;

    seal_out_row(out, "checks");
    seal_out_text(out, "check", "one");
    seal_out_finding(out, SEAL_FINDING_OK, NULL, NULL, "fine");
    seal_out_boolean(out, "ready", TRUE);
    seal_out_end_row(out);
    g_autoptr(GVariant) answer = seal_out_finish(out);
    g_assert_cmpuint(g_variant_n_children(answer), ==, 1);
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, "checks", G_VARIANT_TYPE("aa{sv}"));
    g_assert_cmpuint(g_variant_n_children(rows), ==, 1);
    g_autoptr(GVariant) row = g_variant_get_child_value(rows, 0);
    g_assert_true(g_variant_lookup(row, "check", "&s", &check));
    g_assert_true(g_variant_lookup(row, "ready", "b", &ready));
    g_assert_cmpstr(check, ==, "one");
    g_assert_true(ready);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/out/findings", test_findings);
    g_test_add_func("/out/rows", test_rows);
    return g_test_run();
}
