"""Tasks of MTEB's, with the scores that MTEB has published for one encoder."""

from dataclasses import dataclass

# The encoder whose scores stand below.
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Published:
    """Scores of one model in one task: of each experiment where they are known, and the means.

    Attributes
    ----------
    accuracies
        One for each experiment, or none.
    accuracy, f1
        Means over the experiments; `f1` is the macro average.
    """

    accuracies: tuple[float, ...]
    accuracy: float
    f1: float


@dataclass(frozen=True)
class Task:
    """A task of MTEB's.

    Attributes
    ----------
    name
        As MTEB has it.
    k
        Training rows of each class in an experiment.
    published
        What the scores are to be.
    model
        The encoder that they are of, where that is known.
    dataset
        The option that has the data; None where the user names it.
    """

    name: str
    k: int
    published: Published
    model: str | None = None
    dataset: str | None = None


# Of the results that MTEB's maintainers publish (github.com/embeddings-benchmark/results), model revision 8b3219a.
TASKS = (
    Task(
        "EmotionClassification",
        16,
        Published((0.4505, 0.3710, 0.3620, 0.4220, 0.4020, 0.4080, 0.4315, 0.4020, 0.4165, 0.4175), 0.4083, 0.37182),
        MODEL,
        "emotion",
    ),
    Task(
        "Banking77Classification",
        8,
        Published(
            (0.79805, 0.80162, 0.81299, 0.80552, 0.79188, 0.80487, 0.79091, 0.78896, 0.80909, 0.80032), 0.80042, 0.79379
        ),
        MODEL,
        "banking77",
    ),
)
