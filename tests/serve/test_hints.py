"""Goal: whatever a message tells a reader to type exists where the reader is: commands, options of
the verb that shows it, parameters of the function that raised it.

Method: all texts of the package are read from its source; so are help pages and documents. Commands
go through the parser that takes a user's, options are looked up in verbs, and parameters in the
signatures of functions. Which verbs and functions may show a text is a table by module, which must
name every module whose texts ask for something. Texts made for it try that what is wrong is found.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import tallow
from tallow.client import Client
from tallow.core.registry import registry
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.feeds.streams import RedisFeed
from tallow.data.feeds.websocket import WebSocketFeed
from tallow.data.ingest.documents import ingest
from tallow.data.providers.document import read_document
from tallow.migrate.engines.registry import load_engine
from tallow.migrate.protocol import Request
from tallow.serve.wording import in_options, words_of
from tests.serve import hints
from tests.serve.hints import Text

ROOT = Path(__file__).resolve().parent.parent.parent
TEXTS = list(hints.texts())

# By module: the verbs that may show its texts, and the functions that may raise them.
Shown = tuple[tuple[str, ...], tuple[Callable[..., Any], ...]]

FILES = ("run", "ingest", "live", "compare")
READERS = (tallow.read_candles, tallow.AnalyticsEngine.process_files, ReplayFeed)
ANY_FILES: Shown = (FILES, (*READERS, read_document, ingest))
CALENDARS: Shown = (
    ("run", "query", "live", "compare", "coverage"),
    (tallow.load_calendar, tallow.AnalyticsEngine, tallow.LiveEngine, Request),
)
FEEDS: Shown = (("live", "quarantine"), (WebSocketFeed, RedisFeed))

ENGINE = tallow.AnalyticsEngine
ASKED = (ENGINE.screen, ENGINE.sequences, ENGINE.explain)

SHOWN: dict[str, Shown] = {
    "client/client": ((), (Client,)),
    "client/streams": ((), (Client.stream,)),
    "core/calendars/calendar": CALENDARS,
    "data/reading/batches": ANY_FILES,
    "data/feeds/quarantined": FEEDS,
    "data/feeds/moments": FEEDS,
    "data/reading/file_names": (FILES, (*READERS, ingest)),
    "data/providers": ANY_FILES,
    "data/coverage/provisional": CALENDARS,
    "data/reading/rules": (("run", "query", "live", "compare", "quarantine"), CALENDARS[1]),
    "data/reading/schema": ANY_FILES,
    "data/reading/session_rows": (("ingest",), (read_document, ingest, tallow.Store.write)),
    "data/reading/stamps": (("run",), READERS[:2]),
    "data/store/sizing": (("ingest",), (ingest, tallow.Store.write)),
    "data/store/reader": (("query",), (tallow.AnalyticsEngine.query,)),
    "data/store/store": (("prune",), (tallow.Store.prune,)),
    "data/reading/time_texts": ANY_FILES,
    "data/reading/times": (FILES, (*ANY_FILES[1], load_engine)),
    "migrate/compare/asking": (("compare",), (Request,)),
    "migrate/engines": (("compare",), (load_engine,)),
    "runtime/adjusted": (("query",), (tallow.AnalyticsEngine.query,)),
    "runtime/row_checks": CALENDARS,
    "runtime/why_empty": (("run", "query"), (tallow.AnalyticsEngine,)),
    "runtime/live/live_quarantine": (("live", "quarantine"), (tallow.LiveEngine,)),
    # The verb says itself that there are no candles.
    "runtime/asked_candles": ((), ASKED),
    "runtime/screens/asking": ((), ASKED[:2]),
    "explain/asking": (("explain",), (ENGINE,)),
    "runtime/screens/questions": (
        (),
        (tallow.AnalyticsEngine.screen, tallow.AnalyticsEngine.sweep),
    ),
}

ELSEWHERE: dict[tuple[str, str], Shown] = {
    # A replay says this in words of its own.
    ("data/reading/batches", "source_timeframe"): (
        ("run", "ingest"),
        (*READERS[:2], read_document),
    ),
    ("runtime/screens/asking", "sort"): ((), (tallow.AnalyticsEngine.screen,)),
    ("data/reading/stamps", "calendar"): (("run",), (tallow.AnalyticsEngine,)),
    ("data/reading/stamps", "stamped"): (("run", "live"), READERS),
    ("runtime/why_empty", "known_at"): (("query",), (tallow.AnalyticsEngine.query,)),
}
"""Where a parameter of a module's texts is asked for otherwise than its others."""

NO_PARAMETERS = {
    ("core/operator", "memory"),
    ("data/store/server", "password"),
    ("data/feeds/replay", "source_timeframe"),
}
"""What asks for nothing: what a declaration says, a part of a database's address, and what takes
one word for another."""

