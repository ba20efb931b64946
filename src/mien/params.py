"""`params.yaml`: one typed, frozen schema for the Snakefile and the command line.

No value has a default here: what a run used can be read off its params file. What the paper
leaves unsaid is a setting of ours and says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    ValidationError,
    model_validator,
)

from mien.errors import ParamsError

SCRATCH = "scratch"  # `weights`: train here, from random values
ZOO = "compressai"  # `codec.weights`: the files of CompressAI's zoo
LIBREFACE = "libreface"  # `classifier.weights`: the file of LibreFace's repository
_COPY_ONE = "copy one from presets/ in a checkout of mien"
IMAGENET = "imagenet"  # `pretrain.classifier.start`: torchvision's ResNet-18

Strategy = Literal[
    "compression-only", "joint", "codec-rd", "classifier-raw", "classifier-decoded"
]
ClassicCodec = Literal["jpeg", "jpeg-optimised", "webp", "avif", "jxl", "heic"]
Quality = Annotated[int, Field(ge=1, le=8)]
ClassicQuality = Annotated[int, Field(ge=1, le=100)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
_NUMBER, _EACH = "a number", "one for each quality"  # no key is called so
_T = TypeVar("_T")
_OneOrEach = Annotated[
    Annotated[_T, Tag(_NUMBER)] | Annotated[dict[Quality, _T], Tag(_EACH)],
    Discriminator(lambda value: _EACH if isinstance(value, dict) else _NUMBER),
]
Weight = _OneOrEach[NonNegativeFloat]
Count = _OneOrEach[PositiveInt]
Rate = _OneOrEach[PositiveFloat]

# CompressAI's zoo, `L = lambda * 255^2 * MSE + bpp`, by quality.
LAMBDAS = {
    1: 0.0018,
    2: 0.0035,
    3: 0.0067,
    4: 0.0130,
    5: 0.0250,
    6: 0.0483,
    7: 0.0932,
    8: 0.1800,
}
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


def zoo_channels(quality: int) -> tuple[int, int]:
    """Return (N, M) of CompressAI's mbt2018-mean at one quality."""
    return (128, 192) if quality <= 4 else (192, 320)


def _multiple_of_64(size: int) -> int:
    if size < 64 or size % 64:
        raise ValueError("must be a positive multiple of 64, the total stride of the codec")
    return size


def _multiple_of_8(width: int) -> int:
    # oneDNN 3.12's AVX2 kernel of a strided 1x1 convolution writes beyond its memory otherwise.
    if width < 8 or width % 8:
        raise ValueError("must be a positive multiple of 8: training with others can crash")
    return width


def _ascending(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("must be ascending and without repetition")
    return values


Width = Annotated[int, AfterValidator(_multiple_of_8)]
Size64 = Annotated[int, AfterValidator(_multiple_of_64)]
# YAML has lists, frozen sections want tuples: only the container is converted.
Weights = Annotated[
    tuple[NonNegativeFloat, ...], Field(strict=False), AfterValidator(_ascending)
]
Qualities = Annotated[
    tuple[Quality, ...], Field(strict=False, min_length=1), AfterValidator(_ascending)
]
ClassicQualities = Annotated[
    tuple[ClassicQuality, ...], Field(strict=False), AfterValidator(_ascending)
]
# Section `classic`: codecs that nobody trains, each over its library's own qualities. A codec
# that is not there, or has no qualities, is not run; nor is any where the section is null.
Classic = Annotated[
    dict[ClassicCodec, ClassicQualities], BeforeValidator(lambda value: value or {})
]
Strategies = Annotated[tuple[Strategy, ...], Field(strict=False, min_length=1)]
LabelOrder = Annotated[tuple[str | None, ...], Field(strict=False, min_length=8, max_length=8)]
Channels = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]


