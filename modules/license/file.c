/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * file.c: the licence as a file: lines of text in one order, and a signature of all of them below.
 */
#include "license.h"

#include <string.h>

#define FIRST_LINE "Sealpipe licence 1\n"
#define SIGNATURE  "signature: "
/* Of 64 octets, with its padding. */
#define SIGNATURE_TEXT 88

const char *const LICENSE_KINDS[] = {"evaluation",  "commercial", "community",
                                     "open-source", "startup",    NULL};

void license_free(License *license)
{
    if (!license)
        return;
    g_free(license->kind);
    g_free(license->licensee);
    g_free(license->id);
    g_strfreev(license->covers);
    g_free(license->installation);
    g_free(license);
}

gboolean license_is_evaluation(const License *license)
{
    return g_str_equal(license->kind, "evaluation");
}

static gboolean invalid(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean invalid(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, text);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Fields
 */

/* One line of text for people: printable, nothing at its ends that cannot be seen. */
static gboolean is_line(const char *text)
{
    gsize length = strlen(text);

    if (length == 0 || length > LICENSE_MAX_TEXT || !g_utf8_validate(text, -1, NULL) ||
        *text == ' ' || text[length - 1] == ' ')
        return FALSE;
    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        if (!g_unichar_isprint(g_utf8_get_char(c)))
            return FALSE;
    }
    return TRUE;
}

static gboolean is_id(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!g_ascii_isalnum(*c) && *c != '-')
            return FALSE;
    }
    return *text && strlen(text) <= LICENSE_MAX_TEXT;
}

static gboolean is_installation(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!g_ascii_isdigit(*c) && !(*c >= 'a' && *c <= 'f'))
            return FALSE;
    }
    return strlen(text) == 2 * LICENSE_ID_SIZE;
}

/* An address, or @domain, or @.domain, as core writes them. */
static gboolean is_cover(const char *text)
{
    const char *rest = *text == '@' ? text + (text[1] == '.' ? 2 : 1) : NULL;
    g_autofree char *whole = rest ? g_strconcat("x@", rest, NULL) : g_strdup(text);
    g_autoptr(SealAddress) address = seal_address_parse(whole, NULL);

    return address && !strchr(text, ';') && g_str_equal(seal_address_text(address), whole);
}

static gboolean set_covers(License *license, const char *text)
{
    license->covers = g_strsplit(text, ";", LICENSE_MAX_COVERS + 1);
    if (!*license->covers || g_strv_length(license->covers) > LICENSE_MAX_COVERS)
        return FALSE;
    for (char **cover = license->covers; *cover; cover++) {
        if (!is_cover(*cover))
            return FALSE;
    }
    return TRUE;
}

static gboolean set_number(gint64 *number, const char *text, gint64 most)
{
    g_autofree char *again = NULL;

    *number = g_ascii_strtoll(text, NULL, 10);
    again = g_strdup_printf("%" G_GINT64_FORMAT, *number);
    return g_str_equal(again, text) && *number >= 1 && *number <= most;
}

static gboolean set_kind(License *license, const char *text)
{
    license->kind = g_strdup(text);
    return g_strv_contains(LICENSE_KINDS, text);
}

static gboolean set_licensee(License *license, const char *text)
{
    license->licensee = g_strdup(text);
    return is_line(text);
}

static gboolean set_id(License *license, const char *text)
{
    license->id = g_strdup(text);
    return is_id(text);
}

static gboolean set_issued(License *license, const char *text)
{
    return license_parse_day(text, &license->issued);
}

static gboolean set_valid_until(License *license, const char *text)
{
    if (g_str_equal(text, "never")) {
        license->valid_until = G_MAXINT64;
        return TRUE;
    }
    if (!license_parse_day(text, &license->valid_until))
        return FALSE;
    license->valid_until += LICENSE_DAY - 1;
    return TRUE;
}

static gboolean set_max_senders(License *license, const char *text)
{
    return set_number(&license->max_senders, text, LICENSE_MAX_SENDERS);
}

static gboolean set_trial(License *license, const char *text)
{
    /* The sixth is for the trial's rules to refuse, with their reason. */
    return set_number(&license->trial, text, 1000);
}

static gboolean set_installation(License *license, const char *text)
{
    license->installation = g_strdup(text);
    return is_installation(text);
}

/* In this order. */
static const struct {
    const char *name;
    gboolean optional;
    gboolean (*set)(License *license, const char *text);
} FIELDS[] = {
    {"kind", FALSE, set_kind},
    {"licensee", FALSE, set_licensee},
    {"id", FALSE, set_id},
    {"issued", FALSE, set_issued},
    {"valid-until", FALSE, set_valid_until},
    {"covers", TRUE, set_covers},
    {"max-senders", TRUE, set_max_senders},
    {"trial", TRUE, set_trial},
    {"installation", TRUE, set_installation},
};

