"""Commands about language models: a local one, and cassettes."""

from pathlib import Path
from typing import Annotated

import typer

from suite.errors import BadRequest
from suite.service.cli import EXIT_OK


def add_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    cli.command("model-server")(model_server)
    cli.command()(cassette)


def model_server(
    model: Annotated[
        Path | None, typer.Option(help="A GGUF file; the small packaged model by default.")
    ] = None,
    port: Annotated[int, typer.Option(help="TCP port, 0 for any free one.", min=0)] = 8310,
    context: Annotated[
        int, typer.Option(help="Tokens that question and answer may have together.", min=256)
    ] = 8192,
    threads: Annotated[int, typer.Option(help="That reckon.", min=1)] = 1,
) -> int:
    """Serve a language model on this machine until it is ended; needs no key and no network.

    Traders ask it as local/smollm2-135m, at LLM_LOCAL_URL. It listens on loopback only.

    Example: strategy-agent model-server --port 8310
    """
    from strategy_models.local_server import serve

    serve(model, host="127.0.0.1", port=port, context=context, threads=threads, tell=_say)
    return EXIT_OK


def cassette(
    file: Annotated[Path, typer.Argument(help="The cassette, .jsonl or .jsonl.gz.")],
    pack: Annotated[
        Path | None, typer.Option(help="Write it compressed, in the form that is shared.")
    ] = None,
) -> int:
    """Sum up a cassette: models, questions, failures, tokens, what it cost.

    Example: strategy-agent cassette var/models/run.jsonl --pack shared.jsonl.gz
    """
    from strategy_models.cassette import Cassette
    from strategy_models.cassette import pack as write
    from strategy_models.summary import lines_of

    if pack is not None:
        if pack.suffix != ".gz":
            raise BadRequest("--pack writes a compressed file: end its name with .jsonl.gz")
        write(file, pack)
        file = pack
    for line in lines_of(Cassette(file, records=False)):
        _say(line)
    return EXIT_OK


def _say(line: str) -> None:
    typer.echo(line)
