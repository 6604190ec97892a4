"""`kensa sign`: say by a signature that a release may be used."""

from __future__ import annotations

import json
from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, LINE, VERSION, line_artifacts


@with_examples("kensa sign v3 --key release.key", "kensa sign v3 --key /media/usb/release.key --line boards")
def sign(
    version: str = VERSION,
    key: Path = Option(metavar="FILE", help="Private key on a NIST curve, as PEM; KENSA_SIGN_PASSWORD unlocks it."),
    line: str | None = LINE,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Sign a release, so that others can require it.

    The signature is kept beside the releases. With --verify-key, or KENSA_VERIFY_KEY, a release is opened only with a
    signature by the public half of the key.
    """
    from tasks.provenance.signatures import sign_folder
    from tasks.registry.releases import get_release, require_whole

    release = require_whole(get_release(line_artifacts(line, artifacts), version))
    place = sign_folder(release.path, key)
    if as_json:
        print(json.dumps({"release": version, "signature": str(place)}))
    else:
        print(f"signed: {version}, by {place}")
