"""The drawn data set: reproducible, in AffectNet's layout, whole or absent."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.data import faces
from mien.data.faces import draw_face, write_affectnet
from mien.errors import DataError
from mien.expressions import EXPRESSIONS

CODE = {name: code for code, name in enumerate(EXPRESSIONS)}


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.*")}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("faces") / "raw"
    write_affectnet(root, train=26, test=9, seed=3)
    return root


def mean_shift(name: str, landmarks: slice | list[int]) -> np.ndarray:
    """How far an expression moves landmarks from the same people's neutral faces, in pixels.

    Out of 100 pixels, averaged over 16 people and the landmarks: right, down.
    """
    shifts = [
        draw_face(0, i, CODE[name], 100).landmarks[landmarks]
        - draw_face(0, i, CODE["neutral"], 100).landmarks[landmarks]
        for i in range(16)
    ]
    return np.mean(shifts, axis=(0, 1))


def test_a_face_is_the_same_whenever_it_is_drawn():
    first = draw_face(1, 2, 3, 96)
    draw_face(1, 3, 3, 96)
    again = draw_face(1, 2, 3, 96)

    assert first.image.shape == (96, 96, 3)
    assert first.image.dtype == np.uint8
    assert first.image.tobytes() == again.image.tobytes()
    assert first.units == again.units
    np.testing.assert_array_equal(first.landmarks, again.landmarks)


@pytest.mark.parametrize("other", [(1, 2, 4), (1, 3, 3), (2, 2, 3), (2, 1, 3)])
def test_label_index_and_seed_all_matter(other):
    image = draw_face(1, 2, 3, 64).image.astype(int)
    assert np.abs(draw_face(*other, 64).image - image).mean() > 1.0


def test_another_size_is_the_same_person_in_the_same_pose():
    small, large = draw_face(1, 2, 3, 64), draw_face(1, 2, 3, 192)
    np.testing.assert_allclose(small.landmarks * 3, large.landmarks)
    assert small.units == large.units


def test_another_label_is_the_same_person_in_the_same_place():
    """Background corners differ by nothing but the expression's own reach."""
    happy, angry = (draw_face(1, 2, CODE[name], 96).image for name in ("happy", "anger"))
    np.testing.assert_array_equal(happy[:12, :12], angry[:12, :12])


@pytest.mark.parametrize(("label", "size"), [(8, 64), (-1, 64), (0, 31)])
def test_impossible_requests_are_refused(label, size):
    with pytest.raises(ValueError, match="label"):
        draw_face(0, 0, label, size)


def test_happy_lifts_the_corners_of_the_mouth():
    assert mean_shift("happy", [48, 54])[1] < -1.5
    assert abs(mean_shift("happy", [19, 24])[1]) < 0.7


def test_sad_raises_the_inner_brows_and_lowers_the_corners():
    assert mean_shift("sad", [21, 22])[1] < mean_shift("sad", [17, 26])[1] - 0.5
    assert mean_shift("sad", [48, 54])[1] > 1.0


def test_surprise_raises_brows_and_drops_the_jaw():
    assert mean_shift("surprise", slice(17, 27))[1] < -1.5
    assert mean_shift("surprise", [8, 57, 66])[1] > 1.5


def test_fear_widens_eyes_and_mouth():
    assert mean_shift("fear", [37, 38, 43, 44])[1] < -0.5
    assert mean_shift("fear", [54])[0] - mean_shift("fear", [48])[0] > 3.0


def test_disgust_lifts_nose_and_upper_lip():
    assert mean_shift("disgust", [31, 35])[1] < -0.7
    assert mean_shift("disgust", [50, 51, 52])[1] < -1.5


def test_anger_knits_the_brows_and_thins_the_lips():
    assert mean_shift("anger", [21, 22])[1] > 1.5
    assert mean_shift("anger", [57])[1] - mean_shift("anger", [51])[1] < -1.0


