"""The benchmarks run; what they measure is not judged here."""

import importlib.util


def test_the_stream_benchmark_prints_its_ratios(request, capsys):
    path = request.config.rootpath / "benchmarks/streams.py"
    spec = importlib.util.spec_from_file_location("benchmark_streams", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = module.measure(count=2, size=64, rounds=1)
    assert set(table) == {"encode_fp32", "decode_fp32", "bytes_over_compressai"}
    assert all(value > 0 for value in table.values())
    assert 1.0 < table["bytes_over_compressai"] < 1.02  # one byte more a picture
    assert "ratio" in capsys.readouterr().out
