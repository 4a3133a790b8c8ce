"""Reads and writes published checkpoint folders; what the networks are is found in the tensors' names and shapes."""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from selfdepth.config import EncoderConfig, LossConfig, ResolvedConfig, TrainConfig
from selfdepth.errors import CheckpointError, OutputError, SelfDepthError, SelfDepthWarning
from selfdepth.files import whole_file
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.weights.published_names import FILES, published_key
from selfdepth.weights.published_networks import config_of, is_resnet

Entry = Tensor | int | bool
"""What a published file holds under a name."""

Entries = dict[str, dict[str, Entry]]
"""Entries by file and name."""

_N_CLASSES = 1000
"""Outputs of the classifier that published encoders carry along unused."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published model in our terms.

    Attributes:
        state: tensors by the learner's names.
        config: the run that such a model would come from, as far as it can be known.
        carried: everything in the files that our networks do not use.
    """

    state: dict[str, Tensor]
    config: ResolvedConfig
    carried: Entries = field(default_factory=dict)


def is_published(folder: Path) -> bool:
    """Whether a folder is a published checkpoint, be it whole or not."""
    return any((folder / name).is_file() for name in FILES[:2])


def read_published(folder: Path) -> Published:
    """Read a published folder, unpickling nothing but tensors, numbers and truth values.

    Raises:
        CheckpointError: for a folder that is not complete, or a file that is damaged or of other networks.
    """
    files = {name: _read(folder / name) for name in FILES if (folder / name).is_file()}
    for whole, part in (("depth.pth", "encoder.pth"), ("encoder.pth", "depth.pth"), ("pose_encoder.pth", "pose.pth")):
        if whole in files and part not in files:
            raise _refused(folder, f"{part} beside {whole}", f"only {', '.join(files)}")
    try:
        config = config_of(files)
    except SelfDepthError as error:
        raise _refused(folder, "a model of the published networks", str(error)) from error
    except (KeyError, IndexError, AttributeError) as error:
        raise _refused(folder, "the tensors of the published networks", f"none that tells of {error}") from error
    state: dict[str, Tensor] = {}
    for name, wanted in _tensors(config).items():
        file, key = published_key(name)
        if file not in files and name.startswith("pose_net."):
            continue  # a depth network alone
        found = files.get(file, {}).pop(key, None)
        if not isinstance(found, Tensor) or found.shape != wanted.shape or _kind(found) != _kind(wanted):
            got = f"{_kind(found)}, {tuple(found.shape)}" if isinstance(found, Tensor) else "nothing of the kind"
            raise _refused(folder / file, f"{key}: {_kind(wanted)}, of shape {tuple(wanted.shape)}", got)
        state[name] = found
    return Published(state=state, config=config, carried=files)


def write_published(folder: Path, model: Published) -> None:
    """Write a folder that the published code reads; all of its files appear together, when all are complete.

    What was read from a published folder is written back bit by bit. A model of ours lacks what the published code
    needs to load its networks strictly, and gets it here: `height`, `width` and `use_stereo` in `encoder.pth`, and for
    each encoder the 1000-class classifier `encoder.fc`, which nothing uses, as zeros.

    Raises:
        CheckpointError: for a model that the published networks cannot hold.
        OutputError: when the folder holds files of another model, or cannot be written to.
    """
    files = _files_of(model, folder)
    others = [name for name in FILES if name not in files and (folder / name).exists()]
    if others:
        raise OutputError(
            "the output folder holds parts of another model",
            where=folder,
            got=f"{', '.join(others)}, which this model does not have",
            fix="name another folder with --out",
        )
    for sentence in _lost(model.config):
        warnings.warn(f"the format has no place for {sentence}", SelfDepthWarning, stacklevel=2)
    with ExitStack() as stack:
        for name, entries in files.items():
            buffer = io.BytesIO()
            torch.save(entries, buffer)
            stack.enter_context(whole_file(folder / name)).write_bytes(buffer.getvalue())


def _lost(config: TrainConfig) -> Iterator[str]:
    """What a user of the written model has to know, as nothing in it says so."""
    depths, usual = config.loss.depth_range, LossConfig().depth_range
    if depths != usual:
        yield f"the depth range: read the model with {depths} instead of {usual}"
    if config.crop_px:
        yield f"the crop at training: cut {config.crop} (top, bottom, left, right) off the images first"
    if config.offsets and config.every not in (None, "1"):
        yield f"the frame spacing: take its motions {config.every} frames apart"


