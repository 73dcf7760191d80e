"""A file of the user's own."""

from pathlib import Path
from typing import Any

import numpy as np

from synaug.dataset.texts import TextSource, require_column
from synaug.digest import file_sha256

FILE_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


class FileDataset(TextSource):
    """One file of the user's: csv, tsv, jsonl or parquet, by its ending.

    Classes are the distinct labels, as text, in alphabetical order.

    Parameters
    ----------
    path
        The file; relative paths are relative to where the program was started.
    text, label
        The columns read.
    """

    def __init__(self, *, path: str, text: str, label: str, **common: Any) -> None:
        super().__init__(**common)
        self.path = Path(path).expanduser()
        self.text = text
        self.label = label
        if self.path.suffix.lower() not in FILE_ENDINGS:
            raise ValueError(f"dataset.path={path} must end in one of {', '.join(FILE_ENDINGS)}: convert the file")

    def source(self) -> str:
        """Digest of the file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        """
        if not self.path.is_file():
            raise FileNotFoundError(
                f"dataset.path={self.path} is not a file: give the path of a csv, tsv, jsonl or parquet"
            )
        return f"file:sha256:{file_sha256(self.path)}"

    def read(self) -> tuple[list[str], list[int], tuple[str, ...]]:
        """Read the two columns.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it cannot be parsed, is not UTF-8, lacks a column or a label.
        """
        self.source()
        try:
            frame = self._frame()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"byte {error.start} of {self.path} is not UTF-8: save the file as UTF-8 "
                f"(e.g. iconv -f latin1 -t utf-8)"
            ) from error
        except (ValueError, OSError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
            raise ValueError(
                f"{self.path} cannot be read as {self.path.suffix[1:]} ({error}): mend the file"
            ) from error
        for column in (self.text, self.label):
            require_column(column, list(frame.columns), str(self.path))
        missing = frame[self.label].isna() | (frame[self.label].astype(str).str.strip() == "")
        if missing.any():
            row = int(np.flatnonzero(missing)[0]) + 1
            raise ValueError(f"row {row} of {self.path} has no label in column {self.label!r}: label or remove it")
        texts = frame[self.text].fillna("").astype(str).tolist()
        names = frame[self.label].astype(str).str.strip()
        class_names = tuple(sorted(set(names)))
        index = {name: position for position, name in enumerate(class_names)}
        return texts, [index[name] for name in names], class_names

    def _frame(self) -> Any:
        import pandas as pd

        ending = self.path.suffix.lower()
        if ending == ".parquet":
            return pd.read_parquet(self.path)
        if ending == ".jsonl":
            return pd.read_json(self.path, lines=True, dtype=False, convert_dates=False, encoding="utf-8")
        # Everything as text: "NA" is a word, 007 a label, and only an empty field is missing.
        separator = "\t" if ending == ".tsv" else ","
        return pd.read_csv(self.path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
