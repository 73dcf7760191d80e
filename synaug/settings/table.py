"""Type and range of every setting, in one table: what a value must be, in the words of a sentence to the user.

Only names, types and ranges stand here, and where the files of settings lie, so that nothing has to be imported to look
at a config. What one setting needs of another, or of the machine, is `synaug.command.check`'s.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synaug.errors import UserError
from synaug.files.places import LONGEST_NAME, folder_problem

# The groups of options that decide the numbers of a run.
GROUPS = ("dataset", "encoder", "imbalance_ratio", "augmenter", "loss", "classifier", "validation")
# All groups whose options hold settings of a run.
OPTION_GROUPS = (*GROUPS, "logger")
# Groups whose options hold no settings of their own, but change those of the run.
CHANGING_GROUPS = ("method", "experiment")
# What an option of the group method chooses.
OF_A_METHOD = ("augmenter", "loss")
# JSON and spreadsheets keep whole numbers exactly up to here.
LARGEST_SEED = 2**53 - 1
# No setting needs a number beyond; the libraries behind them overflow somewhere above.
LARGEST = 10**9
# W&B's own limits: wandb.Settings.validate_project and validate_run_tags, and those of its server.
NOT_IN_A_PROJECT = r"/\#?%:"
LONGEST_TAG = 64


def conf_dir() -> Path:
    """The folder of configs: inside the package (a wheel) or beside it (a checkout)."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


@dataclass(frozen=True)
class Kind:
    """What a setting may be.

    Attributes
    ----------
    said
        Completes "must be ...".
    takes
        Whether a value (of plain Python) is one.
    is_text
        Whether it is text or a list of texts, which must stay as the user wrote it.
    closer
        What of `said` is not met by a value, where less can be said; None for all of it.
    """

    said: str
    takes: Callable[[Any], bool]
    is_text: bool = False
    closer: Callable[[Any], str | None] = lambda value: None

    def __or__(self, other: "Kind") -> "Kind":
        """Either of two kinds."""

        def closer(value: Any) -> str | None:
            said = self.closer(value)
            return said and f"{said}, or {other.said}"

        return Kind(
            f"{self.said}, or {other.said}",
            lambda value: self.takes(value) or other.takes(value),
            self.is_text or other.is_text,
            closer,
        )

    def problem(self, name: str, value: Any) -> str | None:
        """The sentence for a value that is none; None for one that is."""
        if self.takes(value):
            return None
        remedy = ": put it between quotes" if isinstance(value, int | float) and self.takes(str(value)) else ""
        return f"{name}={written(value)} must be {self.closer(value) or self.said}{remedy}"


