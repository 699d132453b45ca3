"""The choice of models that every command line of ``qa`` offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

if TYPE_CHECKING:
    from qa.reranker import Reranker
    from qa.span_model import SpanModel

ReaderOption = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="MODEL",
        help="A Hugging Face extractive-QA model, by name or folder.",
        show_default="bundled",
    ),
]
RerankerOption = Annotated[
    str | None,
    typer.Option(
        "--reranker", metavar="MODEL", help="A cross-encoder, by name or folder, to order the passages."
    ),
]


class Models(TypedDict):
    """The models that were named, as `QA.open` takes them."""

    reader: SpanModel | None
    reranker: Reranker | None


def models(reader: str | None, reranker: str | None) -> Models:
    """Find the models that were named.

    Raises:
        ReaderError: one of them is missing or of another kind.
    """
    from qa.hub import load_reader, load_reranker

    return {
        "reader": load_reader(reader) if reader is not None else None,
        "reranker": load_reranker(reranker) if reranker is not None else None,
    }
