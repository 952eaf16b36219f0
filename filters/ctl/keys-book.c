/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-book.c: what people write down of keys: `sealctl keys` pin, unpin, pending, approve and
 * reject.
 */
#include "filters/ctl/keys.h"

#include <string.h>

/* What these commands are called with. */
typedef struct {
    CtlOpened opened;
    SealAddress *address;
    CtlTarget which; /* a fingerprint, or nothing */
    GPtrArray *keys; /* of SealKey: what was asked for */
    char **words;
} Call;

static void call_clear(Call *call)
{
    ctl_keys_close(&call->opened);
    seal_address_unref(call->address);
    ctl_target_clear(&call->which);
    g_clear_pointer(&call->keys, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Call, call_clear)

#define CALL_NONE                                                                                  \
    {                                                                                              \
        .opened = {.kept = {-1, -1} }                                                              \
    }

static gboolean read_words(Call *call, int argc, char **argv, guint least, guint most,
                           GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (!ctl_parse_words(argc, argv, NULL, least, most, &call->words, error))
        return FALSE;
    const char *address = call->words[0], *which = address ? call->words[1] : NULL;
    if (address && !(call->address = seal_address_parse(address, &problem)))
        return ctl_misuse(error, "%s", problem->message) == CTL_OK;
    if (!which || (ctl_target_read(&call->which, which, error) && call->which.fingerprint))
        return TRUE;
    if (!call->which.fingerprint && (!error || !*error))
        ctl_misuse(error, "\"%s\" is not the beginning of a fingerprint", which);
    return FALSE;
}

static GPtrArray *keys_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

/* What is written down with @standing, of the address or of all, and of the fingerprint. */
static gboolean read_book(Call *call, SealStanding standing, GPtrArray *keys, GError **error)
{
    g_autoptr(GPtrArray) all = keys_new();

    if (!seal_dispatcher_read_book(call->opened.dispatcher, call->address, standing, all, error))
        return FALSE;
    for (guint i = 0; i < all->len; i++) {
        SealKey *key = g_ptr_array_index(all, i);

        if (seal_key_standing(key) == standing &&
            (!call->which.fingerprint ||
             g_str_has_prefix(seal_key_fingerprint(key), call->which.fingerprint)))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
    return TRUE;
}

static gboolean open_book(Call *call, const CtlOptions *options, SealStanding standing,
                          GError **error)
{
    call->keys = keys_new();
    return ctl_keys_open(&call->opened, options, error) &&
           read_book(call, standing, call->keys, error);
}

static gboolean write_all(Call *call, GPtrArray *keys, SealStanding standing, GError **error)
{
    for (guint i = 0; i < keys->len; i++) {
        if (!seal_dispatcher_write_book(call->opened.dispatcher, call->address,
                                        g_ptr_array_index(keys, i), standing, error))
            return FALSE;
    }
    return TRUE;
}

static void put_row(const SealAddress *address, const SealKey *key, SealStanding standing,
                    const CtlOptions *options, SealOut *out)
{
    const char *const *bound = seal_key_bound(key);
    g_autofree char *fingerprint = ctl_key_fingerprint(key, options);
    g_autofree char *since =
        seal_key_added(key) > 0 ? seal_text_day(seal_key_added(key)) : g_strdup("");

    seal_out_row(out, "keys");
    seal_out_text(out, "address", "%s",
                  address           ? seal_address_text(address)
                  : bound && *bound ? *bound
                                    : "");
    seal_out_text(out, "format", "%s", seal_key_format(key));
    seal_out_text(out, "fingerprint", "%s", fingerprint);
    seal_out_text(out, "origin", "%s", seal_key_source(key) ? seal_key_source(key) : "");
    seal_out_text(out, "trust", "%s", seal_trust_name(seal_key_trust(key)));
    seal_out_text(out, "standing", "%s", seal_standing_name(standing));
    seal_out_text(out, "since", "%s", since);
    seal_out_end_row(out);
}

static void add_rows(const Call *call, GPtrArray *keys, SealStanding standing,
                     const CtlOptions *options, SealOut *out)
{
    for (guint i = 0; i < keys->len; i++)
        put_row(call->address, g_ptr_array_index(keys, i), standing, options, out);
}

static void put_rows(const Call *call, GPtrArray *keys, SealStanding standing,
                     const CtlOptions *options, SealOut *out)
{
    seal_out_list(out, "keys");
    add_rows(call, keys, standing, options, out);
}

static gboolean has_format(const GPtrArray *keys, const char *format)
{
    for (guint i = 0; i < keys->len; i++) {
        if (g_str_equal(seal_key_format(g_ptr_array_index(keys, i)), format))
            return TRUE;
    }
    return FALSE;
}

/* Those of @keys that are of a format of @others, and none of them. */
static GPtrArray *keep_replaced(GPtrArray *keys, GPtrArray *others)
{
    GPtrArray *replaced = keys_new();

    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        if (has_format(others, seal_key_format(key)) && !ctl_key_is_among(others, key))
            g_ptr_array_add(replaced, seal_key_ref(key));
    }
    return replaced;
}

/* What stood there before @keys of the same format, once they are written down. (transfer full) */
static GPtrArray *read_replaced(Call *call, SealStanding standing, GPtrArray *keys, GError **error)
{
    g_autoptr(GPtrArray) before = keys_new();

    g_clear_pointer(&call->which.fingerprint, g_free);
    return read_book(call, standing, before, error) ? keep_replaced(before, keys) : NULL;
}

static gboolean forget_others(Call *call, SealStanding standing, GPtrArray *keys, GError **error)
{
    g_autoptr(GPtrArray) replaced = read_replaced(call, standing, keys, error);

    return replaced && write_all(call, replaced, SEAL_STANDING_NONE, error);
}

/* -------------------------------------------------------------------------------------------
 * Pins
 */

/* Wherever it is: kept, in another source, or written down. */
static gboolean find_key(Call *call, GPtrArray *keys, GError **error)
{
    SealDispatcher *dispatcher = call->opened.dispatcher;
    SealKeyFilter filter = {.size = sizeof filter, .fingerprint = call->which.fingerprint};
    g_autoptr(GPtrArray) others = keys_new();
    g_autofree char *trouble = NULL;
    g_auto(CtlKeys) found = {0};

    ctl_found_init(&found);
    if (!ctl_found_list(&found, dispatcher, NULL, &filter, error))
        return FALSE;
    for (guint i = 0; i < found.keys->len; i++) {
        SealKey *key = ctl_found_read(&found, dispatcher, i, error);

        if (!key)
            return FALSE;
        g_ptr_array_add(others, key);
    }
    seal_dispatcher_find_keys(dispatcher, call->address, others, &trouble);
    if (!seal_dispatcher_read_book(dispatcher, call->address, SEAL_STANDING_NONE, others, error))
        return FALSE;
    for (guint i = 0; i < others->len; i++) {
        SealKey *key = g_ptr_array_index(others, i);

        if (g_str_has_prefix(seal_key_fingerprint(key), call->which.fingerprint) &&
            !ctl_key_is_among(keys, key))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
    return keys->len > 0 || ctl_looking_check(&found.looking, error);
}

/* One that serves nobody of that address would leave it without a key. */
static gboolean check_serves(const Call *call, const SealKey *key, GError **error)
{
    const char *const *bound = seal_key_bound(key);

    if (seal_key_serves(key, call->address) != SEAL_SERVES_NOT ||
        (bound && g_strv_contains(bound, seal_address_key(call->address))))
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "the key %s does not name %s: give it to that address first, by sealctl keys add "
                "--address",
                seal_key_fingerprint(key), seal_address_text(call->address));
    return FALSE;
}

int ctl_keys_pin(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Call) call = CALL_NONE;

    if (!read_words(&call, argc, argv, 2, 2, error))
        return CTL_USAGE;
    call.keys = keys_new();
    if (!ctl_keys_open(&call.opened, options, error) || !find_key(&call, call.keys, error) ||
        !ctl_keys_check_one(call.keys, call.words[1], FALSE, NULL, error) ||
        !check_serves(&call, g_ptr_array_index(call.keys, 0), error) ||
        !write_all(&call, call.keys, SEAL_STANDING_PINNED, error) ||
        !forget_others(&call, SEAL_STANDING_PINNED, call.keys, error))
        return CTL_PROBLEM;
    put_rows(&call, call.keys, SEAL_STANDING_PINNED, options, out);
    return CTL_OK;
}

