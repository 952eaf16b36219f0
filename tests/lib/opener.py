# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens S/MIME by OpenSSL's library instead of its command, which is 20 times as fast: each of
thousands of results can be opened."""

import ctypes

import mail

_BINARY = 0x80
_INFO = 3  # BIO_CTRL_INFO

_crypto = ctypes.CDLL("libcrypto.so.3")


def _declare(name, result, *arguments):
    function = getattr(_crypto, name)
    function.restype, function.argtypes = result, arguments
    return function


_pointer, _int, _long = ctypes.c_void_p, ctypes.c_int, ctypes.c_long
_mem_buf = _declare("BIO_new_mem_buf", _pointer, ctypes.c_char_p, _int)
_s_mem = _declare("BIO_s_mem", _pointer)
_bio_new = _declare("BIO_new", _pointer, _pointer)
_bio_free = _declare("BIO_free", _int, _pointer)
_bio_ctrl = _declare("BIO_ctrl", _long, _pointer, _int, _long, _pointer)
_read_key = _declare("PEM_read_bio_PrivateKey", _pointer, _pointer, _pointer, _pointer, _pointer)
_read_cert = _declare("PEM_read_bio_X509", _pointer, _pointer, _pointer, _pointer, _pointer)
_read_cms = _declare("d2i_CMS_bio", _pointer, _pointer, _pointer)
_cms_free = _declare("CMS_ContentInfo_free", None, _pointer)
_recipients = _declare("CMS_get0_RecipientInfos", _pointer, _pointer)
_count = _declare("OPENSSL_sk_num", _int, _pointer)
_decrypt = _declare("CMS_decrypt", _int, _pointer, _pointer, _pointer, _pointer, _pointer,
                    ctypes.c_uint)
_clear = _declare("ERR_clear_error", None)


def _read_pem(path, read):
    text = path.read_bytes()
    bio = _mem_buf(text, len(text))
    found = read(bio, None, None, None)
    _bio_free(bio)
    if not found:
        raise ValueError(path)
    return found


class Opener:
    """Of one person, who has cert and key."""

    def __init__(self, person):
        self.cert = _read_pem(person.cert, _read_cert)
        self.key = _read_pem(person.key, _read_key)

    def open(self, sealed):
        """(how many recipients it has, what this one reads); an error where he reads nothing."""
        der = mail.ciphertext(sealed)
        source, out = _mem_buf(der, len(der)), _bio_new(_s_mem())
        cms = _read_cms(source, None)
        try:
            if not cms or _decrypt(cms, self.key, self.cert, None, out, _BINARY) != 1:
                raise ValueError("it cannot be opened")
            at = ctypes.c_void_p()
            size = _bio_ctrl(out, _INFO, 0, ctypes.byref(at))
            return _count(_recipients(cms)), ctypes.string_at(at.value, size) if size else b""
        finally:
            _clear()
            _cms_free(cms)
            _bio_free(out)
            _bio_free(source)
