"""Rows of csv and tsv: read as a careful reader would, or refused with the line."""

import csv
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synaug.dataset import FileDataset, delimited
from synaug.errors import UserError
from synaug.settings import QUOTING

SIGNS = st.text(st.sampled_from('ab ,;\t"\\\n\r'), max_size=6)


def read(path: Path, content: str | bytes, **settings: Any) -> list[tuple[str, str]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    texts, labels, names, _ = FileDataset(path=str(path), **{"text": "text", "label": "label", **settings}).read()
    return [(text, "" if label is None else names[label]) for text, label in zip(texts, labels, strict=True)]


def refused(path: Path, content: str | bytes, **settings: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(path, content, **settings)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


@given(
    rows=st.lists(st.lists(SIGNS, min_size=2, max_size=2), min_size=1, max_size=5), separator=st.sampled_from(",;\t")
)
def test_what_python_s_csv_writes_is_read_back(rows: list[list[str]], separator: str) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(rows)
    assert [row.fields for row in delimited.rows(file.getvalue(), separator, "double")] == rows


@given(rows=st.lists(st.lists(SIGNS, min_size=2, max_size=2), min_size=1, max_size=5))
def test_what_is_written_with_backslashes_is_read_back(rows: list[list[str]]) -> None:
    def quoted(field: str) -> str:
        return '"{}"'.format(field.replace("\\", "\\\\").replace('"', '\\"'))

    content = "\n".join(",".join(map(quoted, row)) for row in rows)
    assert [row.fields for row in delimited.rows(content, ",", "backslash")] == rows


@given(content=st.text(st.sampled_from('ab,;"\n'), max_size=30), quoting=st.sampled_from(QUOTING))
def test_whatever_the_text_no_sign_is_lost_or_it_is_refused(content: str, quoting: str) -> None:
    try:
        found = list(delimited.rows(content, ",", quoting))
    except delimited.QuoteError:
        return
    kept = "".join("".join(row.fields) for row in found)
    for sign in "ab":
        assert kept.count(sign) == content.count(sign)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines_of_every_kind(tmp_path: Path, end: str) -> None:
    lines = ["", "text,label", "one,a", "   ", '"two, or', 'three",b', "", "four,a", ""]
    rows = read(tmp_path / "a.csv", end.join(lines))
    assert rows == [("one", "a"), (f"two, or{end}three", "b"), ("four", "a")]


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("a.csv", 'a 5" disk,x', 'a 5" disk'),
        ("a.csv", 'he said "no" twice,x', 'he said "no" twice'),
        ("a.csv", '"he said ""no"" twice",x', 'he said "no" twice'),
        ("a.csv", '"quoted" ,x', "quoted"),
        ("a.csv", '"",x', ""),
        ("a.csv", '"""",x', '"'),
        ("a.csv", r"C:\new\"table,x", r"C:\new\"table"),
        ("a.csv", "it's,x", "it's"),
        ("a.csv", "a\u2028b\x0bc\x0cd\x1ce\x85f,x", "a\u2028b\x0bc\x0cd\x1ce\x85f"),
        ("a.tsv", "well, so; or|and\tx", "well, so; or|and"),
    ],
)
def test_fields_are_what_a_reader_sees(tmp_path: Path, name: str, line: str, expected: str) -> None:
    sign = "\t" if name.endswith("tsv") else ","
    assert read(tmp_path / name, f"text{sign}label\n{line}\nother{sign}y\n")[0] == (expected, "x")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        # a lone quote at the start of a text, and a second one far below
        (
            'text\tlabel\na\tx\n"b\tx\nc\ty\n"d\ty\n',
            ["line 3 opens", "closes in line 5 with more text", "dataset.quoting=none"],
        ),
        ('text\tlabel\na\tx\n"b\tx\nc\ty\n', ["line 3 opens a quote that is never closed", "dataset.quoting=none"]),
        # the second one closes a text, so that every reader merges
        ('text\tlabel\na\tx\n"b\tx\nc\ty\nd"\ty\n', ["line 3 opens a quote that spans 3 lines, which look like rows"]),
        (
            'label\ttext\nx\ta\nx\t"b\ny\tc\ny\td"\ny\te\n',
            ["line 3 opens a quote that spans 3 lines, which look like rows"],
        ),
        ('text\tlabel\na\tx\nb\t"x\nc\ty\nd\ty"\ne\ty', ["line 3 opens a quote that spans 3 lines, in a label"]),
        ('id\ttext\tlabel\n0\ta\tx\n1\t"b\tx\n2\tc"\ty\n', ["line 3 opens a quote that spans 2 lines"]),
        # in the header
        ('"text\tlabel\na\tx\nb\ty\n', ["line 1 opens a quote that is never closed"]),
        ('"text\tlabel\na\tx\n"b\ty\n', ["line 1 opens a quote that closes in line 3"]),
        ('text\tlabel\t"note\na\tx\t1\nb\ty\t2"\n', ["line 1 opens a quote that spans 3 lines"]),
        # after rows that legitimately span lines
        ('text\tlabel\n"a\nb"\tx\n"c\tx\nd\ty\n', ["line 4 opens a quote that is never closed"]),
        # backslashes
        (
            'text\tlabel\n"a \\"b\\" c"\tx\n"d"\ty\n',
            ["line 2 opens", "in the same line with more", "set dataset.quoting=backslash"],
        ),
        ('text\tlabel\n"a \\"b\\""\tx\n"d"\ty\n', ["line 2 opens", "set dataset.quoting=backslash"]),
        ('text\tlabel\na\tx\nb\t "x"\nc\ty\n', ['line 3 has the label "x", which others write as x']),
        ('text\tlabel\na\tx\nb\tx"\nc\ty\n', ['line 3 has the label x", which others write as x']),
        # numbers of fields
        ("text\tlabel\na\tx\nb\ty\tz\nc\ty\n", ["line 3 has 3 fields, the header 2)", "in double quotes"]),
        (
            "text\tlabel\na\tx\nb\nc\n",
            ["line 3 has 1 field, the header 2, and 1 more row has too many or too few", "complete or remove"],
        ),
        ('text\tlabel\n"a\nb"\tx\nb\n', ["line 4 has 1 field"]),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_its_line(tmp_path: Path, content: str, parts: list[str]) -> None:
    for name, text in (("a.tsv", content), ("a.csv", content.replace("\t", ","))):
        sentence = refused(tmp_path / name, text)
        for part in (f"{name} cannot be read as {name[2:]}", *parts):
            assert part in sentence


