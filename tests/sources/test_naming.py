"""What identifies a source, whatever kind it is of."""

from typing import Any

import pytest

from flanmix.sources.naming import name_of
from flanmix.spec import FileSource, GeneratorSource, HubSource, Source, TableSource


def made(draw: Any) -> dict[str, Any]:
    """A generator of a user's own."""
    return {"question": "1 + 1?", "answer": "2"}


@pytest.mark.parametrize(
    ("source", "split", "wanted"),
    [
        (HubSource(path="rotten_tomatoes"), "train", ("rotten_tomatoes", "train")),
        (HubSource(path="glue", name="rte", revision="abc"), "train", ("glue:rte", "train")),
        (
            HubSource(path="glue", name="mnli", split={"test": "validation_matched"}),
            "test",
            ("glue:mnli", "validation_matched"),
        ),
        (HubSource(path="json", data_files="a.json"), "train", ("json:a.json", "train")),
        (HubSource(path="json", data_files={"train": ("a.json", "b.json")}), "train", ("json:a.json, b.json", "train")),
        (HubSource(path="imagefolder", data_dir="./pictures"), "train", ("imagefolder:./pictures", "train")),
        (FileSource(files="../rows/*.jsonl"), "train", ("../rows/*.jsonl", "train")),
        (FileSource(files=("a.csv", "b.csv")), "train", ("a.csv, b.csv", "train")),
        (FileSource(files={"train": "a.csv", "test": ("b.csv", "c.csv")}), "test", ("b.csv, c.csv", "test")),
        (GeneratorSource(generator="dates/weekday", rows=5), "train", ("dates/weekday", "train")),
        (GeneratorSource(generator=made, rows=5), "train", ("made", "train")),
        (TableSource(table=[{"a": 1}]), "train", ("memory", "train")),
    ],
)
def test_a_source_has_the_name_that_its_task_gives_it(source: Source, split: str, wanted: tuple[str, str]) -> None:
    assert name_of(source, split) == wanted
