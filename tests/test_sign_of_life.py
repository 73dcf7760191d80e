"""Nothing takes its time in silence, and nothing quick is talked about."""

import re
import threading

import pytest

from synaug.files import sign_of_life
from synaug.files.sign_of_life import busy
from synaug.record.cost import QUIET, WITH_A_BAR, Cost


class Told:
    """A stream that lets a block go on once it has been written to so many times."""

    def __init__(self, times: int) -> None:
        self.text, self.times, self.enough = "", times, threading.Event()

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> None:
        self.text += text
        if self.text.count("\n") >= self.times:
            self.enough.set()

    def flush(self) -> None:
        pass


def test_a_long_block_says_that_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(3)
    monkeypatch.setattr(sign_of_life, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr("sys.stderr", told)
    with busy("drawing figures"):
        assert told.enough.wait(60)
    lines = told.text.splitlines()
    assert all(re.fullmatch(r"still drawing figures \(\d+ s so far\)", line) for line in lines)


def test_signs_come_less_and_less_often_but_never_more_than_half_a_minute_apart() -> None:
    at = [5.0]
    for _ in range(5):
        at.append(at[-1] + sign_of_life.pause_after(at[-1]))
    assert at == [5, 10, 20, 40, 70, 100]


def test_a_quick_block_says_nothing_and_an_error_comes_through(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), busy("dividing"):
        _ = 1 / 0
    assert capsys.readouterr().err == ""
    assert not [thread for thread in threading.enumerate() if thread.name == "synaug-busy"]


@pytest.mark.parametrize("stage", [*QUIET, *WITH_A_BAR])
def test_each_stage_of_a_run_whose_bar_is_not_shown_gives_signs(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(1)
    monkeypatch.setattr(sign_of_life, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr("sys.stderr", told)
    cost = Cost()
    with cost.stage(stage):
        assert told.enough.wait(60)
    assert (QUIET | WITH_A_BAR)[stage] in told.text
    assert cost.seconds[stage] > 0


@pytest.mark.parametrize("stage", WITH_A_BAR)
def test_a_stage_whose_bar_a_terminal_shows_gives_no_signs_there(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(1)
    monkeypatch.setattr(sign_of_life, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(told, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", told)
    with Cost().stage(stage):
        assert not told.enough.wait(0.2)
    assert told.text == ""
