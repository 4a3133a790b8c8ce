"""What a comparison refuses before it predicts, and what it says of each model."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.comparison_place import Place, asked
from selfdepth.comparison.request import CompareRequest
from selfdepth.comparison.run import compare_models
from selfdepth.errors import SelfDepthError, SelfDepthWarning

BAD: dict[str, tuple[tuple[str, ...], str, dict[str, Any], str]] = {
    "no motion": (("depth", "onnx"), "pictures", {}, "no model has a pose network, so nothing can be compared"),
    "no such guide": (("run",), "pictures", {"motion_from": "x"}, "is that of one of the models: --motion-from.*got x"),
    "a guide without use": (("depth",), "kitti", {"motion_from": "x"}, "for data without ground truth.*leave it out"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_compared_is_one_sentence(place: Place, name: str) -> None:
    models, on, options, words = BAD[name]
    with pytest.raises(SelfDepthError, match=words):
        compare_models(asked(place, *models, on=on, **options), getattr(place, on))


def test_models_of_different_crops_are_each_judged_on_what_they_see_with_a_warning(place: Place) -> None:
    from helpers.depth_world import save_depth_model

    save_depth_model(place.kitti.parent / "cropped", crop="8,4,16,0")
    models = (str(place.depth), str(place.kitti.parent / "cropped"))
    with pytest.warns(SelfDepthWarning, match="differently cropped frames"):
        done = compare_models(CompareRequest(models=models, data=str(place.kitti), device="cpu"), place.kitti)
    assert [entry.name for entry in done.entries] == ["depth", "cropped"]
    assert {entry.size for entry in done.entries} == {(96, 64)} and all(entry.bytes > 0 for entry in done.entries)