OF_OTHERS = {"Series.rank"}
"""Functions of other libraries."""

VERBS_OF: dict[str, tuple[str, ...]] = {
    "serve/compare": ("compare",),
    "serve/compare_report": ("compare",),
    "serve/coverage": ("coverage",),
    "serve/demo": ("demo",),
    "serve/ingest": ("ingest",),
    "serve/leak_check": ("leak-check",),
    "serve/live": ("live",),
    "serve/live_report": ("query", "stats", "coverage", "quarantine"),
    "serve/plot": ("plot",),
    "serve/quarantine": ("quarantine",),
    "serve/query": ("query",),
    "serve/watch": ("watch",),
    "service/keys/binding": ("serve",),
    "serve/rollout": ("rollout start",),
    "serve/run": ("run",),
    "serve/explain": ("explain",),
    "serve/explain_report": ("explain",),
    "serve/file_or_store": ("screen", "sequences", "plot", "explain"),
    "serve/screen": ("screen",),
    "serve/screen_report": ("screen",),
    "serve/sequences": ("sequences",),
    "serve/sequence_report": ("sequences",),
    "serve/store": ("prune",),
}
"""By module of the command line: the verbs that show what it says of options."""

HELP_PAGES = re.compile(r"serve/(cli|cli_\w+|options|verbs|wording)")
"""Modules whose texts are help pages, which are read as they are shown, or words for all others."""


def wrong_commands(text: str) -> list[str]:
    found = [hints.what_is_wrong(words) for words in hints.commands(text) if words]
    return [why for why in found if why]


def wrong_options(text: str, verbs: tuple[str, ...]) -> set[str]:
    """Return the options that a text names, and one of these verbs does not have."""
    others = {
        opt for opt, verb in hints.options_of_others(text) if opt not in hints.options_of(verb)
    }
    return others | {
        option
        for option in hints.bare_options(text)
        if not all(option in hints.options_of(verb) for verb in verbs)
    }


def wrong_words(text: str, shown: Callable[[str], Shown]) -> Iterator[str]:
    """Yield the parameters that a text asks for, where a verb or a function does not have them."""
    for word in hints.asked_words(text):
        verbs, functions = shown(word)
        for verb in verbs:
            told = in_options(f"see {word}= here", verb)
            if "--" not in told or wrong_options(told, (verb,)):
                yield f"{verb}: {told}"
        for function in functions:
            if word not in hints.parameters_of(function):
                yield f"{function.__qualname__}: {word}"


def wrong_calls(text: str) -> Iterator[str]:
    """Yield the parameters that calls in a text give, and their functions do not have."""
    for name, words in hints.calls(text):
        if not words or name in registry().by_name or name in OF_OTHERS:
            continue
        found: Any = tallow
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is None:
            yield f"{name}: unknown"
        elif not words <= hints.parameters_of(found):
            yield f"{name}: {words}"


def shown_by(text: Text, word: str) -> Shown:
    if (text.module, word) in ELSEWHERE:
        return ELSEWHERE[text.module, word]
    parents = [text.module, *map(str, Path(text.module).parents)]
    found = next((SHOWN[name] for name in parents if name in SHOWN), None)
    assert found is not None, f"{text}: asks for {word}; say in SHOWN who may show it"
    return found


def told(found: dict[Text, Any]) -> str:
    return "\n".join(f"{text.module}:{text.line}: {why}" for text, why in found.items())


def test_all_texts_are_seen() -> None:
    assert len(TEXTS) > 5_000
    asking = {text.module for text in TEXTS if hints.asked_words(text.text)}
    assert asking >= {name for name in SHOWN if name not in {"data/providers", "migrate/engines"}}
    assert sum(len(list(hints.commands(text.text))) for text in TEXTS) > 100


def test_commands_in_texts_are_those_that_there_are() -> None:
    found = {text: wrong for text in TEXTS if (wrong := wrong_commands(text.text))}
    assert not found, told(found)


def test_options_in_texts_are_those_of_the_verbs_that_show_them() -> None:
    found = {}
    for text in TEXTS:
        if HELP_PAGES.fullmatch(text.module) or not hints.bare_options(text.text):
            continue
        verbs = VERBS_OF.get(text.module)
        assert verbs, f"{text}: names an option; say in VERBS_OF which verbs show it"
        if wrong := wrong_options(text.text, verbs):
            found[text] = wrong
    assert not found, told(found)


