"""What is installed works away from the checkout, with configs of its own."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import synaug
from synaug.command.subcommands import SUBCOMMANDS
from tests import toy
from tests.program import TOY

CHECKOUT = Path(__file__).parents[1]
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("prefix")
    (wheel,) = built.glob("*.whl")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-warn-script-location"]
    subprocess.run([*command, "--ignore-installed", f"--prefix={prefix}", str(wheel)], check=True, capture_output=True)
    return prefix


def away(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the console script of the wheel in a folder without a checkout."""
    return python(installed, folder, str(installed / "bin" / "synaug"), *arguments)


def python(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the wheel in a folder without a checkout."""
    packages = sysconfig.get_path("purelib", vars={"base": str(installed)})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([packages, str(CHECKOUT / "tests" / "..")])}
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_extras_are_called_as_in_the_metadata_where_older_pips_look_for_them() -> None:
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [re.sub("[-_.]+", "-", extra).lower() for extra in extras] == list(extras)


def test_the_wheel_carries_the_configs(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (CHECKOUT / "conf").rglob("*.yaml"):
        assert f"synaug/conf/{path.relative_to(CHECKOUT / 'conf')}" in names
    assert "synaug/py.typed" in names
    assert not any(name.startswith(("tests/", "conf/")) for name in names)


def test_the_wheel_is_small_and_holds_the_package_alone(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.stat().st_size < MOST_BYTES
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"synaug", f"synaug-{synaug.__version__}.dist-info"}
    assert {Path(name).suffix for name in names if name.startswith("synaug/")} <= {
        ".py",
        ".yaml",
        ".typed",
        ".js",
        ".css",
        ".jinja",
    }
    metadata = zipfile.ZipFile(wheel).read(f"synaug-{synaug.__version__}.dist-info/METADATA").decode()
    for version in ("3.11", "3.12", "3.13"):
        assert f"Classifier: Programming Language :: Python :: {version}" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_the_installed_command_lists_its_commands_without_a_checkout(installed: Path, tmp_path: Path) -> None:
    shown = away(installed, tmp_path, "--help")
    assert shown.returncode == 0, shown.stderr
    assert all(f"  {name}" in shown.stdout for name in SUBCOMMANDS)
    groups = away(installed, tmp_path, "run", "--help")
    assert "augmenter=" in groups.stdout


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()  # what the format requires
    assert citation["version"] == synaug.__version__
    assert citation["license"] == tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["license"]
    (paper,) = citation["references"]
    assert paper["url"].endswith("2501.06434")
    assert len(paper["authors"]) == 3


def test_the_source_distribution_holds_what_building_needs(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"pyproject.toml", "README.md", "conf/config.yaml", "synaug/pipeline.py"} <= names


def test_the_wheel_runs_in_another_folder(installed: Path, tmp_path: Path) -> None:
    shown = away(installed, tmp_path, "--info", "searchpath")
    assert str(installed) in shown.stdout
    assert str(CHECKOUT / "conf") not in shown.stdout
    csv = toy.write_csv(tmp_path / "mine.csv", *toy.texts(40))
    short = ["n_folds=2", "max_steps=4"]
    done = away(installed, tmp_path, *TOY, *short, f"dataset.path={csv.name}", f"cache_dir={tmp_path / 'cache'}")
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("multirun/default/*/record.json")
    assert f"record: {path.relative_to(tmp_path)}" in done.stdout or str(path) in done.stdout


FROM_PYTHON = """
import sys
import synaug
assert synaug.__file__.startswith(sys.argv[1]), synaug.__file__
config_dir, *settings = sys.argv[2:]
config_dir = config_dir.removeprefix("--config-dir=")
short = {"n_folds": 2, "max_steps": 4, "name": "mine"}
first = synaug.run(*settings, config_dir=config_dir, augmenter="smote", **short)
second = synaug.run(*settings, config_dir=config_dir, augmenter="none", **short)
again = synaug.run(*settings, config_dir=config_dir, augmenter="none", **short)
print(first.ended, second.ended, again.ended, len(again.scores) > 0)
frame = synaug.load("multirun/mine", "multirun")
print(sorted(frame["augmenter"].unique()))
comparison = synaug.compare("multirun/mine", metric="f1_macro")
print(comparison.verdict)
print(len(comparison.table) > 0)
"""


def test_from_python_the_wheel_runs_loads_and_compares_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    csv = toy.write_csv(tmp_path / "mine.csv", *toy.texts(40))
    places = [f"dataset.path={csv}", f"cache_dir={tmp_path / 'cache'}"]
    done = python(installed, folder, "-c", FROM_PYTHON, str(installed), *TOY, *places)
    assert done.returncode == 0, done.stderr
    ends, augmenters, *verdict, table = done.stdout.splitlines()
    assert ends == "done done skipped True"
    assert augmenters == "['none', 'smote']"
    assert any("on mine at 1:5" in line.lower() for line in verdict)
    assert table == "True"
