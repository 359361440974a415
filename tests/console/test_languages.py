"""Is everything that the console says in its catalogues, and does a reader get the own language?"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.console import texts
from cloudgate.console.declarations import Action, Page
from cloudgate.console.languages import LANGUAGES, SOURCE, language_of, negotiated
from cloudgate.console.operator.customers.connection_guides import connection_guides
from cloudgate.console.operator.site_map import CONSOLE
from cloudgate.console.rendering import page
from cloudgate.console.section import Section
from cloudgate.console.tenant.site_map import PORTAL
from tests.support.project import catalogues

UPDATE = "run: .venv/bin/python -m tests.support.project.catalogues"
TEMPLATES = sorted((catalogues.CONSOLE / "templates").glob("*.html"))
NAMES = {"Envoy", "Cloudgate", "Apache-2.0", "htmx 4.0.1, Zero-Clause BSD.", "htmx.org", "ms"}
"""What a template may say without a catalogue: names, units, and what is typed as it stands."""
TYPED = {"Authorization: Bearer TOKEN"}
GERMAN = LANGUAGES["de"]


@pytest.fixture(scope="module")
def extracted() -> Catalog:
    """What the console's sources say."""
    return catalogues.extracted()


@pytest.fixture(scope="module")
def sources(extracted: Catalog) -> set[str]:
    """The texts of it."""
    return set(catalogues.texts_of(extracted))


@pytest.mark.parametrize("tag", catalogues.TAGS)
def test_each_text_of_the_sources_is_in_the_catalogue_and_no_other(
    tag: str, sources: set[str]
) -> None:
    kept = set(catalogues.texts_of(catalogues.written(tag)))
    assert sources - kept == set(), UPDATE
    assert kept - sources == set(), UPDATE


@pytest.mark.parametrize("tag", catalogues.TAGS)
def test_each_text_is_translated_for_certain_with_the_same_places_to_fill_in(tag: str) -> None:
    for each in catalogues.written(tag):
        if not each.id:
            continue
        assert not each.fuzzy, each.id
        for source, translated in catalogues.forms(each):
            assert translated, source
            places = re.compile(r"%\(\w+\)s|%s|\\|https?://|--[a-z-]+")
            assert sorted(places.findall(source)) == sorted(places.findall(translated)), source
            for edge in (r"^\s|\s$", r":$"):
                assert bool(re.search(edge, source)) == bool(re.search(edge, translated)), source


@pytest.mark.parametrize("tag", catalogues.TAGS)
def test_what_the_product_reads_is_what_the_catalogue_says(tag: str) -> None:
    for each in catalogues.written(tag):
        if not each.id:
            continue
        (source, said), *others = catalogues.forms(each)
        assert LANGUAGES[tag].text(source) == said, UPDATE
        for of_several, said_of_several in others:
            read = LANGUAGES[tag].catalogue.ngettext(source, of_several, 2)
            assert read == said_of_several, UPDATE


NUMBER = re.compile(r"%\(count\)s")


def test_what_is_said_of_several_is_not_said_of_one(extracted: Catalog) -> None:
    for each in extracted:
        has_number = any(NUMBER.search(source) for source, _ in catalogues.forms(each))
        assert not has_number or isinstance(each.id, tuple | list), each.id


@pytest.mark.parametrize(
    "template",
    [each for each in TEMPLATES if each.name != "api.html"],  # of the API, which speaks English
    ids=lambda each: each.name,
)
def test_no_template_says_anything_without_the_catalogue(template: Path) -> None:
    attributes = r"\{% set \w+ %\}.*?\{% endset %\}"
    script = rf"{attributes}|\{{\{{.*?\}}\}}|\{{%.*?%\}}"
    said = re.sub(script, "\0", template.read_text("utf-8"), flags=re.DOTALL)
    spoken = re.findall(r'(?:aria-label|placeholder|title|alt|data-label)="([^"]*)"', said)
    spoken += re.split(r"<[^>]*>|\0|\n", said)
    found = {each.strip() for each in spoken if re.search(r"[A-Za-z]{2}", each)}
    assert found - NAMES - TYPED - {"CreateCloudTenant"} == set()


def declared(section: Section) -> Iterator[str]:
    """What the pages and actions of a section say."""
    yield from (section.title, section.who, section.hint)
    for group, entries in section.navigation:
        yield group
        yield from (title for _path, title in entries)
    everything: list[Page | Action] = [*section.pages, *section.actions]
    for each in everything:
        yield each.title
        if isinstance(each, Action):
            yield from (each.submit, each.text)
            for one in each.fields:
                yield from (one.label, one.hint)
                if isinstance(one.choices, tuple):
                    yield from (label for value, label in one.choices if label != value)


@pytest.mark.parametrize("section", [CONSOLE, PORTAL], ids=lambda each: each.name)
def test_no_page_or_form_says_anything_without_the_catalogue(
    section: Section, sources: set[str]
) -> None:
    assert set(declared(section)) - sources - {"", texts.NOTHING} == set()
    assert {each.text for each in connection_guides("acme", "", [])} - sources == set()
    assert set(texts.TONES) - sources == set()


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("DE-de", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr, de;q=0.3, en;q=0.2", "de"),
        ("en;q=0.2,de;q=0.3", "de"),
        ("de;q=0,en;q=0.1", "en"),
        ("de;q=0", "en"),
        ("*", "en"),
        ("*,en;q=0", "de"),
        ("*;q=0.5,de;q=0.1", "en"),
        ("fr,nl", "en"),
        ("de;q=2,en", "en"),
        ("deutsch", "en"),
        ("de;q=high", "en"),
        (";,,;q=1, de", "de"),
    ],
)
def test_the_language_is_the_one_that_the_browser_asks_for_most(accepted: str, tag: str) -> None:
    assert negotiated(accepted).tag == tag


@given(st.text(), st.text(alphabet="deng-AT*;q=01., "))
def test_whatever_a_browser_says_there_is_a_language(chosen: str, accepted: str) -> None:
    assert language_of(chosen, accepted) in LANGUAGES.values()
    assert language_of("de", accepted) is GERMAN
    assert language_of("en", accepted) is SOURCE


def test_figures_and_times_read_as_germans_write_them() -> None:
    german = texts.GERMAN
    assert texts.size(5 * 1024**3 // 2, german) == "2,5 GB"
    assert texts.count(1234567, german) == "1.234.567"
    assert texts.moment("2026-11-28T23:22:45.5+01:00", german) == "28.11.2026, 22:22 UTC"
    assert texts.month("2026-11", german) == "11/2026"
    assert texts.count(1234567) == "1,234,567"
    assert texts.month("2026-11") == "2026-11"
    assert texts.month("soon", german) == "soon"
    assert texts.count(None) == texts.NOTHING


def test_what_the_api_says_is_marked_as_english_on_a_german_page() -> None:
    sentences = ("vault.example is not known.", "There is no such page.")
    for language, expected in (
        (GERMAN, '<p><span lang="en">vault.example is not known.</span> Diese Seite gibt es'),
        (SOURCE, "<p>vault.example is not known. There is no such page."),
    ):
        problem = [language.translate(each) for each in sentences]
        context = {"problem": problem, "status": 404, "section": CONSOLE, "root": "./"}
        answer = page("problem.html", context, language, 404)
        assert expected in bytes(answer.body).decode()
        assert answer.headers["content-language"] == language.tag
