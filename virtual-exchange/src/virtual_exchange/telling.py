"""What a command says of a run that is over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer
from rich.console import Console

from strategy_core.llm.use import hit_rate
from suite.moments import format_moment
from suite.service.cli import EXIT_FAILURE, EXIT_OK
from virtual_exchange.application.report.results import write_results
from virtual_exchange.domain.record import RunRecord

_WIDTH: Final = 110


def tell_results(
    record: RunRecord, out: Path, *, seconds: float, failed: Mapping[str, str] | None = None
) -> int:
    """Write the report of a run, and say what came of it.

    Args:
        record: of the run.
        out: folder of the report.
        seconds: that it took.
        failed: traders that are not in it, and why.

    Returns:
        The exit code: a strategy that failed is a failure.
    """
    results = write_results(record, out)
    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width of its own
        console.width = _WIDTH
    console.print(results.summary)
    told = [account.guards for account in record.accounts if account.guards is not None]
    uses = [guards.models for guards in told if guards.models is not None]
    for remark in results.remarks:
        typer.echo(remark)
    for line in hit_rate(uses, failed or {}):
        typer.echo(line)
    typer.echo(f"report written to {results.path}")
    fills = sum(len(account.fills) for account in record.accounts)
    typer.echo(
        f"report sha256={results.sha256} seconds={seconds:.3f} "
        f"traders={len(record.accounts)} fills={fills}"
    )
    faulty = [
        (account.account_id, account.guards)
        for account in record.accounts
        if account.guards is not None and account.guards.faults
    ]
    for name, guards in faulty:
        typer.echo(
            f"virtual-exchange: trader {name} failed {guards.faults} of {guards.decisions} times, "
            f"first at {format_moment(guards.first_fault_ms or 0)}: {guards.first_fault}; "
            "it took no new risk from then on",
            err=True,
        )
    return EXIT_FAILURE if faulty else EXIT_OK
