"""A record is whole or absent, and read with care."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synaug import record
from synaug.errors import UserError
from synaug.record import shapes, store, tables
from synaug.scores import metrics
from tests import fabricated


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = {"run": "a", "scores": {"columns": ["value"], "data": [[0.1], [1 / 3]]}, "names": ("x", "ü")}
    path = record.write(tmp_path, written)
    assert path == tmp_path / "record.json"
    assert record.read_json(path) == {**written, "names": ["x", "ü"], "probabilities_sha256": None}


@given(st.floats())
def test_any_number_makes_valid_json(value: float) -> None:
    text = json.dumps(store.finite({"value": [value]}), allow_nan=False)
    back = json.loads(text)["value"][0]
    assert back == value if math.isfinite(value) else back is None


def test_writing_clears_the_failure_of_an_earlier_try(tmp_path: Path) -> None:
    record.write_failure(tmp_path, {"error": "no"})
    assert not (tmp_path / record.RECORD).is_file()
    record.write(tmp_path, {})
    assert (tmp_path / record.RECORD).is_file()
    assert not (tmp_path / record.FAILURE).exists()


def test_what_cannot_be_written_leaves_the_old_record(tmp_path: Path) -> None:
    record.write(tmp_path, {"old": 1})
    with pytest.raises(TypeError):
        record.write(tmp_path, {"new": object()})
    assert record.read_json(tmp_path / "record.json")["old"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_writer_killed_at_any_moment_leaves_no_half_record(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, threading\n"
        "from pathlib import Path\n"
        "from synaug import record\n"
        "threading.Timer(float(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()\n"
        "for round in range(10**9): record.write(Path(sys.argv[1]), {'round': round, 'rows': list(range(20000))})\n"
    )
    for delay in (0.05, 0.11, 0.17):
        subprocess.run([sys.executable, "-c", program, str(tmp_path), str(delay)], check=False)
        if (tmp_path / record.RECORD).is_file():
            assert record.read_json(tmp_path / "record.json")["rows"] == list(range(20000))


def test_an_altered_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"run": ')
    with pytest.raises(UserError, match=r"record\.json is no JSON .* remove it and run again"):
        record.read(tmp_path)
    with pytest.raises(UserError, match="nowhere is not a folder: give the folder of a run"):
        record.read(tmp_path / "nowhere")
    (tmp_path / "begun").mkdir()
    with pytest.raises(UserError, match="the run is not done"):
        record.read(tmp_path / "begun")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (folder,) = fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["smote"], n_folds=2)
    return folder


def change(run: Path, *place: str | int, to: object) -> None:
    """Put something else somewhere into a run's record."""
    path = run / record.RECORD
    written = json.loads(path.read_bytes())
    node = written
    for key in place[:-1]:
        node = node[key]
    if to is ...:
        del node[place[-1]]
    else:
        node[place[-1]] = to
    path.write_text(json.dumps(written))


def first_score(run: Path, metric: str) -> int:
    rows = record.read_json(run / record.RECORD)["scores"]["data"]
    return next(at for at, row in enumerate(rows) if row[3] == metric)


def identity_of(run: Path) -> str:
    return str(record.read_json(run / record.RECORD)["identity"])


def test_a_sound_record_of_this_identity_is_no_problem(run: Path) -> None:
    assert record.problem(run, identity_of(run)) is None


def test_no_record_or_one_of_another_identity_is_not_done(run: Path, tmp_path: Path) -> None:
    assert record.problem(tmp_path / "nowhere", "0" * 64) == "there is no record.json"
    assert record.problem(run, "0" * 64) == f"record.json is of another run, {run.name}"


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("accuracy", -7),
        ("accuracy", 1e308),
        ("accuracy", 1.01),
        ("f1", 10**400),
        ("mcc", -1.1),
        ("log_loss", -0.1),
        ("log_loss", 1e308),
        ("brier_score", 2.1),
        ("calibration_error", 1.5),
        ("balanced_accuracy", "0.5"),
        ("balanced_accuracy", True),
        ("balanced_accuracy", [0.5]),
        ("balanced_accuracy", math.inf),
    ],
)
def test_a_score_that_cannot_be_is_a_problem(run: Path, metric: str, value: object) -> None:
    change(run, "scores", "data", first_score(run, metric), 5, to=value)
    problem = record.problem(run, identity_of(run))
    assert problem is not None
    assert problem.startswith("record.json has a ")


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_score_that_was_not_finite_is_none(run: Path, value: object) -> None:
    change(run, "scores", "data", first_score(run, "mcc"), 5, to=value)
    assert record.problem(run, identity_of(run)) is None


