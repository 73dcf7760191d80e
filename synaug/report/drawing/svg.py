"""Figures as files, and as SVG that may stand in a page of others and follows its theme."""

import io
import re
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from synaug.files.escaping import console, shown
from synaug.report.drawing import colours, style

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
# Where a page's theme takes over: each becomes a class that page.css fills.
THEMED = {colours.INK: "ink", colours.SOFT: "soft", colours.FAINT: "faint", colours.PAGE: "page"}
POINTS_PER_REM = 13.5  # 18 pixels of 96 an inch
NUMBER = re.compile(r"-?\d+\.\d{3,}")
COORDINATES = {
    "d",
    "x",
    "y",
    "width",
    "height",
    "transform",
    "points",
    "viewBox",
    "r",
    "cx",
    "cy",
    "x1",
    "x2",
    "y1",
    "y2",
}
UNTURNED = re.compile(r"rotate\(-?0[ )]")
FONT = re.compile(r"(?:(italic|oblique) )?(?:(\d+|bold) )?([\d.]+)px .*")
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def lay_out(figure: Figure) -> None:
    """Lay a figure out for good: each format would do it again, and draw once more to do so."""
    engine = figure.get_layout_engine()
    if engine is not None:
        with style.applied():
            engine.execute(figure)
        figure.set_layout_engine("none")


def raw_svg(figure: Figure, name: str) -> str:
    """Draw as SVG whose text is text; the same figure gives the same bytes."""
    lay_out(figure)
    with style.applied():
        mpl.rcParams["svg.hashsalt"] = name  # ids of one page must differ
        buffer = io.StringIO()
        # Not by savefig, which goes through the whole figure once more before: for the layout, which stands.
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        FigureCanvasSVG(figure).print_svg(buffer, metadata=metadata)  # type: ignore[no-untyped-call]
    return console(buffer.getvalue())  # XML allows no controls, escaped or not


def pdf(figure: Figure, *, quick: bool = False) -> bytes:
    """Draw as PDF on white, with its fonts in it: TrueType, as publishers want them, or quicker to make."""
    lay_out(figure)
    with style.applied():
        mpl.rcParams["pdf.fonttype"] = 3 if quick else 42
        buffer = io.BytesIO()
        colour = figure.get_facecolor()
        figure.set_facecolor("white")
        FigureCanvasPdf(figure).print_pdf(buffer, metadata={"CreationDate": None})  # type: ignore[no-untyped-call]
        figure.set_facecolor(colour)
    return buffer.getvalue()


def standalone(raw: str, title: str, alt: str) -> str:
    """An SVG file: on white, with its description."""
    root = _tidy(raw, themed=False)
    _describe(root, title, alt)
    background = ElementTree.Element(f"{{{SVG}}}rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    root.insert(2, background)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def inline(raw: str, alt: str) -> str:
    """An SVG element for a page that forbids style attributes; `alt` is what a screen reader says."""
    root = _tidy(raw, themed=True)
    # In the page's own measure, so that text in figures grows with the text around them.
    root.set("width", f"{float(root.attrib['width'].removesuffix('pt')) / POINTS_PER_REM:.4g}rem")
    del root.attrib["height"]
    root.set("role", "img")
    root.set("aria-label", shown(alt))
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _describe(root: ElementTree.Element, title: str, alt: str) -> None:
    for place, (tag, text) in enumerate((("title", title), ("desc", alt))):
        element = ElementTree.Element(f"{{{SVG}}}{tag}")
        element.text = shown(text)
        root.insert(place, element)


def _tidy(raw: str, *, themed: bool) -> ElementTree.Element:
    """Parse matplotlib's SVG; styles become attributes, numbers short, and ids only those that are used."""
    root = ElementTree.fromstring(raw.encode())  # noqa: S314 (matplotlib's own, made above)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.text = element.text if (element.text or "").strip() else None
        element.tail = None
        if UNTURNED.match(element.attrib.get("transform", "")):
            del element.attrib["transform"]
        if element.tag == f"{{{SVG}}}g":
            element.attrib.pop("id", None)
        for key, value in _declarations(element.attrib.pop("style", "")):
            element.set(key, value)
        for key in COORDINATES & element.attrib.keys():
            element.set(key, " ".join(NUMBER.sub(_short, element.attrib[key]).split()))
        if themed:
            _theme(element)
    root.set("stroke-linejoin", "round")
    root.set("font-family", ", ".join(f"'{name}'" if " " in name else name for name in style.FONTS))
    root.attrib.pop("version", None)
    return root


def _declarations(text: str) -> list[tuple[str, str]]:
    attributes = []
    for declaration in filter(None, (each.strip() for each in text.split(";"))):
        key, _, value = declaration.partition(":")
        key, value = key.strip(), value.strip()
        font = FONT.fullmatch(value) if key == "font" else None
        if font:
            attributes.append(("font-size", font[3]))
            attributes += [("font-weight", font[2])] if font[2] else []
            attributes += [("font-style", font[1])] if font[1] else []
        elif key != "font-family":
            attributes.append((key, value))
    return attributes


def _theme(element: ElementTree.Element) -> None:
    classes = []
    for key in ("fill", "stroke"):
        name = THEMED.get(element.attrib.get(key, ""))
        if name:
            del element.attrib[key]
            classes.append(f"{key}-{name}")
    if element.tag == f"{{{SVG}}}text" and "fill" not in element.attrib and not classes:
        classes.append("fill-ink")
    if classes:
        element.set("class", " ".join(classes))


def _short(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
