/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * known.c: the fields and armour headers that mail programs write around ciphertext.
 * What is known passes as a whole; all else could be somebody's text, and is none of what may
 * stand there. What machines make up (boundaries, ids) is bounded and has no blanks.
 */
#include "core/sealed/known.h"

#include "core/mail/entity.h"

#include <string.h>

enum {
    MAX_VALUE = 600,
    MAX_BOUNDARY = 70, /* RFC 2046 5.1.1 */
    MAX_BOUNDARY_WORDS = 4,
    MAX_NAME_WORDS = 10,
    MAX_SMALL_WORDS = 5,
    MAX_ID = 130,
    MAX_NUMBER = 15,
    MAX_NUMBERS = 2,
};

static gboolean is_among(const char *text, const char *const *list)
{
    for (; *list; list++) {
        if (g_ascii_strcasecmp(text, *list) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean consists_of(const char *text, const char *set, gsize least, gsize most)
{
    gsize length = strlen(text);

    return length >= least && length <= most && strspn(text, set) == length;
}

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* -------------------------------------------------------------------------------------------
 * Armour headers
 */

/* What the names of programs are made of. Numbers stand among them. */
static const char *const VERSION_WORDS[] = {"GnuPG",
                                            "GnuPG/MacGPG2",
                                            "(GNU/Linux)",
                                            "(Darwin)",
                                            "(MingW32)",
                                            "(Cygwin)",
                                            "(FreeBSD)",
                                            "(OpenBSD)",
                                            "(NetBSD)",
                                            "(SunOS)",
                                            "(Solaris)",
                                            "(AIX)",
                                            "(HP-UX)",
                                            "(Android)",
                                            "(Windows)",
                                            "MacGPG2",
                                            "Gpg4win",
                                            "GPGTools",
                                            "OpenPGP.js",
                                            "OpenPGP",
                                            "Mailvelope",
                                            "BCPG",
                                            "C#",
                                            "PGP",
                                            "Desktop",
                                            "Universal",
                                            "Command",
                                            "Line",
                                            "Encryption",
                                            "Server",
                                            "Symantec",
                                            "(Build",
                                            "Build",
                                            "NetPGP",
                                            "NetPGP/9",
                                            "APG",
                                            "iPGMail",
                                            "OpenKeychain",
                                            "FlowCrypt",
                                            "Gmail",
                                            "Email",
                                            "Browser",
                                            "Extension",
                                            "Keybase",
                                            "Go",
                                            "ProtonMail",
                                            "Proton",
                                            "Mail",
                                            "GopenPGP",
                                            "Canary",
                                            "Hush",
                                            "PGPfreeware",
                                            "for",
                                            "non-commercial",
                                            "use",
                                            "<http://www.pgp.com>",
                                            "not",
                                            "licensed",
                                            "commercial",
                                            "use:",
                                            "www.pgp.com",
                                            "-",
                                            "rnp",
                                            "RNP",
                                            "Sequoia",
                                            "sequoia-openpgp",
                                            "sq",
                                            "Thunderbird",
                                            "Enigmail",
                                            "Kleopatra",
                                            "Horde",
                                            "Crypt_GPG",
                                            "SecureBlackbox",
                                            "EldoS",
                                            "CryptoPro",
                                            "PGPainless",
                                            "Evolution",
                                            "K-9",
                                            "Posteo",
                                            "unknown",
                                            "beta",
                                            "alpha",
                                            NULL};

static const char *const COMMENTS[] = {"Using GnuPG with Thunderbird - https://www.enigmail.net/",
                                       "Using GnuPG with Thunderbird - http://www.enigmail.net/",
                                       "Using GnuPG with Thunderbird - http://enigmail.mozdev.org/",
                                       "Using GnuPG with Mozilla - http://enigmail.mozdev.org/",
                                       "Using GnuPG with Mozilla - http://enigmail.mozdev.org",
                                       "Using GnuPG with Icedove - http://www.enigmail.net/",
                                       "Using GnuPG with Icedove - https://www.enigmail.net/",
                                       "Using GnuPG with SeaMonkey - https://www.enigmail.net/",
                                       "Using GnuPG with SeaMonkey - http://www.enigmail.net/",
                                       "Using GnuPG with undefined - http://www.enigmail.net/",
                                       "GPGTools - https://gpgtools.org",
                                       "GPGTools - http://gpgtools.org",
                                       "https://gpgtools.org",
                                       "http://openpgpjs.org",
                                       "https://openpgpjs.org",
                                       "https://www.mailvelope.com",
                                       "https://protonmail.com",
                                       "https://flowcrypt.com",
                                       "Seamlessly send and receive encrypted email",
                                       "https://keybase.io/crypto",
                                       "https://keybase.io/download",
                                       "For info see http://www.gnupg.org",
                                       "gpg4o",
                                       NULL};

/* A version: "v2", "2.0.22", "(2.20)", "1672)". */
static gboolean is_number(const char *word)
{
    word += *word == '(';
    word += *word == 'v' || *word == 'V';
    return g_ascii_isdigit(*word) && consists_of(word, DIGITS ".)-abrc", 1, MAX_NUMBER);
}

static gboolean is_version(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    guint numbers = 0;

    for (guint i = 0; words[i]; i++) {
        if (is_number(words[i]))
            numbers++;
        else if (words[i][0] && !is_among(words[i], VERSION_WORDS))
            return FALSE;
    }
    return numbers <= MAX_NUMBERS && g_strv_length(words) <= 12;
}

static gboolean is_charset(const char *value)
{
    static const char *const fronts[] = {"iso-8859-", "windows-125", "koi8-", NULL};
    static const char *const whole[] = {"utf-8",       "us-ascii", "utf8",   "ascii",   "gb2312",
                                        "iso-2022-jp", "big5",     "euc-kr", "gb18030", NULL};

    if (is_among(value, whole))
        return TRUE;
    for (guint i = 0; fronts[i]; i++) {
        gsize length = strlen(fronts[i]);

        if (g_ascii_strncasecmp(value, fronts[i], length) == 0)
            return consists_of(value + length, DIGITS "ruRU", 1, 2);
    }
    return FALSE;
}

gboolean seal_known_armor_header(const char *line, gsize length)
{
    g_autofree char *text = g_strndup(line, length);
    char *colon = strlen(text) == length ? strchr(text, ':') : NULL;

    if (!colon)
        return FALSE;
    *colon = '\0';
    char *value = g_strstrip(colon + 1);
    if (g_str_equal(text, "Version"))
        return is_version(value);
    if (g_str_equal(text, "Comment"))
        return is_among(value, COMMENTS);
    return g_str_equal(text, "Charset") && is_charset(value);
}

gboolean seal_known_is_prose(const char *name, gsize length)
{
    guint words = 0, small = 0;
    gboolean inside = FALSE;

    for (gsize i = 0; i < length; i++) {
        gboolean begins = !inside && name[i] != ' ';

        words += begins;
        small += begins && g_ascii_islower(name[i]);
        inside = name[i] != ' ';
        if (i + 1 < length && strchr(";!?", name[i]) && name[i] && name[i + 1] == ' ')
            return TRUE;
    }
    return words > MAX_NAME_WORDS || small > MAX_SMALL_WORDS;
}

/* -------------------------------------------------------------------------------------------
 * Parameters
 */

/* "encrypted.asc", "msg.asc", "smime.p7m", "ATT00001.bin". */
static gboolean is_filename(const char *value)
{
    static const char *const whole[] = {"PGPMIME version identification",
                                        "PGPMIME Versions Identification",
                                        "PGP/MIME version identification",
                                        "PGP/MIME Versions Identification",
                                        "OpenPGP encrypted message.asc",
                                        "GPG_MIME_Version.txt",
                                        "Version.txt",
                                        NULL};
    static const char *const stems[] = {"encrypted",
                                        "message",
                                        "msg",
                                        "mail",
                                        "email",
                                        "smime",
                                        "openpgp-encrypted-message",
                                        "openpgp_encrypted_message",
                                        "openpgp",
                                        "pgpmime",
                                        "pgp",
                                        "gpg",
                                        "gpgol",
                                        "attachment",
                                        "noname",
                                        "unnamed",
                                        "untitled",
                                        "mime-attachment",
                                        "signature",
                                        "version",
                                        "att",
                                        "part",
                                        "encrypted_message",
                                        "encrypted-message",
                                        "winmail",
                                        "",
                                        NULL};
    static const char *const ends[] = {"asc", "pgp", "gpg", "p7m", "p7s", "bin",
                                       "dat", "txt", "ver", "eml", NULL};
    const char *dot = strrchr(value, '.');

    if (is_among(value, whole))
        return TRUE;
    if (dot && !is_among(dot + 1, ends))
        return FALSE;
    g_autofree char *stem = g_strndup(value, dot ? (gsize)(dot - value) : strlen(value));
    gsize length = strlen(stem), digits = 0;
    while (digits < 6 && digits < length && g_ascii_isdigit(stem[length - 1 - digits]))
        digits++;
    stem[length - digits] = '\0';
    return is_among(stem, stems);
}

/* Of three letters or more, of which the first alone may be a capital. Letters that are hexadecimal
 * digits alone are none: of a random number many may stand together. */
static gboolean is_word(const char *start, gsize length)
{
    for (gsize i = 1; i < length; i++) {
        if (!g_ascii_islower(start[i]))
            return FALSE;
    }
    return length >= 3 && strspn(start, "ABCDEFabcdef") < length;
}

static guint count_words(const char *text)
{
    guint words = 0;

    while (*text) {
        gsize length = strspn(text, LETTERS);

        words += is_word(text, length);
        text += length > 0 ? length : 1;
    }
    return words;
}

/* Made up by a program, maybe with some words in it. */
static gboolean is_boundary(const char *value)
{
    return consists_of(value, DIGITS LETTERS "'()+_,-./:=?", 1, MAX_BOUNDARY) &&
           count_words(value) <= MAX_BOUNDARY_WORDS;
}

static gboolean is_date(const char *value)
{
    return g_regex_match_simple("^[A-Z][a-z]{2}, [0-9 ]?[0-9] [A-Z][a-z]{2} [0-9]{4} "
                                "[0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|[+-][0-9]{4})$",
                                value, 0, 0);
}

static gboolean is_size(const char *value)
{
    return consists_of(value, DIGITS, 1, MAX_NUMBER);
}

static gboolean is_protocol(const char *value)
{
    return g_ascii_strcasecmp(value, "application/pgp-encrypted") == 0;
}

static gboolean is_smime_type(const char *value)
{
    static const char *const types[] = {"enveloped-data",  "authEnveloped-data", "signed-data",
                                        "compressed-data", "certs-only",         NULL};

    return is_among(value, types);
}

static gboolean is_mode(const char *value)
{
    return consists_of(value, "01234567", 3, 6);
}

static gboolean is_mac_code(const char *value)
{
    return consists_of(value, DIGITS "ABCDEFabcdef", 8, 8);
}

static gboolean is_format(const char *value)
{
    static const char *const formats[] = {"flowed", "fixed", "yes", "no", NULL};

    return is_among(value, formats);
}

typedef gboolean (*IsKnown)(const char *value);

typedef struct {
    const char *name;
    IsKnown is_known;
} Known;

static const Known PARAMETERS[] = {{"boundary", is_boundary},
                                   {"name", is_filename},
                                   {"filename", is_filename},
                                   {"protocol", is_protocol},
                                   {"smime-type", is_smime_type},
                                   {"charset", is_charset},
                                   {"format", is_format},
                                   {"delsp", is_format},
                                   {"size", is_size},
                                   {"creation-date", is_date},
                                   {"modification-date", is_date},
                                   {"read-date", is_date},
                                   {"x-unix-mode", is_mode},
                                   {"x-mac-type", is_mac_code},
                                   {"x-mac-creator", is_mac_code},
                                   {NULL, NULL}};

static IsKnown find_known(const Known *list, const char *name)
{
    for (; list->name; list++) {
        if (g_ascii_strcasecmp(name, list->name) == 0)
            return list->is_known;
    }
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * Values
 */

static const char TOKEN[] = DIGITS LETTERS "!#$%&'*+-.^_`{|}~/";

/* A token, or a string in quotes without escapes; *@at goes behind it. (transfer full) */
static char *take_word(const char **at)
{
    gsize length;

    if (**at == '"') {
        length = strcspn(*at + 1, "\"\\");
        if ((*at)[1 + length] != '"')
            return NULL;
        char *word = g_strndup(*at + 1, length);
        *at += length + 2;
        return word;
    }
    /* Some write "=" and the like without the quotes that it needs. */
    length = strspn(*at, TOKEN);
    while (length > 0 && (*at)[length] && strchr("=?:", (*at)[length]))
        length += 1 + strspn(*at + length + 1, TOKEN);
    if (length == 0)
        return NULL;
    char *word = g_strndup(*at, length);
    *at += length;
    return word;
}

static void skip_blanks(const char **at)
{
    *at += strspn(*at, " \t");
}

static gboolean take_parameter(const char **at, guint *seen)
{
    gsize length = strspn(*at, DIGITS LETTERS "-");
    g_autofree char *name = g_strndup(*at, length);

    *at += length;
    skip_blanks(at);
    if (*(*at)++ != '=')
        return FALSE;
    skip_blanks(at);
    g_autofree char *value = take_word(at);
    for (guint i = 0; value && PARAMETERS[i].name; i++) {
        if (g_ascii_strcasecmp(name, PARAMETERS[i].name) != 0)
            continue;
        gboolean again = *seen & 1u << i;
        *seen |= 1u << i;
        return !again && PARAMETERS[i].is_known(value);
    }
    return FALSE;
}

/* One of @list, and parameters: no comments, no extensions, each name once. */
static gboolean is_structured(const char *value, const char *const *list)
{
    const char *at = value;
    gsize length = strspn(at, TOKEN);
    g_autofree char *main = g_strndup(at, length);
    guint seen = 0;

    if (!is_among(main, list))
        return FALSE;
    at += length;
    for (;;) {
        skip_blanks(&at);
        if (*at == '\0')
            return TRUE;
        if (*at++ != ';')
            return FALSE;
        skip_blanks(&at);
        if (*at && *at != ';' && !take_parameter(&at, &seen))
            return FALSE;
    }
}

static gboolean is_type(const char *value)
{
    static const char *const types[] = {"multipart/encrypted",
                                        "multipart/mixed",
                                        "application/pgp-encrypted",
                                        "application/octet-stream",
                                        "application/pkcs7-mime",
                                        "application/x-pkcs7-mime",
                                        "text/plain",
                                        NULL};

    return is_structured(value, types);
}

static gboolean is_disposition(const char *value)
{
    static const char *const dispositions[] = {"inline", "attachment", NULL};

    return is_structured(value, dispositions);
}

static gboolean is_encoding(const char *value)
{
    static const char *const encodings[] = {"7bit", "8bit", "binary", "base64", "quoted-printable",
                                            NULL};

    return is_among(value, encodings);
}

static gboolean is_description(const char *value)
{
    static const char *const descriptions[] = {"PGP/MIME version identification",
                                               "PGP/MIME Versions Identification",
                                               "PGPMIME version identification",
                                               "PGP/MIME version",
                                               "OpenPGP encrypted message",
                                               "OpenPGP encrypted message.asc",
                                               "OpenPGP/MIME encrypted message",
                                               "PGP/MIME encrypted message",
                                               "PGP encrypted message",
                                               "PGP Encrypted Message",
                                               "OpenPGP Message",
                                               "PGP Key Control",
                                               "PGP/MIME Encrypted Data",
                                               "PGP Encrypted Data",
                                               "This is an encrypted message part",
                                               "Encrypted message",
                                               "Encrypted data",
                                               "encrypted.asc",
                                               "S/MIME Encrypted Message",
                                               "S/MIME encrypted message",
                                               "S/MIME Encrypted Data",
                                               "smime.p7m",
                                               NULL};

    return is_among(value, descriptions);
}

/* A number of a machine's, at a host. */
static gboolean is_id(const char *value)
{
    const char *at = strchr(value, '@');

    if (value[0] != '<' || !at || strlen(value) > MAX_ID)
        return FALSE;
    g_autofree char *local = g_strndup(value + 1, (gsize)(at - value) - 1);
    g_autofree char *host = g_strdup(at + 1);
    gsize length = strlen(host);
    if (length < 2 || host[length - 1] != '>')
        return FALSE;
    host[length - 1] = '\0';
    return consists_of(local, DIGITS "ABCDEFabcdef.-$", 1, 64) &&
           consists_of(host, DIGITS LETTERS ".-", 1, 64);
}

/* "en-US", "de, en". */
static gboolean is_language(const char *value)
{
    return g_regex_match_simple("^[A-Za-z]{2,3}(-[A-Za-z]{2,4})?(, ?[A-Za-z]{2,3}(-[A-Za-z]{2,4})?)"
                                "{0,2}$",
                                value, 0, 0);
}

static gboolean is_class(const char *value)
{
    static const char *const classes[] = {"urn:content-classes:message", NULL};

    return is_among(value, classes);
}

static gboolean is_mime_version(const char *value)
{
    return g_str_equal(value, "1.0");
}

static const Known FIELDS[] = {{"Content-Type", is_type},
                               {"Content-Transfer-Encoding", is_encoding},
                               {"Content-Disposition", is_disposition},
                               {"Content-Description", is_description},
                               {"Content-ID", is_id},
                               {"Content-Language", is_language},
                               {"Content-Class", is_class},
                               {"Content-Length", is_size},
                               {NULL, NULL}};

static const char *check_field(const SealHeader *header, const SealField *field, gboolean is_part)
{
    const char *block = g_bytes_get_data(header->block, NULL);
    g_autofree char *name = g_strndup(block + field->offset, field->name_length);
    IsKnown is_known = find_known(FIELDS, name);

    if (is_part && g_ascii_strcasecmp(name, "MIME-Version") == 0)
        is_known = is_mime_version;
    if (!is_known)
        return "it has a header field that has no place beside ciphertext";
    if (seal_header_count(header, name) > 1)
        return "it has a header field twice";

    g_autofree char *value =
        field->length <= MAX_VALUE ? g_strstrip(seal_field_value(header, field)) : NULL;
    return value && is_known(value)
               ? NULL
               : "a header field has a value that no mail program writes beside ciphertext";
}

const char *seal_known_fields(SealEntity *entity, gboolean is_part)
{
    const SealHeader *header = seal_entity_header(entity);
    const char *fault = seal_entity_is_unclear(entity) || header->block_end == header->body_offset
                            ? "its header can be read in two ways"
                            : NULL;

    for (guint i = 0; i < header->fields->len && !fault; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (is_part || seal_field_is_content(header, field))
            fault = check_field(header, field, is_part);
    }
    return fault;
}
