# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages that a test uses and that are not installed, since they conflict with one that
is, or are large: downloaded and unpacked into build/NAME, and laid over the system where needed."""

import re
import shutil
import subprocess

import snippets

# In a mount namespace of its own: the packages and the test's own /etc, /run, /var/lib and
# /var/spool, and a /dev whose log is the test's.
VIEW = """set -e
hostname "$2"
mount -t overlay overlay -o "lowerdir=$1/etc:/etc" /etc
mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr
mount --bind "$1/lib" /var/lib
mount --bind "$1/spool" /var/spool
mount --bind "$1/run" /run
mkdir -p /run/dev
mount -t tmpfs -o mode=755 tmpfs /run/dev
for node in null zero full random urandom tty; do
  : >/run/dev/$node
  mount --bind /dev/$node /run/dev/$node
done
ln -s /proc/self/fd /run/dev/fd
: >/run/dev/log
mount --bind "$1/log" /run/dev/log
mount --move /run/dev /dev
shift 2
exec "$@"
"""


def _run(*command, **how):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=600, **how)


def _lacking(names):
    """@names, and what of their dependencies this system does not have."""
    result = _run("apt-get", "--simulate", "--no-install-recommends", "install", *names)
    found = re.findall(r"^Inst (\S+)", result.stdout, re.M)
    return list(dict.fromkeys([*names, *found]))


def _download(folder, names):
    result = _run("apt-get", "-o", "APT::Sandbox::User=root", "download", *names, cwd=folder)
    if result.returncode != 0:
        raise AssertionError(f"cannot download {' '.join(names)}: {result.stderr}")


def layer(name, packages, finish=lambda layer: None, needs=True):
    """The folder with what is in @packages and what they need, or without that; a second run finds
    it. @finish: what their installation would do."""
    root = snippets.SOURCE / "build" / name
    made = root / "layer"
    if made.exists():
        return made
    shutil.rmtree(root, ignore_errors=True)
    downloads = root / "packages"
    downloads.mkdir(parents=True)
    wanted = _lacking(packages) if needs else packages
    try:
        _download(downloads, wanted)
    except AssertionError:
        _run("apt-get", "update", "-qq")
        _download(downloads, wanted)
    fresh = root / "fresh"
    for package in downloads.glob("*.deb"):
        result = _run("dpkg-deb", "-x", package, fresh)
        if result.returncode != 0:
            raise AssertionError(f"cannot unpack {package}: {result.stderr}")
    finish(fresh)
    fresh.rename(made)
    shutil.rmtree(downloads)
    return made


def view(layer_folder, folder, host):
    """The words in front of a command that runs in the view."""
    return ["unshare", "--mount", "--uts", "sh", "-c", VIEW, str(layer_folder), str(folder), host]
