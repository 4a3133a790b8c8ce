"""Rectified frames from the files to every output: what is known in the view is right at the pixels of the frame."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image
from torch import Tensor, nn

from helpers.lens_drive import BROWN, rendered, through, write_lens_drive
from helpers.models import TINY, TINY_DEPTH, tiny_config, write_model
from selfdepth.cli.main import main
from selfdepth.config import LossConfig, TrainConfig
from selfdepth.data.readers.cameras import camera_to_yaml
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.store import open_store
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.evaluation.depth.frames import compared
from selfdepth.evaluation.depth.run import evaluate_model
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.lens import Lens
from selfdepth.inference.predictor import Predictor
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.weights.files import load_weights

WIDE = Camera(fx=60.0, fy=60.0, cx=63.5, cy=31.5, width=128, height=64, lens=Lens("kannala-brandt"))
"""122 degrees from left to right: more than a plane holds."""
FLOOR_M = 1.65


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drive through a barrel lens, with its camera, poses and depth. Not to be changed."""
    return write_lens_drive(tmp_path_factory.mktemp("lens") / "drive")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, drive: Path) -> Path:
    """The same images alone; beside the folder lies the camera file."""
    folder = tmp_path_factory.mktemp("plain") / "images"
    folder.mkdir()
    for path in sorted(drive.glob("*.png")):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder.parent / "brown.yaml").write_text(camera_to_yaml(BROWN))
    return folder


def model_of(folder: Path, camera: Camera | None = BROWN, **changes: object) -> Path:
    """An untrained model of rectified frames."""
    config = tiny_config(width=128, height=64, rectify="yes", encoder=TINY_DEPTH, **changes)
    return write_model(folder / "model", config, camera=camera)


# Predictions


class KnownDisparity(nn.Module):
    """In place of a network: the sigmoid of a known disparity, whatever the image."""

    def __init__(self, sigmoid: Tensor) -> None:
        super().__init__()
        self.sigmoid = sigmoid

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        return (self.sigmoid.expand(len(frames), *self.sigmoid.shape[1:]),)


def knowing(model: Path, inverse_depth: Callable[[ndarray, ndarray], ndarray]) -> Predictor:
    """A predictor whose network answers with 1 / z as a function of x / z and y / z of its own view's pixels."""
    weights = load_weights(model)
    predictor = Predictor(weights, device="cpu", precision="fp32")
    rays, _ = weights.fit.camera(weights.camera).rays()
    disparity = torch.from_numpy(inverse_depth(rays[..., 0] / rays[..., 2], rays[..., 1] / rays[..., 2])).float()
    near, far = 1 / predictor.depth_range.near, 1 / predictor.depth_range.far
    predictor._network = KnownDisparity(((disparity - far) / (near - far))[None, None])
    return predictor


def test_raw_pixels_get_the_z_of_a_known_plane(tmp_path: Path) -> None:
    predictor = knowing(model_of(tmp_path), lambda x, y: 0.3 + 0.2 * x - 0.1 * y)
    prediction = predictor.predict(np.zeros((64, 128, 3), np.uint8))
    rays, _ = BROWN.rays()
    wanted = 0.3 + 0.2 * rays[..., 0] / rays[..., 2] - 0.1 * rays[..., 1] / rays[..., 2]
    # In the outermost half pixel of the view the disparity is that of its border.
    np.testing.assert_allclose(prediction.disparity, wanted, atol=0.0015)
    np.testing.assert_allclose(prediction.disparity[2:-2, 2:-2], wanted[2:-2, 2:-2], atol=1e-5)
    np.testing.assert_allclose(prediction.depth, 1 / prediction.disparity, rtol=1e-6)
    assert prediction.camera == BROWN and prediction.depth_is == "z"


@pytest.mark.parametrize("scale", [2, 5])
def test_frames_of_another_resolution_get_the_same_depth(tmp_path: Path, scale: int) -> None:
    predictor = knowing(model_of(tmp_path), lambda x, y: 0.3 + 0.2 * x - 0.1 * y)
    large = predictor.predict(np.zeros((64 * scale, 128 * scale, 3), np.uint8))
    assert large.camera == BROWN.resized(128 * scale, 64 * scale)
    rays, _ = large.camera.rays()
    wanted = 0.3 + 0.2 * rays[..., 0] / rays[..., 2] - 0.1 * rays[..., 1] / rays[..., 2]
    np.testing.assert_allclose(large.disparity, wanted, atol=0.0015)


