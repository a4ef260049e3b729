"""The address at which a key gets a ticket."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from tallow.service.keys.guard import Guard, caller_of
from tallow.service.limits import TICKET_SECONDS


class Ticket(BaseModel):
    """What connects one WebSocket."""

    ticket: str = Field(description="A subprotocol of the WebSocket, after `ticket.`.")
    seconds: int = Field(description="How long it is good, for one connection.")


def make_router(guard: Guard) -> APIRouter:
    """Return the route of tickets."""
    router = APIRouter(tags=["keys"])

    @router.post("/tickets")
    async def give_ticket(request: Request) -> Ticket:
        """Give a ticket, with the role of the key that asks."""
        ticket = guard.tickets.give(caller_of(request.state))
        return Ticket(ticket=ticket, seconds=TICKET_SECONDS)

    return router
