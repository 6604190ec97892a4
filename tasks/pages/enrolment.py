"""The page of a release that learnt a mode or a lot without training."""

from __future__ import annotations

from tasks.pages.templating import environment
from tasks.registry.manifest import ReleaseManifest


def render_enrolled(manifest: ReleaseManifest) -> str:
    """The page as HTML text: what was enrolled, and what that does to verdicts, with intervals."""
    values = {
        "manifest": manifest,
        "parent": manifest.parent_version,
        "facts": manifest.enrolled,
        "confidence": manifest.config["evaluate"]["confidence"],
        "waiting": manifest.status == "candidate",
        "language": manifest.language,
    }
    return environment(manifest.language).get_template("enrolled.html").render(values)
