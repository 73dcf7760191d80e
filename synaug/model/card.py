"""The model card: what a model is, what it promises, and what it is not for; as the Hugging Face hub shows it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from synaug.files.escaping import html, shown
from synaug.scores.decision import ARGMAX, CANDIDATE_RULES
from synaug.scores.needs import COST
from synaug.settings import BATCH

FIRST = ("balanced_accuracy", "f1_macro", "minority_recall", "minority_precision", "accuracy")
CALIBRATION = ("log_loss", "brier_score", "calibration_error")
WORDS = {
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
    "minority_recall": "recall of the minority",
    "minority_precision": "precision of the minority",
    "accuracy": "accuracy",
    "log_loss": "log loss (nats)",
    "brier_score": "Brier score",
    "calibration_error": "expected calibration error",
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
}
# What the hub calls a metric that it knows.
OF_THE_HUB = {"accuracy": "accuracy", "f1_macro": "f1", "brier_score": "brier_score"}
MOST_CLASSES = 200


def card(config: Mapping[str, Any]) -> str:
    """The card of a model, from what its ``config.json`` says."""
    return "\n".join(
        ["---", yaml.safe_dump(_front(config), sort_keys=False, allow_unicode=True) + "---", *_body(config), ""]
    )


def promised(record: Mapping[str, Any]) -> list[str]:
    """What matters first, as the outer splits estimate it: of the method, and with all choices made again."""
    first, anew = (_wanted(record[of], record["measures"]) for of in ("estimates", "picked"))
    if not first:
        return []
    said = [", ".join(f"{shown(_name(each))} {_with_interval(each)}" for each in first)]
    if anew:
        several = len(anew) > 1
        again = ", ".join(f"{shown(_name(each)) if several else ''} {_with_interval(each)}".strip() for each in anew)
        said.append(f"with the method chosen again in each split {again}")
    return [f"on rows not used for training: {'; '.join(said)}"]


def _front(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the hub reads."""
    data, record = config["data"], config["record"]
    encoder = config["encoder"]["settings"]
    by_name = {each["metric"]: each for each in record["estimates"] if each["label"] is None}
    metrics = [
        {
            "type": OF_THE_HUB.get(name, shown(name)),
            "name": shown(_name(by_name[name])),
            "value": by_name[name]["value"],
        }
        for name in _first(record, CALIBRATION)
        if name in by_name
    ]
    dataset = {"name": shown(data["name"]), "type": data.get("hub_id") or "own-file"}
    result = {
        "task": {"type": "text-classification", "name": "text classification"},
        "dataset": dataset,
        "metrics": metrics,
    }
    front: dict[str, Any] = {
        "library_name": "synaug",
        "pipeline_tag": "text-classification",
        "license": "other",
        "license_name": "see-below",
        "tags": ["text-classification", "imbalanced-learning", "synaug"],
        "metrics": [metric["type"] for metric in metrics],
    }
    if data.get("hub_id"):
        front["datasets"] = [data["hub_id"]]
    model = str(encoder.get("model", ""))
    of_the_hub = str(config["encoder"].get("source", "")).startswith("hub:") or encoder.get("package")
    if of_the_hub and model.count("/") == 1:  # else it may be a folder, which is nobody else's
        front["base_model"] = model
    if metrics:
        front["model-index"] = [{"name": shown(record["run"]), "results": [result]}]
    return front


