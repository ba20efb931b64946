import pytest

from mien.errors import DataError
from mien.files import read_manifest, replacing, write_json, write_manifest


def test_a_failure_leaves_nothing_under_the_final_name(tmp_path):
    path = tmp_path / "a.bin"

    def fail():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1})
    with pytest.raises(TypeError):
        write_json(path, {"b": object()})
    assert path.read_text() == '{\n  "b": 1\n}\n'


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"payload")
    write_manifest(tmp_path / "x.json", [tmp_path / "x.bin"], n=3)
    return tmp_path / "x.json"


def test_a_whole_payload_is_accepted(manifest):
    assert read_manifest(manifest)["n"] == 3


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_damaged_payload_is_named(manifest, damage):
    payload = manifest.with_name("x.bin")
    if damage == "change":
        payload.write_bytes(b"pay1oad")
    else:
        payload.unlink()
    with pytest.raises(DataError, match=r"x\.bin"):
        read_manifest(manifest)
