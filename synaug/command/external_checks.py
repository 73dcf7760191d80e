"""Compare synaug with outside values: ``synaug check``, or one task of MTEB's with ``task=Banking77``.

Its own words are `OWN`; all others are settings of a run, of which it needs the encoder, the data set
and the cache's folder.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synaug.errors import UserError
from synaug.files.escaping import make_console_safe, say, wrapped
from synaug.files.sign_of_life import busy

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from synaug.check.comparison import Comparison
    from synaug.check.mteb import Task
    from synaug.sweep.status import Ended

OWN = ("task", "k", "published")
DEFAULT_TASK = "EmotionClassification"
SCRATCH = "SYNAUG_CHECK_FOLDER"  # of Hydra's own files, gone when the command ends
OVERRIDES = ("report=false", "hydra.output_subdir=null", f"hydra.run.dir='${{oc.env:{SCRATCH}}}'")
HELP = """\
synaug check: does synaug compute what others have published or derived?

  synaug check                        all checks, in about a minute
  synaug check task=Banking77         one task of MTEB's alone
  synaug check task=NAME k=16 dataset=... published=FILE encoder=...

task=NAME         one of MTEB's: {tasks};
                  of any other, k, dataset and published are needed
k=K               training rows of each class
published=FILE    the scores to compare with: the JSON of this task from MTEB's results
dataset=..., encoder=..., cache_dir=..., threads=...   as for a run (synaug run --help)

The checks: MTEB's {default} from the texts on; our linear model and MLP beside
scikit-learn's; our samplers beside imbalanced-learn's; two Gaussian classes, for which there is a
formula. Each line says how far apart two values may lie. The exit code is 0 if all that was checked
agrees, and 1 otherwise. A check whose data are out of reach is left out; a line says so."""


@dataclass
class Outcome:
    """What came of all checks so far."""

    comparisons: "list[Comparison]" = field(default_factory=list)
    not_checked: int = 0

    def add(self, title: str, comparisons: "Iterator[Comparison]") -> None:
        """Make the comparisons of one kind, and print them."""
        from synaug.check.comparison import table

        sys.stderr.write(wrapped(f"checking: {title}\n"))
        with busy(f"checking: {title}"):
            made = list(comparisons)
        self.comparisons += made
        say(f"\n{table(title, made)}\n")

    def leave_out(self, title: str, error: UserError) -> None:
        """Say what could not be checked, and why."""
        self.not_checked += 1
        say(wrapped(f"\nnot checked: {title}: {error}\n"))

    def line(self) -> str:
        """``31 of 31 values agree``."""
        agree = sum(each.agrees for each in self.comparisons)
        missing = f"; not checked: {self.not_checked}" if self.not_checked else ""
        return f"{agree} of {len(self.comparisons)} values agree{missing}"


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code: 0 if all that was checked agrees, else 1."""
    make_console_safe()
    words = sys.argv[1:] if words is None else words
    if {"-h", "--help"} & set(words):
        from synaug.check.tasks import TASKS

        say(HELP.format(tasks=", ".join(task.name for task in TASKS), default=DEFAULT_TASK) + "\n")
        return 0
    own = dict(word.split("=", 1) for word in words if word.partition("=")[0] in OWN and "=" in word)
    others = [word for word in words if not ("=" in word and word.partition("=")[0] in OWN)]
    try:
        task = _task(own, others)
    except UserError as error:
        sys.stderr.write(wrapped(f"{error}\n"))
        return 1
    from synaug.command import app

    outcome = Outcome()
    first = [*OVERRIDES, *([f"dataset={task.dataset}"] if task.dataset else [])]
    with tempfile.TemporaryDirectory() as folder:
        os.environ[SCRATCH] = os.path.join(folder, "check")  # sentences name it
        try:
            app.main(others, _job(outcome, task, alone="task" in own), first=first)
        finally:
            del os.environ[SCRATCH]
    say(f"\n{outcome.line()}\n")
    return 0 if outcome.comparisons and all(each.agrees for each in outcome.comparisons) else 1


def _task(own: dict[str, str], others: Sequence[str]) -> "Task":
    """The task of a command line; the default one where it names none."""
    from synaug.check import mteb

    lone = [f"{word}={own[word]}" for word in OWN if word in own and "task" not in own]
    if lone:
        raise UserError(f"{lone[0]} describes a task: name the task, too, with task=...")
    has_dataset = any(word.startswith("dataset=") for word in others)
    name = own.get("task", DEFAULT_TASK)
    return mteb.asked_for(name, own.get("k"), own.get("published"), has_dataset=has_dataset)


def _job(outcome: Outcome, task: "Task", *, alone: bool) -> "Callable[[DictConfig], Ended]":
    """What Hydra calls with the composed config."""

    def job(config: "DictConfig") -> "Ended":
        from synaug.command.check.parts import check_parts
        from synaug.command.check.settings import check_settings
        from synaug.sweep.status import DONE, Ended

        check_parts(config, check_settings(config))
        from synaug.check import gaussians, peers
        from synaug.encoder.workers import torch_threads
        from synaug.pipeline import quieten_lightning

        quieten_lightning()
        with torch_threads(config.threads):
            title = f"MTEB's {task.name}, k = {task.k}, {_model(config)}"
            try:
                outcome.add(title, mteb_comparisons(config, task))
            except UserError as error:
                if alone:
                    raise
                outcome.leave_out(title, error)
            if not alone:
                outcome.add(peers.MODELS, peers.compare_models())
                outcome.add(peers.SAMPLERS, peers.compare_samplers())
                outcome.add(gaussians.TITLE, gaussians.compare())
        return Ended(DONE)

    return job


def mteb_comparisons(config: "DictConfig", task: "Task") -> "Iterator[Comparison]":
    """Follow MTEB's protocol with the encoder and the data set of a config.

    Raises
    ------
    UserError
        If the data set has no official splits or cannot be had, or no published scores of the encoder are known.
    """
    import numpy as np
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from synaug.check import mteb
    from synaug.embeddings.cache import EmbeddingCache, cache_folder

    model = _model(config)
    if task.model not in (None, model):
        raise UserError(
            f"the published scores of {task.name} that are known here are of {task.model}, not of {model}: give "
            "published=FILE, or leave encoder out"
        )
    if OmegaConf.select(config, "dataset.hub_id") is None:
        raise UserError(
            f"{config.dataset.name} has no official training and test rows: give dataset=... one of the hub's"
        )
    train, test = (
        instantiate(config.dataset, splits=[split], offline=None, _convert_="all").read()
        for split in ("train", mteb.SPLIT)
    )
    labels, test_labels = np.array(train.labels), np.array(test.labels)
    rows = list(mteb.draws(labels, task.k))
    drawn = np.unique(np.concatenate(rows))
    cache = EmbeddingCache(instantiate(config.encoder, _convert_="all"), cache_folder(config.cache_dir))
    texts = [*(train.texts[row] for row in drawn), *test.texts]
    embedded = cache.embed(texts, progress_bar=config.trainer.enable_progress_bar)
    of_drawn, of_test = embedded[: len(drawn)], embedded[len(drawn) :]
    scores = [
        mteb.experiments(of_drawn[np.searchsorted(drawn, each)], labels[each], of_test, test_labels) for each in rows
    ]
    yield from mteb.compare(scores, task.published)


def _model(config: "DictConfig") -> str:
    """What the encoder is called before readers."""
    return str(config.encoder.get("model") or config.encoder._target_)
