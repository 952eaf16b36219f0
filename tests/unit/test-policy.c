/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-policy.c: which rule wins, and what becomes of the message: a table.
 */
#include "test-smime-pki.h"

#include <string.h>

/* alice and bob have keys, nobody else has. */
#define ALICE "alice@example.org"
#define BOB   "bob@example.org"
#define NOKEY "nokey@example.org"

#define M(fields) "From: carol@sender.example\nTo: alice@example.org\n" fields "\nthe words\n"
#define PLAIN     M("Subject: s\n")

#define REDUCE                                                                                     \
    "[rule b]\nmatch_sender=<>\nmatch_part=message/delivery-status\nreduce_bounces=true\n"

typedef struct {
    const char *conf;
    const char *message;
    const char *sender;
    const char *recipient;
    char result; /* S sealed, P plain, R refused, N a report */
    const char *rule;
    const char *output; /* a part of it; NULL: not looked at */
} Row;

#define EXEMPT(match)  "[rule r]\n" match "\nencrypt=never\n"
#define REQUIRE(match) "[policy]\nencrypt=preferred\n[rule r]\n" match "\nencrypt=required\n"
#define CAROL          "carol@sender.example"

#define PART(type, more)                                                                           \
    M("Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: " type         \
      "\nContent-Disposition: attachment" more "\n\nx\n--b--\n")

