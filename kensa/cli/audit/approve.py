"""`kensa approve`: make a candidate the champion, or refuse it."""

from __future__ import annotations

import json
from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, BY, LINE, REASON, VERIFY_KEY, VERSION, line_artifacts
from kensa.cli.terminal import send_champion
from tasks.core.authorship import Authorship
from tasks.registry import candidates
from tasks.registry.pointer import champion_state


@with_examples(
    'kensa approve v3 --by "M. Sato" --reason "fewer escapes on lot 7"',
    'kensa approve v3 --line boards --refuse --by "M. Sato" --reason "it misses short circuits"',
)
def approve(
    version: str = VERSION,
    refuse: bool = Option(False, "--refuse", help="Refuse it: the champion stays."),
    by: str | None = BY,
    reason: str | None = REASON,
    line: str | None = LINE,
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Make a candidate the champion, or refuse it.

    With the setting gate.approval=required a model that passes the gate is a candidate, and the champion serves on
    until a person decides. --reason is needed; the journal keeps it.
    """
    folder, author = line_artifacts(line, artifacts), Authorship.of(by, reason)
    decide = candidates.refuse if refuse else candidates.approve
    release, word = decide(folder, version, author), "refused" if refuse else "approved"
    champion = champion_state(folder).champion
    if as_json:
        print(json.dumps({"status": word, "release": release.version, "champion": champion}))
    else:
        print(f"{word}: {release.version}; champion: {champion or 'none yet'}")
    if not refuse:
        send_champion(folder, line)
