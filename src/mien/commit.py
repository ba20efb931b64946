"""The commit that a copy outside git is of: `git archive` or `setup.py` fills it in."""

RECORDED = "$Format:%H$"
