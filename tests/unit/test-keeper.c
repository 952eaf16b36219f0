/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-keeper.c: the process that keeps private keys, asked by somebody who means no good: what is
 * not exactly a request is refused, and the next one is answered.
 */
#include "test-smime-pki.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_RECORD = 8192, PATIENCE_S = 60 };

/* A server of one RSA key that signs and encrypts, and its socket. */
typedef struct {
    Smime smime;
    pid_t pid;
    int socket;
} Fixture;

static void fixture_open(Fixture *fixture)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    g_autoptr(X509) ca = pki_ca("Test CA", NULL);
    g_autoptr(X509) cert = pki_signer("alice@example.org", "RSA", ca);
    g_autoptr(GError) error = NULL;
    int pair[2];

    smime_prepare(&fixture->smime);
    g_autoptr(GBytes) pem = pki_bundle(pki_other_key("RSA"), cert, NULL);
    g_autofree char *path = smime_write_secret(&fixture->smime, "key.pem", pem);
    g_autofree char *text = g_strdup_printf("[core]\nlog_target=%s/log\n[module smime]\n"
                                            "server_keys=%s\n",
                                            fixture->smime.dir, path);
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));
    g_autofree char *file = smime_write(&fixture->smime, "conf.d/10-test.conf", data);
    g_autofree char *conf = g_path_get_dirname(file);
    SealKeeper *keeper = seal_keeper_open(conf, NULL, &error);
    g_assert_no_error(error);

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
    fixture->pid = fork();
    if (fixture->pid == 0) {
        close(pair[0]);
        seal_keeper_serve(keeper, pair[1]);
        _exit(0);
    }
    close(pair[1]);
    seal_keeper_free(keeper);
    fixture->socket = pair[0];
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

/* It ends by itself, and well. */
static void fixture_close(Fixture *fixture)
{
    int status;

    close(fixture->socket);
    g_assert_cmpint(waitpid(fixture->pid, &status, 0), ==, fixture->pid);
    g_assert_cmpint(status, ==, 0);
    smime_end(&fixture->smime);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, fixture_close)

/* -------------------------------------------------------------------------------------------
 * Records, written by hand
 */

static void put_number(GByteArray *record, guint32 number)
{
    const guint8 octets[] = {(guint8)number, (guint8)(number >> 8), (guint8)(number >> 16),
                             (guint8)(number >> 24)};

    g_byte_array_append(record, octets, sizeof octets);
}

static void put_octets(GByteArray *record, const void *octets, gsize length)
{
    put_number(record, (guint32)length);
    if (length)
        g_byte_array_append(record, octets, (guint)length);
}

static GByteArray *begin(char letter, const char *name, guint32 key, guint32 scheme, guint32 hash)
{
    GByteArray *record = g_byte_array_new();

    g_byte_array_append(record, (const guint8 *)&letter, 1);
    put_octets(record, name, strlen(name));
    put_number(record, key);
    put_number(record, scheme);
    put_number(record, hash);
    return record;
}

static const guint8 DIGEST[128] = {0x5a};

static GByteArray *signing(const char *name, guint32 key, guint32 scheme, guint32 hash,
                           gsize length)
{
    GByteArray *record = begin('S', name, key, scheme, hash);

    put_octets(record, DIGEST, length);
    return record;
}

static GByteArray *unwrapping(guint32 scheme, gsize length)
{
    static const guint8 number[256] = {0x11, 0x22};
    GByteArray *record = begin('U', "smime", 0, scheme, SEAL_HASH_SHA256);

    put_octets(record, number, sizeof number);
    put_octets(record, NULL, 0);
    put_octets(record, NULL, 0);
    put_number(record, 0);
    put_number(record, (guint32)length);
    return record;
}

/* The size of the answer. Takes @record over. */
static gssize ask(const Fixture *fixture, GByteArray *record, guint8 *answer)
{
    g_assert_cmpint(send(fixture->socket, record->data, record->len, MSG_NOSIGNAL), ==,
                    record->len);
    g_byte_array_unref(record);
    return recv(fixture->socket, answer, MAX_RECORD, 0);
}

/* Takes @record over. */
static void assert_refused(const Fixture *fixture, GByteArray *record, const char *why)
{
    guint8 answer[MAX_RECORD + 1];
    gssize size = ask(fixture, record, answer);

    g_assert_cmpint(size, >, 1);
    g_assert_cmpuint(answer[0], ==, 1);
    answer[size] = '\0';
    g_assert_nonnull(strstr((const char *)answer + 1, why));
}

static void assert_signs(const Fixture *fixture)
{
    guint8 answer[MAX_RECORD];
    gssize size =
        ask(fixture, signing("smime", 0, SEAL_SIGN_RSA_PKCS1, SEAL_HASH_SHA256, 32), answer);

    g_assert_cmpint(size, ==, 1 + 256);
    g_assert_cmpuint(answer[0], ==, 0);
}

/* -------------------------------------------------------------------------------------------
 * Tests
 */

