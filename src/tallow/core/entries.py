"""Kernels behind one C signature: a compiled driver calls any of them, by its address.

An entry is a small compiled function in a file of its own, which is written into the folder of
compiled kernels: it makes arrays of addresses, calls a kernel where that lies, and returns a
status, as nothing may be raised across such a call. All kernels with as many inputs and outputs
have the same. Where nothing is compiled, a number stands for the address of a kernel.
"""

from __future__ import annotations

import ctypes
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from tallow.core.disk import replace_file
from tallow.core.kernel import cache_folder

ENTRY, KERNEL, PARAMETERS, GIVEN, SIZE = range(5)
"""Words of an operation: addresses of the entry, the kernel and the parameters, how many of these
there are, and how many numbers are the state of an instrument."""

SIGNATURE = types.int64(*[types.intp] * 6)
"""``entry(operation, state, instruments, offsets, inputs, outputs)``, all but the count addresses;
inputs and outputs those of arrays of addresses. It returns 0, or 1 where the kernel raised."""


def _array(context: Any, builder: Any, kind: Any, address: Any, lengths: Sequence[Any]) -> Any:
    """Build the array at an address, without a copy."""
    from numba.np.arrayobj import make_array, populate_array

    array = make_array(kind)(context, builder)
    data_type = context.get_data_type(kind.dtype)
    item = context.get_constant(types.intp, context.get_abi_sizeof(data_type))
    strides = [item]
    for length in reversed(lengths[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    pointer = builder.inttoptr(address, data_type.as_pointer())
    parts = {"data": pointer, "shape": list(lengths), "strides": strides}
    populate_array(array, **parts, itemsize=item, meminfo=None)
    return array._getvalue()


def _view(element: Any, kind: type[np.generic], dimensions: int, *, readonly: bool = False) -> Any:
    """Return what makes an array of an address and its lengths, without a copy.

    A kernel calls it, or Python where nothing is compiled.
    """
    array_type = types.Array(element, dimensions, "C", readonly=readonly)

    def build(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return _array(context, builder, array_type, given[0], given[1:])

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


def _word(context: Any, builder: Any, address: Any, number: Any) -> Any:
    """Build the reading of a word."""
    kind = context.get_data_type(types.intp)
    pointer = builder.inttoptr(address, kind.as_pointer())
    at = context.get_constant(types.intp, number) if isinstance(number, int) else number
    return builder.load(builder.gep(pointer, [at]))


def _build_call(_context: Any, *arguments: Any) -> Any:
    def build(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        from llvmlite import ir

        word = context.get_data_type(types.intp)
        entry = builder.inttoptr(
            _word(context, builder, given[0], ENTRY), ir.FunctionType(word, [word] * 6).as_pointer()
        )
        return builder.call(entry, given)

    return types.int64(*[types.intp] * len(arguments)), build


_call: Any = intrinsic(lambda context, a, b, c, d, e, f: _build_call(context, a, b, c, d, e, f))

_Shape = tuple[int, int]
"""How many inputs a kernel takes, and how many outputs it makes."""

_TWINS: dict[int, tuple[Callable[..., None], _Shape]] = {}
"""Kernels by their addresses."""


def call_entry(
    operation: int, state: int, instruments: int, offsets: int, inputs: int, outputs: int
) -> int:
    """Call the kernel of an operation, at whose address `ENTRY` and the others lie.

    See `SIGNATURE`.
    """
    words = integers_at(operation, SIZE + 1)
    kernel, (taken, made) = _TWINS[int(words[KERNEL])]
    ends = integers_at(offsets, instruments + 1)
    columns = [inputs_at(one, ends[-1]) for one in integers_at(inputs, taken)]
    filled = [floats_at(one, ends[-1]) for one in integers_at(outputs, made)]
    try:
        kernel(
            table_at(state, instruments, words[SIZE]),
            floats_at(words[PARAMETERS], words[GIVEN]),
            ends,
            *columns,
            *filled,
        )
    except Exception:  # noqa: BLE001
        # As an entry: whatever it raises.
        return 1
    return 0


overload(call_entry)(
    lambda operation, state, instruments, offsets, inputs, outputs: (
        lambda operation, state, instruments, offsets, inputs, outputs: _call(
            operation, state, instruments, offsets, inputs, outputs
        )
    )
)

_FIXED: Any = (types.float64[:, ::1], types.float64[::1], types.int64[::1])
_INPUT: Any = types.Array(types.float64, 1, "C", readonly=True)
_OUTPUT: Any = types.float64[::1]


def _kernel_types(taken: int, made: int) -> tuple[Any, ...]:
    """Return the types that a kernel with so many inputs and outputs is compiled for."""
    return (*_FIXED, *[_INPUT] * taken, *[_OUTPUT] * made)


def kernel_call(taken: int, made: int) -> Any:
    """Return what an entry is: it calls a kernel with so many inputs and outputs; see `SIGNATURE`.

    It is that kernel as all call it, which is compiled once.
    """
    kinds = _kernel_types(taken, made)

    def build(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        def word(number: int) -> Any:
            return _word(context, builder, operation, number)

        operation, state, instruments, offsets, inputs, outputs = given
        one = context.get_constant(types.intp, 1)
        rows = [_word(context, builder, offsets, instruments)]
        places: list[tuple[Any, list[Any]]] = [
            (state, [instruments, word(SIZE)]),
            (word(PARAMETERS), [word(GIVEN)]),
            (offsets, [builder.add(instruments, one)]),
        ]
        places += [(_word(context, builder, inputs, k), rows) for k in range(taken)]
        places += [(_word(context, builder, outputs, k), rows) for k in range(made)]
        columns = [
            _array(context, builder, kind, address, lengths)
            for kind, (address, lengths) in zip(kinds, places, strict=True)
        ]
        convention = context.call_conv
        kind = convention.get_function_type(types.none, kinds)
        pointer = builder.inttoptr(word(KERNEL), kind.as_pointer())
        status, _ = convention.call_function(builder, pointer, types.none, kinds, columns)
        return builder.zext(status.is_error, context.get_data_type(types.int64))

    return intrinsic(
        lambda context, operation, state, instruments, offsets, inputs, outputs: (SIGNATURE, build)
    )


_TEXT = '''"""The entry of kernels with {taken} inputs and {made} outputs, made by Tallow."""

from numba import cfunc

from tallow.core.entries import SIGNATURE, kernel_call

call = kernel_call({taken}, {made})


@cfunc(SIGNATURE, cache=True, error_model="numpy")
def entry(operation, state, instruments, offsets, inputs, outputs):
    return call(operation, state, instruments, offsets, inputs, outputs)
'''

_FOUND: dict[Callable[..., None], tuple[int, int]] = {}


def entry_of(kernel: Callable[..., None], inputs: int, outputs: int) -> tuple[int, int] | None:
    """Return the addresses of the entry of a kernel with so many inputs and outputs, and of itself.

    None where the kernel is plain Python, or has no name to import it by: such a one is called from
    Python.
    """
    if kernel not in _FOUND:
        if not _is_importable(kernel):
            return None
        found: Any = kernel
        kinds = _kernel_types(inputs, outputs)
        found.compile(kinds)
        made = found.overloads[kinds]
        address = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
        _FOUND[kernel] = _compiled_entry(inputs, outputs), address
        _TWINS[address] = kernel, (inputs, outputs)
    return _FOUND[kernel]


def _is_importable(kernel: Callable[..., None]) -> bool:
    module = sys.modules.get(kernel.__module__)
    if kernel.__module__ == "__main__" or module is None or not hasattr(kernel, "py_func"):
        return False
    return getattr(module, kernel.__name__, None) is kernel


@cache
def _compiled_entry(taken: int, made: int) -> int:
    place = cache_folder() / "entries" / f"entry_{taken}_{made}.py"
    if not place.exists():
        place.parent.mkdir(mode=0o700, exist_ok=True)
        replace_file(place, _TEXT.format(taken=taken, made=made).encode())
    spec = importlib.util.spec_from_file_location(f"tallow_entries.{place.stem}", place)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    address: int = module.entry.address
    return address
