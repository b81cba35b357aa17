"""A server on loopback that answers as the Hugging Face Hub does, as far as pushing a dataset needs it."""

import base64
import hashlib
import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE = (".parquet", ".mp4")
"""What the Hub stores as large files, by their names, as its `.gitattributes` does."""


class FakeHub(ThreadingHTTPServer):
    """Takes small files in a commit and large ones through Git LFS, and keeps what it was told and given."""

    daemon_threads = True

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

    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 404:
            self.send_header("X-Error-Code", "RevisionNotFound")
        self.end_headers()
        self.wfile.write(data)

    def repository(self):
        return f"{self.server.url}/datasets/me/mine"

    def do_DELETE(self):
        self.server.told.append(("DELETE", self.path, None))
        self.answer({"error": "no such tag"}, 404)

    def do_GET(self):
        self.answer({"id": "me/mine", "sha": "0" * 40, "private": True})

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
        if self.path.endswith("/commit/main"):
            self.commit([json.loads(line) for line in data.splitlines()])
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
            elif line["key"] == "lfsFile":
                hub.files[value["path"]] = hub.stored[value["oid"]]
            else:
                continue
            names.append(value["path"])
        hub.commits.append(names)
        sha = f"{len(hub.commits):040x}"
        self.answer({"commitUrl": f"{self.repository()}/commit/{sha}", "commitOid": sha, "success": True})
