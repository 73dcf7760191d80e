"""The documentation: it builds, every link leads somewhere, and what it tells a reader to type works."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from playwright.sync_api import sync_playwright

from docs import build as building
from docs import checks, reference
from synaug.report import draw
from synaug.settings import conf_dir
from tests import documented
from tests.conftest import composed
from tests.documented import Block, Command
from tests.test_report_browser import ARGUMENTS

ROOT = documented.ROOT
README = ROOT / "README.md"
LANGUAGES = {"console", "python", "yaml", "text", "csv", "json"}
ALL = [block for page in documented.documents() for block in documented.blocks(page)]
TYPED = [block for block in ALL if block.language == "console"]
RUN = ("console", "python", "yaml")
WITH_BLOCKS = sorted({block.page for block in ALL if block.language in RUN and not block.not_run})
# The file that the tutorial makes, which other pages take for the reader's own.
MESSAGES = next(block for block in documented.blocks(documented.PAGES / "tutorial.md") if block.language == "python")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    building.build(folder)
    return folder


def draw_no_figures(patch: pytest.MonkeyPatch) -> None:
    """Figures take most of a report's time, and no command ends otherwise for them: tests/test_report.py draws them."""
    patch.setattr(draw, "sections", lambda results, before: [])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has who has followed the tutorial: messages.csv, new.csv, and the sweep `mine`."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        draw_no_figures(patch)
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        exec(compile(MESSAGES.text, str(MESSAGES), "exec"), {})
        sweep = "synaug --multirun dataset=files dataset.path=messages.csv dataset.text=body imbalance_ratio=natural"
        outcome = documented.perform(f"{sweep} name=mine method=none,class_weighted,random,smote", documented.TINY)
    assert outcome.code == 0, outcome.err
    return folder


def of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=of)
def test_what_a_page_tells_to_type_works(
    page: Path, reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_no_figures(monkeypatch)
    here = tmp_path / "here"
    # The tutorial and README begin with nothing but a file of texts.
    first = page in (README, documented.PAGES / "tutorial.md")
    shutil.copytree(reader, here, ignore=shutil.ignore_patterns("multirun" if first else "nothing"))
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    documented.happen(page)


@pytest.mark.parametrize("block", ALL, ids=str)
def test_every_block_says_what_it_is_and_every_command_is_known(block: Block) -> None:
    assert block.language in LANGUAGES, f"{block}: give the block a language, one of {', '.join(sorted(LANGUAGES))}"
    assert not block.added or block.language == "console"
    if block.not_run:
        assert block.said is not None
        assert re.fullmatch(r"not run: .{10,}", block.said), f"{block}: say why"
    if block.language == "console":
        assert block.commands(), block
        for line in block.commands():
            assert (problem := Command.of(line).problem()) is None, f"{block}: {line}: {problem}"
            assert (problem := documented.read_by_a_shell(line)) is None, f"{block}: {line}: {problem}"


@pytest.mark.parametrize("block", [block for block in TYPED if block.not_run], ids=str)
def test_the_settings_of_commands_that_are_not_run_exist(block: Block) -> None:
    for line in block.commands():
        command = Command.of(line)
        # Options of a --config-dir are the reader's own.
        if command.module not in ("synaug", "synaug.embed") or "--config-dir" in command.arguments:
            continue
        given = [word for word in command.arguments if not word.startswith("--")]
        first: list[str] = []
        for override in OverridesParser.create().parse_overrides(given):
            # A launcher's own settings need its package, which knows them.
            if not override.key_or_group.startswith("hydra"):
                value = next(override.sweep_string_iterator()) if override.is_sweep_override() else None
                first.append(str(override.input_line) if value is None else f"{override.key_or_group}={value}")
        composed(*first)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("frobnicate now", "nobody knows frobnicate"),
        ("make tea", "make has no such target"),
        ("python -m synaug.nothing", "there is no synaug.nothing"),
        ("pip install '.[nothing]'", "there is no extra nothing"),
    ],
)
def test_a_command_that_is_not_known_is_found(line: str, said: str) -> None:
    assert Command.of(line).problem() == said


