"""Files of every format version decode for ever: those committed, and by the page alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from mien.codec.archive import digest_of, read_archive
from mien.codec.latents import digest
from mien.codec.picture import decode_picture
from mien.codec.stream import load_coder
from tests.support.format import opened, symbols

FOLDER = Path(__file__).parents[1] / "data/format-1"
SYMBOLS = json.loads((FOLDER / "symbols.json").read_text())


@pytest.fixture(scope="module")
def loaded():
    return load_coder(FOLDER / "codec.safetensors")


@pytest.fixture(scope="module")
def integers():
    tensors = load_file(FOLDER / "codec.safetensors")
    return {
        name.removeprefix("exact."): array.astype(np.int64)
        for name, array in tensors.items()
        if name.startswith("exact.")
    }


def multiple(side):
    return (side + 63) // 64 * 64


def test_the_codec_keeps_its_name(loaded):
    """Or every file it wrote would be refused."""
    record = json.loads((FOLDER / "codec.json").read_text())["record"]
    assert loaded.codec_id == record["codec_id"]


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_a_picture_of_version_1_decodes(loaded, name):
    picture, found = decode_picture(loaded, (FOLDER / f"{name}.mien").read_bytes())
    assert found.hex() == SYMBOLS[name]
    expected = np.asarray(Image.open(FOLDER / f"{name}.png"))
    assert picture.shape == expected.shape
    off = np.abs(picture.astype(int) - expected)
    assert off.max() <= 2  # g_s is floating point: a level may tip over on another machine
    assert (off > 0).mean() < 0.01


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_the_page_alone_leads_to_the_same_symbols(integers, loaded, name):
    codec, width, height, stream = opened((FOLDER / f"{name}.mien").read_bytes())
    assert loaded.codec_id.startswith(codec.hex())
    assert name == f"{width}x{height}"
    found = symbols(stream, integers, multiple(height), multiple(width))
    assert digest([array.astype(np.int32) for array in found]).hex() == SYMBOLS[name]


def test_an_archive_of_version_1_decodes(loaded, integers):
    table, shared = read_archive(FOLDER / "streams.parquet")
    streams = table["stream"].to_pylist()
    assert shared.codec == loaded.codec_id
    _, found = loaded.coder.decode(streams, shared.height, shared.width)
    assert digest_of(found) == shared.symbols
    by_page = symbols(streams[0], integers, shared.height, shared.width)
    assert digest([array.astype(np.int32) for array in by_page]) == found[0]


def test_the_files_hold_more_than_the_likeliest_symbols(integers):
    _, _, _, stream = opened((FOLDER / "100x75.mien").read_bytes())
    z, y = symbols(stream, integers, 128, 128)
    assert len(np.unique(z)) > 1
    assert len(np.unique(y)) > 5
