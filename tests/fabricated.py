"""Folders of runs that nobody ran: records of plausible numbers, written in milliseconds."""

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.record import FAILURE, RECORD, SCHEMA, SCORE_COLUMNS, VALIDATION_COLUMNS
from synaug.record.tables import GEOMETRY_COLUMNS, LABEL_NOISE_COLUMNS, QUALITY_COLUMNS
from synaug.report.audited import MEASURES
from synaug.scores.metrics import CALIBRATION_BINS, CLASS_METRICS, METRICS

AUGMENTERS = ("none", "random", "smote", "adasyn")
CODE = "c0de" * 16
ROWS_PER_CLASS = 200
CANDIDATES = ("prior_corrected", "tuned")
RULES = ("argmax", "argmax_chosen_step", "tau_norm", *CANDIDATES)
STEPS = tuple(round(8 * 2 ** (look / 2)) for look in range(13))
CHOSEN_STEP, STOPPED = 128, 181
N_INNER = 5
# Gains in points of accuracy at 1:10, and what correcting the prior adds to no augmentation.
GAINS: Mapping[str, float] = {
    "none": 0.0,
    "random": 1.0,
    "random_under": 0.3,
    "smote": 1.5,
    "borderline_smote": 1.3,
    "adasyn": 1.2,
    "vae": -0.5,
}
LOSS_GAINS: Mapping[str, float] = {"plain": 0.0, "class_weighted": 1.1}
CORRECTION = 3.0
# Of argmax, with the last weights and with chosen ones, and of the two rules that may be chosen: what is left of a gain
# under it. Weights of normalised length lie in the middle between the two that have the same models.
CORRECTED = np.array([0.0, -0.5, CORRECTION, CORRECTION - 0.3])
OF_GAIN = np.array([1.0, 0.8, 0.25, 0.25])
# Augmenters that make no new point.
REPEATING, REMOVING = ("random",), ("random_under", "tomek", "near_miss")


Array = NDArray[np.float64]
Loss = str | tuple[str, Mapping[str, Any]]


def write_runs(
    folder: Path,
    datasets: Sequence[str] = ("ag_news", "imdb"),
    ratios: Sequence[float | None] = (10.0, 50.0),
    augmenters: Sequence[str] = AUGMENTERS,
    *,
    n_folds: int = 10,
    seeds: Sequence[int] = (0,),
    class_names: Sequence[str] = ("business", "science", "sports", "world"),
    effect: float = 1.0,
    augmenter_settings: Sequence[Mapping[str, Any]] = ({},),
    losses: Sequence[Loss] = ("plain",),
    warning: str | None = None,
    changes: Mapping[str, Any] | None = None,
    minority: Sequence[str] | None = None,
) -> list[Path]:
    """Write a record for each data set x ratio x augmenter x setting x loss, and return their folders.

    Parameters
    ----------
    ratios
        None is natural imbalance.
    effect
        Multiplies the gains over no augmentation; 0 makes all methods one but for noise.
    augmenter_settings
        Of every augmenter but `none`, e.g. ``{"amount": 0.5}`` or ``{"k_neighbors": 3}``.
    losses
        Options, some with their settings, e.g. ``("focal", {"gamma": 2.0})``.
    warning
        What each record that is not of `none` warns of.
    changes
        Replace keys of every record, e.g. ``{"code": ...}``.
    minority
        Names of classes; by default the later half.
    """
    written = []
    for dataset in datasets:
        for ratio in ratios:
            for augmenter in augmenters:
                for settings in [{}] if augmenter == "none" else augmenter_settings:
                    for loss in losses:
                        record = fabricate(
                            dataset, ratio, augmenter, settings, loss, n_folds, seeds, class_names, effect, minority
                        )
                        if warning and augmenter != "none":
                            record["warnings"] = [warning]
                        record |= changes or {}
                        written.append(write(folder, record))
    return written


