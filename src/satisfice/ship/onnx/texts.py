"""Columns of text as operators: the same features as `satisfice.data.text.features` makes.

A column is an input of texts, shape (n, 1), empty where nothing is. The runtime's own operators cut it into
tokens (``com.microsoft.Tokenizer``) and hash them (``com.microsoft.MurmurHash3``); both are in every build of
ONNX Runtime for the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from satisfice.data.text.features import LEAST_LENGTH, LENGTH, TextFeatures
from satisfice.data.text.tokens import JOINT, LOWER, PAD, tokenizer_attributes, tokens_of_term
from satisfice.ship.onnx.graph import MS, Graph


def add_texts(graph: Graph, texts: TextFeatures, sources: Mapping[str, str]) -> str:
    """The features of all columns of text, float32 (n, k).

    Args:
        graph: Where they are added.
        texts: With at least one feature.
        sources: The input of each column, text (n, 1).
    """
    parts = []
    for seed, column in enumerate(texts.columns):
        if texts.buckets:
            tokens = _tokens(graph, sources[column], texts.unit)
            parts.append(_hashed(graph, tokens, texts, seed))
        elif texts.terms[seed]:
            tokens = _tokens(graph, sources[column], texts.unit)
            parts.append(_counted(graph, tokens, texts.terms[seed], texts.unit))
    counts = parts[0]
    if texts.buckets:
        for part in parts[1:]:
            counts = graph.op("Add", counts, part)
    elif len(parts) > 1:
        counts = graph.op("Concat", *parts, axis=1)
    return _weighted(graph, counts, texts)


def _tokens(graph: Graph, source: str, unit: str) -> str:
    """The tokens, (n, longest), filled up behind."""
    flat = graph.op("Reshape", source, graph.constant(np.array([-1], np.int64)))
    small = graph.op("StringNormalizer", flat, **LOWER)
    return graph.op("Tokenizer", small, domain=MS, **tokenizer_attributes(unit))


def _counted(graph: Graph, tokens: str, terms: Sequence[str], unit: str) -> str:
    """Counts of the terms, float32 (n, len(terms)); shorter terms stand before longer ones."""
    cut = [tokens_of_term(term, unit) for term in terms]
    longest = max(map(len, cut))
    starts = [sum(len(each) for each in cut if len(each) < n) for n in range(1, longest + 1)]
    return graph.op(
        "TfIdfVectorizer",
        tokens,
        mode="TF",
        min_gram_length=1,
        max_gram_length=longest,
        max_skip_count=0,
        ngram_counts=np.array(starts, np.int64),
        ngram_indexes=np.arange(len(terms)),
        pool_strings=[token for each in cut for token in each],
    )


def _hashed(graph: Graph, tokens: str, texts: TextFeatures, seed: int) -> str:
    """Counts by bucket of all n-grams, float32 (n, buckets)."""
    whole = [_hashed_of(graph, tokens, texts, seed, n) for n in range(1, texts.ngrams + 1)]
    counts = whole[0]
    for part in whole[1:]:
        counts = graph.op("Add", counts, part)
    return counts


def _hashed_of(graph: Graph, tokens: str, texts: TextFeatures, seed: int, n: int) -> str:
    from onnx import TensorProto

    grams, last = _grams(graph, tokens, JOINT[texts.unit], n)
    place = graph.op("MurmurHash3", grams, domain=MS, positive=1, seed=seed)
    place = graph.op("Mod", place, graph.constant(np.uint32(texts.buckets)))
    place = graph.op("Cast", place, to=TensorProto.INT64)
    nothing = graph.op("Equal", last, graph.text(PAD))
    once = graph.op("Where", nothing, graph.constant(np.float32(0)), graph.constant(np.float32(1)))
    rows = graph.op("Shape", tokens, start=0, end=1)
    shape = graph.op("Concat", rows, graph.constant(np.array([texts.buckets], np.int64)), axis=0)
    empty = graph.op("Expand", graph.constant(np.float32(0)), shape)
    return graph.op("ScatterElements", empty, place, once, axis=1, reduction="add")


def _grams(graph: Graph, tokens: str, joint: str, n: int) -> tuple[str, str]:
    """All runs of n tokens, and the last token of each, by which a run that is filled up is told."""
    if n == 1:
        return tokens, tokens
    axis = graph.constant(np.array([1], np.int64))
    last = ""
    grams = ""
    for at in range(n):
        begin = graph.constant(np.array([at], np.int64))
        end = graph.constant(np.array([at + 1 - n if at + 1 < n else np.iinfo(np.int64).max], np.int64))
        last = graph.op("Slice", tokens, begin, end, axis)
        if grams and joint:
            grams = graph.op("StringConcat", grams, graph.text(joint))
        grams = graph.op("StringConcat", grams, last) if grams else last
    return grams, last


def _weighted(graph: Graph, counts: str, texts: TextFeatures) -> str:
    from onnx import TensorProto

    v = graph.op("Log", graph.op("Add", counts, graph.constant(np.float32(1))))
    if texts.idf is not None:
        v = graph.op("Mul", v, graph.op("Cast", graph.constant(texts.idf), to=TensorProto.FLOAT))
    norm = graph.op("ReduceL2", v, graph.constant(np.array([1], np.int64)), keepdims=1)
    norm = graph.op("Mul", norm, graph.constant(np.float32(1 / LENGTH)))
    return graph.op("Div", v, graph.op("Max", norm, graph.constant(np.float32(LEAST_LENGTH))))
