# SPDX-License-Identifier: GPL-2.0-or-later
"""Every n-th message of a corpus is signed, encrypted and both, in both formats, and judged by openssl
and gpg.

What is encrypted must open byte-identical. A signature must be valid, and what it covers must have the
content of the original, decoded part by part. SEALPIPE_CORPUS_EVERY says how many messages make one
that is tried; 8 unless set. What sealpipe refuses stands in refused-protect.txt: the way, the name and
a part of the reason; of what is tried, 3 % at most.
"""

import collections
import concurrent.futures
import email
import email.policy
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import gnupg
import mail
import messages
import signed
import tap
from home import Home

EVERY = int(os.environ.get("SEALPIPE_PROTECT_EVERY") or 8)
LIMIT = 30  # seconds for each message
CAROL = "carol@example.org"

if not messages.CORPUS.is_dir():
    tap.skip_all(f"no corpus: {messages.CORPUS} is absent; 0 messages tried")

home = Home("protect")
home.carol = home.authority.person(CAROL, "rsa")
ring = gnupg.Ring(home.folder / "ring")  # what people have
own = gnupg.Ring(home.folder / "gnupg")  # what sealpipe has
own.generate(CAROL)
carol_key = own.fingerprint(CAROL)
ring.generate(home.alice.address)
ring.take(own.export(CAROL))
(home.certs / "alice.asc").write_bytes(ring.export(home.alice.address))
server = home.folder / "server-keys"
server.mkdir()
(server / "carol.pem").write_bytes(home.carol.cert.read_bytes() + home.carol.key.read_bytes())
(server / "carol.pem").chmod(0o600)

# Each way: what is configured, and who judges. The configuration of each stands in a folder of its own.
WAYS = {}


def way(name, encrypt, sign, formats, **more):
    def register(judge):
        conf = home.folder / f"conf-{name}"
        conf.mkdir()
        groups = home.groups(**{
            "core": {"log_target": home.folder / f"log-{name}"},
            "policy": {"encrypt": encrypt, "sign": sign, "formats": formats,
                       "already_sealed": "wrap", "already_signed": "wrap",
                       "encrypt_to_sender": "false"},
            "module sign": more,
            "module smime": {"server_keys": server},
            "module pgp": {"home": own.path},
        })
        text = "".join(f"[{group}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
                       for group, keys in groups.items())
        (conf / "50-test.conf").write_text(text)
        (home.folder / f"log-{name}").touch()
        WAYS[name] = conf, judge
        return judge
    return register


class Refused(Exception):
    pass


# -- What is compared -----------------------------------------------------------------------------

def by_carol(octets):
    """The message with Carol as its author, so that there is a key to sign with."""
    message = mail.Message(octets)
    end = b"\r\n" if message.header.partition(b"\n")[0].endswith(b"\r") else b"\n"
    fields = [field for name, field in message.fields if name not in (b"from", b"sender")]
    rest = octets[octets.index(message.header) + len(message.header):] if message.header else octets
    if not message.fields:
        # What has no header gets one, and so an empty line.
        return b"From: carol@example.org" + end + end + message.body
    return b"From: carol@example.org" + end + b"".join(fields) + rest


def leaves(entity):
    """[(media type, decoded content)], line ends of every kind alike."""
    found = []
    for part in email.message_from_bytes(entity, policy=email.policy.compat32).walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True) or b""
        found.append((part.get_content_type(), re.sub(rb"\r*\n|\r", b"\n", content).rstrip(b"\n")))
    return found


def same_content(entity, octets):
    got, want = leaves(entity), leaves(mail.inner_entity(octets))
    tap.equal([kind for kind, _ in got], [kind for kind, _ in want], "media types")
    for (kind, one), (_, other) in zip(got, want):
        if one != other:
            at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b),
                      min(len(one), len(other)))
            raise AssertionError(f"{kind} differs at octet {at}: {one[max(0, at - 30):at + 30]!r}, "
                                 f"expected {other[max(0, at - 30):at + 30]!r}")


# -- The judges -----------------------------------------------------------------------------------

@way("smime-detached", "never", "required", "smime")
def _(octets, output):
    same_content(signed.by_smime(output, home.authority.cert), octets)


@way("smime-opaque", "never", "required", "smime", signature="opaque")
def _(octets, output):
    tap.contains(mail.Message(output).header, b"smime-type=signed-data", "media type")
    tap.equal(signed.by_smime(output, home.authority.cert), mail.inner_entity(octets), "what is enclosed")


