"""From a verdict to a classifier: the favoured method's own run, made once more on all rows, and kept as a model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from synaug import record
from synaug.command.remake import Wanted, recorded_config, same_sources
from synaug.errors import UserError
from synaug.record.cost import Cost
from synaug.record.store import finite
from synaug.scores.decision import ARGMAX, CANDIDATE_RULES
from synaug.scores.names import METRICS
from synaug.scores.needs import Decision, Need, read_rule

if TYPE_CHECKING:
    from synaug.comparison.compare import Comparison
    from synaug.comparison.estimate import Estimate
    from synaug.comparison.evidence import Evidence
    from synaug.comparison.favoured import Favoured
    from synaug.model.model import Model
    from synaug.pipeline import Prepared
    from synaug.training.amounts import Fitted
    from synaug.training.looks import SplitJudge
    from synaug.training.predictions import OfSplit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What is to be fitted.

    Attributes
    ----------
    folder
        Of an experiment, or of one run.
    run
        Of one run, instead; or its name in `folder`.
    scenario
        A label, or a part of one.
    rule
        ``prior_corrected``, ``tuned``, ``argmax``, or a need (``recall:spam=0.95``); None: the favoured one.
    metric
        That the verdict speaks of; None: balanced accuracy.
    mixed
        Compare runs of different versions of the code all the same.
    settings
        ``key=value``: where data, weights and caches lie now, if not where the record says.
    config_dir, trust
        As of `synaug.command.remake.Wanted`.
    """

    folder: Path | None
    run: Path | None = None
    scenario: str | None = None
    rule: str | None = None
    metric: str | None = None
    mixed: bool = False
    settings: Sequence[str] = ()
    config_dir: str | None = None
    trust: bool = False


@dataclass(frozen=True)
class Source:
    """The run that a model is made of, and what is known of it.

    Attributes
    ----------
    favoured
        The run and the rule.
    rule
        The rule's name, or what is asked for in its place.
    need
        None of argmax.
    record
        Of the run.
    estimates
        The outer estimates of the method under the rule.
    picked
        The same with all choices made again in each split: of the method, among those of its kind, and of the rule or
        the need's decision. Empty where nothing was chosen, as the run was named, or where the log probabilities that
        a need is judged on are gone.
    measures
        Names of the scores that matter first: what the need is judged by, or the verdict's metric.
    """

    favoured: "Favoured"
    rule: str
    need: Need | None
    record: Mapping[str, Any]
    estimates: Sequence["Estimate"]
    picked: Sequence["Estimate"]
    measures: Sequence[str]


def fit(asked: Asked) -> "Model":
    """Choose, fit on all rows, and keep.

    Raises
    ------
    UserError
        If nothing can be chosen, or the data are not those of the run.
    """
    source = source_of(asked)
    return fitted_on_all_rows(asked, source)


def source_of(asked: Asked) -> Source:
    """The run and the rule: what the verdict favours, or what is asked for."""
    from synaug.comparison import compare as comparisons
    from synaug.comparison import evidence as evidences
    from synaug.comparison.favoured import favoured

    folder, is_run = _place(asked)
    if asked.metric is not None:
        comparisons.check_metrics([asked.metric])
    need = None if asked.rule in (None, ARGMAX) else read_rule(str(asked.rule))
    evidence = evidences.read([folder])
    comparison = None
    if not is_run:
        comparison = comparisons.compare(evidence, None if asked.metric is None else [asked.metric], mixed=asked.mixed)
    found = favoured(evidence, comparison, None if is_run else asked.scenario)
    rule = asked.rule or found.method.decision
    need = need or (None if rule == ARGMAX else read_rule(rule))
    recorded = record.read(found.folder)
    if need is not None:
        need.check(recorded["data"]["class_names"])
    return Source(found, rule, need, recorded, *_estimates(evidence, comparison, found, need, asked.rule))


def _place(asked: Asked) -> tuple[Path, bool]:
    """The folder to read, and whether it is one run's."""
    if asked.run is not None:
        inside = None if asked.folder is None else asked.folder / asked.run
        folder = inside if inside is not None and (inside / record.RECORD).is_file() else asked.run
        if not (folder / record.RECORD).is_file():
            raise UserError(
                f"fit.run={asked.run} is no folder of a recorded run: give one, multirun/mine/<run>, or its name"
            )
        return folder, True
    if asked.folder is None:
        raise UserError("there is nothing to fit: give the folder of an experiment, or fit.run=<folder of a run>")
    return asked.folder, (asked.folder / record.RECORD).is_file()


