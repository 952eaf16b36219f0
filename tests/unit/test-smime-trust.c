/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-trust.c: who vouches for a certificate, which one may follow another, and what is kept
 * of one.
 */
#include "test-smime-pki.h"

#include <signal.h>
#include <string.h>

static gint64 now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

static X509 *person(const char *kind, gboolean other, X509 *ca, int from, int until)
{
    CertSpec spec = {
        .name = "Alice", .san = "email:alice@example.org", .from_days = from, .until_days = until};

    return pki_cert(&spec, other ? pki_other_key(kind) : pki_key(kind), ca, pki_key("RSA"));
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
 * Mozilla's roots, as a library lists them
 */

static void write_text(Smime *smime, const char *name, const char *text)
{
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));

    g_free(smime_write(smime, name, data));
}

/* @after: what the attribute has; NULL for a zero octet. */
static void put_root(Smime *smime, const char *name, X509 *cert, gboolean mail, const char *after)
{
    g_autoptr(GBytes) der = pki_der(cert);
    g_autoptr(GBytes) none = g_bytes_new_static("", 1);
    g_autofree char *file = g_strconcat("roots/", name, ".der", NULL);
    g_autofree char *date = g_strconcat("roots/", name, ".a", NULL);
    g_autofree char *flag = g_strconcat("roots/", name, ".m", NULL);

    g_free(smime_write(smime, file, der));
    if (after)
        write_text(smime, date, after);
    else
        g_free(smime_write(smime, date, none));
    if (mail)
        write_text(smime, flag, "");
}

static gboolean open_roots(Smime *smime, const char *more, GError **error)
{
    g_autofree char *roots = g_build_filename(smime->dir, "roots", NULL);
    g_autofree char *settings = g_strdup_printf("mail_roots=%s\ntrust_anchors=mail;%s",
                                                g_getenv("SEALPIPE_TEST_ROOTS"), more ? more : "");

    g_setenv("TEST_ROOTS", roots, TRUE);
    return smime_open_with(smime, settings, NULL, error);
}

static void test_distrust(void)
{
    g_autoptr(GDateTime) day = g_date_time_new_now_utc();
    g_autoptr(GDateTime) before = g_date_time_add_days(day, -5);
    g_autofree char *after = g_date_time_format(before, "%y%m%d000000Z");
    g_autoptr(X509) ca = pki_ca("Fading CA", NULL);
    g_autoptr(X509) old = person("P-256", FALSE, ca, -20, 0);
    g_autoptr(X509) young = person("P-256", FALSE, ca, -1, 0);
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    smime_prepare(&smime);
    put_root(&smime, "fading", ca, TRUE, after);
    g_assert_true(open_roots(&smime, NULL, &error));
    g_assert_no_error(error);
    g_autoptr(SealKey) old_key = smime_key(&smime, old, SEAL_TRUST_VERIFIED);
    g_autoptr(SealKey) young_key = smime_key(&smime, young, SEAL_TRUST_VERIFIED);

    g_assert_cmpint(prove(&smime, old_key, NULL, now(), NULL), ==, SEAL_PROVEN_PUBLIC);
    g_assert_cmpint(prove(&smime, young_key, NULL, now(), NULL), ==, SEAL_PROVEN_NOT);
    g_autofree char *code = smime_judge(&smime, young_key, SEAL_PURPOSE_ENCRYPT, now(), &text);
    g_assert_cmpstr(code, ==, "untrusted");
    g_assert_nonnull(strstr(text, "Fading CA is trusted for mail for what it issued until"));
}