def test_the_network_sees_the_rectified_frame(tmp_path: Path, drive: Path) -> None:
    predictor = Predictor.load(model_of(tmp_path), device="cpu", precision="fp32")
    image = np.asarray(Image.open(drive / "000003.png"))
    view, camera = CropResize(width=128, height=64, rectify=True)(image, BROWN)
    fitted = predictor.predict_fitted([view])[0]
    assert fitted.camera is None and fitted.disparity.shape == (64, 128)
    mapped, _ = compared(fitted.disparity, np.ones((64, 128)), BROWN, CropResize(width=128, height=64, rectify=True))
    np.testing.assert_allclose(predictor.predict(image).disparity, mapped, rtol=1e-5)
    assert predictor.fitted_camera(BROWN) == camera


def test_pixels_beyond_the_view_have_no_depth(tmp_path: Path) -> None:
    predictor = knowing(model_of(tmp_path, WIDE), lambda x, y: 0.5 + 0 * x)
    prediction = predictor.predict(np.zeros((64, 128, 3), np.uint8))
    angles = np.degrees(np.arccos(WIDE.rays()[0][..., 2]))
    known = prediction.disparity > 0
    assert known[angles < 59].all() and not known[angles > 64].any()
    assert (prediction.depth[~known] == 0).all() and np.allclose(prediction.depth[known], 2)


def test_a_model_of_pinhole_frames_takes_those_of_a_lens_rectified(tmp_path: Path) -> None:
    config = tiny_config(width=128, height=64, encoder=TINY_DEPTH)
    pinhole = replace(BROWN, lens=Lens())
    predictor = Predictor.load(write_model(tmp_path / "model", config, camera=pinhole), device="cpu")
    image = np.random.default_rng(0).integers(0, 255, (64, 128, 3), dtype=np.uint8)
    plain, through_lens = predictor.predict(image), predictor.predict(image, BROWN)
    assert plain.camera == pinhole and through_lens.camera == BROWN
    assert not np.allclose(plain.disparity, through_lens.disparity)
    batch = predictor.predict_batch([image, image], [None, BROWN])
    for got, wanted in zip(batch, (plain, through_lens), strict=True):
        np.testing.assert_allclose(got.disparity, wanted.disparity, rtol=1e-4)


def test_cropped_frames_are_rectified_by_the_cropped_camera(tmp_path: Path) -> None:
    predictor = knowing(model_of(tmp_path, crop="0,16,0,8"), lambda x, y: 0.3 + 0.2 * x - 0.1 * y)
    cropped = BROWN.cropped(Crop(bottom=16, right=8))
    prediction = predictor.predict(np.zeros((48, 120, 3), np.uint8))
    assert prediction.camera == cropped
    rays, _ = cropped.rays()
    wanted = 0.3 + 0.2 * rays[..., 0] / rays[..., 2] - 0.1 * rays[..., 1] / rays[..., 2]
    np.testing.assert_allclose(prediction.disparity, wanted, atol=0.0015)
    assert predictor.training_camera(width=128, height=64) is None


# Frames and stores


def test_a_rectified_drive_looks_like_one_that_was_taken_without_a_lens(drive: Path) -> None:
    street = rendered()
    fit = CropResize(width=128, height=64, rectify=True)
    view = fit.camera(BROWN)
    for number in (0, 5):
        seen, _ = fit(np.asarray(Image.open(drive / f"{number:06d}.png")), BROWN)
        direct = through(street.images[number], street.camera, view)
        shown = seen.any(-1)
        shown &= np.roll(shown, 2, 0) & np.roll(shown, -2, 0) & np.roll(shown, 2, 1) & np.roll(shown, -2, 1)
        error = (seen.astype(float) - direct)[shown]
        ignored = (np.asarray(Image.open(drive / f"{number:06d}.png")).astype(float) - direct)[shown]
        assert 10 * math.log10(255**2 / (error**2).mean()) > 26
        assert (ignored**2).mean() > 4 * (error**2).mean()


def prepared(images: Path, out: Path, **changes: object) -> Path:
    config = TrainConfig(data=str(images), width=128, camera=str(images.parent / "brown.yaml"), **changes)
    recognise(images).new_store(config, out)
    return out


def test_a_store_of_a_lens_is_rectified_and_says_so(images: Path, tmp_path: Path) -> None:
    store = open_store(prepared(images, tmp_path / "store"))
    fit = CropResize(width=128, height=64, rectify=True)
    assert store.rectified and (store.width, store.height) == (128, 64)
    sequence = store.sequences[0]
    assert sequence.camera == BROWN and sequence.stored_camera == fit.camera(BROWN)
    np.testing.assert_allclose(sequence.K, fit.camera(BROWN).matrix())
    wanted, _ = fit(np.asarray(Image.open(images / "000004.png")), BROWN)
    np.testing.assert_array_equal(store.frames[4].transpose(1, 2, 0), wanted)
    black = (store.frames == 0).all((0, 1))
    assert 0.08 < black.mean() < 0.2, "the same pixels in all frames"


