from pathlib import Path

import pytest

from mien.params import Data, Faces
from mien.raw import drawn_note, pointer_digest


def data(root="data/raw/mine", faces=None):
    return Data.model_construct(root=root, faces=faces)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data/raw/mine").mkdir(parents=True)


def test_pictures_without_a_pointer_have_no_version():
    assert pointer_digest(data()) is None


@pytest.mark.parametrize("pointer", ["data/raw/mine.dvc", "data/raw.dvc"])
def test_another_pointer_is_another_version(pointer):
    Path(pointer).write_text("outs: [{md5: 1.dir}]")
    first = pointer_digest(data())
    assert first is not None
    Path(pointer).write_text("outs: [{md5: 2.dir}]")
    assert pointer_digest(data()) not in (None, first)


def test_the_pointer_of_another_data_set_says_nothing():
    Path("data/raw/other.dvc").write_text("outs: [{md5: 1.dir}]")
    assert pointer_digest(data()) is None


def test_a_root_elsewhere_is_looked_at_up_to_its_top(tmp_path):
    assert pointer_digest(data(str(tmp_path / "elsewhere"))) is None


def test_a_note_lies_with_the_faces_and_names_what_they_are(monkeypatch):
    faces = Faces(train=3, test=2, seed=1)
    note = drawn_note(data(faces=faces))
    assert note.parent == Path("data/raw/mine")
    others = [faces.model_copy(update={key: 9}) for key in ("train", "test", "seed")]
    names = {drawn_note(data(faces=other)) for other in others} | {note}
    monkeypatch.setattr("mien.raw.code", lambda stage: f"other code of {stage}")
    assert len(names | {drawn_note(data(faces=faces))}) == 5


def test_pictures_of_the_user_have_no_note():
    assert drawn_note(data()) is None
