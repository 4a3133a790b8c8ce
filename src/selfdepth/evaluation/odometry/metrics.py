"""Errors of a predicted camera trajectory, in numpy only: they apply to the predictions of any method.

T_next_current maps points from the current camera to the next one, T_world_camera from a camera to the world.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.geometry.rigid import check_transforms, relative

SNIPPET_FRAMES = 5
"""As in Zhou et al. (CVPR 2017), and in tables of learned ego-motion since."""

Alignment = Literal["none", "scale", "se3", "sim3"]
"""How a predicted trajectory is aligned with the true one before they are compared. none: not at all. scale: by the
scale of the best similarity, about the origin of the world. se3: by the best rigid motion. sim3: by the best
similarity."""


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """The map x -> scale * R x + t.

    Attributes:
        scale: positive.
        R: a rotation.
        t: in the unit of the points that the map gives.
    """

    scale: float
    R: Float[ndarray, "3 3"]
    t: Float[ndarray, "3"]

    def apply(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """The mapped points."""
        return np.asarray(self.scale * points @ self.R.T + self.t)

    def apply_to_poses(self, T_world_camera: Float[ndarray, "n 4 4"]) -> Float[ndarray, "n 4 4"]:
        """Poses with mapped camera centres and turned cameras. They are rigid: the scale acts on the centres only."""
        moved = np.array(T_world_camera, np.float64)
        moved[:, :3, :3] = self.R @ moved[:, :3, :3]
        moved[:, :3, 3] = self.apply(moved[:, :3, 3])
        return moved


@dataclass(frozen=True, kw_only=True)
class TrajectoryError:
    """Distances between camera centres after alignment, in the unit of the true trajectory.

    Attributes:
        rmse, mean, median, max: of the distances; `rmse` is the absolute trajectory error (ATE).
        alignment: maps the predicted camera centres to the true ones.
        frames: number of camera centres compared.
    """

    rmse: float
    mean: float
    median: float
    max: float
    alignment: Similarity
    frames: int


@dataclass(frozen=True, kw_only=True)
class SnippetError:
    """The five-frame error of the literature on learned ego-motion, which calls it ATE.

    It is the root of the *summed* squared distances over the number of frames N, that is RMSE / sqrt(N). Over five
    frames this is less than half of the RMSE.

    Attributes:
        mean, std: over the snippets; `std` is the population standard deviation.
        snippets: one error per snippet, in the unit of the true trajectory.
    """

    mean: float
    std: float
    snippets: Float[ndarray, "n"]


def align(points: Float[ndarray, "n 3"], target: Float[ndarray, "n 3"], *, with_scale: bool = True) -> Similarity:
    """The similarity, or rigid transform, that minimises the squared distances between mapped `points` and `target`.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.

    Args:
        with_scale: False: a rigid transform.
    """
    mean_p, mean_t = points.mean(0), target.mean(0)
    p, t = points - mean_p, target - mean_t
    U, sigma, Vt = np.linalg.svd(t.T @ p / len(p))
    # Without this sign, a mirrored trajectory would be aligned by a reflection.
    sign = np.array([1, 1, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])
    R = U @ np.diag(sign) @ Vt
    variance = float((p**2).sum(1).mean())
    # A camera that never moves determines no scale.
    best = float(sigma @ sign) / variance if variance > 0 else 1.0
    scale = best if with_scale else 1.0
    return Similarity(scale=scale, R=R, t=mean_t - scale * R @ mean_p)


def alignment_of(predicted: Float[ndarray, "n 4 4"], truth: Float[ndarray, "m 4 4"], how: Alignment) -> Similarity:
    """The similarity that aligns the camera centres of `predicted` with those of `truth`.

    Args:
        predicted: T_world_camera.
        truth: T_world_camera of the same frames.
        how: which parameters of the similarity are free.

    Raises:
        DataError: if the trajectories differ in length, have fewer than 2 poses, or hold numbers that are not finite.
    """
    check_pair(predicted, truth)
    identity = Similarity(scale=1.0, R=np.eye(3), t=np.zeros(3))
    if how == "none":
        return identity
    best = align(predicted[:, :3, 3], truth[:, :3, 3], with_scale=how != "se3")
    # The scale of the whole similarity, not the best scale alone: evo's correct_only_scale means the same.
    return replace(identity, scale=best.scale) if how == "scale" else best


def absolute_trajectory_error(
    predicted: Float[ndarray, "n 4 4"], truth: Float[ndarray, "m 4 4"], *, alignment: Alignment = "sim3"
) -> TrajectoryError:
    """The distances between camera centres after alignment.

    Args:
        predicted: T_world_camera.
        truth: T_world_camera of the same frames.
        alignment: "sim3" suits poses without a unit, "se3" metric ones.

    Raises:
        DataError: as `alignment_of`.
    """
    similarity = alignment_of(predicted, truth, alignment)
    distance = np.linalg.norm(similarity.apply(predicted[:, :3, 3]) - truth[:, :3, 3], axis=1)
    return TrajectoryError(
        rmse=float(np.sqrt((distance**2).mean())),
        mean=float(distance.mean()),
        median=float(np.median(distance)),
        max=float(distance.max()),
        alignment=similarity,
        frames=len(distance),
    )


def snippet_error(T_next_current: Float[ndarray, "n 4 4"], T_world_camera: Float[ndarray, "m 4 4"]) -> SnippetError:
    """The five-frame error, computed as it was published.

    Each snippet has a scale of its own. Two peculiarities are kept so that numbers compare with published ones. The
    relative transforms themselves are chained, not their inverses, so that the points are no camera centres; this
    holds for prediction and ground truth alike. The snippets at the end are shorter and count like the others.

    Args:
        T_next_current: n predicted transforms.
        T_world_camera: n + 1 true poses.

    Raises:
        DataError: if the poses are not one more than the transforms, or hold numbers that are not finite.
    """
    check_transforms(T_next_current, "the predicted transforms")
    check_transforms(T_world_camera, "the true trajectory")
    _check_lengths(len(T_next_current) + 1, len(T_world_camera))
    truth = relative(T_world_camera)
    errors = []
    for start in range(len(truth)):  # to the last transform: the snippets at the end have 4, 3 and 2 frames
        stop = start + SNIPPET_FRAMES - 1
        errors.append(_scaled_distance(_chained(T_next_current[start:stop]), _chained(truth[start:stop])))
    snippets = np.array(errors)
    return SnippetError(mean=float(snippets.mean()), std=float(snippets.std()), snippets=snippets)


def _chained(transforms: ndarray) -> ndarray:
    """The origin, and the translations of the partial products of `transforms`, each multiplied on the right."""
    products = [np.eye(4)]
    for T in transforms:
        products.append(products[-1] @ T)
    return np.stack(products)[:, :3, 3]


def _scaled_distance(predicted: ndarray, truth: ndarray) -> float:
    """The root of the summed squared distances at the best scale, over the number of points."""
    power = float((predicted**2).sum())
    # A prediction that never moves has no best scale; its error is that of staying where it is.
    scale = float((truth * predicted).sum()) / power if power > 0 else 0.0
    return float(np.sqrt(((scale * predicted - truth) ** 2).sum())) / len(truth)


def check_pair(predicted: Float[ndarray, "n 4 4"], truth: Float[ndarray, "m 4 4"]) -> None:
    """Refuse trajectories that cannot be compared.

    Raises:
        DataError: if they differ in length, have fewer than 2 poses, or hold numbers that are not finite.
    """
    check_transforms(predicted, "the predicted trajectory")
    check_transforms(truth, "the true trajectory")
    _check_lengths(len(predicted), len(truth))


def _check_lengths(predicted: int, truth: int) -> None:
    if predicted != truth or truth < 2:
        raise DataError(
            "the trajectories cannot be compared",
            expected="the same number of poses, at least 2",
            got=f"{predicted} predicted and {truth} true",
        )
