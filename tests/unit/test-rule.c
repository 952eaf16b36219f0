/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-rule.c: in which readings of a message a rule matches: a table. What is YES exempts; what is
 * SOME only asks for more.
 */
#include "core/pipeline/rule.h"

#include "core/frontend.h"
#include "core/plugin/tables.h"

#include <string.h>

typedef struct {
    const char *rule; /* KEY=VALUE */
    const char *message;
    SealMatch match;
} Row;

#define NO   SEAL_MATCH_NO
#define SOME SEAL_MATCH_SOME
#define YES  SEAL_MATCH_YES

#define HEAD         "From: carol@sender.example\nTo: alice@example.org\n"
#define MIXED        HEAD "Content-Type: multipart/mixed; boundary=b\n\n"
#define PART(fields) MIXED "--b\n\ntext\n--b\n" fields "\n\nx\n--b--\n"
#define SEC          "match_part=*.sec"
#define FILE(value)                                                                                \
    SEC, PART("Content-Type: application/x\nContent-Disposition: attachment; " value)
#define TYPE(value) "match_part=text/calendar", PART("Content-Type: " value)
#define BINARY      "Content-Type: application/octet-stream"

static const Row PARTS[] = {
    /* As mail programs write it: Outlook, Thunderbird, Gmail, Apple Mail. */
    {FILE("filename=x.sec"), YES},
    {FILE("filename=\"x.sec\""), YES},
    {FILE("filename=\"X.SEC\"; size=1; creation-date=\"Tue, 10 Nov 2026 09:00:00 GMT\""), YES},
    {SEC,
     PART("Content-Type: application/pdf;\n\tname=\"=?iso-8859-1?Q?Gr=FC=DFe.sec?=\"\n"
          "Content-Description: =?iso-8859-1?Q?Gr=FC=DFe.sec?=\nContent-Disposition: attachment;\n"
          "\tfilename=\"=?iso-8859-1?Q?Gr=FC=DFe.sec?=\"; size=3"),
     YES},
    {SEC,
     PART("Content-Type: application/pdf; name=\"=?UTF-8?B?R3LDvMOfZS5zZWM=?=\"\n"
          "Content-Disposition: attachment; filename*=UTF-8''%47%72%C3%BC%C3%9F%65%2E%73%65%63"),
     YES},
    {SEC,
     PART("Content-Type: application/pdf; name=\"x y.sec\"\nContent-Disposition: attachment;\n"
          " filename=\"x y.sec\"\nContent-Transfer-Encoding: base64\nX-Attachment-Id: f_1"),
     YES},
    {SEC,
     PART("Content-Disposition: attachment;\n\tfilename*=utf-8''Gr%C3%BC%C3%9Fe.sec\n"
          "Content-Type: "
          "application/x;\n\tx-unix-mode=0644;\n\tname=\"=?utf-8?Q?Gr=C3=BC=C3=9Fe=2Esec?=\""),
     YES},
    {FILE("filename*0*=utf-8''Gr%C3%BC;\n filename*1*=%C3%9Fe;\n filename*2=\".sec\""), YES},
    {FILE("filename*0=\"a long name\";\n filename*1=\" of it.sec\""), YES},
    {FILE("filename=\"=?utf-8?B?"
          "QSBuYW1lIHRoYXQgaXMgbG9uZ2VyIHRoYW4gb25lIHdvcmQgbWF5IGJlLCBhcyBtYW55IHdyaXRlIGl0LnNlYw=="
          "?=\""),
     YES},
    {FILE("filename=\"=?utf-8?Q?a_long?=\n =?utf-8?Q?_name.sec?=\""), YES},
    {SEC, PART("Content-Type: application/x; name=x.sec"), YES},
    {FILE("filename=x.txt"), NO},
    {FILE("filename=x.section"), NO},
    {SEC, PART("Content-Type: text/plain; charset=x.sec"), NO},
    {SEC, PART("Content-Type: text/plain"), NO},
    /* Two names. */
    {SEC,
     PART("Content-Type: application/x; name=x.txt\nContent-Disposition: attachment; "
          "filename=x.sec"),
     SOME},
    {SEC,
     PART("Content-Type: application/x; name=x.sec\nContent-Disposition: attachment; "
          "filename=x.txt"),
     SOME},
    {SEC,
     PART("Content-Type: application/x; name=y.sec\nContent-Disposition: attachment; "
          "filename=x.sec"),
     YES},
    {FILE("filename=x.sec; filename=x.txt"), SOME},
    {FILE("filename=x.txt; filename=x.sec"), SOME},
    {FILE("filename=a.sec; filename=x.sec"), YES},
    {FILE("filename=x.txt; filename*=utf-8''x.sec"), SOME},
    {FILE("filename=x.sec; filename*=utf-8''x.txt"), SOME},
    {FILE("filename=x.sec; filename*=utf-8''y.sec"), YES},
    {FILE("filename=x.txt; filename*0=x.; filename*1=sec"), SOME},
    {FILE("filename=x.txt; name=x.sec"), SOME},
    {FILE("filename=x.sec\nContent-Disposition: attachment; filename=x.txt"), SOME},
    {FILE("filename=x.txt\nContent-Disposition: attachment; filename=x.sec"), SOME},
    {FILE("filename=x.sec\nContent-Disposition: attachment; filename=x.sec"), SOME},
    {SEC, PART("Content-Disposition : attachment; filename=x.sec"), SOME},
    /* Comments, quotes, blanks. */
    {FILE("filename=x.sec (c)"), SOME},
    {FILE("filename=\"x.sec\" (c)"), SOME},
    {FILE("filename=(c) x.sec"), YES},
    {FILE("filename (c) = \"x.sec\""), YES},
    {FILE("(c; filename=x.sec) filename=x.txt"), SOME},
    {FILE("filename=x.txt (; filename=x.sec)"), SOME},
    {FILE("filename=x.(c)sec"), SOME},
    {FILE("filename=x.sec y(.sec"), SOME},
    {FILE("filename=\"x\".sec"), SOME},
    {FILE("filename=a x.sec"), SOME},
    {FILE("filename='x.sec'"), SOME},
    {FILE("filename=\"x.sec"), YES},
    {FILE("filename=\"x.sec; size=1"), SOME},
    {FILE("filename=x.txt; a=\"; filename=x.sec"), SOME},
    {FILE("filename=\"x.sec;.txt\""), SOME},
    {FILE("a=\"; filename=x.sec\""), SOME},
    {FILE("filename=\"x\\.sec\""), YES},
    {FILE("filename = x.sec ; a=b"), YES},
    {FILE("filename=\"x.sec \""), YES},
    {FILE("filename=\"x.sec.\""), SOME},
    {FILE("filename=\"x.sec. .\""), SOME},
    {FILE("filename=x.sec, size=1"), SOME},
    {"match_part=x.sec", PART("Content-Disposition: attachment; filename=\"C:\\\\y\\\\x.sec\""),
     SOME},
    /* RFC 2231. */
    {FILE("filename*1=sec; filename*0=x."), YES},
    {FILE("filename*0=x.; filename*0=y.; filename*1=sec; filename*1=txt"), SOME},
    {FILE("filename*0=x.; filename*2=sec"), SOME},
    {FILE("filename*1=x.; filename*2=sec"), SOME},
    {FILE("filename*0=x.sec; filename*1=.txt"), SOME},
    {FILE("filename*0*=utf-8''x%2E; filename*1=%73ec"), SOME},
    {FILE("filename*0=x.txt; filename*00=x.sec"), SOME},
    {FILE("filename*=x%2Esec"), YES},
    {FILE("filename*=utf-16be''%00x%00.%00s%00e%00c"), YES},
    {FILE("filename*=\"utf-8''x%2Esec\""), YES},
    {FILE("filename*=utf-8''x.sec%00.txt"), SOME},
    {FILE("filename=x%2Esec"), SOME},
    /* Encoded words where none belong. */
    {FILE("filename==?utf-8?q?x=2Esec?="), YES},
    {FILE("filename=\"=?utf-8?q?x=2E?= =?utf-8?q?sec?=\""), YES},
    {FILE("filename=\"=?utf-8?b?eC5?= =?utf-8?b?zZWM?=\""), SOME},
    {FILE("filename=\"=?utf-8?q?x.sec=00?=\""), YES},
    {FILE("filename*=utf-8''=%3Futf-8%3Fq%3Fx=2Esec%3F="), YES},
    {SEC, PART(BINARY "\nContent-Disposition: =?utf-8?q?attachment;_filename=3Dx.sec?="), SOME},
    {FILE("filename=\"x.s\n ec\""), SOME},
    {FILE("filename=\"x.\u200bsec\""), SOME},
    {FILE("filename=\"x.\uff53\uff45\uff43\""), SOME},
    {FILE("filename==?utf-8?q?x.?= =?utf-8?q?sec?="), SOME},
    {FILE("filename==?utf-8?q?a;x.sec?="), SOME},
    {FILE("filename=\"=?utf-8?q?a\"x.sec?=\""), SOME},
    {FILE("filename=\"=?utf-8?q?a\"x.?= =?utf-8?q?sec?=\""), SOME},
    {FILE("filename *=utf-8''x%2Esec"), YES},
    {FILE("filename *0=x.; filename *1=sec"), YES},
    {"match_part=gr\u00fc\u00dfe.sec",
     PART("Content-Type: application/x; name=\"Gr\xfc\xdf"
          "e.sec\""),
     SOME},
    /* Other fields that give a name. */
    {SEC, PART(BINARY "\nContent-Description: x.sec"), SOME},
    {SEC, PART(BINARY "\nContent-Location: file:///c:/x.sec"), SOME},
    {SEC, PART(BINARY "\nContent-Name: x.sec"), SOME},
    /* Types. */
    {TYPE("text/calendar; method=REQUEST"), YES},
    {TYPE("TEXT/Calendar;method=REQUEST"), YES},
    {TYPE("text/calendar (c); method=REQUEST"), SOME},
    {TYPE("(c) text/calendar"), SOME},
    {TYPE("text / calendar"), SOME},
    {TYPE("text/plain\nContent-Type: text/calendar"), SOME},
    {TYPE("text/calendar, text/plain"), SOME},
    {TYPE("\"text/calendar\""), SOME},
    {TYPE("=?utf-8?q?text/calendar?="), SOME},
    {TYPE("text/plain; x=text/calendar"), NO},
};

