"""Rendered drives with exact ground truth: depth, camera motion, and the pixels that move by themselves.

A seed determines a street with bends, houses, trees, parked and moving cars. The drives stand in for real data in the
demo, the tests and the figures of docs/paper.md. They contain what the method has to cope with: occlusions, a car at
the camera's speed, other traffic, stops, surfaces without texture, changing brightness.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from numpy import ndarray

from selfdepth.errors import ConfigError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.synthetic.convoy import build_convoy
from selfdepth.synthetic.kinds import KINDS, Street, furnish
from selfdepth.synthetic.lens_optics import LensOptics
from selfdepth.synthetic.lenses import LENSES, DriveLens
from selfdepth.synthetic.objects import Quads, car
from selfdepth.synthetic.optics import SUPERSAMPLING, Optics, PinholeOptics
from selfdepth.synthetic.raster import SKY, View, project, shade, trace
from selfdepth.synthetic.road import Schedule, build_road, build_schedule
from selfdepth.synthetic.scene import Scene, build_scene, paint_street

BASELINE_M = 0.54
"""Distance of the right camera from the left one, that of KITTI."""
CAMERA_HEIGHT_M = 1.65
"""Height of the cameras above the ground, that of KITTI."""
_LANE_M = 1.75
"""Middle of the right lane, metres to the right of the road's centre line."""