@pytest.mark.parametrize(
    "line",
    [
        "synaug seeds=[0,1]",
        "synaug report m --metric f1[spam]",
        "synaug name=a?",
        "synaug output_dir=~/runs",
        "cd ~/runs",
        "synaug 'name=it'is!",
        "synaug name=*",
        "synaug name=a # a remark",
        "synaug predict m - < lines.txt",
    ],
)
def test_what_a_shell_reads_as_something_else_is_found(line: str) -> None:
    assert documented.read_by_a_shell(line) is not None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_hands_on_the_words_that_are_meant(shell: str, tmp_path: Path) -> None:
    """Each shell, where it is installed, is asked what it would give a program of this name."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    lines = sorted({line for block in TYPED for line in block.commands() if line.startswith(("synaug ", "python "))})
    alone = [line for line in lines if "*" not in line and "<" not in line]
    script = "\n".join(f"printf '%s\\n' {line}; echo ." for line in alone)
    said = subprocess.run([shell], input=script, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert [words.splitlines() for words in said.split(".\n")[:-1]] == [Command.of(line).words for line in alone]


def test_the_site_is_sound_and_fetches_nothing_from_other_servers(site: Path) -> None:
    assert checks.problems(site) == []


def test_the_site_opens_from_a_folder_and_its_search_works(site: Path) -> None:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("the site is tested in Chromium, and there is none: apt-get install chromium, and run again")
    asked: list[str] = []
    failed: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.get_by_role("button", name="Search").first.click()
        page.locator("input:visible").first.fill("exchange")
        page.locator("a:visible", has_text="exchange.csv").first.wait_for()
        browser.close()
    assert not failed
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data", "blob"}


def test_each_page_of_the_site_can_be_reached_from_the_first(site: Path) -> None:
    pages = {path: checks.Page(path.read_text()) for path in site.rglob("*.html") if "examples" not in path.parts}
    reached, left = set(), [site / "index.html"]
    while left:
        path = left.pop()
        if path in reached or path not in pages:
            continue
        reached.add(path)
        links = (urlsplit(link) for link in pages[path].links)
        left += [(path.parent / link.path).resolve() for link in links if link.path and not link.netloc]
    assert {of_site.name for of_site in pages.keys() - reached} <= {"404.html"}


def test_each_link_of_readme_and_the_pages_leads_to_a_page_of_the_site_too(site: Path) -> None:
    for page in (README, *documented.PAGES.rglob("*.md")):
        for address, parts, target in links(page):
            place = building.place_on_the_site(target)
            if place is None:  # README may also name what is no part of the documentation
                assert page == README, f"{page}: {address} is not on the site"
                continue
            built = site / (place if not place.endswith(".md") else page_of(place))
            assert built.exists(), f"{page}: {address} leads to {place}, which the site lacks"
            if parts.fragment:
                assert parts.fragment in checks.Page(built.read_text(encoding="utf-8")).anchors, f"{page}: {address}"


def page_of(place: str) -> str:
    """Where a Markdown file becomes a page: ``how-to/data.md`` → ``how-to/data.html``."""
    return f"{place.removesuffix('.md')}.html"


def test_links_to_files_of_the_repository_are_links_of_the_site_on_the_site() -> None:
    page, place = ROOT / "docs" / "pages" / "how-to" / "data.md", "how-to/data.md"
    for written, built in {
        "[x](../../../conf/dataset)": "[x](../reference/settings/dataset.md)",
        "[x](../../../conf/config.yaml#a)": "[x](../reference/settings/run.md#a)",
        "![x](../../assets/verdict.png)": "![x](../assets/verdict.png)",
        "[x](../../../examples/why/index.html)": "[x](../examples/why/index.html)",
        "[x](../../../CHANGELOG.md)": "[x](../changelog.md)",
        "[x](costs.md#use)": "[x](costs.md#use)",
        "[x](#here) [y](https://example.org/a)": "[x](#here) [y](https://example.org/a)",
        "[x](../../../ARCHITECTURE.md)": "[x](../../../ARCHITECTURE.md)",  # is not on the site: its build says so
        "```\n[x](../../../conf/dataset)\n```": "```\n[x](../../../conf/dataset)\n```",
    }.items():
        assert building.with_links_of_the_site(written, page, place) == built


def test_every_generated_page_names_a_file_that_it_is_read_from() -> None:
    assert set(building.READ_FROM) == set(reference.pages())
    assert all(path.exists() for path in building.READ_FROM.values())


def test_a_broken_page_is_found(tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("@font-face { src: url(https://fonts.example/a.woff2) } i { b: url(data:x) }")
    (tmp_path / "other.html").write_text("<h1 id='here'>x</h1>")
    (tmp_path / "index.html").write_text(
        "<script src='https://cdn.example/a.js'></script><link rel='stylesheet' href='//cdn.example/a.css'>"
        "<link rel='canonical' href='https://synaug.example'><a href='https://elsewhere.example'>may be linked to</a>"
        "<img src='none.png'><a href='other.html#here'></a><a href='other.html#there'></a><a href='no.html'></a>"
        "<style>@import url('https://cdn.example/b.css')</style>"
    )
    assert checks.problems(tmp_path) == [
        "index.html fetches https://cdn.example/a.js",
        "index.html fetches //cdn.example/a.css",
        "index.html fetches https://cdn.example/b.css",
        "index.html: other.html#there has no such heading",
        "index.html: no.html leads nowhere",
        "index.html: none.png leads nowhere",
        "style.css fetches https://fonts.example/a.woff2",
    ]


def test_a_page_with_a_broken_link_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = tmp_path / "pages"
    shutil.copytree(building.PAGES, pages)
    (pages / "limits.md").write_text("# Limits\n\n[a page](nowhere.md)\n\n[a heading](tutorial.md#nowhere)\n")
    monkeypatch.setattr(building, "PAGES", pages)
    with pytest.raises(building.BuildError, match=r"(?s)page does not exist.*anchor does not exist"):
        building.build(tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_the_reference_has_every_option_and_every_setting() -> None:
    pages = reference.pages()
    for path in conf_dir().glob("**/*.yaml"):
        group = path.parent.relative_to(conf_dir())
        if group.name:
            page = pages[f"reference/settings/{group.name}.md"]
            assert re.search(rf"(^##+ |={re.escape(path.stem)}`|\b){re.escape(path.stem)}\b", page, re.MULTILINE), path
    assert "| `n_folds` | `10` | a whole number of at least 2" in pages["reference/settings/run.md"]
    assert "| `augmenter.k_neighbors` | `5` |" in pages["reference/settings/augmenter.md"]
    assert "| `dataset.path` | needed |" in pages["reference/settings/dataset.md"]
    for name in reference.commands():
        assert f"\n## {name}\n" in pages["reference/commands.md"]
    assert "--metric A,B" in pages["reference/commands.md"]


def test_the_nav_of_the_site_has_every_page() -> None:
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "docs" / building.CONFIG).read_text()))
    there = {path.relative_to(building.PAGES).as_posix() for path in building.PAGES.rglob("*.md")}
    assert there | set(reference.pages()) <= named


def test_the_example_of_an_augmenter_is_the_one_that_a_page_shows_and_runs() -> None:
    shown = {block.title: block.text for block in documented.blocks(documented.PAGES / "how-to" / "samplers.md")}
    for name in ("midpoints.py", "my_conf/augmenter/midpoints.yaml"):
        assert shown[name] == (documented.EXAMPLE / name).read_text()


def test_readme_is_short() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 120


def slug(heading: str) -> str:
    """The anchor that a forge gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def links(page: Path) -> Iterator[tuple[str, SplitResult, Path]]:
    """The links of a file to files of the repository: as written, in parts, and where each leads."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for address in re.findall(r"\]\(([^)\s]+)\)", text):
        parts = urlsplit(address)
        if not parts.scheme:
            yield address, parts, (page.parent / parts.path).resolve() if parts.path else page


@pytest.mark.parametrize("page", sorted({*ROOT.glob("*.md"), *documented.documents()}), ids=of)
def test_links_between_files_of_the_repository_lead_somewhere(page: Path) -> None:
    for address, parts, target in links(page):
        assert target.exists(), f"{page.name}: {address} leads nowhere"
        if parts.fragment and target.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert parts.fragment in map(slug, headings), f"{page.name}: {address} has no such heading"
