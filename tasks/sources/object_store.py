"""Objects below an address that fsspec knows, as several machines read and write them.

What a machine has not seen it does not overwrite: S3 compares the version and writes in one request (If-Match and
If-None-Match), and so does Google's storage for an object that is new; on a disk a lock is held meanwhile. Other
stores are read just before they are written.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from tasks.core.errors import BadSetting, MissingExtra, UnknownSource, UnusableFolder
from tasks.core.files import write_bytes
from tasks.core.text import one_line

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
EXTRAS = {"s3fs": "s3", "gcsfs": "gs", "aiohttp": "http"}
LOCK_FILE = ".lock"  # of a store on a disk
CHANGED_ERRORS = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}  # of S3


class ObjectChanged(Exception):
    """An object is not the one that was seen: another machine wrote it, or removed it."""


class ObjectStore:
    """The objects below an address; every name is relative to it.

    Raises BadSetting for what is no address, and what `open_address` does.
    """

    def __init__(self, address: str) -> None:
        if "://" not in address:
            raise BadSetting(f"{address}: expected an address such as s3://bucket/folder or file:///mnt/store")
        self.address = address
        self.files, self.root = open_address(address)
        self.on_disk, self.on_s3 = "file" in self.files.protocol, "s3" in self.files.protocol

    def require_bucket(self) -> None:
        """Raise BadSetting for a bucket that does not exist: no client makes one, and a run would end with nothing."""
        bucket = self.root.lstrip("/").partition("/")[0]
        if not self.on_disk and not self.files.exists(bucket):
            raise BadSetting(f"{self.address}: expected a bucket that exists, found none; make it, or name another")

    def read(self, name: str) -> bytes | None:
        """An object's bytes; None where there is none."""
        try:
            return self.files.cat_file(f"{self.root}/{name}")
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write one object at once: a reader sees the old one or the new one."""
        if self.on_disk:  # object stores have no folders, and their buckets are never created
            place = Path(self.root, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(place, content)
        else:
            self.files.pipe_file(f"{self.root}/{name}", content)

    def version(self, name: str) -> str | None:
        """What changes with an object's content; None where there is none. Ask for it before the content is read."""
        if not self.on_s3:
            content = self.read(name)
            return None if content is None else hashlib.sha256(content).hexdigest()
        try:
            return str(self.files.info(f"{self.root}/{name}", refresh=True)["ETag"])
        except FileNotFoundError:
            return None

    def write_unchanged(self, name: str, content: bytes, version: str | None) -> None:
        """Write an object that still has this version (None: that is not there yet); raises ObjectChanged.

        An object that has this very content by now is as it should be: an answer of the store may have been lost.
        """
        try:
            if self.on_disk:
                self._write_locked(name, content, version)
            else:
                self._write_conditionally(name, content, version)
        except ObjectChanged:
            if self.read(name) != content:
                raise

    def _write_locked(self, name: str, content: bytes, version: str | None) -> None:
        Path(self.root).mkdir(parents=True, exist_ok=True)
        with FileLock(Path(self.root, LOCK_FILE)):
            self._require_version(name, version)
            self.write(name, content)

    def _write_conditionally(self, name: str, content: bytes, version: str | None) -> None:
        path = f"{self.root}/{name}"
        try:
            if version is None:
                self.files.pipe_file(path, content, mode="create")
            elif self.on_s3:
                self.files.pipe_file(path, content, IfMatch=version)
            else:
                self._require_version(name, version)
                self.files.pipe_file(path, content)
        except FileExistsError:
            raise ObjectChanged(name) from None
        except OSError as error:
            if not _is_changed(error):
                raise
            raise ObjectChanged(name) from None

    def _require_version(self, name: str, version: str | None) -> None:
        if self.version(name) != version:
            raise ObjectChanged(name)

    def names(self, folder: str) -> list[str]:
        """The names of all objects in a folder and below it, in order, but for those that lead out of it."""
        root = f"{self.root}/{folder}"
        paths = self.files.find(root) if self.files.exists(root) else []
        names = (path.lstrip("/").removeprefix(f"{root.lstrip('/')}/") for path in paths)
        return sorted(f"{folder}/{name}" for name in names if ".." not in Path(name).parts)


def _is_changed(error: OSError) -> bool:
    """Whether S3 says that the object is another one, or gone."""
    response = getattr(error.__cause__, "response", {})
    return response.get("Error", {}).get("Code") in CHANGED_ERRORS


def open_address(address: str) -> tuple[Any, str]:
    """The store, and the path in it; no listing or connection is reused: what others wrote meanwhile must be seen.

    Raises MissingExtra or UnknownSource without the package that reads it.
    """
    import fsspec

    protocol = address.partition("://")[0].rpartition("::")[2].lower()
    package = PACKAGES.get(protocol)
    if package and importlib.util.find_spec(package) is None:
        raise MissingExtra(address, package, EXTRAS[package])
    fresh = {} if "::" in address else {"use_listings_cache": False, "skip_instance_cache": True}
    try:
        return fsspec.url_to_fs(address, **fresh)
    except ImportError as error:
        raise UnknownSource(
            f"{address}: expected the package that reads {protocol}://, found none ({one_line(error)}); install it "
            "into the environment of Kensa"
        ) from None


@contextmanager
def translate_store_errors(address: str) -> Iterator[None]:
    """Raise UnusableFolder, in one line, for what the store's client raises: no bucket, no permission, no answer."""
    failures: tuple[type[Exception], ...] = (OSError, ValueError)
    if importlib.util.find_spec("botocore") is not None:
        from botocore.exceptions import BotoCoreError, ClientError

        failures += (BotoCoreError, ClientError)
    try:
        yield
    except failures as error:
        if isinstance(error, BadSetting):  # a ValueError of ours
            raise
        raise UnusableFolder(
            f"{one_line(address)}: cannot be read or written ({one_line(error)}); check the address, the network and "
            "the credentials in the environment"
        ) from None
