# SPDX-License-Identifier: GPL-2.0-or-later
"""Revocation lists that Sealpipe fetches itself: off, soft and hard, from a server that is slow, lies,
sends without end, leads elsewhere or is gone; and by the daemon, which needs no reload for them."""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import daemons
import home as homes
import mail
import tap

HAS, HAS_NOT, WAITS = 0, 69, 75
ANN, BEN, CID = "ann@example.org", "ben@example.org", "cid@example.org"


class Server(http.server.ThreadingHTTPServer):
    """What each path answers is in `answers`: (status, headers, octets), or a function."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = {}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        answer = self.server.answers.get(self.path, (404, {}, b""))
        try:
            if callable(answer):
                answer(self)
            else:
                reply(self, *answer)
        except OSError:
            pass


def reply(handler, status, headers, octets):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", len(octets))
    handler.end_headers()
    handler.wfile.write(octets)


def without_end(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def drop_by_drop(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.1)


server = Server()
home = homes.Home("crl")
root = home.authority


def enrol(address, *urls, authority=root):
    """A certificate that names @urls, one distribution point each."""
    config = authority.private / "pointed.cnf"
    line = f"crlDistributionPoints = {','.join('URI:' + url for url in urls)}\n" if urls else ""
    config.write_text(certs.CONFIG.format(name=f"email.1 = {address}", usage="keyAgreement")
                      .replace("[names]", line + "[names]"))
    name = address.partition("@")[0]
    cert, key = authority.folder / f"{name}.pem", authority.private / f"{name}.key"
    certs.openssl("req", "-x509", *certs.KINDS["ec"][0], "-nodes", "-days", 30, "-subj", f"/CN={name}",
                  "-keyout", key, "-out", cert, "-config", config, "-extensions", "leaf",
                  "-CA", authority.cert, "-CAkey", authority.key)
    shutil.copy(cert, home.certs)
    return cert


def crl(*revoked, authority=root, number=1, last=None, after=None, extensions=""):
    """In DER. @last, @after: seconds from now."""
    folder = authority.private
    config, made = folder / "crl.cnf", folder / "crl.der"
    (folder / "index").write_text("")
    (folder / "number").write_text(f"{number:04x}\n")
    config.write_text(certs.DATED.format(folder=folder, usage="keyAgreement", names="") +
                      f"[crl]\nauthorityKeyIdentifier = keyid\n{extensions}\n")
    text = config.read_text().replace("[this]\n", f"[this]\ncrlnumber = {folder}/number\n")
    config.write_text(text)
    how = ["-config", config, "-cert", authority.cert, "-keyfile", authority.key]
    for cert in revoked:
        certs.openssl("ca", "-batch", "-revoke", cert, *how)
    certs.openssl("ca", "-gencrl", "-crlexts", "crl", "-out", made, *how,
                  "-crl_lastupdate", moment(last if last is not None else -60),
                  "-crl_nextupdate", moment(after if after is not None else 86400))
    return certs.openssl("crl", "-in", made, "-outform", "DER")


def moment(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


def serve(path, octets, **headers):
    server.answers[path] = (200, headers, octets)


def configure(mode, **more):
    home.configure({"module smime": {"crl": mode, "crl_inside": "true", **more},
                    "policy": {"encrypt": more.pop("encrypt", "required")}})


def refresh(*args, status=None):
    """The rows, by URL."""
    result = home.run("sealctl", "--json", "keys", "refresh", *args)
    if status is not None:
        tap.equal(result.status, status, result.errors + result.output)
    return {row["what"]: row for row in json.loads(result.output)["refreshed"]}


def answer(address):
    return home.check("--", address).status


def folder():
    return home.state / "smime" / "crl"


def forget():
    shutil.rmtree(home.state / "smime", ignore_errors=True)
    server.answers.clear()
    server.asked.clear()


@tap.test("off: nothing is written down, and nothing is asked for")
def off():
    enrol(ANN, server.url("/off"))
    configure("off")
    tap.equal(answer(ANN), HAS)
    tap.true(not (home.state / "smime").exists(), "nothing is written down")
    tap.equal(refresh("--all", status=0), {})
    tap.equal(server.asked, [])


@tap.test("soft: what is not known passes; what is revoked does not; openssl agrees")
def soft():
    cert, url = enrol(ANN, server.url("/soft")), server.url("/soft")
    forget()
    configure("soft")
    tap.equal(answer(ANN), HAS, "nothing is known")
    tap.equal(len([path for path in (folder() / "wanted").iterdir()]), 1, "wanted")
    tap.equal(answer(home.alice.address), HAS, "without a distribution point")
    serve("/soft", crl(), ETag='"one"')
    tap.equal(refresh(status=0)[url]["result"], "fetched")
    tap.equal(server.asked[0][1].get("User-Agent"), "sealpipe")
    tap.equal(refresh(status=0), {}, "nothing is due")
    told = home.run("sealctl", "keys", "refresh").output.decode()
    tap.contains(told, "due: 0")
    tap.contains(told, "--all tries now")
    tap.equal(answer(ANN), HAS)

    octets = crl(cert, number=2)
    serve("/soft", octets)
    tap.equal(refresh("--all", status=0)[url]["result"], "fetched")
    tap.equal(answer(ANN), HAS_NOT, "revoked")
    (fetched,) = folder().glob("*.crl")
    tap.equal(fetched.read_bytes(), octets)
    listed = certs.openssl("crl", "-in", fetched, "-inform", "DER", "-noout", "-text").decode()
    serial = certs.openssl("x509", "-in", cert, "-noout", "-serial").decode().strip()[7:]
    tap.contains(listed, serial)
    tap.equal(answer(BEN_PLAIN), HAS, "the same CA's, not in it")
    tap.contains(home.log_text(), "was revoked on")


BEN_PLAIN = home.bob.address


@tap.test("hard: not known waits, and nowhere to be had is refused")
def hard():
    cert, url = enrol(ANN, server.url("/hard")), server.url("/hard")
    forget()
    configure("hard")
    tap.equal(answer(ANN), WAITS)
    tap.equal(answer(home.alice.address), HAS_NOT, "no distribution point")
    tap.contains(home.log_text(), "does not say where a revocation list could be fetched")
    serve("/hard", crl())
    refresh(status=0)
    tap.equal(answer(ANN), HAS)
    (fetched,) = folder().glob("*.crl")
    fetched.write_bytes(crl(last=-7200, after=-3600))
    tap.equal(answer(ANN), WAITS, "past its nextUpdate")
    fetched.write_bytes(crl(cert, last=-7200, after=-3600))
    tap.equal(answer(ANN), HAS_NOT, "and revoked in it")
    fetched.write_bytes(b"no list")
    tap.equal(answer(ANN), WAITS)


@tap.test("hard: where encryption is preferred, the reason is in the log")
def preferred():
    enrol(ANN, server.url("/preferred"))
    forget()
    home.clear_log()
    home.configure({"module smime": {"crl": "hard", "crl_inside": "true"},
                    "policy": {"encrypt": "preferred"}})
    out = home.sealed(mail.message(ANN) if hasattr(mail, "message") else PLAIN, ANN)
    tap.contains(out, b"the words")
    tap.contains(home.log_text(), "there is no current list of")


PLAIN = b"From: carol@example.org\nTo: ann@example.org\nSubject: x\n\nthe words\n"


@tap.test("hard: a list in crls does, where it is current")
def named():
    enrol(CID)
    lists = home.folder / "lists"
    lists.mkdir()
    (lists / "root.crl").write_bytes(crl())
    configure("hard", crls=lists)
    tap.equal(answer(CID), HAS)
    tap.equal(answer(home.alice.address), HAS)
    (lists / "root.crl").write_bytes(crl(last=-7200, after=-3600))
    tap.equal(answer(CID), WAITS, "it can be renewed")


def lies():
    other = certs.Authority(home.folder / "other", name="Test Root")
    good = crl(number=5, last=-120)
    yield "another key of the same name", crl(authority=other, number=6), "not signed by"
    yield "an older date", crl(number=6, last=-3600), "older than the one"
    yield "a lower number", crl(number=4, last=-60), "older than the one"
    yield "garbage", b"<html>no list</html>", "no revocation list"
    yield "nothing", b"", "no revocation list"
    yield "the half of it", good[:len(good) // 2], "no revocation list"
    yield "out of date", crl(number=6, last=-100, after=-50), "should have been renewed"
    yield "from the future", crl(number=6, last=7200, after=90000), "in the future"
    yield "what has changed alone", crl(number=6, extensions="2.5.29.27 = critical,DER:020101"), "has changed since"
    yield ("for others' certificates", crl(number=6, extensions="issuingDistributionPoint = critical,@idp\n"
           "[idp]\nfullname = URI:http://x/\nindirectCRL = TRUE"), "other issuers")
    yield ("a critical extension", crl(number=6, extensions="1.2.3.4 = critical,DER:0500"),
           "critical extension")


@tap.test("what lies changes nothing, and the error says what it was")
def lying():
    enrol(ANN, server.url("/lies"))
    forget()
    configure("hard")
    answer(ANN)
    url, good = server.url("/lies"), crl(number=5, last=-120)
    serve("/lies", good)
    refresh(status=0)
    (fetched,) = folder().glob("*.crl")
    for name, octets, why in lies():
        serve("/lies", octets)
        row = refresh("--all", status=1)[url]
        tap.equal(row["result"], "failed", name)
        tap.contains(row["problem"], why, name)
        tap.contains(row["problem"], url, name)
        tap.equal(fetched.read_bytes(), good, name)
    tap.equal(answer(ANN), HAS)


def troubles():
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    gone = f"http://127.0.0.1:{closed.getsockname()[1]}/gone"
    closed.close()
    yield "without end", server.url("/endless"), without_end, "octets, which crl_size_limit allows"
    yield "drop by drop", server.url("/slow"), drop_by_drop, "timed out"
    yield ("elsewhere", server.url("/elsewhere"), (302, {"Location": server.url("/good")}, b""),
           "leads elsewhere")
    yield "an error", server.url("/error"), (503, {}, b""), "HTTP status 503"
    yield "not asked for", server.url("/304"), (304, {}, b""), "nothing has changed (HTTP status 304), which was not"
    yield "gone", gone, None, "onnect"


@tap.test("a server in trouble costs octets and seconds that are bounded; the next place is asked")
def in_trouble():
    cases = list(troubles())
    forget()
    configure("hard", crl_size_limit="64K", crl_deadline="2s")
    for i, (_, url, behaviour, _) in enumerate(cases):
        enrol(f"trouble{i}@example.org", url)
        if behaviour:
            server.answers[url[url.index("/", 7):]] = behaviour
        tap.equal(answer(f"trouble{i}@example.org"), WAITS)
    serve("/good", crl())
    rows = refresh(status=1)
    for name, url, _, why in cases:
        tap.contains(rows[url]["problem"], why, name)
    tap.true("/good" not in [path for path, _ in server.asked], "no redirect is followed")
    tap.equal(refresh(status=0), {}, "not at once again")
    status = home.run("sealctl", "status").output.decode()
    tap.contains(status, f"{len(cases)} are missing or out of date; the first: http://")
    enrol(BEN, server.url("/error"), server.url("/good"))
    tap.equal(answer(BEN), WAITS)
    tap.equal(refresh(status=0)[server.url("/good")]["result"], "fetched")
    tap.equal(answer(BEN), HAS)


@tap.test("addresses inside and other ports are refused without leave, also by name")
def inside():
    forget()
    cases = [("port", server.url("/in"), "set [module smime] crl_inside=true"),
             ("address", "http://127.0.0.1/in", "a loopback address"),
             ("spelling", "http://0x7f.1/in", "a loopback address"),
             ("name", "http://localhost/in", "a loopback address"),
             ("mapped", "http://[::ffff:127.0.0.1]/in", "a loopback address"),
             ("user", "http://user@127.0.0.1/in", None),
             ("https", "https://127.0.0.1/in", None),
             ("file", "file:///etc/passwd", None)]
    home.configure({"module smime": {"crl": "hard"}})
    for name, url, why in cases:
        enrol(f"{name}@example.org", url)
        tap.equal(answer(f"{name}@example.org"), WAITS if why else HAS_NOT, name)
    rows = refresh(status=1)
    for name, url, why in cases:
        if why:
            tap.contains(rows[url]["problem"], why, name)
        else:
            tap.true(url not in rows, name)
    tap.equal(server.asked, [])


@tap.test("the environment names no proxy; crl_proxy does")
def proxy():
    forget()
    enrol(ANN, "http://lists.invalid/x")
    serve("http://lists.invalid/x", crl())
    configure("hard")
    tap.equal(answer(ANN), WAITS)
    env = {"http_proxy": server.url(""), "all_proxy": server.url("")}
    home.run("sealctl", "keys", "refresh", env=env)
    tap.equal(server.asked, [])
    home.configure({"module smime": {"crl": "hard", "crl_proxy": server.url("")}})
    tap.equal(refresh("--all", status=0)["http://lists.invalid/x"]["result"], "fetched")
    tap.equal(answer(ANN), HAS)


@tap.test("a proxy is asked for nothing that is an address inside, however it is written")
def proxy_inside():
    forget()
    hosts = ["127.0.0.1.", "2130706433.", "127.0.0.1%2e", "127%2e1", "localhost", "LOCALHOST.", "a.localhost",
             "169%2e254.43518", "%5b::1%5d", "[::1]", "10.0.0.1"]
    home.configure({"module smime": {"crl": "hard", "crl_proxy": server.url("")}})
    for i, host in enumerate(hosts):
        enrol(f"inside{i}@example.org", f"http://{host}/x")
        answer(f"inside{i}@example.org")
    rows = refresh()
    tap.equal(server.asked, [])
    for host in hosts:
        row = rows.get(f"http://{host}/x")
        tap.true(row is None or "its host is" in row["problem"], f"{host}: {row}")
    tap.true(len(rows) >= 7, rows)


def wanted_names():
    return [path.name for path in (folder() / "wanted").iterdir() if len(path.name) == 64]


@tap.test("one CA's lists keep no other's out; all that are wanted are seen; what is left out is said")
def room():
    forget()
    home.clear_log()
    configure("hard")
    addresses = [f"room{i}@example.org" for i in range(8)]
    for i, address in enumerate(addresses):
        enrol(address, server.url(f"/room{i}"))
        serve(f"/room{i}", crl())
    enrol(ANN, server.url("/room-for-ann"))
    for address in addresses:
        tap.equal(answer(address), WAITS)
    issuer, fakes = wanted_names()[0][:16], []

    def fill(count, prefix=None):
        for i in range(count):
            name = f"{prefix or hashlib.sha256(str(len(fakes)).encode()).hexdigest()[:16]}{len(fakes):048x}"
            fakes.append(folder() / "wanted" / name)
            fakes[-1].write_text("")

    def is_left_out(why):
        before = sorted(wanted_names())
        home.clear_log()
        tap.equal(answer(ANN), WAITS)
        tap.equal(sorted(wanted_names()), before, "not written down")
        for name, text in (("log", home.log_text()), ("status", home.run("sealctl", "status").output.decode()),
                           ("refresh", refresh()["wanted"]["problem"])):
            tap.contains(text, why, name)

    fill(56, issuer)
    is_left_out("as may be, 64 of CN=Test Root")
    for path in fakes:
        path.unlink()
    fill(1992)
    is_left_out("as may be, 2000; the others")
    server.asked.clear()
    fill(1900)
    refresh("--all")
    tap.equal(sorted(path for path, _ in server.asked), [f"/room{i}" for i in range(8)])
    for path in fakes[-1901:]:
        os.utime(path, (1, 1))
    refresh()
    tap.equal(len(wanted_names()), 1999, "what is broken does not take up room for ever")
    answer(ANN)
    tap.equal(len(wanted_names()), 2000, "there is room again")


@tap.test("who is slow is asked once in a round, and last in the next one")
def slow():
    forget()
    configure("hard", crl_deadline="4s")
    addresses = [f"slow{i}@example.org" for i in range(2)] + [f"quick{i}@example.org" for i in range(5)]
    for i in range(2):
        enrol(addresses[i], server.url(f"/slow{i}"))
        server.answers[f"/slow{i}"] = drop_by_drop
    for i in range(5):
        enrol(addresses[2 + i], server.url(f"/quick{i}", host="localhost"))
        serve(f"/quick{i}", crl())
    for address in addresses:
        tap.equal(answer(address), WAITS)
    for args in ((), ("--all",)):
        server.asked.clear()
        rows = refresh(*args, status=1)
        asked = [path for path, _ in server.asked]
        tap.equal(len(asked), 6, asked)
        problems = sorted(rows[server.url(f"/slow{i}")]["problem"] for i in range(2))
        tap.contains(" ".join(problems), "its host was slow")
        tap.contains(" ".join(problems), "timed out")
    tap.true(asked[-1].startswith("/slow"), asked)


@tap.test("what is put off is a problem where no current list is there, and none where one is")
def put_off():
    if "--sanitize" in sys.argv:
        raise tap.Skip("sanitizers come before everything else that is loaded")
    clock = next(word for word in sys.argv if word.endswith("/clock.so"))
    forget()
    configure("hard")
    enrol(ANN, server.url("/ann"))
    serve("/ann", crl())
    answer(ANN)
    refresh(status=0)
    octets = crl()

    def slow_new(name):
        """One that was never tried has its turn first, and all the time that its CA has."""
        def late(handler):
            time.sleep(1.2)
            reply(handler, 200, {}, octets)
        enrol(f"{name}@example.org", server.url(f"/{name}"))
        server.answers[f"/{name}"] = late
        answer(f"{name}@example.org")

    def refreshed():
        server.asked.clear()
        result = home.run("sealctl", "--json", "keys", "refresh", "--all", env={"LD_PRELOAD": clock})
        tap.equal(len(server.asked), 1, result.output)
        rows = json.loads(result.output)["refreshed"]
        tap.equal([row["result"] for row in rows], ["fetched", "put off"])
        return result

    slow_new("late")
    result = refreshed()
    tap.equal((result.status, result.errors), (0, b""))
    forget()
    server.answers["/ann"] = (503, {}, b"")
    answer(ANN)
    refresh(status=1)
    slow_new("later")
    result = refreshed()
    tap.equal(result.status, 1)
    tap.contains(result.errors.decode(), "1 revocation lists that are missing or out of date were put off to the "
                                         f"next round; the first: {server.url('/ann')}")


@tap.test("crl_deadline is for all places of a list, and each has its share")
def shares():
    forget()
    configure("hard", crl_deadline="2s")
    enrol(ANN, server.url("/one"), server.url("/other"))
    server.answers["/one"] = server.answers["/other"] = drop_by_drop
    answer(ANN)
    row = refresh(status=1)[server.url("/one")]
    tap.contains(row["problem"], "timed out after 10")
    tap.equal([path for path, _ in server.asked], ["/one", "/other"])


@tap.test("nothing is fetched that no CA has signed, whoever wrote it down")
def forged():
    stranger = certs.Authority(home.folder / "stranger", name="Stranger")
    enrol(ANN, server.url("/signed"))
    forget()
    configure("hard")
    answer(ANN)
    (wanted,) = (folder() / "wanted").iterdir()
    chain = [enrol("eve@example.org", server.url("/forged"), authority=stranger), stranger.cert]
    ders = [certs.openssl("x509", "-in", cert, "-outform", "DER") for cert in chain]
    issuer = name_and_key(stranger.cert)
    name = (hashlib.sha256(issuer).hexdigest()[:16] +
            hashlib.sha256(server.url("/forged").encode() + b"\0" + issuer).hexdigest()[:48])
    for path in (wanted.with_name(name), wanted.with_name("0" * 64)):
        path.write_text("[wanted]\nchain=" +
                        "".join(base64.b64encode(der).decode() + ";" for der in ders) + "\n")
    serve("/signed", crl())
    serve("/forged", crl(authority=stranger))
    rows = refresh(status=0)
    tap.equal([path for path, _ in server.asked], ["/signed"])
    tap.equal(rows[server.url("/forged")]["result"], "dropped")
    tap.true(not wanted.with_name(name).exists(), "it is gone")
    # One that a CA has signed is good for its own place alone.
    wanted.rename(wanted.with_name("1" * 64))
    (left,) = folder().glob("*.crl")
    os.utime(left, (1, 1))
    tap.equal(refresh("--all", status=0), {})
    tap.true(not left.exists(), "a list that nobody wants is not kept")


def name_and_key(cert):
    """As they stand in it."""
    text = certs.openssl("x509", "-in", cert, "-noout", "-pubkey")
    key = certs.openssl("pkey", "-pubin", "-outform", "DER", input=text)
    der = certs.openssl("x509", "-in", cert, "-outform", "DER")
    at = der.index(b"Stranger")
    # SEQUENCE { SET { SEQUENCE { OID commonName, UTF8String } } }
    start = at - 13
    return der[start:at + len(b"Stranger")] + key


@tap.test("a state_dir that cannot be written is said, and stops nothing that need not wait")
def no_state():
    forget()
    enrol(ANN, server.url("/nostate"))
    configure("soft")
    home.clear_log()
    (home.state / "smime").write_text("in the way")
    tap.equal(answer(ANN), HAS)
    tap.contains(home.log_text(), "cannot be written down")
    (home.state / "smime").unlink()


@tap.test("the daemon fetches what is wanted, and sees what is revoked without a reload")
def daemon():
    cert = enrol(ANN, server.url("/daemon"))
    forget()
    home.clear_log()
    serve("/daemon", crl())
    running = daemons.Daemon(home, module_smime={"crl": "hard", "crl_inside": "true"})
    with running:
        tap.equal(answer(ANN), WAITS, home.log_text()[-600:])
        tap.wait_for(lambda: answer(ANN) == HAS, f"it is fetched: {home.log_text()[-900:]}")
        generation = running.generations()
        serve("/daemon", crl(cert, number=2))
        by = ["setpriv", "--reuid", daemons.USER, "--clear-groups"] if daemons.ROOT else []
        result = subprocess.run([*by, home.bin / "sealctl", "-c", home.conf, "keys", "refresh", "--all"],
                                capture_output=True, timeout=homes.BOUND)
        tap.equal(result.returncode, 0, result.stdout + result.stderr)
        tap.wait_for(lambda: answer(ANN) == HAS_NOT, "it is revoked")
        tap.equal(running.generations(), generation, "the same generation")

        enrol(CID, server.url("/not-there"))
        tap.equal(answer(CID), WAITS)
        tap.wait_for(lambda: "HTTP status 404" in home.log_text(), "who fetches says why it cannot")
        if daemons.ROOT:
            (fetching,) = [pid for pid in running.workers() if not listens(pid)]
            os.kill(fetching, signal.SIGKILL)
            tap.wait_for(lambda: "another one takes its place" in home.log_text(), "its end is seen")
            enrol(BEN, server.url("/after"))
            serve("/after", crl())
            tap.wait_for(lambda: answer(BEN) == HAS, f"another one fetches: {home.log_text()[-900:]}")


def listens(pid):
    """The daemon's socket is descriptor 4 of all but who fetches."""
    try:
        return os.readlink(f"/proc/{pid}/fd/4").startswith("socket:")
    except OSError:
        return False


tap.main()
