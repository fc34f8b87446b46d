"""Word problems about time, distance and amounts; in each the numbers stand in a fixed order."""

from flanmix.generators.draw import Draw
from flanmix.generators.people import MADE
from flanmix.generators.telling import Problem, Text, tell

_MACHINE: tuple[Text, ...] = (
    (
        "A machine makes {pace} {things} every minute. How many {things} does it make in {hours} hours?",
        "A period of {hours} hours has {hours} {times} 60 = {minutes} minutes. In that time the machine "
        "makes {pace} {times} {minutes} = {made} {things}.",
    ),
    (
        "In a factory, {pace} {things} come off the line every minute. How many {things} come off the line "
        "in {hours} hours?",
        "In {hours} hours there are {hours} {times} 60 = {minutes} minutes. In that time {pace} {times} "
        "{minutes} = {made} {things} come off the line.",
    ),
)
_AVERAGE: tuple[Text, ...] = (
    (
        "In three games {A} scores {first}, {second} and {third} points. What is {his} average score per game?",
        "The scores add up to {first} + {second} + {third} = {sum} points. The average is {sum} {over} 3 = "
        "{mean} points.",
    ),
    (
        "{A} reads {first} pages on Monday, {second} on Tuesday and {third} on Wednesday. How many pages "
        "does {he} read per day on average?",
        "In the three days {A} reads {first} + {second} + {third} = {sum} pages. On average that is {sum} "
        "{over} 3 = {mean} pages a day.",
    ),
    (
        "On three days {A} practises the piano for {first}, {second} and {third} minutes. How many minutes "
        "a day is that on average?",
        "In the three days {A} practises for {first} + {second} + {third} = {sum} minutes. On average that "
        "is {sum} {over} 3 = {mean} minutes a day.",
    ),
)
_PACE: tuple[Text, ...] = (
    (
        "{A} {has} {total} {pages}. {He} {reads} {pace} {pages} a day for {days} days. How many {pages} are "
        "left after that?",
        "In {days} days {A} {reads} {days} {times} {pace} = {done} {pages}. That leaves {total} - {done} = "
        "{left} {pages}.",
    ),
    (
        "{A} {has} {total} {pages} and {reads} {pace} of them a day. How many {pages} are left after {days} days?",
        "In {days} days that makes {days} {times} {pace} = {done} {pages}. That leaves {total} - {done} = "
        "{left} {pages}.",
    ),
)
_TASKS = (
    ("is reading a book of", "pages", "reads"),
    ("is doing a jigsaw of", "pieces", "places"),
    ("is learning a list of", "words", "learns"),
    ("has to address", "envelopes", "addresses"),
    ("has promised to knit", "squares", "knits"),
)
_AGES: tuple[Text, ...] = (
    (
        "{B} is {young} years old. {A} is {gap} years older than {B}. How old will {A} be in {years} years?",
        "{A} is {young} + {gap} = {old} years old now. In {years} years {he} will be {old} + {years} = {then}.",
    ),
    (
        "When {A} was {young}, {his} parents were given a clock that was {gap} years older than {he} was. "
        "How old was the clock {years} years later?",
        "At first the clock was {young} + {gap} = {old} years old. After {years} years it was {old} + "
        "{years} = {then} years old.",
    ),
)
_JOURNEY: tuple[Text, ...] = (
    (
        "{A} {goes} at {v} kilometres an hour for {t} hours and then {walks} at {w} kilometres an hour for "
        "{u} hours. How many kilometres does {he} cover altogether?",
        "On the first part {A} covers {v} {times} {t} = {x} kilometres. On the second part {he} covers {w} "
        "{times} {u} = {y} kilometres. Altogether that is {x} + {y} = {sum} kilometres.",
    ),
    (
        "At {v} kilometres an hour, {A} {goes} for {t} hours. Then, at {w} kilometres an hour, {he} {walks} "
        "for {u} hours. How long is the whole route, in kilometres?",
        "The first part of the route is {v} {times} {t} = {x} kilometres long. The second part is {w} "
        "{times} {u} = {y} kilometres long. The whole route is {x} + {y} = {sum} kilometres long.",
    ),
)
_TRAVEL: tuple[Text, ...] = (
    (
        "A {mover} {moves} at a steady {v} kilometres an hour. How many hours does it take to cover "
        "{distance} kilometres?",
        "The journey takes {distance} {over} {v} = {t} hours.",
    ),
    (
        "At a steady speed of {v} kilometres an hour, how many hours does a {mover} need for a journey of "
        "{distance} kilometres?",
        "At this speed the {mover} needs {distance} {over} {v} = {t} hours.",
    ),
)
_RECIPE: tuple[Text, ...] = (
    (
        "A recipe for {n} people needs {amount} grams of {food}. How many grams of {food} are needed for {m} people?",
        "One person needs {amount} {over} {n} = {each} grams. For {m} people that makes {each} {times} {m} "
        "= {sum} grams.",
    ),
    (
        "Altogether {n} equal tins hold {amount} millilitres of paint. How many millilitres do {m} such tins hold?",
        "One tin holds {amount} {over} {n} = {each} millilitres. For {m} tins that makes {each} {times} {m} "
        "= {sum} millilitres.",
    ),
    (
        "Together {n} identical parcels weigh {amount} grams. How many grams do {m} such parcels weigh?",
        "One parcel weighs {amount} {over} {n} = {each} grams. For {m} parcels that makes {each} {times} "
        "{m} = {sum} grams.",
    ),
)
_TANK: tuple[Text, ...] = (
    (
        "A tank can hold {full} litres. There are already {has} litres in it, and a tap adds {rate} litres "
        "every minute. After how many minutes is the tank full?",
        "There is room for {full} - {has} = {needs} more litres. To fill it takes {needs} {over} {rate} = {t} minutes.",
    ),
    (
        "A barrel holds {full} litres of water. {A} first takes {has} litres for the garden and then uses "
        "{rate} litres a day. How many days does the rest last?",
        "After the first use {full} - {has} = {needs} litres are left. They last {needs} {over} {rate} = {t} days.",
    ),
)
_MOVERS = (
    ("train", "travels", 60, 160),
    ("lorry", "drives", 40, 80),
    ("ship", "sails", 15, 40),
    ("cyclist", "rides", 12, 28),
    ("balloon", "drifts", 8, 30),
)
_LEGS = (
    ("cycles", 12, 25, "walks", 3, 6),
    ("drives", 50, 100, "cycles", 12, 25),
    ("travels by train", 80, 140, "continues by bus", 30, 60),
    ("sails", 9, 18, "rows", 3, 5),
    ("walks", 4, 6, "rides a pony", 7, 12),
)