def _files_of(model: Published, folder: Path) -> Entries:
    config = model.config
    if config.stereo == "calibrated":
        raise CheckpointError(
            "the format cannot say that depth is in metres",
            where=folder,
            expected="a model of one camera, or of --stereo nominal",
            got="--stereo calibrated: read back, its depth would be multiplied by 5.4",
            fix="keep the model in its own format, or train with --stereo nominal",
        )
    has_pose = any(name.startswith("pose_net.") for name in model.state)
    names = {name for name in _tensors(config) if has_pose or not name.startswith("pose_net.")}
    encoders = [config.encoder.name] + [config.encoder.pose_name] * (
        has_pose and config.encoder.pose_network == "separate"
    )
    strange = [name for name in encoders if not is_resnet(name)]
    if strange or names != model.state.keys():
        odd = sorted(names ^ model.state.keys())
        raise CheckpointError(
            "the model does not fit the published networks",
            where=folder,
            expected="a ResNet of 18, 34, 50, 101 or 152 layers, and all of its tensors",
            got=f"the encoder {strange[0]}" if strange else f"{len(odd)} tensors missing or too many, e.g. {odd[0]}",
        )
    files: Entries = {}
    for name, tensor in model.state.items():
        file, key = published_key(name)
        files.setdefault(file, {})[key] = tensor.detach().cpu().contiguous().clone()
    for file in ("encoder.pth", "pose_encoder.pth"):
        if file in files:
            features = _n_features(files[file])
            files[file] |= {
                "encoder.fc.weight": torch.zeros(_N_CLASSES, features),
                "encoder.fc.bias": torch.zeros(_N_CLASSES),
            }
    files["encoder.pth"] |= {"height": config.height, "width": config.width, "use_stereo": config.stereo != "none"}
    for file, entries in model.carried.items():
        # Exactly as it was: a published file without some entry does not get it here.
        kept = {key: value for key, value in files.get(file, {}).items() if key not in _ADDED}
        files[file] = kept | entries
    return files


_ADDED = ("encoder.fc.weight", "encoder.fc.bias", "height", "width", "use_stereo")


def _n_features(entries: Mapping[str, Entry]) -> int:
    """Channels of the coarsest features: those of the last normalisation."""
    biases = [key for key in entries if key.startswith("encoder.layer4.") and key.endswith((".bn2.bias", ".bn3.bias"))]
    last = entries[max(biases)]
    assert isinstance(last, Tensor)
    return len(last)


def _tensors(config: TrainConfig) -> dict[str, Tensor]:
    """Names and shapes of a learner's tensors; they hold no values."""
    encoder: EncoderConfig = dataclasses.replace(config.encoder, pretrained=False)
    with torch.device("meta"):
        return SelfSupervisedDepth(dataclasses.replace(config, encoder=encoder)).state_dict()


def _read(path: Path) -> dict[str, Entry]:
    try:
        entries = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on damaged bytes it raises nearly anything, from EOFError to KeyError
        got = (str(error).splitlines() or [type(error).__name__])[0]
        raise _refused(path, "what torch.save wrote, of tensors and numbers alone", got) from error
    if not isinstance(entries, dict) or not entries:
        raise _refused(path, "tensors by name", f"a {type(entries).__name__}")
    for key, value in entries.items():
        if not isinstance(key, str) or not isinstance(value, Tensor | int):
            raise _refused(path, "tensors and whole numbers by name", f"a {type(value).__name__} at {key}")
        if not isinstance(value, Tensor):
            continue
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
            raise _refused(path, "tensors that hold their numbers", f"another kind of tensor at {key}")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise _refused(path, "finite numbers", f"others in {key}")
    return dict(entries)


def _kind(tensor: Tensor) -> str:
    """What a tensor's numbers are; their precision may differ."""
    return "real numbers" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")


def _refused(where: Path, expected: str, got: str) -> CheckpointError:
    return CheckpointError(
        "the published checkpoint cannot be read",
        where=where,
        expected=expected,
        got=got[:200],
        fix="copy or download the folder again",
    )
