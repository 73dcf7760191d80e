"""Pages, generated pages and pictures → a site without a server."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.reference import pages
from synaug.files.atomic import replacing_folder

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "pages"
CONFIG = "mkdocs.yml"
# What pages show or link to, by its place on the site.
BROUGHT = {
    "examples/paper_minilm": ROOT / "examples" / "paper_minilm",
    "examples/why": ROOT / "examples" / "why",
    "benchmarks/results": ROOT / "benchmarks" / "results",
    "assets": ROOT / "docs" / "assets",
}
# Of those folders, what a browser opens.
OPENED = {".svg", ".png", ".html", ".css", ".js", ".txt"}
# Reports that are files of this project and not of the site: they become pages of it.
AS_PAGES = {
    "examples/why.md": ROOT / "examples" / "why.md",
    "examples/why_vae.md": ROOT / "examples" / "why_vae.md",
    "benchmarks/smote_variants.md": ROOT / "benchmarks" / "results" / "smote_variants.md",
    "changelog.md": ROOT / "CHANGELOG.md",
}
# With its plugin offline, Zensical has each page fetch this script, by which the search works from a folder. It comes
# with the site instead: version 1.0.4 of the npm package iframe-worker (MIT).
SHIM = "https://unpkg.com/iframe-worker/shim"
OUR_SHIM = "assets/iframe-worker/shim.js"


class BuildError(RuntimeError):
    """The site cannot be built; the message is what the program said that builds it."""


def write_source(folder: Path) -> None:
    """Put everything that the site is made of into a folder: `mkdocs.yml` and `pages/`."""
    shutil.copy(ROOT / "docs" / CONFIG, folder / CONFIG)
    shutil.copytree(PAGES, folder / "pages")
    for place, text in pages().items():
        _put(folder / "pages" / place, text)
    for place, path in AS_PAGES.items():
        _put(folder / "pages" / place, path.read_text(encoding="utf-8"))
    for place, brought in BROUGHT.items():
        for path in sorted(brought.rglob("*")):
            if path.suffix in OPENED:
                _put(folder / "pages" / place / path.relative_to(brought), path.read_bytes())


def build(site: Path) -> None:
    """Build the site into a folder, which it replaces.

    Raises
    ------
    BuildError
        If a page links to a page or a heading that is not there, or if an object of the API cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="synaug-docs-") as place:
        folder = Path(place)
        write_source(folder)
        # mkdocstrings reads the package's source below the folder in which it is started.
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", CONFIG]
        environment = {**os.environ, "NO_COLOR": "1", "SYNAUG_SOURCE": str(ROOT)}
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        said = ran.stdout + ran.stderr
        if ran.returncode:
            raise BuildError(without_colours(said).partition("Traceback")[0])
        for page in (folder / "site").rglob("*.html"):
            up = "../" * (len(page.relative_to(folder / "site").parts) - 1)
            page.write_text(page.read_text(encoding="utf-8").replace(SHIM, up + OUR_SHIM), encoding="utf-8")
        with replacing_folder(site) as new:
            shutil.copytree(folder / "site", new, dirs_exist_ok=True)


def without_colours(text: str) -> str:
    """What a program said, without the codes that colour it on a console."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def _put(path: Path, content: str | bytes) -> None:
    if path.exists():
        raise FileExistsError(f"two pages want to be {path.name}: rename one")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