def machine_output(draw: Draw) -> Problem:
    """Things made by a machine in some hours."""
    pace, hours = draw.integer(3, 45), draw.integer(2, 9)
    made = pace * hours * 60
    values = {"pace": pace, "hours": hours, "minutes": hours * 60, "made": made}
    return tell(draw, _MACHINE, made, things=draw.choice(MADE).many, **values)


def average(draw: Draw) -> Problem:
    """The mean of three numbers, which is a whole number."""
    mean = draw.integer(21, 60)
    first, second = draw.integer(max(2, mean - 15), mean + 10), draw.integer(mean - 8, mean + 8)
    third = 3 * mean - first - second
    values = {"first": first, "second": second, "third": third, "sum": 3 * mean, "mean": mean}
    return tell(draw, _AVERAGE, mean, **values)


def steady_pace(draw: Draw) -> Problem:
    """What is left of a long task after some days at a steady pace."""
    pace, days = draw.integer(8, 40), draw.integer(2, 9)
    done, left = pace * days, draw.integer(5, 200)
    has, pages, reads = draw.choice(_TASKS)
    values = {"pace": pace, "days": days, "done": done, "left": left, "total": done + left}
    return tell(draw, _PACE, left, has=has, pages=pages, reads=reads, **values)


def ages(draw: Draw) -> Problem:
    """An age that is known by its distance from another."""
    young, gap, years = draw.integer(4, 30), draw.integer(3, 40), draw.integer(3, 25)
    values = {"young": young, "gap": gap, "old": young + gap, "years": years, "then": young + gap + years}
    return tell(draw, _AGES, young + gap + years, **values)


def journey(draw: Draw) -> Problem:
    """A journey in two parts at different speeds."""
    goes, v_low, v_high, walks, w_low, w_high = draw.choice(_LEGS)
    v, t, w, u = (
        draw.integer(v_low, v_high),
        draw.integer(2, 6),
        draw.integer(w_low, w_high),
        draw.integer(2, 4),
    )
    values = {"v": v, "t": t, "w": w, "u": u, "x": v * t, "y": w * u, "sum": v * t + w * u}
    return tell(draw, _JOURNEY, v * t + w * u, goes=goes, walks=walks, **values)


def travel_time(draw: Draw) -> Problem:
    """How long a distance takes at a steady speed."""
    mover, moves, low, high = draw.choice(_MOVERS)
    v, t = draw.integer(low, high), draw.integer(2, 14)
    return tell(draw, _TRAVEL, t, mover=mover, moves=moves, v=v, t=t, distance=v * t)


def recipe(draw: Draw) -> Problem:
    """From an amount for some to the amount for others."""
    n, m = draw.sample(range(2, 16), 2)
    each = draw.integer(8, 50) * 5
    food = draw.choice(("flour", "rice", "pasta", "lentils", "potatoes", "cheese", "carrots", "oats"))
    values = {"n": n, "m": m, "amount": each * n, "each": each, "sum": each * m}
    return tell(draw, _RECIPE, each * m, food=food, **values)


def tank(draw: Draw) -> Problem:
    """How long it takes to fill a tank or to empty a barrel."""
    rate, t, has = draw.integer(3, 24), draw.integer(3, 30), draw.integer(5, 150)
    needs = rate * t
    values = {"full": has + needs, "has": has, "needs": needs, "rate": rate, "t": t}
    return tell(draw, _TANK, t, **values)
