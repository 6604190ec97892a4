"""The files of a copy of the parent that enrolling a mode changes; all others stay as they are."""

from __future__ import annotations

import shutil

import numpy as np
from support.enrolling import enrolled_parts, held_out, parts_of_new_mode

from tasks.data.split import PARTS
from tasks.enrolment.enrolment import Enrolment
from tasks.enrolment.files import write_classifier
from tasks.enrolment.modes import enrol_mode
from tasks.enrolment.request import EnrolRequest
from tasks.registry.gallery import Gallery
from tasks.registry.record_bank import load_record_bank
from tasks.registry.release_files import ClassifierArrays, SplitRecords


def test_prototypes_split_and_gallery_have_the_parts(small_line, small_release, hidden, tmp_path):
    parts = enrolled_parts(small_release.classifier, parts_of_new_mode(6))
    tests = held_out(small_release.classifier, hidden(each=10, seed=3))
    learnt, evidence = enrol_mode(small_release, "mean-embedding", "bridge", parts, tests, 0.95)
    bank = load_record_bank(small_release.release, small_line.data_path, "this")
    request, origin = EnrolRequest("mode", "bridge"), ("acme/bridges", "abc")
    enrolment = Enrolment(small_release, learnt, parts, bank, "mode", "bridge", evidence, origin, request)
    folder = shutil.copytree(small_release.path, tmp_path / "copy")
    write_classifier(folder, enrolment)
    before = {path.name: path.read_bytes() for path in small_release.path.iterdir() if path.is_file()}
    changed = {name for name, content in before.items() if (folder / name).read_bytes() != content}
    assert changed == {"anchors.npz", "split.npz", "gallery.npz"}
    stored = ClassifierArrays.load(folder)
    assert stored.modes[-1] == "bridge"
    np.testing.assert_array_equal(stored.good["mean"], small_release.classifier.good["mean"])
    split = SplitRecords.load(folder)
    assert split.mode[-6:].tolist() == ["bridge"] * 6
    assert set(split.part[-6:].tolist()) == {PARTS.index("train")}
    assert not split.good[-6:].any()
    np.testing.assert_array_equal(Gallery.load(folder).maps[-6:], parts.maps)
