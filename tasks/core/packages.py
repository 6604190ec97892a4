"""The versions of installed packages, by the names that manifests use."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

OTHER_WHEELS = {"tensorflow": "tensorflow-cpu"}  # the same package without CUDA, which is installed where there is one


def package_version(name: str) -> str:
    """The version of a package under its own name or that of its other wheel; PackageNotFoundError without both."""
    try:
        return version(name)
    except PackageNotFoundError:
        if name not in OTHER_WHEELS:
            raise
        return version(OTHER_WHEELS[name])
