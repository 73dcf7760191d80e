"""The page in a real browser: headless Chromium, driven by Playwright, which needs no download of its own."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize, sync_playwright

from synaug import report
from synaug.comparison import compare as comparisons
from synaug.comparison import evidence as evidences
from synaug.comparison.compare import DEFAULT_METRICS
from synaug.record import explained, maps
from synaug.report import draw, latex
from tests.fabricated import write_failure, write_runs
from tests.thorough import some

SCRIPT = "<script>window.__pwned=1</script>"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
GAIN = "th:has(button:text-is('gain'))"
ROWS = "[data-table=comparisons] tbody tr"


@pytest.fixture(scope="module")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose class names, messages and overrides try to run scripts."""
    root = tmp_path_factory.mktemp("browser")
    write_runs(
        root / "runs",
        augmenters=("none", "random", "smote"),
        n_folds=3,
        class_names=("sports", "world", SCRIPT, "<img src=x onerror='window.__pwned=1'>"),
        warning=f"class {SCRIPT!r} fell short",
    )
    write_failure(root / "runs", "broken", f"no {SCRIPT}", [f"dataset={SCRIPT}"])
    evidence = evidences.read([root / "runs"])
    draw_a_map(evidence)
    explain_rows(evidence)
    comparison = comparisons.compare(evidence, metrics=("accuracy", "minority_recall", "log_loss"))
    return report.write(evidence, comparison, root / "report")


def draw_a_map(evidence: evidences.Evidence) -> None:
    """Of the first scenario's SMOTE: 4 real rows on the corners, one of them held back, and 2 synthetic rows."""
    runs = evidence.runs[evidence.runs["augmenter"] == "smote"]
    corners = [0, 0, 999, 0, 0, 999, 999, 999]
    real = {"total": 90, "labels": [0, 1, 2, 3], "trains": [1, 1, 1, 0], "texts": ["one", "two", SCRIPT, "four"]}
    made = {"label": "smote", "total": 9, "labels": [2, 3], "parents": [0, 2, -1, -1]}
    places = {"umap": [0, 500, 700, 700], "pca": [0, 250, 600, 600]}
    maps.write(
        Path(runs["folder"].iloc[0]).parent,
        {
            "code": evidence.records[runs["identity"].iloc[0]]["code"],
            "seed": 0,
            "fold": 0,
            "kinds": ["umap", "pca"],
            "class_names": evidence.records[runs["identity"].iloc[0]]["data"]["class_names"],
            "real": {**real, "places": {"umap": corners, "pca": corners}},
            "methods": [{**made, "identity": runs["identity"].iloc[0], "places": places}],
        },
    )


def explain_rows(evidence: evidences.Evidence) -> None:
    """Two rows of the first scenario's SMOTE, with texts that try to run scripts; three of random's, without texts."""
    for augmenter, number in (("smote", 0), ("random", 1)):
        run = evidence.runs[evidence.runs["augmenter"] == augmenter].iloc[0]
        _, world, script, image = evidence.records[run["identity"]]["data"]["class_names"]
        texts = [{"text": f"{SCRIPT} \u202e{'no text of a usual length ' * 20}"}, {"text": image}, {}]
        one, other, bare = ({"row": row, "class_name": script, **texts[row % 3]} for row in (30, 31, 32))
        made = {
            "class_name": script,
            "parents": [{**one, "share": 1.25}, {**other, "class_name": world, "share": -0.25}],
            "off": 0.5,
            "moved": None,
            "nearest": {**other, "class_name": image, "distance": 0.25},
        }
        copied = {**made, "parents": [{**bare, "share": None}], "off": None, "moved": 0.0, "nearest": None}
        drawn = {**made, "parents": [], "off": None, "nearest": {**bare, "distance": 0.5}}
        rows = ([made, made], [copied, drawn, {**copied, "moved": 0.125}])[number]
        explained.write(
            Path(run["folder"]),
            {
                **{name: evidence.records[run["identity"]][name] for name in ("identity", "code")},
                "seed": 0,
                "fold": 2,
                "remark": None if number else f"made with {SCRIPT}",
                "total": 40,
                "rows": [{"row": 7 * place, **row} for place, row in enumerate(rows)],
            },
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("the page is tested in Chromium, and there is none: apt-get install chromium, and run again")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS, headless=True)
        yield started
        started.close()


