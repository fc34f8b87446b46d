"""Natural Instructions as tasks: types from a table, tags, languages, licence, and a source that stays where it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from flanmix.api import plan_of
from flanmix.errors import SpecError, UsageError
from flanmix.importers import instructions
from flanmix.importers.instructions import ImportedFile, import_instructions, type_of
from flanmix.importers.writing import spec_text
from flanmix.registry import load_registry
from flanmix.spec import Limits, Task
from flanmix.words import TASK_TYPES
from tests.instructions import COUNTING, SHARED, task, write


def imported(folder: Path, **tasks: Any) -> list[ImportedFile]:
    return import_instructions(write(folder / "tasks", tasks), folder / "ours")


def task_of(folder: Path, **changes: Any) -> Task:
    (found,) = imported(folder, task1_a=task(**changes))
    assert found.task is not None
    return found.task


def test_a_task_says_what_its_file_says(tmp_path: Path) -> None:
    assert spec_text(task_of(tmp_path), "Imported.") == (
        "# Imported.\n"
        "task: niv2/task1_a\n"
        "type: reading_comprehension\n"
        'description: "Question Answering: from garden_notes."\n'
        "tags: [natural-instructions, category-question-answering, source-garden-notes, domain-nature, domain-home, "
        "reasoning-numerical-reasoning]\n"
        'source: {files: "../../tasks/task1_a.json", format: natural_instructions}\n'
        'drop: "{{ fault }}"\n'
        "templates: {use: [natural_instructions]}\n"
        "licence: CC BY 4.0\n"
        'citation: "https://example.org/garden"\n'
        "languages: [en]\n"
    )


def test_what_a_file_does_not_say_is_left_open(tmp_path: Path) -> None:
    bare = {key: COUNTING[key] for key in ("Definition", "Positive Examples", "Instances")}
    (found,) = imported(tmp_path, bare=bare)
    assert found.task is not None
    assert (found.task.type, found.task.languages, found.task.citation) == ("natural_instructions", (), None)
    assert found.task.licence == "unknown"


def test_every_type_of_the_table_is_one_that_flanmix_knows() -> None:
    types, languages = instructions._tables()
    assert set(types.values()) <= {*TASK_TYPES, "natural_instructions"}
    assert all(len(code) in (2, 3) for code in languages.values())


def test_the_first_category_with_a_type_gives_it() -> None:
    assert type_of(["Poem Generation", "Translation", "Textual Entailment"]) == "translation"
    assert type_of(["Poem Generation"]) == type_of(["Something New"]) == type_of([]) == "natural_instructions"


def test_a_category_that_nobody_knows_is_noted(tmp_path: Path) -> None:
    (found,) = imported(tmp_path, a=task(Categories=["Juggling"]))
    assert [note.partition(": ")[2] for note in found.notes] == [
        "the category 'Juggling' is not known; it gives no type"
    ]
    assert found.task is not None
    assert "category-juggling" in found.task.tags


def test_languages_are_codes(tmp_path: Path) -> None:
    assert task_of(tmp_path, Input_language=["Spanish"], Output_language=["English"]).languages == ("es", "en")


def test_what_is_left_out_is_noted(tmp_path: Path) -> None:
    spoilt = task(Definition=["RÃ©sumÃ©"])
    more = task(Definition=["One.", "Two."], Positive_Examples=[{"input": "a\r\nb", "output": "c"}])
    found = imported(tmp_path, a=spoilt, b=more)
    assert [each.task and each.task.name for each in found] == [None, "niv2/b"]
    assert [note.partition("/tasks/")[2] for each in found for note in each.notes] == [
        "a.json: is left out: mojibake in the definition",
        "b.json: examples are left out: Positive Examples[0]: CRLF",
        "b.json: the first of 2 definitions is taken",
    ]


def test_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    folder = write(tmp_path / "tasks", {"a": {}, "b": [], "ok": COUNTING, "no name": COUNTING, "sub": COUNTING})
    write(folder / "below", {"sub": COUNTING})
    with pytest.raises(SpecError) as caught:
        import_instructions(folder, tmp_path)
    assert [str(problem).partition("/tasks/")[2] for problem in caught.value.problems] == [
        "a.json:1: there is no key 'Definition' - name files of one Natural Instructions task each",
        "b.json:1: should be an object - look at what the format says in docs/files.md",
        "no name.json: 'no name' cannot be a task's name - name the file with letters, digits and '_'",
        f"sub.json: its task would be called 'niv2/sub', as that of {folder}/below/sub.json",
    ]


def test_a_place_without_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no JSON file below"):
        import_instructions(tmp_path, tmp_path)
    with pytest.raises(UsageError, match="there is no file or folder"):
        import_instructions(tmp_path / "no", tmp_path)


def test_a_file_of_lines_is_one_task_and_a_mixture_of_sizes(tmp_path: Path) -> None:
    example = {"input": "x", "output": "y", "explanation": "z"}
    lines = [{"task": f"t{n}", "definition": "d", "positive_examples": example, "number_examples": n} for n in (3, 9)]
    (tmp_path / "tasks.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (found,) = import_instructions(tmp_path / "tasks.jsonl", tmp_path / "ours")
    assert found.task is not None
    assert found.sizes is not None
    assert (found.task.name, found.sizes.sizes) == ("niv2/worked_examples", {"niv2/t3": 3, "niv2/t9": 9})
    plan = plan_of(found.sizes.model_copy(update={"defaults": Limits(max_rows=5)}), load_registry())
    assert plan.counts == {"niv2/t3": 3, "niv2/t9": 5}


@pytest.mark.skipif(not SHARED.is_file(), reason=f"{SHARED} is not there")
def test_the_real_definitions_have_one_fault_between_them(tmp_path: Path) -> None:
    (found,) = import_instructions(SHARED, tmp_path)
    assert found.sizes is not None
    assert len(found.sizes.sizes) == 1654
    assert [note.partition(": ")[2] for note in found.notes] == [
        "the row of task1334_sqac_answer_generation will be dropped: Positive Examples[0]: mojibake"
    ]
