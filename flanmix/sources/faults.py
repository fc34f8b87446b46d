"""Texts whose characters were spoilt on the way: read in the wrong encoding, or cut in half."""

import re

_CONTINUED = {chr(byte) for byte in range(0x80, 0xC0)} | {*bytes(range(0x80, 0xC0)).decode("cp1252", "ignore")}
_USUAL = set("\u00a0«»‘’“”…–—·°§")
"""Characters that also stand after letters with accents where nothing is wrong."""
_ANY, _ODD = (f"[{re.escape(''.join(sorted(each)))}]" for each in (_CONTINUED, _CONTINUED - _USUAL))
_MOJIBAKE = re.compile(
    f"\ufffd|[\x80-\x84\x86-\x9f]|[ÂÃ]{_ODD}|[\xe0-\xef](?:{_ODD}{_ANY}|{_ANY}{_ODD})|[\xf0-\xf4]{_ANY}{{3}}"
)
"""UTF-8 that was read as Latin-1 or Windows-1252, such as Ã© in place of é, and what stands for lost characters."""
_LONE = re.compile("[\ud800-\udfff]")
HALF = "half a character"


def fault_of(text: str) -> str:
    """What is wrong with a text's characters, or nothing.

    >>> fault_of("cafÃ©"), fault_of("café"), fault_of("one\\r\\ntwo")
    ('mojibake', '', 'CRLF')
    """
    if not text.isascii():
        if _LONE.search(text):
            return HALF
        if _MOJIBAKE.search(text):
            return "mojibake"
    return "CRLF" if "\r" in text else ""
