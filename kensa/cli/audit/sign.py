"""`kensa sign`: say by a signature that a release may be used."""

from __future__ import annotations

import json
from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, BY, LINE, REASON, VERSION, line_artifacts
from tasks.core.authorship import Authorship


@with_examples(
    "kensa sign v3 --key release.key",
    'kensa sign v3 --key /media/usb/release.key --line boards --by "M. Sato" --reason "checked on lot 7"',
)
def sign(
    version: str = VERSION,
    key: Path = Option(metavar="FILE", help="Private key on a NIST curve, as PEM; KENSA_SIGN_PASSWORD unlocks it."),
    by: str | None = BY,
    reason: str | None = REASON,
    line: str | None = LINE,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Sign a release, so that others can require it.

    The signature is kept beside the releases; the journal says who signed. With --verify-key, or KENSA_VERIFY_KEY, a
    release is opened only with a signature by the public half of the key.
    """
    from tasks.registry.champion import sign as sign_release

    place = sign_release(line_artifacts(line, artifacts), version, key, Authorship.of(by, reason))
    if as_json:
        print(json.dumps({"release": version, "signature": str(place)}))
    else:
        print(f"signed: {version}, by {place}")
