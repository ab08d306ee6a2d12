"""The API description: FastAPI's, with the shapes of the answers put in."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from suite.service import typed_answers

_ALWAYS = {
    "401": "no token, or an unknown one",
    "403": "the token does not cover this",
    "503": "the venue, the database or a trader's process is away",
}
_OF_WORDS = {"400": "something in the request cannot be"}
_OF_NAMES = {"404": "there is no such trader"}
_OF_WRITES = {"409": "the present state does not allow it"}
_OF_COMMANDS = {"504": "the trader did not answer in time: it may have been done"}


def describe_with(app: FastAPI, answers: Mapping[tuple[str, str], Any]) -> None:
    """Have the application describe itself.

    Args:
        app: with all its routes.
        answers: types of answers that FastAPI does not know, by method and path.
    """
    typed_answers.describe_with(app, answers, _refusals)


def _refusals(method: str, path: str, operation: typed_answers.Operation) -> Mapping[str, str]:
    """Say with which statuses a route refuses."""
    refusals = dict(_ALWAYS)
    if "parameters" in operation or "requestBody" in operation:
        refusals |= _OF_WORDS
    if any("trader" in one["name"] for one in operation.get("parameters", ())):
        refusals |= _OF_NAMES
    if method != "get":
        refusals |= _OF_WRITES
    if method == "post" and "{trader_id}" in path:
        refusals |= _OF_COMMANDS
    return refusals
