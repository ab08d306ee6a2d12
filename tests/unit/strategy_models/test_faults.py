"""Whatever a provider does, the trader is told why there is no reply, and money stays counted."""

import json
from typing import Any

import pytest
from tests.support.model_server import (
    Act,
    ModelServer,
    answer,
    body,
    cut,
    drip,
    error,
    flood,
    hang,
    status,
)
from tests.support.models_setting import KEY, SCHEMA, Setting, asked, choice

from strategy_core.llm.port import FaultKind, ModelFault

CHOICE: dict[str, Any] = {"index": 0, "finish_reason": "stop"}


def said(content: object, finish: str = "stop", **fields: object) -> Act:
    message = {"role": "assistant", "content": content, **fields}
    return body({"choices": [{"index": 0, "finish_reason": finish, "message": message}]})


FINAL: dict[str, tuple[Act, FaultKind, str]] = {
    "bad key": (error(401, "Incorrect API key provided"), FaultKind.KEY_REFUSED, "Incorrect API"),
    "no right": (error(403, "no access to this model"), FaultKind.KEY_REFUSED, "no access"),
    "no money": (error(429, "quota", "insufficient_quota"), FaultKind.QUOTA, "no money left"),
    "payment": (status(402, {"message": "Insufficient Balance"}), FaultKind.QUOTA, "no money"),
    "credit": (error(400, "Your credit balance is too low"), FaultKind.QUOTA, "no money left"),
    "unknown model": (error(404, "no model big"), FaultKind.REFUSED, "no model big"),
    "too long": (error(400, "maximum context length"), FaultKind.REFUSED, "maximum context"),
    "moved": (status(308, {}, location="http://127.0.0.1:1/"), FaultKind.REFUSED, "HTTP 308"),
    "prose": (body(b"<html>hello</html>"), FaultKind.UNREADABLE, "no JSON"),
    "cut JSON": (body(b'{"choices": [{"mess'), FaultKind.UNREADABLE, "no JSON"),
    "not Unicode": (body(b'{"choices": "\xff\xfe'), FaultKind.UNREADABLE, "no JSON"),
    "empty body": (body(b""), FaultKind.UNREADABLE, "no JSON"),
    "a list": (body([1, 2]), FaultKind.UNREADABLE, "no choice"),
    "empty choices": (body({"choices": []}), FaultKind.UNREADABLE, "no choice"),
    "no choices": (body({"error": "busy"}), FaultKind.UNREADABLE, "no choice"),
    "choice of null": (body({"choices": [None]}), FaultKind.UNREADABLE, "no choice"),
    "no message": (body({"choices": [CHOICE]}), FaultKind.UNREADABLE, "no message"),
}


@pytest.mark.parametrize("name", FINAL)
def test_what_no_further_attempt_helps_is_told_at_once(
    setting: Setting, server: ModelServer, name: str
) -> None:
    act, kind, words = FINAL[name]
    server.does(act)
    with pytest.raises(ModelFault) as told:
        asked(setting.models().open(choice()))
    assert kind is told.value.kind
    assert words in told.value.text
    assert "\n" not in told.value.text
    assert 1 == len(server.bodies)
    assert [] == setting.time.slept


@pytest.mark.parametrize("code", [429, 500, 502, 503, 529, 408])
def test_what_may_pass_is_tried_again(setting: Setting, server: ModelServer, code: int) -> None:
    server.does(error(code, "busy"))
    assert "hold" == asked(setting.models().open(choice())).text
    assert 2 == len(server.bodies)
    (pause_s,) = setting.time.slept
    assert 0.25 <= pause_s <= 0.5


def test_a_provider_says_how_long_to_wait(setting: Setting, server: ModelServer) -> None:
    dates = {
        "date": "Sun, 22 Nov 2026 11:00:00 GMT",
        "retry_after": "Sun, 22 Nov 2026 11:00:05 GMT",
    }
    server.does(
        error(429, "slow down", retry_after="7"),
        error(429, "x", retry_after_ms="300"),
        error(429, "x", **dates),
    )
    asked(setting.models(attempts=4).open(choice()))
    first, second, third = setting.time.slept
    assert 7 <= first <= 7.1
    assert 0.3 <= second <= 0.4
    assert 5 <= third <= 5.1


def test_a_wait_longer_than_anybody_can_is_told(setting: Setting, server: ModelServer) -> None:
    server.does(error(429, "tomorrow", retry_after="3600"))
    with pytest.raises(ModelFault) as told:
        asked(setting.models().open(choice()), at_ms=5_000)
    assert FaultKind.RATE_LIMITED is told.value.kind
    assert 3_605_000 == told.value.retry_after_ms
    assert [] == setting.time.slept


@pytest.mark.parametrize("date", ["yesterday", "", "-5", "inf", "nan"])
def test_a_wait_that_is_none_is_passed_over(
    setting: Setting, server: ModelServer, date: str
) -> None:
    server.does(error(429, "slow", retry_after=date))
    asked(setting.models().open(choice()))
    assert setting.time.slept[0] <= 0.5


