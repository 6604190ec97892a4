"""`kensa push` against a server shaped like the Hub, with its real client: once, whole, and going on after a cut."""

from __future__ import annotations

import hashlib
import io
import json
import math
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from support.fake_hub import Fault
from support.fake_hub_models import ModelHub
from support.releases import NO_DRAFTS

from tasks.core.stages import MANIFEST, seal_folder

pytestmark = pytest.mark.slow  # each push is a process of its own

TOKEN, REPOSITORY, LARGE = "hf_secretsecret", "acme/board-model", 3_000_000


@pytest.fixture
def hub():
    with ModelHub() as running:
        yield running


@pytest.fixture
def pushing(place, small_line, hub):
    """A folder with a release that has a file of 3 MB, and a way to the Hub."""
    artifacts = Path(shutil.copytree(small_line.artifacts_folder, place.folder / "artifacts", ignore=NO_DRAFTS))
    change(artifacts, "large.bin", random.Random(0).randbytes(LARGE))
    place.env |= {
        **hub.env(place.folder / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": TOKEN,
        "PATH": place.env["PATH"],
    }
    return place


def release(place, version="v1"):
    return place.folder / "artifacts" / "releases" / version


def change(artifacts, name, content, version="v1"):
    """Another file in the release, with digests that fit again."""
    folder = artifacts / "releases" / version
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    seal_folder(folder, {key: value for key, value in manifest.items() if key != "files"} | {"version": version})


def on_disk(place, version="v1"):
    return {path.name: path.read_bytes() for path in release(place, version).iterdir()}


def on_hub(hub, revision="main"):
    return {name: content for name, content in hub.files(REPOSITORY, revision, "models").items() if name[0] != "."}


def test_a_release_is_published_whole_and_once(hub, pushing):
    done = pushing.kensa("push", "v1", REPOSITORY, "--json")
    assert done.code == 0, done.err
    commit = done.told["commit"]
    assert done.told == {
        "status": "pushed",
        "release": "v1",
        "repository": REPOSITORY,
        "tag": "v1",
        "commit": commit,
    }
    assert on_hub(hub, commit) == on_disk(pushing)
    assert hub.tags[REPOSITORY] == {"v1": commit}
    assert hub.made[0]["visibility"] == "private"
    assert hub.messages[0].startswith("kensa v1, weights ")
    again = pushing.kensa("push", "v1", REPOSITORY)
    assert (again.code, again.out) == (0, f"unchanged: v1 at {REPOSITORY}, tag v1 ({commit[:12]})\n")
    assert len(hub.messages) == 1
    assert hub.received(on_disk(pushing)["large.bin"]) == LARGE
    assert TOKEN not in done.out + done.err + again.out + again.err
    assert hub.saw_token(TOKEN, match="/commit/")


def test_a_signature_is_published_with_its_release(hub, pushing):
    (pushing.folder / "artifacts" / "signatures").mkdir()
    (pushing.folder / "artifacts" / "signatures" / "v1.sig").write_bytes(b"a signature")
    assert pushing.kensa("push", "v1", REPOSITORY).code == 0
    assert on_hub(hub) == on_disk(pushing) | {"model.sig": b"a signature"}


def test_another_content_under_the_same_tag_is_refused(hub, pushing):
    pushing.kensa("push", "v1", REPOSITORY)
    before = on_hub(hub)
    change(pushing.folder / "artifacts", "report.html", b"another")
    done = pushing.kensa("push", "v1", REPOSITORY)
    assert done.code == 2
    assert "expected no tag v1, or one of this same release, found another content" in done.err
    assert on_hub(hub) == before


def test_the_next_release_takes_the_place_of_the_one_before(hub, pushing):
    """Main is the newest release and no file of another; the tag of the one before still has all of it."""
    first = pushing.kensa("push", "v1", REPOSITORY, "--public", "--json").told["commit"]
    assert hub.made[0]["visibility"] == "public"
    shutil.copytree(release(pushing), release(pushing, "v2"))
    (release(pushing, "v2") / "large.bin").unlink()
    change(pushing.folder / "artifacts", "report.html", b"of v2", "v2")
    assert pushing.kensa("push", "v2", REPOSITORY).code == 0
    assert on_hub(hub) == on_disk(pushing, "v2")
    assert on_hub(hub, hub.tags[REPOSITORY]["v1"]) == on_disk(pushing)
    assert hub.tags[REPOSITORY]["v1"] == first


def test_a_push_that_was_killed_in_the_middle_of_a_file_goes_on(hub, pushing):
    """What had come whole is not sent again, the cut file is sent anew, and nothing is visible before it is whole."""
    content = on_disk(pushing)
    hub.faults.append(Fault(_oid(content["large.bin"]), method="PUT", cut_after=LARGE // 3, delay=20))
    command = ["kensa", "push", "v1", REPOSITORY]
    process = subprocess.Popen(command, cwd=pushing.folder, env=pushing.env, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while hub.received(content["large.bin"]) < LARGE // 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert hub.received(content["large.bin"]) == LARGE // 3
    assert on_hub(hub) == {}
    sent = hub.received(content["anchors.npz"])
    assert sent == len(content["anchors.npz"]), "small names come first"
    assert pushing.kensa("push", "v1", REPOSITORY).code == 0
    assert on_hub(hub, hub.tags[REPOSITORY]["v1"]) == content
    assert hub.received(content["anchors.npz"]) == sent
    assert hub.received(content["large.bin"]) == LARGE // 3 + LARGE


def test_a_push_that_died_before_its_tag_only_adds_the_tag(hub, pushing):
    hub.faults.append(Fault("/tag/", status=503))
    done = pushing.kensa("push", "v1", REPOSITORY)
    assert done.code == 2
    assert "the Hub answers 503; push again later: what was sent is not sent again" in done.err
    assert pushing.kensa("push", "v1", REPOSITORY).code == 0
    assert len(hub.messages) == 1
    assert hub.received(on_disk(pushing)["large.bin"]) == LARGE
    assert on_hub(hub, hub.tags[REPOSITORY]["v1"]) == on_disk(pushing)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (Fault("/commit/", status=401, times=math.inf), "the Hub answers 401; set an HF_TOKEN that may write there"),
        (Fault("/preupload/", status=403, times=math.inf), "the Hub answers 403; set an HF_TOKEN"),
        (Fault("/commit/", status=409, times=math.inf), "the Hub answers 409; push again later"),
        (Fault("/refs", status=500, times=math.inf), "the Hub answers 500; push again later"),
    ],
    ids=["401", "403", "409", "500"],
)
def test_a_refusal_is_one_line(hub, pushing, fault, line):
    hub.faults.append(fault)
    done = pushing.kensa("push", "v1", REPOSITORY)
    assert done.code == 2
    assert line in done.err
    assert "Traceback" not in done.err
    assert TOKEN not in done.err
    assert REPOSITORY not in hub.tags or hub.tags[REPOSITORY] == {}


def test_a_put_that_fails_for_a_moment_is_sent_again_by_the_client(hub, pushing):
    hub.faults.append(Fault("/lfs/objects/", method="PUT", status=503))
    assert pushing.kensa("push", "v1", REPOSITORY).code == 0
    assert on_hub(hub) == on_disk(pushing)


def test_a_large_file_that_is_not_taken_is_told(hub, pushing):
    hub.full = True
    done = pushing.kensa("push", "v1", REPOSITORY)
    assert done.code == 2
    assert f"kensa: {REPOSITORY}: the Hub does not take anchors.npz (LFS batch API returned errors" in done.err
    assert "Storage limit reached" in done.err
    assert hub.messages == []


@pytest.mark.parametrize(
    ("words", "env", "line"),
    [
        (("v1", "no-name"), {}, "no-name: expected org/name of a model repository on the Hub"),
        (("v1", REPOSITORY), {"HF_TOKEN": None}, "set an HF_TOKEN that may write there"),
        (("v1", REPOSITORY), {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set; a push needs the Hub"),
        (("v1", REPOSITORY), {"HF_ENDPOINT": "http://127.0.0.1:9"}, "no answer from the Hub (ConnectError)"),
    ],
    ids=["name", "token", "offline", "down"],
)
def test_bad_words_are_told_in_one_line(pushing, words, env, line):
    done = pushing.kensa("push", *words, **env)
    assert done.code == 2, done.out
    assert line in done.err
    assert len(done.err.splitlines()) == 1


def _oid(content):
    return hashlib.sha256(content).hexdigest()


def test_a_terminal_asks_before_maps_become_public(run, small_line, monkeypatch):
    answer = io.StringIO("n\n")
    answer.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", answer)
    done = run("push", "v1", REPOSITORY, "--public", "--artifacts", small_line.artifacts_folder)
    assert done.code == 2
    assert "gallery.npz" in done.err
    assert "--public: not confirmed; nothing was sent" in done.err
