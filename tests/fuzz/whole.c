/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * whole.c: fuzzes a message's whole way: a configuration, recipients and a message in; encrypt is
 * required. Whatever leaves has nothing of the body outside a ciphertext: the body gets a marker, a
 * new one for each input, that is looked for in all that comes out.
 *
 * The first octets choose: the way, the recipients and who hands in, where in the body the marker
 * goes, and how it is written there. The rest is the message.
 */
#include "fuzz.h"

#include "tests/unit/test-smime-pki.h"

#include <stdlib.h>
#include <string.h>

enum { FRONT = 5, MARKER = 24, ALIGNMENTS = 3 };

#define REQUIRED "encrypt=required\n"

/* [policy], and what follows it. None lets anything out in clear but the report of a problem, which
 * has nothing of the message. By the last one, which is the shipped rule, the addresses and hosts
 * of a delivery report may leave in clear. */
static const char *const WAYS[] = {
    REQUIRED,
    REQUIRED "already_sealed=wrap\nalready_signed=wrap\n",
    REQUIRED "already_sealed=refuse\nfallback=report\n",
    REQUIRED "fallback=report\nsign=preferred\n",
    REQUIRED "sign=required\nalready_signed=keep\n",
    REQUIRED "sign=required\nalready_signed=wrap\nalready_sealed=wrap\n",
    REQUIRED "all_or_none=true\nencrypt_to_sender=true\n",
    REQUIRED "[rule tag]\nmatch_tag=[secret]\nfallback=report\n"
             "[rule word]\nmatch_header=Subject: *word*\nalready_sealed=refuse\n",
    REQUIRED "[rule part]\nmatch_part=*.exe;text/html\nmatch_from=carol@*\nfallback=report\n"
             "[rule size]\nmatch_size=>1K\nsign=preferred\n",
    REQUIRED
    "[rule bounces]\nmatch_sender=<>\n"
    "match_part=message/delivery-status;message/global-delivery-status\nreduce_bounces=true\n",
};
enum { N_WAYS = G_N_ELEMENTS(WAYS), BOUNCES = N_WAYS - 1 };

typedef struct {
    Smime smime[N_WAYS];
    X509 *ca, *alice, *bob, *carol;
} World;

static World world;

/* -------------------------------------------------------------------------------------------
 * The configurations
 */

static void put_certificate(Smime *smime, const char *name, X509 *cert)
{
    g_autoptr(GBytes) pem = pki_pem(cert);

    g_free(smime_write(smime, name, pem));
}

static void open_way(guint way)
{
    Smime *smime = &world.smime[way];
    g_autoptr(GBytes) own = pki_bundle(pki_other_key("P-256"), world.carol, NULL);
    g_autoptr(GError) error = NULL;

    smime_prepare(smime);
    put_certificate(smime, "ca.pem", world.ca);
    put_certificate(smime, "certs/alice.pem", world.alice);
    put_certificate(smime, "certs/bob.pem", world.bob);
    g_free(smime_write_secret(smime, "keys/carol.pem", own));

    g_autofree char *settings =
        g_strdup_printf("trust_anchors=%s/ca.pem\nserver_keys=%s/keys", smime->dir, smime->dir);
    g_autofree char *more =
        g_strdup_printf("[module keys-file]\npaths=%s/certs\n[module sign]\ntrust_from=true\n"
                        "[pipeline]\noutbound=sign;smime\n[policy]\n%s",
                        smime->dir, WAYS[way]);
    smime_open_with(smime, settings, more, &error);
    g_assert_no_error(error);
}

static void tear_down(void)
{
    for (guint i = 0; i < N_WAYS; i++) {
        if (world.smime[i].dispatcher)
            smime_end(&world.smime[i]);
    }
    X509_free(world.ca);
    X509_free(world.alice);
    X509_free(world.bob);
    X509_free(world.carol);
}

static void set_up(void)
{
    g_setenv("SEALPIPE_MODULES", FUZZ_MODULES, TRUE);
    world.ca = pki_ca("Fuzz", NULL);
    world.alice = pki_person("alice@example.org", "RSA", NULL, world.ca);
    world.bob = pki_person("bob@example.org", "P-256", CAP_AES256_GCM, world.ca);
    world.carol = pki_signer("carol@example.org", "P-256", world.ca);
    atexit(tear_down);
}

static SealDispatcher *dispatcher_of(guint way)
{
    if (!world.ca)
        set_up();
    if (!world.smime[way].dispatcher)
        open_way(way);
    return world.smime[way].dispatcher;
}

/* -------------------------------------------------------------------------------------------
 * The marker. It depends on the input, which therefore cannot have it: what stands in a ciphertext
 * that the input brings along is no leak.
 */

static char *make_marker(const uint8_t *data, size_t size)
{
    g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, size);

    /* Two words: no address, and no name of a host. */
    sum[MARKER / 2] = ' ';
    sum[MARKER] = '\0';
    return g_steal_pointer(&sum);
}

/* A line of its own, in the middle of one, in base64, or between bare CRs. */
static char *write_marker(const char *marker, guint how)
{
    g_autofree char *base64 = g_base64_encode((const guchar *)marker, MARKER);

    switch (how % 4) {
    case 0:
        return g_strconcat("\n", marker, "\n", NULL);
    case 1:
        return g_strdup(marker);
    case 2:
        return g_strconcat("\n", base64, "\n", NULL);
    default:
        return g_strconcat("\r", marker, "\r", NULL);
    }
}

