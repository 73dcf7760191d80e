"""Texts that somebody else wrote: what of a file is used where, what is refused, and that nothing leaks."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from sklearn.metrics.pairwise import cosine_similarity

import synaug
from synaug import record as records
from synaug.augmenter import Augmenter, Texts, ToAugment, TrainingRows
from synaug.augmenter.texts import said_of_texts
from synaug.command import explain_rows
from synaug.command.folders import scientific_sources
from synaug.dataset import LabelledTexts, MatchedTexts, WrittenTexts
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.splits import make_splits
from synaug.splits.near_copies import NEAR
from synaug.training.training_sets import augment
from synaug.validation import Nested
from tests import toy
from tests.conftest import composed
from tests.program import BRIEF, TOY, Outcome, Program, without_cost

CLASSES = ("sport", "trade")


def dataset(
    texts: tuple[str, ...] = ("a goal", "a share", "a win"), labels: tuple[int, ...] = (0, 1, 0)
) -> LabelledTexts:
    return LabelledTexts("toy", list(texts), np.array(labels), CLASSES, shown_as="my data")


def csv(folder: Path, *rows: tuple[str, ...], columns: str = "text,label,source", **settings: Any) -> WrittenTexts:
    path = folder / "new.csv"
    pd.DataFrame(list(rows), columns=columns.split(",")).to_csv(path, index=False)
    return WrittenTexts(path=str(path), **settings)


def matched(folder: Path, *rows: tuple[str, ...], **settings: Any) -> MatchedTexts:
    return csv(folder, *rows, **settings).matched(dataset())


def refused(folder: Path, *rows: tuple[str, ...], **settings: Any) -> str:
    with pytest.raises(UserError) as caught:
        matched(folder, *rows, **settings)
    return str(caught.value).replace(str(folder), "")


# The file


def test_texts_are_cleaned_merged_and_matched_as_a_data_set_is(tmp_path: Path) -> None:
    found = matched(
        tmp_path,
        (" a late goal ", "sport", " a goal"),
        ("a late goal", "sport", "a win"),  # the same text, of another source
        ("a cheap share", "trade", "a share"),
        ("a goal", "sport", "a win"),  # a text of the data set
        ("a share", "sport", "a win"),  # another one, under another label
        ("both", "sport", "a goal"),
        ("both", "trade", "a goal"),
        ("of nothing", "sport", "a gaol"),
        ("a losing bet", "trade", "a win"),  # made of a row of another class
    )
    assert found.texts == ["a late goal", "a cheap share", "a losing bet"]
    assert found.labels.tolist() == [0, 1, 1]
    assert found.derived.tolist() == [[0, 0], [0, 2], [1, 1], [2, 2]]
    content = found.report.pop("content")
    assert content.startswith("file:sha256:")
    assert found.report == {
        "rows_read": 9,
        "empty_rows_dropped": 0,
        "rows_of_dropped_classes": 0,
        "distinct_texts": 7,
        "rows_merged": 2,
        "contradicting_texts_dropped": 1,
        "texts_of_the_data_set": 2,
        "sources_unknown": 1,
        "derived_from_another_class": 1,
        "texts": 3,
        "texts_per_class": [1, 2],
    }


def test_a_text_may_have_several_sources_and_needs_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    rows = [
        {"text": "of two", "label": "sport", "source": ["a win", "a goal "]},
        {"text": "of one that is gone", "label": "sport", "source": ["a win", "gone"]},
        {"text": "of one", "label": "trade", "source": "a share"},
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    found = WrittenTexts(path=str(path)).matched(dataset())
    assert (found.texts, found.derived.tolist()) == (["of two", "of one"], [[0, 0], [0, 2], [1, 1]])
    assert found.report["sources_unknown"] == 1


def test_rows_of_a_class_that_the_data_set_dropped_are_left_out(tmp_path: Path) -> None:
    of_data = LabelledTexts("toy", ["a goal", "a share"], np.array([0, 1]), CLASSES, {"classes_dropped": {"space": 1}})
    found = csv(tmp_path, ("a moon", "space", "a goal"), ("a new goal", "sport", "a goal")).matched(of_data)
    assert (found.texts, found.report["rows_of_dropped_classes"]) == (["a new goal"], 1)


def test_labels_that_are_numbers_are_found_as_tables_write_them(tmp_path: Path) -> None:
    path = tmp_path / "new.parquet"
    pd.DataFrame({"text": ["x", "y"], "label": [0.0, 1.0], "source": ["a goal", "a goal"]}).to_parquet(path)
    of_data = LabelledTexts("toy", ["a goal"], np.array([0]), ("0", "1"))
    assert WrittenTexts(path=str(path)).matched(of_data).labels.tolist() == [0, 1]


def test_rows_that_lack_something_are_refused_or_dropped(tmp_path: Path) -> None:
    rows = [("x", "sport", "a goal"), ("", "sport", "a goal"), ("y", " ", "a goal"), ("z", "sport", "")]
    assert refused(tmp_path, *rows) == (
        "1 of the 4 rows of /new.csv has no text (row 2) and 1 of the 4 rows of /new.csv has no label (row 3) and 1 of "
        "the 4 rows of /new.csv has no source (row 4): fill or remove them, or set augmenter.drop_empty=true to drop "
        "them. A text may train only where the row that it was derived from trains: name it in the column 'source', or "
        "set augmenter.sources=none if nobody knows it"
    )
    found = matched(tmp_path, *rows, drop_empty=True)
    assert (found.texts, found.report["rows_read"], found.report["empty_rows_dropped"]) == (["x"], 4, 3)


def test_a_file_without_sources_is_refused_unless_the_user_knows(tmp_path: Path) -> None:
    two = {"columns": "text,label"}
    sentence = (
        "/new.csv has no column 'source'; it has 'text', 'label' in its first line, which names the columns: set "
        "augmenter.source, or augmenter.sources=none if nobody knows which rows the texts were derived from"
    )
    assert refused(tmp_path, ("x", "sport"), **two) == sentence
    with pytest.raises(UserError, match=r"augmenter\.sources=none if nobody knows"):
        csv(tmp_path, ("x", "sport"), **two).look()
    found = matched(tmp_path, ("x", "sport"), ("a goal", "sport"), sources="none", **two)
    assert (found.texts, found.derived.shape) == (["x"], (0, 2))
    # A column of that name is not read then: what it says cannot be told.
    found = matched(tmp_path, ("x", "sport", "gpt"), ("y", "trade", ""), sources="none")
    assert found.texts == ["x", "y"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("x", "sprot", "a goal"), "1 row has a label in column 'label' of /new.csv that is no class of my data: "
         "'sprot': did you mean 'sport'?"),
        (("x", "Q", "a goal"), "1 row has a label in column 'label' of /new.csv that is no class of my data: 'Q': it "
         "has 'sport', 'trade'"),
        (("x", "sport", "A goal"), "no text of /new.csv was derived from a text of my data; for example, a source of "
         "the text in row 1 is not in it (a cap may have removed it): column 'source' must hold texts of the data set "
         "word for word, or augmenter.source must name another column"),
        (("a goal", "sport", "a win"), "/new.csv has no text that my data could use, because of its 1 distinct texts 1 "
         "are in the data set already and 0 have two labels: add other texts"),
    ],
)  # fmt: skip
def test_what_can_be_of_no_use_is_refused(tmp_path: Path, row: tuple[str, ...], sentence: str) -> None:
    assert refused(tmp_path, row) == sentence


def test_a_file_is_refused_in_the_words_of_its_own_settings(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"augmenter\.path=.*none\.csv is not a file: give the path of a csv"):
        WrittenTexts(path=str(tmp_path / "none.csv")).look()
    with pytest.raises(UserError, match=r"augmenter\.text and augmenter\.label are both x: name two columns"):
        WrittenTexts(path="new.csv", text="x", label="x")
    with pytest.raises(UserError, match=r"augmenter\.sources=maybe must be one of required, none"):
        WrittenTexts(path="new.csv", sources="maybe")
    (tmp_path / "new.csv").write_text('text,label,source\n"x,sport,a goal\n')
    with pytest.raises(UserError, match=r"never closed\): .*augmenter\.quoting=none"):
        WrittenTexts(path=str(tmp_path / "new.csv")).matched(dataset())
    (tmp_path / "new.jsonl").write_text('{"text": ["x"], "label": "sport", "source": "a goal"}\n')
    with pytest.raises(UserError, match=r"row 1 of .* in column 'text', which must hold text"):
        WrittenTexts(path=str(tmp_path / "new.jsonl")).matched(dataset())
    (tmp_path / "new.jsonl").write_text('{"text": "x", "label": "sport", "source": [3]}\n')
    with pytest.raises(UserError, match=r"row 1 of .* has 3 \(int\) in column 'source', which must hold text"):
        WrittenTexts(path=str(tmp_path / "new.jsonl")).matched(dataset())
    assert refused(tmp_path) == "/new.csv has no rows, only columns: add texts and labels"


# Drawing


def unit(*degrees: float) -> NDArray[np.float32]:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def pool(folder: Path, amount: float = 1.0, strict: bool = False, **settings: Any) -> Augmenter:
    """Six rows of trade and six of sport, 30 degrees apart; one text of each row, a degree off it."""
    texts = [f"row {row}" for row in range(12)]
    labels = np.array([0] * 6 + [1] * 6)
    rows = [(f"of row {row}", CLASSES[labels[row]], f"row {row}") for row in range(12)]
    csv(folder, *rows)
    augmenter = Augmenter(Texts(path=str(folder / "new.csv"), **settings), amount, strict)
    of_data = unit(*(30 * row for row in range(12)))
    known = augmenter.matched(LabelledTexts("toy", texts, labels, CLASSES))
    assert list(known.texts) == [row[0] for row in rows]
    assert augmenter.sampler.__dict__.keys() == Texts(path="new.csv").__dict__.keys()
    return known.embedded(unit(*(30 * row + 1 for row in range(12))), of_data)


def drawn(augmenter: Augmenter, index: list[int], judged: tuple[int, ...] = (), seed: int = 0) -> Any:
    labels = np.array([0] * 6 + [1] * 6)
    rows = TrainingRows(unit(*(30 * row for row in range(12))), labels, np.array(index))
    task = ToAugment(rows, np.random.RandomState(seed), judged=np.array(judged, dtype=np.int64))
    (found,) = augmenter.augment_all([task], CLASSES)
    return found


def test_a_text_is_used_only_where_its_source_trains(tmp_path: Path) -> None:
    found = drawn(pool(tmp_path), [0, 1, 2, 3, 4, 7, 9])
    assert found.given.index[found.parents].tolist() in ([[7, 7], [9, 9]], [[9, 9], [7, 7]])
    assert found.labels.tolist() == [1, 1]
    entry = found.balance[1]
    assert (entry.real, entry.asked, entry.made, entry.new, entry.made_by_fallback) == (2, 3, 2, 2, 0)
    assert entry.reason == (
        "Texts has 2 of 3 rows for class 'trade': of 6 written texts, 4 were derived from rows that do not train there "
        "and 0 are near copies of rows that judge the model"
    )
    assert found.diagnostics == [
        {"class": 1, "asked": 3, "texts": 6, "derived_from_others": 4, "near_copies": 0, "usable": 2, "used": 2}
    ]


def test_of_a_text_with_several_sources_all_must_train(tmp_path: Path) -> None:
    csv(tmp_path, ("x", "trade", "row 7"), ("x", "trade", "row 9"))
    texts = LabelledTexts("toy", [f"row {row}" for row in range(12)], np.array([0] * 6 + [1] * 6), CLASSES)
    known = Augmenter(Texts(path=str(tmp_path / "new.csv"))).matched(texts)
    augmenter = known.embedded(unit(240), unit(*(30 * row for row in range(12))))
    assert len(drawn(augmenter, [0, 1, 2, 7]).labels) == 0
    found = drawn(augmenter, [0, 1, 2, 7, 9])
    assert found.given.index[found.parents].tolist() == [[7, 9]]


def test_near_copies_of_rows_that_judge_are_left_out_wherever_they_come_from(tmp_path: Path) -> None:
    augmenter = pool(tmp_path)
    # Of row 7's text the cosine to row 7 itself is that of a degree. Row 7 trains and judges here, as it never would.
    found = drawn(augmenter, [0, 1, 2, 3, 4, 7, 9], judged=(7, 11))
    assert found.given.index[found.parents].tolist() == [[9, 9]]
    assert found.diagnostics[0]["near_copies"] == 1
    without = drawn(pool(tmp_path, sources="none"), [0, 1, 2, 3, 4, 7, 9], judged=(6, 8, 10))
    assert (without.parents == -1).all()
    assert without.diagnostics[0] == {
        "class": 1, "asked": 3, "texts": 6, "derived_from_others": 0, "near_copies": 3, "usable": 3, "used": 3
    }  # fmt: skip


def test_a_smaller_amount_is_a_part_of_a_larger_one_and_no_text_comes_twice(tmp_path: Path) -> None:
    index = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    whole, half = (drawn(pool(tmp_path, amount), index) for amount in (2, 1))
    assert len(whole.labels) == 4 == len(np.unique(whole.parents[:, 0]))
    assert half.parents.tolist() == whole.parents[:2].tolist()
    assert [each.reason for each in whole.balance] == [None, None]
    others = {tuple(drawn(pool(tmp_path), index, seed=seed).parents[:, 0].tolist()) for seed in range(8)}
    assert len(others) > 1
    np.testing.assert_allclose(half.synthetic_embeddings, unit(*(30 * index[row] + 1 for row in half.parents[:, 0])))


def test_strict_makes_a_shortfall_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Texts has 2 of 3 rows for class 'trade': .*lower augmenter\.amount or set"):
        drawn(pool(tmp_path, strict=True), [0, 1, 2, 3, 4, 7, 9])


def test_numbers_alone_are_refused() -> None:
    with pytest.raises(UserError, match="augmenter=texts cannot be used inside another sampler"):
        Texts(path="new.csv").fit_resample(unit(0, 10, 20), np.array([0, 0, 1]))


# Training sets: what leaks


@pytest.mark.parametrize("sources", ["required", "none"])
@pytest.mark.parametrize("ratio", [None, 5])
def test_no_text_trains_a_model_that_its_source_or_a_near_copy_judges(
    tmp_path: Path, sources: str, ratio: float | None
) -> None:
    names = ("sport", "trade", "space")
    texts, classes = toy.texts(40, names)
    labels = np.array([names.index(name) for name in classes])
    if ratio is None:
        kept = np.flatnonzero((labels != 2) | (np.arange(len(labels)) % 3 == 0))
        texts, labels = [texts[row] for row in kept], labels[kept]
    of_data = LabelledTexts("toy", texts, labels, names)
    toy.written(texts, [names[label] for label in labels]).to_csv(tmp_path / "new.csv", index=False)
    encoder = toy.HashingEncoder(5)  # so few numbers that many texts are near copies
    embeddings = encoder.encode(texts)
    known = Augmenter(Texts(path=str(tmp_path / "new.csv"), sources=sources)).matched(of_data)
    own = encoder.encode(known.texts)
    own += np.random.RandomState(0).uniform(0, 1e-3, own.shape).astype(np.float32)  # so that a row tells its text
    source_of: dict[str, str] = dict(pd.read_csv(tmp_path / "new.csv")[["text", "source"]].itertuples(index=False))
    row_of = {row.tobytes(): texts.index(source_of[text]) for row, text in zip(own, known.texts, strict=True)}
    assert len(row_of) == len(own)
    known = known.embedded(own, embeddings)
    splits = make_splits(
        "toy", labels, names, ImbalanceRatio(ratio), seeds=[0, 1], n_folds=4, validation=Nested(n_folds=3)
    )
    data = augment(of_data, embeddings, splits, known, {}, ratio=ratio, replicas=2)
    n_made = n_near = 0
    for index, training_set in enumerate(data.training_sets):
        judged = np.concatenate([training_set.split.test, training_set.left_out])
        assert not np.isin(judged, training_set.rows).any()
        made = training_set.augmented.synthetic_embeddings
        if sources == "required":
            derived_from = np.array([row_of[row.tobytes()] for row in made], dtype=np.int64)
            assert np.isin(derived_from, training_set.rows).all()
            np.testing.assert_array_equal(data.parents(index), np.stack([derived_from, derived_from], axis=1))
        assert not len(made) or cosine_similarity(made, embeddings[judged]).max() <= NEAR + 1e-6
        n_made += len(made)
        n_near += sum(row["near_copies"] for row in training_set.augmented.diagnostics)
    assert n_made > 100
    assert n_near > 0


# Identity


def test_the_file_s_content_enters_the_identity_and_its_path_does_not(tmp_path: Path) -> None:
    def identity(path: Path, *more: str) -> str:
        config = composed("augmenter=texts", f"augmenter.path={path}", *more)
        plain: Any = OmegaConf.to_container(OmegaConf.masked_copy(config, [*records.SCIENTIFIC, "seeds"]))
        return records.identity(plain, scientific_sources(config))

    one, same, other = (tmp_path / name for name in ("one.csv", "same.csv", "other.csv"))
    for path, text in ((one, "x"), (same, "x"), (other, "y")):
        path.write_text(f"text,label,source\n{text},sport,a goal\n")
    assert identity(one) == identity(same) != identity(other)
    assert identity(one, "augmenter.sources=none") != identity(one)
    idle = {identity(path, "augmenter.amount=0") for path in (one, other, tmp_path / "nowhere.csv")}
    assert len(idle) == 1
    averaged = {identity(path, "augmenter.amount=0", "augmenter.replicas=3") for path in (one, other)}
    assert len(averaged) == 1
    assert set(scientific_sources(composed("augmenter=smote"))) == {"dataset", "encoder"}


# The whole program


def ok(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.err
    return outcome


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A file beside that of the fixture `csv`."""
    path = tmp_path / "written.csv"
    toy.written(*toy.texts(60), n_each=2).to_csv(path, index=False)
    return path


