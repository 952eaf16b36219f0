/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * store.c: fills the key source `store` with certificates, or looks for some of them.
 *
 *   store CONF fill COUNT         certificates of u000000@example.org and so on
 *   store CONF ask COUNT TIMES    prints of TIMES look-ups the median by the clock, the median and
 *                                 the 99th percentile of the processor's time, all in nanoseconds,
 *                                 and resident octets after them
 */
#include "core/frontend.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 1000, DAY = 24 * 60 * 60 };

typedef struct {
    const SealSource *source;
    SealModule *store;
    const SealFormat *format;
    SealModule *smime;
} Box;

static GPtrArray *keys_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

static void make_address(guint number, char text[32])
{
    g_snprintf(text, 32, "u%06u@example.org", number);
}

static GBytes *make_certificate(const char *address, EVP_PKEY *key, long serial)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    g_autofree char *names = g_strconcat("email:", address, NULL);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    unsigned char *der = NULL;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial + 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -DAY);
    X509_gmtime_adj(X509_getm_notAfter(cert), 365 * DAY);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const guchar *)address, -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    X509_add_ext(cert, extension, -1);
    X509_sign(cert, key, EVP_sha256());
    int length = i2d_X509(cert, &der);
    GBytes *bytes = g_bytes_new(der, (gsize)length);
    OPENSSL_free(der);
    X509_EXTENSION_free(extension);
    X509_free(cert);
    return bytes;
}

static void read_one(const Box *box, guint number, EVP_PKEY *key, GPtrArray *keys)
{
    const SealOrigin origin = {
        .size = sizeof origin, .source = "bench", .place = "bench", .trust = SEAL_TRUST_MANUAL};
    char address[32];

    make_address(number, address);
    g_autoptr(GBytes) der = make_certificate(address, key, number);
    if (!box->format->read(box->smime, der, &origin, keys, NULL))
        g_error("%s: not read", address);
}

static void fill(const Box *box, guint count)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    g_autoptr(GError) error = NULL;
    guint added;

    for (guint begun = 0; begun < count; begun += BATCH) {
        g_autoptr(GPtrArray) keys = keys_new();

        for (guint i = begun; i < MIN(begun + BATCH, count); i++)
            read_one(box, i, key, keys);
        if (!box->source->put(box->store, keys, &added, &error))
            g_error("%s", error->message);
    }
    EVP_PKEY_free(key);
}

static gint64 nanoseconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void ask_one(const Box *box, guint number, gint64 *by_clock, gint64 *by_processor)
{
    g_autoptr(GPtrArray) keys = keys_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *doubt = NULL;
    char text[32];

    make_address(number, text);
    g_autoptr(SealAddress) address = seal_address_parse(text, NULL);
    gint64 begun = nanoseconds(CLOCK_MONOTONIC), used = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    if (!box->source->lookup(box->store, address, "smime", box->source->trust, NULL, keys, &doubt,
                             &error))
        g_error("%s", error->message);
    *by_processor = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - used;
    *by_clock = nanoseconds(CLOCK_MONOTONIC) - begun;
    if (keys->len != 1 || doubt)
        g_error("%s: %u keys; %s", text, keys->len, doubt ? doubt : "");
}

static int compare(const void *a, const void *b)
{
    const gint64 one = *(const gint64 *)a, other = *(const gint64 *)b;

    return one < other ? -1 : one > other;
}

static guint64 resident(void)
{
    g_autofree char *text = NULL;

    g_file_get_contents("/proc/self/statm", &text, NULL, NULL);
    return g_ascii_strtoull(text ? strchr(text, ' ') : "0", NULL, 10) *
           (guint64)sysconf(_SC_PAGESIZE);
}

static void ask(const Box *box, guint count, guint times)
{
    g_autofree gint64 *took = g_new(gint64, times), *used = g_new(gint64, times);

    for (guint i = 0; i < times; i++)
        ask_one(box, (guint)g_random_int_range(0, (gint32)count), &took[i], &used[i]);
    qsort(took, times, sizeof *took, compare);
    qsort(used, times, sizeof *used, compare);
    g_print("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT
            "\n",
            took[times / 2], used[times / 2], used[times * 99 / 100], resident());
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    Box box;

    if (argc < 4)
        g_error("usage: store CONF fill COUNT | ask COUNT TIMES");
    g_autoptr(SealDispatcher) dispatcher = seal_dispatcher_new(argv[1], NULL, &error);
    if (!dispatcher)
        g_error("%s", error->message);
    box.source = seal_dispatcher_source(dispatcher, "store", &box.store);
    box.format = seal_dispatcher_format(dispatcher, "smime", &box.smime);
    if (!box.source || !box.format)
        g_error("there is no store, or no smime");
    if (g_str_equal(argv[2], "fill"))
        fill(&box, (guint)atoi(argv[3]));
    else
        ask(&box, (guint)atoi(argv[3]), (guint)atoi(argv[4]));
    return 0;
}
