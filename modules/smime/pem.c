/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pem.c: finds PEM blocks (RFC 7468) among whatever else a file holds.
 */
#include "smime.h"

#include <string.h>

#define DASHES "-----"
#define BEGIN  "-----BEGIN "
#define END    "-----END "

enum { MAX_LABEL = 64 };

static const char *find(const char *at, const char *end, const char *what)
{
    return memmem(at, (gsize)(end - at), what, strlen(what));
}

/* Takes "LABEL-----" off the front; NULL where there is no such thing. */
static char *take_label(const char **at, const char *end)
{
    const char *stop = find(*at, MIN(end, *at + MAX_LABEL + strlen(DASHES)), DASHES);

    if (!stop || memchr(*at, '\n', (gsize)(stop - *at)))
        return NULL;
    char *label = g_strndup(*at, (gsize)(stop - *at));
    *at = stop + strlen(DASHES);
    return label;
}

static GBytes *decode(const char *text, gsize length)
{
    g_autofree guint8 *out = g_malloc(length / 4 * 3 + 6);
    gsize out_length = 0;
    SealBase64 base64 = {.may_have_blanks = TRUE};

    if (!seal_base64_decode(&base64, text, length, out, &out_length) ||
        !seal_base64_is_complete(&base64))
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&out), out_length);
}

/* Five dashes cannot stand in base64, so that the next ones end the block or show that its end is
 * missing; nothing is looked at twice. */
static GBytes *take_body(SmimePem *pem, const char *label)
{
    const char *dashes = find(pem->at, pem->end, DASHES);
    const char *body = pem->at;

    pem->at = dashes ? dashes : pem->end;
    if (!dashes || (gsize)(pem->end - dashes) < strlen(END) ||
        memcmp(dashes, END, strlen(END)) != 0)
        return NULL;

    pem->at += strlen(END);
    g_autofree char *ended = take_label(&pem->at, pem->end);
    if (g_strcmp0(ended, label) != 0)
        return NULL;
    return decode(body, (gsize)(dashes - body));
}

gboolean smime_pem_next(SmimePem *pem, char **label, GBytes **der)
{
    for (;;) {
        const char *begin = find(pem->at, pem->end, BEGIN);

        if (!begin)
            return FALSE;
        pem->at = begin + strlen(BEGIN);
        g_autofree char *name = take_label(&pem->at, pem->end);
        if (!name)
            continue;
        *der = take_body(pem, name);
        *label = g_steal_pointer(&name);
        return TRUE;
    }
}
