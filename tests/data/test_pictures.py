from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path

import cv2
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
    picture = pictures.rgb(data, Path("face"))
    assert (picture.dtype, picture.ndim, picture.shape[2]) == (np.uint8, 3, 3)
    return picture.astype(int)


def pixels(image):
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def smooth(width, height):
    """Return a picture with gradients and edges, as JPEG likes them, uint8 [H, W, 3]."""
    y, x = np.mgrid[:height, :width]
    return np.stack(
        [x * 255 // width, y * 255 // height, (x // 9 + y // 7) % 2 * 200], -1
    ).astype(np.uint8)


def test_grey_becomes_three_equal_channels():
    grey = noise(0, mode="L")
    seen = read(coded(grey, "PNG"))
    assert (seen == np.asarray(grey)[..., None]).all()


def test_a_palette_becomes_its_colours():
    palette = noise(0).quantize(16)
    assert (read(coded(palette, "PNG")) == pixels(palette.convert("RGB"))).all()


def test_cmyk_keeps_its_colours():
    red = Image.new("RGB", (16, 16), (200, 30, 60))
    seen = read(coded(red.convert("CMYK"), "JPEG", quality=100))
    assert abs(seen - pixels(red)).max() <= 3  # JPEG is lossy


def test_alpha_lies_over_white_whatever_colour_it_hides():
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (90, 0, 0, 0))
    assert read(coded(image, "PNG")).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_half_alpha_is_mixed_with_white():
    image = Image.new("RGBA", (1, 1), (0, 100, 200, 51))  # a fifth
    assert read(coded(image, "PNG")).tolist() == [[[204, 224, 244]]]


def test_a_transparent_palette_entry_is_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    seen = read(coded(image, "PNG", transparency=1))
    assert seen.tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1))],
)
def test_a_picture_is_upright(format, orientation, turned):
    image, exif = Image.fromarray(smooth(40, 24)), Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    seen = read(coded(image, format, exif=exif, **options))
    assert seen.shape == turned(np.asarray(image)).shape
    assert abs(seen - turned(pixels(image))).max() <= 3  # JPEG is lossy


JPEGS = {
    "4:2:0": {"quality": 90},
    "4:4:4": {"quality": 95, "subsampling": 0},
    "4:2:2": {"quality": 40, "subsampling": 1},
    "progressive": {"quality": 85, "progressive": True},
    "optimised": {"quality": 85, "optimize": True},
    "with a profile": {"quality": 85, "icc_profile": b"profile" * 99},
}


@pytest.mark.parametrize("size", [(224, 224), (33, 47), (1, 1), (16, 300)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS.keys())
def test_libjpeg_turbo_gives_pillows_pixels(size, mode, options):
    data = coded(Image.fromarray(smooth(*size)).convert(mode), "JPEG", **options)
    assert pictures._turbo(data) is not None
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(read(data), pixels(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_eight_bits_are_refused_not_clipped(mode):
    deep = Image.new(mode, (4, 4))
    with pytest.raises(DataError, match=rf"deep\.tif: .*mode {mode}: convert it to 8-bit RGB"):
        pictures.rgb(coded(deep, "TIFF"), Path("deep.tif"))


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", [0.5, 0.97])
def test_a_picture_cut_short_is_called_truncated(format, kept):
    data = coded(noise(0, (90, 70)), format)
    with pytest.raises(pictures.TruncatedError, match=r"^face: cannot be decoded") as refusal:
        read(data[: int(kept * len(data))])
    assert refusal.value.kind == "truncated"


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_other_bytes_are_called_broken(data):
    with pytest.raises(pictures.UnreadableError) as refusal:
        read(data)
    assert refusal.value.kind == "broken"


def test_a_refusal_survives_the_way_from_a_worker():
    refusal = pickle.loads(pickle.dumps(pictures.TruncatedError("face: cut")))
    assert (str(refusal), refusal.kind) == ("face: cut", "truncated")


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


def test_a_crop_is_the_part_inside_the_box():
    picture = np.asarray(noise(0, (9, 7)))
    seen = pictures.cropped(picture, (2, 1, 4, 5))
    assert np.array_equal(seen, picture[1:6, 2:6])


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
    seen = pictures.resized(np.asarray(image), 64, filter)
    assert np.array_equal(seen, np.asarray(image.resize((64, 64), resampling)))


@pytest.mark.parametrize(
    ("size", "kernel"), [((50, 40), cv2.INTER_CUBIC), ((50, 90), cv2.INTER_AREA)]
)
def test_opencvs_filter_enlarges_with_cubic_and_reduces_with_area(size, kernel):
    picture = np.asarray(noise(0, size))
    seen = pictures.resized(picture, 64, "opencv-bicubic")
    assert np.array_equal(seen, cv2.resize(picture, (64, 64), interpolation=kernel))


GOLDEN = {  # sha256 of the pixels: another library version must not change a data set unseen
    "bilinear": "af5652fca936da26",
    "bicubic": "ba85fa177995bf72",
    "lanczos": "1b64310c0090813e",
    "opencv-bicubic": "53a80cc36680edcc",
}


@pytest.mark.parametrize("filter", GOLDEN)
def test_the_pixels_are_those_of_every_earlier_version(filter):
    seen = pictures.resized(smooth(224, 224), 256, filter)
    assert hashlib.sha256(seen.tobytes()).hexdigest()[:16] == GOLDEN[filter]


@pytest.mark.parametrize(("format", "named"), [("webp", "WEBP"), ("png", "PNG")])
def test_encoding_is_lossless_and_in_the_named_format(format, named):
    picture = np.asarray(noise(0, (64, 64)))
    data = pictures.encoded(picture, format, None)
    with Image.open(io.BytesIO(data)) as seen:
        assert seen.format == named
        assert np.array_equal(np.asarray(seen), picture)


@pytest.mark.parametrize("format", ["webp", "png", "raw"])
def test_decoding_gives_back_what_was_encoded(format):
    picture = np.asarray(noise(0, (64, 64)))
    data = pictures.encoded(picture, format, None)
    assert np.array_equal(pictures.decoded(memoryview(data), format), picture)


def test_raw_is_an_array_that_numpy_reads():
    picture = np.asarray(noise(0, (64, 64)))
    data = pictures.encoded(picture, "raw", None)
    assert np.array_equal(np.load(io.BytesIO(data)), picture)
    assert len(data) == picture.size + 128


@pytest.mark.parametrize("quality", [60, 95])
def test_a_jpeg_has_its_quality_and_half_the_chroma(quality):
    picture = smooth(64, 64)
    data = pictures.encoded(picture, "jpg", quality)
    with Image.open(io.BytesIO(data)) as seen:
        expected = Image.open(
            io.BytesIO(coded(Image.fromarray(picture), "JPEG", quality=quality))
        )
        assert seen.format == "JPEG"
        assert seen.quantization == expected.quantization
        assert [layer[1:3] for layer in seen.layer] == [(2, 2), (1, 1), (1, 1)]
        assert np.array_equal(pictures.decoded(data, "jpg"), np.asarray(seen))


def test_a_cropped_picture_can_be_written_in_every_format():
    part = pictures.cropped(np.asarray(noise(0, (70, 70))), (3, 2, 64, 64))
    for format in ("webp", "png", "raw"):
        data = pictures.encoded(part, format, None)
        assert np.array_equal(pictures.decoded(data, format), part)
    assert pictures.decoded(pictures.encoded(part, "jpg", 95), "jpg").shape == (64, 64, 3)
