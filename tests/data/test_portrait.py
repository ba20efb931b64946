"""The parametric portrait: geometry, expressions, and the drawing that follows them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mien.data.portrait.landmarks import LIDS_AND_LIPS, MIRRORED, landmarks_at_rest, moved
from mien.data.portrait.light import sample_light
from mien.data.portrait.looks import HAIR_OFTEN, HAIR_STYLES, sample_looks
from mien.data.portrait.picture import Portrait, paint
from mien.data.portrait.shape import (
    Pose,
    face_coordinates,
    project,
    sample_head,
    sample_pose,
)
from mien.data.portrait.units import UNITS, sample_act
from mien.expressions import EXPRESSIONS

SIZE = 64
LIPS = range(48, 60)
GREY, GREEN = np.full(3, 150.0), np.array([0.0, 220.0, 0.0])


def portrait(units, seed=0):
    """One person; only the expression is the caller's."""
    streams = [np.random.default_rng([seed, part]) for part in range(4)]
    return Portrait(
        sample_head(streams[0]),
        sample_looks(streams[1]),
        units,
        sample_pose(streams[2]),
        sample_light(streams[3]),
    )


def painted(units, seed=0, size=SIZE):
    face = portrait(units, seed)
    rngs = np.random.default_rng(1), np.random.default_rng(2)
    return paint(face, size, *rngs).astype(float)


def both(*numbers, strength=1.0):
    return dict.fromkeys(numbers, (strength, strength))


def test_mirroring_the_sides_mirrors_the_face():
    rest = landmarks_at_rest()
    for number in UNITS:
        left, right = moved(rest, {number: (0.8, 0.1)}), moved(rest, {number: (0.1, 0.8)})
        np.testing.assert_allclose(right, left[MIRRORED] * (-1, 1), atol=1e-12)


@pytest.mark.parametrize("number", UNITS)
def test_a_unit_moves_the_face_in_proportion_to_its_intensity(number):
    rest = landmarks_at_rest()
    half, full = (moved(rest, both(number, strength=s)) - rest for s in (0.5, 1.0))
    assert np.abs(full).max() > 0.03  # 3 mm on a grown-up
    distance = np.linalg.norm(full, axis=1) - np.linalg.norm(half, axis=1)
    assert (distance > -1e-9).all()


def test_lids_and_lips_never_cross():
    rng = np.random.default_rng(0)
    for _ in range(300):
        strengths = rng.uniform(0, 1, (len(UNITS), 2))
        units = dict(zip(UNITS, map(tuple, strengths), strict=True))
        marks = moved(sample_head(rng).landmarks, units)
        for upper, lower in LIDS_AND_LIPS:
            assert marks[upper, 1] <= marks[lower, 1] + 1e-9


def test_projection_is_undone_by_its_inverse():
    head = sample_head(np.random.default_rng(3))
    pose = Pose(0.2, -0.1, 0.15, 0.38, (0.52, 0.43), (0.0, 0.0))
    size = 200
    grid = face_coordinates(head, pose, size)
    centres = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5
    inside = np.abs(grid - (0.0, 0.2)).max(axis=-1) < 0.5
    seen = project(grid[inside], head, pose, size)
    error = np.linalg.norm(seen - centres[inside], axis=1)
    assert inside.sum() > 4000
    assert np.median(error) < 0.5
    assert error.max() < 4.0  # pixels of 200, on the slope of the nose


def test_a_roll_turns_the_picture_clockwise():
    head = sample_head(np.random.default_rng(3))
    pose = Pose(0.0, 0.0, 0.2, 0.38, (0.5, 0.43), (0.0, 0.0))
    marks = project(head.landmarks, head, pose, 100)
    left_eye, right_eye = marks[36:42].mean(axis=0), marks[42:48].mean(axis=0)
    angle = np.arctan2(*(right_eye - left_eye)[::-1])
    assert angle == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(
    ("numbers", "above_nose"), [((1, 2), True), ((4,), True), ((25, 26), False), ((12,), False)]
)
def test_what_an_action_unit_changes_is_painted_at_its_landmarks(numbers, above_nose):
    changed = np.zeros((SIZE, SIZE))
    line = np.zeros(SIZE)
    for seed in range(3):
        changed += np.abs(painted(both(*numbers), seed) - painted({}, seed)).sum(axis=2)
        line += portrait({}, seed).landmarks(SIZE)[29, 1] / 3
    rows = np.arange(SIZE) + 0.5
    above = changed[rows < line].sum() / changed.sum()
    assert (above if above_nose else 1 - above) > 0.75