def test_every_metric_has_a_range_that_its_best_and_worst_score_are_in(run: Path) -> None:
    worst, best = np.eye(2)[[1, 0]], np.eye(2)
    for probabilities in (worst, best, np.full((2, 2), 0.5)):
        for metric, label, value in metrics.scores(np.array([0, 1]), probabilities, [1]):
            if label is None:
                change(run, "scores", "data", first_score(run, metric), 5, to=float(value))
                assert record.problem(run, identity_of(run)) is None, (metric, value)


DEEP = "[" * 100_000 + "]" * 100_000
WRONG = [
    b"",
    b"null",
    b"3",
    b"[]",
    b'"text"',
    b"{}",
    b"{",
    b"\xff\xfe\x00",
    b"\x89PNG",
    DEEP.encode(),
    b'{"schema": 2, "config": ' + DEEP.encode() + b"}",
    b'{"schema": [2]}',
]


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize("name", ["record.json", "sweep.json"])
def test_a_file_of_another_shape_gets_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    read = {"record.json": record.read, "sweep.json": record.sweep_of}[name]
    if name == "sweep.json" and content in (b"{}", WRONG[-1]):  # nothing in it is needed
        return
    with pytest.raises(UserError, match=f"{re.escape(str(tmp_path / name))} .*: remove it and run again$"):
        read(tmp_path)


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
def test_a_failure_of_another_shape_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / record.FAILURE).write_bytes(content)
    with pytest.raises(shapes.MisshapenError):
        shapes.failure(tmp_path / record.FAILURE)


CHANGES: list[tuple[tuple[str | int, ...], object]] = [
    (("schema",), 0),
    (("schema",), "2"),
    (("schema",), True),
    (("scores",), ...),
    (("data",), ...),
    (("config",), ...),
    (("validation_scores", "data"), []),
    (("choices",), ["a"]),
    (("choices", "dataset"), 3),
    (("choices", "augmenter"), ...),
    (("config", "seeds"), []),
    (("config", "seeds"), [True]),
    (("config", "n_folds"), 0),
    (("config", "augmenter"), {}),
    (("config", "augmenter", "amount"), "1"),
    (("config", "augmenter", "amount"), math.nan),
    (("config", "imbalance_ratio", "ratio"), -1),
    (("config", "imbalance_ratio", "ratio"), 10**400),
    (("config", "classifier"), None),
    (("config", "dataset"), []),
    (("data", "class_names"), ["a", "a", "b", "c"]),
    (("data", "class_names"), [None]),
    (("data", "rows_per_class"), [1, 2]),
    (("data", "minority"), ["nobody"]),
    (("scores",), []),
    (("scores", "columns"), ["seed"]),
    (("scores", "data"), []),
    (("scores", "data", 0), "text"),
    (("scores", "data", 0), [0, 0]),
    (("scores", "data", 0, 0), 7),
    (("scores", "data", 0, 1), 99),
    (("scores", "data", 0, 1), True),
    (("scores", "data", 0, 2), None),
    (("scores", "data", 0, 4), {}),
    (("scores", "data", 0, 4), "nobody"),
    (("scores", "data", 1), [0, 0, "argmax", "balanced_accuracy", None, 0.5]),
    (("validation_scores", "data", 0, 4), 2),
    (("confusion", 0, "matrix"), [[1]]),
    (("confusion", 0, "matrix", 0, 0), "1"),
    (("reliability", 0, "rows_confidence_hits", 0), [1, 2]),
    (("balance", "data", 0, 3), "nobody"),
    (("balance", "data", 0, 5), None),
    (("balance", "data", 0, 2), "all"),
    (("balance", "data", 0, 6), 10**400),
    (("balance", "data", 0, 8), None),
    (("curves", "data", 0, 3), "low"),
    (("warnings",), "text"),
    (("cost", "seconds"), {"train": "long"}),
    (("cost", "peak_memory_bytes"), 10**400),
    (("versions",), {"python": 3}),
    (("encoder",), "minilm"),
    (("identity",), None),
]


@pytest.mark.parametrize(
    ("place", "to"), CHANGES, ids=[f"{'.'.join(map(str, place))}={to}"[:40] for place, to in CHANGES]
)
def test_a_part_of_another_shape_is_a_problem(run: Path, place: tuple[str | int, ...], to: object) -> None:
    identity = identity_of(run)
    change(run, *place, to=to)
    problem = record.problem(run, identity)
    assert problem is not None
    assert problem.startswith("record.json ")
    assert len(problem) < 300


