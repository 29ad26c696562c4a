"""The kernels of ``engine.wasm``, run by wasmtime, and their memory. ``engine/core/wasm.ts`` is the same in JavaScript.

wasmtime is a ctypes library, so that other Python threads run beside a kernel. Only one thread may use an instance at a time.
"""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..spec.errors import EngineError, SambaLabError

if TYPE_CHECKING:
    import wasmtime

WASM_FILE = Path(__file__).parent.parent / "server" / "engine.wasm"

#: Element types of pixels, in the order of their numbers in `engine/assembly/tile.ts`.
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")

_PAGE = 65536
_PAGES_MAX = 65536
# Vector loops may read this far past the end of a block.
_SLACK = 256

Bytes = npt.NDArray[np.uint8]

_lock = threading.Lock()
_compiled: tuple[Any, wasmtime.Engine, wasmtime.Module] | None = None


def _module() -> tuple[Any, wasmtime.Engine, wasmtime.Module]:
    """Compile the kernels, once in a process. It takes some hundredths of a second, so there is no cache on disk."""
    global _compiled
    with _lock:
        if _compiled is None:
            try:
                import wasmtime
            except ImportError as error:
                raise EngineError(
                    f"wasmtime, which runs the engine in Python, cannot be imported ({error}). Install it: "
                    "pip install sambalab[engine]"
                ) from error
            if not WASM_FILE.is_file():
                raise EngineError(
                    f"{WASM_FILE} is missing. In a source tree, build it: npm run build. Otherwise install sambalab again."
                )
            engine = wasmtime.Engine()
            try:
                module = wasmtime.Module(engine, WASM_FILE.read_bytes())
            except wasmtime.WasmtimeError as error:
                raise EngineError(
                    f"{WASM_FILE} cannot be compiled by wasmtime: {error}. Install sambalab again."
                ) from error
            _compiled = wasmtime, engine, module
        return _compiled


class _View:
    """A block of memory for NumPy. Keeps the engine alive as long as an array uses it."""

    def __init__(self, engine: Engine, address: int, length: int) -> None:
        self.engine = engine
        self.__array_interface__ = {"version": 3, "data": (address, False), "shape": (length,), "typestr": "|u1"}


class Engine:
    """An instance of the kernels with its own memory: an arena that grows upwards, with marks to release from.

    Raises
    ------
    EngineError
        If wasmtime is not installed, or memory runs out.
    """

    def __init__(self) -> None:
        self._wasmtime, engine, module = _module()
        try:
            self._store = self._wasmtime.Store(engine)
            exports = self._wasmtime.Instance(self._store, module, []).exports(self._store)
        except self._wasmtime.WasmtimeError as error:
            raise EngineError(f"The engine cannot be started: {error}. Fewer threads will do.") from error
        self._exports = exports
        self._memory = exports["memory"]
        self._top = _align(self.call("heapBase"))

    @property
    def bytes(self) -> int:
        """Size of this instance's memory in bytes."""
        return int(self._memory.size(self._store)) * _PAGE

    @property
    def mark(self) -> int:
        """The present end of the arena, for `release`."""
        return self._top

    def release(self, mark: int) -> None:
        """Free what was allocated since `mark`."""
        self._top = mark

    def allocate(self, size: int) -> int:
        """Give the address of `size` new bytes with undefined content.

        Raises
        ------
        EngineError
            Beyond 4 GiB, or the host's memory.
        """
        address = self._top
        top = _align(address + size + _SLACK)
        missing = -((self.bytes - top) // _PAGE)
        if missing > 0:
            if top > _PAGE * _PAGES_MAX:
                raise _out_of_memory(top)
            try:
                self._memory.grow(self._store, missing)
            except self._wasmtime.WasmtimeError as error:
                raise _out_of_memory(top) from error
        self._top = top
        return address

    def put(self, data: npt.NDArray[Any]) -> int:
        """Copy an array into new memory, in C order, and give its address."""
        flat = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        address = self.allocate(flat.size)
        self.view(address, flat.size)[:] = flat
        return address

    def view(self, address: int, size: int) -> Bytes:
        """View bytes of the memory. Valid until the memory grows, which `allocate` and kernels may do."""
        if address < 0 or size < 0 or address + size > self.bytes:
            raise SambaLabError(f"{size} bytes at {address} are not in the engine's {self.bytes}.")
        start = ctypes.addressof(self._memory.data_ptr(self._store).contents)
        return np.asarray(_View(self, start + address, size))

    def call(self, kernel: str, *arguments: float) -> int:
        """Run a kernel with numbers and addresses, and give its result; 0 without a result.

        Raises
        ------
        EngineError
            If there is no such kernel, or it traps, for example without memory.
        """
        try:
            function = self._exports[kernel]
        except KeyError:
            raise EngineError(f"engine.wasm has no kernel {kernel}. Install sambalab again.") from None
        try:
            result = function(self._store, *arguments)
        except self._wasmtime.Trap as trap:
            if trap.trap_code == self._wasmtime.TrapCode.UNREACHABLE:
                raise _out_of_memory(self.bytes) from trap
            reason = trap.trap_code.name.lower().replace("_", " ") if trap.trap_code else "it trapped"
            raise EngineError(f"The engine's {kernel} failed: {reason}") from trap
        return 0 if result is None else int(result)


def _out_of_memory(size: int) -> EngineError:
    return EngineError(
        f"The engine needs more than {-(-size >> 20)} MiB in one thread and cannot get them; smaller tiles, fewer threads "
        "or fewer features will do."
    )


def _align(address: int) -> int:
    return (address + 63) & ~63
