/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-unbind.c: `sealctl keys remove --address`: takes back that a key was given to somebody. The
 * key stays.
 */
#include "filters/ctl/keys.h"

#include <string.h>

/* While keys are taken from whom they were given to. */
typedef struct {
    SealDispatcher *dispatcher;
    const CtlOptions *options;
    SealOut *out;
    const char *source;
    char **whom;        /* as seal_key_bound() has them */
    GPtrArray *kept;    /* of SealKey: of all that are meant, each copy that a source lists */
    GPtrArray *written; /* of SealKey: what is written down, one for each address */
    guint unbound;
    guint forgotten;
} Unbinding;

static GPtrArray *keys_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

static gboolean is_bound(const SealKey *key, const char *whom)
{
    return g_strv_contains(seal_key_bound(key), whom);
}

/* As the domains that a key names go by. */
static gboolean names_domain(const SealKey *key, const char *domain)
{
    return g_strv_contains(seal_key_domains(key), domain);
}

/* Whatever the operator has given it to. */
static gboolean names_address(const SealKey *key, const SealAddress *address)
{
    return seal_key_is_for(key, address) || names_domain(key, seal_address_domain(address));
}

static gboolean names(const SealKey *key, const char *whom)
{
    g_autoptr(SealAddress) address = *whom == '@' ? NULL : seal_address_parse(whom, NULL);

    return address ? seal_key_is_for(key, address) : names_domain(key, whom + 1);
}

/* -------------------------------------------------------------------------------------------
 * What is written down
 */

/* A key that is for @whom alone. (transfer full) */
static SealKey *make_probe(const char *whom)
{
    const char *const bound[] = {whom, NULL};
    const SealOrigin origin = {.size = sizeof origin,
                               .source = "",
                               .place = "",
                               .trust = SEAL_TRUST_MANUAL,
                               .bound = bound};
    const SealKeySpec spec = {.size = sizeof spec, .format = "", .fingerprint = "", .label = ""};

    return seal_key_new(&spec, &origin);
}

static gboolean one_serves(GPtrArray *copies, const SealAddress *address)
{
    for (guint i = 0; i < copies->len; i++) {
        if (seal_key_serves(g_ptr_array_index(copies, i), address) != SEAL_SERVES_NOT)
            return TRUE;
    }
    return FALSE;
}

/* Of what would have @key go on serving somebody for @whom's sake; what is rejected serves nobody.
 * @copies: all that there is of @key now. (transfer full) */
static SealAddress *find_stale(const SealKey *entry, const SealKey *key, const char *whom,
                               GPtrArray *copies)
{
    const char *const *bound = seal_key_bound(entry);

    if (!ctl_key_is_same(entry, key) || seal_key_standing(entry) == SEAL_STANDING_REJECTED ||
        !*bound)
        return NULL;
    g_autoptr(SealAddress) address = seal_address_parse(*bound, NULL);
    g_autoptr(SealKey) probe = make_probe(whom);
    if (!address || seal_key_serves(probe, address) == SEAL_SERVES_NOT ||
        names_address(entry, address) || one_serves(copies, address))
        return NULL;
    return g_steal_pointer(&address);
}

/* (transfer full) */
static GPtrArray *read_written(SealDispatcher *dispatcher, GError **error)
{
    g_autoptr(GPtrArray) written = keys_new();

    if (seal_dispatcher_has_book(dispatcher) &&
        !seal_dispatcher_read_book(dispatcher, NULL, SEAL_STANDING_NONE, written, error))
        return NULL;
    return g_steal_pointer(&written);
}

/* As it is by now: what a message found before may have been written down since. */
static gboolean forget_stale(Unbinding *unbinding, const SealKey *key, const char *whom,
                             GPtrArray *copies, GError **error)
{
    g_autoptr(GPtrArray) written = read_written(unbinding->dispatcher, error);

    for (guint i = 0; written && i < written->len; i++) {
        SealKey *entry = g_ptr_array_index(written, i);
        g_autoptr(SealAddress) address = find_stale(entry, key, whom, copies);

        if (!address)
            continue;
        if (!seal_dispatcher_write_book(unbinding->dispatcher, address, entry, SEAL_STANDING_NONE,
                                        error))
            return FALSE;
        unbinding->forgotten++;
    }
    return written != NULL;
}

/* -------------------------------------------------------------------------------------------
 * Whether it can be taken back
 */

static void keep_same(GPtrArray *same, GPtrArray *keys, const SealKey *key)
{
    for (guint i = 0; i < keys->len; i++) {
        if (ctl_key_is_same(g_ptr_array_index(keys, i), key))
            g_ptr_array_add(same, seal_key_ref(g_ptr_array_index(keys, i)));
    }
}

/* As where what was written down could not be forgotten the last time. */
static gboolean has_stale(const Unbinding *unbinding, const SealKey *key, const char *whom,
                          GPtrArray *copies)
{
    for (guint i = 0; i < unbinding->written->len; i++) {
        g_autoptr(SealAddress) address =
            find_stale(g_ptr_array_index(unbinding->written, i), key, whom, copies);

        if (address)
            return TRUE;
    }
    return FALSE;
}

