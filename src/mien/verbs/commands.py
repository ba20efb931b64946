"""The arguments of what people type, beside the workflow's stages."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mien import paths
from mien.claim import claimed
from mien.quickstart import quick_start

Command = Callable[[argparse.Namespace], None]
Add = Callable[[str, Command, str], argparse.ArgumentParser]

_CODEC = "a run such as joint/q3, a .safetensors file, or a folder that `mien export` wrote"


def add_commands(add: Add) -> None:
    """Add plan, encode, decode, classify, info, compare and export.

    Args:
        add: Adds one command with its name, what runs it and its help.
    """
    plan = add("plan", _plan, "what would run, and the hours and disk it would take")
    plan.add_argument("--params", type=Path, default=paths.PARAMS, help="%(default)s")
    plan.add_argument("--gpus", type=int, default=1, metavar="N", help="default: %(default)s")
    plan.add_argument(
        "--speeds",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what benchmarks/costs.py measured on your machine, or on its GPU",
    )
    plan.add_argument("--json", action="store_true", help="all of it as one object")
    encode = add("encode", _encode, "write pictures as .mien files")
    encode.add_argument("names", nargs="+", metavar="IMAGE", help="a file, folder or pattern")
    encode.add_argument("-o", "--out", required=True, help="a file for one picture; a folder")
    encode.add_argument("--codec", required=True, help=_CODEC)
    encode.add_argument("--verify", action="store_true", help="decode each again and compare")
    encode.add_argument("--force", action="store_true", help="replace files that are there")
    decode = add("decode", _decode, "write the pictures of .mien files")
    decode.add_argument("names", nargs="+", metavar="FILE", help="a file, folder or pattern")
    decode.add_argument("-o", "--out", required=True, help="a file for one picture; a folder")
    decode.add_argument("--codec", help=f"{_CODEC}; default: found by the id in each file")
    decode.add_argument("--force", action="store_true", help="replace files that are there")
    classify = add("classify", _classify, "name the expression of faces, and how sure that is")
    classify.add_argument(
        "names", nargs="+", metavar="FILE", help="a picture, a .mien file, a folder or pattern"
    )
    classify.add_argument("--codec", help=f"of .mien files: {_CODEC}; default: found by id")
    classify.add_argument(
        "--classifier", help="likewise; default: the codec's own, of pictures the pretrained"
    )
    classify.add_argument("--json", action="store_true", help="an object a line")
    info = add("info", _info, "what a .mien file, an archive or a weights file is")
    info.add_argument("file", type=Path)
    compare = add("compare", _compare, "two runs side by side, with paired differences")
    compare.add_argument("first", metavar="RUN", help="such as pretrained/q3")
    compare.add_argument("second", metavar="RUN", help="such as joint/q3")
    compare.add_argument("--params", type=Path, default=paths.PARAMS, help="%(default)s")
    export = add("export", _export, "write a run's models and model card to a folder")
    export.add_argument("name", metavar="RUN", help="such as joint/q3")
    export.add_argument("folder", type=Path)
    export.add_argument("--no-onnx", action="store_true", help="leave the ONNX files out")
    export.add_argument("--force", action="store_true", help="replace a folder of mien's")


def prepare_resume(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `mien resume` its arguments; what it does not know is Snakemake's."""
    parser.usage = "mien resume [--force] [ARGUMENT OF SNAKEMAKE ...]"
    parser.set_defaults(run=_resume, passed_on=[])
    parser.add_argument(
        "--force", action="store_true", help="though it may be at work on another machine"
    )


def _with_threads(args: argparse.Namespace) -> None:
    quick_start()
    import torch

    torch.set_num_threads(args.threads)


@contextmanager
def networks(args: argparse.Namespace, gpus: int = 1, *, wait: bool = False) -> Iterator[None]:
    """Run networks on so many GPUs of this process's own, and on so many threads.

    Args:
        args: Of the command.
        gpus: How many.
        wait: Until they are free, as a job does; who types does not, and has the CPU then.
    """
    with claimed(gpus, wait=wait):
        _with_threads(args)
        yield


def _plan(args: argparse.Namespace) -> None:
    from mien.verbs.plan import plan

    print(plan(args.params, args.gpus, args.speeds, args.json))


def _encode(args: argparse.Namespace) -> None:
    with networks(args):
        from mien.verbs.coding import encode

        encode(args.names, args.out, args.codec, verify=args.verify, force=args.force)


def _decode(args: argparse.Namespace) -> None:
    with networks(args):
        from mien.verbs.coding import decode

        decode(args.names, args.out, args.codec, force=args.force)


def _classify(args: argparse.Namespace) -> None:
    with networks(args):
        from mien.verbs.classify import classify

        classify(args.names, args.codec, args.classifier, as_json=args.json)


def _info(args: argparse.Namespace) -> None:
    from mien.verbs.info import info

    print(info(args.file))


def _compare(args: argparse.Namespace) -> None:
    from mien.verbs.compare import compare

    print(compare(args.first, args.second, args.params))


def _export(args: argparse.Namespace) -> None:
    _with_threads(args)
    from mien.verbs.export import export

    export(args.name, args.folder, onnx=not args.no_onnx, force=args.force)


def _resume(args: argparse.Namespace) -> None:
    from mien.verbs.resume import resume

    given = args.passed_on
    resume(given[1:] if given[:1] == ["--"] else given, force=args.force)
