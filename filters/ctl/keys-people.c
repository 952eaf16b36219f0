/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-people.c: whose keys are whose: addresses with keys of several people, and keys that several
 * people have.
 */
#include "filters/ctl/keys.h"

#include <string.h>

enum {
    MAX_LABELS = 8, /* of one address */
};

/* Whose keys there are for one address. */
typedef struct {
    char *address;
    const char *format; /* interned */
    GPtrArray *labels;  /* of char *, folded */
    GPtrArray *keys;    /* of char *: one with each label, for people */
} Owner;

/* Which certificate has a key, and for whom. */
typedef struct {
    char *fingerprint;
    char *addresses;
    GPtrArray *list; /* of char *: seal_address_key() of each */
} Holder;

struct CtlPeople {
    CtlPeopleTold told;
    gpointer user_data;
    GHashTable *owners;  /* "format address" to Owner */
    GHashTable *holders; /* "format id" to Holder */
};

static void owner_free(gpointer data)
{
    Owner *owner = data;

    g_free(owner->address);
    g_ptr_array_unref(owner->labels);
    g_ptr_array_unref(owner->keys);
    g_free(owner);
}

static void holder_free(gpointer data)
{
    Holder *holder = data;

    g_free(holder->fingerprint);
    g_free(holder->addresses);
    g_ptr_array_unref(holder->list);
    g_free(holder);
}

static void tell(const CtlPeople *people, const char *kind, const char *address, const char *format,
                 const char *fingerprint, const char *text)
{
    const CtlPeopleTrouble trouble = {kind, address, format, fingerprint, text};

    people->told(&trouble, people->user_data);
}

static void tell_shared(const CtlPeople *people, const SealKey *key, const char *text)
{
    g_autofree char *addresses = ctl_key_addresses(key);

    tell(people, "shared", addresses, seal_key_format(key), seal_key_fingerprint(key), text);
}

static void note_owner(CtlPeople *people, const SealKey *key, const char *address)
{
    const char *label = seal_key_label(key) ? seal_key_label(key) : "";
    g_autofree char *folded = seal_text_fold(label);
    char *name = g_strdup_printf("%s %s", seal_key_format(key), address);
    Owner *owner = g_hash_table_lookup(people->owners, name);

    if (!owner) {
        owner = g_new0(Owner, 1);
        owner->address = g_strdup(address);
        owner->format = g_intern_string(seal_key_format(key));
        owner->labels = g_ptr_array_new_with_free_func(g_free);
        owner->keys = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(people->owners, g_strdup(name), owner);
    }
    g_free(name);
    if (owner->labels->len >= MAX_LABELS ||
        g_ptr_array_find_with_equal_func(owner->labels, folded, g_str_equal, NULL))
        return;
    g_ptr_array_add(owner->labels, g_steal_pointer(&folded));
    g_ptr_array_add(owner->keys, g_strdup_printf("%s (%.16s)", label, seal_key_fingerprint(key)));
}

static void note_owners(CtlPeople *people, const SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++)
        note_owner(people, key, seal_address_key(g_ptr_array_index(addresses, i)));
    for (const char *const *bound = seal_key_bound(key); bound && *bound; bound++) {
        g_autoptr(SealAddress) address = **bound == '@' ? NULL : seal_address_parse(*bound, NULL);

        if (address && !seal_key_is_for(key, address))
            note_owner(people, key, *bound);
    }
}

void ctl_people_end(CtlPeople *people)
{
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(people->owners), (GCompareFunc)strcmp);

    for (GList *name = names; name; name = name->next) {
        const Owner *owner = g_hash_table_lookup(people->owners, name->data);

        if (owner->keys->len < 2)
            continue;
        g_ptr_array_add(owner->keys, NULL);
        g_autofree char *all = g_strjoinv("; ", (char **)owner->keys->pdata);
        g_autofree char *text = g_strdup_printf("the address has keys of several people: %s", all);
        tell(people, "ambiguous", owner->address, owner->format, "", text);
    }
}

static void add_once(GPtrArray *list, const char *name)
{
    if (!g_ptr_array_find_with_equal_func(list, name, g_str_equal, NULL))
        g_ptr_array_add(list, g_strdup(name));
}

/* Who has it: whom it names, and whom it was given to. (transfer full, element type char *) */
static GPtrArray *list_owners(const SealKey *key)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++)
        add_once(list, seal_address_key(g_ptr_array_index(addresses, i)));
    for (const char *const *bound = seal_key_bound(key); bound && *bound; bound++) {
        if (**bound != '@')
            add_once(list, *bound);
    }
    return list;
}

static Holder *holder_new(const SealKey *key)
{
    Holder *holder = g_new0(Holder, 1);

    holder->fingerprint = g_strdup(seal_key_fingerprint(key));
    holder->addresses = ctl_key_addresses(key);
    holder->list = list_owners(key);
    return holder;
}

static gboolean have_common(const Holder *holder, const GPtrArray *owners)
{
    for (guint i = 0; i < owners->len; i++) {
        if (g_ptr_array_find_with_equal_func(holder->list, g_ptr_array_index(owners, i),
                                             g_str_equal, NULL))
            return TRUE;
    }
    return FALSE;
}

/* Two certificates of one key have an id in common. */
static void note_holders(CtlPeople *people, const SealKey *key)
{
    const char *const *ids = seal_key_detected_ids(key);
    g_autoptr(GPtrArray) owners = list_owners(key);
    gboolean told = owners->len == 0;

    for (; *ids && !told; ids++) {
        g_autofree char *name = g_strdup_printf("%s %s", seal_key_format(key), *ids);
        const Holder *holder = g_hash_table_lookup(people->holders, name);

        if (!holder) {
            g_hash_table_insert(people->holders, g_steal_pointer(&name), holder_new(key));
            continue;
        }
        if (g_str_equal(holder->fingerprint, seal_key_fingerprint(key)) ||
            have_common(holder, owners))
            continue;
        g_autofree char *text = g_strdup_printf("it is the key of %s, too (%.16s)",
                                                holder->addresses, holder->fingerprint);
        tell_shared(people, key, text);
        told = TRUE;
    }
}

/* Whether it names them, or was given to them. */
static void check_owners(CtlPeople *people, const SealKey *key)
{
    g_autoptr(GPtrArray) owners = list_owners(key);

    if (owners->len > 1)
        tell_shared(people, key, "it is the key of several addresses");
}

void ctl_people_note(CtlPeople *people, const SealKey *key)
{
    check_owners(people, key);
    note_owners(people, key);
    note_holders(people, key);
}

CtlPeople *ctl_people_new(CtlPeopleTold told, gpointer user_data)
{
    CtlPeople *people = g_new0(CtlPeople, 1);

    people->told = told;
    people->user_data = user_data;
    people->owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, owner_free);
    people->holders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, holder_free);
    return people;
}

void ctl_people_free(CtlPeople *people)
{
    if (!people)
        return;
    g_hash_table_unref(people->owners);
    g_hash_table_unref(people->holders);
    g_free(people);
}
