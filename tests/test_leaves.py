"""Some of the cases of `tests.leaves`, more of them by `make thorough`; ``python -m tests.leaves`` tries them all."""

import random
from pathlib import Path

import pytest

from tests.leaves import Case, attempt, cases, fault
from tests.thorough import some

SAMPLE = some(random.Random(0).sample(cases(), 60), 30)


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_no_value_of_a_setting_ends_in_a_traceback_a_hang_or_a_run_without_meaning(case: Case, tmp_path: Path) -> None:
    assert fault(case, *attempt(case, tmp_path)) is None
