"""What is wrong is said in one sentence, before a folder is made, and before anything heavy is imported."""

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_object
from omegaconf import OmegaConf
from sklearn.base import BaseEstimator

from synaug import settings
from synaug.command import user_configs
from synaug.command.overrides import as_written
from synaug.errors import UserError
from synaug.files import places
from synaug.parts import make_augmenters
from tests import toy
from tests.leaves import cases
from tests.program import TOY, Outcome, Program, run

CHECKOUT = Path(__file__).parents[1]
# Of the machine on which the tests run: with one, these settings are sound.
WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
HEAVY = ("torch", "transformers", "pytorch_lightning", "wandb", "sklearn", "imblearn", "datasets", "pandas")


@pytest.fixture
def csv(tmp_path: Path) -> str:
    return f"dataset.path={toy.write_csv(tmp_path / 'mine.csv', *toy.texts(60))}"


def said(outcome: Outcome) -> str:
    """What a failed command says, without Hydra's echo of the command."""
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    return "\n".join(line for line in outcome.err.splitlines() if "overrides: [" not in line)


# ---- what libraries keep to themselves


def test_without_scikit_learn_s_private_check_a_sampler_is_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    config = OmegaConf.create(
        {"_target_": "imblearn.over_sampling.SMOTE", "k_neighbors": "many", "amount": 1.0, "strict": False}
    )
    with pytest.raises(ValueError, match="k_neighbors"):
        make_augmenters(config)
    monkeypatch.delattr(BaseEstimator, "_validate_params")
    assert make_augmenters(config)[0].name == "SMOTE"  # which says it when it draws


# ---- options


@pytest.mark.parametrize("group", ["augmenter", "experiment"])
def test_a_file_of_the_users_that_is_called_like_an_option_of_ours_is_refused(tmp_path: Path, group: str) -> None:
    name = {"augmenter": "smote", "experiment": "demo"}[group]
    (tmp_path / "own" / group).mkdir(parents=True)
    path = tmp_path / "own" / group / f"{name}.yaml"
    path.write_text("_target_: imblearn.over_sampling.ADASYN\n")
    err = said(run(f"--config-dir={tmp_path / 'own'}", f"{group}={name}", f"output_dir={tmp_path / 'out'}"))
    assert f"{path} has the name of an option that synaug brings, which Hydra would take instead: rename it" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["1", "x", "null"])
def test_hydra_as_a_whole_is_no_setting(value: str) -> None:
    assert f"hydra={value} is no setting: Hydra's own are given one by one" in said(run(f"hydra={value}"))


@pytest.mark.parametrize("given", [["augmenter=smote.yaml"], ["--multirun", "augmenter=none,smote.yaml"]])
def test_an_option_is_no_file(tmp_path: Path, given: list[str]) -> None:
    err = said(run(*given, f"output_dir={tmp_path / 'out'}"))
    assert "augmenter=smote.yaml names a file: write augmenter=smote" in err


# ---- places


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "a/b",
        "/tmp/x",
        ".",
        "..",
        ".hidden",
        "'a b'",
        "'a '",
        "a.",
        "'  '",
        "''",
        "null",
        "[a]",
        "con",
        "NUL.x",
        "n" * 129,
        f"'{'ö' * 128}'",
        "'a\\b'",
        "'-a'",
        "{a: 1}",
    ],
)
def test_a_name_that_can_be_no_folder_is_refused_before_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, csv: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path / "..")
    before = sorted(tmp_path.parent.rglob("*"))
    for multirun in ([], ["--multirun"]):
        err = said(run(*multirun, *TOY, csv, f"output_dir={tmp_path / 'out' / 'runs'}", f"name={name}"))
        assert err.startswith("name=")
        assert "becomes a folder" in err or "must be text" in err
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize("multirun", [[], ["--multirun"]])
def test_a_name_in_a_file_of_the_user_s_is_refused_before_a_folder_is_made(
    tmp_path: Path, csv: str, multirun: list[str]
) -> None:
    own = tmp_path / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "away.yaml").write_text("# @package _global_\nname: ../../away\n")
    out = tmp_path / "a" / "b" / "c"
    toy_conf = ["hydra.searchpath=[file://" + str(CHECKOUT / "tests" / "conf") + "]"]
    settings_given = [*TOY[1:], *toy_conf, csv, f"output_dir={out}", "experiment=away"]
    err = said(run(*multirun, f"--config-dir={tmp_path / 'own'}", *settings_given))
    assert "name='../../away' becomes a folder" in err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("key", ["output_dir", "cache_dir"])