def _body(config: Mapping[str, Any]) -> Iterator[str]:
    record, data, fitted = config["record"], config["data"], config["fitted"]
    yield f"# {_text(data['name'])}: {_text(record['method'])}"
    yield ""
    yield (
        f"This classifier tells {len(config['classes'])} classes of texts apart. It was fitted by "
        "[synaug](https://arxiv.org/abs/2501.06434) on all rows of the data set. Its scores are those of the run "
        f"{_code(record['run'])}, in which each row is tested by models that did not train on it."
    )
    yield ""
    yield "## Verdict"
    yield ""
    yield from _verdict(record)
    yield ""
    yield "## What it promises"
    yield ""
    yield from _scores(config)
    yield ""
    if config["remarks"]:
        yield from (f"- {_text(remark[:1].upper() + remark[1:])}." for remark in config["remarks"])
        yield ""
    yield "## Calibration"
    yield ""
    yield from _table(_wanted(record["estimates"], CALIBRATION), record["picked"])
    yield ""
    yield said_of_probabilities(config)
    yield ""
    yield "## Classes"
    yield ""
    yield from _classes(config)
    yield ""
    yield "## How it was fitted"
    yield ""
    yield from _fitted(config, fitted)
    yield ""
    yield "## Data and licence"
    yield ""
    yield f"- Data set: {_text(data['name'])}, {fitted['rows']:,} rows, fingerprint {_code(data['fingerprint'][:16])}."
    yield f"- Licence of the data: {_text(data.get('licence') or 'not stated in the configuration')}."
    if data.get("paper"):
        yield f"- Source: {_text(data['paper'])}."
    yield "- The encoder has a licence of its own, too. Both licences may apply to this model."
    yield ""
    yield "## What it is not for"
    yield ""
    yield "- Texts unlike those of the data set: of another language, source, length or time. Nothing was tested there."
    yield "- Texts that belong to none of these classes: one of them is named all the same, unless the rule abstains."
    yield "- Decisions about people, unless a person looks at each of them."
    if config["encoder"].get("tuned") is not None:
        yield "- Vectors in place of texts: no encoder but its own makes those that it reads."
    elif data.get("embeddings_sha256"):
        yield "- Vectors of another encoder, or of the same one with another pooling."
    yield ""
    yield "## Use"
    yield ""
    yield "```python"
    yield "import synaug"
    yield ""
    yield 'model = synaug.load_model("this/folder")'
    yield "model.predict(texts), model.predict_proba(texts), model.classes_"
    yield "```"
    yield ""
    yield "```"
    yield "synaug predict this/folder new.csv --text body --output predicted.csv"
    yield "```"


def no_verdict(record: Mapping[str, Any]) -> str | None:
    """Why there is no verdict; None where there is one."""
    if not record["chosen"]:
        return "There is no verdict, as the run was named and not chosen from several."
    if record["outcome"] is None:
        return "There is no verdict, as methods with synthesis were not compared with methods without."
    return None


