/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-check.c: `sealctl keys check`: what somebody should look at; and `refresh`.
 */
#include "filters/ctl/keys.h"

#include <string.h>

enum {
    MAX_ROWS = 1000, /* the others are counted */
    WINDOW_S = 30 * 86400,
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

typedef struct {
    SealDispatcher *dispatcher;
    SealOut *out;
    gint64 now;
    gint64 soon;
    guint checked;
    guint problems;
    GHashTable *owners;  /* "format address" to Owner */
    GHashTable *holders; /* "format id" to Holder */
} Checking;

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

static void G_GNUC_PRINTF(6, 7)
    put_problem(Checking *checking, const char *kind, const char *address, const char *format,
                const char *fingerprint, const char *text, ...)
{
    va_list args;

    if (++checking->problems > MAX_ROWS)
        return;
    va_start(args, text);
    g_autofree char *said = g_strdup_vprintf(text, args);
    va_end(args);
    seal_out_row(checking->out, "problems");
    seal_out_text(checking->out, "problem", "%s", kind);
    seal_out_text(checking->out, "address", "%s", address);
    seal_out_text(checking->out, "format", "%s", format);
    seal_out_text(checking->out, "fingerprint", "%s", fingerprint);
    seal_out_text(checking->out, "text", "%s", said);
    seal_out_end_row(checking->out);
}

static void put_key(Checking *checking, const SealKey *key, const char *kind, const char *text)
{
    g_autofree char *addresses = ctl_key_addresses(key);

    put_problem(checking, kind, addresses, seal_key_format(key), seal_key_fingerprint(key), "%s",
                text);
}

/* -------------------------------------------------------------------------------------------
 * Whether it could be used
 */

/* What is only for signing, or for issuing, is as it should be. */
static gboolean is_to_encrypt(const SealKey *key)
{
    return seal_key_purposes(key) & SEAL_PURPOSE_ENCRYPT ||
           !(seal_key_purposes(key) & (SEAL_PURPOSE_SIGN | SEAL_PURPOSE_ISSUE));
}

static void check_use(Checking *checking, SealKey *key, GBytes *octets)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(SealKey) whole =
        seal_dispatcher_read_key(checking->dispatcher, key, octets, &problem);
    g_autoptr(SealDecision) decision =
        whole ? seal_dispatcher_judge_key(checking->dispatcher, whole, NULL, &problem) : NULL;

    if (!decision)
        put_key(checking, key, "unreadable", problem->message);
    else if (seal_decision_verdict(decision) != SEAL_VERDICT_PASS)
        put_key(checking, key, seal_decision_code(decision), seal_decision_text(decision));
}

static void check_time(Checking *checking, SealKey *key, GBytes *octets)
{
    gint64 until = seal_key_valid_until(key);
    g_autofree char *day = seal_text_day(until);
    g_autofree char *text =
        g_strdup_printf(until <= checking->now ? "it expired on %s" : "it expires on %s", day);

    if (until <= checking->now)
        put_key(checking, key, "expired", text);
    else if (is_to_encrypt(key))
        check_use(checking, key, octets);
    if (until > checking->now && until <= checking->soon)
        put_key(checking, key, "expiring", text);
}

/* -------------------------------------------------------------------------------------------
 * Who it is
 */

static void note_owner(Checking *checking, const SealKey *key, const char *address)
{
    const char *label = seal_key_label(key) ? seal_key_label(key) : "";
    g_autofree char *folded = seal_text_fold(label);
    char *name = g_strdup_printf("%s %s", seal_key_format(key), address);
    Owner *owner = g_hash_table_lookup(checking->owners, name);

    if (!owner) {
        owner = g_new0(Owner, 1);
        owner->address = g_strdup(address);
        owner->format = g_intern_string(seal_key_format(key));
        owner->labels = g_ptr_array_new_with_free_func(g_free);
        owner->keys = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(checking->owners, g_strdup(name), owner);
    }
    g_free(name);
    if (owner->labels->len >= MAX_LABELS ||
        g_ptr_array_find_with_equal_func(owner->labels, folded, g_str_equal, NULL))
        return;
    g_ptr_array_add(owner->labels, g_steal_pointer(&folded));
    g_ptr_array_add(owner->keys, g_strdup_printf("%s (%.16s)", label, seal_key_fingerprint(key)));
}

static void note_owners(Checking *checking, const SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++)
        note_owner(checking, key, seal_address_key(g_ptr_array_index(addresses, i)));
    for (const char *const *bound = seal_key_bound(key); bound && *bound; bound++) {
        g_autoptr(SealAddress) address = **bound == '@' ? NULL : seal_address_parse(*bound, NULL);

        if (address && !seal_key_is_for(key, address))
            note_owner(checking, key, *bound);
    }
}

