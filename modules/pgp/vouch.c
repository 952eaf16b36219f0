/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * vouch.c: who says that a key is an address's: introducers, whom the operator has named, and for
 * its successor the key itself. Everything is verified by gpg; how far a key trusts others is of no
 * account.
 */
#include "pgp.h"
#include "ring.h"

#include <string.h>

enum { MAX_FILE = 16 * 1024 * 1024 };

/* -------------------------------------------------------------------------------------------
 * The introducers' keys
 */

static gboolean is_fingerprint(const char *text)
{
    gsize length = strlen(text);

    return (length == 2 * PGP_FINGERPRINT || length == 2 * PGP_LONG_FINGERPRINT) &&
           strspn(text, "0123456789abcdefABCDEF") == length;
}

/* Certifications by keys of later versions cannot be verified here. */
static gboolean add_introducer(SealModule *self, PgpModule *module, const char *text,
                               GError **error)
{
    guint8 id[PGP_KEY_ID];
    char *lower = g_ascii_strdown(text, -1);

    g_ptr_array_add(module->introducers, lower);
    if (!is_fingerprint(lower))
        return seal_module_refuse(self, "introducers", error,
                                  "%s is no fingerprint of 40 hexadecimal digits without blanks: "
                                  "key ids and user ids do not tell keys apart",
                                  text);
    if (strlen(lower) != 2 * PGP_FINGERPRINT)
        return seal_module_refuse(self, "introducers", error,
                                  "%s is the fingerprint of a key of version 5 or 6, which gpg "
                                  "cannot verify; have a key of version 4 certify",
                                  text);
    for (guint i = 0; i < sizeof id; i++) {
        const char *digits = lower + 2 * (PGP_FINGERPRINT - PGP_KEY_ID + i);
        id[i] = (guint8)(g_ascii_xdigit_value(digits[0]) << 4 | g_ascii_xdigit_value(digits[1]));
    }
    g_byte_array_append(module->named, id, sizeof id);
    return TRUE;
}

static gboolean read_file(SealModule *self, PgpModule *module, const char *path, GError **error)
{
    const SealOrigin origin = {
        .size = sizeof origin, .source = "introducers", .place = path, .trust = SEAL_TRUST_MANUAL};
    g_autoptr(GBytes) data = seal_file_read(path, MAX_FILE, error);
    g_auto(PgpRing) ring = {.named = module->named};

    if (!data)
        return FALSE;
    pgp_ring_read(&ring, data);
    if (ring.keys->len == 0)
        return seal_module_refuse(self, "introducer_keys", error,
                                  "%s has no OpenPGP public key in it%s%s", path,
                                  ring.fault ? ": " : "", ring.fault ? ring.fault : "");
    g_ptr_array_set_free_func(ring.keys, NULL);
    for (guint i = 0; i < ring.keys->len; i++) {
        g_autoptr(SealKey) key = pgp_seal_key(g_ptr_array_index(ring.keys, i), &origin);
        seal_key_index_add(module->certifiers, key);
    }
    return TRUE;
}

static gboolean is_revocation(const SealKey *key)
{
    return ((const PgpKey *)seal_key_native(key))->is_revocation;
}

/* Copies of the key with that fingerprint, the first of them no bare revocation; none where there
 * is no other. */
static void find_copies(const SealKeyIndex *index, const char *fingerprint, GPtrArray *found)
{
    const char *const ids[] = {fingerprint + 2 * (PGP_FINGERPRINT - PGP_KEY_ID), NULL};
    const SealKeySpec spec = {.size = sizeof spec,
                              .format = PGP_FORMAT,
                              .fingerprint = fingerprint,
                              .label = "",
                              .detected_ids = ids};
    const SealOrigin origin = {.size = sizeof origin, .source = "introducers"};
    g_autoptr(SealKey) wanted = seal_key_new(&spec, &origin);

    seal_key_index_find_copies(index, wanted, found);
    for (guint i = 0; i < found->len; i++) {
        if (!is_revocation(g_ptr_array_index(found, i))) {
            g_ptr_array_insert(found, 0, g_ptr_array_steal_index(found, i));
            return;
        }
    }
    g_ptr_array_set_size(found, 0);
}

