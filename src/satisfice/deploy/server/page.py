"""The page at ``/docs``: it reads ``/openapi.json`` and sends what is typed; nothing comes from elsewhere."""

from __future__ import annotations

from importlib.resources import files

PAGE = files("satisfice.deploy.server").joinpath("docs.html").read_text(encoding="utf-8")
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
