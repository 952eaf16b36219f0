/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * file.c: the licence as a file: lines of text in one order, and a signature of all of them below.
 */
#include "license.h"

#include <string.h>

#define FIRST_LINE "Sealpipe licence 1\n"
#define SIGNATURE  "signature: "

enum {
    SIGNATURE_TEXT = LICENSE_BASE64_SIZE(crypto_sign_BYTES),
    SIGNATURE_LINE = sizeof SIGNATURE - 1 + SIGNATURE_TEXT + 1,
    MAX_TEXT = 200, /* octets of a licensee or an id */
    MAX_COVERS = 1000,
    MAX_SENDERS = 10000,
    /* A sixth extension is for the trial's rules to refuse, with their reason. */
    MAX_TRIAL = 1000,
    MAX_SHOWN = 60, /* octets of what was found, in an error */
};

const char *const LICENSE_KINDS[] = {"evaluation",  "commercial", "community",
                                     "open-source", "startup",    NULL};

gboolean license_is_evaluation(const License *license)
{
    return g_str_equal(license->kind, "evaluation");
}

/* -------------------------------------------------------------------------------------------
 * Values
 */

static gboolean is_kind(const char *text)
{
    return g_strv_contains(LICENSE_KINDS, text);
}

/* One line of text for people: printable, nothing at its ends that cannot be seen. */
static gboolean is_line(const char *text)
{
    gsize length = strlen(text);
    g_autofree char *line = seal_text_line(text, length, MAX_TEXT);

    return length > 0 && length <= MAX_TEXT && *text != ' ' && text[length - 1] != ' ' &&
           g_str_equal(line, text);
}

static gboolean is_id(const char *text)
{
    gsize length = strlen(text);

    return length > 0 && length <= MAX_TEXT &&
           strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-") == length;
}

static gboolean is_installation(const char *text)
{
    gsize length = strlen(text);

    return length == 2 * LICENSE_ID_SIZE && strspn(text, G_CSET_DIGITS "abcdef") == length;
}

/* An address, or @domain, or @.domain, as core writes them. */
static gboolean is_cover(const char *text)
{
    const char *rest = *text == '@' ? text + (text[1] == '.' ? 2 : 1) : NULL;
    g_autofree char *whole = rest ? g_strconcat("x@", rest, NULL) : g_strdup(text);
    g_autoptr(SealAddress) address = seal_address_parse(whole, NULL);

    return address && !strchr(text, ';') && g_str_equal(seal_address_text(address), whole);
}

static gboolean is_covers(const char *text)
{
    g_auto(GStrv) covers = g_strsplit(text, ";", MAX_COVERS + 1);

    for (char **cover = covers; *cover; cover++) {
        if (!is_cover(*cover))
            return FALSE;
    }
    return *covers && g_strv_length(covers) <= MAX_COVERS;
}

/* -------------------------------------------------------------------------------------------
 * Fields: one table, by which a licence is read, written, shown and freed
 */

typedef enum {
    FIELD_TEXT,
    FIELD_NUMBER, /* from 1 on */
    FIELD_DAY,
    FIELD_LAST_DAY, /* which is part of it; or "never" */
} FieldType;

typedef struct {
    const char *name;
    FieldType type;
    gboolean optional;
    gsize member;                            /* of License */
    gboolean (*is_proper)(const char *text); /* a text */
    gint64 most;                             /* a number */
    const char *expected;
} Field;

#define MEMBER(name) G_STRUCT_OFFSET(License, name)

/* In this order. */
static const Field FIELDS[] = {
    {"kind", FIELD_TEXT, FALSE, MEMBER(kind), is_kind, 0,
     "evaluation, commercial, community, open-source or startup"},
    {"licensee", FIELD_TEXT, FALSE, MEMBER(licensee), is_line, 0,
     "a name in one line of at most 200 octets, without blanks around it"},
    {"id", FIELD_TEXT, FALSE, MEMBER(id), is_id, 0, "at most 200 letters, digits and hyphens"},
    {"issued", FIELD_DAY, FALSE, MEMBER(issued), NULL, 0, "a day as YYYY-MM-DD"},
    {"valid-until", FIELD_LAST_DAY, FALSE, MEMBER(valid_until), NULL, 0,
     "a day as YYYY-MM-DD, or never"},
    {"covers", FIELD_TEXT, TRUE, MEMBER(covers), is_covers, 0,
     "at most 1000 addresses, @domain or @.domain, domains in lower case, with ; between them"},
    {"max-senders", FIELD_NUMBER, TRUE, MEMBER(max_senders), NULL, MAX_SENDERS,
     "a number from 1 to 10000"},
    {"trial", FIELD_NUMBER, TRUE, MEMBER(trial), NULL, MAX_TRIAL, "a number from 1 to 1000"},
    {"installation", FIELD_TEXT, TRUE, MEMBER(installation), is_installation, 0,
     "32 hexadecimal digits in lower case"},
};

