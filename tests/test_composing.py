"""What tests compose from what Hydra has read before is what Hydra would compose."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from tests.conftest import composed

OVERRIDES: tuple[list[str], ...] = (
    [],
    ["augmenter=smote", "dataset=trec", "max_steps=7"],
    ["augmenter=smote", "dataset=trec", "augmenter.k_neighbors=3", "+trainer.profiler=simple", "~logger"],
    ["method=class_weighted", "encoder=static", "seeds=[1,2]"],
)
COMPOSE = """
import sys
from omegaconf import OmegaConf
from tests.conftest import composed
print("\\0".join(OmegaConf.to_yaml(composed(*words.split())) for words in sys.argv[1:]), end="")
"""


def test_configs_are_those_that_hydra_composes_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-c", COMPOSE, *map(" ".join, OVERRIDES)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    theirs = done.stdout.split("\0")
    for _ in range(2):  # the second time, everything has been read
        assert [OmegaConf.to_yaml(composed(*overrides)) for overrides in OVERRIDES] == theirs


def test_a_copy_is_given_and_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    group = tmp_path / "colour"
    group.mkdir()
    (tmp_path / "config.yaml").write_text("defaults:\n- colour: red\n- _self_\nsize: 1\n")
    (group / "red.yaml").write_text("shade: dark\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        first = compose("config")
        first.colour.shade = "changed by whoever got it"
        assert compose("config") == {"colour": {"shade": "dark"}, "size": 1}
        assert compose("config", ["size=2"]) == {"colour": {"shade": "dark"}, "size": 2}
        (group / "red.yaml").write_text("shade: light\n")
        (tmp_path / "config.yaml").write_text("defaults:\n- colour: red\n- _self_\nsize: 30\n")
        assert compose("config") == {"colour": {"shade": "light"}, "size": 30}
        with pytest.raises(ConfigCompositionException):
            compose("config", ["colour=blue"])
        (group / "blue.yaml").write_text("shade: pale\n")
        assert compose("config", ["colour=blue"]) == {"colour": {"shade": "pale"}, "size": 30}
        (group / "blue.yaml").unlink()
        with pytest.raises(ConfigCompositionException):
            compose("config", ["colour=blue"])
