"""Stage `faces`: from params.yaml to a data set, or a refusal."""

import json
from pathlib import Path

import pytest

from mien.errors import DataError, ParamsError
from mien.params import Data, Faces, Params
from mien.raw import drawn_note
from mien.stages.faces import draw

ROOT = Path("data/raw")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def params(faces: Faces | None) -> Params:
    data = Data.model_construct(name="drawn", root=str(ROOT), faces=faces)
    return Params.model_construct(data=data)


def test_what_params_ask_for_is_drawn_at_their_root():
    asked = params(Faces(train=3, test=2, seed=11))
    draw(asked, workers=1)

    manifest = json.loads(drawn_note(asked.data).read_text())
    assert manifest == json.loads((ROOT / "manifest.json").read_text())
    assert (manifest["train"], manifest["test"], manifest["seed"]) == (3, 2, 11)
    assert len(list((ROOT / "train_set" / "images").iterdir())) == 3
    assert len(list((ROOT / "val_set" / "images").iterdir())) == 2


def test_faces_drawn_for_other_params_are_replaced():
    first, second = (params(Faces(train=n, test=1, seed=11)) for n in (3, 2))
    draw(first, workers=1)
    draw(second, workers=1)
    assert len(list((ROOT / "train_set" / "images").iterdir())) == 2
    assert json.loads(drawn_note(second.data).read_text())["train"] == 2
    assert not drawn_note(first.data).exists()  # or the first would be taken to be there still


def test_a_folder_that_was_not_drawn_is_not_touched():
    ROOT.mkdir(parents=True)
    (ROOT / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="no manifest of drawn faces"):
        draw(params(Faces(train=2, test=1, seed=11)), workers=1)
    assert (ROOT / "mine.txt").read_text() == "mine"


def test_a_users_own_data_is_not_drawn_over():
    with pytest.raises(ParamsError, match=r"data.faces: null, so .*raw is yours"):
        draw(params(None), workers=1)
    assert not ROOT.exists()
