"""Query parameters: none that a route does not have."""

from typing import Final

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from suite.service.requests import refuse_unknown_query


def known_query(request: Request) -> None:
    """Refuse parameters that the route does not have.

    Raises:
        BadRequest: names the parameter and those that there are.
    """
    route = request.scope["route"]
    if request.query_params and isinstance(route, APIRoute):
        known = [item.alias for item in route.dependant.query_params]
        refuse_unknown_query(request.query_params, known)


KNOWN_QUERY: Final = Depends(known_query)
"""A dependency of routes."""