/* Who is watched goes on with the key that was pinned, so that another one is not the first; but
 * beside those that served before the pin it waits for leave. */
static SealStanding standing_after(const SealKey *key, GPtrArray *serving)
{
    if (seal_key_trust(key) >= SEAL_TRUST_VERIFIED)
        return SEAL_STANDING_NONE;
    for (guint i = 0; i < serving->len; i++) {
        if (g_str_equal(seal_key_format(g_ptr_array_index(serving, i)), seal_key_format(key)))
            return SEAL_STANDING_PENDING;
    }
    return SEAL_STANDING_SERVING;
}

int ctl_keys_unpin(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Call) call = CALL_NONE;
    g_autoptr(GPtrArray) serving = keys_new();

    if (!read_words(&call, argc, argv, 1, 1, error))
        return CTL_USAGE;
    if (!open_book(&call, options, SEAL_STANDING_PINNED, error) ||
        !read_book(&call, SEAL_STANDING_SERVING, serving, error))
        return CTL_PROBLEM;
    if (call.keys->len == 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "no key is pinned for %s",
                    seal_address_text(call.address));
        return CTL_PROBLEM;
    }
    seal_out_list(out, "keys");
    for (guint i = 0; i < call.keys->len; i++) {
        SealKey *key = g_ptr_array_index(call.keys, i);

        SealStanding after = standing_after(key, serving);

        if (!seal_dispatcher_write_book(call.opened.dispatcher, call.address, key, after, error))
            return CTL_PROBLEM;
        put_row(call.address, key, after, options, out);
    }
    return CTL_OK;
}

