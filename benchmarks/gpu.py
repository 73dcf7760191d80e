"""A GPU (or another accelerator) against this machine's CPU, and against what a user would run on it: ``make gpu``.

First equality: embeddings, scores and decisions must be those of the CPU. Then times: encoding beside
sentence-transformers, training beside a Lightning loop and a bare one, a small grid beside the naive program. It is
meant to take less than six minutes on a large card, and writes ``benchmarks/results/gpu.json``, with the card's name.
Without an accelerator, the CPU stands in the card's place, and everything must be equal to the bit; then nothing is
written unless ``--output`` says where. It has not run on a card yet.

A machine that reaches no registry
----------------------------------
It has Python, torch with CUDA, transformers, sentence-transformers, pytorch-lightning and scikit-learn, say, but
neither synaug's other packages nor the weights. Here, in an environment of `make install`::

    python -m benchmarks.gpu --pack .gpu --python 3.12

writes the folder ``.gpu``: wheels of what is likely to lack there, real texts, their embeddings, a tokenizer, and the
shape of all-MiniLM-L6-v2. The weights are not in it, as they are large: there the encoder has random ones, which take
the same time. Bring this repository and the folder to the machine, and run there::

    python3 -m pip install --no-index --no-deps --target /tmp/site .gpu/wheels/*.whl
    PYTHONPATH=/tmp/site:. python3 -m benchmarks.gpu --packed .gpu --output gpu.json
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import bare, machine, naive, process, train
from benchmarks.encode import CONF, COSINE, MAX_LENGTH, model_folder
from benchmarks.measure import RESULTS, Arrays, Differs

POINTS = 0.2  # by which mean scores may differ
AGREEMENT = 0.999  # share of rows whose decision must be the same
PRECISIONS = ("float32", "float16", "bfloat16")
# What a machine lacks that has torch, transformers, pytorch-lightning and scikit-learn.
WHEELS = (
    "annotated-types",
    "antlr4-python3-runtime",
    "argcomplete",
    "hydra-core",
    "imbalanced-learn",
    "omegaconf",
    "platformdirs",
    "pydantic",
    "pydantic-core",
    "scikit-posthocs",
    "sklearn-compat",
    "typing-inspection",
)
TEXTS, EMBEDDINGS, MODEL = "texts.json", "embeddings.npy", "model"


@dataclass(frozen=True)
class Material:
    """What is encoded and trained on: texts, labels, embeddings of the real encoder, and a folder of a model."""

    texts: list[str]
    labels: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    model: str


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--device", help="cuda, mps or cpu; default: the best there is")
    parser.add_argument("--rows", type=int, default=10_000, help="texts, and rows of the grid")
    parser.add_argument("--checked", type=int, default=1_000, help="texts that are also encoded on the CPU")
    parser.add_argument("--training-rows", type=int, default=2_000, help="in each of ten folds")
    parser.add_argument("--epochs", type=int, default=10, help="of training")
    parser.add_argument("--steps", type=int, default=1_024, help="of each job of the grid")
    parser.add_argument("--ratios", default="5,20", help="of the grid")
    parser.add_argument("--repetitions", type=int, default=3, help="of what is timed, by turns")
    parser.add_argument("--output", type=Path, help="file; default: benchmarks/results/gpu.json, of an accelerator")
    parser.add_argument("--packed", type=Path, help="folder that --pack wrote")
    parser.add_argument("--pack", type=Path, help="write that folder, and do nothing else")
    parser.add_argument("--python", default="3.12", help="of the machine that --pack is for")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> dict[str, Any]:
    """Check, time, print, and write."""
    args = arguments(given)
    if args.pack is not None:
        pack(args.pack, args.rows, args.python)
        return {}
    from synaug.encoder.devices import best_device

    device = args.device or best_device()
    output = args.output
    if output is None and device != "cpu":
        output = RESULTS / "gpu.json"
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="synaug-gpu-") as folder:
        material = packed(args.packed, Path(folder)) if args.packed else of_packages(args.rows)
        result = {
            "device": name_of(device),
            "is_accelerator": device != "cpu",
            "finished": "",
            "machine": machine.describe(),
            "versions": machine.versions(),
            "sizes": {key: value for key, value in vars(args).items() if isinstance(value, int)},
            "weights": "random" if args.packed else "all-MiniLM-L6-v2",
            "equality": {**same_embeddings(material, device, args), **same_training(device, args)},
            "seconds": {
                "encode": encoding(material, device, args),
                "train": training(device, args),
                "grid": grid(material, device, args, Path(folder)),
            },
        }
    result["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    result["took_seconds"] = time.perf_counter() - started
    print("\n".join(told(result)), flush=True)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(f"{json.dumps(result, indent=1)}\n")
    return result


def name_of(device: str) -> str:
    """What a reader calls the device: a card's name, or a processor's."""
    import torch

    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    processor = str(machine.describe()["cpu"])
    return processor if device == "cpu" else f"{device} of {processor}"


def of_packages(n_rows: int) -> Material:
    """Rotten Tomatoes' sentences, and all-MiniLM-L6-v2 as its package carries it."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    read = instantiate(OmegaConf.load(CONF / "dataset" / "rotten_tomatoes.yaml"), max_per_class=-(-n_rows // 2)).load()
    order = np.random.RandomState(0).permutation(len(read.texts))[:n_rows]
    texts, labels = [read.texts[row] for row in order], read.labels[order]
    return Material(texts, labels, encoder(model_folder(), None, "float32").encode(texts), model_folder())


