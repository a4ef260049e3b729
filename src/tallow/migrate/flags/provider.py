"""OpenFeature flags from one file: a change of the file counts at the next evaluation."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, GeneralError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
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
class _FileState:
    """What is known about the file. Immutable, so that threads need no lock.

    A lock that is locked while the process forks would stay locked in the child.
    """

    flags: Mapping[str, Flag] | None = None
    """The flags of the last valid file; None if there was none yet."""
    problem: str | None = None
    """Why the present file is not in effect."""
    signature: Signature | None = None
    content: bytes | None = None
    is_final: bool = False
    """Whether the signature identifies the content: two edits within one tick of the file system's
    clock have the same signature."""
    seen: Signature | None = field(default=None, compare=False)
    seen_at: float = field(default=0.0, compare=False)
    """A signature whose content is not in effect yet, and when it was first seen, on the monotonic
    clock."""


def _resolver(what: str, *kinds: type) -> Any:
    """Return OpenFeature's method that resolves a flag whose variants are of these types."""

    def resolve(
        self: FileProvider,
        flag_key: str,
        default_value: Any,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Any]:
        details = self._resolve(kinds, flag_key, default_value, evaluation_context)
        if float in kinds and isinstance(details.value, int):
            details.value = float(details.value)
        return details

    resolve.__doc__ = f"Resolve a flag whose variants are {what}."
    return resolve


class FileProvider(AbstractProvider):
    """A provider for OpenFeature that reads one TOML or JSON file.

    An evaluation checks the file's time and length, and reads it again if they changed. If the file
    is missing, incomplete or wrong, the last valid one stays in effect: `problem` describes that,
    evaluations have the reason ``STALE``, and there is an event. Without a valid file, and after
    any error, the caller gets its default: an evaluation never raises.

    A file that is replaced counts at once. One that is edited in place may be incomplete: it counts
    when it has not changed for `FLAG_QUIET_SECONDS`.

    Threads may share a provider, and it survives forks. An evaluation costs a check of the file and
    a hash; OpenFeature's client takes several times as long.

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
        self._state = _FileState()
        self._closed = threading.Event()

    @property
    def problem(self) -> str | None:
        """Why the present file is not in effect; None if it is."""
        return self._check_file().problem

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="tallow-file")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Begin to emit events about changes; `GeneralError` if there is no valid file yet.

        Evaluations return their default until there is one.
        """
        del evaluation_context
        self._closed.clear()
        state = self._check_file()
        threading.Thread(
            target=self._watch, args=(state,), name="tallow-flags", daemon=True
        ).start()
        if state.flags is None:
            raise GeneralError(state.problem)

    def shutdown(self) -> None:
        """Stop emitting events."""
        self._closed.set()

    resolve_boolean_details = _resolver("booleans", bool)
    resolve_string_details = _resolver("strings", str)
    resolve_integer_details = _resolver("whole numbers", int)
    resolve_float_details = _resolver("numbers; a whole one becomes a float", float, int)
    resolve_object_details = _resolver("lists or tables; do not modify the value", list, dict)

    def _resolve(
        self, kinds: tuple[type, ...], key: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        state = self._check_file()
        if state.flags is None:
            return _default(default, ErrorCode.PROVIDER_NOT_READY, state.problem)
        flag = state.flags.get(key)
        if flag is None:
            return _default(default, ErrorCode.FLAG_NOT_FOUND, f"flag: {key}; not in {self.path}")
        if not flag.enabled:
            return FlagResolutionDetails(
                default, reason=Reason.DISABLED, flag_metadata=flag.metadata
            )
        variant, why = flag.choose(context.targeting_key if context else None)
        if why == "no target":
            text = f"flag: {key}; is split by targeting_key, which is missing"
            return _default(default, ErrorCode.TARGETING_KEY_MISSING, text)
        value = flag.variants[variant]
        # By its exact type: a boolean is an int in Python, but not in OpenFeature.
        if type(value) not in kinds:
            text = f"flag: {key}; its variants are of type {type(value).__name__}"
            return _default(default, ErrorCode.TYPE_MISMATCH, text)
        is_stale = state.problem is not None
        return FlagResolutionDetails(
            value,
            reason=Reason.STALE if is_stale else _REASONS[why],
            variant=variant,
            flag_metadata=flag.metadata,
        )

    # The file

    def _check_file(self) -> _FileState:
        """Return the file's state; read the file again if it changed.

        Two threads may read it at once. If the older content wins, it has the older signature, too,
        and the next evaluation reads the file again.
        """
        state = self._state
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - takes half as long as Path.stat
        except (OSError, ValueError) as error:
            problem = f"flags: file={self.path}; {error.args[-1]}; it is looked for"
            return self._update(state, problem=problem, signature=None)
        signature = (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
        if state.is_final and state.signature == signature:
            return state
        return self._read(state, signature)

    def _read(self, state: _FileState, signature: Signature) -> _FileState:
        now = time.monotonic()
        if state.seen != signature:
            state = replace(state, seen=signature, seen_at=now)
        # By our own clock, too: the clock of a network's file system may be wrong.
        age = max(time.time() - signature[1] / 1e9, now - state.seen_at)
        is_quiet = age >= FLAG_QUIET_SECONDS
        is_edited = state.signature is not None and state.signature[0] == signature[0]
        if state.flags is not None and is_edited and not is_quiet:
            self._state = state
            return state
        try:
            content = self.path.read_bytes()
            if content == state.content and state.problem is None:
                flags = state.flags
            else:
                flags = parse_flags(content, self.path.name)
        except (FlagError, OSError) as error:
            return self._update(
                state, problem=str(error), signature=signature, is_final=is_quiet, content=None
            )
        return self._update(
            state,
            flags=flags,
            problem=None,
            signature=signature,
            content=content,
            is_final=is_quiet,
        )

    def _update(self, state: _FileState, **changes: Any) -> _FileState:
        new = replace(state, **changes)
        if new.problem != state.problem:
            if new.problem is None:
                _LOG.info("flags: file=%s; is in effect again", self.path)
            else:
                _LOG.warning("%s; the last good flags stay", new.problem)
        self._state = new
        return new

    # Events

    def _watch(self, reported: _FileState) -> None:
        while not self._closed.wait(FLAG_WATCH_SECONDS):
            state = self._check_file()
            if state.problem != reported.problem:
                self._emit_problem(state)
            before, after = reported.flags or {}, state.flags or {}
            changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
            if changed:
                self.emit_provider_configuration_changed(
                    ProviderEventDetails(flags_changed=changed)
                )
            reported = state

    def _emit_problem(self, state: _FileState) -> None:
        details = ProviderEventDetails(message=state.problem)
        if state.problem is None:
            self.emit_provider_ready(details)
        elif state.flags is None:
            self.emit_provider_error(details)
        else:
            self.emit_provider_stale(details)


def _default(default: Any, code: ErrorCode, text: str | None) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(default, error_code=code, error_message=text, reason=Reason.ERROR)
