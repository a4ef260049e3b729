"""The route of the stream."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response
from starlette.websockets import WebSocket

from tallow.service.limits import STREAM_CLIENTS_MAX
from tallow.service.logs import log_event
from tallow.service.problems import RETRY_SECONDS, problem
from tallow.service.service import Service
from tallow.service.stream.client import StreamClient, WebSocketLink

SUBPROTOCOL = "tallow.v1"


def make_router(service: Service) -> APIRouter:
    """Return the router of `/v1/stream`."""
    router = APIRouter()

    @router.get("/stream", include_in_schema=False)
    async def not_connected() -> Response:
        text = "GET /v1/stream: asks for no WebSocket; is one; connect to it with ws:// or wss://"
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        return problem(426, "Upgrade", f"{text}, subprotocol {SUBPROTOCOL}", upgrade)

    @router.websocket("/stream")
    async def stream(websocket: WebSocket) -> None:
        refusal = _refusal(service, websocket)
        if refusal is not None:
            await websocket.send_denial_response(refusal)
            return
        await websocket.accept(SUBPROTOCOL)
        client = StreamClient(WebSocketLink(websocket, websocket.scope["state"].get("direct")))
        service.hub.join(client)
        log_event("client", kind="connected", clients=len(service.hub.clients))
        try:
            client.put(service.answering.welcome())
            await client.run(service.answering.answer)
        finally:
            service.hub.leave(client)
            _say_left(service, client)

    return router


def _say_left(service: Service, client: StreamClient) -> None:
    if client.dropped is not None:
        service.measures.count(f"drops/{client.dropped}")
    kind = "left" if client.dropped is None else "dropped"
    log_event("client", kind=kind, reason=client.dropped, clients=len(service.hub.clients))


def _refusal(service: Service, websocket: WebSocket) -> Response | None:
    """Return why a client is not taken; None if it is."""
    if SUBPROTOCOL not in websocket.scope["subprotocols"]:
        text = f"stream: no Sec-WebSocket-Protocol {SUBPROTOCOL}; ask for it"
        return problem(400, "Subprotocol", text)
    if len(service.hub.clients) >= STREAM_CLIENTS_MAX:
        text = f"stream: {STREAM_CLIENTS_MAX:,} clients are connected; try again in a moment"
        return problem(503, "Busy", text, {"Retry-After": str(RETRY_SECONDS)})
    return None
