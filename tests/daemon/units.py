# SPDX-License-Identifier: GPL-2.0-or-later
"""The units: what systemd says of the units, whether sealpiped speaks with it as it expects,
and whether it works within what the unit leaves it."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import home as homes
import mounts
import tap

MESSAGE = b"From: carol@example.org\nTo: alice@example.org\nSubject: x\n\nwords\n"
home = homes.Home("units")
PROGRAM = homes.prefix() / "sbin" / "sealpiped"
UNITS = homes.prefix() / "lib/systemd/system"
ALL = ("sealpiped.service", "sealpiped.socket", "sealpipe-refresh.service", "sealpipe-refresh.timer",
       "sealpipe-remind.service", "sealpipe-remind.timer")
# In tenths: what is to be held. The last hands over to sendmail, and says why it is more.
EXPOSURE = {"sealpiped.service": 20, "sealpipe-remind.service": 45}
# Any of these, or NoNewPrivileges itself, would keep a setgid sendmail from its queue.
NO_NEW_PRIVILEGES = ("NoNewPrivileges", "User", "DynamicUser", "RestrictSUIDSGID")


def tool(name):
    if not shutil.which(name):
        raise tap.Skip(f"there is no {name}")
    return name


def setting(unit, name):
    """All values of a setting, in their order."""
    return re.findall(rf"^{name}=(.*)$", (UNITS / unit).read_text(), re.M)


@tap.test("systemd finds nothing wrong, and calls the exposure OK")
def _():
    tool("systemd-analyze")
    folder = home.folder / "units"
    folder.mkdir()
    for unit in ALL:
        shutil.copy(UNITS / unit, folder)
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", *folder.iterdir()],
                          capture_output=True, text=True, timeout=homes.BOUND)
    tap.equal((said.returncode, said.stdout, said.stderr), (0, "", ""))
    for unit, most in EXPOSURE.items():
        said = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={most}",
                               folder / unit], capture_output=True, text=True, timeout=homes.BOUND)
        tap.equal(said.returncode, 0, said.stdout[-300:])


@tap.test("reminders: sendmail keeps the rights of its file, and what it leaves behind goes on")
def _():
    unit = "sealpipe-remind.service"
    tap.equal({name: setting(unit, name) for name in NO_NEW_PRIVILEGES}, {name: [] for name in NO_NEW_PRIVILEGES})
    tap.equal((setting(unit, "KillMode"), setting(unit, "Type")), (["process"], ["oneshot"]))
    tap.equal([word for word in ("CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN")
               if word in setting(unit, "CapabilityBoundingSet")[0].split()], [])
    tap.equal((setting("sealpipe-remind.timer", "Persistent"), len(setting("sealpipe-remind.timer", "OnCalendar"))),
              (["true"], 1))


@tap.test("sysusers.d and tmpfiles.d make users and state_dir")
def _():
    root = home.folder / "root"
    for name in ("etc", "var/lib", "var/log"):
        (root / name).mkdir(parents=True)
    (root / "etc/group").write_text("adm:x:4:\n")
    if not daemons.ROOT:
        raise tap.Skip("folders of others need root")
    for words in (["systemd-sysusers", f"--root={root}", UNITS.parent.parent / "sysusers.d/sealpipe.conf"],
                  ["systemd-tmpfiles", f"--root={root}", "--create", UNITS.parent.parent / "tmpfiles.d/sealpipe.conf"]):
        tool(words[0])
        said = subprocess.run(words, capture_output=True, text=True, timeout=homes.BOUND)
        tap.equal(said.returncode, 0, said.stderr)
    users = dict(re.findall(r"^(sealpipe[\w-]*):x:(\d+):", (root / "etc/passwd").read_text(), re.M))
    tap.equal(sorted(users), ["sealpipe", "sealpipe-keys"])
    state = (root / "var/lib/sealpipe").stat()
    tap.equal((oct(state.st_mode & 0o7777), str(state.st_uid)), ("0o700", users["sealpipe"]))
    log = (root / "var/log/sealpipe").stat()
    tap.equal((oct(log.st_mode & 0o7777), str(log.st_uid), log.st_gid), ("0o750", users["sealpipe"], 4))


class Notified:
    """Where systemd would listen."""

    def __init__(self):
        self.path = home.folder / "notify"
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(homes.BOUND)

    def next(self):
        return self.socket.recv(4096).decode().split("\n")


@tap.test("it says when it is ready, reloads and stops")
def _():
    notified = Notified()
    daemon = daemons.Daemon(home)
    daemon.start(env={"NOTIFY_SOCKET": str(notified.path)})
    tap.equal(notified.next(), ["READY=1"])
    daemon.hup()
    reloading = notified.next()
    tap.equal(reloading[0], "RELOADING=1")
    tap.true(re.fullmatch(r"MONOTONIC_USEC=\d+", reloading[1]), f"{reloading}")
    tap.equal(notified.next(), ["READY=1"])
    home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
    daemon.hup()
    tap.equal([notified.next()[0], notified.next()[0]], ["RELOADING=1", "READY=1"])
    daemon.stop()
    tap.equal(notified.next(), ["STOPPING=1"])


def start_given(daemon, listening):
    place = f'exec 3<&{listening.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
    daemon.process = subprocess.Popen(["sh", "-c", place, "sh", PROGRAM, "-c", home.conf, "--foreground"],
                                      pass_fds=[listening.fileno()])


@tap.test("a socket that systemd keeps: one message waits in it for the daemon, and it stays")
def _():
    daemon = daemons.Daemon(home, daemon={"workers": 1})
    daemon.run_dir.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(daemon.socket))
        listening.listen(64)
        client = subprocess.Popen([home.bin / "sealpipe", "-c", home.conf, "-f", "", "--", "alice@example.org"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        client.stdin.write(MESSAGE)
        client.stdin.close()
        start_given(daemon, listening)
        tap.contains(client.stdout.read(), b"enveloped-data")
        client.stdout.close()
        tap.equal(client.wait(timeout=homes.BOUND), 0)
        daemon.stop()
        tap.true(daemon.socket.exists(), "the socket has gone")
        daemon.socket.unlink()


@tap.test("with a socket of systemd's, none for status is put where others can put something else")
def _():
    daemon = daemons.Daemon(home, daemon={"workers": 1})
    daemon.run_dir.mkdir(exist_ok=True)
    daemon.run_dir.chmod(0o777)
    daemon.socket.unlink(missing_ok=True)
    aside = daemon.run_dir / "status.sock"
    aside.write_text("")
    home.clear_log()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind(str(daemon.socket))
            listening.listen(64)
            start_given(daemon, listening)
            tap.equal(home.seal(MESSAGE, "-f", "", "--", "alice@example.org").status, 0, home.log_text())
            tap.contains(home.log_text(), "`sealctl status` cannot ask the daemon")
            tap.true(aside.is_file(), "what stood there has gone")
    finally:
        daemon.stop()
        shutil.rmtree(daemon.run_dir)


# What the unit's settings do to the files that it sees: all of them read-only but what it names.
LIMITS = """set -e
mount --make-rprivate /
mount -o bind "$STATE" "$STATE"
mount -o bind "$RUN" "$RUN"
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -t proc -o hidepid=invisible,subset=pid proc /proc
for top in /etc /usr /var/lib; do mount -o bind,ro "$top" "$top"; done
mount -o remount,bind,ro "$HOME_OF_TEST"
exec setpriv --no-new-privs "--bounding-set=-all$CAPABILITIES" "$@"
"""


@tap.test("within the unit's limits: no capability but those named, its folders read-only, another /proc")
def _():
    if reason := mounts.why_not():
        raise tap.Skip(reason)
    (capabilities,) = setting("sealpiped.service", "CapabilityBoundingSet")
    tap.equal(setting("sealpiped.service", "NoNewPrivileges"), ["yes"])
    daemon = daemons.Daemon(home, core={"log_target": home.state / "log"}, **{"module_pgp": {}})
    daemon.run_dir.mkdir(exist_ok=True)
    environment = {**os.environ, "STATE": str(home.state), "RUN": str(daemon.run_dir),
                   "HOME_OF_TEST": str(home.folder), "CAPABILITIES": "".join(
                       f",+{word.removeprefix('CAP_').lower()}" for word in capabilities.split())}
    home.folder.chmod(0o755)
    bind = ["unshare", "--mount", "sh", "-c",
            'mount --bind "$HOME_OF_TEST" "$HOME_OF_TEST"; ' + LIMITS, "sh"]
    daemon.process = subprocess.Popen([*bind, PROGRAM, "-c", home.conf, "--foreground"], env=environment)
    try:
        tap.wait_for(lambda: daemon.socket.exists() or daemon.process.poll() is not None, "it is there")
        tap.equal(daemon.process.poll(), None)
        sealed = home.seal(MESSAGE, "-f", "", "--", "alice@example.org")
        tap.equal(sealed.status, 0, (home.state / "log").read_text()[-500:])
        tap.contains(sealed.output, b"enveloped-data")
    finally:
        daemon.stop()


tap.main()
