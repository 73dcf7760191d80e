"""Every setting of every option with values that have no meaning: none may end in a traceback, hang or be recorded.

CI tries some of them (`tests.test_leaves`). All of them::

    python -m tests.leaves                       # settings that several options share, once
    python -m tests.leaves --every-option        # the ratios, encoders and hub data sets one by one
    python -m tests.leaves --only classifier.    # settings whose name begins so
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from synaug.settings import GROUPS as DECISIVE
from synaug.settings import conf_dir
from tests import toy
from tests.program import TOY, Outcome, run

SECONDS = 120  # a case that takes longer hangs; healthy ones take one or two
# As they stand on a command line. For a setting that is text the words are text, and only the rest has no meaning.
WORDS = {
    "a word": "nonsense",
    "true": "true",
    "zero": "0",
    "negative": "-1",
    "a fraction": "0.5",
    "huge": "1e20",
    "huge and whole": "100000000000000000000",
    "the largest": "1e308",
    "not a number": "nan",
    "infinite": "inf",
}
OTHERS = {
    "null": "null",
    "empty": "''",
    "white": "'  '",
    "a list": "[1,x]",
    "a list of lists": "[[1]]",
    "an empty list": "[]",
    "a mapping": "{a: 1}",
}
VALUES = {**WORDS, **OTHERS}
WRONG_TARGETS = ("os.path.join", "collections.OrderedDict", "nowhere.Nothing", "synaug.dataset", "5", "null", "''")
# What has no meaning for a number or for true and false, whichever it is.
NEVER = set(VALUES) - {"true", "zero", "negative", "a fraction", "null"}
NULLABLE = {
    "metric",
    "threads",
    "cache_dir",
    "dataset.max_per_class",
    "dataset.max_rows",
    "dataset.min_per_class",
    "dataset.name",
    "dataset.config",
    "dataset.revision",
    "dataset.licence",
    "dataset.paper",
    "dataset.separator",
    "dataset.quoting",
    "dataset.group",
    "encoder.revision",
    "encoder.package",
    "encoder.sha256",
    "encoder.batch_tokens",
    "encoder.device",
    "encoder.path",
    "encoder.id",
    "encoder.ids",
    "encoder.name",
    "encoder.prompt_name",
    "encoder.prompt",
    "encoder.max_length",
    "imbalance_ratio.ratio",
    "imbalance_ratio.minority",
    "classifier.rank",
    "classifier.max_norm",
    "classifier.max_length",
    "augmenter.shrinkage",
    "augmenter.separator",
    "augmenter.quoting",
    "loss.weights",
    "logger.name",
    "logger.version",
    "logger.entity",
    "logger.group",
}
GROUPS = (*DECISIVE, "logger")
# Options that differ from another in values alone.
ALIKE = {"ir2", "ir5", "ir20", "ir50", "ir100", "bert_base", "distilbert", "roberta_base"}
ALIKE |= {"ag_news", "emotion", "sst2", "trec", "sms_spam", "banking77", "linear", "lora"}
GIVEN = {
    "huggingface": ["encoder.model=no/model"],
    "static": ["encoder.model=no/model"],
    "sentence_transformers": ["encoder.model=no/model"],
    "precomputed": ["encoder.path=vectors.npy"],
    "files": [],
    "texts": ["augmenter.path=written.csv"],
    "wandb": ["+logger.mode=disabled"],
}


@dataclass(frozen=True)
class Case:
    """One setting with one value.

    Attributes
    ----------
    options
        What is chosen, as on a command line.
    name, value
        The setting and the text after ``=``.
    label
        What the value is like.
    example
        The setting's own value.
    """

    options: tuple[str, ...]
    name: str
    label: str
    value: str
    example: Any

    @property
    def is_without_meaning(self) -> bool:
        """Whether the value can mean nothing, by the setting's own value alone: no run may be recorded with it."""
        if self.name.endswith("_target_"):
            return self.name != "logger._target_" or self.value != "null"  # which is no logger
        if self.label == "null":
            return self.name not in NULLABLE
        if isinstance(self.example, bool):
            return self.label != "true"
        if isinstance(self.example, int | float):
            return self.label in NEVER or (self.label == "true")
        if isinstance(self.example, list):
            return self.label in WORDS or self.label in ("a list of lists", "a mapping", "empty", "white")
        return self.label in ("a list", "a list of lists", "a mapping", "an empty list") and self.example is not None

    def __str__(self) -> str:
        return " ".join((*self.options, f"{self.name}={self.value}"))


@cache
def cases(every_option: bool = False) -> Sequence[Case]:
    """All of them."""
    found: list[Case] = []
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        base = compose("config", overrides=["dataset=files", "dataset.path=mine.csv"])
        for key in map(str, base):
            if key not in GROUPS:
                found += list(_of(base, key, ()))
        for group in GROUPS:
            for path in sorted((conf_dir() / group).glob("*.yaml")):
                if path.stem in ALIKE and not every_option:
                    continue
                options = (f"{group}={path.stem}", *GIVEN.get(path.stem, []))
                config = compose("config", overrides=[each for each in options if not each.startswith("+")])
                config = OmegaConf.masked_copy(config, [group])
                found += list(_of(config, group, options))
    return tuple(found)


