"""One list of rows in every format: Markdown, LaTeX (booktabs), CSV, HTML, plain text.

The formats for people round to the column's decimals and print a bold number only where its
interval excludes zero. CSV is for programs: every value as statistics.json has it, bounds in
columns of their own.
"""

from __future__ import annotations

import csv
import html
import io
from dataclasses import replace

from mien.report.cells import ABSENT, Cell, Column, Table, shown_cells
from mien.report.statistics import Estimate

_TEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "−": "$-$",
    "–": "--",
    "…": r"\dots{}",
    "<": "$<$",
    ">": "$>$",
    "[": "{[}",  # after `\\` a bare bracket would be the row's optional spacing
    "]": "{]}",
}


def markdown(table: Table) -> str:
    """Return the table as GitHub Markdown, its caption above and its notes below."""
    body = [
        [shown.marked("**", "**") for shown in shown_cells(table, row)] for row in table.rows
    ]
    rule = ["---" if column.decimals is None else "---:" for column in table.columns]
    header = [column.header for column in table.columns]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, rule, *body)]
    notes = [f"- {note}" for note in table.notes]
    blocks = [[f"**{table.title}.** {table.caption}"], lines, notes]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def latex(table: Table) -> str:
    """Return a `table` environment for the booktabs package; `table*` if it is wide."""
    wide = len(table.columns) > 5
    environment = "table*" if wide else "table"
    size = r"\scriptsize\setlength{\tabcolsep}{3pt}" if wide else r"\footnotesize"
    alignment = "".join("l" if column.decimals is None else "r" for column in table.columns)
    header = " & ".join(_tex(column.header) for column in table.columns)
    body = [
        " & ".join(
            replace(shown, text=_tex(shown.text)).marked(r"\textbf{", "}")
            for shown in shown_cells(table, row)
        )
        + r" \\"
        for row in table.rows
    ]
    notes = "".join(f" {_tex(note)}." for note in table.notes)
    lines = [
        f"\\begin{{{environment}}}",
        f"\\centering{size}",
        f"\\caption{{{_tex(table.caption)}{notes}}}",
        f"\\label{{tab:{table.name}}}",
        f"\\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        f"{header} \\\\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        f"\\end{{{environment}}}",
    ]
    return "\n".join(lines) + "\n"


def comma_separated(table: Table) -> str:
    """Return CSV: a header of keys, bounds in `_low` and `_high`, remarks in `note`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([key for column in table.columns for key in _keys(column)] + ["note"])
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        values = [value for column, cell in cells for value in _values(column, cell)]
        remarks = [
            f"{', '.join(columns)}: {remark}" for remark, columns in table.remarks(row).items()
        ]
        writer.writerow([*values, "; ".join(remarks)])
    return buffer.getvalue()


def html_table(table: Table) -> str:
    """Return a `figure` element: caption, a table that scrolls by itself, notes."""
    header = "".join(
        f'<th scope="col"{_align(column)}>{html.escape(column.header)}</th>'
        for column in table.columns
    )
    body = "\n".join(f"<tr>{_html_row(table, row)}</tr>" for row in table.rows)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in table.notes)
    label = html.escape(table.title)
    return (
        f'<figure id="table-{table.name}">\n'
        f"<figcaption><b>{label}.</b> {html.escape(table.caption)}</figcaption>\n"
        f'<div class="wide" tabindex="0" role="region" aria-label="{label}">\n'
        f"<table>\n<thead><tr>{header}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>\n"
        + (f'<ul class="notes">{notes}</ul>\n' if notes else "")
        + "</figure>\n"
    )


def plain(table: Table) -> str:
    """Return aligned columns of ASCII for a terminal, notes below, no caption."""
    header = [
        f"{column.title} [{column.unit}]" if column.unit else column.title
        for column in table.columns
    ]
    body = [[shown.text for shown in shown_cells(table, row, minus="-")] for row in table.rows]
    cells = [header, *([text.replace(ABSENT, "-") for text in row] for row in body)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    lines = [
        "  ".join(
            text.ljust(width) if column.decimals is None else text.rjust(width)
            for text, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([*lines, *table.notes]) + "\n"


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)


def _keys(column: Column) -> list[str]:
    return [
        column.key,
        *([f"{column.key}_low", f"{column.key}_high"] if column.bounded else []),
    ]


def _values(column: Column, cell: Cell) -> list[str | int | float | None]:
    if isinstance(cell, Estimate):
        return [cell.value, cell.low, cell.high]
    return [cell, None, None] if column.bounded else [cell]


def _html_row(table: Table, row: list[Cell]) -> str:
    cells = []
    for i, (column, shown) in enumerate(
        zip(table.columns, shown_cells(table, row), strict=True)
    ):
        tag, scope = ("th", ' scope="row"') if i == 0 else ("td", "")
        text = html.escape(shown.text)
        text = f"<b>{text}</b>" if shown.bold else text
        cells.append(f"<{tag}{scope}{_align(column)}>{text}</{tag}>")
    return "".join(cells)


def _align(column: Column) -> str:
    return "" if column.decimals is None else ' class="number"'
