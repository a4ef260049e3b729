"""Parameters of an address: each is one that its route has, and is given once if it has one value.

Of a model FastAPI says itself which it does not have; of a route without one it takes any.
"""

from __future__ import annotations

from functools import cache
from typing import get_origin

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from tallow.core.errors import ParameterError


async def require_parameters(connection: HTTPConnection) -> None:
    """Raise `ParameterError` if a parameter is unknown, or comes twice and has one value."""
    given = connection.query_params
    if connection.scope["type"] != "http" or not given:
        return
    route: APIRoute = connection.scope["route"]
    declared = route.dependant.query_params
    models = [model for each in declared if (model := _model_of(each.field_info.annotation))]
    many = {name for model in models for name in _of_many(model)}
    if not models:
        known = [each.alias for each in declared]
        for name in given:
            if name not in known:
                raise ParameterError(
                    f"query.{name[:100]}: is no parameter of {connection.scope['method']} here; "
                    f"known: {', '.join(known) or 'none'}; leave it out"
                )
    for name in given:
        values = given.getlist(name)
        if len(values) > 1 and name not in many:
            shown = ", ".join(repr(value[:100]) for value in values[:2])
            raise ParameterError(
                f"query.{name}: {len(values)} values, {shown}; has one value; leave the others "
                "out, or ask for each by itself"
            )


def _model_of(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


@cache
def _of_many(model: type[BaseModel]) -> frozenset[str]:
    """Return the parameters of a model that may be given again; each request asks."""
    fields = model.model_fields.items()
    return frozenset(name for name, field in fields if get_origin(field.annotation) is tuple)
