/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-author.c: who surely wrote a message, and who is named in its address fields.
 */
#include "core/mail/author.h"
#include "core/mail/message.h"

#include <string.h>

static SealMessage *message_of(const char *header)
{
    g_autofree char *whole = g_strconcat(header, "\n\nbody\n", NULL);
    g_autoptr(SealContent) content = seal_content_new_copy(whole, strlen(whole));
    g_autoptr(GError) error = NULL;
    SealMessage *message = seal_message_new(content, &error);

    g_assert_no_error(error);
    return message;
}

/* One mailbox for everybody, in the ways that clients write it. */
static const char *const CLEAN[] = {
    "From: me@example.org",
    "from:me@example.org",
    "FROM:\tme@example.org ",
    "From: <me@example.org>",
    "From: Me <me@example.org>",
    "From: Me<me@example.org>",
    "From: Me Myself <me@example.org>",
    "From: Dr. M. E. Myself <me@example.org>",
    "From: \"Myself, Me\" <me@example.org>",
    "From: \"Me; Myself: I\" <me@example.org>",
    "From: \"Me (sales)\" <me@example.org>",
    "From: \"Me \\\"the one\\\" Myself\" <me@example.org>",
    "From: M\u00fcller <me@example.org>",
    "From: \"M\u00fcller, J\u00fcrgen\" <me@example.org>",
    "From: =?utf-8?q?M=C3=BCller=2C_Me?= <me@example.org>",
    "From: =?UTF-8?B?TcO8bGxlciwgTWU=?= <me@example.org>",
    "From: =?iso-8859-1?Q?M=FCller?= <me@example.org>",
    "From: =?iso-8859-1*de?Q?M=FCller?= <me@example.org>",
    "From: =?utf-8?q?M=C3?= =?utf-8?q?=BCller?= <me@example.org>",
    "From: =?utf-8?b?TcO8bA==?= =?utf-8?b?bGVy?= Me <me@example.org>",
    "From: =?iso-2022-jp?B?GyRCOzNFRBsoQg==?= <me@example.org>",
    "From: =?ks_c_5601-1987?B?seg=?= <me@example.org>",
    "From: =?iso-8859-8-i?q?=E0?= <me@example.org>",
    "From: =?utf-8?q?Me_=28Berlin=29?= <me@example.org>",
    "From: \"=?utf-8?q?M=C3=BCller?=\" <me@example.org>",
    "From: me@example.org (Me Myself)",
    "From: me@example.org (Me (really))",
    "From: (Me) me@example.org",
    "From: Me (Berlin) <me@example.org> (work)",
    "From: \"me@example.org\" <me@example.org>",
    "From: \"'me@example.org'\" <Me@Example.org>",
    "From: me@example.org (me@example.org)",
    /* An address as its own name, in whatever way. */
    "From: me@example.org <me@example.org>",
    "From: Me@example.org (x) <me@EXAMPLE.org>",
    "From: =?utf-8?q?me=40example=2Eorg?= <me@example.org>",
    "From: =?utf-8?b?bWVAZXhhbXBsZS5vcmc=?= <me@example.org>",
    "From: \"=?utf-8?q?me=40example=2Eorg?=\" <me@example.org>",
    "From: \"me@example.org via Shop\" <me@example.org>",
    "From: \"Me (me@example.org)\" (@me) <me@example.org>",
    "From: \"Me @ example.org\" <me@example.org>",
    "From: =?utf-8?q?Me_=40_Example=2Eorg?= <me@example.org>",
    "From: me@example.org (me @ example.org)",
    /* An @ that is nobody's. */
    "From: \"Ops @ Example\" <me@example.org>",
    "From: \"Ops @ Example Inc.\" <me@example.org>",
    "From: \"J. Doe @ Example\" <me@example.org>",
    "From: \"\\\"Ops\\\" @ Example\" <me@example.org>",
    "From: =?utf-8?q?B=C3=BCro_=40_Example?= <me@example.org>",
    "From: me@example.org (Ops @ Example)",
    "From: \"Me (@me)\" <me@example.org>",
    "From: Me (@me) <me@example.org>",
    "From: \"@me\" <me@example.org>",
    "From: \"Me @work\" <me@example.org>",
    /* Names that should be in quotes, or encoded, and seldom are. */
    "From: Shop [DE] <me@example.org>",
    "From: [DE] Shop<me@example.org>",
    "From: [Shop] <me@example.org>",
    "From: J. Smith <me@example.org>",
    "From: Jira (Cloud) <me@example.org>",
    "From: Me via Service <me@example.org>",
    "From: O'Me & Sons / #1 <me@example.org>",
    "From: M\xfcller <me@example.org>",
    "From: \"M\xfcller, Me\" <me@example.org>",
    "From: Ren\xe9<me@example.org>",
    "From: me@example.org (M\xfcller)",
    "From: =?unknown-8bit?q?M=FCller?= <me@example.org>",
    "From: =?ANSI_X3.4-1968?Q?M=FCller?= <me@example.org>",
    "From: =?utf-8?q?Me=C3?= <me@example.org>",
    "From: =?utf-8?q?Me=4?= <me@example.org>",
    "From: =?utf-8?b?TWU?= <me@example.org>",
    "From: =?utf-8?q?Me_=5BDE=5D=3A_you=3F?= <me@example.org>",
    "From: < me@example.org >",
    "From: me@example.org (Cron Daemon) (x)",
    "From: \"me\"@example.org",
    "From: Me <\"me\"@example.org>",
    "From: Me\n <me@example.org>",
    "From: Me\r\n\t<me@example.org>",
    "From:\n me@example.org",
    "Sender: you@example.org\nFrom: me@example.org\nReply-To: you@example.org",
    "Resent-From: you@example.org\nFrom: me@example.org",
};