def written(value: Any) -> str:
    """A value as a user would write it on the command line; long ones cut."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list | tuple):
        text = f"[{','.join(map(written, value))}]"
    elif isinstance(value, dict):
        text = "{" + ",".join(f"{key}:{written(each)}" for key, each in value.items()) + "}"
    elif isinstance(value, str) and (not value.strip() or not value.isprintable()):
        text = repr(value)
    else:
        text = str(value)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 2]} …"


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a number that is finite; true and false are not."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _are_names(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return False
    return not any(isinstance(each, list | dict) for each in value) and len(set(map(str, value))) == len(value)


def _are_weights(value: Any) -> bool:
    weights = list(value.values()) if isinstance(value, Mapping) else value
    return (
        isinstance(weights, list | tuple)
        and len(weights) > 0
        and all(is_number(each) and 0 < each <= LARGEST for each in weights)
    )


def _is_one(devices: Any) -> bool:
    return isinstance(devices, list | tuple) and len(devices) == 1 and is_whole(devices[0]) and devices[0] >= 0


def whole(least: int, most: int) -> Kind:
    """A whole number in a closed range."""
    return Kind(
        f"a whole number of at least {least:,} and at most {most:,}",
        lambda value: is_whole(value) and least <= value <= most,
        closer=lambda value: (
            _end(value, f"at least {least:,}", f"at most {most:,}", least) if is_whole(value) else None
        ),
    )


def number(least: float, most: float, above: bool = False, below: bool = False) -> Kind:
    """A number in a range, closed unless the value must lie `above` or `below` its ends."""
    low = f"above {least:,}" if above else f"at least {least:,}"
    high = f"below {most:,}" if below else f"at most {most:,}"

    def takes(value: Any) -> bool:
        if not is_number(value):
            return False
        within: bool = (least < value if above else least <= value) and (value < most if below else value <= most)
        return within

    return Kind(
        f"a number that is {low} and {high}",
        takes,
        closer=lambda value: _end(value, low, high, least) if is_number(value) else None,
    )


def _end(value: float, low: str, high: str, least: float) -> str:
    """Which end of its range a number that lies outside has missed."""
    return low if value <= least else high


def one_of(*words: Any) -> Kind:
    """One of some words, or numbers."""
    return Kind(
        f"{'one of ' if len(words) > 1 else ''}{', '.join(dict.fromkeys(map(str, words)))}",
        lambda value: any(type(value) is type(word) and value == word for word in words),
        all(isinstance(word, str) for word in words),
    )


def text(said: str = "text that can be printed", pattern: str = r".*\S.*", most: int = 4096) -> Kind:
    """Printable text of a pattern; by default, with something but white space in it."""

    def takes(value: Any) -> bool:
        return (
            isinstance(value, str)
            and value.isprintable()
            and len(value) <= most
            and re.fullmatch(pattern, value) is not None
        )

    return Kind(said, takes, is_text=True)


def list_of(kind: Kind, said: str, least: int = 0, most: int = 1000, distinct: bool = True) -> Kind:
    """A list of values of a kind, all of them different if `distinct`."""

    def takes(value: Any) -> bool:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            return False
        return all(map(kind.takes, value)) and (not distinct or len(set(map(str, value))) == len(value))

    return Kind(said, takes, kind.is_text)


TRUTH = Kind("true or false", lambda value: isinstance(value, bool))
NULL = Kind("null", lambda value: value is None)
TEXT = text()
# Of files and columns, which may be called anything.
WORD = Kind("text", lambda value: isinstance(value, str) and bool(value) and "\0" not in value, is_text=True)
NAME = text(f"text of at most {LONGEST_NAME} characters that can be printed", most=LONGEST_NAME)
NAMES = list_of(NAME, "a list of different names")
SHA256 = text("a SHA-256, 64 digits of 0-9 and a-f", r"[0-9a-f]{64}")
SIZE = whole(1, 65536)
TARGET = text(
    "the dotted path of a class or function, e.g. imblearn.over_sampling.SMOTE", r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+"
)
# Hydra's own, beside the settings of whatever is made.
OF_HYDRA: dict[str, Kind] = {
    "_partial_": TRUTH,
    "_recursive_": TRUTH,
    "_convert_": one_of("none", "partial", "object", "all"),
}
# Of imbalance_ratio.minority: other classes with each seed.
ROTATE = "rotate"
# Of augmenter.amount: chosen for each split on the rows that inner folds leave out, among these.
AUTO = "auto"
AMOUNTS = (0.0, 0.25, 0.5, 1.0, 2.0)
# What predicts the test rows (`synaug.splits.Validation.final`).
BAGGED, REFIT = "bagged", "refit"
# A name read from YAML as a number, true, false or null is compared with the classes by whoever has them.
METRIC = text("a metric, e.g. balanced_accuracy or f1[spam]", r"[A-Za-z_]\w*(\[.+\])?")
CLASS_NAMES = Kind(
    "a list of different class names, e.g. [spam], or null",
    lambda value: value is None or _are_names(value),
    is_text=True,
)
# Classes are known to whoever has the data.
CLASS_WEIGHTS = Kind(
    "a list of positive numbers, one for each class, e.g. [1,5], or a number for each class named, e.g. {spam:5}, "
    "or null",
    lambda value: value is None or _are_weights(value),
)
# What they are called and may be, the target knows.
BY_NAME = Kind("settings by name, e.g. {n_neighbors:3}", lambda value: isinstance(value, Mapping))
DEVICE = text("a device, e.g. cpu or cuda:0", r"(cpu|cuda|mps|xpu|hpu|xla|ipu|mtia)(:\d{1,3})?")
FOLDER = Kind("a folder", lambda value: folder_problem(value) is None, is_text=True)
SEED = whole(-LARGEST_SEED, LARGEST_SEED)
PROFILES = ("step", "linear", "exponential")
# When synthesis enters a classifier that is fine-tuned (`synaug.classifier.FineTuned`).
FEATURES, BATCH = "features", "batch"
QUOTING = ("double", "backslash", "none")
# Whether texts that somebody else wrote must name the rows that they were derived from (`augmenter.sources`).
REQUIRED, NO_SOURCES = "required", "none"
FLOAT32 = "float32"  # the precision that all others are named beside
INT8, HALF = "int8", ("float16", "bfloat16")  # of an encoder, on CPUs and on GPUs
BF16 = "bf16"  # of a classifier that is fine-tuned: mixed
PRECISIONS = (32, "32", "32-true", 16, "16", "16-mixed", "bf16", "bf16-mixed")


# Set by synaug itself, because the protocol depends on them.
OWN_TRAINER_ARGUMENTS = {
    "max_steps": "set max_steps",
    "max_epochs": "set max_steps",
    "min_steps": "set max_steps",
    "min_epochs": "set max_steps",
    "max_time": "every method gets the same number of steps",
    "logger": "choose logger=csv or logger=wandb",
    "callbacks": "they could couple the members of a stack",
    "gradient_clip_val": "clipping by the norm of all weights couples the members of a stack",
    "gradient_clip_algorithm": "clipping couples the members of a stack",
    "enable_checkpointing": "best weights are kept by member",
    "model_registry": "no checkpoints are written that could go there",
    "val_check_interval": "members are looked at after steps 8, 11, 16, 23, ...",
    "check_val_every_n_epoch": "members are looked at after steps 8, 11, 16, 23, ...",
    "limit_train_batches": "set max_steps",
    "limit_val_batches": "every validation row counts",
    "limit_test_batches": "every test row counts",
    "limit_predict_batches": "every test row counts",
    "fast_dev_run": "set max_steps=50",
    "strategy": "a run is one program on one device",
    "num_nodes": "a run is one program on one device",
    "plugins": "a run is one program on one device",
    "sync_batchnorm": "a run is one program on one device",
    "accumulate_grad_batches": "set batch_size",
    "num_sanity_val_steps": "the first epoch tells as much",
    "inference_mode": "it changes nothing here",
    "use_distributed_sampler": "a run is one program on one device",
    "reload_dataloaders_every_n_epochs": "members cycle their own rows",
    "overfit_batches": "set max_steps",
    "barebones": "it would leave out the looks at the validation loss",
}

# What every data set takes.
DATASET = {
    "name": NAME | NULL,  # which a target may refuse
    "max_per_class": whole(2, LARGEST) | NULL,
    "min_per_class": whole(1, LARGEST) | NULL,
    "max_rows": whole(2, LARGEST) | NULL,
    "drop_empty": TRUTH,
    "group": WORD | NULL,
    "group_phrases": TRUTH,
    "seed": SEED,
    "licence": TEXT | NULL,
    "paper": TEXT | NULL,
}
# The share of the gap to balance that is filled.
AMOUNT = number(0, 100)
# By name in the config: what conf/config.yaml has, and what every option of a group shares.
OF_A_RUN: dict[str, Kind] = {
    "n_folds": whole(2, 10_000),
    "seeds": list_of(SEED, "a list of distinct whole numbers, e.g. [0,1,2]", least=1),
    "max_steps": whole(1, 1_000_000),
    "batch_size": whole(1, 100_000),
    "standardize": TRUTH,
    "target_prior": one_of("uniform", "natural"),
    **{f"dataset.{leaf}": kind for leaf, kind in DATASET.items()},
    "augmenter.amount": AMOUNT
    | Kind(AUTO, lambda value: value == AUTO)
    | list_of(AMOUNT, "a list of such numbers to choose from, e.g. [0,0.5,1]", least=1, most=20),
    "augmenter.replicas": whole(1, 1000),
    "augmenter.strict": TRUTH,
    "force": TRUTH,
    "report": TRUTH,
    "metric": METRIC | NULL,  # `synaug.command.check.parts` knows their names
    "threads": whole(1, 1024) | NULL,
    "cuda_graphs": TRUTH,
    # Lightning's own arguments, those that a run does not set itself (`OWN_TRAINER_ARGUMENTS`).
    "trainer.accelerator": text("auto, cpu, gpu or another word of Lightning's", r"[a-z]+"),
    "trainer.devices": Kind(
        "one (1, auto, or the number of one GPU in a list, e.g. [0]): a run is one program; spread a sweep's jobs "
        "over devices instead",
        lambda value: any(type(value) is type(each) and value == each for each in (1, "1", "auto")) or _is_one(value),
    ),
    "trainer.precision": one_of(*PRECISIONS),
    "trainer.enable_progress_bar": TRUTH,
    "trainer.enable_model_summary": TRUTH,
    "trainer.enable_autolog_hparams": TRUTH,
    "trainer.log_every_n_steps": whole(0, LARGEST),
    "trainer.profiler": one_of("simple", "advanced", "pytorch") | NULL,
    "trainer.deterministic": TRUTH | one_of("warn") | NULL,
    "trainer.benchmark": TRUTH | NULL,
    "trainer.detect_anomaly": TRUTH,
    "trainer.default_root_dir": FOLDER | NULL,
}

_HUB = {
    "hub_id": TEXT,
    "config": TEXT | NULL,
    "revision": TEXT | NULL,
    "splits": list_of(TEXT, "a list of splits, e.g. [train,test]", least=1),
    "text": WORD,
    "label": WORD,
    "class_names": NAMES,
}
# Of torch.optim's classes, which let too much pass, or say it in the first step.
OPTIMISER = {
    "lr": number(0, 1000),
    "weight_decay": number(0, 1000),
    "momentum": number(0, 1),
    "dampening": number(0, 1),
    "eps": number(0, 1),
    "maximize": TRUTH,
    "nesterov": TRUTH,
    "amsgrad": TRUTH,
    "betas": list_of(
        number(0, 1, below=True), "a list of two numbers from 0 to below 1, e.g. [0.9,0.999]", 2, 2, distinct=False
    ),
    "foreach": TRUTH | NULL,
    "fused": TRUTH | NULL,
    "capturable": TRUTH,
    "differentiable": TRUTH,
}
ENCODER = {
    "model": TEXT,
    "revision": TEXT | NULL,
    "package": TEXT | NULL,
    "sha256": SHA256 | NULL,
    "pooling": one_of("cls", "mean", "pooler"),
    "layer": whole(-1000, 1000),
    "max_length": whole(3, 1_000_000),
    "normalize": TRUTH,
    "batch_tokens": whole(1, 100_000_000) | NULL,
    "device": DEVICE | list_of(DEVICE, "a list of them", least=1, distinct=False) | NULL,
    "precision": one_of(FLOAT32, INT8, *HALF),
}
HIDDEN = list_of(
    SIZE,
    "a list of at most 64 positive widths (up to 65,536), e.g. [128], or [] for a linear model",
    most=64,
    distinct=False,
)
NEIGHBOURS = {"k": whole(1, LARGEST), "metric": TEXT, "approximate": TRUTH}
VAE = {
    "latent_dim": SIZE,
    "hidden": whole(0, 65536),  # 0: linear
    "beta": number(0, 1_000_000),
    "warmup_epochs": whole(0, 1_000_000),
    "max_epochs": whole(1, 1_000_000),
    "patience": whole(1, 1_000_000),
    "batch_size": whole(1, 100_000),
    "lr": number(0, 1000, above=True),
    "validation_share": number(0, 1, below=True),
    "sample_from": one_of("prior", "posterior"),
    "observation_noise": TRUTH,
}
# By target, then by name: a target of our own, or of a library whose own checks come late or let too much pass.
OF_A_TARGET: dict[str, Mapping[str, Kind]] = {
    "synaug.dataset.FileDataset": {
        "name": NAME | NULL,  # null: the file's
        "path": WORD,
        "text": WORD | NULL,  # null: rows have vectors and no texts
        "label": WORD,
        "separator": WORD | NULL,
        "quoting": one_of(*QUOTING) | NULL,
    },
    "synaug.dataset.HubDataset": _HUB,
    "synaug.dataset.PackageDataset": {
        "name": NAME,
        "package": text("a package's name", r"[A-Za-z_]\w*"),
        "file": TEXT,
        "sha256": SHA256,
        "origin": TEXT,
        "class_names": NAMES,
        "extra": TEXT,
    },
    "synaug.encoder.TransformerEncoder": ENCODER,
    "synaug.encoder.StaticEncoder": {
        "model": TEXT,
        "revision": TEXT | NULL,
        "max_length": whole(1, 1_000_000) | NULL,
        "normalize": TRUTH,
    },
    "synaug.encoder.SentenceTransformerEncoder": {
        "model": TEXT,
        "revision": TEXT | NULL,
        "prompt_name": TEXT | NULL,
        "prompt": Kind("text", lambda value: isinstance(value, str) and "\0" not in value, is_text=True) | NULL,
        "max_length": whole(3, 1_000_000) | NULL,
        "normalize": TRUTH,
        "batch_size": whole(1, 100_000),
        "device": DEVICE | list_of(DEVICE, "a list of them", least=1, distinct=False) | NULL,
    },
    "synaug.encoder.PrecomputedVectors": {
        "path": WORD | NULL,
        "column": WORD,
        "id": WORD | NULL,
        "ids": WORD | NULL,
        "normalize": TRUTH,
        "name": NAME | NULL,
    },
    "synaug.imbalance_ratio.ImbalanceRatio": {
        "ratio": number(1, 1_000_000) | NULL,
        "profile": one_of(*PROFILES),
        "minority": one_of(ROTATE) | CLASS_NAMES,
    },
    "synaug.validation.Nested": {"n_folds": whole(2, 1000), "final": one_of(BAGGED, REFIT)},
    "synaug.validation.Holdout": {"share": number(0, 1, above=True, below=True)},
    "synaug.validation.Oracle": {"share": number(0, 1, above=True, below=True)},
    "imblearn.over_sampling.RandomOverSampler": {"shrinkage": number(0, 1000) | NULL},
    "imblearn.over_sampling.SVMSMOTE": {"out_step": number(0, 1)},
    "sklearn.svm.SVC": {"C": number(0, LARGEST, above=True)},
    "imblearn.over_sampling.KMeansSMOTE": {
        "cluster_balance_threshold": number(0, 1) | one_of("auto"),
        "density_exponent": number(-LARGEST, LARGEST) | one_of("auto"),
    },
    "sklearn.cluster.MiniBatchKMeans": {"n_clusters": SIZE, "n_init": SIZE | one_of("auto")},
    "imblearn.under_sampling.EditedNearestNeighbours": {"kind_sel": one_of("all", "mode")},
    "imblearn_extra.gsmote.GeometricSMOTE": {
        "k_neighbors": whole(1, LARGEST),
        "selection_strategy": one_of("combined", "minority", "majority"),
        "truncation_factor": number(-1, 1),
        "deformation_factor": number(0, 1),
    },
    "synaug.augmenter.nearest_neighbours": NEIGHBOURS,
    "synaug.augmenter.SelfPaced": {"k_bins": SIZE},
    "synaug.augmenter.SmoteVariants": {"sampler": TEXT, "parameters": BY_NAME | NULL},
    "synaug.augmenter.Texts": {
        "path": WORD,
        "text": WORD,
        "label": WORD,
        "source": WORD,
        "sources": one_of(REQUIRED, NO_SOURCES),
        "separator": WORD | NULL,
        "quoting": one_of(*QUOTING) | NULL,
        "drop_empty": TRUTH,
    },
    "synaug.augmenter.VAE": VAE,
    "synaug.augmenter.EOS": {"m_neighbors": whole(1, LARGEST), "reach": number(0, 1, above=True)},
    "synaug.augmenter.MGS": {"k_neighbors": whole(1, LARGEST)},
    "synaug.augmenter.Slerp": {"k_neighbors": whole(1, LARGEST)},
    "synaug.augmenter.Mixup": {"alpha": number(0, 1000, above=True)},
    "synaug.augmenter.Remix": {
        "alpha": number(0, 1000, above=True),
        "kappa": number(1, 1_000_000),
        "tau": number(0, 1, above=True),
    },
    "synaug.augmenter.Gaussian": {"shrinkage": one_of("oas", "ledoit_wolf") | number(0, 1)},
    "synaug.augmenter.DistributionCalibration": {
        "base_classes": whole(1, LARGEST),
        "alpha": number(0, 1000),
        "tukey": number(0.01, 100),
        "calibrate_mean": TRUTH,
    },
    "synaug.augmenter.CVAE": VAE,
    "synaug.augmenter.Flow": {
        "n_components": whole(0, 65536),  # 0: Gaussian
        "hidden": SIZE,
        "steps": whole(0, 1_000_000),
        "batch_size": whole(1, 100_000),
        "lr": number(0, 1000, above=True),
        "ode_steps": whole(1, 10_000),
    },
    "synaug.classifier.Classifier": {"hidden": HIDDEN},
    "synaug.classifier.FineTuned": {
        "rank": whole(0, 4096) | NULL,
        "alpha": number(0, 1_000_000, above=True),
        "when": one_of(FEATURES, BATCH),
        "lr": number(0, 1000),
        "head_lr": number(0, 1000),
        "weight_decay": number(0, 1000),
        "warmup": number(0, 1),
        "max_steps": whole(1, 1_000_000),
        "batch_size": whole(1, 100_000),
        "accumulate": whole(1, 10_000),
        "max_norm": number(0, LARGEST, above=True) | NULL,
        "max_length": whole(3, 1_000_000) | NULL,
        "dropout": number(0, 1, below=True),
        "precision": one_of(FLOAT32, BF16),
        "memory": whole(1, LARGEST),
        "hidden": HIDDEN,
    },
    "synaug.classifier.NearestNeighbours": {"k": whole(1, LARGEST), "metric": TEXT},
    "synaug.classifier.ScikitLearn": {"carries": one_of("counts", "uniform")},
    "synaug.loss.Plain": {"label_smoothing": number(0, 1, below=True)},
    "synaug.loss.ClassWeighted": {"weights": CLASS_WEIGHTS},
    "synaug.loss.EffectiveNumber": {"beta": number(0, 1, below=True)},
    "synaug.loss.LogitAdjusted": {"tau": number(0, 100)},
    "synaug.loss.Focal": {"gamma": number(0, 100)},
    "synaug.loss.LDAM": {"max_margin": number(0, 1000)},
    "pytorch_lightning.loggers.CSVLogger": {
        "save_dir": FOLDER,
        "name": text("a folder's name, or ''", r"(\w[\w.-]*)?", LONGEST_NAME) | NULL,
        "version": text("a folder's name", r"\w[\w.-]*", LONGEST_NAME) | whole(0, LARGEST) | NULL,
        "prefix": text("text, or ''", ".*", LONGEST_NAME),
        "flush_logs_every_n_steps": whole(1, LARGEST),
    },
    "synaug.tracking.wandb_logger": {
        "project": text(
            f"1 to {LONGEST_NAME} characters without {' '.join(NOT_IN_A_PROJECT)}",
            rf"[^{re.escape(NOT_IN_A_PROJECT)}]*[^{re.escape(NOT_IN_A_PROJECT)}\s][^{re.escape(NOT_IN_A_PROJECT)}]*",
            LONGEST_NAME,
        ),
        "entity": text("a user or team of W&B", r"[\w.-]+", LONGEST_NAME) | NULL,
        "group": NAME | NULL,
        "name": NAME | NULL,
        "job_type": NAME,
        "tags": list_of(
            text("a tag", most=LONGEST_TAG), f"a list of different tags of 1 to {LONGEST_TAG} characters each"
        ),
        "save_dir": FOLDER,
        "init_timeout": number(0, 3600, above=True),
        "finish_timeout": number(0, 86400, above=True),
    },
}


def kind_of(name: str, target: Any) -> Kind | None:
    """What a setting must be; None for one that only its own target knows.

    Parameters
    ----------
    name
        As in ``classifier.optimizer.lr``.
    target
        The ``_target_`` that it is handed to, None for a setting of the run.
    """
    leaf = name.rpartition(".")[2]
    if leaf == "_target_":
        return TARGET | NULL if name == "logger._target_" else TARGET
    table: Mapping[str, Kind] = OF_A_TARGET.get(str(target), {})
    if str(target).startswith("torch.optim."):
        table = OPTIMISER
    return table.get(leaf) or OF_A_RUN.get(name) or OF_HYDRA.get(leaf)


def amounts(setting: Any) -> tuple[float, ...]:
    """What ``augmenter.amount`` leaves to choose from, ascending: one amount where it is a number.

    Parameters
    ----------
    setting
        A number, ``auto`` (`AMOUNTS`) or a list of numbers.
    """
    given = AMOUNTS if setting == AUTO else setting if isinstance(setting, list | tuple) else [setting]
    return tuple(sorted(set(given)))


def text_settings() -> set[str]:
    """Names of the settings that are text, or lists of it, whatever option of their group is chosen."""
    groups = {"dataset": "synaug.dataset.", "encoder": "synaug.encoder.", "imbalance_ratio": "synaug.imbalance_ratio."}
    groups |= {"augmenter": "synaug.augmenter.Texts", "logger": "synaug.tracking."}
    names = {name for name, kind in OF_A_RUN.items() if kind.is_text and not name.startswith("trainer.")}
    for group, prefix in groups.items():
        for target, table in OF_A_TARGET.items():
            if target.startswith(prefix):
                names |= {f"{group}.{leaf}" for leaf, kind in table.items() if kind.is_text}
    return {*names, "name", "output_dir", "cache_dir"}


def require(group: str, table: Mapping[str, Kind], given: Mapping[str, Any]) -> None:
    """Hold a part's own values to their kinds.

    Raises
    ------
    UserError
        For the first that is none.
    """
    for leaf, value in given.items():
        if (problem := table[leaf].problem(f"{group}.{leaf}", value)) is not None:
            raise UserError(problem)


def did_you_mean(word: str, known: Iterable[str], prefix: str) -> str:
    """`: did you mean …?` with the nearest of the known words, or nothing."""
    known = sorted(known)
    near = [each for each in known if each.casefold() == word.casefold()] or difflib.get_close_matches(word, known, n=1)
    return f": did you mean {prefix}{near[0]}?" if near else ""
