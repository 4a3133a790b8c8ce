"""What KITTI's server takes: metres, and one flat set of images of its size."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from selfdepth.errors import ConfigError, DataError, OutputError
from selfdepth.inference.inputs import open_inputs
from selfdepth.inference.kitti_benchmark import (
    IMAGE_COUNT,
    IMAGE_SIZE,
    benchmark_factor,
    describe_benchmark,
    require_benchmark_images,
)


def images(folder: Path, *names: str, size: tuple[int, int] = IMAGE_SIZE) -> str:
    folder.mkdir()
    for name in names:
        Image.new("L", size).save(folder / name)
    return str(folder)


def test_the_factor_is_the_given_one_else_the_models_own() -> None:
    assert benchmark_factor(5.4, None, "runs/a") == 5.4
    assert benchmark_factor(5.4, 30.0, "runs/a") == 30.0
    assert benchmark_factor(None, 30.0, "runs/a") == 30.0


def test_a_model_without_a_unit_is_refused_with_the_way_to_find_one() -> None:
    with pytest.raises(ConfigError, match=r"has no unit: runs/a; expected --factor.*evaluate depth.*--part train"):
        benchmark_factor(None, None, "runs/a")


def test_images_of_the_benchmark_are_accepted_again_beside_their_own_depth_maps(tmp_path: Path) -> None:
    sources = open_inputs((images(tmp_path / "image", "0.png", "1.png"),), camera=None)
    require_benchmark_images(sources, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/1.png").touch()
    require_benchmark_images(sources, tmp_path / "out")
    (tmp_path / "out/2.png").touch()
    with pytest.raises(OutputError, match=r"holds something else: .*2\.png"):
        require_benchmark_images(sources, tmp_path / "out")


def test_other_images_are_refused_by_the_first_of_them(tmp_path: Path) -> None:
    small = images(tmp_path / "small", "7.png", size=(100, 40))
    twice = images(tmp_path / "twice", "0.png", "0.bmp")
    table = {
        (small,): r"not of the benchmark's size: .*7\.png; expected 1216x352.*got 100x40",
        (twice,): "two images would have the same depth map",
        (small, twice): "one flat folder of depth maps: 2 inputs",
    }
    for inputs, sentence in table.items():
        with pytest.raises(DataError, match=sentence):
            require_benchmark_images(open_inputs(inputs, camera=None), tmp_path / "out")


def test_what_is_left_to_do_is_told_with_the_scale_and_the_number(tmp_path: Path) -> None:
    def told(factor: float, own: float | None, count: int = IMAGE_COUNT) -> str:
        return describe_benchmark(count, Path("out"), factor, own)

    assert "the model's metres" in told(1.0, 1.0)
    assert "times 5.4, the model's own" in told(5.4, 5.4)
    assert "times 6 as given, not 5.4, the model's own" in told(6.0, 5.4)
    assert "times 30 as given" in told(30.0, None)
    assert "500 depth maps in out" in told(1.0, 1.0) and "expects" not in told(1.0, 1.0)
    assert "1 depth map in out" in told(1.0, 1.0, 1) and "the server expects 500" in told(1.0, 1.0, 1)
