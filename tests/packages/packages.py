# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages, in a fresh Debian: installed, used, upgraded, removed and purged.

packages.py RELEASE: bookworm or trixie. They are built for it first, unless --built, or
SEALPIPE_PACKAGES=built in the environment, says that build/apt has them. SEALPIPE_RELEASE in the
environment is the one release that is asked for.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/lib"))
import chroots
import tap

ARGUMENTS = tap.arguments()
RELEASE = next(word for word in ARGUMENTS if not word.startswith("--"))
APT = SOURCE / "build/apt" / RELEASE
MODULES = ("sealpipe-smime", "sealpipe-pgp", "sealpipe-keys-store", "sealpipe-keys-ldap")
PROGRAMS = ("libsealpipe1", "sealpipe", *MODULES)
CONF = "/etc/sealpipe/conf.d"
SHIPPED = ["05-package.conf", "10-core.conf", "20-policy.conf", "30-rules.conf", "40-sign.conf",
           "50-keys-file.conf", "50-keys-store.conf", "50-pgp.conf", "50-smime.conf",
           "60-keys-ldap.conf", "60-license.conf"]


def build():
    built = "--built" in ARGUMENTS or os.environ.get("SEALPIPE_PACKAGES") == "built"
    if built and (APT / "Release").exists():
        return
    built = subprocess.run(["sh", SOURCE / "contrib/packages", "--release", RELEASE],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
    if built.returncode == 77:
        tap.skip_all(f"no packages for {RELEASE} here: {built.stdout.splitlines()[-1]}")
    if built.returncode != 0:
        tap.note(built.stdout[-5000:])
        sys.exit(1)


if os.environ.get("SEALPIPE_RELEASE", RELEASE) != RELEASE:
    tap.skip_all("SEALPIPE_RELEASE asks for the other one")
build()
debian = chroots.Chroot(RELEASE)
debian.put("/etc/apt/sources.list.d/sealpipe.list", f"deb [trusted=yes] file:/srv/tree/build/apt {RELEASE}/\n")
# With what has been mended since the release, as every Debian has it.
debian.run(f"""
mirror=$(sed -n 's/^deb \\([^ ]*\\) .*/\\1/p' /etc/apt/sources.list | head -n 1)
cat >/etc/apt/sources.list.d/mended.list <<END
deb ${{mirror%/}}-security {RELEASE}-security main
deb $mirror {RELEASE}-updates main
END
apt-get update -qq
""")


def lines(script):
    return debian.run(script).splitlines()


def settings():
    """What is in force, as `sealctl config` has it."""
    return json.loads(debian.run("sealctl config --json"))["settings"]


def refused(script, *parts):
    """It fails, and says why."""
    status, said = debian.try_to(script)
    tap.true(status != 0, f"{script}: it was not refused: {said}")
    for part in parts:
        tap.contains(said, part)


def own_test(script):
    """What the packages' own tests say; they are run by whoever has the packages alone, too."""
    status, said = debian.try_to(f"python3 -B /srv/tree/{script}")
    failed = re.findall(r"^not ok (?!.*# TODO).*\n(?:# .*\n){0,4}", said, re.M)
    tap.equal(status, 0, "".join(failed)[:4000] or said[-4000:])
    return said


# ---------------------------------------------------------------------------------------------
# Installed

@tap.test("installed: users, folders and configuration are there, and no module is enabled")
def _():
    debian.get("install", *PROGRAMS)
    tap.equal(lines(f"ls {CONF}"), SHIPPED)
    tap.equal(lines(f"stat -c '%a %U %n' /etc/sealpipe {CONF} {CONF}/*"),
              [f"755 root {path}" for path in ("/etc/sealpipe", CONF)] +
              [f"644 root {CONF}/{name}" for name in SHIPPED])
    tap.equal(lines("stat -c '%a %U %G %n' /var/lib/sealpipe*"),
              ["700 sealpipe sealpipe /var/lib/sealpipe",
               "700 sealpipe-keys sealpipe-keys /var/lib/sealpipe-keys"])
    tap.equal(lines(f"grep -h '^\\[module' {CONF}/*.conf || true"), [])
    came = {row["key"]: row["from"] for row in settings() if row["group"] == "core"}
    for key in ("in_process", "user"):
        tap.contains(came[key], "05-package.conf:")
    tap.equal([row for row in settings() if row["group"].startswith("module")], [])


@tap.test("programs and modules look for libraries where the system does")
def _():
    for package in APT.glob("*.deb"):
        if package.name.partition("_")[0] in PROGRAMS:
            name = package.name.partition("_")[0]
            folder = SOURCE / "build/packages/unpacked" / name
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
            for path in folder.rglob("*"):
                if path.is_file() and path.read_bytes()[:4] == b"\x7fELF":
                    said = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True)
                    tap.true(not re.search(r"\((RPATH|RUNPATH)\)", said.stdout), f"{path}: {said.stdout}")


