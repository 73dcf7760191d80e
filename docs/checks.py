"""What must hold of a built site: every link leads somewhere, and nothing comes from another server."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes by which a page has the browser fetch something, by tag.
FETCHED = {
    **dict.fromkeys(("script", "img", "iframe", "source", "audio", "video", "embed", "track", "input"), ("src",)),
    "img": ("src", "srcset"),
    "object": ("data",),
    "link": ("href",),
}
# Relations of a `link` that name a place and fetch nothing.
NOT_FETCHED = {"canonical", "next", "prev", "alternate", "license", "author"}


class Page(HTMLParser):
    """Anchors, links and what is fetched, of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag is called, links to and fetches."""
        given = {name: value for name, value in attrs if value is not None}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and set(given.get("rel", "").split()) <= NOT_FETCHED:
            return
        self.fetched += [given[name] for name in FETCHED.get(tag, ()) if name in given]
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        """Note what a style in the page imports."""
        if self._in_style:
            self.fetched += imported(data)


def imported(style: str) -> list[str]:
    """Addresses in ``url(…)`` of a style sheet, without data in it."""
    parts = (part.partition(")")[0].strip("\"' ") for part in style.split("url(")[1:])
    return [part for part in parts if not part.startswith("data:")]


def is_remote(address: str) -> bool:
    """Whether an address is on another server."""
    return bool(urlsplit(address).netloc)


def problems(site: Path) -> list[str]:
    """Sentences about broken links, missing anchors and what is fetched from elsewhere; none for a sound site."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found: list[str] = []
    for path, page in pages.items():
        said = path.relative_to(site).as_posix()
        found += [f"{said} fetches {address}" for address in page.fetched if is_remote(address)]
        local = [address for address in page.fetched if not is_remote(address) and not address.startswith("data:")]
        if path.name != "404.html":  # its addresses begin at the server's root
            found += [f"{said}: {problem}" for problem in _broken([*page.links, *local], path, pages)]
    for path in sorted(site.rglob("*.css")):
        said = path.relative_to(site).as_posix()
        found += [f"{said} fetches {address}" for address in imported(path.read_text("utf-8")) if is_remote(address)]
    return found


def _broken(addresses: list[str], path: Path, pages: dict[Path, Page]) -> Iterator[str]:
    for address in dict.fromkeys(addresses):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        if not target.exists():
            yield f"{address} leads nowhere"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
            # Any text may stand after # in what a page's own script reads.
            yield f"{address} has no such heading"
