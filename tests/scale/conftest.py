"""A short rendered drive, for tests that need little of it; other modules have longer ones of the same names."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.data.sources.rendered import write_drive
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive


@pytest.fixture(scope="session")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=2, frames=6, width=96, height=64))


@pytest.fixture(scope="session")
def data(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "street"
    write_drive(drive, folder, with_depth=True)
    return folder