def pack(folder: Path, n_rows: int, python: str) -> None:
    """Write what a machine needs that reaches no registry; see the module's docstring."""
    material = of_packages(n_rows)
    without_weights = shutil.ignore_patterns("*.safetensors", "*.bin", "*.onnx", "*.h5", "*.ot")
    shutil.copytree(material.model, folder / MODEL, ignore=without_weights, dirs_exist_ok=True)
    (folder / TEXTS).write_text(json.dumps({"texts": material.texts, "labels": material.labels.tolist()}))
    np.save(folder / EMBEDDINGS, material.embeddings.astype(np.float16))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    for package in WHEELS:
        pinned = f"{package}=={metadata.version(package)}"
        into = ["--no-deps", "--quiet"]
        of_there = ["--only-binary=:all:", f"--python-version={python}", "--platform=manylinux_2_17_x86_64"]
        wheels = str(folder / "wheels")
        found = subprocess.run([*pip, "download", *into, *of_there, "--dest", wheels, pinned], check=False)
        if found.returncode:  # a package of source alone, which is the same everywhere
            subprocess.run([*pip, "wheel", *into, "--wheel-dir", wheels, pinned], check=True)
    print(f"{folder}: {sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 2**20:.0f} MiB")


def packed(folder: Path, scratch: Path) -> Material:
    """What `pack` wrote; the model gets random weights, in a folder below `scratch`."""
    import torch
    from transformers import AutoConfig, AutoModel

    read = json.loads((folder / TEXTS).read_text())
    shutil.copytree(folder / MODEL, scratch / MODEL)
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.from_pretrained(folder / MODEL)).save_pretrained(scratch / MODEL)
    embeddings = np.load(folder / EMBEDDINGS).astype(np.float32)
    return Material(read["texts"], np.array(read["labels"]), embeddings, str(scratch / MODEL))


def encoder(model: str, device: str | None, precision: str) -> Any:
    """The program's own, as `conf/encoder/minilm.yaml` has it."""
    from synaug.encoder import TransformerEncoder

    return TransformerEncoder(
        model=model, max_length=MAX_LENGTH, normalize=True, device=device, precision=precision, pooling="mean"
    )


def same_embeddings(material: Material, device: str, args: argparse.Namespace) -> dict[str, Any]:
    """The least cosine of embeddings on the device with those of the CPU in float32, by precision.

    Raises
    ------
    Differs
        If float32 differs by more than rounding; on a CPU, by anything.
    """
    texts = material.texts[: args.checked]
    expected = encoder(material.model, "cpu", "float32").encode(texts)
    least = {}
    for precision in PRECISIONS:
        found = encoder(material.model, device, precision).encode(texts)
        least[precision] = float((found.astype(np.float64) * expected).sum(1).min())
        if precision == "float32" and device == "cpu" and not np.array_equal(found, expected):
            raise Differs("the CPU's embeddings are not its own")
    if not least["float32"] >= COSINE:
        raise Differs(f"embeddings on {device} have a cosine of {least['float32']:.7f} with the CPU's, below {COSINE}")
    return {"least_cosine": least}


def same_training(device: str, args: argparse.Namespace) -> dict[str, Any]:
    """How far scores and decisions of ten folds on the device are from those of the CPU.

    Raises
    ------
    Differs
        If they are further than `POINTS` and `AGREEMENT` allow; on a CPU, at all.
    """
    there, here = (train.synaug(as_of_train(args), accelerator=word_of(kind))() for kind in (device, "cpu"))
    points = 100 * abs(float(there["accuracy"].mean() - here["accuracy"].mean()))
    rows = here["log_probabilities"].any(-1)  # others only fill folds up
    same = float((there["log_probabilities"].argmax(-1) == here["log_probabilities"].argmax(-1))[rows].mean())
    if device == "cpu" and not np.array_equal(there["log_probabilities"], here["log_probabilities"]):
        raise Differs("the CPU's log probabilities are not its own")
    if not (points <= POINTS and same >= AGREEMENT):
        raise Differs(
            f"training on {device}: {points:.2f} points from the CPU's scores, {100 * same:.2f} % decided alike"
        )
    return {"score_points": points, "decided_alike": same}


