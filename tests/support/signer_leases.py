"""A process that has a signer in the database, as if on a machine of its own."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from tests.support.signer_races import ANNA, KEY, account

from hyperliquid_exchange.adapters.keystore import AgentKey
from hyperliquid_exchange.adapters.nonce_file import NonceFiles
from hyperliquid_exchange.adapters.signer_lease import SignerLease
from hyperliquid_exchange.adapters.signer_ownership import Holder, SignerOwnership
from hyperliquid_exchange.adapters.signing import AgentSigner
from suite.contracts.hyperliquid_exchange import Noop
from suite.errors import NotOwner, SuiteError
from suite.service.clock import SystemClock
from suite.service.logging import configure_logging


async def sign_all_the_time(url: str, folder: Path, host: str, lease_s: float) -> None:
    """Take the signer and sign until told to end; every signature, and every refusal, is a line.

    Lines: `taken`, `refused REASON`, `signed NONCE`, `not owner`.
    """
    clock, key = SystemClock(), AgentKey(KEY)
    me = Holder(pid=0, host=host, since_ms=clock.now_ms())
    lease = SignerLease(url, me, lease_s=lease_s, beat_s=lease_s / 5)
    ownership = SignerOwnership(folder / "signers", me, lease=lease)
    nonces = NonceFiles(folder / "nonces", clock)
    signer = AgentSigner(
        {ANNA: account(key.address)}, {key.address: key}, network="testnet", ownership=ownership
    )
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    ownership.take([key.address])
    try:
        await lease.take([key.address])
    except SuiteError as error:
        print(f"refused {error}", flush=True)
        return
    print("taken", flush=True)
    while not ending.is_set():
        try:
            nonce = nonces.next(key.address)
            signer.sign(ANNA, Noop(), nonce=nonce, expires_ms=None)
            print(f"signed {nonce}", flush=True)
        except NotOwner:
            print("not owner", flush=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), 0.02)
    await lease.close()
    ownership.close()


if __name__ == "__main__":
    configure_logging(level="error", style="json")
    asyncio.run(sign_all_the_time(sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
