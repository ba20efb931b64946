"""`mien`: one subcommand per stage, and what people type (mien.verbs).

Heavy imports wait inside the command that needs them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from mien import paths
from mien.errors import MienError
from mien.params import Params, load_params
from mien.part import Part, part_named
from mien.provenance import described_version
from mien.quickstart import quick_start
from mien.runs import CLASSIC, Run
from mien.verbs.commands import add_commands, networks, prepare_resume

Command = Callable[[argparse.Namespace], None]


_PART = "one job of those that compute.parts asks for; the command without it then joins them"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after printing why the input was refused."""
    top = parser()
    args, rest = top.parse_known_args(argv)
    if hasattr(args, "passed_on"):  # to Snakemake, by `mien resume`
        args.passed_on = rest
    elif rest:
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        args.run(args)
    except MienError as error:  # the user's to mend; anything else keeps its traceback
        print(f"mien {args.command}: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    top = argparse.ArgumentParser(
        prog="mien",
        description="Learned image compression that keeps facial expressions readable.",
        epilog="The workflow calls these: `snakemake --cores all --resources gpu=1`.",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="version and commit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    faces = _add(commands, "faces", _faces, "draw the embedded faces in AffectNet's layout")
    faces.add_argument("root", type=Path, nargs="?", help="default: what section data asks for")
    faces.add_argument("--train", type=int, default=2000, help="images to draw in train_set")
    faces.add_argument("--test", type=int, default=400, help="images to draw in val_set")
    faces.add_argument("--seed", type=int, default=0)
    _add(commands, "ingest", _ingest, "list and check the data set: data/index.parquet")
    shard = _add(commands, "shard", _shard, "write the pictures as WebDataset shards")
    shard.add_argument(
        "--estimate", action="store_true", help="only print the disk and time it would take"
    )
    shard.add_argument("--part", metavar="K-of-N", help=_PART)
    verify = _add(commands, "verify", _verify, "check every byte of the shards")
    verify.add_argument(
        "folder", type=Path, nargs="?", default=paths.SHARDS, help="default: %(default)s"
    )
    codec = _add(commands, "pretrain-codec", _pretrain_codec, "one pretrained codec")
    codec.add_argument("quality", type=int, help="1..8")
    _add(commands, "pretrain-classifier", _pretrain_classifier, "the pretrained classifier")
    pack = _add(commands, "pack", _pack, "pretrained models as small files to hand on")
    pack.add_argument("models", type=Path, help="the folder models of a finished run")
    pack.add_argument("folder", type=Path, help="what codec.weights can then name")
    finetune = _add(commands, "finetune", _finetune, "train one run")
    finetune.add_argument("strategy", help="such as joint")
    finetune.add_argument("setting", help="such as q3 or q3-ce0.1")
    _add(commands, "histories", _histories, "plots/history.csv, of all trainings")
    for name, command, text in (
        ("encode-run", _encode_run, "write the test set as one run's bitstreams"),
        ("decode-run", _decode_run, "read them back, classify and measure the pictures"),
    ):
        run = _add(commands, name, command, text)
        run.add_argument("strategy", help="such as joint; pretrained is the baseline; or jpeg")
        run.add_argument("setting", nargs="+", help="such as q3 or q3-ce0.1, or q30 of jpeg")
        run.add_argument("--part", metavar="K-of-N", help=_PART)
    _add(commands, "summarise", _summarise, "metrics.json and the statistics behind the tables")
    _add(commands, "tables", _tables, "tables/ in Markdown, LaTeX and CSV")
    _add(commands, "figures", _figures, "figures/ in PDF and PNG")
    _add(commands, "report", _report, "report/index.html, one page that needs no network")
    _add(commands, "show", _show, "print the BD table")
    add_commands(partial(_add_command, commands))
    text = "go on with a workflow that was killed at any point"
    prepare_resume(
        commands.add_parser("resume", help=text, description=text, allow_abbrev=False)
    )
    return top


class _Version(argparse.Action):
    """Asks git for the commit only when somebody wants to know."""

    def __call__(self, *_: object) -> None:
        print(f"mien {described_version()}")
        sys.exit(0)


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Command,
    text: str,
) -> argparse.ArgumentParser:
    command = _add_command(commands, name, run, text)
    command.add_argument("--params", type=Path, default=paths.PARAMS, help="%(default)s")
    return command


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Command,
    text: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="default: all, %(default)s"
    )
    command.set_defaults(run=run)
    return command