static gboolean check_files(SealModule *self, PgpModule *module, GError **error)
{
    for (guint i = 0; i < module->introducers->len; i++) {
        const char *fingerprint = g_ptr_array_index(module->introducers, i);
        g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

        find_copies(module->certifiers, fingerprint, found);
        if (found->len == 0 && !seal_module_string(self, "home"))
            return seal_module_refuse(
                self, "introducers", error,
                "the key %s is in no file of introducer_keys, and there is no "
                "home in which it could be",
                fingerprint);
    }
    return TRUE;
}

gboolean pgp_load_introducers(SealModule *self, PgpModule *module, GError **error)
{
    const char *const *names = seal_module_list(self, "introducers");
    const char *const *files = seal_module_list(self, "introducer_keys");

    module->introducers = g_ptr_array_new_with_free_func(g_free);
    module->named = g_byte_array_new();
    module->certifiers = seal_key_index_new();
    for (; *names; names++) {
        if (!add_introducer(self, module, *names, error))
            return FALSE;
    }
    for (; *files; files++) {
        if (!read_file(self, module, *files, error))
            return FALSE;
    }
    return check_files(self, module, error);
}

/* From the files and the home together, so that no revocation is missed. (transfer full) */
static SealKey *find_introducer(SealModule *self, const char *fingerprint, GError **error)
{
    PgpModule *module = seal_module_data(self);
    g_autoptr(GPtrArray) copies = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GPtrArray) at_home = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    find_copies(module->certifiers, fingerprint, copies);
    if (!module->missing && !pgp_load_ring(self, error))
        return NULL;
    if (module->ring)
        find_copies(module->ring, fingerprint, at_home);
    g_ptr_array_extend_and_steal(copies, g_steal_pointer(&at_home));
    if (copies->len > 0)
        return pgp_merge(self, copies, error);
    g_set_error(
        error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
        "the key %s of [module pgp] introducers is neither in introducer_keys nor in home%s%s",
        fingerprint, module->missing ? ": " : "", module->missing ? module->missing : "");
    return NULL;
}

/* One that is nowhere is for the module's check to name. */
void pgp_visit_introducers(SealModule *self, SealOwnVisitor visit, gpointer user_data)
{
    const PgpModule *module = seal_module_data(self);

    for (guint i = 0; i < module->introducers->len; i++) {
        g_autoptr(SealKey) key =
            find_introducer(self, g_ptr_array_index(module->introducers, i), NULL);
        const SealOwn own = {.size = sizeof own,
                             .key = key,
                             .use = SEAL_OWN_ANCHOR,
                             .until = key ? seal_key_valid_until(key) : 0};

        if (key)
            visit(self, &own, user_data);
    }
}

/* -------------------------------------------------------------------------------------------
 * What they say
 */

static const PgpJudgedSubkey *judged_primary(const PgpKey *key)
{
    return &g_array_index(key->judgement->subkeys, PgpJudgedSubkey, 0);
}

/* Whether what the key has certified counts: a revoked one may be in anybody's hands. *@why is NULL
 * where it does, and set for people where it does not. */
static gboolean judge_certifier(PgpModule *module, PgpKey *key, const char **why, GError **error)
{
    *why = NULL;
    if (key->is_revocation || key->flooded || key->unsupported) {
        *why = "is no key that can certify here";
        return TRUE;
    }
    if (!pgp_judge(module->judged, module->engine, key, error))
        return FALSE;
    if (key->revoked_by_other || key->judgement->revoked)
        *why = "was revoked";
    else if (key->judgement->disabled)
        *why = "was disabled in home";
    else if (!key->judgement->known || key->judgement->subkeys->len == 0 ||
             key->judgement->invalid || judged_primary(key)->dead)
        *why = "is not valid";
    return TRUE;
}

