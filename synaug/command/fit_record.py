"""From a verdict to a classifier: the favoured method's own run, made once more on all rows, and kept as a model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from synaug import record
from synaug.command.remake import Wanted, recorded_config, same_sources
from synaug.errors import UserError
from synaug.record.cost import Cost
from synaug.record.store import finite
from synaug.scores.decision import ARGMAX, CANDIDATE_RULES
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
        Those of the verdict's metric for all that was picked in each split among methods of this kind, so that it has
        the choice of the method in it; empty where there is no verdict.
    """

    favoured: "Favoured"
    rule: str
    need: Need | None
    record: Mapping[str, Any]
    estimates: Sequence["Estimate"]
    picked: Sequence["Estimate"]


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
    return Source(found, rule, need, recorded, *_estimates(evidence, comparison, found, rule, need, recorded))


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
    evidence: "Evidence",
    comparison: "Comparison | None",
    found: "Favoured",
    rule: str,
    need: Need | None,
    recorded: Mapping[str, Any],
) -> tuple[list["Estimate"], list["Estimate"]]:
    from synaug.comparison import estimate
    from synaug.comparison.labels import BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS
    from synaug.comparison.significance import BETTER

    n_folds = recorded["config"]["n_folds"]
    scored, name = evidence.scores[evidence.scores["identity"] == found.identity], rule
    if need is not None and need.kind != "rule":
        from synaug.comparison import evidence as evidences
        from synaug.report import later

        scored, name = later.judge(evidences.read([found.folder]), [need])[0].scores, need.name
    scores = estimate.of_rule(scored, name)
    picked: list[Estimate] = []
    if comparison is not None and found.outcome is not None and rule in CANDIDATE_RULES:
        kind = BEST_WITH_SYNTHESIS if found.outcome == BETTER else BEST_WITHOUT_SYNTHESIS
        values = comparison.values[found.metric]
        of_kind = values[(values["scenario"] == found.scenario) & (values["augmenter"] == kind.augmenter)]
        picked = estimate.estimates({(found.metric, None): of_kind["value"].to_numpy(np.float64)}, n_folds)
    return estimate.estimates(scores, n_folds), picked


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
        fitted = pipeline.augment_and_fit(config, prepared, Cost(), keep=True)
    return _model(config, source, sources, prepared, fitted)


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

    texts, found, recorded = prepared.texts, source.favoured, source.record
    weights, decision = decision_of(source.need, fitted, texts.class_names, texts.rows_per_class)
    of_split, _ = judged(fitted)
    head = Head.of(of_split.members[weights], fitted.data.target[0])
    chosen = of_split.chosen.get(weights)
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    encoder = instantiate(config.encoder, _convert_="all")
    about = {
        "classes": list(texts.class_names),
        "decision": decision.to_json(),
        "target_prior": container["target_prior"],
        "encoder": {
            "settings": container["encoder"],
            "identity": dict(prepared.encoder),
            "source": sources["encoder"],
            "reads_texts": not isinstance(encoder, BringsVectors),
        },
        "record": {
            **{key: recorded.get(key) for key in ("run", "name", "identity", "choices", "code", "git_commit")},
            "versions": recorded["versions"],
            "scenario": found.scenario.label,
            "method": " ".join(filter(None, (found.method.label_without_rule, source.rule))),
            "outcome": found.outcome,
            "verdict": found.headline,
            "metric": found.metric,
            "seeds": list(recorded["config"]["seeds"]),
            "n_folds": recorded["config"]["n_folds"],
            "estimates": [asdict(each) for each in source.estimates],
            "picked": [asdict(each) for each in source.picked],
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
            "steps": chosen.step if chosen is not None else container["max_steps"] if head.kind == STACKED else 0,
            "amount": fitted.amounts[fitted.chosen[0]],
            "members": head.n_members,
            "code": record.code_sha256(),
            "git_commit": record.git_commit(),
            "versions": record.versions(),
        },
        "remarks": [*remarks(source), *_of_the_decision(decision)],
    }
    about = finite(about)
    return Model(head, about, card(about), encoder)


def _of_the_decision(decision: Decision) -> list[str]:
    if decision.reached:
        return []
    said = f"{decision.name}: no threshold reaches it on the out-of-fold rows; the nearest is taken"
    log.warning("%s", said)
    return [said]
