"""The bill of materials: valid CycloneDX, complete, and the same whenever it is made."""

from __future__ import annotations

import importlib.metadata
import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tasks.core.files import file_digest
from tasks.provenance.sbom import SBOM_FILE, Origin, write_sbom

SOURCES = {"train": ("acme/boards", "0123abc"), "test": ("s3://factory/<b>later\nlots", "4567def")}
ORIGIN = Origin("v3", "f" * 64, "2026-01-02T03:04:05+00:00", SOURCES)


def written(folder, origin=ORIGIN):
    (folder / "model.keras").write_bytes(b"weights")
    write_sbom(folder, origin, folder / "model.keras")
    return (folder / SBOM_FILE).read_text()


def test_it_is_valid_and_names_model_data_and_packages(tmp_path):
    text = written(tmp_path)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    model = bom["metadata"]["component"]
    assert (model["type"], model["version"]) == ("machine-learning-model", "v3")
    assert model["hashes"] == [{"alg": "SHA-256", "content": file_digest(tmp_path / "model.keras")}]
    data = {part["version"]: part["name"] for part in bom["components"] if part["type"] == "data"}
    assert set(data) == {"0123abc", "4567def"}
    assert "\n" not in data["4567def"]
    purls = {part["purl"] for part in bom["components"] if part["type"] == "library"}
    assert {f"pkg:pypi/{name}@{importlib.metadata.version(name)}" for name in ("keras", "numpy", "prefect")} <= purls
    depends = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    assert len(depends["release:v3"]) == len(bom["components"])


def test_made_again_it_is_the_same_and_of_another_release_another(tmp_path):
    first = written(tmp_path)
    assert written(tmp_path) == first
    other = json.loads(written(tmp_path, Origin("v4", "f" * 64, ORIGIN.created, SOURCES)))
    assert other["serialNumber"] != json.loads(first)["serialNumber"]


def test_a_release_without_a_time_has_one_too(tmp_path):
    text = written(tmp_path, Origin("v3", "f" * 64, None))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
