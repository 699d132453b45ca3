"""The control words of RTF that decide what a reader sees, and its code pages."""

from __future__ import annotations

# Groups that no reader sees, or sees on every page.
DROPPED = frozenset(
    "colortbl header headerl headerr headerf footer footerl footerr footerf pict fldinst pntxta pntxtb ftnsep"
    " ftnsepc ftncn aftnsep aftnsepc aftncn xe tc txe rxe sn sv shprslt nonshppict bkmkstart bkmkend objdata"
    " objclass objname template filetbl revtbl listtable listoverridetable nonesttables private annotation"
    " list listlevel leveltext levelnumbers listname listoverride lfolevel atnid atnauthor atrfstart atrfend"
    " datafield themedata".split()
)
MARKERS = frozenset(("listtext", "pntext"))  # a list item's bullet or number
NOTES = frozenset(("footnote", "shptxt", "dptxbxtext"))  # text apart from the sentence that it stands in
READ_OPTIONAL = NOTES | {"shpinst", "do"}  # every other group marked as optional is left out
PARAGRAPH_ENDS = frozenset(("par", "sect", "page", "column"))
CHARACTERS = {
    "line": "\n",
    "softline": "\n",
    "tab": "\t",
    "emdash": "—",
    "endash": "–",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "nestcell": " ",
    "nestrow": "\n",
}
SYMBOLS = {"~": "\xa0", "_": "\u2011", "\\": "\\", "{": "{", "}": "}", "\t": "\t"}
PAGES = {"ansi": "cp1252", "mac": "mac-roman", "pc": "cp437", "pca": "cp850"}
CHARSETS = {
    77: "mac-roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