def test_the_setting_that_is_advised_reads_every_row(tmp_path: Path) -> None:
    lines = [f"{chr(34) if number % 7 == 0 else ''}text {number}\t{number % 2}" for number in range(50)]
    content = "\n".join(["text\tlabel", *lines])
    assert "dataset.quoting=none" in refused(tmp_path / "a.tsv", content)
    rows = read(tmp_path / "a.tsv", content, quoting="none")
    assert len(rows) == 50
    assert rows[7] == ('"text 7', "1")
    content = 'text,label\n"a \\"b\\", c \\\\ \\n",x\ne \\"f\\",y\n'
    assert "dataset.quoting=backslash" in refused(tmp_path / "a.csv", content)
    assert read(tmp_path / "a.csv", content, quoting="backslash") == [('a "b", c \\ \\n', "x"), ('e "f"', "y")]


def test_texts_of_several_lines_are_read_without_a_word(tmp_path: Path) -> None:
    content = 'label,text\nx,"one, two\nthree, four"\ny,"five\n\nsix, x"\n'
    assert read(tmp_path / "a.csv", content) == [("one, two\nthree, four", "x"), ("five\n\nsix, x", "y")]
    content = 'text,label\n"one, two\nthree, four",x\n"five\n\nsix, x",y\n'
    assert read(tmp_path / "a.csv", content) == [("one, two\nthree, four", "x"), ("five\n\nsix, x", "y")]


def test_what_looks_merged_is_one_field_where_the_user_says_so(tmp_path: Path) -> None:
    content = 'text,label\na,x\n"b,x\nc",y\n'
    assert "dataset.quoting=double" in refused(tmp_path / "a.csv", content)
    assert read(tmp_path / "a.csv", content, quoting="double") == [("a", "x"), ("b,x\nc", "y")]


