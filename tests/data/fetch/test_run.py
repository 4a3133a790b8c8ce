"""The store that is fetched is the one that the unpacked archives give, whatever happens on the way."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.mirror import DRIVES, FRAMES, Mirror, publish
from selfdepth.cli.main import main
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.fetch import run as run_module
from selfdepth.data.fetch.official import SITE, archive_of_drive
from selfdepth.data.fetch.plan import Plan
from selfdepth.data.fetch.run import Fetch, fetched_store
from selfdepth.data.fetch.transfer import Patience
from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.store import open_store
from selfdepth.engine.train import train
from selfdepth.errors import DataError, DiskFullError, OutputError, SelfDepthError

AT_ONCE = Patience(tries=3, first_wait_s=0.0)


def path_of_drive(number: int) -> str:
    return f"/raw_data/{archive_of_drive(DRIVES[number])}"


def fetch_of(mirror: Mirror, split: Path, folder: Path, **changes: object) -> Fetch:
    config = TrainConfig(data="kitti", split=str(split), width=64)
    plain = Fetch(
        plan=Plan.of(replace(config, **changes.pop("config", {}))),  # type: ignore[arg-type]
        folder=folder / "store",
        raw=folder / "store_kitti",
        scans=True,
        downloads=2,
        site=replace(SITE, base=f"{mirror.url}/raw_data"),
        say=lambda text: None,
        progress=lambda came, total: None,
        patience=AT_ONCE,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def index_of(store: Path) -> dict[str, object]:
    """Without what names the data that it was made from."""
    values: dict[str, object] = json.loads((store / "index.json").read_text())
    return {name: value for name, value in values.items() if name not in ("origin", "fingerprint", "sha256")}


def assert_same_store(fetched: Path, prepared: Path) -> None:
    for name in ("frames.u8", "times.f64"):
        assert (fetched / name).read_bytes() == (prepared / name).read_bytes(), name
    assert index_of(fetched) == index_of(prepared)


@pytest.fixture(scope="module")
def prepared(tree: Path, split: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the unpacked archives."""
    folder = tmp_path_factory.mktemp("prepared") / "store"
    assert main(["prepare", str(tree), "--split", str(split), "--out", str(folder), "--width", "64"]) == 0
    return folder


def test_the_store_is_that_of_the_unpacked_archives_and_nothing_else_stays(
    mirror: Mirror, split: Path, tmp_path: Path, prepared: Path
) -> None:
    said: list[str] = []
    told: list[tuple[int, int | None]] = []
    fetch = fetch_of(mirror, split, tmp_path, say=said.append, progress=lambda *of: told.append(of))
    store, made = fetched_store(fetch)
    assert made and store.folder == tmp_path / "store"
    assert_same_store(tmp_path / "store", prepared)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "store_kitti"]
    assert "CC BY-NC-SA 3.0" in said[0] and "fetching 3 of 3 drives" in said[1]
    total = sum(len(mirror.files[path_of_drive(number)].body) for number in range(3))
    assert told[-1] == (total, total)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"stereo": "calibrated"}, ["--stereo"]),
        ({"camera": "paper", "crop": "0,8,4,4"}, ["--camera", "paper", "--crop", "0,8,4,4"]),
        ({"camera": "90,91,60,30", "width": 96, "height": 64}, ["--camera", "90,91,60,30", "--height", "64"]),
    ],
)
def test_so_it_is_with_every_option(
    mirror: Mirror, tree: Path, split: Path, tmp_path: Path, config: dict[str, object], words: list[str]
) -> None:
    fetched_store(fetch_of(mirror, split, tmp_path, config=config, downloads=1 + len(words)))
    width = ["--width", str(config.get("width", 64))]
    assert main(["prepare", str(tree), "--split", str(split), "--out", str(tmp_path / "b"), *width, *words]) == 0
    assert_same_store(tmp_path / "store", tmp_path / "b")


@pytest.mark.slow
def test_real_archives_give_the_store_of_the_real_tree(bare: Mirror, shared: Path, tmp_path: Path) -> None:
    root, split = shared / "kitti-mini" / "kitti_raw", shared / "kitti-mini" / "splits" / "mini-stereo"
    if not root.is_dir():
        pytest.skip("no piece of KITTI beside the repository")
    publish(bare, root)
    fetched_store(fetch_of(bare, split, tmp_path, config={"stereo": "calibrated"}))
    words = ["--split", str(split), "--out", str(tmp_path / "b"), "--width", "64", "--stereo"]
    assert main(["prepare", str(root), *words]) == 0
    assert_same_store(tmp_path / "store", tmp_path / "b")


def test_what_is_there_is_not_fetched_again(mirror: Mirror, split: Path, tmp_path: Path) -> None:
    fetched_store(fetch_of(mirror, split, tmp_path))
    mirror.asked.clear()
    store, made = fetched_store(fetch_of(mirror, split, tmp_path, say=pytest.fail))
    assert not made and mirror.asked == [] and len(store.frames) > 0