def test_two_runs_are_equal_and_the_record_says_what_became_of_the_texts(
    program: Program, csv: str, written: Path, tmp_path: Path
) -> None:
    arguments = [*TOY, csv, "augmenter=texts", "seeds=[0,1]"]
    outcome = ok(program(*arguments, f"augmenter.path={written}"))
    again = Program(tmp_path / "again")
    ok(again(*arguments, f"augmenter.path={written}"))
    record = program.record()
    assert without_cost(again.record()) == without_cost(record)
    report = record["written_texts"]
    assert report["content"].startswith("file:sha256:")
    assert (report["sources"], report["rows_read"], report["texts_per_class"]) == ("required", 240, [120, 120])
    balance = pd.DataFrame(record["balance"]["data"], columns=record["balance"]["columns"])
    minority = balance[balance["class"] == "trade"]
    assert (minority["made"] == 2 * minority["real"]).all()
    # The toy encoder gives some of these texts the vector of a given row.
    assert 0.9 * minority["made"].sum() < minority["new"].sum() <= minority["made"].sum()
    assert (minority["made_by_fallback"] == 0).all()
    assert minority["reason"].str.contains("were derived from rows that do not train there").all()
    assert {row["class"] for row in record["diagnostics"]} == {"trade"}
    made, asked = minority["made"].sum(), minority["asked"].sum()
    (sentence,) = record["warnings"]
    assert sentence == (
        f"there are fewer written texts than were asked for: over all 48 training sets they gave {made:,} of {asked:,} "
        "rows for class 'trade'; nothing was made in their place"
    )
    assert sentence in " ".join(outcome.err.split())
    (run,) = program.run_folders
    assert run.name.startswith("files-toy-ir5-texts-plain-mlp-nested-")


