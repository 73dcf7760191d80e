"""What every test shares: one thread, no network, caches of its own, and the mirror of data sets."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from omegaconf import DictConfig

# Before torch, transformers, datasets and wandb are imported: they read these once.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="synaug-tests-huggingface-")
os.environ["WANDB_MODE"] = "disabled"

# The same examples each time, and no deadline: two cores are shared.
settings.register_profile("synaug", deadline=None, derandomize=True)
settings.load_profile("synaug")


def pytest_unconfigure() -> None:
    """Remove this process's caches; not by atexit, which pytest-xdist's workers never reach."""
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


@pytest.fixture
def mirror() -> Path:
    """The mirror of data sets that SYNAUG_DATA names."""
    root = os.environ.get("SYNAUG_DATA")
    if not root:
        pytest.skip("needs the mirror of data sets: set SYNAUG_DATA to its folder")
    return Path(root)


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

    from synaug.config import conf_dir

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides))
