# SPDX-License-Identifier: GPL-2.0-or-later
"""Which transferable OpenPGP keys (RFC 4880 11.1) the files of a folder hold, found by nothing that
is tested here: armour is taken off, packets are cut apart, and of a secret key the public part is
what is looked at."""

import base64
import binascii
import hashlib
import re

BEGIN = re.compile(rb"-----BEGIN PGP (PUBLIC|PRIVATE) KEY BLOCK-----")
ARMOR = re.compile(rb"^([^\n]*)-----BEGIN PGP (PUBLIC|PRIVATE) KEY BLOCK-----[ \t]*\r?\n(.*?)"
                   rb"^-----END PGP \2 KEY BLOCK-----", re.DOTALL | re.MULTILINE)
HEADER = re.compile(rb"[A-Za-z0-9-]+: .*|[A-Za-z0-9-]+:")
SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, PUBLIC_SUBKEY = 5, 6, 7, 14
PUBLIC_TAG = {SECRET_KEY: PUBLIC_KEY, SECRET_SUBKEY: PUBLIC_SUBKEY}
# Of each algorithm's public part: numbers, and what stands before ("o": an object identifier) or
# after them ("k": how a key is derived); or how many octets it has.
PUBLIC_PART = {1: "nn", 2: "nn", 3: "nn", 16: "nnn", 17: "nnnn", 18: "onk", 19: "on", 22: "on",
               25: 32, 27: 32, 35: 1216}


class Broken(Exception):
    pass


def _length(data, at):
    """(length, where the packet's octets begin)"""
    head, first = data[at], data[at + 1]
    if not head & 0x40:
        size = 1 << (head & 3)
        if size == 8:
            raise Broken("a packet without a length")
        return int.from_bytes(data[at + 1:at + 1 + size], "big"), at + 1 + size
    if first < 192:
        return first, at + 2
    if first < 224:
        return ((first - 192) << 8) + data[at + 2] + 192, at + 3
    if first < 255:
        raise Broken("a packet in pieces")
    return int.from_bytes(data[at + 2:at + 6], "big"), at + 6


def packets(data):
    """(tag, body, the whole packet) of each."""
    at, found = 0, []
    try:
        while at < len(data):
            if not data[at] & 0x80:
                raise Broken("no packet")
            tag = data[at] & 0x3f if data[at] & 0x40 else data[at] >> 2 & 15
            length, start = _length(data, at)
            if start + length > len(data):
                raise Broken("a packet that breaks off")
            found.append((tag, data[start:start + length], data[at:start + length]))
            at = start + length
    except IndexError:
        raise Broken("a packet that breaks off") from None
    return found


def _public_length(body):
    version = body[0]
    if version >= 5:
        return 10 + int.from_bytes(body[6:10], "big")
    at = 6 if version == 4 else 8
    part = PUBLIC_PART[body[at - 1]]
    if isinstance(part, int):
        return at + part
    for what in part:
        if what == "n":
            at += 2 + (int.from_bytes(body[at:at + 2], "big") + 7) // 8
        else:
            at += 1 + body[at]
    return at


def _public(tag, body, whole):
    """The packet as it stands in the public key."""
    if tag not in PUBLIC_TAG:
        return whole
    part = body[:_public_length(body)]
    return bytes([0xc0 | PUBLIC_TAG[tag], 255]) + len(part).to_bytes(4, "big") + part


def _without_unknown(group):
    kept, unknown = [], False
    for packet in group:
        if packet[0] in (SECRET_SUBKEY, PUBLIC_SUBKEY):
            unknown = packet[1][0] > 4
        if not unknown:
            kept.append(packet)
    return kept


