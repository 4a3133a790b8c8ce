"""The named runs: each is what its name says, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from selfdepth.config import LITE0, TrainConfig, to_json
from selfdepth.errors import ConfigError
from selfdepth.presets import CONTINUES, DEFAULT_EPOCHS, MONODEPTH_V1, PRESETS, preset

PAPER = [name for name in PRESETS if name.startswith("paper-")]
FULL = "paper-mono-640x192"
LATER = {name: config for name, config in PRESETS.items() if name != MONODEPTH_V1}
"""Those of Monodepth2."""

PARTS = {
    "min": "loss.reprojection",
    "automask": "loss.automask",
    "multiscale": "loss.multiscale",
    "ssim": "loss.ssim",
}
"""The option that turns a part of the method off."""
CONTRIBUTIONS = {PARTS[part] for part in ("min", "automask", "multiscale")}

WORDS: dict[str, set[str]] = {
    "mono": set(),
    "stereo": {"stereo", "offsets"},
    "mono-stereo": {"stereo"},
    "640x192": set(),
    "416x128": {"width", "height"},
    "1024x320": {"width", "height", "batch_size", "learning_rate", "epochs"},
    "no-pt": {"encoder.pretrained", "epochs"},
    "predictive-mask": {"loss.automask", "loss.predictive_mask"},
    "resnet50": {"encoder.name"},
    "separate": set(),
    "shared": {"encoder.pose_network"},
    "posecnn": {"encoder.pose_network"},
    "all": {"encoder.pose_input"},
    "baseline": CONTRIBUTIONS,
    **{f"baseline-{part}": CONTRIBUTIONS - {option} for part, option in PARTS.items()},
    **{f"no-{part}": {option} for part, option in PARTS.items()},
}
"""The options that a word in a name stands for."""


class Name(NamedTuple):
    """The parts of a preset's name."""

    mode: str
    width: int
    height: int
    variant: str


def parts_of(name: str) -> Name:
    match = re.fullmatch(r"(?:paper-)?([a-z-]+)-(\d+)x(\d+)-?(.*)", name)
    assert match is not None, name
    mode, width, height, variant = match.groups()
    return Name(mode=mode, width=int(width), height=int(height), variant=variant)


def words_of(name: str) -> list[str]:
    """Mode, size and the words of the variant, the longest that are known first."""
    mode, width, height, rest = parts_of(name)
    words = [mode, f"{width}x{height}"]
    while rest:
        word = max((word for word in WORDS if f"{rest}-".startswith(f"{word}-")), key=len)
        words.append(word)
        rest = rest.removeprefix(word).removeprefix("-")
    return words


