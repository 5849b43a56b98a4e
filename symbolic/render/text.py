"""Text that people typed, made safe for TeX and for Markdown: it prints as typed, and never acts.

>>> print(escape("50% of R&D: $x_1$"))
50\\% of R\\&D: \\$x\\_1\\$
>>> needs_unicode("Łukasz Őszi, naïve"), needs_unicode("Ελένη")
(False, True)
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# `[`, `]` and `*` are here because `\\`, `\item` and many more read them as options.
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "\u00a0": r"\nobreakspace{}",
}

# Pairs that TeX fonts join into one sign. A kern parts them in every engine; `{}` does not in LuaTeX.
_LIGATURES = re.compile("(?<=-)(?=-)|(?<=')(?=')|(?<=,)(?=,)|(?<=<)(?=<)|(?<=>)(?=>)|(?<=[?!])(?=`)|(?<=`)(?=`)")
_PART = r"{\kern0pt}"

_JOINERS = "\u200c\u200d"  # invisible, but Persian, Indic scripts and emoji are misspelt without them

# What pdfLaTeX prints with T1, TS1 and Latin Modern: found by setting every character once
# (tests/test_text.py sets these again). Of Latin Extended-A only Ħ ħ ĸ Ŀ ŀ ŉ Ŧ ŧ ſ are missing.
_T1 = frozenset(
    "".join(chr(code) for code in range(0x20, 0x7F))
    + "".join(chr(code) for code in range(0xA0, 0x180) if chr(code) not in "\u00adĦħĸĿŀŉŦŧſ")
    + "ƒǄǅǆǇǈǉǊǋǌǍǎǏǐǑǒǓǔǢǣǦǧǨǩǪǫǰǴǵȘșȚțȲȳȷˆˇ˘˙˛˜˝"
    + "ḂḃḍḞḟḠḡḥḰḱḷṃṅṇṛṣṭẎẏẐẑẞỲỳ"
    + "‐‑‒–—―‖‘’‚“”„†‡•…‰‱‹›※‽⁄₡₤₦₩₫€₱℃№℗℞℠™℮←↑→↓ﬀﬁﬂﬃﬄﬅﬆ"
)


def clean(text: str) -> str:
    """One line of composed Unicode (NFC) without control characters or bidirectional overrides.

    Every run of white space becomes one space, because an empty line would end a TeX paragraph.

    >>> clean("a\\n\\n b\\x00c e\\u0301")
    'a bc é'
    """
    spaced = "".join(" " if c.isspace() and c != "\u00a0" else c for c in text)
    kept = "".join(c for c in spaced if not _is_unprintable(c))
    return unicodedata.normalize("NFC", re.sub(" +", " ", kept))


@lru_cache(maxsize=4096)
def escape(text: str) -> str:
    """TeX source (text mode) that prints ``text`` as typed and cannot act as a command.

    Args:
        text: anything; it is cleaned first (see ``clean``).

    >>> escape("O'Neil -- ?`<<x>>")
    "O'Neil -{\\\\kern0pt}- ?{\\\\kern0pt}\\\\textasciigrave{}\\\\textless{}{\\\\kern0pt}\\\\textless{}x\\\\textgreater{}{\\\\kern0pt}\\\\textgreater{}"
    """
    pieces = _LIGATURES.split(clean(text))
    return _PART.join("".join(_SPECIAL.get(c, c) for c in piece) for piece in pieces)


def escape_within(text: str) -> str:
    """TeX source of words inside a sentence: the space at their ends stays.

    >>> escape_within(" and 5% ")
    ' and 5\\\\% '
    """
    body = escape(text).strip()
    return (" " if text[:1] == " " else "") + body + (" " if text[-1:] == " " and body else "")


def needs_unicode(text: str) -> bool:
    """Whether ``text`` has a character beyond what pdfLaTeX prints (T1, TS1), so LuaLaTeX is needed.

    >>> [needs_unicode(name) for name in ("Şimşek", "Иван", "李", "שרה", "🎓")]
    [False, True, True, True, True]
    """
    return not _T1.issuperset(clean(text))


def markdown(text: str) -> str:
    """Markdown (and HTML) that shows ``text`` as typed: character references for whatever could act.

    >>> markdown("a*b <script> [x](y)")
    'a&#42;b &#60;script&#62; &#91;x&#93;(y)'
    >>> markdown("1. no list"), markdown("- no list"), markdown("two-layer net, 1.5")
    ('1&#46; no list', '&#45; no list', 'two-layer net, 1.5')
    """
    safe = re.sub(r"[\\`*_{}\[\]<>&~$|\"'^]", _reference, clean(text).strip())
    safe = re.sub(r"^[-+#=]", _reference, safe)
    return re.sub(r"(?<=^)(\d+)([.)])", lambda m: m[1] + f"&#{ord(m[2])};", safe)


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def _is_unprintable(character: str) -> bool:
    code = ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    invisible = unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in _JOINERS
    return invisible or is_noncharacter
