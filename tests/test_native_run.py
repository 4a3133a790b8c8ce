"""Through a wide lens from the command line: learn, predict, compare; the depth is the distance along the ray."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from selfdepth.cli import main as main_module
from selfdepth.cli.main import main
from selfdepth.data.footage import FrameRef
from selfdepth.data.sources.rendered import write_drive
from selfdepth.data.store.store import open_store
from selfdepth.data.truth import GivenTruth
from selfdepth.engine.self_teacher import check_depth_is
from selfdepth.errors import ConfigError, SelfDepthWarning
from selfdepth.evaluation.depth.frames import cropped_truth
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.ray_depth import converted, rays_of
from selfdepth.inference.inputs import open_inputs
from selfdepth.inference.predict import warn_of_other_cameras
from selfdepth.inference.predictor import Predictor
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.lenses import LENSES
from selfdepth.weights.files import load_weights

WIDTH, HEIGHT, N_FRAMES = 96, 64, 9
TINY = (
    "--width 96 --height 64 --batch-size 2 --steps 4 --save-every 2 --device cpu --precision fp32 --no-compile "
    "--encoder.no-pretrained --encoder.name test_resnet --encoder.pose-name test_resnet"
)


@pytest.fixture(autouse=True)
def warnings_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line replaces how warnings are shown; other tests must not notice."""
    monkeypatch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    lens = replace(LENSES["ucm"], focal=0.8)  # its edge is in the image, beyond which no pixel has a ray
    return render_drive(DriveSpec(seed=1, frames=N_FRAMES, width=WIDTH, height=HEIGHT, lens=lens), workers=1)


@pytest.fixture(scope="module")
def world(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """drive/ and run/, trained on it."""
    root = tmp_path_factory.mktemp("native")
    # Frames as a real camera might give them: the inside of the lens is not black.
    frames = np.where(rays_of(drive.camera)[1][..., None], drive.images, np.uint8(90))
    write_drive(replace(drive, images=frames), root / "drive", with_depth=True)
    options = f"train mono-192x64 --data {root / 'drive'} --out {root / 'run'} {TINY}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))
        assert main(options.split()) == 0
    return root


def test_the_store_is_black_where_no_pixel_has_a_ray(world: Path, drive: SyntheticDrive) -> None:
    store = open_store(world / "run/store")
    seen = rays_of(drive.camera)[1]
    assert 0.5 < seen.mean() < 0.99
    assert not store.frames[:, :, ~seen].any() and store.sequences[0].stored_camera.lens == drive.camera.lens


def test_the_model_says_that_its_depth_is_along_the_ray(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_weights(world / "run").depth_is == "ray"
    assert main(["info", str(world / "run")]) == 0
    said = capsys.readouterr().out
    assert "the distance along the ray" in said and "lens ucm" in said


def test_every_kind_of_output_is_along_the_ray_and_empty_without_one(world: Path, drive: SyntheticDrive) -> None:
    out, seen = world / "out", rays_of(drive.camera)[1]
    kinds = ["color", "npz", "png16", "ply", "trajectory"]
    assert main(["predict", str(world / "run"), str(world / "drive"), "--out", str(out), "--save", *kinds]) == 0
    with np.load(out / "npz/000002.npz") as arrays:
        depth, disparity = arrays["depth"], arrays["disparity"]
        assert str(arrays["depth_is"]) == "ray" and str(arrays["lens"]) == "ucm"
    assert np.array_equal(depth > 0, seen) and np.array_equal(disparity > 0, seen)
    assert np.array_equal(np.asarray(Image.open(out / "png16/000002.png")) > 0, seen)
    assert "along the ray" in (out / "png16/README.txt").read_text()
    assert not np.asarray(Image.open(out / "color/000002.png"))[~seen].any()
    header, _, body = (out / "ply/000002.ply").read_bytes().partition(b"end_header\n")
    vertex = np.dtype([(axis, "<f4") for axis in "xyz"] + [(colour, "u1") for colour in ("r", "g", "b")])
    vertices = np.frombuffer(body, vertex)
    assert f"element vertex {len(vertices)}".encode() in header
    points = np.stack([vertices[axis] for axis in "xyz"], 1).astype(np.float64)
    pixels, valid = drive.camera.project(points)
    at = np.rint(pixels).astype(int)
    assert valid.all() and np.abs(pixels - at).max() < 1e-2
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), depth[at[:, 1], at[:, 0]], rtol=1e-5)


