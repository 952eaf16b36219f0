/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-keys-store-bound.c: whom the store's keys are given to, and that this is taken back.
 */
#include "test-store-box.h"

static guint unbind_in(Box *box, const SealSource *source, const SealKeyFilter *filter,
                       const char *bound)
{
    g_autoptr(GError) error = NULL;
    guint count = 99;

    g_assert_true(source->unbind(box->module, filter, bound, &count, &error));
    g_assert_no_error(error);
    return count;
}

static guint unbind(Box *box, const SealKeyFilter *filter, const char *bound)
{
    return unbind_in(box, box->source, filter, bound);
}

static guint64 changes(Box *box)
{
    g_autoptr(SealAddress) address = seal_address_parse("a@b.example", NULL);

    return box->source->changes(box->module, address, "smime");
}

static gint64 count_bound(Box *box)
{
    return box_ask_sql(box, "SELECT count(*) FROM names WHERE kind = 'bound'");
}

static void test_none(void)
{
    g_auto(Box) box = {0};
    const SealKeyFilter all = {.size = sizeof all};

    box_start(&box);
    g_assert_cmpuint(unbind(&box, &all, "@example.net"), ==, 0);
    g_assert_false(g_file_test(box.path, G_FILE_TEST_EXISTS));
}

static void test_one(void)
{
    g_auto(Box) box = {0};
    SealKeyFilter filter = {.size = sizeof filter, .format = "smime"};

    box_start(&box);
    g_autoptr(SealKey) alice =
        box_person(&box, "alice@example.org", SEAL_TRUST_MANUAL, "ops@example.org");
    box_put_into(&box, box.source, alice);
    box_put(&box, box_person(&box, "bob@example.org", SEAL_TRUST_MANUAL, "ops@example.org"));
    filter.fingerprint = seal_key_fingerprint(alice);

    /* What it names itself, and what it was not given to. */
    guint64 before = changes(&box);
    g_assert_cmpuint(unbind(&box, &filter, "alice@example.org"), ==, 0);
    g_assert_cmpuint(unbind(&box, &filter, "@example.org"), ==, 0);
    g_assert_cmpuint(changes(&box), ==, before);
    g_assert_cmpuint(box_count(&box, "ops@example.org"), ==, 2);

    g_assert_cmpuint(unbind(&box, &filter, "ops@example.org"), ==, 1);
    g_assert_cmpuint(changes(&box), >, before);
    g_assert_cmpuint(box_count(&box, "ops@example.org"), ==, 1);
    g_autoptr(GPtrArray) keys = box_find(&box, "alice@example.org");
    g_assert_cmpuint(keys->len, ==, 1);
    g_assert_null(*seal_key_bound(g_ptr_array_index(keys, 0)));
    g_assert_cmpuint(unbind(&box, &filter, "ops@example.org"), ==, 0);
}

static void test_sources(void)
{
    g_auto(Box) box = {0};
    const SealKeyFilter all = {.size = sizeof all};
    g_autoptr(GError) error = NULL;
    guint count = 99;

    box_start(&box);
    for (guint i = 0; i < 2; i++) {
        g_autoptr(SealKey) key =
            box_person(&box, "alice@example.org", SEAL_TRUST_MANUAL, "@.example.net");

        box_put_into(&box, box.source, key);
        box_put_into(&box, box.harvested, key);
    }
    g_assert_cmpuint(unbind(&box, &all, "@.example.net"), ==, 2);
    g_assert_cmpint(count_bound(&box), ==, 2);
    g_assert_cmpuint(unbind_in(&box, box.harvested, &all, "@.example.net"), ==, 2);
    g_assert_cmpint(count_bound(&box), ==, 0);

    /* Of all at once, or of one. */
    g_autoptr(SealKey) bob = box_person(&box, "bob@example.org", SEAL_TRUST_MANUAL, "@example.net");
    box_put_into(&box, box.source, bob);
    box_put_into(&box, box.harvested, bob);
    g_assert_true(seal_dispatcher_unbind_keys(box.smime.dispatcher, "harvested", &all,
                                              "@example.net", &count, &error));
    g_assert_cmpuint(count, ==, 1);
    box_put_into(&box, box.harvested, bob);
    g_assert_true(seal_dispatcher_unbind_keys(box.smime.dispatcher, NULL, &all, "@example.net",
                                              &count, &error));
    g_assert_cmpuint(count, ==, 2);
    g_assert_false(seal_dispatcher_unbind_keys(box.smime.dispatcher, "nowhere", &all,
                                               "@example.net", &count, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_cmpint(box_ask_sql(&box, "SELECT count(*) FROM keys"), ==, 6);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keys-store-bound/none", test_none);
    g_test_add_func("/keys-store-bound/one", test_one);
    g_test_add_func("/keys-store-bound/sources", test_sources);
    return g_test_run();
}
