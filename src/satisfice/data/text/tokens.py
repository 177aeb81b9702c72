"""What texts are cut into: tokens, as the operators of the ONNX file that ships cut them.

ONNX Runtime itself cuts the texts of the training data, by the attributes that the file has too, so that a
token is the same in both by construction:

- capital letters A to Z become small ones; all other letters stay as they are, whatever the machine's locale
- words: runs of letters, combining marks and digits of any script; each of ``$ ! ? % @ #`` is one as well
- characters: every code point by itself, blanks and line ends included
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

Unit = Literal["words", "characters"]
UNITS: tuple[Unit, ...] = ("words", "characters")

MS = "com.microsoft"  # domain of the runtime's own operators
# The locale "C" is there on every machine; the runtime's default, en_US, is missing in slim images.
LOWER: Mapping[str, Any] = {"case_change_action": "LOWER", "is_case_sensitive": 1, "locale": "C"}
PAD = ""  # behind the tokens of a text that has fewer than the longest one; never a token
JOINT: Mapping[str, str] = {
    "words": " ",
    "characters": "",
}  # between the tokens of an n-gram that is written out
_PATTERNS = {"words": r"[\pL\pM\pN]+|[$!?%@#]", "characters": r"(?s:.)"}  # of RE2
_AT_ONCE = 2_000_000  # characters of all texts of a batch, had they the longest one's length

WHAT_COUNTS = {"words": "a letter, a digit or one of $ ! ? % @ #", "characters": "a character"}


def tokenizer_attributes(unit: str) -> dict[str, Any]:
    """Of the runtime's operator ``Tokenizer``."""
    return {"mark": 0, "mincharnum": 1, "pad_value": PAD, "tokenexp": _PATTERNS[unit]}


def tokens_of(texts: Sequence[str], unit: str) -> Iterator[tuple[int, list[str]]]:
    """The tokens of each text with its place; short texts come first."""
    session = _tokenizer(unit)
    for batch in _batches(texts):
        given = np.array([texts[at] for at in batch], dtype=object)
        rows = session.run(None, {"x": given})[0].tolist()
        for at, row in zip(batch, rows, strict=True):
            yield at, row[: row.index(PAD)] if PAD in row else row


def tokens_of_term(term: str, unit: str) -> list[str]:
    """The tokens of an n-gram that is written out."""
    return term.split(JOINT[unit]) if JOINT[unit] else list(term)


def _batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Texts of like length together: the tokenizer fills all rows up to the longest."""
    batch: list[int] = []
    for at in sorted(range(len(texts)), key=lambda i: len(texts[i])):
        if batch and (len(batch) + 1) * len(texts[at]) > _AT_ONCE:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


@lru_cache
def _tokenizer(unit: str) -> Any:
    """A session from texts ``x`` (n,) to tokens (n, longest)."""
    import onnxruntime  # slow to import
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("StringNormalizer", ["x"], ["small"], **LOWER),
        helper.make_node("Tokenizer", ["small"], ["tokens"], domain=MS, **tokenizer_attributes(unit)),
    ]
    graph = helper.make_graph(
        nodes,
        "tokens",
        [helper.make_tensor_value_info("x", TensorProto.STRING, ["n"])],
        [helper.make_tensor_value_info("tokens", TensorProto.STRING, ["n", "longest"])],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
