r"""Find a TeX engine on this machine and let it make one PDF, safely and always with the same bytes.

A page's source is run in a private directory, without shell, with limits on time, memory and file
size; it comes back whole, or as one sentence with the offending line. Same source, same bytes: for
that the preamble must contain ``DETERMINISTIC``, and no clock (``\today`` is 1 January 1970 here).
Outside text must still be escaped (``symbolic.render.text``): pdfTeX's ``\pdfobj file`` and all Lua
code ignore the file restrictions, and tectonic knows none.

>>> [engine.name for engine in ENGINES if engine.unicode]
['lualatex', 'tectonic']
>>> compile_pdf(r"\documentclass{article}\begin{document}\nosuch\end{document}", engine=find_engine())
Traceback (most recent call last):
symbolic.errors.TexError: pdflatex stopped at line 1: Undefined control sequence \nosuch, in: \documentclass{article}\begin{document}\nosuch\end{document}
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from symbolic.errors import TexError, nearest

from .text import package_of

PASSES = 4
MEMORY_MB = 4096
FILE_MB = 64
OPEN_FILES = 256
APT_PACKAGES = "texlive-latex-base texlive-latex-recommended texlive-pictures lmodern"
APT_UNICODE = "texlive-luatex fonts-noto-core fonts-droid-fallback"
_TECTONIC = "tectonic (https://tectonic-typesetting.github.io)"

# No dates, ids or banners in the PDF. Tectonic (XeTeX) has no such switches and needs none: it
# takes both from SOURCE_DATE_EPOCH.
DETERMINISTIC = r"""\ifdefined\pdfvariable
  \pdfvariable suppressoptionalinfo 1023 \pdfvariable trailerid {}
\else\ifdefined\pdftrailerid
  \pdftrailerid{}\pdfinfoomitdate=1 \pdfsuppressptexinfo=-1
