"""The model card: what is on it, and that no text on it can be more than text."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import yaml

from selfdepth.structs import MetricScale
from selfdepth.weights.card import Errors, measured, model_card, plain
from selfdepth.weights.files import LoadedWeights, load_weights
from selfdepth.weights.licences import PUBLISHED_LICENCE, Licence

ROWS = {"size": "96x64 pixels", "trained on": "street.mp4"}
FOUND = Errors(values={"abs_rel": 0.1234, "a1": 0.87}, protocol="4 of the test frames; protocol: eigen")


def card(weights: LoadedWeights, licence: Licence | None = None, errors: tuple[Errors, ...] = (FOUND,)) -> str:
    return model_card(weights, repository="alice/street", rows=ROWS, licence=licence, errors=list(errors))


def test_the_front_matter_is_what_the_hub_reads(model: Path) -> None:
    for licence, expected in (
        (None, {}),
        (Licence("mit"), {"license": "mit"}),
        (Licence("my-terms"), {"license": "other", "license_name": "my-terms"}),
    ):
        _, matter, rest = card(load_weights(model), licence).split("---\n", 2)
        values = yaml.safe_load(matter)
        tags = values.pop("tags")
        assert values == {"library_name": "selfdepth", "pipeline_tag": "depth-estimation", **expected}
        assert {"selfdepth", "depth-estimation"} <= set(tags)
        assert rest.lstrip().startswith("# street\n")


def test_it_says_how_to_use_the_model_its_errors_with_their_protocol_and_the_patent(model: Path) -> None:
    text = card(load_weights(model))
    assert 'selfdepth.load("alice/street")' in text
    assert "selfdepth predict alice/street" in text
    assert "| abs\\_rel | a1 |\n|---|---|\n| 0.123 | 0.870 |\n\n4 of the test frames; protocol: eigen." in text
    assert "| trained on | street.mp4 |" in text
    assert "US patent 11,991,342" in text
    assert "None were measured" in card(load_weights(model), errors=())


def test_relative_depth_and_metres_have_limits_of_their_own(model: Path) -> None:
    weights = load_weights(model)
    assert "Depth is relative: known up to one factor" in card(weights)
    assert "metres for the camera that the model was trained with" in card(dataclasses.replace(weights, scale="metric"))
    metric = MetricScale(factor=25.0, spread=0.05, witness="height 1.65 m")
    assert "Metres come from a witness (height 1.65 m)" in card(dataclasses.replace(weights, metric=metric))


def test_weights_that_came_from_published_ones_are_said_to_be_non_commercial(model: Path) -> None:
    text = card(load_weights(model), Licence(PUBLISHED_LICENCE, inherited_from="mono_640x192"))
    assert "for non-commercial use only, and so is this model" in text
    assert "No licence was stated" in card(load_weights(model))


def test_a_strangers_text_stays_in_its_cell() -> None:
    assert plain("a|b\n# c <b> [x](y) `z`") == "a\\|b # c \\<b\\> \\[x\\](y) \\`z\\`"


def test_only_numbers_of_known_metrics_are_errors() -> None:
    assert measured({"abs_rel": 0.1, "loss": 0.2, "rmse": "x"}, "p") == Errors(values={"abs_rel": 0.1}, protocol="p")
    assert measured({"loss": 0.2}, "p") is None