/* The header is the sender's to show; all behind it is the body. NULL: it is no message. */
static SealContent *mark_body(const uint8_t *data, size_t size, guint place, const char *text)
{
    g_autoptr(SealContent) content = fuzz_content(data, size);
    g_autoptr(SealMessage) message = seal_message_new(content, NULL);

    if (!message)
        return NULL;
    guint64 body = seal_content_size(seal_entity_body(seal_message_entity(message)));
    guint64 at = size - body + body * place / 65535;
    g_autoptr(SealContent) front = fuzz_content(data, at);
    /* Behind a header that nothing follows it would be a part of that. */
    g_autofree char *apart = g_strconcat(body > 0 ? "" : "\n\n", text, NULL);
    g_autoptr(SealContent) marker = fuzz_content((const uint8_t *)apart, strlen(apart));
    g_autoptr(SealContent) back = fuzz_content(data + at, size - at);
    g_autoptr(SealContent) both = seal_content_join(front, marker);
    return seal_content_join(both, back);
}

/* As a reader might put it together: without line ends, soft ones too. */
static GByteArray *flatten(SealContent *content)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(content, G_MAXSSIZE, NULL);
    gsize size = 0;
    const char *from = g_bytes_get_data(bytes, &size);
    GByteArray *flat = g_byte_array_sized_new((guint)size);

    for (gsize i = 0; i < size; i++) {
        gboolean soft =
            from[i] == '=' && i + 1 < size && (from[i + 1] == '\n' || from[i + 1] == '\r');

        if (!soft && from[i] != '\r' && from[i] != '\n')
            g_byte_array_append(flat, (const guint8 *)from + i, 1);
    }
    return flat;
}

static void assert_absent(const GByteArray *flat, const char *text, gsize size)
{
    g_assert_null(memmem(flat->data, flat->len, text, size));
}

/* In base64 the octets before it shift it; the characters that depend on its neighbours are left
 * out. */
static void assert_hidden(SealContent *content, const char *marker)
{
    g_autoptr(GByteArray) flat = flatten(content);

    assert_absent(flat, marker, MARKER);
    for (guint shift = 0; shift < ALIGNMENTS; shift++) {
        guint8 shifted[MARKER + ALIGNMENTS - 1] = {0};
        memcpy(shifted + shift, marker, MARKER);
        g_autofree char *base64 = g_base64_encode(shifted, MARKER + shift);
        const gsize skip = shift ? 4 : 0, last = strlen(base64) - 4;

        assert_absent(flat, base64 + skip, last - skip);
    }
}

/* -------------------------------------------------------------------------------------------
 * The result
 */

static guint deliveries_of(SealJob *job, SealRecipient *recipient)
{
    GPtrArray *deliveries = seal_job_deliveries(job);
    guint count = 0;

    for (guint i = 0; i < deliveries->len; i++)
        count += g_ptr_array_find(seal_delivery_recipients(g_ptr_array_index(deliveries, i)),
                                  recipient, NULL);
    return count;
}

/* Each has an end, and exactly one message where the end is one that leaves. */
static void check_recipient(SealJob *job, SealRecipient *recipient, gboolean bounces)
{
    switch (seal_recipient_result(recipient)) {
    case SEAL_VERDICT_PLAIN:
        g_assert_true(bounces);
        G_GNUC_FALLTHROUGH;
    case SEAL_VERDICT_SEALED:
    case SEAL_VERDICT_REPORT:
        g_assert_cmpuint(deliveries_of(job, recipient), ==, 1);
        break;
    case SEAL_VERDICT_REFUSE:
    case SEAL_VERDICT_DEFER:
        g_assert_cmpuint(deliveries_of(job, recipient), ==, 0);
        break;
    default:
        g_assert_not_reached();
    }
    fuzz_assert_one_line(seal_recipient_reason(recipient));
}

static void check_job(SealJob *job, const char *marker, gboolean one_output, gboolean bounces)
{
    GPtrArray *recipients = seal_job_recipients(job), *deliveries = seal_job_deliveries(job);

    for (guint i = 0; i < recipients->len; i++)
        check_recipient(job, g_ptr_array_index(recipients, i), bounces);
    if (one_output)
        g_assert_cmpuint(deliveries->len, <=, 1);
    for (guint i = 0; i < deliveries->len; i++) {
        SealDelivery *delivery = g_ptr_array_index(deliveries, i);
        assert_hidden(seal_delivery_content(delivery), marker);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const people[] = {"alice@example.org", "bob@example.org",
                                         "nobody@example.net"};
    const char *recipients[G_N_ELEMENTS(people) + 1] = {NULL};
    guint count = 0;

    if (size < FRONT)
        return 0;
    for (guint i = 0; i < G_N_ELEMENTS(people); i++) {
        if (data[1] & (1 << i))
            recipients[count++] = people[i];
    }
    g_autofree char *marker = make_marker(data, size);
    g_autofree char *text = write_marker(marker, data[4]);
    g_autoptr(SealContent) message =
        mark_body(data + FRONT, size - FRONT, ((guint)data[2] << 8) | data[3], text);
    if (!message || count == 0)
        return 0;

    const SealJobSpec spec = {
        .id = "fuzz",
        .sender = data[1] & 8 ? "" : "carol@example.org",
        .recipients = recipients,
        .message = message,
        .submitted = (data[1] & 16) != 0,
        .one_output = (data[1] & 32) != 0,
    };
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);
    g_assert_nonnull(job);
    const guint way = data[0] % N_WAYS;
    if (seal_dispatcher_run(dispatcher_of(way), job, NULL, NULL))
        check_job(job, marker, spec.one_output, way == BOUNCES);
    return 0;
}
