"""The only module that knows whether the kernel is compiled.

Compiled, the state is a bare pointer: one machine word to hand to a helper, without owner to count
or negative index to fix up. Interpreted (`NUMBA_DISABLE_JIT=1`) it is a memoryview: reads are exact
Python integers and a store beyond 64 bits raises, so the interpreted run also proves that nothing
overflowed. Both are indexed alike and neither is sliced; lengths travel inside the buffer.

numba validates a cached function by the text of its own file only, and a change in a callee of
another file goes unnoticed. So the cache folder is named after the text of every file compiled.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numba
from numba import config

import suite.fixed
from suite.bars import I64

INTERPRETED = bool(config.DISABLE_JIT)

F = TypeVar("F", bound=Callable[..., Any])


class Words(Protocol):
    """Memory of int64 words, as the kernel sees it."""

    def __getitem__(self, index: int) -> int: ...
    def __setitem__(self, index: int, value: int) -> None: ...


class Floats(Protocol):
    """Memory of float64 numbers, as a strategy sees it."""

    def __getitem__(self, index: int) -> float: ...
    def __setitem__(self, index: int, value: float) -> None: ...


def sources_hash() -> str:
    """Hash of the text of everything that is compiled."""
    digest = hashlib.sha256()
    kernel = sorted(Path(__file__).parent.glob("*.py"))
    for path in [*kernel, Path(suite.fixed.__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


_BASE = os.environ.get("NUMBA_CACHE_DIR") or Path.home() / ".cache" / "autocryptotrader"
CACHE = Path(_BASE) / sources_hash()
"""Folder of the compiled functions."""

config.CACHE_DIR = str(CACHE)


def jit(function: F) -> F:
    """Compile a function into each of its callers, with the on-disk cache.

    A call that stays a call costs its frame, a status to check and a result through memory, which
    on functions of this size is half of the time. `apart` sets the bounds.
    """
    options = {"cache": True, "error_model": "numpy", "forceinline": True}
    return cast("F", numba.njit(**options)(function))


if INTERPRETED:

    def words(array: Any) -> Any:
        """Open a buffer; called once, on the first line of each entry point."""
        return memoryview(array)

    def handle(array: I64) -> Any:
        """What a driver passes for an array: the array itself."""
        return array

    def apart(function: F) -> F:
        """Compile a function by itself; here it is left as it is."""
        return function

else:
    from llvmlite import binding
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    POINTER = types.CPointer(types.int64)
    _TYPES = {Words: POINTER, int: types.int64, bool: types.int64, None: types.void}

    @intrinsic
    def words(_typing_context: Any, array: Any) -> Any:
        """Open a buffer; called once, on the first line of each entry point."""

        def from_array(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            proxy = cgutils.create_struct_proxy(signature.args[0])
            return proxy(context, builder, arguments[0]).data

        def from_address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], pointer)

        if isinstance(array, types.Integer):
            return types.CPointer(types.int64)(types.intp), from_address
        return types.CPointer(array.dtype)(array), from_array

    def handle(array: I64) -> Any:
        """What a driver passes for an array: its address, quicker to unpack.

        An address keeps nothing alive: the driver must hold the array.
        """
        return array.ctypes.data

    def apart(function: F) -> F:
        """Compile a function by itself: its callers call it, and do not take it in.

        What `jit` compiles is linked into each of its callers and optimised again in each, and so
        up the whole chain: minutes for a kernel of this size, and again for every strategy of a
        user. Written for whatever is large or reaches far; a call costs a nanosecond.
        """
        kinds = [_TYPES[kind] for kind in function.__annotations__.values()]
        signature = kinds[-1](*kinds[:-1])
        compiled = numba.cfunc(signature, cache=True, error_model="numpy")(function)
        symbol = f"{function.__module__}.{function.__name__}"
        binding.add_symbol(symbol, compiled.address)
        return cast("F", types.ExternalFunction(symbol, signature))