def write(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write one record into a folder named by its run; not through synaug, whose fsync takes its time."""
    own = folder / str(record["run"])
    own.mkdir(parents=True, exist_ok=True)
    (own / RECORD).write_text(json.dumps(record, separators=(",", ":")), encoding="utf-8")
    return own


def write_failure(
    folder: Path, run: str, error: str, overrides: Iterable[str] = (), of: Mapping[str, Any] | None = None
) -> Path:
    """Write what a run that failed leaves behind; `of` is the record that it would have had, if that matters."""
    own = folder / run
    own.mkdir(parents=True, exist_ok=True)
    failure: dict[str, Any] = {
        "error": error,
        "sentence": error,
        "type": "ValueError",
        "traceback": "",
        "overrides": [*overrides],
    }
    if of is not None:
        dataset = of["config"]["dataset"]
        failure |= {"choices": of["choices"], "dataset": {name: dataset.get(name) for name in ("name", "path")}}
    (own / FAILURE).write_text(json.dumps(failure), encoding="utf-8")
    return own


def fabricate(
    dataset: str,
    ratio: float | None,
    augmenter: str,
    settings: Mapping[str, Any],
    loss: Loss,
    n_folds: int,
    seeds: Sequence[int],
    class_names: Sequence[str],
    effect: float,
    minority_names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """One record; splits are paired over augmenters, as noise that they share is drawn from the scenario alone."""
    loss = (loss, {}) if isinstance(loss, str) else loss
    choices = {
        "dataset": dataset,
        "encoder": "minilm",
        "imbalance_ratio": "natural" if ratio is None else f"ir{ratio:g}",
        "augmenter": augmenter,
        "loss": loss[0],
        "classifier": "mlp",
        "validation": "nested",
    }
    whole = json.dumps([choices, settings, loss, n_folds], sort_keys=True)
    identity = hashlib.sha256(whole.encode()).hexdigest()
    splits = [(seed, fold) for seed in seeds for fold in range(n_folds)]
    later_half = class_names[len(class_names) // 2 :]
    wanted = later_half if minority_names is None else minority_names
    minority = [label for label, name in enumerate(class_names) if name in wanted]
    recalls, out_of_fold = _recalls(
        choices, ratio, augmenter, settings, loss, effect, len(splits), len(class_names), minority
    )
    return {
        "schema": SCHEMA,
        "run": "-".join([*choices.values(), identity[:8]]),
        "name": "fabricated",
        "identity": identity,
        "choices": choices,
        "config": _config(dataset, ratio, augmenter, settings, loss, n_folds, seeds),
        "versions": {"python": "3.11.7", "synaug": "0.1.0", "torch": "2.13.0"},
        "code": CODE,
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "data": _data(dataset, class_names, minority, seeds),
        "encoder": {"weights_sha256": "e" * 64, "pooling": "mean"},
        "scores": _scores(recalls, splits, class_names, minority),
        "validation_scores": _validation_scores(out_of_fold, splits, minority),
        "confusion": _confusion(recalls, splits),
        "reliability": [_reliability(rule, recalls[index].mean()) for index, rule in enumerate(RULES)],
        "offsets": [],
        "balance": _balance(splits, class_names, minority, ratio or 5.0, augmenter, settings),
        "quality": _quality(splits, class_names, minority, augmenter),
        "geometry": _geometry(splits, class_names),
        "diagnostics": [],
        "curves": _curves(recalls, splits),
        "best": {
            "columns": ["seed", "fold", "decision", "step", "loss", "learned"],
            "data": [[*split, rule, CHOSEN_STEP, 0.5, True] for split in splits for rule in CANDIDATES],
        },
        "tau_norm": {
            "columns": ["seed", "fold", "tau", "loss"],
            "data": [[*split, 0.7, 0.6] for split in splits],
        },
        "label_noise": _label_noise(splits, class_names, minority, ratio or 5.0, augmenter),
        "warnings": [],
        "probabilities_sha256": "f" * 64,
        "cost": {
            "seconds": {"load": 1.1, "embed": 0.02, "augment": 0.2, "audit": 0.3, "train": 8.0, "score": 0.8},
            "optimiser_steps": len(splits) * (N_INNER * STOPPED + STEPS[-1]),
            "members": len(splits) * (N_INNER + 1),
            "peak_memory_bytes": 1_200_000_000,
            "finished": "2026-11-25T09:38:56Z",
        },
    }


def _config(
    dataset: str,
    ratio: float | None,
    augmenter: str,
    settings: Mapping[str, Any],
    loss: tuple[str, Mapping[str, Any]],
    n_folds: int,
    seeds: Sequence[int],
) -> dict[str, Any]:
    return {
        "name": "fabricated",
        "n_folds": n_folds,
        "seeds": list(seeds),
        "max_steps": STEPS[-1],
        "target_prior": "uniform",
        "validation": {"_target_": "synaug.validation.Nested", "n_folds": N_INNER, "final": "bagged"},
        "dataset": {"name": dataset, "max_per_class": 1000},
        "encoder": {"pooling": "mean"},
        "imbalance_ratio": {"ratio": ratio, "profile": "step"},
        "augmenter": {"amount": 0.0 if augmenter == "none" else 1.0, "_target_": f"test.{augmenter}", **settings},
        "loss": {"_target_": f"synaug.loss.{loss[0].title().replace('_', '')}", **loss[1]},
        "classifier": {"hidden": [128]},
        "logger": {"_target_": None},
    }


def _data(dataset: str, class_names: Sequence[str], minority: Sequence[int], seeds: Sequence[int]) -> dict[str, Any]:
    n_classes = len(class_names)
    names = [class_names[label] for label in minority]
    return {
        "source": f"mirror:{dataset}",
        "name": dataset,
        "fingerprint": hashlib.sha256(dataset.encode()).hexdigest(),
        "embeddings_sha256": "e1" * 32,
        "report": {"rows_read": ROWS_PER_CLASS * n_classes, "rows": ROWS_PER_CLASS * n_classes},
        "class_names": list(class_names),
        "rows_per_class": [ROWS_PER_CLASS] * n_classes,
        "minority": names,
        "minority_by_seed": {str(seed): names for seed in seeds},
        "near_copies": dict.fromkeys(class_names, 0.02),
        "unjudged_by_seed": {},
    }


def _recalls(
    choices: Mapping[str, str],
    ratio: float | None,
    augmenter: str,
    settings: Mapping[str, Any],
    loss: tuple[str, Mapping[str, Any]],
    effect: float,
    n_splits: int,
    n_classes: int,
    minority: Sequence[int],
) -> tuple[Array, Array]:
    """Recalls `[rules, splits, classes]` of test rows, and of the rows that inner folds left out, with other noise."""
    scenario = f"{choices['dataset']} {choices['imbalance_ratio']}"
    shared = np.random.RandomState(_seed(scenario))
    own = np.random.RandomState(_seed(f"{scenario} {augmenter} {settings}{'' if loss[0] == 'plain' else loss}"))
    harshness = math.log10(ratio or 5.0)
    base = shared.uniform(0.86, 0.95, n_classes) - 0.01 * harshness
    base[list(minority)] -= 0.16 * harshness**1.5
    points = GAINS.get(augmenter, 0.8) * settings.get("amount", 1.0) + LOSS_GAINS.get(loss[0], 0.5)
    gain = effect * harshness / 100 * (CORRECTED + OF_GAIN * points)
    towards = np.where(np.isin(np.arange(n_classes), minority), 4.0, -1.2)
    drawn = []
    for _ in ("test", "out of fold"):
        of_split = shared.normal(0, 0.012, (n_splits, 1)) + shared.normal(0, 0.015, (n_splits, n_classes))
        recalls = base + of_split + gain[:, None, None] * towards
        recalls = np.clip(recalls + own.normal(0, 0.006, recalls.shape), 0.01, 0.995)
        drawn.append(np.insert(recalls, 2, recalls[1:3].mean(0), axis=0))
    return drawn[0], drawn[1]


def _seed(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def _overall(recalls: Array, minority: Sequence[int]) -> dict[str, Array]:
    """Scores of all classes `[rules, splits]`, as far as recalls tell them."""
    balanced = recalls.mean(2)
    is_minority = np.isin(np.arange(recalls.shape[2]), minority)
    found = {name: balanced - 0.002 * index for index, name in enumerate(METRICS)}
    found |= {
        "balanced_accuracy": balanced,
        "accuracy": balanced,
        "recall_macro": balanced,
        "auroc_macro": 1 - (1 - balanced) / 3,
        "log_loss": 3 * (1 - balanced),
        "balanced_log_loss": 3.1 * (1 - balanced),
        "brier_score": 1.5 * (1 - balanced),
        "calibration_error": 0.4 * (1 - balanced),
    }
    for name, chosen in (("minority_recall", is_minority), ("majority_recall", ~is_minority)):
        found.pop(name)
        if chosen.any():  # as synaug.scores.metrics.scores has it
            found[name] = recalls[..., chosen].mean(2)
    return found


def _scores(
    recalls: Array, splits: Sequence[tuple[int, int]], class_names: Sequence[str], minority: Sequence[int]
) -> dict[str, Any]:
    overall = {name: values.round(5).tolist() for name, values in _overall(recalls, minority).items()}
    by_class = {name: (recalls - 0.003 * index).round(5).tolist() for index, name in enumerate(CLASS_METRICS)}
    rows: list[list[Any]] = []
    for index, (seed, fold) in enumerate(splits):
        for place, rule in enumerate(RULES):
            rows += [[seed, fold, rule, name, None, values[place][index]] for name, values in overall.items()]
            for name, values in by_class.items():
                here = zip(class_names, values[place][index], strict=True)
                rows += [[seed, fold, rule, name, of, value] for of, value in here]
    return {"columns": list(SCORE_COLUMNS), "data": rows}


def _validation_scores(recalls: Array, splits: Sequence[tuple[int, int]], minority: Sequence[int]) -> dict[str, Any]:
    overall = {name: values.clip(0).round(5).tolist() for name, values in _overall(recalls, minority).items()}
    rows = [
        [seed, fold, rule, name, values[RULES.index(rule)][index]]
        for index, (seed, fold) in enumerate(splits)
        for rule in CANDIDATES
        for name, values in overall.items()
    ]
    return {"columns": list(VALIDATION_COLUMNS), "data": rows}


def _confusion(recalls: Array, splits: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    n_classes, n_rows = recalls.shape[2], ROWS_PER_CLASS // 10
    found = []
    for index, (seed, fold) in enumerate(splits):
        for place, rule in enumerate(RULES):
            hits = np.rint(recalls[place, index] * n_rows).astype(int)
            matrix = np.diag(hits)
            matrix[np.arange(n_classes), (np.arange(n_classes) + 1) % n_classes] += n_rows - hits
            found.append({"seed": seed, "fold": fold, "decision": rule, "matrix": matrix.tolist()})
    return found


def _reliability(rule: str, accuracy: float) -> dict[str, Any]:
    middles = (np.arange(CALIBRATION_BINS) + 0.5) / CALIBRATION_BINS
    rows = np.rint(800 * middles**2)
    hits = np.rint(rows * np.clip(middles - 0.15 * (1 - accuracy) * middles, 0, 1))
    sums = np.stack([rows, rows * middles, hits], axis=1)
    return {"decision": rule, "rows_confidence_hits": sums.round(3).tolist()}


def _balance(
    splits: Sequence[tuple[int, int]],
    class_names: Sequence[str],
    minority: Sequence[int],
    ratio: float,
    augmenter: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    columns = ["seed", "fold", "inner", "class", "real", "kept", "asked", "made", "new", "made_by_fallback", "reason"]
    rows: list[list[Any]] = []
    for (seed, fold), inner in itertools.product(splits, (*range(N_INNER), None)):
        most = 160 if inner is None else 128
        least = max(1, round(most / ratio))
        for label, name in enumerate(class_names):
            real = least if label in minority else most
            if augmenter in REMOVING:
                rows.append([seed, fold, inner, name, real, least, None, least - real, 0, 0, None])
                continue
            asked = 0 if augmenter == "none" else round((most - real) * settings.get("amount", 1.0))
            short = 7 if augmenter == "adasyn" and asked else 0
            reason = "too few rows for its neighbours, so plain SMOTE took over" if short else None
            made = asked - short
            new = 0 if augmenter in REPEATING else made
            rows.append([seed, fold, inner, name, real, real, asked, made, new, 2 * short, reason])
    return {"columns": columns, "data": rows}


def _quality(
    splits: Sequence[tuple[int, int]], class_names: Sequence[str], minority: Sequence[int], augmenter: str
) -> dict[str, Any]:
    if augmenter == "none" or augmenter in REMOVING:
        return {"columns": list(QUALITY_COLUMNS), "data": []}
    draw = np.random.RandomState(_seed(augmenter))
    by_measure = {(each.name, each.against): each.kind for each in MEASURES}
    typical = {key: draw.uniform(0.2, 0.9) for key in by_measure}
    rows = [
        [*split, class_names[label], *key, round(float(value + 0.05 * draw.uniform()), 5), 0.7, 100, 100, 100]
        for split in splits[:5]
        for label in minority
        for key, value in typical.items()
    ]
    return {"columns": list(QUALITY_COLUMNS), "data": rows}


def _geometry(splits: Sequence[tuple[int, int]], class_names: Sequence[str]) -> dict[str, Any]:
    of_all = {"overlap": 0.3, "separability": 0.7, "fisher_ratio": 0.02, "dimension": 21.5, "hubness": 1.2}
    rows: list[list[Any]] = []
    for split in splits[:5]:
        rows += [[*split, name, "rows", 160, 160] for name in class_names]
        rows += [[*split, None, name, value, 500] for name, value in {"rows": 640.0, **of_all}.items()]
    return {"columns": list(GEOMETRY_COLUMNS), "data": rows}


def _curves(recalls: Array, splits: Sequence[tuple[int, int]]) -> dict[str, Any]:
    steps = np.array(STEPS)
    columns = ["seed", "fold", "step", "train_loss", "prior_corrected_loss", "tuned_loss", "argmax_test"]
    rows = []
    for index, (seed, fold) in enumerate(splits):
        accuracy = recalls[0, index].mean()
        train = 0.9 * np.exp(-steps / 300) + 0.05
        corrected = 1.2 * np.exp(-steps / 60) + 2 * (1 - accuracy) + steps / 900
        seen = accuracy - 0.4 * np.exp(-steps / 60)
        points = np.stack([train, corrected, corrected + 0.02, seen], axis=1).round(5).astype(object)
        points[steps > STOPPED, 1:3] = None
        rows += [[seed, fold, step, *point] for step, point in zip(STEPS, points, strict=True)]
    return {"columns": columns, "data": rows}


def _label_noise(
    splits: Sequence[tuple[int, int]],
    class_names: Sequence[str],
    minority: Sequence[int],
    ratio: float,
    augmenter: str,
) -> dict[str, Any]:
    """A twentieth of the rows, and a tenth of the rows that were made of others."""
    rows = []
    for split in splits:
        for label, name in enumerate(class_names):
            real = round(ROWS_PER_CLASS / ratio) if label in minority else ROWS_PER_CLASS
            made = 0 if augmenter in ("none", *REMOVING) else ROWS_PER_CLASS - real
            told = 0 if augmenter == "vae" else made
            rows.append([*split, name, real, real // 20, made, told, told // 10])
    return {"columns": list(LABEL_NOISE_COLUMNS), "data": rows}
