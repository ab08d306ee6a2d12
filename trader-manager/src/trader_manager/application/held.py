"""Which positions a trader holds: asked of the venue, as a process may be gone, hung or new."""

from decimal import Decimal

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
    try:
        state = await venue.state(await venue.address(trader.trader_id, trader.account_id))
    except SuiteError as error:
        raise Conflict(
            f"whether {trader.trader_id} holds a position is not known: {error}"
        ) from None
    held = (row.position for row in state.assetPositions)
    return tuple(one.coin for one in held if not is_decimal(one.szi) or Decimal(one.szi))
