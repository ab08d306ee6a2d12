"""What `POST /info` is asked, beyond the fields that every type reads."""

from suite.contracts.hyperliquid_info import InfoRequest


class UnknownRequest(ValueError):
    """The body of an info request means nothing here; the venue answers 422."""


class InfoBody(InfoRequest, frozen=True, kw_only=True):
    """Body of `POST /info` with the fields that only some types read."""

    oid: int | str | None = None
    startTime: int | None = None  # noqa: N815 - the wire's own name
    endTime: int | None = None  # noqa: N815
