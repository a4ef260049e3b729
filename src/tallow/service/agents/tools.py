"""Tools: each takes a question, asks the engine, and answers with plain values."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl
from pydantic import ValidationError

from tallow.core.described import details_of, parameters_schema, summary_of
from tallow.core.errors import (
    ParameterError,
    TallowError,
    UnknownNameError,
    near_matches,
    without_empty_warnings,
)
from tallow.core.registry import registry
from tallow.core.text import counted
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.readers import read_candles
from tallow.engine import AnalyticsEngine
from tallow.migrate.engines.registry import engines
from tallow.runtime.ranges import Range
from tallow.service.agents.folder import file_in, write_new
from tallow.service.agents.questions import (
    CatalogueQuestion,
    CompareQuestion,
    ComputeQuestion,
    CoverageQuestionOfTool,
    ExplainQuestionOfTool,
    LeakQuestion,
    QueryQuestion,
    RowsQuestion,
    ScreenQuestionOfTool,
    ToolQuestion,
)
from tallow.service.http.comparison import compare_stored
from tallow.service.http.explained import explain_stored
from tallow.service.http.questions import ManyQuestion, require_bounded
from tallow.service.http.reference import NAMED
from tallow.service.http.screens import about_screen, screen_of_store
from tallow.service.http.stored import (
    CoverageQuestion,
    InstrumentsQuestion,
    coverage_rows,
    instrument_rows,
    require_stored_name,
)
from tallow.service.limits import LEAK_CANDLES_MAX, LISTED_MAX
from tallow.testing.leaks.check import check_leaks
from tallow.testing.leaks.texts import bars_of, judged_of, screen_of

LAST = "the last rows are shown; ask for a shorter range or fewer columns, or name a file in output"
FIRST = "the first rows are shown; narrow the question, or name a file in output"


class Tools:
    """Answers questions of tools; one thread at a time.

    Parameters
    ----------
    engine
        With a store.
    folder
        Where files are read from and written to; None for nowhere.
    """

    def __init__(self, engine: AnalyticsEngine, calendar: str, folder: Path | None = None) -> None:
        assert engine.store is not None
        self._engine, self._store, self._calendar = engine, engine.store, calendar
        self._folder = folder

    def answer(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Return a tool's answer, as JSON.

        `TallowError` if there is no such tool, an argument is wrong, or it cannot be answered.
        """
        tool = TOOLS.get(name)
        if tool is None:
            raise UnknownNameError(f"tool: {name!r}; there is none; {near_matches(name, TOOLS)}")
        try:
            asked = tool.question.model_validate(arguments)
        except ValidationError as error:
            raise ParameterError(_sentence(name, tool, error)) from None
        with without_empty_warnings(), warnings.catch_warnings():
            # What is to be known of an answer is in it.
            warnings.simplefilter("ignore")
            found = tool.ask(self, asked)
        return orjson.dumps(found, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    # What there is

    def catalogue(self, asked: CatalogueQuestion) -> dict[str, Any]:
        """Return what there is, or all about an indicator."""
        if asked.name is not None:
            if asked.what != "indicators":
                raise ParameterError(
                    "catalogue: name; only indicators have more to tell; leave out name, or what"
                )
            one = registry().find(asked.name)
            return details_of(one) | {"json_schema": parameters_schema(one)}
        if asked.what == "instruments":
            said = {"search": asked.search, "limit": min(asked.limit, LISTED_MAX)}
            page = InstrumentsQuestion.model_validate(said)
            frame, about = instrument_rows(self._store, page)
            return _table(frame) | dict(about)
        if asked.what == "universes":
            return {"universes": _found(self._store.universes.names(), asked)}
        if asked.what == "engines":
            return {"engines": _found(sorted(engines().by_name), asked)}
        known = sorted(registry().by_name.values(), key=lambda each: each.name)
        wanted = (asked.search or "").lower()
        listed = [
            {"name": each.name, "title": each.title, "columns": summary_of(each)["columns"]}
            for each in known
            if wanted in f"{each.name} {each.title}".lower()
        ]
        return {
            "indicators": listed[: asked.limit],
            "total": len(listed),
            "timeframes": NAMED,
            "hint": "name shows parameters, formula and warm-up of one",
        }

    # Bars

    def compute(self, asked: ComputeQuestion) -> dict[str, Any]:
        """Return bars and indicators of candles that are given."""
        if bool(asked.candles) == (asked.file is not None):
            raise ParameterError(
                "compute: candles, file; one of them must be given; for candles of the store "
                "use the tool query"
            )
        given: Any = (
            _frame(asked.candles) if asked.file is None else file_in(self._folder, asked.file)
        )
        said: Any = {} if asked.timezone is None else {"timezone": asked.timezone}
        result = self._engine.process_candles(
            given,
            asked.timeframe,
            asked.indicators,
            source_timeframe=asked.source_timeframe,
            **said,
        )
        facts = result.report.to_dict()
        about = {name: facts[name] for name in ("quarantined", "why_empty", "notes", "failures")}
        if len(result.report.quarantine):
            about["quarantine"] = result.report.quarantine.head(5).to_dicts()
        return self._rows(asked, result.frame, about, LAST)

    def query(self, asked: QueryQuestion) -> dict[str, Any]:
        """Return bars of the store."""
        names = list(dict.fromkeys(asked.instruments))
        wanted = Range.of(asked.start, asked.end, names).checked(self._engine.calendars)
        state = self._store.state()
        wanted.check_found(state.names("1m", asked.adjustment), "the store")
        same = ("timeframe", "indicators", "start", "end", "adjustment")
        bounded = ManyQuestion.model_validate({name: getattr(asked, name) for name in same})
        require_bounded(self._engine, bounded, wanted, state, len(names))
        result = self._engine.query(
            names,
            asked.timeframe,
            asked.start,
            asked.end,
            asked.indicators,
            asked.known_at,
            adjustment=asked.adjustment,
        )
        facts = result.report.to_dict()
        about = {name: facts[name] for name in ("why_empty", "notes", "failures", "assumed")}
        return self._rows(asked, result.frame, about, LAST)

    def explain(self, asked: ExplainQuestionOfTool) -> dict[str, Any]:
        """Return where a value comes from."""
        words = asked.model_dump()
        found = explain_stored(self._engine, words.pop("instrument"), words)
        said: dict[str, Any] = orjson.loads(found)
        return said

    # The market

    def coverage(self, asked: CoverageQuestionOfTool) -> dict[str, Any]:
        """Return counts of candles by session, or what is missing."""
        said = asked.model_dump(include={"start", "end", "missing"})
        question = CoverageQuestion.model_validate(said | {"instrument": asked.instruments})
        frame, about = coverage_rows(self._store, self._engine.calendars, question)
        return self._rows(asked, frame, about, LAST)

    def screen(self, asked: ScreenQuestionOfTool) -> dict[str, Any]:
        """Return which instruments match."""
        words = {
            "columns": asked.columns,
            "sort": asked.sort,
            "ascending": asked.ascending,
            "instruments": list(asked.instruments) or None,
            "universe": require_stored_name(asked.universe),
            "at": asked.at,
            "known_at": asked.known_at,
        }
        found = screen_of_store(self._engine, asked.condition, asked.timeframe, words)
        about = about_screen(found, asked.limit)
        return self._rows(asked.model_copy(update={"columns": ()}), found.frame, about, FIRST)

    # Trust

    def compare(self, asked: CompareQuestion) -> dict[str, Any]:
        """Return how two engines differ."""
        words = asked.model_dump()
        words["instrument"] = words.pop("instruments")
        found: dict[str, Any] = orjson.loads(compare_stored(self._engine, self._calendar, words))
        return found

    def leak_check(self, asked: LeakQuestion) -> dict[str, Any]:
        """Return what looks ahead."""
        size, source = parse_timeframe(asked.timeframe), parse_timeframe("1m")
        screen = screen_of(asked.what, {}, self._engine.convention)
        state = self._store.state()
        names = list(asked.instruments) or sorted(state.names("1m", "raw"))[:2]
        Range.of(None, None, names).check_found(state.names("1m", "raw"), "the store")
        candles = state.read(names, source_timeframe="1m", adjustment="raw")
        if candles.is_empty():
            raise ParameterError(
                "leak check: the store has no candles; they are what is checked; fill it first"
            )
        last = candles.group_by("instrument", maintain_order=True).tail(LEAK_CANDLES_MAX)
        engine = AnalyticsEngine(
            calendar=self._calendar, convention=self._engine.convention, threads=1
        )
        compute = (
            partial(bars_of, engine, size, source, None, asked.what)
            if screen is None
            else partial(judged_of, engine, screen, size, source, None)
        )
        checked = read_candles(last, source_timeframe=source)
        report = check_leaks(compute, checked, moments=asked.moments)
        return {"what": asked.what, "timeframe": size.text, "instruments": names} | report.to_dict()

    def _rows(
        self, asked: RowsQuestion, frame: pl.DataFrame, about: Mapping[str, Any], hint: str
    ) -> dict[str, Any]:
        for name in asked.columns:
            if name not in frame.columns:
                raise ParameterError(
                    f"columns: {name!r}; is none of these rows; {near_matches(name, frame.columns)}"
                )
        if asked.columns:
            frame = frame.select(*dict.fromkeys(asked.columns))
        if asked.output is not None:
            path = write_new(self._folder, asked.output, frame)
            said = {"written": str(path), "rows_total": len(frame), "columns": frame.columns}
            return said | dict(about)
        shown = frame.tail(asked.limit) if hint is LAST else frame.head(asked.limit)
        found = _table(shown) | {"rows_total": len(frame)} | dict(about)
        if len(shown) < len(frame):
            found["hint"] = f"{counted(len(frame) - len(shown), 'row')} more; {hint}"
        return found


class Tool(NamedTuple):
    """A tool: what it takes, how it is told, and the method that answers."""

    question: type[ToolQuestion]
    title: str
    description: str
    ask: Callable[[Tools, Any], dict[str, Any]]


TOOLS: dict[str, Tool] = {
    "catalogue": Tool(
        CatalogueQuestion,
        "What there is",
        "List what can be asked for: indicators (or all about one, by name), instruments of the "
        "store with the time of their first and last candle, universes, and engines to compare. "
        "Begin here.",
        Tools.catalogue,
    ),
    "compute": Tool(
        ComputeQuestion,
        "Bars of given candles",
        "Compute bars and indicators of candles that you give, as rows or as a file in the "
        "server's folder. Rows that break a rule are not used, and are counted as quarantined with "
        "the rule. For candles of the store use query.",
        Tools.compute,
    ),
    "query": Tool(
        QueryQuestion,
        "Bars of the store",
        "Return bars of stored instruments with indicators, of any timeframe and range; known_at "
        "answers with what was known then. Indicators are right from the first row that is shown, "
        "however short the range is. A bar has timestamp, its open in UTC, and is_final.",
        Tools.query,
    ),
    "explain": Tool(
        ExplainQuestionOfTool,
        "Where a value comes from",
        "Explain one value of one bar: its candles with their revisions, the formula, the warm-up, "
        "the session and what states it, why it is null, and the same value by an independent "
        "implementation.",
        Tools.explain,
    ),
    "coverage": Tool(
        CoverageQuestionOfTool,
        "Which candles there are",
        "Count the candles of instruments by session against what the venue's calendar expects; or "
        "list the intervals that are missing.",
        Tools.coverage,
    ),
    "screen": Tool(
        ScreenQuestionOfTool,
        "Who meets a condition",
        "Ask a condition of all instruments, or of a universe, on the last closed bar: who "
        "matches, with numbers beside each; and how many do not, or are unknown, and why.",
        Tools.screen,
    ),
    "compare": Tool(
        CompareQuestion,
        "Two engines side by side",
        "Compare the values of two engines on the store's candles: what differs, by how much, and "
        "by which cause. Takes seconds to minutes; ask for few instruments.",
        Tools.compare,
    ),
    "leak_check": Tool(
        LeakQuestion,
        "What looks ahead",
        "Check whether indicators, or a screen, use candles of the future: all that comes after "
        "some moments is changed, and no value that was known then may move. A verdict for each "
        "column, with the first row that moved.",
        Tools.leak_check,
    ),
}
"""The tools by name."""


def _frame(candles: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    try:
        return pl.DataFrame(list(candles), infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise ParameterError(
            "candles: cannot be read as rows; each must have the same names, and of one name "
            "values of one kind; correct them"
        ) from error


def _table(frame: pl.DataFrame) -> dict[str, Any]:
    return {"columns": frame.columns, "rows": frame.rows()}


def _found(names: list[str], asked: CatalogueQuestion) -> list[str]:
    wanted = (asked.search or "").lower()
    return [each for each in names if wanted in each.lower()][: asked.limit]


def _sentence(name: str, tool: Tool, error: ValidationError) -> str:
    """Say what is wrong with arguments: which, what was given, the rule, and what to do."""
    known, found = tool.question.model_fields, []
    for each in error.errors(include_url=False):
        where = ".".join(map(str, each["loc"])) or name
        if each["type"] == "extra_forbidden":
            found.append(f"{where}: is no argument of {name}; {near_matches(where, known)}")
        elif each["type"] == "missing":
            found.append(f"{where}: is missing; {known[where].description or 'it must be given'}")
        else:
            rule = each["msg"][:1].lower() + each["msg"][1:]
            found.append(f"{where}: {str(each['input'])[:100]!r}; {rule}; correct it")
    return "\n".join(found)


def problem_of(error: TallowError) -> str:
    """Return how a tool's error is told: what and where, which rule, what to do."""
    kind = type(error).__name__.removesuffix("Error")
    return f"{kind}: {error}"
