"""The double of the Hub, tried with the real client, and what that client does when the Hub fails.

The exact exceptions are those of datasets 5.2 with huggingface_hub 2.4: flanmix has to recognise them.
"""

from __future__ import annotations

import http.client
import io
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hub_server import HubServer, card, run_client

CLIENT = """
import json, time, datasets

def load(args, kwargs):
    start, out = time.monotonic(), {"rows": [], "files": [], "types": {}, "table": "", "errors": []}
    try:
        data = datasets.load_dataset(*args, **kwargs)
        out["rows"] = data.to_list()
        out["files"] = [file["filename"] for file in data.cache_files]
        out["types"] = {field.name: str(field.type) for field in data.data.table.schema}
        out["table"] = type(data.data).__name__
    except Exception as error:
        while error is not None:  # the chain as a traceback shows it
            kind = type(error)
            out["errors"].append(f"{kind.__module__}.{kind.__qualname__}: {error}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return out | {"seconds": time.monotonic() - start}

print(json.dumps({name: load(*call) for name, call in json.loads(CALLS).items()}))
"""

Call = tuple[tuple[str, ...], dict[str, object]]


@dataclass(frozen=True)
class Outcome:
    rows: list[dict[str, object]]
    files: list[str]
    types: dict[str, str]
    table: str
    errors: list[str]
    seconds: float

    @property
    def texts(self) -> list[object]:
        assert not self.errors, self.errors
        return [row["text"] for row in self.rows]


def call(*args: str, split: str = "train", **kwargs: object) -> Call:
    return args, {"split": split, **kwargs}


def loads(env: Mapping[str, str], **calls: Call) -> dict[str, Outcome]:
    """What ``load_dataset`` gives for each call, all in one fresh process."""
    done = run_client(f"CALLS = {json.dumps(calls)!r}\n{CLIENT}", env)
    assert done.returncode == 0, done.stderr
    return {name: Outcome(**out) for name, out in json.loads(done.stdout).items()}


def parquet(*texts: str, large: bool = False) -> bytes:
    kind = pa.large_string() if large else pa.string()
    written = io.BytesIO()
    pq.write_table(pa.table({"text": pa.array(list(texts), kind)}), written)
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


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One plain request, without the client and without proxies."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@dataclass(frozen=True)
class Healthy:
    outcomes: dict[str, Outcome]
    requests: list[str]
    old: str
    new: str
    home: Path


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Healthy:
    """Every kind of load that a Hub in good health has to serve, in one client process."""
    home = tmp_path_factory.mktemp("hf")
    with HubServer() as server:
        old = server.add("acme/qa", two_configs("old-"))
        new = server.add("acme/qa", two_configs())
        server.add("acme/qa", two_configs("dev-"), revision="dev/next")
        server.add("acme/lines", {"data/train.jsonl": b'{"text": "x", "n": {"k": 1}}\n{"text": "y"}\n'})
        server.add("acme/comma", {"one/train.csv": b"text,n\nx,1\n", "two/train.csv": b"text,n\ny,2\nz,3\n"})
        server.add("acme/large", {"train.parquet": parquet("x", large=True)})
        outcomes = loads(
            server.env(home),
            easy=call("acme/qa", "easy"),
            test=call("acme/qa", "easy", split="test"),
            hard=call("acme/qa", "hard"),
            rows=call("acme/qa", "easy", split="train[1:3]"),
            percent=call("acme/qa", "easy", split="train[:25%]+test"),
            sha=call("acme/qa", "easy", revision=old),
            branch=call("acme/qa", "easy", revision="dev/next"),
            one_file=call("acme/qa", data_files="easy/test.parquet"),
            pattern=call("acme/qa", split="mine", data_files={"mine": "easy/train-*.parquet"}),
            folder=call("acme/qa", data_dir="hard"),
            jsonl=call("acme/lines"),
            csv=call("acme/comma"),
            csv_folder=call("acme/comma", data_dir="two"),
            large=call("acme/large"),
            no_config=call("acme/qa"),
            other_config=call("acme/qa", "nope"),
            other_split=call("acme/qa", "easy", split="nope"),
        )
        return Healthy(outcomes, list(server.requests), old, new, home)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("easy", ["a", "b", "c", "d"]),
        ("test", ["t"]),
        ("hard", ["h"]),
        ("rows", ["b", "c"]),
        ("percent", ["a", "t"]),
        ("sha", ["old-a", "old-b", "old-c", "old-d"]),
        ("branch", ["dev-a", "dev-b", "dev-c", "dev-d"]),
        ("one_file", ["t"]),
        ("pattern", ["a", "b", "c", "d"]),
        ("folder", ["h"]),
        ("jsonl", ["x", "y"]),
        ("csv", ["x", "y", "z"]),
        ("csv_folder", ["y", "z"]),
        ("large", ["x"]),
    ],
)
def test_the_real_client_loads(healthy: Healthy, name: str, texts: list[str]) -> None:
    assert healthy.outcomes[name].texts == texts


