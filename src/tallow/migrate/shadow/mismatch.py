"""A call whose answers disagreed, whole: what it takes to see it again, and to keep as a test."""

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

from tallow.core.errors import EvidenceError
from tallow.core.limits import MISMATCH_BYTES, MISMATCH_UNPACKED_BYTES
from tallow.data.replacing import PRIVATE, replace_file
from tallow.migrate.evidence import Judgement, Observation, Side
from tallow.migrate.shadow.codec import Parts, pack, unpack
from tallow.migrate.shadow.outcome import Outcome, failed, weigh

_FORMAT = 2
_FORMATS = (1, _FORMAT)
"""The first had pickles in it; what else it has is read as ever."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)
"""What the standard library raises over archives that are damaged, locked or of unknown kinds."""


@dataclass(frozen=True)
class Mismatch:
    """A call that was answered differently, or not answered, by the candidate.

    Attributes
    ----------
    experiment, at, key, served
        As in the `Observation` of the call.
    error
        What the candidate raised, or did: ``died: SIGSEGV``. None where its answer was wrong.
    judgement
        What the comparison found; None where there was none.
    versions
        Of both sides and of Tallow, by name.
    revision
        Of the data, where the experiment tells it.
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
        """The call's arguments by place; a fresh copy of them."""
        return cast("tuple[Any, ...]", self._value("args"))

    @property
    def kwargs(self) -> dict[str, Any]:
        """The call's arguments by name; a fresh copy of them."""
        return cast("dict[str, Any]", self._value("kwargs"))

    @cached_property
    def control(self) -> Outcome | None:
        """What the control came to."""
        return cast("Outcome | None", self._value("control"))

    @cached_property
    def candidate(self) -> Outcome | None:
        """What the candidate came to."""
        return cast("Outcome | None", self._value("candidate"))

    def save(self, path: str | Path) -> None:
        """Write it to a file: a ZIP of a JSON page, Arrow and NumPy files; for this user alone.

        Raises
        ------
        EvidenceError
            If it cannot be written.
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

    Classes of its values are found in modules that are imported already.

    Raises
    ------
    EvidenceError
        If it is no such file; where a value is asked for that is kept as text.
    """
    try:
        with Path(path).open("rb") as file:
            body = file.read(MISMATCH_BYTES + 1)
    except (OSError, ValueError) as error:
        raise EvidenceError(f"mismatch: file={path}; cannot be read; {error}") from error
    return read_mismatch(body, str(path))


def replay(
    mismatch: Mismatch,
    candidate: Callable[..., Any],
    judge: Callable[..., Judgement] | None = None,
) -> Judgement:
    """Ask a candidate again what a mismatch was about, and judge it by the control's answer.

    An exception of the candidate is raised, unless the control had raised the same one. `judge` is
    as in `Experiment`.

    Raises
    ------
    EvidenceError
        If the control's answer was not kept, because it was the control that was killed.

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
        return weigh(control, failed(error))[1] or Judgement()
    weighed = weigh(control, Outcome(value))[1]
    if weighed is not None:
        return weighed
    return (judge or judge_values)(control.value, value, *mismatch.args, **mismatch.kwargs)


def mismatch_body(
    observation: Observation,
    inputs: tuple[tuple[Any, ...], dict[str, Any]],
    outcomes: Mapping[Side, Outcome],
    versions: Mapping[str, str],
    revision: str | None,
) -> bytes:
    """Return a mismatch as it is stored and saved.

    Raises
    ------
    EvidenceError
        If it is larger than what is kept.
    """
    parts: Parts = {}
    judgement = observation.judgement
    page = {
        "format": _FORMAT,
        "experiment": observation.experiment,
        "at": observation.at.isoformat(),
        "key": observation.key,
        "served": observation.served,
        "error": observation.error,
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


def _unpacked(body: bytes) -> dict[str, bytes]:
    """Return the files of an archive, which are bounded: it may be of anybody's making.

    Raises
    ------
    ValueError
        If it is larger than `MISMATCH_BYTES`, or they than `MISMATCH_UNPACKED_BYTES`.
    """
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
    """Return the mismatch of a stored body; `source` is named where it is none."""
    try:
        parts = _unpacked(body)
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
        raise EvidenceError(f"mismatch: file={source}; is none, or damaged; {error}") from error