def _of(config: DictConfig, name: str, options: tuple[str, ...]) -> Iterator[Case]:
    parent, _, key = name.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    assert isinstance(node, DictConfig)
    raw: Any = node._get_node(key)
    value = raw if OmegaConf.is_config(raw) else raw._value()  # not resolved: it may need a run's folder
    if isinstance(value, DictConfig):
        for each in map(str, value):
            yield from _of(config, f"{name}.{each}", options)
    elif key == "_target_":
        for wrong in WRONG_TARGETS:
            yield Case(options, name, "a wrong target", wrong, value)
    elif key not in ("_partial_", "_recursive_"):
        example = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        for label, text in VALUES.items():
            yield Case(options, name, label, text, example)


def attempt(case: Case, folder: Path) -> tuple[Outcome | BaseException, int]:
    """Run one case in a folder of its own; the outcome, or what was raised, and how many runs were recorded."""
    path = toy.write_csv(folder / "mine.csv", *toy.texts(30))
    np.save(folder / "vectors.npy", np.random.RandomState(0).randn(len(toy.texts(30)[0]), 8))
    toy.written(*toy.texts(30)).to_csv(folder / "written.csv", index=False)
    arguments = [*TOY, f"dataset.path={path}", "n_folds=2", "validation.n_folds=2", "max_steps=8"]
    arguments += ["trainer.enable_progress_bar=false", f"output_dir={folder / 'runs'}", f"cache_dir={folder / 'cache'}"]
    if any(each.startswith("dataset=") for each in case.options):
        left_out = ("dataset.path=", "dataset.text=", "dataset.label=")
        is_own = case.options[0] == "dataset=files"
        arguments = [each for each in arguments if is_own or not each.startswith(left_out)]
        arguments += [] if case.name == "dataset.max_per_class" else ["dataset.max_per_class=60"]
    before = os.getcwd()
    os.chdir(folder)
    try:
        with _limited(SECONDS):
            outcome: Outcome | BaseException = run(*arguments, *case.options, f"{case.name}={case.value}")
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what is looked for
        outcome = error
    finally:
        os.chdir(before)
    return outcome, len(list(folder.rglob("record.json")))


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def end(*_: object) -> None:
        raise TimeoutError(f"no end after {seconds} s")

    earlier = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


def fault(case: Case, outcome: Outcome | BaseException, recorded: int) -> str | None:
    """What is wrong with how a case ended; None where nothing is."""
    if isinstance(outcome, BaseException):
        return f"raised {type(outcome).__name__}: {outcome}"
    if "Traceback" in outcome.err:
        return f"traceback:\n{outcome.err[-2000:]}"
    if outcome.code == 0 and case.is_without_meaning and recorded:
        return "recorded, though the value has no meaning"
    if outcome.code == 0 and not recorded:
        return f"ended well without a record:\n{outcome.err[-500:]}"
    if outcome.code == 1 and case.is_without_meaning and not _names(outcome.err, case.name):
        return f"does not name the setting:\n{outcome.err[-500:]}"
    if outcome.code not in (0, 1):
        return f"exit code {outcome.code}:\n{outcome.err[-500:]}"
    return None


def _names(said: str, name: str) -> bool:
    """Whether a setting is named, or that of which it is a part, where what it is made of was refused."""
    said = "\n".join(line for line in said.splitlines() if "overrides: [" not in line)  # Hydra's echo of the command
    group, _, leaf = name.rpartition(".")
    is_named = name in said or (f"'{leaf}'" in said and group in said)
    return is_named or (leaf == "_target_" and (("." not in group and group in said) or _names(said, group)))


def main() -> None:
    """Try all cases; exit with 1 where one has a fault."""
    parser = argparse.ArgumentParser(description="try every setting with values that have no meaning")
    parser.add_argument("--every-option", action="store_true", help="also options that differ in values alone")
    parser.add_argument("--only", default="", help="settings whose name begins so")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases, drawn with a fixed seed")
    arguments = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled"}
    chosen = [case for case in cases(arguments.every_option) if case.name.startswith(arguments.only)]
    chosen = random.Random(0).sample(chosen, round(len(chosen) * arguments.share))
    faults = 0
    for number, case in enumerate(chosen, start=1):
        with tempfile.TemporaryDirectory() as folder:
            found = fault(case, *attempt(case, Path(folder)))
        if found is not None:
            faults += 1
            sys.stdout.write(f"{case}: {found}\n")
        if number % 100 == 0:
            sys.stdout.write(f"[{number}/{len(chosen)}] {faults} faults\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen)} cases, {faults} faults\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