def test_cached_files_are_mapped_and_named_by_the_commit(healthy: Healthy) -> None:
    cache = healthy.home / "datasets" / "acme___qa" / "easy" / "0.0.0"
    assert healthy.outcomes["easy"].files == [str(cache / healthy.new / "qa-train.arrow")]
    assert healthy.outcomes["sha"].files == [str(cache / healthy.old / "qa-train.arrow")]
    assert healthy.outcomes["rows"].files == healthy.outcomes["easy"].files
    assert healthy.outcomes["easy"].table == "MemoryMappedTable"
    assert healthy.outcomes["percent"].table == "ConcatenationTable"


def test_string_types_are_those_of_the_source(healthy: Healthy) -> None:
    assert healthy.outcomes["easy"].types == {"text": "string"}
    assert healthy.outcomes["jsonl"].types == {"text": "string", "n": "struct<k: int64>"}
    assert healthy.outcomes["large"].types == {"text": "large_string"}
    assert healthy.outcomes["csv"].types["text"] in {"string", "large_string"}  # pandas decides


def test_errors_of_a_hub_in_good_health(healthy: Healthy) -> None:
    no_config = healthy.outcomes["no_config"].errors
    assert no_config[0].startswith("builtins.ValueError: Config name is missing.\n")
    assert healthy.outcomes["other_config"].errors == [
        "builtins.ValueError: BuilderConfig 'nope' not found. Available: ['easy', 'hard']"
    ]
    assert healthy.outcomes["other_split"].errors == [
        "builtins.ValueError: Unknown split \"nope\". Should be one of ['train', 'test']."
    ]


def test_nothing_is_asked_of_other_hosts_but_the_viewer(healthy: Healthy) -> None:
    elsewhere = {asked for asked in healthy.requests if not asked.split(" ", 1)[1].startswith("/")}
    assert elsewhere
    assert all(asked.startswith("GET http://datasets-server.127.0.0.1:") for asked in elsewhere)


def test_second_load_and_offline_mode_use_the_cache(hub: HubServer, tmp_path: Path) -> None:
    hub.add("acme/qa", two_configs())
    env = hub.env(tmp_path)
    first = loads(env, easy=call("acme/qa", "easy"))["easy"]
    assert "GET /datasets/acme/qa/resolve/main/README.md" in hub.requests

    hub.requests.clear()
    again = loads(env, easy=call("acme/qa", "easy"))["easy"]
    assert (again.rows, again.files) == (first.rows, first.files)
    assert "HEAD /datasets/acme/qa/resolve/main/README.md" in hub.requests
    assert not [asked for asked in hub.requests if asked.startswith("GET /datasets/")]

    hub.requests.clear()
    offline = loads(
        env | {"HF_HUB_OFFLINE": "1"},
        easy=call("acme/qa", "easy"),
        hard=call("acme/qa", "hard"),
        other_revision=call("acme/qa", "easy", revision="f" * 40),
        cold=call("acme/other", "easy"),
    )
    assert hub.requests == []
    assert (offline["easy"].rows, offline["easy"].files) == (first.rows, first.files)
    assert offline["hard"].errors == [
        "builtins.ValueError: Couldn't find cache for acme/qa for config 'hard'\n"
        "Available configs in the cache: ['easy']"
    ]
    assert offline["cold"].errors == [
        "builtins.ConnectionError: Couldn't reach 'acme/other' on the Hub (OfflineModeIsEnabled)"
    ]
    # a trap (huggingface/datasets#7928): the revision is ignored; only the file's path tells
    assert offline["other_revision"].files == first.files


def test_a_failing_hub_with_a_warm_cache_gives_another_revision(hub: HubServer, tmp_path: Path) -> None:
    hub.add("acme/qa", two_configs())
    first = loads(hub.env(tmp_path), easy=call("acme/qa", "easy"))["easy"]
    other = hub.add("acme/qa", two_configs("new-"))
    hub.gate("acme/qa")
    pinned = loads(hub.env(tmp_path), easy=call("acme/qa", "easy", revision=other))["easy"]
    assert pinned.files == first.files
    assert other not in pinned.files[0]


