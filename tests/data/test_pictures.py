from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.data import pictures
from mien.errors import DataError
from tests.data.conftest import noise


def coded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def read(data):
    return pictures.rgb(pictures.decoded(data, Path("face")))


def pixels(image):
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def test_grey_becomes_three_equal_channels():
    grey = noise(0, mode="L")
    seen = pixels(read(coded(grey, "PNG")))
    assert (seen == np.asarray(grey)[..., None]).all()


def test_a_palette_becomes_its_colours():
    palette = noise(0).quantize(16)
    assert (pixels(read(coded(palette, "PNG"))) == pixels(palette.convert("RGB"))).all()


def test_cmyk_keeps_its_colours():
    red = Image.new("RGB", (16, 16), (200, 30, 60))
    seen = pixels(read(coded(red.convert("CMYK"), "JPEG", quality=100)))
    assert abs(seen - pixels(red)).max() <= 3  # JPEG is lossy


def test_alpha_lies_over_white_whatever_colour_it_hides():
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (90, 0, 0, 0))
    assert pixels(read(coded(image, "PNG"))).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_half_alpha_is_mixed_with_white():
    image = Image.new("RGBA", (1, 1), (0, 100, 200, 51))  # a fifth
    assert pixels(read(coded(image, "PNG"))).tolist() == [[[204, 224, 244]]]


def test_a_transparent_palette_entry_is_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    seen = pixels(read(coded(image, "PNG", transparency=1)))
    assert seen.tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1))],
)
def test_a_picture_is_upright(orientation, turned):
    image, exif = noise(0), Image.Exif()
    exif[0x0112] = orientation
    seen = pixels(read(coded(image, "PNG", exif=exif)))
    assert np.array_equal(seen, turned(pixels(image)))


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_eight_bits_are_refused_not_clipped(mode):
    deep = Image.new(mode, (4, 4))
    with pytest.raises(DataError, match=rf"deep\.tif: .*mode {mode}: convert it to 8-bit RGB"):
        pictures.decoded(coded(deep, "TIFF"), Path("deep.tif"))


@pytest.mark.filterwarnings("ignore")  # Pillow's, of odd tags and absurd sizes
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_damage_anywhere_is_a_data_error_or_a_picture(format):
    data = coded(noise(0), format)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(0, min(200, len(data)), 3):
            damaged[place] ^= int(rng.integers(1, 256))
        try:
            read(bytes(damaged))
        except DataError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize(
    ("filter", "resampling"),
    [
        ("bilinear", Image.Resampling.BILINEAR),
        ("bicubic", Image.Resampling.BICUBIC),
        ("lanczos", Image.Resampling.LANCZOS),
    ],
)
def test_the_filter_is_the_one_named(filter, resampling):
    image = noise(0, (50, 40))
    seen = pixels(pictures.resized(image, 64, filter))
    assert np.array_equal(seen, pixels(image.resize((64, 64), resampling)))


@pytest.mark.parametrize("format", ["webp", "png"])
def test_encoding_is_lossless_and_in_the_named_format(format):
    image = noise(0, (64, 64))
    with Image.open(io.BytesIO(pictures.encoded(image, format))) as seen:
        assert seen.format == format.upper()
        assert np.array_equal(pixels(seen), pixels(image))


@pytest.mark.parametrize("format", ["webp", "png"])
def test_no_metadata_of_the_source_gets_into_the_shard(format):
    image = noise(0, (64, 64))
    bare = pictures.encoded(image, format)
    image.info |= {"icc_profile": b"profile" * 99, "transparency": (1, 2, 3), "dpi": (72, 72)}
    assert pictures.encoded(image, format) == bare
