"""Values as files that are safe to open: JSON, Arrow, NumPy; pickle only where nothing else fits.

A value becomes a tree for JSON, in which a list ``[tag, ...]`` is everything but null, booleans and
text, and parts, files that the tree names. A pickle is code when it is loaded: that takes `trust`.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import importlib
import io
import pickle
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tallow.core.errors import EvidenceError

Parts = dict[str, bytes]
"""Files by name, ``0.arrow``."""


def pack(value: Any, parts: Parts) -> Any:
    """Return the tree of a value; what is no JSON goes to `parts`.

    Raises
    ------
    Exception
        Whatever `pickle` raises for a value that it cannot copy.
    """
    match value:
        case None | bool() | str() if type(value) in _BARE:
            return value
        case float() if type(value) is float:
            return ["float", value.hex()]
        case int() if type(value) is int:
            return ["int", str(value)]
        case list() | tuple() | set() | frozenset() if type(value) in _SEQUENCES.values():
            return [type(value).__name__, [pack(item, parts) for item in value]]
        case dict() if type(value) is dict:
            pairs = value.items()
            return ["dict", [[pack(key, parts), pack(item, parts)] for key, item in pairs]]
    return _pack_text(value) or _pack_object(value, parts)


def unpack(tree: Any, parts: Mapping[str, bytes], trust: bool) -> Any:
    """Return the value of a tree.

    Raises
    ------
    EvidenceError
        For a pickle where `trust` is false, for a class that is gone, for a damaged tree.
    """
    if not isinstance(tree, list):
        return tree
    tag, *rest = tree
    if tag in _SEQUENCES:
        return _SEQUENCES[tag](unpack(item, parts, trust) for item in rest[0])
    if tag == "dict":
        return {unpack(k, parts, trust): unpack(item, parts, trust) for k, item in rest[0]}
    if tag in _TEXTS:
        return _TEXTS[tag](rest[0])
    if tag == "dataclass":
        return _filled(rest[0], {k: unpack(item, parts, trust) for k, item in rest[1].items()})
    if tag == "enum":
        return _found(rest[0])[rest[1]]
    if tag == "pickle" and not trust:
        raise EvidenceError(
            "mismatch: a part of it is a pickle, which can run any code when it is loaded; "
            "pass trust=True if you know who wrote this file, and that nobody else could"
        )
    return _LOADERS[tag](parts[rest[0]])


def _pack_text(value: Any) -> list[Any] | None:
    """Return a small value that text describes, or None."""
    kind = type(value)
    if kind is bytes:
        return ["bytes", base64.b64encode(value).decode()]
    # A zone of Python's own would come back as a fixed offset: those go the long way.
    if kind is datetime and (value.tzinfo is None or type(value.tzinfo).__name__ == "timezone"):
        return ["datetime", value.isoformat()]
    if kind is date:
        return ["date", value.isoformat()]
    if kind is timedelta:
        return ["timedelta", str(value // timedelta(microseconds=1))]
    if kind is Decimal:
        return ["Decimal", str(value)]
    if isinstance(value, enum.Enum) and value.name in type(value).__members__:
        return ["enum", _name(kind), value.name]
    return None


def _pack_object(value: Any, parts: Parts) -> list[Any]:
    """Return a frame, an array or a dataclass as parts of its own, anything else as a pickle."""
    polars, numpy = sys.modules.get("polars"), sys.modules.get("numpy")
    if polars is not None and type(value) in {polars.DataFrame, polars.Series}:
        tag = "frame" if isinstance(value, polars.DataFrame) else "series"
        buffer = io.BytesIO()
        if polars.Object not in (value.dtypes if tag == "frame" else [value.dtype]):
            (value if tag == "frame" else value.to_frame()).write_ipc(buffer, compression="lz4")
            return [tag, _part(parts, "arrow", buffer.getvalue())]
    if numpy is not None and type(value) is numpy.ndarray and not value.dtype.hasobject:
        buffer = io.BytesIO()
        numpy.save(buffer, value, allow_pickle=False)
        return ["array", _part(parts, "npy", buffer.getvalue())]
    if (
        dataclasses.is_dataclass(value)
        and not isinstance(value, type)
        and hasattr(value, "__dict__")
    ):
        tree = {name: pack(item, parts) for name, item in vars(value).items()}
        return ["dataclass", _name(type(value)), tree]
    return ["pickle", _part(parts, "pickle", pickle.dumps(value, protocol=5))]


def _part(parts: Parts, ending: str, body: bytes) -> str:
    name = f"{len(parts)}.{ending}"
    parts[name] = body
    return name


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _found(name: str) -> Any:
    """Return the class of ``module:name``, which must be a dataclass or an enumeration."""
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for step in path.split("."):
            found = getattr(found, step)
    except (ImportError, AttributeError) as error:
        raise EvidenceError(f"mismatch: class={name}; is gone; {error}") from error
    plain = isinstance(found, type) and (
        dataclasses.is_dataclass(found) or issubclass(found, enum.Enum)
    )
    if not plain:
        raise EvidenceError(f"mismatch: class={name}; must be a dataclass or an enumeration")
    return found


def _filled(name: str, fields: Mapping[str, Any]) -> Any:
    made = object.__new__(_found(name))
    # Not through __init__: the fields are those of a finished object, maybe a frozen one.
    vars(made).update(fields)
    return made


def _frame(body: bytes) -> Any:
    import polars as pl

    return pl.read_ipc(io.BytesIO(body))


def _array(body: bytes) -> Any:
    import numpy as np

    return np.load(io.BytesIO(body), allow_pickle=False)


_BARE = (type(None), bool, str)
_SEQUENCES: dict[str, Callable[..., Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
_TEXTS: dict[str, Callable[[str], Any]] = {
    "float": float.fromhex,
    "int": int,
    "bytes": base64.b64decode,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "timedelta": lambda text: timedelta(microseconds=int(text)),
    "Decimal": Decimal,
}
_LOADERS: dict[str, Callable[[bytes], Any]] = {
    "frame": _frame,
    "series": lambda body: _frame(body).to_series(),
    "array": _array,
    "pickle": pickle.loads,
}
