"""Word problems about numbers of things; in each the numbers of the question stand in a fixed order."""

from flanmix.generators.draw import Draw
from flanmix.generators.people import BAKED, COLLECTED, CONTAINERS, FLOWERS, FRUIT, SHARED, nouns
from flanmix.generators.telling import Problem, Text, tell

_GAIN: tuple[Text, ...] = (
    (
        "{A} has {start} {things}. {He} buys {more} more and then gives {less} to {B}. How many {things} "
        "does {A} have now?",
        "After buying more, {A} has {start} + {more} = {total} {things}. After giving some to {B}, {he} has "
        "{total} - {less} = {left} {things}.",
    ),
    (
        "There are {start} {things} in a box. {A} puts in {more} more, and later {B} takes out {less}. How "
        "many {things} are in the box in the end?",
        "When {A} has added some, the box holds {start} + {more} = {total} {things}. When {B} has taken "
        "some out, it holds {total} - {less} = {left} {things}.",
    ),
    (
        "{A} collects {things} and starts the month with {start}. During the month {he} finds {more} new "
        "ones but loses {less}. How many {things} does {he} have at the end of the month?",
        "With the new ones, {A} has {start} + {more} = {total} {things}. Without the lost ones, {he} has "
        "{total} - {less} = {left} {things}.",
    ),
)
_SHARE: tuple[Text, ...] = (
    (
        "{A} has {first} {things} and {B} has {second}. They put them together and share them equally among "
        "{parts} {friends}. How many {things} does each of the {friends} get?",
        "Together {A} and {B} have {first} + {second} = {total} {things}. Each of the {friends} gets "
        "{total} {over} {parts} = {each} {things}.",
    ),
    (
        "A farmer picks {first} {fruit} in the morning and {second} in the afternoon. All of them are "
        "packed into {boxes}, {parts} to a {box}. How many {boxes} are filled?",
        "The farmer picks {first} + {second} = {total} {fruit}. They fill {total} {over} {parts} = {each} {boxes}.",
    ),
    (
        "One class brings {first} {fruit} for a school fair and another class brings {second}. The {fruit} "
        "are put on plates, {parts} on each plate. How many plates are needed?",
        "The classes bring {first} + {second} = {total} {fruit}. For these, {total} {over} {parts} = {each} "
        "plates are needed.",
    ),
)
_ROWS: tuple[Text, ...] = (
    (
        "A hall has {rows} rows of {each} seats. For tonight's concert {taken} seats have been sold. How "
        "many seats have not been sold?",
        "The hall has {rows} {times} {each} = {total} seats. The number of unsold seats is {total} - {taken} = {left}.",
    ),
    (
        "A gardener plants {rows} rows with {each} {flowers} in each row. Snails eat {taken} of them. How "
        "many {flowers} are left?",
        "The gardener plants {rows} {times} {each} = {total} {flowers}. After the snails have come, {total} "
        "- {taken} = {left} are left.",
    ),
    (
        "A car park has {rows} rows with room for {each} cars in each. So far {taken} cars are parked in "
        "it. How many more cars can park there?",
        "The car park has room for {rows} {times} {each} = {total} cars. There is still room for {total} - "
        "{taken} = {left} cars.",
    ),
)
_TIMES: tuple[Text, ...] = (
    (
        "{B} {does} {few} {things}. {A} {does} {factor} times as many {things} as {B}. How many {things} do "
        "they {do} altogether?",
        "{A} {does} {factor} {times} {few} = {many} {things}. Altogether they {do} {few} + {many} = {sum} {things}.",
    ),
    (
        "{B} {does} {few} {things}, and {A} {does} {factor} times that number. How many {things} is that "
        "for both of them together?",
        "{A}'s number is {factor} {times} {few} = {many}. For both of them that makes {few} + {many} = {sum} {things}.",
    ),
)
_PART: tuple[Text, ...] = (
    (
        "{group} A {word} of them {first} and the rest {second}. How many {second}?",
        "A {word} of {total} is {total} {over} {number} = {part}. The rest {second}, and that is {total} - "
        "{part} = {rest}.",
    ),
    (
        "{group} If a {word} of them {first} and all the others {second}, how many {second}?",
        "A {word} of them is {total} {over} {number} = {part}. The others are {total} - {part} = {rest}.",
    ),
)
_GROUPS = (
    ("There are {} pupils in a school.", "walk to school", "come by bus"),
    ("A bakery bakes {} rolls.", "are sold in the morning", "are sold in the afternoon"),
    ("A library lends out {} books in one day.", "are comics", "are novels"),
    ("A games club has {} members.", "play chess", "play cards"),
    ("There are {} tickets for a match.", "are for children", "are for adults"),
    ("A ship carries {} containers.", "are unloaded in Oslo", "stay on board"),
    ("A park has {} trees.", "are oaks", "are limes"),
    ("A choir has {} singers.", "are children", "are adults"),
)
_BAKE: tuple[Text, ...] = (
    (
        "A bakery bakes {trays} trays with {each} {things} on each tray. It sells {sold} {things} and packs "
        "the rest into {packs} of {size}. How many {packs} does it fill?",
        "The bakery bakes {trays} {times} {each} = {total} {things}. After the sale {total} - {sold} = "
        "{rest} {things} are left. They fill {rest} {over} {size} = {filled} {packs}.",
    ),
    (
        "For a party, a cook fills {trays} trays with {each} {things} each. The guests eat {sold} of them, "
        "and the others are put into {packs} of {size}. How many {packs} are needed?",
        "The trays hold {trays} {times} {each} = {total} {things}. The guests leave {total} - {sold} = "
        "{rest} of them. For these, {rest} {over} {size} = {filled} {packs} are needed.",
    ),
)
_BUS: tuple[Text, ...] = (
    (
        "There are {start} people on a {vehicle}. At the first stop {off} people get off and {on} get on. "
        "At the next stop {less} people get off and nobody gets on. How many people are on the {vehicle} "
        "then?",
        "When some have got off at the first stop, {start} - {off} = {after_off} people are left. When "
        "others have got on, there are {after_off} + {on} = {after_on} people. After the next stop there "
        "are {after_on} - {less} = {left} people.",
    ),
    (
        "A ferry sets out with {start} cars. At the first island {off} cars drive off and {on} drive on. At "
        "the second island {less} cars drive off and none drive on. How many cars does the ferry carry "
        "after that?",
        "After some cars have left at the first island, {start} - {off} = {after_off} cars remain. With the "
        "new ones there are {after_off} + {on} = {after_on} cars. After the second island there are "
        "{after_on} - {less} = {left} cars.",
    ),
)
_MORE: tuple[Text, ...] = (
    (
        "{A} {does} {many} {things} and {B} {does} {few}. How many more {things} does {A} {do} than {B}?",
        "The difference is {many} - {few} = {more} {things}.",
    ),
    (
        "{A} has {many} {things}, while {B} has only {few}. How many {things} must {B} get to have as many as {A}?",
        "{B} needs {many} - {few} = {more} more {things}.",
    ),
)
_SHELVES: tuple[Text, ...] = (
    (
        "{place} {groups} {shelves} with {each} {things} {on} each {shelf}. How many {things} is that in all?",
        "In all that is {groups} {times} {each} = {total} {things}.",
    ),
    (
        "{A} counts {groups} {shelves} with {each} {things} {on} each of them. How many {things} are there altogether?",
        "Altogether there are {groups} {times} {each} = {total} {things}.",
    ),
)
_PUT_IN: tuple[Text, ...] = (
    (
        "{A} has {total} {things} and puts the same number into each of {groups} {boxes}, with none left "
        "over. How many {things} are in each {box}?",
        "Each {box} holds {total} {over} {groups} = {each} {things}.",
    ),
    (
        "A heap of {total} {things} is divided equally among {groups} {boxes}. How many {things} go into each {box}?",
        "Into each {box} go {total} {over} {groups} = {each} {things}.",
    ),
)


