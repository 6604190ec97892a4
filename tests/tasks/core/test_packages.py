"""Versions of packages, whichever wheel of TensorFlow is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import keras
import pytest

from tasks.core.packages import package_version


def test_the_version_is_the_package_s_own():
    assert package_version("keras") == keras.__version__


@pytest.mark.parametrize("wheel", ["tensorflow", "tensorflow-cpu"])
def test_tensorflow_has_one_name_for_both_wheels(tmp_path, monkeypatch, wheel):
    info = tmp_path / f"{wheel.replace('-', '_')}-7.8.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {wheel}\nVersion: 7.8.9\n")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert package_version("tensorflow") == "7.8.9"


@pytest.mark.parametrize("name", ["tensorflow", "no-such-package"])
def test_what_is_not_installed_has_no_version(tmp_path, monkeypatch, name):
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(PackageNotFoundError):
        package_version(name)
