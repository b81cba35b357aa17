"""A server on loopback that answers as the Hugging Face Hub does, as far as pushing and reading datasets need it."""

import base64
import hashlib
import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote

LARGE = (".parquet", ".mp4")
"""What the Hub stores as large files, by their names, as its `.gitattributes` does."""


class FakeHub(ThreadingHTTPServer):
    """Takes small files in a commit and large ones through Git LFS, and keeps what it was told and given."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.told = []
        """(method, path, body) of every request but commits and large files."""
        self.files = {}
        """What is committed: name to bytes."""
        self.commits = []
        """The names of the files in each commit, in order."""
        self.stored = {}
        """Large files that arrived whole: SHA-256 to bytes."""
        self.refuses = ""
        """With what every POST is refused."""
        self.ranges = []
        """(name, bytes) of each range that was asked for."""
        self.sent = []
        """SHA-256 of each large file whose upload began, in order."""
        self.hold_after = None
        """From this many large files on, uploads are not answered until `released`."""
        self.holding, self.released = threading.Event(), threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self, home, **more):
        """What a process needs to push here: no token of the user's, no offline mode of another test's."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        here = {"HF_ENDPOINT": self.url, "HF_TOKEN": "hf_x", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        return {**env, **here, **more}


@contextmanager
def fake_hub():
    """A running `FakeHub`."""
    server = FakeHub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Answer(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, body, status=200, code="RevisionNotFound"):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 404:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(data)

    def repository(self):
        return f"{self.server.url}/datasets/me/mine"

    def do_DELETE(self):
        self.server.told.append(("DELETE", self.path, None))
        self.answer({"error": "no such tag"}, 404)

    def do_GET(self):
        path, _, query = unquote(self.path).partition("?")
        if "/tree/main" in path:
            below = path.partition("/tree/main")[2].strip("/")
            self.answer_tree(f"{below}/" if below else "", recursive="recursive=true" in query.lower())
        elif "/resolve/main/" in path:
            self.answer_file(path.partition("/resolve/main/")[2])
        else:
            sha = f"{len(self.server.commits):040x}"
            self.answer({"id": "me/mine", "sha": sha, "private": True, "_id": "1", "siblings": []})

    do_HEAD = do_GET

    def answer_tree(self, below, *, recursive):
        names = [name for name in sorted(self.server.files) if name.startswith(below)]
        folders = {below + name.removeprefix(below).partition("/")[0] for name in names if "/" in name[len(below) :]}
        if recursive:
            folders = {name[:at] for name in names for at in range(len(name)) if name[at] == "/" and at >= len(below)}
        files = [name for name in names if recursive or "/" not in name[len(below) :]]
        listed = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": name} for name in sorted(folders)]
        if not names and below:
            self.answer({"error": "Entry not found"}, 404, "EntryNotFound")
            return
        self.answer(listed + [{"type": "file", **self.facts(name)} for name in files])

    def facts(self, name):
        content = self.server.files[name]
        return {
            "path": name,
            "size": len(content),
            "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
        }

    def answer_file(self, name):
        content = self.server.files.get(name)
        if content is None:
            self.answer({"error": "Entry not found"}, 404, "EntryNotFound")
            return
        total, status, asked = len(content), 200, self.headers.get("Range")
        if asked:
            start, _, stop = asked.removeprefix("bytes=").partition("-")
            content, status = content[int(start) : int(stop or total) + 1], 206
            self.server.ranges.append((name, len(content)))
        self.send_response(status)
        self.send_header("ETag", f'"{self.facts(name)["oid"]}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(content)))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{int(start) + len(content) - 1}/{total}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def answer_paths(self, paths):
        files = [{"type": "file", **self.facts(name)} for name in paths if name in self.server.files]
        folders = [name for name in paths if any(file.startswith(f"{name}/") for file in self.server.files)]
        self.answer(files + [{"type": "directory", "path": name, "oid": "0" * 40} for name in folders])

    def do_PUT(self):
        """One large file; `path` ends with its SHA-256."""
        digest, hub = self.path.rpartition("/")[2], self.server
        with hub.lock:
            hub.sent.append(digest)
            held = hub.hold_after is not None and len(hub.sent) > hub.hold_after
        if held:
            hub.holding.set()
            hub.released.wait()
            self.close_connection = True
            return
        data = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(data).hexdigest() == digest
        hub.stored[digest] = data
        self.answer({})

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.refuses:
            self.answer({"error": self.server.refuses}, 403)
            return
        if self.path.endswith("/commit/main"):
            self.commit([json.loads(line) for line in data.splitlines()])
            return
        if self.path.endswith("/paths-info/main"):
            asked = parse_qs(data.decode()) if not data.startswith(b"{") else json.loads(data)
            self.answer_paths(asked["paths"])
            return
        body = json.loads(data)
        self.server.told.append(("POST", self.path, body))
        if self.path.endswith("/preupload/main"):
            self.answer({"files": [self.mode(file["path"]) for file in body["files"]]})
        elif self.path.endswith("/info/lfs/objects/batch"):
            self.answer({"transfer": "basic", "objects": [self.wanted(one) for one in body["objects"]]})
        else:
            self.answer({"url": self.repository(), "warnings": [], "errors": []})

    def mode(self, name):
        """How a file is to be uploaded, and what is committed under its name."""
        large, there = name.endswith(LARGE), self.server.files.get(name)
        told = {"path": name, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        if there is None:
            return told
        blob = hashlib.sha1(b"blob %d\0" % len(there) + there).hexdigest()
        return {**told, "oid": hashlib.sha256(there).hexdigest() if large else blob}

    def wanted(self, file):
        """Where to put a large file; nowhere when it is here."""
        same = {"oid": file["oid"], "size": file["size"]}
        if file["oid"] in self.server.stored:
            return same
        return {**same, "actions": {"upload": {"href": f"{self.server.url}/large/{file['oid']}", "header": {}}}}

    def commit(self, lines):
        hub, names = self.server, []
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                hub.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del hub.files[value["path"]]
                continue
            elif line["key"] == "lfsFile":
                hub.files[value["path"]] = hub.stored[value["oid"]]
            else:
                continue
            names.append(value["path"])
        hub.commits.append(names)
        sha = f"{len(hub.commits):040x}"
        self.answer({"commitUrl": f"{self.repository()}/commit/{sha}", "commitOid": sha, "success": True})
