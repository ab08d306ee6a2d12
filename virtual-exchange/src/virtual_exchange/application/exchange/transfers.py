"""Money that the operator moves between accounts of a world."""

from suite.contracts.world import Transfer, TransferDone
from suite.errors import BadRequest, Conflict, NotFound
from suite.fixed import Usd
from virtual_exchange.application.world import World, account_of
from virtual_exchange.domain.accounts import Account


class Transfers:
    """Transfers of one world; each key is carried out once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._done: dict[str, tuple[Transfer, TransferDone]] = {}

    def move(self, transfer: Transfer) -> TransferDone:
        """Move money from one perp wallet to another.

        Raises:
            NotFound: an account does not exist.
            BadRequest: both are the same.
            Conflict: the payer's margin or the payee's limit does not allow it, or the key was used
                for another one.
        """
        if (known := self._done.get(transfer.idempotency_key)) is not None:
            before, done = known
            if before != transfer:
                raise Conflict("this idempotency_key was used for another transfer")
            return done
        source, target = self._account(transfer.from_), self._account(transfer.to)
        if source is target:
            raise BadRequest("from and to are the same account")
        usd = Usd(transfer.usd_micro)
        if not self._world.transfer(source, target, usd, "internalTransfer"):
            raise Conflict(
                f"{transfer.from_} cannot spare {usd} micro-USD, or {transfer.to} cannot hold them"
            )
        done = TransferDone(
            from_=source.account_id,
            to=target.account_id,
            usd_micro=usd,
            time_ms=self._world.now_ms,
        )
        self._done[transfer.idempotency_key] = (transfer, done)
        return done

    def _account(self, name: str) -> Account:
        account = account_of(self._world, name)
        if account is None:
            raise NotFound(f"no account {name[:64]!r} in this world")
        return account
