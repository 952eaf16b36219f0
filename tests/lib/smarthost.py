# SPDX-License-Identifier: GPL-2.0-or-later
"""A provider's server: a second real Exim, which takes mail from those alone who log in over TLS
(and none for Dora), and hands it on with a field that says how it came."""

import shutil

import certs
import exim as exims
import mail
import sink as sinks

NAME, LOGIN, PASSWORD = "smart.example", "carol", "word"
CONFIG = """
exim_path = {exim}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/exim.pid
primary_hostname = {name}
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
local_interfaces = 0.0.0.0
keep_environment =
add_environment = <; PATH=/usr/bin:/bin
tls_advertise_hosts = ${{if exists{{{folder}/no-tls}}{{}}{{*}}}}
tls_certificate = {folder}/etc/tls.pem
tls_privatekey = {folder}/etc/tls.key
acl_smtp_rcpt = rcpt
acl_smtp_data = data

begin acl
rcpt:
  deny local_parts = dora
  require message = log in over TLS first
          encrypted = *
          authenticated = *
  accept
data:
  warn add_header = X-Came: $received_protocol $authenticated_id $authenticated_sender
  accept

begin routers
on:
  driver = manualroute
  route_list = * {host}::{sink}
  self = send
  transport = on

begin transports
on:
  driver = smtp
  allow_localhost
  hosts_avoid_tls = *

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_set_id = $auth2
  server_condition = ${{if and{{{{eq{{$auth2}}{{{login}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""


class SmartHost(exims.Exim):
    """@folder: of its own. The sink that it hands mail on to listens at @host, @sink_port; its own
    port is @port, or any; at tls_port TLS begins at once. cert: its certificate, which vouches for
    itself."""

    def __init__(self, folder, host, sink_port, port=None):
        def write(server):
            server.port, self.tls_port = port or server.port, sinks.free_port()
            return CONFIG.format(exim=exims.EXIM, folder=folder, name=NAME, port=server.port,
                                 tls_port=self.tls_port, host=host, sink=sink_port, login=LOGIN,
                                 password=PASSWORD)
        super().__init__(folder, write)
        self.cert, key = self.config.parent / "tls.pem", self.config.parent / "tls.key"
        certs.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj",
                      f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key,
                      "-out", self.cert)
        key.chmod(0o640)
        shutil.chown(key, "root", "Debian-exim")

    def offer_tls(self, offer):
        """From the next session on."""
        mark = self.folder / "no-tls"
        mark.unlink(missing_ok=True)
        if not offer:
            mark.touch()


def came(transaction):
    """How a message that the sink has came to the smart host: [protocol, login, AUTH= if any]."""
    return [value.decode().split() for value in mail.Message(transaction.message()).all("X-Came")]
