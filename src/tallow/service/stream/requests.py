"""What a client asks for, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from tallow.core.errors import ParameterError, TallowError, excerpt, near_matches
from tallow.core.timeframe import parse_timeframe
from tallow.plan.plan import Plan, make_plan

NAME_CHARACTERS_MAX = 64
KINDS = ("subscribe", "unsubscribe")
ROWS = ("instruments", "universe", "timeframes", "indicators", "stream", "seq")
SCREEN = ("screen", "timeframe", "stream", "seq")
ALERTS = ("alerts", "instruments", "stream", "seq")


def read_message(text: str) -> dict[str, Any]:
    """Return a client's message; `ParameterError` if it is none."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ParameterError(f"stream: {excerpt(text)}; must be JSON: {error}") from error
    if not isinstance(found, dict) or found.get("type") not in KINDS:
        raise ParameterError(
            f"stream: {excerpt(text)}; must be an object with type, one of {', '.join(KINDS)}"
        )
    return found


def name_of(asked: Mapping[str, Any]) -> str:
    """Return a subscription's name."""
    name = asked.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARACTERS_MAX:
        raise ParameterError(
            f"stream: id={excerpt(name)}; must be text of at most {NAME_CHARACTERS_MAX} characters"
        )
    return name


def kind_of(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields that a subscription may have; it has no others."""
    fields = SCREEN if "screen" in asked else ALERTS if "alerts" in asked else ROWS
    for field in asked.keys() - {"type", "id", *fields}:
        hint = near_matches(str(field), fields) or f"must be one of {', '.join(fields)}"
        raise ParameterError(f"stream: {excerpt(field)}=; no field of it; {hint}")
    return fields


def texts(asked: Mapping[str, Any], field: str) -> list[str] | None:
    """Return a list of texts; None where it is not given."""
    found = asked.get(field)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise ParameterError(f"stream: {field}={excerpt(found)}; must be a list of texts")
    return list(dict.fromkeys(found))


def text(asked: Mapping[str, Any], field: str) -> str:
    """Return a text."""
    found = asked.get(field)
    if not isinstance(found, str) or not found:
        raise ParameterError(f"stream: {field}={excerpt(found)}; must be text")
    return found


def timeframes(asked: Sequence[str] | None, live: Sequence[str]) -> tuple[str, ...]:
    """Return timeframes that are live, in their order; all where none is asked for."""
    if asked is None:
        return tuple(live)
    found = {parse_timeframe(text).text for text in asked}
    if not found or not found <= set(live):
        missing = ", ".join(sorted(found - set(live))) or "[]"
        raise ParameterError(
            f"stream: timeframes={missing}; must be among those that are live: {', '.join(live)}; "
            "of others ask /v1/candles, or start the service with them"
        )
    return tuple(size for size in live if size in found)


def one_of(field: str, asked: object, known: Sequence[str]) -> str:
    """Return a name that is known."""
    if asked not in known:
        hint = near_matches(str(asked), known) if known else "there are none"
        raise ParameterError(f"stream: {field}={excerpt(asked)}; no such {field}; {hint}")
    return str(asked)


def columns(asked: object, plan: Plan) -> tuple[str, ...]:
    """Return columns of a live engine's plan, in its order; all where none is asked for."""
    if asked is None:
        return plan.columns
    if isinstance(asked, str):
        asked = [asked]
    if not isinstance(asked, list) or not all(isinstance(each, str) for each in asked):
        raise ParameterError(
            f"stream: indicators={excerpt(asked)}; must be a text, or a list of them"
        )
    found = {name for text in asked for name in _columns(text, plan)}
    return tuple(name for name in plan.columns if name in found)


def _columns(text: str, plan: Plan) -> Iterable[str]:
    if text in plan.columns:
        return (text,)
    names = make_plan(text, plan.convention).columns
    missing = [name for name in names if name not in plan.columns]
    if missing:
        raise ParameterError(
            f"stream: indicators={excerpt(text)}: the live engine does not compute "
            f"{', '.join(missing)}; of ranges ask /v1/candles, or start the service with it"
        )
    return names


def resumption(asked: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the stream and the number of the last change that a client has; None without."""
    stream, seq = asked.get("stream"), asked.get("seq")
    if stream is None and seq is None:
        return None
    if not isinstance(stream, str) or not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
        raise ParameterError(
            f"stream: stream={excerpt(stream)}, seq={excerpt(seq)}; must be the text and the whole "
            "number that came last; leave both out to begin anew"
        )
    return stream, seq


def detail_of(error: TallowError) -> tuple[str, str]:
    """Return an error's title and text."""
    return type(error).__name__.removesuffix("Error"), str(error)
