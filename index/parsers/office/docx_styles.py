"""What the settings of a Word document's paragraphs and runs mean: styles, levels, lists, symbols."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.parsers.writer import folded
from index.parsers.xml_reading import child, children, value

if TYPE_CHECKING:
    from lxml.etree import _Element

_CHARACTERS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_HEADING = re.compile(r"heading ?([1-9])$")
_GENERATED = re.compile(r"(?:toc|index) (?:\d|heading)$|table of (?:figures|authorities)$")
_LIST = re.compile(r"list (?:bullet|number)(?: \d)?$")
TYPED_BULLET = re.compile(r"[•‣◦▪●\uf0b7\uf0a7]\s+(?=\S)")
_ENDED = re.compile(r"[.,;:!?…。！？]$")
_LONG_HEADING = 200
_LONG_SENTENCE = 80
_STYLE_DEPTH = 12

# The letters of the font Symbol, and the signs of it and of Wingdings that carry meaning.
_SYMBOL = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-"
        "\xa2\xa3\xa5\xab\xac\xad\xae\xaf\xb0\xb1\xb2\xb3\xb4\xb7\xb8\xb9\xbb\xce\xd2\xd3\xd4\xd6\xde\xe5\xf2",
        "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ−′≤∞↔←↑→↓°±″≥×•÷≠≈∈®©™√⇒∑∫",
        strict=True,
    )
)
_WINGDINGS = dict(zip("\xfb\xfc\xfd\xfe\xa8o\xdf\xe0", "✗✓☒☑☐☐←→", strict=True))


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph or run of a style is. A ``generated`` one repeats headings with page numbers."""

    level: int | None = None
    title: bool = False
    item: bool = False
    hidden: bool = False
    generated: bool = False


def is_on(setting: str | None, *, absent: bool = True) -> bool:
    """The value of a switch, which is on where it is given without one."""
    return absent if setting is None else setting.lower() in ("1", "true", "on")


def read_styles(root: _Element | None) -> dict[str, Style]:
    """The styles of the file by their ids; the paragraphs' default style is also that of the id ""."""
    elements = {value(style, "styleId") or "": style for style in children(root, "style")}
    styles: dict[str, Style] = {}
    for name, element in elements.items():
        chain = [element]
        while len(chain) < _STYLE_DEPTH:
            parent = elements.get(value(child(chain[-1], "basedOn")) or "")
            if parent is None:
                break
            chain.append(parent)
        styles[name] = _read_style(chain)
        if is_on(value(element, "default"), absent=False) and value(element, "type") == "paragraph":
            styles[""] = styles[name]
    return styles


def unlisted_style(name: str) -> Style:
    """The style that a name stands for where the file does not say."""
    heading = _HEADING.match(name.lower())
    return Style(level=int(heading[1]) if heading else None, title=name.lower() == "title")


def _read_style(chain: Sequence[_Element]) -> Style:
    """A style from its own settings and those of the styles that it is based on, nearest first."""
    level: int | None = None
    for style in chain:
        set_level = value(child(style, "pPr", "outlineLvl"))
        heading = _HEADING.match(_style_name(style))
        if set_level is not None or heading:
            level = _outline_level(set_level) if set_level is not None or not heading else int(heading[1])
            break
    numbers = [value(child(style, "pPr", "numPr", "numId")) for style in chain]
    number = next((found for found in numbers if found is not None), "0")
    vanish = next((v for v in (child(style, "rPr", "vanish") for style in chain) if v is not None), None)
    name = _style_name(chain[0])
    return Style(
        level=level,
        title=name == "title",
        item=number != "0" or _LIST.match(name) is not None,
        hidden=vanish is not None and is_on(value(vanish)),
        generated=_GENERATED.match(name) is not None,
    )


def _style_name(style: _Element) -> str:
    return (value(child(style, "name")) or "").strip().lower()


def _outline_level(setting: str | None) -> int | None:
    """Levels count from 0; 9 is the body of the text."""
    return int(setting) + 1 if setting and len(setting) == 1 and "0" <= setting <= "8" else None


def level_of(properties: _Element | None, style: Style) -> int | None:
    """A paragraph's level as a heading, from 1; None for the body of the text."""
    setting = value(child(properties, "outlineLvl"))
    return style.level if setting is None else _outline_level(setting)


def could_head(text: str) -> bool:
    """Contracts number whole clauses with heading styles; these are text, which can be quoted."""
    line = folded(text)
    return len(line) <= _LONG_HEADING and not (len(line) > _LONG_SENTENCE and _ENDED.search(line))


def is_item(properties: _Element | None, style: Style) -> bool:
    """Whether a paragraph is an item of a list."""
    number = value(child(properties, "numPr", "numId"))
    return style.item if number is None else number != "0"


def runs_on(properties: _Element | None) -> bool:
    """Whether a paragraph is one with the next: a drop cap, or one whose end is deleted."""
    if properties is None:
        return False
    if (value(child(properties, "framePr"), "dropCap") or "none") != "none":
        return True
    return child(properties, "rPr", "del") is not None


def character_of(node: _Element, name: str) -> str | None:
    """The text that an element stands for, None for an element that only holds others."""
    if name == "t":
        return node.text or ""
    if name == "sym":
        return _symbol(value(node, "font") or "", value(node, "char") or "")
    return _CHARACTERS.get(name)


def _symbol(font: str, code: str) -> str:
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    private = 0xF000 <= number <= 0xF0FF
    character = chr(number - 0xF000) if private else chr(number) if number <= 0x10FFFF else ""
    if font.lower() == "symbol":
        return _SYMBOL.get(character, character)
    if font.lower().startswith("wingdings"):
        return _WINGDINGS.get(character, "")
    return "" if private else character
