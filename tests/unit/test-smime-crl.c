/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-crl.c: lists beside OpenSSL's own reading of them; addresses that are not asked; when
 * what is fetched. Fetching itself is in tests/keys/crl.py.
 */
/* The tests' own help has functions of the same names: see meson.build. */
#define smime_start module_smime_start
#define smime_write module_smime_write
#include "modules/smime/crl.h"
#undef smime_start
#undef smime_write

#include "test-smime-pki.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum {
    MANY = 3000,
    MINUTE = 60,
    HOUR = 3600,
    DAY = 86400,
};

/* -------------------------------------------------------------------------------------------
 * Addresses
 */

static const char *judge_address(const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return smime_address_inside((struct sockaddr *)&four);
    g_assert_cmpint(inet_pton(AF_INET6, text, &six.sin6_addr), ==, 1);
    return smime_address_inside((struct sockaddr *)&six);
}

static void test_addresses(void)
{
    static const char *const inside[] = {"0.0.0.0",
                                         "0.1.2.3",
                                         "10.0.0.1",
                                         "10.255.255.255",
                                         "100.64.0.1",
                                         "100.127.255.255",
                                         "127.0.0.1",
                                         "127.255.255.254",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.0.0.8",
                                         "192.0.2.1",
                                         "192.168.0.1",
                                         "192.168.255.255",
                                         "198.18.0.1",
                                         "198.19.255.255",
                                         "198.51.100.7",
                                         "203.0.113.9",
                                         "224.0.0.1",
                                         "239.255.255.255",
                                         "240.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "::127.0.0.1",
                                         "::ffff:10.0.0.1",
                                         "::ffff:127.0.0.1",
                                         "64:ff9b::a00:1",
                                         "64:ff9b:1::1",
                                         "100::1",
                                         "2001::1",
                                         "2001:db8::1",
                                         "2002:7f00:1::1",
                                         "fc00::1",
                                         "fd12:3456::1",
                                         "fe80::1",
                                         "febf::1",
                                         "fec0::1",
                                         "ff02::1",
                                         "4000::1",
                                         "2002:c633:6407::",
                                         "2001:10::1",
                                         "3fff::1"};
    static const char *const outside[] = {
        "1.1.1.1",         "9.255.255.255",  "11.0.0.0",       "100.63.255.255",  "100.128.0.0",
        "126.255.255.255", "128.0.0.1",      "172.15.255.255", "172.32.0.0",      "192.0.1.1",
        "192.167.255.255", "198.17.255.255", "198.20.0.0",     "223.255.255.255", "2a00:1450::1",
        "2606:4700::1111", "2001:200::1",    "::ffff:8.8.8.8", "64:ff9b::808:808"};

    for (guint i = 0; i < G_N_ELEMENTS(inside); i++) {
        g_test_message("%s", inside[i]);
        g_assert_nonnull(judge_address(inside[i]));
    }
    for (guint i = 0; i < G_N_ELEMENTS(outside); i++) {
        g_test_message("%s", outside[i]);
        g_assert_null(judge_address(outside[i]));
    }
    const struct sockaddr local = {.sa_family = AF_UNIX};
    g_assert_nonnull(smime_address_inside(&local));
}

static void test_hosts(void)
{
    static const char *const inside[] = {"127.0.0.1",
                                         "127.1",
                                         "0x7f.1",
                                         "2130706433",
                                         "0177.0.0.1",
                                         "::1",
                                         "::ffff:127.0.0.1",
                                         "fe80::1",
                                         "127.0.0.1.",
                                         "2130706433.",
                                         "10.1.",
                                         "localhost",
                                         "LocalHost.",
                                         "a.localhost",
                                         "a.localhost.",
                                         "ip6-localhost",
                                         "127.0.0.1%2e",
                                         "127%2e1",
                                         "%6cocalhost",
                                         "127.0.0.1..",
                                         ".127.0.0.1",
                                         "a..b",
                                         "127.0.0.256",
                                         "1.2.3.4.5",
                                         "a.0x7f",
                                         "a_b.example.org",
                                         "",
                                         ".",
                                         "fe80::1%25lo",
                                         "%5b::1%5d",
                                         "l\xc3\xb6.example.org"};

    for (guint i = 0; i < G_N_ELEMENTS(inside); i++) {
        g_test_message("%s", inside[i]);
        g_assert_nonnull(smime_host_inside(inside[i]));
    }
    g_assert_null(smime_host_inside("lists.example.org"));
    g_assert_null(smime_host_inside("Lists-2.Example.org."));
    g_assert_null(smime_host_inside("localhost.example.org"));
    g_assert_null(smime_host_inside("1.2.3.4.example"));
    g_assert_null(smime_host_inside("xn--lsten-jua.0x.example"));
    g_assert_null(smime_host_inside("8.8.8.8"));
}

