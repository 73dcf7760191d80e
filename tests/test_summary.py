"""The table that the console shows of a run, and the rows it counts."""

from typing import Any

import pytest

from synaug.record import tables
from synaug.scores import summary

WORDS = "real minority rows that train, and that are left out to choose by: "


def result(*rows: tuple[int, str, int, int], minority: tuple[str, ...] = ("rare",)) -> dict[str, Any]:
    """Splits' (fold, class, real, kept), beside inner folds of fewer rows."""
    inner: list[tuple[Any, ...]] = [(0, fold, 0, name, 1, 1, 0, 0, 0, 0, None) for fold, name, _, _ in rows]
    data: list[tuple[Any, ...]] = [
        (0, fold, None, name, real, kept, 0, 0, 0, 0, None) for fold, name, real, kept in rows
    ]
    names = list(dict.fromkeys(name for _, name, _, _ in rows))
    return {
        "data": {
            "class_names": names,
            "out_of_fold_rows_by_seed": {"0": [3] * len(names)},
            "minority": list(minority),
        },
        "balance": tables.as_table(tables.BALANCE_COLUMNS, [*inner, *data]),
    }


def test_where_all_real_rows_train_their_number_is_said() -> None:
    found = result((0, "big", 45, 45), (0, "rare", 6, 6), (1, "big", 44, 44), (1, "rare", 5, 5))
    assert summary._minority_rows(found) == f"{WORDS}rare 6 and 3"


def test_rows_that_a_sampler_removed_are_not_counted_as_training() -> None:
    found = result((0, "big", 45, 8), (0, "rare", 6, 2), (1, "big", 45, 14), (1, "rare", 6, 6))
    assert summary._minority_rows(found) == (
        f"{WORDS}rare 2 to 6 of 6 and 3\nreal rows of other classes that the sampler kept: big 8 to 14 of 45"
    )


def test_of_many_classes_the_first_five_are_named() -> None:
    found = result(*((0, f"class {number}", 9, 4) for number in range(8)), (0, "rare", 2, 2))
    assert summary._minority_rows(found).endswith("class 4 4 of 9 and 3 more")


@pytest.mark.parametrize("minority", [(), ("rare",)])
def test_a_record_of_before_has_neither_inner_folds_nor_kept_rows(minority: tuple[str, ...]) -> None:
    found = result((0, "big", 45, 8), (0, "rare", 6, 2), minority=minority)
    found["data"]["validation_rows_per_class"] = found["data"].pop("out_of_fold_rows_by_seed")["0"]
    balance = found["balance"]
    keep = [place for place, name in enumerate(balance["columns"]) if name not in ("inner", "kept", "new")]
    at = balance["columns"].index("inner")
    found["balance"] = {
        "columns": [balance["columns"][place] for place in keep],
        "data": [[row[place] for place in keep] for row in balance["data"] if row[at] is None],
    }
    words = "rare 6 and 3" if minority else "no minority"
    assert summary._minority_rows(found) == WORDS + words
