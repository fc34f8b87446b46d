"""Names of people and things for the word problems and the puzzles."""

from typing import NamedTuple


class Person(NamedTuple):
    """A first name (none ends in s, so that 's can follow) and its pronouns."""

    name: str
    he: str
    him: str
    his: str


class Noun(NamedTuple):
    """A thing that can be counted."""

    one: str
    many: str


def _people(names: str, he: str, him: str, his: str) -> tuple[Person, ...]:
    return tuple(Person(name, he, him, his) for name in names.split())


WOMEN = _people(
    """
    Ada Aisha Amina Anna Beatrix Chloe Clara Daniela Elena Emma Farah Fiona Grace Hana Helen Ingrid Isla
    Joanna Kamala Layla Lena Lucy Maya Mei Mina Nadia Nora Olga Olivia Paula Petra Priya Rosa Ruth Salma
    Sofia Tara Valentina Yara Zoe
    """,
    "she",
    "her",
    "her",
)
MEN = _people(
    """
    Adam Ahmed Anton Ben Bruno Carlo Daniel David Edward Emil Felix Finn George Hamid Henry Hugo Ivan
    Jakob Jamal Joel Karim Kenji Kofi Leo Liam Luca Marco Martin Mateo Noah Oliver Omar Oscar Peter Rafael
    Ravi Samuel Stefan Tariq Viktor
    """,
    "he",
    "him",
    "his",
)
PEOPLE = WOMEN + MEN


def nouns(text: str) -> tuple[Noun, ...]:
    """Nouns from a text of singulars with a plural in -s; "one/many" spells out any other plural.

    >>> nouns("apple, box/boxes")
    (Noun(one='apple', many='apples'), Noun(one='box', many='boxes'))
    """
    pairs = (" ".join(part.split()).partition("/") for part in text.split(","))
    return tuple(Noun(one, many or f"{one}s") for one, _, many in pairs)


def article(word: str) -> str:
    """The word with a or an before it, decided by its first letter.

    >>> article("otter"), article("baker")
    ('an otter', 'a baker')
    """
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


COLLECTED = nouns(
    """
    marble, sticker, stamp, coin, postcard, shell, badge, button, bead, comic, toy car, football card,
    pebble, puzzle piece, magnet, key ring, model plane, bookmark
    """
)
FRUIT = nouns(
    """
    apple, pear, plum, orange, lemon, peach/peaches, apricot, cherry/cherries, fig,
    strawberry/strawberries, lime, mandarin
    """
)
SHARED = nouns("sweet, biscuit, grape, walnut, cherry/cherries, crayon, balloon, sticker, marble, almond, toffee")
BAKED = nouns("roll, bun, muffin, scone, biscuit, pasty/pasties, tart, doughnut, flapjack, bagel")
MADE = nouns("bottle, button, screw, candle, pencil, tile, envelope, spoon, cup, brick, sock, bolt")
FLOWERS = nouns("tulip, rose, daffodil, lily/lilies, sunflower, lavender plant, bean plant, cabbage, lettuce")
CONTAINERS = nouns("box/boxes, bag, basket, crate, bucket")

# Things with the lowest and the highest price that sounds right, as (plural, low, high).
PRICED = tuple(
    (noun.many, low, high)
    for text, low, high in (
        ("pen, pencil case, notebook, bookmark, candle, bar/bars of soap, greeting card", 2, 5),
        ("mug, plate, plant pot, magazine, sandwich/sandwiches, bus ticket, sketch pad", 3, 9),
        ("book, scarf/scarves, cushion, T-shirt, cinema ticket, umbrella, lunch box/lunch boxes", 6, 18),
        ("lamp, jumper, bath towel, picture frame, board game, backpack, tablecloth", 12, 30),
    )
    for noun in nouns(text)
)
# Things one saves for, with such prices.
WISHES = (
    ("bicycle", 120, 400),
    ("guitar", 90, 350),
    ("tent", 70, 250),
    ("telescope", 80, 300),
    ("camera", 150, 500),
    ("skateboard", 40, 120),
    ("tablet", 150, 450),
    ("winter coat", 60, 180),
    ("keyboard", 50, 200),
    ("sewing machine", 100, 300),
)
CURRENCIES = (("\N{POUND SIGN}", "pounds"), ("\N{EURO SIGN}", "euros"), ("$", "dollars"))