\fi\fi
"""


@dataclass(frozen=True)
class Engine:
    """One row of ``ENGINES``; ``path`` is filled in by ``find_engine``."""

    name: str
    options: tuple[str, ...]
    unicode: bool
    path: str = ""


class NoLetter(TexError):
    """No font has these letters, or a font is missing."""

    def __init__(self, sentence: str, letters: str = "", font: str = "", *, hint: str) -> None:
        super().__init__(sentence, hint=hint)
        self.letters, self.font = letters, font


@dataclass(frozen=True)
class Compiled:
    """A whole PDF, the last log, what the log complains of (overfull boxes), the passes it took."""

    pdf: bytes
    log: str
    complaints: tuple[str, ...]
    passes: int


_STRICT = ("-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "-file-line-error")

ENGINES = (  # in order of preference
    Engine("pdflatex", _STRICT, unicode=False),
    Engine("lualatex", (*_STRICT, "--nosocket"), unicode=True),
    Engine("tectonic", ("--untrusted", "--keep-logs", "--chatter=minimal"), unicode=True),
)


def find_engine(name: str | None = None, *, unicode: bool = False) -> Engine | None:
    """The TeX engine to use, or None if this machine has none that will do.

    Args:
        name: a name of ``ENGINES``; by default the first that is on the PATH.
        unicode: only engines that print letters beyond T1 with the system's fonts.

    Raises:
        TexError: the named engine is unknown, not on the PATH, or cannot do what ``unicode`` asks.
    """
    if name is not None and name not in {engine.name for engine in ENGINES}:
        raise TexError(f"unknown TeX engine {name!r}", hint=nearest(name, [e.name for e in ENGINES]))
    for engine in ENGINES:
        path = shutil.which(engine.name) if name in (None, engine.name) else None
        if path and (not unicode or _loads_system_fonts(engine)):
            return replace(engine, path=os.path.abspath(path))
    if name is None:
        return None
    if shutil.which(name) is None:
        hint = f"install {_TECTONIC}" if name == "tectonic" else install_hint()
        raise TexError(f"the TeX engine {name!r} is not on the PATH", hint=hint)
    raise TexError(f"{name} here cannot print letters beyond T1", hint=install_hint(unicode=True))


def install_hint(*, unicode: bool = False) -> str:
    """How to get a TeX engine on this system; with ``unicode`` one for letters beyond T1."""
    system = platform.system()
    if system == "Linux" and _is_debian():
        packages = f"{APT_PACKAGES} {APT_UNICODE}" if unicode else APT_PACKAGES
        return f"run: sudo apt-get install --no-install-recommends {packages}"
    if system == "Darwin":
        return "install MacTeX (https://tug.org/mactex), or run: brew install tectonic"
    if system == "Windows":
        return "install MiKTeX (https://miktex.org)"
    return f"install TeX Live from your system's packages, or {_TECTONIC}"


def compile_pdf(source: str, *, engine: Engine, timeout: float = 120) -> Compiled:
    """Run ``engine`` on ``source`` as often as its log asks, at most ``PASSES`` times.

    Args:
        source: a whole LaTeX document; its preamble contains ``DETERMINISTIC``.
        engine: from ``find_engine``.
        timeout: seconds for all passes together.

    Raises:
        TexError: TeX stopped (message, line number and line), hit a limit, or had no glyph for a
            character.
    """
    deadline = time.monotonic() + timeout
    with tempfile.TemporaryDirectory(prefix="chainrule-") as name:  # mode 0700
        directory = Path(name)
        (directory / "page.tex").write_bytes(source.encode("utf-8"))
        for passes in range(1, PASSES + 1):
            before = _auxiliary(directory)
            log = _run(engine, directory, source, deadline, timeout)
            again = _asks_for_rerun(log, source, before, _auxiliary(directory))
            if not again:
                break
        complaints = dict.fromkeys(m[0] for m in _OVERFULL.finditer(log) if float(m[1]) > 0.1)
        unsettled = (f"references did not settle in {PASSES} passes",) if again else ()
        return Compiled(_whole_pdf(engine, directory), log, (*complaints, *unsettled), passes)


# The shell sets the limits, not Python's preexec_fn: that may deadlock when pages are compiled in
# threads. A limit that this system does not know, or that is already lower, is passed over.
_LIMITED = (
    'for limit in "-c 0" "-t $1" "-f $2" "-v $3" "-n $4"; do ulimit $limit 2>/dev/null || :; done; '
    'shift 4; exec "$@"'
)

_KEPT_VARIABLES = (
    *("PATH", "HOME", "TEXMFHOME", "TEXMFVAR", "TEXMFCONFIG", "XDG_CACHE_HOME", "TECTONIC_CACHE_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE"),
    *("SYSTEMROOT", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
)


def _run(engine: Engine, directory: Path, source: str, deadline: float, timeout: float) -> str:
    terminal = directory / "terminal.txt"
    (directory / "page.log").unlink(missing_ok=True)
    with terminal.open("wb") as screen:
        process = subprocess.Popen(
            _command(engine, timeout),
            cwd=directory,
            env=_environment(directory),
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TexError(f"{engine.name} did not finish within {timeout:g} s") from None
        finally:
            _end(process)
    written = [path.read_bytes() for path in (directory / "page.log", terminal) if path.is_file()]
    log = b"\n".join(written).decode("utf-8", "replace").replace("\r\n", "\n")
    if status != 0:
        raise _failure(engine, source, log, status, timeout)
    if missing := _MISSING.findall(log):
        raise _no_letter("".join(dict.fromkeys(missing)), engine)
    return log


def _command(engine: Engine, timeout: float) -> list[str]:
    command = [engine.path or engine.name, *engine.options, "page.tex"]
    if os.name != "posix":
        return command
    limits = (int(timeout) + 1, FILE_MB * 2048, MEMORY_MB * 1024, OPEN_FILES)  # s, 512 B, KB, files
    return ["/bin/sh", "-c", _LIMITED, "sh", *map(str, limits), *command]


def _environment(directory: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    fixed = {"openin_any": "p", "openout_any": "p", "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
    # Long lines, so that a message or a source line is never cut in the log.
    lines = {"max_print_line": "1000", "error_line": "254", "half_error_line": "238"}
    folder = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(directory))
    return {**kept, **fixed, **lines, **folder, "LC_ALL": "C.UTF-8"}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what still runs, with everything that it started."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
        process.wait()


def _whole_pdf(engine: Engine, directory: Path) -> bytes:
    path = directory / "page.pdf"
    pdf = path.read_bytes() if path.is_file() else b""
    if not (pdf.startswith(b"%PDF") and pdf.rstrip().endswith(b"%%EOF")):
        raise TexError(f"{engine.name} wrote no whole PDF", hint="does the document have a page?")
    return pdf


_RERUN = re.compile(r"Rerun to get|Label\(s\) may have changed|Rerun LaTeX")
# hyperref asks for a rerun whenever it makes a new outline file, even for an empty one.
_OUTLINE = re.compile(r"Package rerunfilecheck Warning: File `page\.out' has changed\.\s+\(rerun.*?outlines right")
# What reads a file of the previous pass without asking for a rerun in the log.
_READERS = {
    ".nav": re.compile(r"\\insert(total|main|presentation|document)|\\insert\w*navigation"),
    ".toc": re.compile(r"\\tableofcontents"),
    ".aux": re.compile(r"remember picture"),
}


def _asks_for_rerun(log: str, source: str, before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    changed = {suffix for suffix, content in after.items() if before.get(suffix, b"") != content}
    if ".out" not in changed:
        log = _OUTLINE.sub("", log)
    silent = any(suffix in changed and reader.search(source) for suffix, reader in _READERS.items())
    return bool(_RERUN.search(log)) or silent


def _auxiliary(directory: Path) -> dict[str, bytes]:
    suffixes = (".out", *_READERS)
    return {path.suffix: path.read_bytes() for path in directory.glob("page.*") if path.suffix in suffixes}


_OVERFULL = re.compile(r"Overfull \\[hv]box \(([\d.]+)pt too (?:wide|high)\)[^\n]*")
_MISSING = re.compile(r"Missing character: There is no (.+?) (?:\([^)\n]*\) )?in font")
_NO_UNICODE = re.compile(r"Unicode character (\S+) \(U\+")
_NO_FONT = re.compile(r'Font "([^"]+)" not found')
_MESSAGE = re.compile(r"^(?:! |\S*?\.\w+:(\d+): |error: page\.tex:(\d+): )(.+(?:\n {8,}\S.*|\n\(\w+\) +.*)*)", re.M)
_LINE = re.compile(r"^(?:l\.|\S*page\.tex:)(\d+)\b", re.M)
_CULPRIT = re.compile(r"^(?!\s*$).*?(\\[A-Za-z@]+|\\.) ?$", re.M)


def _failure(engine: Engine, source: str, log: str, status: int, timeout: float) -> TexError:
    if -status in (9, 24):  # SIGKILL, SIGXCPU: Windows has no such names
        return TexError(f"{engine.name} did not finish within {timeout:g} s")
    if -status == 25:  # SIGXFSZ
        return TexError(f"{engine.name} wrote a file of more than {FILE_MB} MB and was stopped")
    if letter := _NO_UNICODE.search(log):
        return _no_letter(letter[1], engine)
    if font := _NO_FONT.search(log):
        return NoLetter(f"the font {font[1]} is not installed", font=font[1], hint=f"install {package_of(font[1])}")
    if not (found := _MESSAGE.search(log)):
        return TexError(f"{engine.name} failed with status {status} and said nothing", hint="run: chainrule doctor")
    message = re.sub(r"\n\(\w+\) +|\s+", " ", found[3]).strip(" .!")
    if message == "Undefined control sequence" and (culprit := _CULPRIT.search(log, found.end())):
        message = f"{message} {culprit[1]}"
    number = _LINE.search(log, found.start())
    return TexError(_sentence(engine, message, source.splitlines(), int(number[1]) if number else 0))


def _sentence(engine: Engine, message: str, lines: list[str], number: int) -> str:
    if not 1 <= number <= len(lines):
        return f"{engine.name} stopped: {message}"
    # Beamer reports the end of a frame: the nearest line above with the unknown command is meant.
    if (command := message.rpartition(" ")[2]).startswith("\\"):
        number = next((n for n in range(number, 0, -1) if command in lines[n - 1]), number)
    text = lines[number - 1].strip()
    shown = text if len(text) <= 100 else text[:100] + " ..."
    return f"{engine.name} stopped at line {number}: {message}, in: {shown}"


def _no_letter(letters: str, engine: Engine) -> NoLetter:
    hint = "install fonts-noto-core (fonts-noto-cjk for Korean), or write it with other letters"
    if not engine.unicode:
        hint = "compile with lualatex and install fonts-noto-core texlive-luatex"
    return NoLetter(f"the font has no letter {letters[0]!r}", letters, hint=hint)


def _is_debian() -> bool:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return False
    return "debian" in f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()


def _loads_system_fonts(engine: Engine) -> bool:
    """LuaLaTeX comes with texlive-latex-base, its font loader does not."""
    kpsewhich = shutil.which("kpsewhich")
    if engine.name != "lualatex" or kpsewhich is None:
        return engine.unicode
    return subprocess.run([kpsewhich, "luaotfload.sty"], capture_output=True).returncode == 0
