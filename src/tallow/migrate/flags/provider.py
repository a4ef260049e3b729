"""OpenFeature's flags out of one file: what is in the file counts at the next evaluation."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, GeneralError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from tallow.core.errors import FlagError
from tallow.core.limits import FLAG_QUIET_SECONDS, FLAG_WATCH_SECONDS
from tallow.migrate.flags.flag import Flag, parse_flags

_LOG = logging.getLogger("tallow.flags")
_REASONS = {
    "static": Reason.STATIC,
    "default": Reason.DEFAULT,
    "split": Reason.SPLIT,
    "target": Reason.TARGETING_MATCH,
}

Signature = tuple[int, int, int, int]
"""A file's inode, times of change of content and of rights in nanoseconds, and length in bytes."""


@dataclass(frozen=True)
class _Known:
    """What is known of the file; never changed, so that threads need no lock.

    A lock that is held while the process forks is held in the child for ever.

    Parameters
    ----------
    flags
        Those of the last good file; None if there was none yet.
    problem
        Why the file as it is now is not in effect.
    settled
        Whether the signature is worth trusting: two edits within one tick of the file system's
        clock have the same.
    seen, seen_at
        A signature that is not taken yet, and since when, on the monotonic clock.
    """

    flags: Mapping[str, Flag] | None = None
    problem: str | None = None
    signature: Signature | None = None
    content: bytes | None = None
    settled: bool = False
    seen: Signature | None = field(default=None, compare=False)
    seen_at: float = field(default=0.0, compare=False)


