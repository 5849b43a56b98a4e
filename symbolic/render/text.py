"""Text that people typed, made safe for TeX and for Markdown: it prints as typed, and never acts.

>>> print(escape("50% of R&D: $x_1$"))
50\\% of R\\&D: \\$x\\_1\\$
>>> needs_unicode("Łukasz Őszi, naïve"), needs_unicode("Ελένη")
(False, True)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
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

_INVISIBLE = "\u200c\u200d\ufe0e\ufe0f"
_JOINERS = _INVISIBLE[:2]  # invisible, but Persian, Indic scripts and emoji are misspelt without them

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


# Scripts with a font of their own, beside Noto Sans with Latin, Greek and Cyrillic: their letters, the font, its features.
_SCRIPTS = (
    ("\u0530-\u058f", "NotoSansArmenian", "script=armn;"), ("\u0590-\u05ff\ufb1d-\ufb4f", "NotoSansHebrew", "script=hebr;"),
    ("\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc", "NotoSansArabic", "script=arab;"),
    ("\u0900-\u097f", "NotoSansDevanagari", "script=dev2;"), ("\u0980-\u09ff", "NotoSansBengali", "script=bng2;"),
    ("\u0a00-\u0a7f", "NotoSansGurmukhi", "script=gur2;"), ("\u0a80-\u0aff", "NotoSansGujarati", "script=gjr2;"),
    ("\u0b80-\u0bff", "NotoSansTamil", "script=tml2;"), ("\u0c00-\u0c7f", "NotoSansTelugu", "script=tel2;"),
    ("\u0c80-\u0cff", "NotoSansKannada", "script=knd2;"), ("\u0d00-\u0d7f", "NotoSansMalayalam", "script=mlm2;"),
    ("\u0d80-\u0dff", "NotoSansSinhala", "script=sinh;"), ("\u0e00-\u0e7f", "NotoSansThai", "script=thai;"),
    ("\u1000-\u109f", "NotoSansMyanmar", "script=mym2;"), ("\u10a0-\u10ff", "NotoSansGeorgian", "script=geor;"),
    ("\u1200-\u137f", "NotoSansEthiopic", "script=ethi;"), ("\u1780-\u17ff", "NotoSansKhmer", "script=khmr;"),
    ("\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff", "DroidSansFallback", ""),
    ("\u1100-\u11ff\u3130-\u318f\uac00-\ud7af", "Noto Sans CJK KR", ""),
    ("\u2190-\u2bff\U0001f000-\U0001faff", "NotoSansSymbols2", ""), ("\u2600-\u27bf", "NotoSansSymbols", ""), ("\U0001f000-\U0001faff", "Noto Color Emoji", ""))
_PACKAGES = {"CJK": "fonts-noto-cjk", "Droid": "fonts-droid-fallback", "Emoji": "fonts-noto-color-emoji"}  # of fonts that are not in fonts-noto-core
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+(?: +[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+)*")
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]+")  # Latin Modern has a few of its capitals: a name is in one font
_FONTS = r"""\ifdefined\directlua
\usepackage{luatexbase}
\newcommand{\rtl}[1]{\bgroup\textdir TRT #1\egroup}
\directlua{luaotfload.add_fallback("everyscript", {%s})}
\setmainfont{Latin Modern Roman}[RawFeature={fallback=everyscript}]\setsansfont{Latin Modern Sans}[RawFeature={fallback=everyscript}]
\newcommand{\greek}[1]{{\fontspec{NotoSans}#1}}
\else
\TeXXeTstate=1 \newcommand{\rtl}[1]{\beginR #1\endR}\newcommand{\greek}[1]{#1}
\fi"""


def fallback_fonts(text: str) -> str:
    """The part of a preamble that finds the letters of a text which Latin Modern lacks: the fonts of its scripts alone, for each takes time.

    >>> "Hebrew" in fallback_fonts("\u05e9\u05e8\u05d4"), "Hebrew" in fallback_fonts("Zo\u00eb")
    (True, False)
    """
    needed = [("NotoSans", ""), *((font, features) for letters, font, features in _SCRIPTS if re.search(f"[{letters}]", text))]
    return _FONTS % ", ".join(f'"{font}:mode=harf;{features}"' for font, features in needed)


def package_of(font: str) -> str:
    """The Debian package of a font of the list."""
    return next((package for word, package in _PACKAGES.items() if word in font), "fonts-noto-core")


def without_font(source: str, font: str) -> str:
    """A page's source that does without a font of the list."""
    return re.sub(rf'"{re.escape(font)}:[^"]*"(, )?|\\fontspec\{{{re.escape(font)}\}}', "", source)


def boxed(tex: str, letters: Container[str]) -> str:
    r"""LaTeX with a box in place of each of these letters beyond T1: its number stands in it.

    >>> print(boxed("Zoë \U0001f393", "\U0001f393"))
    Zoë \lacking{U+1F393}
    """
    return tex.translate({ord(c): "" if c in _INVISIBLE else rf"\lacking{{{_number(c)}}}" for c in set(tex) - _T1 if c in letters})


def beyond_t1(text: str) -> str:
    """The letters of a text that pdfLaTeX lacks, in their order."""
    return "".join(dict.fromkeys(c for c in clean(text) if c not in _T1 and c not in _INVISIBLE))


def lacking(letter: str, *, here: bool = True) -> str:
    """A letter that no font has, in words; here: with what to do about it.

    >>> print(lacking("\U0001f469"))
    '\U0001f469' (WOMAN, U+1F469; install fonts-noto-color-emoji)
    """
    fonts = [font for letters, font, _ in _SCRIPTS if re.match(f"[{letters}]", letter)]
    remedy = "" if not here else f"; install {package_of(fonts[-1])}" if fonts else "; no font known here has it"
    return f"{letter!r} ({unicodedata.name(letter, 'no name')}, {_number(letter)}{remedy})"


def _number(letter: str) -> str:
    return f"U+{ord(letter):04X}"


def directed(tex: str) -> str:
    """Runs of Hebrew and Arabic letters marked, so that they are set from right to left, and Greek ones, so that they are in one font."""
    return _GREEK.sub(lambda m: rf"\greek{{{m[0]}}}", _RIGHT_TO_LEFT.sub(lambda m: rf"\rtl{{{m[0]}}}", tex))


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
