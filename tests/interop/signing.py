# SPDX-License-Identifier: GPL-2.0-or-later
"""What policy says of signing and of the author's own copy, in both formats; and the shipped
configuration that signs and does nothing else."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import certs
import eximspool
import gnupg
import home as homes
import mail
import signed
import tap
from ways import ALICE, BOB, CAROL, FORMATS, Ways

ways = Ways("signing")
home = ways.home
PLAIN = (b"From: carol@example.org\nTo: alice@example.org\nSubject: s\nMIME-Version: 1.0\n"
         b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
         b"the secret words: Gr\xc3\xbc\xc3\x9fe \n")
BY_NOBODY = PLAIN.replace(b"carol@", b"nobody@")


def log_line(**fields):
    line = home.log_text().splitlines()[-1] + " "
    for name, value in fields.items():
        tap.contains(line, f" {name}={value} ", "log")
    return line


@tap.test("sign=required, preferred and never, in clear")
def _():
    for form in FORMATS:
        way = f"{form}-sign"
        for need in ("required", "preferred"):
            ways.configure(way, sign=need)
            ways.inner(way, ways.leaves(PLAIN))
            line = log_line(to=ALICE, result="signed", stages="sign")
            tap.true(re.search(r" key=(\S+) .* signer=\1 by=transport ", line), line)
        ways.configure(way, sign="never")
        tap.equal(ways.leaves(PLAIN), PLAIN, "sign=never")
        log_line(result="plain")
        # Without a key.
        ways.configure(way, sign="required")
        ways.stays(BY_NOBODY, f"no {form} key here with which nobody@example.org could sign")
        tap.contains(home.log_text(), " result=refused ", "log")
        ways.configure(way, sign="preferred")
        tap.equal(ways.leaves(BY_NOBODY), BY_NOBODY, "sign=preferred without a key")
        tap.contains(log_line(to=ALICE, result="plain"),
                     f"not signed: no {form} key here with which nobody@example.org could sign")
        # What comes from the null sender is signed only where it must be.
        ways.configure(way, sign="preferred")
        tap.equal(ways.leaves(PLAIN, sender=""), PLAIN, "a bounce")


@tap.test("sign=required, preferred and never, encrypted")
def _():
    for form in FORMATS:
        way = f"{form}-both"
        for need in ("required", "preferred"):
            ways.configure(way, sign=need)
            ways.inner(way, ways.leaves(PLAIN))
            line = log_line(to=ALICE, result="sealed", format=form, stages=f"sign,{form}")
            if form == "pgp":
                tap.contains(line, f" signer={ways.carol_key.lower()} ")
            tap.true(re.search(r" key=(\S+) .* signer=(?!\1 )[0-9A-Fa-f]{40,} ", line), line)
        ways.configure(way, sign="never")
        tap.equal(ways.inner(f"{form}-encrypt", ways.leaves(PLAIN)), mail.inner_entity(PLAIN))
        log_line(signer='""')
        ways.configure(way, sign="required")
        ways.stays(BY_NOBODY, "could sign")
        ways.configure(way, sign="preferred")
        tap.equal(ways.inner(f"{form}-encrypt", ways.leaves(BY_NOBODY)), mail.inner_entity(BY_NOBODY))
        tap.contains(log_line(result="sealed"), "not signed: ", "log")
        ways.configure(way, sign="preferred")
        tap.equal(ways.inner(f"{form}-encrypt", ways.leaves(PLAIN, sender="")),
                  mail.inner_entity(PLAIN), "a bounce")


@tap.test("[module sign] format: what it names signs, whatever formats encrypt")
def _():
    for form, other in (FORMATS, FORMATS[::-1]):
        for need in ("required", "preferred"):
            ways.configure(f"{other}-sign", {"module sign": {"format": form}}, sign=need)
            ways.inner(f"{form}-sign", ways.leaves(PLAIN))
    # An author with one key alone, of the format that the policy does not name.
    only = {"smime": "dora@example.org", "pgp": "emil@example.org"}
    file = ways.give_server_key(home.authority.person(only["smime"]))
    ways.own.generate(only["pgp"])
    ways.ring.take(ways.own.export(only["pgp"]))
    try:
        for form, other in (FORMATS, FORMATS[::-1]):
            message = PLAIN.replace(CAROL.encode(), only[form].encode())
            for need in ("required", "preferred"):
                ways.configure(f"{other}-sign", {"module sign": {"format": form}}, sign=need)
                output = ways.leaves(message)
                if form == "pgp":
                    tap.equal(signed.by_pgp(output, ways.ring)[1], ways.own.fingerprint(only[form]))
                else:
                    signed.by_smime(output, home.authority.cert)
            ways.configure(f"{form}-sign", {"module sign": {"format": other}}, sign="required")
            ways.stays(message, f"no {other} key here")
    finally:
        file.unlink()
    # Two ways to sign: the first of the policy's formats in which there is a key.
    for formats in ("smime;pgp", "pgp;smime"):
        ways.configure("smime-sign", formats=formats)
        ways.inner(f"{formats.partition(';')[0]}-sign", ways.leaves(PLAIN))


def reads(way, output, address):
    try:
        ways.inner(way, output, address)
    except AssertionError:
        return False
    return True


def gpg_reads(ring, output):
    try:
        signed.gpg(ring, "--decrypt", input=gnupg.armor(output))
    except AssertionError:
        return False
    return True


@tap.test("the author is who all readers see: names as people have them, none that name another")
def _():
    daily = [
        b'"Ops @ Example" <carol@example.org>', b"Shop [DE] <carol@example.org>",
        b"=?utf-8?q?carol=40example=2Eorg?= <carol@example.org>", b"M\xfcller <carol@example.org>",
        b"carol@example.org <carol@example.org>", b'"carol"@example.org (Jira (Cloud))',
    ]
    second = "its name or a comment reads as a second address, bob@example.org"
    refused = {
        b"Smith, John <carol@example.org>": "a comma stands in it",
        b"Firma: Shop <carol@example.org>": "it names a group",
        b"Ops @ Example <carol@example.org>": "an @ stands beside its address",
        b'"bob@example.org" <carol@example.org>': "its name or a comment reads as a second address, bob@example.org",
        b'"=\\?utf-8?q?bob=40example.org?=" <carol@example.org>': "its name or a comment reads as a second address, bob@example.org",
        b"=?utf-8?q?bob_=40_example=2Eorg?= <carol@example.org>": second,
    }
    for form in FORMATS:
        ways.configure(f"{form}-sign", sign="required")
        for name in daily:
            message = PLAIN.replace(b"carol@example.org", name, 1)
            output = ways.leaves(message)
            ways.inner(f"{form}-sign", output)
            tap.contains(output, b"From: " + name + b"\n", "the field")
        for name, why in refused.items():
            ways.stays(PLAIN.replace(b"carol@example.org", name, 1),
                       f"From does not name one author: {why}")


@tap.test("encrypt_to_sender: the author reads it too, in both formats, where a key is known")
def _():
    by_bob = PLAIN.replace(b"carol@", b"Bob@")
    bob = gnupg.Ring(home.folder / "bob")
    bob.take(ways.ring.export_secret(BOB))
    for want in ("true", "false"):
        ways.configure("smime-encrypt", encrypt_to_sender=want)
        output = ways.leaves(by_bob, sender="bounces@example.net")
        tap.true(reads("smime-encrypt", output, ALICE), "Alice reads it")
        tap.equal(reads("smime-encrypt", output, BOB), want == "true", f"smime, {want}")
        ways.configure("pgp-encrypt", encrypt_to_sender=want)
        output = ways.leaves(by_bob, sender="bounces@example.net")
        tap.equal(len(gnupg.key_ids(ways.ring, gnupg.armor(output))), 1 + (want == "true"), "key ids")
        tap.equal(gpg_reads(bob, output), want == "true", f"pgp, {want}")
        for form in FORMATS:
            # A sender without a key changes nothing; neither does the envelope's.
            ways.configure(f"{form}-encrypt", encrypt_to_sender=want)
            output = ways.leaves(BY_NOBODY, sender=BOB)
            tap.true(reads(f"{form}-encrypt", output, ALICE), "Alice reads it")
            if form == "pgp":
                tap.true(not gpg_reads(bob, output), "the envelope's sender reads it")
            else:
                tap.true(not reads("smime-encrypt", output, BOB), "the envelope's sender reads it")
    # Signed and encrypted, for herself as well.
    ways.own.take(ways.ring.export(ALICE))
    for form in FORMATS:
        ways.configure(f"{form}-both", encrypt_to_sender="true")
        output = ways.leaves(PLAIN)
        ways.inner(f"{form}-both", output)
        if form == "pgp":
            tap.true(gpg_reads(ways.own, output), "Carol reads it")


@tap.test("the shipped example signs, and does nothing else")
def _():
    example = ROOT / "docs" / "examples" / "sign-only"
    files = sorted(path.name for path in example.iterdir())
    tap.equal(files, ["20-policy.conf", "40-sign.conf", "50-smime.conf"], "files")
    for path in home.conf.iterdir():
        path.unlink()
    senders = home.folder / "senders"
    senders.write_text("carol: carol@example.org, nobody@example.org\n")
    for name in files:
        text = (example / name).read_text()
        text = text.replace("=/etc/sealpipe/server-keys\n", f"={ways.server}\n")
        text = text.replace("=/etc/sealpipe/senders\n", f"={senders}\n")
        home.write_conf(name, text)
    home.write_conf("10-core.conf", f"[core]\nlog_target={home.log}\n")
    home.clear_log()
    output = ways.leaves(PLAIN, login="carol")
    tap.contains(mail.Message(output).all("Content-Type")[0], b"multipart/signed")
    tap.contains(ways.verified("smime-sign", output), b"the secret words")
    log_line(result="signed")
    # Alice has a certificate; it is not used. Who has no key here sends unsigned.
    tap.equal(ways.leaves(BY_NOBODY, login="carol"), BY_NOBODY)
    tap.contains(log_line(result="plain"), "not signed: no smime key")
    # Nor who is not the author, nor whom nobody knows.
    tap.equal(ways.leaves(PLAIN, login="bob"), PLAIN)
    tap.contains(log_line(result="plain"), "login bob may not sign as carol@example.org")
    tap.equal(ways.leaves(PLAIN), PLAIN)
    tap.contains(log_line(result="plain"), "submission without a login")
    tap.equal(ways.leaves(PLAIN, submission="no", login="carol"), PLAIN)
    tap.contains(log_line(result="plain"), "--submission")
    # The folder is what it says: without it mail waits.
    ways.server.rename(home.folder / "elsewhere")
    try:
        tap.equal(ways.run(PLAIN).triple(), (75, b"", b""))
    finally:
        (home.folder / "elsewhere").rename(ways.server)


@tap.test("the files of conf.d are in order with sign=preferred, whoever has no key")
def _():
    for path in home.conf.iterdir():
        path.unlink()
    for path in (homes.prefix() / "share/sealpipe/conf.d").iterdir():
        home.write_conf(path.name, path.read_bytes())
    home.write_conf("90-test.conf", f"[core]\nlog_target={home.log}\n[policy]\nsign=preferred\n")
    ways.stays(PLAIN, "no smime key for alice@example.org")


@tap.test("a server key that others can read stops the mail, whichever format it is for")
def _():
    path = ways.server / f"{CAROL}.pem"
    path.chmod(0o644)
    try:
        for way in ("smime-sign", "pgp-sign"):
            ways.configure(way)
            ways.stays(PLAIN, str(path))
    finally:
        path.chmod(0o600)
    ways.configure("pgp-sign")
    ways.own.path.chmod(0o755)
    try:
        ways.stays(PLAIN, "0700")
    finally:
        ways.own.path.chmod(0o700)
    ways.inner("pgp-sign", ways.leaves(PLAIN, timeout=homes.BOUND))


# No relay carries the line, and no transfer encoding helps it.
UNFIT = PLAIN.replace(b"MIME-Version: 1.0\n", b"MIME-Version: 1.0\nContent-Description: " + b"x" * 1200
                      + b"\n")


def checks(status, message, *options):
    """What the check says of a message that Exim has, and without its body."""
    header, body = message.split(b"\n\n", 1)
    spool = home.folder / "spool"
    answers = []
    for known in (body, None):
        for path in spool.glob("*"):
            path.unlink()
        eximspool.write(spool, header + b"\n", known, sender=CAROL)
        answers.append(home.check("-f", CAROL, "--submission=yes", *options, "--exim-spool", spool,
                                  "--id", eximspool.ID, "--", ALICE))
    tap.equal(answers[0].status, status, answers[0].output)
    return answers


@tap.test("what cannot be signed in clear is refused at once, wherever that can be told")
def _():
    ways.configure("pgp-sign", {"module sign": {"trust_from": "true"}})
    ways.stays(UNFIT, "cannot be signed: a part's header")
    log_line(result="refused")
    known, header = checks(69, UNFIT)
    tap.contains(known.output, b"refused: cannot be signed: a part's header")
    tap.equal(header.status, 0, "without the body")
    checks(0, PLAIN)
    done = home.run("sealpipe-pipe", "-f", CAROL, "--submission=yes", "--", ALICE, stdin=UNFIT)
    tap.equal(done.status, 69, done.output)
    tap.contains(done.output, b"5.7.1 ")
    # Within the signature it is no matter, nor where none is required.
    ways.configure("smime-sign", {"module sign": {"trust_from": "true"}})
    ways.inner("smime-sign", ways.leaves(UNFIT))
    tap.contains(log_line(result="signed"), "encloses the message instead of standing beside it: ")
    checks(0, UNFIT)
    ways.configure("pgp-sign", {"module sign": {"trust_from": "true"}}, sign="preferred")
    tap.equal(ways.leaves(UNFIT), UNFIT)
    checks(0, UNFIT)


@tap.test("a signer in the wrong format for what encrypts is refused at once")
def _():
    path = ways.server / f"{CAROL}.pem"
    path.rename(home.folder / "away.pem")
    try:
        ways.configure("smime-both", {"module sign": {"format": "pgp", "trust_from": "true"}})
        ways.stays(PLAIN, "cannot be signed: no smime key here with which carol@example.org could sign")
        log_line(result="refused")
        for answer in checks(69, PLAIN):
            tap.equal(answer.status, 69, answer.output)
    finally:
        (home.folder / "away.pem").rename(path)


ENCRYPTS, SIGNS = "keyEncipherment", "digitalSignature"
OLD, PAST, NEXT, FUTURE = ("20190101000000Z", "20210101000000Z", "20450101000000Z",
                           "20450201000000Z")
DORA = "dora@example.org"


def dora_has(*keys):
    folder = home.folder / "doras"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for number, key in enumerate(keys):
        (folder / f"{number}.pem").write_bytes(key)
    return {"module keys-file": {"paths": folder}}


@tap.test("of several reasons the most telling one is named, with the key, the date and the rule")
def _():
    def cert(usage=ENCRYPTS, start=OLD, end=FUTURE):
        cert.count = getattr(cert, "count", 0) + 1
        return home.authority.leaf(f"dora-{cert.count}", DORA, usage, start, end).cert.read_bytes()

    def pgp(*words, when="20200101T000000"):
        ring = gnupg.Ring(home.folder / f"doras-{words[-1]}-{len(words)}")
        ring.gpg("--faked-system-time", when, "--pinentry-mode", "loopback", "--passphrase", "",
                 "--quick-gen-key", DORA, *words)
        return ring.export(DORA), ring.fingerprint(DORA).lower()

    expired, signs = pgp("future-default", "default", "1y"), pgp("ed25519", "sign", "never")
    foreign = certs.Authority(home.folder / "foreign").person(DORA).cert.read_bytes()
    weak_trust = {"module keys-file": {"trust": "harvested"}}
    rows = (
        ((cert(end=PAST),), {}, ["expired on 2021-01-01", DORA], "pgp"),
        ((expired[0],), {}, ["expired on 2020-12-31", expired[1]], "smime"),
        ((cert(start=NEXT),), {}, ["is valid only from 2045-01-01"], "pgp"),
        ((cert(usage=SIGNS),), {}, ["is not for encryption", "keyUsage"], "pgp"),
        ((signs[0],), {}, ["for encryption", signs[1]], "smime"),
        ((foreign,), {}, ["no valid chain to a trust anchor", "CN=Test Root"], "pgp"),
        # Beside what is further off, and both where both tell something.
        ((cert(usage=SIGNS), cert(end=PAST)), {}, ["expired on 2021-01-01"], "pgp"),
        ((cert(end=PAST), signs[0]), {}, ["expired on 2021-01-01", "for encryption"], "smime"),
        # What a source that is trusted too little may have is no reason.
        ((), weak_trust, ["no smime key for dora@example.org; no pgp key for dora@example.org;"],
         "other"),
        ((), {}, ["no smime key for dora@example.org", "no pgp key for dora@example.org"], "other"),
    )
    for keys, more, parts, unsaid in rows:
        changes = dora_has(*keys)
        for group, values in more.items():
            changes[group] = {**changes[group], **values}
        changes["rule partners"] = {"match_recipient": "@example.org", "encrypt": "required"}
        ways.configure("smime-encrypt", changes, formats="smime;pgp")
        answer = home.check("-f", CAROL, "--", DORA)
        text = answer.output.decode("ascii")
        tap.equal(answer.status, 69, text)
        for part in (*parts, "encrypt=required by [rule partners]"):
            tap.contains(text, part, "the check")
        tap.true(f"no {unsaid} key" not in text, text)
        tap.true(len(text) <= 400 and text.isprintable(), text)
        reason = text.removeprefix("refused: ")
        ways.stays(PLAIN, reason, DORA)
        piped = home.run("sealpipe-pipe", "-f", CAROL, "--", DORA, stdin=PLAIN)
        tap.equal(piped.status, 69, piped.output)
        tap.contains(piped.output.decode(), reason)


tap.main()
