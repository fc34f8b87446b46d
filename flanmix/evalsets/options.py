"""What is chosen of an eval set: split, shots, rows, wordings, forms."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from flanmix.errors import Problem, UsageError, did_you_mean
from flanmix.words import PLAIN, STYLES

Form = Literal["generation", "ranking", "both"]
Wordings = int | Literal["all", "one"]
MOST_SHOTS = 64


@dataclass(frozen=True)
class EvalOptions:
    """How tasks become eval sets.

    `split`: of the sources; where it is None, of each task the first it has of validation, test, train. `shots`: the
    numbers of exemplars, one set for each. `rows`: at most so many of each task, drawn by the seed. `templates`: every
    row in `all` wordings of the task, in `one` that is drawn for it, or in each of that many wordings drawn for the
    task. `styles`: of those wordings. `form`: one row for each prompt, one for each prompt and choice, or both.
    `separator` stands between a prompt and its answer, `between_shots` between exemplars.

    >>> EvalOptions(shots=(0, 5), rows=1000).templates
    'all'
    """

    split: str | None = None
    shots: tuple[int, ...] = (0,)
    rows: int | None = None
    templates: Wordings = "all"
    styles: tuple[str, ...] = (PLAIN, "options")
    form: Form = "both"
    separator: str = "\n"
    between_shots: str = "\n\n"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises `UsageError` with all that is wrong."""
        problems = [*self._wrong_numbers(), *self._wrong_words()]
        if problems:
            raise UsageError(problems)

    def _wrong_numbers(self) -> list[Problem]:
        found = []
        wrong = [shots for shots in self.shots if not 0 <= shots <= MOST_SHOTS]
        if wrong or not self.shots:
            what = f"{wrong[0]} shots" if wrong else "no number of shots"
            found.append(Problem(what, hint=f"give numbers from 0 to {MOST_SHOTS}"))
        if self.rows is not None and self.rows < 1:
            found.append(Problem(f"{self.rows} rows of each task", hint="give at least 1, or none to take them all"))
        if isinstance(self.templates, int) and self.templates < 1:
            found.append(Problem(f"{self.templates} templates", hint="give at least 1, 'all' or 'one'"))
        if not 0 <= self.seed < 2**63:
            found.append(Problem(f"the seed {self.seed}", hint="give a whole number from 0 to 2^63 - 1"))
        return found

    def _wrong_words(self) -> list[Problem]:
        found = []
        if isinstance(self.templates, str) and self.templates not in ("all", "one"):
            found.append(Problem(f"templates '{self.templates}'", hint="give 'all', 'one' or a number"))
        if self.form not in get_args(Form):
            found.append(Problem(f"no form is called '{self.form}'", hint=f"there are {', '.join(get_args(Form))}"))
        known = (PLAIN, *STYLES)
        for style in self.styles:
            if style not in known:
                hint = did_you_mean(style, known) or f"there are {', '.join(known)}"
                found.append(Problem(f"no style is called '{style}'", hint=hint))
        if not self.styles:
            found.append(Problem("no style", hint=f"give some of {', '.join(known)}"))
        return found

    @property
    def prompts(self) -> bool:
        """Whether sets with one row for each prompt are written."""
        return self.form != "ranking"

    @property
    def ranking(self) -> bool:
        """Whether sets with one row for each prompt and choice are written."""
        return self.form != "generation"

    def facts(self) -> dict[str, Any]:
        """All of it as plain values."""
        facts = asdict(self)
        return {**facts, "shots": list(self.shots), "styles": list(self.styles)}
