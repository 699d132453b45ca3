"""The layout of a page: a few bytes a character, and rectangles a line at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.layout import PlacedLine, Rectangle, pack, rectangles
from index.model import Page

WIDTH, HEIGHT = 600.0, 800.0


def grid(*lines: tuple[int, int, float]) -> bytes:
    """Lines of characters 6 points wide, each (start, length, top), from x = 100 on."""
    placed = [PlacedLine(start, length, top, top + 10) for start, length, top in lines]
    edges = [(100 + 6 * place, 106 + 6 * place) for _, length, _ in lines for place in range(length)]
    return pack(WIDTH, HEIGHT, placed, edges)


def page(layout: bytes, start: int = 0, end: int = 1000) -> Page:
    return Page(3, start, end, layout=layout)


def box(left: float, top: float, right: float, bottom: float) -> Rectangle:
    return Rectangle(3, left, top, right, bottom, WIDTH, HEIGHT)


def test_a_span_within_a_line_is_one_rectangle() -> None:
    assert rectangles(page(grid((0, 10, 50))), 2, 5) == (box(112, 50, 130, 60),)


def test_a_span_over_two_lines_is_two_rectangles() -> None:
    layout = grid((0, 10, 50), (11, 10, 62))
    assert rectangles(page(layout), 8, 13) == (box(148, 50, 160, 60), box(100, 62, 112, 72))


def test_offsets_count_from_the_start_of_the_document() -> None:
    assert rectangles(page(grid((0, 10, 50)), start=500), 502, 505) == (box(112, 50, 130, 60),)


def test_what_stands_between_two_lines_has_no_rectangle() -> None:
    assert rectangles(page(grid((0, 10, 50), (11, 10, 62))), 10, 11) == ()


def test_text_that_runs_up_or_down_the_page_has_its_length_on_the_vertical_axis() -> None:
    layout = pack(WIDTH, HEIGHT, [PlacedLine(0, 2, 300, 310, upright=False)], [(100, 106), (106, 112)])
    assert rectangles(page(layout), 0, 2) == (box(300, 100, 310, 112),)


def test_characters_that_nobody_sees_do_not_count() -> None:
    layout = pack(WIDTH, HEIGHT, [PlacedLine(0, 3, 50, 60)], [(100, 106), (106, 106), (200, 206)])
    assert rectangles(page(layout), 0, 2) == (box(100, 50, 106, 60),)
    assert rectangles(page(layout), 1, 2) == ()


def test_a_rectangle_stays_on_the_paper() -> None:
    layout = pack(WIDTH, HEIGHT, [PlacedLine(0, 1, -5, 900)], [(-20, 700)])
    assert rectangles(page(layout), 0, 1) == (box(0, 0, WIDTH, HEIGHT),)


@pytest.mark.parametrize("span", [(5, 5), (7, 3), (900, 990)])
def test_nothing_is_found_where_nothing_is(span: tuple[int, int]) -> None:
    assert rectangles(page(grid((0, 10, 50))), *span) == ()


def test_a_page_without_layout_has_no_rectangles() -> None:
    assert pack(WIDTH, HEIGHT, [], []) == b""
    assert rectangles(page(b""), 0, 10) == ()


def test_a_full_page_takes_less_than_two_bytes_a_character() -> None:
    random = np.random.default_rng(1)
    lines = [PlacedLine(81 * number, 80, 12 * number, 12 * number + 10.5) for number in range(50)]
    widths = random.choice([2.44, 3.05, 5.5, 5.56, 6.11, 8.33], (50, 80)).cumsum(axis=1)
    edges = np.stack([widths - widths[:, :1], widths], axis=2).reshape(-1, 2)
    assert len(pack(WIDTH, HEIGHT, lines, edges)) < 2 * 50 * 80


@given(
    st.lists(
        st.tuples(
            st.integers(1, 4),
            st.floats(-100, 6_000),
            st.floats(-100, 14_500),
            st.floats(0, 2_000),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_character_comes_back_where_it_was(
    given_lines: list[tuple[int, float, float, float, bool]],
) -> None:
    size = 14_000.0
    lines, edges, start = [], [], 0
    for length, along, across, width, upright in given_lines:
        lines.append(PlacedLine(start, length, across, across + 9, upright))
        edges += [(along + width * place, along + width * (place + 1)) for place in range(length)]
        start += length + 1
    layout = pack(size, size, lines, edges)
    place = 0
    for line in lines:
        for offset in range(line.length):
            begin, end = edges[place]
            place += 1
            found = rectangles(page(layout), line.start + offset, line.start + offset + 1)
            if not found:
                assert end - begin < 1
                continue
            (rectangle,) = found
            left, right = (begin, end) if line.upright else (line.near, line.far)
            top, bottom = (line.near, line.far) if line.upright else (begin, end)
            wanted = np.clip([left, top, right, bottom], 0, size)
            given_box = [rectangle.left, rectangle.top, rectangle.right, rectangle.bottom]
            assert given_box == pytest.approx(wanted, abs=0.5)
