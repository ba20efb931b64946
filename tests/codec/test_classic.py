"""Classic codecs: complete files and nothing but, read back as Pillow reads them."""

import io
import sys

import numpy as np
import pytest
from PIL import Image, features

from mien.codec import classic
from mien.errors import StreamError
from mien.runs import CLASSIC

QUALITIES = (5, 20, 50, 80)


@pytest.fixture(scope="module")
def face(faces):
    return np.ascontiguousarray(faces[3].permute(1, 2, 0).numpy())


def distortion(a, b):
    return np.mean((a.astype(float) - b.astype(float)) ** 2)


def opened(data):
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def test_every_codec_that_params_can_name_has_a_recipe():
    assert tuple(classic.RECIPES) == CLASSIC
    assert classic.missing(CLASSIC) == {}


@pytest.mark.parametrize("codec", CLASSIC)
@pytest.mark.parametrize("size", [(128, 128), (97, 61), (1, 2)])
def test_a_file_of_any_size_comes_back_as_pillow_reads_it(codec, size, face):
    height, width = size
    picture = face[:height, -width:].copy()
    data = classic.encode(codec, picture, 80)
    decoded = classic.decode(codec, data, height, width)
    assert (decoded.shape, decoded.dtype) == ((height, width, 3), np.uint8)
    np.testing.assert_array_equal(decoded, np.asarray(opened(data).convert("RGB")))
    assert opened(data).format == classic.RECIPES[codec].format
    if size != (1, 2):
        assert distortion(decoded, picture) < 40


@pytest.mark.parametrize("codec", CLASSIC)
def test_a_higher_quality_costs_bytes_and_is_closer(codec, face):
    files = [classic.encode(codec, face, quality) for quality in QUALITIES]
    errors = [distortion(classic.decode(codec, data, 128, 128), face) for data in files]
    assert sorted(map(len, files)) == list(map(len, files))
    assert len(set(map(len, files))) == len(files)
    assert sorted(errors, reverse=True) == errors
    assert files == [classic.encode(codec, face, quality) for quality in QUALITIES]


@pytest.mark.parametrize("codec", CLASSIC)
def test_no_byte_goes_to_metadata(codec, face):
    data = classic.encode(codec, face, 50)
    image = opened(data)
    assert not image.getexif()
    assert not [name for name in ("exif", "xmp", "comment") if image.info.get(name)]
    if codec == "jxl":  # a bare codestream; its decoder writes a profile of what it found
        assert data[:2] == b"\xff\x0a"
        assert image.info["icc_profile"][4:8] == b"jxl "
    else:
        assert not image.info.get("icc_profile")


def test_optimised_jpeg_is_the_same_picture_in_fewer_bytes(face):
    plain, optimised = (classic.encode(codec, face, 30) for codec in ("jpeg", "jpeg-optimised"))
    assert len(optimised) < len(plain)
    assert opened(optimised).info.get("progressive")
    assert not opened(plain).info.get("progressive")
    np.testing.assert_array_equal(
        classic.decode("jpeg", plain, 128, 128),
        classic.decode("jpeg-optimised", optimised, 128, 128),
    )


@pytest.mark.parametrize("codec", ["jpeg", "jpeg-optimised", "avif", "heic"])
def test_chroma_is_subsampled_as_the_settings_say(codec, face):
    """Stripes of one brightness, a pixel wide, fade where colour has half the resolution."""
    stripes = np.zeros_like(face)
    stripes[:, ::2], stripes[:, 1::2] = (200, 90, 90), (60, 150, 140)
    assert classic.settings_of(codec, 90)["subsampling"] == "4:2:0"
    decoded = classic.decode(codec, classic.encode(codec, stripes, 90), 128, 128).astype(int)
    seen = (decoded[..., 0] - decoded[..., 2]).std()
    assert seen < 0.25 * (stripes[..., 0].astype(int) - stripes[..., 2]).std()


@pytest.mark.parametrize("codec", CLASSIC)
def test_the_library_is_told_with_its_version_and_all_settings(codec):
    assert any(character.isdigit() for character in classic.library_of(codec))
    settings = classic.settings_of(codec, 30)
    assert settings.pop("quality") == 30
    assert settings == classic.RECIPES[codec].settings
    assert settings is not classic.RECIPES[codec].settings


def test_coding_leaves_the_settings_as_they_are(face):
    classic.encode("heic", face, 30)  # the plugin writes into the dictionary it is given
    parameters = {"preset": "slow", "tune": "ssim", "x265:pools": "none"}
    assert classic.settings_of("heic", 30)["enc_params"] == parameters


@pytest.mark.parametrize(
    ("codec", "module", "command"),
    [
        ("heic", "pillow_heif", "pip install 'pillow-heif'"),
        ("jxl", "pillow_jxl", "pip install 'pillow-jxl-plugin'"),
    ],
)
def test_a_plugin_that_is_not_installed_is_named(codec, module, command, monkeypatch, face):
    monkeypatch.setitem(sys.modules, module, None)
    assert classic.missing(CLASSIC) == {codec: command}
    assert classic.missing(["jpeg"]) == {}
    for code in (
        lambda: classic.encode(codec, face, 30),
        lambda: classic.decode(codec, b"", 1, 1),
    ):
        with pytest.raises(StreamError, match=f"{codec}: its library is not installed"):
            code()


def test_what_this_pillow_lacks_is_named(monkeypatch):
    monkeypatch.setattr(features, "version", lambda _: None)
    lacking = classic.missing(CLASSIC)
    assert lacking["avif"] == "pip install 'pillow>=11.3'"
    assert set(lacking) == {"jpeg", "jpeg-optimised", "webp", "avif"}


@pytest.mark.parametrize("codec", CLASSIC)
def test_other_bytes_are_refused(codec, face):
    data = classic.encode(codec, face, 50)
    foreign = io.BytesIO()
    Image.fromarray(face).save(foreign, "PNG")
    for other in (b"", data[:100], data[: len(data) // 2], b"x" * 500, foreign.getvalue()):
        with pytest.raises(StreamError, match=f"{codec}: not a whole"):
            classic.decode(codec, other, 128, 128)
    with pytest.raises(StreamError, match="128x128 pixels, not the RGB of 128x64"):
        classic.decode(codec, data, 64, 128)


def test_a_grey_file_is_refused(face):
    grey = io.BytesIO()
    Image.fromarray(face).convert("L").save(grey, "JPEG")
    with pytest.raises(StreamError, match="mode L"):
        classic.decode("jpeg", grey.getvalue(), 128, 128)


@pytest.mark.parametrize("codec", CLASSIC)
def test_damage_is_refused_or_gives_a_picture_and_never_another_error(codec, face):
    data = classic.encode(codec, face[:64, :64].copy(), 30)
    generator = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 4):
            damaged[place] = generator.integers(0, 256)
        try:
            classic.decode(codec, bytes(damaged), 64, 64)
        except StreamError:
            refused += 1
    assert refused
