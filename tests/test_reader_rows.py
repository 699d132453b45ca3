"""The reader, in tables: rows that are read as they are told, and the cells that it quotes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from index import IndexedPassage, Passage
from qa import reader
from qa.reader import READ_ROWS, ROWS_CHARACTERS, WHOLE_CELL_WORDS, Reread
from qa.retriever import Retrieved
from qa.span_model import Text

from .conftest import PatternReader
from .test_reader import Document, Noting, read, read_again

TABLE = "All boats:\nBoat|Owner|Crew\nOsprey|Mary Jones|4\nHeron|Paul|7"
BOATS = Document(TABLE, (11, 26), (27, len(TABLE)))
OSPREY, HERON = TABLE.index("Osprey"), TABLE.index("Heron")


def boats(first: int, context: str = "Boats") -> Retrieved:
    """The document from ``first`` on."""
    lines = [(0, 10), (OSPREY, HERON - 1), (HERON, len(TABLE))]
    sentences = tuple(line for line in lines if line[0] >= first)
    found = Passage(first, len(TABLE), TABLE[first:], (), None, sentences, context)
    return Retrieved(IndexedPassage(0, ("a.csv",), None, found), 1.0, 1.0, 0.0)


def test_rows_are_read_one_by_one_as_they_are_told_and_prose_as_it_is():
    model = Noting("Paul")
    (paul,) = read("Whose is the Heron?", [boats(0)], model, BOATS)
    told = "Boat: Heron. Heron has Owner Paul. Heron has Crew 7."
    osprey = "Boat: Osprey. Osprey has Owner Mary Jones. Osprey has Crew 4."
    cells = ["Boat: Heron. Heron has Owner Paul.", "Boat: Heron. Heron has Crew 7."]
    assert [text.passage for text in model.seen] == [osprey, told, TABLE, *cells]
    assert (paul.text, TABLE[paul.start : paul.end]) == ("Paul", "Paul")
    assert read_again("Whose is the Heron?", [paul], model, BOATS) == [Reread(4.0, 4.0)]
    assert model.seen[5:] == [Text("Boats", told)]


@pytest.mark.parametrize(("context", "kept"), [("Boats\nBoat|Owner|Crew", "Boats"), ("Boat|Owner|Crew", "")])
def test_a_header_above_the_passage_is_not_told_twice(context, kept):
    model = Noting("Paul")
    assert read("Whose is the Heron?", [boats(HERON, context)], model, BOATS)[0].text == "Paul"
    assert [text.context for text in model.seen] == [kept] * 3  # the row and its cells


class OfRowsOrCells(PatternReader):
    """Sure of one pattern in whole rows, and of another one in cells by themselves."""

    def __init__(self, row: str, cell: str) -> None:
        super().__init__(row, gap=4.0)
        self.of_cells = PatternReader(cell, gap=9.0)

    def windows(self, question, texts):
        whole = all("Owner" in text.passage and "Crew" in text.passage for text in texts)
        return super().windows(question, texts) if whole else self.of_cells.windows(question, texts)


def test_the_cells_of_the_best_rows_are_weighed_by_themselves():
    (four,) = read("How many sail the Osprey?", [boats(OSPREY)], OfRowsOrCells("Mary Jones", "4"), BOATS)
    assert (four.text, four.gap) == ("4", 4.0)  # what the row came to


class OfCells:
    """Gives each of two cells a gap in its row and another one by itself."""

    id = "of cells"

    def __init__(self, row: dict[str, float], alone: dict[str, float]) -> None:
        self.row, self.alone = row, alone

    def load(self) -> None:
        pass

    def windows(self, question, texts):
        return [[self._window(text.passage)] for text in texts]

    def _window(self, text: str):
        gaps = self.row if "Owner" in text and "Crew" in text else self.alone
        one, other = (PatternReader(cell, gap)._window(text) for cell, gap in gaps.items())
        starts, ends = np.maximum(one.starts, other.starts), np.maximum(one.ends, other.ends)
        return replace(one, starts=starts, ends=ends)


@pytest.mark.parametrize(("alone", "said"), [(7.0, "Mary Jones"), (9.0, "4")])
def test_a_cell_is_weighed_by_its_row_as_much_as_by_itself(alone, said):
    model = OfCells({"Mary Jones": 6.0, "4": 2.0}, {"Mary Jones": 4.0, "4": alone})
    best, _ = read("How many sail the Osprey?", [boats(OSPREY)], model, BOATS)
    assert (best.text, best.gap) == (said, 6.0)


def test_a_cell_that_a_wide_row_says_nothing_of_is_not_raised_by_the_others():
    names, said = "ABCDEF", ["one", "two", "three", "four", "five", "six"]
    wide = f"{'|'.join(names)}\nOsprey|{'|'.join(said[1:])}"
    model = OfSixCells(said[1:])
    document = Document(wide, (0, 11), (12, len(wide)))
    row = Passage(12, len(wide), wide[12:], (), None, ((12, len(wide)),), "")
    asked = Retrieved(IndexedPassage(0, ("a.csv",), None, row), 1.0, 1.0, 0.0)
    best, *_ = read("Which?", [asked], model, document)
    assert best.text == "two"  # (9 + 3) / 2 in its row and alone; "six" comes to (-15 + 7) / 2


class OfSixCells:
    """In their row the last cell is the worst of all, and alone the best."""

    id = "of six cells"

    def __init__(self, said: list[str]) -> None:
        self.row = dict(zip(said, [9.0, 8.0, 7.0, 6.0, -15.0], strict=True))
        self.alone = dict(zip(said, [3.0, -9.0, -9.0, -9.0, 7.0], strict=True))

    def load(self) -> None:
        pass

    def windows(self, question, texts):
        return [[self._window(text.passage)] for text in texts]

    def _window(self, text: str):
        gaps = self.row if all(said in text for said in self.row) else self.alone
        made = [PatternReader(cell, gap)._window(text) for cell, gap in gaps.items() if cell in text]
        starts = np.maximum.reduce([one.starts for one in made])
        return replace(made[0], starts=starts, ends=np.maximum.reduce([one.ends for one in made]))


def test_no_row_is_read_as_a_neighbour():
    text = "Boat|Owner|Crew\nOsprey|Mary Jones|4\nAll came back. It was warm."
    document = Document(text, (0, 15), (16, 35))
    lines = ((16, 35), (36, 50), (51, len(text)))
    found = Passage(16, len(text), text[16:], (), None, lines, "")
    model = Noting("came back")
    asked = Retrieved(IndexedPassage(0, ("a.csv",), None, found), 1.0, 1.0, 0.0)
    (back,) = read("What?", [asked], model, document)
    del model.seen[:]
    read_again("What?", [back], model, document)
    assert [one.passage for one in model.seen] == ["All came back.", "All came back. It was warm."]


def test_rows_of_more_cells_than_there_is_room_for_are_read_as_a_whole(monkeypatch):
    monkeypatch.setattr(reader, "READ_CELLS", 1)
    (mary,) = read("How many sail the Osprey?", [boats(OSPREY)], OfRowsOrCells("Mary Jones", "4"), BOATS)
    assert mary.text == "Mary Jones"


def test_a_row_whose_cells_say_nothing_alone_keeps_what_it_came_to():
    (mary,) = read("How many sail the Osprey?", [boats(OSPREY)], OfRowsOrCells("Mary Jones", "Kite"), BOATS)
    assert mary.text == "Mary Jones"


@pytest.mark.parametrize(("pattern", "said"), [("Jones", "Mary Jones"), ("Osprey(?= has Crew)", "Osprey")])
def test_a_short_cell_is_quoted_whole_wherever_it_is_told(pattern, said):
    (found,) = read("?", [boats(OSPREY)], PatternReader(pattern), BOATS)
    assert found.text == said


def test_of_a_long_cell_the_words_are_quoted():
    long = "bought by Mary Jones in the year of the great storm"
    assert len(long.split()) > WHOLE_CELL_WORDS
    text = f"Boat|History\nOsprey|{long}"
    found = Passage(13, len(text), text[13:], (), None, ((13, len(text)),), "")
    asked = Retrieved(IndexedPassage(0, ("a.csv",), None, found), 1.0, 1.0, 0.0)
    (span,) = read("?", [asked], PatternReader("Mary Jones"), Document(text, (0, 12), (13, len(text))))
    assert span.text == "Mary Jones"


def many_rows(count: int, width: int = 1) -> tuple[Document, Retrieved]:
    lines = [
        "Boat|Owner",
        *(f"Boat{number}|{'Owner ' * (width - 1)}Owner{number}" for number in range(count)),
    ]
    text = "\n".join(lines)
    starts = [text.index(line) for line in lines[1:]]
    sentences = tuple((a, b - 1) for a, b in pairwise([*starts, len(text) + 1]))
    found = Passage(0, len(text), text, (), None, sentences, "")
    return (
        Document(text, (0, 10), (11, len(text))),
        Retrieved(IndexedPassage(0, ("a.csv",), None, found), 1.0, 1.0, 0.0),
    )


def test_of_many_rows_those_are_read_that_share_most_with_the_question():
    document, found = many_rows(3 * READ_ROWS)
    model = Noting("Owner70")
    assert read("Who owns Boat70?", [found], model, document)[0].text == "Owner70"
    assert len(model.seen) == READ_ROWS


def test_long_rows_are_read_as_far_as_there_is_room():
    document, found = many_rows(20, width=200)
    model = Noting("Owner7")
    assert read("Who owns Boat7?", [found], model, document)[0].text == "Owner7"
    assert sum(len(text.passage) for text in model.seen) <= ROWS_CHARACTERS
    assert len(model.seen) > 2


def test_names_of_columns_are_no_answers():
    assert read("?", [boats(OSPREY)], PatternReader("Owner|Crew|has"), BOATS) == []
