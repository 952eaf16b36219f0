/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-address.c: what is an address, and which two are one.
 */
#include "core/sealpipe.h"

#include <string.h>

static void test_accepted(void)
{
    static const struct {
        const char *in;
        const char *local;
        const char *domain;
        const char *text;
    } rows[] = {
        {"alice@example.org", "alice", "example.org", "alice@example.org"},
        {"Alice@Example.ORG", "Alice", "example.org", "Alice@example.org"},
        {"a..b@docomo.example", "a..b", "docomo.example", "a..b@docomo.example"},
        {"-oops@x", "-oops", "x", "-oops@x"},
        {"\"john.doe\"@x.org", "john.doe", "x.org", "john.doe@x.org"},
        {"\"sp ace'q;$(id)\"@x", "sp ace'q;$(id)", "x", "\"sp ace'q;$(id)\"@x"},
        {"\"a@b\"@x.org", "a@b", "x.org", "\"a@b\"@x.org"},
        {"\"q\\\"uote\"@x.org", "q\"uote", "x.org", "\"q\\\"uote\"@x.org"},
        {"jürgen@example.org", "jürgen", "example.org", "jürgen@example.org"},
        {"a@bücher.example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example"},
        {"a@straße.example", "a", "xn--strae-oqa.example", "a@xn--strae-oqa.example"},
        {"a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]"},
        {"a@[IPv6:2001:db8::1]", "a", "[ipv6:2001:db8::1]", "a@[ipv6:2001:db8::1]"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(SealAddress) address = seal_address_parse(rows[i].in, &error);

        g_assert_no_error(error);
        g_assert_cmpstr(seal_address_local(address), ==, rows[i].local);
        g_assert_cmpstr(seal_address_domain(address), ==, rows[i].domain);
        g_assert_cmpstr(seal_address_text(address), ==, rows[i].text);
    }
}

static void test_refused(void)
{
    static const char *const rows[] = {
        "",
        "alice",
        "@example.org",
        "alice@",
        "alice@example.org\n",
        "alice@example.org>",
        "al ice@example.org",
        "alice@exa mple.org",
        "a@b@c",
        "a@-x.org",
        "a@x-.org",
        "a@x..org",
        "a@.org",
        "a@x.org.",
        "\"a@x.org",
        "\"\"@x.org",
        "\"a\nb\"@x.org",
        "a\x01@x.org",
        "a\u202e@x.org",
        "a@[",
        "a@[]",
        "a@[x y]",
        "\xff\xfe@x.org",
        "a@"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        ".org",
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(seal_address_parse(rows[i], &error));
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_ADDRESS);
        g_assert_null(strchr(error->message, '\n'));
    }
}

static void test_too_long(void)
{
    g_autofree char *local = g_strnfill(300, 'a');
    g_autofree char *text = g_strconcat(local, "@x.org", NULL);

    g_assert_null(seal_address_parse(text, NULL));
}

static gboolean same(const char *a, const char *b)
{
    g_autoptr(SealAddress) one = seal_address_parse(a, NULL);
    g_autoptr(SealAddress) two = seal_address_parse(b, NULL);

    g_assert_true(one && two);
    return seal_address_equal(one, two);
}

static void test_equal(void)
{
    g_assert_true(same("Alice@Example.org", "alice@example.ORG"));
    g_assert_true(same("\"alice\"@example.org", "alice@example.org"));
    g_assert_true(same("a@BÜCHER.example", "a@xn--bcher-kva.example"));
    g_assert_false(same("alice@example.org", "alice@example.com"));
    g_assert_false(same("alice+x@example.org", "alice@example.org"));
    g_assert_false(same("a@straße.example", "a@strasse.example"));
}

/* What Unicode folds or composes together are two mailboxes, which anybody could take for one. */
static void test_alike(void)
{
    static const char *const rows[][2] = {
        {"JÜRGEN@example.org", "jürgen@example.org"},
        {"straße@example.org", "strasse@example.org"},
        {"\u017fales@example.org", "sales@example.org"},
        {"\ufb01nance@example.org", "finance@example.org"},
        {"\u212aurt@example.org", "kurt@example.org"},
        {"jos\u00e9@example.org", "jose\u0301@example.org"},
        {"JOS\u00c9@example.org", "jose\u0301@example.org"},
        {"\uff41lice@example.org", "alice@example.org"},
        {"\u03a3@example.org", "\u03c2@example.org"},
        {"Alice@example.org", "aLICE@example.org"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealAddress) one = seal_address_parse(rows[i][0], NULL);
        g_autoptr(SealAddress) two = seal_address_parse(rows[i][1], NULL);

        g_assert_cmpint(seal_address_equal(one, two), ==, i == G_N_ELEMENTS(rows) - 1);
        g_assert_cmpstr(seal_address_wide_key(one), ==, seal_address_wide_key(two));
    }
}

static void test_detail(void)
{
    g_autoptr(SealAddress) with = seal_address_parse("alice+news@example.org", NULL);
    g_autoptr(SealAddress) without = seal_address_parse("alice@example.org", NULL);
    g_autoptr(SealAddress) odd = seal_address_parse("+news@example.org", NULL);
    g_autoptr(SealAddress) bare = seal_address_without_detail(with);

    g_assert_true(seal_address_equal(bare, without));
    g_assert_null(seal_address_without_detail(without));
    g_assert_null(seal_address_without_detail(odd));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/address/accepted", test_accepted);
    g_test_add_func("/address/refused", test_refused);
    g_test_add_func("/address/too-long", test_too_long);
    g_test_add_func("/address/equal", test_equal);
    g_test_add_func("/address/alike", test_alike);
    g_test_add_func("/address/detail", test_detail);
    return g_test_run();
}
