/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * senders.c: the table of logins. One entry a line: a key, which may be quoted, a colon or blanks,
 * and a value, which goes on in lines that begin with a blank. A line that begins with # says
 * nothing, wherever it stands.
 */
#include "senders.h"

#include <string.h>

enum {
    MAX_TABLE = 4 * 1024 * 1024,
    MAX_KEY = 1024,
};

#define BLANKS    " \t"
#define SEPARATES " \t,"

/* -------------------------------------------------------------------------------------------
 * Authors
 */

struct Authors {
    GHashTable *mailboxes; /* keys of addresses, without subaddress */
    GHashTable *domains;   /* in lower case, as A-labels */
};

Authors *authors_new(void)
{
    Authors *authors = g_new0(Authors, 1);

    authors->mailboxes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    authors->domains = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return authors;
}

void authors_free(Authors *authors)
{
    if (!authors)
        return;
    g_hash_table_unref(authors->mailboxes);
    g_hash_table_unref(authors->domains);
    g_free(authors);
}

static char *mailbox_of(const SealAddress *address)
{
    g_autoptr(SealAddress) plain = seal_address_without_detail(address);

    return g_strdup(seal_address_key(plain ? plain : address));
}

gboolean authors_add(Authors *authors, const char *text, GError **error)
{
    gboolean is_domain = *text == '@';
    g_autofree char *whole = is_domain ? g_strconcat("x", text, NULL) : g_strdup(text);
    g_autoptr(SealAddress) address = seal_address_parse(whole, error);

    if (!address)
        return FALSE;
    if (is_domain)
        g_hash_table_add(authors->domains, g_strdup(seal_address_domain(address)));
    else
        g_hash_table_add(authors->mailboxes, mailbox_of(address));
    return TRUE;
}

gboolean authors_has_any(const Authors *authors)
{
    return g_hash_table_size(authors->mailboxes) + g_hash_table_size(authors->domains) > 0;
}

gboolean authors_have(const Authors *authors, const SealAddress *author)
{
    g_autofree char *mailbox = mailbox_of(author);

    return g_hash_table_contains(authors->mailboxes, mailbox) ||
           g_hash_table_contains(authors->domains, seal_address_domain(author));
}

/* -------------------------------------------------------------------------------------------
 * The table
 */

struct Senders {
    GHashTable *logins; /* of Authors, by login */
};

/* What is being read. */
typedef struct {
    Senders *senders;
    Authors *authors; /* of the entry that was begun last; NULL before the first (borrowed) */
    guint line;
    GError **error;
} Reading;

static gboolean reading_refuse(const Reading *reading, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean reading_refuse(const Reading *reading, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(reading->error, SEAL_ERROR, SEAL_ERROR_CONFIG, "line %u: %s", reading->line, text);
    return FALSE;
}

/* Authors, with commas or blanks between them. */
static gboolean read_value(const Reading *reading, const char *text)
{
    g_autoptr(GError) problem = NULL;

    for (text += strspn(text, SEPARATES); *text; text += strspn(text, SEPARATES)) {
        gsize length = strcspn(text, SEPARATES);
        g_autofree char *word = g_strndup(text, length);

        text += length;
        if (!authors_add(reading->authors, word, &problem))
            return reading_refuse(reading, "an address or @domain was expected: %s",
                                  problem->message);
    }
    return TRUE;
}

/* From behind the quotation mark to behind the next; NULL where there is none, or a backslash
 * before something that it means something else for than for us. */
static const char *read_quoted(const char *text, GString *key)
{
    for (; *text && *text != '"'; text++) {
        if (*text == '\\' && text[1] != '"' && text[1] != '\\')
            return NULL;
        text += *text == '\\';
        g_string_append_c(key, *text);
    }
    return *text ? text + 1 : NULL;
}

static const char *read_key(const Reading *reading, const char *text, GString *key)
{
    const char *end = text + strcspn(text, ": \t");

    if (*text != '"') {
        g_string_append_len(key, text, end - text);
    } else if (!(end = read_quoted(text + 1, key)) || (*end && !strchr(": \t", *end))) {
        reading_refuse(reading,
                       "a login in quotation marks ends with one, and has \\ before \" and "
                       "\\ alone");
        return NULL;
    }
    if (key->len == 0 || key->len > MAX_KEY) {
        reading_refuse(reading, "a login of 1 to %d octets was expected", MAX_KEY);
        return NULL;
    }
    end += strspn(end, BLANKS);
    return *end == ':' ? end + 1 : end;
}

static gboolean read_entry(Reading *reading, const char *text)
{
    g_autoptr(GString) key = g_string_new(NULL);
    const char *value = read_key(reading, text, key);

    if (!value)
        return FALSE;
    if (g_hash_table_contains(reading->senders->logins, key->str))
        return reading_refuse(reading, "the login \"%s\" stands in the table twice", key->str);
    reading->authors = authors_new();
    g_hash_table_insert(reading->senders->logins, g_strdup(key->str), reading->authors);
    return read_value(reading, value);
}

static gboolean read_line(Reading *reading, const char *text)
{
    const char *first = text + strspn(text, BLANKS);

    if (*first == '\0' || *text == '#')
        return TRUE;
    if (first == text)
        return read_entry(reading, text);
    return reading->authors ? read_value(reading, first)
                            : reading_refuse(reading, "a login was expected before what goes on");
}

Senders *senders_parse(const char *text, gsize size, GError **error)
{
    g_autoptr(Senders) senders = g_new0(Senders, 1);
    Reading reading = {.senders = senders, .error = error};
    const char *end = text + size;

    senders->logins =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)authors_free);
    while (text < end) {
        const char *stop = memchr(text, '\n', (gsize)(end - text));
        gsize length = (gsize)((stop ? stop : end) - text);
        g_autofree char *line = g_strndup(text, length);

        reading.line++;
        if (memchr(text, '\0', length)) {
            reading_refuse(&reading, "text was expected, and there is an octet of zeros");
            return NULL;
        }
        if (!read_line(&reading, g_strchomp(line)))
            return NULL;
        text += length + 1;
    }
    return g_steal_pointer(&senders);
}

Senders *senders_read(const char *path, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) bytes = seal_file_read(path, MAX_TABLE, error);

    if (!bytes)
        return NULL;

    gsize size = 0;
    const char *text = g_bytes_get_data(bytes, &size);
    Senders *senders = senders_parse(text ? text : "", size, &problem);
    if (!senders)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "%s, %s", path, problem->message);
    return senders;
}

void senders_free(Senders *senders)
{
    if (!senders)
        return;
    g_hash_table_unref(senders->logins);
    g_free(senders);
}

guint senders_count(const Senders *senders)
{
    return g_hash_table_size(senders->logins);
}

const Authors *senders_find(const Senders *senders, const char *login)
{
    return g_hash_table_lookup(senders->logins, login);
}
