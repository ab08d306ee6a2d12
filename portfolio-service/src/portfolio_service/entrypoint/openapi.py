"""The API description: FastAPI's, with the shapes of the answers put in."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI

from suite.service import typed_answers

_ACCESS: Final = {"401": "no token or session, or an unknown one"}
_ALWAYS: Final = {
    "403": "the token does not cover this: a viewer may look only",
    "502": "another service answers in another shape than is known",
    "503": "the manager, the database or another service is away",
}
_OF_WORDS: Final = {"400": "something in the request cannot be"}
_OF_NAMES: Final = {"404": "there is no such trader, or plan"}
_OF_WRITES: Final = {"409": "the present state does not allow it: a plan is outdated, or runs"}
_OF_COMMANDS: Final = {"504": "it was told, and did not answer in time: it may have been done"}
_NAMES: Final = frozenset({"trader", "trader_id", "plan_id", "symbol", "job_id"})


def describe_with(app: FastAPI, answers: Mapping[tuple[str, str], Any]) -> None:
    """Have the application describe itself.

    Args:
        app: with all its routes.
        answers: types of answers that FastAPI does not know, by method and path.
    """
    typed_answers.describe_with(app, answers, _refusals, exact_as_numbers=True)


def _refusals(method: str, path: str, operation: typed_answers.Operation) -> Mapping[str, str]:
    """Say with which statuses a route refuses."""
    refusals = {**_ACCESS, **_ALWAYS}
    names = {one["name"] for one in operation.get("parameters", ())}
    if names or "requestBody" in operation:
        refusals |= _OF_WORDS
    if names & _NAMES or path.endswith("/rebalance"):
        refusals |= _OF_NAMES
    if method != "get":
        refusals |= _OF_WRITES
    if "/strategy/" in path:
        refusals |= _OF_COMMANDS
    return refusals
