"""What every text about some models must say: that a person overruled the gate, or that no defect was ever shown."""

from __future__ import annotations

from html import escape

from tasks.registry.manifest import ReleaseManifest
from tasks.report.translation import translator

DETECTION_UNKNOWN = "detection power unknown"  # of a model from good parts alone
STYLE = "margin:0 auto 1rem;padding:.8rem 1rem;border:2px solid #b3261e;border-radius:6px;overflow-wrap:anywhere"


def overruled_sentence(manifest: ReleaseManifest, language: str = "en") -> str | None:
    """Who promoted the model against the gate, and why; None where the gate passed it."""
    if manifest.overruled is None:
        return None
    text = translator(language)("The gate rejected this model. {by} promoted it: {why}")
    return text.format(by=manifest.overruled["by"], why=manifest.overruled["why"])


def add_notice(page: str, manifest: ReleaseManifest, language: str = "en") -> str:
    """The page with the sentence above everything else; the page as it is where there is none."""
    sentence = overruled_sentence(manifest, language)
    if sentence is None:
        return page
    head, body, rest = page.partition("<body>")
    return f'{head}{body}\n<p role="alert" style="{STYLE}"><strong>{escape(sentence)}</strong></p>{rest}'