static void test_points(void)
{
    static const struct {
        const char *url;
        gboolean fit, inside;
    } rows[] = {
        {"http://lists.example.org/a.crl", TRUE, TRUE},
        {"HTTP://lists.example.org/a.crl?x=%20y", TRUE, TRUE},
        {"http://lists.example.org:80/", TRUE, TRUE},
        {"http://lists.example.org:8080/", FALSE, TRUE},
        {"https://lists.example.org/", FALSE, FALSE},
        {"ldap://lists.example.org/", FALSE, FALSE},
        {"file:///etc/passwd", FALSE, FALSE},
        {"http:///a.crl", FALSE, FALSE},
        {"http://user@lists.example.org/", FALSE, FALSE},
        {"http://user:word@lists.example.org/", FALSE, FALSE},
        {"http://lists.example.org/a b", FALSE, FALSE},
        {"http://lists.example.org/a\r\nHost: x", FALSE, FALSE},
        {"http://lists.example.org\\@other/", FALSE, FALSE},
        {"lists.example.org", FALSE, FALSE},
        {"", FALSE, FALSE},
    };
    const char *why;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", rows[i].url);
        g_assert_cmpint(smime_point_is_fit(rows[i].url, FALSE, &why), ==, rows[i].fit);
        g_assert_cmpint(smime_point_is_fit(rows[i].url, TRUE, &why), ==, rows[i].inside);
    }
    g_autofree char *tail = g_strnfill(SMIME_MAX_URL, 'x');
    g_autofree char *large = g_strconcat("http://lists.example.org/", tail, NULL);
    g_assert_false(smime_point_is_fit(large, TRUE, &why));
}

/* Lists of one issuer can be told by their names. */
static void test_ids(void)
{
    static const char *const one[] = {"http://a/", NULL}, *const other[] = {"http://b/", NULL};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) stranger = pki_ca("Other", NULL);
    g_autofree char *id = smime_points_id(one, ca);
    g_autofree char *beside = smime_points_id(other, ca);
    g_autofree char *strange = smime_points_id(one, stranger);

    g_assert_cmpstr(id, !=, beside);
    g_assert_cmpint(strncmp(id, beside, SMIME_ISSUER_DIGITS), ==, 0);
    g_assert_cmpint(strncmp(id, strange, SMIME_ISSUER_DIGITS), !=, 0);
    g_assert_cmpstr(id + SMIME_ISSUER_DIGITS, !=, strange + SMIME_ISSUER_DIGITS);
    g_assert_true(smime_points_is_id(id));
    id[0] = 'X';
    g_assert_false(smime_points_is_id(id));
    g_assert_false(smime_points_is_id(beside + 1));
}

/* -------------------------------------------------------------------------------------------
 * When
 */

static void test_due(void)
{
    const gint64 t = 1700000000;

    /* Three quarters of a time that is shorter than a day. */
    g_assert_cmpint(smime_due_after(t, t + 12 * HOUR, t), ==, t + 9 * HOUR);
    /* A day at the latest, however long it holds. */
    g_assert_cmpint(smime_due_after(t, t + 365 * DAY, t + 5), ==, t + 5 + DAY);
    /* Not at once again where the issuer has no newer one. */
    g_assert_cmpint(smime_due_after(t, t + 8 * DAY, t + 7 * DAY), ==, t + 7 * DAY + HOUR);
    g_assert_cmpint(smime_due_after(t, t + 4, t), ==, t + MINUTE);
    g_assert_cmpint(smime_due_after(t, 0, t), ==, t + DAY);

    g_assert_cmpint(smime_due_again(1, t), ==, t + MINUTE);
    g_assert_cmpint(smime_due_again(2, t), ==, t + 2 * MINUTE);
    g_assert_cmpint(smime_due_again(4, t), ==, t + 8 * MINUTE);
    g_assert_cmpint(smime_due_again(7, t), ==, t + HOUR);
    g_assert_cmpint(smime_due_again(G_MAXUINT, t), ==, t + HOUR);
}

/* -------------------------------------------------------------------------------------------
 * Lists
 */