static const Row ROWS[] = {
    /* [policy] alone. */
    {"", PLAIN, CAROL, ALICE, 'S', "", NULL},
    {"", PLAIN, CAROL, NOKEY, 'R', "", NULL},
    {"[policy]\nencrypt=preferred\n", PLAIN, CAROL, ALICE, 'S', "", NULL},
    {"[policy]\nencrypt=preferred\n", PLAIN, CAROL, NOKEY, 'P', "", NULL},
    {"[policy]\nencrypt=never\n", PLAIN, CAROL, ALICE, 'P', "", NULL},
    {"[policy]\nencrypt=never\n", PLAIN, CAROL, NOKEY, 'P', "", NULL},
    {"[policy]\nfallback=allow\n", PLAIN, CAROL, ALICE, 'S', "", NULL},
    {"[policy]\nfallback=allow\n", PLAIN, CAROL, NOKEY, 'P', "", NULL},
    {"[policy]\nfallback=refuse\n", PLAIN, CAROL, NOKEY, 'R', "", NULL},
    {"[policy]\nfallback=report\n", PLAIN, CAROL, NOKEY, 'N', "", "Subject: A message for you"},
    {"[policy]\nfallback=report\n", PLAIN, CAROL, ALICE, 'S', "", NULL},
    {"[policy]\nfallback=report\nencrypt=preferred\n", PLAIN, CAROL, NOKEY, 'P', "", NULL},
    {"[rule r]\nmatch_recipient=*\nfallback=report\nreport_subject=Ask us\n", PLAIN, CAROL, NOKEY,
     'N', "r", "\nSubject: Ask us\n"},
    {"[policy]\nmin_trust=manual\n", PLAIN, CAROL, ALICE, 'R', "", NULL},
    {"[policy]\nmin_trust=manual\nfallback=allow\n", PLAIN, CAROL, ALICE, 'P', "", NULL},
    /* Recipients: an address. */
    {EXEMPT("match_recipient=alice@example.org"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=ALICE@Example.ORG"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=alice@example.org"), PLAIN, CAROL, "Alice@EXAMPLE.org", 'P', "r",
     NULL},
    {EXEMPT("match_recipient=alice@example.org"), PLAIN, CAROL, BOB, 'S', "", NULL},
    {EXEMPT("match_recipient=alice@example.org"), PLAIN, CAROL, "alice+x@example.org", 'P', "r",
     NULL},
    {EXEMPT("match_recipient=alice+x@example.org"), PLAIN, CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_recipient=alice+x@example.org"), PLAIN, CAROL, "alice+x@example.org", 'P', "r",
     NULL},
    {EXEMPT("match_recipient=bob@example.org;alice@example.org"), PLAIN, CAROL, ALICE, 'P', "r",
     NULL},
    {EXEMPT("match_recipient=lice@example.org"), PLAIN, CAROL, ALICE, 'S', "", NULL},
    /* Recipients: domains. */
    {EXEMPT("match_recipient=@example.org"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=@EXAMPLE.org"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=@example.org"), PLAIN, CAROL, "x@sub.example.org", 'R', "", NULL},
    {EXEMPT("match_recipient=@example.org"), PLAIN, CAROL, "x@notexample.org", 'R', "", NULL},
    {EXEMPT("match_recipient=@.example.org"), PLAIN, CAROL, "x@sub.example.org", 'P', "r", NULL},
    {EXEMPT("match_recipient=@.example.org"), PLAIN, CAROL, "x@a.b.example.org", 'P', "r", NULL},
    {EXEMPT("match_recipient=@.example.org"), PLAIN, CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_recipient=@.example.org"), PLAIN, CAROL, "x@notexample.org", 'R', "", NULL},
    {EXEMPT("match_recipient=@example.org;@.example.org"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=@b\xc3\xbc"
            "cher.example"),
     PLAIN, CAROL, "x@xn--bcher-kva.example", 'P', "r", NULL},
    {EXEMPT("match_recipient=@xn--bcher-kva.example"), PLAIN, CAROL,
     "x@b\xc3\xbc"
     "cher.example",
     'P', "r", NULL},
    /* Recipients: globs. */
    {EXEMPT("match_recipient=*@example.org"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=al*@example.org"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=AL*@EXAMPLE.*"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=al?ce@example.org"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=al?e@example.org"), PLAIN, CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_recipient=@*.org"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=@*.com"), PLAIN, CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_recipient=*"), PLAIN, CAROL, NOKEY, 'P', "r", NULL},
    {EXEMPT("match_recipient=*@b\u00fccher.example"), PLAIN, CAROL, "x@xn--bcher-kva.example", 'P',
     "r", NULL},
    /* What exempts knows ASCII's case alone; what asks for more, every reading. */
    {EXEMPT("match_recipient=strasse@x.example"), PLAIN, CAROL, "stra\u00dfe@x.example", 'R', "",
     NULL},
    {EXEMPT("match_recipient=stra\u00dfe@x.example"), PLAIN, CAROL, "stra\u00dfe@x.example", 'P',
     "r", NULL},
    {EXEMPT("match_recipient=stra\u00dfe@x.example"), PLAIN, CAROL, "strasse@x.example", 'R', "",
     NULL},
    {EXEMPT("match_recipient=jos\u00e9@x.example"), PLAIN, CAROL, "jose\u0301@x.example", 'R', "",
     NULL},
    {EXEMPT("match_recipient=k*@x.example"), PLAIN, CAROL, "\u212aurt@x.example", 'R', "", NULL},
    {EXEMPT("match_sender=kurt@x.example"), PLAIN, "\u212aurt@x.example", ALICE, 'S', "", NULL},
    {EXEMPT("match_from=finance@x.example"), "From: \ufb01nance@x.example\n\nx\n", CAROL, ALICE,
     'S', "", NULL},
    {REQUIRE("match_recipient=jos\u00e9@x.example"), PLAIN, CAROL, "JOSE\u0301@x.example", 'R', "r",
     NULL},
    {REQUIRE("match_recipient=strasse@x.example"), PLAIN, CAROL, "stra\u00dfe@x.example", 'R', "r",
     NULL},
    {REQUIRE("match_recipient=k*@x.example"), PLAIN, CAROL, "\u212aurt@x.example", 'R', "r", NULL},
    {REQUIRE("match_recipient=\u212a*@x.example"), PLAIN, CAROL, "kurt@x.example", 'R', "r", NULL},
    /* Senders. */
    {EXEMPT("match_sender=carol@sender.example"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_sender=carol@sender.example"), PLAIN, "dave@sender.example", ALICE, 'S', "",
     NULL},
    {EXEMPT("match_sender=@sender.example"), PLAIN, "dave@sender.example", ALICE, 'P', "r", NULL},
    {EXEMPT("match_sender=@sender.example"), PLAIN, "<>", ALICE, 'S', "", NULL},
    {EXEMPT("match_sender=*"), PLAIN, "<>", ALICE, 'S', "", NULL},
    {EXEMPT("match_sender=<>"), PLAIN, "<>", ALICE, 'P', "r", NULL},
    {EXEMPT("match_sender=<>"), PLAIN, "", ALICE, 'P', "r", NULL},
    {EXEMPT("match_sender=<>"), PLAIN, CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_sender=<>"), PLAIN, "no address", ALICE, 'S', "", NULL},
    {EXEMPT("match_sender=*"), PLAIN, "no address", ALICE, 'S', "", NULL},
    {EXEMPT("match_sender=<>;carol@sender.example"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_sender=carol@sender.example"), PLAIN, NULL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_sender=other@sender.example"), "Return-path: <other@sender.example>\n" PLAIN,
     NULL, ALICE, 'P', "r", NULL},
    /* The author: one address, whoever the envelope names. */
    {EXEMPT("match_from=carol@sender.example"), PLAIN, "other@x.example", ALICE, 'P', "r", NULL},
    {EXEMPT("match_from=other@x.example"), PLAIN, "other@x.example", ALICE, 'S', "", NULL},
    {EXEMPT("match_from=@sender.example"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_from=@sender.example"), "From: carol@sender.example, d@sender.example\n\nx\n",
     CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_from=@sender.example"),
     "From: carol@sender.example\nFrom: d@sender.example\n\nx\n", CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_from=*"), "To: alice@example.org\n\nx\n", CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_from=carol@sender.example"),
     "From: \"carol@sender.example\" <evil@x.example>\n\nx\n", CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_from=@sender.example"), "From: carol@sender.example,\n\nx\n", CAROL, ALICE, 'S',
     "", NULL},
    {EXEMPT("match_from=@sender.example"), "From : carol@sender.example\n\nx\n", CAROL, ALICE, 'S',
     "", NULL},
    /* What asks for more thinks of whomever From could name. */
    {REQUIRE("match_from=carol@sender.example"), "From: x@y.example, carol@sender.example\n\nx\n",
     CAROL, NOKEY, 'R', "r", NULL},
    {REQUIRE("match_from=carol@sender.example"),
     "From: x@y.example\nFrom: Carol <carol@sender.example\n\nx\n", CAROL, NOKEY, 'R', "r", NULL},
    {REQUIRE("match_from=carol@sender.example"),
     "From: =?utf-8?q?carol=40sender.example?= <x@y.example>\n\nx\n", CAROL, NOKEY, 'R', "r", NULL},
    {REQUIRE("match_from=carol@sender.example"), "From: x@y.example\n\nx\n", CAROL, NOKEY, 'P', "",
     NULL},
    /* Header fields. */
    {EXEMPT("match_header=X-App: shop"), M("X-App: shop\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_header=x-app: SHOP"), M("X-App: shop\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_header=X-App: shop"), M("X-App: shopping\n"), CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_header=X-App: shop*"), M("X-App: shopping\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_header=X-App: *"), M("X-App:\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_header=X-App: *"), M("X-Other: shop\n"), CAROL, ALICE, 'S', "", NULL},
    /* Not everybody finds these there. */
    {EXEMPT("match_header=X-App: shop"), M("X-App : shop\n"), CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_header=X-App: shop"), M("X-App:\n \n shop\n"), CAROL, ALICE, 'S', "", NULL},
    {REQUIRE("match_header=X-App: shop"), M("X-App : shop\n"), CAROL, NOKEY, 'R', "r", NULL},
    {EXEMPT("match_tag=[public]"), M("Subject : [public] x\n"), CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_part=text/calendar"), M("Content-Type : text/calendar\n"), CAROL, ALICE, 'S', "",
     NULL},
    {EXEMPT("match_header=X-App: a?c"), M("X-App: abc\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_header=X-App: two words"), M("X-App: two\n words\n"), CAROL, ALICE, 'P', "r",
     NULL},
    {EXEMPT("match_header=Subject: *gr\xc3\xbc\xc3\x9f"
            "e*"),
     M("Subject: =?utf-8?Q?Viele_Gr=C3=BC=C3=9Fe?=\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_header=Subject: *gr\xc3\xbc\xc3\x9f"
            "e*"),
     M("Subject: =?utf-8?B?R3LDvMOfZQ==?=\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_header=X-A: 1;X-B: 2"), M("X-B: 2\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_header=X-A: 1;X-B: 2"), M("X-B: 1\n"), CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_header=Content-Type: text/calendar*"),
     M("Content-Type: text/calendar; method=REQUEST\n"), CAROL, ALICE, 'P', "r", NULL},
    /* A field that stands twice exempts from nothing, but it may ask for more. */
    {EXEMPT("match_header=X-App: shop"), M("X-App: shop\nX-App: shop\n"), CAROL, ALICE, 'S', "",
     NULL},
    {EXEMPT("match_header=X-App: shop"), M("X-App: shop\nX-APP: x\n"), CAROL, ALICE, 'S', "", NULL},
    {REQUIRE("match_header=X-App: shop"), M("X-App: x\nX-App: shop\n"), CAROL, NOKEY, 'R', "r",
     NULL},
    {REQUIRE("match_header=X-App: shop"), M("X-App: x\n"), CAROL, NOKEY, 'P', "", NULL},
    {"[rule r]\nmatch_header=X-A: 1\nfallback=allow\n", M("X-A: 1\nX-A: 1\n"), CAROL, NOKEY, 'R',
     "", NULL},
    {"[rule r]\nmatch_header=X-A: 1\nfallback=allow\n", M("X-A: 1\n"), CAROL, NOKEY, 'P', "r",
     NULL},
    {"[rule r]\nmatch_header=X-A: 1\nencrypt=preferred\n", M("X-A: 1\nX-A: 1\n"), CAROL, NOKEY, 'R',
     "", NULL},
    {"[policy]\nmin_trust=manual\n[rule r]\nmatch_header=X-A: 1\nmin_trust=verified\n",
     M("X-A: 1\nX-A: 1\n"), CAROL, ALICE, 'R', "", NULL},
    {"[policy]\nmin_trust=manual\n[rule r]\nmatch_header=X-A: 1\nmin_trust=verified\n",
     M("X-A: 1\n"), CAROL, ALICE, 'S', "r", NULL},
    /* Size. */
    {EXEMPT("match_size=>10"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_size=>10K"), PLAIN, CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_size=<10K"), PLAIN, CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_size=<10"), PLAIN, CAROL, ALICE, 'S', "", NULL},
    /* Tags. */
    {REQUIRE("match_tag=[encrypt]"), M("Subject: [encrypt] hello\n"), CAROL, NOKEY, 'R', "r", NULL},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: hello [ENCRYPT]\n"), CAROL, NOKEY, 'R', "r", NULL},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: hello\n"), CAROL, NOKEY, 'P', "", NULL},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: encrypt\n"), CAROL, NOKEY, 'P', "", NULL},
    {REQUIRE("match_tag=[encrypt]"), M("X-Subject: [encrypt]\n"), CAROL, NOKEY, 'P', "", NULL},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: =?utf-8?B?W2VuY3J5cHRdIGE=?=\n"), CAROL, NOKEY,
     'R', "r", NULL},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: [encrypt] hello\n"), CAROL, ALICE, 'S', "r",
     "\nSubject: hello\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: a [encrypt] b\n"), CAROL, ALICE, 'S', "r",
     "\nSubject: a b\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: a [enCRYPT]\n"), CAROL, ALICE, 'S', "r",
     "\nSubject: a\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: [enc[encrypt]rypt] x\n"), CAROL, ALICE, 'S', "r",
     "\nSubject: x\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: =?utf-8?B?W2VuY3J5cHRdIGFiYw==?=\n"), CAROL, ALICE,
     'S', "r", "\nSubject: abc\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: =?utf-8?Q?[encrypt]a=0ABcc:_x?=\n"), CAROL, ALICE,
     'S', "r", "\nSubject: =?UTF-8?B?YQpCY2M6IHg=?=\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: =?utf-8?Q?[encrypt]a=0D=0A=0D=0Ax?=\n"), CAROL,
     ALICE, 'S', "r", "\nSubject: =?UTF-8?B?YQ0KDQp4?=\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: =?utf-8?Q?[encrypt]_Gr=C3=BC=C3=9Fe?=\n"), CAROL,
     ALICE, 'S', "r", "\nSubject: =?UTF-8?B?R3LDvMOfZQ==?=\n"},
    {REQUIRE("match_tag=subject"), M("Subject: subject one\n"), CAROL, ALICE, 'S', "r",
     "\nSubject: one\n"},
    {EXEMPT("match_tag=[plain]"), M("Subject: [plain] x\n"), CAROL, ALICE, 'P', "r",
     "\nSubject: x\n"},
    {EXEMPT("match_tag=[plain]"), M("Subject: [plain] x\nSubject: y\n"), CAROL, ALICE, 'S', "",
     NULL},
    {"[rule a]\nmatch_recipient=alice@example.org\n[rule r]\nmatch_tag=[x1]\nencrypt=never\n",
     M("Subject: [x1] y\n"), CAROL, ALICE, 'S', "a", "\nSubject: [x1] y\n"},
    {REQUIRE("match_tag=[encrypt]"),
     M("Subject: =?utf-8?b?W2VuY3I=?=\n =?utf-8?b?eXB0XSBhYmM=?=\n"), CAROL, ALICE, 'S', "r",
     "\nSubject: abc\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: =?UTF-8?Q?[encrypt]?= x\n"), CAROL, ALICE, 'S',
     "r", "\nSubject: x\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: [enc\n [encrypt]rypt] x\n"), CAROL, ALICE, 'S',
     "r", "\nSubject: [enc\n rypt] x\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: one\n [encrypt]\n two\n"), CAROL, ALICE, 'S', "r",
     "\nSubject: one\n two\n"},
    {REQUIRE("match_tag=AAA"), M("Subject: =?utf-8?b?w6TDpMAAA8Ok?= AAA\n"), CAROL, ALICE, 'S', "r",
     "\nSubject: =?utf-8?b?w6TDpMAAA8Ok?=\n"},
    /* What readers take for encoded words differs: the stricter of both counts. */
    {REQUIRE("match_tag=[encrypt]"), M("Subject: Re:=?utf-8?q?[encrypt]?=glued\n"), CAROL, ALICE,
     'S', "r", "\nSubject: Re:glued\n"},
    {REQUIRE("match_tag=[encrypt]"), M("Subject: =?x-none?q?[encrypt]?=\n"), CAROL, NOKEY, 'R', "r",
     NULL},
    {EXEMPT("match_header=Subject: a*"), M("Subject: =?utf-8?q?abc?=\n"), CAROL, ALICE, 'P', "r",
     NULL},
    {EXEMPT("match_header=Subject: a*"), M("Subject: =?utf-8?q?abc?=d\n"), CAROL, ALICE, 'S', "",
     NULL},
    {EXEMPT("match_header=Subject: stra\u00dfe"), M("Subject: strasse\n"), CAROL, ALICE, 'S', "",
     NULL},
    {REQUIRE("match_header=Subject: stra\u00dfe"), M("Subject: STRASSE\n"), CAROL, NOKEY, 'R', "r",
     NULL},
    /* A rule that may match does not hide a stricter one behind it, nor [policy]. */
    {"[policy]\nencrypt=never\n[rule a]\nmatch_header=X-A: 1\n[rule b]\nmatch_header=X-B: 1\n"
     "encrypt=required\n",
     M("X-A: 1\nX-A: 1\nX-B: 1\n"), CAROL, NOKEY, 'R', "b", NULL},
    {"[policy]\nencrypt=never\n[rule a]\nmatch_header=X-A: 1\n[rule b]\nmatch_header=X-B: 1\n"
     "encrypt=required\n",
     M("X-A: 1\nX-B: 1\n"), CAROL, NOKEY, 'P', "a", NULL},
    {"[rule a]\nmatch_header=X-A: 1\nencrypt=preferred\n[rule b]\nmatch_recipient=*\n"
     "encrypt=never\n",
     M("X-A: 1\nX-A: 1\n"), CAROL, ALICE, 'S', "a", NULL},
    {"[rule a]\nmatch_header=X-A: 1\nfallback=allow\n[rule b]\nmatch_recipient=*\n"
     "encrypt=preferred\nmin_trust=manual\n",
     M("X-A: 1\nX-A: 1\n"), CAROL, ALICE, 'S', "a", NULL},
    /* Each whom an unclear From names. */
    {REQUIRE("match_from=hr@sender.example"), "From: x@y.example, Hr <hr@sender.example>\n\nx\n",
     CAROL, NOKEY, 'R', "r", NULL},
    {REQUIRE("match_from=hr@sender.example"),
     "From: x@y.example\nFrom: =?utf-8?q?hr=40sender=2Eexample?=\n\nx\n", CAROL, NOKEY, 'R', "r",
     NULL},
    {REQUIRE("match_sender=@sender.example"), PLAIN, "no address", NOKEY, 'R', "r", NULL},
    /* Parts. */
    {EXEMPT("match_part=text/calendar"), M("Content-Type: text/calendar; method=REQUEST\n"), CAROL,
     ALICE, 'P', "r", NULL},
    {EXEMPT("match_part=TEXT/*"), M("Subject: s\n"), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_part=text/calendar"), PART("text/calendar", ""), CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_part=*.ics"), PART("application/x", "; filename=A.ICS"), CAROL, ALICE, 'P', "r",
     NULL},
    {EXEMPT("match_part=text/calendar"), PART("text/html", ""), CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_part=text/calendar"), PART("text/calendar\nContent-Type: text/plain", ""), CAROL,
     ALICE, 'S', "", NULL},
    {EXEMPT("match_part=text/calendar"), PART("message/rfc822", "\n\nContent-Type: text/calendar"),
     CAROL, ALICE, 'S', "", NULL},
    {REQUIRE("match_part=text/calendar"), PART("message/rfc822", "\n\nContent-Type: text/calendar"),
     CAROL, NOKEY, 'R', "r", NULL},
    /* All conditions must hold. */
    {EXEMPT("match_sender=carol@sender.example\nmatch_header=X-App: shop"), M("X-App: shop\n"),
     CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_sender=carol@sender.example\nmatch_header=X-App: shop"), M("X-App: x\n"), CAROL,
     ALICE, 'S', "", NULL},
    {EXEMPT("match_sender=dave@sender.example\nmatch_header=X-App: shop"), M("X-App: shop\n"),
     CAROL, ALICE, 'S', "", NULL},
    {EXEMPT("match_recipient=@example.org\nmatch_size=<1K\nmatch_from=@sender.example"), PLAIN,
     CAROL, ALICE, 'P', "r", NULL},
    {EXEMPT("match_recipient=@example.org\nmatch_size=>1K\nmatch_from=@sender.example"), PLAIN,
     CAROL, ALICE, 'S', "", NULL},
    /* The first rule that matches wins, for every key that it sets; [policy] gives the rest. */
    {"[rule a]\nmatch_recipient=@example.org\nencrypt=never\n[rule b]\nmatch_recipient=*\n"
     "encrypt=required\n",
     PLAIN, CAROL, ALICE, 'P', "a", NULL},
    {"[rule b]\nmatch_recipient=*\nencrypt=required\n[rule a]\nmatch_recipient=@example.org\n"
     "encrypt=never\n",
     PLAIN, CAROL, ALICE, 'S', "b", NULL},
    {"[rule a]\nmatch_recipient=@other.example\nencrypt=never\n[rule b]\nmatch_recipient=*\n"
     "fallback=allow\n",
     PLAIN, CAROL, NOKEY, 'P', "b", NULL},
    {"[policy]\nfallback=allow\n[rule a]\nmatch_recipient=*\nencrypt_to_sender=false\n", PLAIN,
     CAROL, NOKEY, 'P', "a", NULL},
    {"[policy]\nencrypt=never\n[rule a]\nmatch_recipient=*\nmin_trust=manual\n", PLAIN, CAROL,
     ALICE, 'P', "a", NULL},
    {"[policy]\nencrypt=preferred\n[rule a]\nmatch_recipient=*\nmin_trust=manual\n", PLAIN, CAROL,
     ALICE, 'P', "a", NULL},
    {"[rule a]\nmatch_recipient=*\nformats=smime\n", PLAIN, CAROL, ALICE, 'S', "a", NULL},
};

