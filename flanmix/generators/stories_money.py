"""Word problems about money; in each the numbers of the question stand in a fixed order."""

from flanmix.generators.draw import Draw
from flanmix.generators.people import CURRENCIES, PRICED, WISHES
from flanmix.generators.telling import Problem, Text, tell

_TOTAL: tuple[Text, ...] = (
    (
        "{A} buys {n} {first} at {sign}{p} each and {m} {second} at {sign}{q} each. How much does {he} "
        "spend altogether, in {money}?",
        "The {first} cost {n} {times} {p} = {x} {money}. The {second} cost {m} {times} {q} = {y} {money}. "
        "Altogether {A} spends {x} + {y} = {sum} {money}.",
    ),
    (
        "On a market day {A} sells {n} {first} for {sign}{p} each and {m} {second} for {sign}{q} each. How "
        "many {money} does {he} take in all?",
        "For the {first} {A} gets {n} {times} {p} = {x} {money}. For the {second} {he} gets {m} {times} {q} "
        "= {y} {money}. In all {he} takes {x} + {y} = {sum} {money}.",
    ),
)
_CHANGE: tuple[Text, ...] = (
    (
        "{A} buys {n} {things} at {sign}{p} each and pays with {sign}{paid}. How much change, in {money}, "
        "does {he} get?",
        "The {things} cost {n} {times} {p} = {cost} {money}. The change is {paid} - {cost} = {left} {money}.",
    ),
    (
        "{A} wants to buy {n} {things}, which cost {sign}{p} each. {He} has {sign}{paid} with {him}. How "
        "many {money} will {he} have left?",
        "The {things} cost {n} {times} {p} = {cost} {money}. {A} will have {paid} - {cost} = {left} {money} left.",
    ),
)
_SAVING: tuple[Text, ...] = (
    (
        "{A} wants to buy a {wish} that costs {sign}{price}. {He} already has {sign}{has} and saves "
        "{sign}{rate} every week. For how many weeks does {he} have to save?",
        "{A} still needs {price} - {has} = {needs} {money}. At {rate} {money} a week that takes {needs} "
        "{over} {rate} = {weeks} weeks.",
    ),
    (
        "A {wish} costs {sign}{price}. {A} pays {sign}{has} at once and the rest in monthly payments of "
        "{sign}{rate}. How many payments does {he} make?",
        "After the first payment {price} - {has} = {needs} {money} remain. They make up {needs} {over} "
        "{rate} = {weeks} monthly payments.",
    ),
)
_FENCE: tuple[Text, ...] = (
    (
        "A rectangular {garden} is {l} metres long and {w} metres wide. A fence all the way round it costs "
        "{sign}{p} per metre. How much does the fence cost, in {money}?",
        "The length and the width add up to {l} + {w} = {half} metres. The fence is 2 {times} {half} = "
        "{round} metres long. It costs {round} {times} {p} = {sum} {money}.",
    ),
    (
        "A rectangular {garden} measures {l} metres by {w} metres. {A} has a hedge planted all the way "
        "round it at {sign}{p} per metre. How many {money} does {he} pay?",
        "The length and the width add up to {l} + {w} = {half} metres. The hedge is 2 {times} {half} = "
        "{round} metres long. {A} pays {round} {times} {p} = {sum} {money}.",
    ),
)
_FLOOR: tuple[Text, ...] = (
    (
        "The floor of a room is {l} metres long and {w} metres wide. New {tiles} cost {sign}{p} per square "
        "metre. How many {money} does it cost to cover the whole floor with them?",
        "The floor has an area of {l} {times} {w} = {area} square metres. The {tiles} cost {area} {times} "
        "{p} = {sum} {money}.",
    ),
    (
        "A wall is {l} metres long and {w} metres high. A painter charges {sign}{p} per square metre to "
        "paint it. How much does the work cost, in {money}?",
        "The wall has an area of {l} {times} {w} = {area} square metres. The work costs {area} {times} {p} "
        "= {sum} {money}.",
    ),
)
_DISCOUNT: tuple[Text, ...] = (
    (
        "A {wish} costs {sign}{price}. In a sale its price is cut by {rate}%. How much does it cost in the "
        "sale, in {money}?",
        "The price is cut by {price} {times} {rate} {over} 100 = {cut} {money}. In the sale the {wish} "
        "costs {price} - {cut} = {left} {money}.",
    ),
    (
        "{A} buys a {wish} for {sign}{price} and sells it a year later at a loss of {rate}%. For how many "
        "{money} does {he} sell it?",
        "The loss is {price} {times} {rate} {over} 100 = {cut} {money}. {A} sells the {wish} for {price} - "
        "{cut} = {left} {money}.",
    ),
)
_WAGES: tuple[Text, ...] = (
    (
        "{A} earns {sign}{rate} an hour. {He} works {hours} hours a day for {days} days. How many {money} "
        "does {he} earn in that time?",
        "{A} works {hours} {times} {days} = {total} hours. {He} earns {rate} {times} {total} = {sum} {money}.",
    ),
    (
        "Hiring a boat costs {sign}{rate} an hour. {A} hires one for {hours} hours on each of {days} days. "
        "How much does {he} pay, in {money}?",
        "{A} hires the boat for {hours} {times} {days} = {total} hours. {He} pays {rate} {times} {total} = "
        "{sum} {money}.",
    ),
)