def test_contempt_pulls_one_corner_of_the_mouth():
    def lopsided(name: str) -> float:
        pulls = []
        for i in range(16):
            shift = (
                draw_face(0, i, CODE[name], 100).landmarks
                - draw_face(0, i, CODE["neutral"], 100).landmarks
            )
            pulls.append(abs(shift[48, 1] - shift[54, 1]))
        return float(np.mean(pulls))

    assert lopsided("contempt") > 2.0
    assert all(lopsided(name) < 0.8 for name in ("happy", "sad"))


def test_landmarks_lie_in_the_order_of_a_face():
    for index in range(12):
        marks = draw_face(4, index, index % 8, 100).landmarks
        brows, eyes = marks[17:27, 1].mean(), marks[36:48, 1].mean()
        nose, mouth, chin = marks[31:36, 1].mean(), marks[48:68, 1].mean(), marks[8, 1]
        assert 0 < brows < eyes < nose < mouth < chin
        assert marks[0, 0] < marks[36, 0] < marks[45, 0] < marks[16, 0]


def test_layout_is_affectnets(drawn):
    for split, count in (("train_set", 26), ("val_set", 9)):
        images = {p.name for p in (drawn / split / "images").iterdir()}
        assert images == {f"{n}.jpg" for n in range(count)}
        names = {p.name for p in (drawn / split / "annotations").iterdir()}
        kinds = ("exp", "val", "aro", "lnd")
        assert names == {f"{n}_{kind}.npy" for n in range(count) for kind in kinds}


def test_annotations_read_like_affectnets(drawn):
    for n in range(9):
        folder = drawn / "val_set" / "annotations"
        label, valence, arousal = (
            np.load(folder / f"{n}_{kind}.npy", allow_pickle=False)
            for kind in ("exp", "val", "aro")
        )
        assert label.shape == valence.shape == arousal.shape == ()
        assert label.dtype.kind == valence.dtype.kind == "U"
        assert int(float(label.item())) in range(8)
        assert -1 <= float(valence.item()) <= 1
        assert -1 <= float(arousal.item()) <= 1
        landmarks = np.load(folder / f"{n}_lnd.npy", allow_pickle=False)
        assert landmarks.shape == (136,)
        assert landmarks.dtype == np.float64
        x, y = landmarks[::2], landmarks[1::2]
        assert 0 < x.mean() < 224
        assert y[8] > y[27]  # the chin is below the bridge of the nose