static char letter(SealVerdict verdict)
{
    return verdict == SEAL_VERDICT_SEALED   ? 'S'
           : verdict == SEAL_VERDICT_PLAIN  ? 'P'
           : verdict == SEAL_VERDICT_REFUSE ? 'R'
           : verdict == SEAL_VERDICT_REPORT ? 'N'
                                            : '?';
}

/* A module folder, keys and configuration that all rows share. */
static Smime *the_smime;
static char *anchors; /* the line of [module smime] */
static char *folder;  /* of keys */

static void open_with(const char *conf)
{
    g_autofree char *more = g_strdup_printf("[module keys-file]\npaths=%s\n%s", folder, conf);
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&the_smime->dispatcher, seal_dispatcher_free);
    smime_open_with(the_smime, anchors, more, &error);
    g_assert_no_error(error);
}

static char *put(const char *name, X509 *cert)
{
    g_autoptr(GBytes) pem = pki_pem(cert);

    return smime_write(the_smime, name, pem);
}

static void make_keys(void)
{
    g_autoptr(X509) ca = pki_ca("Root", NULL);
    g_autoptr(X509) alice = pki_person(ALICE, "RSA", NULL, ca);
    g_autoptr(X509) bob = pki_person(BOB, "P-256", NULL, ca);
    g_autofree char *root = put("root.pem", ca);
    g_autofree char *first = put("keys/alice.pem", alice);
    g_autofree char *second = put("keys/bob.pem", bob);

    anchors = g_strdup_printf("trust_anchors=%s\n", root);
    folder = g_path_get_dirname(first);
}

