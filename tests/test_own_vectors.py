"""Runs on vectors that the user brought, through the whole program: to a verdict, and to what stands on it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from synaug import record
from synaug.command import embed, explain_rows
from tests.program import Program, run

N = 96
LABELS = [("ham", "spam")[row % 2] for row in range(N)]
VECTORS: NDArray[np.float32] = np.random.RandomState(0).randn(N, 6).astype(np.float32)
VECTORS[1::2, 0] += 1.5
TINY = [
    "dataset=files",
    "encoder=precomputed",
    "imbalance_ratio=ir5",
    "n_folds=2",
    "validation.n_folds=2",
    "max_steps=8",
]
QUICK = [*TINY, "report=false", "trainer.enable_progress_bar=false"]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A parquet with a column of vectors; the same vectors beside it in each format, and as text without them."""
    ids = [f"d{row}" for row in range(N)]
    table = {"id": ids, "text": [f"text {row}" for row in range(N)], "label": LABELS}
    column = pa.array([list(row) for row in VECTORS], pa.list_(pa.float32()))
    pq.write_table(pa.table({**table, "embedding": column}), tmp_path / "whole.parquet")
    pq.write_table(pa.table({"label": LABELS, "embedding": column}), tmp_path / "bare.parquet")
    lines = [",".join(row) for row in zip(*table.values(), strict=True)]
    (tmp_path / "mine.csv").write_text("\n".join([",".join(table), *lines]))
    np.save(tmp_path / "vectors.npy", VECTORS)
    save_file({"v": VECTORS}, tmp_path / "vectors.safetensors")
    order = np.random.RandomState(1).permutation(N)
    shuffled = pa.table({"id": ids, "embedding": column}).take(order)
    pq.write_table(shuffled, tmp_path / "vectors.parquet")
    np.save(tmp_path / "shuffled.npy", VECTORS[order])
    (tmp_path / "shuffled.txt").write_text("\n".join(ids[row] for row in order))
    return tmp_path


def numbers(recorded: dict[str, Any]) -> Any:
    """What a record's numbers are, without what tells where they are from."""
    return {key: recorded[key] for key in ("scores", "balance", "curves", "quality", "geometry") if key in recorded}


def test_a_sweep_on_own_vectors_ends_in_a_verdict(mine: Path, program: Program) -> None:
    given = [*TINY, f"dataset.path={mine / 'whole.parquet'}", "encoder.name=a paid model", "augmenter=none,smote"]
    done = program("--multirun", *given)
    assert done.code == 0, done.err
    assert "On whole at 1:5" in done.out
    assert (program.folder / "multirun/default/report/index.html").is_file()
    assert not list(program.folder.glob("cache/embeddings/**/*"))  # no copy of the vectors
    first = program.records()[0]
    assert first["cost"]["encoded"]["texts"] == 0
    assert set(first["encoder"]) == {"vectors_sha256", "normalize"}


def test_each_format_is_the_same_run_with_the_same_numbers(mine: Path, program: Program) -> None:
    csv = [*QUICK, f"dataset.path={mine / 'mine.csv'}"]
    by_id = ["encoder.id=id", f"encoder.ids={mine / 'shuffled.txt'}"]
    assert program(*csv, f"encoder.path={mine / 'vectors.npy'}").code == 0
    first = program.record()
    for others in (
        [f"encoder.path={mine / 'vectors.safetensors'}"],
        [f"encoder.path={mine / 'vectors.parquet'}", "encoder.id=id"],
        [f"encoder.path={mine / 'shuffled.npy'}", *by_id],
    ):
        done = program(*csv, *others, "force=true")
        assert done.code == 0, done.err
        again = program.record()  # there is one
        assert again["identity"] == first["identity"]
        assert numbers(again) == numbers(first)
    assert program(*QUICK, f"dataset.path={mine / 'whole.parquet'}").code == 0
    inside = next(each for each in program.records() if each["identity"] != first["identity"])
    assert numbers(inside) == numbers(first)  # another file of data, and so another run, of the same numbers