def _estimates(
    evidence: "Evidence", comparison: "Comparison | None", found: "Favoured", need: Need | None, rule: str | None
) -> tuple[list["Estimate"], list["Estimate"], list[str]]:
    """What a run promises under a rule (None: the favoured one), the same with all choices made again, and `measures`.

    All of `Source`.
    """
    from synaug.comparison import estimate
    from synaug.comparison.labels import PICKED

    choices = None
    if comparison is not None:
        without, with_synthesis = PICKED
        of_kind = comparison.choices["augmenter"] == (with_synthesis if found.with_synthesis else without)
        choices = comparison.choices[of_kind & (comparison.choices["scenario"] == found.scenario)]
    scores, measures = evidence.scores, [found.metric]
    if need is not None and need.kind != "rule":
        rule = need.name
        scores, measures, choices = _served(evidence, found, need, choices)
    scores = scores[scores["scenario"] == found.scenario]
    is_of_run = (scores["augmenter"] == found.method.augmenter) & (scores["loss"] == found.method.loss)
    of_run = estimate.of_rule(scores[is_of_run], rule or found.method.decision)
    anew = {} if choices is None else estimate.chosen_anew(choices, scores, rule)
    of_all_classes = {key: values for key, values in anew.items() if key[1] is None}
    n_folds = evidence.records[found.identity]["config"]["n_folds"]
    return estimate.estimates(of_run, n_folds), estimate.estimates(of_all_classes, n_folds), measures


def _served(
    evidence: "Evidence", found: "Favoured", need: Need, choices: "pd.DataFrame | None"
) -> tuple["pd.DataFrame", list[str], "pd.DataFrame | None"]:
    """Scores with those of a need's decision in the run, and in all runs that are taken in some split.

    Returns
    -------
    scores, measures, choices
        As of `Evidence.scores`, with what the need is judged by; the names of that; the choices as they were given, or
        None where a run that is taken lacks the log probabilities that the need is judged on.
    """
    from synaug.comparison.choices import TAKEN
    from synaug.report import kept, later

    runs = evidence.runs
    taken = set() if choices is None else {*zip(*(choices[name] for name in TAKEN[:2]), strict=True)}
    of_method = np.array([method in taken for method in zip(runs["augmenter"], runs["loss"], strict=True)], bool)
    is_taken = (runs["scenario"] == found.scenario) & of_method
    of_taken = zip(runs["folder"][is_taken], runs["identity"][is_taken], strict=True)
    if not all(kept.is_there(Path(folder), evidence.records[identity]) for folder, identity in of_taken):
        log.warning(
            "other runs of %s lack their log probabilities, so the model card cannot give the scores of %s with the "
            "method chosen again in each split",
            found.scenario.label,
            need.name,
        )
        is_taken[:], choices = False, None
    wanted = runs[is_taken | (runs["identity"] == found.identity)]
    of_wanted = evidence.validation["identity"].isin(wanted["identity"])
    of_runs = replace(evidence, runs=wanted, validation=evidence.validation[of_wanted])
    judged, served = later.judge(of_runs, [need])
    own = served.served.rename(columns={"measure": "metric"}).assign(decision=need.name, **{"class": None})
    known = own["metric"].isin(METRICS)  # which are among the scores already
    scores = pd.concat([part.astype(object) for part in (judged.scores, own[~known])], ignore_index=True)
    return scores, [*dict.fromkeys(own["metric"])], choices


def fitted_on_all_rows(asked: Asked, source: Source) -> "Model":
    """Make the run's own training on all rows, and a model of what it keeps."""
    wanted = Wanted(source.favoured.folder, settings=asked.settings, config_dir=asked.config_dir, trust=asked.trust)
    config = recorded_config(wanted, source.record)
    sources = same_sources(wanted, source.record, config)
    for sentence in remarks(source):
        log.warning("%s", sentence)
    # Not before: these import torch.
    from synaug import pipeline
    from synaug.encoder.workers import torch_threads

    seed = min(source.record["config"]["seeds"])
    pipeline.quieten_lightning()
    with torch_threads(config.threads):
        prepared = pipeline.prepare(config, source.favoured.folder.name, _as_asked(source, sources, seed), Cost())
        _same_texts(source, prepared)
        prepared = pipeline.on_all_rows(prepared, seed)
        training = pipeline.training_of(config, prepared, keep=True)
        fitted = pipeline.augment_and_fit(config, prepared, training, Cost())
    model = _model(config, source, sources, prepared, fitted)
    pipeline.forget(training)
    return model


def _as_asked(source: Source, sources: Mapping[str, str], seed: int) -> Any:
    from synaug.pipeline import Asked as AskedOfARun

    return AskedOfARun(
        identity=source.record["identity"],
        sources=sources,
        choices=source.record["choices"],
        overrides=(),
        configs_sha256=None,
        plan=record.Plan((seed,), (seed,)),
        is_first=False,
    )


def _same_texts(source: Source, prepared: "Prepared") -> None:
    """See that the data are the run's; vectors that differ in their last digits are told, and no more."""
    data, folder = source.record["data"], source.favoured.folder
    if prepared.texts.fingerprint != data["fingerprint"]:
        raise UserError(
            f"the texts or labels are not those that {folder} was made from: give dataset.path=FILE with those, or "
            "make the run again with force=true"
        )
    if prepared.embeddings_sha256 != data.get("embeddings_sha256"):
        log.warning(
            "the vectors of the texts differ from the run's, as vectors of another machine or library may: the model "
            "is fitted on those that were made now"
        )


