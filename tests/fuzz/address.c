/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * address.c: fuzzes seal_address_parse().
 */
#include "fuzz.h"

#include <string.h>

static void check_again(SealAddress *address)
{
    g_autoptr(SealAddress) again = seal_address_parse(seal_address_text(address), NULL);

    g_assert_nonnull(again);
    g_assert_true(seal_address_equal(address, again));
    g_assert_cmpstr(seal_address_text(address), ==, seal_address_text(again));
    g_assert_cmpstr(seal_address_local(address), ==, seal_address_local(again));
    g_assert_cmpstr(seal_address_domain(address), ==, seal_address_domain(again));
}

static void check_domain(const char *domain)
{
    g_autofree char *lower = g_ascii_strdown(domain, -1);

    g_assert_true(*domain && g_str_is_ascii(domain));
    g_assert_cmpstr(domain, ==, lower);
    g_assert_null(strpbrk(domain, "@ \"'$`\\/|;&<>(){}*?~%!,"));
}

static void check(SealAddress *address)
{
    fuzz_assert_one_line(seal_address_local(address));
    fuzz_assert_one_line(seal_address_text(address));
    fuzz_assert_one_line(seal_address_key(address));
    fuzz_assert_one_line(seal_address_wide_key(address));
    check_domain(seal_address_domain(address));
    check_again(address);
}

static void check_without_detail(SealAddress *address)
{
    g_autoptr(SealAddress) plain = seal_address_without_detail(address);

    if (!plain)
        return;
    check(plain);
    g_assert_null(strchr(seal_address_local(plain), '+'));
    g_assert_cmpstr(seal_address_domain(plain), ==, seal_address_domain(address));
    g_assert_true(g_str_has_prefix(seal_address_local(address), seal_address_local(plain)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(SealAddress) address = seal_address_parse(text, &error);

    if (!address) {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_ADDRESS);
        for (const char *c = error->message; *c; c++)
            g_assert_false(g_ascii_iscntrl(*c));
        return 0;
    }
    g_assert_no_error(error);
    check(address);
    check_without_detail(address);
    return 0;
}
