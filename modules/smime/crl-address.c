/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl-address.c: addresses that are not the public's (RFC 6890): what a certificate names must not
 * make us ask the organisation's own machines.
 */
#include "crl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

typedef struct {
    guint32 net;
    guint bits;
    const char *kind;
} Net4;

static const Net4 NETS4[] = {
    {0x00000000, 8, "an address of this network"},
    {0x0a000000, 8, "a private address"},
    {0x64400000, 10, "an address behind a carrier's NAT"},
    {0x7f000000, 8, "a loopback address"},
    {0xa9fe0000, 16, "a link-local address"},
    {0xac100000, 12, "a private address"},
    {0xc0000000, 24, "a reserved address"},
    {0xc0000200, 24, "an address for examples"},
    {0xc0586300, 24, "a reserved address"},
    {0xc0a80000, 16, "a private address"},
    {0xc6120000, 15, "an address for measurements"},
    {0xc6336400, 24, "an address for examples"},
    {0xcb007100, 24, "an address for examples"},
    {0xe0000000, 4, "a multicast address"},
    {0xf0000000, 4, "a reserved address"},
};

typedef struct {
    guint8 net[8];
    guint bits; /* 64 at most */
    const char *kind;
} Net6;

static const Net6 NETS6[] = {
    {{0xfe, 0x80}, 10, "a link-local address"},
    {{0xfe, 0xc0}, 10, "a site-local address"},
    {{0xfc}, 7, "a unique local address"},
    {{0xff}, 8, "a multicast address"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "an address for examples"},
    {{0x20, 0x01}, 23, "a reserved address"}, /* Teredo's among them */
    {{0x20, 0x02}, 16, "an address that leads through a tunnel"},
    {{0x3f, 0xff}, 20, "an address for examples"},
};

static const char *inside4(guint32 address)
{
    for (guint i = 0; i < G_N_ELEMENTS(NETS4); i++) {
        if (((address ^ NETS4[i].net) >> (32 - NETS4[i].bits)) == 0)
            return NETS4[i].kind;
    }
    return NULL;
}

static gboolean begins_with_bits(const guint8 *address, const guint8 *net, guint bits)
{
    guint octets = bits / 8, rest = bits % 8;

    return memcmp(address, net, octets) == 0 &&
           (rest == 0 || ((address[octets] ^ net[octets]) >> (8 - rest)) == 0);
}

static const char *inside6(const guint8 *address)
{
    static const guint8 zeros[12] = {0}, mapped[12] = {[10] = 0xff, [11] = 0xff},
                        translated[12] = {0x00, 0x64, 0xff, 0x9b};
    guint32 last;

    memcpy(&last, address + 12, sizeof last);
    last = ntohl(last);
    if (memcmp(address, mapped, 12) == 0 || memcmp(address, translated, 12) == 0)
        return inside4(last);
    if (memcmp(address, zeros, 12) == 0)
        return last == 1 ? "a loopback address" : "a reserved address";
    for (guint i = 0; i < G_N_ELEMENTS(NETS6); i++) {
        if (begins_with_bits(address, NETS6[i].net, NETS6[i].bits))
            return NETS6[i].kind;
    }
    return (address[0] & 0xe0) == 0x20 ? NULL : "a reserved address";
}

const char *smime_address_inside(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return inside4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    if (address->sa_family == AF_INET6)
        return inside6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return "no address of the internet";
}

/* What somebody else may undo an encoding of, or may read as an address, is none. */
static gboolean is_name(const char *host)
{
    const char *last = strrchr(host, '.');

    last = last ? last + 1 : host;
    return *last && *host != '.' && !strstr(host, "..") &&
           host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0' &&
           last[strspn(last, "0123456789")] != '\0' &&
           !(g_str_has_prefix(last, "0x") &&
             last[2 + strspn(last + 2, "0123456789abcdef")] == '\0');
}

/* RFC 6761 6.3, and what Debian's /etc/hosts has. */
static gboolean is_local_name(const char *host)
{
    static const char *const names[] = {"localhost", "localhost.localdomain", "ip6-localhost",
                                        "ip6-loopback", NULL};

    return g_strv_contains(names, host) || g_str_has_suffix(host, ".localhost");
}

const char *smime_host_inside(const char *host)
{
    struct in6_addr six;
    struct in_addr four;
    g_autofree char *name = g_ascii_strdown(host, -1);

    if (g_str_has_suffix(name, "."))
        name[strlen(name) - 1] = '\0';
    /* "127.1" and "0x7f000001" as well. */
    if (inet_aton(name, &four))
        return inside4(ntohl(four.s_addr));
    if (inet_pton(AF_INET6, name, &six) == 1)
        return inside6(six.s6_addr);
    if (!is_name(name))
        return "neither a plain name nor an address";
    return is_local_name(name) ? "a loopback address" : NULL;
}