def test_what_is_asked_for_decides_and_makes_another_store(images: Path, tmp_path: Path) -> None:
    stores = {
        choice: open_store(prepared(images, tmp_path / choice, rectify=choice)) for choice in ("yes", "no", "auto")
    }
    assert stores["yes"].fingerprint == stores["auto"].fingerprint != stores["no"].fingerprint
    assert not stores["no"].rectified and stores["no"].sequences[0].stored_camera == BROWN
    assert stores["yes"].contents == stores["auto"].contents != stores["no"].contents


def test_the_height_follows_the_view_and_not_the_frame(tmp_path: Path, images: Path) -> None:
    """Of a fisheye of 163 degrees by 81, 60 degrees to either side are kept, and 41 upwards where those end."""
    fisheye = Camera(fx=45.0, fy=45.0, cx=63.5, cy=31.5, width=128, height=64, lens=Lens("kannala-brandt"))
    (tmp_path / "fisheye.yaml").write_text(camera_to_yaml(fisheye))
    config = TrainConfig(data=str(images), width=640, camera=str(tmp_path / "fisheye.yaml"), rectify="yes")
    store = recognise(images).new_store(config, tmp_path / "store")
    # On a cone, y / x is the ratio of what is seen of the angle: 32 px of 45 px per radian, out of 60 degrees.
    exact = 640 * (32 / 45) / math.radians(60)
    assert (store.width, store.height) == (640, 32 * round(exact / 32)) == (640, 448)


@pytest.mark.parametrize(
    ("made_with", "requested", "sentence"),
    [
        (
            "no",
            "yes",
            "--rectify was fixed when the store was made.*expected auto or no; got yes; .*make another store",
        ),
        ("yes", "no", "expected auto or yes; got no"),
        ("yes", "auto", None),
        ("no", "auto", None),
    ],
)
def test_a_store_is_not_rectified_later(
    images: Path, tmp_path: Path, made_with: str, requested: str, sentence: str | None
) -> None:
    place = prepared(images, tmp_path / "store", rectify=made_with)
    config = TrainConfig(data=str(place), width=128, rectify=requested)
    if sentence is None:
        assert recognise(place).store_for(config, tmp_path / "run").rectified is (made_with == "yes")
        return
    with pytest.raises(ConfigError, match=sentence):
        recognise(place).store_for(config, tmp_path / "run")


def test_without_a_lens_nothing_changes_whatever_is_asked_for(images: Path, tmp_path: Path) -> None:
    prints = set()
    for choice in ("auto", "yes", "no"):
        config = TrainConfig(data=str(images), width=128, camera="fov:70", rectify=choice)
        store = recognise(images).new_store(config, tmp_path / choice)
        assert not store.rectified
        prints.add(store.fingerprint)
        for asked in ("auto", "yes", "no"):
            recognise(tmp_path / choice).store_for(TrainConfig(width=128, rectify=asked), tmp_path / "run")
    assert len(prints) == 1


# The loss

SEEN = torch.zeros(32, 64, dtype=torch.bool)
SEEN[8:-8, 14:-14] = True
DEEP = ~(torch.nn.functional.max_pool2d(SEEN[None, None].double(), 3, 1, 1)[0, 0] > 0)
"""Black, and all neighbours too."""


