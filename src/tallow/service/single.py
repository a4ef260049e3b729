"""A parameter that has one value is given once: which of several is meant, nobody can know."""

from __future__ import annotations

from typing import get_origin

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from tallow.core.errors import ParameterError


async def require_single(connection: HTTPConnection) -> None:
    """Raise `ParameterError` if a parameter of a route comes twice that has one value."""
    given = connection.query_params
    if connection.scope["type"] != "http" or len(given.multi_items()) == len(given):
        return
    many = _of_many(connection.scope["route"])
    for name in given:
        values = given.getlist(name)
        if len(values) > 1 and name not in many:
            shown = ", ".join(repr(value[:100]) for value in values[:2])
            raise ParameterError(
                f"query.{name}: {len(values)} values, {shown}; has one value; leave the others "
                "out, or ask for each by itself"
            )


def _of_many(route: APIRoute) -> frozenset[str]:
    """Return the parameters of a route that may be given again."""
    models = (each.field_info.annotation for each in route.dependant.query_params)
    return frozenset(
        name
        for model in models
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is tuple
    )
