"""Which of a folder's tables are read: those of a configuration, of one kind, and of one split.

Files belong to splits where the card says so, or where the name of every file holds a word such as train or test. Where
only some names hold one word, it is a part of a name: all files are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tasks.config.run import DataConfig
from tasks.core.errors import BadSetting, UnreadableSource
from tasks.data.card import DESCRIBED, Card, CardConfig
from tasks.data.listing import TABLE_PATTERNS, Listing, parquet_footer, table_kind

if TYPE_CHECKING:
    import pyarrow as pa

SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
WORD = r"(?:^|[-._ 0-9/])(?:{})(?:[-._ 0-9/]|$)"
SPLIT_PATTERNS = {split: re.compile(WORD.format("|".join(words))) for split, words in SPLIT_WORDS.items()}
READING_VERSION = 2  # of what is read from a source's files; a release says with which one it was made
HUB_NAME = re.compile(r"(?:^|.*/)data/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}\b[^/]*$")  # as the Hub's own tools name files
WHOLE = "train"  # the split of files that belong to none


@dataclass(frozen=True)
class Selection:
    """The files to read, of one kind and split; `unread`: files that look like data and are left out, and why."""

    kind: str
    files: tuple[str, ...]
    split: str
    unread: dict[str, str]


def select(listing: Listing, card: Card, data: DataConfig, held_out: bool, source: str, option: str) -> Selection:
    """The files that `data.config` and `data.part` name; without a part, test where `held_out`, else train.

    `option` is how the caller names a choice, such as `--set data.`. Raises BadSetting where a choice is missing or
    does not exist, and UnreadableSource where there are tables of several kinds, or none.
    """
    config = card.choose(data.config, source, f"{option}config=")
    splits, unread = _splits(listing, config, source)
    kind, splits, notes = _of_one_kind(splits, source)
    part = _choose_split(source, list(splits), data.part, held_out, f"{option}part=…")
    others = {name: f"split {split}" for split in splits for name in splits[split]}
    unread = {name: _reason(name) for name in listing.others} | unread | notes | others
    files = tuple(sorted(splits[part]))
    return Selection(kind, files, part, {name: unread[name] for name in sorted(set(unread) - set(files))})


def _reason(name: str) -> str:
    """Why a file that looks like data is no table."""
    return "verdicts of an earlier run" if table_kind(name) else "no table by its name"


def _splits(listing: Listing, config: CardConfig | None, source: str) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The tables of each split, and why tables belong to none."""
    if config is None:
        return split_by_name(listing.tables)
    splits, unread = _splits_of_config(listing, config)
    if not splits:
        raise UnreadableSource(
            f"{source}: expected the tables that its card names for {config.name}, found none of them"
        )
    named = {name for names in splits.values() for name in names}
    return splits, unread | {name: "not named by the card" for name in listing.tables if name not in named}


def _splits_of_config(listing: Listing, config: CardConfig) -> tuple[dict[str, list[str]], dict[str, str]]:
    prefix = f"{config.folder.strip('/')}/" if config.folder.strip("/.") else ""
    below = [name for name in listing.tables if name.startswith(prefix)]
    if not config.patterns:
        return split_by_name(below)
    splits = {split: _matching(paths, prefix, below) for split, paths in config.patterns.items()}
    return {split: names for split, names in splits.items() if names}, {}


def card_reading(listing: Listing, card: Card) -> list[Any]:
    """What the card decides of the records: its configurations, and names of classes; nothing where all would be read
    so without it.
    """
    plain, _ = split_by_name(listing.tables)
    configs = [(asdict(config), _splits_of_config(listing, config)[0]) for config in card.configs]
    decides = len(configs) > 1 or any(splits != plain for _, splits in configs)
    names = {name: columns for name, columns in card.class_names.items() if _renames(columns)}
    return [["configs", [config for config, _ in configs]]] * decides + [["names", names]] * bool(names)


def _matching(patterns: tuple[str, ...], prefix: str, names: list[str]) -> list[str]:
    expressions = [_expression(prefix + pattern.removeprefix("./")) for pattern in patterns]
    return [name for name in names if any(expression.fullmatch(name) for expression in expressions)]


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern of the shell as a regular expression; `**` crosses folders. Raises UnreadableSource for none."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(
        meaning.get(part)
        or (part.replace("[!", "[^") if part.startswith("[") and part.endswith("]") else re.escape(part))
        for part in parts
    )
    try:
        return re.compile(expression)
    except re.error as error:
        raise UnreadableSource(
            f"the card: expected a pattern such as data/*.csv, found {pattern!r} ({error})"
        ) from None


