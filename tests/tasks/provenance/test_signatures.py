"""A signature says who vouches for a release: no other key, no other file, no other release under its name."""

from __future__ import annotations

import json
import shutil

import pytest
from support.inspected_parts import release as sealed_release
from support.keys import make_key
from support.releases import reseal

from tasks.core.errors import BadSetting, DamagedRelease, MissingExtra, UntrustedRelease
from tasks.provenance import signatures
from tasks.provenance.signatures import VERIFY_KEY, sign_folder, signature_path
from tasks.registry.champion import promote, select_release
from tasks.registry.releases import get_release, read_release, verify_release


@pytest.fixture
def keys(tmp_path):
    return make_key(tmp_path)


@pytest.fixture
def line(tmp_path):
    """Artifacts with the releases v1 and v2, whose files are texts."""
    for version in ("v1", "v2"):
        sealed_release(tmp_path / "artifacts", version)
    return tmp_path / "artifacts"


@pytest.fixture
def trusting(monkeypatch, keys):
    monkeypatch.setenv(VERIFY_KEY, str(keys[1]))


def folder_of(line, version="v1"):
    return line / "releases" / version


def test_a_signed_release_is_opened_and_an_unsigned_one_is_not(line, keys, trusting):
    with pytest.raises(UntrustedRelease, match=r"v1: expected a signature of it by .*, found none; kensa sign"):
        verify_release(get_release(line, "v1"))
    place = sign_folder(folder_of(line), keys[0])
    assert place == line / "signatures" / "v1.sig" == signature_path(folder_of(line))
    assert verify_release(get_release(line, "v1")).version == "v1"
    assert select_release(line, "v1").version == "v1"
    with pytest.raises(UntrustedRelease, match="found none"):
        promote(line, "v2")


def test_without_a_key_nothing_is_asked_for(line):
    assert verify_release(get_release(line, "v2")).version == "v2"


def test_who_can_write_a_seal_cannot_write_a_signature(line, keys, trusting):
    """A changed file, sealed anew: whole, but not what was signed."""
    sign_folder(folder_of(line), keys[0])
    (folder_of(line) / "threshold.json").write_text("every part is good")
    with pytest.raises(DamagedRelease):
        verify_release(get_release(line, "v1"))
    reseal(folder_of(line))
    with pytest.raises(UntrustedRelease, match="found another: Signature mismatch"):
        verify_release(get_release(line, "v1"))


def test_a_signed_release_under_the_name_of_another_is_refused(line, keys, trusting):
    sign_folder(folder_of(line), keys[0])
    shutil.rmtree(folder_of(line, "v2"))
    shutil.copytree(folder_of(line), folder_of(line, "v2"))
    shutil.copyfile(line / "signatures" / "v1.sig", line / "signatures" / "v2.sig")
    with pytest.raises(UntrustedRelease, match=r"v2: expected a signature .*, found v1 in its place"):
        verify_release(get_release(line, "v2"))


def test_the_signature_of_another_key_is_refused(line, tmp_path, trusting):
    other, _ = make_key(tmp_path, "other")
    sign_folder(folder_of(line), other)
    with pytest.raises(UntrustedRelease, match="found another: Key mismatch"):
        verify_release(get_release(line, "v1"))


@pytest.mark.parametrize("change", ["payload", "form", "text"])
def test_a_changed_signature_is_refused_in_one_line(line, keys, trusting, change):
    place = sign_folder(folder_of(line), keys[0])
    bundle = json.loads(place.read_text())
    if change == "payload":
        payload = bundle["dsseEnvelope"]["payload"]
        bundle["dsseEnvelope"]["payload"] = payload[:100] + ("A" if payload[100] != "A" else "B") + payload[101:]
    place.write_text({"form": "{}", "text": "none"}.get(change) or json.dumps(bundle))
    with pytest.raises(UntrustedRelease) as refused:
        verify_release(get_release(line, "v1"))
    assert "\n" not in str(refused.value)


def test_a_release_that_stands_alone_has_its_signature_beside_it(line, keys, trusting, tmp_path):
    sign_folder(folder_of(line), keys[0])
    shutil.copytree(folder_of(line), tmp_path / "line-7")
    with pytest.raises(UntrustedRelease, match="found none"):
        verify_release(read_release(tmp_path / "line-7"))
    shutil.copyfile(line / "signatures" / "v1.sig", tmp_path / "line-7.sig")
    assert verify_release(read_release(tmp_path / "line-7")).version == "line-7"


def test_a_locked_key_needs_its_password(line, tmp_path, monkeypatch):
    private, _ = make_key(tmp_path, "locked", "open sesame")
    for password in (None, "wrong"):
        if password:
            monkeypatch.setenv("KENSA_SIGN_PASSWORD", password)
        with pytest.raises(BadSetting, match=r"expected a private key on a NIST curve as PEM"):
            sign_folder(folder_of(line), private)
    monkeypatch.setenv("KENSA_SIGN_PASSWORD", "open sesame")
    assert sign_folder(folder_of(line), private).exists()
    assert [path.name for path in (line / "signatures").iterdir()] == ["v1.sig"]


def test_what_is_no_key_is_said(line, keys, tmp_path, monkeypatch):
    for key in (tmp_path / "absent", keys[1]):
        with pytest.raises(BadSetting, match=r"--key .*: expected a private key"):
            sign_folder(folder_of(line), key)
    sign_folder(folder_of(line), keys[0])
    monkeypatch.setenv(VERIFY_KEY, str(keys[0]))
    with pytest.raises(BadSetting, match="expected a public key"):
        verify_release(get_release(line, "v1"))


def test_without_the_library_both_say_what_to_install(line, keys, monkeypatch):
    monkeypatch.setattr(signatures.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="kensa sign: expected the package model-signing, pyopenssl"):
        sign_folder(folder_of(line), keys[0])
    monkeypatch.setenv(VERIFY_KEY, str(keys[1]))
    with pytest.raises(MissingExtra, match="make setup EXTRAS=sign"):
        verify_release(get_release(line, "v1"))