static SealJob *job_of(const Row *row, gboolean one_output)
{
    const char *const recipients[] = {row->recipient, NULL};
    g_autoptr(SealContent) content = seal_content_new_copy(row->message, strlen(row->message));
    const SealJobSpec spec = {
        .sender = row->sender,
        .recipients = recipients,
        .message = content,
        .one_output = one_output,
    };
    g_autoptr(GError) error = NULL;
    SealJob *job = seal_job_new(&spec, &error);

    g_assert_no_error(error);
    return job;
}

static char *output_of(SealJob *job)
{
    SealDelivery *delivery = g_ptr_array_index(seal_job_deliveries(job), 0);
    g_autoptr(GBytes) bytes =
        seal_content_to_bytes(seal_delivery_content(delivery), G_MAXINT32, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);

    return g_strndup(data, size);
}

static void check_row(const Row *row)
{
    open_with(row->conf);
    g_autoptr(SealJob) job = job_of(row, TRUE);
    g_autoptr(GError) error = NULL;

    g_test_message("%s\n%.400s -> %s", row->conf, row->message, row->recipient);
    seal_dispatcher_run(the_smime->dispatcher, job, NULL, &error);
    g_assert_no_error(error);
    SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);
    g_assert_cmpint(letter(seal_recipient_result(recipient)), ==, row->result);
    g_assert_cmpstr(seal_recipient_rule(recipient), ==, row->rule);
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, row->result == 'R' ? 0 : 1);
    if (row->result == 'R')
        return;

    g_autofree char *output = output_of(job);
    g_assert_true((strstr(output, "the words") != NULL || strstr(output, "\nx\n") != NULL) ==
                  (row->result == 'P'));
    if (row->output)
        g_assert_nonnull(strstr(output, row->output));
}

