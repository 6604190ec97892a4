"""A server that speaks S3 on loopback: moto's, which answers one request after the other.

So a conditional write is compared and done at once, as in the real service; moto's own server has a moment in between.
All servers of a process share moto's buckets: each test names its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def s3_server(bucket: str | None = None, files: dict[str, bytes] | None = None) -> Iterator[dict[str, str]]:
    """The environment in which fsspec's client finds the server; with a bucket that holds these files."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    application, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def answer(environ: Any, start_response: Any) -> Any:
        with turn:
            return application(environ, start_response)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    env = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
    try:
        if bucket:
            fill_bucket(env, bucket, files or {})
        yield env
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fill_bucket(env: dict[str, str], bucket: str, files: dict[str, bytes]) -> None:
    """A new bucket with these files."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_DEFAULT_REGION"],
    )
    client.create_bucket(Bucket=bucket)
    for name, content in files.items():
        client.put_object(Bucket=bucket, Key=name, Body=content)
