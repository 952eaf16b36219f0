# SPDX-License-Identifier: GPL-2.0-or-later
"""How a message is handed in to a mail server: by SMTP, to which every one answers in its own words."""

import re
import ssl

import tap


def log_in(smtp, user, password):
    """In a connection that is encrypted for it. ssl.SSLError where the server's TLS does not work."""
    smtp.starttls(context=ssl._create_unverified_context())
    smtp.ehlo("client.example")
    smtp.login(user, password)


def hand_in(smtp, message, sender, recipients, accepted, options=("BODY=8BITMIME",), each=()):
    """The queue id: what @accepted finds in the answer. @each: options of every recipient."""
    smtp.mail(sender, options)
    for recipient in recipients:
        code, text = smtp.rcpt(recipient, each)
        tap.equal(code, 250, f"RCPT {recipient}: {text}")
    code, text = smtp.data(message)
    found = re.search(accepted, text)
    tap.true(code == 250 and found, f"DATA: {code} {text}")
    return found[1].decode()
