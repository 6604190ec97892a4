"""Kensa retrains the Siamese model with which a factory inspects its parts.

    import kensa

    kensa.retrain("./boards").status  # released, candidate, rejected or unchanged
    inspector = kensa.load()  # the champion; or a name such as v3, or a folder
    inspector.predict(maps)  # a table of verdicts, a row a map

The names below are the whole public API. Each is imported when it is first used, so that `import kensa` is quick.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kensa.inspector import Inspector, load
    from kensa.runs import demo, releases, retrain, score

__version__ = "0.1.0"
__all__ = ["Inspector", "demo", "load", "releases", "retrain", "score"]
MODULES = {"Inspector": "inspector", "load": "inspector"}
MODULES |= {"demo": "runs", "releases": "runs", "retrain": "runs", "score": "runs"}
ROOT = str(Path(__file__).parents[1])


def _find_own_packages() -> None:
    """Put Kensa's packages before a `tasks.py` or `flows.py` of somebody else on PYTHONPATH, here and in children."""
    for name in ("tasks", "flows"):
        spec = find_spec(name)
        if spec is None or str(Path(ROOT) / name / "__init__.py") != spec.origin:
            if name in sys.modules:
                raise ImportError(f"kensa needs its own package {name}, found {spec and spec.origin}; rename yours")
            sys.path.insert(0, ROOT)
            os.environ["PYTHONPATH"] = os.pathsep.join([ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
            return


_find_own_packages()


def __getattr__(name: str) -> Any:
    """A name of the public API, from its module."""
    if name not in MODULES:
        raise AttributeError(f"module 'kensa' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"kensa.{MODULES[name]}"), name)
