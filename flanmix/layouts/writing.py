"""What layouts write beside the texts of a row."""

from dataclasses import dataclass, field

from flanmix.spec import TurnTags


@dataclass(frozen=True)
class Writing:
    """`separator` stands between input and target, `turn_tags` above turns: where a layout writes them.

    >>> Writing(" => ").turn_tags.output
    '<output>'
    """

    separator: str = "\n"
    turn_tags: TurnTags = field(default_factory=TurnTags)
