from pathlib import Path

import pytest

from mien import device


@pytest.fixture(autouse=True)
def _said_nothing_yet():
    device.say_if_slow.cache_clear()
    yield
    device.say_if_slow.cache_clear()


@pytest.mark.parametrize(
    ("flags", "precision", "said"),
    [
        ("fpu avx2 avx512f", "bfloat16", True),
        ("fpu avx2 avx512f avx512_bf16", "bfloat16", False),
        ("fpu amx_bf16", "bfloat16", False),
        ("asimd bf16 i8mm", "bfloat16", False),
        ("fpu avx2", "float32", False),
    ],
)
def test_emulated_bfloat16_is_announced(monkeypatch, capsys, flags, precision, said):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"flags : {flags}")
    monkeypatch.setattr(Path, "exists", lambda _: True)
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: False)
    for _ in range(2):
        device.say_if_slow(precision)
    assert capsys.readouterr().err.count("bfloat16: this processor has no") == said
