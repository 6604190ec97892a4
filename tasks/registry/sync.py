"""A store that several machines share: stages, caches, releases and pointer at an address that fsspec knows.

    kensa store push s3://bucket/boards      after a retraining
    kensa store pull s3://bucket/boards      before the next one, on any machine

Work is done in local folders, with their locks and renames; the store is their copy. A folder's manifest goes up
last, and what comes down is verified before it gets its name: half a folder is never read on either side. The
pointer moves last of all, and only where nobody has moved the other one since both were the same.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import BadSetting, ChampionMoved, DamagedRelease, MissingExtra, UnusableFolder
from tasks.core.files import CHECKSUM_KEY, checksum_matches, ensure_writable, replace_durably, write_json
from tasks.core.results import StoreResult
from tasks.core.stages import MANIFEST, quarantine, scratch_folder, verified_manifest
from tasks.core.text import one_line
from tasks.registry.champion import POINTER, champion_state, registry_lock

SHARED_FOLDERS = ("data/cache", "data/stages", "artifacts/releases")  # whose folders are sealed and never change
FROZEN_FILE = "frozen.json"
SEEN_FILE = ".store.json"  # the pointer when a store and this folder were last the same, by the store's address


def push(data: Path, artifacts: Path, address: str) -> StoreResult:
    """Bring up what the store has not.

    Raises BadSetting without a release, and ChampionMoved where the store holds what is not here yet.
    """
    if champion_state(artifacts)["champion"] is None:  # and DamagedRelease before anything goes up
        raise BadSetting(f"{artifacts}: expected a release to share, found none yet; kensa retrain makes one")
    with translate_store_errors(address), registry_lock(artifacts):
        store = Store(address)
        _require_same(artifacts, store, theirs=False)
        sent = [name for name in _local_folders(data, artifacts) if _send(store, name, _place(name, data, artifacts))]
        for name in (FROZEN_FILE, POINTER):
            if (artifacts / name).exists():
                store.write(f"artifacts/{name}", (artifacts / name).read_bytes())
        _note(artifacts, store.root)
    return StoreResult("pushed" if sent else "unchanged", address, tuple(sent), champion_state(artifacts)["champion"])


def pull(data: Path, artifacts: Path, address: str) -> StoreResult:
    """Bring down what is not here. Raises ChampionMoved where this folder holds what the store has not."""
    with translate_store_errors(address):
        store = Store(address)
        if store.read(f"artifacts/{POINTER}") is None:
            raise BadSetting(f"{address}: expected a store that kensa store push has filled, found none")
        with registry_lock(artifacts):
            _require_same(artifacts, store, theirs=True)
            got = [name for name in store.folders() if _fetch(store, name, _place(name, data, artifacts))]
            for name in (FROZEN_FILE, POINTER):
                if (content := store.read(f"artifacts/{name}")) is not None:
                    _require_intact(content, name)  # DamagedRelease before anything is written over
                    write_json(artifacts / name, json.loads(content))
            _note(artifacts, store.root)
    return StoreResult("pulled" if got else "unchanged", address, tuple(got), champion_state(artifacts)["champion"])


class Store:
    """The files below an address; every name is relative to it."""

    def __init__(self, address: str) -> None:
        if "://" not in address:
            raise BadSetting(f"{address}: expected an address such as s3://bucket/folder or file:///mnt/store")
        if address.startswith("s3://") and importlib.util.find_spec("s3fs") is None:
            raise MissingExtra('s3:// needs the package s3fs; install it with: pip install "kensa[s3]"')
        import fsspec

        # What others have written since must be seen: nothing is kept of an earlier look.
        self.files, self.root = fsspec.url_to_fs(address, use_listings_cache=False, skip_instance_cache=True)

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""
        try:
            return self.files.cat_file(f"{self.root}/{name}")
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """One object at once: a reader sees the old one or the new one."""
        if "file" in self.files.protocol:  # elsewhere a name is a name, and a bucket is nobody's to make
            self.files.makedirs(f"{self.root}/{name}".rpartition("/")[0], exist_ok=True)
        self.files.pipe_file(f"{self.root}/{name}", content)

    def folders(self) -> list[str]:
        """The folders that are whole there, as `data/cache/records-…`: those with a manifest, none of a hidden name."""
        found = []
        for kind in SHARED_FOLDERS:
            names = self.files.find(f"{self.root}/{kind}") if self.files.exists(f"{self.root}/{kind}") else []
            ends = (f"{name}".rpartition(f"{kind}/")[2] for name in names if name.endswith(f"/{MANIFEST}"))
            found += [
                f"{kind}/{end.partition('/')[0]}" for end in ends if end.count("/") == 1 and not end.startswith(".")
            ]
        return sorted(found)


def _local_folders(data: Path, artifacts: Path) -> Iterator[str]:
    for kind in SHARED_FOLDERS:
        for manifest in sorted(_place(kind, data, artifacts).glob(f"[!.]*/{MANIFEST}")):
            if not manifest.parent.name.endswith(".damaged"):
                yield f"{kind}/{manifest.parent.name}"


def _place(name: str, data: Path, artifacts: Path) -> Path:
    side, _, rest = name.partition("/")
    return (data if side == "data" else artifacts) / rest


def _send(store: Store, name: str, folder: Path) -> bool:
    """Bring a sound folder up unless it is there; its manifest last."""
    whole = (folder / MANIFEST).read_bytes()
    if store.read(f"{name}/{MANIFEST}") == whole:
        return False
    if (manifest := verified_manifest(folder)) is None:
        if "releases" in name:
            raise DamagedRelease(f"{folder}: its files are not as they were written; restore it before it is pushed")
        return False  # a damaged stage is made again, never shared
    print(f"  {name}", file=sys.stderr, flush=True)
    for file in manifest["files"]:
        store.write(f"{name}/{file}", (folder / file).read_bytes())
    store.write(f"{name}/{MANIFEST}", whole)
    return True


def _fetch(store: Store, name: str, folder: Path) -> bool:
    """Bring a folder down unless a sound one is here; what is not as its manifest says gets no name."""
    if verified_manifest(folder) is not None:
        return False
    print(f"  {name}", file=sys.stderr, flush=True)
    with scratch_folder(ensure_writable(folder.parent), folder.name) as draft:
        for file in [*_files(store, name), MANIFEST]:
            if (content := store.read(f"{name}/{file}")) is None:
                raise _damaged(name)
            (draft / file).parent.mkdir(parents=True, exist_ok=True)
            (draft / file).write_bytes(content)
        if verified_manifest(draft) is None:
            raise _damaged(name)
        quarantine(folder)
        replace_durably(draft, folder)
    return True


def _files(store: Store, name: str) -> list[str]:
    """The files that a manifest in the store names; DamagedRelease where it is none, or leads out of its folder."""
    try:
        files = [str(file) for file in dict(json.loads(store.read(f"{name}/{MANIFEST}"))["files"])]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged(name) from None
    if any(".." in Path(file).parts or Path(file).is_absolute() for file in files):
        raise _damaged(name)
    return files


def _damaged(name: str) -> DamagedRelease:
    return DamagedRelease(f"{name}: is not in the store as it was written; remove it there, and push it again")


def _require_same(artifacts: Path, store: Store, theirs: bool) -> None:
    """Raise ChampionMoved where the side that is to be written over has moved, or both made a release of one name."""
    own = artifacts / POINTER
    here, there = own.read_bytes() if own.exists() else None, store.read(f"artifacts/{POINTER}")
    for folder in (artifacts / "releases").glob("v*"):
        other = store.read(f"artifacts/releases/{folder.name}/{MANIFEST}")
        if other is not None and other != (folder / MANIFEST).read_bytes():
            raise ChampionMoved(
                f"{store.root}: its {folder.name} is another release than the one here: two machines released at once; "
                "keep one of the two folders of artifacts"
            )
    last = json.loads((artifacts / SEEN_FILE).read_text()).get(store.root) if (artifacts / SEEN_FILE).exists() else None
    over = here if theirs else there
    if (
        over is None
        or _require_intact(over) == last
        or (here is not None and there is not None and _require_intact(here) == _require_intact(there))
    ):
        return
    who = "this folder's champion" if theirs else "the store's champion"
    cure = "push it first" if theirs else "pull first"
    raise ChampionMoved(f"{store.root}: {who} has moved since both were the same; {cure}")


def _require_intact(content: bytes, name: str = POINTER) -> str:
    """The seal of a pointer or of the frozen sets; DamagedRelease where they are not as they were sealed."""
    try:
        told = dict(json.loads(content))
    except (ValueError, TypeError, RecursionError):
        told = {}
    if not checksum_matches(told):
        raise DamagedRelease(f"{name}: expected JSON as it was sealed; restore it, here or in the store")
    return told[CHECKSUM_KEY]


def _note(artifacts: Path, root: str) -> None:
    """Remember the pointer that both sides have now."""
    path = artifacts / SEEN_FILE
    known = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, {**known, root: _require_intact((artifacts / POINTER).read_bytes())})


@contextmanager
def translate_store_errors(address: str) -> Iterator[None]:
    """Say in one line what the store's client raises: no such bucket, no right, no answer."""
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
