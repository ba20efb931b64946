"""The page: complete, well formed, and in need of nothing else."""

import re
from html.parser import HTMLParser

from mien.paths import FIGURE_NAMES, TABLE_NAMES
from mien.report.claims import (
    attribution_claims,
    decoding_claims,
    delta_claims,
    target_claims,
)
from mien.report.limits import beside_published, cautions, unrun
from mien.report.page import page

VOID = {"meta", "img", "br"}
PIXEL = b"\x89PNG not really"


class Structure(HTMLParser):
    """Collects elements, and fails where tags are not nested."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(statistics):
    structure = Structure()
    structure.feed(page(statistics, dict.fromkeys(FIGURE_NAMES, PIXEL)))
    structure.close()
    assert structure.open == []
    return structure


def test_every_table_and_figure_is_on_the_page_once(statistics):
    elements = parsed(statistics).elements
    ids = [attrs["id"] for tag, attrs in elements if tag == "figure"]
    expected = [*(f"table-{n}" for n in TABLE_NAMES), *(f"figure-{n}" for n in FIGURE_NAMES)]
    assert sorted(ids) == sorted(expected)
    images = [attrs for tag, attrs in elements if tag == "img"]
    assert len(images) == len(FIGURE_NAMES)
    assert all(len(image["alt"]) > 30 for image in images)


def test_the_page_needs_nothing_else(statistics):
    text = page(statistics, dict.fromkeys(FIGURE_NAMES, PIXEL))
    assert not re.search(r"https?:|//\w|@import|<link|<script", text)
    sources = re.findall(r'src="(.*?)"', text)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"url\(", text)


def test_the_page_fits_phones_and_both_color_schemes(statistics):
    structure = parsed(statistics)
    [viewport] = [a for tag, a in structure.elements if a.get("name") == "viewport"]
    assert "width=device-width" in viewport["content"]
    scrolling = [a for _, a in structure.elements if a.get("class") == "wide"]
    assert len(scrolling) == len(TABLE_NAMES) + len(FIGURE_NAMES)
    css = "".join(structure.text)
    assert "prefers-color-scheme: dark" in css
    assert re.search(r"img \{[^}]*max-width: 100%", css)
    assert re.search(r"\.wide \{[^}]*overflow-x: auto", css)


def test_the_page_says_what_the_numbers_rest_on(statistics):
    text = " ".join("".join(parsed(statistics).text).split())
    assert "measured on 150 test images" in text
    assert "No test image shows contempt." in text
    assert "The data set is drawn faces, not AffectNet" in text
    assert statistics.provenance.commit in text
    assert "How to read the intervals" in text


def test_every_sentence_is_on_the_page(statistics):
    text = "".join(parsed(statistics).text)
    sentences = [
        *delta_claims(statistics),
        *target_claims(statistics),
        *attribution_claims(statistics),
        *decoding_claims(statistics),
        *cautions(statistics),
        *unrun(statistics),
        *beside_published(statistics),
    ]
    assert len(sentences) > 15
    for sentence in sentences:
        assert sentence in text


def test_a_name_cannot_break_the_page(statistics):
    name = '<script>"faces" & more'
    dataset = statistics.dataset.model_copy(update={"name": name})
    structure = parsed(statistics.model_copy(update={"dataset": dataset}))
    assert "script" not in {tag for tag, _ in structure.elements}
    assert name in "".join(structure.text)