@pytest.mark.parametrize("value", ["''", "'  '", "[]", "/proc/x", "FILE", "FILE/below", "LINK", "'a\tb'", "x" * 256])
def test_a_folder_that_cannot_be_one_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, csv: str, key: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    given = value.replace("FILE", str(tmp_path / "mine.csv")).replace("LINK", str(tmp_path / "link"))
    err = said(run(*TOY, csv, f"output_dir={tmp_path / 'out'}", f"{key}={given}"))
    assert err.startswith(f"{key}=")
    assert err.splitlines()[0].endswith("choose another place with output_dir=... or cache_dir=...")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_output_folder_must_be_one() -> None:
    assert places.place_problem("output_dir", None) is not None
    assert places.place_problem("cache_dir", None) is None


def test_a_run_s_folder_fits_a_file_system_whatever_its_options_are_called(tmp_path: Path, csv: str) -> None:
    own = tmp_path / "own"
    (own / "augmenter").mkdir(parents=True)
    long = "é" * 110
    (own / "augmenter" / f"{long}.yaml").write_text("_target_: imblearn.over_sampling.SMOTE\n")
    (own / "encoder").mkdir()
    (own / "encoder" / f"{long}.yaml").write_text("_target_: tests.toy.HashingEncoder\ndim: 8\n")
    program = Program(tmp_path)
    given = [each for each in TOY[1:] if not each.startswith("encoder=")]
    outcome = program(f"--config-dir={own}", *given, csv, f"augmenter='{long}'", f"encoder='{long}'")
    assert outcome.code == 0, outcome.err
    (folder,) = program.run_folders
    assert len(folder.name.encode()) < 255


# ---- text as it was written


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("name=2024", "name='2024'"),
        ("name=1e3", "name='1e3'"),
        ("name=true", "name='true'"),
        ("name=NaN", "name='NaN'"),
        ("name=-inf", "name='-inf'"),
        ("name=1_000", "name='1_000'"),
        ("name=run1", "name=run1"),
        ("name='2024'", "name='2024'"),
        ("name=null", "name=null"),
        ("dataset.text=0,1", "dataset.text='0','1'"),
        ("dataset.label=007", "dataset.label='007'"),
        ("encoder.model=5", "encoder.model='5'"),
        (
            "imbalance_ratio.minority=[true,NaN,null,1e3,spam]",
            "imbalance_ratio.minority=['true','NaN','null','1e3',spam]",
        ),
        ("imbalance_ratio.minority=[1,'2',-3,007]", "imbalance_ratio.minority=[1,'2',-3,'007']"),
        ("imbalance_ratio.minority=null", "imbalance_ratio.minority=null"),
        ("imbalance_ratio.minority=['a,1e3']", "imbalance_ratio.minority=['a,1e3']"),
        ("+dataset.name=5", "+dataset.name='5'"),
        ("n_folds=5", "n_folds=5"),
        ("augmenter.k_neighbors=5", "augmenter.k_neighbors=5"),
        ("--cfg=job", "--cfg=job"),
        ("dataset.path=données.csv", "dataset.path='données.csv'"),
        ("dataset.path=a(1)=b.csv", "dataset.path='a(1)=b.csv'"),
        ("dataset.path=[x].csv", "dataset.path='[x].csv'"),
        ("dataset.path=a'b,c.csv", r"dataset.path='a\'b,c.csv'"),
        ("dataset.path='données.csv'", "dataset.path='données.csv'"),
        ("imbalance_ratio.minority=[é,=x,b]", "imbalance_ratio.minority=['é','=x',b]"),
        ("augmenter=5", "augmenter='5'"),
        ("augmenter=null", "augmenter='null'"),
        ("augmenter=smote", "augmenter=smote"),
        ("experiment=null", "experiment=null"),
        ("n_folds=é", "n_folds=é"),
        ("cache_dir=null", "cache_dir=null"),
    ],
)
def test_text_stays_as_it_was_written(given: str, expected: str) -> None:
    assert as_written([given]) == [expected]


