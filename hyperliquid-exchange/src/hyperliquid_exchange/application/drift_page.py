"""The drift report as rows, and as one HTML page that needs nothing else."""

import csv
import io
from dataclasses import asdict, fields
from importlib.resources import files

from hyperliquid_exchange.application.shadow import DriftReport
from hyperliquid_exchange.domain.drift import DriftRow
from suite.page.assembling import assemble

COLUMNS = tuple(field.name for field in fields(DriftRow))
ROWS_MAX = 5000
"""Rows that the page shows, the latest; all of them are in the files."""


def as_csv(report: DriftReport) -> str:
    """Write a line an order, with a head; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in report.rows:
        values = asdict(row)
        writer.writerow("" if values[name] is None else values[name] for name in COLUMNS)
    return text.getvalue()


def render_page(report: DriftReport) -> str:
    """Put the page together."""
    assets = files("hyperliquid_exchange.application") / "assets"
    told = report.told()
    told["rows"] = told["rows"][-ROWS_MAX:]
    told["rows_total"] = len(report.rows)
    return assemble(
        (assets / "drift.html").read_text("utf-8"),
        title="Drift",
        data={"data": told},
        scripts=[(assets / "drift.js").read_text("utf-8")],
    )