/* A root that is not for mail is none; what cannot be understood of one is not passed over. */
static void test_other_roots(void)
{
    g_autoptr(X509) web = pki_ca("Web", NULL);
    g_autoptr(X509) odd = pki_ca("Odd", NULL);
    g_autoptr(X509) good = pki_ca("Good", NULL);
    g_autoptr(X509) by_web = pki_person("alice@example.org", "P-256", NULL, web);
    g_autoptr(X509) by_odd = pki_person("alice@example.org", "P-256", NULL, odd);
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    smime_prepare(&smime);
    put_root(&smime, "web", web, FALSE, NULL);
    put_root(&smime, "odd", odd, TRUE, "someday");
    put_root(&smime, "good", good, TRUE, NULL);
    g_assert_true(open_roots(&smime, NULL, &error));
    g_assert_no_error(error);
    g_autoptr(SealKey) web_key = smime_key(&smime, by_web, SEAL_TRUST_VERIFIED);
    g_autoptr(SealKey) odd_key = smime_key(&smime, by_odd, SEAL_TRUST_VERIFIED);

    g_assert_cmpint(prove(&smime, NULL, NULL, now(), NULL), ==, SEAL_PROVEN_PUBLIC);
    g_assert_cmpint(prove(&smime, web_key, NULL, now(), NULL), ==, SEAL_PROVEN_NOT);
    g_assert_cmpint(prove(&smime, odd_key, NULL, now(), NULL), ==, SEAL_PROVEN_NOT);
}

static void assert_refused(Smime *smime, const char *what)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(open_roots(smime, NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, "trust_anchors: mail: "));
    g_assert_nonnull(strstr(error->message, what));
}

static void test_bad_roots(void)
{
    g_autoptr(X509) web = pki_ca("Web", NULL);
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    smime_prepare(&smime);

    assert_refused(&smime, "it cannot be started");
    put_root(&smime, "web", web, FALSE, NULL);
    assert_refused(&smime, "no root that is trusted for mail");
    g_autofree char *none = g_strconcat(smime.dir, "/conf.d/10-test.conf", NULL);
    g_autofree char *settings = g_strdup_printf("mail_roots=%s\ntrust_anchors=mail", none);
    g_assert_false(smime_open_with(&smime, settings, NULL, &error));
    g_assert_nonnull(strstr(error->message, "it is no PKCS#11 library"));
}

/* What stands in a file is the operator's word, whoever else trusts it. */
static void test_both(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, ca);
    g_autoptr(GBytes) pem = pki_pem(ca);
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    smime_prepare(&smime);
    put_root(&smime, "ca", ca, TRUE, "010101000000Z");
    g_autofree char *path = smime_write(&smime, "anchor.pem", pem);
    g_assert_true(open_roots(&smime, path, &error));
    g_assert_no_error(error);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_VERIFIED);

    g_assert_cmpint(prove(&smime, key, NULL, now(), NULL), ==, SEAL_PROVEN_NAMED);
}

static guint count_threads(void)
{
    g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
    guint count = 0;

    while (g_dir_read_name(tasks))
        count++;
    return count;
}

/* The library that Debian has. It starts nothing, and leaves signals as they are. */
static void test_real_roots(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    struct sigaction pipe;
    guint threads = count_threads();
    smime_prepare(&smime);

    signal(SIGPIPE, SIG_DFL);
    if (!smime_open_with(&smime, "trust_anchors=mail", NULL, &error)) {
        g_assert_nonnull(strstr(error->message, "install the package libnss3"));
        g_test_skip("no libnss3 here");
        return;
    }
    g_assert_cmpuint(count_threads(), ==, threads);
    sigaction(SIGPIPE, NULL, &pipe);
    g_assert_true(pipe.sa_handler == SIG_DFL);
    g_assert_cmpint(prove(&smime, NULL, NULL, now(), NULL), ==, SEAL_PROVEN_PUBLIC);
}

/* -------------------------------------------------------------------------------------------
 * The table: where the root stands, what the certificate is, who has it
 */

typedef enum {
    IN_FILE,
    IN_MAIL,
    IN_BOTH,
    NOWHERE,
    FADED, /* in mail, and distrusted since long */
    PLACES,
} Place;