def test_commas_part_the_values_of_a_sweep_alone() -> None:
    assert as_written(["dataset.path=é.csv,b.csv"], several=True) == ["dataset.path='é.csv',b.csv"]
    assert as_written(["dataset.path=é.csv,b.csv"]) == ["dataset.path='é.csv,b.csv'"]


def test_settings_may_stand_before_and_behind_the_flags(tmp_path: Path, csv: str) -> None:
    outcome = run("dataset=files", "--cfg", "job", csv, "n_folds=7", f"output_dir={tmp_path}", "--resolve")
    assert outcome.code == 0, outcome.err
    assert "n_folds: 7" in outcome.out
    assert "mine.csv" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["augmenter=smote,none"], "augmenter=smote,none names several values, but this is one run: add --multirun"),
        (["--multirun", "n_folds=interval(2,5)"], "is an interval, which no sweep here can try: list the values"),
        (["--multirun", "n_folds=glob(*)"], "looks for options, but n_folds is no group: list the values"),
        (["--multirun", "augmenter=glob(zzz*)"], "augmenter=glob(zzz*) finds no option: choose among adasyn,"),
        (["--multirun", "n_folds=range(3,3)"], "is an empty range, so no job"),
        (["--multirun", "n_folds=range(3,5,0)"], "is an empty range, so no job"),
        (["--multirun", "hydra.launcher=joblib"], "an option of Hydra's is chosen by hydra/launcher=..."),
        (["hydra.foo=1"], "Could not override 'hydra.foo'. To append to your config use +hydra.foo=1"),
        (["--config-name=nowhere"], "nowhere"),
        (["=a"], "=a names no setting: write key=value or group=option"),
        (["n_folds =3"], "'n_folds ' is no name of a setting: write key=value"),
        (["n_folds=3=4"], "as in 'n_folds=\"...\"'"),
        (["N_FOLDS=3"], "N_FOLDS is no setting: did you mean n_folds?"),
        (["abc=3"], "abc is no setting: --cfg job lists them all"),
        (["validation.foo=3"], "validation.foo is no setting: write +validation.foo=... if the class or function"),
        (["+abc=3"], "abc is no setting: leave it out"),
        (["~dataset"], "~dataset removes what every run needs"),
        (["~augmenter"], "augmenter has no _target_"),
        (["~augmenter.amount"], "augmenter.amount is missing, but every run needs it"),
        (["~dataset.path"], "dataset.path is missing, but every run needs it"),
    ],
)
def test_what_no_command_line_can_ask_for_is_one_sentence(
    tmp_path: Path, csv: str, arguments: list[str], sentence: str
) -> None:
    err = said(Program(tmp_path)(*TOY, csv, *arguments))
    assert sentence in err
    assert "Errno" not in err
    assert "full_key" not in err
    assert not (tmp_path / "multirun").exists() or not list((tmp_path / "multirun").rglob("record.json"))


def test_an_option_of_the_user_s_own_may_have_numbers_where_ours_have_text(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "numbered.yaml").write_text("_target_: mine.Numbered\ntext: 0\n")
    given = ["dataset=numbered", "dataset.text=1", "name=1"]
    assert as_written(given, str(tmp_path)) == ["dataset=numbered", "dataset.text=1", "name='1'"]


def test_columns_and_runs_called_as_numbers_work(tmp_path: Path) -> None:
    rows, labels = toy.texts(60, classes=("sport", "trade"))
    path = tmp_path / "numbers.csv"
    of = {"sport": "true", "trade": "1e3"}
    path.write_text("0,1\n" + "".join(f"{row},{of[label]}\n" for row, label in zip(rows, labels, strict=True)))
    program = Program(tmp_path)
    given = [f"dataset.path={path}", "dataset.text=0", "dataset.label=1", "imbalance_ratio.minority=[1e3]", "name=2024"]
    for _ in range(2):
        outcome = program(*TOY, *given)
        assert outcome.code == 0, outcome.err
    assert "already recorded" in outcome.err
    record = program.record()
    assert record["name"] == "2024"
    assert record["config"]["imbalance_ratio"]["minority"] == ["1e3"]


def test_a_number_in_a_file_where_text_is_wanted_is_named(tmp_path: Path, csv: str) -> None:
    own = tmp_path / "own" / "dataset"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        f"_target_: synaug.dataset.FileDataset\nname: x\npath: {csv[13:]}\ntext: 0\nlabel: topic\n"
    )
    err = said(Program(tmp_path)(f"--config-dir={tmp_path / 'own'}", "dataset=mine"))
    assert "dataset.text=0 must be text, or null: put it between quotes" in err


