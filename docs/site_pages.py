"""The pages of the site that do not lie in docs/: made at each build from the README, the code and the notebooks."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
# Files of the repository that are pages of the site.
COPIES = {
    "README.md": "index.md",
    "README.ja.md": "index.ja.md",
    "CONTRIBUTING.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "data/README.md": "data-folder.md",
    "artifacts/README.md": "artifacts-folder.md",
}
NOTEBOOKS = {"evaluation.ipynb": "evaluation.md", "evaluation.ja.ipynb": "evaluation.ja.md"}
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")
API = ["runs.retrain", "inspector.load", "inspector.Inspector", "runs.releases", "runs.score", "runs.demo"]


def on_config(config: Any) -> Any:
    """A page that the navigation does not name yet comes under Guides."""
    named = set(re.findall(r"[\w.-]+\.md", str(config.nav)))
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name not in named)
    next(section for section in config.nav if "Guides" in section)["Guides"] += pages
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made."""
    from kensa.cli.reference import settings_reference

    texts = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in COPIES.items()}
    texts |= {page: _notebook(ROOT / "docs" / name) for name, page in NOTEBOOKS.items()}
    texts |= {"settings.md": settings_reference(), "api.md": _api(), "rooms.md": _rooms()}
    for name, text in texts.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links between files of the repository become links between pages."""
    source = {page: name for name, page in COPIES.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    folder = Path(source).parent

    def replace(link: re.Match[str]) -> str:
        start, target, anchor, end = link.groups()
        if ":" in target:
            return link[0]
        path = (ROOT / folder / target).resolve().relative_to(ROOT).as_posix()
        name = COPIES.get(path) or NOTEBOOKS.get(Path(path).name) or path.removeprefix("docs/")
        return f"{start}{name}{anchor or ''}{end}"

    return LINK.sub(replace, markdown)


def _notebook(path: Path) -> str:
    """The cells of a notebook as Markdown."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return "\n\n".join(text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in texts) + "\n"


def _api() -> str:
    """The names of the public API, which mkdocstrings fills in."""
    text = "# Python API\n\nAll public names of `kensa`. [Kensa in Python](python.md) shows them at work.\n"
    for name in API:
        text += f"\n::: kensa.{name}\n    options:\n      heading: kensa.{name.rpartition('.')[2]}\n"
    return text


def _rooms() -> str:
    """Every package and module with the first sentence of its docstring."""
    text = "# Modules\n\nEach room and its modules. [Contributing](../CONTRIBUTING.md) has the rules.\n"
    for init in sorted(path for top in ("tasks", "flows", "kensa") for path in (ROOT / top).rglob("__init__.py")):
        folder = init.parent
        text += f"\n## {folder.relative_to(ROOT)}\n\n{_first_paragraph(init)}\n\n| module | |\n| --- | --- |\n"
        for module in sorted(path for path in folder.glob("*.py") if not path.name.startswith("__")):
            text += f"| `{module.name}` | {_first_paragraph(module)} |\n"
    return text


def _first_paragraph(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("|", "\\|").replace("[", "\\[").replace("<", "&lt;")
