"""Sets as tasks of lm-evaluation-harness: one YAML for each, and one for all with the same number of shots."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from flanmix.bound import BoundTemplate
from flanmix.errors import TemplateError, UsageError
from flanmix.evalsets.written import APART, WrittenSet

FOLDER = "lm_eval"
_FILTER = "answer"
_PLACE = '''\
"""Where the data of these tasks lies: in the folder above this one, wherever that is."""

from pathlib import Path

FOLDER = str(Path(__file__).resolve().parents[1])
'''
_LEAST_TOKENS = 64
_METRICS: Mapping[str, Sequence[str]] = {
    "translation": ("bleu", "chrf"),
    "summarization": ("chrf",),
    "simplification": ("chrf",),
    "data_to_text": ("chrf",),
    "structure_to_text": ("chrf",),
}
"""What is measured beside exact matches where an answer has many right wordings."""


@dataclass(frozen=True)
class _Slice:
    """The prompts of a set that are scored in one way: those with choices, or without, of the same `extract`."""

    name: str
    ranked: bool
    templates: tuple[BoundTemplate, ...]
    filters: tuple[list[Any], ...]


def harness_files(name: str, sets: Sequence[WrittenSet]) -> dict[str, str]:
    """The files of the folder `lm_eval`, by name; raises `TemplateError` for a pattern that cannot be told there."""
    files, groups = {"evalset.py": _PLACE}, dict[int, list[str]]()
    metrics: dict[int, set[tuple[str, str]]] = {}
    for each in sets:
        for part in _slices(each) if "generation" in each.shards else ():
            config = _config(each, part)
            files[f"{part.name}.yaml"] = _text({"task": part.name, **config})
            groups.setdefault(each.of.shots, []).append(part.name)
            told = {(metric["metric"], "none" if part.ranked else _FILTER) for metric in config["metric_list"]}
            metrics.setdefault(each.of.shots, set()).update(told)
    for shots, tasks in groups.items():
        group = group_of(name, shots)
        if f"{group}.yaml" in files:
            raise UsageError(f"'{name}' would name a set and all of them", hint="give the sets another name")
        files[f"{group}.yaml"] = _dumped(
            {
                "group": group,
                "task": tasks,
                "aggregate_metric_list": [
                    {"metric": metric, "aggregation": "mean", "weight_by_size": False, "filter_list": [filter_]}
                    for metric, filter_ in sorted(metrics[shots])
                ],
                "metadata": {"version": 1},
            }
        )
    return files


def group_of(name: str, shots: int) -> str:
    """What all sets with so many exemplars are called together.

    >>> group_of("lab/flan", 5)
    'lab__flan_5shot'
    """
    return f"{name.replace('/', '__')}_{shots}shot"


def _slices(each: WrittenSet) -> Iterator[_Slice]:
    counted, config = each.counted, each.config("generation")
    by_pattern: dict[str | None, list[BoundTemplate]] = {}
    for item in each.of.task.templates:
        if counted.generated[item.id]:
            by_pattern.setdefault(item.template.extract, []).append(item)
    ranked = tuple(item for item in each.of.task.templates if counted.ranked[item.id])
    if ranked:
        yield _Slice(config, True, ranked, (["answer_index", ">=", 0],) if by_pattern else ())
    for number, (_, items) in enumerate(by_pattern.items(), 1):
        filters = [["answer_index", "<", 0]] if ranked else []
        if len(by_pattern) > 1:
            filters.append(["fm_template", "in", [item.id for item in items]])
        suffix = ("_generate" if ranked else "") + (f"_{number}" if len(by_pattern) > 1 else "")
        yield _Slice(config + suffix, False, tuple(items), tuple(filters))


def _config(each: WrittenSet, part: _Slice) -> dict[str, Any]:
    """A task of the harness; its data are read by the tag that `_text` writes before these keys."""
    task, separator = each.of.task, each.of.options.separator
    data = {"filters": list(part.filters)} if part.filters else {}
    config: dict[str, Any] = {
        "dataset_name": each.config("generation"),
        **({"dataset_kwargs": data} if data else {}),
        "test_split": task.split,
        "num_fewshot": 0,
    }
    if part.ranked:
        config |= {
            "output_type": "multiple_choice",
            "doc_to_text": "input",
            "doc_to_choice": "answer_choices",
            "doc_to_target": "answer_index",
            "target_delimiter": separator,
            "metric_list": _metrics(("acc", "acc_norm")),
        }
    else:
        config |= {
            "output_type": "generate_until",
            "doc_to_text": _followed(separator),
            "doc_to_target": "answer",
            "generation_kwargs": _limits(each, part),
            "filter_list": [{"name": _FILTER, "filter": _filter(part.templates[0])}],
            "metric_list": _metrics(("exact_match", *_METRICS.get(task.bound.task.type, ()))),
        }
    told = {"version": 1, "task": task.name, "type": task.bound.task.type, "shots": each.of.shots}
    return {**config, "metadata": told}


def _followed(separator: str) -> str:
    """A template of the input and what stands between it and the answer."""
    if "{" in separator:
        return "{{ input }}{{ " + json.dumps(separator) + " }}"
    return "{{ input }}" + separator


def _limits(each: WrittenSet, part: _Slice) -> dict[str, Any]:
    """A token has at least a byte, so no right answer is cut; an empty line ends an answer that has none."""
    longest = max(each.counted.longest[item.id] for item in part.templates)
    parted = any(item.id in each.counted.parted for item in part.templates)
    return {
        "until": [] if parted else [APART],
        "max_gen_toks": max(_LEAST_TOKENS, longest),
        "do_sample": False,
        "temperature": 0.0,
    }


def _filter(item: BoundTemplate) -> list[dict[str, Any]]:
    pattern = item.template.extract
    if pattern is None:
        return [{"function": "remove_whitespace"}, {"function": "take_first"}]
    try:
        alone = answer_alone(pattern)
    except ValueError as error:
        where = item.where.at("extract")
        raise TemplateError(where.problem(str(error), "write it with the group 'answer' alone")) from None
    return [{"function": "regex", "regex_pattern": alone, "group_select": -1}, {"function": "take_first"}]


def answer_alone(pattern: str) -> str:
    """The same pattern with no group but `answer`; raises `ValueError` where it refers back to another one.

    >>> answer_alone(r"(a|b) is (?P<answer>\\d+)( dollars)?")
    '(?:a|b) is (?P<answer>\\\\d+)(?: dollars)?'
    """
    if re.compile(pattern).groups == 1:
        return pattern
    made: list[str] = []
    listed = False  # between [ and ]
    pieces = re.compile(r"\\.|\[\^?\]?|\(\?P<(\w+)>|\(\?P=|\(\?\(|\(\?|.", re.DOTALL)
    for match in pieces.finditer(pattern):
        piece = match[0]
        if listed:
            listed = piece != "]"
        elif piece[0] == "[":
            listed = True
        elif piece in ("(?P=", "(?(") or (piece[0] == "\\" and piece[1] in "123456789"):
            raise ValueError("the pattern refers back to a group, which lm-evaluation-harness cannot be told")
        elif piece == "(" or (match[1] and match[1] != "answer"):
            piece = "(?:"
        made.append(piece)
    return "".join(made)


def _metrics(names: Sequence[str]) -> list[dict[str, Any]]:
    own = ("bleu", "chrf")
    return [{"metric": n, "aggregation": n if n in own else "mean", "higher_is_better": True} for n in names]


def _text(config: Mapping[str, Any]) -> str:
    name, rest = config["task"], {key: value for key, value in config.items() if key != "task"}
    return f"{_dumped({'task': name})}dataset_path: !function evalset.FOLDER\n{_dumped(rest)}"


class _Dumper(yaml.SafeDumper):
    """Writes texts with line breaks as one line in quotes."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text else None)


_Dumper.add_representer(str, _quoted)


def _dumped(values: Mapping[str, Any]) -> str:
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
