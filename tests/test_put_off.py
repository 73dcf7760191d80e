"""Parts of libraries that are imported when they are used, and not before."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from synaug.command.put_off import put_off


@pytest.fixture
def dear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package whose module `heavy.part` is dear."""
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "__init__.py").write_text("")
    (tmp_path / "heavy" / "part.py").write_text("class Kind:\n    size = 3\ndef double(n): return 2 * n\n")
    (tmp_path / "light.py").write_text("from heavy.part import Kind, double\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "heavy.part"
    for each in ("heavy", "heavy.part", "light"):
        sys.modules.pop(each, None)


def test_a_module_that_is_put_off_is_imported_by_whoever_uses_it(dear: str) -> None:
    with put_off(dear):
        import light  # type: ignore[import-not-found]
    assert dear not in sys.modules
    assert not isinstance(3, light.Kind)
    assert dear not in sys.modules
    assert light.double(4) == 8
    import heavy.part  # type: ignore[import-not-found]

    assert light.Kind.size == 3
    assert isinstance(light.Kind(), heavy.part.Kind)
    assert isinstance(heavy.part.Kind(), light.Kind)

    class Derived(light.Kind):  # type: ignore[misc]
        pass

    assert issubclass(Derived, heavy.part.Kind)


@pytest.mark.usefixtures("dear")
def test_a_module_that_is_there_or_is_not_installed_stays_as_it_is() -> None:
    import heavy.part

    with put_off("heavy.part", "no_such_library"):
        import light

        assert light.Kind is heavy.part.Kind
        with pytest.raises(ModuleNotFoundError):
            import no_such_library  # type: ignore[import-not-found]  # noqa: F401


def test_libraries_come_without_what_no_run_asks_for_and_give_it_all_the_same() -> None:
    script = """
        import sys
        from synaug.command.put_off import NEVER_ASKED_FOR, import_libraries
        import_libraries()
        assert {"pytorch_lightning", "imblearn"} <= sys.modules.keys()
        assert not {*NEVER_ASKED_FOR, "matplotlib", "pytest"} & sys.modules.keys()

        from torchmetrics.functional.text import bert
        assert bert.AutoModel.from_pretrained.__self__.__module__.startswith("transformers.")
        import torch, torchmetrics
        figure, axes = torchmetrics.MeanMetric().plot([torch.ones(()), torch.zeros(())])
        assert type(axes).__module__.startswith("matplotlib.")
        from sklearn.utils.estimator_checks import check_estimator
        assert check_estimator.__module__ == "sklearn.utils.estimator_checks"
        from imblearn.over_sampling import SMOTE
        assert SMOTE(k_neighbors=1).fit_resample([[0.0], [1], [2], [3], [4], [5], [6], [7]], [0, 0, 1, 1, 1, 1, 1, 1])
    """
    subprocess.run([sys.executable, "-c", dedent(script)], check=True)
