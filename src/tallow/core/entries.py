"""Kernels behind one C signature: a compiled driver calls any of them, by its address.

An entry is a small compiled function in a file of its own, which is written into the folder of
compiled kernels: it makes arrays of addresses, calls its kernel, and returns a status, as nothing
may be raised across such a call. Where nothing is compiled, a number stands for the address.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from tallow.core.disk import replace_file
from tallow.core.kernel import cache_folder

SIGNATURE = types.int64(*[types.intp] * 7)
"""``entry(state, instruments, size, parameters, offsets, inputs, outputs)``, all but the counts
addresses; inputs and outputs those of arrays of addresses. It returns 0, or 1 where it raised."""


def _view(element: Any, kind: type[np.generic], dimensions: int, *, readonly: bool = False) -> Any:
    """Return what makes an array of an address and its lengths, without a copy.

    A kernel calls it, or Python where nothing is compiled.
    """
    array_type = types.Array(element, dimensions, "C", readonly=readonly)

    def build(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        from numba.np.arrayobj import make_array, populate_array

        array = make_array(array_type)(context, builder)
        data_type = context.get_data_type(element)
        item = context.get_constant(types.intp, context.get_abi_sizeof(data_type))
        strides = [item]
        for length in reversed(given[2:]):
            strides.insert(0, builder.mul(strides[0], length))
        pointer = builder.inttoptr(given[0], data_type.as_pointer())
        parts = {"data": pointer, "shape": list(given[1:]), "strides": strides}
        populate_array(array, **parts, itemsize=item, meminfo=None)
        return array._getvalue()

    words = [types.intp] * (1 + dimensions)
    # What Numba compiles for a call must be a function: it takes no intrinsic as it is.
    if dimensions == 1:
        column: Any = intrinsic(lambda _context, address, length: (array_type(*words), build))

        def column_at(address: int, length: int) -> Any:
            return _in_python(kind, address, length)

        overload(column_at)(lambda address, length: lambda address, length: column(address, length))
        return column_at
    table: Any = intrinsic(lambda _context, address, rows, columns: (array_type(*words), build))

    def table_at(address: int, rows: int, columns: int) -> Any:
        return _in_python(kind, address, rows, columns)

    overload(table_at)(
        lambda address, rows, columns: lambda address, rows, columns: table(address, rows, columns)
    )
    return table_at


def _in_python(kind: type[np.generic], address: int, *shape: int) -> Any:
    count = math.prod(shape)
    if not count:
        return np.empty(shape, dtype=kind)
    memory = (ctypes.c_char * (int(count) * np.dtype(kind).itemsize)).from_address(int(address))
    return np.frombuffer(memoryview(memory), dtype=kind).reshape(shape)


floats_at = _view(types.float64, np.float64, 1)
inputs_at = _view(types.float64, np.float64, 1, readonly=True)
integers_at = _view(types.int64, np.int64, 1)
times_at = _view(types.int64, np.int64, 1, readonly=True)
flags_at = _view(types.boolean, np.bool_, 1)
table_at = _view(types.float64, np.float64, 2)
counts_at = _view(types.int64, np.int64, 2)
"""``floats_at(address, length)``, ``table_at(address, rows, columns)``: float64, int64 or boolean.

