"""Stage `faces`: from params.yaml to a data set, or a refusal."""

import json
from pathlib import Path

import pytest

from mien.errors import ParamsError
from mien.params import Data, Faces, Params
from mien.stages.faces import draw


def params(root: Path, faces: Faces | None) -> Params:
    data = Data(name="drawn", root=str(root), faces=faces, val_fraction=0.1, seed=0)
    return Params.model_construct(data=data)


def test_what_params_ask_for_is_drawn_at_their_root(tmp_path):
    root = tmp_path / "data" / "raw"
    draw(params(root, Faces(train=3, test=2, seed=11)), workers=1)

    manifest = json.loads((root / "manifest.json").read_text())
    assert (manifest["train"], manifest["test"], manifest["seed"]) == (3, 2, 11)
    assert len(list((root / "train_set" / "images").iterdir())) == 3
    assert len(list((root / "val_set" / "images").iterdir())) == 2


def test_a_users_own_data_is_not_drawn_over(tmp_path):
    with pytest.raises(ParamsError, match=r"data.faces: null, so .*raw is yours"):
        draw(params(tmp_path / "raw", None), workers=1)
    assert list(tmp_path.iterdir()) == []
