# SPDX-License-Identifier: GPL-2.0-or-later
"""Exim as Debian's packages set it up, on a mail host of the test's own (mailhost.py)."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import exim as exims
import mailhost
import sink as sinks
import tap

SETTINGS = {
    "configtype": "smarthost", "other_hostnames": "mta.test", "local_interfaces": "127.0.0.1", "readhost": "",
    "relay_domains": "", "minimaldns": "false", "relay_nets": "", "smarthost": f"{mailhost.OUTSIDE}",
    "use_split_config": "true", "hide_mailname": "", "mailname_in_oh": "true",
    "localdelivery": "mail_spool",
}
ETC = pathlib.Path("/etc/exim4")


class DebianExim(exims.Exim):
    """The host's own."""

    def __init__(self, own_sink=True):
        self.folder = pathlib.Path("/var/spool/exim4")
        self.log = pathlib.Path("/var/log/exim4/mainlog")
        self.port, self.daemon, self.command = 25, None, [exims.EXIM]
        self.sink = sinks.Sink((mailhost.OUTSIDE, 25)) if own_sink else None
        for folder in (self.folder, self.log.parent, pathlib.Path("/run/exim4")):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o750)
            shutil.chown(folder, "Debian-exim", "Debian-exim")
        for file in ("hubbed_hosts", "exim4.conf.localmacros", "exim4.conf"):
            (ETC / file).unlink(missing_ok=True)
        pathlib.Path("/etc/mailname").write_text("mta.test\n")

    def configure(self, **settings):
        """What dpkg-reconfigure would write."""
        lines = [f"dc_{'eximconfig_' if key == 'configtype' else ''}{key}='{value}'\n"
                 for key, value in {**SETTINGS, **settings}.items()]
        (ETC / "update-exim4.conf.conf").write_text("".join(lines) + "CFILEMODE='644'\n")

    def restart(self, **settings):
        self.configure(**settings)
        mailhost.run("update-exim4.conf")
        self.stop()
        self.start()

    def routers(self):
        """[(name, driver)] in the order in which they are asked."""
        text = self.run("-bP", "routers").stdout
        return re.findall(r"^(\S+) router:\n(?:.*\n)*?driver = (\w+)$", text, re.M)

    def queue(self):
        return list((self.folder / "input").rglob("*-H")) + [
            path for path in self.folder.glob("*/input/**/*-H")]

    def wait_settled(self):
        """Until what is left in the queue is frozen."""
        def settled():
            try:
                return all(b"\n-frozen " in path.read_bytes() for path in self.queue())
            except FileNotFoundError:
                return False
        tap.wait_for(settled, f"nothing waits but what is frozen: {self.log_text()[-3000:]}", 60)
