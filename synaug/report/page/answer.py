"""What the first screen shows: how far the baseline and each method lie from the best without synthesis.

It is a table of words and numbers, with a bar for each interval, so that it follows the width of its screen and is
read aloud as it stands. Places on the axis are per cent of its width.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from synaug.comparison.formatting import Unit
from synaug.comparison.labels import (
    BASELINE,
    BEST_WITH_SYNTHESIS,
    BEST_WITHOUT_SYNTHESIS,
    CHOSEN,
    PICKED,
    REFERENCES,
    Scenario,
    methods_of,
)
from synaug.comparison.significance import BETTER, INTERVAL, OUTCOMES, WORSE
from synaug.comparison.stats import PRIMARY
from synaug.comparison.told import ends, with_fallback
from synaug.report import limits, words
from synaug.report.results import Results
from synaug.scores.metrics import LOSSES

MIRRORED = {BETTER: WORSE, WORSE: BETTER}
OVER_BASELINE, OVER_BEST = REFERENCES
TICKS = 5
ROOM = 0.04  # of the axis, beyond its first and its last interval


@dataclass(frozen=True)
class Bar:
    """One interval: `low` and `high` are missing where nothing could be tested."""

    at: float
    low: float | None
    high: float | None
    outcome: str


@dataclass(frozen=True)
class Line:
    """A row: one method, one scenario, or the scenarios of one outcome.

    Attributes
    ----------
    name, score, gain, interval, outcome
        As they are written; empty where there is nothing to write.
    bars
        One, or one for each scenario of an outcome.
    dots
        Means without an interval: of the methods without synthesis, or of each method with synthesis.
    baseline
        Where the baseline of a scenario lies.
    is_strong
        Whether it is what the headline speaks of.
    """

    name: str
    score: str = ""
    gain: str = ""
    interval: str = ""
    outcome: str = ""
    bars: Sequence[Bar] = ()
    dots: Sequence[float] = ()
    baseline: float | None = None
    is_strong: bool = False


@dataclass(frozen=True)
class Tick:
    """A number below the axis: a gain and, of one scenario, the score that it stands for.

    A narrow screen has no room for those between two others.
    """

    at: float
    gain: str
    score: str = ""
    is_between: bool = False


@dataclass(frozen=True)
class Answer:
    """The first screen's figure.

    Attributes
    ----------
    first, score
        Headings of the columns of names and of scores; without a score there is no such column.
    caption, note
        What it shows, and how to read it.
    zero, rope
        Where no difference lies, and from where to where differences are of no practical importance.
    left_out
        How many rows have no room.
    """

    first: str
    score: str
    caption: str
    note: str
    lines: Sequence[Line] = ()
    ticks: Sequence[Tick] = ()
    zero: float = 0.0
    rope: tuple[float, float] = (0.0, 0.0)
    left_out: int = 0
    pitch: float = 0.0  # pixels from one bar to the next, where a row has several

    @property
    def has_scores(self) -> bool:
        """Whether rows have scores."""
        return bool(self.score)

    @property
    def is_tight(self) -> bool:
        """Whether its rows must stand closely."""
        return sum(map(_lines_of, (line.name for line in self.lines))) > limits.ANSWER_LINES


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> "_Axis":
        finite = [value for value in values if math.isfinite(value)]
        low, high = min(finite), max(finite)
        room = ROOM * ((high - low) or 1.0)
        return cls(low - room, high + room)

    def __call__(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def bar(self, row: "pd.Series[Any]", unit: Unit) -> Bar:
        low, high = _interval(row, unit)
        at, outcome = self(float(row["gain"])), _outcome(row)
        if not (math.isfinite(low) and math.isfinite(high)):
            return Bar(at, None, None, outcome)
        return Bar(at, self(low), self(high), outcome)


def answer(results: Results) -> Answer | None:
    """Lay out the verdict's comparison; None where there is none."""
    table = results.table(results.metric)
    primary = table[(table["family"] == PRIMARY) & table["gain"].notna()]
    if primary.empty:
        return None
    of_scenario = {row["scenario"]: row for _, row in primary.iterrows()}
    scenarios = [scenario for scenario in results.scenarios if scenario in of_scenario]
    unit = Unit(results.metric, results.comparison.rope)
    if len(scenarios) == 1:
        return _of_methods(table[table["scenario"] == scenarios[0]], unit)
    return _of_scenarios(results, table, scenarios, of_scenario, unit)


