"""Models on disk."""

from __future__ import annotations

import dataclasses
import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from selfdepth.config import EncoderConfig, LossConfig, ResolvedConfig
from selfdepth.errors import CheckpointError, OutputError
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.inference.predictor import Predictor
from selfdepth.networks.depth import DepthNet
from selfdepth.weights import files
from selfdepth.weights.files import WeightsMeta, depth_network, load_weights, save_weights, saved_step


def test_what_is_saved_is_what_is_loaded(tmp_path: Path, model_state: dict[str, Tensor], meta: WeightsMeta) -> None:
    save_weights(tmp_path / "best", model_state, meta)
    loaded = load_weights(tmp_path / "best")
    assert (loaded.config, loaded.camera, loaded.scale, loaded.step) == (
        ResolvedConfig.of(meta.config),
        meta.camera,
        "relative",
        7,
    )
    assert loaded.state.keys() == model_state.keys()
    assert all(torch.equal(loaded.state[name], tensor) for name, tensor in model_state.items())
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == ["config.json", "model.safetensors"]


def test_saving_over_a_model_replaces_it(tmp_path: Path, model_state: dict[str, Tensor], meta: WeightsMeta) -> None:
    save_weights(tmp_path, model_state, meta)
    save_weights(tmp_path, model_state, dataclasses.replace(meta, step=8, camera=None, scale="metric"))
    loaded = load_weights(tmp_path)
    assert (loaded.step, loaded.camera, loaded.scale) == (8, None, "metric")


