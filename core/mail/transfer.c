/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * transfer.c: transfer encodings. GMime's encoder of quoted-printable does not spare "From " at the
 * start of a line and cannot mend what is encoded already, so that this one is
 * here.
 */
#include "core/mail/transfer.h"

#include "core/base/content.h"

#include <string.h>

enum {
    BUFFER = 64 * 1024,
    MAX_LINE = 998,   /* RFC 5322 2.1.1 */
    QUOTED_LINE = 76, /* RFC 2045 6.7 */
};

static const char HEX[] = "0123456789ABCDEF";

/* A content, octet by octet. */
typedef struct {
    SealContent *content;
    guint64 offset;
    guint8 *buffer;
    gsize at;
    gsize length;
} Reader;

static void reader_clear(Reader *reader)
{
    g_free(reader->buffer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

static Reader reader_of(SealContent *content)
{
    return (Reader){.content = content, .buffer = g_malloc(BUFFER)};
}

/* Has the buffer filled again where it is used up. FALSE at the end too, with @error unset. */
static gboolean reader_fill(Reader *reader, GError **error)
{
    if (reader->at < reader->length)
        return TRUE;
    gssize got = seal_content_pread(reader->content, reader->offset, reader->buffer, BUFFER, error);
    if (got <= 0)
        return FALSE;
    reader->offset += (guint64)got;
    reader->at = 0;
    reader->length = (gsize)got;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Looking
 */

typedef struct {
    SealScan *scan;
    guint64 column;
    gsize from; /* how much of "From " the line has begun with */
    guint8 last;
} Look;

static void look_at(Look *look, guint8 octet)
{
    static const char from[] = "From ";
    SealScan *scan = look->scan;

    if (look->last == '\r' && octet != '\n')
        scan->trouble |= SEAL_TROUBLE_CR;
    if (octet == '\n') {
        if (look->last == ' ' || look->last == '\t')
            scan->trouble |= SEAL_TROUBLE_BLANK;
        look->column = 0;
        look->from = 0;
        look->last = octet;
        return;
    }
    if (octet >= 0x80 || octet == 0) {
        scan->trouble |= octet ? SEAL_TROUBLE_EIGHT_BIT : SEAL_TROUBLE_NUL;
        scan->odd++;
    }
    scan->any_cr = scan->any_cr || octet == '\r';
    if (look->from == look->column && look->from < strlen(from) && octet == from[look->from] &&
        ++look->from == strlen(from))
        scan->trouble |= SEAL_TROUBLE_FROM;
    if (++look->column > MAX_LINE + (octet == '\r'))
        scan->trouble |= SEAL_TROUBLE_LONG;
    look->last = octet;
}

static gboolean has_high_bit(const guint8 *data, gsize length)
{
    guint64 all = 0, word;
    gsize i = 0;

    for (; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        all |= word;
    }
    for (; i < length; i++)
        all |= (guint64)data[i];
    return (all & G_GUINT64_CONSTANT(0x8080808080808080)) != 0;
}

/* What is whole lines of plain ASCII, as most of most messages is, needs no look at each octet.
 * Returns how much of it there was. */
static gsize look_at_lines(Look *look, const guint8 *data, gsize length)
{
    gsize at = 0;

    if (look->last != '\n' || memchr(data, '\r', length) || memchr(data, 0, length) ||
        has_high_bit(data, length))
        return 0;
    for (;;) {
        const guint8 *line = data + at;
        const guint8 *lf = memchr(line, '\n', length - at);
        if (!lf)
            return at;

        gsize size = (gsize)(lf - line);
        if (size > MAX_LINE)
            look->scan->trouble |= SEAL_TROUBLE_LONG;
        if (size > 0 && (lf[-1] == ' ' || lf[-1] == '\t'))
            look->scan->trouble |= SEAL_TROUBLE_BLANK;
        if (size >= 5 && memcmp(line, "From ", 5) == 0)
            look->scan->trouble |= SEAL_TROUBLE_FROM;
        at += size + 1;
    }
}

gboolean seal_transfer_scan(SealContent *content, SealScan *scan, GError **error)
{
    g_auto(Reader) reader = reader_of(content);
    g_autoptr(GError) problem = NULL;
    Look look = {.scan = scan, .last = '\n'};

    *scan = (SealScan){0};
    while (reader_fill(&reader, &problem)) {
        do
            look_at(&look, reader.buffer[reader.at++]);
        while (reader.at < reader.length && look.last != '\n');
        reader.at += look_at_lines(&look, reader.buffer + reader.at, reader.length - reader.at);
    }
    if (look.last == '\r')
        scan->trouble |= SEAL_TROUBLE_CR;
    if (look.last == ' ' || look.last == '\t')
        scan->trouble |= SEAL_TROUBLE_BLANK;
    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

/* Gathers small writes; the first error stays. */
typedef struct {
    GOutputStream *out;
    GError *error;
    gsize used;
    guint8 data[8192];
} Writer;

static gboolean writer_flush(Writer *writer)
{
    if (!writer->error && writer->used > 0)
        g_output_stream_write_all(writer->out, writer->data, writer->used, NULL, NULL,
                                  &writer->error);
    writer->used = 0;
    return !writer->error;
}

/* Returns how many octets that were: one. */
static gsize writer_put(Writer *writer, guint8 octet)
{
    if (writer->used == sizeof writer->data)
        writer_flush(writer);
    writer->data[writer->used++] = octet;
    return 1;
}

/* What went wrong, be it with reading or with writing. */
static gboolean writer_finish(Writer *writer, GError *reading, GError **error)
{
    writer_flush(writer);
    if (!reading)
        reading = g_steal_pointer(&writer->error);
    g_clear_error(&writer->error);
    if (reading)
        g_propagate_error(error, reading);
    return !reading;
}

gboolean seal_transfer_to_lf(SealContent *content, GOutputStream *out, GError **error)
{
    g_auto(Reader) reader = reader_of(content);
    Writer writer = {.out = out};
    GError *problem = NULL;
    gboolean owe_cr = FALSE;

    while (reader_fill(&reader, &problem) && !writer.error) {
        guint8 octet = reader.buffer[reader.at++];

        if (owe_cr && octet != '\n')
            writer_put(&writer, '\r');
        owe_cr = octet == '\r';
        if (!owe_cr)
            writer_put(&writer, octet);
    }
    if (owe_cr)
        writer_put(&writer, '\r');
    return writer_finish(&writer, problem, error);
}

/* -------------------------------------------------------------------------------------------
 * Base64
 */

/* A line of base64 that fills up. */
typedef struct {
    Writer writer;
    guint8 octets[57];
    gsize length;
} Encoder;

static void encode_line(Encoder *encoder)
{
    char text[QUOTED_LINE];
    gsize length = seal_base64_encode(encoder->octets, encoder->length, text);

    for (gsize i = 0; i < length; i++)
        writer_put(&encoder->writer, (guint8)text[i]);
    writer_put(&encoder->writer, '\n');
    encoder->length = 0;
}

static void encode_octet(Encoder *encoder, guint8 octet)
{
    encoder->octets[encoder->length++] = octet;
    if (encoder->length == sizeof encoder->octets)
        encode_line(encoder);
}

gboolean seal_transfer_base64(SealContent *content, GOutputStream *out, GError **error)
{
    g_auto(Reader) reader = reader_of(content);
    Encoder encoder = {.writer = {.out = out}};
    GError *problem = NULL;

    while (reader_fill(&reader, &problem) && !encoder.writer.error) {
        guint8 octet = reader.buffer[reader.at++];

        if (octet == '\n')
            encode_octet(&encoder, '\r');
        encode_octet(&encoder, octet);
    }
    if (encoder.length > 0)
        encode_line(&encoder);
    return writer_finish(&encoder.writer, problem, error);
}

gboolean seal_transfer_rewrap(SealContent *content, GOutputStream *out, GError **error)
{
    g_auto(Reader) reader = reader_of(content);
    Writer writer = {.out = out};
    GError *problem = NULL;
    guint column = 0;

    while (reader_fill(&reader, &problem) && !writer.error) {
        guint8 octet = reader.buffer[reader.at++];

        if (!g_ascii_isalnum(octet) && octet != '+' && octet != '/' && octet != '=')
            continue;
        writer_put(&writer, octet);
        if (++column == QUOTED_LINE) {
            writer_put(&writer, '\n');
            column = 0;
        }
    }
    if (column > 0)
        writer_put(&writer, '\n');
    return writer_finish(&writer, problem, error);
}

/* -------------------------------------------------------------------------------------------
 * Quoted-printable
 */

typedef struct {
    Reader reader;
    Writer writer;
    GError *problem; /* with reading */
    gboolean quoted; /* it is quoted-printable that comes in */
    gsize limit;     /* of a line, its soft line break included */
    gsize column;
    gboolean broke; /* a soft line break that was not there began the line */
} Quoter;

/* What stands behind what was read; -1 at the end. */
static int quoter_peek(Quoter *quoter)
{
    if (quoter->problem || !reader_fill(&quoter->reader, &quoter->problem))
        return -1;
    return quoter->reader.buffer[quoter->reader.at];
}

/* So many octets of what comes next, which stays unread. */
static gsize quoter_look(Quoter *quoter, guint64 ahead, guint8 *octets, gsize most)
{
    const Reader *reader = &quoter->reader;
    guint64 left = reader->length - reader->at;
    gssize got;

    if (ahead + most <= left) {
        memcpy(octets, reader->buffer + reader->at + ahead, most);
        return most;
    }
    if (quoter->problem)
        return 0;
    got = seal_content_pread(reader->content, reader->offset - left + ahead, octets, most,
                             &quoter->problem);
    return got > 0 ? (gsize)got : 0;
}

static void quoter_skip(Quoter *quoter, guint64 count)
{
    while (count > 0 && quoter_peek(quoter) >= 0) {
        gsize step = MIN(count, quoter->reader.length - quoter->reader.at);

        quoter->reader.at += step;
        count -= step;
    }
}

/* RFC 2045 6.7 (3): blanks behind a soft line break were added on the way. TRUE where only such
 * stand before the end of the line, or of the whole; *@count: how many. */
static gboolean ends_after_blanks(Quoter *quoter, guint64 *count)
{
    guint8 octets[64];
    gsize got;

    *count = 0;
    while ((got = quoter_look(quoter, *count, octets, sizeof octets)) > 0) {
        for (gsize i = 0; i < got; i++, ++*count) {
            if (!strchr(" \t\r", octets[i]) || octets[i] == '\0')
                return octets[i] == '\n';
        }
    }
    return !quoter->problem;
}

static gboolean must_escape(const Quoter *quoter, guint8 octet, int next)
{
    if (octet == ' ' || octet == '\t')
        return next == '\n' || next < 0;
    /* "From " at the start of a line, which mailbox files and some relays change. */
    if (octet == 'F' && quoter->column == 0)
        return next == 'r';
    /* A delimiter, or the end of all, that stood within a line and was neither there. */
    if ((octet == '-' || octet == '.') && quoter->column == 0 && quoter->broke)
        return TRUE;
    return octet == '=' || octet < 0x20 || octet >= 0x7f;
}

/* A soft line break, where what comes next (@width octets that must not be torn apart) does not fit
 * into the line together with one. */
static void make_room(Quoter *quoter, gsize width)
{
    int next = quoter_peek(quoter);
    gboolean ends = next == '\n' || next < 0;

    if (quoter->column + width + (ends ? 0 : 1) <= quoter->limit)
        return;
    writer_put(&quoter->writer, '=');
    writer_put(&quoter->writer, '\n');
    quoter->column = 0;
    quoter->broke = TRUE;
}

static void put_code(Quoter *quoter, guint8 high, guint8 low)
{
    make_room(quoter, 3);
    writer_put(&quoter->writer, '=');
    writer_put(&quoter->writer, high);
    writer_put(&quoter->writer, low);
    quoter->column += 3;
}

static void quote_octet(Quoter *quoter, guint8 octet)
{
    int next = quoter_peek(quoter);

    if (!must_escape(quoter, octet, next)) {
        make_room(quoter, 1);
        /* It may begin a line now. */
        if (!must_escape(quoter, octet, next)) {
            writer_put(&quoter->writer, octet);
            quoter->column++;
            return;
        }
    }
    put_code(quoter, (guint8)HEX[octet >> 4], (guint8)HEX[octet & 15]);
}

/* An equals sign in what is quoted already: an octet's code, a soft line break, or a fault, which
 * readers show as it is. */
static void keep_sign(Quoter *quoter)
{
    guint8 code[2];
    guint64 blanks;

    if (quoter_look(quoter, 0, code, 2) == 2 && g_ascii_isxdigit(code[0]) &&
        g_ascii_isxdigit(code[1])) {
        quoter_skip(quoter, 2);
        put_code(quoter, code[0], code[1]);
    } else if (ends_after_blanks(quoter, &blanks)) {
        writer_put(&quoter->writer, '=');
        quoter->column++;
        quoter_skip(quoter, blanks);
    } else {
        quote_octet(quoter, '=');
    }
}

gboolean seal_transfer_quote(SealContent *content, gboolean quoted, GOutputStream *out,
                             GError **error)
{
    Quoter quoter = {
        .reader = reader_of(content),
        .writer = {.out = out},
        .quoted = quoted,
        .limit = quoted ? MAX_LINE : QUOTED_LINE,
    };
    int octet;

    while ((octet = quoter_peek(&quoter)) >= 0 && !quoter.writer.error) {
        quoter.reader.at++;
        if (octet == '\n') {
            writer_put(&quoter.writer, '\n');
            quoter.column = 0;
            quoter.broke = FALSE;
        } else if (octet == '=' && quoted) {
            keep_sign(&quoter);
        } else {
            quote_octet(&quoter, (guint8)octet);
        }
    }
    reader_clear(&quoter.reader);
    return writer_finish(&quoter.writer, quoter.problem, error);
}

gboolean seal_transfer_hide(SealContent *content, GOutputStream *out, GError **error)
{
    g_auto(Reader) reader = reader_of(content);
    Writer writer = {.out = out};
    GError *problem = NULL;
    gsize column = 0;

    while (reader_fill(&reader, &problem) && !writer.error) {
        guint8 octet = reader.buffer[reader.at++];
        gboolean coded = octet >= 0x80 || octet == 0 || octet == '\r';

        if (octet != '\n' && column + 3 > MAX_LINE) {
            writer_put(&writer, '\n');
            column = 0;
        }
        /* What a line could become a delimiter by. */
        if (column == 0 && (octet == '-' || coded))
            column += writer_put(&writer, ' ');
        if (coded) {
            column += writer_put(&writer, '=');
            column += writer_put(&writer, (guint8)HEX[octet >> 4]);
            octet = (guint8)HEX[octet & 15];
        }
        column += writer_put(&writer, octet);
        column = octet == '\n' ? 0 : column;
    }
    return writer_finish(&writer, problem, error);
}
