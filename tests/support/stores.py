"""A store of S3's interface on loopback (moto's server), and a proxy before it that fails, cuts off and is slow."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRET = "wJalrXUtnFEMI-secret-of-the-tests"
KEY = "AKIAOFTHETESTS00"


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def s3_server(log):
    """The port of a running moto server."""
    port = free_port()
    with Path(log).open("wb") as sink:
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=sink, stderr=sink)
    try:
        while server.poll() is None:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        assert server.poll() is None, Path(log).read_text()
        yield port
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


class Proxy(ThreadingHTTPServer):
    """Hands requests on to a server on loopback, and counts what it sends back."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), _Relay)
        self.port = port
        self.lock = threading.Lock()
        self.reset()

    def reset(self, every=0, how="", only=()):
        """every: which request fails, 0 for none; how: error, close, cut, lost or slow; only: methods that may."""
        self.every, self.how, self.only = every, how, only
        self.instead = None
        """What every request is answered with: (status, body)."""
        self.requests = self.sent = self.failed = 0
        self.seen = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_fails(self, method, path):
        with self.lock:
            self.seen.append((method, path))
            if self.only and method not in self.only:
                return False
            self.requests += 1
            fails = bool(self.every) and self.requests % self.every == 0
            self.failed += fails
            return fails

    def handle_error(self, request, client_address):
        pass  # a client that hangs up on an answer that was cut off


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def relay(self):
        proxy = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fails = proxy.next_fails(self.command, self.path)
        if proxy.instead:
            self.answer(proxy.instead[0], [], proxy.instead[1])
            return
        if fails and proxy.how == "close":
            self.close_connection = True
            return
        if fails and proxy.how == "error":
            self.answer(503, [], b"<Error><Code>SlowDown</Code></Error>")
            return
        if fails and proxy.how == "slow":
            time.sleep(0.5)
        behind = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        behind.request(self.command, self.path, body or None, headers)
        found = behind.getresponse()
        data = found.read()
        behind.close()
        if fails and proxy.how == "lost":  # it was done, and nobody hears of it
            self.close_connection = True
            return
        with proxy.lock:
            proxy.sent += len(data)
        kept = [(n, v) for n, v in found.getheaders() if n.lower() not in ("connection", "transfer-encoding", "date",
                                                                           "server", "content-length")]  # fmt: skip
        length = found.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        cut = len(data) // 2 if fails and proxy.how == "cut" else None
        self.answer(found.status, [*kept, ("Content-Length", length or "0")], data, cut)

    def answer(self, status, headers, data, cut=None):
        self.send_response(status)
        for name, value in headers or [("Content-Length", str(len(data)))]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:cut])
        if cut is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = relay


@contextmanager
def proxy_before(port):
    """A running `Proxy`."""
    server = Proxy(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Bucket:
    """A bucket, seen with AWS's own client."""

    def __init__(self, name, url):
        import boto3

        self.name = name
        self.client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
        )
        self.client.create_bucket(Bucket=name)

    def address(self, key=""):
        return f"s3://{self.name}/{key}"

    def upload(self, folder, prefix):
        """All files below a folder; the address."""
        for path in sorted(Path(folder).rglob("*")) if Path(folder).is_dir() else [Path(folder)]:
            if path.is_file():
                name = path.relative_to(folder).as_posix() if Path(folder).is_dir() else ""
                self.client.upload_file(str(path), self.name, "/".join(filter(None, (prefix, name))))
        return self.address(prefix)

    def listed(self, prefix=""):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def read(self, key):
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def put(self, key, content=b"x"):
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key):
        self.client.delete_object(Bucket=self.name, Key=key)

    def download(self, prefix, folder):
        """All files below a prefix, as a folder."""
        for key in self.listed(f"{prefix}/"):
            path = Path(folder) / key.removeprefix(f"{prefix}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(key))
        return Path(folder)


def environment(url):
    """What a process needs to read and write there."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }


def without_stores():
    """The environment without anything that names a store."""
    return {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "GOOGLE_", "AZURE_", "HF_"))}