class Watched:
    """A page, and all that it asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def watched(browser: Browser, report_page: Path) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    found = Watched(context.new_page())
    found.page.goto(report_page.as_uri())
    yield found
    requests = [url for url in found.requests if not url.startswith("data:")]
    context.close()
    assert not found.complaints
    assert requests
    assert set(requests) == {report_page.as_uri()}


def column(page: Page, number: int) -> list[str]:
    """The texts of one column of the comparisons, as shown."""
    return page.locator(f"{ROWS} td:nth-child({number})").all_inner_texts()


def gains(page: Page) -> list[float]:
    heads = page.locator("[data-table=comparisons] thead th").all_inner_texts()
    number = [head.strip(" ▲▼") for head in heads].index("gain") + 1
    return [float(text.replace("−", "-")) for text in column(page, number)]


def test_the_page_opens_from_disk_and_shows_the_verdict(watched: Watched) -> None:
    assert watched.page.locator(".headline").is_visible()
    assert watched.page.locator("h1").count() == 1
    assert watched.page.locator(ROWS).count() > 10


def test_a_click_sorts_and_another_turns_the_order(watched: Watched) -> None:
    page = watched.page
    before = gains(page)
    page.click(f"[data-table=comparisons] {GAIN} button")
    assert page.get_attribute(f"[data-table=comparisons] {GAIN}", "aria-sort") == "descending"
    assert gains(page) == sorted(before, reverse=True) != before
    page.click(f"[data-table=comparisons] {GAIN} button")
    assert page.get_attribute(f"[data-table=comparisons] {GAIN}", "aria-sort") == "ascending"
    assert gains(page) == sorted(before)


def test_the_keyboard_sorts_and_keeps_its_place(watched: Watched) -> None:
    page = watched.page
    page.focus(f"[data-table=comparisons] {GAIN} button")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert gains(page) == sorted(gains(page))
    assert page.evaluate("document.activeElement.textContent") == "gain"


def test_ratios_sort_by_size(watched: Watched) -> None:
    watched.page.click("[data-table=comparisons] th:has(button:text-is('ratio')) button")
    shown = column(watched.page, 2)
    assert shown == sorted(shown, key=lambda ratio: int(ratio.partition(":")[2]))


def test_text_and_choices_filter_rows(watched: Watched) -> None:
    page = watched.page
    everything = page.locator(ROWS).count()
    page.fill("[data-table=comparisons] input[type=search]", "smote imdb")
    some = page.locator(ROWS).count()
    assert 0 < some < everything
    assert set(column(page, 1)) == {"imdb"}
    page.get_by_label("Comparisons of methods: over").select_option("best without synthesis")
    assert 0 < page.locator(ROWS).count() < some
    assert f"of {everything} comparisons" in page.locator("[data-table=comparisons] [role=status]").inner_text()
    page.fill("[data-table=comparisons] input[type=search]", "nothing is called so")
    assert page.locator(ROWS).count() == 0


def test_all_tests_are_shown_when_asked_for(watched: Watched) -> None:
    page = watched.page
    before = page.locator("[data-table=comparisons] thead th").count()
    page.get_by_label("all tests").check()
    heads = page.locator("[data-table=comparisons] thead th").all_inner_texts()
    assert len(heads) > before
    assert "p Wilcoxon" in heads


def test_another_metric_changes_table_and_figures_and_stays_in_the_address(watched: Watched, report_page: Path) -> None:
    page = watched.page
    before = gains(page)
    page.select_option("#metric", "minority_recall")
    assert gains(page) != before
    shown = page.locator("figure[data-metric]:visible")
    assert shown.count() > 3
    assert {shown.nth(index).get_attribute("data-metric") for index in range(shown.count())} == {"minority_recall"}
    assert page.url == f"{report_page.as_uri()}#metric=minority_recall"
    page.reload()
    assert page.input_value("#metric") == "minority_recall"


def test_losses_are_written_with_three_decimals(watched: Watched) -> None:
    watched.page.select_option("#metric", "log_loss")
    heads = watched.page.locator("[data-table=comparisons] thead th").all_inner_texts()
    assert all(len(text.partition(".")[2]) == 3 for text in column(watched.page, heads.index("gain") + 1))


def test_links_of_the_contents_lead_to_their_section_and_keep_the_metric(watched: Watched) -> None:
    page = watched.page
    page.select_option("#metric", "minority_recall")
    page.click(".contents summary")
    page.click(".contents a[href='#cost']")
    assert page.evaluate("document.activeElement.textContent") == "Seconds by stage"
    assert page.url.endswith("#metric=minority_recall&at=cost")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_apply_and_the_button_changes_them(browser: Browser, report_page: Path, scheme: str) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    page.goto(report_page.as_uri())
    brightness = "(name) => getComputedStyle(document.querySelector(name))"
    background = f"({brightness})('body').backgroundColor"
    ink = f"({brightness})('figure:not([hidden]) .fill-ink').fill"
    first = (page.evaluate(background), page.evaluate(ink))
    assert is_dark(first[0]) is (scheme == "dark")
    assert is_dark(first[1]) is (scheme == "light")
    page.click("#theme")
    second = (page.evaluate(background), page.evaluate(ink))
    assert is_dark(second[0]) is (scheme == "light")
    assert is_dark(second[1]) is (scheme == "dark")
    context.close()


def is_dark(colour: str) -> bool:
    """Whether ``rgb(r, g, b)`` is."""
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(", "))) < 300


def test_planted_scripts_do_not_run_and_are_shown_as_text(watched: Watched) -> None:
    page = watched.page
    page.wait_for_load_state("load")
    assert page.evaluate("window.__pwned") is None
    assert page.locator("script").count() == 2
    assert SCRIPT in page.locator("[data-table=failures] tbody").inner_text()
    assert SCRIPT in page.locator("#balance .cautions").inner_text()
    assert SCRIPT in page.locator("[data-table=balance] tbody").inner_text()


@pytest.mark.parametrize("width", [1920, 1280, 390])
def test_the_page_is_no_wider_than_the_screen(watched: Watched, width: int) -> None:
    watched.page.set_viewport_size({"width": width, "height": 800})
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width


def test_text_in_figures_is_large_enough_to_read(watched: Watched) -> None:
    sizes = watched.page.evaluate(
        "[...document.querySelectorAll('figure:not([hidden]) svg')].map((svg) => svg.getBoundingClientRect().width"
        " / svg.viewBox.baseVal.width * Math.min(...[...svg.querySelectorAll('text')]"
        ".map((text) => parseFloat(text.getAttribute('font-size')))))"
    )
    assert min(sizes) >= 14  # pixels: more than 10 points


def test_every_figure_has_a_name_for_who_does_not_see_it(watched: Watched) -> None:
    page = watched.page
    maps = page.locator("figure.map")
    assert maps.locator("canvas[role=img][aria-label]").count() >= maps.count()
    n_figures = page.locator("figure:not(.map)").count()
    assert page.locator("figure svg[role=img][aria-label]").count() == n_figures > 5


def test_a_large_table_renders_its_rows_as_they_are_asked_for(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw, "sections", lambda results, before: [])
    monkeypatch.setattr(latex, "tables", lambda comparison: {})  # which would not have a row twice
    write_runs(tmp_path / "runs", ["one", "two"], n_folds=2)
    evidence = evidences.read([tmp_path / "runs"])
    comparison = comparisons.compare(evidence, metrics=["accuracy"])
    rows = comparison.tables["accuracy"]
    many = pd.concat([rows] * (1300 // len(rows) + 1), ignore_index=True)
    comparison = replace(comparison, tables={"accuracy": many})
    path = report.write(evidence, comparison, tmp_path / "report")
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.locator(ROWS).count() == 200
    page.click("[data-table=comparisons] button:text-is('Show more')")
    assert page.locator(ROWS).count() == 1200
    page.close()


SHAPES: dict[str, dict[str, Any]] = {
    "one scenario": {"datasets": ["reviews"], "ratios": [10.0], "augmenters": ["none", "smote"]},
    "no effect": {"datasets": ["reviews"], "ratios": [10.0], "augmenters": ["none", "smote"], "effect": 0.0},
    "60 scenarios": {
        "datasets": [f"set {index} of texts, at length" for index in range(15)],
        "ratios": [2.0, 10.0, 50.0, None],
        "augmenters": ["none", "smote"],
        "n_folds": 2,
    },
    "60 data sets": {
        "datasets": [f"customers' own file number {index}.csv" for index in range(60)],
        "ratios": [None],
        "augmenters": ["none", "smote"],
        "n_folds": 2,
    },
    "151 long classes": {
        "datasets": ["a file whose name goes on for a good while, and then for longer.csv"],
        "ratios": [10.0, None],
        "augmenters": ["none", "smote"],
        "n_folds": 2,
        "class_names": [f"customers' intent number {index}, told at length" for index in range(151)],
    },
    "words without spaces": {
        "datasets": ["d" * 120],
        "ratios": [10.0],
        "augmenters": ["none", "smote"],
        "class_names": ["c" * 120, "neg", "pos"],
    },
    "a long method": {
        "datasets": ["reviews", "d" * 60],
        "ratios": [10.0],
        "augmenters": ["none", ("somebodys_sampler_" * 7)[:120], "smote"],
    },
    "long methods": {
        "datasets": ["reviews", "LONG_NAMES_WITHOUT_ANY_SPACE_" * 3],
        "ratios": [10.0, 50.0],
        "augmenters": ["none", "a_sampler_of_somebody_with_a_long_name"],
        "class_names": ["W" * 40, "neg", "x" * 300],
        "augmenter_settings": [{"k_neighbors": k, "kind_of_thing": "w" * 30} for k in (3, 5, 7)],
        "losses": ["plain", ("somebodys_loss_with_a_long_name", {"gamma": 2.0})],
    },
}
# Boxes of texts of one figure that lie upon each other, or stick out of it; numbers in cells are as wide as their cell.
COLLISIONS = """() => [...document.querySelectorAll('figure:not([hidden]) svg')].flatMap((svg) => {
  const of = (each) => each.getBoundingClientRect();
  const frame = of(svg), texts = [...svg.querySelectorAll('text')].filter((each) => each.textContent.trim());
  const name = svg.closest('figure').id, boxes = texts.map(of), found = [];
  boxes.forEach((a, i) => {
    if (a.left < frame.left - 2 || a.right > frame.right + 2 || a.top < frame.top - 2 || a.bottom > frame.bottom + 2)
      found.push(`${name}: ${texts[i].textContent} is cut`);
    for (let j = i + 1; j < boxes.length; j++) {
      const b = boxes[j];
      const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (x > 2 && y > 5) found.push(`${name}: ${texts[i].textContent} on ${texts[j].textContent}`);
    }
  });
  return found;
})"""
# Elements that stick out of the page although nothing around them scrolls.
CUT = """() => [...document.querySelectorAll('main *, header *, .bar *')].filter((each) => {
  const box = each.getBoundingClientRect();
  if (!box.width || each.closest('.skip, .unseen, svg *')) return false;
  const scrolls = each.closest('.grid, .scroll, pre, nav');
  const room = scrolls && scrolls !== each ? scrolls.getBoundingClientRect().left + scrolls.scrollWidth
    : document.documentElement.clientWidth;
  return box.right > room + 2;
}).map((each) => `${each.tagName} ${each.className} ${each.textContent.slice(0, 40)}`)"""


@pytest.fixture(scope="module", params=some(SHAPES, 5))
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shaped(shape: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of each shape, in one metric."""
    root = tmp_path_factory.mktemp("shaped")
    options = {"class_names": ("neg", "pos"), "n_folds": 3, **SHAPES[shape]}
    write_runs(root / "runs", **options)
    evidence = evidences.read([root / "runs"])
    path = report.write(evidence, comparisons.compare(evidence, metrics=["accuracy"]), root / "report")
    assert not (root / "report" / report.ERRORS).exists()
    return path


