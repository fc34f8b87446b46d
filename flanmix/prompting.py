"""What a mixture puts before its rows: system prompts from a pool, and the task's type in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flanmix.keyed import Ints, Words, key64
from flanmix.rates import exact
from flanmix.spec import Mixture, Prompt, SystemPrompts, Template, TypeTag
from flanmix.spec.prompts import Place, prompts_of
from flanmix.weyl import GOLDEN, ROOT_2, ROOT_3, Arcs, places
from flanmix.words import natural_name


def tag_of(type_: str) -> str:
    """A task's type as a line of a prompt.

    >>> tag_of("nli")
    'Task: natural language inference'
    """
    return f"Task: {natural_name(type_)}"


@dataclass(frozen=True)
class Prompting:
    """System prompts for a share of the rows without one of their own, and where the type is told for a share of all.

    Which rows are meant is a function of (seed, task, draw) alone. A value without either is false.

    >>> Prompting.of(Mixture("m", sizes={"a": 1}, system=["Be brief.", "Be kind."], type_tag="prefix")).share
    1.0
    """

    prompts: tuple[Prompt, ...] = ()
    share: float = 0.0
    tag: Place = "none"
    tag_share: float = 0.0

    @classmethod
    def of(cls, mixture: Mixture) -> "Prompting":
        """What a mixture asks for; a share of 0 is nothing."""
        system = mixture.system
        if not isinstance(system, SystemPrompts):
            system = SystemPrompts(system or "-", share=1.0 if system else 0.0)
        tag = mixture.type_tag if isinstance(mixture.type_tag, TypeTag) else TypeTag(mixture.type_tag)
        told = tag.place != "none" and tag.share > 0
        return cls(
            prompts_of(system.prompts) if system.share else (),
            system.share,
            tag.place if told else "none",
            tag.share if told else 0.0,
        )

    def __bool__(self) -> bool:
        return bool(self.prompts) or self.tag != "none"

    def facts(self, types: Sequence[str]) -> dict[str, object]:
        """All that decides bytes, as plain values, for tasks of these types."""
        pool = [[prompt.text, str(exact(prompt.weight))] for prompt in self.prompts]
        tags = {} if self.tag == "none" else {type_: tag_of(type_) for type_ in types}
        return {"system": [str(exact(self.share)), pool], "type_tag": [self.tag, str(exact(self.tag_share)), tags]}

    def chosen_prompts(self, draws: Ints, offsets: Words) -> Ints:
        """The prompt of each draw, `len(prompts)` for none. The offsets are `system_offset` of the draws' tasks."""
        arcs = Arcs.of(exact(self.share), [exact(prompt.weight) for prompt in self.prompts])
        return arcs.at(places(draws, GOLDEN, offsets))

    def tagged(self, draws: Ints, offsets: Words) -> npt.NDArray[np.bool_]:
        """Which draws tell the task's type. The offsets are `tag_offset` of the draws' tasks."""
        found: npt.NDArray[np.bool_] = Arcs.of(exact(self.tag_share)).at(places(draws, ROOT_2, offsets)) == 0
        return found


def system_offset(seed: int, task: str) -> int:
    """Where the first draw of a task stands among those that are given system prompts."""
    return key64(seed, task, "system prompt")


def tag_offset(seed: int, task: str) -> int:
    """Where the first draw of a task stands among those that tell its type."""
    return key64(seed, task, "type tag")


def chosen_texts(template: Template, draws: Ints, *, seed: int, task: str, name: str) -> Ints:
    """Which text of a template's own pool each draw is given.

    >>> ask = Template("ask", input="{{ q }}", target="{{ a }}", system=["", "Be brief."])
    >>> chosen_texts(ask, np.arange(6), seed=7, task="toy", name="ask").tolist()
    [0, 0, 1, 1, 0, 0]
    """
    arcs = Arcs.of(exact(1.0), [exact(prompt.weight) for prompt in prompts_of(template.system)])
    return arcs.at(places(draws, ROOT_3, key64(seed, task, "system of a template", name)))