@dataclass(frozen=True, kw_only=True)
class DriveSpec:
    """The drive to render. Two seeds give two different streets of the same kind.

    Attributes:
        seed: source of everything random, 0 to 2^32 - 1.
        frames: length of the drive, 2 to 20,000.
        width, height: image size in pixels, from 32x16 to 4096x4096.
        fps: frames per second, 1 to 240; KITTI has 10.
        stereo: whether to render the right camera too.
        moving_cars: whether there is traffic. Parked cars remain without it.
        stops: whether the car halts every 15 to 19 s, for 1.2 to 2 s.
        bends: whether the road has bends.
        brightness_change: largest relative change of the exposure, which drifts over seconds; 0 to 0.5.
        kind: what is difficult. "street": a little of everything. "occlusions": poles and trees in close rows beside
            the lane. "comoving": the cars ahead keep the camera's speed, and all of them wait together for a quarter of
            the time. "fine": walls and ground with texture that an image averaged to an eighth no longer has.
        sway: factor on how much the camera sways in its lane and nods, 0 to 5. Without sway and bends it goes straight
            ahead, and never turns.
        lens: what the camera sees the street through: one of LENSES, or any other.

    Raises:
        ConfigError: for a value out of its range, an unknown kind, or one that needs what is switched off.
    """

    seed: int = 0
    frames: int = 200
    width: int = 320
    height: int = 96
    fps: float = 10.0
    stereo: bool = False
    moving_cars: bool = True
    stops: bool = True
    bends: bool = True
    brightness_change: float = 0.06
    kind: str = "street"
    sway: float = 1.0
    lens: DriveLens = LENSES["pinhole"]

    def __post_init__(self) -> None:
        ranges = {
            "seed": (0, 2**32 - 1),
            "frames": (2, 20_000),
            "width": (32, 4096),
            "height": (16, 4096),
            "fps": (1.0, 240.0),
            "brightness_change": (0.0, 0.5),
            "sway": (0.0, 5.0),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(
                    "this drive cannot be rendered", where=name, expected=f"{low} to {high}", got=str(value)
                )
        if self.kind not in KINDS:
            raise ConfigError(
                "this drive cannot be rendered", where="kind", expected=" or ".join(KINDS), got=str(self.kind)
            )
        if self.street.convoy and not self.moving_cars:
            raise ConfigError(
                "there is no convoy without moving cars",
                where="moving_cars",
                expected=f"true for kind {self.kind}",
                got="false",
                fix="leave it out, or take another kind",
            )

    @property
    def street(self) -> Street:
        """What is particular about the streets of this kind."""
        return KINDS[self.kind]

    def camera(self) -> Camera:
        """The camera of the images: KITTI's field of view (81 degrees), unless there is another lens."""
        return self.lens.camera(self.width, self.height)


@dataclass(frozen=True, kw_only=True)
class SyntheticDrive:
    """A rendered drive and its ground truth.

    Attributes:
        images: RGB of the left camera.
        depth: at the centres of the pixels, metres; 0 for the sky, which has none, and where the lens sees nothing.
        depth_is: "z", along the camera's axis, or "ray", the distance along the pixel's ray: for lenses that see
            farther than 60 degrees from their axis.
        T_world_camera: poses of the left camera, float64, metres; the world is the first camera (x right, y down, z
            forward).
        camera: intrinsics and lens of both cameras.
        partner: RGB of the right camera, or None. T_stereo_target is the translation (-BASELINE_M, 0, 0).
        timestamps: seconds since the first frame.
        speed_mps: speed of the camera along the road, m/s.
        moving: true on cars that move in that frame.
        comoving: true on the car ahead while both it and the camera move at exactly the same speed; in a street of kind
            "comoving", on every car.
    """

    images: UInt8[ndarray, "n h w 3"]
    depth: Float32[ndarray, "n h w"]
    T_world_camera: Float[ndarray, "n 4 4"]
    camera: Camera
    partner: UInt8[ndarray, "n h w 3"] | None
    timestamps: Float[ndarray, "n"]
    speed_mps: Float[ndarray, "n"]
    moving: Bool[ndarray, "n h w"]
    comoving: Bool[ndarray, "n h w"]
    depth_is: DepthIs = "z"


@dataclass(frozen=True, kw_only=True)
class _World:
    spec: DriveSpec
    optics: Optics
    scene: Scene
    schedule: Schedule
    T_ground_camera: Float[ndarray, "n 4 4"]
    designs: tuple[int, ...]
    exposure: Float[ndarray, "n"]


def render_drive(
    spec: DriveSpec, *, progress: Callable[[int, int], None] | None = None, workers: int | None = None
) -> SyntheticDrive:
    """Render a drive. The same spec gives the same bits for any number of workers.

    Args:
        progress: called after each frame with (frames done, frames in total).
        workers: number of threads. Default: one per CPU core, at most 4.
    """
    world = _build_world(spec)
    n, h, w = spec.frames, spec.height, spec.width
    images = np.empty((n, h, w, 3), np.uint8)
    partner = np.empty_like(images) if spec.stereo else None
    depth = np.empty((n, h, w), np.float32)
    moving, comoving = np.zeros((n, h, w), bool), np.zeros((n, h, w), bool)
    with ThreadPoolExecutor(workers or min(4, os.cpu_count() or 1)) as pool:
        for i, frame in enumerate(_frames_in_order(pool, world)):
            images[i], depth[i], moving[i], comoving[i] = frame[0], frame[1], frame[2], frame[3]
            if partner is not None:
                partner[i] = frame[4]
            if progress is not None:
                progress(i + 1, n)
    # Inside the renderer poses are relative to the ground; outside, the world is the first camera.
    T_ground_first = world.T_ground_camera[0]
    return SyntheticDrive(
        images=images,
        depth=depth,
        T_world_camera=np.linalg.inv(T_ground_first) @ world.T_ground_camera,
        camera=world.optics.camera,
        partner=partner,
        timestamps=np.arange(n) / spec.fps,
        speed_mps=world.schedule.speed_mps,
        moving=moving,
        comoving=comoving,
        depth_is=world.optics.depth_is,
    )


def _frames_in_order(pool: ThreadPoolExecutor, world: _World) -> Iterator[tuple[ndarray, ...]]:
    return pool.map(lambda i: _render_frame(world, i), range(world.spec.frames))


def _build_world(spec: DriveSpec) -> _World:
    # One generator per part: an option such as `stops` then changes the schedule and leaves the street as it is.
    road_rng, schedule_rng, scene_rng, car_rng, kind_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence(spec.seed).spawn(5)
    )
    street = spec.street
    schedule = (
        build_convoy(schedule_rng, frames=spec.frames, fps=spec.fps, stops=spec.stops)
        if street.convoy
        else build_schedule(
            schedule_rng, frames=spec.frames, fps=spec.fps, stops=spec.stops, moving_cars=spec.moving_cars
        )
    )
    # The street must go on beyond the last frame's view (FAR_M), and begin behind the camera of the first.
    reach_m = float(schedule.s_m[-1]) + 200
    road = build_road(road_rng, start_m=-30.0, end_m=reach_m + 60, bends=spec.bends)
    paint = paint_street(spec.seed, fine_only=True) if street.fine else paint_street(spec.seed)
    scene = build_scene(scene_rng, road, paint, reach_m=reach_m, houses_only=street.fine)
    scene = furnish(kind_rng, scene, street, reach_m=reach_m)
    time = np.arange(spec.frames) / spec.fps
    # A slow and a faster sine; their sum stays within 1.6.
    drift = np.sin(time * 0.9 + car_rng.uniform(0, 6)) + 0.6 * np.sin(time * 2.3 + car_rng.uniform(0, 6))
    return _World(
        spec=spec,
        optics=_optics(spec),
        scene=scene,
        schedule=schedule,
        T_ground_camera=np.stack([_pose(scene, s, street.sway * spec.sway) for s in schedule.s_m]),
        designs=_designs(car_rng, scene, len(schedule.cars_s_m)),
        exposure=1 + spec.brightness_change * drift / 1.6,
    )


def _optics(spec: DriveSpec) -> Optics:
    camera, circle_deg = spec.camera(), spec.lens.circle_deg
    if camera.is_pinhole and circle_deg is None:
        return PinholeOptics(camera)
    return LensOptics(camera, None if circle_deg is None else np.radians(circle_deg))