def test_images_are_full_colour_jpegs_of_224(drawn):
    with Image.open(drawn / "train_set" / "images" / "0.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (224, 224))
        assert {(h, v) for _, h, v, _ in image.layer} == {(1, 1)}  # 4:4:4


def test_annotations_belong_to_their_picture(drawn):
    """Written by the same call as the picture; val_set has the odd indexes."""
    label = int(np.load(drawn / "val_set" / "annotations" / "4_exp.npy").item())
    face = draw_face(3, 9, label, 224)
    with Image.open(drawn / "val_set" / "images" / "4.jpg") as image:
        written = np.asarray(image, dtype=float)
    assert np.abs(written - face.image).mean() < 4.0
    for kind, value in (("val", face.valence), ("aro", face.arousal)):
        text = np.load(drawn / "val_set" / "annotations" / f"4_{kind}.npy").item()
        assert float(text) == pytest.approx(value, abs=1e-6)
    landmarks = np.load(drawn / "val_set" / "annotations" / "4_lnd.npy")
    np.testing.assert_array_equal(landmarks, face.landmarks.ravel())


def test_train_and_test_share_no_index(tmp_path, monkeypatch):
    indexes = []

    def noted(seed, index, label, size):
        indexes.append((seed, index))
        return draw_face(seed, index, label, size)

    monkeypatch.setattr(faces, "draw_face", noted)
    write_affectnet(tmp_path / "raw", train=12, test=12, seed=5)
    assert len(indexes) == len(set(indexes)) == 24


def test_class_counts_are_exact(drawn):
    manifest = json.loads((drawn / "manifest.json").read_text())
    for split, count in (("train_set", 26), ("val_set", 9)):
        labels = [
            int(np.load(drawn / split / "annotations" / f"{n}_exp.npy").item())
            for n in range(count)
        ]
        seen = {name: labels.count(code) for name, code in CODE.items()}
        assert manifest["counts"][split] == seen
        assert labels != sorted(labels)
    assert set(manifest["counts"]["val_set"].values()) == {1, 2}
    expected = np.array(faces.TRAIN_SHARES) * 26
    counts = np.array([manifest["counts"]["train_set"][name] for name in EXPRESSIONS])
    assert (np.abs(counts - expected) < 1).all()


def test_no_class_is_too_rare_to_learn():
    assert sum(faces.TRAIN_SHARES) == pytest.approx(1.0)
    assert min(faces.TRAIN_SHARES) >= 0.08


def test_bytes_do_not_depend_on_the_number_of_workers(drawn, tmp_path):
    write_affectnet(tmp_path / "raw", train=26, test=9, seed=3, workers=2)
    assert files(tmp_path / "raw") == files(drawn)


def test_the_manifest_stands_for_every_byte(drawn, tmp_path):
    write_affectnet(tmp_path / "raw", train=26, test=9, seed=4)
    ours, other = (
        json.loads((r / "manifest.json").read_text()) for r in (drawn, tmp_path / "raw")
    )
    assert ours["sha256"] != other["sha256"]
    assert (ours["seed"], ours["train"], ours["test"]) == (3, 26, 9)


def test_a_folder_that_is_there_is_not_drawn_again(drawn, monkeypatch):
    monkeypatch.setattr(faces, "draw_face", None)  # would fail if called
    before = {p: p.stat().st_mtime_ns for p in drawn.rglob("*")}
    write_affectnet(drawn, train=26, test=9, seed=3)
    assert {p: p.stat().st_mtime_ns for p in drawn.rglob("*")} == before


@pytest.mark.parametrize("request_", [(26, 9, 4), (25, 9, 3), (26, 10, 3)])
def test_another_data_set_is_refused_and_kept(drawn, request_):
    before = files(drawn)
    train, test, seed = request_
    with pytest.raises(DataError, match=r"raw: exists with .*seed 3.* delete it"):
        write_affectnet(drawn, train=train, test=test, seed=seed)
    assert files(drawn) == before


def test_another_renderers_data_set_is_refused(drawn, monkeypatch):
    monkeypatch.setattr(faces, "VERSION", faces.VERSION + 1)
    with pytest.raises(DataError, match="exists with renderer 1"):
        write_affectnet(drawn, train=26, test=9, seed=3)


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"seed": 3}'])
def test_a_users_folder_is_refused_and_kept(tmp_path, manifest):
    root = tmp_path / "raw"
    root.mkdir()
    (root / "mine.txt").write_text("mine")
    if manifest is not None:
        (root / "manifest.json").write_text(manifest)
    with pytest.raises(DataError, match="delete it"):
        write_affectnet(root, train=1, test=1, seed=0)
    assert (root / "mine.txt").read_text() == "mine"


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "raw").write_text("mine")
    with pytest.raises(DataError, match="delete it"):
        write_affectnet(tmp_path / "raw", train=1, test=1, seed=0)


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "raw").mkdir()
    write_affectnet(tmp_path / "raw", train=1, test=1, seed=0)
    assert (tmp_path / "raw" / "manifest.json").is_file()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_drawing_that_is_cut_off_leaves_nothing(tmp_path, monkeypatch, error):
    calls = []

    def cut_off(seed, index, label, size):
        calls.append(index)
        if len(calls) == 3:
            raise error
        return draw_face(seed, index, label, size)

    monkeypatch.setattr(faces, "draw_face", cut_off)
    with pytest.raises(error):
        write_affectnet(tmp_path / "raw", train=4, test=1, seed=0)
    assert len(calls) == 3
    assert list(tmp_path.iterdir()) == []
