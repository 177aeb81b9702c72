"""Artefacts are files from strangers: saved, never opened in the dashboard's name."""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")  # pictures that run no script
_REPLACED = (
    "content-disposition",
    "content-type",
    "content-security-policy",
    "access-control-allow-origin",  # the dashboard would let every site read them
    "content-encodings",
)


def as_download(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of an artefact: a file to save, in a sandbox, of no type that a browser would run.

    Args:
        headers: Of the dashboard's answer.
    """
    headers = list(headers)
    told = next((value for name, value in headers if name.lower() == "content-type"), "")
    kind = told.partition(";")[0].strip().lower()
    return [
        *((name, value) for name, value in headers if name.lower() not in _REPLACED),
        (
            "Content-Type",
            kind if kind in _SHOWN or kind == "application/json" else "application/octet-stream",
        ),
        ("Content-Disposition", "attachment"),
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ]
