"""Feeds: where live candles and ticks come from. One protocol: replay, WebSocket, Redis Streams."""