@way("smime-both", "required", "required", "smime")
def _(octets, output):
    inner = mail.opened(output, home.alice)
    content = signed.by_smime(inner, home.authority.cert)
    if b"smime-type=signed-data" in mail.Message(inner).header:
        tap.equal(content, mail.inner_entity(octets), "what is enclosed")
    else:
        same_content(content, octets)


@way("pgp-detached", "never", "required", "pgp")
def _(octets, output):
    content, who = signed.by_pgp(output, ring)
    tap.equal(who, carol_key, "who signed")
    same_content(content, octets)


@way("pgp-encrypted", "required", "never", "pgp")
def _(octets, output):
    result = signed.gpg(ring, "--decrypt", input=gnupg.armor(output))
    tap.true(b"GOODSIG" not in result.stderr, "no signature")
    tap.equal(result.stdout, mail.inner_entity(octets), "what is inside")


@way("pgp-both", "required", "required", "pgp")
def _(octets, output):
    result = signed.gpg(ring, "--decrypt", input=gnupg.armor(output))
    tap.equal(signed.signer(result.stderr), carol_key, "who signed")
    tap.equal(result.stdout, mail.inner_entity(octets), "what is inside")


# -- Trying ---------------------------------------------------------------------------------------

def protect(conf, name, octets, ident):
    try:
        result = subprocess.run(
            [home.bin / "sealpipe", "-c", conf, "--id", ident, "--submission=yes", "-f", CAROL, "--",
             home.alice.address], input=octets, capture_output=True, timeout=LIMIT, env={})
    except subprocess.TimeoutExpired:
        raise AssertionError(f"not done within {LIMIT} s") from None
    if result.returncode == 75:
        tap.equal((result.stdout, result.stderr), (b"", b""), "output of a refusal")
        lines = (home.folder / f"log-{name}").read_text(errors="replace").splitlines()
        raise Refused(" ".join(line.partition(" reason=")[2] for line in lines
                               if f" id={ident} " in line))
    tap.equal((result.returncode, result.stderr), (0, b""), "status and stderr")
    return result.stdout


def try_one(number, name, path, way_name):
    conf, judge = WAYS[way_name]
    octets = by_carol(path.read_bytes())
    try:
        judge(octets, protect(conf, way_name, octets, f"m{number}"))
    except Refused as reason:
        return name, way_name, "refused", str(reason)
    except (AssertionError, ValueError, IndexError, LookupError) as error:
        return name, way_name, "failed", str(error)
    return name, way_name, "done", ""


def listed_refusals():
    lines = (HERE / "refused-protect.txt").read_text().splitlines()
    rows = (line.split("\t", 2) for line in lines if line and not line.startswith("#"))
    return {(row[0], row[1]): row[2] for row in rows}


everything = list(messages.find().items())[::EVERY]
results = []


@tap.test("every way: what is encrypted opens byte-identical, what is signed is valid and unchanged")
def _():
    tasks = [(n * len(WAYS) + w, name, path, way_name)
             for n, (name, path) in enumerate(everything) for w, way_name in enumerate(WAYS)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        results.extend(pool.map(lambda task: try_one(*task), tasks))
    counts = collections.Counter((way_name, what) for _, way_name, what, _ in results)
    for name in WAYS:
        tap.note(f"{name}: " + ", ".join(f"{counts[name, what]} {what}"
                                         for what in ("done", "refused", "failed"))
                 + f" of {len(everything)} messages")
    failed = [f"{way_name}: {name}: {why}" for name, way_name, what, why in results
              if what == "failed"]
    tap.true(not failed, "\n".join(failed))


@tap.test("what is refused is listed, and what is listed is refused; 3 % at most")
def _():
    tried = {(way_name, name) for name, way_name, _, _ in results}
    refused = {(way_name, name): why for name, way_name, what, why in results if what == "refused"}
    listed = {key: why for key, why in listed_refusals().items() if key in tried}
    wrong = ["refused, not listed: " + "\t".join((*key, refused[key]))
              for key in sorted(refused.keys() - listed.keys())]
    wrong += ["listed, not refused: " + "\t".join(key)
              for key in sorted(listed.keys() - refused.keys())]
    wrong += [f"listed for {listed[key]!r}, refused for {refused[key]!r}: {key}"
              for key in sorted(listed.keys() & refused.keys()) if listed[key] not in refused[key]]
    tap.true(not wrong, "\n".join(wrong))
    tap.true(len(refused) * 100 <= 3 * len(tried), f"{len(refused)} of {len(tried)} refused")


tap.main()