static void test_signing(void)
{
    static const char malformed[] = "the request is malformed", other[] = "not its own",
                      missing[] = "not there";
    g_auto(Fixture) fixture;

    fixture_open(&fixture);
    assert_signs(&fixture);
    /* Raw RSA would be a digest of any length under no hash; SHA-1 and MD5 have 20 and 16. */
    for (guint32 hash = 0; hash < 8; hash++) {
        gsize right = seal_hash_length(hash);

        for (gsize length = 0; length <= sizeof DIGEST; length++) {
            if (!right || length != right)
                assert_refused(&fixture, signing("smime", 0, SEAL_SIGN_RSA_PKCS1, hash, length),
                               malformed);
        }
    }
    assert_refused(&fixture, signing("smime", 0, 0, SEAL_HASH_SHA256, 32), other);
    assert_refused(&fixture, signing("smime", 0, SEAL_SIGN_ECDSA, SEAL_HASH_SHA256, 32), other);
    assert_refused(&fixture, signing("smime", 0, 4, SEAL_HASH_SHA256, 32), other);
    assert_refused(&fixture, signing("smime", 0, G_MAXUINT32, SEAL_HASH_SHA256, 32), other);
    assert_refused(&fixture, signing("smime", 1, 1, SEAL_HASH_SHA256, 32), missing);
    assert_refused(&fixture, signing("smime", G_MAXUINT32, 1, SEAL_HASH_SHA256, 32), missing);
    assert_refused(&fixture, signing("pgp", 0, 1, SEAL_HASH_SHA256, 32), malformed);
    assert_refused(&fixture, signing("", 0, 1, SEAL_HASH_SHA256, 32), malformed);
    assert_refused(&fixture, signing("smimes", 0, 1, SEAL_HASH_SHA256, 32), malformed);
    assert_signs(&fixture);
}

/* Nothing behind a request, and nothing less than one. */
static void test_malformed(void)
{
    g_auto(Fixture) fixture;
    g_autoptr(GByteArray) whole = signing("smime", 0, 1, SEAL_HASH_SHA256, 32);

    fixture_open(&fixture);
    for (guint size = 1; size < whole->len; size++) {
        GByteArray *part = g_byte_array_new();

        g_byte_array_append(part, whole->data, size);
        assert_refused(&fixture, part, "malformed");
    }
    GByteArray *more = signing("smime", 0, 1, SEAL_HASH_SHA256, 32);
    g_byte_array_append(more, DIGEST, 1);
    assert_refused(&fixture, more, "malformed");
    for (guint letter = 0; letter < 256; letter++) {
        GByteArray *other = signing("smime", 0, 1, SEAL_HASH_SHA256, 32);

        other->data[0] = (guint8)letter;
        if (letter != 'S')
            assert_refused(&fixture, other, letter == 'U' ? "no inbound" : "malformed");
    }
    assert_signs(&fixture);
}

/* Where no pipeline opens mail, no content key is given to anybody. */
static void test_unwrapping(void)
{
    g_auto(Fixture) fixture;

    fixture_open(&fixture);
    for (guint32 scheme = 0; scheme < 5; scheme++) {
        for (gsize length = 0; length < 40; length++)
            assert_refused(&fixture, unwrapping(scheme, length), "no inbound pipeline");
    }
    assert_signs(&fixture);
}

/* Octets at random, and right requests with some of them: no answer but to what is one. */
static void test_noise(void)
{
    g_auto(Fixture) fixture;
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261129);
    guint signatures = 0;

    fixture_open(&fixture);
    for (guint i = 0; i < 5000; i++) {
        GByteArray *record =
            i % 2 ? signing("smime", 0, 1, SEAL_HASH_SHA256, 32) : g_byte_array_new();
        guint8 answer[MAX_RECORD];

        if (i % 2 == 0)
            g_byte_array_set_size(record, (guint)g_rand_int_range(rand, 1, MAX_RECORD));
        for (guint k = 0; k < (i % 2 ? 2 : record->len); k++)
            record->data[i % 2 ? g_rand_int_range(rand, 0, (gint32)record->len) : (gint32)k] =
                (guint8)g_rand_int_range(rand, 0, 256);
        gssize size = ask(&fixture, record, answer);
        g_assert_cmpint(size, >, 0);
        g_assert_cmpuint(answer[0], <=, 1);
        if (answer[0] == 0) {
            g_assert_cmpint(size, ==, 257);
            signatures++;
        }
    }
    /* Two octets of another digest make a right request of another digest. */
    g_assert_cmpuint(signatures, >, 0);
    g_assert_cmpuint(signatures, <, 2500);
    assert_signs(&fixture);
}

/* What is no record of ours ends it: another one is started with the next worker. */
static void assert_ends(gsize size)
{
    g_auto(Fixture) fixture;
    g_autofree guint8 *record = g_malloc0(size + 1);
    guint8 answer[16];

    fixture_open(&fixture);
    record[0] = 'S';
    g_assert_cmpint(send(fixture.socket, record, size, MSG_NOSIGNAL), ==, size);
    g_assert_cmpint(recv(fixture.socket, answer, sizeof answer, 0), ==, 0);
}

static void test_ends(void)
{
    assert_ends(0);
    assert_ends(MAX_RECORD + 1);
    assert_ends(100000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keeper/signing", test_signing);
    g_test_add_func("/keeper/malformed", test_malformed);
    g_test_add_func("/keeper/unwrapping", test_unwrapping);
    g_test_add_func("/keeper/noise", test_noise);
    g_test_add_func("/keeper/ends", test_ends);
    return g_test_run();
}
