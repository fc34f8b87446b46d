"""Where chat templates come from: those that ship with flanmix, a file, or a tokenizer's folder."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from flanmix.chat.form import ChatForm
from flanmix.chat.template import ChatTemplate
from flanmix.errors import Problem, SpecError, UsageError, did_you_mean
from flanmix.yamlio import parse, read, read_text

CONFIG, JINJA = "tokenizer_config.json", "chat_template.jinja"


def chat_templates() -> tuple[str, ...]:
    """The names of those that ship.

    >>> chat_templates()
    ('alpaca', 'chatml', 'gemma', 'llama3', 'mistral', 'plain', 'qwen', 'vicuna', 'zephyr')
    """
    folder = files("flanmix.chat") / "templates"
    return tuple(sorted(each.name.removesuffix(".yaml") for each in folder.iterdir() if each.name.endswith(".yaml")))


def load_chat_template(name_or_path: str | Path, *, end: str | None = None) -> ChatTemplate:
    """One that ships, a YAML file of the same form, or a tokenizer's folder; raises `UsageError` or `SpecError`.

    >>> load_chat_template("chatml").end
    '<|im_end|>'
    """
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


def _of_tokenizer(folder: Path, end: str | None) -> ChatTemplate:
    """The `chat_template` of a tokenizer's folder, in its configuration or in a file of its own."""
    place = folder / CONFIG
    try:
        config = json.loads(place.read_text(encoding="utf-8"))
        own = folder / JINJA
        text = own.read_text(encoding="utf-8") if own.exists() else config.get("chat_template")
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, AttributeError) as error:
        hint = f"name a folder that holds a tokenizer and its {CONFIG}"
        raise SpecError(Problem(f"cannot be read: {error}", file=str(place), hint=hint)) from error
    if isinstance(text, list):
        text = next((item["template"] for item in text if item.get("name") == "default"), None)
    eos = _token(config.get("eos_token"))
    if not isinstance(text, str) or not eos:
        missing = "eos_token" if isinstance(text, str) else "chat_template"
        hint = f"use one that ships: {', '.join(chat_templates())}"
        raise SpecError(Problem(f"has no {missing}", file=str(place), hint=hint))
    return ChatTemplate.of_jinja(text, eos=eos, bos=_token(config.get("bos_token")), end=end, name=str(folder))


def _token(value: Any) -> str:
    """A token as its configuration has it: text, a mapping with the text, or nothing."""
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")
