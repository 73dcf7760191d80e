"""Vectors that the user brings: which files are read, how they are matched with rows, and what is refused."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from synaug import record
from synaug.dataset import FileDataset, LabelledTexts
from synaug.encoder import PrecomputedVectors
from synaug.encoder.contract import for_dataset
from synaug.errors import UserError

N, WIDTH = 12, 5
VECTORS = np.random.RandomState(0).randn(N, WIDTH).astype(np.float32)
TEXTS = [f"text {row}" for row in range(N)]
LABELS = ["no", "yes"] * (N // 2)
IDS = [f"d{row}" for row in range(N)]

Rows = NDArray[Any]


def lists(vectors: Rows, kind: Any = None) -> pa.Array:
    return pa.array([None if row is None else list(row) for row in vectors], type=kind)


def data(folder: Path, ending: str = "csv", order: Sequence[int] = tuple(range(N)), **columns: Any) -> Path:
    """A data file, its rows in some order; further columns are lists of values in that order."""
    table: dict[str, Any] = {
        "id": [IDS[row] for row in order],
        "text": [TEXTS[row] for row in order],
        "label": [LABELS[row] for row in order],
        **columns,
    }
    path = folder / f"data.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table(table), path)
    elif ending == "jsonl":
        path.write_text(
            "".join(json.dumps(dict(zip(table, row, strict=True))) + "\n" for row in zip(*table.values(), strict=True))
        )
    else:
        lines = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
        path.write_text("\n".join([",".join(table), *lines]) + "\n")
    return path


def written(folder: Path, ending: str, vectors: Rows = VECTORS, ids: Sequence[str] | None = None) -> dict[str, Any]:
    """A file of vectors, with ids if there are any, and the settings that name it."""
    path = folder / f"vectors.{ending}"
    settings: dict[str, Any] = {"path": str(path), "id": None if ids is None else "id"}
    table = {} if ids is None else {"id": list(ids)}
    if ending == "npy":
        np.save(path, vectors)
    elif ending == "safetensors":
        save_file({"rows": np.ascontiguousarray(vectors)}, path)
    elif ending == "parquet":
        pq.write_table(pa.table({**table, "embedding": lists(vectors)}), path)
    else:
        named = [{}] * len(vectors) if ids is None else [{"id": name} for name in ids]
        path.write_text(
            "".join(
                json.dumps({**name, "embedding": row.tolist()}) + "\n" for name, row in zip(named, vectors, strict=True)
            )
        )
    if ids is not None and ending in ("npy", "safetensors"):
        settings["ids"] = str(folder / "ids.txt")
        (folder / "ids.txt").write_text("\n".join(ids) + "\n")
    return settings


def loaded(path: Path, settings: dict[str, Any], **of_dataset: Any) -> LabelledTexts:
    dataset = FileDataset(**{"path": str(path), "text": "text", "label": "label", **of_dataset})
    return dataset.load(vectors=encoder(dataset, settings).vectors())


def encoder(dataset: FileDataset, settings: dict[str, Any]) -> PrecomputedVectors:
    return for_dataset(PrecomputedVectors(**settings), dataset)


def of(path: Path, settings: dict[str, Any]) -> PrecomputedVectors:
    return encoder(FileDataset(path=str(path), text="text", label="label"), settings)


def vector_of(texts: LabelledTexts) -> dict[str, bytes]:
    assert texts.vectors is not None
    return {text: row.tobytes() for text, row in zip(texts.texts, texts.vectors, strict=True)}


OF_EACH_TEXT = {text: row.tobytes() for text, row in zip(TEXTS, VECTORS, strict=True)}


@pytest.mark.parametrize("ids", [False, True], ids=["by row", "by id"])
@pytest.mark.parametrize("ending", ["npy", "safetensors", "parquet", "jsonl"])
def test_each_format_gives_the_same_vectors_and_the_same_source(tmp_path: Path, ending: str, ids: bool) -> None:
    path = data(tmp_path)
    settings = written(tmp_path, ending, ids=IDS if ids else None)
    texts = loaded(path, settings)
    assert vector_of(texts) == OF_EACH_TEXT
    assert of(path, settings).source() == of(path, written(tmp_path, "npy")).source()
    assert of(path, settings).identity() == of(path, written(tmp_path, "npy")).identity()


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_column_of_the_data_file_itself_gives_the_same_vectors_as_a_file_beside_it(
    tmp_path: Path, ending: str
) -> None:
    path = data(tmp_path, ending, embedding=VECTORS.tolist())
    assert vector_of(loaded(path, {})) == OF_EACH_TEXT
    assert of(path, {}).source() == of(path, written(tmp_path, "npy")).source()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("ending", ["npy", "safetensors"])
def test_any_width_of_float_is_read(tmp_path: Path, ending: str, dtype: Any) -> None:
    if ending == "safetensors" and dtype == ">f4":
        pytest.skip("safetensors has little-endian numbers alone")
    texts = loaded(data(tmp_path), written(tmp_path, ending, VECTORS.astype(dtype)))
    assert texts.vectors is not None
    assert texts.vectors.dtype == np.float32
    assert (texts.vectors == VECTORS.astype(dtype).astype(np.float32)).all()


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float16()),
        pa.list_(pa.float32()),
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.list_(pa.float32(), WIDTH),
        pa.fixed_shape_tensor(pa.float32(), [WIDTH]),
    ],
    ids=str,
)
def test_each_type_of_list_in_a_parquet_is_read(tmp_path: Path, kind: Any) -> None:
    rows = VECTORS.astype(np.float16).astype(np.float32)
    storage = lists(rows.astype(np.float16) if "half" in str(kind) else rows, getattr(kind, "storage_type", kind))
    column = pa.ExtensionArray.from_storage(kind, storage) if isinstance(kind, pa.BaseExtensionType) else storage
    # Several row groups, so several chunks.
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"text": TEXTS, "label": LABELS, "embedding": column}), path, row_group_size=5)
    texts = loaded(path, {})
    assert texts.vectors is not None
    assert (texts.vectors == rows).all()


@pytest.mark.parametrize("ending", ["npy", "safetensors", "parquet", "jsonl"])
def test_by_id_the_order_of_neither_file_matters(tmp_path: Path, ending: str) -> None:
    straight = of(data(tmp_path), written(tmp_path, ending, ids=IDS)).source()
    order = np.random.RandomState(1).permutation(N)
    settings = written(tmp_path, ending, VECTORS[order], [IDS[row] for row in order])
    path = data(tmp_path)
    assert vector_of(loaded(path, settings)) == OF_EACH_TEXT
    assert of(path, settings).source() == straight  # the rows' vectors are what they were
    shuffled = data(tmp_path, order=np.random.RandomState(2).permutation(N).tolist())
    assert vector_of(loaded(shuffled, settings)) == OF_EACH_TEXT


def test_ids_are_one_whatever_the_format_makes_of_a_number(tmp_path: Path) -> None:
    path = data(tmp_path, id=[str(row) for row in range(N)])
    settings = written(tmp_path, "npy", ids=[])
    np.save(tmp_path / "ids.npy", np.arange(N)[::-1])
    np.save(tmp_path / "vectors.npy", VECTORS[::-1])
    assert vector_of(loaded(path, {**settings, "ids": str(tmp_path / "ids.npy")})) == OF_EACH_TEXT
    pq.write_table(
        pa.table({"id": np.arange(N, dtype=np.float64)[::-1], "embedding": lists(VECTORS[::-1])}),
        tmp_path / "v.parquet",
    )
    assert vector_of(loaded(path, {"path": str(tmp_path / "v.parquet"), "id": "id"})) == OF_EACH_TEXT


def test_vectors_of_more_ids_than_there_are_rows_are_no_fault(tmp_path: Path) -> None:
    settings = written(tmp_path, "parquet", np.concatenate([VECTORS[:3] + 1, VECTORS]), ["a", "b", "c", *IDS])
    assert vector_of(loaded(data(tmp_path), settings)) == OF_EACH_TEXT


def test_normalize_gives_each_vector_length_1_and_another_identity(tmp_path: Path) -> None:
    path, settings = data(tmp_path), written(tmp_path, "npy")
    unit = loaded(path, {**settings, "normalize": True}).vectors
    np.testing.assert_allclose(unit, VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True), rtol=1e-6)
    assert of(path, {**settings, "normalize": True}).identity() != of(path, settings).identity()


def test_another_number_or_another_order_is_another_source(tmp_path: Path) -> None:
    path = data(tmp_path)
    sources = {of(path, written(tmp_path, "npy")).source()}
    changed = VECTORS.copy()
    changed[3, 2] += 1e-3
    for vectors in (changed, VECTORS[::-1], VECTORS[:, ::-1]):
        sources.add(of(path, written(tmp_path, "npy", vectors)).source())
    assert len(sources) == 4


def test_path_format_and_name_are_no_part_of_a_runs_identity() -> None:
    def identity(**settings: Any) -> str:
        target = {"_target_": "synaug.encoder.PrecomputedVectors", "normalize": False}
        return record.identity({"encoder": {**target, **settings}}, {"encoder": "vectors:sha256:0"})

    one = identity(path="a.npy", column="embedding", id=None, ids=None, name=None)
    assert identity(path=None, column="e", id="id", ids="i.txt", name="x") == one
    assert identity(normalize=True) != one


# What is refused


def with_nan(rows: Rows) -> None:
    rows[2, 1] = np.nan


def with_infinity(rows: Rows) -> None:
    rows[[3, 5], 0] = -np.inf


def with_huge(rows: Rows) -> None:
    rows[4, 4] = 1e16


REFUSED_NUMBERS: list[tuple[Callable[[Rows], None], str]] = [
    (with_nan, r"1 vector of .* \(row 3\) holds NaN or infinity: make"),
    (with_infinity, r"2 vectors of .* \(rows 4, 6\) hold NaN or infinity: make"),
    (with_huge, r"1 vector of .* \(row 5\) holds numbers beyond 1e\+15.*: scale"),
]


@pytest.mark.parametrize(("spoil", "said"), REFUSED_NUMBERS)
@pytest.mark.parametrize("ending", ["npy", "safetensors", "parquet", "jsonl"])
def test_numbers_that_are_none_are_refused_in_each_format(tmp_path: Path, ending: str, spoil: Any, said: str) -> None:
    rows = VECTORS.copy()
    spoil(rows)
    with pytest.raises(UserError, match=said):
        of(data(tmp_path), written(tmp_path, ending, rows)).look()


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.bool_, np.complex64])
def test_an_array_of_another_type_is_refused_with_the_remedy(tmp_path: Path, dtype: Any) -> None:
    with pytest.raises(UserError, match=rf"are {np.dtype(dtype)}, but must be float16, float32 or float64: convert"):
        of(data(tmp_path), written(tmp_path, "npy", VECTORS.astype(dtype))).look()


def test_a_safetensors_of_another_type_is_refused(tmp_path: Path) -> None:
    save_file({"rows": VECTORS.astype(np.int8)}, tmp_path / "vectors.safetensors")
    with pytest.raises(UserError, match="are I8, but must be float16"):
        of(data(tmp_path), {"path": str(tmp_path / "vectors.safetensors")}).look()
    import torch
    from safetensors.torch import save_file as save_torch

    save_torch({"rows": torch.zeros(N, 3, dtype=torch.bfloat16)}, tmp_path / "vectors.safetensors")
    with pytest.raises(UserError, match="are BF16, but must be float16"):
        of(data(tmp_path), {"path": str(tmp_path / "vectors.safetensors")}).look()


def test_of_several_tensors_the_column_names_one(tmp_path: Path) -> None:
    path = tmp_path / "vectors.safetensors"
    save_file({"a": VECTORS, "b": VECTORS * 2}, path)
    with pytest.raises(UserError, match=r"has no tensor 'embedding', but 'a', 'b': name one with encoder\.column"):
        of(data(tmp_path), {"path": str(path)}).look()
    assert vector_of(loaded(data(tmp_path), {"path": str(path), "column": "a"})) == OF_EACH_TEXT


class Runs:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("wrapped", [True, False], ids=["array of objects", "bare pickle"])
def test_a_pickle_is_never_loaded(tmp_path: Path, wrapped: bool) -> None:
    import pickle

    path, mark = tmp_path / "vectors.npy", tmp_path / "mark"
    if wrapped:
        np.save(path, np.array([[Runs(mark)]] * N, dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(Runs(mark)))
    with pytest.raises(UserError, match=r"cannot be read as vectors .*objects, which may run code.*: save them as"):
        of(data(tmp_path), {"path": str(path)}).look()
    np.save(tmp_path / "ids.npy", np.array([Runs(mark)] * N, dtype=object), allow_pickle=True)
    np.save(path, VECTORS)
    with pytest.raises(UserError, match="cannot be read as an array of ids"):
        of(data(tmp_path), {"path": str(path), "id": "id", "ids": str(tmp_path / "ids.npy")}).look()
    assert not mark.exists()


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("npy", b""),
        ("npy", b"\x93NUMPY\x01\x00"),
        ("safetensors", b""),
        ("safetensors", b"x" * 99),
        ("parquet", b"PAR1"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"vectors.{ending}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"vectors\.\w+ cannot be read as"):
        of(data(tmp_path), {"path": str(path)}).look()


@pytest.mark.parametrize("ending", ["npy", "safetensors"])
def test_a_file_cut_short_is_refused(tmp_path: Path, ending: str) -> None:
    settings = written(tmp_path, ending)
    whole = Path(settings["path"]).read_bytes()
    Path(settings["path"]).write_bytes(whole[:-7])
    with pytest.raises(UserError, match="cannot be read as vectors"):
        of(data(tmp_path), settings).look()


def test_an_npz_under_the_name_of_an_npy_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "vectors.npz", VECTORS)
    (tmp_path / "vectors.npz").rename(tmp_path / "vectors.npy")
    with pytest.raises(UserError, match=r"several arrays, as an \.npz does: save one with numpy\.save"):
        of(data(tmp_path), {"path": str(tmp_path / "vectors.npy")}).look()


@pytest.mark.parametrize("shape", [(N,), (N, WIDTH, 1), ()])
def test_a_shape_that_is_no_vector_a_row_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"an array of shape \(.*\), but one vector a row is needed"):
        of(data(tmp_path), written(tmp_path, "npy", np.ones(shape, np.float32))).look()


@pytest.mark.parametrize(("shape", "said"), [((0, 4), "holds no vectors: give"), ((N, 0), "hold no numbers: give")])
@pytest.mark.parametrize("ending", ["npy", "safetensors"])
def test_nothing_is_refused(tmp_path: Path, ending: str, shape: tuple[int, int], said: str) -> None:
    with pytest.raises(UserError, match=said):
        of(data(tmp_path), written(tmp_path, ending, np.ones(shape, np.float32))).look()


WRONG_LISTS: list[tuple[list[Any], str]] = [
    (
        [[1.0, 2.0], [1.0]] * (N // 2),
        r"6 vectors of .* \(rows 2, 4, 6, 8, 10, …\) are of another width than the first \(1 numbers",
    ),
    (["[1.0, 2.0]"] * N, "holds (string|text) where each row needs a list of numbers"),
    ([1.5] * N, "holds .* where each row needs a list of numbers"),
    ([[1.0, None]] * N, r"12 vectors of .* \(rows 1, 2, .*\) hold something that is no number"),
    ([[]] * N, "hold no numbers"),
    ([None] * N, "holds .* where each row needs|no row of .* has a vector in column 'embedding'"),
]


@pytest.mark.parametrize(("cells", "said"), WRONG_LISTS)
@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_column_that_holds_no_lists_of_numbers_is_refused(
    tmp_path: Path, ending: str, cells: list[Any], said: str
) -> None:
    empty = cells == [[]] * N and ending == "parquet"
    column: Any = pa.array(cells, pa.list_(pa.float32())) if empty else cells
    with pytest.raises(UserError, match=said):
        of(data(tmp_path, ending, embedding=column), {}).look()


def test_words_and_truths_in_lists_are_refused(tmp_path: Path) -> None:
    for cell in (["a", "b"], [True, False]):
        with pytest.raises(UserError, match="hold something that is no number"):
            of(data(tmp_path, "jsonl", embedding=[cell] * N), {}).look()
    with pytest.raises(UserError, match="are lists of int64, but must be float16"):
        of(data(tmp_path, "parquet", embedding=[[1, 2]] * N), {}).look()


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = data(tmp_path, "parquet", embeddings=VECTORS.tolist())
    with pytest.raises(UserError, match="has no column 'embedding': did you mean 'embeddings'"):
        of(path, {}).look()


@pytest.mark.parametrize("n", [N - 1, N + 1])
@pytest.mark.parametrize("ending", ["npy", "safetensors", "parquet", "jsonl"])
def test_another_number_of_vectors_than_of_rows_is_refused(tmp_path: Path, ending: str, n: int) -> None:
    rows = np.resize(VECTORS, (n, WIDTH))
    with pytest.raises(UserError, match=f"has {n} vectors for the {N} rows of .*: give .*encoder.id"):
        of(data(tmp_path), written(tmp_path, ending, rows)).look()


@pytest.mark.parametrize("ending", ["npy", "parquet"])
def test_ids_that_stand_twice_are_refused_in_either_file(tmp_path: Path, ending: str) -> None:
    twice = [*IDS[:-1], IDS[4]]
    with pytest.raises(UserError, match=r"rows 5 and 12 of .*(ids\.txt|parquet) have one id, 'd4'"):
        of(data(tmp_path), written(tmp_path, ending, ids=twice)).look()
    with pytest.raises(UserError, match=r"rows 5 and 12 of .*data\.csv have one id, 'd4'"):
        of(data(tmp_path, id=twice), written(tmp_path, ending, ids=IDS)).look()


def test_a_row_without_an_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"row 3 of .*data\.csv has no id in column 'id'"):
        of(data(tmp_path, id=["a", "b", "", *IDS[3:]]), written(tmp_path, "npy", ids=IDS)).look()


def test_other_ids_altogether_are_refused_with_an_example_of_each(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no id of .*\(the first is 'd0'\) stands in .*\(the first there is 'x0'\)"):
        of(data(tmp_path), written(tmp_path, "parquet", ids=[f"x{row}" for row in range(N)])).look()


def test_ids_of_another_number_than_vectors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ids\.txt has 11 ids for the 12 vectors"):
        of(data(tmp_path), written(tmp_path, "npy", ids=IDS[:-1])).look()


@pytest.mark.parametrize("zero", [True, False], ids=["zeros", "null or no such id"])
def test_rows_without_a_vector_are_refused_or_dropped_and_counted(tmp_path: Path, zero: bool) -> None:
    rows, ids = VECTORS.copy(), list(IDS)
    if zero:
        rows[[2, 5]] = 0
    else:
        ids[2] = ids[5] = "x"
        ids[5] = "y"
    path, settings = data(tmp_path), written(tmp_path, "npy", rows, ids)
    with pytest.raises(
        UserError, match=r"2 of the 12 rows of .* have no vector, or one of zeros \(rows 3, 6\).*drop_empty"
    ):
        loaded(path, settings)
    texts = loaded(path, settings, drop_empty=True)
    assert texts.report["empty_rows_dropped"] == 2
    assert vector_of(texts) == {text: row for text, row in OF_EACH_TEXT.items() if text not in ("text 2", "text 5")}


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_null_in_the_place_of_a_vector_is_none(tmp_path: Path, ending: str) -> None:
    cells: list[Any] = VECTORS.tolist()
    cells[0] = cells[7] = None
    path = data(tmp_path, ending, embedding=cells)
    with pytest.raises(UserError, match=r"have no vector, or one of zeros \(rows 1, 8\)"):
        loaded(path, {})
    texts = loaded(path, {}, drop_empty=True)
    assert vector_of(texts) == {text: row for text, row in OF_EACH_TEXT.items() if text not in ("text 0", "text 7")}


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"path": "vectors.csv"}, r"encoder\.path=.* must end in one of \.npy, \.safetensors, \.parquet, \.jsonl: convert"),
    ({"path": "."}, r"encoder\.path=\. is a folder: name one file"),
    ({"path": "nowhere.npy"}, r"encoder\.path=nowhere\.npy is not a file: give the path"),
    ({"path": 3}, r"encoder\.path=3 must be text, or null"),
    ({"path": "v.npy", "id": "id"}, r"encoder\.id=id needs the ids of the vectors in v\.npy: give encoder\.ids=FILE"),
    ({"path": "v.npy", "ids": "i.txt"}, r"encoder\.ids=i\.txt needs encoder\.id="),
    ({"path": "v.parquet", "id": "id", "ids": "i.txt"}, r"encoder\.ids=i\.txt is for an \.npy or \.safetensors"),
    ({"path": "v.npy", "id": "id", "ids": "i.csv"}, r"encoder\.ids=i\.csv must end in one of \.txt, \.npy"),
    ({}, r"data\.csv cannot hold vectors, as only \.parquet and \.jsonl have columns of lists: convert it, or"),
    ({"normalize": "yes"}, r"encoder\.normalize=yes must be true or false"),
]


@pytest.mark.parametrize(("settings", "said"), SETTINGS)
def test_settings_that_cannot_be_are_said_in_a_sentence(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        of(data(tmp_path), settings).look()


# Rows of one text, and rows of none


def test_rows_of_one_text_are_one_row_with_the_vector_of_the_first(tmp_path: Path) -> None:
    order = [*range(N), 3, 3, 4]
    rows = VECTORS[order] * 1
    rows[N] *= 1.0001  # asked twice, an interface differs in the last digits
    texts = loaded(data(tmp_path, order=order, id=list(range(N + 3))), written(tmp_path, "npy", rows))
    assert vector_of(texts) == OF_EACH_TEXT
    assert texts.report["rows_merged"] == 3
    assert texts.report["texts_with_several_vectors"] == 1
    assert texts.report["least_cosine_of_one_text"] == pytest.approx(1)


def test_vectors_of_one_text_that_are_no_repetitions_are_refused(tmp_path: Path) -> None:
    order = [*range(N), 3]
    path = data(tmp_path, order=order, id=list(range(N + 1)))
    settings = written(tmp_path, "npy", np.concatenate([VECTORS, -VECTORS[3:4]]))
    with pytest.raises(
        UserError, match=r"rows 4 and 13 of .* have one text but vectors of cosine -1\.000.*dataset\.text=null"
    ):
        loaded(path, settings)
    texts = loaded(path, settings, text=None, group="text")  # the remedy
    assert texts.groups is not None
    assert texts.vectors is not None
    assert len(texts.texts) == N + 1
    assert texts.groups[3] == texts.groups[12]


def test_without_texts_rows_are_known_by_vector_and_each_stays_a_row(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"label": LABELS, "embedding": lists(VECTORS)}), path)
    texts = loaded(path, {}, text=None)
    assert texts.vectors is not None
    assert (texts.vectors == VECTORS).all()
    assert len(set(texts.texts)) == N
    assert all(text.startswith("vector ") for text in texts.texts)
    assert loaded(path, {}, text=None).fingerprint == texts.fingerprint


def test_without_texts_rows_of_one_vector_are_one_and_contradictions_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    rows = np.concatenate([VECTORS, VECTORS[:1], VECTORS[1:2]])
    pq.write_table(pa.table({"label": [*LABELS, "no", "no"], "embedding": lists(rows)}), path)
    texts = loaded(path, {}, text=None)
    assert texts.report["rows_merged"] == 2
    assert texts.report["contradicting_texts_dropped"] == 1
    assert texts.vectors is not None
    assert (texts.vectors == np.delete(VECTORS, 1, axis=0)).all()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_without_texts_rows_are_called_by_their_id(tmp_path: Path, ending: str) -> None:
    texts = loaded(data(tmp_path, ending), written(tmp_path, "npy", ids=IDS), text=None)
    assert texts.texts == IDS
    assert vector_of(texts) == dict(zip(IDS, OF_EACH_TEXT.values(), strict=True))


def test_caps_keep_rows_and_vectors_together(tmp_path: Path) -> None:
    texts = loaded(data(tmp_path), written(tmp_path, "npy"), max_per_class=2)
    assert len(texts.texts) == 4
    assert vector_of(texts).items() <= OF_EACH_TEXT.items()


def test_without_texts_and_vectors_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.text=null says that rows have no text.*encoder=precomputed"):
        FileDataset(path=str(data(tmp_path)), text=None, label="label").load()
    with pytest.raises(UserError, match="group_phrases=true compares texts"):
        loaded(data(tmp_path), written(tmp_path, "npy"), text=None, group_phrases=True)


def test_other_texts_have_no_vectors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="vectors of the data set's rows alone, and none of 1 other texts: choose"):
        of(data(tmp_path), written(tmp_path, "npy")).encode(["new"])