#define BASE64_ATTACHED "Q29udGVudC1UeXBlOiBhcHBsaWNhdGlvbi94OyBuYW1lPXguc2VjCgp4Cg=="
#define QUOTED_ATTACHED                                                                            \
    "Content-Type: multipart/mixed; boundary=3D=\nc\n\n--c\n" BINARY "; "                          \
    "na=\nme=3Dx.sec\n\nx\n--c--"
#define FOUND BINARY "; name=x.sec\n\nx\n"

static const Row STRUCTURE[] = {
    {SEC, HEAD FOUND, YES},
    {SEC, PART("Content-Type: multipart/mixed; boundary=c\n\n--c\n" FOUND "--c--"), YES},
    {SEC, PART("Content-Type: message/rfc822\n\nSubject: s\n" FOUND), SOME},
    {SEC,
     PART("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" BASE64_ATTACHED),
     SOME},
    {SEC,
     PART("Content-Type: message/global; x=y\nContent-Transfer-Encoding: (c) "
          "BASE64\n\n" BASE64_ATTACHED),
     SOME},
    {SEC,
     PART("Content-Transfer-Encoding: base64\nContent-Type: message/rfc822\n\n"
          "Q29udGVudC1UeXBlOiBtdWx0aXBhcnQvbWl4ZWQ7IGJvdW5kYXJ5PWMKCi0tYwpDb250ZW50LURp\n"
          "c3Bvc2l0aW9uOiBhdHRhY2htZW50OyBmaWxlbmFtZT14LnNlYwoKeAotLWMtLQo="),
     SOME},
    {SEC,
     PART("Content-Type: multipart/mixed; boundary=c\nContent-Transfer-Encoding: "
          "quoted-printable\n\n" QUOTED_ATTACHED),
     SOME},
    {SEC,
     PART("Content-Type: message/rfc822\nContent-Transfer-Encoding: "
          "quoted-printable\n\n" QUOTED_ATTACHED),
     SOME},
    {SEC,
     PART("Content-Type: application/pkcs7-mime; "
          "smime-type=signed-data\nContent-Transfer-Encoding: base64\n\n"
          "MAkEBAECQ29udGVudC1UeXBlOiBhcHBsaWNhdGlvbi94OyBuYW1lPXguc2VjCgp4Cg=="),
     SOME},
    {SEC, PART("Content-Type: multipart/digest; boundary=c\n\n--c\n\n" FOUND "--c--"), SOME},
    /* Line ends, and what is no delimiter for all. */
    {SEC, PART("X-A: b\rContent-Disposition: attachment; filename=x.sec"), SOME},
    {SEC, PART("Content-Disposition: attachment;\r filename=x.sec"), SOME},
    {SEC, PART("Content-Disposition: attachment; filename=x.\rsec"), SOME},
    {SEC, PART(BINARY "\r\rContent-Type: text/plain; name=x.sec"), SOME},
    {SEC, PART("Content-Type: text/plain\n\ny\r--b\r" BINARY "; name=x.sec\r\r"), SOME},
    {SEC, PART("no field\nContent-Disposition: attachment; filename=x.sec"), SOME},
    {SEC, PART(" \nContent-Disposition: attachment; filename=x.sec"), SOME},
    {SEC, PART("X: y\n \nContent-Disposition: attachment; filename=x.sec"), SOME},
    {SEC, MIXED "--bb\n" FOUND "--b\n\nx\n--b--\n", SOME},
    {SEC, MIXED "--b\n\nx\n--b--\n--b\n" FOUND, SOME},
    {SEC, HEAD "Content-Type: multipart/mixed\n\n--b\n" FOUND "--b--\n", SOME},
    {SEC, HEAD "Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--b\n" FOUND "--b--\n",
     SOME},
    {SEC, HEAD "Content-Type: multipart/mixed; boundary=b; boundary=a\n\n--b\n" FOUND "--b--\n",
     SOME},
    {SEC,
     HEAD "Content-Type: multipart/mixed; boundary=b; boundary*=utf-8''a\n\n--b\n" FOUND "--b--\n",
     SOME},
    {SEC,
     HEAD "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" FOUND
          "--b--\n",
     SOME},
    {SEC, HEAD "\nbegin 644 x.sec\n#0V%T\n`\nend\n", SOME},
    {SEC, HEAD "Content-Transfer-Encoding: base64\n\nYmVnaW4gNjQ0IHguc2VjCg==\n", SOME},
    {SEC, HEAD "\n=ybegin line=128 size=1 name=x.sec\n", SOME},
    {SEC, PART("Content-Type: application/ms-tnef; name=winmail.dat"), SOME},
    {SEC, PART("Content-Type: message/partial; id=a; number=2; total=2"), SOME},
    {SEC,
     PART("Content-Type: application/x-pkcs7-mime\nContent-Transfer-Encoding: "
          "base64\n\nMAoKBENvbnRlbnQtVHlwZTogYXBwbGljYXRpb24veDsgbmFtZT14LnNlYwoKeAo="),
     SOME},
    {SEC,
     PART("Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: "
          "base64\n\nMIAkgAQCeHkAAA=="),
     SOME},
    {SEC,
     PART("Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nMAN4eXo="),
     NO},
    {SEC,
     PART("Content-Type: message/rfc822\nContent-Transfer-Encoding: "
          "base64\n\nQ29udGVudC1UeXBlOiBhcHBsaWNhdGlvbi94OyBuYQ==bWU9eC5zZWMKCngK"),
     SOME},
    {SEC,
     MIXED "--bb\nContent-Type: multipart/digest; boundary=c\n\n--c\n\n" FOUND "--c--\n--b--\n",
     SOME},
    {SEC, MIXED "--bb\nContent-Disposition: attachment; filename=x.\rsec\n\nx\n--b--\n", SOME},
    {SEC, MIXED "--bb\nX-A: a\r\rContent-Disposition: attachment; filename=x.sec\n\nx\n--b--\n",
     SOME},
    {SEC,
     PART(BINARY
          "\nContent-Disposition: attachment; filename=smime.p7m\nContent-Transfer-Encoding: "
          "base64\n\nMAoKBENvbnRlbnQtVHlwZTogYXBwbGljYXRpb24veDsgbmFtZT14LnNlYwoKeAo="),
     SOME},
    {SEC, PART(BINARY "; name=winmail.dat"), SOME},
    {SEC,
     PART("Content-Type: message (c) / rfc822\nContent-Transfer-Encoding: "
          "base64\n\n" BASE64_ATTACHED),
     SOME},
    {SEC,
     PART(
         "Content-Type: \"message/rfc822\"\nContent-Transfer-Encoding: base64\n\n" BASE64_ATTACHED),
     SOME},
    {SEC,
     PART("Content-Type: =?utf-8?q?message=2Frfc822?=\nContent-Transfer-Encoding: "
          "base64\n\n" BASE64_ATTACHED),
     SOME},
    {SEC,
     PART("Content-Type: mess(c)age/rfc822\nContent-Transfer-Encoding: base64\n\n" BASE64_ATTACHED),
     SOME},
    {SEC,
     PART("Content-Type: text/x\nContent-Type: message/rfc822\nContent-Transfer-Encoding: "
          "base64\n\n" BASE64_ATTACHED),
     SOME},
    {SEC,
     PART("Content-Type: message/rfc822\nContent-Transfer-Encoding: "
          "7bit\nContent-Transfer-Encoding: =?utf-8?q?base=36=34?=\n\n" BASE64_ATTACHED),
     SOME},
    /* What speaks of files, and has none. */
    {SEC, HEAD "\nThe file x.sec is there.\nContent-Disposition: attachment; filename=x.sec\n", NO},
    {SEC, HEAD "\nbegin the x.sec\nbegin x 644 x.sec\n-- \nCarol\nname=x.sec\n", NO},
    {SEC,
     PART("Content-Type: application/octet-stream\nContent-Transfer-Encoding: "
          "base64\n\n" BASE64_ATTACHED),
     NO},
    {SEC, PART("Content-Type: message/rfc822\n\nSubject: x.sec\n\nx.sec\n"), NO},
};