def _designs(rng: np.random.Generator, scene: Scene, count: int) -> tuple[int, ...]:
    """The designs of the moving cars: any, except that no van drives right ahead and hides the street all the time."""
    low = [i for i, design in enumerate(scene.paint.kit.cars) if design.height_m < CAMERA_HEIGHT_M]
    ahead, others = int(rng.choice(low)), rng.integers(len(scene.paint.kit.cars), size=max(count, 1))
    return (ahead, *(int(i) for i in others[1:]))[:count]


def _pose(scene: Scene, s: float, sway: float) -> Float[ndarray, "4 4"]:
    """T_ground_camera at s metres along the road. The camera sways in its lane and nods a little, times `sway`.

    Both are functions of s, not of time: at a stop the camera stands exactly still.
    """
    d = _LANE_M + sway * (0.18 * np.sin(s / 11.0))
    place, heading = scene.road.place(s, d)
    yaw = heading + sway * (0.18 / 11.0 * np.cos(s / 11.0))
    pitch = sway * (0.004 * np.sin(s / 2.3) + 0.003 * np.sin(s / 5.1))
    roll = sway * (0.003 * np.sin(s / 3.7))
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    T_ground_camera = np.eye(4)
    T_ground_camera[:3, :3] = turn @ nod @ lean
    T_ground_camera[:3, 3] = place[0], -CAMERA_HEIGHT_M + sway * (0.012 * np.sin(s / 2.9)), place[1]
    return T_ground_camera


def _traffic(world: _World, frame: int) -> tuple[list[Quads], ndarray]:
    """The quads of each moving car in a frame, and (X, Z, heading, half width, half length) of each for its shade."""
    schedule, road = world.schedule, world.scene.road
    parts: list[Quads] = []
    places: list[ndarray] = []
    for number, design_number in enumerate(world.designs):
        s, design = float(schedule.cars_s_m[number, frame]), world.scene.paint.kit.cars[design_number]
        if not road.start_m < s < road.end_m:  # outside the road, parked at its far end: too far away to see
            s = road.end_m
        place, heading = road.place(s, schedule.cars_d_m[number])
        turned = heading + (0.0 if schedule.direction[number] > 0 else np.pi)
        parts.append(car(design).placed(place, turned))
        places.append(np.array([*place, turned, design.width_m / 2, design.length_m / 2]))
    return parts, np.array(places).reshape(-1, 5)


def _render_frame(world: _World, frame: int) -> tuple[ndarray, ...]:
    """Image, depth, moving, comoving, and with stereo the image of the right camera."""
    scene, optics = world.scene, world.optics
    T_ground_camera = world.T_ground_camera[frame]
    cars, places = _traffic(world, frame)
    quads = Quads.joined([scene.static, *cars])
    shades = np.concatenate([scene.parked, places])
    view = project(quads, T_ground_camera, optics)
    # Depth is traced apart from the colours, through the pixels' centres: an average over samples would put depths in
    # the air between an object and its background.
    centres = trace(view, quads, scene.paint.atlas, optics, 1)
    has_depth = centres.surface != SKY
    depth = np.where(has_depth, optics.depth(centres.inverse_depth), 0).astype(np.float32)
    # The number of the car that each quad belongs to, else -1. SKY and GROUND are -2 and -1: they index the two extra
    # entries at the end.
    car_of_quad = np.full(len(quads) + 2, -1)
    start = len(scene.static)
    for number, part in enumerate(cars):
        car_of_quad[start : start + len(part)] = number
        start += len(part)
    car_of_pixel = car_of_quad[centres.surface]
    s_m = world.schedule.cars_s_m
    after = min(frame + 1, world.spec.frames - 1)
    # The extra entry at the end answers for -1, what belongs to no car.
    car_moves = np.append(abs(s_m[:, after] - s_m[:, after - 1]) > 1e-6, False)
    moving = car_moves[car_of_pixel]
    in_convoy = (car_of_pixel >= 0) & (car_of_pixel < world.schedule.convoy)
    comoving = moving & in_convoy & bool(world.schedule.keeps_distance[frame])
    # Both cameras share the frame's exposure, as a synchronised stereo pair does.
    image = _picture(world, frame, quads, view, T_ground_camera, shades)
    if not world.spec.stereo:
        return image, depth, moving, comoving
    T_target_stereo = np.eye(4)
    T_target_stereo[0, 3] = BASELINE_M
    T_ground_stereo = T_ground_camera @ T_target_stereo
    right = _picture(world, frame, quads, project(quads, T_ground_stereo, optics), T_ground_stereo, shades)
    return image, depth, moving, comoving, right


def _picture(
    world: _World, frame: int, quads: Quads, view: View, T_ground_camera: ndarray, shades: ndarray
) -> UInt8[ndarray, "h w 3"]:
    n, optics = SUPERSAMPLING, world.optics
    samples = trace(view, quads, world.scene.paint.atlas, optics, n)
    colours = shade(samples, view, quads, world.scene, T_ground_camera, shades, n)
    pixels = colours.reshape(optics.camera.height, n, optics.camera.width, n, 3).mean(axis=(1, 3))
    return np.asarray(np.clip(np.rint(pixels * world.exposure[frame]), 0, 255), np.uint8)