class Section(BaseModel):
    """A part of params.yaml: unknown, missing and mistyped keys are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Faces(Section):
    """Section `data.faces`: the drawn data set, written to `data.root` when asked for."""

    train: PositiveInt  # images in train_set
    test: PositiveInt  # images in val_set, which is the test set
    seed: NonNegativeInt


class Folders(Section):
    """Section `data.folders`: a copy of the data set with one folder per expression.

    Such copies order their classes in many ways, so nothing here is guessed.
    """

    train: str  # folder of the training part, below `data.root`
    test: str  # folder of the test part
    label_order: LabelOrder  # the folder of AffectNet's code 0, 1 .. 7; null: there is none


class Data(Section):
    """Section `data`: where the images are and how `val` is carved from the training part."""

    name: str  # how captions call the data set
    root: str  # the data set's folder
    faces: Faces | None  # null: `root` is the user's; else it is drawn there
    layout: Literal["auto", "npy", "csv", "folders"]  # auto tells the first two apart
    folders: Folders | None  # for `layout: folders`
    counts: Literal["affectnet"] | None  # the release whose images per class are expected
    strict: bool  # other counts are an error; else a warning that stands in the manifest
    max_unusable: Share  # of the listed images: missing, broken, truncated, wrongly labelled
    max_duplicates: Share  # of the usable images: the same bytes as an earlier one
    val_fraction: Fraction  # of the training part; unsaid in the paper
    seed: NonNegativeInt

    @model_validator(mode="after")
    def _folders_are_described(self) -> Data:
        if (self.layout == "folders") != (self.folders is not None):
            raise ValueError(
                "layout `folders` and the section data.folders (train, test, label_order) need "
                "each other"
            )
        return self


class Shards(Section):
    """Section `shards`: the pictures everything downstream reads."""

    image_size: Size64  # pixels; the paper resizes 224 to 256
    format: Literal["webp", "png", "jpg", "raw"]  # all but jpg are lossless
    quality: Annotated[int, Field(ge=1, le=100)] | None  # of jpg (4:2:0); else null
    filter: Literal["bilinear", "bicubic", "lanczos", "opencv-bicubic"]  # unsaid in the paper
    images_per_shard: PositiveInt

    @model_validator(mode="after")
    def _quality_is_jpegs(self) -> Shards:
        if (self.format == "jpg") != (self.quality is not None):
            raise ValueError(
                f"quality {self.quality} with format {self.format}: jpg needs a quality of "
                "1..100, the lossless formats need null"
            )
        return self


class Codec(Section):
    """Section `codec`: mbt2018-mean and where its pretrained weights come from."""

    qualities: Qualities  # the zoo's names of the rate points
    lambdas: dict[Quality, PositiveFloat] | None  # of each quality; null: the zoo's
    channels: Channels | None  # (N, M); null: the zoo's for each quality
    weights: str  # `scratch`, `compressai` (the zoo), or a folder: see docs/pretrained.md
    entropy: Literal["exact", "stock"]  # streams: ours, or as CompressAI writes them

    @model_validator(mode="after")
    def _lambdas_are_of_the_qualities(self) -> Codec:
        if self.lambdas is None:
            return self
        if self.weights == ZOO:
            raise ValueError(
                "lambdas with weights compressai: the zoo's were trained with its own"
            )
        if sorted(self.lambdas) != list(self.qualities):
            raise ValueError(
                f"lambdas of {sorted(self.lambdas)}, qualities {list(self.qualities)}: each "
                "quality needs one"
            )
        values = [self.lambdas[quality] for quality in self.qualities]
        if values != sorted(set(values)):
            raise ValueError(f"lambdas {values}: must rise with the quality")
        return self

    def lambda_of(self, quality: int) -> float:
        """Return what 255^2 * MSE weighs against the bits per pixel at a quality."""
        return (self.lambdas or LAMBDAS)[quality]

    def channels_of(self, quality: int) -> tuple[int, int]:
        """Return (N, M) of the codec of a quality."""
        return self.channels or zoo_channels(quality)


class Classifier(Section):
    """Section `classifier`: LibreFace's ResNet-18."""

    width: Width  # channels of the first stage; 64 is ResNet-18
    input_size: PositiveInt  # pixels; LibreFace 224
    output: Literal["logits", "sigmoid"]  # what the cross entropy sees; LibreFace: sigmoid
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    weights: str  # `scratch`, `libreface`, a .safetensors file of ours, or a resnet.pt


class LossWeights(Section):
    """The weights of eq. 1 of the paper that one codec is trained with.

    At bpp = mse = 1 and ce = 0 the loss is the one the zoo's codec of that quality was trained
    with: R + lambda_q * 255^2 * MSE.
    """

    bpp: NonNegativeFloat  # per bit/pixel of y and z together
    mse: NonNegativeFloat  # per lambda_q * 255^2 * MSE on [0, 1] images
    ce: NonNegativeFloat  # per nat of cross entropy on the decoded image


class Loss(Section):
    """Section `loss`: the reference weights, which the paper does not state.

    Each is a number, or one for each quality: with little weight on MSE, it is the ratio of
    `bpp` and `ce` that sets a run's rate, and equal weights lead all qualities to equal rates.
    """

    bpp: Weight
    mse: Weight
    ce: Weight

    def at(self, quality: int) -> LossWeights:
        """Return the weights of one quality."""
        return LossWeights(**_of_quality(self, quality))