static const Row FIELDS[] = {
    {"match_header=X-A: secret", HEAD "X-A: secret\n\nx\n", YES},
    {"match_header=X-A: secret", HEAD "X-A: secret (c)\n\nx\n", SOME},
    {"match_header=X-A: secret", HEAD "X-A: \"secret\"\n\nx\n", SOME},
    {"match_header=X-A: secret", HEAD "X-A: sec\n ret\n\nx\n", SOME},
    {"match_header=X-A: secret", HEAD "X-A: =?utf-8?q?sec?=\n =?utf-8?q?ret?=\n\nx\n", YES},
    {"match_header=X-A: secret", HEAD "X-A: sec\u200bret\n\nx\n", SOME},
    {"match_header=X-A: secret", HEAD "X-A: =?utf-8?q?sec=00ret?=\n\nx\n", NO},
    {"match_header=X-A: secret", HEAD "X-B: b\n \nX-A: secret\n\nx\n", SOME},
    {"match_header=X-A: secret", HEAD "no field\nX-A: secret\n\nx\n", SOME},
    {"match_header=X-A: secret", HEAD "no field\n\nX-A: secret\n", NO},
    {"match_tag=[encrypt]", HEAD "no field\nno other\nSubject: [encrypt] a\n\nx\n", SOME},
    {"match_header=X-A: two words", HEAD "X-A: two\n words\n\nx\n", YES},
    {"match_header=X-A: se(c)ret", HEAD "X-A: se(c)ret\n\nx\n", YES},
    {"match_tag=[encrypt]", HEAD "Subject: [encrypt] a\n\nx\n", YES},
    {"match_tag=[encrypt]", HEAD "Subject: [enc\n rypt] a\n\nx\n", SOME},
    {"match_tag=[encrypt]", HEAD "Subject:\n [enc\n\trypt] a\n\nx\n", SOME},
    {"match_tag=[encrypt]", HEAD "Subject: [enc rypt] a\n\nx\n", NO},
    {"match_tag=[encrypt]", HEAD "Subject: =?utf-8?q?[enc?=\n =?utf-8?q?rypt]?= a\n\nx\n", YES},
    {"match_tag=[encrypt]", HEAD "Subject: =?utf-8?q?[enc?=\n rypt] a\n\nx\n", SOME},
    {"match_tag=[encrypt]", HEAD "Subject: [enc=?utf-8?q?rypt]?= a\n\nx\n", SOME},
    {"match_tag=[encrypt]", HEAD "Subject: =?utf-8?q?[en=63?= =?utf-7?q?ryp+AHQ-]?= a\n\nx\n", YES},
    {"match_tag=[encrypt]", HEAD "Subject: [enc\u200brypt] a\n\nx\n", SOME},
    {"match_tag=[encrypt]", HEAD "Subject: =?utf-8?q?[enc=E2=80=8Brypt]?= a\n\nx\n", SOME},
    {"match_tag=[encrypt]", HEAD "Subject: \uff3bencrypt\uff3d a\n\nx\n", SOME},
    {"match_tag=[encrypt]", HEAD "Subject: a\n\n[encrypt]\n", NO},
    {"match_header=X-A: gr\u00fc\u00dfe",
     HEAD "X-A: Gr\xfc\xdf"
          "e\n\nx\n",
     SOME},
    {"match_header=X-A: gr\u00fc\u00dfe", HEAD "X-A: Gr\u00fc\u00dfe\n\nx\n", YES},
    {"match_size=>10", HEAD "\nx\n", YES},
};

