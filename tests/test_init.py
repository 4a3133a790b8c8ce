"""The front door of the package: what it promises is there, and is imported when it is first asked for."""

from __future__ import annotations

import pytest

import selfdepth
from selfdepth.geometry.camera import Camera
from selfdepth.inference.predictor import Predictor, load
from selfdepth.structs import DepthPrediction


def test_every_promised_name_is_the_one_of_its_module() -> None:
    assert {name: getattr(selfdepth, name) for name in selfdepth.__all__} == {
        "Camera": Camera,
        "DepthPrediction": DepthPrediction,
        "Predictor": Predictor,
        "__version__": selfdepth.__version__,
        "load": load,
    }


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="'selfdepth' has no attribute 'Depth'"):
        _ = selfdepth.Depth
    assert not hasattr(selfdepth, "predictor_")