static gboolean refuse_own(const SealKey *key, const char *whom, GError **error)
{
    const char *fingerprint = seal_key_fingerprint(key);
    g_autofree char *reject =
        *whom == '@'
            ? g_strdup("")
            : g_strdup_printf("have it never serve that one, by sealctl keys reject %s %s, or ",
                              whom, fingerprint);

    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "the key %s names %s itself, and that cannot be taken back: %stake the key out, by "
                "sealctl keys remove %s",
                fingerprint, whom, reject, fingerprint);
    return FALSE;
}

/* The domain that has it serve @whom, or NULL. */
static const char *find_wider(const SealKey *key, const char *whom)
{
    g_autoptr(SealAddress) address = *whom == '@' ? NULL : seal_address_parse(whom, NULL);

    for (const char *const *bound = seal_key_bound(key); address && *bound; bound++) {
        g_autoptr(SealKey) probe = make_probe(*bound);

        if (seal_key_serves(probe, address) != SEAL_SERVES_NOT)
            return *bound;
    }
    return NULL;
}

static gboolean refuse_unbound(const SealKey *key, const char *whom, GError **error)
{
    const char *fingerprint = seal_key_fingerprint(key), *wider = find_wider(key, whom);
    g_autofree char *addresses = ctl_key_addresses(key);

    if (names(key, whom))
        return refuse_own(key, whom, error);
    if (wider)
        g_set_error(
            error, SEAL_ERROR, SEAL_ERROR_KEY,
            "the key %s was given to %s, and not to %s by itself: take that back by --address "
            "%s, or have it never serve this one, by sealctl keys reject %s %s",
            fingerprint, wider, whom, wider, whom, fingerprint);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "the key %s was not given to %s; it is for %s", fingerprint, whom,
                    *addresses ? addresses : "nobody");
    return FALSE;
}

/* One that would be nobody's is for who wants to take it out. */
static gboolean check_rest(const Unbinding *unbinding, const SealKey *copy, GError **error)
{
    const char *const *bound = seal_key_bound(copy);
    guint lost = 0;

    for (; *bound; bound++)
        lost += g_strv_contains((const char *const *)unbinding->whom, *bound);
    if (lost == 0 || seal_key_addresses(copy)->len > 0 || *seal_key_domains(copy) ||
        g_strv_length((char **)seal_key_bound(copy)) > lost)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "the key %s would be for nobody then: take it out, by sealctl keys remove %s",
                seal_key_fingerprint(copy), seal_key_fingerprint(copy));
    return FALSE;
}

static gboolean check_whom(const Unbinding *unbinding, const SealKey *key, GPtrArray *copies,
                           const char *whom, GError **error)
{
    for (guint i = 0; i < copies->len; i++) {
        if (is_bound(g_ptr_array_index(copies, i), whom))
            return TRUE;
    }
    return has_stale(unbinding, key, whom, copies) || refuse_unbound(key, whom, error);
}

