"""Settings from options, environment and file; who said which; and what is wrong with one."""

from __future__ import annotations

import json
import os
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from tallow.core.errors import ParameterError, TallowWarning, excerpt, near_matches
from tallow.core.text import HIDDEN, hide_secrets
from tallow.service.settings import PREFIX, ServiceSettings

OTHERS = {
    "TALLOW_CACHE_DIR",
    "TALLOW_CONFIG",
    "TALLOW_REFERENCE_DATA",
    "TALLOW_TEST_PICTURES",
    "TALLOW_SHADOW_WORKER",
    "TALLOW_WEBHOOK",
}
"""Names in the environment that are no setting's."""

_RULES = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "too_short": "must name {min_length} at least",
    "too_long": "must name {max_length} at most",
    "value_error": "{error}",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "must be a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false"),
    **dict.fromkeys(("string_type", "path_type"), "must be text"),
    "list_type": "must be a list",
}
"""What a value must be, by the kind of pydantic's error."""


@dataclass(frozen=True)
class SaidSetting:
    """A setting as it counts.

    Attributes
    ----------
    value
        As JSON has it, with no secret in it.
    origin
        Where it was said: ``option``, ``environment``, ``file``, or ``default``.
    description
        What it is.
    """

    name: str
    value: Any
    origin: str
    description: str


def read_settings(file: Path | None = None, **options: Any) -> ServiceSettings:
    """Return the settings; those of `options` that are None are not said.

    Raises
    ------
    ParameterError
        If the file cannot be read, or a setting is unknown or wrong; the message names it, its
        value, the rule, and where it was said.
    """
    return _settings(_by_origin(file, options), file)


def try_settings(
    file: Path | None = None, **options: Any
) -> tuple[ServiceSettings, frozenset[str], list[str]]:
    """Return the settings with defaults for wrong ones, whose they are, and what is wrong."""
    wrong: list[str] = []
    try:
        by_origin = _by_origin(file, options)
    except ParameterError as error:
        wrong.append(str(error))
        by_origin = _by_origin(None, options)
    said = _merged(by_origin)
    names: set[str] = set()
    while True:
        try:
            return ServiceSettings(**said), frozenset(names), wrong
        except ValidationError as error:
            found = error.errors()
        wrong += _sentences(found, by_origin, file)
        names |= {str(each["loc"][0]) for each in found}
        said = {name: value for name, value in said.items() if name not in names}


def said_settings(file: Path | None = None, **options: Any) -> list[SaidSetting]:
    """Return each setting with its value, and where that was said; raises as `read_settings`."""
    by_origin = _by_origin(file, options)
    values = _settings(by_origin, file).model_dump(mode="json")
    return [
        SaidSetting(
            name,
            _without_secrets(field, values[name]),
            _origin(by_origin, name),
            field.description or "",
        )
        for name, field in ServiceSettings.model_fields.items()
    ]


def _by_origin(file: Path | None, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is said, by the origin, the first that counts first."""
    _warn_of_unknown_names()
    return {
        "option": {name: value for name, value in options.items() if value is not None},
        "environment": _Environment(ServiceSettings)(),
        "file": {} if file is None else _read_file(file),
    }


def _settings(by_origin: Mapping[str, Mapping[str, Any]], file: Path | None) -> ServiceSettings:
    try:
        return ServiceSettings(**_merged(by_origin))
    except ValidationError as error:
        found = error.errors()
    raise ParameterError("\n".join(_sentences(found, by_origin, file)))


def _merged(by_origin: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for values in reversed(list(by_origin.values())):
        said |= values
    return said


def _sentences(
    found: Sequence[Any], by_origin: Mapping[str, Mapping[str, Any]], file: Path | None
) -> list[str]:
    return [_sentence(each, _origin(by_origin, str(each["loc"][0])), file) for each in found]


def _origin(by_origin: Mapping[str, Mapping[str, Any]], name: str) -> str:
    return next((origin for origin, values in by_origin.items() if name in values), "default")


class _Environment(EnvSettingsSource):
    """The environment; a list is JSON, or has commas."""

    def decode_complex_value(self, _name: str, _field: FieldInfo, value: Any) -> Any:
        """Return a list."""
        try:
            return json.loads(value)
        except ValueError:
            return [each.strip() for each in value.split(",")]


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ParameterError(f"config={file}; cannot be read; {error.strerror}") from error
    except ValueError as error:
        raise ParameterError(f"config={file}; must be a TOML file; {error}") from error


def _warn_of_unknown_names() -> None:
    """Warn of names in the environment that look like a setting's."""
    known = {PREFIX + name.upper() for name in ServiceSettings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known | OTHERS:
            hint = near_matches(name, known)
            text = f"{name}: is no setting{f'; {hint}' if hint.startswith('did') else ''}"
            warnings.warn(text, TallowWarning, stacklevel=2)


# Words


def _sentence(error: Mapping[str, Any], origin: str, file: Path | None) -> str:
    name, value = str(error["loc"][0]), error["input"]
    field = ServiceSettings.model_fields.get(name)
    if field is None:
        hint = near_matches(name, ServiceSettings.model_fields)
        return f"{file if origin == 'file' else origin}: {name}; is no setting; {hint}"
    shown = HIDDEN if _is_secret(field) else excerpt(value).strip("'")
    said = {
        "option": f"{name}={shown}",
        "environment": f"{PREFIX}{name.upper()}={shown}",
        "file": f"{file}: {name} = {shown}",
    }
    rule = _RULES.get(error["type"], error["msg"]).format(**error.get("ctx", {}))
    return f"{said[origin]}; {rule}"


def _without_secrets(field: FieldInfo, value: Any) -> Any:
    if _is_secret(field):
        return value and HIDDEN
    return hide_secrets(value) if isinstance(value, str) else value


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)
