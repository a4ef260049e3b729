"""Keywords by the names that they had: they go on for a version, with a warning that names today's.

Positions and defaults stay as they are; a function is decorated once, and knows today's names only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from tallow.core.errors import ParameterError, warn_caller

F = TypeVar("F", bound=Callable[..., Any])


def renamed(**names: str) -> Callable[[F], F]:
    """Return a decorator of a function that takes keywords by their former names, too.

    `names` are today's by the former ones. `ParameterError` from the function where a keyword is
    given by both.

    Examples
    --------
    >>> @renamed(length="size")
    ... def box(size):
    ...     return size
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     box(length=3)
    3
    >>> str(caught[0].message)
    'box: length= is called size= now; the next version takes size= only'
    """

    def decorate(function: F) -> F:
        what = function.__qualname__.removesuffix(".__init__")

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not names.keys().isdisjoint(kwargs):
                kwargs = _by_todays_names(what, names, kwargs)
            return function(*args, **kwargs)

        return cast("F", call)

    return decorate


def _by_todays_names(what: str, names: dict[str, str], given: dict[str, Any]) -> dict[str, Any]:
    for former, name in names.items():
        if former not in given:
            continue
        if name in given:
            raise ParameterError(
                f"{what}: {former}=, {name}=; are two names of one thing; leave out {former}="
            )
        warn_caller(f"{what}: {former}= is called {name}= now; the next version takes {name}= only")
        given = {name if each == former else each: value for each, value in given.items()}
    return given
