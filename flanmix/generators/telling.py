"""How a word problem is told: a question and a rationale with places for names and numbers."""

from collections.abc import Sequence

from flanmix.generators.arithmetic import DIVIDED, TIMES
from flanmix.generators.draw import Draw
from flanmix.generators.people import PEOPLE

Text = tuple[str, str]  # question, rationale
Problem = tuple[str, str, int]  # question, rationale, answer


def tell(draw: Draw, texts: Sequence[Text], answer: int, **values: object) -> Problem:
    """One of the texts with its values and two drawn people filled in: {A} with {he}, {him}, {his}, and {B}.

    >>> tell(Draw(1, "any", 0), [("{A} has {n} cups.", "{He} has {n} = 3.")], 3, n=3)
    ('Olivia has 3 cups.', 'She has 3 = 3.', 3)
    """
    a, b = draw.sample(PEOPLE, 2)
    values |= {"A": a.name, "B": b.name, "he": a.he, "He": a.he.title(), "his": a.his, "him": a.him}
    values |= {"times": TIMES, "over": DIVIDED}
    question, rationale = draw.choice(texts)
    return question.format_map(values), rationale.format_map(values), answer