def split_by_name(names: tuple[str, ...] | list[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The tables of each split by words in their names, and why tables belong to none."""
    sharded = {name: match[1] for name in names if (match := HUB_NAME.match(name))}
    words = sharded or {name: split for name in names if (split := split_word(name))}
    if not words or (len(words) < len(names) and len(set(words.values())) == 1 and not sharded):
        return {WHOLE: list(names)}, {}
    splits: dict[str, list[str]] = {}
    for name in words:
        splits.setdefault(words[name], []).append(name)
    return splits, {name: "no split in its name" for name in names if name not in words}


def split_word(name: str) -> str | None:
    """The split whose word a name holds; the last one in it counts."""
    words = [(match.end(), split) for split, word in SPLIT_PATTERNS.items() for match in word.finditer(name.lower())]
    return max(words)[1] if words else None


def _of_one_kind(splits: dict[str, list[str]], source: str) -> tuple[str, dict[str, list[str]], dict[str, str]]:
    """The splits without JSON where there are other tables, because JSON beside them may be mere notes."""
    kinds = {name: str(table_kind(name)) for names in splits.values() for name in names}
    tables = sorted(set(kinds.values()) - {"json"}) or ["json"]
    if len(tables) > 1:
        raise UnreadableSource(f"{source}: expected tables of one kind, found {', '.join(tables)}; keep one of them")
    read = {split: [name for name in names if kinds[name] == tables[0]] for split, names in splits.items()}
    notes = {name: f"JSON beside {tables[0]}" for name, kind in kinds.items() if kind != tables[0]}
    return tables[0], {split: names for split, names in read.items() if names}, notes


def _choose_split(source: str, splits: list[str], name: str | None, held_out: bool, option: str) -> str:
    """The split `name`; without a name, the usual one, or the only one."""
    usual = ["test", "validation", "train"] if held_out else ["train"]
    preferred = [name] if name else usual
    chosen = next((split for split in preferred if split in splits), None)
    if chosen is None and len(splits) == 1 and not name:
        return splits[0]
    if chosen is None:
        raise BadSetting(
            f"{source}: expected the split {' or '.join(preferred)}, found {', '.join(splits)}; choose with {option}"
        )
    return chosen


def was_read_otherwise(listing: Listing, card: Card) -> bool:
    """Whether an earlier version read something else from the same files, so that what it stored must not be used.

    It took one split of files of which only some have its word, and copies such as t.csv.bak; it took codes for the
    names of classes, the first file's columns for those of all, and numbers for codes in CSV.
    """
    names = listing.tables
    words = [split for name in names if (split := split_word(name))]
    kinds = {table_kind(name) for name in names}
    copies = (ending for name in listing.others for ending in name.lower().split(".")[1:-1])
    one_word = len(words) < len(names) and len(set(words)) == 1 and not card.configs
    if one_word or any(ending in kinds for ending in copies):
        return True
    if not all(any(fnmatchcase(name, pattern) for pattern in TABLE_PATTERNS) for name in names):
        return True
    if any(_renames(columns) for columns in card.class_names.values()):
        return True
    return _csv_was_read_otherwise(listing) or _parquet_was_read_otherwise(listing)


def _csv_was_read_otherwise(listing: Listing) -> bool:
    tables = [name for name in listing.tables if table_kind(name) in ("csv", "tsv")]
    if not tables:
        return False
    from tasks.data.csv_files import csv_was_read_otherwise  # Arrow, without which an unchanged source is found sooner

    return any(csv_was_read_otherwise(listing.folder / name, name) for name in tables)


def _parquet_was_read_otherwise(listing: Listing) -> bool:
    tables = [name for name in listing.tables if table_kind(name) == "parquet"]
    if not tables or (len(tables) == 1 and b"huggingface" not in parquet_footer(listing.folder / tables[0])):
        return False
    schemas = list(_parquet_schemas(listing, tables))
    return any(_renames(names_of_classes(schema)) or _differs_from_first(schemas[0], schema) for schema in schemas)


def _renames(classes: dict[str, list[str]]) -> bool:
    return any(column in DESCRIBED and names != list(map(str, range(len(names)))) for column, names in classes.items())


def _parquet_schemas(listing: Listing, tables: list[str]) -> Iterator[pa.Schema]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in tables:
        try:
            yield pq.read_schema(listing.folder / name)
        except (pa.ArrowException, OSError):
            continue  # the reader says what is wrong with it


def _differs_from_first(first: pa.Schema, other: pa.Schema) -> bool:
    """Whether the first file's columns cut the other's: a group that it lacks, or half floats."""
    halves = any(str(kind) == "halffloat" for kind in first.types)
    return bool((DESCRIBED & set(other.names)) - set(first.names)) or (halves and set(first.types) != set(other.types))


def names_of_classes(schema: pa.Schema) -> dict[str, list[str]]:
    """The names of classes by column, which the `datasets` library writes into a file's metadata."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {column: list(map(str, kind["names"])) for column, kind in features.items() if "names" in kind}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