def _money(draw: Draw) -> dict[str, str]:
    sign, money = draw.choice(CURRENCIES)
    return {"sign": sign, "money": money}


def total_cost(draw: Draw) -> Problem:
    """Two kinds of things at two prices."""
    (first, p_low, p_high), (second, q_low, q_high) = draw.sample(PRICED, 2)
    n, p, m, q = (
        draw.integer(2, 9),
        draw.integer(p_low, p_high),
        draw.integer(2, 9),
        draw.integer(q_low, q_high),
    )
    values = {"n": n, "p": p, "m": m, "q": q, "x": n * p, "y": m * q, "sum": n * p + m * q}
    names = {"first": first, "second": second, **_money(draw)}
    return tell(draw, _TOTAL, n * p + m * q, **values, **names)


def change(draw: Draw) -> Problem:
    """What is left of the money after buying some things."""
    things, low, high = draw.choice(PRICED)
    n, p = draw.integer(2, 9), draw.integer(low, high)
    cost = n * p
    paid = (cost + 1) // 10 * 10 + draw.integer(1, 5) * 10
    values = {"n": n, "p": p, "cost": cost, "paid": paid, "left": paid - cost}
    return tell(draw, _CHANGE, paid - cost, things=things, **values, **_money(draw))


def saving(draw: Draw) -> Problem:
    """How many equal payments make up a price of which a part is there."""
    wish, low, high = draw.choice(WISHES)
    price = draw.integer(low, high)
    weeks = draw.integer(3, 12)
    rate = draw.integer(2, (price - 5) // weeks)
    needs = weeks * rate
    values = {"price": price, "has": price - needs, "needs": needs, "rate": rate, "weeks": weeks}
    return tell(draw, _SAVING, weeks, wish=wish, **values, **_money(draw))


def fence(draw: Draw) -> Problem:
    """The price of a fence round a rectangle."""
    w, p = draw.integer(5, 40), draw.integer(3, 25)
    length = w + draw.integer(1, 40)
    half = length + w
    values = {"l": length, "w": w, "p": p, "half": half, "round": 2 * half, "sum": 2 * half * p}
    garden = draw.choice(("garden", "meadow", "playground", "vegetable patch", "courtyard"))
    return tell(draw, _FENCE, 2 * half * p, garden=garden, **values, **_money(draw))


def floor(draw: Draw) -> Problem:
    """The price of covering a floor."""
    w, p = draw.integer(2, 9), draw.integer(8, 60)
    length = w + draw.integer(1, 6)
    area = length * w
    values = {"l": length, "w": w, "p": p, "area": area, "sum": area * p}
    tiles = draw.choice(("tiles", "floorboards", "carpet tiles", "cork tiles"))
    return tell(draw, _FLOOR, area * p, tiles=tiles, **values, **_money(draw))


def discount(draw: Draw) -> Problem:
    """A price after a cut in per cent."""
    wish, low, high = draw.choice(WISHES)
    price, rate = draw.integer(low // 20 + 1, high // 20) * 20, draw.integer(1, 10) * 5
    cut = price * rate // 100
    values = {"price": price, "rate": rate, "cut": cut, "left": price - cut}
    return tell(draw, _DISCOUNT, price - cut, wish=wish, **values, **_money(draw))


def wages(draw: Draw) -> Problem:
    """A price per hour for some hours on several days."""
    rate, hours, days = draw.integer(9, 30), draw.integer(3, 8), draw.integer(2, 12)
    total = hours * days
    values = {"rate": rate, "hours": hours, "days": days, "total": total, "sum": rate * total}
    return tell(draw, _WAGES, rate * total, **values, **_money(draw))