@pytest.mark.parametrize(
    ("sign", "name"), [(";", "a.csv"), ("\t", "a.csv"), ("|", "a.csv"), (",", "a.tsv"), (";", "a.tsv")]
)
def test_separators_are_found_out(tmp_path: Path, sign: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    other = "," if sign != "," else ";"
    for quote in ("", '"'):
        header = sign.join(f"{quote}{column}{quote}" for column in ("id", "text", "label"))
        content = f"{header}\n1{sign}well{other} so{sign}x\n2{sign}or{sign}y\n"
        assert read(tmp_path / name, content) == [(f"well{other} so", "x"), ("or", "y")]
    assert f"columns are separated by {sign!r}" in caplog.text


def test_the_ending_s_own_separator_goes_first(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "text,label,text;label\na;b,x,1\nc,y,2\n") == [("a;b", "x"), ("c", "y")]


def test_excel_s_line_with_the_separator_is_no_header(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "sep=;\r\ntext;label\r\na, b;x\r\nc;y\r\n") == [("a, b", "x"), ("c", "y")]


@pytest.mark.parametrize("given", ["comma", ","])
def test_a_separator_can_be_given(tmp_path: Path, given: str) -> None:
    assert read(tmp_path / "a.tsv", "text,label\na\tb,x\nc,y\n", separator=given) == [("a\tb", "x"), ("c", "y")]
    assert read(tmp_path / "a.csv", "text~label\na,x~y\n", separator="~") == [("a,x", "y")]


def test_the_columns_are_named_by_the_separator_that_makes_most_of_them(tmp_path: Path) -> None:
    sentence = refused(tmp_path / "a.csv", "body;topic\na, b;x\n")
    assert "has no column 'text'; it has 'body', 'topic' in its first line" in sentence


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_marks_of_other_encodings_are_read(tmp_path: Path, name: str, encoding: str) -> None:
    sign = "\t" if name == "a.tsv" else ","
    rows = [("ünï 🙂", "x"), ("b", "y")]
    content = "\n".join([f"text{sign}label", *(sign.join(row) for row in rows)])
    if name == "a.jsonl":
        content = "\r\n".join(f'{{"text": "{text}", "label": "{label}"}}' for text, label in rows)
    assert read(tmp_path / name, content.encode(encoding)) == rows


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("text,label\na,x\n".encode("utf-16-le"), "looks like UTF-16 without its mark: save it as UTF-8"),
        ("text,label\na,x\n".encode("utf-16-be"), "looks like UTF-16 without its mark"),
        (b"text,label\na,x\nb\0,y\n", "(line 3) is a NUL, which no text file contains: mend the file"),
        (b"\0" * 100, "byte 1 of"),
        ("text,label\na,x\n".encode("utf-16")[:-1], "begins with the mark of UTF-16, but byte"),
        (b"PK\x03\x04\x14\x00", "a zip archive, as Excel's workbooks are: export it as csv"),
        (b"\x1f\x8b\x08\x00", "compressed: unpack it"),
        (b"PAR1\x15\x04", "a parquet file: give it the ending .parquet"),
        (b"\xef\xbb\xbftext,label\n\xe9,x\n", "byte 15 of"),
        (b"text,label\n", "has no rows, only columns: add texts and labels"),
        (b"text\na\nb\n", "has no column 'label'; it has 'text' in its first line"),
        (b"text,label,text\na,x,b\n", "has 2 columns called 'text': rename all but one"),
        (b" \n\n", "is empty: give a file with the columns"),
    ],
)
def test_what_is_no_table_of_text_is_called_by_its_name(tmp_path: Path, content: bytes, part: str) -> None:
    assert part in refused(tmp_path / "a.csv", content)


def test_white_space_around_a_column_s_name_does_not_count(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "text, label\nx,1\ny,2\n") == [("x", "1"), ("y", "2")]
    assert read(tmp_path / "a.csv", " text,label \nx,1\ny,2\n") == [("x", "1"), ("y", "2")]


def test_a_mark_that_was_put_twice_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "\ufeff\ufefftext,label\nx,1\ny,2\n") == [("x", "1"), ("y", "2")]


def test_quotes_behind_a_space_are_no_part_of_a_label_without_a_word(tmp_path: Path) -> None:
    content = 'text,label\nx, "1"\ny, "2"\n'
    assert "line 2 has a space before the quote of the label" in refused(tmp_path / "a.csv", content)
    assert read(tmp_path / "a.csv", content, quoting="double") == [("x", '"1"'), ("y", '"2"')]


def test_a_field_of_megabytes_is_read(tmp_path: Path) -> None:
    text = "word, " * 500_000 + "end"
    assert read(tmp_path / "a.csv", f'text,label\n"{text}",x\nb,y\n')[0] == (text, "x")
    assert "line 2 opens a quote that is never closed" in refused(tmp_path / "a.csv", f'text,label\n"{text},x\nb,y\n')


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"quoting": "single"}, "dataset.quoting=single must be one of double, backslash, none, or null"),
        ({"quoting": True}, "dataset.quoting=true must be one of"),
        (
            {"separator": ", "},
            "dataset.separator=,  must be one of comma, semicolon, tab, bar, one other character, or null",
        ),
        ({"separator": '"'}, "dataset.separator"),
        ({"separator": "a"}, "dataset.separator"),
        ({"separator": 5}, "dataset.separator=5 must be"),
        ({"separator": ["a"]}, "dataset.separator"),
    ],
)
def test_settings_that_are_none_are_named(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError) as caught:
        FileDataset(path="a.csv", text="text", label="label", **settings)
    assert part in str(caught.value)


def test_separator_and_quoting_say_nothing_to_other_formats() -> None:
    for settings in ({"separator": "tab"}, {"quoting": "none"}):
        with pytest.raises(UserError, match=r"are for csv and tsv, not for a\.jsonl: leave them out"):
            FileDataset(path="a.jsonl", text="text", label="label", **settings)