def as_of_train(args: argparse.Namespace) -> argparse.Namespace:
    """Sizes as `benchmarks.train` takes them."""
    return argparse.Namespace(rows=args.training_rows, epochs=args.epochs)


def word_of(device: str) -> str:
    """Lightning's word for a device."""
    return "cpu" if device == "cpu" else "gpu"


def by_turns(sides: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, list[float]]:
    """Seconds of each side in each round, after one that is not timed."""
    for side in sides.values():
        side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, side in sides.items():
            started = time.perf_counter()
            side()  # all of them end with numbers on the CPU, so nothing is still under way
            seconds[name].append(time.perf_counter() - started)
    return seconds


def encoding(material: Material, device: str, args: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds to encode all texts, beside sentence-transformers with its defaults."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(material.model, device=device)
    sides: dict[str, Callable[[], Any]] = {
        "sentence-transformers": partial(peer.encode, material.texts, show_progress_bar=False)
    }
    for precision in PRECISIONS if device != "cpu" else PRECISIONS[:1]:
        sides[f"synaug, {precision}"] = partial(encoder(material.model, device, precision).encode, material.texts)
    return by_turns(sides, args.repetitions)


def training(device: str, args: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds to train two fits of ten folds: in stacks, recorded and not, and one by one by two peers."""
    sizes, word = as_of_train(args), word_of(device)
    naive.quieten_lightning()
    sides: dict[str, Callable[[], Arrays]] = {
        "synaug": train.synaug(sizes, accelerator=word),
        "Lightning fits, one by one": train.fold_by_fold(sizes, partial(naive.fit, accelerator=word)),
        "bare torch loops, one by one": train.fold_by_fold(sizes, partial(bare.fit, device=device)),
    }
    if device != "cpu":
        sides["synaug, without CUDA graphs"] = train.synaug(sizes, accelerator=word, cuda_graphs=False)
        sides["synaug, on the CPU"] = train.synaug(sizes, accelerator="cpu")
    return by_turns(sides, args.repetitions)


def grid(material: Material, device: str, args: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Seconds of a grid of both programs as a user starts them, over embeddings that are there already."""
    csv, vectors = folder / "rows.csv", folder / "vectors.npy"
    import pandas as pd

    pd.DataFrame({"text": material.texts, "label": material.labels}).to_csv(csv, index=False)
    np.save(vectors, material.embeddings)
    shared = ["n_folds=10", f"max_steps={args.steps}"]
    of_synaug = [
        "dataset=files",
        f"dataset.path={csv}",
        "encoder=precomputed",
        f"encoder.path={vectors}",
        "augmenter=none,smote",
        f"imbalance_ratio={','.join(f'ir{each}' for each in args.ratios.split(','))}",
        "validation=oracle",  # as the naive program leaves rows out
        f"trainer.accelerator={word_of(device)}",
        "trainer.enable_progress_bar=false",
        "report=false",
        f"cache_dir={folder / 'cache'}",
        f"output_dir={folder / 'runs'}",
    ]
    of_naive = [
        f"texts={csv}",
        f"embeddings={vectors}",
        "augmenter=none,smote",
        f"ratio={args.ratios}",
        f"steps_per_epoch={min(50, args.steps)}",
        f"accelerator={word_of(device)}",
        f"hydra.sweep.dir={folder / 'naive'}",
    ]
    return {
        "synaug": [process.command(["-m", "synaug", "--multirun", *of_synaug, *shared]).seconds],
        "the naive program": [process.command(["-m", "benchmarks.naive", "--multirun", *of_naive, *shared]).seconds],
    }


def told(result: dict[str, Any]) -> list[str]:
    """The result in lines."""
    equality = result["equality"]
    lines = [
        f"{result['device']}, {result['took_seconds']:.0f} s in all",
        f"scores {equality['score_points']:.3f} points from the CPU's",
        f"{100 * equality['decided_alike']:.3f} % of rows decided alike",
        *(f"least cosine, {name}: {least:.7f}" for name, least in equality["least_cosine"].items()),
    ]
    for what, sides in result["seconds"].items():
        lines += [f"{what}: {statistics.median(seconds):.2f} s {name}" for name, seconds in sides.items()]
    return lines


if __name__ == "__main__":
    main()
