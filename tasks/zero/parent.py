"""The parent of a model from good parts alone: a release of another line, whose tower embeds the parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tasks.config.run import RunConfig
from tasks.core.errors import BadSetting, UnknownRelease
from tasks.core.own_code import is_own
from tasks.core.stages import MANIFEST
from tasks.registry.champion import current_champion
from tasks.registry.releases import Release, read_release, verify_release
from tasks.registry.reproduction import stored_config


def find_parent(config: RunConfig) -> Release | None:
    """The release that `zero.parent` names, verified; None where the setting is not set.

    Raises UnknownRelease, what `verify_release` does, and BadSetting for a release whose tower cannot serve.
    """
    if config.zero.parent is None:
        return None
    folder = Path(config.zero.parent)
    parent = verify_release(read_release(folder)) if (folder / MANIFEST).exists() else _champion(folder)
    _require_fit(parent, config)
    return parent


def _champion(folder: Path) -> Release:
    champion = current_champion(folder) if folder.is_dir() else None
    if champion is None:
        raise UnknownRelease(f"zero.parent: expected a folder with a champion, or that of a release, found {folder}")
    return champion


def _require_fit(parent: Release, config: RunConfig) -> None:
    """Raise BadSetting where the parent takes maps of another size, was not trained, or needs code of one's own."""
    size, fit = (config.data.rows, config.data.cols), parent.manifest.config["fit"]
    if parent.manifest.map_size != size:
        rows, cols = parent.manifest.map_size
        found = f"one for {rows}×{cols} maps; this run has {size[0]}×{size[1]}"
    elif parent.manifest.zero:
        found = "one from good parts alone, which has no tower"
    elif is_own(fit["distance"]):
        found = f"one with the distance {fit['distance']}, whose code is in its folder alone"
    else:
        return
    raise BadSetting(f"zero.parent: expected a trained release for these maps, found {parent.version}, {found}")


def with_parent(config: RunConfig, good_alone: bool) -> RunConfig:
    """The settings with the parent's tower, distance and shifts, where there is a parent and good parts alone.

    `zero.parent` is then the folder of the release itself.
    """
    parent = find_parent(config) if good_alone else None
    if parent is None:
        return config
    trained = stored_config(parent).resolved()
    return replace(
        config,
        tower=trained.tower,
        fit=trained.fit,
        evaluate=replace(config.evaluate, shifts=trained.evaluate.shifts),
        zero=replace(config.zero, parent=str(parent.path)),
    )
