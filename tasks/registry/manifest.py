"""The manifest of a release or draft as it is read: whole, and of the form that its readers rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.core.errors import DamagedRelease
from tasks.core.stages import MANIFEST, manifest_is_intact

ManifestForm = dict[str, type | tuple[type, ...]]
NULL = type(None)
REQUIRED_KEYS: ManifestForm = {
    "fingerprint": str,
    "status": str,
    "reasons": list,
    "compared_with": (str, NULL),
    "metrics": dict,
    "train": dict,
    "test": (dict, NULL),
    "config": dict,
    "files": dict,
}
LATER_KEYS: ManifestForm = {
    "created": str,
    "frozen": (dict, NULL),
    "comparison": (dict, NULL),
}  # older releases have none
SOURCE_KEYS: ManifestForm = {"source": str, "revision": str}


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
    if not manifest_is_intact(manifest):
        raise ValueError("it is not as it was sealed")
    if _number(manifest.get("format")) > RELEASE_FORMAT:
        return  # of another form, by right; whoever opens it says so
    _require_form(manifest, REQUIRED_KEYS, "")
    _require_form({key: manifest[key] for key in LATER_KEYS if key in manifest}, LATER_KEYS, "", whole=False)
    for name in ("train", "test"):
        if manifest[name] is not None:
            _require_form(manifest[name], SOURCE_KEYS, f"{name}.")
    _require_form(manifest["config"], {"data": dict}, "config.")
    _require_form(manifest["config"]["data"], {"rows": int, "cols": int}, "config.data.")
    _require_form({"config.fit": manifest["config"].get("fit", {})}, {"config.fit": dict}, "")
    if not all(isinstance(reason, str) for reason in manifest["reasons"]):
        raise ValueError("expected reasons as texts")
    if not all(isinstance(value, int | float) for value in manifest["metrics"].values()):
        raise ValueError("expected metrics as numbers")


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _require_form(told: dict[str, Any], form: ManifestForm, where: str, whole: bool = True) -> None:
    for name, kind in form.items():
        if name not in told:
            if whole:
                raise ValueError(f"expected {where}{name}, found none")
        elif not isinstance(told[name], kind):
            raise ValueError(f"expected another {where}{name} than {str(told[name])[:60]!r}")