def _of_methods(rows: pd.DataFrame, unit: Unit) -> Answer:
    """One scenario: the baseline, the two best, and each method with synthesis under its chosen rule."""
    of_best = rows[rows["reference"] == OVER_BEST]
    primary = of_best[of_best["family"] == PRIMARY].iloc[0]
    reference = float(primary["reference_value"])
    compared = [(_name(row), row) for row in _singles(of_best)]
    baseline = _baseline(rows)
    shown, left_out = _fitting(compared, limits.ANSWER_LINES - 3)
    # Methods without synthesis were not tested against the best of them: their means alone are shown.
    bare = rows[(rows["reference"] == OVER_BASELINE) & (rows["decision"] == CHOSEN) & ~rows["augmenter"].isin(PICKED)]
    sign = -1 if unit.metric in LOSSES else 1
    bare_gains = [sign * (float(value) - reference) for value in bare["value"][~bare["with_synthesis"].astype(bool)]]
    all_rows = [primary, *(row for _, row in shown), *([baseline] if baseline is not None else [])]
    axis = _axis(all_rows, unit, bare_gains)

    def line(name: str, row: "pd.Series[Any]", *, is_strong: bool = False) -> Line:
        return _line(name, row, axis, unit, words.level(float(row["value"]), unit.metric), is_strong=is_strong)

    lines = [line("the baseline", baseline)] if baseline is not None else []
    lines.append(
        Line(
            BEST_WITHOUT_SYNTHESIS.label,
            words.level(reference, unit.metric),
            outcome="the reference",
            dots=sorted(map(axis, bare_gains)),
            baseline=None,
            is_strong=True,
        )
    )
    lines.append(line(BEST_WITH_SYNTHESIS.label, primary, is_strong=True))
    lines += [line(name, row) for name, row in shown]
    score = "score" if unit.metric in LOSSES else "score (%)"
    dots = " Small dots: each method without synthesis." if bare_gains else ""
    return Answer(
        "method",
        score,
        f"Gain in {unit.name} over the best without synthesis",
        f"{_how_to_read(all_rows, unit)}{dots}",
        lines,
        _ticks(axis, unit, reference),
        axis(0.0),
        (axis(-unit.rope), axis(unit.rope)),
        left_out,
    )


def _of_scenarios(
    results: Results,
    table: pd.DataFrame,
    scenarios: Sequence[Scenario],
    of_scenario: "dict[Scenario, pd.Series[Any]]",
    unit: Unit,
) -> Answer:
    """Several: a row each or, where there is no room for that, a row for those of each outcome."""
    of_best = table[table["reference"] == OVER_BEST]
    baselines = {scenario: _baseline(table[table["scenario"] == scenario]) for scenario in scenarios}
    named = [(results.label(scenario), scenario) for scenario in scenarios]
    _, left_out = _fitting(named, limits.ANSWER_SCENARIOS)
    primary = list(of_scenario.values())
    caption = f"Gain in {unit.name} of the best with synthesis over the best without"
    if left_out:
        axis = _axis(primary, unit)
        lines = list(_by_outcome(primary, axis, unit))
        note = f"{_how_to_read(primary, unit)} A line for each scenario; the table below names them."
        pitch = min(limits.ANSWER_PITCH, limits.ANSWER_BARS / len(primary))
        return Answer(
            "outcome", "", caption, note, lines, _ticks(axis, unit), axis(0.0), _rope(axis, unit), pitch=round(pitch, 3)
        )
    singles = {scenario: _gains(of_best[of_best["scenario"] == scenario]) for scenario in scenarios}
    of_baselines = [float(row["gain"]) for row in baselines.values() if row is not None]
    axis = _axis(primary, unit, [*of_baselines, *(gain for gains in singles.values() for gain in gains)])
    lines = []
    for name, scenario in named:
        row, baseline = of_scenario[scenario], baselines[scenario]
        scores = " → ".join(words.level(float(row[key]), unit.metric) for key in ("reference_value", "value"))
        lines.append(
            _line(
                name,
                row,
                axis,
                unit,
                scores,
                dots=sorted(map(axis, singles[scenario])),
                baseline=None if baseline is None else axis(float(baseline["gain"])),
            )
        )
    hollow = " Triangle: the baseline." if of_baselines else ""
    return Answer(
        "scenario",
        f"without → with{'' if unit.metric in LOSSES else ' (%)'}",
        caption,
        f"{_how_to_read(primary, unit)} Small dots: each method with synthesis.{hollow}",
        lines,
        _ticks(axis, unit),
        axis(0.0),
        _rope(axis, unit),
    )


def _by_outcome(rows: "Sequence[pd.Series[Any]]", axis: _Axis, unit: Unit) -> Iterator[Line]:
    for outcome in (*OUTCOMES, "–"):
        these = sorted((row for row in rows if _outcome(row) == outcome), key=lambda row: -float(row["gain"]))
        if these:
            median = unit.signed(float(np.median([row["gain"] for row in these])))
            name = "not tested" if outcome == "–" else outcome
            yield Line(
                f"{name} in {len(these)} of {len(rows)}",
                gain=median,
                interval="in the median",
                bars=[axis.bar(row, unit) for row in these],
            )


