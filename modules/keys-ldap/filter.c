/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keys-ldap.h"

#include <string.h>

/* What of the template stands for the address. */
static const char WILDCARDS[] = "ald";

gboolean ldap_template_check(const char *filter, const char **why)
{
    gboolean names = FALSE;
    int depth = 0;

    *why = "it must be one expression in parentheses (RFC 4515), such as (mail=%a)";
    if (*filter != '(')
        return FALSE;
    for (const char *at = filter; *at; at++) {
        if (depth == 0 && at != filter)
            return FALSE;
        if (*at == '%' && at[1] != '%' && !(at[1] && strchr(WILDCARDS, at[1]))) {
            *why = "behind % stands a, l or d, or another %";
            return FALSE;
        }
        names = names || (*at == '%' && (at[1] == 'a' || at[1] == 'l'));
        at += *at == '%';
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
    }
    if (depth != 0)
        return FALSE;
    *why = "the address must be in it, as %a, or its local part as %l";
    return names;
}

/* Any octet may be escaped: so are all but those that mean nothing anywhere. */
static void append_escaped(GString *text, const char *value)
{
    for (; *value; value++) {
        if (g_ascii_isalnum(*value) || strchr("@.-_", *value))
            g_string_append_c(text, *value);
        else
            g_string_append_printf(text, "\\%02x", (guint8)*value);
    }
}

char *ldap_template_fill(const char *filter, const SealAddress *address)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (const char *at = filter; *at; at++) {
        if (*at != '%') {
            g_string_append_c(text, *at);
            continue;
        }
        at++;
        if (*at == 'a')
            append_escaped(text, seal_address_text(address));
        else if (*at == 'l')
            append_escaped(text, seal_address_local(address));
        else if (*at == 'd')
            append_escaped(text, seal_address_domain(address));
        else
            g_string_append_c(text, *at);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Presence, or any octets; two of these in a row are none of RFC 4515's. */
static void append_any(GString *text)
{
    if (text->len == 0 || text->str[text->len - 1] != '*')
        g_string_append_c(text, '*');
}

char *ldap_template_fill_any(const char *filter)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (const char *at = filter; *at; at++) {
        gboolean wild = *at == '*' || (*at == '%' && at[1] != '%');

        at += *at == '%';
        if (wild)
            append_any(text);
        else
            g_string_append_c(text, *at);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
