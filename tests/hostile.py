"""Two hundred strings that would run a script wherever they were taken for markup, and a library of them.

Each calls for ``window.__hit`` with a number of its own, by script, handler, link, style or template.
"""

from __future__ import annotations

import html
import re

from qa import QA
from qa.model import Answer, Candidate, Citation, Evidence
from qa.web import places

COUNT = 200
MARK = "window.__hit"

BASES = (
    "<script>@</script>",
    "<ScRiPt >@</sCrIpT >",
    "<script/src=data:,@></script>",
    "<scr<script>ipt>@</scr</script>ipt>",
    "<img src=x onerror=@>",
    "<img/src=`x`onerror=@>",
    "<IMG SRC=x OnErRoR='@'>",
    "<img src=x:x onerror\n=@>",
    "<img srcset=x onerror=@>",
    "<image src=x onerror=@>",
    "<svg onload=@>",
    "<svg/onload=@//",
    "<svg><script>@</script></svg>",
    "<svg><animate onbegin=@ attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:@'><text y=20>x</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=@>#x'/></svg>",
    "<math href='javascript:@'>x</math>",
    "<math><mi xlink:href='data:x,@'>x</mi></math>",
    "<body onload=@>",
    "<video><source onerror=@></video>",
    "<audio src=x onerror=@>",
    "<details open ontoggle=@>x</details>",
    "<input autofocus onfocus=@>",
    "<select autofocus onfocus=@>",
    "<textarea autofocus onfocus=@>",
    "<marquee onstart=@>x</marquee>",
    "<a href='javascript:@'>x</a>",
    "<a href='jav&#x09;ascript:@'>x</a>",
    "<a href='data:text/html,<script>@</script>'>x</a>",
    "<iframe src='javascript:@'></iframe>",
    "<iframe srcdoc='<script>parent.@</script>'></iframe>",
    "<object data='javascript:@'></object>",
    "<embed src='javascript:@'>",
    "<form action='javascript:@'><button>x</button></form>",
    "<button formaction='javascript:@'>x</button>",
    "<base href='javascript:@//'>",
    "<meta http-equiv=refresh content='0;javascript:@'>",
    "<link rel=stylesheet href='javascript:@'>",
    "<style>@import 'javascript:@';</style>",
    "<div style='background:url(javascript:@)'>x</div>",
    '<p style="animation:x" onanimationstart=@>x</p>',
    "[x](javascript:@)",
    "[x]( <javascript:@> )",
    '![x](x"onerror="@)',
    "[x]: javascript:@",
    "<javascript:@>",
    "`<img src=x onerror=@>`",
    "$$\\href{javascript:@}{x}$$",
    "\\(\\unicode{<img src=x onerror=@>}\\)",
    "\\[\\htmlStyle{x}{@}\\]",
    "&lt;img src=x onerror=@&gt;",
    "&#60;script&#62;@&#60;/script&#62;",
    "&#x3c;svg onload=@&#x3e;&#0;",
    "%3Cscript%3E@%3C/script%3E",
    "\\u003cscript\\u003e@\\u003c/script\\u003e",
    "${@} {{@}} <%= @ %> #{@}",
    "{{constructor.constructor('@')()}}",
    "{@html '<img src=x onerror=@>'}",
    "<!--><img src=x onerror=@>-->",
    "<![CDATA[><img src=x onerror=@>]]>",
    '<noscript><p title="</noscript><img src=x onerror=@>">',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=@&gt;">',
    '<svg></p><style><a id="</style><img src=1 onerror=@>">',
    '<form><math><mtext></form><form><mglyph><svg><mtext><style><path id="</style><img onerror=@ src>">',
    "\u202e<img src=x onerror=@>\u2066txt.exe\u2069",
    "<img\u200b src=x\u00a0onerror=@>\ufeff\u2028",
    "\u0634\u0631\u0643\u0629 <b onclick=@>\u05d0\u05d1</b> \u200f",
    "W" * 60 + "<img src=x onerror=@>" + "\u2400" * 8,
)
AROUND = ("{}", "\"'><x y={} ", "</textarea></title></mark>{}<!--", "' autofocus onfocus=@ x='{}", "*{}*")