def test_a_written_row_is_explained_by_its_own_text(
    program: Program, csv: str, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ok(program(*BRIEF, csv, "augmenter=texts", f"augmenter.path={written}"))
    (run,) = program.run_folders
    configs = ["--config-dir", TOY[0].partition("=")[2]]
    assert explain_rows.main([str(run), "--row", "0", "--row", "3", "--json", *configs]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    table = pd.read_csv(written)
    sources = table.set_index("text")["source"].to_dict()
    for row in rows:
        assert [parent["text"] for parent in row["parents"]] == [sources[row["written"]]]
    assert explain_rows.main([str(run), "--row", "0", *configs]) == 0
    said = capsys.readouterr().out
    assert f"  written: “{rows[0]['written']}”" in said
    assert "  derived from row " in said
    # A folder of runs is none, and says which there are.
    assert explain_rows.main([str(run.parent)]) == 1
    assert f"holds several runs: give the folder of one, e.g. {run}" in capsys.readouterr().err


def test_a_run_stays_recorded_when_the_file_moves_and_not_when_it_changes(
    program: Program, csv: str, written: Path
) -> None:
    arguments = [*BRIEF, csv, "augmenter=texts"]
    ok(program(*arguments, f"augmenter.path={written}"))
    moved = written.rename(written.with_name("moved.csv"))
    assert "already recorded" in ok(program(*arguments, f"augmenter.path={moved}")).err
    with moved.open("a") as file:
        file.write("one more,trade,unheard of\n")
    ok(program(*arguments, f"augmenter.path={moved}"))
    assert len(program.run_folders) == 2
    counts = [record["written_texts"]["sources_unknown"] for record in program.records()]
    assert sorted(counts) == [0, 1]
    said = [sentence for record in program.records() for sentence in record["warnings"] if "not used" in sentence]
    assert said == [
        "1 written texts were not used, as one of their sources is not in the data set word for word (a cap may "
        "have taken it away)"
    ]


def test_more_seeds_extend_a_run_and_a_sweep_leaves_out_what_is_recorded(
    program: Program, csv: str, written: Path, tmp_path: Path
) -> None:
    arguments = [*BRIEF, csv, f"augmenter.path={written}"]
    sweep = ["--multirun", "augmenter=texts", "augmenter.amount=0.2,0.5"]
    ok(program(*arguments, *sweep))
    ok(program(*arguments, *sweep, "seeds=[0,1]"))
    assert [record["config"]["seeds"] for record in program.records()] == [[0, 1], [0, 1]]
    at_once = Program(tmp_path / "at-once")
    ok(at_once(*arguments, *sweep, "seeds=[0,1]"))
    for one, other in zip(program.records(), at_once.records(), strict=True):
        assert one["warnings"] == other["warnings"]
        assert one["scores"] == other["scores"]
    before = [(path / "record.json").stat().st_mtime_ns for path in program.run_folders]
    outcome = ok(program(*arguments, *sweep, "seeds=[0,1]"))
    assert "recorded" in outcome.err
    assert [(path / "record.json").stat().st_mtime_ns for path in program.run_folders] == before


def test_sources_that_nobody_knows_are_warned_of(program: Program, csv: str, written: Path) -> None:
    pd.read_csv(written).drop(columns="source").to_csv(written, index=False)
    given = [*BRIEF, csv, "augmenter=texts", f"augmenter.path={written}"]
    outcome = program(*given)
    assert outcome.code == 1
    assert "has no column 'source'" in outcome.err
    assert program.records() == []
    outcome = ok(program(*given, "augmenter.sources=none"))
    first = program.record()["warnings"][0]
    assert first.startswith("augmenter.sources=none: nobody knows which rows the written texts were derived from")
    assert "augmenter.sources=none: nobody knows" in outcome.err


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ([], "augmenter.path is required: give augmenter.path=..."),
        (["augmenter.path=nowhere.csv"], "augmenter.path=nowhere.csv is not a file"),
        (["augmenter.path={written}", "augmenter.text=body"], "has no column 'body'"),
        (["augmenter.path={written}", "augmenter.sources=some"], "sources=some must be one of required, none"),
        (["augmenter.path={written}", "augmenter.source=text"], "augmenter.text and augmenter.source are both text"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_file_is_said_before_anything_is_loaded(
    program: Program, csv: str, written: Path, settings: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synaug.pipeline.load", lambda config: pytest.fail("it is too late"))
    outcome = program(*TOY, csv, "augmenter=texts", *(each.format(written=written) for each in settings))
    assert outcome.code == 1
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err


def test_it_is_used_from_python_as_on_the_command_line(csv: str, written: Path, tmp_path: Path) -> None:
    done = synaug.run(
        *BRIEF[1:],
        csv,
        config_dir=TOY[0].removeprefix("--config-dir="),
        augmenter="texts",
        output_dir=tmp_path / "runs",
        cache_dir=tmp_path / "cache",
        **{"augmenter.path": written},
    )
    assert done.record["written_texts"]["texts"] == 240
    with pytest.raises(UserError, match=r"augmenter\.path is required"):
        synaug.run(*TOY[1:], csv, config_dir=TOY[0].removeprefix("--config-dir="), augmenter="texts")


@pytest.mark.parametrize(
    "settings",
    [
        ["dataset=rotten_tomatoes", "dataset.max_per_class=50", "imbalance_ratio=ir5"],
        ["dataset=trec", "dataset.max_per_class=80", "imbalance_ratio=natural"],
    ],
    ids=lambda settings: settings[0],
)
def test_a_small_run_on_real_texts(program: Program, mirror: Path, settings: list[str], tmp_path: Path) -> None:
    config = composed(*settings)
    ratio = instantiate(config.imbalance_ratio).ratio
    texts = instantiate(config.dataset, _convert_="all").load(proportional=ratio is None, at_least=3)
    labels = [texts.class_names[label] for label in texts.labels]
    toy.written(texts.texts, labels, n_each=2).to_csv(tmp_path / "written.csv", index=False)
    given = [
        *settings,
        "max_steps=8",
        "validation.n_folds=2",
        "report=false",
        f"augmenter.path={tmp_path / 'written.csv'}",
    ]
    ok(program("n_folds=3", "augmenter=texts", *given))
    record = program.record()
    balance = pd.DataFrame(record["balance"]["data"], columns=record["balance"]["columns"])
    assert balance["made"].sum() > 0
    assert (balance["new"] == balance["made"]).all()
    assert (balance["made"] <= balance["asked"]).all()


def test_records_without_written_texts_are_warned_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert said_of_texts({"balance": {}, "diagnostics": []}) == []
