"""What every test shares: one thread, no network, caches of its own, and the mirror of data sets."""

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from omegaconf import DictConfig

from tests.composing import each_choice_once
from tests.thorough import THOROUGH

if TYPE_CHECKING:
    from tests.program import Program

# Before torch, transformers, datasets and wandb are imported: they read these once.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="synaug-tests-huggingface-")
os.environ["WANDB_MODE"] = "disabled"
if not THOROUGH:  # umap's functions are compiled for half a minute, and run on 40 rows
    os.environ["NUMBA_DISABLE_JIT"] = "1"
os.environ["SYNAUG_COLUMNS"] = "0"  # sentences in one piece; how they are broken is tests/test_console.py's

# Whatever starts the tests may ignore signals (nohup, a script's background), and processes hand that on to their own.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

# Garbage is looked for ten times less often: each time, Python looks through all that the libraries have made.
gc.set_threshold(10 * gc.get_threshold()[0], *gc.get_threshold()[1:])

# The same examples each time, and no deadline: two cores are shared.
settings.register_profile("synaug", deadline=None, derandomize=True)
settings.load_profile("synaug")


# Tests that run the whole program, train, encode with a transformer, or start processes, servers or a browser. What is
# in no list is a unit test, so a quick module needs no line here.
INTEGRATION_MODULES = {
    "test_accelerator",
    "test_app",
    "test_before_a_sweep",
    "test_benchmarks",
    "test_classifier",
    "test_completion",
    "test_conf",
    "test_dashboard",
    "test_docs",
    "test_embed",
    "test_embeddings",
    "test_encoder",
    "test_explain_rows",
    "test_external_checks",
    "test_faults",
    "test_fit",
    "test_estimator",
    "test_fit_model",
    "test_from_python",
    "test_label_noise",
    "test_latex",
    "test_library_encoders",
    "test_model_encoder",
    "test_launchers",
    "test_maps",
    "test_older_records",
    "test_packaging",
    "test_own_vectors",
    "test_report",
    "test_report_browser",
    "test_run",
    "test_studies",
    "test_subcommands",
    "test_sweep",
    "test_tau_norm",
    "test_tracking",
    "test_tuning",
    "test_twice",
    "test_vae",
    "test_wandb_sweep",
}
# Of other modules: simulations, and those that start a process.
INTEGRATION_TESTS = {
    "test_of_unstable_learners_the_corrected_test_is_closer_to_its_level_than_the_plain_ones",
    "test_the_hub_out_of_reach_is_said_at_once_and_names_the_mirror",
    "test_under_independent_scenarios_the_tests_keep_their_level",
    "test_under_overlapping_folds_the_corrected_test_keeps_its_level_and_the_plain_ones_do_not",
    "test_what_compares_and_reports_imports_no_torch",
}
INTEGRATION_FIXTURES = {"program", "mirror", "server", "browser", "zygote"}
# What takes long to make and is then only read: modules, and fixtures of theirs. All tests of one are one worker's.
MADE_ONCE = {
    ("test_accelerator", "done"),
    ("test_dashboard", "sent"),
    ("test_docs", "reader"),
    ("test_docs", "site"),
    ("test_escaping", "hostile"),
    ("test_fit_model", "swept"),
    ("test_packaging", "built"),
    ("test_report", "small"),
    ("test_report_browser", "report_page"),
    ("test_report_browser", "shape"),
}


@pytest.hookimpl(tryfirst=True)  # before pytest's own choice by -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test as `unit` or as `integration`, and those that share what takes long to make as one group."""
    for item in items:
        assert isinstance(item, pytest.Function)
        slow = item.path.stem in INTEGRATION_MODULES or item.originalname in INTEGRATION_TESTS
        item.add_marker("integration" if slow or INTEGRATION_FIXTURES & set(item.fixturenames) else "unit")
        for module, name in sorted(MADE_ONCE & {(item.path.stem, name) for name in item.fixturenames}):
            made_of = item.callspec.params.get(name, "") if hasattr(item, "callspec") else ""
            item.add_marker(pytest.mark.xdist_group(f"{module} {name} {made_of}".strip()))


class GroupsByName:
    """Makes groups work: pytest-xdist 3.8 knows them by names that it writes where pytest 9.2 no longer reads them."""

    @staticmethod
    @pytest.hookimpl(trylast=True)  # after pytest-xdist's
    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        """Give each test of a group the name that pytest-xdist gave it."""
        for item in items:
            name = vars(item).get("_nodeid")
            if name is not None and name != item.nodeid:
                item._id = item.id.parse(name)


def pytest_configure(config: pytest.Config) -> None:
    """Two of one hook: one comes first, one last. Configs are composed once, also those that cases are made of."""
    config.pluginmanager.register(GroupsByName())
    composing = ExitStack()
    composing.enter_context(each_choice_once())
    config.add_cleanup(composing.close)


def pytest_unconfigure() -> None:
    """Remove this process's caches; not by atexit, which pytest-xdist's workers never reach."""
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not add lines to what a test reads."""
    monkeypatch.setattr("synaug.files.sign_of_life.FIRST_SECONDS", 3600.0)


@pytest.fixture(scope="session", autouse=True)
def no_pdf() -> Iterator[None]:
    """No figure is a PDF, which takes most of a report's time; tests/test_report.py has real ones of each kind."""
    with pytest.MonkeyPatch.context() as patch:
        if not THOROUGH:
            patch.setattr("synaug.report.drawing.svg.pdf", lambda figure, *, quick=False: b"%PDF")
        yield


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take most of a report's time, and a sweep ends as it does without them; tests/test_report.py has them."""
    from synaug.report import draw

    monkeypatch.setattr(draw, "sections", lambda results, before: [])


@pytest.fixture
def mirror() -> Path:
    """The mirror of data sets that SYNAUG_DATA names."""
    root = os.environ.get("SYNAUG_DATA")
    if not root:
        pytest.skip("needs the mirror of data sets: set SYNAUG_DATA to its folder")
    return Path(root)


@pytest.fixture
def program(tmp_path: Path) -> "Program":
    """The command ``synaug`` with folders of its own."""
    from tests.program import Program

    return Program(tmp_path)


@pytest.fixture
def csv(tmp_path: Path) -> str:
    """The setting that names a file of 60 texts of each of two classes."""
    from tests import toy

    return f"dataset.path={toy.write_csv(tmp_path / 'mine.csv', *toy.texts(60))}"


@pytest.fixture
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a mirror."""
    monkeypatch.delenv("SYNAUG_DATA", raising=False)


@pytest.fixture
def user_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty user cache folder, instead of the real one."""
    folder = tmp_path / "user-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def composed(*overrides: str) -> DictConfig:
    """The project's config with these overrides."""
    from hydra import compose, initialize_config_dir

    from synaug.settings import conf_dir

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides))
