"""The routes of ``/v1`` that answer over HTTP, one module a subject."""
