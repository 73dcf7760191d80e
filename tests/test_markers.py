"""Every test can be chosen by what it costs."""

import pytest

from tests.conftest import INTEGRATION_MODULES, INTEGRATION_TESTS


def test_every_test_is_one_of_the_two_kinds(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        kinds = [kind for kind in ("unit", "integration") if item.get_closest_marker(kind)]
        assert len(kinds) == 1, item.nodeid


def test_what_is_listed_as_slow_exists(request: pytest.FixtureRequest) -> None:
    modules = {path.stem: path.read_text() for path in request.path.parent.glob("test_*.py")}
    assert modules.keys() >= INTEGRATION_MODULES
    for test in INTEGRATION_TESTS:
        (module,) = [name for name, text in modules.items() if f"def {test}(" in text]
        assert module not in INTEGRATION_MODULES, test