def test_attempts_end(setting: Setting, server: ModelServer) -> None:
    server.does(*[error(500, "broken")] * 5)
    with pytest.raises(ModelFault, match="HTTP 500: broken") as told:
        asked(setting.models(attempts=3).open(choice()))
    assert FaultKind.UNREACHABLE is told.value.kind
    assert 3 == len(server.bodies)
    assert 0 == told.value.cost_usd  # a refusal costs nothing


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (hang, FaultKind.TIMEOUT),
        (drip, FaultKind.TIMEOUT),
        (cut, FaultKind.UNREACHABLE),
        (flood, FaultKind.UNREACHABLE),
    ],
)
def test_a_reply_that_does_not_end_is_left_and_counts_as_paid(
    setting: Setting, server: ModelServer, act: Act, kind: FaultKind
) -> None:
    server.does(act)
    limit_s = 0.2 if kind is FaultKind.TIMEOUT else 30.0
    model = setting.models(attempts=1).open(choice(timeout_s=limit_s))
    with pytest.raises(ModelFault) as told:
        asked(model)
    assert kind is told.value.kind
    assert told.value.cost_usd > 0


def test_a_server_that_is_not_there(setting: Setting) -> None:
    setting.url = "http://127.0.0.1:1/v1"
    with pytest.raises(ModelFault, match="cannot be reached") as told:
        asked(setting.models().open(choice()))
    assert FaultKind.UNREACHABLE is told.value.kind
    assert 0 == told.value.cost_usd


@pytest.mark.parametrize("act", [said("No.", "content_filter"), said(None, refusal="No.")])
def test_a_refused_answer_is_an_answer(setting: Setting, server: ModelServer, act: Act) -> None:
    server.does(act)
    reply = asked(setting.models().open(choice()))
    assert ("refused", "No.") == (reply.finish, reply.text)


def test_an_answer_is_read_in_each_of_its_forms(setting: Setting, server: ModelServer) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    server.does(
        said("x" * 9, "length"),
        said(parts),
        said("hold", reasoning_content="hm"),
        said("<think>hm</think>\nhold"),
        said(None),
    )
    model = setting.models().open(choice())
    replies = [asked(model) for _ in range(5)]
    assert ["length", "stop", "stop", "stop", "stop"] == [one.finish for one in replies]
    assert ["ab", "hold", "hold", ""] == [one.text for one in replies[1:]]
    assert ["", "hm", "hm", ""] == [one.thinking for one in replies[1:]]


def test_anthropic_is_spoken_to_in_its_own_way(setting: Setting, server: ModelServer) -> None:
    server.does(
        answer,
        body(
            {
                "content": [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "text", "text": "hold"},
                ],
                "stop_reason": "max_tokens",
                "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3},
            }
        ),
        body({"content": [], "stop_reason": "refusal"}),
        body({"content": []}),
        error(529, "Overloaded"),
    )
    model = setting.models(attempts=1).open(choice("anthropic/claude"))
    asked(model, schema=SCHEMA)
    assert ["/v1/messages"] == server.paths
    assert f"Bearer {KEY}" == server.headers[0]["authorization"]
    sent = server.bodies[0]
    assert "Trade." == sent["system"]
    assert ["user"] == [one["role"] for one in sent["messages"]]
    assert SCHEMA == sent["output_config"]["format"]["schema"]
    reply = asked(model)
    assert ("hm", "hold", "length") == (reply.thinking, reply.text, reply.finish)
    assert (12, 3, 7) == (reply.input_tokens, reply.output_tokens, reply.cached_tokens)
    assert "refused" == asked(model).finish
    for words in ("no content", "HTTP 529: Overloaded"):
        with pytest.raises(ModelFault, match=words):
            asked(model)


def test_what_a_server_does_not_take_is_found_out_once(
    setting: Setting, server: ModelServer
) -> None:
    server.does(
        error(400, "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens' instead."),
        error(400, "'temperature' does not support 0 with this model"),
        error(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported"),
        error(400, "response_format is unavailable"),
    )
    models = setting.models()
    asked(models.open(choice()), schema=SCHEMA)
    assert [] == setting.time.slept
    assert 5 == len(server.bodies)
    formats = [one.get("response_format", {}).get("type") for one in server.bodies]
    assert ["json_schema"] * 3 + ["json_object", None] == formats
    asked(models.open(choice(trader_id="another")), schema=SCHEMA)
    assert 6 == len(server.bodies)
    last = server.bodies[-1]
    assert last.keys() == {"model", "messages", "max_completion_tokens"}


def test_fields_of_the_provider_are_sent_with_every_question(
    setting: Setting, server: ModelServer
) -> None:
    setting.provider = {"extra": {"reasoning_effort": "low"}, "structured": "object"}
    asked(setting.models().open(choice()), schema=SCHEMA, seed=3)
    assert "low" == server.bodies[0]["reasoning_effort"]
    assert 3 == server.bodies[0]["seed"]
    assert {"type": "json_object"} == server.bodies[0]["response_format"]


def test_a_key_is_sent_and_nowhere_else(
    setting: Setting, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    server.does(error(401, f"Incorrect API key provided: {KEY[:9]}***"), error(400, "bad"))
    models = setting.models()
    model = models.open(choice(api_key=KEY))
    texts = [repr(model), repr(models), repr(vars(models)), repr(choice(api_key=KEY))]
    for _ in range(2):
        with pytest.raises(ModelFault) as told:
            asked(model)
        texts += [str(told.value), repr(told.value)]
    assert f"Bearer {KEY}" == server.headers[0]["authorization"]
    texts += [record.getMessage() for record in caplog.records]
    assert not [text for text in texts if KEY in text]
    assert KEY not in json.dumps(server.bodies)
