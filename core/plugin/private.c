/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * private.c: calls the private half of a module: in this process, or in the one that keeps the
 * keys.
 */
#include "core/plugin/private.h"

#include "core/plugin/kept.h"

/* TRUE only where it said so and named no error. Takes @problem over. */
static gboolean half_ended(const SealPrivateEntry *half, gboolean ok, GError *problem,
                           GError **error)
{
    if (ok && !problem)
        return TRUE;
    if (!problem)
        problem =
            g_error_new(SEAL_ERROR, SEAL_ERROR_FAILED,
                        "the private half of %s failed and did not say why", half->table.name);
    g_propagate_error(error, problem);
    return FALSE;
}

gboolean seal_private_load(const SealPrivateEntry *half, GError **error)
{
    SealModule *module = half->module;
    GError *problem = NULL;

    if (module->unload)
        return TRUE;
    gboolean ok = half->table.load(module, &problem);
    if (!half_ended(half, ok, problem, error))
        return FALSE;
    module->unload = half->table.unload;
    return TRUE;
}

gboolean seal_private_sign(const SealPrivateEntry *half, const SealDigestSigning *signing,
                           GByteArray *signature, GError **error)
{
    GError *problem = NULL;

    if (!seal_private_load(half, error))
        return FALSE;
    gboolean ok = half->table.sign(half->module, signing, signature, &problem);
    return half_ended(half, ok, problem, error);
}

gboolean seal_private_unwrap(const SealPrivateEntry *half, const SealKeyUnwrapping *unwrapping,
                             guint8 *key, GError **error)
{
    GError *problem = NULL;

    if (!seal_private_load(half, error))
        return FALSE;
    gboolean ok = half->table.unwrap && half->table.unwrap(half->module, unwrapping, key, &problem);
    return half_ended(half, ok, problem, error);
}

/* -------------------------------------------------------------------------------------------
 * What modules call: here, or where the keys are kept
 */

/* NULL, and an error: it has none. */
static const SealPrivateEntry *find_half(const SealModule *module, GError **error)
{
    const SealPrivateEntry *half = seal_registry_private(module->registry, module);

    if (!half)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "module %s has no private half",
                    module->descriptor.name);
    return half;
}

/* The daemon alone has them in another process. */
gboolean seal_module_stays(const SealModule *self)
{
    return seal_registry_kept(self->registry) != NULL;
}

gboolean seal_module_list_private(SealModule *self, SealPrivateVisitor visit, gpointer user_data,
                                  GError **error)
{
    const SealPrivateEntry *half = seal_registry_private(self->registry, self);
    SealKept *kept = seal_registry_kept(self->registry);

    if (!half)
        return TRUE;
    if (kept) {
        seal_kept_list(kept, half->table.name, visit, user_data);
        return TRUE;
    }
    if (!seal_private_load(half, error))
        return FALSE;
    half->table.list(self, visit, user_data);
    return TRUE;
}

gboolean seal_module_sign_digest(SealModule *self, const SealDigestSigning *signing,
                                 GByteArray *signature, GError **error)
{
    const SealPrivateEntry *half = find_half(self, error);
    SealKept *kept = seal_registry_kept(self->registry);

    if (!half)
        return FALSE;
    return kept ? seal_kept_sign(kept, half->table.name, signing, signature, error)
                : seal_private_sign(half, signing, signature, error);
}

gboolean seal_module_unwrap_key(SealModule *self, const SealKeyUnwrapping *unwrapping, guint8 *key,
                                GError **error)
{
    const SealPrivateEntry *half = find_half(self, error);
    SealKept *kept = seal_registry_kept(self->registry);

    if (!half)
        return FALSE;
    return kept ? seal_kept_unwrap(kept, half->table.name, unwrapping, key, error)
                : seal_private_unwrap(half, unwrapping, key, error);
}