def _line(
    name: str, row: "pd.Series[Any]", axis: _Axis, unit: Unit, score: str, *, is_strong: bool = False, **marks: Any
) -> Line:
    low, high = _interval(row, unit)
    interval = f"{unit.of(low)} to {unit.of(high)}" if math.isfinite(low) else ""
    return Line(
        name,
        score,
        unit.signed(float(row["gain"])),
        interval,
        _outcome(row),
        [axis.bar(row, unit)],
        is_strong=is_strong,
        **marks,
    )


def _singles(of_best: pd.DataFrame) -> "list[pd.Series[Any]]":
    """Methods with synthesis under their chosen rule, the best first."""
    rows = of_best[(of_best["decision"] == CHOSEN) & ~of_best["augmenter"].isin(PICKED) & of_best["gain"].notna()]
    return [row for _, row in rows.sort_values("gain", ascending=False, kind="stable").iterrows()]


def _gains(of_best: pd.DataFrame) -> list[float]:
    return [float(row["gain"]) for row in _singles(of_best)]


def _name(row: "pd.Series[Any]") -> str:
    (method,) = methods_of(row.to_frame().T)
    return with_fallback(method.label_without_rule, row["by_fallback"])


def _baseline(rows: pd.DataFrame) -> "pd.Series[Any] | None":
    """What the baseline loses to the best without synthesis: the mirror of what that gains."""
    gained = rows[(rows["reference"] == OVER_BASELINE) & (rows["augmenter"] == BEST_WITHOUT_SYNTHESIS.augmenter)]
    if gained.empty or not math.isfinite(gained["gain"].iloc[0]):
        return None
    row = gained.iloc[0].copy()
    row["augmenter"], row["gain"], row["value"] = BASELINE.augmenter, -row["gain"], row["reference_value"]
    for of in ("", "_family"):
        row[f"low{of}"], row[f"high{of}"] = -row[f"high{of}"], -row[f"low{of}"]
    row["outcome"] = MIRRORED.get(row["outcome"], row["outcome"])
    return row


def _outcome(row: "pd.Series[Any]") -> str:
    return str(row["outcome"]) if math.isfinite(row["p_holm"]) else "–"


def _interval(row: "pd.Series[Any]", unit: Unit) -> tuple[float, float]:
    return ends(row, unit) if math.isfinite(row["low"]) else (math.nan, math.nan)


def _axis(rows: "Sequence[pd.Series[Any]]", unit: Unit, means: Sequence[float] = ()) -> _Axis:
    of_rows = [value for row in rows for value in (float(row["gain"]), *_interval(row, unit))]
    return _Axis.around([*of_rows, *means, 0.0, -unit.rope, unit.rope])


def _rope(axis: _Axis, unit: Unit) -> tuple[float, float]:
    return axis(-unit.rope), axis(unit.rope)


def _ticks(axis: _Axis, unit: Unit, reference: float | None = None) -> list[Tick]:
    """Round gains, with the scores that they come to."""
    scale = words.scale(unit.metric)
    ticks = []
    for tick in MaxNLocator(TICKS, steps=[1, 2, 5, 10]).tick_values(axis.low * scale, axis.high * scale):
        gain = float(tick) / scale
        if axis.low <= gain <= axis.high:
            shown = f"{tick:+.4g}".replace("-", "−") if abs(tick) > 1e-9 else "0"
            score = -gain if unit.metric in LOSSES else gain
            value = "" if reference is None else words.level(reference + score, unit.metric)
            ticks.append((axis(gain), shown, value))
    zero = [shown for _, shown, _ in ticks].index("0")  # which the axis always has
    return [Tick(*tick, is_between=bool((place - zero) % 2)) for place, tick in enumerate(ticks)]


def _fitting(named: Sequence[tuple[str, Any]], most: int) -> tuple[list[tuple[str, Any]], int]:
    """As many as have room on a first screen, where a long name takes several lines; and how many have none."""
    kept: list[tuple[str, Any]] = []
    used = 0
    for name, content in named:
        used += _lines_of(name)
        if used > most:
            break
        kept.append((name, content))
    return kept, len(named) - len(kept)


def _lines_of(name: str) -> int:
    return -(-words.width(name) // limits.ANSWER_LETTERS)


def _how_to_read(rows: "Sequence[pd.Series[Any]]", unit: Unit) -> str:
    band = f"Grey band: no practical importance (±{words.difference(unit.rope, unit.metric)}{unit.points})."
    if not any(math.isfinite(row["low"]) for row in rows):
        return f"Too few splits for intervals. {band}"
    return f"Bars: {INTERVAL} intervals. {band}"
