"""What a setting's value stands for, and which names look alike."""

import unicodedata
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from synaug.settings import names

WRITTEN = [
    "true",
    "TRUE",
    "False",
    "NaN",
    "nan",
    "1e3",
    "1_000",
    "null",
    "no",
    "yes",
    "off",
    "007",
    "0x1F",
    "1:30",
]
WRITTEN += ["-1", "+1", "1.0", "1.50", ".5", "inf", "-inf", "1e-5", "x", "2024-01-01", "12345678901234567890123"]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_name_is_found_as_the_command_line_and_as_a_yaml_file_read_it(name: str) -> None:
    parsed: Any = OverridesParser.create().parse_override(f"k=[{name}]").value()
    of_command_line = parsed[0]
    of_yaml: Any = OmegaConf.to_container(OmegaConf.create(f"- {name}\n"))[0]  # type: ignore[index]
    for value in (of_command_line, of_yaml):
        assert names.called(value, ["other", name, "another"]) == [name]


@pytest.mark.parametrize("value", [True, None, 1000.0, 7, float("nan"), "true", "1.0"])
def test_a_value_stands_for_no_other_name(value: object) -> None:
    assert (
        names.called(value, ["x", "", "[", "${x}", "*a", "!y", "1:", "a: b", "???", "&b", "-", "'true'", "1000", "70"])
        == []
    )


def test_text_stands_for_itself_alone() -> None:
    assert names.called("1", ["1", "1.0", "01"]) == ["1"]
    assert names.called("true", ["True", "true"]) == ["true"]
    assert names.called("a", ["a", "b", "a"]) == ["a", "a"]


def test_white_space_around_a_name_counts_only_between_names() -> None:
    assert names.called("label", [" label", "text"]) == [" label"]
    assert names.called("label", [" label", "label"]) == ["label"]
    assert names.called("label", [" label", "label "]) == [" label", "label "]


def test_all_names_that_a_value_can_stand_for_are_told() -> None:
    assert names.called(True, ["true", "True", "yes", "no"]) == ["true", "True", "yes"]
    assert names.called(1000.0, ["1e3", "1000.0", "1000"]) == ["1e3", "1000.0"]
    assert names.called(1, ["1", "1.0", "01"]) == ["1", "01"]


@given(st.text(max_size=20))
def test_any_name_can_be_looked_for(name: str) -> None:
    for value in (name, True, 1, 1.5, None, float("nan")):
        assert set(names.called(value, [name])) <= {name}
    assert names.called(name, [name]) == [name]
    assert len(names.cut(name)) <= 60


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")),
        ("spam", "sp\u200bam"),
        ("spam", "\ufeffspam"),
        ("spam", "spam\u2060"),
        ("sp am", "sp\u00a0am"),
        ("sp am", "sp  am"),
        ("sp am", "sp\u3000am"),
        ("ham", "h\N{CYRILLIC SMALL LETTER A}m"),
        ("\u2764", "\u2764\ufe0f"),
        ("spam", "\u202aspam\u202c"),
        ("co-op", "co\u00ad-op"),
    ],
)
def test_names_that_look_alike_have_one_look(first: str, second: str) -> None:
    assert first != second
    assert names.look_of(first) == names.look_of(second)


@pytest.mark.parametrize(
    ("first", "second"), [("spam", "Spam"), ("a", "\u00e4"), ("1", "l"), ("a b", "ab"), ("1", "1.0")]
)
def test_names_that_differ_to_the_eye_have_two(first: str, second: str) -> None:
    assert names.look_of(first) != names.look_of(second)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *(("2", "class 2"), ("-1", "class -1"), ("1.0", "class 1.0"), ("1e3", "class 1e3"), ("true", "class true")),
        *(("null", "class null"), ("NaN", "class NaN"), ("spam", "spam"), ("a", "a"), ("class 2", "class 2")),
        *(("2 stars", "2 stars"), ("world", "world")),
    ],
)
def test_a_class_whose_name_reads_as_a_value_is_called_a_class(name: str, said: str) -> None:
    assert names.of_class(name) == said
    assert names.of_class_with(name, 7) == (f"{name} 7" if said == name else f"class {name}: 7")


def test_a_long_list_is_cut() -> None:
    assert names.listed(["a", "b"]) == "'a', 'b'"
    assert names.listed([str(number) for number in range(151)], most=2) == "'0', '1' and 149 more"
