"""A store that several machines share: stages, caches, releases and pointer at an address that fsspec knows.

    kensa store push s3://bucket/boards      after a retraining
    kensa store pull s3://bucket/boards      before the next one, on any machine

Kensa works in local folders, with their locks and renames; the store is their copy. A folder's manifest is sent
last, and a folder that was fetched is verified before it gets its name: half a folder is never read on either side.
The pointer is written after them, and only where the other side's has not moved since both were the same. Two machines
that push at once never both move it (tasks/sources/object_store.py).
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tasks.caching.pieces import PIECE_STAGE
from tasks.core.errors import BadSetting, ChampionMoved, DamagedRelease
from tasks.core.files import (
    CHECKSUM_KEY,
    checksum_matches,
    ensure_writable,
    file_digest,
    replace_durably,
    write_bytes,
    write_json,
)
from tasks.core.results import StoreResult
from tasks.core.stages import MANIFEST, quarantine, scratch_folder, verified_manifest
from tasks.provenance.signatures import SIGNATURES, SUFFIX
from tasks.registry.champion import CHAMPION_FILE, champion_state, registry_lock
from tasks.registry.frozen_sets import FROZEN_FILE
from tasks.registry.journal import JOURNAL_FILE, join, parse_journal
from tasks.registry.journal_events import bring_up_to_date
from tasks.sources.object_store import ObjectChanged, ObjectStore, translate_store_errors

SHARED_FOLDERS = ("data/cache", "data/stages", "artifacts/releases")  # their folders are sealed and never change
SHARED_FILES = ("observations", "traces")  # folders of artifacts; their files are written once and never change
RESERVED = ".reserved"  # beside a release in the store: the digest of the manifest that this name is for
SEEN_FILE = ".store.json"  # store's address → checksum of the pointer when both sides were last the same


def push(data: Path | None, artifacts: Path, address: str) -> StoreResult:
    """Send what the store does not have; without `data`, no caches and stages.

    Raises BadSetting without a release, and ChampionMoved where the store's champion was moved from elsewhere, also at
    this moment: of two machines that push at once, one gets this error.
    """
    if champion_state(artifacts).champion is None:  # and DamagedRelease before anything is sent
        raise BadSetting(f"{artifacts}: expected a release to share, found none yet; kensa retrain makes one")
    with translate_store_errors(address), registry_lock(artifacts):
        store = ObjectStore(address)
        versions = {name: store.version(f"artifacts/{name}") for name in (FROZEN_FILE, CHAMPION_FILE)}
        _require_unmoved(artifacts, store, overwrite_local=False)
        names = _local_folders(data, artifacts)
        sent = tuple(name for name in names if _send(store, name, _local_path(name, data, artifacts)))
        _send_files(store, artifacts)
        for name, version in versions.items():
            if (artifacts / name).exists():
                _replace(store, f"artifacts/{name}", (artifacts / name).read_bytes(), version)
        _send_journal(artifacts, store)
        _remember_pointer(artifacts, store.root)
    return StoreResult("pushed" if sent else "unchanged", address, sent, champion_state(artifacts).champion)


def pull(data: Path | None, artifacts: Path, address: str) -> StoreResult:
    """Fetch what is not here; without `data`, no caches and stages.

    Raises BadSetting for a store that was never filled, and ChampionMoved where this folder's champion was moved and
    not pushed.
    """
    with translate_store_errors(address):
        store = ObjectStore(address)
        if not _is_filled(store):
            raise BadSetting(f"{address}: expected a store that kensa store push has filled, found none")
        with registry_lock(artifacts):
            _require_unmoved(artifacts, store, overwrite_local=True)
            _join_journals(artifacts, store)  # first: what is fetched below is in the store's journal
            names = _shared_folders(store, _kinds(data))
            fetched = tuple(name for name in names if _fetch(store, name, _local_path(name, data, artifacts)))
            _fetch_files(store, artifacts)
            for name in (FROZEN_FILE, CHAMPION_FILE):
                if (content := store.read(f"artifacts/{name}")) is not None:
                    _checksum(content, name)  # DamagedRelease before anything is overwritten
                    write_json(artifacts / name, json.loads(content))
            _remember_pointer(artifacts, store.root)
    return StoreResult("pulled" if fetched else "unchanged", address, fetched, champion_state(artifacts).champion)


def is_filled(address: str) -> bool:
    """Whether anything was ever pushed to the store; raises BadSetting for a bucket that does not exist."""
    with translate_store_errors(address):
        store = ObjectStore(address)
        store.require_bucket()
        return _is_filled(store)


def _is_filled(store: ObjectStore) -> bool:
    return store.read(f"artifacts/{CHAMPION_FILE}") is not None


def _kinds(data: Path | None) -> tuple[str, ...]:
    return tuple(kind for kind in SHARED_FOLDERS if data is not None or not kind.startswith("data/"))


def _shared_folders(store: ObjectStore, kinds: tuple[str, ...]) -> list[str]:
    """The complete folders, such as `data/cache/records-…`: those with a manifest, none of a hidden name."""
    names = (name for kind in kinds for name in store.names(kind) if name.endswith(f"/{MANIFEST}"))
    folders = (name.removesuffix(f"/{MANIFEST}") for name in names)
    return [name for name in folders if name.count("/") == 2 and not Path(name).name.startswith(".")]


def _local_folders(data: Path | None, artifacts: Path) -> Iterator[str]:
    """The names of the folders here that are shared, as `_shared_folders` gives those of the store."""
    for kind in _kinds(data):
        for manifest in sorted(_local_path(kind, data, artifacts).glob(f"[!.]*/{MANIFEST}")):
            name = manifest.parent.name
            if not name.endswith(".damaged") and not name.startswith(f"{PIECE_STAGE}-"):  # of a cache that is not done
                yield f"{kind}/{name}"


def _local_path(name: str, data: Path | None, artifacts: Path) -> Path:
    root, _, rest = name.partition("/")
    return (data if root == "data" and data is not None else artifacts) / rest


def _send(store: ObjectStore, name: str, folder: Path) -> bool:
    """Send an undamaged folder unless it is there, its manifest last; whether it was sent."""
    content = (folder / MANIFEST).read_bytes()
    if store.read(f"{name}/{MANIFEST}") == content:
        return False
    if (manifest := verified_manifest(folder)) is None:
        if "releases" in name:
            raise DamagedRelease(f"{folder}: its files are not as they were written; restore it before it is pushed")
        return False  # a damaged stage is made again, never shared
    print(f"  {name}", file=sys.stderr, flush=True)
    if "releases" in name:  # two machines may make a release of one name at once
        _replace(store, f"{name}{RESERVED}", file_digest(folder / MANIFEST).encode(), None)
    for file in manifest["files"]:
        store.write(f"{name}/{file}", (folder / file).read_bytes())
    store.write(f"{name}/{MANIFEST}", content)
    return True


def _fetch(store: ObjectStore, name: str, folder: Path) -> bool:
    """Fetch a folder unless an undamaged one is here; one that differs from its manifest gets no name."""
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


def _replace(store: ObjectStore, name: str, content: bytes, version: str | None) -> None:
    """Write an object that nobody has changed since it had this version; raises ChampionMoved."""
    try:
        store.write_unchanged(name, content, version)
    except ObjectChanged:
        raise ChampionMoved(
            f"{store.root}: another machine has pushed {name.removesuffix(RESERVED)} at the same time; pull first"
        ) from None


def _send_files(store: ObjectStore, artifacts: Path) -> None:
    """Send the files that are never changed and that the store lacks, and the signatures, which may be made anew."""
    present = {name for kind in SHARED_FILES for name in store.names(f"artifacts/{kind}")}
    for kind in SHARED_FILES:
        for path in sorted((artifacts / kind).rglob("*")):
            name = f"artifacts/{path.relative_to(artifacts).as_posix()}"
            if name not in present and path.is_file() and not _is_hidden(name):
                store.write(name, path.read_bytes())
    for path in sorted((artifacts / SIGNATURES).glob(f"v*{SUFFIX}")):
        store.write(f"artifacts/{SIGNATURES}/{path.name}", path.read_bytes())


def _fetch_files(store: ObjectStore, artifacts: Path) -> None:
    """Fetch those files that are not here, and every signature that differs; whoever reads one checks it."""
    for kind in SHARED_FILES:
        for name in store.names(f"artifacts/{kind}"):
            place = artifacts / name.removeprefix("artifacts/")
            if not place.exists() and not _is_hidden(name):
                _fetch_file(store, name, place)
    for name in store.names(f"artifacts/{SIGNATURES}"):
        if name.endswith(SUFFIX):
            _fetch_file(store, name, artifacts / name.removeprefix("artifacts/"))


def _is_hidden(name: str) -> bool:
    """Whether a file is a lock, or in the draft of a process that writes right now."""
    return any(part.startswith(".") for part in Path(name).parts)


def _fetch_file(store: ObjectStore, name: str, place: Path) -> None:
    content = store.read(name)
    if content is not None and not (place.is_file() and place.read_bytes() == content):
        write_bytes(ensure_writable(place.parent) / place.name, content)


def _files(store: ObjectStore, name: str) -> list[str]:
    """The files that a manifest in the store names; DamagedRelease for another form, or a path out of the folder."""
    try:
        files = [str(file) for file in dict(json.loads(store.read(f"{name}/{MANIFEST}"))["files"])]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged(name) from None
    if any(".." in Path(file).parts or Path(file).is_absolute() for file in files):
        raise _damaged(name)
    return files


def _damaged(name: str) -> DamagedRelease:
    return DamagedRelease(f"{name}: was changed in the store; remove it there, and push it again")


def _require_unmoved(artifacts: Path, store: ObjectStore, overwrite_local: bool) -> None:
    """Raise ChampionMoved where the pointer that is to be overwritten was moved since both sides were the same.

    Also where both sides have different releases of one name.
    """
    _require_same_releases(artifacts, store)
    local, remote = _local_pointer(artifacts), store.read(f"artifacts/{CHAMPION_FILE}")
    overwritten, other = (local, remote) if overwrite_local else (remote, local)
    if overwritten is None:
        return
    checksum = _checksum(overwritten)
    if checksum == _seen(artifacts).get(store.root) or (other is not None and checksum == _checksum(other)):
        return
    side, cure = ("this folder's", "push it first") if overwrite_local else ("the store's", "pull first")
    raise ChampionMoved(f"{store.root}: {side} champion has moved since both were the same; {cure}")


def _require_same_releases(artifacts: Path, store: ObjectStore) -> None:
    for folder in (artifacts / "releases").glob("v*"):
        remote = store.read(f"artifacts/releases/{folder.name}/{MANIFEST}")
        if remote is not None and remote != (folder / MANIFEST).read_bytes():
            raise ChampionMoved(
                f"{store.root}: its {folder.name} is another release than the one here: two machines released at once; "
                "keep one of the two folders of artifacts"
            )


def _send_journal(artifacts: Path, store: ObjectStore) -> None:
    """Send the entries that the store's journal lacks, after those that other machines have sent meanwhile."""
    while True:
        version = store.version(f"artifacts/{JOURNAL_FILE}")
        _join_journals(artifacts, store)
        with contextlib.suppress(ObjectChanged):
            return store.write_unchanged(f"artifacts/{JOURNAL_FILE}", (artifacts / JOURNAL_FILE).read_bytes(), version)