static GBytes *crl_der(X509_CRL *crl)
{
    guint8 *der = NULL;
    int length = i2d_X509_CRL(crl, &der);
    GBytes *bytes = g_bytes_new(der, (gsize)length);

    OPENSSL_free(der);
    return bytes;
}

static SmimeList *read_list(GBytes *bytes)
{
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);

    return smime_list_new(data, length, NULL);
}

/* Of one to twenty octets, some negative, and some that differ in sign alone. */
static ASN1_INTEGER *make_serial(guint i)
{
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    BIGNUM *number = BN_new();

    g_assert_true(BN_rand(number, (int)(7 + i % 153), BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY));
    BN_set_negative(number, i % 7 == 0);
    BN_to_ASN1_INTEGER(number, serial);
    BN_free(number);
    return serial;
}

static X509_CRL *make_many(X509 *ca, GPtrArray *serials)
{
    X509_CRL *crl = pki_crl(ca, pki_key("RSA"), ca, -1, 10);

    for (guint i = 0; i < serials->len; i += 2) {
        X509_REVOKED *entry = X509_REVOKED_new();

        X509_REVOKED_set_serialNumber(entry, g_ptr_array_index(serials, i));
        X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)X509_CRL_get0_lastUpdate(crl));
        g_assert_true(X509_CRL_add0_revoked(crl, entry));
    }
    g_assert_cmpint(X509_CRL_sign(crl, pki_key("RSA"), EVP_sha256()), >, 0);
    return crl;
}

static void test_many(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, ca);
    g_autoptr(GPtrArray) serials =
        g_ptr_array_new_with_free_func((GDestroyNotify)ASN1_INTEGER_free);
    guint revoked = 0;

    for (guint i = 0; i < MANY; i++)
        g_ptr_array_add(serials, make_serial(i));
    g_autoptr(X509_CRL) crl = make_many(ca, serials);
    g_autoptr(GBytes) der = crl_der(crl);
    g_autoptr(SmimeList) list = read_list(der);
    g_assert_nonnull(list);
    g_assert_true(smime_list_is_signed_by(list, ca));
    g_assert_cmpuint(smime_list_size(list), <, 2 * g_bytes_get_size(der));
    for (guint i = 0; i < MANY; i++) {
        X509_REVOKED *entry = NULL;
        gint64 when = 0;

        X509_set_serialNumber(cert, g_ptr_array_index(serials, i));
        gboolean ours = smime_list_revokes(list, cert, &when);
        g_assert_cmpint(ours, ==, X509_CRL_get0_by_cert(crl, &entry, cert) == 1);
        g_assert_true(!ours || when > 0);
        revoked += ours;
    }
    g_assert_cmpuint(revoked, >=, MANY / 2);
    g_assert_cmpuint(revoked, <, MANY);
}

static void test_signed_by(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) other = pki_ca("Other", NULL);
    CertSpec spec = {.name = "CA", .constraints = "critical,CA:TRUE"};
    g_autoptr(X509) impostor = pki_cert(&spec, pki_other_key("RSA"), NULL, pki_other_key("RSA"));
    g_autoptr(X509_CRL) crl = pki_crl(ca, pki_key("RSA"), ca, -1, 10);
    g_autoptr(GBytes) der = crl_der(crl);
    g_autoptr(SmimeList) list = read_list(der);

    g_assert_true(smime_list_is_signed_by(list, ca));
    g_assert_false(smime_list_is_signed_by(list, other));
    g_assert_false(smime_list_is_signed_by(list, impostor));

    /* Without its first entry it is not what was signed. */
    gsize length;
    g_autofree guint8 *copy =
        g_memdup2(g_bytes_get_data(der, &length), length = g_bytes_get_size(der));
    copy[length / 4] ^= 1;
    g_autoptr(SmimeList) changed = smime_list_new(copy, length, NULL);
    g_assert_true(!changed || !smime_list_is_signed_by(changed, ca));
}

