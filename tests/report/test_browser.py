"""The page in a real browser, at the width of a desk and of a phone."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from mien.paths import FIGURE_NAMES, TABLE_NAMES
from mien.report import style
from mien.report.bits import BitMap, Mapped, bit_maps
from mien.report.captions import SWEEPS
from mien.report.figures import accuracy_over_rate, weight_effect
from mien.report.page import page
from mien.report.recalls import recall_over_rate
from mien.report.reliabilities import reliability_diagram

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, PHONE, HEIGHT = 1280, 390, 900
# A window is never narrower than 500 pixels, so the page is shown in a frame of its own.
FRAME = """<!doctype html><body style="margin: 0"><iframe src="page.html"
style="border: 0; display: block; width: {width}px; height: {height}px"></iframe>
<pre id="found"></pre>
<script>onmessage = (event) => {{ found.textContent = event.data }}</script>"""
MEASURE = """<script>addEventListener("load", () => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const end = (element) => element.getBoundingClientRect().right;
  parent.postMessage(JSON.stringify({
    width: innerWidth,
    scrollWidth: document.scrollingElement.scrollWidth,
    height: document.scrollingElement.scrollHeight,
    images: all("img").map((image) => image.naturalWidth),
    loaded: performance.getEntriesByType("resource").map((entry) => entry.name),
    boxes: all(".wide").map((box) => [box.clientWidth, box.scrollWidth]),
    ends: all("p, dl, figcaption, .wide, h1, h2").map(end),
  }), "*")
})</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the browser chromium")


@pytest.fixture(scope="module")
def text(statistics, tmp_path_factory):
    """Return the page with figures as they are drawn."""
    folder = tmp_path_factory.mktemp("figures")
    maps = {"pretrained": BitMap(np.eye(4), 9.0), "joint": BitMap(np.ones((4, 4)), 8.0)}
    with style.applied():
        drawn = {
            "fig2": accuracy_over_rate(statistics),
            **{name: weight_effect(statistics, weight) for name, weight in SWEEPS.items()},
            "fig4": recall_over_rate(statistics),  # as wide as faces are
            "classes": recall_over_rate(statistics),
            "bits": bit_maps([Mapped(0, np.zeros((64, 64, 3), np.uint8), maps)]),
            "reliability": reliability_diagram(statistics),
        }
        for name, figure in drawn.items():
            style.save(figure, folder / name)
    images = {name: (folder / f"{name}.png").read_bytes() for name in FIGURE_NAMES}
    return page(statistics, images)


def browse(folder, text, width, *options):
    """Open the page in a frame so wide; return what the browser prints."""
    (folder / "page.html").write_text(text.replace("</body>", f"{MEASURE}</body>"))
    (folder / "frame.html").write_text(FRAME.format(width=width, height=HEIGHT))
    profile = f"--user-data-dir={folder / 'profile'}"
    size = f"--window-size={max(width, 500)},{HEIGHT}"
    command = [CHROMIUM, *FLAGS, profile, size, "--virtual-time-budget=10000", *options]
    address = (folder / "frame.html").as_uri()
    with (folder / "printed").open("wb") as printed:  # no pipe, which its helpers would hold
        browser = subprocess.Popen(
            [*command, address],
            stdout=printed,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert browser.wait(timeout=120) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
    return (folder / "printed").read_text()


def measured(folder, text, width):
    dom = browse(folder, text, width, "--dump-dom")
    return json.loads(html.unescape(re.search(r'<pre id="found">(.+?)</pre>', dom)[1]))


@pytest.fixture(scope="module", params=[DESK, PHONE])
def found(request, text, tmp_path_factory):
    return measured(tmp_path_factory.mktemp("browser"), text, request.param)


def test_the_page_never_scrolls_sideways(found):
    assert found["width"] in (DESK, PHONE)
    assert found["scrollWidth"] <= found["width"]
    assert max(found["ends"]) <= found["width"]


def test_every_image_is_there(found):
    assert len(found["images"]) == len(FIGURE_NAMES)
    assert min(found["images"]) > 900


def test_nothing_is_asked_of_a_network(found):
    assert found["loaded"] == []


def test_wide_tables_scroll_in_their_own_boxes_on_a_phone(found):
    boxes = found["boxes"]
    assert len(boxes) == len(TABLE_NAMES) + len(FIGURE_NAMES)
    assert all(inner <= found["width"] for inner, _ in boxes)
    scrolling = sum(outer > inner for inner, outer in boxes)
    assert scrolling >= len(TABLE_NAMES) if found["width"] == PHONE else scrolling <= 4


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_page_is_not_blank(text, width, tmp_path):
    browse(tmp_path, text, width, f"--screenshot={tmp_path / 'shot.png'}")
    with Image.open(tmp_path / "shot.png") as picture:
        shot = np.asarray(picture.convert("L").crop((0, 0, width, HEIGHT)))
    rows_with_ink = (shot < 100).any(axis=1).mean()
    assert rows_with_ink > 0.3
    assert (shot > 200).mean() > 0.5  # and not all ink


def test_the_checks_see_a_page_that_is_broken(text, tmp_path):
    broken = '<div style="width: 600px">x</div><img src="http://127.0.0.1:9/x.png"></body>'
    found = measured(tmp_path, text.replace("</body>", broken), PHONE)
    assert found["scrollWidth"] >= 600
    assert found["images"][-1] == 0
    assert found["loaded"] == ["http://127.0.0.1:9/x.png"]
