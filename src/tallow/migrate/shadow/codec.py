"""Values as files that are safe to open: JSON, Arrow, NumPy. Nothing in them is ever run.

A value becomes a tree for JSON and parts, which are files that the tree names. In the tree,
everything except null, booleans and text is a list ``[tag, ...]``. A value of any other kind is
kept as its text, which can be read but not used again.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import io
import json
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tallow.core.errors import EvidenceError, shorten
from tallow.core.time import MICROSECOND

ArchiveParts = dict[str, bytes]
"""Files by name, ``0.arrow``."""


def pack(value: Any, parts: ArchiveParts) -> Any:
    """Return the tree of a value; arrays and frames go to `parts`."""
    match value:
        case None | bool() | str() if type(value) in _BARE:
            return value
        case float() if type(value) is float:
            return ["float", value.hex()]
        case int() if type(value) is int:
            return ["int", hex(value)]
        case list() | tuple() | set() | frozenset() if type(value) in _SEQUENCES.values():
            return [type(value).__name__, [pack(item, parts) for item in value]]
        case dict() if type(value) is dict:
            pairs = value.items()
            return ["dict", [[pack(key, parts), pack(item, parts)] for key, item in pairs]]
    return _pack_text(value) or _pack_object(value, parts)


def unpack(tree: Any, parts: Mapping[str, bytes]) -> Any:
    """Return the value of a tree.

    `EvidenceError` if a value is kept as text, a class is not found, or the tree is damaged.
    """
    try:
        return _unpack(tree, parts)
    except EvidenceError:
        raise
    # Polars panics on some broken Arrow files, and a panic is a BaseException.
    except BaseException as error:
        if not isinstance(error, (Exception, *_panic_types())):
            raise
        raise EvidenceError(
            f"mismatch: a value of it is damaged: {type(error).__name__}: {error}; take another"
        ) from error


def _panic_types() -> tuple[type[BaseException], ...]:
    polars = sys.modules.get("polars")
    return () if polars is None else (polars.exceptions.PanicException,)


def _unpack(tree: Any, parts: Mapping[str, bytes]) -> Any:
    if not isinstance(tree, list):
        return tree
    tag, *rest = tree
    if tag in _SEQUENCES:
        return _SEQUENCES[tag](_unpack(item, parts) for item in rest[0])
    if tag == "dict":
        return {_unpack(k, parts): _unpack(item, parts) for k, item in rest[0]}
    if tag in _TEXTS:
        return _TEXTS[tag](rest[0])
    if tag == "dataclass":
        return _make_dataclass(rest[0], {k: _unpack(item, parts) for k, item in rest[1].items()})
    if tag == "enum":
        return _find_class(rest[0])[rest[1]]
    if tag == "named":
        # Without calling any code of its class.
        return tuple.__new__(_find_class(rest[0]), [_unpack(item, parts) for item in rest[1]])
    if tag == "zoned":
        return datetime.fromisoformat(rest[0]).replace(tzinfo=ZoneInfo(rest[1]), fold=rest[2])
    if tag == "text":
        raise EvidenceError(
            f"mismatch: a value of it is of type {rest[0]}, and kept as text: {rest[1]}; let the "
            "call take and answer dataclasses, frames, arrays and plain values, to replay it"
        )
    if tag == "pickle":
        raise EvidenceError(
            "mismatch: a value of it is a pickle of an older version, which can run any code when "
            "it is loaded, and is not any more; keep a new one of the same call"
        )
    return _LOADERS[tag](parts[rest[0]])


def _pack_text(value: Any) -> list[Any] | None:
    """Return a small value that text describes, or None."""
    kind = type(value)
    if kind is bytes:
        return ["bytes", base64.b64encode(value).decode()]
    # Not for other zones: they would come back as fixed offsets.
    if kind is datetime and (value.tzinfo is None or type(value.tzinfo).__name__ == "timezone"):
        return ["datetime", value.isoformat()]
    if kind is date:
        return ["date", value.isoformat()]
    if kind is time:
        return ["time", value.isoformat()] if value.tzinfo is None else None
    if kind is datetime and type(value.tzinfo) is ZoneInfo and value.tzinfo.key:
        return ["zoned", value.replace(tzinfo=None).isoformat(), value.tzinfo.key, value.fold]
    if kind is timedelta:
        return ["timedelta", str(value // MICROSECOND)]
    if kind is Decimal:
        return ["Decimal", str(value)]
    if isinstance(value, enum.Enum) and value.name in type(value).__members__:
        return ["enum", _name(kind), value.name]
    return None


def _pack_object(value: Any, parts: ArchiveParts) -> list[Any]:
    """Return a frame, an array or a dataclass as parts of its own, anything else as text."""
    polars, numpy = sys.modules.get("polars"), sys.modules.get("numpy")
    if polars is not None and type(value) in {polars.DataFrame, polars.Series}:
        tag = "frame" if isinstance(value, polars.DataFrame) else "series"
        buffer = io.BytesIO()
        if polars.Object not in (value.dtypes if tag == "frame" else [value.dtype]):
            (value if tag == "frame" else value.to_frame()).write_ipc(buffer, compression="lz4")
            return [tag, _add_part(parts, "arrow", buffer.getvalue())]
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        tag = {numpy.ndarray: "array"}.get(type(value), "scalar")
        plain = tag == "array" or isinstance(value, numpy.generic)
        if plain and not value.dtype.hasobject:
            buffer = io.BytesIO()
            numpy.save(buffer, value, allow_pickle=False)
            return [tag, _add_part(parts, "npy", buffer.getvalue())]
    if (table := _pandas_table(value)) is not None:
        return [type(value).__name__, _add_part(parts, "arrow", table)]
    if (
        dataclasses.is_dataclass(value)
        and not isinstance(value, type)
        and hasattr(value, "__dict__")
    ):
        tree = {name: pack(item, parts) for name, item in vars(value).items()}
        return ["dataclass", _name(type(value)), tree]
    if isinstance(value, tuple) and hasattr(type(value), "_fields"):
        return ["named", _name(type(value)), [pack(item, parts) for item in value]]
    return ["text", _name(type(value)), shorten(value)]


def _pandas_table(value: Any) -> bytes | None:
    """Return a frame or a series of pandas as an Arrow file, which keeps its index and types."""
    pandas = sys.modules.get("pandas")
    if pandas is None or type(value) not in {pandas.DataFrame, pandas.Series}:
        return None
    try:
        import pyarrow as pa

        frame = value if isinstance(value, pandas.DataFrame) else value.to_frame("0")
        table = pa.Table.from_pandas(frame)
    except Exception:  # noqa: BLE001 - no PyArrow, or objects in it that no table holds
        return None
    if isinstance(value, pandas.Series):
        name = json.dumps(None if value.name is None else str(value.name))
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"series": name})
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _pandas(body: bytes) -> Any:
    import pyarrow as pa

    table = pa.ipc.open_file(pa.BufferReader(body)).read_all()
    frame, name = table.to_pandas(), (table.schema.metadata or {}).get(b"series")
    return frame if name is None else frame["0"].rename(json.loads(name))


def _add_part(parts: ArchiveParts, ending: str, body: bytes) -> str:
    name = f"{len(parts)}.{ending}"
    parts[name] = body
    return name


_FILE_NAMES = {"tallow.migrate.shadow.outcome:CallOutcome": "tallow.migrate.shadow.outcome:Outcome"}
"""Classes with another name in files: that of the version in which they were first written."""

_CLASS_NAMES = {file_name: name for name, file_name in _FILE_NAMES.items()}


def _name(kind: type) -> str:
    name = f"{kind.__module__}:{kind.__qualname__}"
    return _FILE_NAMES.get(name, name)


def _find_class(name: str) -> Any:
    """Return the class ``module:name``, which must be one of plain data.

    No module is imported by a name from a file: that would run any code of it.
    """
    module, _, path = _CLASS_NAMES.get(name, name).partition(":")
    found: Any = sys.modules.get(module)
    if found is None:
        raise EvidenceError(f"mismatch: class={name}; is not known here; import {module} first")
    for step in path.split("."):
        found = vars(found).get(step) if hasattr(found, "__dict__") else None
    plain = isinstance(found, type) and (
        dataclasses.is_dataclass(found)
        or issubclass(found, enum.Enum)
        or (issubclass(found, tuple) and hasattr(found, "_fields"))
    )
    if not plain:
        raise EvidenceError(
            f"mismatch: class={name}; is gone; must be a dataclass, an enumeration or a named tuple"
        )
    return found


def _make_dataclass(name: str, fields: Mapping[str, Any]) -> Any:
    made = object.__new__(_find_class(name))
    # Not through __init__: the fields are those of a complete object, which may be frozen.
    vars(made).update(fields)
    return made


def _frame(body: bytes) -> Any:
    import polars as pl

    return pl.read_ipc(io.BytesIO(body))


def _array(body: bytes) -> Any:
    import numpy as np

    return np.load(io.BytesIO(body), allow_pickle=False)


_BARE = (type(None), bool, str)
_SEQUENCES: dict[str, type[Any]] = {kind.__name__: kind for kind in (list, tuple, set, frozenset)}
_TEXTS: dict[str, Callable[[str], Any]] = {
    "float": float.fromhex,
    "int": lambda text: int(text, 16) if "x" in text else int(text),
    "bytes": base64.b64decode,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda text: timedelta(microseconds=int(text)),
    "Decimal": Decimal,
}
_LOADERS: dict[str, Callable[[bytes], Any]] = {
    "frame": _frame,
    "series": lambda body: _frame(body).to_series(),
    "array": _array,
    "scalar": lambda body: _array(body)[()],
    "DataFrame": _pandas,
    "Series": _pandas,
}