def test_what_a_later_version_adds_is_no_problem(run: Path) -> None:
    written = record.read_json(run / record.RECORD)
    written["new"] = {"table": [1]}
    written["balance"]["columns"].append("later")
    written["balance"]["data"] = [[*row, 10] for row in written["balance"]["data"]]
    (run / record.RECORD).write_text(json.dumps(written))
    assert record.problem(run, identity_of(run)) is None


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    pipe, link, folder, locked = (tmp_path / name for name in ("pipe", "link", "folder", "locked"))
    os.mkfifo(pipe)  # to open it would wait for ever
    link.symlink_to(tmp_path / "nowhere")
    folder.mkdir()
    with pytest.raises(UserError, match="is not a regular file: remove it"):
        record.read_json(pipe)
    with pytest.raises(UserError, match="is a link to nothing: remove it"):
        record.read_json(link)
    with pytest.raises(UserError, match="is a folder: remove it"):
        record.read_json(folder)
    with open(locked, "wb") as file:
        file.truncate(10 * 2**30)  # of which nothing is on the disk
    with pytest.raises(UserError, match="more than synaug ever writes"):
        record.read_json(locked)


def test_halves_of_characters_become_question_marks(tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_text('{"a": "\\ud83d\\ude00", "b\\udcff": "\\ud800"}')
    assert record.read_json(path) == {"a": "\U0001f600", "b?": "?"}


def test_probabilities_that_are_not_the_recorded_ones_are_a_problem(run: Path) -> None:
    name = f"probabilities-{record.read(run)['probabilities_sha256'][:8]}.npz"
    (run / name).write_bytes(b"other")
    assert record.problem(run, identity_of(run)) == f"{name} is not the one that was recorded"


def test_a_failure_says_whether_the_record_that_stands_is_older(run: Path) -> None:
    record.write_failure(run, {"error": "no", "type": "E", "overrides": []})
    assert not record.is_overtaken(run, shapes.failure(run / record.FAILURE))
    change(run, "name", to="another")  # as if it were made again, whatever the clock says
    assert record.is_overtaken(run, shapes.failure(run / record.FAILURE))


# What schema 1 had not yet, and what describes a run only.
LATER = ("validation_scores", "reliability", "code")
ADDITIVE = (*LATER, "confusion", "offsets", "balance", "diagnostics", "curves", "best", "warnings")
OPTIONAL = ("probabilities_sha256", "git_commit", "overrides", "configs_sha256")


def without(run: Path, *names: str, schema: int = record.SCHEMA) -> dict[str, object]:
    """Write a run's record again as an older synaug would have, and return what it holds."""
    path = run / record.RECORD
    content = json.loads(path.read_bytes())
    kept = {key: value for key, value in content.items() if key not in names} | {"schema": schema}
    path.write_text(json.dumps(kept))
    return kept


@pytest.mark.parametrize("name", [*ADDITIVE, *OPTIONAL])
def test_a_record_from_before_a_table_is_read_as_far_as_it_goes(run: Path, name: str) -> None:
    whole = record.read(run)
    content = without(run, name)
    assert record.problem(run, identity_of(run)) is None
    read = record.read(run)
    assert {key: read[key] for key in content} == content
    if name in ADDITIVE and name != "code":
        empty = read[name]["data"] if isinstance(read[name], dict) else read[name]
        assert empty == []
        assert type(read[name]) is type(whole[name])
        assert (name in record.lacking(read)) == (name not in ("offsets", "diagnostics", "curves", "best", "warnings"))


def test_a_record_of_an_older_schema_is_read_as_far_as_it_goes(run: Path) -> None:
    content = without(run, *LATER, schema=1)
    assert record.problem(run, identity_of(run)) is None
    read = record.read(run)
    assert read["scores"] == content["scores"]
    assert read["validation_scores"] == tables.as_table(record.VALIDATION_COLUMNS, [])
    assert read["code"] == "unknown"
    assert record.lacking(read) == ["validation_scores", "reliability"]
    assert record.lacking(record.read(run)) == ["validation_scores", "reliability"]


def test_what_is_written_now_lacks_nothing(run: Path) -> None:
    assert record.lacking(record.read(run)) == []


def test_a_record_of_a_newer_schema_is_refused_by_name_and_not_written_over(run: Path) -> None:
    without(run, schema=record.SCHEMA + 1)
    sentence = rf"{re.escape(str(run))}/record\.json is of schema \d, newer than the \d that this synaug reads: update"
    with pytest.raises(UserError, match=sentence):
        record.read(run)
    with pytest.raises(UserError, match=sentence):
        record.problem(run, identity_of(run))