def gain_and_give(draw: Draw) -> Problem:
    """A number of things grows once and shrinks once."""
    start, more = draw.integer(8, 90), draw.integer(3, 60)
    total = start + more
    less = draw.integer(2, min(start, total - 2))
    things = draw.choice(COLLECTED).many
    values = {"start": start, "more": more, "total": total, "less": less, "left": total - less}
    return tell(draw, _GAIN, total - less, things=things, **values)


def share_together(draw: Draw) -> Problem:
    """Two amounts are put together and divided into equal parts."""
    parts, each = draw.integer(3, 12), draw.integer(3, 15)
    total = parts * each
    first = draw.integer(2, total - 2)
    values = {"parts": parts, "each": each, "total": total, "first": first, "second": total - first}
    box = draw.choice(CONTAINERS)
    names = {
        "things": draw.choice(SHARED).many,
        "fruit": draw.choice(FRUIT).many,
        "box": box.one,
        "boxes": box.many,
    }
    friends = draw.choice(("friends", "children", "cousins", "neighbours"))
    return tell(draw, _SHARE, each, friends=friends, **values, **names)


def rows_and_gaps(draw: Draw) -> Problem:
    """Equal rows, some places of which do not count."""
    rows, each = draw.integer(4, 25), draw.integer(5, 30)
    total = rows * each
    taken = draw.integer(2, total - 2)
    values = {"rows": rows, "each": each, "total": total, "taken": taken, "left": total - taken}
    return tell(draw, _ROWS, total - taken, flowers=draw.choice(FLOWERS).many, **values)


