# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: the work of sealpipe, by itself and by its daemon, and the command that does the
same."""

import copy
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import gnupg
import home as homes

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
CAROL = "carol@example.net"
HEADER = (b"From: carol@example.net\nTo: alice@example.org\nSubject: bench\nMIME-Version: 1.0\n"
          b"Content-Type: text/plain\n\n")
LINE = b"The quick brown fox jumps over the lazy dog; the lazy dog sleeps on.\n"


def message(home, size):
    """A file of @size octets, most of them lines of text."""
    path = home.folder / f"message-{size}"
    if path.exists():
        return path
    block = LINE * (MIB // len(LINE))
    with open(path, "wb") as file:
        file.write(HEADER)
        while file.tell() + len(block) < size:
            file.write(block)
        file.write(LINE * ((size - file.tell()) // len(LINE)))
    return path


def label(size):
    for unit, name in ((GIB, "GiB"), (MIB, "MB"), (KIB, "KB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def build_drive(home):
    """The program that starts what is measured."""
    drive = home.folder / "drive"
    source = pathlib.Path(__file__).resolve().with_name("drive.c")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", drive, source], check=True)
    return drive


def build_program(home, name):
    """One that fills and asks key sources, as a part of sealpipe's own would."""
    program = home.folder / name
    root = pathlib.Path(__file__).resolve().parents[2]
    library = next(homes.prefix().rglob("libsealpipe.so")).parent
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "gio-2.0", "libcrypto"], check=True,
                           capture_output=True, text=True).stdout.split()
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", f"-I{root}", "-o", program,
                    root / f"tests/bench/{name}.c",
                    f"-L{library}", "-lsealpipe", f"-Wl,-rpath,{library}", *flags], check=True)
    return program


def make_keys(home):
    """What signs: a certificate's key in a folder of server keys, and a GnuPG home with the keys of
    Carol and of Bob."""
    home.carol = home.authority.person(CAROL, "rsa")
    home.server_keys = home.folder / "server-keys"
    home.server_keys.mkdir(mode=0o700)
    pem = home.server_keys / "carol.pem"
    pem.write_bytes(home.carol.cert.read_bytes() + home.carol.key.read_bytes())
    pem.chmod(0o600)
    home.ring = gnupg.Ring(home.folder / "gnupg")
    for address in (CAROL, home.bob.address):
        home.ring.generate(address)
    exported = home.certs / "bob.asc"
    exported.write_bytes(home.ring.gpg("--armor", "--export", home.bob.address))


def openssl_words(home, does):
    encrypt = ["openssl", "cms", "-encrypt", "-stream", "-aes-256-cbc", home.alice.cert]
    sign = ["openssl", "cms", "-sign", "-stream", "-signer", home.carol.cert, "-inkey", home.carol.key]
    if does == "both":
        pipe = " | ".join(" ".join(map(str, words)) for words in (sign, encrypt))
        return ["sh", "-c", pipe]
    return encrypt if does == "encrypt" else sign


def gpg_words(home, does):
    gpg = ["gpg", "--homedir", home.ring.path, "--batch", "--no-tty", "--trust-model", "always",
           "--armor"]
    return gpg + {"encrypt": ["--encrypt", "--recipient", home.bob.address],
                  "sign": ["--local-user", CAROL, "--detach-sign"],
                  "both": ["--local-user", CAROL, "--sign", "--encrypt", "--recipient",
                           home.bob.address]}[does]


class Work:
    """One thing to do: @command does it; sealpipe does it by itself, under its own configuration, or
    by a daemon, which start() starts."""

    def __init__(self, home, form, does, more=None, suffix=""):
        self.form, self.does, self.name = form, does, f"{form} {does} {suffix}".strip()
        self.top = home
        smime = form == "S/MIME"
        self.command = [str(word) for word in (openssl_words if smime else gpg_words)(home, does)]
        self.program = "openssl" if smime else "gpg"
        policy = {"formats": "smime" if smime else "pgp",
                  "encrypt": "never" if does == "sign" else "required",
                  "sign": "never" if does == "encrypt" else "required"}
        self.groups = {"policy": policy, **(more or {})}
        if does != "encrypt":
            self.groups["module_sign"] = {}
        if smime and does != "encrypt":
            self.groups["module_smime"] = {"server_keys": home.server_keys}
        if not smime:
            self.groups["module_pgp"] = {"home": home.ring.path}
        self.recipient = home.alice.address if smime else home.bob.address
        self.alone = self.place("alone")
        self.alone.configure({name.replace("_", " ", 1): keys for name, keys in self.groups.items()})
        self.daemon = None

    def place(self, how):
        """A home beside the others, with the keys of all. Its name is short, since sockets are below."""
        place = copy.copy(self.top)
        place.folder = self.top.folder / "".join(word[0] for word in (*self.name.split(), how)).lower()
        place.conf, place.log, place.state = (place.folder / name for name in ("conf.d", "log", "state"))
        place.conf.mkdir(parents=True)
        place.state.mkdir(mode=0o700)
        place.log.touch()
        return place

    def words(self, place):
        return [str(place.bin / "sealpipe"), "-c", str(place.conf), "-f", CAROL, "--submission=yes",
                "--", self.recipient]

    def by_itself(self):
        return self.words(self.alone)

    def start(self, **daemon):
        """The daemon; what it gives is the command of its client."""
        place, groups = self.place("daemon"), dict(self.groups)
        if self.form == "OpenPGP":
            groups["module_pgp"] = {"home": self.own_ring(place)}
        self.daemon = daemons.Daemon(place, daemon=daemon, **groups)
        self.daemon.start()
        return self.words(place)

    def own_ring(self, place):
        """A copy of the GnuPG home, which the user of the keys has to himself."""
        ring = place.folder / "gnupg"
        self.top.ring.stop()
        shutil.copytree(self.top.ring.path, ring, ignore=shutil.ignore_patterns("S.*", "*.lock"))
        for path in (ring, *ring.rglob("*")) if daemons.ROOT else ():
            shutil.chown(path, daemons.KEYS_USER)
        return ring

    def stop(self):
        self.daemon.stop()
        gnupg.stop(self.daemon.home.folder / "gnupg")


def make_home(name):
    home = homes.Home(name)
    os.chmod(home.folder, 0o755)
    make_keys(home)
    return home


def all_works(home):
    return [Work(home, form, does) for form in ("S/MIME", "OpenPGP") for does in ("encrypt", "sign", "both")]