static gboolean check_key(const Unbinding *unbinding, const SealKey *key, GError **error)
{
    g_autoptr(GPtrArray) copies = keys_new();

    keep_same(copies, unbinding->kept, key);
    for (char **whom = unbinding->whom; *whom; whom++) {
        if (!check_whom(unbinding, key, copies, *whom, error))
            return FALSE;
    }
    for (guint i = 0; i < copies->len; i++) {
        if (!check_rest(unbinding, g_ptr_array_index(copies, i), error))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Taking it back
 */

/* Why it serves @whom still; "" where it does not. (transfer full) */
static char *explain_rest(GPtrArray *copies, const char *whom)
{
    g_autoptr(SealAddress) address = *whom == '@' ? NULL : seal_address_parse(whom, NULL);

    for (guint i = 0; i < copies->len; i++) {
        const SealKey *copy = g_ptr_array_index(copies, i);
        const char *wider = find_wider(copy, whom);

        if (names(copy, whom))
            return g_strdup("it names that itself, and serves it still");
        if (is_bound(copy, whom))
            return g_strdup_printf("key source %s has it given to that still",
                                   seal_key_source(copy));
        if (address && seal_key_serves(copy, address) != SEAL_SERVES_NOT)
            return g_strdup_printf("it is for %s, and serves this still",
                                   wider ? wider : "all of the domain");
    }
    return g_strdup("");
}

static void put_unbound(const Unbinding *unbinding, const SealKey *key, const char *whom,
                        GPtrArray *copies)
{
    SealOut *out = unbinding->out;
    g_autofree char *fingerprint = ctl_key_fingerprint(key, unbinding->options);
    g_autofree char *note = explain_rest(copies, whom);

    seal_out_row(out, "keys");
    seal_out_text(out, "address", "%s", whom);
    seal_out_text(out, "format", "%s", seal_key_format(key));
    seal_out_text(out, "fingerprint", "%s", fingerprint);
    seal_out_text(out, "origin", "%s", seal_key_source(key));
    seal_out_text(out, "note", "%s", note);
    seal_out_end_row(out);
}

/* Every copy that there is of @key, from whatever source. (transfer full) */
static GPtrArray *list_copies(const Unbinding *unbinding, const SealKeyFilter *filter,
                              const SealKey *key, GError **error)
{
    g_autoptr(GPtrArray) copies = keys_new();
    g_auto(CtlKeys) found = {0};

    ctl_found_init(&found);
    if (!ctl_found_list(&found, unbinding->dispatcher, NULL, filter, error) ||
        !ctl_looking_check(&found.looking, error))
        return NULL;
    keep_same(copies, found.keys, key);
    return g_steal_pointer(&copies);
}

/* What is written down comes behind: a message in between could write it down again. */
static gboolean unbind(Unbinding *unbinding, const SealKey *key, const char *whom, GError **error)
{
    const SealKeyFilter filter = {.size = sizeof filter,
                                  .format = seal_key_format(key),
                                  .fingerprint = seal_key_fingerprint(key)};
    guint count = 0;

    if (!seal_dispatcher_unbind_keys(unbinding->dispatcher, unbinding->source, &filter, whom,
                                     &count, error))
        return FALSE;
    unbinding->unbound += count;
    g_autoptr(GPtrArray) copies = list_copies(unbinding, &filter, key, error);
    if (copies && forget_stale(unbinding, key, whom, copies, error)) {
        put_unbound(unbinding, key, whom, copies);
        return TRUE;
    }
    g_prefix_error(error,
                   "the key %s is given to %s no longer, but may go on serving by what is written "
                   "down of it; call this again: ",
                   seal_key_fingerprint(key), whom);
    return FALSE;
}

static gboolean unbind_all(Unbinding *unbinding, GPtrArray *keys, GError **error)
{
    gboolean ok = TRUE;

    seal_out_list(unbinding->out, "keys");
    for (guint i = 0; ok && i < keys->len; i++) {
        for (char **whom = unbinding->whom; ok && *whom; whom++)
            ok = unbind(unbinding, g_ptr_array_index(keys, i), *whom, error);
    }
    seal_out_number(unbinding->out, "unbound", unbinding->unbound);
    seal_out_number(unbinding->out, "forgotten", unbinding->forgotten);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * The command line
 */

gboolean ctl_unbind_check(char **addresses, GError **error)
{
    for (char **address = addresses; *address; address++) {
        g_autofree char *problem = ctl_bind_problem(*address);

        if (problem)
            return ctl_misuse(error, "%s", problem) == CTL_OK;
    }
    return TRUE;
}

/* Each once. (transfer full) */
static GStrv read_whom(char **addresses)
{
    g_autoptr(GPtrArray) whom = g_ptr_array_new_with_free_func(g_free);

    for (; *addresses; addresses++) {
        g_autofree char *bound = seal_key_bind_to(*addresses);

        if (!g_ptr_array_find_with_equal_func(whom, bound, g_str_equal, NULL))
            g_ptr_array_add(whom, g_steal_pointer(&bound));
    }
    g_ptr_array_add(whom, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&whom), FALSE);
}

static gboolean find_meant(Unbinding *unbinding, const CtlUnbind *how, GPtrArray *keys,
                           GError **error)
{
    SealKeyFilter filter = {.size = sizeof filter};
    g_auto(CtlKeys) found = {0};

    ctl_found_init(&found);
    ctl_target_fill(how->target, &filter);
    if (!ctl_found_list(&found, unbinding->dispatcher, how->source, &filter, error))
        return FALSE;
    for (guint i = 0; i < found.keys->len; i++) {
        SealKey *key = g_ptr_array_index(found.keys, i);

        g_ptr_array_add(unbinding->kept, seal_key_ref(key));
        if (!ctl_key_is_among(keys, key))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
    return (keys->len > 0 || ctl_looking_check(&found.looking, error)) &&
           ctl_keys_check_one(keys, how->word, how->all, found.looking.unlisted, error);
}

gboolean ctl_unbind_run(SealDispatcher *dispatcher, const CtlUnbind *how, const CtlOptions *options,
                        SealOut *out, GError **error)
{
    g_auto(GStrv) whom = read_whom(how->addresses);
    g_autoptr(GPtrArray) written = read_written(dispatcher, error);
    g_autoptr(GPtrArray) kept = keys_new(), keys = keys_new();
    Unbinding unbinding = {.dispatcher = dispatcher,
                           .options = options,
                           .out = out,
                           .source = how->source,
                           .whom = whom,
                           .kept = kept,
                           .written = written};

    if (!written || !find_meant(&unbinding, how, keys, error))
        return FALSE;
    for (guint i = 0; i < keys->len; i++) {
        if (!check_key(&unbinding, g_ptr_array_index(keys, i), error))
            return FALSE;
    }
    return unbind_all(&unbinding, keys, error);
}
