"""Which samplers of smote-variants work on embeddings, and at what cost: ``python -m benchmarks.smote_variants``.

Each is run through synaug's contract on 200 × 384 rows, of two classes and of three, twice with the same seed, in a
process of its own with a limit of CPU time, so that other work on the machine changes nothing. Those that
`synaug.augmenter.smote_variants` refuses are run, too, so that the table tells whether the reason still holds.
``--limit 20`` gives both calls 20 seconds, ``--only SMOTE,ADASYN`` runs some, and ``--output FILE`` says where the
table goes (benchmarks/results/smote_variants.md).
"""

import argparse
import importlib.metadata
import multiprocessing
import resource
import signal
import time
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.measure import RESULTS
from synaug.augmenter import Augmented, Augmenter, SmoteVariants, ToAugment, TrainingRows, smote_variants
from synaug.errors import UserError
from synaug.files.atomic import replacing

WIDTH = 384
CLASSES = {"two": (160, 40), "three": (140, 40, 20)}
LONGEST_REASON = 150


def rows(counts: Sequence[int], seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Shuffled rows of unit length, as embeddings are: normal, of a falling spectrum, with class means 2 from 0."""
    draw = np.random.RandomState(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    X = draw.normal(size=(len(y), WIDTH)) * np.linspace(1.5, 0.2, WIDTH)
    X[np.arange(len(y)), y] += 2
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    order = draw.permutation(len(y))
    return X[order].astype(np.float32), y[order]


def augmented(name: str, counts: Sequence[int]) -> Augmented:
    """One training set after the sampler of this name, through the contract."""
    X, y = rows(counts)
    training = ToAugment(TrainingRows.of(X, y), np.random.RandomState(0))
    (result,) = Augmenter(SmoteVariants(name)).augment_all([training])
    return result


def measured(name: str, counts: Sequence[int]) -> dict[str, Any]:
    """Seconds of a call, rows by the sampler and by a fallback, and what else there is to say."""
    first = augmented(name, counts)
    start = time.process_time()
    again = augmented(name, counts)
    seconds = time.process_time() - start
    remarks = []
    if removed := len(first.given) - len(first.kept):
        remarks.append(f"leaves {removed} real rows out")
    if first.synthetic_embeddings.tobytes() != again.synthetic_embeddings.tobytes():
        remarks.append("gives other rows for the same seed")
    new, made = sum(entry.new for entry in first.balance), len(first.labels)
    by_fallback = sum(entry.made_by_fallback for entry in first.balance)
    if new < made:
        remarks.append(f"{made - new} of {made} rows are copies")
    calls = max((entry["calls"] for entry in first.diagnostics), default=1)
    if calls > 1:
        remarks.append(f"{calls} calls")
    return {
        "seconds": seconds,
        "made": made - by_fallback,
        "asked": sum(entry.asked or 0 for entry in first.balance),
        "remarks": remarks,
    }


def in_a_process(name: str, counts: Sequence[int], limit: int) -> dict[str, Any]:
    """As `measured`, or ``{"failed": reason}``."""
    fork = multiprocessing.get_context("fork")  # what is imported already need not be imported 91 times
    here, there = fork.Pipe(duplex=False)
    process = fork.Process(target=_answer, args=(name, counts, limit, there))
    process.start()
    there.close()
    try:
        found: dict[str, Any] = here.recv()
    except EOFError:
        found = {}
    process.join()
    if not found:
        timed_out = process.exitcode == -signal.SIGXCPU
        found["failed"] = f"over {limit} s" if timed_out else f"its process ended with {process.exitcode}"
    return found


def _answer(name: str, counts: Sequence[int], limit: int, answer: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    smote_variants.REFUSED.clear()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer.send(measured(name, counts))
        except UserError as error:
            answer.send({"failed": " ".join(str(error).split())})
        except Exception as error:  # noqa: BLE001  # the table says which
            answer.send({"failed": f"{type(error).__name__}: {' '.join(str(error).split())}"})


def line(name: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """A line of the table."""
    cells, remarks = [], []
    for classes, result in found.items():
        if "failed" in result:
            cells += ["–", "–"]
            reason = result["failed"].replace("|", "\\|")
            remarks.append(reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]} …")
        else:
            cells += [f"{result['seconds']:.2f}", f"{result['made']} of {result['asked']}"]
            remarks += [f"{classes}: {remark}" for remark in result["remarks"]]
    if name in smote_variants.REFUSED:
        remarks.insert(0, f"**refused**: {smote_variants.REFUSED[name]}")
    return f"| {name} | {' | '.join(cells)} | {'; '.join(dict.fromkeys(remarks))} |"


def verdict(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Which kind a sampler is of."""
    if any("failed" in result for result in found.values()):
        return "fail"
    if not all(result["made"] >= 0.9 * result["asked"] for result in found.values()):
        return "fall short"
    return "work"


def table(results: Mapping[str, Mapping[str, Mapping[str, Any]]], limit: int) -> str:
    """The page of all results."""
    groups: dict[str, list[str]] = {"work": [], "fall short": [], "fail": []}
    for name, found in results.items():
        groups[verdict(found)].append(name)
    versions = ", ".join(f"{each} {importlib.metadata.version(each)}" for each in ("smote-variants", "scikit-learn"))
    head = "| sampler | s, two classes | its rows | s, three classes | its rows | remarks |\n|---|---|---|---|---|---|"
    parts = [
        "# smote-variants on embeddings\n",
        f"`python -m benchmarks.smote_variants --limit {limit}`, {versions}: {len(results)} samplers on 200 × {WIDTH} "
        f"rows of unit length, {' / '.join(map(str, CLASSES['two']))} and {' / '.join(map(str, CLASSES['three']))} of "
        f"the classes, each with {limit} s of CPU time for two calls. Seconds are those of the second; a seed of a run "
        "makes 60. Of the rows asked for, those that the sampler made itself; what lacks more than a tenth is filled "
        f"by SMOTE, and the record says so.\n\n{len(groups['work'])} work, {len(groups['fall short'])} fall short of "
        f"what is asked on these rows, {len(groups['fail'])} fail.\n",
    ]
    for title, key in (("They work", "work"), ("They fall short", "fall short"), ("They fail", "fail")):
        lines = "\n".join(line(name, results[name]) for name in groups[key])
        parts.append(f"## {title}\n\n{head}\n{lines}\n")
    return "\n".join(parts)


def main() -> None:
    """Run them, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=60, help="seconds of CPU time for two calls of a sampler")
    parser.add_argument("--only", default="", help="names, with commas between")
    parser.add_argument("--output", type=Path, default=RESULTS / "smote_variants.md")
    arguments = parser.parse_args()
    results: dict[str, dict[str, dict[str, Any]]] = {}
    known = smote_variants.sampler_names()  # which imports the package once, for all processes
    for name in arguments.only.split(",") if arguments.only else known:
        results[name] = {classes: in_a_process(name, counts, arguments.limit) for classes, counts in CLASSES.items()}
        print(line(name, results[name]), flush=True)
    with replacing(arguments.output) as unfinished:
        unfinished.write(table(results, arguments.limit).encode())


if __name__ == "__main__":
    main()
