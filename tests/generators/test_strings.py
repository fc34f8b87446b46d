import re
from collections.abc import Callable

import pytest

from flanmix.generators.words import WORDS

Rows = Callable[..., list[dict[str, str]]]

PLACES = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
MARKS = {"a hyphen": "-", "a space": " ", "a full stop": "."}
PLACE = f"({'|'.join(PLACES)})"


def _only(text: str, keep: str) -> list[str]:
    return [letter for letter in text if letter in keep]


# What each instruction asks for, written in another way than in the generator.
JOBS: list[tuple[str, Callable[..., object]]] = [
    (
        r"Reverse the order of the letters\.|Write the word backwards\.|Spell the word from back to front\.",
        lambda text: "".join(reversed(text)),
    ),
    (
        r'.* (?:the )?letter "(.)" (?:occurs|appears|is used, as a number)\.',
        lambda text, x: len(_only(text, x)),
    ),
    (
        rf"(?:Give|Find|Write down only) the {PLACE} letter(?: of the word)?\.",
        lambda text, nth: list(text)[PLACES.index(nth)],
    ),
    (r".*(?:in capital letters|letters to capitals|to upper case)\.", lambda text: text.upper()),
    (r".*(?:in small letters|capitals to small letters|to lower case)\.", lambda text: text.casefold()),
    (
        r"Write the first letter of every word as a capital\.|Begin each word with a capital letter\.",
        lambda text: re.sub(r"\b[a-z]", lambda found: found[0].upper(), text),
    ),
    (r"(?:Remove the vowels|Leave out the letters) .*", lambda text: re.sub("[aeiou]", "", text)),
    (
        r"(?:Count the vowels|Say how many of the letters are vowels) .*",
        lambda text: len(_only(text, "aeiou")),
    ),
    (
        r"Join the first letters of the words\.|Take the first letter of each .*",
        lambda text: "".join(re.findall(r"\b[a-z]", text)),
    ),
    (
        r"Join the last letters of the words\.|Take the last letter of each .*",
        lambda text: "".join(re.findall(r"[a-z]\b", text)),
    ),
    (
        r"Put the words in the opposite order\.|Reverse the order of the words\.",
        lambda text: " ".join(text.split()[::-1]),
    ),
    (r"Count the letters\.|Say how many letters the word has\.", lambda text: len(re.findall("[a-z]", text))),
    (r'Replace every "(.)" with "(.)"\.', lambda text, a, b: b.join(text.split(a))),
    (r'Change each letter "(.)" into "(.)"\.', lambda text, a, b: b.join(text.split(a))),
    (
        r"(?:Put|Spell the word with) (a [a-z ]+?) between (?:the letters|one letter and the next)\.",
        lambda text, mark: re.sub(r"(?<=.)(?=.)", MARKS[mark], text),
    ),
    (
        r"Put the letters in alphabetical order\.|Sort the letters from a to z, keeping repeated ones\.",
        lambda text: "".join(letter * text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"),
    ),
    (
        r".* the first (?:and the last letter|letter and the last letter)\.",
        lambda text: re.sub("^.|.$", "", text),
    ),
    (rf"(?:Give|Write down only) the {PLACE} word\.", lambda text, nth: text.split()[PLACES.index(nth)]),
    (r"Count the words\.|Give the number of words\.", lambda text: text.count(" ") + 1),
]


@pytest.mark.parametrize("options", [{}, {"fewest": 2, "most": 2}, {"fewest": 12, "most": 20}])
def test_transform(rows: Rows, options: dict[str, int]) -> None:
    used = set()
    for row in rows("strings/transform", **options):
        instruction, text = row["instruction"], row["text"]
        if "longest" in instruction or "most letters" in instruction:
            words = text.split()
            assert len(words) >= 2
            longest = max(map(len, words))
            assert [word for word in words if len(word) == longest] == [row["answer"]]
            continue
        jobs = [
            (number, job(text, *found.groups()))
            for number, (pattern, job) in enumerate(JOBS)
            if (found := re.fullmatch(pattern, instruction))
        ]
        assert len(jobs) == 1, row
        assert str(jobs[0][1]) == row["answer"], row
        used.add(jobs[0][0])
    assert used == set(range(len(JOBS)))


def test_letters_are_counted_in_one_word(rows: Rows) -> None:
    for row in rows("strings/transform"):
        if "word" not in row["instruction"].replace("words", "") or "each word" in row["instruction"]:
            continue
        if re.search(rf"the word( |\.)(?!{PLACE})", row["instruction"]) and "with the most" not in row["instruction"]:
            assert " " not in row["text"], row


def test_the_words_are_plain_and_in_order() -> None:
    assert len(WORDS) == len(set(WORDS)) > 400
    assert all(re.fullmatch("[a-z]{2,10}", word) for word in WORDS)
    assert [word[0] for word in WORDS] == sorted(word[0] for word in WORDS)
