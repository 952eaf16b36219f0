# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules, on mail as programs write it: the shipped rule for calendar requests, with what Outlook,
Google and Apple send; and the tag that is taken out of the Subject, however it was encoded."""

import base64
import email
import email.header
import email.policy
import email.utils
import pathlib
import quopri
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mail
import tap
from home import Home, prefix

ALICE = "alice@example.org"
home = Home("mailrules")
ICS = (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@example.net\r\n"
       b"DTSTART:20261110T090000Z\r\nSUMMARY:B\xc3\xbcrofest\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
HEAD = b"From: Carol <carol@example.net>\nTo: alice@example.org\nSubject: Invitation\nMIME-Version: 1.0\n"


# ---------------------------------------------------------------------------------------------
# Calendar requests

def part(fields, body=b"Talk on Tuesday.\n"):
    return fields.encode() + b"\n\n" + body


def multipart(kind, *parts):
    mark = b"=_%d_%s" % (len(parts), kind.encode())
    body = b"".join(b"--" + mark + b"\n" + p + b"\n" for p in parts) + b"--" + mark + b"--\n"
    return part(f'Content-Type: multipart/{kind};\n boundary="{mark.decode()}"', body)


def in_base64(octets):
    return base64.encodebytes(octets)


TEXT = part("Content-Type: text/plain; charset=utf-8")
HTML = part('Content-Type: text/html; charset="us-ascii"\nContent-Transfer-Encoding: quoted-printable',
            quopri.encodestring(b"<html><body>Talk on Tuesday.</body></html>\n"))
REQUESTS = {
    # Outlook and Exchange: the request is the last alternative, in base64.
    "Outlook": multipart("alternative", TEXT, HTML, part(
        'Content-Type: text/calendar; charset="utf-8"; method=REQUEST\nContent-Transfer-Encoding: base64',
        in_base64(ICS))),
    "Outlook with an attachment": multipart("mixed", multipart("related", multipart(
        "alternative", TEXT, HTML, part('Content-Type: text/calendar; charset="utf-8";\n\tmethod=REQUEST\n'
                                        "Content-Transfer-Encoding: base64", in_base64(ICS)))),
        part('Content-Type: application/pdf; name="plan.pdf"\nContent-Transfer-Encoding: base64',
             in_base64(b"%PDF-1.4"))),
    # Google: twice, once as a file.
    "Google": multipart("mixed", multipart("alternative", part(
        'Content-Type: text/plain; charset="UTF-8"; format=flowed; delsp=yes\nContent-Transfer-Encoding: base64',
        in_base64(b"Talk\n")), HTML, part('Content-Type: text/calendar; charset="UTF-8"; method=REQUEST\n'
                                          "Content-Transfer-Encoding: 7bit", ICS.replace(b"\xc3\xbc", b"ue"))),
        part('Content-Type: application/ics; name="invite.ics"\nContent-Disposition: attachment; '
             'filename="invite.ics"\nContent-Transfer-Encoding: base64', in_base64(ICS))),
    # Apple: a file beside the text, with parameters of its own.
    "Apple": multipart("mixed", TEXT, part(
        "Content-Disposition: attachment;\n\tfilename=iCal-20261110-090000.ics\nContent-Type: text/calendar;\n"
        "\tx-unix-mode=0644;\n\tname=\"iCal-20261110-090000.ics\"\nContent-Transfer-Encoding: quoted-printable",
        quopri.encodestring(ICS))),
    "iCloud": multipart("alternative", TEXT, HTML, part(
        "Content-Type: text/calendar;charset=UTF-8;method=REQUEST\nContent-Transfer-Encoding: base64",
        in_base64(ICS))),
    # The request alone, as calendars on servers send it.
    "a request alone": part("Content-Type: text/calendar; method=REQUEST; charset=utf-8; component=VEVENT\n"
                            "Content-Transfer-Encoding: 8bit", ICS),
    "upper case": multipart("ALTERNATIVE", TEXT, part("CONTENT-TYPE: TEXT/CALENDAR; METHOD=REQUEST", ICS)),
    # The name in an encoded word (RFC 2047), as many write it, and as RFC 2231 has it.
    "an encoded name": multipart("mixed", TEXT, part(
        'Content-Type: text/calendar; method=REQUEST;\n name="=?utf-8?B?QsO8cm9mZXN0Lmljcw==?="\n'
        'Content-Disposition: attachment; filename="=?utf-8?B?QsO8cm9mZXN0Lmljcw==?="\n'
        "Content-Transfer-Encoding: base64", in_base64(ICS))),
    "a name in pieces": multipart("mixed", TEXT, part(
        "Content-Type: text/calendar; method=REQUEST;\n name*0*=utf-8''B%C3%BCro;\n name*1=fest.ics\n"
        "Content-Disposition: attachment;\n filename*=utf-8''B%C3%BCrofest.ics\n"
        "Content-Transfer-Encoding: base64", in_base64(ICS))),
    # A file, whatever its type.
    "a file by its type": multipart("mixed", TEXT, part(
        "Content-Type: application/ics\nContent-Transfer-Encoding: base64", in_base64(ICS))),
    "a file by its name": multipart("mixed", TEXT, part(
        "Content-Type: application/octet-stream\nContent-Disposition: attachment;\n"
        " filename*=utf-8''B%C3%BCrofest.ics\nContent-Transfer-Encoding: base64", in_base64(ICS))),
}
# Nothing of these is a request for every reader.
OTHERS = {
    "text about calendars": part("Content-Type: text/plain; charset=utf-8", b"text/calendar\ninvite.ics\n"),
    "a type in two readings": multipart("mixed", TEXT, part(
        "Content-Type: text/calendar\nContent-Type: text/plain", ICS)),
    "in an attached message": multipart("mixed", TEXT, part("Content-Type: message/rfc822", part(
        "Content-Type: text/calendar; method=REQUEST", ICS))),
    "in the preamble": multipart("mixed", TEXT).replace(
        b"\n\n", b"\n\nContent-Type: text/calendar\n\n" + ICS + b"\n", 1),
}


def shipped_rules(name):
    """30-rules.conf as it is installed, with one of its examples taken in."""
    text = (prefix() / "share/sealpipe/conf.d/30-rules.conf").read_text()
    block = re.search(rf"(?m)^#\[rule {name}\]\n(#.*\n)*", text)[0]
    return text.replace(block, re.sub(r"(?m)^#", "", block))


def sealed(message):
    """(whether it left sealed, what left)."""
    result = home.seal(message, "-f", "carol@example.net", "--", ALICE)
    tap.equal((result.status, result.errors), (0, b""), home.log_text()[-600:])
    return b"BEGIN:VCALENDAR" not in result.output and result.output != message, result.output


@tap.test("the shipped rule for calendar requests matches what calendars send")
def _():
    home.configure()
    for what, entity in REQUESTS.items():
        tap.true(sealed(HEAD + entity)[0], f"{what}: without the rule")
    home.write_conf("30-rules.conf", shipped_rules("calendar"))
    for what, entity in REQUESTS.items():
        for message in (HEAD + entity, (HEAD + entity).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
            left = home.seal(message, "-f", "carol@example.net", "--", ALICE)
            tap.equal((left.status, left.output == message), (0, True), f"{what}: {home.log_text()[-400:]}")
        tap.contains(home.log_text().splitlines()[-1], "result=plain")
        tap.contains(home.log_text().splitlines()[-1], "rule=calendar")
    for what, entity in OTHERS.items():
        output = sealed(HEAD + entity)[1]
        tap.equal(mail.opened(output, home.alice), mail.inner_entity(HEAD + entity), what)


# ---------------------------------------------------------------------------------------------
# File names, as a reader beside us finds them

NAMES = ("x.sec", "x.txt", "a b.sec", "=?utf-8?q?x=2Esec?=", "=?utf-8?b?eC5zZWM=?=", "x.", "sec", "b;x.sec", "x\\.sec",
         "utf-8''x%2Esec", "utf-8''x.txt", "x.sec (c)", "(c) x.sec", "us-ascii'en'x.sec", "%2Esec")
PARAMETERS = ("filename", "name", "filename*", "name*", "filename*0", "filename*1", "filename*0*", "filename*1*",
              "FileName", "a", "filename ")
GLUE = ("; ", ";", ";\n ", ";\n\t", " ; ", ";;", "; (c) ", " (c); ", ",", " ", "; \"", "\r ")
FORMS = ("{}", '"{}"', '"{}', "'{}'", '"{}" (c)', " {}", '\n "{}"', '(c)"{}"')


def chosen_parts(choice):
    """The same ones at each run: parts with file names in forms that mail programs write, and that nobody should."""
    def parameters():
        return "".join(choice(GLUE) + choice(PARAMETERS) + "=" + choice(FORMS).format(choice(NAMES))
                       for _ in range(choice((1, 1, 2, 2, 3, 4))))

    return (f"Content-Type: {choice(('application/pdf', 'text/plain', 'x', ''))}{choice(('', parameters()))}\n"
            f"Content-Disposition: {choice(('attachment', 'inline', ''))}{parameters()}")


def names_of(message):
    """What Python finds, in its two ways of reading."""
    for policy in (email.policy.compat32, email.policy.default):
        for entity in email.message_from_bytes(message, policy=policy).walk():
            for field in ("Content-Disposition", "Content-Type"):
                for name in ("filename", "name"):
                    try:
                        value = entity.get_param(name, header=field)
                    except Exception:  # it fails at forms that it cannot read
                        continue
                    if value:
                        yield email.utils.collapse_rfc2231_value(value).strip()
                        yield str(email.header.make_header(email.header.decode_header(
                            email.utils.collapse_rfc2231_value(value))))


def asks_for_more(message):
    result = home.seal(message, "-f", "carol@example.net", "--", "nobody@example.org")
    tap.true(result.status == 0 or "rule=secret" in home.log_text().splitlines()[-1], home.log_text()[-400:])
    return result.status != 0


@tap.test("a rule that asks for more for a file finds it under each name that another reader finds")
def _():
    home.configure({"policy": {"encrypt": "preferred"}, "rule secret": {"match_part": "*.sec", "encrypt": "required"}})
    chance, found = random.Random(11), 0
    for _ in range(300):
        message = HEAD + multipart("mixed", TEXT, part(chosen_parts(chance.choice)))
        names = list(names_of(message))
        if any(name.lower().endswith(".sec") for name in names):
            found += 1
            tap.true(asks_for_more(message), f"{message.decode()}: {names}")
    tap.true(found > 100, f"{found} of them have such a name")
    tap.true(not asks_for_more(HEAD + multipart("mixed", TEXT, part(
        'Content-Type: application/pdf; name="x.txt"\nContent-Disposition: attachment; filename="x.txt"'))), "no such name")


@tap.test("and in parts that only some readers find")
def _():
    home.configure({"policy": {"encrypt": "preferred"}, "rule secret": {"match_part": "*.sec", "encrypt": "required"}})
    file = part('Content-Type: application/pdf; name="x.sec"\nContent-Disposition: attachment; filename="x.sec"', b"x\n")
    inner = multipart("mixed", TEXT, file)
    for what, entity in {
        "a message in base64": part("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64", in_base64(HEAD + inner)),
        "one in another": part("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64", in_base64(part(
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable", quopri.encodestring(HEAD + inner)))),
        "a multipart in base64": inner.replace(b"\n\n", b"\nContent-Transfer-Encoding: base64\n\n" + in_base64(
            inner.split(b"\n\n", 1)[1]), 1),
        "behind the end": multipart("mixed", TEXT) + inner.split(b"\n\n", 1)[1],
        "lines that end with CR": multipart("mixed", TEXT, b"X-A: a\r" + file),
        "a delimiter behind a CR": multipart("mixed", TEXT + b"y\r--=_1_mixed\r" + file.replace(b"\n", b"\r")),
        "a line that is no field": multipart("mixed", TEXT, b"nothing\n" + file),
        "a file in the text": part("Content-Type: text/plain", b"begin 644 x.sec\n#0V%T\n`\nend\n"),
    }.items():
        tap.true(asks_for_more(HEAD + multipart("mixed", TEXT, entity)), what)


# ---------------------------------------------------------------------------------------------
# The tag

SUBJECTS = {
    # What came, what leaves once the tag is out.
    b" [encrypt] Report": b" Report",
    b" Report [encrypt]": b" Report",
    b" Report [encrypt] of May": b" Report of May",
    b" [ENCRYPT]": b"",
    b"[encrypt]Report": b"Report",
    # Folded: no line of blanks is left, which would end the header.
    b" Report\n [encrypt]": b" Report",
    b" [encrypt]\n Report": b"\n Report",
    b" Report\n [encrypt]\n of May": b" Report\n of May",
    b" Report\n\t[encrypt]\n\t": b" Report",
    # Of encoded words none is left empty.
    b" =?utf-8?q?=5Bencrypt=5D?=": b"",
    b" =?utf-8?b?W2VuY3J5cHRd?=": b"",
    b" =?utf-8?q?=5Bencrypt=5D?= Report": b" Report",
    b" Report =?utf-8?q?=5Bencrypt=5D?=": b" Report",
    b" =?utf-8?q?=5Bencrypt=5D_?= =?utf-8?q?B=C3=BCro?=": "Büro",
    b" =?utf-8?q?B=C3=BCro?= =?utf-8?b?IFtlbmNyeXB0XQ==?=": "Büro",
    b" =?utf-8?q?=5Benc?= =?utf-8?q?rypt=5D_B=C3=BCro?=": "Büro",
    b" =?utf-8?q?=5Benc?=\n =?utf-8?q?rypt=5D?=\n Report": b" Report",
    b" [encrypt] =?utf-8?q?B=C3=BCro?=": b" =?utf-8?q?B=C3=BCro?=",
    b" =?utf-8?q?B=C3=BCro?= [encrypt]": b" =?utf-8?q?B=C3=BCro?=",
    b" =?iso-8859-1?q?=5Bencrypt=5D_B=FCro?=": "Büro",
    b" =?utf-8?q?=5Bencrypt=5D?= =?utf-8?q?=5Bencrypt=5D?=": b"",
}


def subject_of(output):
    fields = [octets for name, octets in mail.Message(output).fields if name == b"subject"]
    tap.equal(len(fields), 1, "fields")
    return fields[0][len(b"Subject:"):].rstrip(b"\n")


@tap.test("the tag leaves nothing behind: no empty encoded word, no line of blanks")
def _():
    home.configure({"policy": {"encrypt": "never"}})
    home.write_conf("30-rules.conf", shipped_rules("on-demand"))
    for came, leaves in SUBJECTS.items():
        message = b"From: carol@example.net\nSubject:" + came + b"\nTo: alice@example.org\n\nThe secret body.\n"
        output = sealed(message)[1]
        tap.equal(mail.opened(output, home.alice), mail.inner_entity(message), f"{came}")
        left = subject_of(output)
        tap.true(not re.search(rb"=\?[^?]*\?[bq]\?\?=", left, re.I), f"{came}: {left}: an empty encoded word")
        for line in left.split(b"\n")[1:]:
            tap.true(line.strip(), f"{came}: {left}: a line of blanks")
        text = str(email.header.make_header(email.header.decode_header(left.decode().strip())))
        tap.true("encrypt" not in text.lower(), f"{came}: {left}")
        if isinstance(leaves, str):
            tap.equal(text, leaves, f"{came}: {left}")
        else:
            tap.equal(left.rstrip(b" "), leaves.rstrip(b" "), f"{came}")


SPENT = (b"DKIM-Signature: v=1; h=from:subject; b=x\nARC-Seal: i=1; b=x\nARC-Message-Signature: i=1; b=x\n"
         b"ARC-Authentication-Results: i=1; x\n")


@tap.test("signatures over a Subject that has changed go, in clear as well; others stay")
def _():
    home.configure({"policy": {"encrypt": "never"}})
    home.write_conf("30-rules.conf", "[rule tag]\nmatch_tag=[plain]\nencrypt=never\n")
    rest = b"From: carol@example.net\nTo: alice@example.org\n\nThe body.\n"
    untagged = SPENT + b"Subject: plain words\n" + rest
    tap.equal(sealed(untagged)[1], untagged, "as it came")
    tap.equal(sealed(SPENT + b"Subject: [plain] words\n" + rest)[1], b"Subject: words\n" + rest, "changed")


tap.main()
