"""Pages that stand alone, in place of what is printed."""

from pathlib import Path
from typing import Any

from flanmix.errors import UsageError


def refuse_page(file: str | None) -> None:
    """Raise `UsageError` where no page can be written to a file of this name."""
    if file is not None and (Path(file).is_dir() or not Path(file).parent.is_dir()):
        what = "is a folder" if Path(file).is_dir() else "is in a folder that is not there"
        raise UsageError(f"{file} {what}", hint="name a file in a folder that is there")


def write_page(file: str, title: str, shown: Any) -> None:
    """Write what a notebook would show as a page; raises `UsageError`."""
    page = f"<!doctype html><meta charset=utf-8><title>{title}</title>{shown._repr_html_()}"
    try:
        Path(file).write_text(page, "utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", hint="name another file") from error
