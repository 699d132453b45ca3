"""Tables drawn by chance and questions about their cells: ``python -m bench.tables DIR``.

Writes a benchmark into DIR, in the form that ``python -m qa evaluate DIR`` reads: tables of six kinds as
.csv, .md and .tsv, or with --pdf all as PDF, and for each of them questions whose answer is a cell, questions
that ask for the row of a cell, and questions that no cell answers: about a column or a row that the table
lacks. Always the same.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SEED = 5
TABLES = 18
QUESTIONS = {"cell": 12, "row": 3, "no column": 3, "no row": 3}
"""How many of each kind are drawn for a table; some of the last three turn out to have an answer, and go."""

FORMS = ("csv", "md", "tsv")

Draw = Callable[[random.Random], str]

FIRST = "Ada Boris Carla Dmitri Elena Farid Gwen Hugo Irene Jonas Karim Lotte Milan Nadia Oskar Petra".split()
LAST = (
    "Abbott Brandt Costa Duarte Eklund Fischer Grant Hansen Ivanov Jensen Kumar Laurent Meyer Novak".split()
)
PLACES = (
    "Arden Belmont Corvo Dunmore Elbing Falster Garda Hythe Inari Jura Kinsale Lucca Matera Narvik".split()
)
PARTS = "Valve Gasket Bearing Sensor Relay Pump Filter".split()
SUBJECTS = "Algebra Botany Ethics Optics Rhetoric Statistics Zoology".split()
DEPARTMENTS = "Logistics Research Purchasing Marketing Quality".split()
CURRENCIES = "crown pound franc peso dinar".split()


def person(rng: random.Random) -> str:
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


def one_of(words: list[str], form: str = "{}") -> Draw:
    return lambda rng: form.format(rng.choice(words))


def number(low: int, high: int, form: str = "{}") -> Draw:
    return lambda rng: form.format(rng.randint(low, high))


YEAR = number(1890, 2024)


@dataclass(frozen=True)
class Kind:
    """What a kind of table is about: its rows, its columns with the question for a cell, what it lacks."""

    of: str
    row: Draw
    columns: list[tuple[str, Draw, str]]
    lacking: str


KINDS = [
    Kind(
        "Bridge",
        one_of(PLACES, "{} Bridge"),
        [
            ("Architect", person, "Who is the architect of the {}?"),
            ("Opened", YEAR, "When was the {} opened?"),
            ("Length (m)", number(20, 900), "How long is the {}?"),
            ("Toll", number(1, 40, "{}.50 EUR"), "What is the toll of the {}?"),
            ("River", one_of(PLACES), "Which river does the {} cross?"),
        ],
        "Who painted the {}?",
    ),
    Kind(
        "Hotel",
        one_of(PLACES, "Hotel {}"),
        [
            ("City", one_of(PLACES), "In which city is {}?"),
            ("Rooms", number(12, 400), "How many rooms does {} have?"),
            ("Manager", person, "Who is the manager of {}?"),
            ("Price per night", number(40, 600, "${}"), "What is the price per night of {}?"),
            ("Check-in", number(12, 18, "{}:00"), "When is check-in at {}?"),
        ],
        "How large is the pool of {}?",
    ),
    Kind(
        "Employee",
        person,
        [
            ("Department", one_of(DEPARTMENTS), "In which department does {} work?"),
            ("Extension", number(1000, 9999), "What is the extension of {}?"),
            ("Room", number(10, 499, "B.{}"), "In which room is {}?"),
            ("Hired", YEAR, "When was {} hired?"),
            ("Supervisor", person, "Who is the supervisor of {}?"),
        ],
        "What is the salary of {}?",
    ),
    Kind(
        "Part",
        lambda rng: f"{rng.choice(PARTS)} {rng.choice('KLMNP')}{rng.randint(10, 99)}",
        [
            ("Order no.", number(1000, 9999, "77-{}"), "What is the order number of the {}?"),
            ("Price", number(2, 900, "{}.90"), "What does the {} cost?"),
            ("Weight", number(1, 30, "{} kg"), "How heavy is the {}?"),
            ("Supplier", one_of(LAST, "{} GmbH"), "Who supplies the {}?"),
            ("Stock", number(2, 400), "How many {} are in stock?"),
        ],
        "What colour is the {}?",
    ),
    Kind(
        "Country",
        one_of(PLACES, "{}ia"),
        [
            ("Capital", one_of(PLACES), "What is the capital of {}?"),
            ("Population", number(100, 999, "12,{}"), "What is the population of {}?"),
            ("Currency", one_of(CURRENCIES), "Which currency is used in {}?"),
            ("President", person, "Who is the president of {}?"),
            ("Founded", YEAR, "When was {} founded?"),
        ],
        "What is the national anthem of {}?",
    ),
    Kind(
        "Course",
        lambda rng: f"{rng.choice(SUBJECTS)} {rng.randint(101, 399)}",
        [
            ("Lecturer", person, "Who teaches {}?"),
            ("Credits", number(2, 12), "How many credits does {} give?"),
            ("Hall", number(1, 30, "H{}"), "In which hall is {} held?"),
            ("Exam", number(1, 28, "{} June"), "When is the exam of {}?"),
            ("Enrolled", number(5, 300), "How many students are enrolled in {}?"),
        ],
        "What is the textbook of {}?",
    ),
]


@dataclass(frozen=True)
class Table:
    """A table: its columns, the first of which names its rows."""

    kind: Kind
    columns: list[tuple[str, Draw, str]]
    rows: list[list[str]]

    def written(self, form: str) -> str:
        """Its file."""
        rows = [[self.kind.of, *(name for name, _, _ in self.columns)], *self.rows]
        if form == "pdf":
            return on_paper(f"{self.kind.of} list", rows)
        if form == "md":
            marked = ["| " + " | ".join(row) + " |" for row in rows]
            marked.insert(1, "|" + "---|" * len(rows[0]))
            return "\n".join([f"# {self.kind.of} list", "", *marked]) + "\n"
        return "\n".join({"csv": ";", "tsv": "\t"}[form].join(row) for row in rows) + "\n"

    def questions(self, rng: random.Random) -> Iterator[tuple[str, list[str]]]:
        """Questions with their answers."""
        names = {row[0] for row in self.rows}
        for _ in range(QUESTIONS["cell"]):
            row, place = rng.choice(self.rows), rng.randrange(len(self.columns))
            yield self.columns[place][2].format(row[0]), [row[place + 1]]
        for _ in range(QUESTIONS["row"]):
            row, place = rng.choice(self.rows), rng.randrange(len(self.columns))
            if sum(other[place + 1] == row[place + 1] for other in self.rows) == 1:
                asked = f"{self.columns[place][0].lower()} {row[place + 1]}"
                yield f"Which {self.kind.of.lower()} has the {asked}?", [row[0]]
        for _ in range(QUESTIONS["no column"]):
            yield self.kind.lacking.format(rng.choice(self.rows)[0]), []
        for _ in range(QUESTIONS["no row"]):
            name = self.kind.row(rng)
            if name not in names:
                yield rng.choice(self.columns)[2].format(name), []


def on_paper(title: str, rows: list[list[str]]) -> str:
    """A PDF of one page: the title, and the rows in columns under a bold header."""
    placed = [("B", 72, 740, title)]
    for number, row in enumerate(rows):
        font = "F" if number else "B"
        placed += [(font, 50 + 92 * place, 700 - 14 * number, cell) for place, cell in enumerate(row)]
    text = "".join(f"BT /{font} 9 Tf {x} {y} Td ({_escaped(said)}) Tj ET\n" for font, x, y, said in placed)
    bodies = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        "/Resources<</Font<</F 5 0 R/B 6 0 R>>>>>>",
        f"<</Length {len(text)}>>stream\n{text}endstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold>>",
    ]
    written, places = "%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(written))
        written += f"{number} 0 obj{body}endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(bodies) + 1
    start = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Size {size}/Root 1 0 R>>"
    return f"{written}{start}\nstartxref\n{len(written)}\n%%EOF\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def drawn(rng: random.Random) -> Table:
    kind = rng.choice(KINDS)
    columns = rng.sample(kind.columns, rng.randint(3, 5))
    names = list(dict.fromkeys(kind.row(rng) for _ in range(rng.randint(5, 14))))
    return Table(kind, columns, [[name, *(draw(rng) for _, draw, _ in columns)] for name in names])


def write_tables(folder: Path, forms: Sequence[str]) -> int:
    """Write the benchmark, its tables in each of the forms by turns; return how many questions it has."""
    (folder / "docs").mkdir(parents=True)
    rng = random.Random(SEED)
    lines = []
    for place in range(TABLES):
        table, form = drawn(rng), forms[place % len(forms)]
        name = f"{table.kind.of.lower()}{place}.{form}"
        (folder / "docs" / name).write_text(table.written(form), encoding="utf-8")
        for question, answers in table.questions(rng):
            source = [name] if answers else []
            lines.append({"question": question, "answers": answers, "source": source, "within": name})
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": str(place), **line}) + "\n" for place, line in enumerate(lines))
    return len(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--pdf", action="store_true", help="write all of them as PDF")
    options = parser.parse_args()
    count = write_tables(options.folder, ["pdf"] if options.pdf else FORMS)
    print(f"{TABLES} tables, {count} questions; now: python -m qa evaluate {options.folder}")


if __name__ == "__main__":
    main()
