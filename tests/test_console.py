"""What the console shows fits a terminal: 100 columns, and a run no more than a screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synaug.comparison.layout import MOST_LINES, Table, Verdict
from synaug.files.escaping import COLUMNS, WIDTH, wrapped
from synaug.report.__main__ import main as report
from tests.program import TOY, Program

SCREEN = 32


def too_long(text: str) -> list[str]:
    """Lines over the width that could have been broken: those with words beside a path, a run's name or a number.

    A path with one word before it stays whole, so that it can be copied.
    """
    return [line for line in text.splitlines() if len(line) > WIDTH and len(line.split()) > 2]


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\x0b\x0c\x1c\x1d\x1e\x85"), max_size=90)))
def test_wrapped_text_keeps_its_words_and_fits(lines: list[str]) -> None:
    text = "\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(COLUMNS, raising=False)
        shown = wrapped(text)
        patch.setenv(COLUMNS, "0")
        assert shown.split() == wrapped(text).split()
    assert not [line for line in too_long(shown) if line.startswith(" ") is False and " " in line[:WIDTH].strip()]


def test_long_lines_go_on_indented_and_short_ones_and_paths_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COLUMNS)
    path = "/folder" * 30
    text = f"  {'word ' * 30}end\n  short   one\nrecord: {path}"
    lines = wrapped(text).split("\n")
    assert [len(line) <= WIDTH for line in lines] == [True, True, True, True, False]
    assert lines[1].startswith("    word")
    assert lines[2] == "  short   one"
    assert lines[3:] == ["record:", f"  {path}"]
    monkeypatch.setenv(COLUMNS, "40")
    assert max(map(len, wrapped("word " * 30).split("\n"))) <= 40


def test_a_table_too_wide_gives_its_headings_two_lines_then_cuts_names() -> None:
    columns = ("", *("first number",) * 6)
    narrow = Table(columns, (("a" * 10, *("12.3",) * 6),))
    assert len(narrow.lines(9)) == 2
    wide = Table(columns, (("a" * 40, *("12.3",) * 6),))
    lines = wide.lines(9)
    assert len(lines) == 3
    assert lines[0].split() == ["first"] * 6
    assert lines[1].split() == ["number"] * 6
    assert "a" * 40 in lines[2]
    widest = Table(columns, (("a" * 90, *("12.3",) * 6), ("b", *("1.3",) * 6)))
    lines = widest.lines(9)
    assert max(map(len, lines)) <= WIDTH
    assert "aa…" in lines[2]
    verdict = Verdict("It is so.", widest, [], {}, [], ["a caution " * 9] * 9, 1)
    assert len(str(verdict).split("\n")) <= MOST_LINES
    assert not too_long(str(verdict))


def test_cautions_without_room_are_counted_as_more_only_beside_others() -> None:
    of_long = Verdict("It is so.", Table(), [], {}, [], ["a caution " * 300] * 2, 1)
    assert str(of_long).split("\n")[-1] == "! 2 cautions in the report"
    one_fits = Verdict("It is so.", Table(), [], {}, [], ["a caution", "another " * 300], 1)
    assert str(one_fits).split("\n")[-2:] == ["! a caution", "! 1 more caution in the report"]


def test_a_run_a_sweep_and_a_report_fit_the_width_and_a_run_a_screen(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(COLUMNS)
    arguments = [*TOY, csv, "max_steps=8", "n_folds=2"]
    run = program(*arguments, "augmenter=smote")
    assert run.code == 0, run.err
    assert len((run.out + run.err).splitlines()) <= SCREEN
    sweep = program(*arguments, "--multirun", "method=none,smote,random,focal", "name=s", "report=true")
    assert sweep.code == 0, sweep.err
    wrong = program(*arguments, "--multirun", "imbalance_ratio.ratio=500.0,400.0", "name=wrong")
    refused = program(*arguments, "n_flods=3", "augmenter.k_neighbours=3", "seeds=3")
    assert (wrong.code, refused.code) == (1, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.program.main", lambda: report([str(program.folder / "multirun" / "s")]))
        told = program()
    assert told.code == 0, told.err
    for outcome in (run, sweep, wrong, refused, told):
        assert outcome.out or outcome.err
        assert not too_long(outcome.out)
        assert not too_long(outcome.err)
