"""`/faucet` and `/transfers`: simulated money, moved by the operator."""

import msgspec

from suite.addresses import normal_address
from suite.contracts.world import FaucetRequest, Transfer, TransferDone
from virtual_exchange.application.inputs import Move
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer

_faucet = msgspec.json.Decoder(FaucetRequest)
_transfer = msgspec.json.Decoder(Transfer)


async def faucet(call: Call) -> Answer:
    """`POST /faucet`."""
    request = call.decode(_faucet)
    session = call.session
    session.identity.register(normal_address(request.address))
    return answer({"address": normal_address(request.address)})


async def transfer(call: Call) -> Answer:
    """`POST /transfers`."""
    return answer(call.session.take(Move(transfer=call.decode(_transfer))))


ROUTES = (
    Route(
        method="POST",
        path="/faucet",
        handler=faucet,
        scope="admin",
        doc=Doc(
            summary="Open an account for an address, with the money the world's faucet gives",
            request=FaucetRequest,
            response=dict[str, str],
        ),
    ),
    Route(
        method="POST",
        path="/transfers",
        handler=transfer,
        scope="admin",
        doc=Doc(
            summary="Move simulated money between two accounts; a repeated key moves nothing",
            request=Transfer,
            response=TransferDone,
        ),
    ),
)