def _params(args: argparse.Namespace) -> Params:
    return load_params(args.params)


def _faces(args: argparse.Namespace) -> None:
    if args.root is None:
        from mien.stages.faces import draw

        draw(_params(args), args.threads)
    else:
        from mien.data.faces import write_affectnet

        write_affectnet(args.root, args.train, args.test, args.seed, args.threads)


def _ingest(args: argparse.Namespace) -> None:
    from mien.stages.ingest import ingest

    ingest(_params(args), args.threads)


def _shard(args: argparse.Namespace) -> None:
    from mien.stages.shard import print_estimate, shard, shard_part

    if args.part:
        shard_part(_params(args), part_named(args.part), args.threads)
    else:
        (print_estimate if args.estimate else shard)(_params(args), args.threads)


def _verify(args: argparse.Namespace) -> None:
    from mien.data.verify import verify

    print(verify(args.folder, args.threads))


def _pretrain_codec(args: argparse.Namespace) -> None:
    params = _params(args)
    with networks(args, wait=True):
        from mien.stages.pretrain import pretrain_codec

        pretrain_codec(params, args.quality)


def _pretrain_classifier(args: argparse.Namespace) -> None:
    params = _params(args)
    with networks(args, wait=True):
        from mien.stages.pretrain import pretrain_classifier

        pretrain_classifier(params)


def _pack(args: argparse.Namespace) -> None:
    quick_start()
    from mien.stages.pack import pack

    pack(args.models, args.folder)


def _finetune(args: argparse.Namespace) -> None:
    params = _params(args)
    with networks(args, params.compute.devices, wait=True):
        from mien.stages.finetune import finetune

        finetune(params, Run(args.strategy, args.setting))


def _histories(args: argparse.Namespace) -> None:
    from mien.stages.histories import histories

    histories(_params(args))


def _encode_run(args: argparse.Namespace) -> None:
    params = _params(args)
    classic = args.strategy in CLASSIC  # no networks: no GPU
    with nullcontext() if classic else networks(args, _gpus_to_code(args, params), wait=True):
        if classic:
            from mien.stages.encode_classic import encode, encode_part
        else:
            from mien.stages.encode import encode, encode_part
        _each_run(args, params, encode, encode_part)


def _decode_run(args: argparse.Namespace) -> None:
    params = _params(args)
    with networks(args, _gpus_to_code(args, params), wait=True):
        if args.strategy in CLASSIC:
            from mien.stages.decode_classic import decode, decode_part
        else:
            from mien.stages.decode import decode, decode_part
        _each_run(args, params, decode, decode_part)


def _gpus_to_code(args: argparse.Namespace, params: Params) -> int:
    """Return none for a job that only joins what others have coded."""
    return 0 if params.compute.parts > 1 and not args.part else 1


def _each_run(
    args: argparse.Namespace,
    params: Params,
    whole: Callable[[Params, Run], None],
    part: Callable[[Params, Run, Part], None],
) -> None:
    """Run a stage for every setting that was named, or one part of it."""
    for run in (Run(args.strategy, setting) for setting in args.setting):
        if args.part:
            part(params, run, part_named(args.part))
        else:
            whole(params, run)


def _summarise(args: argparse.Namespace) -> None:
    from mien.stages.summarise import summarise

    summarise(_params(args))


def _tables(args: argparse.Namespace) -> None:
    from mien.stages.tables import tables

    tables(_params(args))


def _figures(args: argparse.Namespace) -> None:
    from mien.stages.figures import figures

    figures(_params(args))


def _report(args: argparse.Namespace) -> None:
    from mien.stages.report import report

    report(_params(args))


def _show(args: argparse.Namespace) -> None:
    from mien.stages.tables import printed_deltas

    print(printed_deltas(_params(args)))


if __name__ == "__main__":
    sys.exit(main())