static void test_rows(void)
{
    g_assert_cmpuint(G_N_ELEMENTS(ROWS), >=, 100);
    for (guint i = 0; i < G_N_ELEMENTS(ROWS); i++)
        check_row(&ROWS[i]);
}

/* What is too long to be folded may be alike: where less is asked for, it is not. */
static void test_long_field(void)
{
    g_autoptr(GString) message = g_string_new("From: carol@sender.example\nX-App: ");

    for (guint i = 0; i < 100000; i++)
        g_string_append(message, "\u00fc");
    g_string_append(message, "\n\nx\n");
    const Row rows[] = {
        {REQUIRE("match_header=X-App: shop"), message->str, CAROL, NOKEY, 'R', "r", NULL},
        {EXEMPT("match_header=X-App: shop"), message->str, CAROL, ALICE, 'S', "", NULL},
        {EXEMPT("match_header=X-App: *\u00fc"), message->str, CAROL, ALICE, 'P', "r", NULL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        check_row(&rows[i]);
}

/* -------------------------------------------------------------------------------------------
 * Asking about an address
 */

typedef struct {
    const char *conf;
    const char *sender;
    const char *header; /* NULL: none */
    const char *recipient;
    char result;
} Question;

static const Question QUESTIONS[] = {
    {"", CAROL, NULL, ALICE, 'S'},
    {"", CAROL, NULL, NOKEY, 'R'},
    {"[policy]\nfallback=report\n", CAROL, NULL, NOKEY, 'N'},
    {EXEMPT("match_recipient=nokey@example.org"), CAROL, NULL, NOKEY, 'P'},
    /* The envelope tells. */
    {EXEMPT("match_sender=carol@sender.example"), CAROL, NULL, NOKEY, 'P'},
    {EXEMPT("match_sender=dave@sender.example"), CAROL, NULL, NOKEY, 'R'},
    {EXEMPT("match_sender=<>"), "<>", NULL, NOKEY, 'P'},
    {EXEMPT("match_sender=<>"), CAROL, NULL, NOKEY, 'R'},
    {EXEMPT("match_sender=<>"), NULL, NULL, NOKEY, 'R'},
    /* What only the message can tell counts as "will be handled". */
    {EXEMPT("match_sender=dave@sender.example"), NULL, NULL, NOKEY, 'P'},
    {EXEMPT("match_header=X-App: shop"), CAROL, NULL, NOKEY, 'P'},
    {EXEMPT("match_from=carol@sender.example"), CAROL, NULL, NOKEY, 'P'},
    {EXEMPT("match_size=>10M"), CAROL, NULL, NOKEY, 'P'},
    {EXEMPT("match_tag=[plain]"), CAROL, NULL, NOKEY, 'P'},
    {EXEMPT("match_header=X-App: shop\nmatch_recipient=other@example.org"), CAROL, NULL, NOKEY,
     'R'},
    {"[policy]\nfallback=allow\n[rule r]\nmatch_tag=[encrypt]\nfallback=refuse\n", CAROL, NULL,
     NOKEY, 'P'},
    /* With the header block, most of it is known. */
    {EXEMPT("match_header=X-App: shop"), CAROL, "X-App: shop\n\n", NOKEY, 'P'},
    {EXEMPT("match_header=X-App: shop"), CAROL, "X-App: x\n\n", NOKEY, 'R'},
    {EXEMPT("match_from=carol@sender.example"), CAROL, "From: carol@sender.example\n\n", NOKEY,
     'P'},
    {EXEMPT("match_from=carol@sender.example"), CAROL, "From: x@sender.example\n\n", NOKEY, 'R'},
    {EXEMPT("match_tag=[plain]"), CAROL, "Subject: [plain]\n\n", NOKEY, 'P'},
    {EXEMPT("match_tag=[plain]"), CAROL, "Subject: x\n\n", NOKEY, 'R'},
    {EXEMPT("match_size=>10M"), CAROL, "Subject: x\n\n", NOKEY, 'P'},
    /* A delivery report may leave; of the null sender's other mail the header tells enough. */
    {REDUCE, "<>", NULL, NOKEY, 'P'},
    {REDUCE, CAROL, NULL, NOKEY, 'R'},
    {REDUCE, "<>", "Content-Type: multipart/report; report-type=delivery-status\n\n", NOKEY, 'P'},
    {REDUCE, "<>", "Content-Type: multipart/report; report-type=feedback-report\n\n", NOKEY, 'R'},
    {REDUCE, "<>", "Subject: gone\n\n", NOKEY, 'R'},
};

static void test_questions(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(QUESTIONS); i++) {
        const Question *question = &QUESTIONS[i];
        const char *const recipients[] = {question->recipient, NULL};
        const char *text = question->header ? question->header : "";
        g_autoptr(SealContent) header = seal_content_new_copy(text, strlen(text));
        const SealJobSpec spec = {
            .sender = question->sender,
            .recipients = recipients,
            .message = question->header ? header : NULL,
            .header_only = question->header != NULL,
        };
        open_with(question->conf);
        g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

        g_test_message("%s %s -> %s", question->conf, text, question->recipient);
        g_assert_true(seal_dispatcher_check(the_smime->dispatcher, job, NULL, NULL));
        g_assert_cmpint(
            letter(seal_recipient_result(g_ptr_array_index(seal_job_recipients(job), 0))), ==,
            question->result);
    }
}

/* -------------------------------------------------------------------------------------------
 * Several recipients
 */

typedef struct {
    const char *conf;
    gboolean one_output;
    const char *results; /* alice, bob, nokey */
    guint deliveries;
} Mixed;

static const Mixed MIXED[] = {
    {"", FALSE, "SSR", 1},
    {"", TRUE, "RRR", 0},
    {"[policy]\nencrypt=preferred\n", FALSE, "SSP", 2},
    {"[policy]\nencrypt=preferred\n", TRUE, "PPP", 1},
    {"[policy]\nencrypt=preferred\nall_or_none=true\n", FALSE, "PPP", 1},
    {"[policy]\nall_or_none=true\n", FALSE, "RRR", 0},
    {"[policy]\nall_or_none=true\nfallback=allow\n", FALSE, "PPP", 1},
    {"[rule r]\nmatch_recipient=nokey@example.org\nencrypt=never\n", FALSE, "SSP", 2},
    {"[rule r]\nmatch_recipient=nokey@example.org\nencrypt=never\n", TRUE, "RRR", 0},
    {"[rule r]\nmatch_recipient=nokey@example.org\nencrypt=preferred\n", TRUE, "RRR", 0},
    {"[policy]\nall_or_none=true\n[rule r]\nmatch_recipient=nokey@example.org\nencrypt=never\n",
     FALSE, "SSP", 2},
    {"[policy]\nencrypt=preferred\n[rule r]\nmatch_recipient=bob@example.org\nencrypt=never\n",
     FALSE, "SPP", 2},
    {"[policy]\nencrypt=preferred\n[rule r]\nmatch_recipient=nokey@example.org\nencrypt=required\n"
     "fallback=allow\n",
     TRUE, "PPP", 1},
    {"[policy]\nfallback=report\n", FALSE, "SSN", 2},
    {"[policy]\nfallback=report\n", TRUE, "NNN", 1},
    {"[policy]\nfallback=report\n[rule r]\nmatch_recipient=bob@example.org\nfallback=refuse\n",
     TRUE, "RRR", 0},
    {"[policy]\nfallback=allow\n[rule r]\nmatch_recipient=bob@example.org\nfallback=report\n", TRUE,
     "NNN", 1},
    /* A tag that one rule takes out makes a delivery of its own. */
    {"[rule r]\nmatch_recipient=bob@example.org\nmatch_tag=[t1]\n", FALSE, "SSR", 2},
};

static void test_mixed(void)
{
    static const char *const recipients[] = {ALICE, BOB, NOKEY, NULL};
    static const char text[] = "From: carol@sender.example\nTo: alice@example.org, "
                               "bob@example.org, nokey@example.org\nSubject: [t1] x\n\nthe words\n";

    for (guint i = 0; i < G_N_ELEMENTS(MIXED); i++) {
        g_autoptr(SealContent) content = seal_content_new_copy(text, strlen(text));
        const SealJobSpec spec = {
            .sender = CAROL,
            .recipients = recipients,
            .message = content,
            .one_output = MIXED[i].one_output,
        };
        g_autoptr(GString) results = g_string_new(NULL);
        open_with(MIXED[i].conf);
        g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

        g_test_message("%s", MIXED[i].conf);
        g_assert_true(seal_dispatcher_run(the_smime->dispatcher, job, NULL, NULL));
        for (guint n = 0; n < 3; n++)
            g_string_append_c(results, letter(seal_recipient_result(
                                           g_ptr_array_index(seal_job_recipients(job), n))));
        g_assert_cmpstr(results->str, ==, MIXED[i].results);
        g_assert_cmpuint(seal_job_deliveries(job)->len, ==, MIXED[i].deliveries);
    }
}

/* -------------------------------------------------------------------------------------------
 * Rules that cannot be
 */

static void test_refused(void)
{
    static const char *const rows[][2] = {
        {"[rule r]\nencrypt=never\n", "[rule r]: says nothing to match"},
        {"[rule ]\nmatch_recipient=*\n", "a rule needs a name"},
        {"[rule r]\nmatch_recipient=\n", "match_recipient: an empty list"},
        {"[rule r]\nmatch_recipient=no address\n", "match_recipient: not a mail address"},
        {"[rule r]\nmatch_recipient=@-bad-\n", "match_recipient: not a mail address"},
        {"[rule r]\nmatch_recipient=<>\n", "match_recipient: <> is the null sender"},
        {"[rule r]\nmatch_from=<>\n", "match_from: <> is the null sender"},
        {"[rule r]\nmatch_header=Subject\n", "not written FIELD: GLOB"},
        {"[rule r]\nmatch_header=: x\n", "not written FIELD: GLOB"},
        {"[rule r]\nmatch_size=10M\n", "not a size with < or > before it"},
        {"[rule r]\nmatch_size=>ten\n", "not a size with < or > before it"},
        {"[rule r]\nmatch_size=<1\n", "matches nothing: no message has less"},
        {"[rule r]\nmatch_tag=[two words]\n", "a tag is one word"},
        {"[rule r]\nmatch_tag=x\n", "three characters"},
        {"[rule r]\nmatch_part=calendar\n", "neither a media type"},
        {"[rule r]\nmatch_part=\n", "match_part: an empty list"},
        {"[rule r]\nmatch_tag=gr\xc3\xbc\xc3\x9f"
         "e\n",
         "a tag is one word"},
        {"[rule r]\nmatch_recipient=*\nencrypt=sometimes\n", "encrypt: \"sometimes\" is none of"},
        {"[rule r]\nmatch_recipient=*\nmatch_colour=red\n", "no setting \"match_colour\""},
        {"[rule r]\nmatch_recipient=*\nencrypt=never\nfallback=allow\n", "fallback: has no effect"},
        {"[rule r]\nmatch_recipient=*\nformats=gif\n", "no enabled module offers"},
        {"[rule r]\nmatch_recipient=*\nformats=\n", "formats: is empty"},
        {"[rule r]\nmatch_recipient=*\nsign=required\n", "no stage that signs"},
        {"[rule r]\nmatch_recipient=*\nreport_text=/nonexistent/x\n", "report_text: "},
        {"[rule r]\nmatch_recipient=*\nreport_languages=xx\n", "no problem report in \"xx\""},
        {"[rule r]\nmatch_recipient=*\nreport_languages=\n", "report_languages: the list is empty"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        g_clear_pointer(&the_smime->dispatcher, seal_dispatcher_free);
        g_assert_false(smime_open_with(the_smime, NULL, rows[i][0], &error));
        g_test_message("%s", error->message);
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
        g_assert_nonnull(strstr(error->message, rows[i][1]));
        g_assert_nonnull(strstr(error->message, ".conf:"));
    }
}

/* -------------------------------------------------------------------------------------------
 * Reports
 */

/* The decoded parts of a report, one after the other. */
static char *decoded(const char *report)
{
    g_auto(GStrv) parts = g_strsplit(report, "base64", -1);
    g_autoptr(GString) all = g_string_new(NULL);

    for (guint i = 1; parts[i]; i++) {
        gsize length = 0;
        g_auto(GStrv) ends = g_strsplit(parts[i], "--", 2);
        g_autofree guchar *text = g_base64_decode(ends[0], &length);
        g_string_append_len(all, (const char *)text, (gssize)length);
    }
    return g_string_free(g_steal_pointer(&all), FALSE);
}

/* The one report that leaves for @recipients (with ; between them) in one output, decoded. */
static char *report_for(const char *conf, const char *message, const char *recipients)
{
    g_auto(GStrv) list = g_strsplit(recipients, ";", -1);
    g_autoptr(SealContent) content = seal_content_new_copy(message, strlen(message));
    const SealJobSpec spec = {.sender = CAROL,
                              .recipients = (const char *const *)list,
                              .message = content,
                              .one_output = TRUE};

    open_with(conf);
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);
    g_assert_true(seal_dispatcher_run(the_smime->dispatcher, job, NULL, NULL));
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, 1);
    g_autofree char *output = output_of(job);
    return decoded(output);
}

