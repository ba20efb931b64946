import os
import subprocess
import sys
from itertools import chain

import numpy as np
import pytest
import torch

from mien.codec.integers import codec_id, exported
from mien.codec.latents import STOCK
from mien.codec.stream import Latents, coder_of, load_coder
from mien.errors import CheckpointError, StreamError
from mien.tensors import save_tensors, under


@pytest.fixture(scope="module")
def x(faces):
    return faces.float().div(255)


@pytest.fixture(scope="module")
def coder(trained_codec):
    return coder_of(trained_codec)


@pytest.fixture(scope="module")
def checkpoint(trained_codec, tmp_path_factory):
    path = tmp_path_factory.mktemp("codec") / "checkpoint.safetensors"
    integers = exported(trained_codec)
    tensors = under(trained_codec.state_dict(), "codec") | under(integers, "exact")
    save_tensors(path, tensors, {"channels": [16, 24]})
    return path


@pytest.mark.parametrize("batch", [1, 3, 12])
@pytest.mark.parametrize("threads", [1, 2])
def test_streams_decode_in_any_batch_on_any_number_of_threads(coder, x, batch, threads):
    coded = coder.encode(x)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        parts = range(0, len(x), batch)
        found = [coder.decode(coded.streams[i : i + batch], 128, 128)[1] for i in parts]
    finally:
        torch.set_num_threads(before)
    assert list(chain.from_iterable(found)) == coded.symbols
    assert len(set(coded.symbols)) == len(x)


def test_latents_give_the_same_bytes_in_any_batch(coder, x):
    latents = coder.analyse(x)
    whole = coder.entropy.encode(latents.y, latents.z).streams
    parts = [
        coder.entropy.encode(y, z).streams
        for y, z in zip(latents.y.split(5), latents.z.split(5), strict=True)
    ]
    assert list(chain.from_iterable(parts)) == whole
    last = torch.channels_last
    again = coder.entropy.encode(
        latents.y.contiguous(memory_format=last), latents.z.contiguous(memory_format=last)
    )
    assert again.streams == whole


def test_the_bytes_are_few_more_than_the_likelihoods_say(coder, trained_codec, x):
    latents = coder.analyse(x)
    n_bytes = sum(map(len, coder.write(latents).streams))
    estimate = coder.estimated_bits(latents).sum().item() / 8
    stock = sum(map(len, coder_of(trained_codec, entropy=STOCK).write(latents).streams))
    assert estimate * 0.98 < n_bytes < estimate * 1.02 + 2 * len(x)
    assert n_bytes < stock - 6 * len(x)


def test_the_map_of_bits_adds_up_to_the_estimate_of_the_whole(coder, x):
    latents = coder.analyse(x)
    found = coder.bit_map(latents)
    assert found.y.shape == (len(x), x.shape[2] // 16, x.shape[3] // 16)
    total = found.y.sum(dim=(1, 2)) + found.z
    torch.testing.assert_close(total, coder.estimated_bits(latents), rtol=1e-5, atol=0)
    assert (found.y.flatten(1).std(dim=1) > 0).all()


def test_the_map_of_bits_is_of_its_places(coder, x):
    """Latents that are noise in one corner alone cost bits in that corner."""
    latents = coder.analyse(x)
    y = latents.y.clone()
    y[:, :, :1, :1] += 40 * torch.sign(torch.randn(y[:, :, :1, :1].shape))
    more = coder.bit_map(Latents(y, latents.z)).y - coder.bit_map(latents).y
    assert (more[:, 0, 0] > 10).all()
    assert more.flatten(1)[:, 1:].abs().max() == 0


def test_the_decoded_picture_is_as_good_as_compressais(coder, trained_codec, x):
    images, _ = coder.decode(coder.encode(x).streams, 128, 128)
    with torch.inference_mode():
        out = trained_codec.compress(x)
        theirs = trained_codec.decompress(out["strings"], out["shape"])["x_hat"]
    ours_mse, their_mse = ((p - x).square().mean() for p in (images / 255, theirs))
    assert 10 * torch.log10(ours_mse / their_mse).abs() < 0.02


def test_bfloat16_networks_write_streams_that_decode_to_their_symbols(trained_codec, coder, x):
    fast = coder_of(trained_codec, precision="bfloat16")
    coded = fast.encode(x)
    images, symbols = coder.decode(coded.streams, 128, 128)
    assert symbols == coded.symbols
    assert (images / 255 - x).abs().mean() < 0.15


def test_sides_that_are_no_multiples_of_64_are_refused(coder):
    with pytest.raises(ValueError, match="multiples of 64"):
        coder.analyse(torch.zeros(1, 3, 64, 100))


def test_a_truncated_stream_never_decodes_to_the_symbols_that_were_written(coder, x):
    coded = coder.encode(x[:1])
    for length in range(len(coded.streams[0])):
        try:
            _, symbols = coder.decode([coded.streams[0][:length]], 128, 128)
        except StreamError:
            continue
        assert symbols != coded.symbols


def test_a_checkpoint_decodes_with_the_integers_it_holds(checkpoint, trained_codec, coder, x):
    coded = coder.encode(x)
    loaded = load_coder(checkpoint)
    assert loaded.coder.decode(coded.streams, 128, 128)[1] == coded.symbols
    assert loaded.codec_id == codec_id(trained_codec, exported(trained_codec))


def test_a_codec_has_another_name_when_an_integer_changes(trained_codec):
    integers = exported(trained_codec)
    before = codec_id(trained_codec, integers)
    integers["hyper.bias.2"] = integers["hyper.bias.2"] + 1
    assert codec_id(trained_codec, integers) != before


def test_a_file_without_a_codec_is_refused(tmp_path):
    save_tensors(tmp_path / "x.safetensors", {"classifier.a": torch.zeros(1)}, {})
    with pytest.raises(CheckpointError, match="holds no codec"):
        load_coder(tmp_path / "x.safetensors")


DECODE = """
import sys, pickle, torch
from pathlib import Path
from mien.codec.stream import load_coder
checkpoint, streams, out, onednn = sys.argv[1:]
with torch.backends.mkldnn.flags(enabled=onednn == "1"):
    coder = load_coder(Path(checkpoint)).coder
    lines = Path(streams).read_text().split()
    _, symbols = coder.decode([bytes.fromhex(line) for line in lines], 128, 128)
Path(out).write_text(" ".join(symbol.hex() for symbol in symbols))
"""


@pytest.mark.parametrize(
    ("environment", "onednn"),
    [
        ({"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}, "1"),
        ({"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}, "1"),
        ({}, "0"),
    ],
    ids=["sse41", "avx2", "no-onednn"],
)
def test_other_instruction_sets_find_the_same_symbols(
    coder, checkpoint, x, tmp_path, environment, onednn
):
    coded = coder.encode(x)
    streams, out = tmp_path / "streams", tmp_path / "symbols"
    streams.write_text(" ".join(stream.hex() for stream in coded.streams))
    command = [sys.executable, "-c", DECODE, checkpoint, streams, out, onednn]
    subprocess.run(command, check=True, env=os.environ | environment, capture_output=True)
    assert out.read_text().split() == [symbol.hex() for symbol in coded.symbols]


def test_the_codec_under_test_uses_more_than_a_symbol(coder, x):
    assert min(map(len, coder.encode(x).streams)) > 60
    y_hat = coder.entropy.decode(coder.encode(x).streams, (2, 2)).y_hat
    assert len(np.unique(y_hat.round().numpy())) > 5