static SealRule *rule_of(const char *line)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    const char *equals = strchr(line, '=');
    g_autofree char *key = g_strndup(line, (gsize)(equals - line));
    g_autofree char *text = g_strdup(equals + 1);
    SealPlace place = {text, "f", 1};
    SealGroup group = {(char *)"rule r", {NULL, "f", 1}, values};

    g_hash_table_insert(values, key, &place);
    g_autoptr(SealSettings) settings =
        seal_settings_new("rule r", &group, SEAL_TABLE_RULE, NULL, &error);
    g_assert_no_error(error);
    SealRule *rule = seal_rule_new(settings, &error);
    g_assert_no_error(error);
    return rule;
}

static SealMatch match_of(const char *line, const char *message, gsize length)
{
    const char *const recipients[] = {"alice@example.org", NULL};
    g_autoptr(SealContent) content = seal_content_new_copy(message, length);
    const SealJobSpec spec = {
        .sender = "carol@sender.example", .recipients = recipients, .message = content};
    g_autoptr(GError) error = NULL;
    g_autoptr(SealJob) job = seal_job_new(&spec, &error);
    g_autoptr(SealRule) rule = rule_of(line);

    g_assert_no_error(error);
    return seal_rule_match(rule, 0, job, g_ptr_array_index(seal_job_recipients(job), 0));
}

/* With LF, and with CRLF. */
static void check_rows(const Row *rows, gsize count)
{
    for (gsize i = 0; i < count; i++) {
        g_auto(GStrv) lines = g_strsplit(rows[i].message, "\n", -1);
        g_autofree char *crlf = g_strjoinv("\r\n", lines);

        g_autofree char *shown = g_strescape(rows[i].message, NULL);

        g_test_message("%s: %s", rows[i].rule, shown);
        g_assert_cmpint(match_of(rows[i].rule, rows[i].message, strlen(rows[i].message)), ==,
                        rows[i].match);
        g_assert_cmpint(match_of(rows[i].rule, crlf, strlen(crlf)), ==, rows[i].match);
    }
}

static void test_parts(void)
{
    check_rows(PARTS, G_N_ELEMENTS(PARTS));
}

static void test_structure(void)
{
    check_rows(STRUCTURE, G_N_ELEMENTS(STRUCTURE));
}

static void test_fields(void)
{
    check_rows(FIELDS, G_N_ELEMENTS(FIELDS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rule/parts", test_parts);
    g_test_add_func("/rule/structure", test_structure);
    g_test_add_func("/rule/fields", test_fields);
    return g_test_run();
}
