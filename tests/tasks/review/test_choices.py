"""What a reviewer can say: each mode by a key of its own, good by g."""

from __future__ import annotations

from dataclasses import replace

from tasks.review.choices import KEYS, RESERVED, defect_label, mode_choices


def test_good_has_the_key_g_and_defects_numbers(small_release):
    assert [(one.mode, one.label, one.good, one.key) for one in mode_choices(small_release)] == [
        ("0", "0", True, "g"),
        ("1", "1", False, "1"),
        ("2", "1", False, "2"),
    ]


def test_no_key_means_two_things():
    keys = ["g", *RESERVED.values(), *KEYS]
    assert len(set(keys)) == len(keys)


def test_more_modes_than_keys_are_still_choices(small_release):
    classifier = replace(small_release.classifier, modes=[str(code) for code in range(60)])
    choices = mode_choices(replace(small_release, classifier=classifier))
    assert len(choices) == 60
    assert [one.key for one in choices[-3:]] == [None] * 3


def test_of_two_good_modes_the_first_is_g(small_release):
    gallery = replace(small_release.gallery, good=small_release.gallery.mode != 1)
    choices = mode_choices(replace(small_release, gallery=gallery))
    assert [(one.good, one.label, one.key) for one in choices] == [
        (True, "0", "g"),
        (False, "1", "1"),
        (True, "0", "2"),
    ]


def test_a_line_without_good_parts_has_no_good(small_release):
    release = replace(small_release, data=replace(small_release.data, good="none"))
    assert not any(one.good for one in mode_choices(release))
    assert (defect_label("0"), defect_label("OK")) == ("1", "defect")