/* Each is told his own cause; what names files stays in the log, and of a Bcc nobody hears. */
static void test_report_cause(void)
{
    static const char message[] = "From: carol@example.org\nTo: nokey@example.org, \"<b>&\"@x.org, "
                                  "alice@example.org\nBcc: hidden@x.example\n\nx\n";
    static const char rule[] = "[rule <i>]\nmatch_recipient=*\nfallback=report\n";
    g_autoptr(GBytes) own = g_bytes_new_static("Why: {cause}. {cause}", 21);
    g_autofree char *path = smime_write(the_smime, "cause.txt", own);
    g_autofree char *conf = g_strdup_printf("[policy]\nfallback=report\nreport_text=%s\n", path);
    g_autofree char *text = report_for(rule, message,
                                       "nokey@example.org;\"<b>&\"@x.org;alice@example.org;"
                                       "hidden@x.example");
    g_autofree char *placed = report_for(conf, message, "nokey@example.org");
    g_autofree char *hidden = report_for(conf, message, "alice@example.org;hidden@x.example");

    g_test_message("%s", text);
    g_assert_nonnull(strstr(text, "The cause:\r\nnokey@example.org: no smime key for "
                                  "nokey@example.org; encrypt=required by [rule <i>]\r\n"
                                  "\"<b>&\"@x.org: no smime key for "));
    g_assert_nonnull(strstr(text, "<br>\r\n&quot;&lt;b&gt;&amp;&quot;@x.org: no smime key"));
    g_assert_null(strstr(text, "alice"));
    g_assert_null(strstr(text, "hidden"));
    g_assert_nonnull(strstr(placed, "Why: nokey@example.org: no smime key for nokey@example.org; "
                                    "encrypt=required by [policy]. nokey@example.org: no smime"));
    g_assert_null(strstr(placed, "The cause:"));
    g_assert_nonnull(strstr(hidden, "Why: the mail administrator finds it in the log."));
    g_assert_null(strstr(hidden, "hidden"));
}

