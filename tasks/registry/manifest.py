"""The manifest of a release or draft as it is read: whole, and of the form that its readers rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.config.fingerprints import RELEASE
from tasks.core.errors import DamagedRelease
from tasks.core.stages import MANIFEST, is_whole

Form = dict[str, type | tuple[type, ...]]
NONE = type(None)
TOP: Form = {
    "fingerprint": str,
    "status": str,
    "reasons": list,
    "compared_with": (str, NONE),
    "metrics": dict,
    "train": dict,
    "test": (dict, NONE),
    "config": dict,
    "files": dict,
}
LATER: Form = {"created": str, "frozen": (dict, NONE), "comparison": (dict, NONE)}  # older releases have none
SOURCE: Form = {"source": str, "revision": str}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest in a release's folder; DamagedRelease where it is not whole, or of another form."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        _require(manifest)
        return manifest
    except RecursionError:
        raise DamagedRelease(f"{folder}: its {MANIFEST} is nested without end; restore it from a backup") from None
    except (OSError, ValueError) as error:
        raise DamagedRelease(f"{folder}: its {MANIFEST} cannot be read ({error}); restore it from a backup") from None


def _require(manifest: Any) -> None:
    """Raise ValueError for anything but a manifest of a release."""
    if not isinstance(manifest, dict) or "fingerprint" not in manifest:
        raise ValueError("no manifest of a release")
    if not is_whole(manifest):
        raise ValueError("it is not as it was sealed")
    if _number(manifest.get("format")) > RELEASE:
        return  # of another form, by right; whoever opens it says so
    _require_form(manifest, TOP, "")
    _require_form({key: manifest[key] for key in LATER if key in manifest}, LATER, "", whole=False)
    for name in ("train", "test"):
        if manifest[name] is not None:
            _require_form(manifest[name], SOURCE, f"{name}.")
    _require_form(manifest["config"], {"data": dict}, "config.")
    _require_form(manifest["config"]["data"], {"rows": int, "cols": int}, "config.data.")
    _require_form({"config.fit": manifest["config"].get("fit", {})}, {"config.fit": dict}, "")
    if not all(isinstance(reason, str) for reason in manifest["reasons"]):
        raise ValueError("expected reasons as texts")
    if not all(isinstance(value, int | float) for value in manifest["metrics"].values()):
        raise ValueError("expected metrics as numbers")


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _require_form(told: dict[str, Any], form: Form, where: str, whole: bool = True) -> None:
    for name, kind in form.items():
        if name not in told:
            if whole:
                raise ValueError(f"expected {where}{name}, found none")
        elif not isinstance(told[name], kind):
            raise ValueError(f"expected another {where}{name} than {str(told[name])[:60]!r}")
