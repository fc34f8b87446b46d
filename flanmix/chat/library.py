"""Where chat templates come from: those that ship with flanmix, a file, or a tokenizer's folder."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from flanmix.chat.form import ChatForm
from flanmix.chat.template import ChatTemplate
from flanmix.errors import Problem, SpecError, UsageError, did_you_mean
from flanmix.tokenizing import beside_tokenizer
from flanmix.yamlio import parse, read, read_text

CONFIG, JINJA = "tokenizer_config.json", "chat_template.jinja"


def chat_templates() -> tuple[str, ...]:
    """The names of those that ship.

    >>> chat_templates()
    ('alpaca', 'chatml', 'gemma', 'llama3', 'mistral', 'plain', 'qwen', 'vicuna', 'zephyr')
    """
    folder = files("flanmix.chat") / "templates"
    return tuple(sorted(each.name.removesuffix(".yaml") for each in folder.iterdir() if each.name.endswith(".yaml")))


def load_chat_template(name_or_path: str | Path, *, end: str | None = None, of_tokenizer: bool = False) -> ChatTemplate:
    """One that ships, a YAML file of the same form, or a tokenizer's; raises `UsageError`, `SpecError`, `SourceError`.

    A folder is a tokenizer's; with `of_tokenizer` so is any name of one.

    >>> load_chat_template("chatml").end
    '<|im_end|>'
    """
    if of_tokenizer:
        return _of_tokenizer(name_or_path, end)
    if isinstance(name_or_path, str) and name_or_path in chat_templates():
        file = files("flanmix.chat") / "templates" / f"{name_or_path}.yaml"
        document = read_text(file.read_bytes(), f"{name_or_path}.yaml")
        return ChatTemplate.of_form(parse(document, ChatForm))
    path = Path(name_or_path)
    if path.is_dir():
        return _of_tokenizer(path, end)
    if path.suffix in (".yaml", ".yml") and path.exists():
        return ChatTemplate.of_form(parse(read(path, str(path)), ChatForm))
    hint = did_you_mean(str(name_or_path), chat_templates()) or f"there are {', '.join(chat_templates())}"
    raise UsageError(f"no chat template '{name_or_path}'", hint=f"{hint}; or name a YAML file or a tokenizer's folder")


def end_tokens(tokenizer: str | Path) -> tuple[str | None, str | None]:
    """The tokens at the start and at the end of a text, as a tokenizer's configuration names them; None if none does.

    Raises `SpecError` where it cannot be read.
    """
    config = _config(tokenizer) or {}
    return _token(config.get("bos_token")) or None, _token(config.get("eos_token")) or None


def _config(tokenizer: str | Path) -> dict[str, Any] | None:
    """The configuration of a tokenizer; None where it has none."""
    place = beside_tokenizer(tokenizer, CONFIG)
    if place is None:
        return None
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no object")
    except (OSError, ValueError) as error:
        hint = f"name a tokenizer with a good {CONFIG}, or one without it"
        raise SpecError(Problem(f"cannot be read: {error}", file=str(place), hint=hint)) from error
    return found


def _of_tokenizer(tokenizer: str | Path, end: str | None) -> ChatTemplate:
    """The `chat_template` of a tokenizer, in its configuration or in a file of its own."""
    place = f"{tokenizer}/{CONFIG}" if Path(tokenizer).is_dir() else str(tokenizer)
    config = _config(tokenizer)
    if config is None:
        what, hint = f"has no {CONFIG}", f"name a tokenizer that has one, or use {', '.join(chat_templates())}"
        raise SpecError(Problem(what, file=place, hint=hint))
    own = beside_tokenizer(tokenizer, JINJA)
    text = own.read_text(encoding="utf-8") if own else config.get("chat_template")
    if isinstance(text, list):
        text = next((item["template"] for item in text if item.get("name") == "default"), None)
    eos = _token(config.get("eos_token"))
    if not isinstance(text, str) or not eos:
        missing = "eos_token" if isinstance(text, str) else "chat_template"
        hint = f"use one that ships: {', '.join(chat_templates())}"
        raise SpecError(Problem(f"has no {missing}", file=place, hint=hint))
    return ChatTemplate.of_jinja(text, eos=eos, bos=_token(config.get("bos_token")), end=end, name=str(tokenizer))


def _token(value: Any) -> str:
    """A token as its configuration has it: text, a mapping with the text, or nothing."""
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")
