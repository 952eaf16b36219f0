/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-ldap-filter.c: what an address becomes in a filter.
 */
#include "modules/keys-ldap/keys-ldap.h"

#include <stdio.h>
#include <string.h>

static char *fill(const char *template, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealAddress) address = seal_address_parse(text, &error);

    g_assert_no_error(error);
    return ldap_template_fill(template, address);
}

static void test_fill(void)
{
    static const struct {
        const char *template, *address, *want;
    } rows[] = {
        {"(mail=%a)", "Alice@Example.ORG", "(mail=Alice@example.org)"},
        {"(|(uid=%l)(x=100%%)(o=%d))", "a-b_c.d@example.org",
         "(|(uid=a-b_c.d)(x=100%)(o=example.org))"},
        {"(mail=%a)", "*@example.org", "(mail=\\2a@example.org)"},
        {"(mail=%a)", "a+b@example.org", "(mail=a\\2bb@example.org)"},
        {"(mail=%a)", "\"*)(mail=*\"@example.org",
         "(mail=\\22\\2a\\29\\28mail\\3d\\2a\\22@example.org)"},
        {"(uid=%l)", "\"*)(mail=*\"@example.org", "(uid=\\2a\\29\\28mail\\3d\\2a)"},
        {"(uid=%l)", "\"\\\\2a\"@example.org", "(uid=\\5c2a)"},
        {"(mail=%a)", "%a%d@example.org", "(mail=\\25a\\25d@example.org)"},
        {"(uid=%l)", "ü@example.org", "(uid=\\c3\\bc)"},
        {"(mail=%a)", "u@straße.example", "(mail=u@xn--strae-oqa.example)"},
        {"(a=*%a*)", "u@example.org", "(a=*u@example.org*)"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = fill(rows[i].template, rows[i].address);

        g_assert_cmpstr(got, ==, rows[i].want);
    }
}

/* Every character that may stand in a local part is itself again, and none of a filter's is left.
 */
static void test_octets(void)
{
    for (int c = 0x20; c < 0x7f; c++) {
        const char quoted[] = {'"', 'x', '\\', (char)c, '"', '@', 'd', '.', 'e', '\0'};
        g_autofree char *got = fill("%l", quoted);
        guint value;

        g_assert_cmpint(got[0], ==, 'x');
        g_assert_null(strpbrk(got + 2, "()*\\"));
        if (got[1] == '\\') {
            g_assert_cmpint(sscanf(got + 2, "%2x", &value), ==, 1);
            g_assert_cmpuint(value, ==, (guint)c);
        } else {
            g_assert_cmpint(got[1], ==, c);
            g_assert_null(strchr("()*\\", c));
        }
    }
}

static void test_check(void)
{
    static const char *const good[] = {"(mail=%a)", "(&(uid=%l)(o=%d))", "(|(a=%%)(b=%a))",
                                       "(x=\\28%a)"};
    static const char *const bad[] = {"",          "mail=%a", "(mail=%a",     "(mail=%a))",
                                      "(mail=*)",  "(o=%d)",  "(mail=%a)(b)", "(mail=%x)",
                                      "(mail=%a%", "(a=%%a)"};
    const char *why = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(ldap_template_check(good[i], &why));
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_test_message("%s", bad[i]);
        g_assert_false(ldap_template_check(bad[i], &why));
        g_assert_nonnull(why);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ldap-filter/fill", test_fill);
    g_test_add_func("/ldap-filter/octets", test_octets);
    g_test_add_func("/ldap-filter/check", test_check);
    return g_test_run();
}
