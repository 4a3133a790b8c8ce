"""Read and write published checkpoint folders.

The files do not say which networks they hold, so that is inferred from the names and shapes of the tensors
(`published_networks`); `published_names` maps those names to ours.
"""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from selfdepth.config import EncoderConfig, LossConfig, ResolvedConfig, TrainConfig
from selfdepth.errors import CheckpointError, OutputError, SelfDepthError, SelfDepthWarning
from selfdepth.files import whole_file
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.limits import require_within
from selfdepth.weights.published_names import FILES, published_key
from selfdepth.weights.published_networks import config_of, is_resnet
from selfdepth.weights.tensors import is_finite
from selfdepth.weights.torch_files import load_plain

Entry = Tensor | int | bool
"""A value in a published file."""

Entries = dict[str, dict[str, Entry]]
"""Entries by file name and by their name in the file."""

_N_CLASSES = 1000
"""Outputs of the ImageNet classifier that published encoders contain and never use."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published model in our terms.

    Attributes:
        state: tensors by the learner's names.
        config: a configuration that would train such a model, as far as the files reveal it.
        unused_entries: entries of the files that our networks do not use, such as the classifier.
    """

    state: dict[str, Tensor]
    config: ResolvedConfig
    unused_entries: Entries = field(default_factory=dict)


def is_published(folder: Path) -> bool:
    """Whether a folder holds a published checkpoint, complete or not: an incomplete one gets an error of its own."""
    return any((folder / name).is_file() for name in FILES[:2])


def read_published(folder: Path) -> Published:
    """Read a published folder. Of its pickles, only tensors, whole numbers and booleans are accepted.

    Raises:
        CheckpointError: for an incomplete folder, a damaged file, or other networks.
    """
    files = _read_files(folder)
    # A pose.pth alone is complete: PoseCNN and the shared pose network have no encoder of their own.
    for file, partner in (("depth.pth", "encoder.pth"), ("encoder.pth", "depth.pth"), ("pose_encoder.pth", "pose.pth")):
        if file in files and partner not in files:
            raise _unreadable(folder, f"{partner} beside {file}", f"only {', '.join(files)}")
    try:
        config = config_of(files)
    except SelfDepthError as error:
        raise _unreadable(folder, "a model of the published networks", str(error)) from error
    except (KeyError, IndexError, AttributeError) as error:
        raise _unreadable(folder, "the tensors of the published networks", f"none for {error}") from error
    state: dict[str, Tensor] = {}
    for name, required in _required_tensors(config).items():
        file, key = published_key(name)
        if file not in files and name.startswith("pose_net."):
            continue  # the folder holds a depth network without a pose network
        tensor = files.get(file, {}).pop(key, None)
        if not isinstance(tensor, Tensor) or tensor.shape != required.shape or _kind(tensor) != _kind(required):
            got = f"{_kind(tensor)}, {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else "no such tensor"
            raise _unreadable(folder / file, f"{key}: {_kind(required)}, of shape {tuple(required.shape)}", got)
        state[name] = tensor
    # Every tensor that our networks use was popped above; what remains is unused.
    return Published(state=state, config=config, unused_entries=files)


def write_published(folder: Path, model: Published) -> None:
    """Write a folder in the published format. Its files appear together, once all of them are complete.

    A model that was read from a published folder is written back bit by bit. A model of ours gains the entries that
    the published networks require for strict loading: `height`, `width` and `use_stereo` in `encoder.pth`, and in each
    encoder the unused 1000-class classifier `encoder.fc`, filled with zeros.

    Raises:
        CheckpointError: for a model that the published networks cannot represent.
        OutputError: if the folder holds files of another model, or cannot be written to.
    """
    files = _files_of(model, folder)
    # A pose.pth left over from another model would be read as part of this one.
    leftovers = [name for name in FILES if name not in files and (folder / name).exists()]
    if leftovers:
        raise OutputError(
            "the output folder holds parts of another model",
            where=folder,
            got=f"{', '.join(leftovers)}, which this model does not have",
            fix="name another folder with --out",
        )
    for sentence in _lost_settings(model.config):
        warnings.warn(f"the format has no place for {sentence}", SelfDepthWarning, stacklevel=2)
    with ExitStack() as stack:  # leaving it renames all of them
        for name, entries in files.items():
            buffer = io.BytesIO()
            torch.save(entries, buffer)
            stack.enter_context(whole_file(folder / name)).write_bytes(buffer.getvalue())


def _lost_settings(config: TrainConfig) -> Iterator[str]:
    """Settings that a user of the written model needs, and for which the format has no entry."""
    depth_range, default = config.loss.depth_range, LossConfig().depth_range
    if depth_range != default:
        yield f"the depth range: read the model with {depth_range} instead of {default}"
    if config.crop_px:
        yield f"the crop at training: cut {config.crop} (top, bottom, left, right) off the images first"
    if config.rectify == "yes":
        yield "the rectification at training: give the model frames without distortion"
    if config.offsets and config.every not in (None, "1"):
        yield f"the frame spacing: the pose network takes images {config.every} frames apart"


