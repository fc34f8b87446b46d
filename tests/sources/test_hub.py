"""Sources of the Hub through the whole path, from YAML to prepared rows, with the real client and a double of the Hub.

One client process serves many tasks: it costs about two seconds to start.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import flanmix
from flanmix.sources.hub import _explained
from tests.hub_server import HubServer, card, run_client

CLIENT = """
import json, os, warnings
import pyarrow as pa
from flanmix.errors import FlanmixError
from flanmix.prepare import prepare
from flanmix.registry import load_registry

def tell(bound, split):
    out = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            prepared = prepare(bound, split)
            table = pa.ipc.open_file(str(prepared.file)).read_all()
            out["rows"] = [list(row.values()) for row in table.drop_columns(["fm_row", "fm_guard"]).to_pylist()]
            out["digest"], out["dropped"] = prepared.digest, dict(prepared.dropped)
        except FlanmixError as error:
            out["error"] = str(error)
    return out | {"warnings": [str(warning.message) for warning in caught]}

os.chdir(ELSEWHERE)
registry = load_registry(FOLDER, bundled=False, plugins=False)
told = {name: tell(registry[name], "train") for name in json.loads(NAMES)}
print("TOLD" + json.dumps(told, default=repr))
"""


@dataclass(frozen=True)
class Told:
    """What became of one task."""

    rows: list[list[object]] = field(default_factory=list)
    digest: str | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    error: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def texts(self) -> object:
        """The rows' single field joined, or the error."""
        return " ".join(str(row[0]) for row in self.rows) or self.error

    @property
    def news(self) -> str:
        """The one warning, in short."""
        assert len(self.warnings) == 1, self
        assert "\n" not in self.warnings[0]
        taken = re.sub("commit [0-9a-f]{40} of '(easy|default)' is taken from the cache", "TAKEN", self.warnings[0])
        return re.sub("or set `revision: [0-9a-f]{40}`", "PIN", taken)

    @property
    def line(self) -> str:
        """The error as one line without the place in the YAML file that it must start with."""
        place, _, rest = self.error.partition(": source: ")
        assert place.endswith(".yaml:3"), self
        assert "\n" not in rest
        return rest


