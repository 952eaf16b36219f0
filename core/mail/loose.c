/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loose.c: finds the headers of parts without asking which boundary holds. Readers differ in that:
 * which of two parameters counts, whether a delimiter may go on behind the boundary, where lines
 * end. What is found here and nowhere else is one reading among others.
 */
#include "core/mail/loose.h"

#include "core/base/base64.h"
#include "core/base/content.h"
#include "core/mail/part-names.h"
#include "core/mail/words.h"

#include <string.h>

enum {
    BUFFER = 64 * 1024,
    MAX_FIELD = 64 * 1024,
    MAX_LINE = MAX_FIELD + 128,
    MAX_FRONT = 2048, /* of a line that stands in no header */
    MAX_DEPTH = 8,    /* of encodings within encodings */
    MAX_CHUNKED = 512,
    DECODED = 4096,
};

typedef enum {
    CODE_BASE64,
    CODE_QUOTED,
    CODES,
} Code;

static const char *const CODE_NAMES[CODES] = {"base64", "quoted-printable"};

typedef struct Scan Scan;

/* Of one transfer encoding that is being undone. */
typedef struct {
    Scan *inner; /* NULL: none */
    guint32 bits;
    guint have;
    char escape[2]; /* what stands behind an equals sign */
    guint escaped;  /* how many of these, the equals sign included */
    gboolean lasts; /* behind lines that begin with "--" */
} Decoder;

typedef struct {
    SealLooseVisitor visit;
    gpointer user_data;
    gboolean complete;
} Sink;

struct Scan {
    Sink *sink;
    guint depth;
    GString *line;
    gboolean cr;          /* what came last is a CR; whether LF follows is to be seen */
    gboolean behind_cr;   /* the line follows upon a CR without LF */
    gboolean lf_is_empty; /* nothing but CR since the last LF */
    gboolean in_header;
    gboolean in_cms; /* a field may stand behind octets that are none of it */
    guint64 seen;
    SealLooseKind kind; /* of the field */
    GString *field;
    /* What the header says, in any reading of it. */
    gboolean has_type;
    gboolean holds_message;
    gboolean holds_more;  /* message or multipart */
    gboolean holds_parts; /* or what may show files */
    gboolean is_cms;
    gboolean coded[CODES];
    gboolean in_digest;
    Decoder decoders[CODES];
};

static void feed(Scan *scan, const char *data, gsize length);

static Scan *scan_new(Sink *sink, guint depth)
{
    Scan *scan = g_new0(Scan, 1);

    scan->sink = sink;
    scan->depth = depth;
    scan->line = g_string_new(NULL);
    scan->field = g_string_new(NULL);
    scan->kind = SEAL_LOOSE_NONE;
    scan->lf_is_empty = TRUE;
    return scan;
}

/* -------------------------------------------------------------------------------------------
 * Fields
 */

static const struct {
    const char *name;
    SealLooseKind kind;
} FIELDS[] = {
    {"Content-Type", SEAL_LOOSE_TYPE},
    {"Content-Disposition", SEAL_LOOSE_DISPOSITION},
    {"Content-Transfer-Encoding", SEAL_LOOSE_ENCODING},
    {"Content-Description", SEAL_LOOSE_NAME},
    {"Content-Location", SEAL_LOOSE_NAME},
    {"Content-Name", SEAL_LOOSE_NAME},
    {"X-Sun-Data-Name", SEAL_LOOSE_NAME},
};

/* A value as it is, and in other readings of it, for words to be looked for. */
static char *all_readings(const char *value)
{
    g_autofree char *bare = seal_part_names_bare(value);
    g_autofree char *decoded = seal_words_decode(value, SEAL_READING_LAX);
    g_autoptr(GString) tight = g_string_new(NULL);

    for (const char *c = bare; *c; c++) {
        if (!g_ascii_isspace(*c))
            g_string_append_c(tight, *c);
    }
    g_autofree char *all = g_strjoin("\n", value, tight->str, decoded, NULL);
    return g_ascii_strdown(all, -1);
}