@dataclass(frozen=True)
class Failing:
    outcomes: dict[str, Outcome]
    healed: dict[str, Outcome]
    requests: list[str]


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Failing:
    """A repository for each way to fail, all asked for in one client process; then some again, healed."""
    home = tmp_path_factory.mktemp("hf")
    names = ["gated", "gone", "broken", "unavailable", "cut_once", "cut", "reset", "silent", "slow"]
    with HubServer() as server:
        for name in names:
            server.add(f"acme/{name}", two_configs())
        server.gate("acme/gated")
        server.fail("acme/gone/.*parquet$", status=404)
        server.fail("acme/broken/", status=500)
        server.fail("^GET .*acme/unavailable/tree/", status=503, times=1)
        server.fail("^GET .*acme/cut_once/.*parquet$", cut_after=100, times=1)
        server.fail("^GET .*acme/cut/.*parquet$", cut_after=100)
        server.fail("^GET .*acme/reset/.*parquet$", cut_after=100, reset=True)
        server.fail("^HEAD .*acme/silent/.*parquet$", times=1)
        server.fail("^GET .*acme/slow/.*parquet$", stall=3, times=1)
        env = server.env(home) | {"HF_HUB_DOWNLOAD_TIMEOUT": "1"}
        asked = {name: call(f"acme/{name}", "easy") for name in [*names, "unknown"]}
        asked["revision"] = call("acme/slow", "easy", revision="gone")
        outcomes = loads(env, **asked)
        requests = list(server.requests)
        server.heal()
        again = {name: asked[name] for name in ["cut", "reset", "silent", "broken"]}
        return Failing(outcomes, loads(env, **again), requests)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (
            "unknown",
            "datasets.exceptions.DatasetNotFoundError: "
            "Dataset 'acme/unknown' doesn't exist on the Hub or cannot be accessed.",
        ),
        (
            "revision",
            "datasets.exceptions.DatasetNotFoundError: "
            "Revision 'gone' doesn't exist for dataset 'acme/slow' on the Hub.",
        ),
        (
            "gated",
            "datasets.exceptions.DatasetNotFoundError: "
            "Dataset 'acme/gated' is a gated dataset on the Hub. You must be authenticated to access it.",
        ),
        ("gone", "builtins.FileNotFoundError: 404 Client Error.\n\nEntry Not Found for url: http://127"),
        ("broken", "builtins.FileNotFoundError: Couldn't find any data file at "),
        ("cut", "httpx2.RemoteProtocolError: peer closed connection without sending complete message body"),
        ("reset", "httpx2.ReadError: "),
        ("silent", "httpx2.RemoteProtocolError: Server disconnected without sending a response."),
    ],
)
def test_failures_as_the_client_reports_them(failing: Failing, name: str, error: str) -> None:
    assert error in failing.outcomes[name].errors[0]


def test_the_client_tries_again_where_it_says_so(failing: Failing) -> None:
    for name in ["unavailable", "cut_once", "slow"]:
        assert failing.outcomes[name].texts == ["a", "b", "c", "d"]

    def asked(start: str, end: str) -> int:
        return sum(line.startswith(start) and line.endswith(end) for line in failing.requests)

    assert asked("GET /api/datasets/acme/unavailable/tree/", "/easy") == 2
    assert asked("GET /datasets/acme/cut_once/", "easy/train-0.parquet") == 2
    assert asked("GET /datasets/acme/slow/", "easy/train-0.parquet") == 2
    assert asked("GET /datasets/acme/cut/", "easy/train-0.parquet") == 6
    assert asked("GET /datasets/acme/reset/", "easy/train-0.parquet") == 1
    assert asked("HEAD /datasets/acme/silent/", "easy/train-0.parquet") == 1
    assert asked("HEAD /datasets/acme/broken/", "/README.md") == 7  # once, and then with 5 retries
    assert failing.outcomes["cut"].seconds > 4.5
    assert failing.outcomes["broken"].seconds > 4.5


@pytest.mark.parametrize("name", ["cut", "reset", "silent", "broken"])
def test_a_retry_after_the_failure_succeeds(failing: Failing, name: str) -> None:
    assert failing.healed[name].texts == ["a", "b", "c", "d"]


def test_a_gated_repository_needs_its_token(hub: HubServer, tmp_path: Path) -> None:
    hub.add("acme/qa", two_configs())
    hub.gate("acme/qa", token="hf_right")
    env = hub.env(tmp_path)
    refused = loads(env | {"HF_TOKEN": "hf_wrong"}, easy=call("acme/qa", "easy"))["easy"]
    assert refused.errors == [
        "datasets.exceptions.DatasetNotFoundError: Dataset 'acme/qa' is a gated dataset on the Hub. "
        "Visit the dataset page at https://huggingface.co/datasets/acme/qa to ask for access."
    ]
    granted = loads(env | {"HF_TOKEN": "hf_right"}, easy=call("acme/qa", "easy"))["easy"]
    assert granted.texts == ["a", "b", "c", "d"]


