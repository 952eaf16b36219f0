/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key.c: what a key is made of, for those who read it and for those who have it judged.
 */
#include "key.h"

#include <string.h>

PgpJudgement *pgp_judgement_new(void)
{
    PgpJudgement *judgement = g_new0(PgpJudgement, 1);

    judgement->references = 1;
    judgement->subkeys = g_array_new(FALSE, FALSE, sizeof(PgpJudgedSubkey));
    judgement->addresses = g_ptr_array_new_with_free_func(g_free);
    return judgement;
}

PgpJudgement *pgp_judgement_ref(PgpJudgement *judgement)
{
    judgement->references++;
    return judgement;
}

void pgp_judgement_unref(PgpJudgement *judgement)
{
    if (!judgement || --judgement->references > 0)
        return;
    g_array_unref(judgement->subkeys);
    g_ptr_array_unref(judgement->addresses);
    if (judgement->own_free)
        judgement->own_free(judgement->own);
    g_free(judgement);
}

PgpKey *pgp_key_new(void)
{
    PgpKey *key = g_new0(PgpKey, 1);

    key->octets = g_byte_array_new();
    key->subkeys = g_array_new(FALSE, FALSE, sizeof(PgpSubkey));
    key->addresses = g_ptr_array_new_with_free_func(g_free);
    key->bound_until = g_array_new(FALSE, FALSE, sizeof(gint64));
    key->valid_until = G_MAXINT64;
    return key;
}

void pgp_key_free(PgpKey *key)
{
    if (!key)
        return;
    g_byte_array_unref(key->octets);
    g_array_unref(key->subkeys);
    g_ptr_array_unref(key->addresses);
    g_array_unref(key->bound_until);
    g_free(key->label);
    pgp_judgement_unref(key->judgement);
    g_free(key->digest);
    g_free(key);
}

const char *pgp_key_digest(PgpKey *key)
{
    if (!key->digest)
        key->digest =
            g_compute_checksum_for_data(G_CHECKSUM_SHA256, key->octets->data, key->octets->len);
    return key->digest;
}

const PgpSubkey *pgp_key_primary(const PgpKey *key)
{
    return &g_array_index(key->subkeys, PgpSubkey, 0);
}

char *pgp_user_id_address(const char *text)
{
    const char *open = strrchr(text, '<');
    const char *close = open ? strchr(open, '>') : NULL;
    g_autofree char *inner = NULL;

    if (open && close && close[1] == '\0')
        inner = g_strndup(open + 1, (gsize)(close - open - 1));
    else if (!open && !strpbrk(text, " \t"))
        inner = g_strdup(text);
    if (!inner || !strchr(inner, '@'))
        return NULL;
    g_autoptr(SealAddress) address = seal_address_parse(inner, NULL);
    return address ? g_steal_pointer(&inner) : NULL;
}