def report(*arguments: str | Path, out: Path) -> dict[str, float]:
    assert main(["evaluate", "depth", *map(str, arguments), "--json", str(out)]) == 0
    values: dict[str, float] = json.loads(out.read_text())
    return values


def test_a_model_and_what_it_predicted_have_the_same_errors(world: Path, tmp_path: Path) -> None:
    assert main(f"predict {world / 'run'} {world / 'drive'} --out {tmp_path} --save npz".split()) == 0
    data = ("--data", world / "drive")
    model = report(world / "run", *data, out=tmp_path / "model.json")
    given = report("--predictions", tmp_path / "npz", *data, out=tmp_path / "given.json")
    assert model["abs_rel"] == pytest.approx(given["abs_rel"], rel=1e-4)
    changed = tmp_path / "npz/000004.npz"
    with np.load(changed) as arrays:
        kept = {name: value for name, value in arrays.items() if name != "depth_is"}
    np.savez(changed, **kept)
    evaluation = ["evaluate", "depth", "--predictions", str(tmp_path / "npz"), *map(str, data)]
    assert main(evaluation) == 2  # one file is said to be along z


def test_ground_truth_along_z_is_that_along_the_ray_where_there_is_z(drive: SyntheticDrive) -> None:
    ref, camera = FrameRef("drive", 0), drive.camera
    along = drive.depth[0].astype(np.float64)
    z = converted(along, camera, "ray", "z")
    for sides in (NO_CROP, Crop(4, 2, 6, 0)):
        back = cropped_truth(GivenTruth({ref: z}), ref, camera, sides, "ray")
        assert back is not None
        expected = np.where(z > 0, along, 0)[sides.window(WIDTH, HEIGHT)]
        np.testing.assert_allclose(back, expected, rtol=1e-5)


def test_frames_of_another_lens_are_warned_of_and_those_of_its_own_are_not(
    world: Path, recwarn: pytest.WarningsRecorder
) -> None:
    weights, drive = load_weights(world / "run"), str(world / "drive")
    warn_of_other_cameras(weights, open_inputs((drive,), camera=None))
    warn_of_other_cameras(weights, open_inputs((drive,), camera=str(world / "drive/camera.yaml")))
    assert not [each for each in recwarn if "lens the model learned" in str(each.message)]
    with pytest.warns(SelfDepthWarning, match="not those of the camera through whose lens"):
        warn_of_other_cameras(weights, open_inputs((drive,), camera="fov:60"))


def test_from_python_a_prediction_says_what_it_is(world: Path, drive: SyntheticDrive) -> None:
    predictor = Predictor.load(world / "run", device="cpu")
    prediction = predictor.predict(drive.images[0])
    assert prediction.depth_is == predictor.depth_is == "ray"
    assert prediction.camera == drive.camera
    assert np.array_equal(prediction.depth > 0, rays_of(drive.camera)[1])
    # What the lens cannot have seen does not change what it has.
    spoilt = np.where(rays_of(drive.camera)[1][..., None], drive.images[0], np.uint8(200))
    assert np.array_equal(predictor.predict(spoilt).depth, prediction.depth)


def test_the_benchmark_along_z_is_refused(world: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "0000000000.png"
    Image.fromarray(np.zeros((352, 1216, 3), np.uint8)).save(picture)
    arguments = f"predict {world / 'run'} {picture} --out {tmp_path / 'out'} --save kitti --factor 30".split()
    assert main(arguments) == 2
    assert "KITTI's benchmark takes depth along z" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["self_teacher", "anchor"])
def test_a_model_whose_depth_is_of_the_other_kind_is_no_teacher(world: Path, option: str) -> None:
    weights, model = load_weights(world / "run"), str(world / "run")
    config = (
        replace(weights.config, self_teacher=model)
        if option == "self_teacher"
        else replace(weights.config, anchor=1.0, init=model)
    )
    teacher = weights if option == "self_teacher" else None
    check_depth_is(config, "ray", teacher)
    with pytest.raises(ConfigError, match=r"not the depth that the run learns.*along z"):
        check_depth_is(config, "z", teacher)