@dataclass(frozen=True)
class Place:
    """A folder of tasks, and what a user's machine has: a working directory, caches and an environment."""

    folder: Path
    elsewhere: Path
    env: dict[str, str] = field(repr=False)

    def task(self, name: str, /, *, says: str = "text", fields: object = None, **source: object) -> None:
        """Write a task with one template, which uses the field `says`."""
        template = {"name": "say", "input": f"{{{{ {says} }}}}", "target": f"{{{{ {says} }}}}"}
        task = {"task": name, "type": "nli", "source": source, "fields": fields, "templates": [template]}
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(task, sort_keys=False))

    def tell(self, *names: str, **env: str) -> dict[str, Told]:
        """Prepare these tasks (or all) in their order, in one fresh process."""
        listed = list(names) or sorted(file.stem for file in self.folder.glob("*.yaml"))
        given = str(self.folder), str(self.elsewhere), json.dumps(listed)
        code = f"FOLDER, ELSEWHERE, NAMES = {given!r}\n{CLIENT}"
        done = run_client(code, self.env | env)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.partition("TOLD")[2])
        return {name: Told(**out) for name, out in told.items()}

    def kept(self) -> list[str]:
        """What flanmix's cache holds."""
        return sorted(file.name for file in Path(self.env["FLANMIX_CACHE"]).rglob("*") if file.is_file())


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def place(hub: HubServer, tmp_path: Path) -> Place:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "elsewhere").mkdir()
    mine = {"FLANMIX_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(Path(flanmix.__file__).parents[1])}
    return Place(tmp_path / "tasks", tmp_path / "elsewhere", hub.env(tmp_path / "hf") | mine)


def parquet(*texts: str, features: Mapping[str, object] | None = None, **columns: Sequence[object]) -> bytes:
    table = pa.table({"text": list(texts), **columns} if texts else dict(columns))
    if features:
        meta = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(meta)
    written = io.BytesIO()
    pq.write_table(table, written)
    return written.getvalue()


def two_configs(prefix: str = "") -> dict[str, bytes]:
    easy = {"train": "easy/train-*.parquet", "test": "easy/test.parquet"}
    return {
        "README.md": card({"easy": easy, "hard": {"train": "hard/train.parquet"}}),
        "easy/train-0.parquet": parquet(prefix + "a", prefix + "b"),
        "easy/train-1.parquet": parquet(prefix + "c", prefix + "d"),
        "easy/test.parquet": parquet(prefix + "t"),
        "hard/train.parquet": parquet(prefix + "h"),
    }


def test_what_a_hub_in_good_health_gives(hub: HubServer, place: Place) -> None:
    old = hub.add("acme/qa", two_configs("old-"))
    hub.add("acme/qa", two_configs("dev-"), revision="dev/next")
    hub.add("acme/qa", two_configs())
    local = place.elsewhere / "acme" / "qa"  # of the same name, in the working directory
    local.mkdir(parents=True)
    (local / "train.parquet").write_bytes(parquet("local"))
    hub.add("acme/lines", {"one/a.jsonl": b'{"text": "x"}\n', "two/b.csv": b"text,n\ny,2\nz,3\n"})
    easy = {"path": "acme/qa", "name": "easy"}
    place.task("easy", **easy)
    place.task("hard", path="acme/qa", name="hard")
    place.task("rows", **easy, split={"train": "train[1:3]"})
    place.task("percent", **easy, split={"train": "train[:25%]+test"})
    place.task("other", **easy, split={"train": "test"})
    place.task("pin", **easy, revision=old)
    place.task("branch", **easy, revision="dev/next")
    place.task("file", path="acme/qa", data_files="easy/test.parquet")
    place.task("files", path="acme/qa", data_files=["hard/*.parquet", "easy/test.parquet"])
    place.task("split_files", path="acme/qa", data_files={"mine": ["easy/train-*"]}, split={"train": "mine"})
    place.task("folder", path="acme/qa", data_dir="hard")
    place.task("csv", path="acme/lines", data_dir="two")
    hub.add("acme/gated", {"train.parquet": parquet("g")})
    hub.gate("acme/gated", token="hf_right")
    place.task("gated", path="acme/gated")
    told = place.tell(HF_TOKEN="hf_right")
    assert {name: out.texts for name, out in told.items()} == {
        "easy": "a b c d",
        "hard": "h",
        "rows": "b c",
        "percent": "a t",
        "other": "t",
        "pin": "old-a old-b old-c old-d",
        "branch": "dev-a dev-b dev-c dev-d",
        "file": "t",
        "files": "h t",
        "split_files": "a b c d",
        "folder": "h",
        "csv": "y z",
        "gated": "g",
    }
    assert not any(out.warnings for out in told.values())
    digests = {name: out.digest for name, out in told.items()}
    assert digests.pop("folder") == digests["hard"]  # another way to the same rows
    assert len(set(digests.values())) == len(digests)


def test_features(hub: HubServer, place: Place) -> None:
    text = {"dtype": "string", "_type": "Value"}
    binary = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    image = pa.array([{"bytes": b"no image", "path": "a.png"}, None], binary)
    answers = [{"text": ["one", "1"], "answer_start": [3, 5]}, {"text": [], "answer_start": []}]
    label = {"names": ["no", "yes"], "_type": "ClassLabel"}
    number = {"dtype": "int32", "_type": "Value"}
    features = {
        "text": text,
        "label": label,
        "labels": {"feature": label, "_type": "Sequence"},
        "answers": {"feature": {"text": text, "answer_start": number}, "_type": "Sequence"},
        "nothing": {"dtype": "null", "_type": "Value"},
        "image": {"_type": "Image"},
        "sound": {"_type": "Audio"},
        "grid": {"shape": [2, 2], "dtype": "int64", "_type": "Array2D"},
    }
    content = parquet(
        "a",
        "b",
        features=features,
        label=[1, 0],
        labels=[[0, 1], []],
        answers=answers,
        nothing=pa.nulls(2),
        image=image,
        sound=image,
        grid=[[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
    )
    hub.add("acme/all", {"train.parquet": content})
    place.task("label", path="acme/all", says="label")
    place.task("labels", path="acme/all", says="labels")
    place.task("grid", path="acme/all", says="grid")
    place.task("nothing", path="acme/all", says="nothing")
    place.task("image", path="acme/all", says="image")
    place.task("answers", path="acme/all", says="answer", fields={"answer": "answers.text"})
    told = place.tell()
    assert {name: out.rows or out.line for name, out in told.items()} == {
        "label": [[1], [0]],
        "labels": [[[0, 1]], [[]]],
        "grid": [[[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]]],
        "nothing": "acme/all: has no usable rows - of 2 rows none is usable (no value for 'nothing': 2)",
        "image": [[{"bytes": "b'no image'", "path": "a.png"}]],
        "answers": [[["one", "1"]], [[]]],
    }


def test_what_cannot_be_read_is_one_line(hub: HubServer, place: Place) -> None:
    easy = {"name": "easy"}
    for name in ["qa", "gated", "gone", "later", "reset", "cut"]:
        hub.add(f"acme/{name}", two_configs())
    hub.gate("acme/gated")
    hub.fail("acme/gone/.*parquet$", status=404)
    hub.fail("acme/later/", status=500)
    hub.fail("^GET .*acme/reset/.*parquet$", cut_after=100, reset=True)
    hub.fail("^GET .*acme/cut/.*train-1.parquet$", cut_after=100)
    hub.add("acme/script", {"script.py": b"raise SystemExit"})
    hub.add("acme/empty", {"README.md": b""})
    hub.add("acme/mixed", {"a.jsonl": b'{"a": 1}\n', "b.jsonl": b'{"b": 1}\n'})
    hub.add("acme/broken", {"a.parquet": b"no parquet"})
    for name in ["gated", "gone", "later", "reset", "cut"]:
        place.task(name, path=f"acme/{name}", **easy)
    for name in ["script", "empty", "mixed", "broken", "unknown"]:
        place.task(name, path=f"acme/{name}")
    place.task("one_word", path="one_word")
    place.task("deep", path="acme/qa/easy")
    place.task("odd", path="acme/q a")
    place.task("revision", path="acme/qa", **easy, revision="v1")
    place.task("no_config", path="acme/qa")
    place.task("other_config", path="acme/qa", name="eazy")
    place.task("far_config", path="acme/qa", name="x")
    place.task("other_split", path="acme/qa", **easy, split={"train": "trian[:10%]+test"})
    place.task("bad_split", path="acme/qa", **easy, split={"train": "train[1:2"})
    place.task("no_train", path="acme/qa", **easy, split={"trian": "train"})
    place.task("warm", path="acme/qa", **easy)
    place.task("x_files", path="acme/qa", data_files="esay/*.parquet")  # with a warm cache by now
    place.task("x_file", path="acme/qa", data_files="esay.parquet")
    place.task("x_dir", path="acme/qa", data_dir="esay")
    told = place.tell()
    assert told.pop("warm").texts == "a b c d"
    no_files = "no data files are there - correct or add 'data_files' or 'data_dir'"
    look = "look at what 'source' says, and at the files that it leads to"
    log_in = "log in with `hf auth login`"
    no_such = f"the Hub shows no such dataset - correct 'path' (a folder's begins with ./), or {log_in}"
    assert {name: out.line.replace("cannot be read: ", "") for name, out in told.items()} == {
        "gated": f"acme/gated: it is gated - ask for access on its page, and {log_in}",
        "gone": "acme/gone: its file 'train-0.parquet' is not there - try again, or name another revision",
        "later": "acme/later: the Hub answers with error 500 - try again later",
        "reset": "acme/reset: the connection broke: [Errno 104] Connection reset by peer - try again",
        "cut": "acme/cut: the connection broke: peer closed connection without sending complete message body "
        "(received 100 bytes, expected 418) - try again",
        "script": "acme/script: it is a loading script (script.py), which is never run - look for it as Parquet",
        "empty": f"acme/empty: {no_files}",
        "mixed": "acme/mixed: CastError: Couldn't cast b: int64 a: int64 to {'a': Value('int64')} because column names "
        f"don't match - {look}",
        "broken": "acme/broken: ArrowInvalid: Parquet magic bytes not found in footer. Either the file is corrupted or "
        f"this is not a parquet file. - {look}",
        "unknown": f"acme/unknown: {no_such}",
        "one_word": f"one_word: {no_such}",
        "deep": f"acme/qa/easy: {no_such}",
        "odd": f"acme/q a: {no_such}",
        "revision": "acme/qa: the Hub has no revision 'v1' of it - name a branch, tag or commit of it",
        "no_config": "acme/qa: 'name' does not say which config - there are easy, hard",
        "other_config": "acme/qa: it has no config 'eazy' - did you mean 'easy'?",
        "far_config": "acme/qa: it has no config 'x' - there are easy, hard",
        "other_split": "acme/qa: it has no split 'trian' - did you mean 'train'?",
        "bad_split": f"acme/qa: ValueError: Unrecognized instruction format: train[1:2 - {look}",
        "no_train": "acme/qa: no split 'train' in 'split' - did you mean 'trian'?",
        "x_files": f"acme/qa: {no_files}",
        "x_file": "acme/qa: no file is 'esay.parquet' - correct 'data_files' or 'data_dir'",
        "x_dir": f"acme/qa: {no_files}",
    }
    assert len(kept := place.kept()) == 2  # of the one task that could be read

    hub.heal()
    wrong = "hf_wrongwrongwrongwrongwrong"
    again = place.tell("later", "reset", "cut", "gone", "gated", HF_TOKEN=wrong)
    assert again.pop("gated").line == told["gated"].line
    assert {name: out.texts for name, out in again.items()} == dict.fromkeys(again, "a b c d")
    assert place.kept() == kept  # these are the same rows


def test_a_warm_cache(hub: HubServer, place: Place) -> None:
    """It stands in for a Hub that is not asked, or fails, but never silently and never for another commit."""
    old = hub.add("acme/qa", two_configs("old-"))
    hub.add("acme/qa", two_configs("dev-"), revision="dev/next")
    new = hub.add("acme/qa", two_configs("new-"))
    hub.add("acme/lone", {"train.parquet": parquet("x")})
    easy = {"path": "acme/qa", "name": "easy"}
    place.task("pin_old", **easy, revision=old)
    place.task("branch", **easy, revision="dev/next")
    place.task("hard", path="acme/qa", name="hard")
    place.task("files", path="acme/qa", data_files="easy/test.parquet")
    place.task("lone", path="acme/lone")
    for name in ["gated", "gone", "later", "refused", "qa"]:
        hub.add(f"acme/{name}", two_configs("new-"))
        place.task(name, path=f"acme/{name}", name="easy")
    told = place.tell("branch", "pin_old", "hard", "files", "lone", "gated", "gone", "later", "refused", "qa")
    assert not any(out.error or out.warnings for out in told.values())

    sha = hub.add("acme/killed", two_configs())
    place.task("killed", path="acme/killed", name="easy")
    killed = Path(place.env["HF_HOME"], "datasets/acme___killed/easy/0.0.0", f"{sha}.incomplete")
    killed.mkdir(parents=True)
    place.task("pin_new", **easy, revision=new)
    place.task("cold", path="acme/cold", name="easy")
    place.task("no_name", path="acme/qa")
    place.task("other_pin", **easy, revision="f" * 40)
    place.task("other_tag", **easy, revision="v1")
    place.task("other_config", path="acme/qa", name="eazy")
    place.task("other_split", **easy, split={"train": "trian"})
    hub.requests.clear()
    told = place.tell(HF_HUB_OFFLINE="1")
    assert not hub.requests
    assert {name: out.texts for name, out in told.items() if not out.error} == {
        "branch": "dev-a dev-b dev-c dev-d",
        "hard": "new-h",
        "lone": "x",
        "pin_new": "new-a new-b new-c new-d",
        "pin_old": "old-a old-b old-c old-d",
        **dict.fromkeys(["qa", "gated", "gone", "later", "refused"], "new-a new-b new-c new-d"),
    }
    why = "the Hub is not asked while HF_HUB_OFFLINE is set - unset HF_HUB_OFFLINE and go online"
    assert {told[name].news for name in ["qa", "branch"]} == {f"acme/qa: TAKEN: {why}, PIN"}
    assert told["pin_new"].warnings == told["pin_old"].warnings == []
    assert {name: out.line.replace("cannot be read: ", "") for name, out in told.items() if out.error} == {
        "cold": f"acme/cold: {why}",
        "files": f"acme/qa: {why}",
        "killed": f"acme/killed: a load was cut off and left {killed} - go online, or remove that folder",
        "no_name": "acme/qa: 'name' does not say which config - there are easy, hard",
        "other_config": f"acme/qa: {why}",
        "other_pin": f"acme/qa: the cache holds commit {new}, not {'f' * 40}: {why}",
        "other_split": "acme/qa: it has no split 'trian' - did you mean 'train'?",
        "other_tag": f"acme/qa: the cache holds commit {new}, not v1: {why}",
    }

    kept = hub.add("acme/gated", two_configs("new-"))
    moved = hub.add("acme/gated", two_configs("moved-"))
    hub.gate("acme/gated")
    hub.fail("acme/gone", status=404)
    hub.fail("acme/later/tree", status=500)
    hub.fail("acme/refused")
    place.task("pin_gated", path="acme/gated", name="easy", revision=moved)
    told = place.tell("killed", "qa", "gated", "gone", "later", "refused", "pin_gated")
    assert told.pop("killed").texts == "a b c d"
    log_in = "log in with `hf auth login`"
    gated = f"it is gated - ask for access on its page, and {log_in}"
    assert told.pop("pin_gated").line == (
        f"acme/gated: cannot be read: the cache holds commit {kept}, not {moved}: {gated}"
    )
    assert {out.texts for out in told.values()} == {"new-a new-b new-c new-d"}
    assert told.pop("qa").warnings == []
    assert {name: out.news for name, out in told.items()} == {
        "gated": f"acme/gated: TAKEN: {gated}, PIN",
        "gone": "acme/gone: TAKEN: the Hub shows no such dataset - "
        f"correct 'path' (a folder's begins with ./), or {log_in}, PIN",
        "later": "acme/later: TAKEN: the Hub answers with error 500 - try again later, PIN",
        "refused": "acme/refused: TAKEN: the connection broke: Server disconnected without sending a response - "
        "try again, PIN",
    }


def test_folders_and_files(place: Place) -> None:
    for name in ["one", "two"]:  # equal by name and card, which is all that the cache of `datasets` looks at
        (place.folder / name / "data").mkdir(parents=True)
        (place.folder / name / "data" / "README.md").write_bytes(card({"easy": {"train": "*.parquet"}}))
        (place.folder / name / "data" / "x.parquet").write_bytes(parquet(name))
    (place.folder / "saved").mkdir()
    (place.folder / "saved" / "state.json").write_text("{}")
    place.task("one", path="./one/data")
    place.task("two", path=str(place.folder / "two" / "data"))
    place.task("other", path="./one/data", name="eazy")
    place.task("plain", path="./two", data_dir="data")
    place.task("files", path="./two", data_files={"train": "data/*.parquet"})
    place.task("builder", path="parquet", data_files="one/data/x.parquet")
    place.task("builder_dir", path="parquet", data_dir="one")
    place.task("builder_both", path="parquet", data_dir="two", data_files=["data/x.parquet"])
    place.task("builder_none", path="parquet")
    place.task("absent_file", path="json", data_files="one/nope.json")
    place.task("absent", path="./three")
    place.task("saved", path="./saved")
    place.task("revision", path="./one/data", revision="main")
    told = place.tell(HF_HUB_OFFLINE="1")
    assert {name: out.texts for name, out in told.items() if not out.error} == {
        "one": "one",
        "two": "two",
        "plain": "two",
        "files": "two",
        "builder": "one",
        "builder_dir": "one",
        "builder_both": "two",
    }
    assert {name: out.line for name, out in told.items() if out.error} == {
        "other": "./one/data: cannot be read: it has no config 'eazy' - did you mean 'easy'?",
        "builder_none": "parquet: reads files, and none are named - name them in 'data_files'",
        "absent_file": f"json: cannot be read: no file is '{place.folder}/one/nope.json' - "
        "correct 'data_files' or 'data_dir'",
        "absent": f"./three: is no folder - a path is relative to {place.folder}",
        "saved": "./saved: is from save_to_disk - name its .arrow files in 'files'",
        "revision": "./one/data: 'revision' is for datasets of the Hub - leave it out",
    }
    (place.folder / "one" / "data" / "x.parquet").write_bytes(parquet("edited"))
    told = place.tell("one", "builder", HF_HUB_OFFLINE="1")
    assert {name: out.texts for name, out in told.items()} == {"one": "edited", "builder": "edited"}


def test_rows_stay_in_the_file(hub: HubServer, place: Place) -> None:
    """Not read into memory, even where `datasets` is told to: there would be no file then to know the rows by."""
    hub.add("acme/big", {"train.parquet": parquet(*(f"{n:09}" * 100 for n in range(20_000)))})
    code = """
    import pyarrow as pa
    from flanmix.sources import open_source
    from flanmix.spec import HubSource
    rows = open_source(HubSource(path="acme/big", split={"train": "train[5:]+train[:5]"}))
    print(pa.total_allocated_bytes(), sum(len(batch) for batch in rows.batches()), rows.identity)
    """
    done = run_client(code, place.env | {"HF_DATASETS_IN_MEMORY_MAX_SIZE": "1000000000"})
    assert done.returncode == 0, done.stderr
    held, count, identity = done.stdout.split()
    assert int(held) < 1 << 20
    assert int(count) == 20_000
    assert re.fullmatch("[0-9a-f]{64}", identity)


class HfHubHTTPError(Exception):
    """Looks like the client's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.response = type("Response", (), {"status_code": status})


class DatasetGenerationError(Exception):
    """Looks like the client's."""


UNREACHED = ConnectionError("Couldn't reach 'acme/qa' on the Hub (ConnectError)")
SIGNED = OSError("GET https://me:secret@cdn.hf.co/x.parquet?Policy=secret&Signature=secret (hf_secretsecretsecret)")


@pytest.mark.parametrize(
    ("error", "why", "hint"),
    [
        (HfHubHTTPError(503, "Server error"), "the Hub answers with error 503", "try again later"),
        (HfHubHTTPError(401, "Invalid user token."), "the Hub shows no such dataset", "`hf auth login`"),
        (UNREACHED, "the Hub cannot be reached", "go online"),
        (TimeoutError("timed out"), "the Hub cannot be reached", "go online"),
        (ConnectionResetError(104, "Reset"), "the connection broke: [Errno 104] Reset", "try again"),
        (RuntimeError("a\n\n  b {c} %s"), "RuntimeError: a b {c} %s", "look at"),
        (SIGNED, "OSError: GET https://cdn.hf.co/x.parquet ()", "look at"),
    ],
)
def test_explanations(error: Exception, why: str, hint: str) -> None:
    told = _explained(error)
    assert told[0] == why
    assert hint in told[1]


def test_the_cause_is_told_where_an_error_says_little() -> None:
    outer = DatasetGenerationError("An error occurred while generating the dataset")
    outer.__cause__ = ValueError("column b is not there")
    assert _explained(outer)[0] == "ValueError: column b is not there"
