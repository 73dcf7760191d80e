import logging

import pytest

from synaug.augmenter.tightness import said_of_spread, warn_of_spread


def test_rows_that_vary_too_little_are_told_of_once_over_all_training_sets(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"class": "spam", "variance_ratio": ratio} for ratio in (0.2, 0.3)]
    assert said_of_spread(rows) == [
        "synthetic rows of class 'spam' vary 0.25 times as much as real ones, so the classifier learns a class that is "
        "too tight: set augmenter.sample_from=posterior and augmenter.observation_noise=true (the defaults of vae and "
        "cvae) or, if the augmenter has no such settings, use another augmenter"
    ]
    with caplog.at_level(logging.WARNING):
        warn_of_spread(rows)
    assert caplog.messages == said_of_spread(rows)


def test_of_several_classes_the_tightest_is_named() -> None:
    rows = [{"class": name, "variance_ratio": ratio} for name, ratio in (("a", 0.4), ("b", 0.1), ("c", 0.9))]
    (said,) = said_of_spread(rows)
    assert said.startswith(
        "in 2 of 3 classes, synthetic rows vary less than half as much as real ones (least in class 'b'"
    )


@pytest.mark.parametrize(
    "rows", [[], [{"class": "a"}], [{"class": "a", "variance_ratio": None}], [{"class": "a", "variance_ratio": 0.5}]]
)
def test_nothing_is_said_where_rows_vary_enough_or_nobody_knows(rows: list[dict[str, object]]) -> None:
    assert said_of_spread(rows) == []