void license_free(License *license)
{
    for (guint i = 0; license && i < G_N_ELEMENTS(FIELDS); i++) {
        if (FIELDS[i].type == FIELD_TEXT)
            g_free(G_STRUCT_MEMBER(char *, license, FIELDS[i].member));
    }
    g_free(license);
}

static gboolean parse_number(const Field *field, const char *text, gint64 *number)
{
    *number = g_ascii_strtoll(text, NULL, 10);

    /* In one spelling. */
    g_autofree char *again = g_strdup_printf("%" G_GINT64_FORMAT, *number);
    return g_str_equal(again, text) && *number >= 1 && *number <= field->most;
}

static gboolean parse_last_day(const char *text, gint64 *time)
{
    *time = G_MAXINT64;
    if (g_str_equal(text, "never"))
        return TRUE;
    if (!seal_text_parse_day(text, time))
        return FALSE;
    *time += LICENSE_DAY - 1;
    return TRUE;
}

static gboolean parse_value(const Field *field, const char *text, License *license)
{
    gpointer member = G_STRUCT_MEMBER_P(license, field->member);

    switch (field->type) {
    case FIELD_TEXT:
        *(char **)member = g_strdup(text);
        return field->is_proper(text);
    case FIELD_NUMBER:
        return parse_number(field, text, member);
    case FIELD_DAY:
        return seal_text_parse_day(text, member);
    case FIELD_LAST_DAY:
        return parse_last_day(text, member);
    }
    return FALSE;
}

/* @found: the line where @field was expected. */
static gboolean fail_field(const Field *field, const char *found, GError **error)
{
    g_autofree char *line = seal_text_line(found, strcspn(found, "\n"), MAX_SHOWN);

    return license_fail(error, SEAL_ERROR_KEY, "expected \"%s: \" and %s, found \"%s\"",
                        field->name, field->expected, line);
}

gboolean license_set(License *license, const char *name, const char *text, GError **error)
{
    const Field *field = FIELDS;

    while (!g_str_equal(field->name, name))
        field++;
    return parse_value(field, text, license) || fail_field(field, text, error);
}

/* (transfer full) NULL where it is not set. */
static char *format_value(const Field *field, const License *license)
{
    gconstpointer member = G_STRUCT_MEMBER_P(license, field->member);
    gint64 number;

    switch (field->type) {
    case FIELD_TEXT:
        return g_strdup(*(char *const *)member);
    case FIELD_NUMBER:
        number = *(const gint64 *)member;
        return number ? g_strdup_printf("%" G_GINT64_FORMAT, number) : NULL;
    case FIELD_DAY:
    case FIELD_LAST_DAY:
        return seal_text_day(*(const gint64 *)member);
    }
    return NULL;
}

void license_show(const License *license, SealOut *out)
{
    for (guint i = 0; i < G_N_ELEMENTS(FIELDS); i++) {
        g_autofree char *key = g_strdelimit(g_strdup(FIELDS[i].name), "-", '_');
        g_autofree char *value = format_value(&FIELDS[i], license);

        if (value && FIELDS[i].type == FIELD_NUMBER)
            seal_out_number(out, key, G_STRUCT_MEMBER(gint64, license, FIELDS[i].member));
        else if (value)
            seal_out_text(out, key, "%s", value);
    }
}