/* Others than that, and who they are. */
static const char *const OTHERS[][2] = {
    {"From: root@host (Cron Daemon)", "root@host"},
    {"From: <\"a b\"@example.org>", "a b@example.org"},
    {"From: Me <\"a b\"@example.org>", "a b@example.org"},
    {"From: \"me..x\"@example.org (Me)", "me..x@example.org"},
    {"From: \"Ops @ Example\" <\"a b\"@example.org>", "a b@example.org"},
    {"From: \"Me (sales)\" <o'me+x=y/z@example.org>", "o'me+x=y/z@example.org"},
    {"From: M\u00fcller <m\u00fc@b\u00fccher.example>", "m\u00fc@xn--bcher-kva.example"},
};

/* The field, and a part of the reason. */
static const char *const UNCLEAR[][2] = {
    {"To: me@example.org", "there is none"},
    {"From:", "no address"},
    {"From: Me", "no address"},
    {"From: \"me@example.org\"", "no address"},
    {"From: (me@example.org)", "no address"},
    /* Several fields. */
    {"From: me@example.org\nFrom: me@example.org", "more than once"},
    {"From: me@example.org\nFrom:", "more than once"},
    {"From: me@example.org\nFROM: broken@", "more than once"},
    {"From: me@-no-\nFrom : me@example.org", "more than once"},
    {" From: you@example.org\nFrom: me@example.org", "there is none"},
    {"From : me@example.org", "before its colon"},
    {"From\t: me@example.org", "before its colon"},
    {"From: Me\n \n <me@example.org>", "blanks alone"},
    /* Several mailboxes, or what could be. */
    {"From: me@example.org, you@example.org", "comma"},
    {"From: me@example.org,", "comma"},
    {"From: ,me@example.org", "comma"},
    {"From: me@example.org,,", "comma"},
    {"From: you, me@example.org", "comma"},
    {"From: me@example.org, you", "comma"},
    {"From: me@example.org, you@-evil-", "comma"},
    {"From: me@example.org, you@[[bad", "comma"},
    {"From: Myself, Me <me@example.org>", "comma"},
    {"From: me@example.org; you@example.org", "group"},
    {"From: me@example.org;", "group"},
    {"From: Board: me@example.org;", "group"},
    {"From: undisclosed:;, me@example.org", "group"},
    {"From: x: y: you@example.org;, me@example.org;", "group"},
    {"From: me@example.org: you@example.org", "group"},
    {"From: me@example.org you@example.org", "behind"},
    {"From: me@example.org you", "behind"},
    {"From: me@example.org <you@example.org>", "before another"},
    {"From: you@example.org <me@example.org>", "before another"},
    {"From: 'me@example.org' <me@example.org>", "before another"},
    {"From: me@example.org <me@example.org", "angle brackets"},
    {"From: me@example.org <me@example.org> <me@example.org>", "behind"},
    {"From: Me <me@example.org> <me@example.org>", "behind"},
    {"From: Firma GmbH & Co. KG: Shop <me@example.org>", "group"},
    {"From: Me; <me@example.org>", "group"},
    {"From: Me <me@example.org>;", "group"},
    {"From: me@example.org [you]", "behind"},
    {"From: root", "no address"},
    {"From: root (Cron Daemon)", "no address"},
    {"From: Ops @ Example <me@example.org>", "@ stands beside"},
    {"From: @me <me@example.org>", "@ stands beside"},
    {"From: Me me@example.org", "@ stands beside"},
    {"From: Me at you@example.org <me@example.org>", "@ stands beside"},
    {"From: <me@example.org> you@example.org", "behind"},
    {"From: <me@example.org> Me", "behind"},
    {"From: <me@example.org> <you@example.org>", "behind"},
    {"From: <me@example.org>>", "only in double quotes"},
    {"From: <<me@example.org>>", "plain words"},
    {"From: <@a.example,@b.example:me@example.org>", "route"},
    {"From: <me@example.org, you@example.org>", "angle brackets"},
    {"From: <me@example.org you@example.org>", "angle brackets"},
    {"From: <me@example.org (x)>", "angle brackets"},
    {"From: <me@example.org", "angle brackets"},
    {"From: <me (x)@example.org>", "plain words"},
    {"From: me(x)@example.org", "@ stands beside"},
    {"From: me @example.org", "@ stands beside"},
    {"From: me@ example.org", "plain words"},
    {"From: me@you@example.org", "@ stands beside"},
    {"From: <me@you@example.org>", "angle brackets"},
    {"From: <>", "plain words"},
    {"From: me@example.org.", "none that can be"},
    {"From: me@-evil-", "none that can be"},
    {"From: me@[192.0.2.1]", "plain words"},
    {"From: Me \\<you@example.org> <me@example.org>", "only in double quotes"},
    {"From: Me ] <me@example.org>", "only in double quotes"},
    {"From: Me [<you>] <me@example.org>", "square brackets"},
    {"From: Me [work <me@example.org>", "square brackets"},
    {"From: Me [work] me@example.org", "@ stands beside"},
    {"From: Me [a, b] <me@example.org>", "square brackets"},
    {"From: Me [\\] <me@example.org>", "square brackets"},
    {"From: Me [(] <me@example.org>", "square brackets"},
    /* What some readers see the end of alone. */
    {"From: <x..me@example.org>", "dots side by side"},
    {"From: x..me@example.org", "dots side by side"},
    {"From: <.me@example.org>", "a dot at an end"},
    {"From: <me.@example.org>", "a dot at an end"},
    {"From: <'me@example.org>", "apostrophe"},
    {"From: \"m e\"@example.org", "angle brackets around the address"},
    {"From: \"\"@example.org", "quoted part"},
    {"From: \"you@example.org\"@example.org", "quoted part"},
    {"From: Me <\"you@example.org x\"@example.org>", "quoted part"},
    {"From: <\"x <you\"@example.org>", "quoted part"},
    {"From: <\"x (y) me\"@example.org>", "quoted part"},
    {"From: <\"x, me\"@example.org>", "quoted part"},
    {"From: <\"x\\me\"@example.org>", "quoted part"},
    {"From: \"x\" me@example.org", "@ stands beside"},
    {"From: \"x\"me@example.org", "@ stands beside"},
    {"From: x\"me\"@example.org", "@ stands beside"},
    {"From: <\"x\"me@example.org>", "plain words"},
    {"From: me@example\u3002org", "reads as a dot"},
    /* Texts that do not end, or end elsewhere for others. */
    {"From: \"Me <me@example.org>", "does not end"},
    {"From: \"Me\\\" <me@example.org>", "does not end"},
    {"From: (Me <me@example.org>", "does not end"},
    {"From: me@example.org (Me", "does not end"},
    {"From: me@example.org (((((((((((Me)))))))))))", "too deep"},
    {"From: Me) <me@example.org>", "only in double quotes"},
    /* An address that somebody could see in a name or comment. */
    {"From: \"you@example.org\" <me@example.org>", "second address"},
    {"From: \"<you@example.org>\" <me@example.org>", "second address"},
    {"From: \"you@example.org,\" <me@example.org>", "second address"},
    {"From: \"xme@example.org\" <me@example.org>", "second address"},
    {"From: \"me@example.orgx\" <me@example.org>", "second address"},
    {"From: \"me@example.org.evil.example\" <me@example.org>", "second address"},
    {"From: \"x'me@example.org'\" <me@example.org>", "second address"},
    {"From: me@example.org (you@example.org)", "second address"},
    {"From: (you@example.org) me@example.org", "second address"},
    {"From: me@example.org (\\) you@example.org)", "second address"},
    {"From: \"x me @ example.org\" <me@example.org>", "written the same"},
    {"From: \"x. me @ example.org\" <me@example.org>", "written the same"},
    {"From: \"me @ example.org x\" <me@example.org>", "written the same"},
    {"From: \"me @ example.org.x\" <me@example.org>", "me@example.org.x"},
    {"From: \"xme @ example.org\" <me@example.org>", "xme@example.org"},
    {"From: \"\\\"x\\\" me @ example.org\" <me@example.org>", "written the same"},
    {"From: \"you @ example.org\" <me@example.org>", "you@example.org"},
    {"From: \"you@ example.org\" <me@example.org>", "you@example.org"},
    {"From: \"you @example.org\" <me@example.org>", "you@example.org"},
    {"From: \"you @ example . org\" <me@example.org>", "second address"},
    {"From: \"you @ exam ple.org\" <me@example.org>", "second address"},
    {"From: \"you @ (x) example.org\" <me@example.org>", "second address"},
    {"From: \"you @ (<) example.org\" <me@example.org>", "second address"},
    {"From: \"you @ example\u3002org\" <me@example.org>", "second address"},
    {"From: \"you @ [192.0.2.1]\" <me@example.org>", "second address"},
    {"From: \"you\u00a0@ Example\" <me@example.org>", "second address"},
    {"From: \"you@Example\" <me@example.org>", "you@Example"},
    {"From: \"Ops @ Example\" <me@localhost>", "Ops@Example"},
    {"From: \"'you@example.com' via Me\" <me@example.org>", "you@example.com"},
    {"From: me@example.org (Me, you @ example.org)", "you@example.org"},
    {"From: M\xfcller you@example.org <me@example.org>", "@ stands beside"},
    {"From: \"M\xfcller you@example.org\" <me@example.org>", "you@example.org"},
    {"From: \"\xfcme@example.org\" <me@example.org>", "second address"},
    {"From: <m\xfc@example.org>", "none that can be"},
    {"From: \"you\uff20example.org\" <me@example.org>", "second address"},
    {"From: you\ufe6bexample.org <me@example.org>", "second address"},
    /* Encoded words that say more than a name, for readers too who take quotes and comments out
     * first, or decode twice. */
    {"From: \"=\\?utf-8?q?you=40example=2Eorg?=\" <me@example.org>", "you@example.org"},
    {"From: \"=\\?utf-8?q?you=40example=2Eorg(?=\" <me@example.org>", "you@example.org"},
    {"From: \"=?utf-8?q?you=\\40example=2Eorg?=\" <me@example.org>", "more than a name"},
    {"From: \"=?utf-8?q\\?you=40example=2Eorg?=\" <me@example.org>", "you@example.org"},
    {"From: =\"?utf-8?q?you=40example=2Eorg?=\" <me@example.org>", "you@example.org"},
    {"From: =(x)?utf-8?q?you=40example=2Eorg?= <me@example.org>", "you@example.org"},
    {"From: =?utf-8?(x)q?you=40example=2Eorg?= <me@example.org>", "you@example.org"},
    {"From: = ?utf-8?q?you=40example=2Eorg?= <me@example.org>", "cannot be decoded"},
    {"From: =?utf-8 ?q?you=40example=2Eorg?= <me@example.org>", "cannot be decoded"},
    {"From: =?utf-8?q?=3D=3Futf-8=3Fq=3Fyou=3D40example.org=3F=3D?= <me@example.org>",
     "cannot be decoded"},
    {"From: =?utf-8?q?you_=40_example=2Eorg?= <me@example.org>", "you@example.org"},
    {"From: =?utf-8?b?eW91QGV4?= =?utf-8?b?YW1wbGUub3J?= =?utf-8?b?n?= <me@example.org>",
     "second address"},
    {"From: =?utf-8?b?eW91QGV4YW1wbGUub3Jn!?= <me@example.org>", "second address"},
    {"From: =?utf-8?q?you=00=40example=2Eorg?= <me@example.org>", "second address"},
    {"From: =?cp037?q?=A8=96=A4=7C?= <me@example.org>", "cp037 is no charset"},
    {"From: Me =?utf-8?q?x <me@example.org>", "cannot be decoded"},
    {"From: =?utf-8?q?you=40example=2Eorg?= <me@example.org>", "second address"},
    {"From: =?utf-8?q?you=40example=2Eorg_=28?= <me@example.org>", "more than a name"},
    {"From: =?utf-8?b?eW91QGV4YW1wbGUub3Jn?= <me@example.org>", "second address"},
    {"From: =?utf-8?b?eW91QGV4?= =?utf-8?b?YW1wbGUub3Jn?= <me@example.org>", "second address"},
    {"From: =?utf-7?q?you+AEA-example.org?= <me@example.org>", "second address"},
    {"From: =?utf-16be?b?AHkAbwB1AEAAeA==?= <me@example.org>", "second address"},
    {"From: =?utf-8?q?you=EF=BC=A0example=2Eorg?= <me@example.org>", "second address"},
    {"From: \"=?utf-8?q?you=40example=2Eorg?=\" <me@example.org>", "second address"},
    {"From: me@example.org (=?utf-8?q?you=40example=2Eorg?=)", "second address"},
    {"From: x=?utf-8?q?you=40example=2Eorg?= <me@example.org>", "second address"},
    {"From: =?utf-8?q?you?==?utf-8?q?=40example=2Eorg?= <me@example.org>", "second address"},
    {"From: =?utf-8?q?Me_=3Cyou=3E?= <me@example.org>", "more than a name"},
    {"From: =?utf-8?q?Me_=22?= <me@example.org>", "more than a name"},
    {"From: =?utf-8?q?Me_=28?= <me@example.org>", "more than a name"},
    {"From: =?utf-8?q?Me=5C?= <me@example.org>", "more than a name"},
    {"From: =?utf-8?q?Me=0AFrom=3A_you?= <me@example.org>", "more than a name"},
    {"From: =?x-nobody-knows?q?Me?= <me@example.org>", "cannot be decoded"},
    {"From: =?utf-8?q?Me <me@example.org>", "cannot be decoded"},
    {"From: =?utf-8?q?you?=@example.org", "encoded word stands in its address"},
    {"From: <=?utf-8?q?you?=@example.org>", "encoded word stands in its address"},
};

