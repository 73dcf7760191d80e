"""The command line's edge: help, completion, and one sentence for whatever the user can mend."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from synaug.command.help import FAMILIES, family
from synaug.report.__main__ import main as report
from tests import toy
from tests.program import BRIEF, TOY, Program, run
from tests.thorough import some

CHECKOUT = Path(__file__).parents[1]


def fails(program: Program, *arguments: str) -> str:
    outcome = program(*arguments)
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert not program.records()
    return outcome.err


def test_help_lists_every_group_and_option_with_its_line() -> None:
    outcome = run("--help")
    assert outcome.code == 0
    for path in (CHECKOUT / "conf").glob("*/*.yaml"):
        comments = [line.removeprefix("# ") for line in path.read_text().splitlines() if line.startswith("#")]
        line = next(comment for comment in comments if not comment.startswith("@"))
        assert f"{path.parent.name}=" in outcome.out
        assert any(
            shown.split(maxsplit=1) == [path.stem, line] for shown in outcome.out.splitlines() if shown.startswith("  ")
        ), path


SHIPPED = sorted((CHECKOUT / "conf" / "augmenter").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_augmenter_has_a_family_and_a_method(path: Path) -> None:
    assert path.read_text().splitlines()[1] == f"# family: {family(path)}"
    assert family(path) in FAMILIES
    method = CHECKOUT / "conf" / "method" / path.name
    assert f"override /augmenter: {path.stem}\n" in method.read_text()


def options_by_family(out: str) -> dict[str, list[str]]:
    """Of what --help prints of the augmenters."""
    found: dict[str, list[str]] = {}
    for line in out.partition("augmenter=\n")[2].partition("\n\n")[0].splitlines():
        if not line.startswith("    "):
            found[line.strip().removesuffix(":")] = members = []
        else:
            members.append(line.split()[0])
    return found


def test_help_lists_augmenters_by_family_in_order() -> None:
    found = options_by_family(run("--help").out)
    assert list(found) == [name for name in FAMILIES if name in found]
    assert sorted(name for members in found.values() for name in members) == [path.stem for path in SHIPPED]
    assert {name: members == sorted(members) for name, members in found.items()} == dict.fromkeys(found, True)
    assert found["nothing"] == ["none"]
    assert {"smote", "adasyn", "geometric_smote"} <= set(found["interpolation"])


def test_help_lists_augmenters_of_the_user_s_own_by_family_too(tmp_path: Path) -> None:
    (tmp_path / "augmenter").mkdir()
    target = "_target_: imblearn.over_sampling.SMOTE\n"
    for name, said in (
        ("plain", "# one of mine\n"),
        ("silent", ""),
        ("placed", "# another\n# family: interpolation\n"),
        ("named", "# a third\n#\n# family:  in a family of mine \n"),
        ("later", f"# a fourth\n{target}# family: interpolation\n"),
        ("broken", "# family: interpolation\n\t- [\n"),
        ("smote", "# in the place of the shipped one\n# family: from elsewhere\n"),
    ):
        (tmp_path / "augmenter" / f"{name}.yaml").write_text(said if name == "broken" else said + target)
    outcome = run(f"--config-dir={tmp_path}", "--help")
    found = options_by_family(outcome.out)
    assert list(found)[-2:] == ["in a family of mine", "other"]
    assert found["in a family of mine"] == ["named"]
    assert found["other"] == ["broken", "later", "plain", "silent"]
    assert "placed" in found["interpolation"]
    assert "smote" not in found["interpolation"]
    assert "smote" in found["from elsewhere"]
    assert "    plain             one of mine\n" in outcome.out


def test_help_and_completion_import_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "pytorch_lightning", "wandb", "sklearn", "imblearn", "datasets", "pandas")
    program = (
        "import sys; sys.argv = ['synaug', 'run', '--help']\n"
        "from synaug.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"sys.exit(','.join(name for name in {heavy} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "augmenter=" in done.stdout


def test_completion_knows_options_and_keys() -> None:
    environment = {**os.environ, "COMP_LINE": "synaug augmenter=s"}
    command = [sys.executable, "-m", "synaug", "--shell-completion", "query=bash"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, cwd=CHECKOUT)
    options = {f"augmenter={path.stem}" for path in (CHECKOUT / "conf" / "augmenter").glob("s*.yaml")}
    assert set(done.stdout.split()) == options >= {"augmenter=self_paced", "augmenter=smote"}


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["augmenter=smoet"], ["augmenter=smoet is no option: did you mean smote?"]),
        (["experiment=papr"], ["experiment=papr is no option: did you mean paper?"]),
        (["dataset=zzz"], ["dataset=zzz is no option: choose among ag_news, banking77, emotion, files,"]),
        (["loss=weighted"], ["loss=weighted is no option: did you mean class_weighted?"]),
        (["validation=nestd"], ["validation=nestd is no option: did you mean nested?"]),
        (["method=smot"], ["method=smot is no option: did you mean smote?"]),
        (["method=[smote,vae]"], ["method=[smote,vae] is a list, but a run has one method"]),
        (
            ["method=smote", "loss=focal"],
            ["method=smote chooses the augmenter and the loss, and so does loss=focal: leave one of them out"],
        ),
        (["validation.folds=3"], ["validation.folds is no setting: did you mean validation.n_folds?"]),
        (["validation.n_folds=60"], ["validation.n_folds=60 needs 60 rows that can be left out"]),
        (["loss=focal", "loss.gamma=-1"], ["loss.gamma=-1 must be at least 0"]),
        (["loss=class_weighted", "loss.weights=[1,2,3]"], ["loss.weights holds 3 weights, but there are 2 classes"]),
        (["loss=class_weighted", "loss.weights={tarde:5}"], ["loss.weights names 'tarde', which is no class"]),
        (["augmentr=smote"], ["augmentr is no setting: did you mean augmenter=?"]),
        (["augmenter.k_neighbours=3"], ["augmenter.k_neighbours is no setting: did you mean augmenter.k_neighbors?"]),
        (["encoder.dum=3", "n_flods=3"], ["encoder.dum is no setting: did you mean encoder.dim?", "n_flods is no"]),
        (["trainer.max_steps=9"], ["trainer.max_steps is synaug's own: set max_steps"]),
        (["trainer.precision=16"], ["trainer.precision is no setting: write +trainer.precision=... if Lightning's"]),
        (["+dataset.nmae=x"], ["dataset.nmae is no setting: did you mean dataset.name?"]),
        (["augmenter.k_neighbors=abc"], ["augmenter.k_neighbors=abc must be a whole number"]),
        (["augmenter.k_neighbors=0"], ["'k_neighbors' parameter of SMOTE must be an int in the range [1, inf)"]),
        (["augmenter.amount=-1"], ["augmenter.amount=-1 must be at least 0"]),
        (["augmenter=vae", "augmenter.sample_from=x"], ["augmenter.sample_from=x must be one of prior, posterior"]),
        (["imbalance_ratio.ratio=0.5"], ["imbalance_ratio.ratio=0.5 must be at least 1"]),
        (["imbalance_ratio.profile=steep"], ["imbalance_ratio.profile=steep must be one of step, linear, exponential"]),
        (["imbalance_ratio.ratio=500"], ["imbalance_ratio.ratio=500 leaves class 'trade' no training row of"]),
        (["imbalance_ratio.minority=[tarde]"], ["imbalance_ratio.minority names 'tarde', which is no class"]),
        (["n_folds=61"], ["'sport' (60), 'trade' (60): lower n_folds to 60"]),
        (
            ["n_folds=1", "max_steps=0", "seeds=[1,1]"],
            ["n_folds=1 must be at least 2", "max_steps=0 must be at least 1", "distinct whole"],
        ),
        (["seeds=3"], ["seeds=3 must be a list of distinct whole numbers, e.g. [0,1,2]"]),
        (["+trainer.gradient_clip_val=1.0"], ["clipping by the norm of all weights couples the members"]),
        (["+trainer.precisoin=32"], ["trainer.precisoin is no argument of Lightning's Trainer: did you mean"]),
        (["trainer.devices=2"], ["trainer.devices=2 must be one (1, auto, or"]),
        (["classifier.optimizer.lr=1e30"], ["classifier.optimizer.lr=1e+30 must be at most 1,000"]),
        (["classifier.hidden=[0]"], ["classifier.hidden=[0] must be a list of at most 64 positive widths"]),
        (["classifier.optimizer.lr=-1.0"], ["classifier.optimizer.lr=-1.0 must be at least 0"]),
        (["name=a/b"], ["name='a/b' becomes a folder"]),
        (["dataset.text=boddy"], ["has no column 'boddy': did you mean 'body'?"]),
        (["dataset.max_per_class=1"], ["dataset.max_per_class=1 must be at least 2, or null"]),
        (["dataset.path=nowhere.csv"], ["dataset.path=nowhere.csv is not a file"]),
        (["dataset.path=mine.doc"], ["dataset.path=mine.doc must end in one of .csv, .tsv, .jsonl, .parquet"]),
        (["augmenter._target_=os.path.join"], ["augmenter: "]),
        (["augmenter._target_=imblearn.over_sampling.SMOET"], ["augmenter: "]),
        (["~classifier"], ["classifier is removed or null, but every run needs it"]),
        (["augmenter=null"], ["augmenter=null is no option: did you mean none?"]),
        (["imbalance_ratio=10"], ["imbalance_ratio=10 is no option: did you mean ir10?"]),
        (["seeds=${nope}"], ["seeds cannot be resolved"]),
        (["name=.."], ["name='..' becomes a folder"]),
        (["target_prior=natural"], ["target_prior=natural needs imbalance_ratio=natural"]),
        (
            ["encoder=minilm", "encoder.model=intfloat/e5-small-v2"],
            ["encoder.model=intfloat/e5-small-v2 would be ignored"],
        ),
        (["encoder=minilm", "encoder.revision=abc"], ["encoder.revision=abc would be ignored"]),
        (["foo"], ["foo is no setting: write key=value or group=option"]),
        (["dataset.path=/"], ["dataset.path=/ is a folder: name one file in it"]),
        (["n_folds=[1"], ["n_folds=[1 cannot be read"]),
    ],
)
def test_wrong_settings_get_one_sentence_each(
    program: Program, csv: str, arguments: list[str], sentences: list[str]
) -> None:
    err = fails(program, *TOY, csv, *arguments)
    assert all(sentence in err for sentence in sentences), err


def test_a_config_dir_that_does_not_exist_gets_a_sentence() -> None:
    outcome = run("--config-dir=/nowhere")
    assert outcome.code == 1
    assert outcome.err.startswith("Additional config directory '/nowhere' not found: give an existing folder")


def test_every_problem_is_named_at_once(program: Program, csv: str) -> None:
    err = fails(
        program,
        *TOY,
        csv,
        "augmenter.k_neighbors=abc",
        "+dataset.nmae=x",
        "n_folds=1",
        "imbalance_ratio.ratio=0.5",
        "classifier.optimizer.lr=-1.0",
        "seeds=3",
    )
    assert "6 problems in the configuration:" in err


def test_a_missing_setting_is_asked_for(program: Program) -> None:
    assert "dataset.path is required: give dataset.path=..." in fails(program, *TOY)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("body,topic\ngood,a\nbad,b\n,b\n", "row 3 of"),
        ("body,topic\ngood,a\nbad,\nugly,b\n", "row 2 of"),
        ("body,topic\ngood,a\nbad,a\n", "wrong has rows of 1 class ('a'), but classification needs two or more"),
        (b"body,topic\ngood,a\nbad \xff,b\n", "is not UTF-8: save the file as UTF-8"),
        ('body,topic\n"good,a\n', "cannot be read as csv"),
        ("", "is empty: give a file with the columns 'body' and 'topic'"),
    ],
)
def test_wrong_files_get_one_sentence_each(
    program: Program, tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    path = tmp_path / "wrong.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert sentence in fails(program, *TOY, f"dataset.path={path}")


def test_embeddings_that_are_not_numbers_are_refused(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        toy.HashingEncoder, "encode", lambda self, texts, progress: np.full((len(texts), 4), np.nan, "f4")
    )
    assert "the encoder returned NaN or infinity for 120 texts" in fails(program, *TOY, csv)


def test_a_damaged_cache_is_mended_with_a_warning(program: Program, csv: str) -> None:
    assert program(*BRIEF, csv).code == 0
    before = program.record()
    (chunk,) = (program.folder / "cache" / "embeddings").glob("*/*.npy")
    chunk.write_bytes(chunk.read_bytes()[:-100])
    outcome = program(*BRIEF, csv, "force=true")
    assert outcome.code == 0
    assert "are damaged and will be made again" in outcome.err
    assert program.record()["scores"] == before["scores"]


def test_an_output_folder_that_cannot_be_written_gets_a_sentence(program: Program, csv: str) -> None:
    (program.folder / "file").write_text("not a folder")
    outcome = run(*BRIEF, csv, f"output_dir={program.folder / 'file' / 'multirun'}", f"cache_dir={program.folder}")
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    assert "choose another place with output_dir=... or cache_dir=..." in outcome.err
    assert (program.folder / "file").read_text() == "not a folder"


def test_a_failed_run_says_why_in_its_folder_and_the_next_success_clears_it(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            toy.HashingEncoder, "encode", lambda self, texts, progress: np.full((len(texts), 4), np.inf, "f4")
        )
        fails(program, *BRIEF, csv)
    (folder,) = program.run_folders
    failure = json.loads((folder / "failure.json").read_text())
    assert failure["type"] == "UserError"
    assert failure["error"].startswith("the encoder returned NaN or infinity")
    assert "Traceback (most recent call last)" in failure["traceback"]
    assert "Traceback (most recent call last)" in (folder / "synaug.log").read_text()
    assert program(*BRIEF, csv).code == 0
    assert not (folder / "failure.json").exists()


def test_a_sweep_goes_on_after_a_failure_and_ends_with_1(program: Program, csv: str) -> None:
    outcome = program("--multirun", *BRIEF, csv, "imbalance_ratio.ratio=500.0,5.0,400.0")
    assert outcome.code == 1
    assert len(program.records()) == 1
    assert "ratio=500.0 leaves class 'trade' no training row" in outcome.err
    assert "ratio=400.0 leaves class 'trade' no training row" in outcome.err
    assert "Traceback (most" not in outcome.err


def test_an_unknown_option_stops_a_sweep_before_its_first_job(program: Program, csv: str) -> None:
    err = fails(program, "--multirun", *BRIEF, csv, "augmenter=none,smoet")
    assert "augmenter=smoet is no option: did you mean smote?" in err


def test_a_fault_of_the_program_shows_its_traceback(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy.HashingEncoder, "encode", lambda self, texts, progress: [][0])
    with pytest.raises(IndexError):
        program(*BRIEF, csv)
    (folder,) = program.run_folders
    assert "IndexError" in (folder / "failure.json").read_text()


def test_full_errors_are_shown_on_request(program: Program, csv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ValueError, match="n_folds=1 must be at least 2"):
        program(*BRIEF, csv, "n_folds=1")


def test_nothing_that_existed_is_lost_when_a_forced_run_fails(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert program(*BRIEF, csv).code == 0
    before = {path: path.read_bytes() for path in program.run_folders[0].iterdir() if path.suffix in (".json", ".npz")}
    monkeypatch.setattr("synaug.pipeline.score_splits", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        program(*BRIEF, csv, "force=true")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("planted", "table"),
    some(
        [
            ("synaug.pipeline.audit", "quality"),
            ("synaug.pipeline.geometry", "geometry"),
            ("synaug.training.tables.label_noise", "label_noise"),
        ],
        2,
    ),
)
def test_a_look_inside_that_fails_costs_its_table_and_is_named(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch, planted: str, table: str
) -> None:
    arguments = [*BRIEF, csv, "augmenter=random"]
    monkeypatch.setattr(planted, lambda *_, **__: 1 / 0)
    outcome = program(*arguments, "seeds=[0,1]")
    assert outcome.code == 0
    assert f"the record's table {table} is empty because of a fault in synaug" in outcome.err + outcome.out
    recorded = program.record()
    assert [name for name in ("quality", "geometry", "label_noise") if not recorded[name]["data"]] == [table]
    assert recorded["faults"]["data"] == [[seed, table, "ZeroDivisionError: division by zero"] for seed in (0, 1)]
    (folder,) = program.run_folders
    assert not (folder / "failure.json").exists()
    assert any("Traceback" in path.read_text() for path in folder.glob("*.log"))
    assert report([str(folder)]) == 0
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "failed in 1 run, because of a fault in synaug (ZeroDivisionError: division by zero)" in page
    # Seeds that are added later have the table.
    monkeypatch.undo()
    assert program(*arguments, "seeds=[0,1,2]").code == 0
    recorded = program.record()
    assert {row[0] for row in recorded[table]["data"]} == {2}
    assert len(recorded["faults"]["data"]) == 2


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_what_is_no_fault_of_a_look_inside_is_not_taken_for_one(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("synaug.pipeline.audit", fail)
    assert program(*BRIEF, csv).code == 1
    assert not program.records()


def test_ctrl_c_ends_with_a_sentence(program: Program, csv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(toy.HashingEncoder, "encode", interrupt)
    outcome = program(*BRIEF, csv)
    assert outcome.code == 1
    assert "what is recorded is kept" in outcome.err


@pytest.mark.parametrize("option", ["disabled", "stdout", "none"])
def test_hydra_s_other_ways_of_logging_work_too(program: Program, csv: str, option: str) -> None:
    arguments = [*BRIEF, csv, f"hydra/job_logging={option}"]
    assert program(*arguments).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--multirun", "--cfg", "job", "augmenter=none,smote"], "--multirun and --cfg cannot be used together"),
        (["--cfg", "job", "--info", "config"], "--cfg and --info cannot be used together: give only one of them"),
        (["--run", "--multirun", "augmenter=none,smote"], "--multirun and --run cannot be used together"),
        (["--resolve"], "--resolve only works together with --cfg: add --cfg job"),
        (["--package", "trainer"], "--package only works together with --cfg"),
        (["--shell-completion"], "--shell-completion is not enough: set up completion with synaug completion bash"),
        (["--experimental-rerun", "no.pickle"], "--experimental-rerun no.pickle is not a file"),
        (["--multirun", "methods=none,smote"], "methods is no setting: did you mean method=?"),
        (["augmenters=smote"], "augmenters is no setting: did you mean augmenter=?"),
        (["data=trec"], "data is no setting"),
        (["dataset=files", "dataset.lable=topic"], "dataset.lable is no setting: did you mean dataset.label?"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_else(program: Program, words: list[str], said: str) -> None:
    outcome = program(*words)
    assert outcome.code == 1
    assert outcome.err.startswith(said)
    of_sweep = "jobs did not run" in outcome.err  # whose table stands below
    assert of_sweep or outcome.err.count("\n") == 1
    assert "there is no augmenter=none" not in outcome.err
    assert "shows the traceback" not in outcome.err
    assert not program.run_folders
