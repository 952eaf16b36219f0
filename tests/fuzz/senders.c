/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * senders.c: fuzzes the table of logins: what stands in front of it changes nothing of what is
 * behind, and who is not in it is nobody.
 */
#include "fuzz.h"

#include "modules/sign/senders.h"

#include <string.h>

#define ANOTHER "fuzz-another: another@example.org, @example.net\n"

static Senders *parse_with(const char *before, const uint8_t *data, size_t size, GError **error)
{
    g_autoptr(GString) text = g_string_new(before);

    g_string_append_len(text, (const char *)data, (gssize)size);
    return senders_parse(text->str, text->len, error);
}

static void check_another(const Senders *senders)
{
    const Authors *authors = senders_find(senders, "fuzz-another");
    g_autoptr(SealAddress) one = seal_address_parse("another+x@example.org", NULL);
    g_autoptr(SealAddress) two = seal_address_parse("x@example.net", NULL);

    g_assert_nonnull(authors);
    g_assert_true(authors_have(authors, one) && authors_have(authors, two));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Senders) senders = parse_with("", data, size, &error);

    if (!senders) {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
        g_assert_true(g_str_has_prefix(error->message, "line "));
        return 0;
    }
    g_assert_no_error(error);
    g_assert_null(senders_find(senders, ""));
    /* It goes on in no line of its own, since it begins with a login or says nothing. */
    g_autoptr(Senders) behind = parse_with(ANOTHER "# and\n\n", data, size, NULL);
    if (senders_find(senders, "fuzz-another")) {
        g_assert_null(behind);
        return 0;
    }
    g_assert_nonnull(behind);
    g_assert_cmpuint(senders_count(behind), ==, senders_count(senders) + 1);
    check_another(behind);
    return 0;
}
