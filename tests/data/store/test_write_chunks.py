"""Chunks hold exactly what a local store holds, whole or not at all."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.footage import Footage
from selfdepth.data.frames import StereoPartner
from selfdepth.data.store.build import build_store
from selfdepth.data.store.chunk_files import run_of_name
from selfdepth.data.store.chunked import CHUNKS_INDEX, UNFINISHED, open_chunks
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.store import Store
from selfdepth.data.store.write_chunks import contents_of, contents_of_store, write_chunks
from selfdepth.errors import DataError, OutputError, SelfDepthWarning
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize

FIT = CropResize(width=64, height=32, crop=Crop(top=4))


@pytest.fixture
def drive(tmp_path: Path) -> Footage:
    """A video with times, a folder with a gap, and a stereo pair whose cameras began at other times."""
    video = sequence(tmp_path / "v", "video", tuple(range(110)), video=True)
    video = replace(video, times_s=tuple(0.1 * number for number in range(110)))
    gap = sequence(tmp_path / "g", "gap", (*range(5, 37), *range(90, 153)))
    left, right = (sequence(tmp_path / name, name, tuple(range(*at))) for name, at in (("l", (0, 60)), ("r", (9, 70))))
    left = replace(left, partner=StereoPartner(sequence="r", translation_m=(-0.5, 0.0, 0.0)))
    right = replace(right, partner=StereoPartner(sequence="l", translation_m=(0.5, 0.0, 0.0)))
    return footage(video, left, gap, right)


@pytest.fixture
def local(drive: Footage, tmp_path: Path) -> Store:
    return build_store(drive, tmp_path / "store", **vars(FIT))


def place(tmp_path: Path) -> Remote:
    return Remote(str(tmp_path / "chunks"), "--out")


def require_equal(local: Store, remote: Remote, cache: Path) -> None:
    """Chunks give the same frames, bit for bit, and say the same of them."""
    store = open_chunks(remote, cache)
    assert np.array_equal(store.frames[0 : len(store.frames)], local.frames)
    assert np.array_equal(store.times_s, local.times_s, equal_nan=True)
    assert (store.train, store.val, store.test) == (local.train, local.val, local.test)
    for ours, theirs in zip(store.sequences, local.sequences, strict=True):
        assert (ours.name, ours.start, ours.camera, ours.partner) == (
            theirs.name,
            theirs.start,
            theirs.camera,
            theirs.partner,
        )
        assert (ours.numbers, tuple(ours.names)) == (theirs.numbers, tuple(theirs.names))
        assert np.array_equal(ours.K, theirs.K)
    assert (store.spacing, store.crop, store.kind) == (local.spacing, local.crop, local.kind)


def test_chunks_of_data_are_those_of_its_local_store_bit_for_bit(drive: Footage, local: Store, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    assert write_chunks(contents_of(drive, FIT), place(tmp_path), lambda *each: done.append(each))
    assert done[-1] == (len(local.frames), len(local.frames))
    require_equal(local, place(tmp_path), tmp_path / "cache")
    direct = place(tmp_path).sizes()
    other = Remote(str(tmp_path / "packed"), "--out")
    write_chunks(contents_of_store(local), other)
    assert other.sizes() == direct, "a local store gives the same chunks"


def test_litdata_reads_them_too_as_bytes(drive: Footage, tmp_path: Path) -> None:
    from litdata import StreamingDataset  # type: ignore[import-untyped]

    contents = contents_of(drive, FIT)
    write_chunks(contents, place(tmp_path))
    index = json.loads((tmp_path / "chunks/index.json").read_text())
    assert index["config"]["data_format"] == ["bytes"], "no other of litdata's serializers has a part in it"
    items = StreamingDataset(str(tmp_path / "chunks"))
    assert len(items) == len(contents.runs)
    for run in range(len(contents.runs)):
        assert bytes(items[run]).startswith(contents.header(run))
    values = json.loads(contents.header(0)[4:])
    assert values["frames"][0] | {"camera": None, "times_s": None} == {
        "sequence": "video",
        "first_row": 0,
        "numbers": list(range(49)),
        "K": contents.sequences[0].K.tolist(),
        "partner": None,
        "camera": None,
        "times_s": None,
    }
    assert values["frames"][0]["times_s"] == pytest.approx([0.1 * number for number in range(49)])


def test_the_same_chunks_are_not_written_twice(drive: Footage, tmp_path: Path) -> None:
    write_chunks(contents_of(drive, FIT), place(tmp_path))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "chunks").iterdir()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not write_chunks(contents_of(drive, FIT), place(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "chunks").iterdir()} == before


def test_an_interrupted_upload_is_not_taken_for_whole_and_goes_on(drive: Footage, local: Store, tmp_path: Path) -> None:
    first, second, third, last = drive.sequences
    third = replace(third, fails_at=120)  # type: ignore[call-arg]  # of MemorySequence
    broken = replace(drive, sequences=(first, second, third, last))
    with pytest.raises(KeyboardInterrupt):
        write_chunks(contents_of(broken, FIT), place(tmp_path))
    with pytest.raises(DataError, match=r"chunks are incomplete: .*interrupted; run selfdepth prepare again"):
        open_chunks(place(tmp_path), tmp_path / "cache")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "chunks").glob("chunk-*")}
    assert kept
    with pytest.warns(SelfDepthWarning, match=rf"{len(kept)} of the 7 chunks are there already: going on"):
        assert write_chunks(contents_of(drive, FIT), place(tmp_path))
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in (tmp_path / "chunks").glob("chunk-*")}.items()
    assert not (tmp_path / "chunks" / UNFINISHED).exists()
    require_equal(local, place(tmp_path), tmp_path / "cache")


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        ("missing", "6 of the 7 chunks are there already: going on with the others"),
        ("short", "1 of the chunks in PLACE are not what was written, and are written again: NAME"),
        ("altered", "1 of the chunks in PLACE are not what was written, and are written again: NAME"),
    ],
)
def test_what_is_missing_or_damaged_of_whole_chunks_is_written_again(
    drive: Footage, local: Store, tmp_path: Path, harm: str, sentence: str
) -> None:
    write_chunks(contents_of(drive, FIT), place(tmp_path))
    victim = sorted((tmp_path / "chunks").glob("chunk-*"))[3]
    content = victim.read_bytes()
    changed = {"missing": None, "short": content[:-1], "altered": content[:-1] + bytes([content[-1] ^ 1])}[harm]
    victim.unlink() if changed is None else victim.write_bytes(changed)
    with pytest.warns(SelfDepthWarning) as said:
        assert write_chunks(contents_of(drive, FIT), place(tmp_path))
    expected = sentence.replace("PLACE", place(tmp_path).place).replace("NAME", victim.name)
    assert expected in [str(each.message) for each in said]
    assert victim.read_bytes() == content
    require_equal(local, place(tmp_path), tmp_path / "cache")


@pytest.mark.parametrize("harm", [lambda old: None, lambda old: old[:-1], lambda old: old[:-9] + b"x" + old[-8:]])
@pytest.mark.parametrize("name", ["index.json", "times.f64", CHUNKS_INDEX])
def test_what_lies_beside_whole_chunks_is_mended(
    drive: Footage, local: Store, tmp_path: Path, name: str, harm: Callable[[bytes], bytes | None]
) -> None:
    write_chunks(contents_of(drive, FIT), place(tmp_path))
    file = tmp_path / "chunks" / name
    content = file.read_bytes()
    changed = harm(content)
    file.unlink() if changed is None else file.write_bytes(changed)
    with pytest.warns(SelfDepthWarning, match="."):
        assert write_chunks(contents_of(drive, FIT), place(tmp_path))
    assert file.read_bytes() == content
    require_equal(local, place(tmp_path), tmp_path / "cache")


def test_a_second_chunk_of_a_run_does_not_take_the_place_of_the_one_in_the_index(
    drive: Footage, local: Store, tmp_path: Path
) -> None:
    write_chunks(contents_of(drive, FIT), place(tmp_path))
    first = sorted((tmp_path / "chunks").glob("chunk-*"))[0]
    other = first.with_name(f"chunk-0-0-{'f' * 64}.bin")
    other.write_bytes(first.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not write_chunks(contents_of(drive, FIT), place(tmp_path))
    require_equal(local, place(tmp_path), tmp_path / "cache")


def test_chunks_of_other_data_are_replaced_with_a_word(drive: Footage, tmp_path: Path) -> None:
    write_chunks(contents_of(drive, FIT), place(tmp_path))
    other = footage(sequence(tmp_path / "o", "other", tuple(range(60))))
    with pytest.warns(SelfDepthWarning, match="holds chunks of other data or options: it starts anew"):
        write_chunks(contents_of(other, FIT), place(tmp_path))
    require_equal(build_store(other, tmp_path / "s", **vars(FIT)), place(tmp_path), tmp_path / "cache")
    assert len(list((tmp_path / "chunks").glob("chunk-*"))) == 2


def test_a_place_that_holds_something_else_is_left_alone(drive: Footage, tmp_path: Path) -> None:
    (tmp_path / "chunks").mkdir()
    (tmp_path / "chunks/thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match=r"holds something else: .*got thesis.tex, one of 1; name another place"):
        write_chunks(contents_of(drive, FIT), place(tmp_path))
    assert [path.name for path in (tmp_path / "chunks").iterdir()] == ["thesis.tex"]


def test_the_index_is_the_last_that_is_written(drive: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    real = Remote.write

    def write(remote: Remote, name: str, content: bytes) -> None:
        written.append(name)
        real(remote, name, content)

    monkeypatch.setattr(Remote, "write", write)
    write_chunks(contents_of(drive, FIT), place(tmp_path))
    assert written[0] == UNFINISHED
    assert written[-1] == CHUNKS_INDEX
    assert run_of_name(written[1]) is not None