@tap.test("each module's file enables it, once the # is taken from one line")
def _():
    names = re.findall(r"\[module (\S+)\]", debian.run(f"grep -h '^#\\[module' {CONF}/*.conf"))
    tap.equal(sorted(names), ["keys-file", "keys-ldap", "keys-store", "license", "pgp", "sign", "smime"])
    debian.run(f"cp -a /etc/sealpipe /root/etc; sed -i 's/^#\\[module/[module/' {CONF}/*.conf")
    debian.run(f"sed -i 's/^# *servers=.*/servers=ldap:\\/\\/127.0.0.1/; s/^# *base=.*/base=dc=example/' {CONF}/60-keys-ldap.conf")
    tap.equal(sorted({row["group"] for row in settings() if row["group"].startswith("module")}),
              sorted(f"module {name}" for name in names))
    debian.run("rm -r /etc/sealpipe; mv /root/etc /etc/sealpipe")


@tap.test("Exim, wired as docs/mta/exim.md says")
def _():
    debian.get("install", "exim4-daemon-light", "python3", "openssl", "procps")
    own_test("debian/tests/exim")


@tap.test("sealctl check finds nothing wrong")
def _():
    status, said = debian.try_to("sealctl check")
    tap.equal(status, 0, said)


@tap.test("Exim's wiring broken, and named by sealctl check")
def _():
    own_test("tests/packages/wiring_breakages.py")


# ---------------------------------------------------------------------------------------------
# Removed, upgraded

@tap.test("a module that is enabled is not removed, and its file is named")
def _():
    refused("apt-get remove -y sealpipe-smime", f"{CONF}/50-local.conf enables the module", "enabled=false")
    debian.run("test -e /usr/lib/*/sealpipe/modules/smime.so")
    debian.get("remove", "sealpipe-keys-store")
    debian.run(f"sed -i 's/^.module smime.$/&\\nenabled=false/' {CONF}/50-local.conf")
    debian.get("remove", "sealpipe-smime")
    debian.run(f"sed -i '/^enabled=false$/d' {CONF}/50-local.conf")
    debian.get("install", "sealpipe-smime", "sealpipe-keys-store")


# As the next version would be, with other configuration files, for those alone that have none.
NEXT = """
mkdir /root/next && cd /root/next
for package in %s; do
  for file in /srv/tree/build/apt/*/"${package}"_*.deb; do
    dpkg-deb -R "$file" "$package"
  done
  sed -i 's/0\\.1\\.0/0.1.1/g' "$package/DEBIAN/control"
  for name in 20-policy 30-rules; do
    ! [ -e "$package$conf/$name.conf" ] || echo '# of the next version' >>"$package$conf/$name.conf"
  done
  dpkg-deb -b "$package" . >/dev/null
done
"""


@tap.test("under systemd: the service runs as its unit has it")
def _():
    debian.boot()
    tap.equal(lines("systemctl is-active sealpiped; systemctl is-enabled sealpiped"), ["active", "enabled"])
    status, said = debian.try_to("systemctl is-enabled sealpiped.socket sealpipe-refresh.timer")
    tap.equal(said.split(), ["disabled", "disabled"])
    tap.equal(lines("systemctl is-active sealpipe-remind.timer; systemctl is-enabled sealpipe-remind.timer"),
              ["active", "enabled"])
    # Nobody is named: it does nothing, and all is well.
    tap.equal(lines("systemctl start sealpipe-remind; systemctl show -P Result sealpipe-remind"), ["success"])
    tap.equal(lines("for name in NoNewPrivileges PrivateNetwork; do systemctl show -P $name sealpiped; done"),
              ["yes", "no"])
    tap.equal(sorted(set(lines("ps -e -o user:32=,comm= | sed -n 's/ *sealpiped.*//p'"))), ["root", "sealpipe", "sealpipe-keys"])


HOME = "/var/lib/sealpipe-keys/gnupg"
PGP = f"""[module pgp]
home={HOME}

[module sign]
submission_domains=mta.test

[policy]
encrypt=never
sign=required
formats=pgp
"""


@tap.test("under systemd: gpg starts, and the keys' user signs")
def _():
    debian.run(f"install -d -m 700 -o sealpipe-keys -g sealpipe-keys {HOME}; cd /; "
               f"runuser -u sealpipe-keys -- gpg --homedir {HOME} --batch --passphrase '' "
               "--quick-gen-key 'Root <root@mta.test>' rsa2048 default 2y; "
               f"runuser -u sealpipe-keys -- gpgconf --homedir {HOME} --kill all")
    debian.put(f"{CONF}/70-pgp.conf", PGP)
    debian.run("systemctl reload sealpiped")
    message = r"From: root@mta.test\nTo: a@example.org\nSubject: s\n\nwords\n"

    def signed():
        said = debian.try_to(f"printf '{message}' | sealpipe -f root@mta.test --submission=yes -- a@example.org")
        return "application/pgp-signature" in said[1]

    # A reload returns before the new generation has taken over.
    try:
        tap.wait_for(signed, "the daemon signs", 30)
    except AssertionError:
        tap.note(debian.run("journalctl -u sealpiped -t sealpipe -n 20 --no-pager"))
        raise
    finally:
        debian.run(f"rm {CONF}/70-pgp.conf; systemctl reload sealpiped")


