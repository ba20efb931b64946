"""The rules as they are written: what the profile's triggers leave to them."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = re.compile(r"^ *rule ?(\w*):\n(.*?)(?=^ *rule\b|\Z)", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^( +)(\w+):(.*\n(?:\1 +.*\n|\n)*)", re.MULTILINE)
# Files that values or wildcards choose. The note of drawn faces comes and goes with data.faces,
# which `ingest` depends on, and everything on it.
CHOSEN = re.compile(r"lambda|\bplan\.(?!parts\b|drawn_faces\b)")


def rules():
    for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for name, text in RULES.findall(file.read_text()):
            sections = {key: body for _, key, body in SECTION.findall(text)}
            yield f"{file.stem}:{name or sections.get('name', '').strip()}", sections


def test_the_profile_compares_all_but_the_list_of_inputs():
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    assert set(profile["rerun-triggers"]) == {"mtime", "params", "software-env", "code"}


@pytest.mark.parametrize(("name", "sections"), [pytest.param(*r, id=r[0]) for r in rules()])
def test_a_rule_whose_inputs_are_chosen_names_them_in_a_param(name, sections):
    """Snakemake does not compare lists of inputs here; with `reads` it compares the values."""
    if CHOSEN.search(sections.get("input", "")) and name not in WHOLE:
        assert "reads=" in sections["params"]


# An alias makes no file; the figures are always the same ones.
WHOLE = {"demo_weights:models", "report:report"}


def test_all_rules_were_looked_at():
    names = [name for name, _ in rules()]
    assert len(names) == len(set(names)) >= 21
    chosen = [name for name, parts in rules() if CHOSEN.search(parts.get("input", ""))]
    assert {"evaluate:encode", "evaluate:decode_part", "finetune:finetune"} < set(chosen)