typedef struct {
    const char *what;
    CertSpec spec;
    gboolean below;      /* an intermediate, and not of the root */
    const char *between; /* what the intermediate's extendedKeyUsage has */
    gboolean holds;      /* the chain does, where there is an anchor */
    const char *code;    /* of usable(), at manual trust too, or NULL */
    const char *chain;   /* of usable() where the anchor is there and the chain does not hold */
} Kind;

#define ALICE .name = "Alice", .san = "email:alice@example.org"

static const Kind KINDS[] = {
    {"of the root", {ALICE, .ext_usage = "emailProtection"}, .holds = TRUE},
    {"bare", {ALICE}, .holds = TRUE},
    {"below", {ALICE}, .below = TRUE, .between = "emailProtection", .holds = TRUE},
    {"below one for all", {ALICE}, .below = TRUE, .holds = TRUE},
    {"below one for the web",
     {ALICE},
     .below = TRUE,
     .between = "serverAuth",
     .chain = "untrusted"},
    {"for the web", {ALICE, .ext_usage = "serverAuth"}, .holds = TRUE, .code = "ext-key-usage"},
    {"expired", {ALICE, .from_days = -9, .until_days = -2}, .code = "expired"},
    {"not yet", {ALICE, .from_days = 5}, .code = "not-yet-valid"},
    {"SHA-1", {ALICE, .digest = "SHA1"}, .chain = "weak-chain"},
    {"to sign", {ALICE, .usage = "digitalSignature"}, .holds = TRUE, .code = "key-usage"},
    {"odd", {ALICE, .unknown = "critical,DER:0500"}, .code = "invalid"},
    {"a server's", {.name = "www", .san = "DNS:www.example.org"}, .holds = TRUE},
};

static void open_place(Smime *smime, Place place, X509 *root)
{
    g_autoptr(X509) other = pki_ca("Other", NULL);
    g_autoptr(GBytes) pem = pki_pem(place == IN_FILE || place == IN_BOTH ? root : other);
    g_autoptr(GError) error = NULL;

    smime_prepare(smime);
    put_root(smime, "other", other, TRUE, NULL);
    if (place == IN_MAIL || place == IN_BOTH)
        put_root(smime, "root", root, TRUE, NULL);
    if (place == FADED)
        put_root(smime, "root", root, TRUE, "010101000000Z");
    g_autofree char *path = smime_write(smime, "anchor.pem", pem);
    g_assert_true(open_roots(smime, path, &error));
    g_assert_no_error(error);
}

static X509 *make_kind(const Kind *kind, X509 *root, X509 **middle)
{
    CertSpec spec = {.name = kind->what,
                     .constraints = "critical,CA:TRUE",
                     .usage = "keyCertSign",
                     .ext_usage = kind->between};

    *middle = pki_cert(&spec, pki_other_key("RSA3072"), root, pki_key("RSA"));
    return kind->below
               ? pki_cert(&kind->spec, pki_key("RSA3072"), *middle, pki_other_key("RSA3072"))
               : pki_cert(&kind->spec, pki_key("RSA3072"), root, pki_key("RSA"));
}

