/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-sevenbit.c: what is made fit for a signature in clear, and what cannot be.
 */
#include "core/mail/sevenbit.h"
#include "core/mail/transfer.h"

#include <string.h>

#define TEXT   "Content-Type: text/plain; charset=utf-8\n"
#define MULTI  "Content-Type: multipart/mixed; boundary=b\n"
#define DIGEST "Content-Type: multipart/digest; boundary=b\n"
#define CODED  "Content-Transfer-Encoding: quoted-printable\n"

static SealContent *of_text(const char *text, gsize length)
{
    return seal_content_new_copy(text, length);
}

static char *to_text(SealContent *content, gsize *length)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(content, G_MAXINT32, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);

    if (length)
        *length = size;
    return g_strndup(data, size);
}

/* NULL where it cannot be mended; @why then says so. What is left are octets over 127 at most, of
 * what no relay carries. */
static char *mend(const char *text, gsize length, char **why)
{
    g_autoptr(SealContent) entity = of_text(text, length);
    g_autoptr(SealContent) ready = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(seal_sevenbit(entity, g_get_tmp_dir(), 64, &ready, why, &error));
    g_assert_no_error(error);
    if (*why && ready) {
        SealScan scan;
        g_assert_true(seal_transfer_scan(ready, &scan, &error));
        g_assert_cmpuint(scan.trouble, !=, 0);
        g_assert_cmpuint(scan.trouble & SEAL_TROUBLE_HARD & ~SEAL_TROUBLE_EIGHT_BIT, ==, 0);
    }
    g_assert_true(ready || *why);
    return *why ? NULL : to_text(ready, NULL);
}

typedef struct {
    const char *in;
    const char *out; /* NULL: as it came */
} Row;

