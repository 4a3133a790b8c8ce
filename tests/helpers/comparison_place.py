"""For the tests of comparisons: a rendered drive, its frames as pictures, and models of several kinds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from helpers.depth_world import save_depth_model
from helpers.models import tiny_config, write_model
from helpers.onnx_models import write_exported, write_onnx
from selfdepth.comparison.request import CompareRequest
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw


@dataclass(frozen=True, kw_only=True)
class Place:
    """Not to be changed.

    Attributes:
        drive: as it was rendered.
        kitti: a root of it with scans.
        pictures: its frames alone, without ground truth.
        run: a model with a pose network, said to be trained on the pictures.
        depth: a model without a pose network.
        onnx: somebody's network, of any size, which gives disparity.
        export: a network with our description.
    """

    drive: SyntheticDrive
    kitti: Path
    pictures: Path
    run: Path
    depth: Path
    onnx: Path
    export: Path


def build_place(folder: Path) -> Place:
    """Render and write all of it."""
    drive = render_drive(DriveSpec(seed=1, frames=5, width=128, height=64))
    write_kitti_raw(drive, folder / "kitti", image_format="png")
    (folder / "pictures").mkdir()
    for number, image in enumerate(drive.images):
        Image.fromarray(image).save(folder / "pictures" / f"{number:03d}.png")
    config = tiny_config(data=str(folder / "pictures"))
    return Place(
        drive=drive,
        kitti=folder / "kitti",
        pictures=folder / "pictures",
        run=write_model(folder / "mine", config, camera=drive.camera),
        depth=save_depth_model(folder / "depth"),
        onnx=write_onnx(folder / "any.onnx", shape=(1, 3, "h", "w")),
        export=write_exported(folder / "export.onnx"),
    )


def asked(place: Place, *models: str, on: str = "kitti", **options: Any) -> CompareRequest:
    """A comparison of models of the place, by their attributes' names."""
    named = tuple(str(getattr(place, each)) for each in models)
    said = ("disparity",) if "onnx" in models else ()
    data = str(getattr(place, on))
    return CompareRequest(models=named, data=data, predictions_are=said, device="cpu", **options)
