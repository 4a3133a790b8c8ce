"""The programs for long measurements run from end to end at tiny sizes, and say what they found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import contributions
import curves
import gpu
import scaling
from curves import Curve, summary
from scaling import growth, sparse_store
from selfdepth.data.store.store import open_store
from selfdepth.synthetic.drive import DriveSpec
from selfdepth.synthetic.kinds import KINDS


@pytest.mark.slow
def test_the_gpu_program_runs_on_a_processor_too(tmp_path: Path) -> None:
    sizes = ["--device", "cpu", "--clips", "8", "--width", "64", "--height", "64", "--batch", "2"]
    times = ["--seconds", "0", "--warm-up", "0", "--steps-between-looks", "1", "--precision", "fp32", "--no-compile"]
    gpu.main([*sizes, *times, "--json", str(tmp_path / "gpu.json")])
    document = json.loads((tmp_path / "gpu.json").read_text())
    assert document["finite_loss"] and document["frames_on_device"]
    assert document["clips_per_s_min"] <= document["clips_per_s"] <= document["clips_per_s_max"]
    assert document["peak_mb"] > 0
    assert "convolution" in document["profile"]


def test_the_gpu_program_refuses_fewer_clips_than_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        gpu.main(["--device", "cpu", "--clips", "3", "--batch", "4"])
    assert stop.value.code == 2
    assert "do not fill a batch of 4" in capsys.readouterr().err


def test_growth_is_the_slope_between_logarithms() -> None:
    sizes = [10, 100, 1000]
    assert growth("", sizes, [1e-3 * s for s in sizes], limit=1)["exponent"] == pytest.approx(1)
    assert growth("", sizes, [1e-3 * s for s in sizes], limit=1)["holds"]
    assert not growth("", sizes, [1e-3 * s for s in sizes], limit=0)["holds"]
    late = growth("", sizes, [1.0, 1.0, 100.0], limit=1)  # hidden by a fixed cost until the last step
    assert late["exponent"] == pytest.approx(1) and not late["holds"]


@pytest.mark.slow
def test_scaling_goes_through_every_growth(tmp_path: Path) -> None:
    document = scaling.main(["--quick", "--json", str(tmp_path / "scaling.json")])
    assert json.loads((tmp_path / "scaling.json").read_text())["growths"] == document["growths"]
    assert [each["limit"] for each in document["growths"]] == [1, 1, 1, 0, 0, 1]
    assert all(min(each["seconds"]) > 0 for each in document["growths"])


def test_a_synthetic_store_is_a_store(tmp_path: Path) -> None:
    sparse_store(tmp_path / "store", 1200)
    store = open_store(tmp_path / "store")
    assert len(store.frames) == 1200 and len(store.sequences) == 3
    assert len(store.train) == 1200 - 2 * 3


@pytest.mark.slow
def test_curves_of_both_sides_start_from_the_same_weights_and_batches(tmp_path: Path) -> None:
    words = [
        "--seeds",
        "1",
        "--steps",
        "2",
        "--look-every",
        "1",
        "--width",
        "64",
        "--height",
        "64",
        "--batch",
        "2",
        "--frames",
        "12",
    ]
    curves.main([*words, "--json", str(tmp_path / "curves.json"), "--plot", str(tmp_path / "curves.png")])
    ours, plain = json.loads((tmp_path / "curves.json").read_text())["curves"]
    assert (ours["side"], plain["side"]) == ("ours", "plain")
    # Nothing but rounding and the noise on ties tells their first losses apart.
    np.testing.assert_allclose(ours["loss"][0], plain["loss"][0], rtol=1e-4)
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_sides_agree_where_their_means_differ_by_less_than_the_seeds() -> None:
    def curve(side: str, seed: int, abs_rel: float) -> Curve:
        return Curve(side=side, seed=seed, steps=[10], loss=[1.0], val_loss=[1.0], abs_rel=[abs_rel])

    near = [curve("ours", 0, 0.3), curve("ours", 1, 0.4), curve("plain", 0, 0.32), curve("plain", 1, 0.4)]
    far = [curve("ours", 0, 0.3), curve("ours", 1, 0.31), curve("plain", 0, 0.5), curve("plain", 1, 0.51)]
    for curves_, agree in ((near, True), (far, False)):
        (row,) = (row for row in summary(curves_) if row["measure"] == "abs_rel")
        assert row["within_seed_noise"] is agree


def test_the_contributions_are_turned_off_one_by_one() -> None:
    made = contributions.variants()
    assert len(made) == 8 and made["full method"] == {}
    assert made["baseline"] == {"reprojection": "mean", "automask": False, "multiscale": "native"}
    assert made["auto-mask alone"] == {"reprojection": "mean", "multiscale": "native"}
    assert made["without auto-mask"] == {"automask": False}


@pytest.mark.slow
def test_a_variant_is_trained_and_evaluated(tmp_path: Path) -> None:
    tiny = DriveSpec(frames=12, width=64, height=32), DriveSpec(seed=1, frames=12, width=64, height=32)
    config = replace(contributions.DEMO_CONFIG, width=64, steps=1, precision="fp32")
    street = contributions.render(*tiny, tmp_path / "drives")
    job = contributions.Job(kind="street", variant="v", config=config, street=street, folder=tmp_path / "run")
    errors = contributions.work(job)
    assert errors["abs_rel"] > 0
    measured = {"variants": {"v": {0: errors, 1: errors}}, "per_row_abs_rel": 0.3, "constant_abs_rel": 0.4}
    assert f"| v | {errors['abs_rel']:.3f} ± 0.000 |" in contributions.table(measured)


def test_every_kind_of_street_can_be_chosen_and_each_contribution_has_one_made_for_it() -> None:
    assert set(contributions.KIND_OPTIONS) == set(KINDS)
    assert set(contributions.MADE_FOR) == set(contributions.WITHOUT)
    assert set(contributions.MADE_FOR.values()) == set(KINDS) - {"street"}
    assert contributions.variants_on("street") == contributions.variants()
    assert set(contributions.variants_on("comoving")) == {
        "baseline",
        "auto-mask alone",
        "without auto-mask",
        "full method",
    }


def test_the_effect_of_a_contribution_is_the_error_without_it_minus_the_error_with_it_seed_by_seed() -> None:
    by_variant = {name: {0: {"abs_rel": 0.2}, 1: {"abs_rel": 0.4}} for name in contributions.variants()}
    by_variant["without auto-mask"] = {0: {"abs_rel": 0.3}, 1: {"abs_rel": 0.5}}
    by_variant["auto-mask alone"] = {0: {"abs_rel": 0.2}, 1: {"abs_rel": 0.5}}
    some = {name: by_variant[name] for name in contributions.variants_on("comoving")}
    table = contributions.effects({"kinds": {"comoving": {"variants": some}, "street": {"variants": by_variant}}})
    assert "| comoving: auto-mask | **+0.100 ± 0.000** | **-0.050 ± 0.071** |" in table
    assert "| street: auto-mask | +0.100 ± 0.000 | -0.050 ± 0.071 |" in table
    assert "| street: minimum reprojection | +0.000 ± 0.000 | +0.000 ± 0.000 |" in table
    assert "comoving: minimum reprojection" not in table


@pytest.mark.slow
def test_the_contributions_are_measured_on_a_kind_of_street(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--kind", "fine", "--steps", "1", "--seeds", "0", "--frames", "12", "--width", "64"]
    document = contributions.main([*words, "--json", str(tmp_path / "c.json")])
    written = json.loads((tmp_path / "c.json").read_text())
    assert list(written["kinds"]) == ["fine"] and len(written["kinds"]["fine"]["variants"]) == 4
    assert document["kinds"]["fine"]["constant_abs_rel"] > 0
    assert "| fine: full-resolution multiscale | **" in capsys.readouterr().out
