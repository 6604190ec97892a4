"""The signature of a release: who says that this release may be used, by a key that Kensa does not keep.

    artifacts/signatures/v3.sig     a Sigstore bundle of the library model-signing, over every file of releases/v3

A seal (the checksums of a manifest) says that a release is whole. Who can write files can write a seal, too; a
signature needs the private key. With KENSA_VERIFY_KEY, or `--verify-key`, no release is opened without one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from pathlib import Path

from tasks.core.errors import BadSetting, MissingExtra, UntrustedRelease
from tasks.core.files import draft_prefix, ensure_writable, replace_durably, sync_to_disk
from tasks.core.text import one_line

VERIFY_KEY, PASSWORD = "KENSA_VERIFY_KEY", "KENSA_SIGN_PASSWORD"  # names of variables
SIGNATURES, SUFFIX = "signatures", ".sig"
PACKAGES = {"model_signing": "model-signing", "OpenSSL": "pyopenssl"}


def signature_path(folder: Path) -> Path:
    """Where the signature of a release's folder lies: in the artifacts, or beside a folder that stands alone."""
    beside = folder.with_name(f"{folder.name}{SUFFIX}")
    return beside if beside.is_file() else folder.parent.parent / SIGNATURES / f"{folder.name}{SUFFIX}"


def sign_folder(folder: Path, key: Path) -> Path:
    """Sign a release's folder, which the caller has verified; the signature's path.

    key: a private key on a NIST curve, as PEM; KENSA_SIGN_PASSWORD unlocks it. Raises MissingExtra and BadSetting.
    """
    _require_packages("kensa sign")
    import model_signing

    password = os.environ.get(PASSWORD)
    try:
        config = model_signing.signing.Config().use_elliptic_key_signer(
            private_key=key, password=password.encode() if password else None
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadSetting(
            f"--key {key}: expected a private key on a NIST curve as PEM ({PASSWORD} unlocks it), found none that can "
            f"be used: {one_line(error)}"
        ) from None
    place = ensure_writable(folder.parent.parent / SIGNATURES) / f"{folder.name}{SUFFIX}"
    draft = place.with_name(f"{draft_prefix(place.name)}0")
    try:
        config.sign(folder, draft)
        draft.chmod(0o644)
        sync_to_disk(draft)
        replace_durably(draft, place)
    finally:
        draft.unlink(missing_ok=True)
    return place


def require_trusted(folder: Path, version: str) -> None:
    """Raise UntrustedRelease for a release without a valid signature, where KENSA_VERIFY_KEY names a public key."""
    if key := os.environ.get(VERIFY_KEY):
        verify_folder(folder, version, Path(key))


def verify_folder(folder: Path, version: str, key: Path) -> None:
    """Raise UntrustedRelease unless every file of a release, and no other, was signed with the key's private half.

    version: the release's name as its manifest has it, empty in the oldest. Raises MissingExtra, and BadSetting for a
    key that is none.
    """
    _require_packages("--verify-key")
    import model_signing
    from cryptography.exceptions import InvalidSignature

    try:
        config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=key)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadSetting(
            f"{key}: expected a public key on a NIST curve as PEM, found none: {one_line(error)}"
        ) from None
    path = signature_path(folder)
    if not path.is_file():
        raise _untrusted(folder, key, "found none", f"kensa sign {folder.name} --key FILE makes one")
    if version not in ("", folder.name) and folder.parent.name == "releases":  # a signed one under another's name
        raise _untrusted(folder, key, f"found {version} in its place", "restore it, or use another release")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            config.verify(folder, path)
    except InvalidSignature:
        raise _untrusted(folder, key, "found one that does not fit", "restore it, or use another release") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OSError) as error:
        cure = "restore it, sign it anew, or use another release"
        raise _untrusted(folder, key, f"found another: {one_line(error)[:200]}", cure) from None


def _untrusted(folder: Path, key: Path, found: str, cure: str) -> UntrustedRelease:
    return UntrustedRelease(f"{folder.name}: expected a signature of it by the key of {key}, {found}; {cure}")


def _require_packages(needed_by: str) -> None:
    if missing := [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]:
        raise MissingExtra(needed_by, ", ".join(missing), "sign")
