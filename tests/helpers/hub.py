"""The Hugging Face hub on this machine, as far as its client asks it: repositories, commits, large files, tokens."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_of_alice"
USER = "alice"


@dataclass
class Repository:
    """`branches` name commits, and `commits` hold the files of each. An empty repository has one commit."""

    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commit("main", {}, "initial commit")

    def commit(self, branch: str, files: dict[str, bytes], message: str) -> str:
        digest = hashlib.sha1(repr((len(self.commits), message, sorted(files.items()))).encode()).hexdigest()
        self.commits[digest], self.branches[branch] = files, digest
        self.messages.append(message)
        return digest

    def find(self, revision: str) -> str | None:
        return self.branches.get(revision, revision if revision in self.commits else None)


@dataclass
class Hub:
    """`lies` holds other bytes to send for a file, `sizes` the size to announce; `cuts`, after how many bytes of a file
    the connection closes; `refuses`, the status with which requests are answered whose "METHOD path" has a text."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lies: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    refuses: dict[str, int] = field(default_factory=dict)

    def give(self, name: str, files: dict[str, bytes], *, branch: str = "main", private: bool = False) -> str:
        """Put files into a repository, and say their commit."""
        repository = self.repositories.setdefault(name, Repository(private=private))
        return repository.commit(branch, files, "given")

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        repository = self.repositories[name]
        return repository.commits[repository.branches.get(revision, revision)]


def _is_large(file: str) -> bool:
    return file.endswith((".safetensors", ".bin", ".pth"))


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815  as the standard library calls them

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = f"{self.command} {path}"
        self.hub.asked.append(asked)
        for text, status in self.hub.refuses.items():
            if text in asked:
                return self._json({"error": "refused"}, status=status)
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if parts[0] == "blobs" and self.command == "PUT":
            self.hub.blobs[parts[1]] = body
            return self._json({})
        if parts[0] == "blobs":
            assert "Authorization" not in self.headers
            return self._file(parts[2], self.hub.blobs[parts[1]], {})
        name = "/".join(parts[2:4]) if parts[:2] == ["api", "models"] else "/".join(parts[:2])
        name = name.removesuffix(".git")
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not self._knows_token()):
            headers = {"X-Error-Code": "RepoNotFound"}
            return self._json({"error": "Repository not found"}, status=404 if self._knows_token() else 401, **headers)
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if parts[0] == "api":
            return self._of_model(name, repository, parts[4:], body)
        return self._resolve(repository, "/".join(parts[3:-1]), parts[-1])

    def _knows_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if not self._knows_token():
            message = "Invalid credentials in Authorization header"
            return self._json({"error": message}, status=401, **{"X-Error-Message": message})
        if asked["organization"] != USER:
            return self._json({"error": "no rights"}, status=403, **{"X-Error-Message": "You don't have the rights"})
        if name in self.hub.repositories:
            return self._json({"error": "exists", "url": f"{self.hub.url}/{name}"}, status=409)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.repositories[name] = Repository(private=private)
        return self._json({"url": f"{self.hub.url}/{name}"})

    def _of_model(self, name: str, repository: Repository, rest: list[str], body: bytes) -> None:
        verb, revision = (rest[0], "/".join(rest[1:])) if rest else ("revision", "main")
        if verb in ("preupload", "commit", "branch") and not self._knows_token():
            return self._json({"error": "no"}, status=401, **{"X-Error-Code": "RepoNotFound"})
        if verb in ("preupload", "commit", "branch") and not name.startswith(f"{USER}/"):
            return self._json({"error": "no"}, status=403, **{"X-Error-Message": "You don't have the rights"})
        if verb == "branch":
            start = json.loads(body or b"{}").get("startingPoint") or "main"
            if revision in repository.branches:
                return self._json({"error": "Reference already exists"}, status=409)
            repository.branches[revision] = repository.branches[start]
            return self._json({})
        commit = repository.find(revision)
        if commit is None:
            return self._json({"error": "no"}, status=404, **{"X-Error-Code": "RevisionNotFound"})
        if verb == "preupload":
            modes = [
                {"path": each["path"], "uploadMode": "lfs" if _is_large(each["path"]) else "regular"}
                for each in json.loads(body)["files"]
            ]
            return self._json({"files": [{**each, "shouldIgnore": False} for each in modes]})
        if verb == "commit":
            return self._commit(name, repository, revision, body)
        return self._info(name, repository, commit)

    def _info(self, name: str, repository: Repository, commit: str) -> None:
        files = repository.commits[commit]
        card = files.get("README.md", b"").decode()
        data = yaml.safe_load(card.split("---")[1]) if card.startswith("---") else {}
        siblings = []
        for file, content in files.items():
            known: dict[str, Any] = {"rfilename": file, "size": self.hub.sizes.get(file, len(content))}
            if _is_large(file):
                known["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}
            siblings.append(known)
        self._json(
            {
                "id": name,
                "modelId": name,
                "sha": commit,
                "private": repository.private,
                "siblings": siblings,
                "tags": data.get("tags", []),
                "cardData": data,
                "library_name": data.get("library_name"),
            }
        )

    def _batch(self, asked: dict[str, Any]) -> None:
        found = []
        for each in asked["objects"]:
            upload = {"href": f"{self.hub.url}/blobs/{each['oid']}"}
            actions = {} if each["oid"] in self.hub.blobs else {"actions": {"upload": upload}}
            found.append({**each, **actions})
        self._json({"transfer": "basic", "objects": found})

    def _commit(self, name: str, repository: Repository, revision: str, body: bytes) -> None:
        files, message = dict(repository.commits[repository.branches[revision]]), ""
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                message = value["summary"]
                if value.get("parentCommit") not in (None, repository.branches[revision]):
                    return self._json({"error": "A commit has happened since"}, status=412)
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            else:
                del files[value["path"]]
        commit = repository.commit(revision, files, message)
        return self._json({"commitUrl": f"{self.hub.url}/{name}/commit/{commit}", "commitOid": commit})

    def _resolve(self, repository: Repository, revision: str, file: str) -> None:
        commit = repository.find(revision)
        if commit is None:
            return self._json({"error": "no"}, status=404, **{"X-Error-Code": "RevisionNotFound"})
        content = repository.commits[commit].get(file)
        if content is None:
            headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}
            return self._json({"error": "no"}, status=404, **headers)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if not _is_large(file):
            return self._file(file, content, headers)
        digest = hashlib.sha256(content).hexdigest()
        self.hub.blobs[digest] = content
        size = self.hub.sizes.get(file, len(content))
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(size)}
        # Large files lie at another host, which must not get the token.
        place = f"{self.hub.url.replace('127.0.0.1', 'localhost')}/blobs/{digest}/{file}"
        return self._json({}, status=302, Location=place, **headers)

    def _file(self, file: str, content: bytes, headers: dict[str, str]) -> None:
        content = self.hub.lies.get(file, content)
        self._head(200, {**headers, "Content-Length": str(len(content))})
        if self.command == "HEAD":
            return
        with suppress(OSError):  # the other side may have hung up
            self.wfile.write(content[: self.hub.cuts.get(file, len(content))])
        if file in self.hub.cuts:
            self.close_connection = True

    def _json(self, values: dict[str, Any], *, status: int = 200, **headers: str) -> None:
        body = json.dumps(values).encode()
        kind = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self._head(status, kind | headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """A hub without repositories, whose only user is alice."""
    known = Hub()
    handler = type("Handler", (_Handler,), {"hub": known})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    known.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
