"""The networks as other software runs them: colours in, disparity or motion out, all else inside."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth import __version__
from selfdepth.errors import ConfigError
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.inference.fold import for_prediction
from selfdepth.inference.odometry import require_pose_network
from selfdepth.inference.predictor import Predictor
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import DepthFeatures
from selfdepth.networks.posecnn import PoseCNN
from selfdepth.weights.exported import (
    DISPARITY,
    FIRST,
    IMAGE,
    MOTION,
    SECOND,
    ExportedModel,
    ExportPrecision,
    Kind,
    Port,
)
from selfdepth.weights.files import LoadedWeights, depth_network

_IMAGE_PORT = Port(
    what="RGB image, resized to a size that the network knows; it was trained at width x height",
    unit="share of the largest colour",
    layout="float32 (batch, 3, height, width); height and width multiples of 32, at least 64",
    range="[0, 1]",
)


class DepthGraph(nn.Module):
    """Disparity of images, as it leaves the program: 1 / depth, with the depth range and the factor to metres inside.

    Args:
        network: in evaluation mode.
        inverse_far, span: 1 / far and 1 / near - 1 / far, in the network's unit.
        factor: by which its depth is multiplied.
    """

    def __init__(self, network: DepthNet, *, inverse_far: float, span: float, factor: float) -> None:
        super().__init__()
        self.network = network
        # Divided once, here: a runtime would do it for every pixel.
        self.inverse_far, self.span = inverse_far / factor, span / factor

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
        """The disparity of each pixel, for colours in [0, 1]."""
        sigmoid: Tensor = self.network(image.to(_dtype_of(self.network)))[0].float()
        coarser = 2 ** self.network.decoder.scales[0]
        disparity = self.inverse_far + self.span * sigmoid
        if coarser > 1:
            disparity = F.interpolate(disparity, scale_factor=float(coarser), mode="bilinear", align_corners=False)
        return disparity


class PoseGraph(nn.Module):
    """The motion between two images in temporal order.

    Args:
        learner: of a pose network that reads pairs, in evaluation mode.
        factor: by which the translation is multiplied.
    """

    def __init__(self, learner: SelfSupervisedDepth, *, factor: float) -> None:
        super().__init__()
        self.learner = learner
        self.factor = factor

    def forward(self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 4 4"]:
        """T_second_first, for colours in [0, 1]."""
        # The learner's own pass joins and parts the clips of a batch, by which a trace would fix its size.
        pose_net = self.learner.pose_net
        first, second = first.to(_dtype_of(pose_net)), second.to(_dtype_of(pose_net))
        known = self._depth_features(first, second) if pose_net.uses_depth else None
        axis_angle, translation = pose_net(pose_net.views(torch.stack([first, second], dim=1), known))
        T = transform_from_axis_angle(axis_angle, pose_net.scaled(translation, known))[:, 0].float()
        scaled = torch.cat([T[:, :3, :3], self.factor * T[:, :3, 3:]], dim=2)
        return torch.cat([scaled, T[:, 3:]], dim=1)

    def _depth_features(self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]) -> DepthFeatures:
        """As the learner gives them for a pair whose target is the first image."""
        depth_net = self.learner.depth_net
        of_first = depth_net.encoder(first)
        seen = [of_first[-1]]
        if self.learner.pose_net.n_encoded(2) == 2:
            seen.append(depth_net.encoder(second)[-1])
        inverse_depth = self.learner.loss_config.depth_range.disparity(depth_net.decoder(of_first)[0])
        return DepthFeatures(features=torch.stack(seen, dim=1), mean_inverse_depth=inverse_depth.mean((1, 2, 3)))


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network to export.

    Attributes:
        module: in evaluation mode, on the CPU.
        about: what the file will say of itself.
    """

    module: nn.Module
    about: ExportedModel

    @property
    def input_names(self) -> tuple[str, ...]:
        """In the order of the module's arguments."""
        return tuple(self.about.inputs)

    @property
    def output_name(self) -> str:
        """Of the only output."""
        (name,) = self.about.outputs
        return name

    def examples(self, batch: int) -> tuple[Tensor, ...]:
        """Inputs of the training size, for tracing."""
        shape = (batch, 3, self.about.height, self.about.width)
        return tuple(torch.rand(shape, generator=torch.Generator().manual_seed(0)) for _ in self.input_names)

    def dynamic_shapes(self) -> dict[str, dict[int, Any]]:
        """Batch, and height and width in steps of 32, as dynamic axes of every input."""
        # From 64 on: a single row of the coarsest features cannot be reflected.
        dim: Any = torch.export.Dim
        if isinstance(self.module, PoseGraph) and isinstance(self.module.learner.pose_net, PoseCNN):
            # It halves seven times: small images come down to one row, and a trace takes that for a constant.
            return {name: {0: dim("batch", min=1)} for name in self.input_names}
        axes = {0: dim("batch", min=1), 2: 32 * dim("rows_of_32", min=2), 3: 32 * dim("columns_of_32", min=2)}
        return dict.fromkeys(self.input_names, axes)