static void check_kind(Smime *smime, Place place, const Kind *kind, X509 *root)
{
    static const SealProven places[] = {
        [IN_FILE] = SEAL_PROVEN_NAMED, [IN_MAIL] = SEAL_PROVEN_PUBLIC,
        [IN_BOTH] = SEAL_PROVEN_NAMED, [NOWHERE] = SEAL_PROVEN_NOT,
        [FADED] = SEAL_PROVEN_NOT,
    };
    gboolean anchored = places[place] != SEAL_PROVEN_NOT;
    g_autoptr(X509) middle = NULL;
    g_autoptr(X509) cert = make_kind(kind, root, &middle);

    seal_key_unref(smime_key(smime, middle, SEAL_TRUST_UNVERIFIED));
    for (SealTrust trust = SEAL_TRUST_UNVERIFIED; trust <= SEAL_TRUST_MANUAL; trust++) {
        g_autoptr(SealKey) key = smime_key(smime, cert, trust);
        g_autofree char *code = smime_judge(smime, key, SEAL_PURPOSE_ENCRYPT, now(), NULL);
        const char *expected = kind->code                   ? kind->code
                               : trust == SEAL_TRUST_MANUAL ? "usable"
                               : kind->holds && anchored    ? "usable"
                               : anchored                   ? kind->chain
                                                            : "untrusted";

        g_test_message("place %d, %s, trust %d: %s", place, kind->what, trust, code);
        if (kind->chain && !anchored && trust != SEAL_TRUST_MANUAL)
            g_assert_cmpstr(code, !=, "usable");
        else
            g_assert_cmpstr(code, ==, expected);
        g_assert_cmpint(prove(smime, key, NULL, now(), NULL), ==,
                        kind->holds ? places[place] : SEAL_PROVEN_NOT);
    }
}

static void test_table(void)
{
    CertSpec spec = {.name = "Root", .constraints = "critical,CA:TRUE", .from_days = -30};
    g_autoptr(X509) root = pki_cert(&spec, pki_key("RSA"), NULL, NULL);

    for (Place place = IN_FILE; place < PLACES; place++) {
        g_auto(Smime) smime = {0};
        open_place(&smime, place, root);
        for (guint i = 0; i < G_N_ELEMENTS(KINDS); i++)
            check_kind(&smime, place, &KINDS[i], root);
    }
}

/* -------------------------------------------------------------------------------------------
 * Certificates for a whole domain
 */

static void assert_serves(Smime *smime, const CertSpec *spec, X509 *ca, SealServes how)
{
    g_autoptr(X509) cert = pki_cert(spec, pki_key("P-256"), ca, pki_key("RSA"));
    g_autoptr(SealKey) key = smime_key(smime, cert, SEAL_TRUST_DISCOVERED);
    g_autoptr(SealAddress) alice = seal_address_parse("alice@example.org", NULL);

    g_assert_cmpint(seal_key_serves(key, alice), ==, how);
}

static void test_domain_names(void)
{
    const CertSpec direct = {.name = "d", .san = "DNS:Example.org", .ext_usage = "emailProtection"};
    const CertSpec others[] = {
        {.name = "web", .san = "DNS:example.org", .ext_usage = "serverAuth"},
        {.name = "bare", .san = "DNS:example.org"},
        {.name = "all", .san = "DNS:example.org", .ext_usage = "anyExtendedKeyUsage"},
        {.name = "below", .san = "DNS:mail.example.org", .ext_usage = "emailProtection"},
        {.name = "wild", .san = "DNS:*.org", .ext_usage = "emailProtection"},
        {.name = "mixed",
         .san = "DNS:example.org,email:bob@example.com",
         .ext_usage = "emailProtection"},
        {.name = "old",
         .email = "bob@example.com",
         .san = "DNS:example.org",
         .ext_usage = "emailProtection"},
        {.name = "CA",
         .constraints = "CA:TRUE",
         .san = "DNS:example.org",
         .ext_usage = "emailProtection"},
    };
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    assert_serves(&smime, &direct, ca, SEAL_SERVES_DOMAIN);
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        assert_serves(&smime, &others[i], ca, SEAL_SERVES_NOT);
}

