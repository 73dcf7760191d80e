"""Every committed config composes, and what it names exists."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from synaug import settings
from synaug.command.callbacks import jobs_of
from synaug.command.folders import run_choices
from synaug.parts import make_augmenters
from synaug.settings import conf_dir
from synaug.sweep.sweep import has_reference

GROUPS = (*settings.GROUPS, "logger")
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((conf_dir() / group).glob("*.yaml"))]
DATA_SETS = ("rotten_tomatoes", "imdb", "sst2", "ag_news", "trec", "emotion", "sms_spam", "banking77")
ASKED = {
    "files": ["dataset.path=mine.csv"],
    "huggingface": ["encoder.model=some/model"],
    "static": ["encoder.model=some/model"],
    "sentence_transformers": ["encoder.model=some/model"],
    "texts": ["augmenter.path=new.csv"],
}


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def test_the_groups_are_those_that_were_promised() -> None:
    found = {group: {option for its, option in OPTIONS if its == group} for group in GROUPS}
    assert found["dataset"] == {*DATA_SETS, "files"}
    assert found["encoder"] == {
        *("minilm", "bert_base", "distilbert", "roberta_base", "huggingface"),
        *("static", "sentence_transformers", "precomputed"),
    }
    assert found["imbalance_ratio"] == {"natural", "balanced", *(f"ir{ratio}" for ratio in (2, 5, 10, 20, 50, 100))}
    synthesis = {"smote", "borderline_smote", "adasyn", "vae", "vae_prior", "cvae", "flow", "smote_neighbours", "texts"}
    synthesis |= {"ge3", "eos", "mgs", "distribution_calibration", "mixup", "remix", "slerp", "gaussian"}
    no_new_point = {"none", "random", "random_under", "near_miss", "tomek", "easy_ensemble", "self_paced"}
    from_libraries = {
        "svm_smote",
        "kmeans_smote",
        "smote_enn",
        "smote_tomek",
        "rose",
        "geometric_smote",
        "smote_variants",
    }
    assert found["augmenter"] == synthesis | no_new_point | from_libraries
    assert found["loss"] == {
        "plain",
        "class_weighted",
        "effective_number",
        "balanced_softmax",
        "logit_adjusted",
        "focal",
        "ldam",
    }
    assert found["classifier"] == {"mlp", "linear", "nearest_class_mean", "knn", "sklearn", "finetune", "lora"}
    assert found["validation"] == {"nested", "holdout", "oracle"}
    assert found["logger"] == {"none", "csv", "wandb"}


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_can_be_made(group: str, option: str) -> None:
    config = composed(f"{group}={option}", *ASKED.get(option, []))
    part = config[group]
    first = (conf_dir() / group / f"{option}.yaml").read_text().splitlines()[0]
    assert first.startswith("# ")
    if group == "logger":
        assert part._target_ is None or callable(get_object(part._target_))
    elif group == "augmenter":
        assert [each.amount for each in make_augmenters(part)] == [option != "none"]
    else:
        assert instantiate(part, _convert_="all") is not None


@pytest.mark.parametrize("option", DATA_SETS)
def test_every_data_set_says_where_it_comes_from(option: str) -> None:
    dataset = composed(f"dataset={option}").dataset
    assert dataset.name == option
    assert len(dataset.class_names) >= 2
    assert dataset.licence
    assert dataset.paper


def test_the_defaults_are_the_issue_s() -> None:
    config = composed()
    assert {key: config[key] for key in ("n_folds", "seeds", "output_dir", "force")} == {
        "n_folds": 10,
        "seeds": [0],
        "output_dir": "multirun",
        "force": False,
    }
    assert config.dataset.name == "rotten_tomatoes"
    assert config.imbalance_ratio.ratio == 10
    assert OmegaConf.to_container(config.classifier.hidden) == [128]
    assert config.max_steps == 1024
    assert config.loss._target_ == "synaug.loss.Plain"
    assert OmegaConf.to_container(config.validation) == {
        "_target_": "synaug.validation.Nested",
        "n_folds": 5,
        "final": "bagged",
    }


def test_a_ratio_is_called_by_its_value() -> None:
    choices = dict.fromkeys(settings.GROUPS, "x")
    for overrides, expected in (
        (["imbalance_ratio=ir10"], "ir10"),
        (["imbalance_ratio=ir10", "imbalance_ratio.ratio=37"], "ir37"),
        (["imbalance_ratio=ir10", "imbalance_ratio.ratio=2.5"], "ir2.5"),
        (["imbalance_ratio=ir50", "imbalance_ratio.profile=exponential"], "ir50_exponential"),
        (["imbalance_ratio=natural"], "natural"),
        (["imbalance_ratio=balanced"], "balanced"),
    ):
        given = choices | {"imbalance_ratio": overrides[0].partition("=")[2]}
        assert run_choices(composed(*overrides), given)["imbalance_ratio"] == expected
    assert run_choices(composed(), choices | {"imbalance_ratio": "my tail"})["imbalance_ratio"] == "my_tail"


@pytest.mark.parametrize("path", sorted((conf_dir() / "experiment").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_experiment_is_a_grid_whose_jobs_compose(path: Path) -> None:
    header, line = path.read_text().splitlines()[:2]
    assert header == "# @package _global_"
    assert line.startswith("# ")
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        grid = compose("config", overrides=[f"experiment={path.stem}"], return_hydra_config=True)
        assert grid.hydra.mode == RunMode.MULTIRUN
        assert grid.name == path.stem
        params = grid.hydra.sweeper.params
        jobs = BasicSweeper.split_arguments(
            OverridesParser.create().parse_overrides([f"{key}={value}" for key, value in params.items()]), None
        )[0]
        assert jobs_of(grid) == [[*job, f"experiment={path.stem}"] for job in jobs]
        assert has_reference(jobs, path)
        for job in (jobs[0], jobs[-1]):
            config = compose("config", overrides=[f"experiment={path.stem}", *job])
            for group in settings.GROUPS:
                part = make_augmenters(config.augmenter)[0] if group == "augmenter" else instantiate(config[group])
                assert part is not None


def test_the_paper_s_grid_is_fourteen_methods_three_data_sets_six_ratios() -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for name, encoder in (("paper", "bert_base"), ("paper_minilm", "minilm")):
            grid = compose("config", overrides=[f"experiment={name}"], return_hydra_config=True)
            jobs = jobs_of(grid) or []
            assert len(jobs) == 14 * 3 * 6
            assert grid.hydra.sweeper.params.encoder == encoder
            assert grid.n_folds == 10
            assert list(grid.seeds) == [0, 1, 2]
            for job in (jobs[0], jobs[-1]):
                config = compose("config", overrides=job)
                assert config.imbalance_ratio.minority == settings.ROTATE
                assert config.imbalance_ratio.ratio in (2, 100)
            methods = {choice.removeprefix("method=") for job in jobs for choice in job if choice.startswith("method=")}
            assert "vae_prior" in methods
            assert "vae" not in methods


def test_the_paper_s_vae_is_sampled_from_its_prior_without_noise_and_is_the_default_one_in_all_else() -> None:
    paper, ours = (OmegaConf.to_container(composed(f"method={name}").augmenter) for name in ("vae_prior", "vae"))
    drawn = {"sample_from": "prior", "observation_noise": False}
    assert paper == {**ours, **drawn}  # type: ignore[dict-item]
    assert {key: ours[key] for key in drawn} == {"sample_from": "posterior", "observation_noise": True}  # type: ignore


METHODS = [path.stem for path in sorted((conf_dir() / "method").glob("*.yaml"))]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_an_augmenter_with_the_plain_loss_or_a_loss_without_augmentation(method: str) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        chosen = compose("config", overrides=[f"method={method}"], return_hydra_config=True)
        choices = {group: chosen.hydra.runtime.choices[group] for group in settings.OF_A_METHOD}
        as_options = [f"{group}={option}" for group, option in choices.items()]
        by_options = compose("config", overrides=as_options)
    assert choices in ({"augmenter": method, "loss": "plain"}, {"augmenter": "none", "loss": method})
    assert all(chosen[group] == by_options[group] for group in settings.GROUPS)


@pytest.mark.parametrize("path", sorted((conf_dir() / "experiment").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_experiment_has_the_usual_methods_without_synthesis(path: Path) -> None:
    usual = {"class_weighted", "random"}
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        grid = compose("config", overrides=[f"experiment={path.stem}"], return_hydra_config=True)
    if "method" in grid.hydra.sweeper.params:
        assert usual <= set(grid.hydra.sweeper.params.method.split(","))
        return
    # An experiment about settings of one augmenter: they come by a second command, which its file tells.
    command = re.search(rf"experiment={path.stem} method=([\w,]+)", path.read_text())
    assert command is not None
    assert usual <= set(command[1].split(","))


def test_the_demo_has_at_most_sixteen_jobs() -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        assert len(jobs_of(compose("config", overrides=["experiment=demo"], return_hydra_config=True)) or []) <= 16


def test_conf_lies_beside_the_package_in_a_checkout() -> None:
    assert conf_dir() == Path(__file__).parents[1] / "conf"