@pytest.mark.parametrize(
    ("part", "landmarks", "numbers"),
    [("brows", range(17, 27), (1, 2)), ("brows", range(17, 27), (4,)), ("lips", LIPS, (26,))],
)
def test_a_part_is_painted_where_its_landmarks_are(part, landmarks, numbers):
    """Found by its colour, the part has moved as far as its landmarks have."""
    centres, marks = [], []
    for units in ({}, both(*numbers)):
        face = portrait(units, seed=5)
        plain = replace(face.looks, hair_style="bald", skin=GREY, age=0.0, freckles=0.0)
        face = replace(face, looks=replace(plain, **{part: GREEN}))
        rngs = np.random.default_rng(1), np.random.default_rng(2)
        image = paint(face, 128, *rngs).astype(float)
        x, y = face.landmarks(128)[list(landmarks)].T
        box = np.s_[int(y.min()) - 6 : int(y.max()) + 7, int(x.min()) : int(x.max()) + 1]
        greenness = np.maximum(image[..., 1] - image[..., 0] - 25, 0)[box].sum(axis=1)
        centres.append(np.average(np.arange(box[0].start, box[0].stop), weights=greenness))
        marks.append(y.mean())
    shift = marks[1] - marks[0]
    assert abs(shift) > 3
    # Half of it is room for a part that changes its shape too: landmarks are not its area.
    assert centres[1] - centres[0] == pytest.approx(shift, abs=0.5 * abs(shift))


def test_lashes_are_painted_on_the_raised_lid():
    face = portrait(both(5), seed=5)
    looks = replace(face.looks, skin=np.full(3, 230.0), lashes=1.0, glasses=None)
    face = replace(face, looks=looks)
    rngs = np.random.default_rng(1), np.random.default_rng(2)
    image = paint(face, 256, *rngs).astype(float).mean(axis=2)
    for x, y in face.landmarks(256)[[37, 38, 43, 44]].astype(int):
        assert image[y - 3 : y + 1, x].min() < 90


def test_the_picture_changes_continuously_with_intensity():
    """No part appears from nowhere between two intensities 0.05 apart."""
    units = (1, 2, 5, 12, 25, 26)
    frames = [painted(both(*units, strength=s)) for s in np.linspace(0.0, 1.0, 21)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    whole = np.abs(frames[-1] - frames[0]).mean()
    assert whole > 2.0  # of 255, over the whole picture
    assert max(steps) < 0.3 * whole


@pytest.mark.parametrize("style", HAIR_STYLES)
def test_every_hair_style_leaves_brows_eyes_and_mouth_bare(style):
    face = portrait({}, seed=5)
    purple = np.array([255.0, 0.0, 255.0])  # nobody's skin
    looks = replace(face.looks, hair_style=style, hair=purple, brows=face.looks.skin)
    face = replace(face, looks=looks)
    rngs = np.random.default_rng(1), np.random.default_rng(2)
    image = paint(face, 128, *rngs).astype(float)
    parts = face.landmarks(128)[[*range(17, 27), *range(36, 68)]].astype(int)
    pixels = image[parts[:, 1], parts[:, 0]]
    purpleness = np.minimum(pixels[:, 0], pixels[:, 2]) - pixels[:, 1]
    assert (purpleness < 60).all()


def test_hair_styles_have_probabilities():
    assert len(HAIR_OFTEN) == len(HAIR_STYLES)
    assert sum(HAIR_OFTEN) == pytest.approx(1.0)


def test_annotations_follow_expression_and_intensity():
    acts = {
        name: [sample_act(code, np.random.default_rng([code, i])) for i in range(200)]
        for code, name in enumerate(EXPRESSIONS)
    }
    valence = {name: np.array([act.valence for act in drawn]) for name, drawn in acts.items()}
    arousal = {name: np.array([act.arousal for act in drawn]) for name, drawn in acts.items()}
    for written in (*valence.values(), *arousal.values()):
        assert written.std() > 0.03
    assert valence["happy"].mean() > 0.3
    assert all(valence[name].mean() < -0.2 for name in ("sad", "fear", "disgust", "anger"))
    assert abs(valence["neutral"].mean()) < 0.03
    assert abs(arousal["neutral"].mean()) < 0.03
    assert arousal["sad"].mean() < 0 < 0.3 < arousal["surprise"].mean()
    smile = np.array([sum(act.units[12]) / 2 for act in acts["happy"]])
    assert np.corrcoef(smile, valence["happy"])[0, 1] > 0.6


def test_annotations_stay_in_range_whatever_the_annotator(monkeypatch):
    monkeypatch.setattr("mien.data.portrait.units.ANNOTATOR_SD", 2.0)
    acts = [sample_act(1, np.random.default_rng(i)) for i in range(50)]
    written = np.array([(act.valence, act.arousal) for act in acts])
    assert np.abs(written).max() == 1.0


def test_weak_expressions_are_common_and_overlap_with_neutral():
    strongest = {
        name: np.array(
            [
                max(
                    max(sides)
                    for sides in sample_act(code, np.random.default_rng(i)).units.values()
                )
                for i in range(300)
            ]
        )
        for code, name in enumerate(EXPRESSIONS)
    }
    for name in EXPRESSIONS[1:]:
        weak = np.mean(strongest[name] < 0.4)
        assert 0.05 < weak < 0.4
    assert 0.05 < strongest["neutral"].max() < 0.25