static void test_report(void)
{
    static const char message[] =
        "Received: from x by y; now\nFrom: Carol <carol@sender.example>\n"
        "To: nokey@example.org\nCc: <i>@x.example\nBcc: hidden@x.example\n"
        "Subject: the secret subject\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n"
        "Message-ID: <m@x>\nX-Secret: secret\nContent-Type: "
        "text/plain; name=secret.txt\n\nthe secret words\n";
    const Row row = {NULL, message, CAROL, NOKEY, 0, NULL, NULL};
    g_autoptr(GBytes) own = g_bytes_new_static("Ask <hostmaster>,\nroom 1.\n", 26);
    g_autofree char *path = smime_write(the_smime, "own.txt", own);
    g_autofree char *conf = g_strdup_printf(
        "[policy]\nfallback=report\nreport_text=%s\nreport_languages=de;en\n", path);

    open_with(conf);
    g_autoptr(SealJob) job = job_of(&row, TRUE);
    g_assert_true(seal_dispatcher_run(the_smime->dispatcher, job, NULL, NULL));
    g_autofree char *output = output_of(job);
    g_autofree char *text = decoded(output);

    g_assert_nonnull(strstr(output,
                            "Received: from x by y; now\nFrom: Carol <carol@sender.example>\n"
                            "To: nokey@example.org\n"));
    g_assert_nonnull(strstr(output, "Date: Mon, 1 Jan 2024 10:00:00 +0000\nMessage-ID: <m@x>\n"));
    g_assert_nonnull(strstr(output, "Content-Type: multipart/alternative; boundary="));
    g_assert_nonnull(strstr(output, "Content-Type: text/plain; charset=utf-8\n"));
    g_assert_nonnull(strstr(output, "Content-Type: text/html; charset=utf-8\n"));
    g_assert_null(strstr(output, "ecret"));
    g_assert_null(strstr(output, "Bcc"));
    g_assert_null(strstr(text, "ecret"));
    /* German first, then English, the operator's words, and the id that is in the log. */
    const char *german = strstr(text, "verschlüsselt");
    const char *english = strstr(text, "must be encrypted");
    g_assert_true(german && english && german < english);
    g_assert_nonnull(strstr(text, "Ask <hostmaster>,\r\nroom 1."));
    g_assert_nonnull(strstr(text, "<p>Ask &lt;hostmaster&gt;,<br>"));
    g_assert_nonnull(strstr(text, seal_job_id(job)));
}

/* -------------------------------------------------------------------------------------------
 * Bounces
 */

#define STATUS                                                                                     \
    "Reporting-MTA: dns; mx.example.net (secret words)\nX-Note: secret words\n\n"                  \
    "Final-Recipient: RFC822; <x@example.org>\nOriginal-Recipient: rfc822;\"secret "               \
    "words\"@x.org\n"                                                                              \
    "Action: failed (secret words)\nStatus: 5.1.1 (secret words)\n"                                \
    "Diagnostic-Code: smtp; 550 secret words\nLast-Attempt-Date: secret words\n"                   \
    "Will-Retry-Until: Mon, 2 Nov\n 2026 10:00:00 +0100\n\n"                                       \
    "Final-Recipient: secret words\nAction: delayed\n"

#define REPORT_OF(type, report, status_type, status)                                               \
    "Received: from x by y; now\nFrom: mailer@example.net\nTo: free@x.example, "                   \
    "nokey@example.org\n"                                                                          \
    "Subject: secret words\nX-Secret: secret words\nReferences: <secret words@x>\n"                \
    "MIME-Version: 1.0\nContent-Type: " type "; report-type=" report "; boundary=b\n\n"            \
    "secret words\n--b\nContent-Type: text/plain\n\nYour secret words were not delivered.\n"       \
    "--b\nContent-Type: " status_type "\n\n" status                                                \
    "\n--b\nContent-Type: message/rfc822\n\nSubject: s\n\nthe secret words\n--b--\nsecret words\n"

#define REPORT REPORT_OF("multipart/report", "delivery-status", "message/delivery-status", STATUS)