def test_environment_drops_what_it_does_not_set(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid")
    monkeypatch.setenv("FLANMIX_KEPT", "1")
    env = hub.env(tmp_path)
    assert not {"HF_TOKEN", "HF_HUB_OFFLINE", "https_proxy"} & env.keys()
    assert env["FLANMIX_KEPT"] == "1"


def test_ranges(hub: HubServer) -> None:
    sha = hub.add("acme/qa", {"a b/x.txt": b"0123456789"})
    url = f"{hub.url}/datasets/acme/qa/resolve/main/a%20b/x.txt"
    status, headers, body = fetch(url)
    assert (status, body, headers["X-Repo-Commit"]) == (200, b"0123456789", sha)
    assert headers["Content-Length"] == "10"
    assert fetch(url, Range="bytes=2-4")[0::2] == (206, b"234")
    status, headers, body = fetch(url, Range="bytes=7-")
    assert (status, body, headers["Content-Range"]) == (206, b"789", "bytes 7-9/10")
    assert fetch(url, Range="bytes=10-")[0] == 416
    assert fetch(url, method="HEAD")[2] == b""
    assert hub.requests[0] == "GET /datasets/acme/qa/resolve/main/a b/x.txt"


def test_trees(hub: HubServer) -> None:
    hub.add("acme/qa", {"a.txt": b"1", "b/c.txt": b"22", "b/d/e.txt": b"333"}, revision="refs/pr/1")
    url = f"{hub.url}/api/datasets/acme/qa/tree/refs%2Fpr%2F1"

    def listed(tail: str) -> list[tuple[str, str, int]]:
        return [(entry["type"], entry["path"], entry["size"]) for entry in json.loads(fetch(url + tail)[2])]

    assert listed("") == [("file", "a.txt", 1), ("directory", "b", 0)]
    assert listed("/b?recursive=false") == [("file", "b/c.txt", 2), ("directory", "b/d", 0)]
    assert listed("/b%2Fd") == [("file", "b/d/e.txt", 3)]
    assert [path for _, path, _ in listed("?recursive=true")] == ["a.txt", "b", "b/c.txt", "b/d", "b/d/e.txt"]
    assert fetch(url + "/none")[0] == 404
    assert fetch(url.replace("pr", "other"))[1]["X-Error-Code"] == "RevisionNotFound"


def test_rules_of_failure_count_down_and_are_forgotten(hub: HubServer) -> None:
    hub.add("acme/qa", {"x.txt": b"x"})
    url = f"{hub.url}/datasets/acme/qa/resolve/main/x.txt"
    hub.fail("x.txt$", status=500, times=2)
    hub.fail("x.txt$", status=404, times=1)
    status, headers, _ = fetch(url)
    assert (status, headers["Retry-After"]) == (500, "0")
    assert [fetch(url)[0] for _ in range(3)] == [500, 404, 200]
    hub.fail("", status=403)
    assert fetch(hub.url + "/api/datasets/acme/qa")[0] == 403
    hub.heal()
    assert json.loads(fetch(hub.url + "/api/datasets/acme/qa")[2])["id"] == "acme/qa"


def test_a_cut_leaves_head_alone(hub: HubServer) -> None:
    hub.add("acme/qa", {"x.txt": b"0123456789"})
    url = f"{hub.url}/datasets/acme/qa/resolve/main/x.txt"
    hub.fail("x.txt$", cut_after=4, times=1)
    assert fetch(url, method="HEAD")[0] == 200
    with pytest.raises(http.client.IncompleteRead) as cut:
        fetch(url)
    assert cut.value.partial == b"0123"
    assert fetch(url)[2] == b"0123456789"


def test_a_given_sha_is_kept_and_a_computed_one_depends_on_the_content(hub: HubServer) -> None:
    assert hub.add("acme/qa", {"x": b"1"}, revision="a" * 40) == "a" * 40
    one, two = hub.add("acme/qa", {"x": b"1"}), hub.add("acme/qa", {"x": b"2"})
    assert one != two
    assert hub.add("acme/qa", {"x": b"1"}, revision="v1") == one
    for revision, content in {"a" * 40: b"1", one: b"1", two: b"2", "main": b"2", "v1": b"1"}.items():
        assert fetch(f"{hub.url}/datasets/acme/qa/resolve/{revision}/x")[2] == content


def test_a_failing_client_is_reported_not_raised() -> None:
    done = run_client("import sys; print('out'); sys.exit('bad')", {})
    assert (done.returncode, done.stdout, done.stderr) == (1, "out\n", "bad\n")
    assert run_client("import sys; print(sys.executable)", {}).stdout.strip() == sys.executable