static gboolean has_any(const char *text, const char *const *words)
{
    while (*words && !strstr(text, *words))
        words++;
    return *words != NULL;
}

/* What is opened and shown as if it stood in the message. */
static const char *const CMS_WORDS[] = {"pkcs7-mime", ".p7m", NULL};
/* What holds what is not in this message, or not as text. */
static const char *const OPAQUE_WORDS[] = {"message/partial", "ms-tnef", "winmail.dat", NULL};

/* Of Content-Type, and of Content-Disposition what a file name says. */
static void note_type(Scan *scan, const char *value)
{
    g_autofree char *text = all_readings(value);
    gboolean message = strstr(text, "message/") != NULL;
    gboolean cms = has_any(text, CMS_WORDS);

    if (has_any(text, OPAQUE_WORDS))
        scan->sink->complete = FALSE;
    scan->is_cms = scan->is_cms || cms;
    scan->holds_parts = scan->holds_parts || cms;
    if (scan->kind != SEAL_LOOSE_TYPE)
        return;
    scan->has_type = TRUE;
    scan->holds_message = scan->holds_message || message;
    scan->holds_more = scan->holds_more || message || strstr(text, "multipart/");
    scan->holds_parts = scan->holds_parts || scan->holds_more || strstr(text, "text/");
    scan->in_digest = scan->in_digest || strstr(text, "multipart/digest");
}

static void note_encoding(Scan *scan, const char *value)
{
    g_autofree char *text = all_readings(value);

    for (int i = 0; i < CODES; i++)
        scan->coded[i] = scan->coded[i] || strstr(text, CODE_NAMES[i]);
}

static void end_field(Scan *scan)
{
    const char *value = scan->field->str;

    if (scan->kind == SEAL_LOOSE_NONE)
        return;
    if (scan->field->len >= MAX_FIELD)
        scan->sink->complete = FALSE;
    if (scan->kind == SEAL_LOOSE_TYPE || scan->kind == SEAL_LOOSE_DISPOSITION)
        note_type(scan, value);
    if (scan->kind == SEAL_LOOSE_ENCODING)
        note_encoding(scan, value);
    scan->sink->visit(scan->kind, value, scan->sink->user_data);
    scan->kind = SEAL_LOOSE_NONE;
    g_string_truncate(scan->field, 0);
}

/* Where the value of a field that counts begins, and its kind. */
static const char *find_value(const char *line, SealLooseKind *kind)
{
    line += strspn(line, " \t");
    for (guint i = 0; i < G_N_ELEMENTS(FIELDS); i++) {
        gsize length = strlen(FIELDS[i].name);
        const char *colon;

        if (g_ascii_strncasecmp(line, FIELDS[i].name, length) != 0)
            continue;
        colon = line + length + strspn(line + length, " \t");
        if (*colon == ':') {
            *kind = FIELDS[i].kind;
            return colon + 1;
        }
    }
    return NULL;
}

static void add_to_field(Scan *scan, const char *separator, const char *text)
{
    gsize room = MAX_FIELD - MIN(scan->field->len, (gsize)MAX_FIELD);

    if (scan->kind == SEAL_LOOSE_NONE || room == 0)
        return;
    g_string_append(scan->field, separator);
    g_string_append_len(scan->field, text, (gssize)MIN(strlen(text), room));
}

/* A line of a header. One that a CR ends, and that goes on in the next, may be of one field. */
static void add_line(Scan *scan)
{
    char *line = scan->line->str;
    SealLooseKind kind = SEAL_LOOSE_NONE;
    gboolean folded = *line == ' ' || *line == '\t';
    const char *value;

    for (gsize i = 0; i < scan->line->len; i++)
        line[i] = line[i] ? line[i] : ' ';
    if (scan->in_cms) {
        char *content = strcasestr(line, "content-");
        value = content ? find_value(content, &kind) : NULL;
    } else {
        value = folded && scan->kind != SEAL_LOOSE_NONE ? NULL : find_value(line, &kind);
    }
    if (!value && (folded || scan->behind_cr)) {
        add_to_field(scan, folded ? "\n" : "\r", line);
        return;
    }
    end_field(scan);
    scan->kind = kind;
    if (value)
        add_to_field(scan, "", value);
}

