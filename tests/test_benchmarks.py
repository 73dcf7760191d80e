"""The instruments measure what they say, and refuse to compare what is not the same."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hydra.core.config_store import ConfigStore

from benchmarks import __main__ as every
from benchmarks import budget, encode, gpu, machine, measure, naive, process, start, sweep, train, vae
from benchmarks.encode import COSINE
from benchmarks.measure import Differs, Row, Run
from benchmarks.stage import Stage
from synaug.command.process import as_before
from synaug.comparison import evidence
from synaug.encoder.transformer import TransformerEncoder
from tests import fabricated, program, toy

ROW = Row("rows", (2.0, 1.0, 4.0), "peer", (6.0, 5.0, 4.0), 2.0, gflop=100.0, gemm_peak=200.0, threads=2)


# What a stage is run with at toy size; no side gets a process of its own.
TOY = {
    encode: ["--short-texts", "6", "--long-texts", "2"],
    train: ["--rows", "640", "--epochs", "2"],
    vae: ["--rows", "300", "--max-epochs", "3", "--gradient-epochs", "2"],
    sweep: ["--rows-per-class", "60", "--folds", "3", "--steps", "20", "--augmenters", "none,smote", "--ratios", "5"],
    start: ["--rows-per-class", "60", "--folds", "3", "--steps", "20"],
}


class Here:
    """A `process.Worker` without a process."""

    def __init__(self, module: str, side: str, args: argparse.Namespace, python: str) -> None:
        self.timed = process.prepare(module, side, args)

    def __call__(self, *arguments: str) -> Run:
        started = time.perf_counter()
        arrays = self.timed(*arguments)
        return Run(time.perf_counter() - started, None, arrays)

    def wait(self) -> None:
        pass

    def close(self) -> None:
        pass


def command_here(arguments: list[str]) -> process.Command:
    """`process.command` without a process, but for that which lists imports."""
    if arguments[:2] == ["-X", "importtime"]:
        return real_command(arguments)
    started = time.perf_counter()
    _, module, *rest = arguments
    if module == "synaug":
        outcome = program.run(*rest)
        assert outcome.code == 0, outcome.err
    else:
        store = ConfigStore.instance()
        store.store(name="naive", node=naive.Config)
        with mock.patch("sys.argv", ["naive", *rest]), as_before():
            naive.main()
    return process.Command(time.perf_counter() - started, 1, "")


real_command = process.command


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[Row]]:
    """Run a stage at toy size, in this process."""
    monkeypatch.setattr(process, "Worker", Here)
    monkeypatch.setattr(process, "command", command_here)
    # The machine's own speed is no matter here.
    monkeypatch.setattr(machine, "GEMM_SIZES", (256,))
    monkeypatch.setattr(machine, "GEMM_TRIES", 1)
    monkeypatch.setattr(encode, "ROUNDS", 1)

    def run(module: Any, *more: str) -> list[Row]:
        given = [*TOY[module], "--repetitions", "1", "--results", str(tmp_path), *more]
        stage: Stage = module.STAGE
        rows = stage.main(given)
        assert measure.read(tmp_path / f"{stage.name}.json")[1] == rows
        return rows

    return run


def test_ratio_is_of_medians_and_its_range_of_repetitions() -> None:
    assert ROW.synaug == 2.0
    assert ROW.ratio == 2.5
    assert ROW.ratio_range == (1.0, 5.0)
    assert ROW.gflops == 50.0
    assert ROW.share == 0.25
    assert ROW.met


@pytest.mark.parametrize(
    ("kind", "target", "met"),
    [
        ("ratio", 2.5, True),
        ("ratio", 2.6, False),
        ("share", 0.25, True),
        ("share", 0.26, False),
        ("seconds", 2.0, True),
        ("seconds", 1.9, False),
        ("times", 2.0, True),
        ("times", 1.9, False),
        ("ratio", None, None),
    ],
)
def test_a_target_is_met_from_the_right_side(kind: Any, target: float | None, met: bool | None) -> None:
    row = Row("rows", ROW.synaug_seconds, "peer", ROW.peer_seconds, target, kind, gflop=100.0, gemm_peak=200.0)
    assert row.met is met


def test_sides_take_turns_and_every_round_is_checked() -> None:
    turns: list[str] = []

    def side(name: str) -> Callable[[], Run]:
        def run() -> Run:
            turns.append(name)
            return Run(float(len(turns)), memory=len(turns), arrays={"turn": np.array(len(turns))})

        return run

    def check(computed: dict[str, Any]) -> None:
        turns.append("check " + " ".join(str(each["turn"]) for each in computed.values()))

    runs = measure.interleave({"peer": side("peer"), "synaug": side("synaug")}, 2, check)
    assert turns == ["peer", "synaug", "check 1 2", "peer", "synaug", "check 4 5"]
    row = Row.of("rows", runs, "peer", called="a peer")
    assert (row.peer, row.peer_seconds, row.synaug_seconds) == ("a peer", (1.0, 4.0), (2.0, 5.0))
    assert (row.peer_memory, row.synaug_memory) == (4, 5)
    assert row.gemm_peak is None


def test_the_peak_is_the_best_product_between_the_repetitions() -> None:
    products = [
        Run(1.0, arrays={"gflops": np.array(each), "mm_gflops": np.array(each / 2), "threads": np.array(2)})
        for each in (90.0, 120.0, 100.0)
    ]
    row = Row.of("rows", {"synaug": [Run(1.0)] * 3, "gemm": products}, gflop=60.0)
    assert (row.gemm_peak, row.mm_peak, row.threads, row.share) == (120.0, 60.0, 2, 0.5)


def test_what_differs_is_said() -> None:
    one = np.array([1.0, 2.0])
    measure.require_close(one, one.copy(), "rows")
    measure.require_close(one, one + 1e-6, "rows", tolerance=1e-5)
    with pytest.raises(Differs, match="rows: 1 of 2 numbers differ"):
        measure.require_close(one, np.nextafter(one, [1.0, 3.0]), "rows")
    with pytest.raises(Differs, match="more than 1e-05"):
        measure.require_close(one, one + 1e-4, "rows", tolerance=1e-5)
    with pytest.raises(Differs, match="shapes"):
        measure.require_close(one, one[:1], "rows")
    with pytest.raises(Differs, match="nan"):
        measure.require_close(one, one * np.nan, "rows", tolerance=1.0)


def test_a_worker_times_and_weighs_what_its_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "held.py"
    module.write_text(
        "import numpy as np\n"
        "from benchmarks.stage import Stage\n"
        "def hold(args):\n"
        "    print('not an answer')\n"
        "    return lambda times: {'sum': np.ones((args.megabytes, 125_000)).sum(0) * int(times)}\n"
        "STAGE = Stage('held', '', {}, lambda args: [], {'hold': hold})\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with process.sides("held", ["hold"], argparse.Namespace(megabytes=200), {"hold": sys.executable}) as started:
        large = started["hold"]("2")
    assert large.seconds > 0
    np.testing.assert_array_equal(large.arrays["sum"], np.full(125_000, 400.0))
    assert large.memory is not None
    assert 200e6 < large.memory < 500e6


def test_a_command_is_weighed_without_what_measures_it() -> None:
    held = bytearray(300_000_000)
    ended = process.command(["-c", "print('said')"])
    assert ended.output == "said\n"
    assert ended.seconds > 0
    assert 1e6 < ended.memory < 100e6
    del held
    with pytest.raises(RuntimeError, match="exit code 3:\nlast words"):
        process.command(["-c", "print('last words'); raise SystemExit(3)"])


def test_the_table_holds_every_row_and_readme_s_those_with_a_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ROW,
        Row("help", (0.5,), target=0.4, kind="seconds"),
        Row("note", (0.7,), "peer", (7.0,)),
        Row("memory in sizes", (1.25,), target=1.5, kind="times", synaug_memory=2_000_000),
    ]
    stage = Stage("train", "", {"n": (1, "")}, lambda args: rows)
    stage.main(["--results", str(tmp_path)])
    assert not every.summarise(tmp_path)
    text = capsys.readouterr().out.rpartition("| stage |")[2]
    assert "| train | rows | peer | 5 | 2 | 2.5× (1–5) | 25% (50 GFLOP/s) | – | ≥ 2× | yes |" in text
    assert "| train | help | – | – | 0.5 | – | – | – | ≤ 0.4 s | **no** |" in text
    assert "| train | note | peer | 7 | 0.7 | 10× (10–10) | – | – | – | – |" in text
    assert "| train | memory in sizes | – | – | – | 1.25× | – | 2 | ≤ 1.5× | yes |" in text
    kept = (tmp_path / every.TABLE).read_text().splitlines()
    assert [line in kept for line in text.splitlines() if line.startswith("| train")] == [True, True, False, True]
    drawn = (tmp_path / every.FIGURE).read_text()
    assert "train: rows" in drawn
    assert "train: help" in drawn
    written = json.loads((tmp_path / "train.json").read_text())
    assert written["sizes"] == {"n": 1, "repetitions": 3}
    assert str(tmp_path) not in json.dumps(written)
    assert written["machine"]["cores"] >= 1


def test_the_documentation_quotes_the_results_that_are_kept() -> None:
    kept = (measure.RESULTS / every.TABLE).read_text()
    page = process.ROOT / "docs" / "pages" / "benchmarks" / "index.md"
    assert " ".join(kept.split()) in " ".join(page.read_text().split())


def test_every_stage_has_its_place() -> None:
    for module in TOY:
        stage: Stage = module.STAGE
        assert stage.name in every.STAGES
        assert stage.arguments([]).repetitions >= 1


def test_encoders_are_compared(here: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = here(encode)
    assert [row.peer for row in rows] == ["sentence-transformers", "transformers", ""] * 2
    assert all(row.share is not None and row.share > 0 for row in rows)
    encoded = TransformerEncoder.encode
    monkeypatch.setattr(TransformerEncoder, "encode", lambda self, texts, *more: encoded(self, texts, *more)[::-1])
    with pytest.raises(Differs, match="synaug: the least cosine"):
        here(encode)


def test_operations_are_those_of_real_tokens() -> None:
    assert encode.needed_gflop([10, 20], 1000, 2, 8) == pytest.approx((2 * 1000 * 30 + 4 * 2 * 8 * 500) / 1e9)


def test_training_is_compared(here: Callable[..., list[Row]]) -> None:
    assert [row.target for row in here(train)] == [10.0, 4.0]


@pytest.mark.parametrize("accuracy", [0.5, 0.95, np.nan])
def test_who_learns_otherwise_than_the_others_is_found(accuracy: float) -> None:
    computed = {name: {"accuracy": np.full(10, 0.9)} for name in ("lightning", "bare", "synaug")}
    train.require_alike(computed)
    with pytest.raises(Differs, match="mean test accuracies"):
        train.require_alike(computed | {"synaug": {"accuracy": np.full(10, accuracy)}})


def test_a_member_that_depends_on_its_stack_is_found(
    here: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = process.prepare

    def coupled(module: str, side: str, args: argparse.Namespace) -> Any:
        timed = prepared(module, side, args)
        if side != "synaug":
            return timed

        def run(*alone: str) -> Any:
            arrays = timed(*alone)
            return arrays | {"log_probabilities": arrays["log_probabilities"] * (1 + 1e-9 * bool(alone))}

        return run

    monkeypatch.setattr(process, "prepare", coupled)
    with pytest.raises(Differs, match="alone and in the stack"):
        here(train)


def test_vaes_are_compared(here: Callable[..., list[Row]]) -> None:
    row, of_gradients = here(vae)
    assert row.gflop is not None
    assert row.gflop > 0
    assert of_gradients.peer == "the same, gradients by hand"
    with pytest.raises(Differs, match="made no row"):
        vae.require_same({name: {"synthetic": np.empty((0, 3))} for name in ("one_by_one", "synaug")})
    rows = np.ones((2, 3), np.float32)
    with pytest.raises(Differs, match="synthetic rows: 6 of 6"):
        vae.require_same({"one_by_one": {"synthetic": rows}, "synaug": {"synthetic": np.nextafter(rows, 2)}})


def test_sweeps_are_compared(here: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SCORE_NOISE", 0.5)
    cold, warm, again = here(sweep)
    assert cold.ratio is not None
    assert warm.target == 8.0
    assert again.kind == "seconds"


def test_sweeps_that_score_differently_or_lack_a_job_are_found() -> None:
    scores = {"smote 5": np.full((2, 3), 0.7), "none 5": np.full((2, 3), 0.5)}
    sweep.require_alike({"naive": scores, "synaug": scores}, 2, 0.1)
    with pytest.raises(Differs, match="both must do 3 jobs"):
        sweep.require_alike({"naive": scores, "synaug": scores}, 3, 0.1)
    with pytest.raises(Differs, match="smote 5: accuracy and macro F1"):
        sweep.require_alike({"naive": scores, "synaug": scores | {"smote 5": np.full((2, 3), 0.5)}}, 2, 0.1)
    with pytest.raises(Differs, match="folds must be the same"):
        sweep.require_alike({"naive": scores, "synaug": scores | {"smote 5": np.full((2, 2), 0.7)}}, 2, 0.1)


def test_a_record_written_anew_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps: Any = mock.Mock(n_jobs=2, args=argparse.Namespace(repetitions=1))
    sweeps.synaug.side_effect = lambda cache, into, **more: Run(1.0, 1)
    written = iter([{"record": 1}, {"record": 2}])
    monkeypatch.setattr(sweep, "_written", lambda folder: next(written))
    with pytest.raises(Differs, match="ran again"):
        sweep.again(sweeps, Path("recorded"))


def test_starts_are_timed(here: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "SCORE_NOISE", 0.5)
    monkeypatch.setattr(naive, "embedded", lambda texts, path: toy.HashingEncoder(16).encode(texts))
    assert [row.name for row in here(start)][:2] == ["--help", "run --help"]
    light = "import time: self [us] | cumulative | imported package\nimport time:       100 |        100 | synaug\n"
    start.require_light("--help", light)
    with pytest.raises(Differs, match="--help imports torch"):
        start.require_light("--help", f"{light}import time:       100 |        100 |   torch.nn\n")
    with pytest.raises(Differs, match="lacks synaug"):
        start.require_light("--help", "")


GPU = [
    "--device",
    "cpu",
    "--rows",
    "120",
    "--checked",
    "12",
    "--training-rows",
    "160",
    "--epochs",
    "2",
    "--steps",
    "8",
    "--ratios",
    "5",
]


def test_a_card_is_compared_with_the_cpu_which_equals_itself_and_is_no_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "command", command_here)
    monkeypatch.setattr(gpu, "RESULTS", tmp_path / "results")
    result = gpu.main([*GPU, "--repetitions", "1", "--output", str(tmp_path / "cpu.json")])
    assert not (tmp_path / "results").exists()
    assert json.loads((tmp_path / "cpu.json").read_text()) == result
    assert result["is_accelerator"] is False
    equality = result["equality"]
    assert (equality["score_points"], equality["decided_alike"]) == (0, 1)
    assert equality["least_cosine"]["float32"] > COSINE
    assert 0.999 < equality["least_cosine"]["bfloat16"] < equality["least_cosine"]["float16"] < 1
    for what in ("encode", "train", "grid"):
        assert all(seconds > 0 for side in result["seconds"][what].values() for seconds in side)
    assert "100.000 % of rows decided alike" in capsys.readouterr().out


def test_a_device_that_decides_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    args = gpu.arguments(GPU)
    of_cpu = np.log([[[[0.9, 0.1], [0.2, 0.8]]]])

    def synaug(sizes: argparse.Namespace, accelerator: str) -> Callable[[], dict[str, Any]]:
        said = of_cpu if accelerator == "cpu" else of_cpu[..., ::-1]
        return lambda: {"accuracy": np.array([0.9]), "log_probabilities": said}

    monkeypatch.setattr(train, "synaug", synaug)
    assert gpu.same_training("cpu", args) == {"score_points": 0, "decided_alike": 1}
    with pytest.raises(Differs, match=r"training on cuda: 0.00 points from the CPU's scores, 0.00 % decided alike"):
        gpu.same_training("cuda", args)


def test_what_a_machine_without_a_registry_needs_can_be_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "WHEELS", ())
    gpu.main(["--pack", str(tmp_path / "packed"), "--rows", "20"])
    material = gpu.packed(tmp_path / "packed", tmp_path / "scratch")
    assert len(material.texts) == len(material.labels) == len(material.embeddings) == 20
    found = gpu.encoder(material.model, "cpu", "float32").encode(material.texts[:3])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_the_budget_s_table_is_of_the_curves(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"])
    found = budget.table(evidence.read([tmp_path]))
    assert found["method"].tolist() == ["none", "smote"]
    for row in found.to_dict("records"):
        path = next(tmp_path.glob(f"*-{row['method']}-*/record.json"))
        curves = pd.DataFrame(**json.loads(path.read_text())["curves"])
        means = curves.groupby("step")["argmax_test"].mean()
        assert row["below its best look"] == pytest.approx(100 * (means.max() - means.iloc[-1]))
        assert row["inner steps"] == fabricated.STOPPED
        assert row["steps of a seed"] == 10 * (5 * fabricated.STOPPED + fabricated.STEPS[-1])
