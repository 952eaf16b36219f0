/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sevenbit.c: fuzzes what makes an entity fit for a signature in clear.
 */
#include "fuzz.h"

#include "core/mail/entity.h"
#include "core/mail/message.h"
#include "core/mail/sevenbit.h"
#include "core/mail/transfer.h"

#include <string.h>

enum { MAX_ENTITIES = 300 };

static SealContent *mend(SealContent *entity)
{
    g_autoptr(SealContent) ready = NULL;
    g_autofree char *why = NULL;
    g_autoptr(GError) error = NULL;

    if (!seal_sevenbit(entity, g_get_tmp_dir(), 1024, &ready, &why, &error)) {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
        return NULL;
    }
    g_assert_no_error(error);
    g_assert_true(ready || why);
    return why ? NULL : g_steal_pointer(&ready);
}

/* The same parts of the same types, in the same places. */
static void compare(SealEntity *before, SealEntity *after, guint *seen)
{
    GPtrArray *parts = NULL, *others = NULL;

    g_assert_cmpstr(seal_entity_type(before), ==, seal_entity_type(after));
    if (++*seen > MAX_ENTITIES || !g_str_has_prefix(seal_entity_type(before), "multipart/") ||
        !seal_entity_parts(before, &parts, NULL))
        return;
    g_assert_true(seal_entity_parts(after, &others, NULL));
    g_assert_cmpuint(parts->len, ==, others->len);
    for (guint i = 0; i < parts->len; i++)
        compare(g_ptr_array_index(parts, i), g_ptr_array_index(others, i), seen);
}

static SealEntity *view_of(SealContent *content)
{
    SealHeader *header = seal_header_read(content, FALSE, NULL);

    return header ? seal_entity_new(content, header, 0) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(SealContent) whole = fuzz_content(data, size);
    g_autoptr(SealContent) cut = fuzz_content_cut(data, size);
    g_autoptr(SealContent) ready = mend(whole);
    g_autoptr(SealContent) other = mend(cut);
    SealScan scan;
    guint seen = 0;

    g_assert_true((ready != NULL) == (other != NULL));
    if (!ready)
        return 0;
    fuzz_assert_same(ready, other);
    g_assert_true(seal_transfer_scan(ready, &scan, NULL));
    g_assert_cmpuint(scan.trouble & SEAL_TROUBLE_HARD, ==, 0);
    g_assert_false(scan.any_cr);

    g_autoptr(SealEntity) before = view_of(whole);
    g_autoptr(SealEntity) after = view_of(ready);
    if (before && after)
        compare(before, after, &seen);
    g_autoptr(SealContent) again = mend(ready);
    if (again)
        fuzz_assert_same(ready, again);
    return 0;
}
