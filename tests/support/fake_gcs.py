"""A server shaped like Google Cloud Storage, as far as its client asks to list and read objects."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


@contextmanager
def fake_gcs(buckets):
    """The environment for a client while the server answers; `buckets`: the content of objects by bucket and name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            status, content = _answer(self.path, buckets)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server.server_port}"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(path, buckets):
    """Status and content of the paths /b/BUCKET, /b/BUCKET/o and /b/BUCKET/o/NAME, the last also with alt=media."""
    url = urlsplit(path)
    words, query = url.path.partition("/b/")[2].split("/"), parse_qs(url.query)
    bucket, name = words[0], unquote("/".join(words[2:]))
    objects = buckets.get(bucket, {})
    if bucket not in buckets or (name and name not in objects):
        return 404, b'{"error": {"code": 404, "message": "No such object"}}'
    if name and "media" in query.get("alt", []):
        return 200, objects[name]
    content = _entry(bucket, name, objects[name]) if name else _listing(bucket, objects, query)
    return 200, json.dumps({"name": bucket} if len(words) == 1 else content).encode()


def _listing(bucket, objects, query):
    prefix, sign = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    names = [name for name in objects if name.startswith(prefix)]
    below = {prefix + rest.split(sign)[0] + sign for name in names if sign and sign in (rest := name[len(prefix) :])}
    items = [name for name in names if not sign or sign not in name[len(prefix) :]]
    return {"items": [_entry(bucket, name, objects[name]) for name in items], "prefixes": sorted(below)}


def _entry(bucket, name, content):
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "size": str(len(content)),
        "etag": hashlib.md5(content).hexdigest(),
        "generation": "1",
    }