def flat(config: TrainConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in to_json(config).items():
        found.update({f"{name}.{key}": v for key, v in value.items()} if isinstance(value, dict) else {name: value})
    return found


def changes(name: str, other: str) -> set[str]:
    before = flat(preset(other))
    return {option for option, value in flat(preset(name)).items() if value != before[option]}


def test_a_preset_of_the_paper_differs_from_the_full_model_in_what_the_words_of_its_name_stand_for_alone() -> None:
    for name in PAPER:
        stood_for = set[str]().union(*(WORDS[word] for word in words_of(name)))
        assert changes(name, FULL) == stood_for, name


def test_the_three_contributions_are_all_on_in_the_full_model_and_all_off_in_the_baseline() -> None:
    full, baseline = flat(preset(FULL)), flat(preset(f"{FULL}-baseline"))
    on = {"loss.reprojection": "min", "loss.automask": True, "loss.multiscale": "full"}
    assert {option: full[option] for option in CONTRIBUTIONS} == on
    assert all(baseline[option] != full[option] for option in CONTRIBUTIONS)
    for part in ("min", "automask", "multiscale"):
        added = flat(preset(f"{FULL}-baseline-{part}"))
        assert added[PARTS[part]] == full[PARTS[part]], part


def test_what_a_name_says_of_the_networks_is_so() -> None:
    for name in PAPER:
        encoder, words = preset(name).encoder, words_of(name)
        assert encoder.pretrained == ("no-pt" not in words), name
        assert encoder.name == ("resnet50" if "resnet50" in words else "resnet18"), name
        named = [word for word in ("shared", "posecnn") if word in words]
        assert [encoder.pose_network] == (named or ["separate"]), name
        assert encoder.pose_input == ("all" if "all" in words else "pairs"), name


def test_a_run_from_random_weights_has_half_as_many_epochs_again() -> None:
    for name in (name for name in PAPER if name.endswith("-no-pt")):
        assert preset(name).epochs == 1.5 * (preset(name.removesuffix("-no-pt")).epochs or 0), name


def test_names_say_mode_and_size() -> None:
    for name, config in LATER.items():
        mode, width, height, _ = parts_of(name)
        assert (config.stereo != "none", config.offsets == ()) == ("stereo" in mode, mode == "stereo"), name
        assert config.width == width, name
        assert config.height == (height if name in PAPER else None), "ours keep the frames' aspect"


def test_presets_of_the_paper_are_in_its_conventions_and_all_others_in_the_corrected_ones() -> None:
    for name, config in LATER.items():
        paper = name in PAPER
        conventions = ("paper", "corner") if paper else (None, "center")
        assert (config.camera, config.loss.pixel_convention) == conventions, name
        metres = None if config.stereo == "none" else 5.4 if paper else 1
        assert config.metres_per_unit == metres, name
        if paper:
            assert (config.loss.near, config.loss.far, config.loss.start_depth) == (0.1, 100, None), name


def test_the_full_model_is_ours_in_the_papers_conventions_and_with_its_budget() -> None:
    assert changes(FULL, "mono-640x192") == {
        *("camera", "height", "loss.pixel_convention"),
        *("epochs", "drop_after", "precision", "motion_first", "loss.align_motion"),
    }
    assert preset(FULL).epochs == DEFAULT_EPOCHS


def test_every_size_is_there_in_every_mode() -> None:
    ours = {(parts_of(name).mode, parts_of(name)[1:3]) for name in LATER if name not in PAPER}
    modes, sizes = {mode for mode, _ in ours}, {size for _, size in ours}
    assert modes == {"mono", "stereo", "mono-stereo"}
    assert len(sizes) == 5
    assert ours == {(mode, size) for mode in modes for size in sizes}


def test_what_continues_a_model_has_the_same_networks_and_sources() -> None:
    for name, continued in CONTINUES.items():
        assert (preset(name).encoder, preset(name).offsets) == (preset(continued).encoder, preset(continued).offsets)


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("mono-640x129", "mono-640x192"),
        ("mono_640x192", "mono-640x192"),
        ("paper-mono-640x192-noautomask", "paper-mono-640x192-no-automask"),
        ("paper-stereo-1024x32", "paper-stereo-1024x320"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_closest_one(name: str, close: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean {close}") as refused:
        preset(name)
    assert len(str(refused.value)) < 300, f"{len(PRESETS)} names are no help"


def test_the_predecessor_is_trained_as_its_paper_says() -> None:
    v1 = preset(MONODEPTH_V1)
    assert {config.method for config in LATER.values()} == {"monodepth2"} and v1.method == "monodepth-v1"
    assert (v1.width, v1.height, v1.batch_size, v1.learning_rate, v1.epochs) == (512, 256, 8, 1e-4, 50)
    assert (v1.encoder.name, v1.encoder.pretrained, v1.encoder.scales) == ("resnet50", False, (0, 1, 2, 3))
    assert (v1.loss.ssim_weight, v1.loss.smoothness, v1.metres_per_unit) == (0.85, 0.1, 1)


@pytest.mark.parametrize("name", ["fastest", "smallest"])
def test_faster_light_presets_differ_from_the_usual_one_in_their_encoder_and_need_no_network(name: str) -> None:
    usual, faster = PRESETS["mono-192x64"], PRESETS[f"mono-192x64-{name}"]
    assert replace(faster, encoder=usual.encoder) == usual
    assert faster.encoder.name != usual.encoder.name and not faster.encoder.pretrained


def test_the_preset_for_edge_devices_lacks_the_finest_level_alone_and_needs_no_network() -> None:
    usual, edge = PRESETS["mono-320x96"], PRESETS["mono-320x96-edge"]
    assert replace(edge, encoder=usual.encoder) == usual
    assert replace(edge.encoder, scales=usual.encoder.scales) == usual.encoder
    assert edge.encoder.scales == (1, 2, 3) and edge.encoder.name == LITE0