def times_as_many(draw: Draw) -> Problem:
    """One person has several times as many as another; how many together?"""
    few, factor = draw.integer(3, 60), draw.integer(3, 9)
    does, do = draw.choice((("has", "have"), ("collects", "collect"), ("sells", "sell"), ("counts", "count")))
    values = {"few": few, "factor": factor, "many": few * factor, "sum": few + few * factor}
    return tell(draw, _TIMES, few + few * factor, things=draw.choice(COLLECTED).many, does=does, do=do, **values)


def part_and_rest(draw: Draw) -> Problem:
    """A fraction of a group does one thing, the rest another."""
    word, number = draw.choice((("third", 3), ("quarter", 4), ("fifth", 5), ("sixth", 6), ("tenth", 10)))
    part = draw.integer(4, 60)
    total = part * number
    group, first, second = draw.choice(_GROUPS)
    texts = {"group": group.format(total), "word": word, "first": first, "second": second}
    values = {"total": total, "number": number, "part": part, "rest": total - part}
    return tell(draw, _PART, total - part, **texts, **values)


def bake_sell_pack(draw: Draw) -> Problem:
    """Trays are baked, some of the things sold and the rest packed."""
    trays, each, size = draw.integer(4, 15), draw.integer(8, 24), draw.integer(3, 8)
    total = trays * each
    filled = draw.integer(2, (total - 2) // size)
    rest = filled * size
    values = {"trays": trays, "each": each, "total": total, "sold": total - rest, "rest": rest, "size": size}
    names = {"things": draw.choice(BAKED).many, "packs": draw.choice(("bags", "boxes", "packets"))}
    return tell(draw, _BAKE, filled, filled=filled, **values, **names)


def on_and_off(draw: Draw) -> Problem:
    """Passengers get off, get on and get off again."""
    start = draw.integer(12, 60)
    off, on = draw.integer(2, start - 4), draw.integer(2, 30)
    after_on = start - off + on
    less = draw.integer(2, after_on - 2)
    values = {
        "start": start,
        "off": off,
        "on": on,
        "after_off": start - off,
        "after_on": after_on,
        "less": less,
    }
    vehicle = draw.choice(("bus", "tram", "train", "coach"))
    return tell(draw, _BUS, after_on - less, left=after_on - less, vehicle=vehicle, **values)


def how_many_more(draw: Draw) -> Problem:
    """The difference of two numbers of things."""
    few, more = draw.integer(3, 80), draw.integer(2, 90)
    does, do = draw.choice((("has", "have"), ("counts", "count"), ("sells", "sell")))
    values = {"few": few, "many": few + more, "more": more}
    return tell(draw, _MORE, more, things=draw.choice(FRUIT + COLLECTED).many, does=does, do=do, **values)


def shelves(draw: Draw) -> Problem:
    """The same number of things in several places."""
    groups, each = draw.integer(3, 30), draw.integer(4, 40)
    shelf, shelves, on = draw.choice(
        (("shelf", "shelves", "on"), ("cupboard", "cupboards", "in"), ("rack", "racks", "on"))
    )
    things = draw.choice(nouns("jar, book, box/boxes, tin, bottle, plate, cup, parcel")).many
    place = draw.choice(("A shop has", "A storeroom has", "In a cellar there are", "In a kitchen there are"))
    values = {"groups": groups, "each": each, "total": groups * each}
    names = {"shelf": shelf, "shelves": shelves, "on": on, "things": things, "place": place}
    return tell(draw, _SHELVES, groups * each, **values, **names)


def put_into_boxes(draw: Draw) -> Problem:
    """Things divided equally among containers."""
    groups, each = draw.integer(3, 30), draw.integer(4, 40)
    box = draw.choice(CONTAINERS)
    values = {"groups": groups, "each": each, "total": groups * each}
    return tell(draw, _PUT_IN, each, things=draw.choice(FRUIT + SHARED).many, box=box.one, boxes=box.many, **values)