def test_parameters_in_texts_exist_wherever_these_are_shown() -> None:
    found = {}
    for text in TEXTS:
        words = {(text.module, word) for word in hints.asked_words(text.text)} - NO_PARAMETERS
        if not words or text.module.startswith("serve/"):
            continue
        if wrong := list(wrong_words(text.text, partial(shown_by, text))):
            found[text] = wrong
    assert not found, told(found)


def test_calls_in_texts_give_parameters_that_their_functions_have() -> None:
    found = {text: wrong for text in TEXTS if (wrong := list(wrong_calls(text.text)))}
    assert not found, told(found)


def test_extras_in_texts_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = set(project["optional-dependencies"])
    named = {name for text in TEXTS for name in re.findall(r"tallow\[(\w+)\]", text.text)}
    assert {"live", "store", "compare", "flags"} <= named <= known


@pytest.mark.parametrize("verb", hints.verbs())
def test_words_of_a_verb_are_options_that_there_are(verb: str) -> None:
    words, _ = words_of(verb)
    assert in_options("rows=1; see nothing", verb) == "rows=1; see nothing"
    for told in words.values():
        assert not wrong_options(told, (verb,))
        assert not wrong_commands(told)


@pytest.mark.parametrize("verb", hints.verbs())
def test_help_pages_name_what_there_is(verb: str) -> None:
    command = hints.verbs()[verb]
    page = command.get_help(command.make_context(verb, [], resilient_parsing=True))
    assert not wrong_options(page, (verb,))
    assert not wrong_commands(page)


def test_examples_of_help_pages_and_documents_can_be_given_as_they_are() -> None:
    pages = [text.text for text in TEXTS if "Examples:" in text.text]
    examples = [page.partition("Examples:")[2].partition("\n\n")[0] for page in pages]
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for path in documents:
        examples += re.findall(
            r"^```\w*\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
    given = [words for each in examples for words in hints.commands(each) if words]
    assert len(given) > 40
    wrong = {" ".join(words): hints.what_is_wrong(words, whole=True) for words in given}
    assert not {command: why for command, why in wrong.items() if why}


def test_documents_name_options_that_there_are() -> None:
    known = set().union(*map(hints.options_of, hints.verbs()))
    for name in ("README.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text("utf-8")
        assert not wrong_commands("\n".join(re.findall(r"`(tallow [^`]+)`", text))), name
        named = {
            opt for part in re.findall(r"`([^`\n]+)`", text) for opt in hints.bare_options(part)
        }
        assert named <= known | {"--version"}, name


# That these tests can fail


@pytest.mark.parametrize(
    "text",
    [
        "restore it: tallow store restor",
        "create one with tallow ingst INPUT... --store x",
        "tallow ingest INPUT... --stor…e x --strore y",
        "  tallow query A --store x --timezone UTC",
        "`tallow rollout begin` makes a file",
    ],
)
def test_a_command_that_is_not_there_is_found(text: str) -> None:
    assert wrong_commands(text)


def test_a_command_in_a_sentence_ends_where_the_sentence_goes_on() -> None:
    text = "undo it (tallow store prune --before x), or see --strict; tallow store restore"
    assert next(hints.commands(text)) == ["store", "prune", "--before", "x"]
    assert not wrong_commands(text)
    assert hints.bare_options(text) == {"--strict"}
    assert hints.what_is_wrong(["query", "A"], whole=True)
    assert not hints.what_is_wrong(["query", "A", "--store", "x"], whole=True)


@pytest.mark.parametrize(
    ("verb", "text", "wrong"),
    [
        ("coverage", "say --strict", {"--strict"}),
        ("run", "say --strict", set()),
        ("quarantine", "see --keep of tallow live", set()),
        ("quarantine", "see --keep of tallow query", {"--keep"}),
        ("query", "see --timezone, or --start", {"--timezone"}),
    ],
)
def test_an_option_of_another_verb_is_found(verb: str, text: str, wrong: set[str]) -> None:
    assert wrong_options(text, (verb,)) == wrong


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("has no zone; pass timezone='UTC', say", 2),
        ("see timezone=", 2),
        ("look at start=, end= and the candles", 1),
        ("timezone='IST'; is an abbreviation", 0),
    ],
)
def test_a_parameter_that_is_not_there_is_found(text: str, found: int) -> None:
    shown: Shown = (("query",), (tallow.load_calendar,))
    assert len(list(wrong_words(text, lambda _: shown))) >= found


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("pass read_candles(candles, timezone=...)", False),
        ("pass read_candles(candles, time_zone=...)", True),
        ("with read_candle(candles, timezone=...)", True),
        ("Store.read(..., partial=True)", False),
        ("such as rsi(length=14)", False),
    ],
)
def test_a_call_that_cannot_be_made_is_found(text: str, wrong: bool) -> None:
    assert bool(list(wrong_calls(text))) is wrong
