"""The road of a rendered drive, and where the camera and the other cars are on it at what time.

Ground coordinates: X to the right and Z forward at the start of the road, metres. Road coordinates (s, d): s metres
along the centre line, d metres to its right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

STEP_M = 0.25
"""Distance between samples of the centre line."""
CELL_M = 2.0
"""Size of the cells from which a search for the nearest sample starts."""


@dataclass(frozen=True, kw_only=True)
class Road:
    """A centre line with bends, sampled every STEP_M metres.

    Attributes:
        start_m: s of the first sample.
        centre: (X, Z) of each sample, metres.
        heading_rad: direction of the road at each sample; 0 is along Z, positive is to the right.
        curvature: change of the heading per metre, 1/m.
        nearest: index of the sample nearest to each cell of a grid with cells of CELL_M metres.
        corner: (X, Z) of the corner of the grid's first cell.
    """

    start_m: float
    centre: Float[ndarray, "n 2"]
    heading_rad: Float[ndarray, "n"]
    curvature: Float[ndarray, "n"]
    nearest: Int[ndarray, "gx gz"]
    corner: Float[ndarray, "2"]

    @property
    def end_m(self) -> float:
        """s of the last sample."""
        return self.start_m + STEP_M * (len(self.curvature) - 1)

    def place(self, s: float, d: float) -> tuple[Float[ndarray, "2"], float]:
        """(X, Z) of the road coordinates (s, d), and the road's heading there in radians."""
        samples = self.start_m + STEP_M * np.arange(len(self.curvature))
        heading = float(np.interp(s, samples, self.heading_rad))
        x = np.interp(s, samples, self.centre[:, 0]) + d * np.cos(heading)
        z = np.interp(s, samples, self.centre[:, 1]) - d * np.sin(heading)
        return np.array([x, z]), heading

    def locate(self, x: Float[ndarray, "m"], z: Float[ndarray, "m"]) -> Float[ndarray, "4 m"]:
        """The inverse of `place`, for many ground points.

        Returns:
            Rows s and d, the index of the nearest sample, and metres of s per metre travelled parallel to the road: in
            a bend, more than one on the inside and less than one on the outside.
        """
        last = len(self.curvature) - 1
        gx = np.clip((x - self.corner[0]) / CELL_M, 0, self.nearest.shape[0] - 1).astype(np.int64)
        gz = np.clip((z - self.corner[1]) / CELL_M, 0, self.nearest.shape[1] - 1).astype(np.int64)
        index = self.nearest[gx, gz]
        cos, sin = np.cos(self.heading_rad), np.sin(self.heading_rad)
        # From the nearest sample, project the point onto the road's direction there, and repeat from where it lands.
        for _ in range(3):
            ex, ez = x - self.centre[index, 0], z - self.centre[index, 1]
            t_x, t_z = sin[index], cos[index]
            along = ex * t_x + ez * t_z
            d = ex * t_z - ez * t_x
            stretch = 1 / np.maximum(1 - self.curvature[index] * d, 0.3)  # 0.3: near the centre of a bend it diverges
            s = index * STEP_M + along * stretch
            used = index
            index = np.clip(np.rint(s / STEP_M), 0, last).astype(np.int64)
        return np.stack([s + self.start_m, d, used, stretch])

    def clearance_m(self, points: Float[ndarray, "p 2"]) -> float:
        """Smallest distance of the given ground points (X, Z) from the centre line."""
        apart = points[:, None] - self.centre[None, ::4]
        return float(np.sqrt((apart**2).sum(-1).min()))


def build_road(rng: np.random.Generator, *, start_m: float, end_m: float, bends: bool) -> Road:
    """A road with bends of 18 to 45 degrees to either side, straight pieces between them, and smooth curvature."""
    count = int((end_m - start_m) / STEP_M) + 1
    curvature = np.zeros(count)
    position, heading, side = int((12 - start_m) / STEP_M), 0.0, float(rng.choice([-1, 1]))
    while bends and position < count:
        turn, radius = side * np.radians(rng.uniform(18, 45)), rng.uniform(45, 80)
        if abs(heading + turn) > np.radians(50):  # or the road could cross itself
            turn = -turn
        length = int(abs(turn) * radius / STEP_M)
        curvature[position : position + length] = np.sign(turn) / radius
        heading += turn
        side = -np.sign(turn)
        position += length + int(rng.uniform(8, 35) / STEP_M)
    # Nobody turns a steering wheel in an instant: the curvature fades in and out over some metres.
    width = int(8 / STEP_M)
    window = np.hanning(2 * width + 1)
    curvature = np.convolve(curvature, window / window.sum(), mode="same")
    # Integrated twice, at the middle of each step: curvature to heading, heading to position.
    headings = np.concatenate([[0.0], np.cumsum((curvature[1:] + curvature[:-1]) / 2 * STEP_M)])
    middle = (headings[1:] + headings[:-1]) / 2
    step = STEP_M * np.stack([np.sin(middle), np.cos(middle)], axis=-1)
    centre = np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])
    centre = centre + np.array([0.0, start_m])
    # The grid reaches 90 m beyond the road; farther points start from its border in `locate`.
    corner = centre.min(axis=0) - 90
    cells = np.ceil((centre.max(axis=0) + 90 - corner) / CELL_M).astype(int)
    nearest = _nearest(centre, corner, cells)
    return Road(
        start_m=start_m, centre=centre, heading_rad=headings, curvature=curvature, nearest=nearest, corner=corner
    )


