"""docs/tour.md shows what the code makes of its face now, and names what is there."""

import importlib.util
import re
import sys
from contextlib import chdir
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/tour.md").read_text(encoding="utf-8")
MOST_BYTES = 300_000  # of its pictures
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def module():
    spec = importlib.util.spec_from_file_location("tour", ROOT / "docs/tour.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules["tour"] = made  # where dataclasses look
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    tour = module()
    folder = tmp_path_factory.mktemp("tour")
    seen = tour.followed(folder)
    with chdir(folder):
        return tour.told(seen)


def numbers(text):
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def shown():
    return dict(re.findall(r"<!-- tour: (\w+) -->\n```text\n(.*?)\n```", PAGE, re.DOTALL))


def test_every_box_is_what_the_code_makes(blocks):
    assert list(shown()) == list(blocks)
    for name, text in blocks.items():
        assert NUMBER.sub("#", shown()[name]).split() == NUMBER.sub("#", text).split(), name
        # Sums of floats differ between processors: by one symbol, then by a byte or two.
        assert numbers(shown()[name]) == pytest.approx(numbers(text), rel=0.02, abs=1), name


def test_every_file_named_is_there_and_has_what_it_is_named_for():
    files = set(re.findall(r"`([\w/]+\.py)`", PAGE))
    assert len(files) > 20
    for name in files:
        assert len(places(name)) == 1, name
    pairs = re.findall(r"`(?:\w+\.)?(\w+)`(?: and `(\w+)`)?\s+in\s+`([\w/]+\.py)`", PAGE)
    assert len(pairs) > 10
    for *names, file in pairs:
        (place,) = places(file)
        text = place.read_text(encoding="utf-8")
        for name in filter(None, names):
            assert re.search(rf"^ *(def|class) {name}\b", text, re.MULTILINE), (name, file)


def places(name):
    """Return the files that a name on the page can stand for: its end, below the root."""
    every = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").glob("*.py")]
    every += (ROOT / "docs").glob("*.py")
    return [path for path in every if path.as_posix().endswith(f"/{name}")]


def test_its_pictures_are_there_and_small():
    pictures = [
        ROOT / "docs" / name for name in re.findall(r"\]\((images/tour-[\w.-]+)\)", PAGE)
    ]
    assert len(pictures) == 5
    assert sum(path.stat().st_size for path in pictures) < MOST_BYTES
