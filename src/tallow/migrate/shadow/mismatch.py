"""A call whose answers disagreed, with everything needed to repeat it, and to keep it as a test."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from tallow.core.disk import PRIVATE, replace_file
from tallow.core.errors import EvidenceError
from tallow.core.limits import MISMATCH_BYTES, MISMATCH_UNPACKED_BYTES
from tallow.migrate.evidence import Judgement, Observation, Side
from tallow.migrate.shadow.codec import ArchiveParts, pack, unpack
from tallow.migrate.shadow.outcome import CallOutcome, failed_outcome, judge_exceptions

_FORMAT = 2
_FORMATS = (1, _FORMAT)
"""The first had pickles in it, which are not loaded; its other content is read."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)
"""What the standard library raises for archives that are damaged, locked or of unknown kinds."""


@dataclass(frozen=True)
class Mismatch:
    """A call that the candidate answered differently or not at all.

    Attributes
    ----------
    experiment, at, key, served
        As in the `Observation` of the call.
    error
        What the candidate raised, or how it ended: ``died: SIGSEGV``. None if its answer was wrong.
    judgement
        The result of the comparison; None if there was none.
    versions
        Versions of both sides and of Tallow, by name.
    revision
        Revision of the data, if the experiment has `revision`.
    args, kwargs
        The inputs, as they were before the call.
    control, candidate
        Answers or exceptions; None for a side that was killed.
    """

    experiment: str
    at: datetime
    key: str
    served: Side
    error: str | None
    judgement: Judgement | None
    versions: Mapping[str, str]
    revision: str | None
    _trees: Mapping[str, Any] = field(repr=False, compare=False)
    _parts: Mapping[str, bytes] = field(repr=False, compare=False)
    _body: bytes = field(repr=False)

    @property
    def args(self) -> tuple[Any, ...]:
        """A fresh copy of the call's positional arguments."""
        return cast("tuple[Any, ...]", self._value("args"))

    @property
    def kwargs(self) -> dict[str, Any]:
        """A fresh copy of the call's keyword arguments."""
        return cast("dict[str, Any]", self._value("kwargs"))

    @cached_property
    def control(self) -> CallOutcome | None:
        """The outcome of the control."""
        return cast("CallOutcome | None", self._value("control"))

    @cached_property
    def candidate(self) -> CallOutcome | None:
        """The outcome of the candidate."""
        return cast("CallOutcome | None", self._value("candidate"))

    def save(self, path: str | Path) -> None:
        """Write it to a file that only this user may read: a ZIP of JSON, Arrow and NumPy files.

        `EvidenceError` if it cannot be written.
        """
        target = Path(path)
        try:
            replace_file(target, self._body, mode=PRIVATE)
        except (OSError, ValueError) as error:
            raise EvidenceError(
                f"mismatch: file={target}; could not be written; {error}"
            ) from error

    def _value(self, name: str) -> Any:
        return unpack(self._trees[name], self._parts)


def load_mismatch(path: str | Path) -> Mismatch:
    """Read a mismatch that was saved. Nothing in the file is run, whoever wrote it.

    Classes of its values are found in modules that are already imported.

    Raises
    ------
    EvidenceError
        If the file is not a mismatch file; later, if a value is read that is kept as text.
    """
    try:
        with Path(path).open("rb") as file:
            body = file.read(MISMATCH_BYTES + 1)
    except (OSError, ValueError) as error:
        raise EvidenceError(f"mismatch: file={path}; cannot be read; {error}") from error
    return read_mismatch(body, str(path))


def replay(
    mismatch: Mismatch, candidate: Callable[..., Any], judge: Callable[..., Judgement] | None = None
) -> Judgement:
    """Repeat the call of a mismatch with a candidate, and judge it by the control's answer.

    An exception of the candidate is raised, unless the control raised the same one. `judge` is as
    in `Experiment`.

    Raises
    ------
    EvidenceError
        If there is no answer of the control, because the control was killed.

    Examples
    --------
    A mismatch as a test::

        def test_a_gap_at_the_open() -> None:
            mismatch = load_mismatch("tests/mismatches/gap_at_the_open.zip")
            assert replay(mismatch, candidate=new_prices).unexplained == 0
    """
    from tallow.migrate.shadow.judging import judge_values

    control = mismatch.control
    if control is None:
        raise EvidenceError("mismatch: control=None; its answer is not there to compare with")
    try:
        value = candidate(*mismatch.args, **mismatch.kwargs)
    except Exception as error:
        if control.raised is None:
            raise
        return judge_exceptions(control, failed_outcome(error))[1] or Judgement()
    judgement = judge_exceptions(control, CallOutcome(value))[1]
    if judgement is not None:
        return judgement
    return (judge or judge_values)(control.value, value, *mismatch.args, **mismatch.kwargs)


def mismatch_body(
    observation: Observation,
    inputs: tuple[tuple[Any, ...], dict[str, Any]],
    outcomes: Mapping[Side, CallOutcome],
    versions: Mapping[str, str],
    revision: str | None,
) -> bytes:
    """Return a mismatch as it is stored and saved; `EvidenceError` above `MISMATCH_BYTES`."""
    parts: ArchiveParts = {}
    judgement = observation.judgement
    page = {
        "format": _FORMAT,
        **{name: getattr(observation, name) for name in ("experiment", "key", "served", "error")},
        "at": observation.at.isoformat(),
        "judgement": None if judgement is None else asdict(judgement),
        "versions": dict(versions),
        "revision": revision,
        "args": pack(inputs[0], parts),
        "kwargs": pack(inputs[1], parts),
        "control": pack(outcomes.get("control"), parts),
        "candidate": pack(outcomes.get("candidate"), parts),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("mismatch.json", json.dumps(page, indent=1))
        for name, body in parts.items():
            archive.writestr(name, body)
    if buffer.tell() > MISMATCH_BYTES:
        raise EvidenceError(f"mismatch: bytes={buffer.tell()}; at most {MISMATCH_BYTES} are kept")
    return buffer.getvalue()


def _unzip(body: bytes) -> dict[str, bytes]:
    """Return the files of an archive; `ValueError` if it is too large: anybody may have made it."""
    if len(body) > MISMATCH_BYTES:
        raise ValueError(f"it has more than {MISMATCH_BYTES:,} bytes")
    left, parts = MISMATCH_UNPACKED_BYTES, dict[str, bytes]()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                parts[name] = file.read(left + 1)
            left -= len(parts[name])
            if left < 0:
                raise ValueError(f"it has more than {MISMATCH_UNPACKED_BYTES:,} bytes unpacked")
    return parts


def read_mismatch(body: bytes, source: str) -> Mismatch:
    """Return the mismatch of stored bytes; errors name `source`."""
    try:
        parts = _unzip(body)
        page = json.loads(parts["mismatch.json"])
        if page["format"] not in _FORMATS:
            raise EvidenceError(
                f"mismatch: file={source}, format={page['format']}; this version reads "
                f"{' and '.join(map(str, _FORMATS))}; read it with the version that wrote it"
            )
        judged = page["judgement"]
        return Mismatch(
            *(page["experiment"], datetime.fromisoformat(page["at"]), page["key"], page["served"]),
            error=page["error"],
            judgement=None if judged is None else Judgement(**judged),
            versions=page["versions"],
            revision=page["revision"],
            _trees={name: page[name] for name in ("args", "kwargs", "control", "candidate")},
            _parts=parts,
            _body=body,
        )
    except (*_BROKEN, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise EvidenceError(
            f"mismatch: file={source}; is not a mismatch file, or damaged; {error}"
        ) from error
