/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key.c: what a key is made of, for those who read it and for those who have it judged.
 */
#include "key.h"

#include <string.h>

static void clear_vouched(gpointer vouched)
{
    g_free(((PgpVouched *)vouched)->address);
}

PgpJudgement *pgp_judgement_new(void)
{
    PgpJudgement *judgement = g_new0(PgpJudgement, 1);

    judgement->references = 1;
    judgement->subkeys = g_array_new(FALSE, FALSE, sizeof(PgpJudgedSubkey));
    judgement->addresses = g_ptr_array_new_with_free_func(g_free);
    judgement->vouched = g_array_new(FALSE, FALSE, sizeof(PgpVouched));
    g_array_set_clear_func(judgement->vouched, clear_vouched);
    return judgement;
}

PgpJudgement *pgp_judgement_ref(PgpJudgement *judgement)
{
    judgement->references++;
    return judgement;
}

void pgp_judgement_unref(PgpJudgement *judgement)
{
    if (!judgement || --judgement->references > 0)
        return;
    g_array_unref(judgement->subkeys);
    g_ptr_array_unref(judgement->addresses);
    g_array_unref(judgement->vouched);
    if (judgement->own_free)
        judgement->own_free(judgement->own);
    g_free(judgement);
}

PgpKey *pgp_key_new(void)
{
    PgpKey *key = g_new0(PgpKey, 1);

    key->octets = g_byte_array_new();
    key->subkeys = g_array_new(FALSE, FALSE, sizeof(PgpSubkey));
    key->addresses = g_ptr_array_new_with_free_func(g_free);
    key->bound_until = g_array_new(FALSE, FALSE, sizeof(gint64));
    key->valid_until = G_MAXINT64;
    return key;
}

void pgp_key_free(PgpKey *key)
{
    if (!key)
        return;
    g_byte_array_unref(key->octets);
    g_clear_pointer(&key->bare, g_byte_array_unref);
    g_array_unref(key->subkeys);
    g_ptr_array_unref(key->addresses);
    g_array_unref(key->bound_until);
    g_free(key->label);
    g_free(key->unsupported);
    pgp_judgement_unref(key->judgement);
    g_free(key->digest);
    g_free(key);
}

const char *pgp_key_digest(PgpKey *key)
{
    if (!key->digest)
        key->digest =
            g_compute_checksum_for_data(G_CHECKSUM_SHA256, key->octets->data, key->octets->len);
    return key->digest;
}

/* -------------------------------------------------------------------------------------------
 * Parts of it
 */

/* One of a key's packets. */
typedef struct {
    guint8 tag;
    guint8 over; /* of a signature: the tag of what it is over */
    const guint8 *data;
    gsize length;
} Packet;

/* Goes to the one at *@at, as ring.c has written it. */
static gboolean next_packet(const PgpKey *key, gsize *at, Packet *packet)
{
    if (*at >= key->octets->len)
        return FALSE;
    const guint8 *head = key->octets->data + *at;
    packet->tag = head[0] & 0x3f;
    packet->data = head + PGP_HEAD;
    packet->length = pgp_number(head + 2);
    *at += PGP_HEAD + packet->length;
    if (packet->tag != PGP_TAG_SIGNATURE)
        packet->over = packet->tag;
    return TRUE;
}

static void copy_packet(GByteArray *to, const Packet *packet)
{
    g_byte_array_append(to, packet->data - PGP_HEAD, (guint)(PGP_HEAD + packet->length));
}

/* Takes the issuer of a signature over a user id. */
static gboolean read_issuer(const Packet *packet, guint8 *issuer)
{
    PgpSignature signature;

    if (packet->tag != PGP_TAG_SIGNATURE || packet->over != PGP_TAG_USER_ID ||
        !pgp_signature_read(&signature, packet->data, packet->length))
        return FALSE;
    memcpy(issuer, signature.issuer, PGP_KEY_ID);
    return TRUE;
}