static const char REDUCED_STATUS[] =
    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
    "Final-Recipient: rfc822; x@example.org\nAction: failed\nStatus: 5.1.1\n"
    "Will-Retry-Until: Mon, 2 Nov 2026 10:00:00 +0100\n\n--";

static void check_bounce(const char *message, const char *sender, const char *recipient,
                         char result, const char *expected)
{
    const Row row = {NULL, message, sender, recipient, 0, NULL, NULL};
    g_autoptr(SealJob) job = job_of(&row, TRUE);
    g_autoptr(GError) error = NULL;

    g_test_message("%s", message);
    g_assert_true(seal_dispatcher_run(the_smime->dispatcher, job, NULL, &error));
    g_assert_no_error(error);
    const SealRecipient *only = g_ptr_array_index(seal_job_recipients(job), 0);
    g_assert_cmpint(letter(seal_recipient_result(only)), ==, result);
    if (!expected)
        return;
    g_autofree char *output = output_of(job);
    g_assert_nonnull(strstr(output, expected));
    g_assert_true((strstr(output, "secret words") != NULL) == (strstr(expected, "secret") != NULL));
}

/* Somebody who may have it whole does not bring it to somebody who may not. */
static void check_shared_bounce(gboolean one_output)
{
    static const char *const recipients[] = {"free@x.example", NOKEY, NULL};
    static const char text[] = REPORT;
    g_autoptr(SealContent) content = seal_content_new_copy(text, strlen(text));
    const SealJobSpec spec = {
        .sender = "<>",
        .recipients = recipients,
        .message = content,
        .one_output = one_output,
    };
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

    g_assert_true(seal_dispatcher_run(the_smime->dispatcher, job, NULL, NULL));
    GPtrArray *deliveries = seal_job_deliveries(job);
    g_assert_cmpuint(deliveries->len, ==, one_output ? 1 : 2);
    SealDelivery *last = g_ptr_array_index(deliveries, deliveries->len - 1);
    g_autoptr(GBytes) bytes = seal_content_to_bytes(seal_delivery_content(last), G_MAXINT32, NULL);
    g_autofree char *output = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_assert_null(strstr(output, "secret words"));
    g_assert_nonnull(strstr(output, REDUCED_STATUS));
}

static void test_bounces(void)
{
    static const char rule[] = "[rule a]\nmatch_recipient=@x.example\nencrypt=never\n"
                               "[rule b]\nmatch_sender=<>\nmatch_part=message/*delivery-status\n"
                               "reduce_bounces=true\n";
    static const char base64[] = "message/delivery-status\nContent-Transfer-Encoding: base64";

    open_with(rule);
    check_bounce(REPORT, "<>", ALICE, 'S', "\nSubject: secret words\nX-Secret: ");
    check_bounce(REPORT, "<>", NOKEY, 'P', REDUCED_STATUS);
    check_bounce(REPORT, "<>", NOKEY, 'P',
                 "Received: from x by y; now\nFrom: mailer@example.net\nTo: free@x.example, "
                 "nokey@example.org\nSubject: Delivery report\nAuto-Submitted: auto-replied\n"
                 "MIME-Version: 1.0\nContent-Type: multipart/report; "
                 "report-type=delivery-status;\n boundary=");
    check_bounce(REPORT_OF("multipart/report", "Delivery-Status", "message/global-delivery-status",
                           "Final-Recipient: utf-8; \u00fc@example.org\nAction: failed\n"),
                 "<>", NOKEY, 'P',
                 "Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: "
                 "8bit\n\nFinal-Recipient: utf-8; \u00fc@example.org\nAction: failed\n");
    check_bounce(REPORT_OF("multipart/report", "delivery-status", "message/global-delivery-status",
                           "Final-Recipient: utf-8; a\u2028b@example.org\nAction: failed\n"),
                 "<>", NOKEY, 'R', NULL);
    check_bounce("Received: from x;\n \n now\n" REPORT, "<>", NOKEY, 'P',
                 "Received: from x;\n now\nReceived: ");
    g_autofree char *encoded = g_base64_encode((const guchar *)STATUS, strlen(STATUS));
    g_autofree char *message = g_strdup_printf(
        REPORT_OF("multipart/report", "delivery-status", "%s", "%s"), base64, encoded);
    check_bounce(message, "<>", NOKEY, 'P', REDUCED_STATUS);
    check_shared_bounce(FALSE);
    check_shared_bounce(TRUE);
    /* What is none is mail like any other. */
    check_bounce(REPORT, CAROL, NOKEY, 'R', NULL);
    check_bounce(REPORT_OF("multipart/report", "disposition-notification",
                           "message/delivery-status", STATUS),
                 "<>", NOKEY, 'R', NULL);
    check_bounce(REPORT_OF("multipart/mixed", "delivery-status", "message/delivery-status", STATUS),
                 "<>", NOKEY, 'R', NULL);
    check_bounce(REPORT_OF("multipart/report", "delivery-status", "text/plain", STATUS), "<>",
                 NOKEY, 'R', NULL);
    check_bounce(REPORT_OF("multipart/report", "delivery-status", "message/delivery-status",
                           "Final-Recipient: rfc822; secret words\nAction: failed\n"),
                 "<>", NOKEY, 'R', NULL);
    check_bounce("From: a@example.net\nSubject: gone\n\nthe secret words\n", "<>", NOKEY, 'R',
                 NULL);
    check_bounce("From: a@example.net\nSubject: gone\n\nthe secret words\n", "<>", "free@x.example",
                 'P', "the secret words");
    /* Where encryption is not required, nothing is left out. */
    open_with("[policy]\nencrypt=never\n[rule b]\nmatch_sender=<>\nreduce_bounces=true\n");
    check_bounce(REPORT, "<>", NOKEY, 'P', "the secret words");
    open_with("[policy]\nencrypt=preferred\n[rule b]\nmatch_sender=<>\nreduce_bounces=true\n");
    check_bounce(REPORT, "<>", NOKEY, 'P', "the secret words");
    /* And where no rule says so, nothing leaves. */
    open_with("");
    check_bounce(REPORT, "<>", NOKEY, 'R', NULL);
}

int main(int argc, char **argv)
{
    g_auto(Smime) smime = {0};

    g_test_init(&argc, &argv, NULL);
    the_smime = &smime;
    smime_prepare(&smime);
    make_keys();
    g_test_add_func("/policy/rows", test_rows);
    g_test_add_func("/policy/long-field", test_long_field);
    g_test_add_func("/policy/questions", test_questions);
    g_test_add_func("/policy/mixed", test_mixed);
    g_test_add_func("/policy/refused", test_refused);
    g_test_add_func("/policy/report", test_report);
    g_test_add_func("/policy/report-cause", test_report_cause);
    g_test_add_func("/policy/bounces", test_bounces);
    int status = g_test_run();
    g_free(anchors);
    g_free(folder);
    return status;
}
