# SPDX-License-Identifier: GPL-2.0-or-later
"""How many messages a second a mail server delivers: without a filter, through cat, and through
sealpipe, by itself and with its daemon.

mtas.py exim|postfix DRIVE COUNT: prints JSON. The messages wait in the queue first, and what is
measured is the time from the first that it delivers to the last. The ways take turns.
"""

import json
import os
import pathlib
import subprocess
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import works

import mounts
import tap

SERVER, DRIVE, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.argv[1:] = sys.argv[1:] if SERVER == "postfix" else []
ROUNDS = 2
BOUND = 300


class Sink:
    """Takes @count messages; seconds() is how long that was, once the last has come."""

    def __init__(self, count, port=None):
        words = [DRIVE, "sink", str(count)] + ([str(port)] if port else [])
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def seconds(self):
        out, _ = self.process.communicate(timeout=BOUND)
        return int(out) / 1e9


def measure(ways, port, fill, deliver):
    """{way: messages a second}"""
    rates, count = {}, COUNT // ROUNDS
    for _ in range(ROUNDS):
        for way in ways:
            fill(way, count)
            sink = Sink(count, port)
            deliver(way)
            rates.setdefault(way, []).append(count / sink.seconds())
    return {way: sum(several) / len(several) for way, several in rates.items()}


def free_port():
    import sink
    return sink.free_port()


# -- Exim ---------------------------------------------------------------------------------------

EXIM = """
tls_advertise_hosts =
keep_environment =
acl_smtp_rcpt = ok
queue_only
smtp_accept_queue_per_connection = 0
begin acl
ok:
  accept
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1::{sink}
  self = send
  transport = out
begin transports
out:
  driver = smtp
  allow_localhost
  max_rcpt = 1
  {filter}
begin retry
* * F,2h,10m
"""


def measure_exim():
    if os.getuid() != 0 or not os.path.exists("/usr/sbin/exim4"):
        return {"why": "it needs root, and exim4-daemon-heavy"}
    import exim as exims
    home = works.make_home("exim-bench")
    work = works.Work(home, "S/MIME", "encrypt")
    client = work.start(peers="root;self;Debian-exim", socket_mode="0666")
    exims.readable(work.alone)
    port = free_port()

    def words(command):
        return "transport_filter = " + " ".join(command[:-2] + ["--", "$pipe_addresses"])
    filters = {"no filter": "", "cat": "transport_filter = /usr/bin/cat",
               "sealpipe": words(client), "sealpipe by itself": words(work.by_itself())}
    servers = {}
    for way, line in filters.items():
        servers[way] = exims.Exim(home.folder / way.replace(" ", "-"), lambda server, line=line:
                                  exims.places(server.folder, server.port) + EXIM.format(sink=port, filter=line))
        servers[way].start()
    octets = works.message(home, 4096).read_bytes()

    def fill(way, count):
        import smtplib
        with smtplib.SMTP("127.0.0.1", servers[way].port, timeout=60) as smtp:
            for _ in range(count):
                smtp.sendmail(works.CAROL, [work.recipient], octets)

    def deliver(way):
        """As many queue runners as there are processors, and as many again."""
        for _ in range(2 * os.cpu_count()):
            subprocess.Popen([*servers[way].command, "-q"], stdin=subprocess.DEVNULL)
    try:
        return {"count": COUNT // ROUNDS * ROUNDS, "rates": measure(filters, port, fill, deliver)}
    finally:
        for server in servers.values():
            server.stop()
        work.stop()


# -- Postfix ------------------------------------------------------------------------------------

def measure_postfix():
    """In a view of the files in which Postfix is installed; its filter hands back by sendmail."""
    if why := mounts.why_not():
        return {"why": why}
    import postfix
    postfix.enter()
    import smtplib
    home = works.make_home("postfix-bench")
    work = works.Work(home, "S/MIME", "encrypt")
    port = free_port()

    server = postfix.Postfix(home, types.SimpleNamespace(port=port), defer_transports="smtp cat seal alone")
    pathlib.Path("/usr/bin/sealpipe-pipe").unlink()
    postfix.checked("sh", "-c", "getent passwd sealpipe || useradd --system --user-group sealpipe")
    client = work.start(peers="root;self;sealpipe", socket_mode="0666")
    for path in (work.alone.log, work.alone.state):
        subprocess.run(["chown", "-R", "sealpipe", path], check=True)
    cat = home.folder / "cat-filter"
    cat.write_text('#!/bin/sh\ncat | /usr/sbin/sendmail -G -i "$@"\n')
    cat.chmod(0o755)
    seal = [str(home.bin / "sealpipe-pipe"), "-c"]
    commands = {"cat": [str(cat)], "seal": [*seal, client[2]], "alone": [*seal, str(work.alone.conf)]}
    for name, words in commands.items():
        argv = " ".join(words)
        postfix.checked("postconf", "-M", f"{name}/unix={name} unix - n n - 10 pipe flags=q user=sealpipe "
                        f"null_sender= argv={argv} -f ${{sender}} -- ${{recipient}}")
    ways = {"no filter": "", "cat": "cat:dummy", "sealpipe": "seal:dummy", "sealpipe by itself": "alone:dummy"}
    server.start()
    octets = works.message(home, 4096).read_bytes()

    def fill(way, count):
        server.set(defer_transports="smtp cat seal alone")
        postfix.checked("postconf", "-P", f"smtp/inet/content_filter={ways[way]}")
        server.reload()
        tap.wait_for(lambda: smtp_answers(server.port), "Postfix answers")
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as smtp:
            for _ in range(count):
                smtp.sendmail(works.CAROL, [work.recipient], octets)
        deferred = server.spools[0] / "deferred"
        tap.wait_for(lambda: sum(1 for path in deferred.rglob("*") if path.is_file()) == count,
                     "all are deferred", 60)

    def deliver(way):
        server.set(defer_transports="")
        server.reload()
        postfix.checked("postqueue", "-f")
    try:
        return {"count": COUNT // ROUNDS * ROUNDS, "rates": measure(ways, port, fill, deliver)}
    finally:
        work.stop()


def smtp_answers(port):
    import smtplib
    try:
        smtplib.SMTP("127.0.0.1", port, timeout=10).quit()
        return True
    except OSError:
        return False


print(json.dumps(measure_exim() if SERVER == "exim" else measure_postfix()), flush=True)