static void assert_author(const char *header, const char *key)
{
    g_autoptr(SealMessage) message = message_of(header);
    g_autofree char *why = NULL, *shown = g_strescape(header, NULL);
    g_autoptr(SealAddress) author = seal_author_read(seal_message_header(message), &why);

    g_test_message("%s", shown);
    g_assert_cmpstr(why, ==, NULL);
    g_assert_cmpstr(seal_address_key(author), ==, key);
}

static void test_clean(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(CLEAN); i++)
        assert_author(CLEAN[i], "me@example.org");
    for (guint i = 0; i < G_N_ELEMENTS(OTHERS); i++)
        assert_author(OTHERS[i][0], OTHERS[i][1]);
}

static void test_unclear(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(UNCLEAR); i++) {
        g_autoptr(SealMessage) message = message_of(UNCLEAR[i][0]);
        g_autofree char *why = NULL;
        g_autoptr(SealAddress) author = seal_author_read(seal_message_header(message), &why);

        g_autofree char *shown = g_strescape(UNCLEAR[i][0], NULL);
        g_test_message("%s: %s", shown, why);
        g_assert_null(author);
        g_assert_nonnull(strstr(why, UNCLEAR[i][1]));
    }
}

/* A From of which nobody knows where it ends, and one that is too long to be anybody's. */
static void test_ends(void)
{
    static const char text[] = "From: me@example.org\nno field\n\nbody\n";
    g_autoptr(SealContent) content = seal_content_new_copy(text, sizeof text - 1);
    g_autoptr(SealMessage) message = seal_message_new(content, NULL);
    g_autofree char *name = g_strnfill(20000, 'x');
    g_autofree char *field = g_strconcat("From: ", name, " <me@example.org>", NULL);
    g_autoptr(SealMessage) other = message_of(field);
    g_autofree char *why = NULL, *why_other = NULL;

    g_assert_null(seal_author_read(seal_message_header(message), &why));
    g_assert_nonnull(strstr(why, "no empty line"));
    g_assert_null(seal_author_read(seal_message_header(other), &why_other));
    g_assert_nonnull(strstr(why_other, "16 KiB"));
}