static const Row MENDED[] = {
    {TEXT "\nplain\n.\n", NULL},
    {TEXT "\n", NULL},
    {TEXT "\nno end", NULL},
    /* Each trouble alone. */
    {TEXT "Content-Transfer-Encoding: 8bit\n\ngr\xc3\xbc\xc3\x9f"
          "e an alle und alle andern\n",
     TEXT
     "Content-Transfer-Encoding: quoted-printable\n\ngr=C3=BC=C3=9Fe an alle und alle andern\n"},
    {TEXT "\nwithout a field \xc3\xa9, one\n",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\nwithout a field =C3=A9, one\n"},
    {TEXT "\nblank at end \ntab\t\n",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\nblank at end=20\ntab=09\n"},
    {TEXT "\nFrom here = there\n>From\n",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\n=46rom here =3D there\n>From\n"},
    {TEXT "\na\rb\n", TEXT "Content-Transfer-Encoding: quoted-printable\n\na=0Db\n"},
    {TEXT "\nend of all ", TEXT "Content-Transfer-Encoding: quoted-printable\n\nend of all=20"},
    {TEXT "\n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\n",
     TEXT "Content-Transfer-Encoding: base64\n\nw6TDtsO8w58NCg==\n"},
    {"Content-Type: application/x\nContent-Transfer-Encoding: binary\n\nx\xff\ny\n",
     "Content-Type: application/x\nContent-Transfer-Encoding: base64\n\neP8NCnkNCg==\n"},
    /* What is said must be true. */
    {TEXT "Content-Transfer-Encoding: 8BIT\n\nascii\n",
     TEXT "Content-Transfer-Encoding: 7bit\n\nascii\n"},
    {TEXT "Content-Transfer-Encoding: binary\nContent-Language: de\n\nascii\n",
     TEXT "Content-Transfer-Encoding: 7bit\nContent-Language: de\n\nascii\n"},
    /* Line ends. */
    {"Content-Type: text/plain\r\n\r\ntwo\r\nlines\r\n",
     "Content-Type: text/plain\n\ntwo\nlines\n"},
    {TEXT "\none\r\ntwo\n", TEXT "\none\ntwo\n"},
    {TEXT "\none\r\r\ntwo\n", TEXT "Content-Transfer-Encoding: quoted-printable\n\none=0D\ntwo\n"},
    {"Content-Type: application/x\n\nA\r\r\nB \n",
     "Content-Type: application/x\nContent-Transfer-Encoding: base64\n\nQQ0NCkIgDQo=\n"},
    {"Content-Type: text/plain\r\n\r\nend \r\n",
     "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nend=20\n"},
    /* What is encoded is put right, not encoded twice. */
    {TEXT "Content-Transfer-Encoding: quoted-printable\n\na=3Db \xc3\xa9=\nmore\nFrom\n",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\na=3Db =C3=A9=\nmore\n=46rom\n"},
    {TEXT "Content-Transfer-Encoding: quoted-printable\n\nFrom x\nsoft= \nend \n",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\n=46rom x\nsoft=\nend=20\n"},
    {TEXT "Content-Transfer-Encoding: quoted-printable\n\none = \t\ntwo=\t \t\n= x\n",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\none =\ntwo=\n=3D x\n"},
    {TEXT "Content-Transfer-Encoding: quoted-printable\n\nend= \t",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\nend="},
    /* A sign that begins no code is itself. */
    {TEXT "Content-Transfer-Encoding: quoted-printable\n\n=\xc3\xa9 =4\xc3 == =zz\n",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\n=3D=C3=A9 =3D4=C3 =3D=3D =3Dzz\n"},
    {TEXT "Content-Transfer-Encoding: quoted-printable\n\n=4 =zz == stay\n", NULL},
    {"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nQUJD \nREVG\n",
     "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nQUJDREVG\n"},
    {"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nQUJD\nREVG\n", NULL},
    {TEXT "Content-Transfer-Encoding: x-uuencode\n\nbegin \n", NULL},
    {TEXT "Content-Transfer-Encoding: quoted-printable\nX\xff-Type: body already\n",
     TEXT "Content-Transfer-Encoding: quoted-printable\n\nX=FF-Type: body already\n"},
    /* Parts. */
    {MULTI "Content-Transfer-Encoding: 8bit\n\npre \n--b\n" TEXT
           "Content-Transfer-Encoding: 8bit\n\n\xc3\xa9 and more text\n--b\n\nplain\n--b--\npost\n",
     MULTI "Content-Transfer-Encoding: 7bit\n\npre \n--b\n" TEXT
           "Content-Transfer-Encoding: quoted-printable\n\n=C3=A9 and more text\n--b\n\nplain\n"
           "--b--\npost\n"},
    {MULTI "\n--b\n\n\xc3\xa9 without a header\n--b--\n", MULTI
     "\n--b\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9 without a header\n--b--\n"},
    {MULTI "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nTo: a\n\nblank "
           "\nFrom me\n--b--\n",
     MULTI "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nTo: a\n\nblank "
           "\nFrom me\n--b--\n"},
    /* A message within: its parts, where relays need it, and those of one within that. */
    {MULTI "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nTo: a\n" TEXT
           "Content-Transfer-Encoding: 8bit\n\n\xc3\xa9 and more text\n--b--\n",
     MULTI "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nTo: a\n" TEXT
           "Content-Transfer-Encoding: quoted-printable\n\n=C3=A9 and more text\n--b--\n"},
    {MULTI "\n--b\nContent-Type: message/rfc822\n\nTo: a\nContent-Type: message/rfc822\n\nTo: b\n"
           "\n\xc3\xa9 and more text\n--b--\n",
     MULTI "\n--b\nContent-Type: message/rfc822\n\nTo: a\nContent-Type: message/rfc822\n\nTo: b\n"
           "Content-Transfer-Encoding: quoted-printable\n\n=C3=A9 and more text\n--b--\n"},
    {MULTI
     "\n--b\nContent-Type: message/rfc822\n\nTo: a\nContent-Type: multipart/mixed; boundary=c\n"
     "\n--c\n\nblank \n--c\n\n\xc3\xa9 and more text\n--c--\n--b--\n",
     MULTI
     "\n--b\nContent-Type: message/rfc822\n\nTo: a\nContent-Type: multipart/mixed; boundary=c\n"
     "\n--c\nContent-Transfer-Encoding: quoted-printable\n\nblank=20\n--c\n"
     "Content-Transfer-Encoding: quoted-printable\n\n=C3=A9 and more text\n--c--\n--b--\n"},
    /* Fields in raw UTF-8. */
    {"Content-Type: text/plain; name=\"\xc3\xa9 \\\" x\"; charset=utf-8\nContent-Description: "
     "an  \xc3\xa9 and  \xc3\xa4\xc3\xa4  \xc3\xb6 =?utf-8?q?x?= z\n\nx\n",
     "Content-Type: text/plain;\n name*=UTF-8''%C3%A9%20%22%20x; charset=utf-8\n"
     "Content-Description: an  =?UTF-8?Q?=C3=A9?= and  =?UTF-8?Q?=C3=A4=C3=A4?=\n"
     " =?UTF-8?Q?__=C3=B6_?= =?utf-8?q?x?= z\n\nx\n"},
    {MULTI "\n--b\nContent-Type: message/rfc822\n\nFrom: J\xc3\xb6rg \"Q \xc3\xa4\" <a@b.c>, "
           "\"M, K\" <d@e.f>\n\nx\n--b--\n",
     MULTI "\n--b\nContent-Type: message/rfc822\n\nFrom: =?UTF-8?Q?J=C3=B6rg?= "
           "=?UTF-8?Q?_Q_=C3=A4?= <a@b.c>, \"M, K\" <d@e.f>\n\nx\n--b--\n"},
    /* What no reader shows; it does not become a delimiter. */
    {MULTI "\npre\xc3\xa9\n--c\n--b\n\nx\n--b--\n\xe9 epilogue\n--b\n\r\r\n",
     MULTI "\npre=C3=A9\n --c\n--b\n\nx\n--b--\n =E9 epilogue\n --b\n =0D\n"},
    /* RFC 6532 3.7: this one may be encoded itself. */
    {MULTI "\n--b\nContent-Type: message/global\n\nSubject: \xc3\xa9\n\nx\n--b--\n",
     MULTI "\n--b\nContent-Type: message/global\nContent-Transfer-Encoding: base64\n\n"
           "U3ViamVjdDogw6kNCg0KeA==\n\n--b--\n"},
    {MULTI "\n--b\nContent-Type: multipart/signed; boundary=c\n\n--c\n\nblank \n--c\n\nsig\n--c--\n"
           "--b--\n",
     NULL},
    {"Content-Type: multipart/mixed\n\nno boundary\n", NULL},
    /* A part of a digest is a message, unless it says otherwise. */
    {DIGEST "\n--b\n\nSubject: one\n\nblank \nFrom me = x\n--b--\n", NULL},
    {DIGEST "\n--b\n\nSubject: one\n\n\xc3\xa9 and more text\n--b--\n",
     DIGEST "\n--b\n\nSubject: one\n" CODED "\n=C3=A9 and more text\n--b--\n"},
    {DIGEST "\n--b\nContent-Description: x\n\nSubject: \xc3\xa9\nContent-Type: multipart/signed; "
            "boundary=c\n\n--c\n\nblank \nFrom me\n--c\n\nsig\n--c--\n--b--\n",
     DIGEST "\n--b\nContent-Description: x\n\nSubject: =?UTF-8?Q?=C3=A9?=\nContent-Type: "
            "multipart/signed; boundary=c\n\n--c\n\nblank \nFrom me\n--c\n\nsig\n--c--\n--b--\n"},
    {DIGEST "\n--b\nContent-Type: text/plain\n\nSubject: one\n\nblank \n--b--\n",
     DIGEST "\n--b\nContent-Type: text/plain\n" CODED "\nSubject: one\n\nblank=20\n--b--\n"},
    {DIGEST "\n--b\nContent-Type: multipart/digest; boundary=c\n\n--c\n\nSubject: one\n\nblank \n"
            "--c--\n--b--\n",
     NULL},
    /* The message in it is none of the digest's parts. */
    {DIGEST
     "\n--b\n\nSubject: one\n\n\xc3\xa9 and more text\n--b\n\n"
     "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nblank \xc3\xa9 more \n--c--\n--b--\n",
     DIGEST "\n--b\n\nSubject: one\n" CODED "\n=C3=A9 and more text\n--b\n\n"
            "Content-Type: multipart/mixed; boundary=c\n\n--c\n" CODED
            "\nblank =C3=A9 more=20\n--c--\n--b--\n"},
    /* What is said twice is no matter where nothing needs an encoding. */
    {TEXT "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 8bit\n\nQUJD\n", NULL},
    {MULTI "\n--b\nContent-Type: text/html\nContent-Type: message/rfc822\n\nx\n--b\n\nblank \n"
           "--b--\n",
     MULTI "\n--b\nContent-Type: text/html\nContent-Type: message/rfc822\n\nx\n--b\n" CODED
           "\nblank=20\n--b--\n"},
};

static void test_mended(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(MENDED); i++) {
        const Row *row = &MENDED[i];
        g_autofree char *why = NULL;
        g_autofree char *out = mend(row->in, strlen(row->in), &why);

        g_assert_cmpstr(why, ==, NULL);
        g_assert_cmpstr(out, ==, row->out ? row->out : row->in);
        /* Done once, it is done. */
        g_autofree char *again = mend(out, strlen(out), &why);
        g_assert_cmpstr(again, ==, out);
    }
}

static void test_hopeless(void)
{
    static const Row rows[] = {
        /* No end of the parts, and a delimiter that is not ASCII. */
        {MULTI "\npre\xc3\xa9\n--b\n\nx\n", "between its parts"},
        {"Content-Type: multipart/mixed; boundary=\"\xc3\xa9\"\n\n--\xc3\xa9\n\nx\n--\xc3\xa9--\n",
         "carry"},
        /* Neither a text nor a parameter, and not UTF-8. */
        {MULTI "\n--b\nContent-Description: \xe9\n\nx\n--b--\n", "a part's header"},
        {"Content-Description: \xe9\n\nx\n", "a part's header"},
        {"Content-ID: <\xc3\xa9@b>\n\nx\n", "a part's header"},
        {"Content-Type: text/plain; name=\xc3\xa9 x\n\nx\n", "a part's header"},
        {"Content-Type: text/\xc3\xa9\n\nx\n", "a part's header"},
        {"Content-Type: text/plain; name=\"\xc3\xa9\"; name*=UTF-8''x\n\nx\n", "a part's header"},
        {MULTI "\n--b\nContent-Type: message/rfc822\n\nFrom: \xc3\xa9@b.c\n\nx\n--b--\n",
         "a part's header"},
        {MULTI "\n--b\nContent-Type: message/rfc822\n\nTo: a@b.c (\xc3\xa9)\n\nx\n--b--\n",
         "a part's header"},
        {MULTI
         "\n--b\nContent-Type: multipart/signed; boundary=c\n\n--c\n\n\xc3\xa9\n--c--\n--b--\n",
         "signed"},
        {TEXT "Content-Transfer-Encoding: x-own\n\n\xc3\xa9\n", "not known"},
        /* What one reader decodes is for another text as it stands. */
        {TEXT "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 8bit\n\n\xc3\xa9\n",
         "twice"},
        {TEXT "Content-Transfer-Encoding: 8bit\nContent-Transfer-Encoding: base64\n\nQUJD \n",
         "twice"},
        {TEXT "Content-Transfer-Encoding: (8bit) base64\n\nQUJD \n", "plainly"},
        {TEXT "Content-Transfer-Encoding: \"base64\"\n\nQUJD \n", "plainly"},
        {TEXT "Content-Transfer-Encoding: quoted-printable; x\n\na=3D \n", "plainly"},
        {MULTI "\n--b\n" TEXT "Content-Type: message/rfc822\n\nTo: a\n\n\xc3\xa9\n--b--\n",
         "twice"},
        {MULTI TEXT "\n--b\n\n\xc3\xa9\n--b--\n", "twice"},
        {DIGEST "\n--b\nContent-Type: text\n\nTo: a\n\nblank \n--b--\n", "plainly"},
        {DIGEST "\n--b\nContent-Type:\n\nTo: a\n\nblank \n--b--\n", "plainly"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *why = NULL;
        g_autofree char *out = mend(rows[i].in, strlen(rows[i].in), &why);

        g_assert_null(out);
        g_assert_nonnull(strstr(why, rows[i].out));
    }
}

static void assert_no_trouble(const char *text, gsize length)
{
    g_autoptr(SealContent) content = of_text(text, length);
    SealScan scan;

    g_assert_true(seal_transfer_scan(content, &scan, NULL));
    g_assert_cmpuint(scan.trouble, ==, 0);
    g_assert_false(scan.any_cr);
}

/* Lines that are too long, and NUL; and lines of every length around the bounds. */
static void test_long(void)
{
    for (gsize length = 60; length < 1010; length += length < 90 || length > 990 ? 1 : 100) {
        g_autoptr(GString) text = g_string_new(TEXT "\n");
        g_autofree char *line = g_strnfill(length, 'F');
        g_autofree char *why = NULL;

        g_string_append_printf(text, "%s\n=%s\n", line, line);
        g_autofree char *out = mend(text->str, text->len, &why);
        g_assert_null(why);
        assert_no_trouble(out, strlen(out));
        g_assert_true((strstr(out, "quoted-printable") != NULL) == (length + 1 > 998));
    }

    g_autoptr(SealContent) nul = of_text("a\0b\n", 4);
    SealScan scan;
    g_assert_true(seal_transfer_scan(nul, &scan, NULL));
    g_assert_cmpuint(scan.trouble, ==, SEAL_TROUBLE_NUL);
}

/* A header that would become longer than is read stays as it is. */
static void test_long_field(void)
{
    for (guint count = 20000; count <= 200000; count *= 10) {
        g_autoptr(GString) text = g_string_new("Content-Description: a");
        g_autofree char *why = NULL;

        for (guint i = 0; i < count; i++)
            g_string_append(text, " \xc3\xa9");
        g_string_append(text, "\n\nx\n");
        g_autofree char *out = mend(text->str, text->len, &why);
        g_assert_true((out != NULL) == (count == 20000));
        g_assert_true(!out || strstr(out, "=?UTF-8?Q?_=C3=A9?="));
        g_assert_true(out || strstr(why, "a part's header"));
    }
}

/* Soft line breaks tear nothing apart, and no line is too long. */
static void check_quoted(gboolean quoted, const char *unit, guint limit)
{
    for (guint offset = 0; offset < 8; offset++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GOutputStream) spool = g_memory_output_stream_new_resizable();

        for (guint i = 0; i < offset; i++)
            g_string_append_c(text, 'x');
        while (text->len < 5000)
            g_string_append(text, unit);
        g_autoptr(SealContent) content = of_text(text->str, text->len);
        g_assert_true(seal_transfer_quote(content, quoted, spool, NULL));
        g_autofree char *out =
            g_strndup(g_memory_output_stream_get_data(G_MEMORY_OUTPUT_STREAM(spool)),
                      g_memory_output_stream_get_data_size(G_MEMORY_OUTPUT_STREAM(spool)));
        g_auto(GStrv) lines = g_strsplit(out, "\n", -1);
        g_assert_cmpuint(g_strv_length(lines), >, 5000 / limit);
        for (guint i = 0; lines[i]; i++) {
            gsize length = strlen(lines[i]);
            g_assert_cmpuint(length, <=, limit);
            g_assert_true(!lines[i + 1] || g_str_has_suffix(lines[i], "="));
            /* An escape that is torn would leave a digit or nothing behind its sign. */
            g_assert_false(length > 2 && lines[i + 1] && lines[i][length - 2] == '=');
            g_assert_false(length > 3 && lines[i + 1] && lines[i][length - 3] == '=');
        }
    }
}

static void test_soft_breaks(void)
{
    check_quoted(FALSE, "\xc3\xa9", 76);
    check_quoted(FALSE, "a\xc3", 76);
    check_quoted(FALSE, "word ", 76);
    check_quoted(TRUE, "=C3=A9", 998);
    check_quoted(TRUE, "ab=3D", 998);
    check_quoted(TRUE, "=\xc3\xa9", 998);
    check_quoted(TRUE, "==a= ", 998);
}

/* What is within a line does not begin one. */
static void check_within(const char *encoding, const char *word, gsize column)
{
    g_autofree char *front = g_strnfill(column, 'a');
    g_autofree char *in = g_strdup_printf(
        MULTI "\n--b\n" TEXT "Content-Transfer-Encoding: %s\n\n\xc3\xa9 and text\n%s%s\n"
              "more\n--b--\n",
        encoding, front, word);
    g_autofree char *why = NULL;
    g_autofree char *out = mend(in, strlen(in), &why);
    guint delimiters = 0;

    g_assert_cmpstr(why, ==, NULL);
    g_auto(GStrv) lines = g_strsplit(out, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        delimiters += g_str_has_prefix(lines[i], "--b");
        g_assert_false(g_str_has_prefix(lines[i], "From ") || g_str_has_prefix(lines[i], "."));
    }
    g_assert_cmpuint(delimiters, ==, 2);
}

static void test_within(void)
{
    static const char *const words[] = {"--b", "--b--", "--b \t", "--bx", "From me", "."};

    for (gsize column = 60; column < 1005; column += column == 80 ? 905 : 1) {
        for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
            check_within("8bit", words[i], column);
            check_within("quoted-printable", words[i], column);
        }
    }
}

/* A line that soft line breaks of the input begin is one that it has. */
static void test_lines_stay(void)
{
    static const char in[] = TEXT CODED "\n\xc3\xa9 =\n--b =\n. =  \n-\n--\n.\n";
    g_autofree char *why = NULL;
    g_autofree char *out = mend(in, strlen(in), &why);

    g_assert_cmpstr(out, ==, TEXT CODED "\n=C3=A9 =\n--b =\n. =\n-\n--\n.\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sevenbit/mended", test_mended);
    g_test_add_func("/sevenbit/hopeless", test_hopeless);
    g_test_add_func("/sevenbit/long", test_long);
    g_test_add_func("/sevenbit/long-field", test_long_field);
    g_test_add_func("/sevenbit/soft-breaks", test_soft_breaks);
    g_test_add_func("/sevenbit/within", test_within);
    g_test_add_func("/sevenbit/lines-stay", test_lines_stay);
    return g_test_run();
}
