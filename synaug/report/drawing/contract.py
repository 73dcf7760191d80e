"""What a module of `synaug.report.figures` gives: one kind of figure, which says itself what it draws and when."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial

from matplotlib.figure import Figure

from synaug.comparison.labels import Scenario
from synaug.report.results import Results


class Question(Enum):
    """What a reader asks below the verdict, in this order; each is a part of the page."""

    HOW_SURE = "How sure is it?"
    AGAINST_WHAT = "Compared with what?"
    WHICH_CLASSES = "Which classes gain, and which pay?"
    NEEDS = "What if I need a certain recall, or mistakes cost differently?"
    HOW_MUCH = "How much synthesis, and what is it worth?"
    WHICH_NEIGHBOURS = "Which neighbours?"
    WHAT_ROWS = "What are the synthetic rows like?"
    WHAT_COST = "What did it cost?"

    @property
    def place(self) -> int:
        """In the order of the page."""
        return list(Question).index(self)


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn, and what is said of it.

    Attributes
    ----------
    figure
        Of matplotlib, made within `synaug.report.drawing.style.applied`.
    title
        Its heading.
    alt
        Says in words and numbers what the figure shows, to those who do not see it.
    note
        How to read it, and what was left out.
    """

    figure: Figure
    title: str
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Drawn:
    """A figure on its way to the disk and the page.

    Attributes
    ----------
    name
        Of its files.
    metric, title, alt, note
        As its plan and its drawing have them.
    inline
        An SVG element for the page.
    files
        Contents by file name.
    """

    name: str
    metric: str | None
    title: str
    alt: str
    note: str
    inline: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Plan:
    """One figure to be drawn.

    Attributes
    ----------
    key
        Which one of its kind; its files are called after the kind and this.
    draw
        Draws it, when it is called: so that each figure can fail by itself. None where there is nothing to show. Of a
        `functools.partial` the next report sees by what it is given whether it would draw the same
        (`synaug.report.drawn_before`), so it is given no more than the figure needs (`Results.only`).
    metric
        The page shows it where this metric is asked for; None for a figure that goes with every metric.
    """

    key: str
    draw: Callable[[], Drawing | None]
    metric: str | None = None


@dataclass(frozen=True)
class FigureKind:
    """One kind of figure, and its section of the page.

    Attributes
    ----------
    place
        In the order of its question's part of the page; of equals the name decides.
    title, lead
        The section's heading, and the sentence below it.
    plans
        The figures of this kind that these results call for: none, one, or several.
    shows_minority
        Whether to say in the section where there is no minority to show.
    question
        In whose part of the page it stands.
    """

    place: int
    title: str
    lead: str
    plans: Callable[[Results], Iterable[Plan]]
    shows_minority: bool = False
    question: Question = Question.AGAINST_WHAT


def for_each_example(draw: Callable[[Results, Scenario], Drawing | None]) -> Callable[[Results], Iterator[Plan]]:
    """Plans of a kind that draws one figure for each scenario that is shown as an example."""

    def plans(results: Results) -> Iterator[Plan]:
        for number, scenario in enumerate(results.examples, start=1):
            yield Plan(str(number), partial(draw, results.only([scenario]), scenario))

    return plans
