# SPDX-License-Identifier: GPL-2.0-or-later
"""README, the guide and the recipes, word by word: each block that says so is run, as root, on a host
of the test's own that stands as the packages leave it; and what a page shows is what was printed."""

import fnmatch
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import tap

if os.getuid() != 0:
    tap.skip_all("users, and a view of the files that nobody else has, need root")

import mailhost

mailhost.enter()

import gnupg
import snippets
from home import Home

# In the order in which people read them: each goes on where the one before has ended.
GUIDE = ["install", "first-mail", "keys", "signing", "openpgp", "rules", "wiring", "running", "fleet",
         "security", "troubleshooting"]
RECIPES = sorted(path.stem for path in (snippets.SOURCE / "docs/recipes").glob("*.md"))
USERS = """
getent passwd sealpipe >/dev/null || useradd --system --user-group --no-create-home \
    --home-dir /var/lib/sealpipe --shell /usr/sbin/nologin sealpipe
getent passwd sealpipe-keys >/dev/null || useradd --system --user-group --no-create-home \
    --shell /usr/sbin/nologin sealpipe-keys
install -d -m 700 -o sealpipe -g sealpipe /var/lib/sealpipe
install -d -m 700 -o sealpipe-keys -g sealpipe-keys /var/lib/sealpipe-keys
install -d -m 755 /etc/sealpipe/conf.d
"""
# systemd, as far as the pages go: the service alone. A reload is a new start here; what a reload is
# tests/daemon has.
SYSTEMCTL = """#!/bin/sh
case "$*" in
*sealpiped*) ;;
*) exit 0 ;;
esac
if [ -e /run/sealpiped.pid ]; then
  kill "$(cat /run/sealpiped.pid)"
  while kill -0 "$(cat /run/sealpiped.pid)" 2>/dev/null; do sleep 0.05; done
  rm /run/sealpiped.pid
fi
case $1 in
stop) exit 0 ;;
esac
setsid sealpiped --foreground >/run/sealpiped.out 2>&1 </dev/null &
echo $! >/run/sealpiped.pid
until [ -S /run/sealpipe/sealpiped.sock ]; do
  kill -0 "$(cat /run/sealpiped.pid)" 2>/dev/null || { cat /run/sealpiped.out; rm /run/sealpiped.pid; exit 1; }
  sleep 0.05
done
"""
PLACE = pathlib.Path("/var/tmp/guide")

home = Home("guide")
mailhost.COMMANDS["journalctl"] = "cat /var/lib/sealpipe/sealpipe.log\n"
host = mailhost.MailHost(home.folder / "view")


def command(name, text):
    path = pathlib.Path("/usr/bin", name)
    path.write_text(text)
    path.chmod(0o755)


def systemctl(*words):
    mailhost.run("systemctl", *words, "sealpiped")


def as_installed():
    """As the packages leave a host, with nothing of the page before."""
    systemctl("stop")
    for folder in ("/etc/sealpipe", "/var/lib/sealpipe", "/var/lib/sealpipe-keys", PLACE):
        for path in pathlib.Path(folder).glob("*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    PLACE.mkdir(exist_ok=True)
    mailhost.shell(USERS)
    conf = pathlib.Path("/etc/sealpipe/conf.d")
    for name in ("10-core.conf", "20-policy.conf", "30-rules.conf"):
        shutil.copy(snippets.SOURCE / "conf.d" / name, conf)
    shutil.copy(snippets.SOURCE / "debian/conf.d/05-package.conf", conf)
    hand_out()
    systemctl("start")


def hand_out():
    """What readers have: certificates of an authority, and a key of Dave's."""
    shutil.copy(home.authority.cert, PLACE / "ca.pem")
    for name, person in PEOPLE.items():
        shutil.copy(person.cert, PLACE / f"{name}.pem")
    (PLACE / "dave.asc").write_bytes(DAVE)


def run_block(block, where):
    result = mailhost.run("sh", "-e", "-c", block.text, cwd=PLACE, check=False)
    log = pathlib.Path("/var/lib/sealpipe/sealpipe.log")
    tap.equal(result.returncode, 0, f"{where}: {result.stdout}{result.stderr}"
              f"{log.read_text()[-1000:] if log.exists() else ''}")
    return result.stdout


def follow(page):
    """Does what a page says."""
    printed = ""
    for block in snippets.blocks(page):
        where = f"{page}:{block.line}"
        if block.mark == "run":
            printed = run_block(block, where)
        elif block.mark == "file":
            path = pathlib.Path(block.about)
            path.write_text(block.text)
            path.chmod(0o644)
        elif block.mark == "output":
            pattern = block.text.strip().replace("[", "[[]").replace("...", "*")
            tap.true(fnmatch.fnmatchcase(printed.strip(), pattern), f"{where}: it prints {printed!r}")


PEOPLE = {name: home.authority.person(f"{name}@{domain}", "rsa") for name, domain in (
    ("alice", "example.org"), ("bob", "example.org"), ("carol", "example.org"), ("gateway", "partner.example"))}
command("systemctl", SYSTEMCTL)
mailhost.shell("rm -rf /var/tmp/guide")
ring = gnupg.Ring(home.folder / "ring")
ring.generate("dave@example.org")
DAVE = ring.export("dave@example.org")


@tap.test("README: from what apt has installed to a sealed message")
def _():
    as_installed()
    follow("README.md")


@tap.test("the guide, page after page")
def _():
    as_installed()
    for page in GUIDE:
        follow(f"docs/guide/{page}.md")


for name in ["rollout", *(f"recipes/{recipe}" for recipe in RECIPES)]:
    @tap.test(name)
    def _(name=name):
        as_installed()
        follow(f"docs/{name}.md")


try:
    tap.main()
finally:
    systemctl("stop")
