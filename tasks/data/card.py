"""The card of a dataset: which files its configurations and splits name, and the names of its classes.

The card is the front matter of README.md, or `.huggingface.yaml`. It is a stranger's: no script, no file elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core.errors import BadSetting, UnreadableSource
from tasks.core.text import one_line

CARDS = ("README.md", ".huggingface.yaml")
MAX_CARD_BYTES = 1 << 20
# Columns beside the map, whose codes a card may name.
DESCRIBED = {
    "label",
    "fmode",
    "mode",
    "group",
    *(f"{side}{name}" for side in "pn" for name in ("label", "mode", "group")),
}


@dataclass(frozen=True)
class CardConfig:
    """One configuration: the patterns of the files of each split, none where the names of the files decide."""

    name: str
    is_default: bool
    folder: str
    patterns: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Card:
    """The configurations, and for each column of classes the names of the codes 0, 1, … (by configuration)."""

    configs: tuple[CardConfig, ...] = ()
    class_names: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def choose(self, name: str | None, source: str, option: str) -> CardConfig | None:
        """The configuration `name`, or the only or default one; None for a card without any.

        Raises BadSetting, which says what `option` can be, where there is no such one, or several and none is named.
        """
        names = [config.name for config in self.configs]
        if not names and name in (None, "default"):
            return None
        default = [config for config in self.configs if config.is_default or config.name == "default"]
        chosen = [config for config in self.configs if config.name == name] if name else default[:1]
        if not name and len(names) == 1:
            chosen = list(self.configs)
        if chosen:
            return chosen[0]
        if not names:
            raise BadSetting(
                f"{source}: expected the configuration {name}, found none; leave {option.rstrip('=')} away"
            )
        raise BadSetting(
            f"{source}: expected {f'the configuration {name}' if name else 'one configuration'}, found "
            f"{', '.join(names)}; choose one with {option}{names[0]}"
        )


def read_card(folder: Path, source: str) -> Card:
    """The card of a folder; an empty one where it has none.

    Raises UnreadableSource for a loading script, front matter that is no YAML, and files outside of the folder.
    """
    if (script := folder / f"{folder.name}.py").exists():
        raise UnreadableSource(f"{source}: {script.name} would be its loading script, and none is ever run; remove it")
    configs: list[CardConfig] = []
    class_names: dict[str, dict[str, list[str]]] = {}
    for name in CARDS:
        content = _front_matter(folder / name, source)
        _require_own_files(content.get("configs"), name, source)
        entries = content.get("configs")
        configs = configs or [_config(entry) for entry in _list(entries) if isinstance(entry, dict)]
        for info in _list(content.get("dataset_info")):
            if isinstance(info, dict):
                class_names.setdefault(str(info.get("config_name", "default")), _class_names(info.get("features")))
    return Card(tuple(configs), class_names)


def _front_matter(card: Path, source: str) -> dict[str, Any]:
    """The card's mapping; a README in any encoding without front matter has none."""
    import yaml

    if not card.is_file():
        return {}
    if card.stat().st_size > MAX_CARD_BYTES:
        raise UnreadableSource(f"{source}: expected a {card.name} of at most {MAX_CARD_BYTES} bytes; shorten it")
    text = card.read_text(encoding="utf-8-sig", errors="replace")
    if card.suffix == ".md":
        front_matter = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---", text, re.S)
        text = front_matter[1] if front_matter else ""
    try:
        content = yaml.load(text, Loader=yaml.BaseLoader)  # texts alone: a class `NO` is no truth value
    except (yaml.YAMLError, RecursionError) as error:
        raise UnreadableSource(f"{source}: its {card.name} cannot be read: {one_line(error)}") from None
    return content if isinstance(content, dict) else {}


def _require_own_files(configs: Any, name: str, source: str) -> None:
    """Every text under `configs` is checked: the patterns, and others that are harmless."""
    for pattern in _texts(configs):
        if "://" in pattern or "::" in pattern or pattern.startswith(("/", "~")) or ".." in Path(pattern).parts:
            raise UnreadableSource(
                f"{source}: expected {name} to name files of its own folder, found {pattern[:100]!r}"
            )


def _texts(content: Any) -> Iterator[str]:
    """Every text within; each object once, because YAML can repeat one a million times."""
    waiting, seen = [content], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            waiting += item


def _list(content: Any) -> list[Any]:
    if content is None:
        return []
    return content if isinstance(content, list) else [content]


def _config(entry: dict[str, Any]) -> CardConfig:
    """`data_files` is a pattern, a list of patterns, a mapping of splits, or a list of {split, path}."""
    patterns: dict[str, list[str]] = {}
    files = entry.get("data_files")
    for item in [*files.items()] if isinstance(files, dict) else _list(files):
        if isinstance(item, dict):
            split, paths = item.get("split", "train"), item.get("path")
        else:
            split, paths = item if isinstance(item, tuple) else ("train", item)
        patterns.setdefault(str(split), []).extend(map(str, _list(paths)))
    return CardConfig(
        name=str(entry.get("config_name", "default")),
        is_default=str(entry.get("default")).lower() == "true",
        folder=str(entry.get("data_dir") or ""),
        patterns={split: tuple(paths) for split, paths in patterns.items()},
    )


def _class_names(features: Any) -> dict[str, list[str]]:
    """The names of classes by column, from `features` as a card writes them."""
    names: dict[str, list[str]] = {}
    for feature in _list(features):
        kind = feature.get("dtype") if isinstance(feature, dict) else None
        classes = kind.get("class_label") if isinstance(kind, dict) else None
        by_code = classes.get("names") if isinstance(classes, dict) else None
        if isinstance(by_code, dict):
            by_code = [by_code[key] for key in sorted(by_code, key=lambda key: int(key) if str(key).isdigit() else 0)]
        if isinstance(by_code, list):
            names[str(feature.get("name"))] = list(map(str, by_code))
    return names
