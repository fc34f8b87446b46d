"""Small jobs with the letters and the words of a text."""

from collections.abc import Callable

from flanmix.generators.checks import check_span
from flanmix.generators.draw import Draw, Row
from flanmix.generators.words import WORDS

Done = tuple[tuple[str, ...], str, str]  # wordings of the instruction, text, answer
Job = Callable[[Draw, list[str]], Done]

_VOWELS = "aeiou"
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def _compound(draw: Draw, words: list[str]) -> str:
    """One word, mostly put together from two, because there are few single words."""
    return words[0] if len(words) < 2 or draw.chance(1, 6) else f"{words[0]}{words[1]}"


def _reverse_letters(draw: Draw, words: list[str]) -> Done:
    text = _compound(draw, words)
    forms = (
        "Reverse the order of the letters.",
        "Write the word backwards.",
        "Spell the word from back to front.",
    )
    return forms, text, text[::-1]


def _count_letter(draw: Draw, words: list[str]) -> Done:
    text = " ".join(words)
    letter = draw.choice(text.replace(" ", "") if draw.chance(9, 10) else "abcdefghijklmnopqrstuvwxyz")
    forms = (
        f'Count how many times the letter "{letter}" occurs.',
        f'Give the number of times the letter "{letter}" appears.',
        f'Say how often the letter "{letter}" is used, as a number.',
    )
    return forms, text, str(text.count(letter))


def _pick_letter(draw: Draw, words: list[str]) -> Done:
    text = _compound(draw, words)
    place = draw.integer(0, min(len(text), len(_ORDINALS)) - 1)
    nth = _ORDINALS[place]
    forms = (
        f"Give the {nth} letter.",
        f"Write down only the {nth} letter of the word.",
        f"Find the {nth} letter.",
    )
    return forms, text, text[place]


def _upper_case(draw: Draw, words: list[str]) -> Done:
    text = " ".join(words)
    forms = (
        "Write everything in capital letters.",
        "Change all letters to capitals.",
        "Convert to upper case.",
    )
    return forms, text, text.upper()


def _lower_case(draw: Draw, words: list[str]) -> Done:
    text = " ".join(word.upper() if draw.chance(2, 3) else word.title() for word in words)
    forms = (
        "Write everything in small letters.",
        "Change all capitals to small letters.",
        "Convert to lower case.",
    )
    return forms, text, text.lower()


def _capitalise(draw: Draw, words: list[str]) -> Done:
    forms = (
        "Write the first letter of every word as a capital.",
        "Begin each word with a capital letter.",
    )
    return forms, " ".join(words), " ".join(word.title() for word in words)


def _remove_vowels(draw: Draw, words: list[str]) -> Done:
    text = " ".join(words)
    forms = ("Remove the vowels (a, e, i, o, u).", "Leave out the letters a, e, i, o and u.")
    return forms, text, "".join(letter for letter in text if letter not in _VOWELS)


def _count_vowels(draw: Draw, words: list[str]) -> Done:
    text = " ".join(words)
    forms = ("Count the vowels (a, e, i, o, u).", "Say how many of the letters are vowels (a, e, i, o or u).")
    return forms, text, str(sum(letter in _VOWELS for letter in text))


def _first_letters(draw: Draw, words: list[str]) -> Done:
    forms = (
        "Join the first letters of the words.",
        "Take the first letter of each word and write them as one string.",
    )
    return forms, " ".join(words), "".join(word[0] for word in words)


def _last_letters(draw: Draw, words: list[str]) -> Done:
    forms = (
        "Join the last letters of the words.",
        "Take the last letter of each word and write them as one string.",
    )
    return forms, " ".join(words), "".join(word[-1] for word in words)


def _reverse_words(draw: Draw, words: list[str]) -> Done:
    forms = ("Put the words in the opposite order.", "Reverse the order of the words.")
    return forms, " ".join(words), " ".join(reversed(words))


def _count_letters(draw: Draw, words: list[str]) -> Done:
    text = _compound(draw, words)
    return ("Count the letters.", "Say how many letters the word has."), text, str(len(text))


def _replace_letter(draw: Draw, words: list[str]) -> Done:
    text = " ".join(words)
    old = draw.choice(text.replace(" ", ""))
    new = draw.choice([letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter != old])
    forms = (f'Replace every "{old}" with "{new}".', f'Change each letter "{old}" into "{new}".')
    return forms, text, text.replace(old, new)


def _spell_out(draw: Draw, words: list[str]) -> Done:
    text = _compound(draw, words)
    name, mark = draw.choice((("a hyphen", "-"), ("a space", " "), ("a full stop", ".")))
    forms = (
        f"Put {name} between the letters.",
        f"Spell the word with {name} between one letter and the next.",
    )
    return forms, text, mark.join(text)


def _sort_letters(draw: Draw, words: list[str]) -> Done:
    text = _compound(draw, words)
    forms = ("Put the letters in alphabetical order.", "Sort the letters from a to z, keeping repeated ones.")
    return forms, text, "".join(sorted(text))


def _trim(draw: Draw, words: list[str]) -> Done:
    text = _compound(draw, words)
    forms = ("Remove the first and the last letter.", "Leave out the first letter and the last letter.")
    return forms, text, text[1:-1]


def _longest(draw: Draw, words: list[str]) -> Done:
    """The longest word; other words of the same length are left out of the text."""
    longest = max(words, key=len)
    kept = [word for word in words if word == longest or len(word) < len(longest)]
    if len(kept) < 2:
        return _count_letters(draw, words)
    return ("Give the longest word.", "Find the word with the most letters."), " ".join(kept), longest


def _pick_word(draw: Draw, words: list[str]) -> Done:
    place = draw.integer(0, min(len(words), len(_ORDINALS)) - 1)
    nth = _ORDINALS[place]
    return (f"Give the {nth} word.", f"Write down only the {nth} word."), " ".join(words), words[place]


def _count_words(draw: Draw, words: list[str]) -> Done:
    return ("Count the words.", "Give the number of words."), " ".join(words), str(len(words))


JOBS: tuple[Job, ...] = (
    _reverse_letters, _count_letter, _pick_letter, _upper_case, _lower_case, _capitalise, _remove_vowels,
    _count_vowels, _first_letters, _last_letters, _reverse_words, _count_letters, _replace_letter, _spell_out,
    _sort_letters, _trim, _longest, _pick_word, _count_words,
)  # fmt: skip


def transform(draw: Draw, *, fewest: int = 2, most: int = 7) -> Row:
    """One of the jobs for a text of `fewest` to `most` words, or for one word.

    >>> transform(Draw(1, "strings/transform", 0))["answer"]
    'j.u.d.g.e.b.e.a.c.h'
    """
    check_span("fewest", fewest, "most", most, 2, 20)
    words = draw.sample(WORDS, draw.integer(fewest, most))
    forms, text, answer = draw.choice(JOBS)(draw, words)
    return {"instruction": draw.choice(forms), "text": text, "answer": answer}
