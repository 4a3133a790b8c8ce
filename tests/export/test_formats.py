"""What every format shares."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest

from selfdepth.export.formats import quiet, write_beside
from selfdepth.export.graphs import Network
from selfdepth.weights.exported import ExportedModel


def test_a_description_lies_beside_a_file_that_cannot_hold_one(tmp_path: Path, network: Network) -> None:
    write_beside(network, tmp_path / "model.pte")
    (file,) = tmp_path.iterdir()
    assert file.name == "model.pte.json"
    assert ExportedModel.from_json(file.read_text(encoding="utf-8"), where=file) == network.about


def test_exporters_talk_to_nobody_and_afterwards_all_is_as_before(
    caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    with quiet():
        logging.getLogger("torch").warning("advice")
        warnings.warn("advice", stacklevel=1)
    assert not caplog.records and not recwarn.list
    logging.getLogger("selfdepth").warning("heard")
    assert [each.getMessage() for each in caplog.records] == ["heard"]
