"""Text of others as it may be shown: nothing in it steers a terminal or shows a password."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote, unquote_plus

HIDDEN = "***"
"""Stands for what is not shown."""

_SECRET_CHARACTERS = 3
"""A shorter one would be found in every other word."""

_RARE = re.compile(r"[^\n\t\x20-\x7e]+")
_RARE_IN_JSON = re.compile(r"[^\n\x20-\x7e]+")
_PLACE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}:/{0,2}")
_SERVER = re.compile(r"[^/?#]*")
_PORT = re.compile(r"[^:@]*(?::\d{1,5})?|\[[0-9A-Fa-f:.]*\](?::\d{1,5})?")
# One slash is left of two where an address was taken for a path.
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{1,31}:/{1,2}[^\s\"'<>]+")
_HARMLESS = {
    *("stream", "group", "consumer", "timezone", "db", "protocol"),
    *("host", "hostaddr", "port", "dbname", "user", "sslmode", "application_name"),
    *("connect_timeout", "target_session_attrs", "region", "endpoint", "symbol", "interval"),
}
"""What a URL's query may say openly."""


def printable(text: str) -> str:
    r"""Return text without what steers a terminal: each such character as Python writes it.

    Those are control characters, signs that change the direction of text, and non-characters.
    Line ends and tabs stay.

    Examples
    --------
    >>> printable("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    return _RARE.sub(lambda found: "".join(map(_escaped, found[0])), text)


def printable_json(text: str) -> str:
    r"""Return JSON that means the same, and has no character that steers a terminal.

    Examples
    --------
    >>> printable_json('{"name": "\x9b31m"}')
    '{"name": "\\u009b31m"}'
    """
    return _RARE_IN_JSON.sub(lambda found: "".join(map(_escaped_json, found[0])), text)


def _escaped(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def _escaped_json(character: str) -> str:
    # Not at the top, and html below: each page of help would wait for them.
    import json

    return character if character.isprintable() else json.dumps(character)[1:-1]


def without_secrets(url: str) -> str:
    """Return a URL, or any other name of a place, as it may be shown.

    Passwords go, whatever is in them; of a query, only what is known to be harmless stays. The
    user's name stays for databases; elsewhere it may be a token.

    Examples
    --------
    >>> without_secrets("postgresql://me:s3@cret@server/db?password=secret&port=5433")
    'postgresql://me@server/db?port=5433'
    >>> without_secrets("wss://me:secret@server/candles?token=secret")
    'wss://server/candles'
    """
    found = _PLACE.match(url)
    if found is None:
        return url
    scheme, rest = found[0], url[found.end() :]
    if "://" not in scheme and ":" not in rest.partition("@")[0]:
        return url
    secret, rest = _split_user(rest)
    user = secret.partition(":")[0] if scheme.lower().startswith("postgres") else ""
    return f"{scheme}{user}@{_harmless(rest)}" if user else scheme + _harmless(rest)


def _harmless(rest: str) -> str:
    """Return an address with what its query may say openly."""
    path, _, query = rest.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0] in _HARMLESS]
    return f"{path}?{'&'.join(kept)}" if kept else path


def _split_user(rest: str) -> tuple[str, str]:
    """Return what stands before the host, without its ``@``; and the host with what follows.

    A password may hold any sign that nobody escaped, ``/`` and ``?`` too: then the last ``@`` is
    taken, rather than to show the end of a password.
    """
    server = _SERVER.match(rest)[0]  # type: ignore[index]
    before_query = rest.partition("?")[0]
    if _PORT.fullmatch(server):
        at = before_query.rfind("@") if ":" in server else -1
    elif "@" in rest:
        at = rest.rfind("@") if "@" not in before_query else before_query.rfind("@")
    else:
        # What follows the colon is not a port; the rest of a password may be in another part.
        return "", server.partition(":")[0] + rest[len(server) :]
    return (rest[:at], rest[at + 1 :]) if at >= 0 else ("", rest)


def without_user(url: str) -> tuple[str, str | None, str]:
    """Return a URL without the user and password in it, and these as they are meant.

    The user is None where there is none.

    Examples
    --------
    >>> without_user("http://me:s%40cret@host/answer")
    ('http://host/answer', 'me', 's@cret')
    """
    found = _PLACE.match(url)
    before, after = ("", "") if found is None else _split_user(url[found.end() :])
    if found is None or not before:
        return url, None, ""
    user, _, password = before.partition(":")
    return found[0] + after, unquote(user), unquote(password)


def has_unescaped_user(url: str) -> bool:
    """Say whether a user or password has signs that end it for a reader of the URL.

    What follows such a sign is taken for a host or a path, and shown.
    """
    found = _PLACE.match(url)
    before = "" if found is None else _split_user(url[found.end() :])[0]
    return any(sign in before for sign in "@/?#")


def require_escaped_user(what: str, url: str, kind: type[Exception]) -> None:
    """Raise an error of a kind where a user or password has signs that must be escaped."""
    if has_unescaped_user(url):
        raise kind(
            f"{what}: {without_secrets(url)}: user or password has a sign that must be escaped; "
            "write %40 for @, %2F for /, %3F for ? and %23 for #"
        )


def counted(count: int, noun: str) -> str:
    """Return how many there are of what a noun names.

    Examples
    --------
    >>> counted(1, "row"), counted(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def first_of(texts: Sequence[str], noun: str = "file") -> str:
    """Return the first of some texts, and how many more there are.

    Examples
    --------
    >>> first_of(["a.csv", "b.csv"])
    'a.csv (and 1 more file)'
    """
    return f"{texts[0]} (and {counted(len(texts) - 1, f'more {noun}')})" if texts[1:] else texts[0]


def hide_secrets(text: str, *urls: str) -> str:
    """Return text, such as a driver's message, with the secrets of URLs hidden.

    Those in `urls` are looked for one by one, as they are written and as they are meant; beside
    them, whatever else in the text reads like a URL.

    Examples
    --------
    >>> hide_secrets('bad "p%zz" in redis://:p%zz@host', "redis://:p%zz@host")
    'bad "***" in redis://host'
    """
    # An address of which nothing is secret is left alone: it may be an example, ws://HOST:PORT.
    shown = _URL.sub(lambda found: _cleaned(found[0]), text) if ":/" in text else text
    for secret in sorted({one for url in urls for one in _secrets(url)}, key=len, reverse=True):
        shown = shown.replace(secret, HIDDEN)
    return shown


def _cleaned(url: str) -> str:
    return without_secrets(url) if "@" in url else _harmless(url)


def _secrets(url: str) -> set[str]:
    """Return a URL's secrets as they are written, and as they are meant."""
    found = _PLACE.match(url)
    if found is None:
        return set()
    before, after = _split_user(url[found.end() :])
    user, colon, password = before.partition(":")
    parts = [part.partition("=") for part in after.partition("?")[2].split("&")]
    secrets = [password if colon else user]
    secrets += [value for name, _, value in parts if name not in _HARMLESS]
    written = {each for each in secrets if len(each) >= _SECRET_CHARACTERS}
    return written | {unquote(each) for each in written} | {unquote_plus(each) for each in written}


def to_html(title: str, notes: Iterable[str], tables: Iterable[Any]) -> str:
    """Return what a notebook shows of a result: a line, sentences on it, and tables.

    Texts are escaped; a table is a frame, which writes itself.

    Examples
    --------
    >>> to_html("2 bars", ["A<B: failed"], [])
    '<p><b>2 bars</b><br>A&lt;B: failed</p>'
    """
    from html import escape

    lines = [f"<b>{escape(printable(title))}</b>", *(escape(printable(note)) for note in notes)]
    return f"<p>{'<br>'.join(lines)}</p>" + "".join(table._repr_html_() for table in tables)


def in_a_name(value: int | float | str) -> str:
    """Write a value as a column name does: ``2.5`` becomes ``2p5``, ``2.0`` becomes ``2``."""
    if isinstance(value, str):
        return re.sub(r"\W+", "_", value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace(".", "p").replace("-", "m")
