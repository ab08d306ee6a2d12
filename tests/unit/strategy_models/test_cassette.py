"""A cassette gives back what was answered, and says loudly what it does not have."""

import gzip
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.canaries import contents_below, leaks
from tests.support.model_server import ModelServer, answer, body, error
from tests.support.models_setting import DAY_MS, KEY, SCHEMA, Setting, asked, choice, question

from strategy_core.llm.port import FaultKind, ModelFault, ModelReply
from strategy_models.cassette import Cassette, Recording, key_of, pack
from strategy_models.prices import FREE
from strategy_models.summary import lines_of
from suite.errors import ConfigError, StorageError

QUESTIONS = ("BTC?", "ETH?", "BTC?\nrsi 50\nema 3")


def bare(reply: ModelReply) -> ModelReply:
    """What a trader makes its decision of."""
    return msgspec.structs.replace(reply, latency_ms=0, source="live")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "run.jsonl"


def record(setting: Setting, path: Path) -> list[ModelReply]:
    model = setting.models(mode="record", cassette=path).open(choice())
    return [asked(model, text) for text in QUESTIONS]


def test_a_replay_gives_the_same_replies_without_key_and_network(
    setting: Setting, server: ModelServer, path: Path, tmp_path: Path
) -> None:
    told = record(setting, path)
    assert ["record"] * 3 == [one.source for one in told]
    packed = tmp_path / "packed.jsonl.gz"
    assert 3 == pack(path, packed)
    setting.env = {}
    setting.url = "http://127.0.0.1:1/v1"
    for file in (path, packed):
        models = setting.models(mode="replay", cassette=file, ledger=tmp_path / "none" / "x")
        model = models.open(choice())
        again = [asked(model, text) for text in (*QUESTIONS, *QUESTIONS)]
        assert [bare(one) for one in told] * 2 == [bare(one) for one in again]
        assert {("replay", 280, 0)} == {(one.source, one.cost_usd, one.latency_ms) for one in again}
        assert f"6 of 6 questions answered by {file} (100.0 %), 0 recorded" in models.tally()
    assert 3 == len(server.bodies)
    assert not (tmp_path / "none").exists()


def test_what_is_recorded_is_not_asked_again(
    setting: Setting, server: ModelServer, path: Path
) -> None:
    record(setting, path)
    models = setting.models(mode="record", cassette=path)
    replies = [asked(models.open(choice(trader_id="b")), text) for text in (*QUESTIONS, "SOL?")]
    assert ["replay"] * 3 + ["record"] == [one.source for one in replies]
    assert 4 == len(server.bodies)
    assert "3 of 4 questions" in models.tally()
    assert "75.0 %" in models.tally()


def test_time_trader_role_and_attempt_are_no_part_of_a_question(
    setting: Setting, path: Path
) -> None:
    record(setting, path)
    model = setting.models(mode="replay", cassette=path).open(choice(trader_id="other"))
    assert "hold" == asked(model, at_ms=99, role="chair", attempt=2).text


@pytest.mark.parametrize(
    "fields", [{"temperature": 0.5}, {"seed": 1}, {"schema": SCHEMA}, {"max_output_tokens": 51}]
)
def test_everything_else_is(setting: Setting, path: Path, fields: dict[str, Any]) -> None:
    record(setting, path)
    model = setting.models(mode="replay", cassette=path).open(choice())
    with pytest.raises(ModelFault) as told:
        asked(model, **fields)
    assert FaultKind.CASSETTE_MISS is told.value.kind
    assert next(iter(fields)).split("_")[0] in told.value.text.replace("max_tokens", "max")


def test_a_miss_says_what_differs(setting: Setting, path: Path) -> None:
    record(setting, path)
    models = setting.models(mode="replay", cassette=path)
    with pytest.raises(ModelFault) as told:
        asked(models.open(choice()), "BTC?\nrsi 51\nema 3")
    assert 'messages[1].content line 2 was "rsi 50", and is "rsi 51"' in told.value.text
    assert "\n" not in told.value.text
    assert "1 missed" in models.tally()
    with pytest.raises(ModelFault, match="holds nothing of the model small; it has big"):
        asked(models.open(choice("openai/small")))


def test_a_miss_is_not_papered_over_by_another_model(setting: Setting, path: Path) -> None:
    record(setting, path)
    model = setting.models(mode="replay", cassette=path).open(choice("openai/small", "openai/big"))
    with pytest.raises(ModelFault) as told:
        asked(model)
    assert FaultKind.CASSETTE_MISS is told.value.kind


def test_failures_are_replayed_where_they_were_met(
    setting: Setting, server: ModelServer, path: Path
) -> None:
    def run(model_of: Setting, mode: str) -> list[str]:
        models = model_of.models(mode=mode, cassette=path, attempts=1)
        said = []
        for trader in "abab":
            try:
                said.append(asked(models.open(choice(trader_id=trader))).text)
            except ModelFault as fault:
                said.append(f"{fault.kind}: {fault.text}")
        return said

    server.does(error(500, "broken"), body(b"what?"), error(401, "no"), answer)
    told = run(setting, "record")
    assert ["unreachable", "unreadable", "key_refused"] == [one.split(":")[0] for one in told[:3]]
    assert "hold" == told[3]
    setting.env = {}
    assert told == run(setting, "replay")


