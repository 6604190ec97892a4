"""The page of a release that learnt a mode or a lot without training."""

from __future__ import annotations

from tasks.pages.templating import environment
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.release_files import PARENT_PAGE


def render_enrolled(manifest: ReleaseManifest, language: str | None = None, parent_page: str = PARENT_PAGE) -> str:
    """The page as HTML text: what was enrolled, and what that does to verdicts, with intervals.

    language: by default the release's own; parent_page: address of the parent's report.
    """
    language = language or manifest.language
    values = {
        "manifest": manifest,
        "parent": manifest.parent_version,
        "facts": manifest.enrolled,
        "confidence": manifest.config["evaluate"]["confidence"],
        "waiting": manifest.status == "candidate",
        "language": language,
        "parent_page": parent_page,
    }
    return environment(language).get_template("enrolled.html").render(values)