class Sweep(Section):
    """Section `sweep`: one weight at a time moved away from `loss` (Fig. 3 of the paper)."""

    quality: Quality
    bpp: Weights
    mse: Weights
    ce: Weights


class Repeat(Section):
    """Section `repeat`: trainings at the reference weights once more, with other seeds."""

    qualities: Annotated[tuple[Quality, ...], Field(strict=False), AfterValidator(_ascending)]
    seeds: Annotated[
        tuple[NonNegativeInt, ...], Field(strict=False), AfterValidator(_ascending)
    ]


class PretrainCodec(Section):
    """Section `pretrain.codec`: the chain from the highest quality down."""

    start: str | None  # a folder as for `codec.weights`: each quality starts there; null: chain
    first_steps: PositiveInt  # the highest quality; from random weights in a chain
    next_steps: PositiveInt  # each lower one; from the quality above it in a chain
    batch_size: PositiveInt
    crop: Size64  # pixels
    lr: PositiveFloat
    aux_lr: PositiveFloat
    clip_norm: PositiveFloat


class PretrainClassifier(Section):
    """Section `pretrain.classifier`: on raw images."""

    start: str | None  # `imagenet`, or a file as for `classifier.weights`; null: random weights
    steps: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]


class Pretrain(Section):
    """Section `pretrain`: for what `codec.weights`, `classifier.weights` call scratch."""

    seed: NonNegativeInt
    evaluations: PositiveInt  # looks at `val` per training; the best one is kept
    val_images: PositiveInt | None  # null: all of `val`
    codec: PretrainCodec
    classifier: PretrainClassifier


class Finetune(Section):
    """Section `finetune`: the paper's schedule, and ours where it is silent.

    `epochs`, `lr` and `classifier_lr` are a number, or one for each quality.
    """

    start: Literal["pretrained", "higher"]  # higher: next quality, same strategy
    epochs: Count  # at most
    images_per_epoch: PositiveInt | None  # null: the whole training part
    batch_size: PositiveInt
    lr: Rate  # codec, AdamW
    aux_lr: PositiveFloat  # quantiles of the entropy bottleneck, Adam
    classifier_lr: Rate  # AdamW; unsaid in the paper, one lr for both there
    weight_decay: NonNegativeFloat
    clip_norm: PositiveFloat  # by norm, over all trained parameters; unsaid in the paper
    flip: bool
    shift: NonNegativeInt  # pixels that a training picture is moved at most; not the paper's
    quantization: Literal["noise", "rounded"]  # in steps; unsaid in the paper
    rate_warm_up: NonNegativeFloat  # epochs; until then the weight of the rate rises to its own
    update_batch_norm: bool  # of the classifier in `joint`; unsaid in the paper
    schedule: Literal["plateau", "cosine"]  # of all rates, by epoch; unsaid in the paper
    lr_factor: Fraction  # plateau (ReduceLROnPlateau on the val loss)
    lr_patience: NonNegativeInt  # plateau: epochs
    patience: PositiveInt  # epochs without a better val loss before stopping
    val_images: PositiveInt | None  # null: all of `val`
    seed: NonNegativeInt

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Finetune:
        epochs = self.epochs.values() if isinstance(self.epochs, dict) else [self.epochs]
        shortest = min(*epochs, self.patience)
        if self.rate_warm_up and self.rate_warm_up >= shortest:
            raise ValueError(
                f"rate_warm_up {self.rate_warm_up:g}: must be below epochs and patience, "
                f"{shortest}: a training could end before the rate has its whole weight"
            )
        return self

    def at(self, quality: int, seed: int) -> Training:
        """Return the section as a training of one quality has it, with its seed."""
        return Training.model_validate(_of_quality(self, quality) | {"seed": seed})


class Training(Finetune):
    """Section `finetune` as one training has it."""

    epochs: PositiveInt
    lr: PositiveFloat
    classifier_lr: PositiveFloat


class Compute(Section):
    """Section `compute`: how trainings run."""

    precision: Literal["float32", "bfloat16"]  # of transforms and classifier, in steps
    compile: bool  # the codec's forward and backward pass, by torch.compile
    max_skipped: NonNegativeInt  # steps of an epoch left out since their loss was not finite
    save_seconds: NonNegativeFloat  # between saved states; a killed training goes on from one
    devices: PositiveInt  # processes of one fine-tuning, a GPU each: they share every batch
    parts: PositiveInt  # jobs into which shard, encode and decode are cut; changes no result
    tensorboard: bool  # event files of fine-tunings below logs/tensorboard


