"""A kind of data that the program has never seen: one class and one line in the table, and every verb takes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.cli.main import main
from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.sources import recognise as recognise_module
from selfdepth.data.sources.recognise import KINDS, recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.data.truth import DepthTruth, GivenTruth
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

N_FRAMES = 30


@cache
def drawn() -> SyntheticDrive:
    return render_drive(DriveSpec(frames=N_FRAMES, width=64, height=64))


@dataclass(frozen=True, kw_only=True)
class ToySequence(FrameSequence):
    """Frames that are computed, not read."""

    def read(self, numbers: tuple[int, ...]) -> Iterator[ndarray]:
        yield from (drawn().images[number] for number in numbers)


@dataclass(frozen=True, kw_only=True)
class ToySource(DataSource):
    """A folder that holds nothing but a file toy.json: the frames are drawn."""

    kind: ClassVar[str] = "toy"
    calibrated: ClassVar[bool] = True
    measures_depth: ClassVar[bool] = True
    protocol: ClassVar[str] = "dense"

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        return cls(path=path) if (path / "toy.json").is_file() else None

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        numbers = tuple(range(N_FRAMES))
        file = self.path / "toy.json"
        return (
            ToySequence(
                name="toy",
                camera=drawn().camera,
                numbers=numbers,
                names=tuple(map(str, numbers)),
                files=(file,),
                fps=10.0,
            ),
        )

    @property
    def truth(self) -> DepthTruth:
        return GivenTruth({FrameRef("toy", number): depth for number, depth in enumerate(drawn().depth)})

    def poses(self, sequence: FrameSequence) -> Trajectory | None:
        return Trajectory(T_world_camera=drawn().T_world_camera, timestamps=self.times(sequence))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recognise_module, "KINDS", [ToySource, *KINDS])
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "toy.json").write_text("{}")
    return folder


def test_every_verb_takes_a_new_kind_of_data(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = "--encoder.name test_resnet --encoder.pose-name test_resnet --encoder.no-pretrained --batch-size 4"
    run, numbers = str(tmp_path / "run"), tmp_path / "numbers.json"

    def json_of(*words: str) -> dict[str, float]:
        assert main([*words, "--json", str(numbers)]) == 0
        values: dict[str, float] = json.loads(numbers.read_text())
        return values

    report = json_of("check", str(toy))["footage"]
    assert (report["kind"], report["n_train"], report["n_val"]) == ("toy", 24, 2)  # type: ignore[index]

    assert main(f"prepare {toy} --out {tmp_path / 'store'} --width 64 --height 64".split()) == 0
    assert "from 1 sequence (toy)" in capsys.readouterr().out

    assert main(f"train mono-192x64 --data {toy} --out {run} --width 64 --height 64 --steps 2 {small}".split()) == 0
    validated = [line for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines() if '"abs_rel"' in line]
    assert validated, "depth is validated against the source's own ground truth"

    depth = json_of("evaluate", "depth", run, "--data", str(toy))
    assert depth["counts"]["images"] == N_FRAMES  # type: ignore[index]
    assert depth["protocol"]["name"] == "dense"  # type: ignore[index]

    odometry = json_of("evaluate", "odometry", run, "--data", str(toy))
    assert (odometry["poses"], odometry["frames"]) == (N_FRAMES, N_FRAMES)

    assert main(["predict", run, str(toy), "--out", str(tmp_path / "out"), "--save", "npz", "trajectory"]) == 0
    assert len(list((tmp_path / "out/npz").iterdir())) == N_FRAMES
    assert len(np.loadtxt(tmp_path / "out/trajectory/kitti.txt")) == N_FRAMES


def test_a_store_of_it_finds_the_ground_truth_again(toy: Path, tmp_path: Path) -> None:
    assert main(f"prepare {toy} --out {tmp_path / 'store'} --width 64 --height 64".split()) == 0
    depth = recognise(tmp_path / "store").truth(FrameRef("toy", 3))
    assert np.array_equal(depth, drawn().depth[3])  # type: ignore[arg-type]