static void append_key(SealAddress *address, gpointer all)
{
    g_string_append_printf(all, "%s ", seal_address_key(address));
}

/* Whom a rule that asks for more must think of. */
static void test_guess(void)
{
    static const char *const rows[][2] = {
        {"From: Me <me@x.org>", "me@x.org "},
        {"From: you, \"(a@x.org\" <b@x.org>; =?utf-8?q?c=40x.org?=\nFrom : 'd@x.org'.",
         "a@x.org b@x.org c@x.org d@x.org "},
        {"From: <@r.org:a@x.org>, b@[[bad, c@x.org(e@x.org", "a@x.org c@x.org e@x.org "},
        {"From: \"a b\"@x.org, \"=\\?utf-8?q?c=40x.org?=\"", "a b@x.org b@x.org c@x.org "},
        {"From: =?utf-8?b?YUB4Lm9yZw?= <b@x.org>", "a@x.org b@x.org "},
        {"From: <\"x@c.org\"@b.org>", "x@c.org ?@b.org "},
        {"From: <a@b.org@c.org>", "a@b.org ?@c.org "},
        {"From: nobody", ""},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealMessage) message = message_of(rows[i][0]);
        g_autoptr(GString) all = g_string_new(NULL);
        g_auto(GStrv) wanted = g_strsplit(rows[i][1], " ", -1);

        g_assert_true(seal_author_guess(seal_message_header(message), append_key, all, NULL));
        for (char **key = wanted; *key; key++)
            g_assert_nonnull(strstr(all->str, *key));
        g_assert_cmpint(*rows[i][1] == '\0', ==, all->len == 0);
    }
}

