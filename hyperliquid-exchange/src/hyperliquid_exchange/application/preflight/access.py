"""Checks of the service itself and of who may reach it: 1, 13, 15, 23 and 48."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount
from suite.checklist import Line, failed, judged, passed, skipped, warned
from suite.fixed import USD_DECIMALS, format_fixed

TOKEN_MODES: Final = frozenset({0o400, 0o600})
SOON_DAYS: Final = 7
"""Left of a token: somebody should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFile:
    """A file with a token.

    Attributes:
        name: of the grant, as the file is called.
        mode: its permission bits.
        is_secret: it has the form and the length of a token that was made at random.
        digest: of the token; equal for equal ones.
        days_left: until it ends.
    """

    name: str
    mode: int
    is_secret: bool
    digest: str
    days_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSeen:
    """What the database says of itself.

    Attributes:
        version: of the server.
        waits_for_disk: a commit that was answered survives a power cut.
        is_superuser: the role may do everything.
        took_ms: to write, read and commit a row.
    """

    version: str
    waits_for_disk: bool
    is_superuser: bool
    took_ms: int


def check_build(here: str, serving: str | None, *, serves: bool) -> Line:
    """1: what serves is the code that is looked at.

    Args:
        here: hash of the code that is installed.
        serving: of the service; None where it does not tell.
        serves: a service runs on this state folder.
    """
    name, fix = "build", "restart the service, so that it runs what is installed"
    if not serves:
        return skipped(1, name, f"{here[:12]}; the service does not run", fix, required=False)
    if serving is None:
        where = "let HYPERLIQUID_EXCHANGE_HOST and _PORT be those of the service"
        return warned(1, name, "the service does not answer where it should", where)
    if serving != here:
        return failed(1, name, f"the service runs {serving[:12]}, installed is {here[:12]}", fix)
    return passed(1, name, f"the service runs {here[:12]}, as installed")


def check_tokens(files: Sequence[TokenFile], names: frozenset[str]) -> Line:
    """13: tokens are random, each its own, and open to nobody else.

    That none both trades and ends kills is so by what each name may do.

    Args:
        files: that were found.
        names: that the service takes.
    """
    name, fix = "tokens", "delete the file and restart the service, which writes a new one"
    if not files:
        return skipped(13, name, "written at the first start", "", required=False)
    faults = [
        f"{file.name}: mode {file.mode:04o}" for file in files if file.mode not in TOKEN_MODES
    ]
    faults += [f"{file.name}: no random token" for file in files if not file.is_secret]
    by_digest: dict[str, str] = {}
    for file in files:
        other = by_digest.setdefault(file.digest, file.name)
        if other != file.name:
            faults.append(f"{file.name}: the token of {other}")
    strange = [file.name for file in files if file.name not in names]
    if strange and not faults:
        told = f"of nobody: {', '.join(sorted(strange))}"
        return warned(13, name, told, "delete the files; the service does not take these tokens")
    first = min(files, key=lambda file: file.days_left)
    if first.days_left < SOON_DAYS and not faults:
        told = f"{first.name} ends in {first.days_left:.1f} days"
        return warned(13, name, told, f"hyperliquid-exchange tokens rotate {first.name}")
    told = f"{len(files)} files; none trades and ends kills; {first.days_left:.0f} days left"
    return judged(13, name, faults, told, fix)


def check_doors(answers: Mapping[str, int] | None, *, serves: bool) -> Line:
    """15: who has no token is told nothing.

    Args:
        answers: status of each route that was asked without one; None where nobody answered.
        serves: a service runs on this state folder.
    """
    name = "doors without a token"
    if not serves or answers is None:
        why = "the service does not run" if not serves else "the service does not answer"
        return skipped(15, name, why, "ask again while it runs", required=False)
    faults = [f"{route} answered {code}" for route, code in sorted(answers.items()) if code != 401]
    if not answers:
        faults.append("no route was found")
    return judged(15, name, faults, f"{len(answers)} routes are closed", "report it: a bug")


def check_database(seen: DatabaseSeen | None, fault: str, *, is_named: bool) -> Line:
    """23: the database that says who may sign.

    Args:
        seen: what it says; None where it was not asked.
        fault: why not; empty where it is a server of our own.
        is_named: `DATABASE_URL` is set.
    """
    name, fix = "database", "look at DATABASE_URL and its server; nothing is signed without it"
    if not is_named:
        return skipped(23, name, "DATABASE_URL is not set: one machine signs", "", required=False)
    if fault:
        return failed(23, name, fault, fix)
    if seen is None:
        return skipped(23, name, "a server of our own: one machine signs", "", required=False)
    told = f"PostgreSQL {seen.version}, a row committed in {seen.took_ms} ms"
    if not seen.waits_for_disk:
        return failed(23, name, f"{told}; synchronous_commit is off", "turn synchronous_commit on")
    if seen.is_superuser:
        return warned(23, name, f"{told}; the role is a superuser", "give it a role of its own")
    return passed(23, name, told)


def check_mandate(accounts: Sequence[LiveAccount], overall: GlobalLimits) -> Line:
    """48: what may be lost today, and in what; for the person who starts it."""
    each = "; ".join(
        f"{account.trader_id} {_usd(account.limits.max_day_loss_usd)} in "
        f"{', '.join(account.symbols)}"
        for account in accounts
    )
    least = min(
        sum(account.limits.max_day_loss_usd for account in accounts), overall.max_day_loss_usd
    )
    return passed(48, "mandate", f"stopped at a loss today of {_usd(least)} USD: {each}")


def _usd(micro: int) -> str:
    return format_fixed(micro, USD_DECIMALS)
