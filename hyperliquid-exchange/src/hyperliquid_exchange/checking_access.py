"""The lines of the checklist that are about the service itself, its tokens and who is told."""

import hashlib
from typing import Final

from hyperliquid_exchange.adapters.database_probe import look_at_database
from hyperliquid_exchange.adapters.service_probe import ServiceProbe
from hyperliquid_exchange.application.preflight import access
from hyperliquid_exchange.application.preflight.access import TokenFile
from hyperliquid_exchange.application.preflight.safety import check_alerts
from hyperliquid_exchange.custody import Custody
from hyperliquid_exchange.places import tokens_of
from hyperliquid_exchange.settings import Settings
from suite.bars import DAY_MS
from suite.checklist import Line
from suite.clock import Clock
from suite.errors import SuiteError
from suite.notices import Notice
from suite.service.channels import Webhook
from suite.service.tokens import PREFIX

GRANTS: Final = frozenset({"operator", "reader", "risk-pause", "risk-resume"})
_SECRET_CHARS: Final = 43
"""Of 256 random bits in the alphabet of URLs."""


async def access_lines(
    settings: Settings, custody: Custody, build: str, clock: Clock, *, serves: bool
) -> list[Line]:
    """Look at the service as a stranger would, at its tokens and its database.

    Args:
        settings: of the service.
        custody: accounts.
        build: hash of the code that is installed.
        clock: the wall's, which tokens end by.
        serves: a service runs on this state folder.
    """
    probe = ServiceProbe(settings.own_url)
    accounts, url = tuple(custody.accounts.values()), settings.database_url.get_secret_value()
    tokens = _token_files(settings, clock)
    fault, seen = "", None
    try:
        seen = await look_at_database(url) if url else None
    except SuiteError as error:
        fault = str(error)
    return [
        access.check_build(build, await probe.build() if serves else None, serves=serves),
        access.check_tokens(tokens, GRANTS | frozenset(custody.accounts)),
        access.check_doors(await probe.doors() if serves else None, serves=serves),
        access.check_database(seen, fault, is_named=bool(url)),
        access.check_mandate(accounts, custody.limits),
    ]


async def alert_line(settings: Settings, clock: Clock) -> Line:
    """Send a test message to where alerts go."""
    url = settings.alert_webhook_url.get_secret_value()
    if not url:
        return check_alerts(0)
    alert = Notice(
        kind="test", text="a preflight asks whether anybody hears this", at_ms=clock.now_ms()
    )
    try:
        await Webhook(url, "hyperliquid-exchange preflight").send(alert)
    except SuiteError as error:
        return check_alerts(1, str(error))
    return check_alerts(1)


def _token_files(settings: Settings, clock: Clock) -> list[TokenFile]:
    folder, found = tokens_of(settings.state_dir), []
    for path in sorted(folder.rglob("*.token")):
        text = path.read_text(encoding="ascii", errors="replace").strip()
        state = path.stat()
        days_old = (clock.now_ms() - state.st_mtime_ns // 1_000_000) / DAY_MS
        found.append(
            TokenFile(
                name=str(path.relative_to(folder).with_suffix("")),
                mode=state.st_mode & 0o777,
                is_secret=text.startswith(PREFIX) and len(text) >= len(PREFIX) + _SECRET_CHARS,
                digest=hashlib.sha256(text.encode()).hexdigest(),
                days_left=settings.token_days - days_old,
            )
        )
    return found