def test_money_runs_out_at_the_same_question(
    setting: Setting, server: ModelServer, path: Path
) -> None:
    def run(mode: str) -> list[str]:
        model = setting.models(mode=mode, cassette=path).open(choice(budget="0.001"))
        said = []
        for n in range(8):
            try:
                said.append(asked(model, f"{n}?", at_ms=n // 4 * DAY_MS).text)
            except ModelFault as fault:
                said.append(fault.text)
        return said

    told = run("record")
    assert {"hold"} < set(told)
    asked_for = len(server.bodies)
    assert asked_for < 8
    setting.env, setting.prices = {}, {}
    again = setting
    again.url = "http://127.0.0.1:1/v1"
    assert told == run("replay")
    assert asked_for == len(server.bodies)


def test_no_secret_gets_into_a_cassette(
    setting: Setting, server: ModelServer, path: Path, tmp_path: Path
) -> None:
    """Neither from headers nor from a server that repeats the key in an answer or a refusal."""
    server.text = f"your key is {KEY}"
    server.does(answer, error(401, f"wrong key {KEY}"))
    model = setting.models(mode="record", cassette=path, attempts=1).open(choice())
    asked(model, f"I am {KEY}")
    with pytest.raises(ModelFault):
        asked(model, "again")
    pack(path, tmp_path / "packed.jsonl.gz")
    (tmp_path / "unpacked").write_bytes(
        gzip.decompress((tmp_path / "packed.jsonl.gz").read_bytes())
    )
    (tmp_path / "providers.yaml").unlink()
    assert KEY.encode() not in b"".join(content for _, content in contents_below(tmp_path))
    assert [] == leaks({"key": KEY.encode()}, dict(contents_below(tmp_path)))
    written = path.read_text()
    assert 2 == written.count("your key is [removed]") + written.count("wrong key [removed]")
    assert "authorization" not in written.lower()
    assert "127.0.0.1" not in written


def test_a_packed_cassette_is_the_same_however_it_was_recorded(
    setting: Setting, path: Path, tmp_path: Path
) -> None:
    record(setting, path)
    lines = path.read_bytes().split(b"\n")
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"\n".join([lines[0], *reversed(lines[1:-1]), lines[1], b""]))
    pack(path, tmp_path / "1.gz")
    pack(other, tmp_path / "2.gz")
    assert (tmp_path / "1.gz").read_bytes() == (tmp_path / "2.gz").read_bytes()
    assert Cassette(path, records=False).digest == Cassette(other, records=False).digest


def test_what_a_crash_cut_short_is_taken_off(setting: Setting, path: Path) -> None:
    record(setting, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert 2 == len(list(Cassette(path, records=False).recordings()))
    record(setting, path)
    assert 3 == len(list(Cassette(path, records=False).recordings()))


def _record_many(path: Path, own: int) -> list[str]:
    cassette = Cassette(path, records=True)
    kept = []
    for n in range(40):
        told = {"model": "m", "n": n}
        one = Recording(key=key_of(told), asked=told, price=FREE, reply=f"{own}")
        kept.append((cassette.find(one.key, "t") or cassette.add(one)).reply or "")
    return kept


def test_processes_record_together_and_the_first_answer_counts(path: Path) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        one, other = pool.map(_record_many, (path, path), (1, 2))
    assert one == other
    replayed = Cassette(path, records=False)
    assert 40 == len(list(replayed.recordings()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no cassette"),
        (b"PK\x03\x04", "is no cassette"),
        (b'{"cassette":2}\n', "later version"),
        (b'{"cassette":1}\n{"key":1}\n', "is damaged"),
        (b'{"cassette":1}\nnothing\n', "is damaged"),
    ],
)
def test_what_is_no_cassette_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    for name, written in (("a.jsonl", content), ("a.jsonl.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(written)
        with pytest.raises(ConfigError, match=words):
            Cassette(tmp_path / name, records=False)
    (tmp_path / "b.jsonl.gz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot read|is no cassette"):
        Cassette(tmp_path / "b.jsonl.gz", records=False)


def test_a_cassette_that_cannot_be_is_told(setting: Setting, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no cassette"):
        Cassette(tmp_path / "none.jsonl", records=False)
    with pytest.raises(ConfigError, match="is packed"):
        Cassette(tmp_path / "a.jsonl.gz", records=True)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot record"):
        Cassette(tmp_path / "file" / "a.jsonl", records=True)
    with pytest.raises(ConfigError, match="LLM_MODE=replay needs LLM_CASSETTE"):
        setting.models(mode="replay")


def test_a_cassette_is_summed_up(setting: Setting, path: Path) -> None:
    record(setting, path)
    first, row = lines_of(Cassette(path, records=False))
    assert "3 answers" in first
    assert "openai/big: 3 answers, 0 failures, 300 tokens asked, 30 answered, 0.00084 USD" == row


def test_a_question_is_named_by_what_is_asked() -> None:
    """The order of fields does not count, and other scripts than ASCII do."""
    assert key_of({"a": 1, "b": "€"}) == key_of(json.loads('{"b": "\\u20ac", "a": 1}'))
    assert key_of({"a": 1}) != key_of({"a": 1.5})
    assert question() == question()
