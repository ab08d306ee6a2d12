"""Having signers for as long as a process runs."""

import contextlib
from collections.abc import AsyncIterator, Iterable

from hyperliquid_exchange.adapters.signer_lease import SignerLease
from hyperliquid_exchange.adapters.signer_ownership import SignerOwnership, this_process
from hyperliquid_exchange.settings import Settings
from suite.clock import Clock


@contextlib.asynccontextmanager
async def holding_signers(
    settings: Settings, signers: Iterable[str], clock: Clock
) -> AsyncIterator[SignerOwnership]:
    """Have signers, all of them, on this machine and, where a database is named, between machines.

    Args:
        settings: of the process.
        signers: their addresses, lower case.
        clock: the machine's.

    Raises:
        InUse: another process has one; it is named.
        SuiteError: the locks or the database cannot be used.
    """
    signers = tuple(signers)
    me, url = this_process(clock), settings.database_url.get_secret_value()
    lease = SignerLease(url, me) if url else None
    ownership = SignerOwnership(settings.state_dir / "signers", me, lease=lease)
    ownership.take(signers)
    try:
        if lease is not None:
            await lease.take(signers)
        yield ownership
    finally:
        if lease is not None:
            await lease.close()
        ownership.close()
