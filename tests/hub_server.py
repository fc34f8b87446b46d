"""A stand-in for the Hugging Face Hub on loopback, for tests with the real ``datasets`` client.

It answers what ``datasets.load_dataset`` asks for (seen with datasets 5.2, huggingface_hub 2.4). What the
client sends elsewhere (the dataset viewer, S3) is led here too, by proxy variables, recorded and refused: no
test leaves the machine or waits for a name server.

    with HubServer() as hub:
        sha = hub.add("acme/qa", {"README.md": card({"easy": {"train": "easy/*.parquet"}}), ...})
        hub.fail(r"^GET .*parquet$", cut_after=100, times=1)
        done = run_client("import datasets; datasets.load_dataset('acme/qa')", hub.env(tmp_path / "hf"))

huggingface_hub reads its environment when it is imported: always run the client in a fresh process.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess, run
from textwrap import dedent
from typing import Self
from urllib.parse import parse_qs, unquote

_Reply = tuple[int, dict[str, str], bytes]
_ROUTE = re.compile(r"/(?:api/)?datasets/([^/]+(?:/[^/]+)?)(?:/(revision|tree|resolve)/([^/]+)(?:/(.+))?)?")
_SETTINGS = re.compile(r"(HF|HUGGING_?FACE|TRANSFORMERS)_.*|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE)


@dataclass
class _Fault:
    pattern: str
    status: int | None
    cut_after: int | None
    reset: bool
    stall: float
    left: int | None  # None: for ever


class HubServer:
    """Serves dataset repositories held in memory; a context manager.

    ``requests`` lists what was asked: ``"METHOD /path"``, decoded, without the query, with the host if it was
    another's: ``"GET http://datasets-server.127.0.0.1:…/info"``.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._commits: dict[str, dict[str, dict[str, bytes]]] = {}  # repo id -> commit -> path -> content
        self._refs: dict[str, dict[str, str]] = {}  # repo id -> branch or tag -> commit
        self._tokens: dict[str, str] = {}  # gated repo id -> the token that opens it
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("_BoundHandler", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def add(self, repo_id: str, files: Mapping[str, bytes], *, revision: str = "main") -> str:
        """Commit ``files`` as all of a branch, tag or (40 hex digits) commit, and return the commit's sha."""
        digest = sha1(repr((repo_id, sorted(files.items()))).encode()).hexdigest()
        sha = revision if re.fullmatch("[0-9a-f]{40}", revision) else digest
        self._commits.setdefault(repo_id, {})[sha] = dict(files)
        self._refs.setdefault(repo_id, {})[revision] = sha
        return sha

    def gate(self, repo_id: str, token: str = "hf_granted") -> None:
        """Gate a repository's files: 401 without a token, 403 with any other than ``token``."""
        self._tokens[repo_id] = token

    def fail(
        self,
        pattern: str,
        *,
        status: int | None = None,
        cut_after: int | None = None,
        reset: bool = False,
        stall: float = 0,
        times: int | None = None,
    ) -> None:
        """Break the requests whose ``"METHOD /path"`` (as in ``requests``) contains the regex ``pattern``.

        ``status``: answer with that error and ``Retry-After: 0``: where the client retries (408, 429, 5xx) it
        then waits 5 times 1 s, not 1, 2, 4, 8 and 8 s.
        ``cut_after``: send the true headers and so many bytes of the body, then close; never applies to HEAD.
        ``stall``: wait so many seconds first; if nothing else is given, the true answer follows.
        With none of these three, close without an answer. ``reset``: close with RST instead of FIN.
        ``times``: how many requests to break; for ever if not given. The first rule that matches is used.
        """
        self._faults.append(_Fault(pattern, status, cut_after, reset, stall, times))

    def heal(self) -> None:
        """Forget all rules of ``fail``."""
        self._faults = []

    def env(self, home: Path) -> dict[str, str]:
        """The environment for a fresh client process: this one's with all HF and proxy settings replaced."""
        return {name: value for name, value in os.environ.items() if not _SETTINGS.fullmatch(name)} | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # else every load sends a HEAD to s3.amazonaws.com
            "HF_HUB_ETAG_TIMEOUT": "5",
            "HF_HUB_DOWNLOAD_TIMEOUT": "5",
            "HTTP_PROXY": self.url,
            "HTTPS_PROXY": self.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def _note(self, asked: str) -> _Fault | None:
        with self._lock:
            self.requests.append(asked)
            for fault in self._faults:
                spared = fault.cut_after is not None and asked.startswith("HEAD ")
                if fault.left != 0 and not spared and re.search(fault.pattern, asked):
                    fault.left = fault.left and fault.left - 1
                    return fault
        return None

    def _reply(self, path: str, query: str, token: str, span: str) -> _Reply:
        if not (route := _ROUTE.fullmatch(path)):
            return _json(404, "Not part of this Hub")
        repo_id, kind, revision, inner = (unquote(part or "") for part in route.groups())
        if repo_id not in self._commits:
            return _json(404, "Repository not found", "RepoNotFound")
        sha = self._refs[repo_id].get(revision or "main", revision)
        files = self._commits[repo_id].get(sha)
        if files is None:
            return _json(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        if kind == "tree":
            listing = _tree(files, inner, parse_qs(query).get("recursive") == ["true"])
            return _json(200, listing) if listing else _json(404, "No such folder", "EntryNotFound")
        if kind != "resolve":
            return _json(200, {"id": repo_id, "sha": sha, "private": False, "gated": repo_id in self._tokens})
        if token != self._tokens.get(repo_id, token):
            return _json(403 if token else 401, "Access is restricted", "GatedRepo")
        if inner not in files:
            return 404, {"X-Repo-Commit": sha, "X-Error-Code": "EntryNotFound"}, b"Entry not found"
        content = files[inner]
        given = {"X-Repo-Commit": sha, "ETag": f'"{_oid(content)}"', "Accept-Ranges": "bytes"}
        if not (asked := re.fullmatch(r"bytes=(\d+)-(\d*)", span)):
            return 200, given, content
        part = content[int(asked[1]) : int(asked[2]) + 1 if asked[2] else None]
        if not part:
            return 416, given | {"Content-Range": f"bytes */{len(content)}"}, b""
        stop = int(asked[1]) + len(part) - 1
        return 206, given | {"Content-Range": f"bytes {asked[1]}-{stop}/{len(content)}"}, part


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: HubServer

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client went away
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        fault = self.hub._note(f"{self.command} {unquote(path)}")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        status, given, content = self.hub._reply(path, query, token, self.headers.get("Range", ""))
        if fault:
            time.sleep(fault.stall)
            if fault.status is not None:
                missing = "EntryNotFound" if "/resolve/" in path else "RepoNotFound"
                code = {401: "GatedRepo", 403: "GatedRepo", 404: missing}.get(fault.status, "")
                status, given, content = _json(fault.status, "Broken on purpose", code)
            elif fault.cut_after is None and not fault.stall:
                self._hang_up(fault.reset)
                return
        self.send_response(status)
        for name, value in (given | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: fault.cut_after] if fault else content)
        if fault and fault.cut_after is not None:
            self._hang_up(fault.reset)

    def _hang_up(self, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()  # else the server sends FIN first

    do_GET = do_HEAD = do_CONNECT = _serve  # noqa: N815


def card(configs: Mapping[str, Mapping[str, str]], more: str = "") -> bytes:
    """A README.md that names configs, ``{config: {split: path or glob}}``; ``more``: further YAML lines."""
    listed = []
    for name, splits in configs.items():
        files = [{"split": split, "path": path} for split, path in splits.items()]
        listed.append({"config_name": name, "data_files": files})
    return f"---\nconfigs: {json.dumps(listed)}\n{more}\n---\n".encode()


def run_client(code: str, env: Mapping[str, str], *, timeout: float = 120) -> CompletedProcess[str]:
    """Run Python ``code`` (dedented) in a fresh process; its exit status is the caller's to check."""
    command = [sys.executable, "-c", dedent(code)]
    return run(command, env=dict(env), capture_output=True, text=True, timeout=timeout, check=False)


def _oid(content: bytes) -> str:
    return sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


def _tree(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict[str, object]]:
    """What the Hub lists below ``folder`` ("" is the root)."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, dict[str, object]] = {}
    for path, content in sorted(files.items()):
        if path.startswith(prefix):
            steps = path.split("/")
            for depth in range(prefix.count("/") + 1, len(steps)):
                inner = "/".join(steps[:depth])
                found[inner] = {"type": "directory", "oid": _oid(inner.encode()), "size": 0, "path": inner}
            found[path] = {"type": "file", "oid": _oid(content), "size": len(content), "path": path}
    return [entry for path, entry in found.items() if recursive or "/" not in path[len(prefix) :]]


def _json(status: int, value: object, code: str = "") -> _Reply:
    if status < 400:
        return status, {}, json.dumps(value).encode()
    return status, {"X-Error-Code": code, "Retry-After": "0"}, json.dumps({"error": value}).encode()