static gboolean has_ended(const PgpKey *key, gint64 at)
{
    return judged_primary(key)->expires && judged_primary(key)->expires <= at;
}

static gboolean is_for(const PgpVouched *vouched, const SealAddress *address)
{
    g_autoptr(SealAddress) own = address ? seal_address_parse(vouched->address, NULL) : NULL;

    return !address || (own && seal_address_equal(own, address));
}

/* @until: when whoever certified had to have done so. */
static gboolean is_certified(const PgpJudgement *judgement, const PgpKey *by,
                             const SealAddress *address, gint64 at, gint64 until)
{
    for (guint i = 0; i < judgement->vouched->len; i++) {
        const PgpVouched *vouched = &g_array_index(judgement->vouched, PgpVouched, i);

        if (g_str_equal(vouched->by, pgp_key_primary(by)->id) && is_for(vouched, address) &&
            vouched->created <= at && (!until || vouched->created < until) &&
            (!vouched->expires || vouched->expires > at))
            return TRUE;
    }
    return FALSE;
}

/* Has @by certified @key for @address? */
static gboolean ask_certifier(PgpModule *module, PgpKey *key, PgpKey *by,
                              const SealAddress *address, gint64 at, gboolean *certified,
                              GError **error)
{
    g_autoptr(GPtrArray) certifiers = g_ptr_array_new();

    gint64 until = judged_primary(by)->expires;
    gint64 clock = until && until <= g_get_real_time() / G_USEC_PER_SEC ? until - 1 : 0;

    g_ptr_array_add(certifiers, by);
    g_autoptr(PgpJudgement) judgement =
        pgp_judge_vouchers(module->judged, module->engine, key, certifiers, clock, error);
    if (!judgement)
        return FALSE;
    *certified = is_certified(judgement, by, address, at, until);
    return TRUE;
}

static gboolean names_certifier(const PgpKey *key, const char *id)
{
    g_autoptr(GByteArray) ids = g_byte_array_new();

    for (guint i = 0; i < PGP_KEY_ID; i++) {
        guint8 octet =
            (guint8)(g_ascii_xdigit_value(id[2 * i]) << 4 | g_ascii_xdigit_value(id[2 * i + 1]));
        g_byte_array_append(ids, &octet, 1);
    }
    return pgp_key_is_certified_by(key, ids);
}

static gboolean can_be_certified(const PgpKey *key)
{
    return key && !key->is_revocation && !key->unsupported && !key->flooded && !key->overwhelmed;
}

/* *@by remains NULL where the introducer says nothing of it. */
static gboolean ask_introducer(SealModule *self, PgpKey *key, const char *fingerprint,
                               const SealAddress *address, gint64 at, char **by, GError **error)
{
    PgpModule *module = seal_module_data(self);
    const char *why;
    gboolean certified;

    if (!names_certifier(key, fingerprint + 2 * (PGP_FINGERPRINT - PGP_KEY_ID)))
        return TRUE;
    g_autoptr(SealKey) introducer = find_introducer(self, fingerprint, error);
    PgpKey *native = introducer ? seal_key_native(introducer) : NULL;
    if (!introducer || !judge_certifier(module, native, &why, error))
        return FALSE;
    if (why || has_ended(native, at))
        return TRUE;
    if (!ask_certifier(module, key, native, address, at, &certified, error))
        return FALSE;
    if (certified)
        *by = g_strdup_printf("the introducer %s, %s", seal_key_label(introducer), fingerprint);
    return TRUE;
}

static gboolean check_introducer(SealModule *self, const char *fingerprint, GError **error)
{
    g_autoptr(SealKey) introducer = find_introducer(self, fingerprint, error);
    PgpKey *native = introducer ? seal_key_native(introducer) : NULL;
    const char *why;

    if (!introducer || !judge_certifier(seal_module_data(self), native, &why, error))
        return FALSE;
    if (!why && has_ended(native, g_get_real_time() / G_USEC_PER_SEC))
        why = "has expired";
    if (!why)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "the key %s of %s, of [module pgp] introducers, %s, and vouches for nobody: renew "
                "it, or take it out",
                fingerprint, seal_key_label(introducer), why);
    return FALSE;
}

