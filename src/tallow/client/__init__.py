"""Talks to a service: questions over HTTP, and its stream over a WebSocket."""