def test_ground_truth_times_and_speed_are_where_the_store_looks_for_them(
    mirror: Mirror, tree: Path, split: Path, tmp_path: Path
) -> None:
    fetched_store(fetch_of(mirror, split, tmp_path))
    ours, theirs = recognise(tmp_path / "store").truth, recognise(tree).truth
    for number in (0, 5):
        ref = FrameRef(f"{DRIVES[2]}/image_02", number)
        a, b = ours(ref), theirs(ref)
        assert a is not None and b is not None and (a == b).all() and a.any()
    assert not ours.may_have(FrameRef(f"{DRIVES[2]}/image_02", 3))
    assert len(list((tmp_path / "store_kitti" / DRIVES[0] / "oxts" / "data").iterdir())) == FRAMES
    shutil.rmtree(tmp_path / "store")
    shutil.rmtree(tmp_path / "store_kitti")
    fetched_store(fetch_of(mirror, split, tmp_path, scans=False))
    assert list((tmp_path / "store_kitti").rglob("*.bin")) == []


def test_a_run_learns_from_it_and_measures_depth(mirror: Mirror, split: Path, tmp_path: Path) -> None:
    fetched_store(fetch_of(mirror, split, tmp_path))
    tiny = TrainConfig(
        data=str(tmp_path / "store"),
        width=64,
        encoder=EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False),
        batch_size=2,
        steps=1,
        save_every=1,
        device="cpu",
        precision="fp32",
        compile=False,
        speed="oxts",
    )
    run = train(tiny, tmp_path / "run")
    assert run.data.train.clips.spacing == 1
    measured = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert measured["abs_rel"] > 0


def interrupted(fetch: Fetch, monkeypatch: pytest.MonkeyPatch, where: str, times: int) -> None:
    """Begin a fetch, and end it in the so-and-so-many-th call of a function."""
    real = getattr(run_module, where)
    left = times

    def pull(*args: object, **more: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, where, pull)
        with pytest.raises(KeyboardInterrupt):
            fetched_store(fetch)


@pytest.mark.parametrize(
    ("where", "times"),
    [
        ("keep_calibration", 1),
        ("write_frames", 0),
        ("write_frames", 2),
        ("keep_of_drive", 1),
        ("complete_store", 0),
    ],
)
def test_a_second_start_goes_on_and_ends_with_the_same_store(
    mirror: Mirror, split: Path, tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch, where: str, times: int
) -> None:
    fetch = fetch_of(mirror, split, tmp_path)
    interrupted(fetch, monkeypatch, where, times)
    assert not (tmp_path / "store").exists()
    assert fetched_store(fetch)[1]
    assert_same_store(tmp_path / "store", prepared)
    whole = [mirror.gets(path_of_drive(number)).count(None) for number in range(3)]
    assert max(whole) <= 1, "no archive came twice"


def test_a_start_after_the_last_moment_finds_the_store(
    mirror: Mirror, split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = fetch_of(mirror, split, tmp_path)
    interrupted(fetch, monkeypatch, "remove_tree", 0)
    assert fetched_store(fetch)[1] is False
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "store_kitti"]