/* -------------------------------------------------------------------------------------------
 * What waits for leave
 */

int ctl_keys_pending(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Call) call = CALL_NONE;

    if (!read_words(&call, argc, argv, 0, 1, error))
        return CTL_USAGE;
    if (!open_book(&call, options, SEAL_STANDING_PENDING, error))
        return CTL_PROBLEM;
    put_rows(&call, call.keys, SEAL_STANDING_PENDING, options, out);
    return CTL_OK;
}

/* @others: what else would have been meant by a fingerprint. */
static gboolean fail_none(const Call *call, const char *others, GError **error)
{
    const char *which = call->words[1], *address = seal_address_text(call->address);

    if (which)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "no key %s is pending for %s, and none there %s", which, address, others);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "no key is pending for %s; one that %s is meant by its fingerprint", address,
                    others);
    return FALSE;
}

/* What is pending, or, by its fingerprint, what was rejected. */
static gboolean open_approved(Call *call, const CtlOptions *options, GError **error)
{
    if (!open_book(call, options, SEAL_STANDING_PENDING, error) ||
        (call->which.fingerprint && call->keys->len == 0 &&
         !read_book(call, SEAL_STANDING_REJECTED, call->keys, error)))
        return FALSE;
    return call->keys->len > 0 || fail_none(call, "was rejected", error);
}

/* It is not asked about again: what its source still offers would be a new key else. */
static gboolean reject_replaced(Call *call, const CtlOptions *options, SealOut *out, GError **error)
{
    g_autoptr(GPtrArray) replaced = read_replaced(call, SEAL_STANDING_SERVING, call->keys, error);

    if (!replaced || !write_all(call, replaced, SEAL_STANDING_REJECTED, error))
        return FALSE;
    add_rows(call, replaced, SEAL_STANDING_REJECTED, options, out);
    return TRUE;
}

/* What the operator has put there himself serves without a note of it. */
static SealStanding standing_approved(const SealKey *key)
{
    return seal_key_standing(key) == SEAL_STANDING_REJECTED &&
                   seal_key_trust(key) >= SEAL_TRUST_VERIFIED
               ? SEAL_STANDING_NONE
               : SEAL_STANDING_SERVING;
}

int ctl_keys_approve(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Call) call = CALL_NONE;

    if (!read_words(&call, argc, argv, 1, 2, error))
        return CTL_USAGE;
    if (!open_approved(&call, options, error) ||
        !ctl_keys_check_one(call.keys, call.words[1] ? call.words[1] : call.words[0], FALSE, NULL,
                            error))
        return CTL_PROBLEM;
    SealStanding standing = standing_approved(g_ptr_array_index(call.keys, 0));
    if (!write_all(&call, call.keys, standing, error))
        return CTL_PROBLEM;
    put_rows(&call, call.keys, standing, options, out);
    return standing == SEAL_STANDING_NONE || reject_replaced(&call, options, out, error)
               ? CTL_OK
               : CTL_PROBLEM;
}

/* Whatever it is to the address now, from whatever source. */
static gboolean find_rejected(Call *call, GError **error)
{
    g_autoptr(GPtrArray) all = keys_new();

    if (!find_key(call, all, error))
        return FALSE;
    for (guint i = 0; i < all->len; i++) {
        SealKey *key = g_ptr_array_index(all, i);

        if (seal_key_serves(key, call->address) != SEAL_SERVES_NOT ||
            seal_key_standing(key) != SEAL_STANDING_NONE)
            g_ptr_array_add(call->keys, seal_key_ref(key));
    }
    return call->keys->len == 0 ||
           ctl_keys_check_one(call->keys, call->words[1], FALSE, NULL, error);
}

int ctl_keys_reject(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Call) call = CALL_NONE;

    if (!read_words(&call, argc, argv, 1, 2, error))
        return CTL_USAGE;
    if (!open_book(&call, options, SEAL_STANDING_PENDING, error) ||
        (call.keys->len == 0 && call.which.fingerprint && !find_rejected(&call, error)) ||
        (call.keys->len == 0 && !fail_none(&call, "could serve", error)) ||
        !write_all(&call, call.keys, SEAL_STANDING_REJECTED, error))
        return CTL_PROBLEM;
    put_rows(&call, call.keys, SEAL_STANDING_REJECTED, options, out);
    return CTL_OK;
}