/* -------------------------------------------------------------------------------------------
 * Headers and bodies
 */

static void begin_header(Scan *scan)
{
    end_field(scan);
    scan->in_header = TRUE;
    scan->has_type = scan->holds_message = scan->holds_more = FALSE;
    scan->holds_parts = scan->is_cms = FALSE;
    memset(scan->coded, 0, sizeof scan->coded);
}

static void scan_end(Scan *scan);

static void end_decoders(Scan *scan, gboolean all)
{
    for (int i = 0; i < CODES; i++) {
        if (!scan->decoders[i].inner || (!all && scan->decoders[i].lasts))
            continue;
        scan_end(scan->decoders[i].inner);
        scan->decoders[i] = (Decoder){0};
    }
}

static void begin_decoders(Scan *scan)
{
    for (int i = 0; i < CODES; i++) {
        if (!scan->coded[i] || scan->decoders[i].inner || (scan->has_type && !scan->holds_parts))
            continue;
        if (scan->depth == MAX_DEPTH) {
            scan->sink->complete = FALSE;
            continue;
        }
        Scan *inner = scan_new(scan->sink, scan->depth + 1);
        inner->in_header = scan->holds_message || scan->is_cms;
        inner->in_cms = scan->is_cms;
        inner->in_digest = scan->in_digest;
        scan->decoders[i].inner = inner;
        /* Delimiters within stand there as they are. */
        scan->decoders[i].lasts = i == CODE_QUOTED && scan->holds_more;
    }
}

/* At an empty line. Where only some readers see one, the header goes on for others. */
static void begin_body(Scan *scan, gboolean for_all)
{
    end_field(scan);
    begin_decoders(scan);
    if (for_all && (scan->holds_message || (scan->in_digest && !scan->has_type)))
        begin_header(scan);
    else if (for_all)
        scan->in_header = scan->in_cms;
}

/* Files that stand in a text: uuencode, yEnc. */
static void look_for_file(Scan *scan)
{
    const char *line = scan->line->str, *name = NULL;

    if (g_str_has_prefix(line, "begin ") || g_str_has_prefix(line, "begin-base64 ")) {
        const char *mode = strchr(line, ' ') + 1;
        gsize digits = strspn(mode, "01234567");

        name = digits >= 3 && digits <= 5 && mode[digits] == ' ' ? mode + digits + 1 : NULL;
    } else if (g_str_has_prefix(line, "=ybegin ")) {
        name = strstr(line, " name=");
        name = name ? name + strlen(" name=") : NULL;
    }
    if (name)
        scan->sink->visit(SEAL_LOOSE_NAME, name, scan->sink->user_data);
}

static void end_line(Scan *scan, gboolean with_lf)
{
    gboolean empty = scan->line->len == 0;

    scan->lf_is_empty = scan->lf_is_empty && empty;
    if (!empty && g_str_has_prefix(scan->line->str, "--")) {
        end_decoders(scan, FALSE);
        begin_header(scan);
    } else if (scan->in_header && empty) {
        begin_body(scan, with_lf && scan->lf_is_empty);
    } else if (scan->in_header) {
        add_line(scan);
    }
    if (!empty)
        look_for_file(scan);
    if (with_lf)
        scan->lf_is_empty = TRUE;
    scan->behind_cr = !with_lf;
    g_string_truncate(scan->line, 0);
}

/* -------------------------------------------------------------------------------------------
 * Transfer encodings
 */

static gsize decode_base64(Decoder *decoder, const char *data, gsize length, char *out)
{
    gsize put = 0;

    for (gsize i = 0; i < length; i++) {
        int value = seal_base64_value(data[i]);

        if (data[i] == '=')
            decoder->have = 0;
        if (value < 0)
            continue;
        decoder->bits = (decoder->bits << 6 | (guint32)value) & 0xffffff;
        decoder->have += 6;
        if (decoder->have >= 8) {
            decoder->have -= 8;
            out[put++] = (char)(decoder->bits >> decoder->have & 0xff);
        }
    }
    return put;
}

