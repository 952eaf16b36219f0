# SPDX-License-Identifier: GPL-2.0-or-later
"""Exim's two files of a message, as Exim writes them; the uid is none of this machine's Exim."""

ID = "1xXZoK-0000B7-2h"


def write(folder, header, body=None, login="carol", sender="carol@example.net", protocol="esmtpsa",
          extra=""):
    """@header has its line ends and no empty line. Without @body there is no second file."""
    folder.mkdir(exist_ok=True)
    text = (f"{ID}-H\nuser 4242 4242\n<{sender}>\n1795939140 0\n-received_time_usec .1\n"
            f"--host_address [192.0.2.1]:99\n-host_auth plain\n-received_protocol {protocol}\n"
            f"-body_linecount 1\n--auth_id {login}\n{extra}-deliver_firsttime\nXX\n1\nalice@example.org\n\n")
    (folder / f"{ID}-H").write_bytes(text.encode() + b"".join(
        b"%03d  %s\n" % (len(field) + 1, field) for field in header.split(b"\n")[:-1]))
    if body is not None:
        (folder / f"{ID}-D").write_bytes(f"{ID}-D\n".encode() + body)
