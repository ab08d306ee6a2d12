"""Which positions a trader holds: asked of the venue, as a process may be gone, hung or new."""

from decimal import Decimal

from suite.addresses import account_address, is_address
from suite.errors import Conflict, SuiteError
from suite.fixed import is_decimal
from trader_manager.application.venue_reads import VenueReads
from trader_manager.domain.traders import DesiredState, StoredTrader


async def held_coins(venue: VenueReads, trader: StoredTrader) -> tuple[str, ...]:
    """Tell the coins of which the account of a trader holds a position.

    Raises:
        Conflict: that cannot be told, and why.
    """
    if trader.generation == 1 and trader.desired is DesiredState.STOPPED:
        return ()  # nobody ever wanted it to run
    account = trader.account_id
    try:
        if not is_address(account) and not (await venue.clock()).world:
            raise Conflict(f"{account} is no address, and a real venue knows accounts by theirs")
        state = await venue.state(account_address(account))
    except SuiteError as error:
        raise Conflict(
            f"whether {trader.trader_id} holds a position is not known: {error}"
        ) from None
    held = (row.position for row in state.assetPositions)
    return tuple(one.coin for one in held if not is_decimal(one.szi) or Decimal(one.szi))
