"""Towers and distances of your own, named as `module:name`: found, identified by their source, and kept with the model.

A module is looked for on Python's path, then in the working folder. Its file is copied into the model's stage and into
the release, where it is sealed like all else: a release is judged by the code that it was trained with, whatever became
of the module since. Only the file itself is kept; what it imports must be there.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from tasks.core.errors import BadSetting
from tasks.core.files import file_digest
from tasks.core.text import one_line

OWN_FOLDER = "own"  # in a stage and in a release


def is_own(name: str | None) -> bool:
    """Whether a setting names code of your own."""
    return ":" in (name or "")


def own_digests(names: Iterable[str | None]) -> dict[str, str]:
    """The SHA-256 of the file of each module that is named, by the module's name; nothing is imported.

    Raises BadSetting for a module that is not found.
    """
    modules = {name.partition(":")[0] for name in names if is_own(name)}
    return {module: file_digest(_require_file(module)) for module in sorted(modules)}


def keep_own_code(names: Iterable[str | None], folder: Path) -> None:
    """Copy the files of the modules that are named into the folder's OWN_FOLDER."""
    for module in own_digests(names):
        kept = _kept_file(folder, module)
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(_require_file(module), kept)


def copy_kept_code(source: Path, folder: Path) -> None:
    """Copy what `keep_own_code` has kept in one folder into another; nothing where nothing was kept."""
    if (source / OWN_FOLDER).is_dir():
        shutil.copytree(source / OWN_FOLDER, folder / OWN_FOLDER)


def load_own(name: str, folder: Path | None = None) -> Any:
    """What stands at `module:name`: as it is kept in the folder of a release, or else as Python finds it now.

    Raises BadSetting where the module is not found or cannot be imported, or has no such name.
    """
    module_name, _, attribute = name.partition(":")
    kept = folder and _kept_file(folder, module_name)
    module = _import_file(module_name, kept, kept=True) if kept and kept.is_file() else _import(module_name)
    if not hasattr(module, attribute):
        raise BadSetting(f"{name}: expected {attribute!r} in {module.__file__ or module_name}, found none of that name")
    return getattr(module, attribute)


def _kept_file(folder: Path, module: str) -> Path:
    return folder / OWN_FOLDER / f"{module}.py"


def _import(module: str) -> ModuleType:
    if module in sys.modules:
        return sys.modules[module]
    file = _require_file(module)
    if importlib.util.find_spec(module.partition(".")[0]) is None:  # in the working folder
        return _import_file(module, file)
    try:
        return importlib.import_module(module)
    except Exception as error:  # code of your own may raise anything
        raise _broken(file, error) from None


def _import_file(module: str, file: Path, kept: bool = False) -> ModuleType:
    """The module of a file; a kept one has its digest in its name, beside the module as it is by now."""
    name = f"kept_{file_digest(file)[:16]}_{module}" if kept else module
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    try:
        spec.loader.exec_module(loaded)
    except Exception as error:  # code of your own may raise anything
        del sys.modules[name]
        raise _broken(file, error) from None
    return loaded


def _broken(file: Path, error: Exception) -> BadSetting:
    reason = f"{type(error).__name__}: {one_line(error)}"
    return BadSetting(f"{file}: expected a module that Python can import, found {reason}; correct it")


def _require_file(module: str) -> Path:
    file = _module_file(module) if all(part.isidentifier() for part in module.split(".")) else None
    if file is None:
        raise BadSetting(
            f"{module}: expected a module that Python finds, found none of that name on its path or in {Path.cwd()}; "
            f"save it there as {module.partition('.')[0]}.py"
        )
    return file


def _module_file(module: str) -> Path | None:
    """The file of a module on Python's path or in the working folder, without importing it."""
    places: list[str] = [*sys.path, str(Path.cwd())]
    spec = None
    for part in module.split("."):
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or [])
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None
