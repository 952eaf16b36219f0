/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pool.c: CA certificates that were met. None of them is trusted; they fill the gaps between a
 * certificate and a trust anchor. Whoever can put keys into a source can put some here, so that
 * each is tried by its signature before it goes into a chain, and their number is bounded.
 */
#include "smime.h"

#include <openssl/err.h>

enum {
    MAX_TRUSTED = 10000,
    MAX_OTHERS = 1000,
    MAX_PATH = 32,   /* certificates in a path */
    MAX_TRIES = 200, /* signatures tried for one path */
};

struct SmimePool {
    GHashTable *by_name; /* hash of the subject to a GPtrArray of X509 */
    GHashTable *known;   /* GBytes of digests */
    guint trusted;
    guint others;
};

SmimePool *smime_pool_new(void)
{
    SmimePool *pool = g_new0(SmimePool, 1);

    pool->by_name = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL,
                                          (GDestroyNotify)g_ptr_array_unref);
    pool->known =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    return pool;
}

void smime_pool_free(SmimePool *pool)
{
    if (!pool)
        return;
    g_hash_table_unref(pool->by_name);
    g_hash_table_unref(pool->known);
    g_free(pool);
}

static gpointer name_key(const X509_NAME *name)
{
    int ok = 0;
    unsigned long hash = X509_NAME_hash_ex(name, NULL, NULL, &ok);

    return GSIZE_TO_POINTER(ok ? hash : 0);
}

void smime_pool_add(SmimePool *pool, X509 *cert, gboolean from_trusted)
{
    guint *count = from_trusted ? &pool->trusted : &pool->others;
    GBytes *digest =
        *count < (from_trusted ? MAX_TRUSTED : MAX_OTHERS) ? smime_cert_digest(cert) : NULL;

    if (!digest || !g_hash_table_add(pool->known, digest))
        return;

    gpointer key = name_key(X509_get_subject_name(cert));
    GPtrArray *same = g_hash_table_lookup(pool->by_name, key);
    if (!same) {
        same = g_ptr_array_new_with_free_func((GDestroyNotify)X509_free);
        g_hash_table_insert(pool->by_name, key, same);
    }
    X509_up_ref(cert);
    g_ptr_array_add(same, cert);
    ++*count;
}

guint smime_pool_count(const SmimePool *pool)
{
    return pool->trusted + pool->others;
}

X509 *smime_pool_find(SmimePool *pool, X509 *cert)
{
    GPtrArray *same = g_hash_table_lookup(pool->by_name, name_key(X509_get_subject_name(cert)));

    for (guint i = 0; same && i < same->len; i++) {
        if (X509_cmp(g_ptr_array_index(same, i), cert) == 0)
            return g_ptr_array_index(same, i);
    }
    return NULL;
}

static gboolean has_signed(X509 *issuer, X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    gboolean yes = key &&
                   X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(cert)) == 0 &&
                   X509_verify(cert, key) == 1;

    ERR_clear_error();
    return yes;
}

static GPtrArray *issuer_candidates(SmimePool *pool, X509 *cert)
{
    return g_hash_table_lookup(pool->by_name, name_key(X509_get_issuer_name(cert)));
}

X509 *smime_pool_issuer(SmimePool *pool, X509 *cert)
{
    GPtrArray *issuers = issuer_candidates(pool, cert);

    for (guint i = 0; issuers && i < MIN(issuers->len, MAX_TRIES); i++) {
        if (has_signed(g_ptr_array_index(issuers, i), cert))
            return g_ptr_array_index(issuers, i);
    }
    return NULL;
}

static gboolean path_contains(SmimeCerts *path, X509 *cert)
{
    for (int i = 0; i < sk_X509_num(path); i++) {
        if (sk_X509_value(path, i) == cert)
            return TRUE;
    }
    return FALSE;
}

static void push_issuers(SmimePool *pool, X509 *cert, SmimeCerts *path, guint *tries)
{
    GPtrArray *issuers = issuer_candidates(pool, cert);

    for (guint i = 0; issuers && i < issuers->len && *tries < MAX_TRIES; i++) {
        X509 *issuer = g_ptr_array_index(issuers, i);

        if (sk_X509_num(path) >= MAX_PATH || path_contains(path, issuer))
            continue;
        ++*tries;
        if (has_signed(issuer, cert))
            X509_add_cert(path, issuer, X509_ADD_FLAG_UP_REF);
    }
}

SmimeCerts *smime_pool_path(SmimePool *pool, X509 *cert)
{
    SmimeCerts *path = sk_X509_new_null();
    guint tries = 0;

    if (!path)
        return NULL;
    push_issuers(pool, cert, path, &tries);
    /* The path grows behind the one that is looked at. */
    for (int i = 0; i < sk_X509_num(path); i++)
        push_issuers(pool, sk_X509_value(path, i), path, &tries);
    return path;
}
