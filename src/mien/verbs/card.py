"""The model card of an exported folder: what it is, how it was measured, how to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.params import Params
from mien.report.statistics import Measured, RunStatistics, Statistics
from mien.runs import Run
from mien.tensors import load_tensors
from mien.verbs.named import CLASSIFIER_FILE, CODEC_FILE
from mien.verbs.networks import Written

USE = """\
```sh
mien encode photo.jpg -o photo.mien --codec {folder}
mien decode photo.mien -o photo.png --codec {folder}
mien classify photo.mien --codec {folder}
```

`{codec}` holds mbt2018-mean as CompressAI names its tensors (`codec.*`) and the integers that
streams are coded with (`exact.*`): what was encoded anywhere decodes to the same symbols
everywhere. `{classifier}` is a ResNet-18 with LibreFace's names. The format of the streams is
in mien's docs/format.md."""

LIMITS = """\
The classifier names one of eight expressions that a face shows, as its training data were
annotated. It does not tell what a person feels, and it is wrong as often as the table says,
more often on other kinds of pictures. A decoded face is a reconstruction: at low rates, details
that are not in the stream are the codec's."""


def card(
    run: Run,
    statistics: Statistics,
    folder: Path,
    networks: list[Written],
    params: Params,
) -> str:
    """Return the README of a folder that holds both files already.

    Args:
        run: What is exported.
        statistics: With this run in it.
        folder: Where the files are; its records say what they were trained with.
        networks: Those written as ONNX.
        params: They say whose weights the classifier comes from.
    """
    codec = load_tensors(folder / CODEC_FILE)[1]
    classifier = load_tensors(folder / CLASSIFIER_FILE)[1]
    use = USE.format(folder="FOLDER", codec=CODEC_FILE, classifier=CLASSIFIER_FILE)
    blocks = [
        f"# {run.strategy}/{run.setting}: a codec for faces and the classifier that reads them",
        _measured(statistics, statistics.runs[run.strategy][run.setting]),
        f"## Use\n\n{use}",
        f"## What it is\n\n{_facts(codec, classifier, params)}",
    ]
    if networks:
        blocks.append(f"## ONNX\n\n{_networks(networks)}")
    return "\n\n".join([*blocks, f"## Limits\n\n{LIMITS}"]) + "\n"


def _measured(statistics: Statistics, run: RunStatistics) -> str:
    rows = [
        ("Rate, of stored bytes [bit/pixel]", f"{run.bpp:.4f}"),
        ("Bytes a picture, mean", f"{run.n_bytes:.0f}"),
        ("Accuracy on decoded pictures [%]", _interval(run.accuracy)),
        ("Accuracy on the raw pictures [%]", _interval(run.raw_accuracy)),
        ("Macro F1, decoded [%]", _interval(run.decoded.macro_f1)),
        ("Unweighted average recall, decoded [%]", _interval(run.decoded.uar)),
        ("PSNR, mean [dB]", "–" if run.psnr is None else f"{run.psnr:.2f}"),
        ("MS-SSIM, mean", "–" if run.ms_ssim is None else f"{run.ms_ssim:.4f}"),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    data, made = statistics.dataset, statistics.provenance
    return (
        f"Measured on {data.n} test images of {data.name}, {data.image_size} pixels a side, "
        "from stored bytes; 95 % paired-bootstrap intervals over images "
        f"({made.resamples} resamples), one training (seed {made.finetune_seed}), commit "
        f"{made.commit}.\n\n| | |\n| --- | ---: |\n" + "\n".join(lines)
    )


def _interval(found: Measured) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _facts(codec: dict[str, Any], classifier: dict[str, Any], params: Params) -> str:
    described = classifier["classifier"]
    facts = [
        f"Codec: mbt2018-mean, N, M = {codec['channels']}, quality {codec['quality']} "
        f"(lambda {codec['lambda']}), id `{codec.get('codec_id')}`.",
        f"Loss weights: {codec['loss']}." if "loss" in codec else "The pretrained codec.",
        f"Classifier: ResNet-18, width {described['width']}, reads {described['input_size']}x"
        f"{described['input_size']} pixels; labels {', '.join(described['labels'])}.",
    ]
    if found := classifier.get("calibration"):
        facts.append(
            f"Calibration: logits are divided by {found['temperature']}, fitted on "
            f"{found['n']} {found['pictures']} pictures of `val`."
        )
    if params.classifier_is_libreface_s:
        facts.append("Trained from LibreFace's weights: research and non-profit use only.")
    return "\n".join(f"- {fact}" for fact in facts)


def _networks(networks: list[Written]) -> str:
    rows = [
        f"| `onnx/{n.name}.onnx` | {n.takes} | {n.gives} | "
        f"{n.largest_difference:.1e} of {n.largest_output:.3g} |"
        for n in networks
    ]
    head = (
        "| File | Takes | Gives | Largest difference from PyTorch |\n| --- | --- | --- | ---: |"
    )
    return "\n".join([head, *rows]) + (
        "\n\nThe hyper-synthesis h_s is not among them: it is computed in integers, or streams "
        "would not decode everywhere."
    )