def _files_of(model: Published, folder: Path) -> Entries:
    config = model.config
    _refuse_what_has_no_entry(config, folder)
    has_pose = any(name.startswith("pose_net.") for name in model.state)
    names = {name for name in _required_tensors(config) if has_pose or not name.startswith("pose_net.")}
    encoders = [config.encoder.name] + [config.encoder.pose_encoder] * (
        has_pose and config.encoder.pose_network == "separate"
    )
    other_encoders = [name for name in encoders if not is_resnet(name)]
    if other_encoders or names != model.state.keys():
        differing = sorted(names ^ model.state.keys())
        tensors = f"{len(differing)} tensors missing or unexpected, e.g. {differing[0]}" if differing else ""
        raise CheckpointError(
            "the model does not fit the published networks",
            where=folder,
            expected="a ResNet of 18, 34, 50, 101 or 152 layers, and all of its tensors",
            got=f"the encoder {other_encoders[0]}" if other_encoders else tensors,
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
    for file, entries in model.unused_entries.items():
        # A file that was read from a published folder comes back as it was: without the additions that it did not have.
        own = {key: value for key, value in files.get(file, {}).items() if key not in _ADDED}
        files[file] = own | entries
    return files


def _refuse_what_has_no_entry(config: TrainConfig, folder: Path) -> None:
    """Raise CheckpointError for a model that would be another one if it was read back."""
    if config.method != "monodepth2":
        raise CheckpointError(
            "the format holds models of Monodepth2 only", where=folder, expected="one disparity", got=config.method
        )
    if config.has_confidence:
        raise CheckpointError(
            "the format has no place for the confidence of a self-taught model",
            where=folder,
            expected="a model that was trained without --self-teacher",
            got="one that learned from " + str(config.self_teacher),
            fix="keep the model in its own format, or export its teacher",
        )
    if config.stereo == "calibrated":
        raise CheckpointError(
            "the format cannot say that depth is in metres",
            where=folder,
            expected="a monocular model, or one trained with --stereo nominal",
            # A stereo model in this format has the nominal baseline of 0.1 by definition.
            got="--stereo calibrated: read back, its depth would be multiplied by 5.4",
            fix="keep the model in its own format, or train with --stereo nominal",
        )


_ADDED = ("encoder.fc.weight", "encoder.fc.bias", "height", "width", "use_stereo")
"""Entries that `_files_of` adds to a model of ours."""


def _n_features(entries: Mapping[str, Entry]) -> int:
    """Channels of the coarsest features, read off the last batch normalisation."""
    biases = [key for key in entries if key.startswith("encoder.layer4.") and key.endswith((".bn2.bias", ".bn3.bias"))]
    last = entries[max(biases)]
    assert isinstance(last, Tensor)
    return len(last)


def _required_tensors(config: TrainConfig) -> dict[str, Tensor]:
    """Names, shapes and dtypes of a learner's tensors. They are on the meta device, which allocates no values."""
    encoder: EncoderConfig = dataclasses.replace(config.encoder, pretrained=False)
    with torch.device("meta"):
        return SelfSupervisedDepth(dataclasses.replace(config, encoder=encoder)).state_dict()


def _read_files(folder: Path) -> dict[str, dict[str, Entry]]:
    """The entries of the files that are there."""
    sizes: dict[Path, int] = {}  # together: each is in the memory when the next one is read

    def require_modest(path: Path, n_bytes: int) -> None:
        sizes[path] = max(sizes.get(path, 0), n_bytes)
        size, what = sum(sizes.values()) / 1e6, "the published checkpoint is too large"
        require_within("weights_megabytes", size, what=what, where=path, error=CheckpointError)

    paths = [folder / name for name in FILES if (folder / name).is_file()]
    return {path.name: _read(path, partial(require_modest, path)) for path in paths}


def _read(path: Path, require_modest: Callable[[int], None]) -> dict[str, Entry]:
    expected = "a file of torch.save that holds only tensors and numbers"
    entries = load_plain(path, require_modest=require_modest, refusal=lambda got: _unreadable(path, expected, got))
    if not isinstance(entries, dict) or not entries:
        raise _unreadable(path, "tensors by name", f"a {type(entries).__name__}")
    for key, value in entries.items():
        if not isinstance(key, str) or not isinstance(value, Tensor | int):
            raise _unreadable(path, "tensors and whole numbers by name", f"a {type(value).__name__} at {key}")
        if isinstance(value, Tensor) and not is_finite(value):
            raise _unreadable(path, "finite numbers", f"nan or infinity in {key}")
    return dict(entries)


def _kind(tensor: Tensor) -> str:
    """The kind of a tensor's numbers. Their precision may differ: loading converts it."""
    return "real numbers" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")


def _unreadable(where: Path, expected: str, got: str) -> CheckpointError:
    return CheckpointError(
        "the published checkpoint cannot be read",
        where=where,
        expected=expected,
        got=got[:200],
        fix="copy or download the folder again",
    )
