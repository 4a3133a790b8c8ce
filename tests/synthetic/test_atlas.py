"""Prefiltered textures: a lookup is the mean over what the sample covers, along each axis by itself."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.synthetic.atlas import Atlas, build_atlas, sample, solid

POINT = 1e-6


@pytest.fixture(scope="module")
def textures() -> list[np.ndarray]:
    """A wide and a small one, opaque, of whole 8-bit values."""
    rng = np.random.default_rng(0)
    made = [rng.integers(0, 256, (8, 32, 4)) / 255, rng.integers(0, 256, (4, 4, 4)) / 255]
    for texture in made:
        texture[..., 3] = 1
    return made


@pytest.fixture(scope="module")
def atlas(textures: list[np.ndarray]) -> Atlas:
    return build_atlas(textures)


def lookup(
    atlas: Atlas, texture: int, u: float, v: float, extent: tuple[float, float] = (POINT, POINT), *, wrap: bool = False
) -> np.ndarray:
    uv, footprint = np.array([[u], [v]]), np.array([[extent[0]], [extent[1]]])
    return sample(atlas, np.array([texture]), uv, footprint, wrap=wrap)[0]


def test_at_the_centre_of_a_texel_there_is_that_texel(atlas: Atlas, textures: list[np.ndarray]) -> None:
    for number, texture in enumerate(textures):
        rows, columns = texture.shape[:2]
        for row in range(rows):
            got = lookup(atlas, number, 2.5 / columns, (row + 0.5) / rows)
            np.testing.assert_allclose(got, 255 * texture[row, 2], atol=1e-3)


def test_between_texels_a_lookup_is_bilinear(atlas: Atlas, textures: list[np.ndarray]) -> None:
    a, b = 255 * textures[0][3, 10], 255 * textures[0][3, 11]
    np.testing.assert_allclose(lookup(atlas, 0, 10.75 / 32, 3.5 / 8), 0.75 * a + 0.25 * b, atol=1e-3)


def test_a_sample_that_covers_the_whole_texture_sees_its_mean(atlas: Atlas, textures: list[np.ndarray]) -> None:
    mean = 255 * textures[0].mean((0, 1))
    np.testing.assert_allclose(lookup(atlas, 0, 0.3, 0.7, (1.0, 1.0)), mean, atol=0.51)


def test_the_two_axes_are_averaged_independently(atlas: Atlas, textures: list[np.ndarray]) -> None:
    row = 255 * textures[0][5].mean(0)
    np.testing.assert_allclose(lookup(atlas, 0, 0.4, 5.5 / 8, (1.0, POINT)), row, atol=0.51)
    columns = textures[0].mean(0)
    np.testing.assert_allclose(lookup(atlas, 0, 6.5 / 32, 0.2, (POINT, 1.0)), 255 * columns[6], atol=0.51)


def test_beyond_its_edge_a_texture_ends_or_where_that_is_asked_for_begins_again(
    atlas: Atlas, textures: list[np.ndarray]
) -> None:
    last, first = 255 * textures[0][3, -1], 255 * textures[0][3, 0]
    np.testing.assert_allclose(lookup(atlas, 0, 1.7, 3.5 / 8), last, atol=1e-3)
    np.testing.assert_allclose(lookup(atlas, 0, 1 + 0.5 / 32, 3.5 / 8, wrap=True), first, atol=1e-3)
    np.testing.assert_allclose(lookup(atlas, 0, 1.0, 3.5 / 8, wrap=True), (last + first) / 2, atol=1e-3)


def test_a_cutout_is_solid_where_it_is_opaque() -> None:
    texture = np.ones((4, 8, 4))
    texture[:2, :, 3] = 0
    atlas = build_atlas([texture])
    v = np.array([0.1, 0.4, 0.6, 0.9, 1.0])
    assert solid(atlas, 0, np.full(5, 0.3), v, (8.0, 4.0)).tolist() == [False, False, True, True, True]