gboolean pgp_check_introducers(SealModule *self, GError **error)
{
    const PgpModule *module = seal_module_data(self);

    for (guint i = 0; i < module->introducers->len; i++) {
        if (!check_introducer(self, g_ptr_array_index(module->introducers, i), error))
            return FALSE;
    }
    return TRUE;
}

gboolean pgp_prove(SealModule *self, SealKey *key, SealAddress *address, gint64 at,
                   SealProven *proven, char **by, GError **error)
{
    const PgpModule *module = seal_module_data(self);
    PgpKey *native = key ? seal_key_native(key) : NULL;
    char *found = NULL;

    *proven = SEAL_PROVEN_NOT;
    *by = NULL;
    if (!key)
        *proven = module->introducers->len > 0 ? SEAL_PROVEN_NAMED : SEAL_PROVEN_NOT;
    if (!can_be_certified(native))
        return TRUE;
    for (guint i = 0; i < module->introducers->len && !found; i++) {
        if (!ask_introducer(self, native, g_ptr_array_index(module->introducers, i), address, at,
                            &found, error))
            return FALSE;
    }
    *proven = found ? SEAL_PROVEN_NAMED : SEAL_PROVEN_NOT;
    *by = found;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Successors
 */

/* That it has expired meanwhile is why there is another one. */
static gboolean ask_predecessor(PgpModule *module, PgpKey *old, PgpKey *key,
                                const SealAddress *address, gint64 at, gboolean *succeeds,
                                char **why, GError **error)
{
    const char *unfit;

    if (old->is_revocation || old->unsupported || !can_be_certified(key) ||
        !names_certifier(key, pgp_key_primary(old)->id)) {
        *why =
            g_strdup_printf("the key %s has not certified it", pgp_key_primary(old)->fingerprint);
        return TRUE;
    }
    if (!judge_certifier(module, old, &unfit, error))
        return FALSE;
    if (unfit) {
        *why = g_strdup_printf("the key %s, which should have certified it, %s",
                               pgp_key_primary(old)->fingerprint, unfit);
        return TRUE;
    }
    if (!ask_certifier(module, key, old, address, at, succeeds, error))
        return FALSE;
    *why = g_strdup_printf(*succeeds ? "the key %s has certified it"
                                     : "the key %s has no valid certification of it",
                           pgp_key_primary(old)->fingerprint);
    return TRUE;
}

static gboolean are_named(SealModule *self, SealKey *old, SealKey *key, SealAddress *address,
                          gint64 at, gboolean *named, char **why, GError **error)
{
    SealProven first, second = SEAL_PROVEN_NOT;
    g_autofree char *by_first = NULL, *by_second = NULL;

    if (!pgp_prove(self, old, address, at, &first, &by_first, error) ||
        (first == SEAL_PROVEN_NAMED &&
         !pgp_prove(self, key, address, at, &second, &by_second, error)))
        return FALSE;
    *named = second == SEAL_PROVEN_NAMED;
    if (*named)
        *why =
            g_strdup_printf("it is certified by %s, and the one before by %s", by_second, by_first);
    return TRUE;
}

gboolean pgp_succeeds(SealModule *self, SealKey *old, SealKey *key, SealAddress *address, gint64 at,
                      gboolean *succeeds, char **why, GError **error)
{
    gboolean found = FALSE;
    char *text = NULL;

    if (g_str_equal(seal_key_fingerprint(old), seal_key_fingerprint(key))) {
        found = TRUE;
        text = g_strdup("it is the same primary key");
    } else if (!are_named(self, old, key, address, at, &found, &text, error) ||
               (!found &&
                !ask_predecessor(seal_module_data(self), seal_key_native(old), seal_key_native(key),
                                 address, at, &found, &text, error))) {
        return FALSE;
    }
    *succeeds = found;
    *why = text;
    return TRUE;
}