@tap.test("with every module in use, one thing broken after the other, and named by sealctl check")
def _():
    debian.run("echo 'slapd slapd/no_configuration boolean true' | debconf-set-selections")
    debian.get("install", "slapd", "ldap-utils", "faketime")
    own_test("tests/packages/breakages.py")


@tap.test("without the network's drop-in the service has none")
def _():
    debian.get("remove", "sealpipe-keys-ldap")
    tap.equal(lines("systemctl show -P PrivateNetwork sealpiped; systemctl is-active sealpiped"), ["yes", "active"])
    debian.get("install", "sealpipe-keys-ldap")
    tap.equal(lines("systemctl show -P PrivateNetwork sealpiped; systemctl is-active sealpiped"), ["no", "active"])


@tap.test("an upgrade keeps what was edited or removed, renews the rest, and mail goes on being sealed")
def _():
    debian.run(f"echo '# mine' >>{CONF}/20-policy.conf; rm {CONF}/60-license.conf; cp -a /etc/sealpipe /root/before")
    debian.run(f"conf={CONF}" + NEXT.replace("/apt/*/", f"/apt/{RELEASE}/") % " ".join((*PROGRAMS, "libsealpipe-dev", "sealpipe-doc")))
    before = lines("systemctl show -P MainPID sealpiped; pgrep -u sealpipe -x sealpiped")
    debian.get("install", *(f"/root/next/{name}_*.deb" for name in PROGRAMS))
    after = lines("systemctl show -P MainPID sealpiped; pgrep -u sealpipe -x sealpiped")
    tap.equal(after[0], before[0], "the supervisor")
    tap.true(after[1] not in before, f"the program of before goes on: {before}, {after}")
    tap.contains(debian.run("dpkg-query -W sealpipe sealpipe-smime"), "0.1.1")
    tap.equal(lines("diff -rq /root/before /etc/sealpipe || true"),
              [f"Only in {CONF}: 20-policy.conf.dpkg-dist",
               f"Files /root/before/conf.d/30-rules.conf and {CONF}/30-rules.conf differ"])
    own_test("debian/tests/exim")


@tap.test("Postfix, wired as docs/mta/postfix.md says")
def _():
    # Debian 12's script does not stop it here, and it would keep the port.
    debian.run("systemctl stop exim4; pkill exim4 || true")
    tap.wait_for(lambda: debian.try_to("pgrep exim4")[0] != 0, "Exim has ended")
    debian.get("install", "postfix", "exim4-daemon-light-", "exim4-base-", "exim4-config-")
    own_test("debian/tests/postfix")


# ---------------------------------------------------------------------------------------------
# Gone

@tap.test("removed: what names it is named, and the configuration stays")
def _():
    debian.run("mkdir -p -m 700 /var/lib/sealpipe-keys/gnupg/private-keys-v1.d; "
               "touch /var/lib/sealpipe-keys/gnupg/private-keys-v1.d/1.key; mkdir -p /var/lib/sealpipe/journal; "
               "pgrep sealpiped >/dev/null")
    said = debian.get("remove", *PROGRAMS)
    tap.contains(said, "/etc/postfix/master.cf")
    tap.equal(debian.try_to("pgrep sealpiped")[0], 1, "the daemon has ended")
    tap.equal(lines(f"test -e {CONF}/50-local.conf; test -e {CONF}/20-policy.conf; ls /usr/bin/seal* || true")[-1:],
              ["ls: cannot access '/usr/bin/seal*': No such file or directory"])


@tap.test("purged: state has gone, keys and files of the administrator's own stay and are named")
def _():
    said = debian.get("purge", *PROGRAMS)
    tap.contains(said, "kept, since keys or files of yours are in it: /var/lib/sealpipe-keys /etc/sealpipe")
    tap.equal(lines("ls -A /var/lib/sealpipe 2>/dev/null || true"), [])
    debian.run("test -e /var/lib/sealpipe-keys/gnupg/private-keys-v1.d/1.key; "
               f"test -e {CONF}/50-local.conf; test -e /etc/sealpipe/certs/alice.pem")
    tap.equal(lines(f"ls {CONF}"), ["50-local.conf", "95-daemon.conf"])


# ---------------------------------------------------------------------------------------------
# Beside

@tap.test("a module is built by libsealpipe-dev alone, and loads")
def _():
    debian.get("install", "/root/next/*.deb", "gcc", "libc6-dev", "pkgconf")
    debian.run("cc -shared -fPIC -o $(pkg-config --variable=moduledir sealpipe)/example.so $(pkg-config --cflags sealpipe) "
               "/usr/share/doc/sealpipe/example.c $(pkg-config --libs sealpipe); "
               "test -e $(pkg-config --variable=docdir sealpipe)/modules.md")
    tap.contains(debian.run("sealctl modules"), "example")


@tap.test("lintian finds nothing")
def _():
    debian.get("install", "lintian")
    status, said = debian.try_to(f"lintian --allow-root --fail-on error,warning "
                                 f"--tag-display-limit 0 /srv/tree/build/apt/{RELEASE}/*.deb")
    tap.equal(status, 0, said)


tap.main()