def remarks(source: Source) -> list[str]:
    """What whoever uses the model should know, beside the numbers."""
    recorded, found = source.record, []
    if recorded["code"] != record.code_sha256():
        found.append(
            "the run was recorded by another state of synaug's code, so the model may differ from what was judged"
        )
    then, now = recorded["versions"], record.versions()
    names = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
    if names:
        found.append(f"packages differ from those of the run ({', '.join(names)})")
    ratio = recorded["config"]["imbalance_ratio"].get("ratio")
    if ratio is not None:
        found.append(
            f"the run thinned its training rows to 1:{ratio:g}; the model is fitted on all rows, and the scores quoted "
            "are those of the thinned scenario"
        )
    return found


def judged(fitted: "Fitted") -> "tuple[OfSplit, SplitJudge]":
    """What the one split's models say, and its judge."""
    from synaug.training.watch import judge_of

    return fitted.predictions.splits[0], judge_of(fitted.data, 0)


def decision_of(need: Need | None, fitted: "Fitted", class_names: Sequence[str], counts: Any) -> tuple[str, Decision]:
    """The rule whose weights predict, and the decision that the out-of-fold rows of all inner folds choose."""
    if need is None:
        return ARGMAX, Decision(ARGMAX)
    weights = need.text if need.kind == "rule" else CANDIDATE_RULES[0]
    of_split, judge = judged(fitted)
    known = judge.known(of_split.chosen[weights].out_of_fold)
    return weights, need.choose(known, class_names, counts / counts.sum())


def _model(
    config: DictConfig, source: Source, sources: Mapping[str, str], prepared: "Prepared", fitted: "Fitted"
) -> "Model":
    from synaug.encoder import BringsVectors
    from synaug.model.card import card
    from synaug.model.head import STACKED, Head
    from synaug.model.model import Model
    from synaug.model.tuned import about as about_tuning
    from synaug.model.tuned import encoders_of
    from synaug.model.vectors import kept
    from synaug.parts import encoder_in_use, most_steps

    texts, found, recorded = prepared.texts, source.favoured, source.record
    weights, decision = decision_of(source.need, fitted, texts.class_names, texts.rows_per_class)
    of_split, _ = judged(fitted)
    members = of_split.members[weights]
    head, (tuned, _) = Head.of(members, fitted.data.target[0]), encoders_of(members)
    chosen = of_split.chosen.get(weights)
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    settings = encoder_in_use(config)
    encoder = instantiate(settings, _convert_="all")
    brings_vectors = isinstance(encoder, BringsVectors)
    about = {
        "classes": list(texts.class_names),
        "decision": decision.to_json(),
        "target_prior": container["target_prior"],
        "encoder": {
            "settings": kept(OmegaConf.to_container(settings, resolve=True)),  # type: ignore[arg-type]
            "identity": dict(prepared.encoder) if brings_vectors else encoder.identity(),
            "source": sources["encoder"],
            "reads_texts": not brings_vectors,
            "tuned": about_tuning(container["classifier"], tuned),
        },
        "record": {
            **{key: recorded.get(key) for key in ("run", "name", "identity", "choices", "code", "git_commit")},
            "versions": recorded["versions"],
            "scenario": found.scenario.label,
            "method": " ".join(filter(None, (found.method.label_without_rule, decision.name))),
            "outcome": found.outcome,
            "verdict": found.headline,
            "metric": found.metric,
            "seeds": list(recorded["config"]["seeds"]),
            "n_folds": recorded["config"]["n_folds"],
            "estimates": [asdict(each) for each in source.estimates],
            "picked": [asdict(each) for each in source.picked],
            "measures": list(source.measures),
            "chosen": found.chosen,
        },
        "data": {
            "name": texts.title,
            "fingerprint": texts.fingerprint,
            "source": sources["dataset"],
            "embeddings_sha256": prepared.embeddings_sha256,
            "rows_per_class": texts.rows_per_class.tolist(),
            **{key: container["dataset"].get(key) for key in ("licence", "paper", "hub_id")},
        },
        "fitted": {
            "rows": int(texts.rows_per_class.sum()),
            "real": len(fitted.data.whole[0].real),
            "synthetic": len(fitted.data.whole[0].augmented.labels),
            "steps": chosen.step if chosen is not None else most_steps(config) if head.kind == STACKED else 0,
            "amount": fitted.amounts[fitted.chosen[0]],
            "members": head.n_members,
            "code": record.code_sha256(),
            "git_commit": record.git_commit(),
            "versions": record.versions(),
        },
        "remarks": [*remarks(source), *_of_the_decision(decision)],
    }
    about = finite(about)
    return Model(head, about, card(about), encoder, tuned=tuned)


def _of_the_decision(decision: Decision) -> list[str]:
    if decision.reached:
        return []
    said = f"{decision.name}: no threshold reaches it on the out-of-fold rows; the nearest is taken"
    log.warning("%s", said)
    return [said]