# A telephone's and others; each shape has one of them, not all the same.
WIDTHS = [390, 1000, 1400, 1920]


@pytest.mark.parametrize("turn", some(range(4), 1))
def test_nothing_is_cut_or_lies_upon_another(browser: Browser, shape: str, shaped: Path, turn: int) -> None:
    width = WIDTHS[(list(SHAPES).index(shape) + turn) % len(WIDTHS)]
    page = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page.goto(shaped.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "\n".join(page.evaluate(CUT)) == ""
    assert "\n".join(page.evaluate(COLLISIONS)) == ""
    page.check("[data-table=comparisons] input[type=checkbox]")
    for grid in page.locator(".grid").all():
        wide = grid.evaluate("(grid) => grid.scrollWidth > grid.clientWidth")
        page.wait_for_function(
            "([grid, wide]) => grid.parentElement.querySelector('.aside').hidden === !wide",
            arg=[grid.element_handle(), wide],
        )
        grid.evaluate("(grid) => { grid.scrollLeft = grid.scrollWidth; }")
        last = grid.evaluate(
            "(grid) => grid.querySelector('th:last-child').getBoundingClientRect().right"
            " - grid.getBoundingClientRect().right"
        )
        assert last <= 2
    page.close()


def test_the_first_screen_answers(browser: Browser, shaped: Path) -> None:
    """Headline, figure and advice stand whole on it, and no number lies upon another."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(shaped.as_uri())
    for name in (".headline", ".answer", ".advice"):
        assert page.locator(name).count() == 1
        box = page.locator(name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= 1400
        assert box["y"] + box["height"] <= 900, f"{name} ends at {box['y'] + box['height']}"
    axis = COLLISIONS.replace("figure:not([hidden]) svg", ".answer .axis svg").replace("svg.closest('figure').id", "''")
    assert "\n".join(page.evaluate(axis)) == ""
    page.close()


def test_eighteen_scenarios_have_a_row_each_on_the_first_screen(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw, "sections", lambda results, before: [])
    datasets = ["ag_news", "imdb", "rotten_tomatoes"]
    write_runs(tmp_path / "runs", datasets, [2.0, 5.0, 10.0, 20.0, 50.0, 100.0], ["none", "smote"], n_folds=3)
    evidence = evidences.read([tmp_path / "runs"])
    path = report.write(evidence, comparisons.compare(evidence, DEFAULT_METRICS[:1]), tmp_path / "report")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(path.as_uri())
    assert page.locator(".answer tbody th").count() == 18
    box = page.locator(".answer").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 900
    page.close()


def test_the_figure_of_the_first_screen_has_a_mark_where_its_numbers_say(browser: Browser, shaped: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(shaped.as_uri())
    ticks = page.evaluate(
        "[...document.querySelectorAll('.answer .axis g')].map((tick) => tick.querySelector('text'))"
        ".map((text) => [text.textContent, parseFloat(text.getAttribute('x'))])"
    )
    (zero, at_zero), (gain, at_gain) = ticks[-2:]
    number = {text: float(text.replace("−", "-")) for text, _ in ticks}
    of_one = (at_gain - at_zero) / (number[gain] - number[zero])
    lines = page.evaluate(
        "[...document.querySelectorAll('.answer tbody tr')].filter((row) => row.querySelector('.gain')).map((row) =>"
        " [row.querySelector('.gain').textContent, [...row.querySelectorAll('.bars g circle')]"
        ".map((mark) => parseFloat(mark.getAttribute('cx')))])"
    )
    assert lines
    for written, marks in lines:
        middle = sorted(marks)[len(marks) // 2] if len(marks) % 2 else sum(sorted(marks)[len(marks) // 2 - 1 :][:2]) / 2
        at = at_zero + of_one * (float(written.replace("−", "-")) - number[zero])
        assert middle == pytest.approx(at, abs=0.06 * abs(of_one) + 0.1)
    page.close()


# What sticks out of the paper, where nothing scrolls.
OFF_PAPER = """() => [...document.querySelectorAll('main *')].filter((each) => {
  const box = each.getBoundingClientRect();
  return box.width && !each.closest('.unseen, svg *') && box.right > document.documentElement.clientWidth + 2;
}).map((each) => `${each.tagName} ${each.className} ${each.textContent.slice(0, 40)}`)"""
PAPER: ViewportSize = {"width": 1039, "height": 710}  # pixels of A4 across, less its margins


def test_a_print_is_whole(browser: Browser, shaped: Path, tmp_path: Path) -> None:
    """All that is folded opens, nothing is cut at the side, all is dark on white, and every section has its place."""
    page = browser.new_page(viewport=PAPER, color_scheme="dark")
    page.goto(shaped.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('main details')].every((each) => each.open)")
    assert "\n".join(page.evaluate(OFF_PAPER)) == ""
    assert not is_dark(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert is_dark(page.evaluate("getComputedStyle(document.body).color"))
    hidden = "[...document.querySelectorAll('main section, main .part')].filter((each) => !each.offsetHeight)"
    assert page.evaluate(f"{hidden}.map((each) => each.id)") == []
    for grid in page.locator(".grid").all():
        assert grid.evaluate("(grid) => grid.scrollHeight <= grid.clientHeight + 2")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("[...document.querySelectorAll('main details')].some((each) => !each.open)")
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.close()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_a_map_tells_what_a_row_was_made_of(watched: Watched, width: int) -> None:
    page = watched.page
    page.set_viewport_size({"width": width, "height": 900})
    figure = page.locator("figure[data-map]")
    assert figure.count() == 1
    assert "smote: 9 synthetic rows, 2 of them drawn" in figure.inner_text()
    assert "seed 0, fold 0, 4 of 90 real rows drawn" in figure.inner_text()
    canvas = figure.locator(".panels canvas")
    told = figure.locator(".told")
    side = canvas.evaluate("each => each.clientWidth")

    def point_at(x: float, y: float) -> str:
        place = [8 + x / 999 * (side - 16), 8 + (1 - y / 999) * (side - 16)]
        canvas.hover(position={"x": place[0], "y": place[1]})
        return told.inner_text()

    assert point_at(0, 500) == f"smote, synthetic: {SCRIPT}, made of “one” and “{SCRIPT}”"
    assert point_at(700, 700).endswith("no parent is known or drawn")
    assert point_at(999, 999).startswith("real, held back: ")
    assert point_at(500, 200) == ""
    figure.locator("select").select_option("pca")
    assert point_at(0, 500) == ""
    assert point_at(0, 250).startswith("smote, synthetic")
    canvas.focus()
    page.keyboard.press("ArrowLeft")
    assert told.inner_text().startswith("real, trains")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for _ in range(2):  # dark, and light again: a map follows
        before = canvas.evaluate("each => each.toDataURL()")
        page.evaluate("document.getElementById('theme').click()")  # the pointer stays where it is
        assert canvas.evaluate("each => each.toDataURL()") != before  # the ring around the chosen row is in ink


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_examples_of_synthetic_rows_tell_parents_and_the_nearest_row(watched: Watched, width: int) -> None:
    page = watched.page
    page.set_viewport_size({"width": width, "height": 900})
    tables = page.locator("#explained table")
    assert tables.count() == 1
    groups = tables.locator("tbody")
    assert [text.split("\n")[0] for text in groups.locator(".group").all_inner_texts()] == ["random", "smote"]
    assert "3 of 40 synthetic rows, seed 0, fold 2" in groups.nth(0).inner_text()
    assert f"seed 0, fold 2; made with {SCRIPT}" in groups.nth(1).inner_text()
    made = groups.nth(1).locator("tr").nth(2).locator("th, td").all_inner_texts()
    assert made[:2] == ["7", SCRIPT]
    assert made[2].startswith(f"1.25 × row 30, {SCRIPT}\n")
    assert f"{SCRIPT} \\u202eno text of" in made[2]
    assert "−0.25 × row 31, world (another class)" in made[2]
    assert "and off the line through both by 0.50 times their distance" in made[2]
    assert made[3].startswith("0.250 away: row 31, <img src=x onerror=")
    assert "(another class)" in made[3]
    copied, drawn, moved = (row.locator("td").all_inner_texts()[1:] for row in groups.nth(0).locator("tr").all()[1:])
    assert copied == [f"a copy of row 32, {SCRIPT}", "–"]
    assert drawn == ["parents not known", f"0.500 away: row 32, {SCRIPT}"]
    assert moved[0] == f"0.125 away from row 32, {SCRIPT}"
    assert groups.nth(0).locator("q").count() == 0
    assert page.evaluate("window.__pwned") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
