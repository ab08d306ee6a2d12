"""What is said on a connection, and how it is answered."""

from typing import Any, Final

import msgspec

from suite.contracts import hyperliquid_ws as ws
from suite.errors import SuiteError, one_line
from suite.service.faults import NOT_JSON, WRONG_SHAPE
from virtual_exchange.application.exchange.door import Malformed
from virtual_exchange.application.info_request import InfoBody, UnknownRequest
from virtual_exchange.application.session import Session
from virtual_exchange.application.stream_feeds import message
from virtual_exchange.application.subscriber import Subscriber
from virtual_exchange.entrypoint.hyperliquid import read

_PONG: Final = b'{"channel":"pong"}'
_SHOWN: Final = 8192
"""How much of a malformed frame is echoed, characters."""
_info = msgspec.json.Decoder(InfoBody)


class Requests:
    """The requests of one connection."""

    def __init__(self, session: Session, subscriber: Subscriber) -> None:
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
            case ws.Post():
                self._post(frame)

    def _post(self, post: ws.Post) -> None:
        if self._subscriber.too_many_posts:
            self._subscriber.error(ws.TOO_MANY_POSTS.format(id=post.id))
            return
        body = bytes(post.request.payload)
        try:
            response = self._info(body) if post.request.type == "info" else self._action(body)
        except SuiteError as error:
            response = _failed(str(error))
        answer = message("post", {"id": post.id, "response": response})
        self._subscriber.reply(answer, post=True)

    def _info(self, body: bytes) -> dict[str, Any]:
        try:
            request = _info.decode(body)
            data = read(self._session, request, None)
        except (msgspec.DecodeError, RecursionError, UnknownRequest) as error:
            return _failed(f"{WRONG_SHAPE}: {error}")
        return {"type": "info", "payload": {"type": request.type, "data": data}}

    def _action(self, body: bytes) -> dict[str, Any]:
        try:
            payload = self._session.door.submit(body)
        except Malformed as error:
            return _failed(f"{WRONG_SHAPE}: {error}" if error.is_json else NOT_JSON)
        return {"type": "action", "payload": payload}


def _failed(text: str) -> dict[str, Any]:
    return {"type": "error", "payload": one_line(text)}