class FileProvider(AbstractProvider):
    """A provider for OpenFeature that reads one TOML or JSON file.

    An evaluation looks at the file's time and length, and reads it again where they changed. A file
    that is missing, half-written or wrong leaves the last good one in effect, which `problem` tells
    of, with the reason ``STALE`` and an event. Without a good one yet, and in every error, the
    caller's default is the answer: nothing is ever raised into a call.

    A file that is replaced counts at once. One that is edited in place may be half-written: it
    counts when it was left alone for `FLAG_QUIET_SECONDS`.

    Threads may share a provider, and forks keep it. An evaluation here costs a look at the file
    and a hash; OpenFeature's client takes several times of that.

    Parameters
    ----------
    path
        The file; JSON where the name ends in ``.json``, else TOML.

    Examples
    --------
    >>> from openfeature import api
    >>> api.set_provider(FileProvider("flags.toml"))  # doctest: +SKIP
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path).absolute()
        self._known = _Known()
        self._closed = threading.Event()

    @property
    def problem(self) -> str | None:
        """Why the file as it is now is not in effect; None where it is."""
        return self._look().problem

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="tallow-file")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Begin to tell of changes by events.

        Raises
        ------
        GeneralError
            If there is no good file yet. Evaluations work, and give their default until there is.
        """
        del evaluation_context
        self._closed.clear()
        known = self._look()
        threading.Thread(
            target=self._watch, args=(known,), name="tallow-flags", daemon=True
        ).start()
        if known.flags is None:
            raise GeneralError(known.problem)

    def shutdown(self) -> None:
        """Stop telling of changes."""
        self._closed.set()

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Resolve a flag whose variants are booleans."""
        return self._resolve((bool,), flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Resolve a flag whose variants are strings."""
        return self._resolve((str,), flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Resolve a flag whose variants are whole numbers."""
        return self._resolve((int,), flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Resolve a flag whose variants are numbers; a whole one becomes a float."""
        found = self._resolve((float, int), flag_key, default_value, evaluation_context)
        if isinstance(found.value, int):
            found.value = float(found.value)
        return found

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Resolve a flag whose variants are lists or tables; do not change what you get."""
        return self._resolve((list, dict), flag_key, default_value, evaluation_context)

    def _resolve(
        self,
        kinds: tuple[type, ...],
        key: str,
        default: Any,
        context: EvaluationContext | None,
    ) -> FlagResolutionDetails[Any]:
        known = self._look()
        if known.flags is None:
            return _failed(default, ErrorCode.PROVIDER_NOT_READY, known.problem)
        flag = known.flags.get(key)
        if flag is None:
            return _failed(default, ErrorCode.FLAG_NOT_FOUND, f"flag: {key}; not in {self.path}")
        if not flag.enabled:
            return FlagResolutionDetails(
                default, reason=Reason.DISABLED, flag_metadata=flag.metadata
            )
        variant, why = flag.choose(context.targeting_key if context else None)
        if why == "no target":
            text = f"flag: {key}; is split by targeting_key, which is missing"
            return _failed(default, ErrorCode.TARGETING_KEY_MISSING, text)
        value = flag.variants[variant]
        # By its exact type: a boolean is an int to Python, and none to OpenFeature.
        if type(value) not in kinds:
            text = f"flag: {key}; its variants are of type {type(value).__name__}"
            return _failed(default, ErrorCode.TYPE_MISMATCH, text)
        stale = known.problem is not None
        return FlagResolutionDetails(
            value,
            reason=Reason.STALE if stale else _REASONS[why],
            variant=variant,
            flag_metadata=flag.metadata,
        )

    # The file

    def _look(self) -> _Known:
        """Return what is known, read again if the file changed.

        Two threads may read it at once. If the older content wins, its signature is the older one,
        too, and the next evaluation reads again.
        """
        known = self._known
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - half of what Path.stat costs
        except (OSError, ValueError) as error:
            problem = f"flags: file={self.path}; {error.args[-1]}; it is looked for"
            return self._take(known, problem=problem, signature=None)
        signature = (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
        if known.settled and known.signature == signature:
            return known
        return self._read(known, signature)

    def _read(self, known: _Known, signature: Signature) -> _Known:
        now = time.monotonic()
        if known.seen != signature:
            known = replace(known, seen=signature, seen_at=now)
        # By our own clock, too: that of a network's file system may go wrong.
        age = max(time.time() - signature[1] / 1e9, now - known.seen_at)
        is_quiet = age >= FLAG_QUIET_SECONDS
        is_edited = known.signature is not None and known.signature[0] == signature[0]
        if known.flags is not None and is_edited and not is_quiet:
            self._known = known
            return known
        try:
            content = self.path.read_bytes()
            if content == known.content and known.problem is None:
                flags = known.flags
            else:
                flags = parse_flags(content, self.path.name)
        except (FlagError, OSError) as error:
            return self._take(
                known, problem=str(error), signature=signature, settled=is_quiet, content=None
            )
        return self._take(
            known,
            flags=flags,
            problem=None,
            signature=signature,
            content=content,
            settled=is_quiet,
        )

    def _take(self, known: _Known, **changes: Any) -> _Known:
        fresh = replace(known, **changes)
        if fresh.problem != known.problem:
            if fresh.problem is None:
                _LOG.info("flags: file=%s; is in effect again", self.path)
            else:
                _LOG.warning("%s; the last good flags stay", fresh.problem)
        self._known = fresh
        return fresh

    # Events

    def _watch(self, told: _Known) -> None:
        while not self._closed.wait(FLAG_WATCH_SECONDS):
            known = self._look()
            if known.problem != told.problem:
                self._tell_problem(known)
            before, after = told.flags or {}, known.flags or {}
            changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
            if changed:
                self.emit_provider_configuration_changed(
                    ProviderEventDetails(flags_changed=changed)
                )
            told = known

    def _tell_problem(self, known: _Known) -> None:
        details = ProviderEventDetails(message=known.problem)
        if known.problem is None:
            self.emit_provider_ready(details)
        elif known.flags is None:
            self.emit_provider_error(details)
        else:
            self.emit_provider_stale(details)


def _failed(default: Any, code: ErrorCode, text: str | None) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(default, error_code=code, error_message=text, reason=Reason.ERROR)