@pytest.mark.parametrize(("automask", "depth"), [(True, 4.0), (True, 2.0), (True, 30.0), (False, 4.0)])
def test_black_teaches_nothing(automask: bool, depth: float) -> None:
    cfg = LossConfig(automask=automask, smoothness=0.0)
    disparity = torch.full((1, 1, 32, 64), cfg.depth_range.sigmoid(depth), dtype=torch.float64, requires_grad=True)
    texture = torch.rand(1, 3, 3, 32, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    T = torch.eye(4, dtype=torch.float64).repeat(1, 2, 1, 1)
    T[0, :, 0, 3] = torch.tensor([0.15, -0.15])
    K = torch.tensor([[[40.0, 0.0, 31.5], [0.0, 40.0, 15.5], [0.0, 0.0, 1.0]]], dtype=torch.float64)
    self_supervised_loss((disparity,), T, texture * SEEN, K, cfg).loss.backward()
    slope = disparity.grad[0, 0].abs()
    # Without the auto-mask, black whose pixel is sought inside the picture does teach: that is 2 pixels along its edge.
    far = DEEP if automask else ~(torch.nn.functional.max_pool2d(SEEN[None, None].double(), 7, 1, 3)[0, 0] > 0)
    assert (slope[far] == 0).all() and (slope[SEEN] > 0).any()


# Evaluation


def test_the_truth_compared_with_itself_has_no_error(drive: Path) -> None:
    """Depth rendered in the view, seen from the frame's pixels, is the frame's depth, but for edges of things."""
    fit = CropResize(width=128, height=64, rectify=True)
    street = rendered()
    in_view = through(street.depth[3], street.camera, fit.camera(BROWN), nearest=True)
    truth = np.load(drive / "depth.npz")["depth"][3]
    disparity, counted = compared(1 / np.where(in_view > 0, in_view, 1e3), truth, BROWN, fit)
    assert (counted == truth).all()
    near = (truth > 0) & (truth < 40)
    ratio = truth[near] * disparity[near]
    assert abs(np.median(ratio) - 1) < 0.01 and (np.abs(ratio - 1) < 0.1).mean() > 0.85


def test_truth_beyond_the_view_does_not_count_and_that_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(np.full((64, 128, 3), 40 * number, np.uint8)).save(folder / f"{number:06d}.png")
    (folder / "camera.yaml").write_text(camera_to_yaml(WIDE))
    (folder / "poses.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 3)
    np.savez_compressed(folder / "depth.npz", depth=np.full((3, 64, 128), 7.0, np.float32))
    model = model_of(tmp_path, WIDE)
    with pytest.warns(SelfDepthWarning, match=r"% of the frames' pixels are not in the rectified view"):
        report = evaluate_model(str(model), folder, device="cpu").report
    inside = compared(np.ones((64, 128)), np.ones((64, 128)), WIDE, CropResize(width=128, height=64, rectify=True))[1]
    assert report.images[0].pixels == inside.sum() < 64 * 128


def test_a_stereo_pair_with_a_lens_is_refused(images: Path, tmp_path: Path) -> None:
    from selfdepth.data.frames import StereoPartner
    from selfdepth.data.store.prepare import store_of

    config = TrainConfig(data=str(images), width=128, camera=str(images.parent / "brown.yaml"))
    footage = recognise(images).footage(camera=config.camera)
    partner = StereoPartner(sequence="right", translation_m=(-0.5, 0.0, 0.0))
    pair = replace(footage, sequences=(replace(footage.sequences[0], partner=partner),))
    with pytest.raises(DataError, match=r"a stereo pair of cameras with a lens.*rectify the pair first"):
        store_of(config, pair, tmp_path / "store")


# The whole program


def run_cli(*words: object) -> None:
    assert main([str(word) for word in words]) == 0, words


def test_the_whole_program_on_a_drive_through_a_lens(
    drive: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera, run, out = str(images.parent / "brown.yaml"), tmp_path / "run", tmp_path / "out"
    run_cli("check", images, "--camera", camera, "--picture", tmp_path / "view.png", "--json", tmp_path / "check.json")
    assert "lens brown: the frames are rectified" in capsys.readouterr().out
    assert json.loads((tmp_path / "check.json").read_text())["footage"]["lenses"].endswith("(--rectify yes)")
    assert Image.open(tmp_path / "view.png").size[0] == 640
    run_cli("prepare", images, "--camera", camera, "--width", 128, "--out", tmp_path / "store")
    said = "lens brown: the frames are rectified, into a pinhole's view of 128x64, 11% of which is black; 0.0% of"
    assert said in capsys.readouterr().out
    tiny = ("--encoder.name", TINY.name, "--encoder.pose-name", TINY.pose_name, "--encoder.no-pretrained")
    size = ("--width", 128, "--batch-size", 2, "--steps", 2, "--device", "cpu")
    run_cli("train", "mono-640x192", "--height", 64, "--data", tmp_path / "store", "--out", run, *tiny, *size)
    assert said in capsys.readouterr().err
    weights = load_weights(run)
    assert weights.config.rectify == "yes" and weights.camera == BROWN and weights.depth_is == "z"
    run_cli("train", "--resume", "--out", run)
    run_cli("info", run)
    assert "are rectified, into a pinhole's view of 128x64" in capsys.readouterr().out
    run_cli("predict", run, images, "--out", out, "--save", "npz", "color", "ply", "trajectory", "--device", "cpu")
    with np.load(out / "npz" / "000002.npz") as arrays:
        assert arrays["depth"].shape == (64, 128) and (arrays["depth"] > 0).all() and arrays["depth_is"] == "z"
    assert (out / "drive.ply").is_file() and len((out / "trajectory" / "kitti.txt").read_text().splitlines()) == 6
    run_cli("evaluate", "depth", run, "--data", drive, "--json", tmp_path / "drive.json")
    run_cli("prepare", drive, "--width", 128, "--out", tmp_path / "with_truth")
    run_cli("evaluate", "depth", run, "--data", tmp_path / "with_truth", "--json", tmp_path / "store.json")
    of_drive, of_store = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("drive", "store"))
    by_number = {image["name"].split()[-1]: image["abs_rel"] for image in of_drive["images"]}
    assert len(by_number) == 6 and len(of_store["images"]) == 4
    run_cli("evaluate", "odometry", run, "--data", drive)