/* Of a subkey, or of a signature over it. */
static gboolean is_of_unknown(const Packet *packet, gboolean *unknown)
{
    if (packet->tag == PGP_TAG_PUBLIC_SUBKEY)
        *unknown = !pgp_is_known(packet->data[0], packet->data[5]);
    return packet->over == PGP_TAG_PUBLIC_SUBKEY && *unknown;
}

static gboolean is_by_another(const PgpKey *key, const Packet *packet)
{
    guint8 issuer[PGP_KEY_ID];

    if (!read_issuer(packet, issuer))
        return FALSE;
    g_autofree char *id = seal_text_hex(issuer, sizeof issuer);
    return !g_str_equal(id, pgp_key_primary(key)->id);
}

GByteArray *pgp_key_bare(PgpKey *key)
{
    Packet packet = {0};
    gboolean unknown = FALSE;

    if (key->bare)
        return key->bare;
    key->bare = g_byte_array_new();
    for (gsize at = 0; next_packet(key, &at, &packet);) {
        if (!is_by_another(key, &packet) && !is_of_unknown(&packet, &unknown))
            copy_packet(key->bare, &packet);
    }
    return key->bare;
}

GByteArray *pgp_key_own(const PgpKey *key)
{
    GByteArray *own = g_byte_array_new();
    Packet packet = {0};

    for (gsize at = 0; next_packet(key, &at, &packet);) {
        if (!is_by_another(key, &packet))
            copy_packet(own, &packet);
    }
    return own;
}

GByteArray *pgp_key_names(const PgpKey *key)
{
    GByteArray *names = g_byte_array_new();
    Packet packet = {0};

    for (gsize at = 0; next_packet(key, &at, &packet);) {
        if (packet.over != PGP_TAG_PUBLIC_SUBKEY)
            copy_packet(names, &packet);
    }
    return names;
}

gboolean pgp_key_is_certified_by(const PgpKey *key, const GByteArray *ids)
{
    guint8 issuer[PGP_KEY_ID];
    Packet packet = {0};

    for (gsize at = 0; next_packet(key, &at, &packet);) {
        if (!read_issuer(&packet, issuer))
            continue;
        for (guint i = 0; i < ids->len; i += PGP_KEY_ID) {
            if (memcmp(ids->data + i, issuer, PGP_KEY_ID) == 0)
                return TRUE;
        }
    }
    return FALSE;
}

const PgpSubkey *pgp_key_primary(const PgpKey *key)
{
    return &g_array_index(key->subkeys, PgpSubkey, 0);
}

char *pgp_user_id_address(const char *text)
{
    const char *open = strrchr(text, '<');
    const char *close = open ? strchr(open, '>') : NULL;
    g_autofree char *inner = NULL;

    if (open && close && close[1] == '\0')
        inner = g_strndup(open + 1, (gsize)(close - open - 1));
    else if (!open && !strpbrk(text, " \t"))
        inner = g_strdup(text);
    if (!inner || !strchr(inner, '@'))
        return NULL;
    g_autoptr(SealAddress) address = seal_address_parse(inner, NULL);
    return address ? g_steal_pointer(&inner) : NULL;
}

gboolean pgp_is_known(guint8 version, guint8 algorithm)
{
    static const guint8 known[] = {1, 2, 3, 16, 17, 18, 19, 22};

    return version == 4 && memchr(known, algorithm, sizeof known);
}

char *pgp_algorithm_name(guint8 algorithm)
{
    static const struct {
        guint8 number;
        const char *name;
    } names[] = {
        {8, "Kyber"},
        {25, "X25519"},
        {26, "X448"},
        {27, "Ed25519"},
        {28, "Ed448"},
        {30, "ML-DSA-65+Ed25519"},
        {31, "ML-DSA-87+Ed448"},
        {32, "SLH-DSA-SHAKE-128s"},
        {33, "SLH-DSA-SHAKE-128f"},
        {34, "SLH-DSA-SHAKE-256s"},
        {35, "ML-KEM-768+X25519"},
        {36, "ML-KEM-1024+X448"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (names[i].number == algorithm)
            return g_strdup_printf("%s (algorithm %u)", names[i].name, algorithm);
    }
    return g_strdup_printf("algorithm %u", algorithm);
}