def strings() -> list[str]:
    """The strings; each is another."""
    made = [around.replace("{}", base) for around in AROUND for base in BASES][:COUNT]
    return [each.replace("@", f"{MARK}={number}") for number, each in enumerate(made, 1)]


def file_name(number: int, hostile: str) -> str:
    """The string as the name of a file, of which no system takes more than this."""
    ending = (".txt", ".md", ".html")[number % 3]
    stem = f"{number:03} {hostile.replace('/', '_')}".encode()[: 250 - len(ending)]
    return stem.decode(errors="ignore") + ending


def document(number: int, hostile: str) -> str:
    """A document with the string for its title and beside a fact."""
    fact = f"Lamp {number} is kept by Warden{number}x, whose words are {hostile} so."
    if number % 3 == 2:
        safe = html.escape(hostile)
        return f"<title>{safe}</title><h1>{safe}</h1><p>{html.escape(fact)}</p>"
    return f"{'# ' if number % 3 else ''}{hostile}\n\n{fact}\n"


def library() -> dict[str, str | bytes]:
    """A file for each string, and one with all of them."""
    made: dict[str, str | bytes] = {
        file_name(number, each): document(number, each) for number, each in enumerate(strings(), 1)
    }
    return {**made, "all.txt": "\n".join(strings())}


def citations(qa: QA) -> list[Citation]:
    """For each string a quote of its document that holds it, with the string as title and heading, too."""
    made = []
    for number, hostile in enumerate(strings(), 1):
        source = file_name(number, hostile)
        text = qa.text(source)
        at = text.index(f"Lamp {number} ")
        key = re.compile(rf"Warden{number}x").search(text, at)
        assert key is not None
        end = text.index(" so.", at) + len(" so.")
        quote = text[at:end]
        made.append(
            Citation(source, at, end, quote, *key.span(), at, end, quote, number, [hostile], *[hostile] * 4)
        )
    return made


def passage(citation: Citation, *, also: Citation | None = None) -> Evidence:
    """What a citation quotes as a passage, said in the place of another one, too."""
    c = citation
    also_in = ((also.source, also.start, also.end),) if also is not None else ()
    return Evidence(1.0, c.source, c.start, c.end, c.quote, c.page, c.heading, c.title, also_in, c.page_label)


def answers(cited: list[Citation]) -> list[Answer]:
    """For each citation an answer with it, the next as an alternative, and the one after as a passage."""
    made = []
    for number, (one, hostile) in enumerate(zip(cited, strings(), strict=True)):
        next_one, third = cited[(number + 1) % COUNT], cited[(number + 2) % COUNT]
        candidates = tuple(Candidate(c.quote, c.quote, 0.6, (c,)) for c in (one, next_one))
        found = (passage(one), passage(third, also=next_one))
        words = cited[number].quote
        made.append(
            Answer(True, words, words, 0.9, (one, third), candidates, found, hostile, {hostile: 1.0}, hostile)
        )
    return made


def refusals(cited: list[Citation]) -> list[Answer]:
    """Refusals whose nearest passages are all the citations, three each."""
    made = []
    for first in range(0, COUNT, 3):
        near = [passage(each) for each in cited[first : first + 3]]
        worth = (Candidate("x", "x", 0.2, (cited[first],)),)
        hostile = strings()[first]
        made.append(Answer(False, "", "", 0.2, (), worth, tuple(near), hostile, {"total": 1.0}, hostile))
    return made


def named(text: str) -> str:
    """What a name looks like on the page: control characters are spelt out."""
    return html.unescape(re.sub(r"^<bdi>|</bdi>$", "", places.name(text)))
