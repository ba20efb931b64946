"""How many pictures every job works on, by what is done with each: the keys of the speeds.

The cost of a network grows with its multiplications, and with the pixels: shapes that were not
measured are scaled by both from the nearest that was, and are said to be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mien import files, paths
from mien.data import release
from mien.errors import DataError
from mien.params import SCRATCH, Params
from mien.runs import (
    CLASSIC,
    CLASSIFIER_DECODED,
    CLASSIFIER_RAW,
    JOINT,
    Run,
    classic_runs,
    finetune_section,
    loss_weights,
    setting_named,
)
from mien.verbs.jobs import Job

SIZE, INPUT, WIDTH = 256, 224, 64  # what was measured: pixels, of the classifier, its channels
SHAPES = ((128, 192), (192, 320))  # of codecs that were measured
START = "start"
PARTED = ("shard", "encode", "decode")
Work = dict[str, float]  # pictures, or as many as cost the same, by key


@dataclass(frozen=True)
class Images:
    """How many there are, and how that is known."""

    train: int
    val: int
    test: int
    known_by: str

    @property
    def all(self) -> int:
        """Return how many there are in all."""
        return self.train + self.val + self.test


@dataclass(frozen=True)
class Works:
    """What every job does; None: nothing that was measured. `notes`: what was scaled."""

    by_job: dict[Job, Work | None]
    notes: list[str]


def images_of(params: Params, here: bool) -> Images:
    """Return the pictures of each split: those of the index, else those that are expected.

    Raises:
        DataError: If nothing says how many there are.
    """
    if here and paths.INDEX_MANIFEST.is_file():
        counts = files.manifest_facts(paths.INDEX_MANIFEST)["counts"]
        n = {split: sum(by_name.values()) for split, by_name in counts.items()}
        return Images(n["train"], n["val"], n["test"], str(paths.INDEX_MANIFEST))
    if params.data.faces is not None:
        train, test, known_by = params.data.faces.train, params.data.faces.test, "data.faces"
    elif params.data.counts is not None:
        name = release.OF_LAYOUT.get(params.data.layout, "8-label release")
        parts = release.RELEASES[name]
        train, test = sum(parts["train_set"]), sum(parts["val_set"])
        known_by = f"data.counts: AffectNet's {name}"
    else:
        raise DataError(
            f"data.counts is null and {paths.INDEX_MANIFEST} is not there: nothing says how "
            "many images there are: run `mien ingest` first"
        )
    val = round(train * params.data.val_fraction)
    return Images(train - val, val, test, known_by)


def works_of(params: Params, images: Images, jobs: Iterable[Job]) -> Works:
    """Return what every job does."""
    sizes = _Sizes(params, images)
    return Works({job: sizes.work(job) for job in jobs}, list(sizes.notes))


class _Sizes:
    """Turns jobs into work; `notes` gathers what was scaled."""

    def __init__(self, params: Params, images: Images) -> None:
        self.params = params
        self.images = images
        self.notes: dict[str, None] = {}
        self.pixels = (params.shards.image_size / SIZE) ** 2
        classifier = params.classifier
        self.reader = (classifier.width / WIDTH * classifier.input_size / INPUT) ** 2
        if self.pixels != 1:
            self._note(f"pictures of {params.shards.image_size} pixels, {SIZE} were measured")
        if self.reader != 1:
            self._note(f"another classifier, ResNet-18 at {INPUT} pixels was measured")
        for key, value in {"precision": "float32", "compile": False}.items():
            if (asked := getattr(params.compute, key)) != value:
                self._note(f"compute.{key}: {asked}, {value} was measured")

    def _note(self, text: str) -> None:
        self.notes[text] = None

    def work(self, job: Job) -> Work | None:
        """Return what a job does; None where nothing measured tells it."""
        rule = job.rule.removesuffix("_part")
        stage, _, codec = rule.partition("_")
        if rule in self._stages():
            done = self._stages()[rule](job)
        elif codec.replace("_", "-") in CLASSIC:
            done = self._classic(stage, codec)
        else:
            return None
        parts = self.params.compute.parts
        if parts > 1 and rule.partition("_")[0] in PARTED:
            share = 1 / parts if job.rule != rule else 0.0
            done = {key: n * share for key, n in done.items()}
        return {**done, START: 1}

    def _stages(self) -> dict[str, Callable[[Job], Work]]:
        every = self.images.all
        return {
            "faces": lambda _: {"draw": every},
            "ingest": lambda _: {"ingest": every},
            "shard": lambda _: {"shard": every * self.pixels},
            "pretrain_codec": self._pretrain_codec,
            "pretrain_classifier": self._pretrain_classifier,
            "finetune": self._finetune,
            "encode": self._encode,
            "decode": self._decode,
        }

    def _pretrain_codec(self, job: Job) -> Work:
        if self.params.codec.weights != SCRATCH:
            return {}
        section, quality = self.params.pretrain.codec, int(job["quality"])
        first = quality == max(self.params.codec.qualities)
        steps = section.first_steps if first else section.next_steps
        crop = (section.crop / self.params.shards.image_size) ** 2
        looks = self.params.pretrain.evaluations * self._val(self.params.pretrain.val_images)
        return {
            **self._coded("train_rate", quality, steps * section.batch_size * crop),
            **self._coded("look_codec", quality, looks),
        }

    def _pretrain_classifier(self, _job: Job) -> Work:
        looks = self.images.val  # the temperature is fitted on all of it
        if self.params.classifier.weights != SCRATCH:
            return {"classify": looks * self.reader}
        section = self.params.pretrain
        looks += section.evaluations * self._val(section.val_images)
        n = section.classifier.steps * section.classifier.batch_size
        return {"train_classifier": n * self.reader, "classify": looks * self.reader}

    def _finetune(self, job: Job) -> Work:
        run = Run(job["strategy"], job["setting"])
        section = finetune_section(self.params, run)
        n = section.epochs * (section.images_per_epoch or self.images.train)
        looks = (section.epochs + 1) * self._val(section.val_images)
        if run.strategy == CLASSIFIER_RAW:
            return {"train_classifier": n * self.reader, "classify": looks * self.reader}
        quality = setting_named(self.params, run.setting).quality
        if run.strategy == CLASSIFIER_DECODED:
            kind = "train_read"
        elif loss_weights(self.params, run).ce == 0:
            kind = "train_rate"  # nobody asks a classifier
        else:
            kind = "train_joint" if run.strategy == JOINT else "train_frozen"
        return {
            **self._coded(kind, quality, n),
            **self._coded("look_codec", quality, looks),
        }

    def _encode(self, job: Job) -> Work:
        return self._coded("encode", int(job["setting"][1]), self.images.test)

    def _decode(self, job: Job) -> Work:
        coded = self._coded("decode", int(job["setting"][1]), self.images.test)
        return {**coded, **self._read(self.images.test)}

    def _classic(self, stage: str, codec: str) -> Work:
        runs = [r for r in classic_runs(self.params) if r.strategy == codec.replace("_", "-")]
        n = len(runs) * self.images.test
        work: Work = {f"{stage}_{codec}": n * self.pixels}
        return work if stage == "encode" else {**work, **self._read(n)}

    def _read(self, n: int) -> Work:
        """Return what the pictures and their raw ones are classified and compared with."""
        return {"classify": 2 * n * self.reader, "distortion": n * self.pixels}

    def _val(self, limit: int | None) -> int:
        return min(self.images.val, limit or self.images.val)

    def _coded(self, kind: str, quality: int, n: float) -> Work:
        """Return `n` pictures of a kind of work with a codec, of the nearest measured shape."""
        channels = self.params.codec.channels_of(quality)
        key, scale = nearest(channels)
        if channels not in SHAPES:
            self._note(f"codecs of N, M = {channels[0]}, {channels[1]}, {SHAPES} were measured")
        return {f"{kind}_n{key}": n * scale * self.pixels}


def nearest(channels: tuple[int, int]) -> tuple[int, float]:
    """Return N of the measured shape nearest in multiplications, and how many times them."""
    own = products(channels)
    shape = min(SHAPES, key=lambda other: abs(math.log(products(other) / own)))
    return shape[0], own / products(shape)


def products(channels: tuple[int, int]) -> float:
    """Return the multiplications a pixel of g_a, and so of g_s, of mbt2018-mean.

    5x5 convolutions of stride 2, with a 1x1 one in each GDN; the hyper networks are small.
    """
    N, M = channels
    inner = N * N / 16 + N * N / 64
    return 25 * (3 * N / 4 + inner + N * M / 256) + N * N * (1 / 4 + 1 / 16 + 1 / 64)