def _join_journals(artifacts: Path, store: ObjectStore) -> None:
    """Give this folder's journal the entries of the store's; raises DamagedJournal for either of them."""
    ours = bring_up_to_date(artifacts)
    if (content := store.read(f"artifacts/{JOURNAL_FILE}")) is not None:
        join(artifacts, ours, parse_journal(f"{store.root}/artifacts/{JOURNAL_FILE}", content))


def _local_pointer(artifacts: Path) -> bytes | None:
    path = artifacts / CHAMPION_FILE
    return path.read_bytes() if path.exists() else None


def _checksum(content: bytes, name: str = CHAMPION_FILE) -> str:
    """The checksum in a pointer or in the frozen sets; DamagedRelease where they do not match it."""
    try:
        entries = dict(json.loads(content))
    except (ValueError, TypeError, RecursionError):
        entries = {}
    if not checksum_matches(entries):
        raise DamagedRelease(f"{name}: expected JSON that fits its checksum; restore it, here or in the store")
    return entries[CHECKSUM_KEY]


def _seen(artifacts: Path) -> dict[str, str]:
    path = artifacts / SEEN_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _remember_pointer(artifacts: Path, root: str) -> None:
    """Note the pointer that both sides have now."""
    write_json(artifacts / SEEN_FILE, _seen(artifacts) | {root: _checksum((artifacts / CHAMPION_FILE).read_bytes())})
