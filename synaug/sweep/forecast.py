"""How long a sweep will still take, by the jobs of it that have ended."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

# By how much the medians of a setting's choices must differ for its jobs to be told apart.
TELLING_RATIO = 2.0


def seconds_left(ended: Sequence[Mapping[str, Any]], n_left: int, grid: Sequence[Sequence[str]] | None) -> float:
    """Seconds that the jobs which are left will take, one after the other.

    Each is expected to take what others took with its choice of the one setting that best tells long jobs from short
    ones. A choice that nobody has tried yet is expected to take as long as the longest.

    Parameters
    ----------
    ended
        What jobs told that worked; at least one.
    n_left
        How many jobs are left.
    grid
        The overrides of each job, by the number that it tells; None where they are not known.
    """
    # What the first job did for all (imports, embedding) is not left to do.
    took: dict[int, float] = {job["number"]: max(job["seconds"] - job.get("once", 0.0), 0.0) for job in ended}
    if grid is not None and took.keys() <= set(range(len(grid))):
        choices = [dict(override.split("=", 1) for override in job if "=" in override) for job in grid]
        by_setting = {setting: _medians(setting, choices, took) for setting in choices[0]}
        telling = max(by_setting, key=lambda setting: _ratio(by_setting[setting]), default="")
        if telling and _ratio(medians := by_setting[telling]) >= TELLING_RATIO:
            left = [choice[telling] for number, choice in enumerate(choices) if number not in took]
            of_left = [medians.get(choice, max(medians.values())) for choice in left]
            return n_left * sum(of_left) / max(len(of_left), 1)
    return n_left * median(took.values())


def _medians(setting: str, choices: Sequence[Mapping[str, str]], took: Mapping[int, float]) -> dict[str, float]:
    """Seconds of the jobs of each choice of a setting."""
    by_choice: dict[str, list[float]] = {}
    for number, seconds in took.items():
        by_choice.setdefault(choices[number].get(setting, ""), []).append(seconds)
    return {choice: median(seconds) for choice, seconds in by_choice.items()}


def _ratio(medians: Mapping[str, float]) -> float:
    """How many times as long the longest choice takes as the shortest."""
    return max(medians.values()) / max(min(medians.values()), 0.1)
