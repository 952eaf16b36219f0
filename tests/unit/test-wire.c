/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-wire.c: records between a worker and its keeper.
 */
#include "core/plugin/wire.h"

#include <string.h>

static void test_round_trip(void)
{
    g_autoptr(GByteArray) record = g_byte_array_new();
    const guint8 *octets;
    guint32 number;
    gsize length;

    seal_wire_put_number(record, 0x01020304);
    seal_wire_put_octets(record, "abc", 3);
    seal_wire_put_octets(record, NULL, 0);
    g_assert_cmpmem(record->data, record->len, "\4\3\2\1\3\0\0\0abc\0\0\0\0", 15);

    SealWire wire = {record->data, record->data + record->len};
    g_assert_true(seal_wire_number(&wire, &number));
    g_assert_cmphex(number, ==, 0x01020304);
    g_assert_true(seal_wire_octets(&wire, &octets, &length));
    g_assert_cmpmem(octets, length, "abc", 3);
    g_assert_false(seal_wire_ended(&wire));
    g_assert_true(seal_wire_octets(&wire, &octets, &length));
    g_assert_cmpuint(length, ==, 0);
    g_assert_true(seal_wire_ended(&wire));
}

/* A copy of exactly its octets, so that a sanitizer sees what is read behind them. */
static gboolean reads_octets(const char *bytes, gsize size)
{
    g_autofree guint8 *copy = g_memdup2(bytes, size);
    SealWire wire = {copy, copy + size};
    const guint8 *octets;
    gsize length;

    return seal_wire_octets(&wire, &octets, &length);
}

static void test_ends_before(void)
{
    for (gsize size = 0; size < 7; size++)
        g_assert_false(reads_octets("\3\0\0\0abc", size));
    g_assert_true(reads_octets("\3\0\0\0abc", 7));
    g_assert_false(reads_octets("\4\0\0\0abc", 7));
    g_assert_false(reads_octets("\377\377\377\377abc", 7));
    g_assert_false(reads_octets("\0\0\0\200abc", 7));
}

static void test_hash_lengths(void)
{
    g_assert_cmpuint(seal_hash_length(SEAL_HASH_SHA256), ==, 32);
    g_assert_cmpuint(seal_hash_length(SEAL_HASH_SHA384), ==, 48);
    g_assert_cmpuint(seal_hash_length(SEAL_HASH_SHA512), ==, 64);
    g_assert_cmpuint(seal_hash_length(0), ==, 0);
    g_assert_cmpuint(seal_hash_length(SEAL_HASH_SHA512 + 1), ==, 0);
    g_assert_cmpuint(seal_hash_length((SealHash)G_MAXUINT32), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/round-trip", test_round_trip);
    g_test_add_func("/wire/ends-before", test_ends_before);
    g_test_add_func("/wire/hash-lengths", test_hash_lengths);
    return g_test_run();
}