def test_a_failed_save_leaves_the_old_model_whole(
    tmp_path: Path, model: Path, meta: WeightsMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "last"
    shutil.copytree(model, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full_disk(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        save_weights(folder, {"depth_net.x": torch.zeros(1)}, meta)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_network_computes_what_was_saved(model: Path, model_state: dict[str, Tensor]) -> None:
    network = depth_network(load_weights(model))
    twin = DepthNet("test_resnet").eval()
    twin.load_state_dict({name.removeprefix("depth_net."): tensor for name, tensor in model_state.items()})
    images = torch.rand(1, 3, 64, 96)
    assert not network.training
    with torch.no_grad():
        assert torch.equal(network(images)[0], twin(images)[0])


def test_a_model_with_predictive_masks_is_loaded_with_them(tmp_path: Path, meta: WeightsMeta) -> None:
    config = dataclasses.replace(meta.config, loss=LossConfig(predictive_mask=True, automask=False))
    network = DepthNet("test_resnet", n_mask_sources=2)
    state = {f"depth_net.{name}": tensor for name, tensor in network.state_dict().items()}
    save_weights(tmp_path, state, dataclasses.replace(meta, config=config))
    assert depth_network(load_weights(tmp_path)).mask_decoder is not None


@pytest.mark.parametrize("scales", [(0,), (1, 3), (0, 1, 2, 3)])
def test_a_model_of_fewer_scales_is_loaded_and_predicts_from_its_finest(
    tmp_path: Path, meta: WeightsMeta, scales: tuple[int, ...]
) -> None:
    config = dataclasses.replace(meta.config, encoder=EncoderConfig(name="test_resnet", scales=scales))
    network = DepthNet("test_resnet", scales=scales).eval()
    state = {f"depth_net.{name}": tensor for name, tensor in network.state_dict().items()}
    save_weights(tmp_path, state, dataclasses.replace(meta, config=config))
    predictor = Predictor.load(tmp_path, device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    prediction = predictor.predict(image)
    with torch.no_grad():
        finest = network(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)[0]
    assert finest.shape == (1, 1, 64 >> scales[0], 96 >> scales[0])
    full = F.interpolate(finest, (64, 96), mode="bilinear", align_corners=False)
    expected = DepthRange(0.1, 100.0).disparity(full)[0, 0]
    torch.testing.assert_close(torch.from_numpy(prediction.disparity), expected)


def _edit_config(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**values, **changes}))

    return edit


def _forget_checksum(folder: Path) -> None:
    """Make it a model of an older version, which wrote none."""
    values = json.loads((folder / "config.json").read_text())
    del values["weights"]
    (folder / "config.json").write_text(json.dumps(values))


def _cut_weights(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def _edit_weights(edit: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        edit(state)
        save_file(state, folder / "model.safetensors")
        _forget_checksum(folder)

    return apply


_BIAS = "depth_net.decoder.outputs.0.bias"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be read: .*config.json"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\x00"), "cannot be read: .*config.json"),
        (lambda folder: (folder / "config.json").write_text("[]"), "a JSON object"),
        (_edit_config(format="other"), "selfdepth-weights"),
        (_edit_config(version=99), "another version.*expected version 1; got version 99"),
        (_edit_config(camera={"fx": 1}), "cannot be read: .*config.json"),
        (_edit_config(camera=3), "cannot be read: .*config.json"),
        (_edit_config(scale="feet"), "feet"),
        (_edit_config(train={"width": 33}), "multiple of 32"),
        (_edit_config(train={"width": 64}), "no height"),
        (_edit_config(train={"colour": "red"}), "colour"),
        (_edit_config(train=None), "cannot be read: .*config.json"),
        (_cut_weights, "not what was written: .*model.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "cannot be read: .*model.safetensors"),
        (_edit_weights(lambda state: state.pop(_BIAS)), "do not fit.*tensors: 1 missing, e.g. decoder.outputs.0.bias"),
        (_edit_weights(lambda state: state.update({_BIAS: torch.zeros(2)})), "1 of another shape"),
        (_edit_weights(lambda state: state.update({"depth_net.x": torch.zeros(2)})), "1 unexpected, e.g. x"),
        (_edit_weights(lambda state: state[_BIAS].fill_(float("nan"))), "not finite in " + _BIAS),
    ],
)
def test_a_broken_model_is_refused_in_one_sentence(
    tmp_path: Path, model: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    spoil(folder)
    with pytest.raises(CheckpointError, match=sentence) as refusal:
        depth_network(load_weights(folder))
    assert "\n" not in str(refusal.value)


def test_another_encoder_than_the_weights_were_trained_with_is_refused(
    tmp_path: Path, model_state: dict[str, Tensor], meta: WeightsMeta
) -> None:
    for name, sentence in (("test_efficientnet", "do not fit the network"), ("resnet19", "no such encoder")):
        config = dataclasses.replace(meta.config, encoder=EncoderConfig(name=name))
        save_weights(tmp_path, model_state, dataclasses.replace(meta, config=config))
        with pytest.raises(CheckpointError, match=sentence):
            depth_network(load_weights(tmp_path))


def test_every_bit_of_the_weights_is_checked(tmp_path: Path, model: Path) -> None:
    data = (model / "model.safetensors").read_bytes()
    for place in (9, len(data) // 2, len(data) - 1):
        folder = tmp_path / str(place)
        shutil.copytree(model, folder)
        (folder / "model.safetensors").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(CheckpointError, match="not what was written"):
            load_weights(folder)


def test_weights_that_the_disk_cannot_read_are_refused_in_one_sentence(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "checksum", unreadable)
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*Input/output error"):
        load_weights(model)
    assert saved_step(model) is None


def test_a_model_of_an_older_version_has_no_checksum_and_is_loaded(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    _forget_checksum(folder)
    assert load_weights(folder).step == saved_step(folder) == 7


def test_between_the_two_renames_the_older_weights_are_still_the_model_that_they_were(
    tmp_path: Path, model_state: dict[str, Tensor], meta: WeightsMeta
) -> None:
    save_weights(tmp_path, model_state, meta)
    older = (tmp_path / "model.safetensors").read_bytes()
    save_weights(tmp_path, {**model_state, _BIAS: torch.ones(1)}, dataclasses.replace(meta, step=9))
    assert load_weights(tmp_path).step == 9
    (tmp_path / "model.safetensors").write_bytes(older)
    assert load_weights(tmp_path).step == 7


@pytest.mark.parametrize("weights", [[], 3, [{}], [{"sha256": 3, "step": 1}], {"sha256": "x"}, "x"])
def test_checksums_that_are_none_are_refused(tmp_path: Path, model: Path, weights: object) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    _edit_config(weights=weights)(folder)
    with pytest.raises(CheckpointError):
        load_weights(folder)
    assert saved_step(folder) is None


@pytest.mark.parametrize("train", [{"width": 64_000, "height": 19_200}, {"width": 3_200_000_000}])
def test_a_size_that_no_memory_would_hold_is_refused_before_it_is_used(
    tmp_path: Path, model: Path, train: dict[str, int]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    _edit_config(train=train)(folder)
    with pytest.raises(CheckpointError, match="--width; expected"):
        load_weights(folder)


def test_a_giant_encoder_is_refused_before_memory_is_taken_for_it(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    values = json.loads((folder / "config.json").read_text())
    values["train"]["encoder"]["name"] = "tf_efficientnet_l2"
    (folder / "config.json").write_text(json.dumps(values))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="do not fit"):
        depth_network(load_weights(folder))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000, "kB; the encoder has 1.9 GB"