/* Public CAs look after mailboxes. */
static void test_domain_trust(void)
{
    static const struct {
        Place place;
        SealProven proven;
        const char *code;
    } rows[] = {
        {IN_FILE, SEAL_PROVEN_NAMED, "usable"},
        {IN_BOTH, SEAL_PROVEN_NAMED, "usable"},
        {IN_MAIL, SEAL_PROVEN_NOT, "untrusted"},
        {NOWHERE, SEAL_PROVEN_NOT, "untrusted"},
    };
    CertSpec spec = {.name = "d", .san = "DNS:example.org", .ext_usage = "emailProtection"};
    g_autoptr(X509) root = pki_ca("Root", NULL);
    g_autoptr(X509) cert = pki_cert(&spec, pki_key("P-256"), root, pki_key("RSA"));

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Smime) smime = {0};
        open_place(&smime, rows[i].place, root);
        g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_VERIFIED);
        g_autoptr(SealKey) manual = smime_key(&smime, cert, SEAL_TRUST_MANUAL);
        g_autofree char *code = smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, now(), NULL);
        g_autofree char *by_hand = smime_judge(&smime, manual, SEAL_PURPOSE_ENCRYPT, now(), NULL);

        g_assert_cmpint(prove(&smime, key, NULL, now(), NULL), ==, rows[i].proven);
        g_assert_cmpstr(code, ==, rows[i].code);
        g_assert_cmpstr(by_hand, ==, "usable");
    }
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

/* Its private key may be in anybody's hands. */
static void test_renewal_of_revoked(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) old = person("P-256", FALSE, ca, 0, 0);
    g_autoptr(X509) same = person("P-256", FALSE, ca, 0, 0);
    g_autoptr(X509_CRL) crl = pki_crl(ca, pki_key("RSA"), old, 0, 30);
    g_autoptr(GBytes) list = pki_crl_pem(crl), pem = pki_pem(ca);
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;

    smime_prepare(&smime);
    g_autofree char *crl_path = smime_write(&smime, "list.pem", list);
    g_autofree char *anchor = smime_write(&smime, "anchor.pem", pem);
    g_autofree char *settings = g_strdup_printf("trust_anchors=%s\ncrls=%s\n", anchor, crl_path);
    g_assert_true(smime_open_with(&smime, settings, NULL, &error));
    g_assert_no_error(error);
    g_assert_false(may_follow(&smime, old, same, "alice@example.org"));
    g_assert_true(may_follow(&smime, same, same, "alice@example.org"));
}

/* Whoever holds a mailbox for an hour gets a certificate of a public CA. */
static void test_public_change(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) named = pki_ca("Named", NULL);
    g_autoptr(X509) old = person("P-256", FALSE, ca, 0, 0);
    g_autoptr(X509) new = person("P-256", TRUE, ca, 0, 0);
    g_autoptr(X509) own = person("P-384", TRUE, named, 0, 0);
    g_autoptr(GBytes) pem = pki_pem(named);
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    smime_prepare(&smime);
    put_root(&smime, "ca", ca, TRUE, NULL);
    g_autofree char *path = smime_write(&smime, "anchor.pem", pem);
    g_assert_true(open_roots(&smime, path, &error));
    g_assert_no_error(error);

    g_assert_false(may_follow(&smime, old, new, "alice@example.org"));
    g_assert_false(may_follow(&smime, own, new, "alice@example.org"));
    g_assert_false(may_follow(&smime, old, own, "alice@example.org"));
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
    g_test_add_func("/smime/trust/distrust", test_distrust);
    g_test_add_func("/smime/trust/other-roots", test_other_roots);
    g_test_add_func("/smime/trust/bad-roots", test_bad_roots);
    g_test_add_func("/smime/trust/both", test_both);
    g_test_add_func("/smime/trust/real-roots", test_real_roots);
    g_test_add_func("/smime/trust/table", test_table);
    g_test_add_func("/smime/trust/domain-names", test_domain_names);
    g_test_add_func("/smime/trust/domain-trust", test_domain_trust);
    g_test_add_func("/smime/trust/renewal", test_renewal);
    g_test_add_func("/smime/trust/renewal-of-revoked", test_renewal_of_revoked);
    g_test_add_func("/smime/trust/public-change", test_public_change);
    g_test_add_func("/smime/trust/signed-by-the-old", test_signed_by_the_old);
    g_test_add_func("/smime/trust/writing", test_writing);
    return g_test_run();
}