/* What one field cannot say of another. */
static gboolean check_whole(const License *license, GError **error)
{
    gboolean evaluation = license_is_evaluation(license);
    g_autofree char *issued = seal_text_day(license->issued);
    g_autofree char *until = seal_text_day(license->valid_until);

    if (license->valid_until < license->issued)
        return license_fail(error, SEAL_ERROR_KEY,
                            "it ends before it is issued: valid-until is %s, and issued is %s",
                            until, issued);
    if (evaluation && (!license->trial || !license->installation))
        return license_fail(error, SEAL_ERROR_KEY,
                            "an evaluation licence names a trial and an installation, and this one "
                            "has no field \"%s\"",
                            license->trial ? "installation" : "trial");
    if (evaluation && license->valid_until == G_MAXINT64)
        return license_fail(error, SEAL_ERROR_KEY,
                            "an evaluation licence has to end, and this one is valid for ever");
    if (!evaluation && license->trial)
        return license_fail(error, SEAL_ERROR_KEY,
                            "only an evaluation licence may name a trial, and this one is of the "
                            "kind \"%s\"",
                            license->kind);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

/* Takes the line "NAME: VALUE" from the front of @text, where it is that. (transfer full) */
static char *take_field(const char **text, const char *name)
{
    const char *end = strchr(*text, '\n');
    gsize length = strlen(name);

    if (!end || !g_str_has_prefix(*text, name) || !g_str_has_prefix(*text + length, ": "))
        return NULL;

    const char *value = *text + length + 2;
    *text = end + 1;
    return g_strndup(value, (gsize)(end - value));
}

static gboolean read_field(const Field *field, const char **text, License *license, GError **error)
{
    const char *line = *text;
    g_autofree char *value = take_field(text, field->name);

    return (value ? parse_value(field, value, license) : field->optional) ||
           fail_field(field, line, error);
}

static License *parse_license(const char *text, GError **error)
{
    g_autoptr(License) license = g_new0(License, 1);

    text += strlen(FIRST_LINE);
    for (guint i = 0; i < G_N_ELEMENTS(FIELDS); i++) {
        if (!read_field(&FIELDS[i], &text, license, error))
            return NULL;
    }
    if (*text) {
        g_autofree char *line = seal_text_line(text, strcspn(text, "\n"), MAX_SHOWN);
        license_fail(error, SEAL_ERROR_KEY,
                     "expected the signature behind its fields, found \"%s\"", line);
        return NULL;
    }
    return check_whole(license, error) ? g_steal_pointer(&license) : NULL;
}

/* The last line is the signature of all before it: *@length octets. */
static gboolean check_signature(const char *text, gsize size, const guint8 *public_key,
                                gsize *length, GError **error)
{
    guint8 signature[crypto_sign_BYTES];

    /* An empty file may have no octets to point to. */
    if (size == 0)
        return license_fail(error, SEAL_ERROR_KEY, "it is empty, and not a licence of sealpipe");
    if (size > LICENSE_MAX_FILE)
        return license_fail(error, SEAL_ERROR_KEY, "it is larger than 64 KiB");
    if (memchr(text, '\0', size))
        return license_fail(error, SEAL_ERROR_KEY, "it is not text: it has a NUL in it");
    if (size < strlen(FIRST_LINE) || memcmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0)
        return license_fail(error, SEAL_ERROR_KEY,
                            "it is not a licence of sealpipe: it does not begin with the line "
                            "\"Sealpipe licence 1\"");

    const char *line = size < SIGNATURE_LINE ? text : text + size - SIGNATURE_LINE;
    if (line == text || line[-1] != '\n' || memcmp(line, SIGNATURE, strlen(SIGNATURE)) != 0 ||
        text[size - 1] != '\n' ||
        !license_decode_octets(line + strlen(SIGNATURE), SIGNATURE_TEXT, signature,
                               sizeof signature))
        return license_fail(error, SEAL_ERROR_KEY,
                            "it does not end with its signature, a line of 64 octets in base64");
    *length = (gsize)(line - text);
    if (crypto_sign_verify_detached(signature, (const guint8 *)text, *length, public_key) != 0)
        return license_fail(error, SEAL_ERROR_KEY,
                            "its signature is not that of the public key here: it was altered, or "
                            "is another issuer's");
    return TRUE;
}

License *license_read(const guint8 *data, gsize size, const guint8 *public_key, GError **error)
{
    gsize length = 0;

    if (!check_signature((const char *)data, size, public_key, &length, error))
        return NULL;
    g_autofree char *text = g_strndup((const char *)data, length);
    return parse_license(text, error);
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static char *format_license(const License *license)
{
    GString *text = g_string_new(FIRST_LINE);

    for (guint i = 0; i < G_N_ELEMENTS(FIELDS); i++) {
        g_autofree char *value = format_value(&FIELDS[i], license);

        if (value)
            g_string_append_printf(text, "%s: %s\n", FIELDS[i].name, value);
    }
    return g_string_free(text, FALSE);
}

char *license_write(const License *license, const guint8 *secret_key, GError **error)
{
    g_autofree char *text = format_license(license);
    guint8 signature[crypto_sign_BYTES];
    g_autoptr(License) again = parse_license(text, error);

    if (!again)
        return NULL;
    if (strlen(text) + SIGNATURE_LINE > LICENSE_MAX_FILE) {
        license_fail(error, SEAL_ERROR_KEY, "it is larger than 64 KiB");
        return NULL;
    }
    crypto_sign_detached(signature, NULL, (const guint8 *)text, strlen(text), secret_key);
    g_autofree char *encoded = license_encode_octets(signature, sizeof signature);
    return g_strconcat(text, SIGNATURE, encoded, "\n", NULL);
}

/* -------------------------------------------------------------------------------------------
 * Who it covers
 */

static gboolean cover_has(const char *cover, const SealAddress *sender)
{
    const char *domain = seal_address_domain(sender);

    if (*cover != '@') {
        g_autoptr(SealAddress) address = seal_address_parse(cover, NULL);
        return address && seal_address_equal(address, sender);
    }
    if (cover[1] == '.')
        return g_str_has_suffix(domain, cover + 1) && strlen(domain) > strlen(cover + 1);
    return g_str_equal(domain, cover + 1);
}

gboolean license_covers(const License *license, const SealAddress *sender)
{
    g_auto(GStrv) covers = license->covers ? g_strsplit(license->covers, ";", -1) : NULL;

    for (char **cover = covers; cover && *cover; cover++) {
        if (cover_has(*cover, sender))
            return TRUE;
    }
    return covers == NULL;
}