class Key:
    """One transferable key. @octets: public parts only; @was_secret: it had more;
    @without_unknown: the octets without subkeys of versions later than RFC 4880's."""

    def __init__(self, group):
        tag, body, _ = group[0]
        self.was_secret = tag == SECRET_KEY
        self.version = body[0]
        self.octets = b"".join(_public(*packet) for packet in group)
        self.without_unknown = b"".join(_public(*packet) for packet in _without_unknown(group))
        self.sha256 = hashlib.sha256(self.octets).hexdigest()
        self.fingerprint = None
        if self.version == 4:
            material = body[:_public_length(body)] if self.was_secret else body
            self.fingerprint = hashlib.sha1(
                b"\x99" + len(material).to_bytes(2, "big") + material).hexdigest()
        self.algorithms = {packet[1][5] for packet in group
                           if packet[0] in (*PUBLIC_TAG, *PUBLIC_TAG.values())
                           and packet[1][0] == 4}


def fingerprint_of(key):
    """Of a key of any version (RFC 9580 5.5.4, and GnuPG's own 5); None where that is unknown."""
    if key.fingerprint:
        return key.fingerprint
    body = packets(key.octets)[0][1]
    lead = {5: b"\x9a", 6: b"\x9b"}.get(key.version)
    return lead and hashlib.sha256(lead + len(body).to_bytes(4, "big") + body).hexdigest()


def _split(data):
    """Octets to keys. One whose public part is of an unknown form is left out."""
    groups = []
    for packet in packets(data):
        if packet[0] in (SECRET_KEY, PUBLIC_KEY):
            groups.append([])
        if groups:
            groups[-1].append(packet)
    keys = []
    for group in groups:
        try:
            keys.append(Key(group))
        except (KeyError, IndexError):
            pass
    return keys


def _crc24(data):
    crc = 0xb704ce
    for octet in data:
        crc ^= octet << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864cfb
    return crc


class Found:
    """What a file holds: @keys; @flaws of its armour."""

    def __init__(self):
        self.keys, self.flaws = [], set()

    @property
    def public(self):
        return [key for key in self.keys if not key.was_secret]

    def take(self, data):
        try:
            self.keys += _split(data)
        except Broken:
            self.flaws.add("packets")

    def take_armor(self, before, lines):
        """A block's lines after the first; @before: what stands in front of that one."""
        if before:
            self.flaws.add("line")
            return
        while lines and lines[0].strip():
            if not HEADER.fullmatch(lines.pop(0)):
                self.flaws.add("header")
        text = [line.strip() for line in lines if line.strip()]
        checksum = text.pop()[1:] if text and text[-1][:1] == b"=" else None
        try:
            data = base64.b64decode(b"".join(text), validate=True)
        except binascii.Error:
            self.flaws.add("base64")
            return
        if checksum is None:
            self.flaws.add("no-checksum")
        elif checksum != base64.b64encode(_crc24(data).to_bytes(3, "big")):
            self.flaws.add("checksum")
        self.take(data)


def look(path):
    """What one file holds; None where it is not a file of keys."""
    data, found = path.read_bytes(), Found()
    tag = 0 if not data or not data[0] & 0x80 else (
        data[0] & 0x3f if data[0] & 0x40 else data[0] >> 2 & 15)
    if BEGIN.search(data):
        if BEGIN.search(data).start() > 0:
            found.flaws.add("text-before")
        for block in ARMOR.finditer(data):
            found.take_armor(block.group(1), re.split(rb"\r?\n", block.group(3)))
    elif tag in (SECRET_KEY, PUBLIC_KEY):
        found.take(data)
    elif data[8:12] == b"KBXf":
        at = 0
        while at + 16 <= len(data):
            size, start, length = (int.from_bytes(data[at + i:at + i + 4], "big")
                                   for i in (0, 8, 12))
            if data[at + 4] == 2:
                found.take(data[at + start:at + start + length])
            at += max(size, 16)
    else:
        return None
    return found


def look_through(folder):
    """{file, as named in the folder: what it holds}"""
    found = {path: look(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    return {str(path.relative_to(folder)): what for path, what in found.items() if what}