# ---- files of the user's own

BROKEN = {
    "tabbed": (b"# a\n_target_: x\nextra:\n\tk: 3\n", "line 4: found character '\\t'"),
    "twice": (b"# a\nk: 3\nk: 4\n", "line 3: found duplicate key k: remove one of the two"),
    "latin": (b"# a\nk: caf\xe9\n", "line 2: not UTF-8: save the file as UTF-8"),
    "utf16": ("# a\nk: 1\n".encode("utf-16"), "is UTF-16, not UTF-8: save it as UTF-8"),
    "control": (b"# a\nk: \x07\n", "line 2: the character '\\x07' is not allowed in YAML"),
    "unclosed": (b"# a\nk: [1, 2\n", "line 3: "),
    "empty": (b"", "is empty: write the option's settings into it"),
    "comment": (b"# nothing more\n", "is empty: write the option's settings into it"),
    "list": (b"- a\n- b\n", "holds a list, but an option is made of settings"),
    "scalar": (b"smote\n", "holds only 'smote', but an option is made of settings"),
    "bomb": (
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (k, k, b",".join([b"*%c" % (k - 1)] * 10)) for k in b"bcdef"),
        "has more than 10,000 values, aliases counted",
    ),
    "interpolation": (b"k: ${\n", "cannot be read as YAML"),
    "bytes": (b"# a\nk: !!binary aGVsbG8=\n", "holds bytes (!!binary), but a setting is text"),
    "number_key": (b"# a\n1: 2\n", "has a key that YAML takes for the value 1: write the key in quotes"),
    "null_key": (b"# a\nk: {null: 2}\n", "has a key that YAML takes for the value null: write the key in quotes"),
    "header": (b"# @package\n_target_: x\n", "begins with '# @package', which is no header"),
    "defaults_text": (b"# a\ndefaults: smote\n", "has defaults that are no list ('smote')"),
    "defaults_number": (b"# a\ndefaults: [5]\n", "has 5 in its defaults: write `- option` or `- group: option`"),
    "defaults_mapping": (b"# a\ndefaults: [{a: {b: 1}}]\n", "has {'a': {'b': 1}} in its defaults"),
}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder of configs with a sound augmenter and every kind of broken one."""
    folder = tmp_path / "own" / "augmenter"
    folder.mkdir(parents=True)
    (folder / "sound.yaml").write_text("# a sound one\n_target_: imblearn.over_sampling.SMOTE\n")
    for name, (content, _) in BROKEN.items():
        (folder / f"{name}.yaml").write_bytes(content)
    (folder / "folder.yaml").mkdir()
    (folder / "dangling.yaml").symlink_to(folder / "nowhere.yaml")
    os.mkfifo(folder / "fifo.yaml")
    (folder / "child.yaml").write_text("defaults:\n  - twice\n  - _self_\n")
    (folder / "orphan.yaml").write_text("defaults:\n  - nowhere\n  - _self_\n")
    (folder / "loop.yaml").write_text("defaults:\n  - pool\n")
    (folder / "pool.yaml").write_text("defaults:\n  - loop\n")
    return folder.parent


SENTENCES = {name: sentence for name, (_, sentence) in BROKEN.items()} | {
    "folder": "is a folder, but an option is a file",
    "dangling": "is a link to a file that is not there",
    "fifo": "is no regular file",
    "child": "twice.yaml, line 3: found duplicate key k",
    "loop": "loop.yaml, which builds on it again: remove one of them from its defaults",
}


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("multirun", [[], ["--multirun"]])
def test_a_broken_file_is_named_with_its_line_and_the_remedy(
    tmp_path: Path, broken: Path, csv: str, name: str, multirun: list[str]
) -> None:
    option = f"augmenter=sound,{name}" if multirun else f"augmenter={name}"
    given = ["dataset=files", csv, f"output_dir={tmp_path / 'out'}", option]
    err = said(run(*multirun, f"--config-dir={broken}", *given))
    assert SENTENCES[name] in err
    assert ".yaml" in err
    assert len(err.splitlines()) <= 2
    assert not (tmp_path / "out").exists()


def test_a_file_that_builds_on_none_is_named(tmp_path: Path, broken: Path, csv: str) -> None:
    err = said(run(f"--config-dir={broken}", "dataset=files", csv, f"output_dir={tmp_path}", "augmenter=orphan"))
    assert "In 'augmenter/orphan': Could not load 'augmenter/nowhere': choose one that there is" in err


@pytest.mark.parametrize(
    ("group", "content", "sentence"),
    [
        ("augmenter", "k_neighbors: 3\n", "augmenter has no _target_, which names what is made"),
        ("experiment", "name: x\n", "begin its file with the line '# @package _global_'"),
        ("augmenter", "_target_: imblean.SMOTE\n", "augmenter: Error loading 'imblean.SMOTE'"),
    ],
)
def test_what_a_sound_file_lacks_is_said_once(
    tmp_path: Path, csv: str, group: str, content: str, sentence: str
) -> None:
    (tmp_path / "own" / group).mkdir(parents=True)
    (tmp_path / "own" / group / "mine.yaml").write_text(content)
    given = [f"--config-dir={tmp_path / 'own'}", "dataset=files", csv, f"{group}=mine", f"output_dir={tmp_path}/out"]
    err = said(run(*given, "dataset.text=body", "dataset.label=topic"))
    assert sentence in err
    assert err.count("error: ") == 1


@pytest.mark.parametrize("name", ["5", "true", "null", "1e3", "é", "a b"])
@pytest.mark.parametrize("multirun", [[], ["--multirun"]])
def test_an_option_may_be_called_anything(tmp_path: Path, csv: str, name: str, multirun: list[str]) -> None:
    (tmp_path / "own" / "imbalance_ratio").mkdir(parents=True)
    file = tmp_path / "own" / "imbalance_ratio" / f"{name}.yaml"
    file.write_text("_target_: synaug.imbalance_ratio.ImbalanceRatio\nratio: 0\nminority: null\nprofile: step\n")
    given = [f"--config-dir={tmp_path / 'own'}", "dataset=files", csv, f"output_dir={tmp_path}/out"]
    outcome = run(*multirun, *given, f"imbalance_ratio={name}")
    assert outcome.code == 1
    assert "imbalance_ratio.ratio=0 must be at least 1" in outcome.err  # so the file was found


def test_an_option_whose_package_is_missing_names_its_extra(
    tmp_path: Path, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imblearn_extra", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "imblearn_extra.gsmote", raising=False)
    err = said(Program(tmp_path)(*TOY, csv, "augmenter=geometric_smote"))
    assert "augmenter needs a package that is not installed: pip install 'synaug[geometric]'" in err


def test_help_lists_what_is_sound_and_marks_what_is_broken(broken: Path) -> None:
    outcome = run(f"--config-dir={broken}", "--help")
    assert outcome.code == 0
    assert "  sound             a sound one\n" in outcome.out
    for name in SENTENCES.keys() - {"child", "loop"}:
        (line,) = [line for line in outcome.out.splitlines() if line.split(maxsplit=1)[:1] == [name]]
        assert "cannot be used" in line


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("k: 1\n")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # since root may read everything
    assert user_configs.problem_of(path) == f"{path} cannot be read (Permission denied): change its permissions"


@pytest.mark.parametrize("option", ["augmenter=[smote,adasyn]", "imbalance_ratio=[ir5,ir10]", "logger=[csv,wandb]"])
def test_a_list_for_a_group_is_told_what_a_sweep_is(tmp_path: Path, csv: str, option: str) -> None:
    group, _, names = option.partition("=")
    err = said(Program(tmp_path)(*TOY, csv, option))
    assert f"{option} is a list, but a run has one {group}" in err
    assert f"--multirun {group}={names[1:-1]}" in err
    assert not (tmp_path / "multirun").exists()


# ---- what only libraries can say, before anything loads


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trainer.devices=[0]", "trainer.accelerator=cpu"], "trainer.devices=[0] cannot be used here"),
        (["trainer.devices=true"], "trainer.devices=true must be one"),
        (["trainer.devices=[0,1]"], "trainer.devices=[0,1] must be one"),
        (["trainer.accelerator=null"], "trainer.accelerator=null must be auto, cpu, gpu"),
        (["trainer.accelerator=abacus"], "trainer.accelerator=abacus, "),
        (["trainer.accelerator=tpu"], "trainer.accelerator=tpu, "),
        pytest.param(["trainer.accelerator=gpu"], "trainer.accelerator=gpu, ", marks=WITHOUT_GPU),
        (["+trainer.precision=foo"], "trainer.precision=foo must be one of 32,"),
        (["+trainer.precision=64-true"], "trainer.precision=64-true must be one of 32,"),
        (["+trainer.precision=bf16-true"], "trainer.precision=bf16-true must be one of 32,"),
        (["+trainer.profiler=foo"], "trainer.profiler=foo must be one of simple, advanced, pytorch, or null"),
        (["+trainer.plugins=x"], "trainer.plugins is synaug's own"),
        (["+trainer.barebones=true"], "trainer.barebones is synaug's own"),
        (["trainer.enable_progress_bar=maybe"], "trainer.enable_progress_bar=maybe must be true or false"),
        (["trainer=5"], "trainer=5 must be a group of settings"),
        (
            ["augmenter=self_paced", "augmenter.estimator=x"],
            "augmenter.estimator=x must be a group of settings, as in augmenter.estimator._target_=",
        ),
        (["loss.label_smoothing=-3"], "loss.label_smoothing=-3 must be at least 0"),
        (["loss.label_smoothing=nan"], "loss.label_smoothing=nan must be a number"),
        (["classifier.optimizer.weight_decay=1e308"], "classifier.optimizer.weight_decay=1e+308 must be at most 1,000"),
        (["+classifier.optimizer.betas=[2,3]"], "classifier.optimizer.betas=[2,3] must be a list of two numbers"),
        (["+classifier.optimizer.betas=[0.9]"], "classifier.optimizer.betas=[0.9] must be a list of two numbers"),
        (["+classifier.optimizer.foreach=maybe"], "classifier.optimizer.foreach=maybe must be true or false, or null"),
        (["+classifier.optimizer.capturable=true"], "classifier.optimizer: If capturable=True"),
        (["loss=class_weighted", "loss.weights=[1,0]"], "loss.weights=[1,0] must be a list of positive numbers, one"),
        (["loss=class_weighted", "loss.weights={a:x}"], "loss.weights={a:x} must be a list of positive numbers, one"),
        (["loss=effective_number", "loss.beta=1"], "loss.beta=1 must be below 1"),
        (["loss=logit_adjusted", "+loss.tua=1"], "loss.tua is no setting: did you mean loss.tau?"),
        (["loss=balanced_softmax", "+loss.tau=1"], "loss.tau is no setting"),
        (["loss=focal", "loss.gamma=-1"], "loss.gamma=-1 must be at least 0"),
        (["loss=ldam", "loss.max_margin=true"], "loss.max_margin=true must be a number"),
        (["loss=focal", "classifier=knn"], "NearestNeighbours is not trained in steps, so that loss._target_="),
        (["classifier=knn", "classifier.metric=cosin"], "classifier.metric=cosin is no metric of scikit-learn's"),
        (["classifier=sklearn", "+classifier.estimator.C=-1"], "classifier: The 'C' parameter of LogisticRegression"),
        (["classifier=sklearn", "+classifier.estimator.c=1"], "classifier.estimator.c is no setting"),
        (["augmenter=self_paced", "augmenter.k_bins=0"], "augmenter.k_bins=0 must be at least 1"),
        (["augmenter=self_paced", "+augmenter.estimator.C=-1"], "augmenter: The 'C' parameter of LogisticRegression"),
        (["augmenter=self_paced", "+augmenter.estimator.c=1"], "augmenter.estimator.c is no setting"),
        (
            ["augmenter=self_paced", "augmenter.estimator._target_=sklearn.svm.SVC"],
            "augmenter.estimator=SVC cannot tell which rows are hard",
        ),
        (["+loss.ignore_index=0"], "loss.ignore_index is no setting"),
        (["+validation.shares=0.1"], "validation.shares is no setting"),
        (["+classifier.optimizer.lambd=2"], "classifier.optimizer.lambd is no setting"),
        (["classifier.optimizer._target_=torch.optim.LBFGS"], "classifier.optimizer: "),
        (["loss._target_=torch.nn.functional.relu"], "loss._target_=torch.nn.functional.relu is no loss that says"),
        (["classifier._partial_=false"], "classifier: "),
        (["classifier._target_=collections.OrderedDict"], "classifier"),
        (["dataset._target_=collections.OrderedDict"], "dataset._target_=collections.OrderedDict makes no dataset"),
        (["imbalance_ratio._target_=os.path.join"], "imbalance_ratio"),
        (["encoder=minilm", "encoder.device=anything"], "encoder.device=anything must be a device"),
        (["encoder=minilm", "encoder.device=cuda:99"], "encoder.device=cuda:99 cannot be used"),
        pytest.param(
            ["encoder=minilm", "encoder.device=cuda"], "encoder.device=cuda cannot be used", marks=WITHOUT_GPU
        ),
        (["encoder=minilm", "encoder.precision=half"], "encoder.precision=half must be one of float32"),
        (["cuda_graphs=maybe"], "cuda_graphs=maybe must be true or false"),
        (["encoder=minilm", "encoder.batch_tokens=true"], "encoder.batch_tokens=true must be a whole number"),
        (["imbalance_ratio.minority=5"], "imbalance_ratio.minority=5 must be rotate, or a list of different class nam"),
        (["imbalance_ratio=natural", "imbalance_ratio.minority=rotate"], "imbalance_ratio.minority=rotate thins other"),
        (["validation.n_folds=1"], "validation.n_folds=1 must be at least 2"),
        (["validation.final=best"], "validation.final=best must be one of bagged, refit"),
        (["validation=holdout", "validation.share=1"], "validation.share=1 must be below 1"),
        (["validation=oracle", "validation.share=0"], "validation.share=0 must be above 0"),
        (["dataset.group=[a]"], "dataset.group=[a] must be text, or null"),
        (["dataset.group_phrases=1"], "dataset.group_phrases=1 must be true or false"),
        (["classifier.hidden=[1,x]"], "classifier.hidden=[1,x] must be a list of at most 64 positive widths"),
        (["augmenter=vae", "augmenter.beta=1e308"], "augmenter.beta=1e+308 must be at most 1,000,000"),
        (["augmenter=random", "augmenter.shrinkage=true"], "augmenter.shrinkage=true must be a number"),
        (["augmenter=mine", "augmenter.noise=nan"], "augmenter.noise=nan must be finite"),
        (["logger=wandb", "+logger.offline=true"], "logger.offline is no setting of W&B"),
        (["logger=wandb", "+logger.mdoe=offline"], "logger.mdoe is no setting of W&B: did you mean logger.mode?"),
        (["logger=wandb", "logger.project=a/b"], "logger.project=a/b must be 1 to 128 characters without"),
        (["logger=wandb", f"logger.project={'p' * 129}"], "must be 1 to 128 characters without"),
        (["logger=wandb", "logger.group=5"], "logger.group='5'"),
        (["logger=wandb", f"logger.group={'g' * 129}"], "must be text of at most 128 characters"),
        (["logger=wandb", "+logger.mode=maybe"], "logger.mode=maybe is not taken by W&B"),
        (["logger=wandb", f"logger.tags=[{'t' * 65}]"], "a list of different tags of 1 to 64 characters"),
        (["logger=wandb", "logger.tags=[a,a]"], "a list of different tags of 1 to 64 characters"),
        (["logger=wandb", "logger.init_timeout=-5"], "logger.init_timeout=-5 must be above 0"),
        (["logger=csv", "logger.name=../../x"], "logger.name=../../x must be a folder's name"),
        (["logger=csv", "logger.version=../x"], "logger.version=../x must be a folder's name"),
        (["logger=csv", "+logger.prefixx=a"], "logger.prefixx is no setting: did you mean logger.prefix?"),
        (["logger=csv", "logger._target_=collections.OrderedDict"], "is no logger of Lightning's"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_loads(
    tmp_path: Path, csv: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    if sentence == "logger.group='5'":  # text as it was written
        assert as_written(arguments)[1] == sentence
        return
    monkeypatch.setattr("synaug.dataset.TextSource.load", lambda *_, **__: 1 / 0)
    err = said(Program(tmp_path)(*TOY, csv, *arguments))
    assert sentence in err


@pytest.mark.parametrize(
    "given", ["trainer.devices=1", "trainer.devices='1'", "trainer.devices=auto", "+trainer.precision=32-true"]
)
def test_what_a_trainer_can_do_still_works(tmp_path: Path, csv: str, given: str) -> None:
    assert Program(tmp_path)(*TOY, csv, given).code == 0


def test_the_check_leaves_torch_s_draws_as_they_were(tmp_path: Path, csv: str) -> None:
    import torch

    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    said(Program(tmp_path)(*TOY, csv, "+trainer.accumulate_grad_batches=2", "n_folds=3"))
    said(Program(tmp_path)(*TOY, csv, "trainer.accelerator=tpu"))
    torch.testing.assert_close(torch.rand(3), expected)


@pytest.mark.parametrize(
    "arguments",
    [
        ["dataset=files", "dataset.path=nowhere.csv"],
        ["dataset=files", "dataset.path=5"],
        ["encoder=huggingface", "encoder.model=./nowhere"],
        ["encoder=huggingface", "encoder.model=."],
        ["encoder=huggingface", "encoder.model=no/such-model"],
        ["n_folds=1", "augmenter.k_neighbors=x", "classifier.optimizer.lr=-1.0"],
        ["name=a/b"],
        ["augmenter=[smote,adasyn]"],
    ],
)
def test_what_is_cheap_to_see_is_said_before_anything_heavy_is_imported(tmp_path: Path, arguments: list[str]) -> None:
    program = (
        f"import sys; sys.argv = ['synaug', *{arguments!r}, 'output_dir={tmp_path}/out']\n"
        "from synaug.command.app import main\n"
        "try: main()\n"
        "except SystemExit as stop: print('ended', stop.code)\n"
        f"print('imported', [name for name in {HEAVY} if name in sys.modules])"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert "ended 1" in done.stdout
    assert "imported []" in done.stdout, done.stdout


# ---- the table


def test_every_setting_that_is_shipped_has_a_kind_or_its_library_s_own() -> None:
    # Checked by `check_parameters`, also of a sampler inside another.
    library_s = {"sampling_strategy", "k_neighbors", "n_neighbors", "m_neighbors", "kind"}
    places_s = {"name", "output_dir", "cache_dir", "experiment"}
    without = set()
    for case in cases():
        group = case.name.partition(".")[0]
        if case.name.endswith("_target_") or case.name in places_s or ".offline." in case.name:
            continue
        if group == "augmenter" and case.name.rpartition(".")[2] in library_s:
            continue
        tables = (*settings.OF_A_TARGET.values(), settings.OPTIMISER)
        leaf = case.name.rpartition(".")[2]
        if case.name not in settings.OF_A_RUN and not (
            group in (*settings.GROUPS, "logger") and any(leaf in table for table in tables)
        ):
            without.add(case.name)
    assert not without


@pytest.mark.parametrize("target", [each for each in settings.OF_A_TARGET if each.startswith("synaug.")])
def test_the_table_knows_every_parameter_of_our_own_parts_and_no_other(target: str) -> None:
    found = get_object(target)
    if inspect.isclass(found):
        parameters = {
            name for owner in found.__mro__ if owner is not object for name in inspect.signature(owner).parameters
        }
    else:
        parameters = set(inspect.signature(found).parameters)
        if target == "synaug.tracking.wandb_logger":
            from synaug.tracking.wandb_run import run_settings

            parameters |= set(inspect.signature(run_settings).parameters)
    assert settings.OF_A_TARGET[target].keys() <= parameters


def test_an_encoder_made_in_a_program_holds_its_values_to_the_same_table() -> None:
    from synaug.encoder.transformer import TransformerEncoder

    wrong: list[dict[str, Any]] = [{"max_length": True}, {"layer": 0.5}, {"normalize": 1}, {"device": []}]
    for each in wrong:
        with pytest.raises(UserError, match=f"encoder.{next(iter(each))}="):
            TransformerEncoder(model="a", **each)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (["augmenter=smote_neighbours", "augmenter.k_neighbors._target_=os.path.join"], "augmenter.k_neighbors: "),
        (["classifier=sklearn", "classifier.estimator._target_=os.path.join"], "classifier.estimator: "),
        (["classifier.optimizer._target_=os.path.join"], "classifier.optimizer: "),
    ],
)
def test_a_part_of_a_part_that_cannot_be_made_is_named(tmp_path: Path, settings: list[str], place: str) -> None:
    csv = toy.write_csv(tmp_path / "mine.csv", *toy.texts(20))
    outcome = Program(tmp_path)(*TOY, f"dataset.path={csv}", *settings)
    assert outcome.code == 1
    assert place in outcome.err
    assert "Traceback" not in outcome.err
