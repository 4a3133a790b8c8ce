"""The store of a run: of the run's size, and in agreement with its options one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from helpers.images import write_images
from helpers.memory_footage import footage, sequence
from selfdepth.config import TrainConfig
from selfdepth.data.footage import Footage, Origin
from selfdepth.data.frames import StereoPartner
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.data.store.prepare import check_agreement, fit_of, require_learnable, resolved, store_of
from selfdepth.data.store.store import Store
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.lens import Lens

PLAIN = TrainConfig(width=64)


@pytest.fixture
def drive(tmp_path: Path) -> Footage:
    return footage(sequence(tmp_path / "a"))


def made(drive: Footage, folder: Path, *, crop: Crop = NO_CROP, spacing: int = 1, **origin: object) -> Store:
    """A store of 64x64 from these options."""
    opened = replace(drive, spacing=spacing, origin=Origin(path=folder / "data", **origin))  # type: ignore[arg-type]
    return build_store(opened, folder / "store", width=64, height=64, crop=crop)


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (TrainConfig(width=96), (96, 64)),
        (TrainConfig(width=96, height=96), (96, 96)),
        (TrainConfig(width=96, crop="0,0,20,20"), (96, 128)),
    ],
)
def test_a_store_has_the_size_of_its_run_and_the_aspect_ratio_of_what_the_crop_leaves(
    drive: Footage, tmp_path: Path, config: TrainConfig, size: tuple[int, int]
) -> None:
    store = store_of(config, drive, tmp_path / "store")
    assert (store.width, store.height) == size
    assert store.crop == config.crop_px


def test_a_store_that_fits_is_used_again(drive: Footage, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    for _ in range(2):
        store_of(PLAIN, drive, tmp_path / "store", lambda done, total: seen.append((done, total)))
    assert seen.count((20, 20)) == 1


def test_the_stores_size_spacing_and_crop_are_filled_in(drive: Footage, tmp_path: Path) -> None:
    store = made(drive, tmp_path, crop=Crop(top=4), spacing=2)
    filled = resolved(PLAIN, store)
    assert (filled.width, filled.height, filled.every, filled.crop) == (64, 64, "2", "4,0,0,0")
    assert resolved(filled, store) == filled
    assert resolved(PLAIN, made(drive, tmp_path / "b")).crop is None
    assert resolved(replace(PLAIN, every="auto"), store).every == "auto", "given options stay"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"height": 64},
        {"every": "2"},
        {"crop": "4,0,0,0"},
        {"crop": " 4, 0,0,0"},
        {"camera": "fov:60"},
        {"camera": "learn"},
        {"camera": "learn:fov:60"},
        {"camera": "learn+distortion"},
        {"camera": "learn+distortion:fov:60"},
        {"split": "{folder}/split"},
        {"height": 64, "every": "2", "crop": "4,0,0,0", "camera": "fov:60", "split": "{folder}/split"},
    ],
)
def test_options_that_are_left_out_or_agree_are_accepted(
    drive: Footage, tmp_path: Path, options: dict[str, object]
) -> None:
    store = made(drive, tmp_path, crop=Crop(top=4), spacing=2, camera="fov:60", split=tmp_path / "split")
    given = {
        name: value.format(folder=tmp_path) if isinstance(value, str) else value for name, value in options.items()
    }
    check_agreement(replace(PLAIN, **given), store)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": 96}, "frames of another size: .*expected --width 64 --height 64; got --width 96; give the store's"),
        ({"height": 96}, "another size: .*expected --width 64 --height 64; got --width 64 --height 96"),
        (
            {"stereo": "calibrated"},
            "no stereo pairs: .*made with --stereo; got --stereo calibrated; leave --stereo out",
        ),
        ({"split": "eigen"}, "--split was fixed when the store was made: .*expected none; got eigen; leave the option"),
        ({"camera": "fov:70"}, "--camera was fixed.*expected fov:60; got fov:70"),
        ({"camera": "learn+distortion:fov:70"}, "--camera was fixed.*expected fov:60; got fov:70"),
        ({"camera": "learn:fov:70"}, "--camera was fixed.*expected fov:60; got fov:70"),
        ({"every": "1"}, "--every was fixed.*expected 2; got 1"),
        ({"every": "auto"}, "--every was fixed.*expected 2; got auto"),
        ({"crop": "0,1,0,0"}, "--crop was fixed.*expected 4,0,0,0; got 0,1,0,0"),
        ({"crop": "0,0,0,0"}, "--crop was fixed.*expected 4,0,0,0; got 0,0,0,0"),
    ],
)
def test_each_option_that_differs_is_refused_by_name(
    drive: Footage, tmp_path: Path, options: dict[str, object], sentence: str
) -> None:
    store = made(drive, tmp_path, crop=Crop(top=4), spacing=2, camera="fov:60")
    with pytest.raises(ConfigError, match=sentence) as refusal:
        check_agreement(replace(PLAIN, **options), store)  # type: ignore[arg-type]
    assert refusal.value.where == store.folder
    assert "selfdepth prepare DATA --out STORE" in str(refusal.value)


def test_a_store_of_measured_spacing_agrees_with_auto_and_with_the_spacing(drive: Footage, tmp_path: Path) -> None:
    store = made(drive, tmp_path, spacing=2, auto=True)
    for every in (None, "auto", "2"):
        check_agreement(replace(PLAIN, every=every), store)
    with pytest.raises(ConfigError, match="expected 2 or auto; got 3"):
        check_agreement(replace(PLAIN, every="3"), store)


def test_a_camera_file_is_the_same_by_any_of_its_paths(
    drive: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made(drive, tmp_path, camera=str(tmp_path.resolve() / "camera.yaml"))
    monkeypatch.chdir(tmp_path)
    for camera in ("camera.yaml", "./camera.yaml", str(tmp_path / "camera.yaml")):
        check_agreement(replace(PLAIN, camera=camera), store)
    with pytest.raises(ConfigError, match="--camera was fixed"):
        check_agreement(replace(PLAIN, camera="other.yaml"), store)


def test_a_store_with_pairs_serves_runs_with_and_without_stereo(drive: Footage, tmp_path: Path) -> None:
    partner = StereoPartner(sequence="right", translation_m=(-0.5, 0.0, 0.0))
    left, right = replace(drive.sequences[0], partner=partner), sequence(tmp_path / "b", "right")
    paired = replace(drive, sequences=(left, right))
    store = made(paired, tmp_path)
    for stereo in ("none", "calibrated", "nominal"):
        check_agreement(replace(PLAIN, stereo=stereo), store)  # type: ignore[arg-type]


def test_a_store_of_data_that_a_program_assembled_has_no_split_and_no_camera(drive: Footage, tmp_path: Path) -> None:
    store = build_store(drive, tmp_path / "store", width=64, height=64)
    check_agreement(PLAIN, store)
    with pytest.raises(ConfigError, match=r"--camera was fixed.*expected none; got fov:60"):
        check_agreement(replace(PLAIN, camera="fov:60"), store)


def test_a_crop_that_leaves_nothing_is_refused(drive: Footage, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--crop"):
        store_of(TrainConfig(width=64, crop="24,24,0,0"), drive, tmp_path / "store")


def _damaged(folder: Path, numbers: tuple[int, ...], n: int = 250) -> Path:
    folder = write_images(folder, range(n))
    for number in numbers:
        file = folder / f"{number:06d}.png"
        file.write_bytes(file.read_bytes()[:60])
    return folder


def _store(folder: Path, out: Path, on_error: Literal["stop", "skip"]) -> Store:
    config = TrainConfig(data=str(folder), camera="fov:60", width=64, height=64, on_error=on_error)
    return recognise(folder).new_store(config, out)


def test_all_frames_that_cannot_be_read_are_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    folder = _damaged(tmp_path / "drive", (40, 120))
    with pytest.raises(DataError, match=r"2 of 250 frames cannot be read.*000040\.png.*000120\.png.*--on-error skip"):
        _store(folder, tmp_path / "store", "stop")
    assert [path.name for path in tmp_path.iterdir()] == ["drive"]


def test_unreadable_frames_are_left_out_with_their_clips_and_the_store_is_reused(tmp_path: Path) -> None:
    folder = _damaged(tmp_path / "drive", (40, 120))
    with pytest.warns(
        SelfDepthWarning, match=r"2 of the frames \(000040 of drive, 000120 of drive\), and the 6 targets"
    ):
        store = _store(folder, tmp_path / "store", "skip")
    assert len(store.frames) == 248
    assert {40, 120}.isdisjoint(store.sequences[0].numbers)
    assert int(store.frames[store.sequences[0].rows(np.array(41))].max()) == 41
    made = (store.folder / "frames.u8").stat().st_mtime_ns
    with pytest.warns(SelfDepthWarning, match="2 of the frames"):
        again = _store(folder, tmp_path / "store", "skip")
    assert (again.folder / "frames.u8").stat().st_mtime_ns == made
    with pytest.raises(DataError, match="2 of 250 frames"):
        _store(folder, tmp_path / "store", "stop")


def test_more_than_one_percent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"3 of 250 frames.*at most 1%"):
        _store(_damaged(tmp_path / "drive", (40, 120, 130)), tmp_path / "store", "skip")


@pytest.mark.parametrize("camera", ["learn", "learn:lens.yaml", "lens.yaml"])
def test_a_camera_with_a_lens_is_not_learned(camera: str) -> None:
    straight = Camera(fx=60.0, fy=60.0, cx=31.5, cy=31.5, width=64, height=64)
    bent = replace(straight, lens=Lens("brown", (0.1,)))
    config = replace(PLAIN, camera=camera)
    require_learnable(config, [straight, straight])
    if config.learns_camera:
        with pytest.raises(ConfigError, match=rf"cannot be learned.*--camera {camera}.*got a lens of the model brown"):
            require_learnable(config, [straight, bent])
    else:
        require_learnable(config, [straight, bent])


SMALL = Camera(fx=60.0, fy=60.0, cx=31.5, cy=31.5, width=64, height=64)


@pytest.mark.parametrize(
    ("lenses", "sentence"),
    [
        ((Lens("eucm", (0.6, 1.1)),), "the distortion of this lens cannot be learned.*got eucm"),
        ((Lens("ucm", (0.0,)),), "xi is learned by a factor"),
        ((Lens("brown", (0.1,)), Lens("brown", (0.2,))), "share the lens that is learned.*learn.distortion:FILE"),
        ((Lens("brown", (0.1,)), Lens()), "share the lens that is learned"),
    ],
)
def test_lenses_that_cannot_be_learned_are_refused_before_anything_is_decoded(
    lenses: tuple[Lens, ...], sentence: str
) -> None:
    config = replace(PLAIN, camera="learn+distortion")
    require_learnable(config, [replace(SMALL, lens=Lens("brown", (0.1,)))] * 2)
    with pytest.raises(ConfigError, match=sentence):
        require_learnable(config, [replace(SMALL, lens=lens) for lens in lenses])


def test_frames_whose_distortion_is_learned_are_not_rectified(drive: Footage, tmp_path: Path) -> None:
    bent = replace(SMALL, lens=Lens("brown", (-0.1,)))
    assert fit_of(PLAIN, [bent]).rectify
    learning = replace(PLAIN, camera="learn+distortion")
    assert not fit_of(learning, [bent]).rectify
    assert resolved(learning, made(drive, tmp_path)).rectify == "no"


def test_rectified_frames_have_no_distortion_to_learn(drive: Footage, tmp_path: Path) -> None:
    rectified = replace(made(drive, tmp_path), rectified=True)
    with pytest.raises(ConfigError, match=r"are rectified, and have no distortion.*--rectify no"):
        check_agreement(replace(PLAIN, camera="learn+distortion"), rectified)
