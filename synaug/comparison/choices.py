"""What is chosen on out-of-fold rows, split by split: rules, and the best methods without synthesis and with it."""

import pandas as pd

from synaug.comparison.labels import CHOSEN, METHOD, NO_AUGMENTER, PICKED, PLAIN_LOSS, methods_of
from synaug.scores.decision import CANDIDATE_RULES

SPLIT = ["seed", "fold"]
KEY = ["scenario", *METHOD, *SPLIT]
# All may come as categories; scenarios stay so, as values are slow to group.
KINDS = {"scenario": "category", **dict.fromkeys(METHOD, "str")}
# Scores that differ by less are equal: the same rows, added up in another order.
DECIMALS = 12
# Where the chosen method's own names stand beside the names of the method that chooses.
TAKEN = [f"taken_{name}" for name in METHOD]
COLUMNS = [*KEY, "with_synthesis", *TAKEN, "out_of_fold"]


def choose(out_of_fold: pd.DataFrame) -> pd.DataFrame:
    """Choose by the loss on out-of-fold rows, for each split alone, whatever metric is compared later.

    Parameters
    ----------
    out_of_fold
        scenario, augmenter, loss, decision, seed, fold, with_synthesis, value: the loss, of which less is better.
        Rules that are no candidates are passed over. Where a column `new_points` is there, it says whether the method
        made any in this split; else a method with synthesis does so in each.

    Returns
    -------
    DataFrame
        `COLUMNS`: the choosing method, the split, the method that is taken there, its loss. The choosing methods are

        - each augmenter and loss under decision `chosen`: the better of the candidate rules;
        - `best without synthesis`: the best of all methods (augmenter, loss and candidate rule) that make no new point;
        - `best with synthesis`: the best of all others that made a new point in this split; where none did, as
          amount=auto chose 0, the best of all others.

        The best are picked on the splits that all methods of the scenario have, so that neither has fewer to pick from
        somewhere. Of equals the earlier candidate rule is taken, then the plain loss, then losses by name, then `none`,
        then augmenters by name.
    """
    known = out_of_fold[out_of_fold["decision"].isin(CANDIDATE_RULES)].astype(KINDS).dropna(subset="value")
    order = known.assign(
        value=known["value"].round(DECIMALS),
        _rule=known["decision"].map(CANDIDATE_RULES.index).astype(int),
        _loss=known["loss"] != PLAIN_LOSS,
        _augmenter=known["augmenter"] != NO_AUGMENTER,
    ).sort_values(["value", "_rule", "_loss", "loss", "_augmenter", "augmenter"])
    order = order.rename(columns={"value": "out_of_fold"})
    order = order.assign(**{taken: order[name] for taken, name in zip(TAKEN, METHOD, strict=True)})
    chosen = order.drop_duplicates(["scenario", "augmenter", "loss", *SPLIT]).assign(decision=CHOSEN)
    n_methods = chosen.groupby(["scenario", *SPLIT], observed=True)["out_of_fold"].transform("size")
    of_scenario = chosen[["scenario", "augmenter", "loss"]].drop_duplicates().groupby("scenario", observed=True).size()
    complete = chosen[n_methods == chosen["scenario"].map(of_scenario).astype(int)]
    made_none = complete["with_synthesis"] & ~complete.get("new_points", complete["with_synthesis"])
    in_turn = complete.assign(_made_none=made_none).sort_values("_made_none", kind="stable")
    best = in_turn.drop_duplicates(["scenario", "with_synthesis", *SPLIT])
    without, with_synthesis = PICKED
    named = best["with_synthesis"].map({False: without, True: with_synthesis})
    made = pd.concat([chosen, best.assign(augmenter=named.astype("str"), loss=PLAIN_LOSS)], ignore_index=True)
    return made[COLUMNS]


def with_choices(scores: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """Add to the scores of one metric those of what `choose` made.

    Parameters
    ----------
    scores
        Of test rows: scenario, augmenter, loss, decision, seed, fold, with_synthesis, value.
    choices
        What `choose` returns.

    Returns
    -------
    DataFrame
        `scores` with a column `chosen_from`, the `Method` that was taken, and with the rows of the choosing methods. A
        split without a test score of what was chosen gets no such row.
    """
    scores = scores.astype(KINDS)
    taken = dict(zip(METHOD, TAKEN, strict=True))
    scored = choices.merge(scores[[*KEY, "value"]].rename(columns=taken), on=["scenario", *TAKEN, *SPLIT]).dropna(
        subset="value"
    )
    names = scored[TAKEN].set_axis(METHOD, axis=1)
    added = scored[[*KEY, "with_synthesis", "value"]].assign(chosen_from=methods_of(names))
    return pd.concat([scores, added], ignore_index=True)
