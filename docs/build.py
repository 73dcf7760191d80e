"""Pages, generated pages and pictures → a site without a server."""

import os
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docs.reference import pages
from docs.words import OF_GROUPS
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
# What the generated pages are read from: pages link to it, so that a link leads somewhere on a code host, too, and on
# the site to the page.
READ_FROM = {
    "reference/settings/run.md": ROOT / "conf" / "config.yaml",
    **{f"reference/settings/{Path(group).name}.md": ROOT / "conf" / group for group in OF_GROUPS},
    "reference/commands.md": ROOT / "synaug" / "command" / "subcommands.py",
    "reference/record.md": ROOT / "synaug" / "record" / "shapes.py",
    "reference/files.md": ROOT / "synaug" / "report" / "data_files.py",
}
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FENCED = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
# With its plugin offline, Zensical has each page fetch this script, by which the search works from a folder. It comes
# with the site instead: version 1.0.4 of the npm package iframe-worker (MIT).
SHIM = "https://unpkg.com/iframe-worker/shim"
OUR_SHIM = "assets/iframe-worker/shim.js"


class BuildError(RuntimeError):
    """The site cannot be built; the message is what the program said that builds it."""


def write_source(folder: Path) -> None:
    """Put everything that the site is made of into a folder: `mkdocs.yml` and `pages/`."""
    shutil.copy(ROOT / "docs" / CONFIG, folder / CONFIG)
    for path in sorted(PAGES.rglob("*")):
        place = path.relative_to(PAGES).as_posix()
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            _put(folder / "pages" / place, with_links_of_the_site(text, ROOT / "docs" / "pages" / place, place))
        elif path.is_file():
            _put(folder / "pages" / place, path.read_bytes())
    for place, text in pages().items():
        _put(folder / "pages" / place, text)
    for place, path in AS_PAGES.items():
        text = path.read_text(encoding="utf-8")
        _put(folder / "pages" / place, with_links_of_the_site(text, path, place))
    for place, brought in BROUGHT.items():
        for path in sorted(brought.rglob("*")):
            if path.suffix in OPENED:
                _put(folder / "pages" / place / path.relative_to(brought), path.read_bytes())


def with_links_of_the_site(text: str, path: Path, place: str) -> str:
    """A page's text, with links to files of the repository leading to where these are on the site.

    Parameters
    ----------
    text
        Markdown, whose links are those of a file of the repository.
    path
        That file's.
    place
        Of the page, below ``pages/``.
    """

    def rewritten(link: re.Match[str]) -> str:
        address = urlsplit(link[2])
        if address.scheme or address.netloc or not address.path:
            return link[0]
        target = place_on_the_site(Path(os.path.normpath(path.parent / unquote(address.path))))
        if target is None:
            return link[0]
        fragment = f"#{address.fragment}" if address.fragment else ""
        return f"{link[1]}{posixpath.relpath(target, posixpath.dirname(place))}{fragment}{link[3]}"

    parts = FENCED.split(text)  # every second one is a block of code
    return "".join(part if at % 2 else LINK.sub(rewritten, part) for at, part in enumerate(parts))


def place_on_the_site(path: Path) -> str | None:
    """Where a file of the repository stands on the site, below ``pages/``; None where it is no part of it."""
    for place, known in {**AS_PAGES, **READ_FROM}.items():
        if path == known:
            return place
    for place, folder in {**BROUGHT, "": ROOT / "docs" / "pages"}.items():
        if path.is_relative_to(folder):
            return (Path(place) / path.relative_to(folder)).as_posix()
    return None


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
