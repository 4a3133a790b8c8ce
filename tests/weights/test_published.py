"""Published checkpoint folders are models, written back bit by bit, and refused in one sentence when damaged."""

from __future__ import annotations

import json
import pickle
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from selfdepth.cli.main import main
from selfdepth.config import EncoderConfig, LossConfig, ResolvedConfig, TrainConfig
from selfdepth.errors import CheckpointError, OutputError, SelfDepthWarning
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.weights.files import LoadedWeights, WeightsMeta, depth_network, load_weights, save_weights
from selfdepth.weights.published import Published, read_published, write_published

Files = dict[str, dict[str, Any]]


def read_all(folder: Path) -> Files:
    return {path.name: torch.load(path, weights_only=True) for path in folder.iterdir()}


def same(a: Files, b: Files) -> bool:
    """Same files, names, kinds, shapes and values."""
    if a.keys() != b.keys() or any(a[file].keys() != b[file].keys() for file in a):
        return False
    pairs = [(a[file][key], b[file][key]) for file in a for key in a[file]]
    return all(
        type(x) is type(y) and (torch.equal(x, y) and x.dtype == y.dtype if isinstance(x, torch.Tensor) else x == y)
        for x, y in pairs
    )


def export(model: LoadedWeights, out: Path) -> Path:
    write_published(out, Published(state=model.state, config=model.config, unused_entries=model.unused_entries))
    return out


def scaled_down(files: Files, scales: tuple[int, ...]) -> Files:
    """The same model with outputs at some of its scales only."""
    depth = {key: value for key, value in files["depth.pth"].items() if int(key.split(".")[1]) < 10}
    for place, scale in enumerate(scales):
        for kind in ("weight", "bias"):
            depth[f"decoder.{10 + place}.conv.{kind}"] = files["depth.pth"][f"decoder.{10 + scale}.conv.{kind}"]
    return {**files, "depth.pth": depth}


def with_mask(files: Files, n_sources: int) -> Files:
    mask = {
        key: value.repeat(n_sources, *(1,) * (value.dim() - 1)) if int(key.split(".")[1]) >= 10 else value
        for key, value in files["depth.pth"].items()
    }
    return {**files, "predictive_mask.pth": mask}


@pytest.mark.parametrize(
    ("pose", "pose_network", "pose_input"),
    [
        ("resnet18", "separate", "pairs"),
        ("resnet18_all", "separate", "all"),
        ("shared", "shared", "pairs"),
        ("posecnn", "posecnn", "pairs"),
    ],
)
def test_the_networks_of_a_published_folder_are_found_and_come_back_bit_by_bit(
    tmp_path: Path,
    files_of: Callable[..., Files],
    save: Callable[..., Path],
    pose: str,
    pose_network: str,
    pose_input: str,
) -> None:
    files = files_of(pose, light=pose != "resnet18")
    model = load_weights(save(tmp_path / "model", files))
    encoder = model.config.encoder
    assert (encoder.name, encoder.pose_network, encoder.pose_input) == ("resnet18", pose_network, pose_input)
    assert (model.config.width, model.config.height, model.config.offsets) == (96, 64, (-1, 1))
    assert (model.scale, model.config.metres_per_unit) == ("relative", None)
    SelfSupervisedDepth(TrainConfig(encoder=EncoderConfig(**{**vars(encoder), "pretrained": False}))).load_state_dict(
        model.state
    )
    assert same(read_all(export(model, tmp_path / "out")), files)


def test_a_stereo_model_without_pose_files_is_metric_after_a_factor_of_5_4_and_comes_back(
    tmp_path: Path, files_of: Callable[..., Files], save: Callable[..., Path]
) -> None:
    files = files_of(None, stereo=True, light=True)
    model = load_weights(save(tmp_path / "model", files))
    assert (model.config.offsets, model.config.metres_per_unit) == ((), 5.4)
    assert depth_network(model)(torch.rand(1, 3, 64, 96))[0].shape == (1, 1, 64, 96)
    assert same(read_all(export(model, tmp_path / "out")), files)


@pytest.mark.parametrize("kind", ["coarse scales", "a mask of each source", "a ResNet-50"])
def test_variants_of_the_depth_network_are_read_and_come_back(
    tmp_path: Path, files_of: Callable[..., Files], save: Callable[..., Path], kind: str
) -> None:
    files = {
        "coarse scales": lambda: scaled_down(files_of(None, light=True), (1, 3)),
        "a mask of each source": lambda: with_mask(files_of("posecnn", stereo=True, light=True), 3),
        "a ResNet-50": lambda: files_of(None, depth="resnet50", light=True),
    }[kind]()
    model = load_weights(save(tmp_path / "model", files))
    network = depth_network(model)
    masks = network.decode(network.encoder(torch.rand(1, 3, 64, 96)))[1]
    assert (0 if masks is None else masks[0].shape[1]) == (3 if kind == "a mask of each source" else 0)
    assert same(read_all(export(model, tmp_path / "out")), files)