def _nearest(centre: ndarray, corner: ndarray, cells: ndarray) -> Int[ndarray, "gx gz"]:
    zs = corner[1] + CELL_M * (np.arange(cells[1]) + 0.5)
    coarse = centre[::8]  # `locate` refines the result, so a start within some metres will do
    nearest = np.empty(tuple(cells), np.int64)
    for i in range(cells[0]):
        x = corner[0] + CELL_M * (i + 0.5)
        squared = (x - coarse[None, :, 0]) ** 2 + (zs[:, None] - coarse[None, :, 1]) ** 2
        nearest[i] = 8 * squared.argmin(axis=1)
    return nearest


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Where the camera and the moving cars are in each frame, in road coordinates.

    Attributes:
        s_m: position of the camera along the road.
        speed_mps: its derivative.
        cars_s_m: position of each moving car in each frame. Car 0 drives right ahead of the camera.
        cars_d_m: position of each moving car across the road.
        direction: 1 for the camera's direction, -1 for oncoming cars.
        keeps_distance: true in frames in which the cars of the convoy have exactly the camera's speed.
        convoy: number of cars to which that applies, the first ones.
    """

    s_m: Float[ndarray, "n"]
    speed_mps: Float[ndarray, "n"]
    cars_s_m: Float[ndarray, "cars n"]
    cars_d_m: Float[ndarray, "cars"]
    direction: Int[ndarray, "cars"]
    keeps_distance: ndarray
    convoy: int = 1


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """How often and how long the camera halts: ranges in seconds, of which one value is drawn for a drive.

    Attributes:
        period_s: from one halt to the next.
        wait_s: of standing still.
        first_s: time of the first halt.
    """

    period_s: tuple[float, float] = (15, 19)
    wait_s: tuple[float, float] = (1.2, 2.0)
    first_s: tuple[float, float] = (11.0, 12.5)


def build_schedule(rng: np.random.Generator, *, frames: int, fps: float, stops: bool, moving_cars: bool) -> Schedule:
    """A camera that speeds up, cruises, brakes, waits and goes again, in traffic.

    Args:
        frames, fps: length of the drive.
        stops: whether the camera halts at times.
        moving_cars: whether there is traffic: one car right ahead, one further ahead, and oncoming ones.
    """
    time = np.arange(frames) / fps
    s, speed = camera_path(rng, frames=frames, fps=fps, stops=stops, pauses=Pauses())
    gap, keeps = _gap(rng, time)
    # Car 0, right ahead; car 1, further ahead and a little faster than the camera; then the oncoming cars.
    rows, lanes, direction = [s + gap], [1.75], [1]
    rows.append(s[0] + gap[0] + rng.uniform(14, 22) + rng.uniform(10.5, 12.5) * time)
    lanes.append(1.75)
    direction.append(1)
    ahead = rng.uniform(22, 35)
    reach = s[-1] + 12 * time[-1] + 150
    while ahead < reach:
        rows.append(ahead - rng.uniform(7, 8) * time)
        lanes.append(-1.75)
        direction.append(-1)
        ahead += rng.uniform(22, 75)
    # Cars are drawn from rng in either case, so that the camera drives alike with and without them.
    chosen = slice(None) if moving_cars else slice(0, 0)
    return Schedule(
        s_m=s,
        speed_mps=speed,
        cars_s_m=np.array(rows)[chosen],
        cars_d_m=np.array(lanes)[chosen],
        direction=np.array(direction)[chosen],
        keeps_distance=keeps if moving_cars else np.zeros_like(keeps),
    )


def camera_path(
    rng: np.random.Generator, *, frames: int, fps: float, stops: bool, pauses: Pauses
) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
    """Position of the camera along the road in metres, and its speed in m/s."""
    speed = _speed(rng, np.arange(frames) / fps, stops, pauses)
    # Trapezoids, so that position and speed agree frame by frame.
    return np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 / fps)]), speed


def _speed(rng: np.random.Generator, time: ndarray, stops: bool, pauses: Pauses) -> Float[ndarray, "n"]:
    cruise, period, wait = rng.uniform(8.5, 10.0), rng.uniform(*pauses.period_s), rng.uniform(*pauses.wait_s)
    phase = (time + period - rng.uniform(*pauses.first_s)) % period
    wave = cruise + 0.8 * np.sin(time * 0.7 + rng.uniform(0, 6))
    start = 6.0 + 1.4 * time  # already moving in the first frame: a clip without motion teaches nothing
    if not stops:
        return np.asarray(np.minimum(wave, start))
    # Time until the halt, or since the start after it, scaled so that the brake is 3 m/s^2 and the start 2 m/s^2.
    until = np.where(phase > period / 2, period - phase, np.maximum(phase - wait, 0) / 1.5)
    return np.asarray(np.minimum(np.minimum(wave, start), 3.0 * until))


def _gap(rng: np.random.Generator, time: ndarray) -> tuple[Float[ndarray, "n"], ndarray]:
    """Distance to the car ahead in metres, and the frames in which it is constant.

    Constant for 5 to 8 s, in which the car has exactly the camera's speed, then a slow change to another distance.
    """
    gap, keeps = np.empty_like(time), np.zeros(len(time), bool)
    now, begin = rng.uniform(11, 14), 0.0
    while True:
        hold, change, new = rng.uniform(5, 8), rng.uniform(2.5, 4), rng.uniform(9, 22)
        after = time >= begin
        part = np.clip((time - begin - hold) / change, 0, 1)
        gap[after] = (now + (new - now) * part**2 * (3 - 2 * part))[after]
        keeps[after] = (part == 0)[after]
        now, begin = new, begin + hold + change
        if begin > time[-1]:
            return gap, keeps
