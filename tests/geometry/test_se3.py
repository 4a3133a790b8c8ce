"""Rigid motions: the exponential, its derivative everywhere, composition and inverse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from selfdepth.geometry.se3 import invert, transform, transform_from_axis_angle

COMPONENT = st.floats(-4.0, 4.0, allow_nan=False, width=64)
VECTOR = st.tuples(COMPONENT, COMPONENT, COMPONENT)
AXIS = torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64)
ANGLES = [0.0, 1e-12, 1e-7, 1e-4, 9.99e-4, 1.001e-3, 0.3, 3.14159, 7.0]


def vector(values: tuple[float, float, float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def slow_exponential(axis_angle: Tensor) -> Tensor:
    """exp([v]x) by the general matrix exponential."""
    x, y, z = axis_angle.tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    return torch.linalg.matrix_exp(cross)


def motion(rotation: tuple[float, float, float], translation: tuple[float, float, float]) -> Tensor:
    return transform_from_axis_angle(vector(rotation), vector(translation))


@given(rotation=VECTOR)
@settings(max_examples=50, deadline=None)
def test_the_rotation_is_the_matrix_exponential(rotation: tuple[float, float, float]) -> None:
    R = motion(rotation, (0, 0, 0))[:3, :3]
    torch.testing.assert_close(R, slow_exponential(vector(rotation)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("angle", ANGLES)
def test_the_rotation_is_exact_at_every_angle_also_where_the_series_takes_over(angle: float) -> None:
    R = transform_from_axis_angle(angle * AXIS, torch.zeros(3, dtype=torch.float64))[:3, :3]
    torch.testing.assert_close(R, slow_exponential(angle * AXIS), rtol=0, atol=1e-14)
    torch.testing.assert_close(R @ R.T, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 1e-7, 1e-4, 9.99e-4, 1.001e-3, 0.3, 3.0])
def test_the_gradient_is_right_also_at_and_near_zero_rotation(angle: float) -> None:
    axis_angle = (angle * AXIS).requires_grad_()
    translation = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(transform_from_axis_angle, (axis_angle, translation), eps=1e-6, atol=1e-8)


def test_the_derivative_at_zero_is_that_of_the_generators() -> None:
    zero = torch.zeros(3, dtype=torch.float64)
    derivative = torch.autograd.functional.jacobian(lambda v: transform_from_axis_angle(v, zero)[:3, :3], zero)
    x, y, z = derivative.unbind(-1)
    assert x.tolist() == [[0, 0, 0], [0, 0, -1], [0, 1, 0]]
    assert y.tolist() == [[0, 0, 1], [0, 0, 0], [-1, 0, 0]]
    assert z.tolist() == [[0, -1, 0], [1, 0, 0], [0, 0, 0]]


def test_single_precision_rotations_are_finite_with_finite_gradients_at_zero() -> None:
    axis_angle = torch.zeros(4, 3, requires_grad=True)
    T = transform_from_axis_angle(axis_angle, torch.zeros(4, 3))
    T.sum().backward()
    assert torch.equal(T, torch.eye(4).expand(4, 4, 4))
    assert axis_angle.grad is not None
    assert torch.isfinite(axis_angle.grad).all()


@given(rotation=VECTOR, translation=VECTOR)
@settings(max_examples=25, deadline=None)
def test_the_inverse_undoes_the_motion(
    rotation: tuple[float, float, float], translation: tuple[float, float, float]
) -> None:
    T = motion(rotation, translation)
    torch.testing.assert_close(invert(T) @ T, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(invert(T), torch.linalg.inv(T), rtol=0, atol=1e-12)


@given(rotations=st.tuples(VECTOR, VECTOR), translations=st.tuples(VECTOR, VECTOR), point=VECTOR)
@settings(max_examples=25, deadline=None)
def test_motions_compose_as_their_names_say(
    rotations: tuple[tuple[float, float, float], ...],
    translations: tuple[tuple[float, float, float], ...],
    point: tuple[float, float, float],
) -> None:
    T_a_b, T_b_c = (motion(*pair) for pair in zip(rotations, translations, strict=True))
    points_c = vector(point)[None]
    T_a_c = T_a_b @ T_b_c
    torch.testing.assert_close(transform(T_a_c, points_c), transform(T_a_b, transform(T_b_c, points_c)))


def test_points_are_rotated_before_they_are_translated() -> None:
    quarter_turn = motion((0, 0, np.pi / 2), (10, 0, 0))
    moved = transform(quarter_turn, torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(moved, torch.tensor([[10.0, 1.0, 0.0]], dtype=torch.float64))


def test_motions_match_the_reference_to_1e_9(golden: Path) -> None:
    wanted = np.load(golden / "networks_and_metrics" / "geometry.npz")
    axis_angle, translation = (torch.from_numpy(wanted[name]) for name in ("axisangle", "translation"))
    T = transform_from_axis_angle(axis_angle, translation)
    rotation = transform_from_axis_angle(axis_angle, torch.zeros_like(translation))
    for got, name in ((rotation, "R"), (T, "T"), (invert(T), "T_inverted")):
        np.testing.assert_allclose(got.numpy(), wanted[name], rtol=0, atol=1e-9, err_msg=name)
