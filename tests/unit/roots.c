/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * roots.c: a library that lists roots by PKCS#11 as NSS's does, from the folder that TEST_ROOTS
 * names: NAME.der is a certificate, which is trusted for mail where NAME.m is there, and whose
 * distrust attribute is what NAME.a has.
 */
#include <glib.h>
#include <string.h>

typedef unsigned long Number;

typedef struct {
    Number type;
    void *value;
    Number length;
} Attribute;

typedef void (*Call)(void);

typedef struct {
    char *der;
    gsize length;
    char *after;
    gsize after_length;
    gboolean mail;
    guint8 digest[20];
} Root;

static GPtrArray *roots;
static Number wanted, next;

__attribute__((visibility("default"))) Number C_GetFunctionList(void *list);

static Number start(void *arguments)
{
    g_autoptr(GDir) dir = g_dir_open(g_getenv("TEST_ROOTS"), 0, NULL);

    if (!dir)
        return 5;
    roots = g_ptr_array_new();
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(g_getenv("TEST_ROOTS"), name, NULL);
        if (!g_str_has_suffix(path, ".der"))
            continue;
        Root *root = g_new0(Root, 1);
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
        gsize length = sizeof root->digest;

        g_assert_true(g_file_get_contents(path, &root->der, &root->length, NULL));
        g_checksum_update(sum, (const guint8 *)root->der, (gssize)root->length);
        g_checksum_get_digest(sum, root->digest, &length);
        strcpy(strrchr(path, '.'), ".m");
        root->mail = g_file_test(path, G_FILE_TEST_EXISTS);
        strcpy(strrchr(path, '.'), ".a");
        if (!g_file_get_contents(path, &root->after, &root->after_length, NULL))
            root->after = NULL;
        g_ptr_array_add(roots, root);
    }
    return 0;
}

static Number nothing(void)
{
    return 0;
}

static Number list_slots(guint8 with_token, Number *slots, Number *count)
{
    slots[0] = 7;
    *count = 1;
    return 0;
}

static Number open_session(Number slot, Number flags, void *data, Call notify, Number *session)
{
    *session = 9;
    return slot == 7 && flags == 4 ? 0 : 5;
}

static Number find(Number session, const Attribute *attributes, Number count)
{
    next = 0;
    wanted = *(const Number *)attributes[0].value;
    return session == 9 && count == 1 && attributes[0].type == 0 ? 0 : 5;
}

/* One at a time; the two kinds of objects have the same numbers. */
static Number find_more(Number session, Number *objects, Number most, Number *count)
{
    *count = next < roots->len;
    objects[0] = next++;
    return 0;
}

static Number give(Attribute *attribute, const void *data, gsize length)
{
    if (!data) {
        attribute->length = (Number)-1;
        return 0x12;
    }
    if (attribute->length < length) {
        attribute->length = (Number)-1;
        return 0x150;
    }
    memcpy(attribute->value, data, length);
    attribute->length = length;
    return 0;
}

static Number get(Number session, Number object, Attribute *attribute, Number count)
{
    const Root *root = g_ptr_array_index(roots, object);
    const Number trust = root->mail ? 0xce534352UL : 0xce534353UL;

    if (wanted == 0xce534353UL && attribute->type == 0xce53635bUL)
        return give(attribute, &trust, sizeof trust);
    if (wanted == 0xce534353UL && attribute->type == 0xce5363b4UL)
        return give(attribute, root->digest, sizeof root->digest);
    if (wanted == 1 && attribute->type == 0x11)
        return give(attribute, root->der, root->length);
    if (wanted == 1 && attribute->type == 0xce534374UL)
        return give(attribute, root->after, root->after_length);
    return give(attribute, NULL, 0);
}

static struct {
    guint8 version[2];
    Call calls[29];
} functions;

Number C_GetFunctionList(void *list)
{
    Call *calls = functions.calls;

    for (guint i = 0; i < G_N_ELEMENTS(functions.calls); i++)
        calls[i] = (Call)nothing;
    calls[0] = (Call)start;
    calls[4] = (Call)list_slots;
    calls[12] = (Call)open_session;
    calls[24] = (Call)get;
    calls[26] = (Call)find;
    calls[27] = (Call)find_more;
    *(void **)list = &functions;
    return 0;
}