def _verdict(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"Scenario: {_text(record['scenario'])}."
    none = no_verdict(record)
    if none is not None:
        yield none
        if not record["chosen"]:
            return
        among = "the methods that were run"
    else:
        kind = "with" if record["outcome"] == "better" else "without"
        yield f"{_text(record['verdict'][:1].upper() + record['verdict'][1:])}."
        yield f"So the method was chosen from those {kind} synthesis."
        among = "these"
    yield (
        f"Among {among}, it has the lowest mean loss on out-of-fold rows. No test score was used to choose among them."
    )


def _scores(config: Mapping[str, Any]) -> Iterator[str]:
    record, is_need = config["record"], _is_need(config["decision"])
    n_splits = max((each["n_splits"] for each in record["estimates"]), default=0)
    yield (
        f"Means over {n_splits} splits (seeds × folds: {len(record['seeds'])} × {record['n_folds']}), on rows not "
        "used for training, with 95 % intervals (Nadeau and Bengio 2003). These are scores of the procedure that "
        "fitted the model, on training sets that are one fold smaller. A score on the training rows would promise too "
        "much, so none is given."
    )
    yield ""
    if is_need:
        yield _about_the_need(config["decision"])
        yield ""
    yield from _table(_wanted(record["estimates"], _first(record)), record["picked"])
    if record["picked"]:
        n_anew = max(each["n_splits"] for each in record["picked"])
        over = f" (over the {n_anew} splits that all methods have)" if n_anew != n_splits else ""
        also = " In both columns, any threshold is chosen on these rows." if is_need else ""
        kind = (
            " Neither column allows for the choice between methods with and without synthesis, which the verdict made "
            "on the same test rows."
            if record["outcome"] is not None
            else ""
        )
        yield ""
        yield (
            "The means in the second column do not allow for the choice of this method. In the last column, the method "
            f"is chosen again in each split, on the out-of-fold rows of that split alone{over}.{also} Where the two "
            f"differ, trust the last column.{kind}"
        )


def _is_need(decision: Mapping[str, Any]) -> bool:
    """Whether a decision serves what somebody needs, at the data set's frequencies; else it is one of a run's rules."""
    return decision["name"] not in (ARGMAX, *CANDIDATE_RULES)


def _about_the_need(decision: Mapping[str, Any]) -> str:
    """What must be known to read the scores of a decision that serves a need."""
    where = "The scores hold at the class frequencies of the data set, which are also those of the test rows."
    if decision["costs"] is not None:
        return f"The cost of a row is in the unit of the costs that were given. {where}"
    if decision.get("abstain_below") is not None:
        return (
            "Coverage is the share of rows that get a class, and risk the share of these that are wrong. The other "
            f"scores count all rows, each with its most likely class. {where}"
        )
    return f"What was asked for: {_text(decision['name'])}. {where}"


def _first(record: Mapping[str, Any], more: Sequence[str] = ()) -> list[str]:
    """Names of scores, those that matter first."""
    return [*dict.fromkeys([*record["measures"], record["metric"], *FIRST, *more])]


def _name(estimate: Mapping[str, Any]) -> str:
    """What a score is called; of a measure, it has the name of a class in it."""
    metric: str = estimate["metric"]
    return WORDS.get(metric, metric)


def _wanted(estimates: Sequence[Mapping[str, Any]], names: Any) -> list[Mapping[str, Any]]:
    by_name = {each["metric"]: each for each in estimates if each["label"] is None}
    return [by_name[name] for name in names if name in by_name]


def _table(estimates: Sequence[Mapping[str, Any]], anew: Sequence[Mapping[str, Any]] = ()) -> Iterator[str]:
    """Scores with intervals; where `anew` has any, also with the choice of the method made again in each split."""
    again = {each["metric"]: _with_interval(each) for each in anew}
    yield f"| score | mean | 95 % interval |{' chosen again in each split |' if again else ''}"
    yield f"|---|---|---|{'---|' if again else ''}"
    for each in estimates:
        cells = [_text(_name(each)), _number(each), _interval(each)]
        yield f"| {' | '.join([*cells, again.get(each['metric'], '–')] if again else cells)} |"


def _classes(config: Mapping[str, Any]) -> Iterator[str]:
    by_class = {(each["metric"], each["label"]): each for each in config["record"]["estimates"]}
    yield "| class | rows | recall | precision |"
    yield "|---|---|---|---|"
    for name, rows in list(zip(config["classes"], config["data"]["rows_per_class"], strict=True))[:MOST_CLASSES]:
        cells = [
            _with_interval(by_class[metric, name]) if (metric, name) in by_class else "–"
            for metric in ("recall", "precision")
        ]
        yield f"| {_text(name)} | {rows:,} | {' | '.join(cells)} |"
    if len(config["classes"]) > MOST_CLASSES:
        yield ""
        yield f"… and {len(config['classes']) - MOST_CLASSES} more in `config.json`."


def said_of_probabilities(config: Mapping[str, Any]) -> str:
    """For which class frequencies a model's probabilities hold."""
    if config["decision"]["name"] == ARGMAX:
        return "Probabilities are the classifier's own, at the class frequencies that it was trained on."
    if _is_need(config["decision"]):
        if config["decision"].get("abstain_below") is not None:
            return "Probabilities are corrected to the class frequencies of the data set."
        if config["decision"]["costs"] is not None:
            return (
                "Probabilities are corrected to the class frequencies of the data set. The class that costs least is "
                "named, which need not be the most probable one."
            )
        return (
            "Probabilities are corrected to the class frequencies of the data set, and then moved by the threshold "
            "that was chosen, so that the class named has the largest. They say what is decided, not how likely it is."
        )
    moved = "" if config["decision"]["name"] == "prior_corrected" else " Then the rule adds its offsets to them."
    if config["target_prior"] == "natural":
        return f"Probabilities are corrected to the class frequencies of the data set.{moved}"
    return (
        "Probabilities are corrected to classes that are equally frequent: they hold for texts drawn from classes of "
        f"equal size, and not from the data set as it came.{moved}"
    )


def _fitted(config: Mapping[str, Any], fitted: Mapping[str, Any]) -> Iterator[str]:
    choices, decision = config["record"]["choices"], config["decision"]
    yield f"- Encoder: {_text(choices['encoder'])} ({_code(config['encoder']['source'][:80])})."
    tuned = config["encoder"].get("tuned")
    if tuned is not None:
        yield from _tuned(tuned)
    parts = {name: choices.get(name, "plain") for name in ("augmenter", "loss", "classifier")}
    yield f"- Method: {'; '.join(f'{name}: {_text(option)}' for name, option in parts.items())}."
    averaged = "s, whose probabilities are averaged" if fitted["members"] > 1 else ""
    steps = f", trained for {fitted['steps']} steps" if fitted["steps"] else ""
    yield f"- {fitted['members']} classifier{averaged}{steps}."
    yield f"- Rows that it was trained on: {fitted['real']:,} real and {fitted['synthetic']:,} synthetic ones."
    yield f"- Rule: {_text(decision['name'])}{_abstains(decision)}."
    weights = "`head.safetensors`" if tuned is None else "`head.safetensors` and `encoder-….safetensors`"
    yield f"- Class names, offsets, versions and digests: `config.json`. Weights: {weights}; there is no code."


def _tuned(tuned: Mapping[str, Any]) -> Iterator[str]:
    """How an encoder was tuned, and how large what it has of its own is."""
    rank, n_encoders, megabytes = tuned["rank"], tuned["encoders"], tuned["numbers"] * 4 / 1e6
    how = "all of its weights" if rank is None else f"low-rank adapters (LoRA, rank {rank}) of its linear layers"
    when = (
        "together with the classifier"
        if tuned["when"] == BATCH
        else "without synthetic rows, before the classifier was trained on its vectors"
    )
    yield (
        f"- The encoder was tuned on this data set: {how}, {when}, for at most {tuned['max_steps']} steps at a "
        f"learning rate of {tuned['lr']:g}."
    )
    size = f"{tuned['numbers']:,} numbers, {megabytes:,.1f} MB"
    yield (
        f"- Tuned weights: {size}."
        if n_encoders == 1
        else f"- Tuned weights: {n_encoders} encoders, one for each classifier ({size} each). So each text is encoded "
        f"{n_encoders} times."
    )


def _abstains(decision: Mapping[str, Any]) -> str:
    below = decision.get("abstain_below")
    if below is None:
        return ""
    return f", which names no class (None, or an empty cell in a csv) if its probability is below {below:g}"


def _with_interval(each: Mapping[str, Any]) -> str:
    interval = _interval(each)
    return _number(each) + ("" if interval == "–" else f" [{interval}]")


def _interval(each: Mapping[str, Any]) -> str:
    if each["low"] is None:
        return "–"
    return f"{_number(each, 'low')} to {_number(each, 'high')}"


def _number(each: Mapping[str, Any], of: str = "value") -> str:
    """Three decimals; a cost, which may have any size, in four digits."""
    number: float = each[of]
    if each["metric"] != COST:
        return f"{number:.3f}"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _text(text: object) -> str:
    """Text that others chose, in Markdown and never at the start of a line: nothing of it is markup."""
    return "".join(f"\\{sign}" if sign in r"\`*_[]|~" else sign for sign in html(text))


def _code(text: object) -> str:
    """The same as code, in which a backtick would end it."""
    return f"`{html(text).replace('`', '')}`"
