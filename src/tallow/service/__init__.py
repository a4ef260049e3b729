"""The service: one process that keeps candles durable, and answers over HTTP and WebSocket.

Its parts, in the order of a candle's way: `settings` say what is served; `service` owns the store,
the live engine and the thread that drives the feed; `app` has the routes.
"""
