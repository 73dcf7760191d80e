"""What a run took is counted by stage, and said in one line."""

import re
from itertools import count
from typing import Any
from unittest import mock

import pytest

from synaug.record.cost import Cost
from tests.program import TOY, Program


def spent(**seconds: float) -> Cost:
    cost = Cost()
    for name, length in seconds.items():
        with mock.patch("time.perf_counter", mock.Mock(side_effect=[10.0, 10.0 + length])), cost.stage(name):
            pass
    return cost


def test_stages_that_come_twice_add_up() -> None:
    cost = Cost()
    with mock.patch("time.perf_counter", mock.Mock(side_effect=count(0, 2))):
        for _ in range(2):
            with cost.stage("load"):
                pass
    assert cost.seconds == {"load": 4}


def test_rates_are_work_over_seconds() -> None:
    cost = spent(embed=2.0, train=0.5)
    cost.count("embed", 3000, 4e11)
    cost.count("train", 1000)
    table = cost.table()
    assert table["rows_per_second"] == {"embed": 1500, "train": 2000}
    assert table["flops_per_second"] == {"embed": 2e11}


def test_one_line_says_what_is_known() -> None:
    cost = spent(load=0.1, embed=2.0, augment=0.0)
    cost.count("embed", 3000, 4e11)
    cost.count("augment", 0, 0.0)
    assert cost.line() == "load 0.10 s · embed 2.00 s (1,500 texts/s, 200 GFLOP/s) · augment 0.00 s"


@pytest.fixture
def record(tmp_path: Any) -> dict[str, Any]:
    rows = [f"{word} number {place},{word}" for word in ("goal", "market") for place in range(60)]
    (tmp_path / "mine.csv").write_text("\n".join(["body,topic", *rows]))
    program = Program(tmp_path)
    outcome = program(*TOY, f"dataset.path={tmp_path / 'mine.csv'}")
    assert outcome.code == 0, outcome.err
    (line,) = re.findall(r"^load .*", outcome.err, re.MULTILINE)
    assert [part.split()[0] for part in line.split(" · ")] == ["load", "embed", "augment", "train", "score", "audit"]
    return program.record()


def test_a_record_has_the_work_of_each_stage(record: dict[str, Any]) -> None:
    cost, config = record["cost"], record["config"]
    assert cost["rows"]["embed"] == 120
    made = sum(row[record["balance"]["columns"].index("made")] for row in record["balance"]["data"])
    assert cost["rows"]["augment"] == made > 0
    assert cost["flops"]["augment"] > 0  # the search for neighbours
    n_splits = len(config["seeds"]) * config["n_folds"]
    assert cost["members"] == n_splits * (config["validation"]["n_folds"] + 1)
    # Fits on all rows take all of the steps, those of inner folds at most as many.
    assert n_splits * config["max_steps"] < cost["optimiser_steps"] <= cost["members"] * config["max_steps"]
    trained = cost["optimiser_steps"] * config["batch_size"]
    assert cost["rows"]["train"] == trained
    width, hidden = config["encoder"]["dim"], config["classifier"]["hidden"][0]
    least = 2 * trained * (2 * width * hidden + 3 * hidden * 2)  # looking at members comes on top
    assert least < cost["flops"]["train"] < 2 * least
    assert set(cost["seconds"]) == {"load", "embed", "augment", "audit", "train", "score"}
