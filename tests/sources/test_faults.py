"""Spoilt characters are found, and accents, quotes and other scripts are not taken for them."""

import pytest

from flanmix.sources.faults import fault_of

SOUND = [
    "plain",
    "Où est le café ? « là »",
    "« là\u00a0»",
    "À\u00a0demain…",
    "LIBERTÉ» et ÉGALITÉ”",
    "AMANHÃ… IRMÃ’S, não",
    "straße, señor, ångström, Łódź, naïve",
    "50 °C, §3, 2²",
    "日本語、한국어, العربية, हिन्दी",
    "one\ntwo\tthree",
]


@pytest.mark.parametrize("text", SOUND)
def test_sound_texts_have_no_fault(text: str) -> None:
    assert fault_of(text) == ""


WORDS = ["café", "naïve", "it’s", "“quoted”", "a – b", "über", "señor", "Ñandú", "日本", "😀"]
CP1252 = [word for word in WORDS if not set(word.encode()) & {0x81, 0x8D, 0x8F, 0x90, 0x9D}]  # which it does not know


@pytest.mark.parametrize(
    ("text", "codec"), [*((word, "latin-1") for word in WORDS), *((word, "cp1252") for word in CP1252)]
)
def test_utf_8_that_was_read_otherwise_is_mojibake(text: str, codec: str) -> None:
    spoilt = text.encode().decode(codec)
    assert fault_of(spoilt) == "mojibake"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lost \ufffd here", "mojibake"),
        ("it\x92s", "mojibake"),
        ("a\r\nb", "CRLF"),
        ("é\rb", "CRLF"),
        ("half \ud83d", "half a character"),
    ],
)
def test_other_faults(text: str, fault: str) -> None:
    assert fault_of(text) == fault