def test_files_in_the_older_format_of_torch_are_read(
    tmp_path: Path, files_of: Callable[..., Files], mono: Path
) -> None:
    for name, entries in files_of(light=True).items():
        torch.save(entries, tmp_path / name, _use_new_zipfile_serialization=False)
    old, new = load_weights(tmp_path), load_weights(mono)
    assert all(torch.equal(old.state[name], tensor) for name, tensor in new.state.items())


@pytest.mark.parametrize("pose_network", ["separate", "shared", "posecnn"])
def test_a_model_of_ours_is_written_with_all_that_strict_loading_needs(
    tmp_path: Path, published_keys: dict[str, dict[str, dict[str, list[int]]]], pose_network: Any
) -> None:
    encoder = EncoderConfig(pretrained=False, pose_network=pose_network)
    config = ResolvedConfig(width=96, height=64, encoder=encoder, stereo="nominal")
    torch.manual_seed(0)
    state = SelfSupervisedDepth(config).state_dict()
    write_published(tmp_path / "out", Published(state=state, config=config))
    files = read_all(tmp_path / "out")
    added = {name: files["encoder.pth"].pop(name) for name in ("height", "width", "use_stereo")}
    assert added == {"height": 64, "width": 96, "use_stereo": True}
    expected = {**published_keys["resnet18"]}
    if pose_network != "separate":
        expected = {**{file: expected[file] for file in ("encoder.pth", "depth.pth")}, **published_keys[pose_network]}
    assert {f: {key: list(t.shape) for key, t in entries.items()} for f, entries in files.items()} == expected
    assert not files["encoder.pth"]["encoder.fc.weight"].any(), "nothing uses it"
    again = read_published(tmp_path / "out")
    assert again.state.keys() == state.keys()
    assert all(torch.equal(again.state[name], tensor) for name, tensor in state.items())
    assert again.config.encoder.pose_network == pose_network


def test_what_the_format_cannot_hold_is_refused_or_said(tmp_path: Path) -> None:
    def model(**changes: Any) -> Published:
        config = ResolvedConfig(width=96, height=64, **changes)
        return Published(state=SelfSupervisedDepth(config).state_dict(), config=config)

    small = model(encoder=EncoderConfig(name="test_resnet", pretrained=False, pose_network="posecnn"))
    with pytest.raises(CheckpointError, match=r"expected a ResNet of 18.*got the encoder test_resnet"):
        write_published(tmp_path / "a", small)
    whole = model(encoder=EncoderConfig(pretrained=False, pose_network="posecnn"), loss=LossConfig(near=0.5))
    part = dict(whole.state)
    part.pop("pose_net.output.bias")
    with pytest.raises(CheckpointError, match=r"1 tensors missing or unexpected, e.g. pose_net.output.bias"):
        write_published(tmp_path / "a", Published(state=part, config=whole.config))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/pose_encoder.pth").touch()
    with pytest.raises(OutputError, match=r"parts of another model.*pose_encoder.pth"):
        write_published(tmp_path / "full", whole)
    assert not (tmp_path / "a").exists()
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["pose_encoder.pth"]
    with pytest.warns(SelfDepthWarning, match=r"with 0.5 to 100 instead of 0.1 to 100"):
        write_published(tmp_path / "b", whole)
    cropped = Published(state=whole.state, config=replace(whole.config, crop="0,9,0,0", every="2", loss=LossConfig()))
    with pytest.warns(SelfDepthWarning) as said:
        write_published(tmp_path / "c", cropped)
    assert ["no place for" in str(each.message) for each in said] == [True, True]
    assert "cut 0,9,0,0 (top" in str(said[0].message)
    assert "takes images 2 frames apart" in str(said[1].message)


def test_a_model_without_a_pose_network_is_written_whatever_pose_encoder_its_run_named(tmp_path: Path) -> None:
    encoder = EncoderConfig(pretrained=False, pose_name="test_resnet")
    config = ResolvedConfig(width=96, height=64, encoder=encoder)
    whole = SelfSupervisedDepth(config).state_dict()
    state = {name: tensor for name, tensor in whole.items() if name.startswith("depth_net.")}
    write_published(tmp_path / "a", Published(state=state, config=config))
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["depth.pth", "encoder.pth"]


