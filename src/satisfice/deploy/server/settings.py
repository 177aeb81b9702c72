"""What a server is told: the same value in each of its worker processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How shipped folders are served."""

    directories: tuple[Path, ...]
    host: str = "127.0.0.1"
    token: str | None = None  # what callers send as `Authorization: Bearer`; None: nobody is asked
    threads: int = 1  # of one call
    max_rows: int = 10_000  # of one request
    max_bytes: int = 16 << 20  # of one request's body
    access_log: bool = True
    reload_s: float = 1.0  # between two looks for a new version
    counters: Path | None = None  # folder that the workers share for their metrics