/* What is no escape stays as it is; @out has room for twice as much as comes in. */
static gsize decode_quoted(Decoder *decoder, const char *data, gsize length, char *out)
{
    gsize put = 0;

    for (gsize i = 0; i < length; i++) {
        char c = data[i];

        if (decoder->escaped == 0) {
            if (c == '=')
                decoder->escaped = 1;
            else
                out[put++] = c;
        } else if (decoder->escaped == 1 && (c == '\r' || c == ' ' || c == '\t')) {
            continue;
        } else if (c == '\n') {
            decoder->escaped = 0;
        } else if (g_ascii_isxdigit(c) && decoder->escaped == 1) {
            decoder->escape[0] = c;
            decoder->escaped = 2;
        } else if (g_ascii_isxdigit(c)) {
            out[put++] =
                (char)(g_ascii_xdigit_value(decoder->escape[0]) << 4 | g_ascii_xdigit_value(c));
            decoder->escaped = 0;
        } else {
            out[put++] = c;
            decoder->escaped = 0;
        }
    }
    return put;
}

/* BER in pieces: a field may be cut by what stands between them. */
static void look_for_pieces(Scan *inner, const char *data, gsize length)
{
    if (inner->in_cms && inner->seen < MAX_CHUNKED && memmem(data, length, "\x24\x80", 2))
        inner->sink->complete = FALSE;
}

static void decode(Scan *scan, const char *data, gsize length)
{
    char out[DECODED];

    for (int i = 0; i < CODES; i++) {
        Decoder *decoder = &scan->decoders[i];

        for (gsize at = 0; decoder->inner && at < length; at += DECODED / 2) {
            gsize some = MIN(length - at, (gsize)DECODED / 2);
            gsize put = i == CODE_BASE64 ? decode_base64(decoder, data + at, some, out)
                                         : decode_quoted(decoder, data + at, some, out);

            look_for_pieces(decoder->inner, out, put);
            feed(decoder->inner, out, put);
        }
    }
}

/* -------------------------------------------------------------------------------------------
 * Octets
 */

static void add_to_line(Scan *scan, const char *data, gsize length)
{
    gsize most = scan->in_header ? MAX_LINE : MAX_FRONT;
    gsize room = most - MIN(scan->line->len, most);

    g_string_append_len(scan->line, data, (gssize)MIN(length, room));
}

static void feed(Scan *scan, const char *data, gsize length)
{
    const char *end = data + length, *from = data;

    scan->seen += length;
    for (const char *c = data; c < end; c++) {
        if (scan->cr && *c != '\n')
            end_line(scan, FALSE);
        scan->cr = *c == '\r';
        if (*c != '\n' && *c != '\r')
            continue;
        add_to_line(scan, from, (gsize)(c - from));
        decode(scan, from, (gsize)(c - from) + 1);
        from = c + 1;
        if (*c == '\n')
            end_line(scan, TRUE);
    }
    add_to_line(scan, from, (gsize)(end - from));
    decode(scan, from, (gsize)(end - from));
}

static void scan_end(Scan *scan)
{
    if (scan->line->len > 0 || scan->cr)
        end_line(scan, TRUE);
    end_field(scan);
    end_decoders(scan, TRUE);
    g_string_free(scan->line, TRUE);
    g_string_free(scan->field, TRUE);
    g_free(scan);
}

gboolean seal_loose_visit(SealContent *content, SealLooseVisitor visit, gpointer user_data,
                          gboolean *complete, GError **error)
{
    Sink sink = {visit, user_data, TRUE};
    Scan *scan = scan_new(&sink, 0);
    g_autofree char *buffer = g_malloc(BUFFER);
    guint64 offset = 0;
    gssize got = 0;

    scan->in_header = TRUE;
    while (offset < seal_content_size(content) &&
           (got = seal_content_pread(content, offset, buffer, BUFFER, error)) > 0) {
        feed(scan, buffer, (gsize)got);
        offset += (guint64)got;
    }
    scan_end(scan);
    *complete = *complete && sink.complete && got >= 0;
    return got >= 0;
}
