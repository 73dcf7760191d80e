"""Draws all figures of a report, each by itself: one that fails costs no other."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from tqdm.auto import tqdm

from synaug.errors import OF_THE_DISK
from synaug.report import figures
from synaug.report.drawing import svg
from synaug.report.drawing.contract import Drawn, FigureKind, Plan
from synaug.report.drawn_before import DrawnBefore, drawn_from
from synaug.report.results import Results

LAST = 1000  # place of a module that does not even say what it draws
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Failed:
    """A figure that could not be drawn.

    Attributes
    ----------
    name
        Of the figure, or of its kind where that fails as a whole.
    error
        Why; a fault of the program.
    """

    name: str
    error: Exception | SystemExit

    @property
    def reason(self) -> str:
        """The error in one line."""
        return f"{type(self.error).__name__}: {self.error}"


@dataclass(frozen=True)
class Section:
    """The figures of one kind; its name is the kind's."""

    name: str
    kind: FigureKind
    drawn: list[Drawn] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


def sections(results: Results, before: DrawnBefore | None = None) -> list[Section]:
    """Draw all figures that these results call for, by kind, in the order of the page; or take them from `before`.

    Raises
    ------
    OSError
        Of the disk: what comes after needs it as well.
    """
    sections = [_section(name) for name in figures.names()]
    planned = [(section, plan) for section in sections for plan in _plans(section, results)]
    for section, plan in tqdm(planned, desc="figures", unit="figure", disable=None):
        name = f"{section.name}-{plan.key}"
        outcome = _attempt(name, partial(_drawn, name, plan, results, before))
        if isinstance(outcome, Failed):
            section.failed.append(outcome)
        elif outcome is not None:
            section.drawn.append(outcome)
    there = [section for section in sections if section.drawn or section.failed]
    return sorted(there, key=lambda section: (section.kind.question.place, section.kind.place, section.name))


def _section(name: str) -> Section:
    kind = _attempt(name, partial(figures.kind, name))
    if isinstance(kind, Failed):
        return Section(name, FigureKind(LAST, name, "", lambda results: ()), failed=[kind])
    return Section(name, kind)


def _plans(section: Section, results: Results) -> Iterator[Plan]:
    """What a kind plans, as far as it comes."""
    if results.evidence.runs.empty:
        return
    keys: set[str] = set()
    plans = _attempt(section.name, lambda: iter(section.kind.plans(results)))
    while not isinstance(plans, Failed):
        plan = _attempt(section.name, partial(_next, plans, keys))
        if plan is None:
            return
        if isinstance(plan, Failed):
            plans = plan
        else:
            yield plan
    section.failed.append(plans)


def _next(plans: Iterator[object], keys: set[str]) -> Plan | None:
    """The next plan, whose key is none of those before."""
    plan = next(plans, None)
    if plan is None:
        return None
    if not isinstance(plan, Plan):
        raise TypeError(f"{plan!r:.80} is no Plan")
    if not re.fullmatch(r"[\w-][\w.-]*", plan.key) or plan.key in keys:
        raise ValueError(f"{plan.key!r} cannot name a file, or names another figure's")
    keys.add(plan.key)
    return plan


def _drawn(name: str, plan: Plan, results: Results, before: DrawnBefore | None) -> Drawn | None:
    digest = None if before is None else drawn_from(plan.draw, name, plan.metric, results.metric, results.is_large)
    if before is None or digest is None:
        return _draw(name, plan, results)
    drawn = before.get(name, digest)
    if drawn is None:
        drawn = _draw(name, plan, results)
        if drawn is not None:
            before.keep(drawn, digest)
    return drawn


def _draw(name: str, plan: Plan, results: Results) -> Drawn | None:
    drawing = plan.draw()
    if drawing is None:
        return None
    raw = svg.raw_svg(drawing.figure, name)
    files = {f"{name}.svg": svg.standalone(raw, drawing.title, drawing.alt).encode()}
    if plan.metric in (None, results.metric) or not results.is_large:
        files[f"{name}.pdf"] = svg.pdf(drawing.figure, quick=results.is_large)
    return Drawn(name, plan.metric, drawing.title, drawing.alt, drawing.note, svg.inline(raw, drawing.alt), files)


def _attempt(name: str, make: Callable[[], Outcome]) -> Outcome | Failed:
    try:
        return make()
    # Whatever is wrong with one figure must not cost the others, nor the report.
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:  # which the rest needs as well
            raise
        return Failed(name, error)
