"""Some of the cases of `tests.leaves`; ``python -m tests.leaves`` tries them all."""

import random
from pathlib import Path

import pytest

from tests.leaves import Case, attempt, cases, fault

SAMPLE = random.Random(0).sample(cases(), 60)


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_no_value_of_a_setting_ends_in_a_traceback_a_hang_or_a_run_without_meaning(case: Case, tmp_path: Path) -> None:
    assert fault(case, *attempt(case, tmp_path)) is None
