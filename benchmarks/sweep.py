"""Whole sweeps as a user starts them: `python -m synaug --multirun` against `benchmarks.naive`, processes and all."""

import argparse
import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import process
from benchmarks.encode import CONF
from benchmarks.measure import Arrays, Differs, Row, Run, interleave
from benchmarks.stage import Stage

NAIVE = "the naive program"
WARM_TARGET = 8.0
AGAIN_TARGET = 0.3
# Mean test scores over the folds of two programs that draw their own folds, thinned rows and weights.
SCORE_NOISE = 0.08
STEPS_PER_EPOCH = 50  # of the naive program, which looks at its validation rows so often


class Sweeps:
    """Both programs over one csv, in a folder of this stage's own."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args = args
        self.folder = folder
        self.csv = folder / "texts.csv"
        self.augmenters = args.augmenters.split(",")
        self.ratios = [int(each) for each in args.ratios.split(",")]
        self._n_runs = 0
        write_texts(self.csv, args.rows_per_class)

    @property
    def n_jobs(self) -> int:
        """Points of the grid."""
        return len(self.augmenters) * len(self.ratios)

    def naive(self, embeddings: str) -> Run:
        """Run the naive program into a new folder; it encodes if it does not find the file `embeddings`."""
        into = self._new_folder()
        settings = [
            f"texts={self.csv}",
            f"embeddings={self.folder / embeddings}",
            f"augmenter={','.join(self.augmenters)}",
            f"ratio={','.join(map(str, self.ratios))}",
            f"steps_per_epoch={min(STEPS_PER_EPOCH, self.args.steps)}",
            f"hydra.sweep.dir={into}",
        ]
        ended = process.command(["-m", "benchmarks.naive", "--multirun", *settings, *self._shared()])
        jobs = [json.loads(path.read_text()) for path in into.glob("*/scores.json")]
        scores = {f"{job['augmenter']} {job['ratio']}": [job["accuracy"], job["f1_macro"]] for job in jobs}
        return Run(ended.seconds, ended.memory, {name: np.array(each) for name, each in scores.items()})

    def synaug(self, cache: str, into: Path | None = None, *, jobs: slice = slice(None)) -> Run:
        """Run synaug into a folder (a new one), with this cache; `jobs` cuts the grid's augmenters."""
        into = into or self._new_folder()
        settings = [
            "dataset=files",
            f"dataset.path={self.csv}",
            f"augmenter={','.join(self.augmenters[jobs])}",
            f"imbalance_ratio={','.join(f'ir{each}' for each in self.ratios[jobs])}",
            f"cache_dir={self.folder / cache}",
            f"output_dir={into}",
            "validation=oracle",  # as the naive program leaves rows out
            "report=false",
            "trainer.enable_progress_bar=false",
        ]
        ended = process.command(["-m", "synaug", "--multirun", *settings, *self._shared()])
        records = [json.loads(path.read_text()) for path in into.glob("*/*/record.json")]
        return Run(ended.seconds, ended.memory, dict(map(_scores, records)))

    def _shared(self) -> list[str]:
        return [f"n_folds={self.args.folds}", f"max_steps={self.args.steps}"]

    def _new_folder(self) -> Path:
        self._n_runs += 1
        return self.folder / f"run-{self._n_runs}"


def measure(args: argparse.Namespace) -> list[Row]:
    """Cold once (it encodes), warm by turns, and what is recorded already again."""
    with tempfile.TemporaryDirectory(prefix="synaug-benchmarks-") as folder:
        sweeps = Sweeps(args, Path(folder))
        cold = interleave(
            {"naive": lambda: sweeps.naive("embeddings.npy"), "synaug": lambda: sweeps.synaug("cache")},
            1,
            lambda computed: require_alike(computed, sweeps.n_jobs, SCORE_NOISE),
        )
        recorded = Path(folder, "recorded")
        warm = interleave(
            {
                "naive": lambda: sweeps.naive("embeddings.npy"),
                "synaug": lambda: sweeps.synaug("cache", None if (recorded.exists()) else recorded),
            },
            args.repetitions,
            lambda computed: require_alike(computed, sweeps.n_jobs, SCORE_NOISE),
        )
        per_job, memory = again(sweeps, recorded)
    name = f"{sweeps.n_jobs} jobs of {args.folds} folds, {args.steps} steps"
    return [
        Row.of(f"{name}: cold, {2 * args.rows_per_class} texts to encode", cold, "naive", called=NAIVE),
        Row.of(f"{name}: embeddings cached", warm, "naive", called=NAIVE, target=WARM_TARGET),
        Row(
            "a job more that is recorded already",
            tuple(per_job),
            target=AGAIN_TARGET,
            kind="seconds",
            synaug_memory=memory,
        ),
    ]


