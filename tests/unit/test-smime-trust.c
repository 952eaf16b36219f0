/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-trust.c: who vouches for a certificate, which one may follow another, and what is kept
 * of one.
 */
#include "test-smime-pki.h"

#include <string.h>

static gint64 now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* -------------------------------------------------------------------------------------------
 * Who vouches for it
 */

static SealProven prove(Smime *smime, SealKey *key, const char *whose, gint64 at, char **by)
{
    g_autoptr(SealAddress) address = whose ? seal_address_parse(whose, NULL) : NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    SealProven proven = (SealProven)99;

    g_assert_true(smime->format->prove(smime->module, key, address, at, &proven, &text, &error));
    g_assert_no_error(error);
    g_assert_true((text != NULL) == (key && proven != SEAL_PROVEN_NOT));
    if (by)
        *by = g_steal_pointer(&text);
    return proven;
}

static void test_proof(void)
{
    g_autoptr(X509) ca = pki_ca("Example CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, ca);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_HARVESTED);
    g_autofree char *by = NULL;

    /* Twice: the second time it is remembered. */
    for (guint i = 0; i < 2; i++) {
        g_clear_pointer(&by, g_free);
        g_assert_cmpint(prove(&smime, key, "alice@example.org", now(), &by), ==, SEAL_PROVEN_NAMED);
        g_assert_nonnull(strstr(by, "Example CA"));
    }
    g_assert_cmpint(prove(&smime, key, NULL, now(), NULL), ==, SEAL_PROVEN_NAMED);
    g_assert_cmpint(prove(&smime, key, "bob@example.org", now(), NULL), ==, SEAL_PROVEN_NOT);
    g_assert_cmpint(prove(&smime, key, NULL, seal_key_valid_until(key) + 1, NULL), ==,
                    SEAL_PROVEN_NOT);
    g_assert_cmpint(prove(&smime, NULL, NULL, now(), NULL), ==, SEAL_PROVEN_NAMED);
}

/* Without anchors nobody vouches for anything, and a key at manual trust proves nothing more. */
static void test_no_proof(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, ca);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(SealKey) manual_ca = smime_key(&smime, ca, SEAL_TRUST_MANUAL);
    g_autoptr(SealKey) manual = smime_key(&smime, cert, SEAL_TRUST_MANUAL);

    g_assert_cmpint(prove(&smime, NULL, NULL, now(), NULL), ==, SEAL_PROVEN_NOT);
    g_assert_cmpint(prove(&smime, manual, NULL, now(), NULL), ==, SEAL_PROVEN_NOT);
    g_assert_cmpint(prove(&smime, manual_ca, NULL, now(), NULL), ==, SEAL_PROVEN_NOT);
}

/* -------------------------------------------------------------------------------------------
 * What may follow it
 */

static gboolean may_follow(Smime *smime, X509 *old, X509 *new, const char *whose)
{
    g_autoptr(SealKey) before = smime_key(smime, old, SEAL_TRUST_DISCOVERED);
    g_autoptr(SealKey) after = smime_key(smime, new, SEAL_TRUST_DISCOVERED);
    g_autoptr(SealAddress) address = whose ? seal_address_parse(whose, NULL) : NULL;
    g_autofree char *why = NULL;
    g_autoptr(GError) error = NULL;
    gboolean yes = FALSE;

    g_assert_true(
        smime->format->succeeds(smime->module, before, after, address, now(), &yes, &why, &error));
    g_assert_no_error(error);
    g_assert_nonnull(why);
    return yes;
}

static X509 *person(const char *kind, gboolean other, X509 *ca, int from, int until)
{
    CertSpec spec = {
        .name = "Alice", .san = "email:alice@example.org", .from_days = from, .until_days = until};

    return pki_cert(&spec, other ? pki_other_key(kind) : pki_key(kind), ca, pki_key("RSA"));
}

static void test_renewal(void)
{
    CertSpec spec = {.name = "CA", .constraints = "critical,CA:TRUE", .from_days = -30};
    g_autoptr(X509) ca = pki_cert(&spec, pki_key("RSA"), NULL, NULL);
    g_autoptr(X509) old = person("P-256", FALSE, ca, -20, -2);
    g_autoptr(X509) same = person("P-256", FALSE, ca, 0, 0);
    g_autoptr(X509) other = person("P-256", TRUE, ca, 0, 0);
    g_auto(Smime) named = {0};
    g_auto(Smime) unknown = {0};
    smime_start(&named, ca, NULL);
    smime_start(&unknown, NULL, NULL);

    g_assert_true(may_follow(&unknown, old, same, "alice@example.org"));
    g_assert_false(may_follow(&unknown, old, other, "alice@example.org"));
    g_assert_true(may_follow(&named, old, same, "alice@example.org"));
    g_assert_true(may_follow(&named, old, other, "alice@example.org"));
    g_assert_true(may_follow(&named, old, other, NULL));
    g_assert_false(may_follow(&named, old, other, "bob@example.org"));
}

/* Whoever has a certificate can sign another with it, in whose name he likes. */
static void test_signed_by_the_old(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) old = person("RSA", FALSE, ca, 0, 0);
    g_autoptr(X509) below = person("P-256", TRUE, old, 0, 0);
    g_autoptr(X509) self = person("P-256", TRUE, NULL, 0, 0);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    g_assert_false(may_follow(&smime, old, below, "alice@example.org"));
    g_assert_false(may_follow(&smime, old, self, "alice@example.org"));
    g_assert_false(may_follow(&smime, self, old, "alice@example.org"));
}

/* -------------------------------------------------------------------------------------------
 * What is kept of it
 */

static void test_writing(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, ca);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_VERIFIED);
    g_autoptr(GBytes) der = pki_der(cert);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) written = smime.format->write(smime.module, key, &error);

    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(written, der));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/trust/proof", test_proof);
    g_test_add_func("/smime/trust/no-proof", test_no_proof);
    g_test_add_func("/smime/trust/renewal", test_renewal);
    g_test_add_func("/smime/trust/signed-by-the-old", test_signed_by_the_old);
    g_test_add_func("/smime/trust/writing", test_writing);
    return g_test_run();
}
