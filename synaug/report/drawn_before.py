"""Figures that an earlier report of a folder drew from the same: they are not drawn again.

A plan's `draw` is a function and what it is given, and so says itself what its figure is drawn from. An entry bears the
digest of both, of the code and of all that draws; one that is damaged, or of something else, is as good as none.
"""

import base64
import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib.font_manager import FontProperties, findfont

from synaug.files import checked_json
from synaug.files.digest import file_sha256, files_sha256, json_sha256
from synaug.report import limits
from synaug.report.digest import value_sha256
from synaug.report.drawing import style
from synaug.report.drawing.contract import Drawn

ENDINGS = (".svg", ".pdf")
FOLDER = ".drawn"  # in that of the report
LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy")
WHOLE_PACKAGE = Path(__file__).parents[1]


class DrawnBefore:
    """What a report's folder keeps of its figures.

    Parameters
    ----------
    folder
        That of the report.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self._used: set[Path] = set()

    def get(self, name: str, drawn_from: str) -> Drawn | None:
        """The figure of this name, if it was drawn from what has this digest."""
        try:
            entry = checked_json.read(self._path(name))
            if entry.pop("drawn_from") != drawn_from:
                return None
            files = {file: base64.b64decode(content) for file, content in entry.pop("files").items()}
            drawn = Drawn(**entry, files=files)
            if drawn.name != name or not set(files) <= {f"{name}{ending}" for ending in ENDINGS}:
                return None
        except (OSError, ValueError, LookupError, TypeError, AttributeError):  # none, or not what we write
            return None
        self._used.add(self._path(name))
        return drawn

    def keep(self, drawn: Drawn, drawn_from: str) -> None:
        """Keep a figure, with the digest of what it was drawn from."""
        files = {file: base64.b64encode(content).decode() for file, content in drawn.files.items()}
        entry = {**asdict(drawn), "files": files, "drawn_from": drawn_from}
        checked_json.write(self._path(drawn.name), entry)
        self._used.add(self._path(drawn.name))

    def forget_others(self) -> None:
        """Remove what this report did not use."""
        for path in self.folder.glob("*.json"):
            if path not in self._used:
                path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def drawn_from(draw: Callable[[], object], *how: object) -> str | None:
    """Digest of all that decides what a plan draws; None where that cannot be told.

    Parameters
    ----------
    draw
        A `functools.partial` of a function and all it is given. Of anything else nobody knows what it looks at.
    how
        What else decides how the drawing is written.
    """
    if not isinstance(draw, functools.partial) or not inspect.isfunction(draw.func) or draw.func.__closure__:
        return None
    try:
        given = [value_sha256(each) for each in (*draw.args, draw.keywords, *how)]
        own = file_sha256(Path(draw.func.__code__.co_filename))
    except (OSError, TypeError):
        return None
    return json_sha256([_what_draws(), value_sha256(_constants(limits)), own, draw.func.__qualname__, given])


@functools.cache
def _what_draws() -> list[Any]:
    """The code, the libraries and the font."""
    font = Path(findfont(FontProperties(family=list(style.FONTS))))
    code = files_sha256(WHOLE_PACKAGE.rglob("*.py"), WHOLE_PACKAGE)
    return [code, file_sha256(font), {name: version(name) for name in LIBRARIES}]


def _constants(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name.isupper()}