/* A list with @extension is used for a person's certificate with @point, and for the CA's. */
static void assert_covers(const char *extension, const char *point, gboolean person, gboolean ca)
{
    g_autoptr(X509) root = pki_ca("CA", NULL);
    g_autoptr(X509) below = pki_ca("Below", root);
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, root);
    g_autoptr(X509_CRL) crl = pki_crl(root, pki_key("RSA"), root, -1, 10);
    X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, NULL, NID_crl_distribution_points,
                                               point ? point : "URI:http://a/");

    g_assert_true(X509_add_ext(cert, made, -1));
    X509_EXTENSION_free(made);
    if (extension) {
        const char *value = strchr(extension, '=') + 1;
        g_autofree char *name = g_strndup(extension, (gsize)(value - extension) - 1);
        made = X509V3_EXT_conf(NULL, NULL, name, value);
        g_assert_nonnull(made);
        g_assert_true(X509_CRL_add_ext(crl, made, -1));
        X509_EXTENSION_free(made);
    }
    g_assert_cmpint(X509_CRL_sign(crl, pki_key("RSA"), EVP_sha256()), >, 0);
    g_autoptr(GBytes) der = crl_der(crl);
    g_autoptr(SmimeList) list = read_list(der);
    g_test_message("%s", extension);
    g_assert_cmpint(smime_list_covers(list, cert), ==, person);
    g_assert_cmpint(smime_list_covers(list, below), ==, ca);
}

static void test_covers(void)
{
#define SCOPE "issuingDistributionPoint=critical,"

    assert_covers(NULL, NULL, TRUE, TRUE);
    assert_covers(SCOPE "onlyuser:TRUE", NULL, TRUE, FALSE);
    assert_covers(SCOPE "onlyCA:TRUE", NULL, FALSE, TRUE);
    assert_covers(SCOPE "onlyAA:TRUE", NULL, FALSE, FALSE);
    assert_covers(SCOPE "indirectCRL:TRUE", NULL, FALSE, FALSE);
    assert_covers(SCOPE "onlysomereasons:keyCompromise", NULL, FALSE, FALSE);
    assert_covers(SCOPE "fullname:URI:http://a/", NULL, TRUE, FALSE);
    assert_covers(SCOPE "fullname:URI:http://a/", "URI:http://b/", FALSE, FALSE);
    assert_covers("2.5.29.27=critical,DER:020101", NULL, FALSE, FALSE);
    assert_covers("1.2.3.4=critical,DER:0500", NULL, FALSE, FALSE);
    assert_covers("1.2.3.4=DER:0500", NULL, TRUE, TRUE);
}

/* Whatever is changed or missing, nothing falls over. */
static void test_damaged(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509_CRL) crl = pki_crl(ca, pki_key("RSA"), ca, 1, 10);
    g_autoptr(GBytes) der = crl_der(crl);
    gsize length = g_bytes_get_size(der);
    gint64 when;

    for (gsize i = 0; i < 2 * length; i++) {
        g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(der, NULL), length);
        gsize size = i < length ? i : length;

        if (i >= length)
            copy[i - length] ^= (guint8)(1 << i % 8);
        g_autofree guint8 *tight = g_memdup2(copy, size);
        g_autoptr(SmimeList) list = smime_list_new(tight, size, NULL);
        g_assert_true(i >= length || !list);
        if (list) {
            smime_list_revokes(list, ca, &when);
            smime_list_covers(list, ca);
            smime_list_is_older(list, list);
        }
    }
}

static void test_older(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SmimeList *lists[3];

    for (int i = 0; i < 3; i++) {
        g_autoptr(X509_CRL) crl = pki_crl(ca, pki_key("RSA"), ca, 1, 10);
        ASN1_INTEGER *number = ASN1_INTEGER_new();

        ASN1_INTEGER_set(number, i);
        /* The third has none. */
        g_assert_true(i == 2 || X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0));
        ASN1_INTEGER_free(number);
        g_assert_cmpint(X509_CRL_sign(crl, pki_key("RSA"), EVP_sha256()), >, 0);
        g_autoptr(GBytes) der = crl_der(crl);
        lists[i] = read_list(der);
    }
    g_assert_true(smime_list_is_older(lists[0], lists[1]));
    g_assert_false(smime_list_is_older(lists[1], lists[0]));
    g_assert_false(smime_list_is_older(lists[1], lists[1]));
    g_assert_true(smime_list_is_older(lists[2], lists[1]));
    for (int i = 0; i < 3; i++)
        smime_list_free(lists[i]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/crl/addresses", test_addresses);
    g_test_add_func("/smime/crl/hosts", test_hosts);
    g_test_add_func("/smime/crl/points", test_points);
    g_test_add_func("/smime/crl/ids", test_ids);
    g_test_add_func("/smime/crl/due", test_due);
    g_test_add_func("/smime/crl/many", test_many);
    g_test_add_func("/smime/crl/signed-by", test_signed_by);
    g_test_add_func("/smime/crl/covers", test_covers);
    g_test_add_func("/smime/crl/damaged", test_damaged);
    g_test_add_func("/smime/crl/older", test_older);
    return g_test_run();
}