/* What one field cannot say of another. */
static gboolean check_whole(const License *license, GError **error)
{
    gboolean evaluation = license_is_evaluation(license);

    if (license->valid_until < license->issued)
        return invalid(error, "it ends before it is issued");
    if (evaluation && (!license->trial || !license->installation))
        return invalid(error, "an evaluation licence names a trial and an installation");
    if (evaluation && license->valid_until == G_MAXINT64)
        return invalid(error, "an evaluation licence ends");
    if (!evaluation && license->trial)
        return invalid(error, "only an evaluation licence names a trial");
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

static License *parse(const char *text, GError **error)
{
    g_autoptr(License) license = g_new0(License, 1);

    text += strlen(FIRST_LINE);
    for (guint i = 0; i < G_N_ELEMENTS(FIELDS); i++) {
        g_autofree char *value = take_field(&text, FIELDS[i].name);

        if (!value && FIELDS[i].optional)
            continue;
        if (!value || !FIELDS[i].set(license, value)) {
            invalid(error,
                    value ? "its field \"%s\" has no proper value"
                          : "it has no field \"%s\" in its place",
                    FIELDS[i].name);
            return NULL;
        }
    }
    if (*text) {
        invalid(error, "there is something in it that is none of its fields");
        return NULL;
    }
    return check_whole(license, error) ? g_steal_pointer(&license) : NULL;
}

/* The last line is the signature of all before it: *@length octets. */
static gboolean find_signature(const char *text, gsize size, guint8 *signature, gsize *length,
                               GError **error)
{
    const gsize line = strlen(SIGNATURE) + SIGNATURE_TEXT + 1;

    if (!g_str_has_prefix(text, FIRST_LINE))
        return invalid(error, "it is not a licence of sealpipe");
    if (size < line || text[size - 1] != '\n' || text[size - line - 1] != '\n' ||
        strncmp(text + size - line, SIGNATURE, strlen(SIGNATURE)) != 0)
        return invalid(error, "it does not end with its signature");
    *length = size - line;
    if (!license_base64(text + *length + strlen(SIGNATURE), SIGNATURE_TEXT, signature,
                        crypto_sign_BYTES))
        return invalid(error, "its signature is no signature");
    return TRUE;
}

License *license_read(const guint8 *data, gsize size, const guint8 *public_key, GError **error)
{
    guint8 signature[crypto_sign_BYTES];
    gsize length = 0;

    /* An empty file may have no octets to point to. */
    if (size == 0) {
        invalid(error, "it is empty, and not a licence of sealpipe");
        return NULL;
    }
    if (size > LICENSE_MAX_FILE || memchr(data, '\0', size)) {
        invalid(error, size > LICENSE_MAX_FILE ? "it is larger than 64 KiB" : "it is not text");
        return NULL;
    }

    g_autofree char *text = g_strndup((const char *)data, size);
    if (sodium_init() < 0 || !find_signature(text, size, signature, &length, error)) {
        if (error && !*error)
            invalid(error, "libsodium does not start");
        return NULL;
    }
    if (crypto_sign_verify_detached(signature, data, length, public_key) != 0) {
        invalid(error, "its signature is not that of the public key here: it was altered, or is "
                       "another issuer's");
        return NULL;
    }
    text[length] = '\0';
    return parse(text, error);
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static char *render(const License *license)
{
    g_autofree char *issued = license_format_day(license->issued);
    g_autofree char *until = license_format_day(license->valid_until);
    GString *text = g_string_new(FIRST_LINE);

    g_string_append_printf(text, "kind: %s\nlicensee: %s\nid: %s\nissued: %s\nvalid-until: %s\n",
                           license->kind, license->licensee, license->id, issued, until);
    if (license->covers) {
        g_autofree char *covers = g_strjoinv(";", license->covers);
        g_string_append_printf(text, "covers: %s\n", covers);
    }
    if (license->max_senders)
        g_string_append_printf(text, "max-senders: %" G_GINT64_FORMAT "\n", license->max_senders);
    if (license->trial)
        g_string_append_printf(text, "trial: %" G_GINT64_FORMAT "\n", license->trial);
    if (license->installation)
        g_string_append_printf(text, "installation: %s\n", license->installation);
    return g_string_free(text, FALSE);
}

char *license_write(const License *license, const guint8 *secret_key, GError **error)
{
    g_autofree char *text = render(license);
    guint8 signature[crypto_sign_BYTES];
    char encoded[SIGNATURE_TEXT + 1];
    g_autoptr(License) again = parse(text, error);

    if (!again)
        return NULL;
    if (strlen(text) + strlen(SIGNATURE) + sizeof encoded > LICENSE_MAX_FILE) {
        invalid(error, "it is larger than 64 KiB");
        return NULL;
    }
    crypto_sign_detached(signature, NULL, (const guint8 *)text, strlen(text), secret_key);
    sodium_bin2base64(encoded, sizeof encoded, signature, sizeof signature,
                      sodium_base64_VARIANT_ORIGINAL);
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
    for (char **cover = license->covers; cover && *cover; cover++) {
        if (cover_has(*cover, sender))
            return TRUE;
    }
    return license->covers == NULL;
}