def again(sweeps: Sweeps, recorded: Path) -> tuple[list[float], int]:
    """Give the same sweep again, and its first job alone, by turns.

    Returns
    -------
    list of float, int
        Seconds of one job more, in each repetition; bytes at most.

    Raises
    ------
    Differs
        If a record was written anew.
    """
    before = _written(recorded)

    def untouched(_: dict[str, Arrays]) -> None:
        if _written(recorded) != before:
            raise Differs("a job that was recorded already ran again: its record is new")

    runs = interleave(
        {
            "whole": lambda: sweeps.synaug("cache", recorded),
            "one": lambda: sweeps.synaug("cache", recorded, jobs=slice(1)),
        },
        sweeps.args.repetitions,
        untouched,
    )
    more = max(sweeps.n_jobs - 1, 1)
    per_job = [(whole.seconds - one.seconds) / more for whole, one in zip(runs["whole"], runs["one"], strict=True)]
    return per_job, max(run.memory or 0 for run in runs["whole"])


def require_alike(computed: dict[str, Arrays], n_jobs: int, noise: float) -> None:
    """Demand the same grid, and in each job like accuracies and macro F1.

    Raises
    ------
    Differs
        If a job is missing, or the means over its folds differ by more than `noise`.
    """
    naive, synaug = computed["naive"], computed["synaug"]
    if naive.keys() != synaug.keys() or len(synaug) != n_jobs:
        raise Differs(f"the naive program did {sorted(naive)}, synaug {sorted(synaug)}; both must do {n_jobs} jobs")
    for job, scores in synaug.items():
        if naive[job].shape != scores.shape:
            raise Differs(f"{job}: scores {naive[job].shape} and {scores.shape}; metrics and folds must be the same")
        gaps = np.abs(naive[job].mean(1) - scores.mean(1))
        if not gaps.max() <= noise:
            raise Differs(
                f"{job}: accuracy and macro F1 {naive[job].mean(1).round(3)} and {scores.mean(1).round(3)} differ by "
                f"more than {noise}"
            )


def _scores(record: dict[str, Any]) -> tuple[str, Any]:
    table = record["scores"]
    column = {name: index for index, name in enumerate(table["columns"])}
    scores = [
        [row[column["value"]] for row in table["data"] if _is(row, column, metric)]
        for metric in ("accuracy", "f1_macro")
    ]
    choices = record["choices"]
    return f"{choices['augmenter']} {choices['imbalance_ratio'].removeprefix('ir')}", np.array(scores)


def _is(row: Sequence[Any], column: dict[str, int], metric: str) -> bool:
    # The weights that are best by rows left out, as the naive program's are; argmax itself has the last.
    return bool(row[column["metric"]] == metric and row[column["decision"]] == "argmax_chosen_step")


def _written(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("*/*/record.json")}


def write_texts(path: Path, per_class: int) -> None:
    """Rotten Tomatoes' sentences, so many of each class, as the csv that both programs read."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    config = OmegaConf.load(CONF / "dataset" / "rotten_tomatoes.yaml")
    texts = instantiate(config, max_per_class=per_class).load()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(zip(texts.texts, texts.labels.tolist(), strict=True))


STAGE = Stage(
    name="sweep",
    about="Sweep augmenters and ratios over Rotten Tomatoes, whole processes timed.",
    sizes={
        "augmenters": ("none,smote", "of the grid"),
        "ratios": ("5,20", "of the grid"),
        "rows_per_class": (500, "sentences"),
        "folds": (10, "of each job"),
        "steps": (1024, "of each fold; the program's own default"),
    },
    measure=measure,
    repetitions=2,
)

if __name__ == "__main__":
    STAGE.main()