def test_another_number_in_the_vectors_is_another_run(mine: Path, program: Program) -> None:
    given = [*QUICK, f"dataset.path={mine / 'mine.csv'}", f"encoder.path={mine / 'vectors.npy'}"]
    assert program(*given).code == 0
    changed = VECTORS.copy()
    changed[5, 1] += 0.5
    np.save(mine / "vectors.npy", changed)
    assert program(*given).code == 0
    assert len(program.records()) == 2


def test_without_texts_there_is_a_run_and_its_rows_are_explained(
    mine: Path, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*QUICK, f"dataset.path={mine / 'bare.parquet'}", "dataset.text=null", "standardize=true"]
    assert program(*given, "encoder.normalize=true").code == 0
    assert program.record()["data"]["report"]["rows"] == N
    (folder,) = program.run_folders
    assert explain_rows.main([str(folder)]) == 0
    assert "“vector " in capsys.readouterr().out


def test_vectors_that_moved_are_found_where_a_setting_says(
    mine: Path, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*QUICK, f"dataset.path={mine / 'mine.csv'}", f"encoder.path={mine / 'vectors.npy'}"]
    assert program(*given).code == 0
    (folder,) = program.run_folders
    (mine / "vectors.npy").rename(mine / "moved.npy")
    assert explain_rows.main([str(folder)]) == 1
    assert explain_rows.main([str(folder), f"encoder.path={mine / 'moved.npy'}"]) == 0
    assert "row" in capsys.readouterr().out


def test_embed_says_that_there_is_nothing_to_embed(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["dataset=files", f"dataset.path={mine / 'whole.parquet'}", "encoder=precomputed"]
    monkeypatch.setattr("sys.argv", ["synaug.embed", *words, f"cache_dir={tmp_path / 'cache'}"])
    embed.main()
    assert (
        f"whole: nothing to embed, as all {N} rows have vectors of their own (6 numbers each)"
        in capsys.readouterr().out
    )
    assert not list(tmp_path.glob("cache/embeddings/*"))


REFUSED: list[tuple[list[str], str]] = [
    (["encoder.path=nan.npy"], "encoder: 1 vector of nan.npy (row 6) holds NaN or infinity"),
    (["encoder.path=short.npy"], f"short.npy has {N - 1} vectors for the {N} rows of mine.csv"),
    ([], "mine.csv cannot hold vectors"),
    (
        ["encoder.path=vectors.npy", "dataset=rotten_tomatoes", "encoder.id=id", "encoder.ids=shuffled.txt"],
        "encoder.id=id names a column",
    ),
    (["dataset.text=null", "encoder=minilm"], "dataset.text=null says that rows have no text"),
    (
        ["dataset.text=null", "dataset.group_phrases=true", "encoder.path=vectors.npy"],
        "dataset.group_phrases=true compares",
    ),
    (
        ["encoder.path=vectors.npy", "augmenter=texts", "augmenter.path=mine.csv", "augmenter.source=id"],
        "brings texts, but encoder=precomputed has vectors of the data set's rows alone",
    ),
]


@pytest.mark.parametrize(("given", "said"), REFUSED)
def test_what_does_not_fit_is_said_before_anything_is_made(
    mine: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], said: str
) -> None:
    monkeypatch.chdir(mine)
    spoilt = VECTORS.copy()
    spoilt[5, 2] = np.nan
    np.save("nan.npy", spoilt)
    np.save("short.npy", VECTORS[:-1])
    data = [] if "dataset=rotten_tomatoes" in given else ["dataset.path=mine.csv"]
    done = run(*QUICK, *given, *data, "output_dir=runs", "cache_dir=cache")
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert not list(mine.rglob(record.RECORD))
    assert "training" not in done.err