static void tell_owners(Checking *checking)
{
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(checking->owners), (GCompareFunc)strcmp);

    for (GList *name = names; name; name = name->next) {
        const Owner *owner = g_hash_table_lookup(checking->owners, name->data);

        if (owner->keys->len < 2)
            continue;
        g_ptr_array_add(owner->keys, NULL);
        g_autofree char *all = g_strjoinv("; ", (char **)owner->keys->pdata);
        put_problem(checking, "ambiguous", owner->address, owner->format, "",
                    "the address has keys of several people: %s", all);
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
static void note_holders(Checking *checking, const SealKey *key)
{
    const char *const *ids = seal_key_detected_ids(key);
    g_autoptr(GPtrArray) owners = list_owners(key);
    gboolean told = owners->len == 0;

    for (; *ids && !told; ids++) {
        g_autofree char *name = g_strdup_printf("%s %s", seal_key_format(key), *ids);
        const Holder *holder = g_hash_table_lookup(checking->holders, name);

        if (!holder) {
            g_hash_table_insert(checking->holders, g_steal_pointer(&name), holder_new(key));
            continue;
        }
        if (g_str_equal(holder->fingerprint, seal_key_fingerprint(key)) ||
            have_common(holder, owners))
            continue;
        g_autofree char *text = g_strdup_printf("it is the key of %s, too (%.16s)",
                                                holder->addresses, holder->fingerprint);
        put_key(checking, key, "shared", text);
        told = TRUE;
    }
}

/* Whether it names them, or was given to them. */
static void check_owners(Checking *checking, const SealKey *key)
{
    g_autoptr(GPtrArray) owners = list_owners(key);

    if (owners->len > 1)
        put_key(checking, key, "shared", "it is the key of several addresses");
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

static gboolean check_key(SealModule *self G_GNUC_UNUSED, SealKey *key, GBytes *octets,
                          gpointer user_data, GError **error G_GNUC_UNUSED)
{
    Checking *checking = user_data;

    checking->checked++;
    check_time(checking, key, octets);
    check_owners(checking, key);
    note_owners(checking, key);
    note_holders(checking, key);
    return TRUE;
}

static gboolean check_pending(Checking *checking, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!seal_dispatcher_has_book(checking->dispatcher))
        return TRUE;
    if (!seal_dispatcher_read_book(checking->dispatcher, NULL, SEAL_STANDING_PENDING, keys, error))
        return FALSE;
    for (guint i = 0; i < keys->len; i++) {
        const SealKey *key = g_ptr_array_index(keys, i);
        const char *const *bound = seal_key_bound(key);

        put_problem(checking, "pending", bound && *bound ? *bound : "", seal_key_format(key),
                    seal_key_fingerprint(key),
                    "it waits for leave to take another one's place: sealctl keys approve, or "
                    "reject");
    }
    return TRUE;
}

static int check_all(Checking *checking, GError **error)
{
    const SealKeyFilter filter = {.size = sizeof filter};
    g_auto(SealLooking) looking = {0};

    seal_out_list(checking->out, "problems");
    if (!seal_dispatcher_list_keys(checking->dispatcher, &looking, &filter, check_key, checking,
                                   error) ||
        !check_pending(checking, error))
        return CTL_PROBLEM;
    tell_owners(checking);
    seal_out_number(checking->out, "checked", checking->checked);
    seal_out_number(checking->out, "found", checking->problems);
    if (looking.unlisted)
        seal_out_text(checking->out, "not_checked", "%s", looking.unlisted);
    return ctl_looking_check(&looking, error) && checking->problems == 0 ? CTL_OK : CTL_PROBLEM;
}

int ctl_keys_check(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_autoptr(GHashTable) owners =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, owner_free);
    g_autoptr(GHashTable) holders =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, holder_free);
    gint64 now = g_get_real_time() / G_USEC_PER_SEC, window = WINDOW_S;
    g_autofree char *expiring = NULL;
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"expiring", 0, 0, G_OPTION_ARG_STRING, &expiring, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, 0, &words, error) ||
        (expiring && !ctl_time_read(expiring, &window, error)))
        return CTL_USAGE;
    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;

    Checking checking = {.dispatcher = opened.dispatcher,
                         .out = out,
                         .now = now,
                         .soon = now + window,
                         .owners = owners,
                         .holders = holders};
    return check_all(&checking, error);
}

/* -------------------------------------------------------------------------------------------
 * Refresh
 */

int ctl_keys_refresh(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    gboolean all = FALSE;
    char **words = NULL;
    gint64 next = G_MAXINT64;
    const GOptionEntry entries[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, 0, &words, error))
        return CTL_USAGE;
    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;
    return seal_dispatcher_refresh(opened.dispatcher, all, out, &next, error) ? CTL_OK
                                                                              : CTL_PROBLEM;
}
