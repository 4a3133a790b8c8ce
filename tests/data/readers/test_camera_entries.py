"""Documents, names and numbers of calibration files."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.data.readers.camera_entries import (
    Entries,
    documents_in,
    is_number,
    number_of,
    numbers_of,
    plain,
    whole_of,
)
from selfdepth.errors import DataError, SelfDepthWarning

HERE = Path("camera.yaml")


@pytest.mark.parametrize("key", ["image_width", "image_Width", "imageWidth", "IMAGE-WIDTH", "Image Width"])
def test_an_entry_is_found_whatever_its_case_and_separators(key: str) -> None:
    assert Entries({key: "640"}.items(), HERE).first("width", "image_width") == "640"
    assert plain(key) == "imagewidth"


def test_the_first_name_with_a_value_is_taken() -> None:
    entries = Entries({"a": "", "b": "2", "c": "3"}.items(), HERE)
    assert (entries.first("a", "c", "b"), entries.first("a"), entries.numbers("b")) == ("3", None, [2.0])


def test_two_spellings_of_a_name_must_agree() -> None:
    assert Entries({"K": "1", "k": "1"}.items(), HERE).first("K") == "1"
    with pytest.raises(DataError, match=r"two entries of one name: camera\.yaml.*K: 1 and k: 2"):
        Entries({"K": "1", "k": "2"}.items(), HERE).first("K")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["1", "2"], [1, 2]),
        ([["1", "2"], ["3", "4"]], [1, 2, 3, 4]),
        ({"rows": "1", "data": ["1", "-2e1"]}, [1, -20]),
        ("5", [5]),
        ("null", []),
        (None, []),
    ],
)
def test_numbers_are_read_from_lists_rows_and_matrices(value: object, expected: list[float]) -> None:
    assert numbers_of(value, HERE) == expected


@pytest.mark.parametrize("text", ["", "x", "1 2", "0x10", "1_000", "9" * 5000, "--1"])
def test_text_that_is_no_number_is_refused(text: str) -> None:
    assert not is_number(text)
    with pytest.raises(DataError, match="not numbers"):
        number_of(text, HERE)


def test_whole_numbers_have_a_default_and_no_sign() -> None:
    assert (whole_of("7", HERE), whole_of(None, HERE, default=3)) == (7, 3)
    for value in ("-7", "7.5", ["7"]):
        with pytest.raises(DataError, match="not numbers"):
            whole_of(value, HERE)


@pytest.mark.parametrize(
    "between",
    [
        "A message was lost!!!\n\ttotal count change:1\n\ttotal count: 1---\n",
        "A message was lost!!!\n---\n",
        "a: [1,\n---\n",
        "{{{\n---\n",
    ],
)
@pytest.mark.parametrize("order", ["before", "between", "after"])
def test_a_document_that_cannot_be_read_is_left_out_with_a_warning(between: str, order: str) -> None:
    good = "a: 1\n---\n"
    text = {"before": between + "b: 2\n---\n" + good, "between": good + between + good, "after": good + between}[order]
    with pytest.warns(SelfDepthWarning, match=r"camera\.yaml: 1 of . documents cannot be read and are left out"):
        assert {"a": "1"} in documents_in(text, HERE)


def test_without_any_document_that_can_be_read_the_file_is_refused_with_the_line_of_the_first_fault() -> None:
    with pytest.raises(DataError, match=r"cannot be read: .*camera\.yaml.*line 4"):
        documents_in("%YAML:1.0\n---\n\na: b: c\n---\n[\n", HERE)


@pytest.mark.parametrize("text", ["", "---\n...\n", "# nothing\n", "{}\n", "just words\n"])
def test_a_file_without_entries_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"no entries: .*camera\.yaml"):
        documents_in(text, HERE)


def test_opencvs_yaml_needs_no_space_after_a_colon() -> None:
    text = '%YAML:1.0\n---\nxi:2.2\nwhen:"12:30:00"\nmirror:\n   k1:-1.5e-01\n'
    assert documents_in(text, HERE) == [{"xi": "2.2", "when": "12:30:00", "mirror": {"k1": "-1.5e-01"}}]
