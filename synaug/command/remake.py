"""One split of a recorded run, made again: its texts, and the rows that it trained on, real and synthetic.

A record keeps no row. Data, weights, code and settings decide all of them (every draw follows from seeds), so the same
rows come again, as long as these are the record's own: what differs is refused.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import DictConfig, OmegaConf

from synaug import record
from synaug.command.check.fine_tuning import FINE_TUNED
from synaug.command.folders import scientific_sources
from synaug.errors import UserError
from synaug.model.vectors import OF_A_PLACE
from synaug.record.cost import Cost
from synaug.record.tables import BALANCE_COLUMNS
from synaug.settings import conf_dir, did_you_mean
from synaug.settings.names import cut

if TYPE_CHECKING:
    import pandas as pd

    from synaug.augmenter import Augmenter
    from synaug.dataset import LabelledTexts
    from synaug.quality.described import Described
    from synaug.training.training_sets import TrainingData, TrainingSet

log = logging.getLogger(__name__)

ANEW = "run it again with force=true"
MADE = ("dataset", "encoder", "imbalance_ratio", "augmenter", "loss", "validation")  # of a config, what is made here
TARGET = re.compile(r"""_target_["']?\s*:\s*["']?([\w.]+)""")


@dataclass(frozen=True)
class Wanted:
    """What is to be made again.

    Attributes
    ----------
    folder
        Of a recorded run.
    seed, fold
        The split; the first of the record's seeds where none is given.
    inner
        The inner fold whose model trained on the rows; None for all rows of the split.
    settings
        ``key=value``: where data, weights and caches lie now, if not where the record says.
    config_dir
        The user's own configs; what they name is made, too.
    trust
        Make whatever the record names.
    """

    folder: Path
    seed: int | None = None
    fold: int = 0
    inner: int | None = None
    settings: Sequence[str] = ()
    config_dir: str | None = None
    trust: bool = False


@dataclass(frozen=True)
class Remade:
    """A training set of a recorded run, with all that it takes to speak of it.

    Attributes
    ----------
    record
        As it was read.
    texts
        The data set.
    data
        Of the one split.
    place
        Of the training set among those of `data`.
    written
        Of each synthetic row the text that somebody wrote, empty where a fallback made the row; None where an augmenter
        made all rows.
    remark
        What a reader should know: packages that have other versions than the record's; None where there are none.
    """

    record: Mapping[str, Any]
    texts: "LabelledTexts"
    data: "TrainingData"
    place: int
    written: Sequence[str] | None = None
    remark: str | None = None

    @property
    def training_set(self) -> "TrainingSet":
        """The rows."""
        return self.data.training_sets[self.place]


def remake(wanted: Wanted) -> Remade:
    """Make the rows of one split again: with the pipeline's own steps, which only the split is handed to.

    Raises
    ------
    UserError
        If the folder has no record, if it has no such split, if code, settings, data, weights or embeddings are not
        those that the record was made with, or if it names something to be made that no config of ours or
        the user's does.
    """
    recorded = record.read(wanted.folder)
    seed = min(recorded["config"]["seeds"]) if wanted.seed is None else wanted.seed
    _has_split(wanted, recorded, seed)
    if recorded["code"] != record.code_sha256():
        commit = recorded.get("git_commit")
        at = f" (at commit {commit})" if commit else ""
        raise UserError(
            f"{wanted.folder} was recorded by another state of synaug's code{at}, which may make other rows: "
            f"check that state out, or {ANEW}"
        )
    config = recorded_config(wanted, recorded)
    if config.classifier.get("_target_") == FINE_TUNED:
        raise UserError(
            f"{wanted.folder} was fine-tuned: its rows are vectors of encoders that were not kept, so they cannot be "
            "made again: give a run of classifier=mlp or linear"
        )
    sources = same_sources(wanted, recorded, config)
    # Not before: these import torch.
    from synaug import pipeline
    from synaug.encoder.workers import torch_threads

    asked = pipeline.Asked(
        identity=recorded["identity"],
        sources=sources,
        choices=recorded["choices"],
        overrides=(),
        configs_sha256=None,
        plan=record.Plan((seed,), (seed,)),
        is_first=False,
    )
    with torch_threads(config.threads):
        prepared = pipeline.prepare(config, wanted.folder.name, asked, cost := Cost())
        same_data(wanted, recorded, prepared.texts.fingerprint, prepared.embeddings_sha256)
        split = next(split for split in prepared.splits if split.fold == wanted.fold)
        if wanted.inner is not None and not 0 <= wanted.inner < len(split.inner):
            raise UserError(
                f"--inner {wanted.inner} must be an inner fold of the split: give one from 0 to {len(split.inner) - 1}"
                ", or leave --inner out for all rows of the split"
            )
        # Each training set has seeds of its own, so the inner folds need not be made to make all rows of the split.
        alone = replace(split, inner=()) if wanted.inner is None else split
        augmenter = _chosen(prepared.augmenters, recorded, seed, wanted.fold)
        graphs = pipeline.neighbours(config, prepared)
        data = pipeline.augment(config, replace(prepared, splits=[alone]), augmenter, graphs, cost)
    place = next(
        place for place, each in enumerate(data.training_sets) if each.inner == wanted.inner and each.replica == 0
    )
    _same_counts(wanted, recorded, data, place)
    written = _written(augmenter.sampler, data, place) if augmenter.brings_texts else None
    return Remade(recorded, prepared.texts, data, place, written, other_versions(recorded))


def _written(sampler: Any, data: "TrainingData", place: int) -> list[str]:
    """The text of each synthetic row, which has its very embedding."""
    pool = sampler.pool_
    text_of = {row.tobytes(): text for row, text in zip(pool.embeddings, pool.texts.texts, strict=True)}
    points = data.training_sets[place].augmented.synthetic_embeddings.astype(pool.embeddings.dtype)
    return [text_of.get(point.tobytes(), "") for point in points]


def makes_rows(folder: Path) -> bool:
    """Whether the record counts a row that was made; of a run that was fine-tuned, none can be made again."""
    recorded = record.read(folder)
    if recorded["config"]["classifier"].get("_target_") == FINE_TUNED:
        return False
    balance: Mapping[str, Any] = recorded["balance"]
    at = balance["columns"].index("made")
    return any(row[at] > 0 for row in balance["data"])


def of_first_loss(runs: "pd.DataFrame") -> "pd.DataFrame":
    """Of runs of one scenario, each augmenter's with the loss that comes first: runs of other losses have its rows.

    Augmenters need not have been run with the same losses.
    """
    return runs[runs["loss"] == runs.groupby("augmenter")["loss"].transform("min")]


def described_rows(remade: Remade, nearest: int, *, texts: bool = True) -> "Described":
    """The synthetic rows of a split that was made again."""
    from synaug.quality.described import Described
    from synaug.quality.lineage import lineage

    found = lineage(remade.data, remade.place, nearest)
    return Described(
        found,
        remade.training_set,
        remade.data.labels,
        remade.data.class_names,
        remade.texts.texts if texts else None,
        remade.written if texts else None,
    )


def recorded_config(wanted: Wanted, recorded: Mapping[str, Any]) -> DictConfig:
    """The config of a record as it can be made, which is data that anybody may have put there: with care.

    Raises
    ------
    UserError
        If it holds what is still to be resolved; if a setting is given that it has not; or if it names a target that
        none of our configs or the user's names.
    """
    path = wanted.folder / record.RECORD
    if any("${" in text for text in _texts(recorded["config"])):
        raise UserError(f"{path} has a setting that is still to be resolved (${{…}}): {ANEW}")
    config = OmegaConf.create(dict(recorded["config"]))
    lacking = [group for group in MADE if not OmegaConf.is_dict(config.get(group))]
    if lacking:
        raise UserError(f"{path} has no settings of {lacking[0]}: {ANEW}")
    for setting in wanted.settings:
        key, equals, value = setting.partition("=")
        known = set(_keys(recorded["config"]))
        if not equals or key not in known:
            remedy = did_you_mean(key, known, "") if key not in known else ": write key=value"
            raise UserError(f"{setting} is no setting of this run{remedy or ': write one of its own, key=value'}")
        OmegaConf.update(config, key, yaml.safe_load(value))
    given = {setting.partition("=")[0].removeprefix("encoder.") for setting in wanted.settings}
    if "model" in given:  # what was said of it where it was does not hold elsewhere
        for key in {*OF_A_PLACE} & {*config.encoder} - given:
            config.encoder[key] = None
    if not wanted.trust:
        named = {target for group in MADE for target in _targets(OmegaConf.to_container(config[group]))}
        unknown = sorted(named - known_targets(wanted.config_dir))
        if unknown:
            raise UserError(
                f"{path} wants {cut(unknown[0])} to be made, but no config of synaug's names it: give --config-dir "
                "with the YAML that names it or, if you know who made the record, --trust"
            )
    return config


def known_targets(config_dir: str | None) -> set[str]:
    """All that configs of ours and of the user's name as a `_target_`."""
    folders = [conf_dir(), *([] if config_dir is None else [Path(config_dir)])]
    files = [path for folder in folders for path in folder.rglob("*.yaml")]
    return {target for path in files for target in TARGET.findall(path.read_text(encoding="utf-8", errors="replace"))}


def _has_split(wanted: Wanted, recorded: Mapping[str, Any], seed: int) -> None:
    config = recorded["config"]
    if seed not in config["seeds"]:
        listed = ", ".join(map(str, sorted(config["seeds"])))
        raise UserError(f"--seed {seed} is not recorded in {wanted.folder}: give one that is ({listed})")
    if not 0 <= wanted.fold < config["n_folds"]:
        raise UserError(f"--fold {wanted.fold} must be a fold of the run: give one from 0 to {config['n_folds'] - 1}")


def _chosen(augmenters: Sequence["Augmenter"], recorded: Mapping[str, Any], seed: int, fold: int) -> "Augmenter":
    """The augmenter of the amount that a split chose; mostly there is one."""
    table = recorded["amounts"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    chosen = {row["amount"] for row in rows if (row["seed"], row["fold"]) == (seed, fold) and row["chosen"]}
    return next((each for each in augmenters if each.amount in chosen), augmenters[0])


def same_sources(wanted: Wanted, recorded: Mapping[str, Any], config: DictConfig) -> dict[str, str]:
    """What data and weights are now: the record's own."""
    sources = scientific_sources(config)
    resolved = OmegaConf.to_container(config, resolve=True)
    assert isinstance(resolved, dict)
    if record.identity({str(key): value for key, value in resolved.items()}, sources) == recorded["identity"]:
        return sources
    if sources["dataset"] != recorded["data"]["source"]:
        where = config.dataset.get("path")
        raise UserError(
            f"the data of {wanted.folder} {'are out of reach' if sources['dataset'] == 'unknown' else 'have changed'}"
            f"{'' if where is None else f' ({where})'}: give dataset.path=... of the data that made it, or {ANEW}"
        )
    raise UserError(
        f"the weights or settings are not those that {wanted.folder} was made with: leave out settings that change its "
        f"numbers, give the encoder the weights that it had, or {ANEW}"
    )


def same_data(wanted: Wanted, recorded: Mapping[str, Any], fingerprint: str, embeddings_sha256: str) -> None:
    """See that texts, labels and vectors are those of the record; raises `UserError` where they are not."""
    data = recorded["data"]
    if fingerprint != data["fingerprint"]:
        raise UserError(f"the texts or labels are not those that {wanted.folder} was made from: {ANEW}")
    if embeddings_sha256 != data.get("embeddings_sha256"):
        raise UserError(
            f"the texts' embeddings are not those that {wanted.folder} was made from (another machine or library may "
            f"have made them, after the cache was emptied): give cache_dir=... of the cache that has them, or {ANEW}"
        )


def _same_counts(wanted: Wanted, recorded: Mapping[str, Any], data: "TrainingData", place: int) -> None:
    """See that as many rows were made as the record counts: it has no more of them to compare with."""
    from synaug.training import tables

    training_set = data.training_sets[place]
    where = [training_set.split.seed, training_set.split.fold, training_set.inner]
    columns = recorded["balance"]["columns"]
    if not set(BALANCE_COLUMNS) <= set(columns):
        return
    counted = ("class", "real", "kept", "made", "new", "made_by_fallback")

    def counts(table: Mapping[str, Any]) -> list[list[Any]]:
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
        return [[row[name] for name in counted] for row in rows if [row["seed"], row["fold"], row["inner"]] == where]

    if counts(tables.balance(data)) != counts(recorded["balance"]):
        raise UserError(
            f"the sampler now makes other numbers of rows than {wanted.folder} recorded (it may draw from something "
            f"other than its random_state, or a package may have changed): {ANEW}"
        )


def other_versions(recorded: Mapping[str, Any]) -> str | None:
    """The sentence for packages that have other versions than the record's; None where all are the same."""
    then, now = recorded["versions"], record.versions()
    names = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
    if not names:
        return None
    return f"recorded with other versions ({', '.join(names)}): single rows may differ from those that trained"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield str(value["_target_"])
        for each in value.values():
            yield from _targets(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _targets(each)


def _keys(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{key}.")