class Evaluate(Section):
    """Section `evaluate`: what the test set goes through, and its statistics."""

    batch_size: PositiveInt
    precision: Literal["float32", "bfloat16", "fast"]  # of g_a, h_a, g_s, coding the test set
    examples: PositiveInt  # test images kept as decoded pictures for Fig. 4
    resamples: PositiveInt  # of the bootstrap over test images
    seed: NonNegativeInt


class Params(Section):
    """All of params.yaml."""

    data: Data
    shards: Shards
    codec: Codec
    classic: Classic
    classifier: Classifier
    strategies: Strategies
    loss: Loss
    sweep: Sweep
    repeat: Repeat
    pretrain: Pretrain
    finetune: Finetune
    compute: Compute
    evaluate: Evaluate

    @property
    def classifier_is_libreface_s(self) -> bool:
        """Whether the classifier comes from LibreFace's file, as it is or trained on here."""
        trained = self.classifier.weights == SCRATCH
        source = self.pretrain.classifier.start if trained else self.classifier.weights
        return source not in (None, IMAGENET) and not str(source).endswith(".safetensors")

    @model_validator(mode="after")
    def _sweep_has_a_codec(self) -> Params:
        if self.sweep.quality not in self.codec.qualities:
            raise ValueError(
                f"sweep.quality {self.sweep.quality} is not one of "
                f"codec.qualities {list(self.codec.qualities)}"
            )
        return self

    @model_validator(mode="after")
    def _each_is_of_the_qualities(self) -> Params:
        given = {f"loss.{name}": value for name, value in self.loss}
        given |= {f"finetune.{name}": value for name, value in self.finetune}
        for key, each in given.items():
            if isinstance(each, dict) and sorted(each) != list(self.codec.qualities):
                raise ValueError(
                    f"{key} of qualities {sorted(each)}, codec.qualities "
                    f"{list(self.codec.qualities)}: give one number, or one for each of them"
                )
        return self

    @model_validator(mode="after")
    def _repeats_are_others(self) -> Params:
        if odd := sorted(set(self.repeat.qualities) - set(self.codec.qualities)):
            raise ValueError(
                f"repeat.qualities {odd[0]} is not one of "
                f"codec.qualities {list(self.codec.qualities)}"
            )
        if self.finetune.seed in self.repeat.seeds:
            raise ValueError(
                f"repeat.seeds {list(self.repeat.seeds)}: {self.finetune.seed} is "
                "finetune.seed, which every run is trained with already: name other seeds"
            )
        return self

    @model_validator(mode="after")
    def _devices_divide_a_batch(self) -> Params:
        if self.finetune.batch_size % self.compute.devices:
            raise ValueError(
                f"finetune.batch_size {self.finetune.batch_size} cannot be divided by "
                f"compute.devices {self.compute.devices}: every device takes an equal part"
            )
        return self

    @model_validator(mode="after")
    def _controls_are_compared(self) -> Params:
        if not {"compression-only", "joint"} & set(self.strategies):
            raise ValueError(
                f"strategies {list(self.strategies)}: all are controls: name compression-only "
                "or joint as well, which they are to be compared with"
            )
        return self

    @model_validator(mode="after")
    def _crop_fits(self) -> Params:
        if self.pretrain.codec.crop > self.shards.image_size:
            raise ValueError(
                f"pretrain.codec.crop {self.pretrain.codec.crop} is larger than "
                f"shards.image_size {self.shards.image_size}"
            )
        return self


def _of_quality(section: Section, quality: int) -> dict[str, Any]:
    """Return the values of a section, of those given for each quality the one of `quality`."""
    return {
        name: value[quality] if isinstance(value, dict) else value for name, value in section
    }


def load_params(path: Path) -> Params:
    """Read and check a params file.

    Raises:
        ParamsError: One line that names the file, the first offending key, the value seen and
            what would do.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file: {_COPY_ONE}") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ParamsError(f"{path}: has no sections: {_COPY_ONE}")
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        raise ParamsError(f"{path}: {_first_problem(error)}") from None


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    # A misspelt key is unknown and missing at once: the name that was written comes first.
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    parts = [str(part) for part in first["loc"] if part not in (_NUMBER, _EACH)]
    key = ".".join(parts) or "the sections together"
    text = f"{key}: {_explained(first['type'], first['msg'], first['input'])}"
    return text if len(problems) == 1 else f"{text} (and {len(problems) - 1} more)"


def _explained(kind: str, message: str, value: Any) -> str:
    if kind == "extra_forbidden":
        return "unknown key: remove it or mend its spelling"
    if kind == "missing":
        return "missing key: add it (see presets/affectnet.yaml)"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if isinstance(value, str) and _is_number(value):
        return f"{value!r} is text in YAML, not a number: write it with a dot, as in 1.0e-4"
    return f"{message}, not {value!r}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