Inputs and times are read-only, as kernels take them.
"""


def _build_call(_context: Any, *arguments: Any) -> Any:
    def build(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        from llvmlite import ir

        word = context.get_data_type(types.intp)
        kind = ir.FunctionType(word, [word] * 7)
        return builder.call(builder.inttoptr(given[0], kind.as_pointer()), given[1:])

    return types.int64(*[types.intp] * len(arguments)), build


_call: Any = intrinsic(
    lambda context, a, b, c, d, e, f, g, h: _build_call(context, a, b, c, d, e, f, g, h)
)


_TWINS: dict[int, tuple[Callable[..., None], int, int, int]] = {}
"""Kernels, and how many parameters, inputs and outputs they take, by the address of their entry."""


def call_entry(
    address: int,
    state: int,
    instruments: int,
    size: int,
    parameters: int,
    offsets: int,
    inputs: int,
    outputs: int,
) -> int:
    """Call the kernel behind an address; see `SIGNATURE`."""
    kernel, given, taken, made = _TWINS[int(address)]
    ends = integers_at(offsets, instruments + 1)
    columns = [inputs_at(one, ends[-1]) for one in integers_at(inputs, taken)]
    filled = [floats_at(one, ends[-1]) for one in integers_at(outputs, made)]
    try:
        kernel(
            table_at(state, instruments, size),
            floats_at(parameters, given),
            ends,
            *columns,
            *filled,
        )
    except Exception:  # noqa: BLE001
        # As an entry: whatever it raises.
        return 1
    return 0


overload(call_entry)(
    lambda address, state, instruments, size, parameters, offsets, inputs, outputs: (
        lambda address, state, instruments, size, parameters, offsets, inputs, outputs: _call(
            address, state, instruments, size, parameters, offsets, inputs, outputs
        )
    )
)


_TEXT = '''"""The entry of a kernel, made by Tallow."""

from numba import cfunc

from tallow.core.entries import SIGNATURE, floats_at, inputs_at, integers_at, table_at
from {module} import {name} as kernel


@cfunc(SIGNATURE, cache=True, error_model="numpy")
def entry(state, instruments, size, parameters, offsets, inputs, outputs):
    ends = integers_at(offsets, instruments + 1)
    rows = ends[instruments]
    given = integers_at(inputs, {taken})
    made = integers_at(outputs, {made})
    try:
        kernel(
            table_at(state, instruments, size),
            floats_at(parameters, {given}),
            ends,
{arguments}
        )
    except Exception:
        return 1
    return 0
'''

_FOUND: dict[tuple[Callable[..., None], int, int, int], int] = {}


def entry_of(kernel: Callable[..., None], parameters: int, inputs: int, outputs: int) -> int | None:
    """Return the address of a kernel's entry, which is made if it is not there.

    None where the kernel is plain Python, or has no name to import it by: such a one is called from
    Python.
    """
    key = (kernel, parameters, inputs, outputs)
    if key not in _FOUND:
        if not _is_importable(kernel):
            return None
        _FOUND[key] = address = _compiled_entry(kernel, parameters, inputs, outputs)
        _TWINS[address] = key
    return _FOUND[key]


def _is_importable(kernel: Callable[..., None]) -> bool:
    module = sys.modules.get(kernel.__module__)
    if kernel.__module__ == "__main__" or module is None or not hasattr(kernel, "py_func"):
        return False
    return getattr(module, kernel.__name__, None) is kernel


def _compiled_entry(kernel: Callable[..., None], parameters: int, inputs: int, outputs: int) -> int:
    module, name = kernel.__module__, kernel.__name__
    arguments = [f"inputs_at(given[{k}], rows)," for k in range(inputs)]
    arguments += [f"floats_at(made[{k}], rows)," for k in range(outputs)]
    text = _TEXT.format(
        module=module,
        name=name,
        given=parameters,
        taken=inputs,
        made=outputs,
        arguments="\n".join(" " * 12 + each for each in arguments),
    )
    # Numba looks at the entry's file only: a kernel that changed must have another one.
    source = Path(inspect.getfile(kernel.py_func))  # type: ignore[attr-defined]
    digest = hashlib.sha256(text.encode() + source.read_bytes()).hexdigest()[:16]
    place = cache_folder() / "entries" / f"{name}_{digest}.py"
    if not place.exists():
        place.parent.mkdir(mode=0o700, exist_ok=True)
        replace_file(place, text.encode())
    spec = importlib.util.spec_from_file_location(f"tallow_entries.{place.stem}", place)
    assert spec is not None
    assert spec.loader is not None
    made = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    address: int = made.entry.address
    return address
