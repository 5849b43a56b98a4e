"""``chainrule code``: the derivation as the functions of a lecture, or as a script, in one of several languages."""

from __future__ import annotations

from pathlib import Path

import click

from ..files import write_all


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "language", default="numpy", show_default=True, help="numpy, python, pytorch, jax, javascript, c.")
@click.option("--layout", default=None, help="columns (W @ X + b) or rows (X @ W + b); default: the file's own.")
@click.option("--script", is_flag=True, help="With the file's data and starting values and some training steps, so that it runs by itself.")
@click.option("--steps", type=click.IntRange(0, 10_000), default=None, help="With --script: how many training steps (default: the file's own, or 3).")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), default=None, help="File for the code; without it the terminal.")
def code(file: Path, language: str, layout: str | None, script: bool, steps: int | None, path: Path | None) -> None:
    """Print the derivation of FILE as code: forward, loss, backward, update_parameters."""
    from ..numeric.coding import coded
    from ..reading.specfile import load

    text = coded(load(file), language, layout=layout, script=script, steps=steps)
    if path is None:
        click.echo(text, nl=False)
    else:
        write_all({path: text.encode()})
        click.echo(str(path))
