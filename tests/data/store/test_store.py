"""A store on disk: rows by frame number, frames from memory or disk, its index, and what is refused."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.memory_footage import HEIGHT, WIDTH, footage, sequence
from helpers.store_index import as_version_3, rewrite_index
from selfdepth.data.frames import FrameRef
from selfdepth.data.store import store as store_module
from selfdepth.data.store.build import build_store
from selfdepth.data.store.index import encode_refs
from selfdepth.data.store.store import Store, is_store, open_store, training_size
from selfdepth.errors import DataError, SelfDepthWarning


@pytest.fixture
def built(tmp_path: Path) -> Store:
    drive = footage(
        sequence(tmp_path / "a", "first/drive", (*range(5, 25), 30, 32)),
        sequence(tmp_path / "b", "second", tuple(range(13)), video=True),
    )
    return build_store(drive, tmp_path / "store", width=64, height=32)


def test_frames_that_are_not_there_have_no_row(built: Store) -> None:
    stored = built.by_name["first/drive"]
    assert stored.rows(np.array([4, 5, 24, 25, 30, 31, 32, 33])).tolist() == [-1, 0, 19, -1, 20, -1, 21, -1]


@pytest.mark.parametrize("load_to_ram", [True, False])
def test_gathering_is_the_same_from_memory_and_from_disk(built: Store, load_to_ram: bool) -> None:
    store = replace(built, load_to_ram=load_to_ram)
    rows = np.array([3, 0, 3, 34])
    assert np.array_equal(store.gather(rows).numpy(), built.frames[rows])


def cut_index(folder: Path) -> None:
    path = folder / "index.json"
    path.write_text(path.read_text()[:-20])


def edit_index(**values: object):
    return lambda folder: rewrite_index(folder, lambda index: index.update(values))


def flip_a_bit(folder: Path) -> None:
    with (folder / "frames.u8").open("r+b") as file:
        file.seek(5000)
        byte = file.read(1)[0]
        file.seek(5000)
        file.write(bytes([byte ^ 4]))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: os.truncate(folder / "frames.u8", 1000), "frames are incomplete.*1000 bytes"),
        (lambda folder: (folder / "frames.u8").unlink(), "frames are incomplete"),
        (lambda folder: (folder / "index.json").unlink(), "not a store"),
        (lambda folder: shutil.rmtree(folder), "not a store"),
        (cut_index, "index cannot be read"),
        (edit_index(version=999), "another version.*expected format version 4; got 999"),
        (edit_index(sequences=[{}]), "index cannot be used"),
        (edit_index(train=[[99, 0, 1]]), "index cannot be used"),
        (flip_a_bit, "frames were altered"),
    ],
)
def test_a_folder_that_is_no_sound_store_is_refused(built: Store, damage, sentence: str) -> None:
    damage(built.folder)
    with pytest.raises(DataError, match=sentence):
        open_store(built.folder)


def test_frames_that_were_altered_are_noticed_when_they_are_loaded(built: Store, monkeypatch) -> None:
    monkeypatch.setattr(store_module, "_QUICK_BYTES", 0)
    flip_a_bit(built.folder)
    opened = open_store(built.folder)
    with pytest.raises(DataError, match=r"frames were altered: .*frames.u8; .*make it again"):
        replace(opened, load_to_ram=True).gather(np.array([0]))


def test_frames_are_compared_once_and_that_is_said_if_it_takes_long(built: Store, monkeypatch) -> None:
    compare, calls = store_module.digest_of_frames, []
    monkeypatch.setattr(store_module, "digest_of_frames", lambda frames: calls.append(1) or compare(frames))
    monkeypatch.setattr(store_module, "_QUICK_BYTES", 0)
    monkeypatch.setattr(store_module, "_LONG_BYTES", 0)
    opened = open_store(built.folder)
    with pytest.warns(SelfDepthWarning, match=r"comparing the 0 GB of .*frames\.u8"):
        opened.check_frames()
    opened.check_frames()
    assert calls == [1]


def test_a_store_of_the_version_before_opens_and_has_no_checksum_to_compare(built: Store) -> None:
    as_version_3(built.folder)
    flip_a_bit(built.folder)
    opened = open_store(built.folder)
    opened.check_frames()
    assert (opened.frames_digest, opened.train, opened.fingerprint) == (None, built.train, built.fingerprint)


def test_a_long_store_opens_with_every_target(tmp_path: Path, built: Store) -> None:
    index = json.loads((built.folder / "index.json").read_text())
    n = 120_000
    entry = {**index["sequences"][0], "numbers": [[0, n]], "names": [f"{number:010d}" for number in range(n)]}
    edit_index(frames_sha256=None, sequences=[entry], train=[[0, number, 1] for number in range(n)], val=[])(
        built.folder
    )
    os.truncate(built.folder / "frames.u8", n * 3 * 32 * 64)
    store = open_store(built.folder)
    assert [ref.number for ref in store.train] == list(range(n))
    assert (len(store.frames), store.sequences[0].names[-1]) == (n, f"{n - 1:010d}")


@pytest.mark.parametrize(
    ("camera", "requested", "expected"),
    [
        ((1242, 375), (640, None), (640, 192)),
        ((1242, 375), (1024, None), (1024, 320)),
        ((1920, 1080), (640, None), (640, 352)),
        ((1000, 10), (64, None), (64, 64)),
        ((WIDTH, HEIGHT), (64, 96), (64, 96)),
    ],
)
def test_the_height_follows_the_aspect_ratio_to_the_nearest_multiple_of_32(camera, requested, expected) -> None:
    assert training_size(*camera, *requested) == expected


def test_what_is_learned_from_has_the_digest_of_plain_lists(built: Store) -> None:
    def runs(refs: tuple[FrameRef, ...]) -> list[list[int]]:
        """References as runs, found one by one."""
        found: list[list[int]] = []
        for ref in refs:
            place = [each.name for each in built.sequences].index(ref.sequence)
            if found and found[-1][0] == place and found[-1][1] + found[-1][2] == ref.number:
                found[-1][2] += 1
            else:
                found.append([place, ref.number, 1])
        return found

    values: list[object] = [[built.frames_digest, [35, 3, 32, 64], 1]]
    values += [[each.start, list(each.numbers), each.K.tolist(), None] for each in built.sequences]
    values.append([runs(tuple(built.train)), runs(tuple(built.val))])
    expected = hashlib.sha256("".join(map(json.dumps, values)).encode()).hexdigest()
    assert built.contents == expected


@given(st.lists(st.builds(FrameRef, st.sampled_from("ab"), st.integers(0, 9))))
def test_references_are_stored_as_runs_in_their_order(refs: list[FrameRef]) -> None:
    runs = encode_refs(refs, ("b", "a"))
    names = ("b", "a")
    assert [FrameRef(names[i], n) for i, first, count in runs for n in range(first, first + count)] == refs
    assert all((i, first + count) != (j, start) for (i, first, count), (j, start, _) in itertools.pairwise(runs))


def test_the_index_of_a_long_drive_is_short(tmp_path: Path) -> None:
    index = json.loads(
        (
            build_store(footage(sequence(tmp_path / "a")), tmp_path / "s", width=32, height=32).folder / "index.json"
        ).read_text()
    )
    assert index["train"] == [[0, 0, 18]]
    assert (index["sequences"][0]["numbers"], index["sequences"][0]["names"]) == ([[0, 20]], 3)


def test_a_store_is_recognised_by_the_beginning_of_its_index(built: Store, tmp_path: Path) -> None:
    assert is_store(built.folder)
    cut_index(built.folder)
    assert is_store(built.folder), "damaged, but a store"
    assert not is_store(tmp_path) and not is_store(tmp_path / "gone")
    (tmp_path / "index.json").write_text("{}")
    assert not is_store(tmp_path)


def test_the_frames_cannot_be_changed_by_accident(built: Store) -> None:
    with pytest.raises(ValueError, match="read-only"):
        built.frames[0] = 0