static void test_named(void)
{
    static const char *const rows[][2] = {
        {"a@x.org, B <b@x.org>,, \"c, d\" <c@x.org> (e@x.org)", "a@x.org b@x.org c@x.org "},
        {"team: a@x.org, b@x.org;, c@x.org", "a@x.org b@x.org c@x.org "},
        {"a@x.org; b@x.org", "a@x.org b@x.org "},
        {"g:g:g:a@x.org;;;", "a@x.org "},
        {"undisclosed-recipients:;", ""},
        {"\"a@x.org\" <b@x.org>", "b@x.org "},
        {"(a@x.org) b@x.org", "b@x.org "},
        {"a@x.org <b@x.org>", "b@x.org "},
        {"a@x.org b@x.org, c@x.org", "c@x.org "},
        {"\"a b\"@x.org, <\"c d\"@x.org>", "a b@x.org c d@x.org "},
        {"a@x.org, \"b@x.org, c@x.org", "a@x.org "},
        {"a@x.org, (b@x.org, c@x.org", "a@x.org "},
        {"<@r.org:a@x.org>, b@-x, , <>, <", ""},
        {"< a@x.org >", "a@x.org "},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        SealMailboxCount count = {.most = 100};
        g_autoptr(GString) all = g_string_new(NULL);

        g_test_message("%s", rows[i][0]);
        g_assert_true(seal_mailbox_each(rows[i][0], &count, append_key, all, NULL));
        g_assert_cmpstr(all->str, ==, rows[i][1]);
    }
}

static void test_too_many(void)
{
    SealMailboxCount count = {.most = 3}, again = {.most = 3};
    g_autoptr(GError) error = NULL, other = NULL;
    g_autoptr(GString) all = g_string_new(NULL);

    g_assert_true(seal_mailbox_each("a, b, c, d, e, f@x", &count, append_key, all, NULL));
    g_assert_false(seal_mailbox_each("a@x, b@x, c@x", &count, append_key, all, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
    g_assert_false(seal_mailbox_guess("a@x b@x c@x d@x", &again, append_key, all, &other));
    g_assert_error(other, SEAL_ERROR, SEAL_ERROR_LIMIT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/author/clean", test_clean);
    g_test_add_func("/author/unclear", test_unclear);
    g_test_add_func("/author/ends", test_ends);
    g_test_add_func("/author/guess", test_guess);
    g_test_add_func("/mailbox/named", test_named);
    g_test_add_func("/mailbox/too-many", test_too_many);
    return g_test_run();
}
