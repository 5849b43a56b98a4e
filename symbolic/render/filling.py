"""Templates filled in: delimiters that TeX never uses, and every value escaped that is not LaTeX already."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import jinja2

from ..errors import ChainruleError
from .text import escape
from .view import Tex


def make_environment(own: Path | None = None) -> jinja2.Environment:
    """Templates: the user's folder first, then the package's, then the checkout's.

    Delimiters that TeX never uses; every value that is not marked as LaTeX is escaped.
    """
    package = Path(__file__).resolve().parent.parent
    if own is not None and not own.is_dir():
        raise ChainruleError(f"--templates {own}: no such folder")
    folders = [p for p in (own, package / "templates", package.parent / "templates") if p is not None]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(p) for p in folders]),
        block_start_string="<%", block_end_string="%>", variable_start_string="<<", variable_end_string=">>",
        comment_start_string="<#", comment_end_string="#>", undefined=jinja2.StrictUndefined,
        finalize=lambda v: v if isinstance(v, (Tex, int)) else escape(str(v)), auto_reload=False,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False)


def render(environment: jinja2.Environment, template: str, context: dict[str, Any]) -> str:
    """A template filled in. Raises ChainruleError with file and line for a broken template."""
    try:
        return environment.get_template(template).render(context)
    except jinja2.TemplateSyntaxError as e:
        raise ChainruleError(f"the template cannot be read: {e.message}", where=f"{e.filename or e.name}:{e.lineno}") from None
    except jinja2.TemplateNotFound as e:
        raise ChainruleError(f"the template {e.name} was not found", where=_template_line(e)) from None
    except jinja2.UndefinedError as e:
        raise ChainruleError(f"the template uses a value that does not exist: {e.message}", where=_template_line(e) or template) from None
    except UnicodeDecodeError:
        raise ChainruleError("a template is not UTF-8 text", where=template) from None
    except Exception as e:  # the values are plain data, so whatever fails is the template's own
        raise ChainruleError(f"the template fails: {e or type(e).__name__}", where=_template_line(e) or template) from None


def _template_line(error: Exception) -> str:
    """File and line of the innermost template that was being filled in."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).suffix in (".tex", ".md")]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def shortened(title: str, most: int = 72) -> str:
    """A title for a footer: cut at a word where it is long."""
    return title if len(title) <= most else title[:most].rsplit(" ", 1)[0] + " ..."
