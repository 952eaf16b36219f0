# SPDX-License-Identifier: GPL-2.0-or-later
"""What a message is made of, worked out from the rules alone and not from the program's source.

A leading From_ line is no part of the message; a From field with blanks before its colon (RFC 5322
4.5.8) is. The header block ends at the first empty line, or
before the first line that is neither field nor continuation; lines of blanks right before that one
stand for the empty line. The inner entity is every Content-*
field in its order, an empty line and the body.
"""

import base64
import hashlib
import re
import tempfile

import certs

FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
BARE_LF = re.compile(rb"(?<!\r)\n")


class Message:
    """fields: [(name in lower case, all of its octets)]; body: the octets after the header."""

    def __init__(self, octets):
        if octets.startswith(b"From ") and not re.match(rb"From[ \t]+:", octets):
            octets = octets.partition(b"\n")[2]
        self.fields = []
        at = 0
        blanks = None
        while at < len(octets):
            end = octets.find(b"\n", at) + 1 or len(octets)
            line = octets[at:end]
            if line in (b"\n", b"\r\n"):
                at = end
                break
            field = FIELD.match(line)
            if field:
                self.fields.append((field[1].lower(), line))
                blanks = None
            elif line[:1] in (b" ", b"\t") and self.fields:
                name, start = self.fields[-1]
                if line.strip():
                    blanks = None
                elif blanks is None:
                    blanks = (start, end)
                self.fields[-1] = (name, start + line)
            else:
                at = self.break_off(blanks, at)
                break
            at = end
        else:
            at = self.break_off(blanks, at)
        self.body = octets[at:]
        self.header = b"".join(octets for _, octets in self.fields)

    def break_off(self, blanks, at):
        """No empty line is there: the first of the lines of blanks before stands for it."""
        if not blanks:
            return at
        self.fields[-1] = (self.fields[-1][0], blanks[0])
        return blanks[1]

    def all(self, name):
        """Every value of a field, folded as it came."""
        name = name.lower().encode()
        return [octets.partition(b":")[2].strip() for n, octets in self.fields if n == name]


def crlf(octets):
    return BARE_LF.sub(b"\r\n", octets)


def inner_entity(octets):
    """What decryption must give."""
    message = Message(octets)
    fields = [o if o.endswith(b"\n") else o + b"\n"
              for name, o in message.fields if name.startswith(b"content-")]
    if not fields:
        fields = [b"Content-Type: text/plain\n"]
    return crlf(b"".join(fields) + b"\n" + message.body)


def ciphertext(sealed):
    """The CMS object; an error where anything but base64 stands around it."""
    body = Message(sealed).body
    return base64.b64decode(re.sub(rb"[\r\n]", b"", body), validate=True)


def recipient_count(sealed):
    """How many a CMS message names."""
    listing = certs.openssl("cms", "-cmsout", "-print", "-inform", "DER", input=ciphertext(sealed))
    return len(re.findall(rb"\bd\.(?:ktri|kari):", listing))


def opened(sealed, person):
    """What @person reads, as openssl sees it."""
    # Not by pipe: of a message that turns out forged, openssl has written a part by then.
    with tempfile.NamedTemporaryFile() as file:
        file.write(ciphertext(sealed))
        file.flush()
        return certs.openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-in", file.name,
                             "-recip", person.cert, "-inkey", person.key)


def dkim_body_hash(octets):
    """Of a message; RFC 6376 3.4.4: relaxed."""
    body = re.sub(rb"[ \t]+", b" ", Message(octets).body)
    body = re.sub(rb" \r\n", b"\r\n", body)
    body = re.sub(rb"(\r\n)+$", b"", body) + b"\r\n"
    return base64.b64encode(hashlib.sha256(body).digest())