def _change(file: str, **entries: Any) -> Callable[[Path], object]:
    """Give entries of a file other values; None takes one out."""

    def apply(folder: Path) -> None:
        content = torch.load(folder / file, weights_only=True)
        content.update({key.replace("__", "."): value for key, value in entries.items()})
        torch.save({key: value for key, value in content.items() if value is not None}, folder / file)

    return apply


def _cut(file: str, size: int) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:size])


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "depth.pth").unlink(), "expected depth.pth beside encoder.pth"),
        (lambda folder: (folder / "encoder.pth").unlink(), "expected encoder.pth beside depth.pth"),
        (lambda folder: (folder / "pose.pth").unlink(), "expected pose.pth beside pose_encoder.pth"),
        (lambda folder: (folder / "pose_encoder.pth").unlink(), "needs a pose_encoder.pth"),
        (_cut("encoder.pth", 10_000), "cannot be read: .*encoder.pth"),
        (_cut("pose.pth", 0), "cannot be read: .*pose.pth"),
        (lambda folder: (folder / "depth.pth").write_bytes(b"<html>404</html>"), "cannot be read: .*depth.pth"),
        (lambda folder: torch.save([1, 2], folder / "depth.pth"), "tensors by name; got a list"),
        (lambda folder: torch.save({}, folder / "depth.pth"), "tensors by name"),
        (_change("encoder.pth", width=None), "width"),
        (_change("encoder.pth", use_stereo=None), "use_stereo"),
        (_change("encoder.pth", width=100), "try 96 or 128"),
        (_change("encoder.pth", width=True), "width in encoder.pth that is not a whole number"),
        (_change("encoder.pth", height=torch.zeros(2)), "height in encoder.pth that is not a whole number"),
        (_change("encoder.pth", note="text"), "a str at note"),
        (
            _change("encoder.pth", encoder__bn1__bias=None),
            r"encoder.bn1.bias: real numbers, of shape \(64,\); got no such tensor",
        ),
        (_change("encoder.pth", encoder__layer1__7__x=torch.zeros(1)), "not a ResNet"),
        (
            _change("depth.pth", decoder__0__conv__conv__bias=torch.zeros(3)),
            r"of shape \(256,\); got real numbers, \(3,\)",
        ),
        (_change("depth.pth", decoder__13__conv__weight=torch.zeros(1, 99, 3, 3)), "99"),
        (_change("depth.pth", decoder__3__conv__conv__bias=torch.full((128,), float("nan"))), "finite"),
        (_change("pose.pth", net__3__bias=None), "net.3.bias"),
        (_change("encoder.pth", use_stereo=torch.zeros(2)), "use_stereo in encoder.pth that is neither true nor false"),
        (_change("depth.pth", decoder__3__conv__conv__bias=torch.zeros(128).to_sparse()), "not read: .*sparse"),
        (_change("depth.pth", decoder__3__conv__conv__bias=torch.empty(128, device="meta")), "not read: .*meta"),
        (
            _change("depth.pth", decoder__3__conv__conv__bias=torch.ones(128, dtype=torch.bool)),
            "real numbers.*got bool",
        ),
        (_change("depth.pth", decoder__3__conv__conv__bias=torch.ones(128).to(torch.complex64)), "not read: .*Complex"),
        (_change("pose_encoder.pth", encoder__conv1__weight=None), "encoder.conv1.weight"),
    ],
)
def test_a_damaged_or_partial_folder_is_one_sentence(
    tmp_path: Path, mono: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(mono, folder)
    spoil(folder)
    with pytest.raises(CheckpointError, match=sentence) as refusal:
        depth_network(load_weights(folder))
    assert "\n" not in str(refusal.value)


class Harmful:
    """On being unpickled it would make a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str, str], object], tuple[str, str]]:
        return open, (str(self.place), "w")


def test_nothing_in_a_published_file_is_ever_executed(tmp_path: Path, mono: Path) -> None:
    shutil.copytree(mono, tmp_path / "model")
    with (tmp_path / "model/encoder.pth").open("wb") as file:
        pickle.dump(Harmful(tmp_path / "harm"), file, protocol=2)
    with pytest.raises(CheckpointError, match=r"cannot be read: .*encoder.pth"):
        load_weights(tmp_path / "model")
    torch.save({"x": Harmful(tmp_path / "harm")}, tmp_path / "model/encoder.pth")
    with pytest.raises(CheckpointError, match=r"cannot be read: .*encoder.pth"):
        load_weights(tmp_path / "model")
    assert not (tmp_path / "harm").exists()


def test_the_way_to_run_what_a_file_holds_is_never_quoted(tmp_path: Path, mono: Path) -> None:
    shutil.copytree(mono, tmp_path / "model")
    torch.save({"x": Harmful(tmp_path / "harm")}, tmp_path / "model/encoder.pth")
    with pytest.raises(CheckpointError, match=r"got Python objects, which are not read") as refusal:
        load_weights(tmp_path / "model")
    assert "weights_only" not in str(refusal.value)


def test_tensors_that_repeat_a_number_without_end_are_refused(tmp_path: Path, mono: Path) -> None:
    shutil.copytree(mono, tmp_path / "model")
    endless = torch.zeros(1).expand(10**6, 10**6)
    torch.save({**torch.load(mono / "depth.pth", weights_only=True), "x": endless}, tmp_path / "model/depth.pth")
    assert (tmp_path / "model/depth.pth").stat().st_size < 1.1 * (mono / "depth.pth").stat().st_size
    with pytest.raises(CheckpointError, match=r"checkpoint is too large: .*depth.pth"):
        load_weights(tmp_path / "model")


def test_a_file_that_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, mono: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(mono, tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model/depth.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(3_000_000))
    monkeypatch.setenv("SELFDEPTH_LIMITS", "weights_megabytes=2")
    (tmp_path / "model/encoder.pth").unlink()
    with pytest.raises(CheckpointError, match=r"too large: .*weights_megabytes="):
        read_published(tmp_path / "model")


def test_the_files_of_a_folder_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("encoder.pth", "depth.pth", "pose.pth"):
        torch.save({"x": torch.zeros(100_000)}, tmp_path / name)
    monkeypatch.setenv("SELFDEPTH_LIMITS", "weights_megabytes=1")
    with pytest.raises(CheckpointError, match=r"too large: .*pose.pth.*weights_megabytes=2"):
        read_published(tmp_path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # the command line replaces it
    Image.fromarray(np.full((64, 96, 3), 99, np.uint8)).save(tmp_path / "street.png")
    return tmp_path


def test_a_published_folder_is_a_model_for_every_verb(
    place: Path, mono: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(mono)]) == 0
    assert "96x64 pixels" in capsys.readouterr().out
    assert main(["predict", str(mono), str(place / "street.png"), "--out", str(place / "out"), "--save", "npz"]) == 0
    assert np.load(place / "out/npz/street.npz")["depth"].shape == (64, 96)
    frames = place / "frames"
    frames.mkdir()
    for name in ("0.png", "1.png", "2.png"):
        shutil.copy(place / "street.png", frames / name)
    np.save(place / "truth.npy", np.full((3, 64, 96), 5.0, np.float32))
    words = ["--data", str(frames), "--ground-truth", str(place / "truth.npy"), "--json", str(place / "errors.json")]
    assert main(["evaluate", "depth", str(mono), *words]) == 0, capsys.readouterr().err
    assert json.loads((place / "errors.json").read_text())["abs_rel"] >= 0
    command = ["export", str(mono), "--format", "monodepth2", "--out", str(place / "again")]
    assert main(command) == 0, capsys.readouterr().err
    assert same(read_all(place / "again"), read_all(mono))
    assert main(command) == 0, "the same files may be replaced"


def test_depth_in_metres_is_refused_for_it_would_be_read_back_times_5_4(tmp_path: Path) -> None:
    config = ResolvedConfig(
        width=96, height=64, encoder=EncoderConfig(pretrained=False), stereo="calibrated", offsets=()
    )
    state = SelfSupervisedDepth(config).state_dict()
    with pytest.raises(CheckpointError, match="cannot say that depth is in metres"):
        write_published(tmp_path / "out", Published(state=state, config=config))
    assert not (tmp_path / "out").exists()


def test_export_refuses_before_it_writes_anything(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
    config = ResolvedConfig(width=96, height=64, encoder=encoder)
    state = SelfSupervisedDepth(config).state_dict()
    save_weights(place / "model", state, WeightsMeta(config=config, camera=None, scale="relative"))
    assert main(["export", str(place / "model"), "--format", "monodepth2", "--out", str(place / "out")]) == 2
    assert "error: the model does not fit the published networks" in capsys.readouterr().err
    assert main(["export", str(place / "gone"), "--format", "monodepth2", "--out", str(place / "out")]) == 2
    assert main(["export", str(place / "model"), "--format", "monodepth2", "--out", str(place / "street.png/x")]) == 2
    assert not (place / "out").exists()