def network_to_export(
    weights: LoadedWeights,
    kind: Kind,
    precision: ExportPrecision = "fp32",
    traced: ExportPrecision | None = None,
    licence: str | None = None,
) -> Network:
    """The network of a model, with its description.

    Args:
        precision: of the file.
        traced: fp16 converts the weights before the network is traced; None: `precision`.
        licence: of the data that the model learned from.

    Raises:
        CheckpointError: for weights that do not fit their network, or a model without a pose network.
        ConfigError: for a pose network that reads whole clips.
    """
    dtype = torch.float16 if (traced or precision) == "fp16" else torch.float32
    module = _depth(weights, dtype) if kind == "depth" else _pose(weights, dtype)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return Network(module=module.eval(), about=_described(weights, kind, precision, licence))


def _depth(weights: LoadedWeights, dtype: torch.dtype) -> DepthGraph:
    network = for_prediction(depth_network(weights), torch.float32)
    heads = [*network.decoder.outputs]
    static_padding(network).to(dtype)
    for head in heads:  # in half precision a disparity would come in steps of half a per mille
        head.float()
    depths, factor = weights.depth_range, 1.0 if weights.metric is None else weights.metric.factor
    return DepthGraph(network, inverse_far=depths.inverse_far, span=depths.disparity_span, factor=factor)


def _pose(weights: LoadedWeights, dtype: torch.dtype) -> PoseGraph:
    require_pose_network(weights)
    config = weights.config
    if config.encoder.pose_input != "pairs":
        raise ConfigError(
            "the pose network reads whole clips, and an exported one takes two images",
            where=weights.folder,
            expected="a model with --encoder.pose-input pairs",
            got=f"--encoder.pose-input {config.encoder.pose_input}",
            fix="export its depth network, or predict the path with selfdepth predict --odometry",
        )
    untrained = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, pretrained=False))
    learner = SelfSupervisedDepth(untrained)
    learner.load_state_dict(weights.state)
    static_padding(learner).eval().to(dtype)
    for module in learner.pose_net.modules():  # the motions are hundredths
        output = getattr(module, "output", None)
        if isinstance(output, nn.Conv2d):
            output.float()
    factor = 1.0 if weights.metric is None else weights.metric.factor
    return PoseGraph(learner, factor=factor)


def static_padding(network: nn.Module) -> Any:
    """Replace TensorFlow's padding, which depends on the size of the image, by a constant one, in place.

    It adds as many rows as bring the output to size / stride, rounded up. Where the stride divides the size, as it
    always does for images in steps of 32, these are kernel - stride, whatever the size.

    Returns:
        The same network.
    """
    for parent in list(network.modules()):
        for name, conv in list(parent.named_children()):
            if type(conv).__name__ != "Conv2dSame":  # timm names the class, and exports it from a private module
                continue
            same = cast(nn.Conv2d, conv)
            added = [
                (kernel - 1) * dilation + 1 - stride
                for kernel, stride, dilation in zip(same.kernel_size, same.stride, same.dilation, strict=True)
            ]
            same.__class__ = nn.Conv2d
            if all(rows >= 0 and rows % 2 == 0 for rows in added):
                same.padding = (added[0] // 2, added[1] // 2)
                continue
            top, left = (max(rows, 0) // 2 for rows in added)
            bottom, right = (max(rows, 0) - max(rows, 0) // 2 for rows in added)
            same.padding = (0, 0)
            setattr(parent, name, nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), same))
    return network


def _described(weights: LoadedWeights, kind: Kind, precision: ExportPrecision, licence: str | None) -> ExportedModel:
    # The one place that knows what is in metres: a copy could disagree.
    predictor = Predictor(weights, device="cpu", precision="fp32")
    depths, config = predictor.depth_range, weights.config
    unit = "metres" if predictor.metres_per_unit == 1 else "the model's unit of length"
    along = "along the ray of the pixel" if weights.depth_is == "ray" else "along z, the axis of the camera"
    disparity = Port(
        what=f"disparity, 1 / depth, of each pixel; depth is {along}",
        unit=f"1 / {unit}",
        layout="float32 (batch, 1, height, width)",
        range=f"[{1 / depths.far:.6g}, {1 / depths.near:.6g}]",
    )
    motion = Port(
        what="maps points in the frame of the first camera to that of the second: rotation, then translation",
        unit=unit,
        layout="float32 (batch, 4, 4), rows before columns",
        range="a rigid motion",
    )
    return ExportedModel(
        kind=kind,
        width=config.width,
        height=config.height,
        near=depths.near,
        far=depths.far,
        scale=predictor.scale,
        metric=weights.metric,
        metres_per_unit=predictor.metres_per_unit,
        depth_is=weights.depth_is,
        camera=weights.camera,
        crop=config.crop_px,
        rectify=config.rectify != "no",
        spacing=config.spacing if kind == "pose" else None,
        precision=precision,
        inputs={IMAGE: _IMAGE_PORT} if kind == "depth" else dict.fromkeys((FIRST, SECOND), _IMAGE_PORT),
        outputs={DISPARITY: disparity} if kind == "depth" else {MOTION: motion},
        licence=licence,
        selfdepth=__version__,
    )


def _dtype_of(network: nn.Module) -> torch.dtype:
    """In which it computes: that of its first weight, since the last ones stay in float32."""
    return next(network.parameters()).dtype
