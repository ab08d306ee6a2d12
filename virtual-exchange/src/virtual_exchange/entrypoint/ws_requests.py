"""What is said on a connection, and how it is answered."""

from typing import Any, Final

import msgspec

from suite.contracts import hyperliquid_ws as ws
from suite.errors import SuiteError, one_line
from suite.info_weights import items_of, weight
from suite.service.faults import NOT_JSON, WRONG_SHAPE
from virtual_exchange.application.exchange.answers import Answer as ActionAnswer
from virtual_exchange.application.exchange.gateway import Malformed
from virtual_exchange.application.info.request import UnknownRequest, Unsupported, read_body
from virtual_exchange.application.inputs import Post
from virtual_exchange.application.latency_queue import Delivery
from virtual_exchange.application.session import Session
from virtual_exchange.application.stream.feeds import message
from virtual_exchange.application.stream.subscriber import Subscriber
from virtual_exchange.entrypoint.asgi import Call

_PONG: Final = b'{"channel":"pong"}'
_SHOWN: Final = 8192
"""How much of a malformed frame is echoed, characters."""
_TOO_MUCH: Final = "429 Too Many Requests"
_NOT_THERE: Final = "500 Internal Server Error"


class Requests:
    """The requests of one connection.

    Args:
        call: what opened it; its address pays for reads.
        session: the world.
        subscriber: gets the answers.
    """

    def __init__(self, call: Call, session: Session, subscriber: Subscriber) -> None:
        self._call = call
        self._session = session
        self._subscriber = subscriber

    def handle(self, text: str | None, binary: bytes | None) -> None:
        """Answer a frame; one that means nothing is answered too."""
        frame = None if text is None else ws.decode_frame(text)
        if frame is None:
            shown = (binary or b"")[:_SHOWN].decode(errors="replace") if text is None else text
            self._subscriber.error(ws.MALFORMED.format(text=shown[:_SHOWN]))
            return
        try:
            self._answer(frame)
        except SuiteError as error:
            self._subscriber.error(one_line(str(error)))

    def _answer(self, frame: ws.Frame) -> None:
        subscriber = self._subscriber
        match frame:
            case ws.Subscribe():
                subscriber.subscribe(frame.subscription)
            case ws.Unsubscribe():
                subscriber.unsubscribe(frame.subscription)
            case ws.Ping():
                subscriber.reply(_PONG)
            case ws.Post() if subscriber.begin_post():
                self._post(frame.id, frame.request)
            case ws.Post():
                subscriber.error(ws.TOO_MANY_POSTS.format(id=frame.id))

    def _post(self, number: int, request: ws.PostRequest) -> None:
        body = bytes(request.payload)
        if request.type == "info":
            self._respond(number, self._info(body))
            return
        try:
            delivery = self._session.take(Post(body=body))
        except Malformed as error:
            self._respond(number, _failed(f"{WRONG_SHAPE}: {error}" if error.is_json else NOT_JSON))
            return
        if self._session.paced and not delivery.arrived:
            delivery.on_arrival(lambda: self._respond(number, _told(delivery)))
        else:
            self._respond(number, _told(delivery))

    def _info(self, body: bytes) -> dict[str, Any]:
        try:
            request = read_body(body)
            cost = weight(request.type)
            if not self._call.spend(cost):
                return _failed(_TOO_MUCH)
            data = self._session.queries.serve(request, None)
        except Unsupported:
            return _failed(_NOT_THERE)
        except (msgspec.DecodeError, RecursionError, UnknownRequest) as error:
            return _failed(f"{WRONG_SHAPE}: {error}")
        except SuiteError as error:
            return _failed(str(error))
        self._call.charge(weight(request.type, items_of(data)) - cost)
        return {"type": "info", "payload": {"type": request.type, "data": data}}

    def _respond(self, number: int, response: dict[str, Any]) -> None:
        answer = message("post", {"id": number, "response": response})
        self._subscriber.reply(answer, post=True)


def _told(delivery: Delivery[ActionAnswer]) -> dict[str, Any]:
    if delivery.fault is not None:
        return _failed(str(delivery.fault))
    return {"type": "action", "payload": delivery.answer}


def _failed(text: str) -> dict[str, Any]:
    return {"type": "error", "payload": one_line(text)}