def test_a_start_with_other_options_does_not_mix_with_the_first(
    mirror: Mirror, split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(fetch_of(mirror, split, tmp_path), monkeypatch, "keep_of_drive", 1)
    with pytest.raises(OutputError, match="a fetch with other options was interrupted here"):
        fetched_store(fetch_of(mirror, split, tmp_path, config={"width": 96}))


def test_frames_that_were_written_and_not_recorded_are_written_again(
    mirror: Mirror, split: Path, tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = fetch_of(mirror, split, tmp_path)
    interrupted(fetch, monkeypatch, "keep_of_drive", 1)
    frames = fetch.store / "frames.u8"
    with frames.open("ab") as file:
        file.write(b"half a frame")
    fetched_store(fetch)
    assert_same_store(tmp_path / "store", prepared)


def test_every_fault_of_the_line_at_once_still_ends_with_the_same_store(
    mirror: Mirror, split: Path, tmp_path: Path, prepared: Path
) -> None:
    first, second, third = (mirror.files[path_of_drive(number)] for number in range(3))
    first.cut, first.cuts = len(first.body) // 3, 2
    second.status, second.refusals, second.shown = 503, 2, -1
    third.ranges, third.cut, third.cuts = False, 1000, 2
    mirror.files["/raw_data/2011_09_26_calib.zip"].chunked = True
    fetched_store(fetch_of(mirror, split, tmp_path))
    assert_same_store(tmp_path / "store", prepared)


def test_a_damaged_archive_is_fetched_once_more(mirror: Mirror, split: Path, tmp_path: Path, prepared: Path) -> None:
    file = mirror.files[path_of_drive(1)]
    whole = file.body

    def mend(served: object, number: int) -> None:
        file.body = whole if number else whole[: len(whole) // 2]

    file.then = mend
    file.shown = -1
    fetched_store(fetch_of(mirror, split, tmp_path))
    assert_same_store(tmp_path / "store", prepared)
    assert mirror.gets(path_of_drive(1)) == [None, None]


def without(body: bytes, name: str) -> bytes:
    """An archive without the files that have this in their name."""
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as source, zipfile.ZipFile(data, "w") as archive:
        for member in source.infolist():
            if name not in member.filename:
                archive.writestr(member, source.read(member))
    return data.getvalue()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda body: body[: len(body) // 2], "the archive is damaged: .*drive_0002_sync"),
        (lambda body: b"<html>log in</html>" * 30, "what came is not KITTI's archive: .*html"),
        (lambda body: without(body, "image_02/data/0000000003"), "lacks a frame that the split needs: .*0000000003"),
        (lambda body: without(body, "image_02"), "lacks a frame .*got 0 images"),
    ],
)
def test_an_archive_that_is_no_good_is_one_sentence_and_the_next_start_goes_on(
    mirror: Mirror, split: Path, tmp_path: Path, prepared: Path, change: Callable[[bytes], bytes], sentence: str
) -> None:
    file = mirror.files[path_of_drive(1)]
    whole, file.body = file.body, change(file.body)
    fetch = fetch_of(mirror, split, tmp_path)
    with pytest.raises(DataError, match=sentence):
        fetched_store(fetch)
    assert not (tmp_path / "store").exists()
    file.body = whole
    file.etag = '"2"'
    fetched_store(fetch)
    assert_same_store(tmp_path / "store", prepared)
    assert len(mirror.gets(path_of_drive(0))) == 1


def test_archives_that_the_server_lacks_are_named_before_anything_is_fetched(
    mirror: Mirror, split: Path, tmp_path: Path
) -> None:
    for number in (0, 2):
        del mirror.files[path_of_drive(number)]
    with pytest.raises(DataError, match=r"lacks archives .*404 for 2011_09_26_drive_0001/.*, 2011_09_28_drive_0003/"):
        fetched_store(fetch_of(mirror, split, tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert {method for method, *_ in mirror.asked} == {"HEAD"}


def test_a_disk_that_is_too_small_is_said_before_a_drive_is_fetched(
    mirror: Mirror, split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**7, 10**7 - 10**6, 10**6))
    sentence = r"not enough disk space to fetch this: .*0\.00 GB \(frames .*archives .*scans 0\.00\).*--no-scans"
    with pytest.raises(DiskFullError, match=sentence):
        fetched_store(fetch_of(mirror, split, tmp_path))
    assert [mirror.gets(path_of_drive(number)) for number in range(3)] == [[], [], []]


def test_a_disk_that_fills_up_on_the_way_is_one_sentence_and_the_next_start_goes_on(
    mirror: Mirror, split: Path, tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = fetch_of(mirror, split, tmp_path)
    real = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if "oxts" in str(self) and "drive_0002" in str(self):
            raise OSError(28, "No space left on device")
        return real(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match=r"cannot write: .*oxts.*No space left"):
            fetched_store(fetch)
    fetched_store(fetch)
    assert_same_store(tmp_path / "store", prepared)


@pytest.mark.parametrize("what", ["file", "photos", "store"])
def test_what_is_not_ours_is_not_replaced(
    mirror: Mirror, split: Path, tmp_path: Path, prepared: Path, what: str
) -> None:
    folder = tmp_path / "store"
    if what == "file":
        folder.write_text("mine")
    elif what == "photos":
        folder.mkdir()
        (folder / "a.jpg").write_bytes(b"mine")
    else:
        shutil.copytree(prepared, folder)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    with pytest.raises(SelfDepthError, match=r"holds other files|there is another store"):
        fetched_store(fetch_of(mirror, split, tmp_path))
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
    assert mirror.asked == []


def test_a_store_that_was_altered_since_is_not_taken_for_whole(mirror: Mirror, split: Path, tmp_path: Path) -> None:
    fetched_store(fetch_of(mirror, split, tmp_path))
    with (tmp_path / "store" / "frames.u8").open("r+b") as file:
        file.write(b"altered")
    with pytest.raises(OutputError, match="a damaged one"):
        fetched_store(fetch_of(mirror, split, tmp_path))


def test_two_processes_do_not_make_the_same_store(mirror: Mirror, split: Path, tmp_path: Path) -> None:
    fetch = fetch_of(mirror, split, tmp_path)

    def second(text: str) -> None:
        with pytest.raises(OutputError, match="another process is making this store"):
            fetched_store(fetch_of(mirror, split, tmp_path))

    fetched_store(replace(fetch, say=second))
    assert open_store(tmp_path / "store").test


def test_a_camera_for_other_images_is_refused_before_a_drive_is_fetched(
    mirror: Mirror, split: Path, tmp_path: Path
) -> None:
    calibration = mirror.files["/raw_data/2011_09_28_calib.zip"]
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(calibration.body)) as source, zipfile.ZipFile(data, "w") as archive:
        for member in source.infolist():
            archive.writestr(member, source.read(member).replace(b"S_rect_02: 1.28", b"S_rect_02: 1.29"))
    calibration.body = data.getvalue()
    with pytest.raises(DataError, match=r"size of the camera that was given: .*expected 128x64; got 129x64"):
        fetched_store(fetch_of(mirror, split, tmp_path, config={"camera": "90,91,60,30"}))
    assert mirror.gets(path_of_drive(0)) == []
