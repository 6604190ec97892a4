"""How a source is written: one or several, each a dataset of the Hub, files, or an address; and a choice within it.

acme/boards@v2                            a dataset of the Hub, at a branch, tag or commit
hf://datasets/acme/boards@v2/front/*.csv  the same, of which only some files are read; also the Hub's web address
./parts, parts.csv, "lots/*.parquet"      a folder, a file, a pattern of files; parts.zip
s3://factory/boards                       a folder, file or pattern at any address that fsspec knows
acme/boards#config=front,part=holdout     a configuration and a split
acme/boards; ./night-shift                several sources
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tasks.core.errors import UnknownSource

SEPARATOR = ";"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
HUB_ADDRESS = re.compile(r"hf://datasets/([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.*?))?/?")
HUB_PAGE = re.compile(
    r"https?://(?:www\.)?huggingface\.co/datasets/([^/@?]+/[^/@?]+)(?:/(?:tree|blob|resolve)/([^/?]+)(?:/([^?]*))?)?/?(?:\?.*)?"
)
CHOICES = ("config", "part")
CHOICE = re.compile(rf"(?:{'|'.join(CHOICES)})=[^,=#]+")
MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True)
class HubName:
    """A dataset of the Hub: its name, the revision in the address, and the folder, file or pattern below it, or ``."""

    name: str
    revision: str | None = None
    path: str = ""


@dataclass(frozen=True)
class Choice:
    """The configuration and the split that a source names itself."""

    config: str | None = None
    part: str | None = None

    @property
    def text(self) -> str:
        """As it is written behind a source; empty where nothing is chosen."""
        words = [f"{name}={value}" for name in CHOICES if (value := getattr(self, name))]
        return f"#{','.join(words)}" if words else ""


def split_sources(text: str) -> tuple[str, ...]:
    """The sources of a text; one that is there as a file or folder is one source, whatever its name."""
    if SEPARATOR not in text or exists(text):
        return (text,)
    return tuple(part.strip() for part in text.split(SEPARATOR) if part.strip()) or (text,)


def join_sources(sources: str | Sequence[str]) -> str:
    """Several sources as one text."""
    return sources if isinstance(sources, str) else f"{SEPARATOR} ".join(sources)


def exists(text: str) -> bool:
    """Whether there is a file or folder of that name; a text that can be none has none."""
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def split_choice(text: str) -> tuple[str, Choice]:
    """A source without its choice, and the choice; raises UnknownSource for other words behind the #."""
    source, sign, words = text.rpartition("#")
    if not sign or exists(text):
        return text, Choice()
    chosen = words.split(",")
    if not all(map(CHOICE.fullmatch, chosen)):
        raise UnknownSource(
            f"{text}: expected #config=NAME, #part=NAME or both with a comma behind a source, found #{words}"
        )
    return source, Choice(**dict(word.split("=") for word in chosen))


def hub_name(text: str) -> HubName | None:
    """The dataset of the Hub that a source names, None where it names none."""
    if match := HUB_ADDRESS.fullmatch(text) or HUB_PAGE.fullmatch(text):
        revision = unquote(match[2]) if match[2] else None
        return HubName(match[1], revision, match[3] or "")
    name, _, revision = text.partition("@")
    return HubName(name, revision or None) if REPOSITORY.fullmatch(name) else None


def hub_branches(source: str) -> list[tuple[str, str]]:
    """Name and branch of each dataset of the Hub among the sources of a text."""
    texts = [split_choice(text)[0] for text in split_sources(source)]
    hubs = [hub_name(text) for text in texts if not exists(text)]
    return [(hub.name, hub.revision or "main") for hub in hubs if hub]


def at_revision(source: str, revision: str | None) -> str:
    """A source with this revision in its name, or with none, where it is a dataset of the Hub; else as it is."""
    text, choice = split_choice(source)
    if (hub := hub_name(text)) is None:
        return source
    name = f"{hub.name}@{revision}" if revision else hub.name
    return f"hf://datasets/{name}/{hub.path}{choice.text}" if hub.path else f"{name}{choice.text}"


def is_pattern(text: str) -> bool:
    """Whether a path has signs of a pattern."""
    return bool(MAGIC.search(text))
