r"""The network drawn as units and connections.

All lengths are millimetres; the TikZ relies on `templates/figures.tex`.

>>> picture = network([["x_1", "x_2"], ["h_1", "h_2"], [r"\hat y"]], loss="L", width=50, height=60)
>>> picture.count(r"\node"), picture.count("net loss")
(6, 1)
>>> shown(512, 8, {200})
[0, 1, 2, None, 200, None, 510, 511]
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .width import measure

MOST = 8  # layers of more units are elided
ROWS = 6  # rows of an elided layer, dots included
FONTS = ((7.0, r"\small", 10), (5.8, r"\footnotesize", 9), (0.0, r"\scriptsize", 8))  # by height of a unit
LEAST, LARGEST = 4.4, 7.4  # height of a unit
PAD, APART = 1.2, 2.6  # beside a label in its unit; least width between layers
LINE = 2.9  # from one line of a caption to the next

Mark = tuple[int, int, int, str]  # layer, unit in it, unit in the next layer, colour
Column = list[int | None]  # the units (or layers) that are drawn, None for dots
Point = tuple[float, float]


@dataclass(frozen=True)
class _Plan:
    """Where everything stands."""

    columns: Sequence[Sequence[str]]  # labels of all units
    places: dict[tuple[int, int], Point]  # (layer, unit) -> centre; a negative number: dots
    font: str
    tall: float  # height of a unit
    wide: dict[int, float]  # width of the units of a layer


def network(layers: Sequence[Sequence[str]], *, loss: str = "", names: Sequence[str] = (),
            highlight: Sequence[Mark] = (), weights: Mapping[tuple[int, int, int], str] | None = None, width: float, height: float) -> str:
    """The TikZ picture of a network with these labels of units, inputs first, in width x height.

    `names` are captions.  `highlight` draws connections thick and their units ringed; `weights` labels connections.  The connection to
    the loss is `(last layer, unit, 0)`.
    """
    columns = [*layers, [loss]] if loss else layers
    marked = _marked(columns, [mark[:3] for mark in highlight] + list(weights or ()))
    least, most_wide = (max(measure(label, pt)[0] for labels in columns for label in labels) + PAD for pt in (8, 10))
    most = max(3, int((width - least) / (least + APART)) + 1)
    needed = {0, len(layers) - 1, len(columns) - 1} | {layer for layer, units in marked.items() if units}
    kept = shown(len(columns), most, needed)
    captioned = bool(names) or any(len(labels) > MOST for labels in columns)
    slot = min(34.0, width / len(kept) if captioned else (width - max(most_wide, LARGEST)) / max(1, len(kept) - 1))
    captions = {layer: _caption(names[layer] if layer < len(names) else "", len(columns[layer]), slot - 1)
                for layer in kept if layer is not None}
    lines = max(len(text) for _, text in captions.values())
    foot = lines * LINE + 2 if lines else 0.0
    plan = _plan(columns, kept, marked, slot, height - foot)
    low = min(y for _, y in plan.places.values()) - plan.tall / 2
    high = max(y for _, y in plan.places.values()) + plan.tall / 2
    side = slot / 2 if captioned else max(plan.wide.values()) / 2
    body = [*_connections(plan), *_units(plan, highlight, bool(loss)), *_paths(highlight, weights or {})]
    for layer, (font, text) in captions.items():
        x = plan.places[layer, max(unit for owner, unit in plan.places if owner == layer)][0]
        body += [rf"\netcaption{{{x:.2f}}}{{{low - 0.8 - (row + 1) * LINE:.2f}}}{{{font}}}{{{line}}}"
                 for row, line in enumerate(text)]
    corners = f"{_at((-side, low - foot))} rectangle {_at(((len(kept) - 1) * slot + side, high))}"
    return "\n".join([r"\begin{tikzpicture}[net]", rf"\useasboundingbox {corners};", *body, r"\end{tikzpicture}"])


def shown(count: int, room: int, must: Collection[int] = ()) -> Column:
    """Which of `count` units are drawn in `room` rows: the first three, the last and those that must.

    >>> shown(64, 6)
    [0, 1, 2, None, 62, 63]
    """
    if count <= room:
        return list(range(count))
    chosen = set(must)
    for unit in (0, count - 1, 1, 2, count - 2, 3, 4, 5):
        if 0 <= unit < count and len(_with_dots(chosen | {unit}, count)) <= room:
            chosen.add(unit)
    return _with_dots(chosen, count)


def _with_dots(chosen: Collection[int], count: int) -> Column:
    out: Column = []
    after = 0
    for unit in [*sorted(chosen), count]:
        if unit > after:
            out.append(None if unit > after + 1 else after)  # dots for one unit would save nothing
        if unit < count:
            out.append(unit)
        after = unit + 1
    return out


def _marked(columns: Sequence[Sequence[str]], edges: Sequence[tuple[int, ...]]) -> dict[int, set[int]]:
    """The units of each layer at the ends of these connections; they must be visible."""
    marked: dict[int, set[int]] = {layer: set() for layer in range(len(columns))}
    for layer, source, target in edges:
        if not (0 <= layer < len(columns) - 1 and 0 <= source < len(columns[layer])
                and 0 <= target < len(columns[layer + 1])):
            raise ValueError(f"the network has no connection {(layer, source, target)}")
        marked[layer].add(source)
        marked[layer + 1].add(target)
    return marked


def _plan(columns: Sequence[Sequence[str]], kept: Column, marked: Mapping[int, Collection[int]],
          slot: float, room: float) -> _Plan:
    """Rows as high as the room allows, the largest type that fits them."""
    most = max(3, int((room + 0.8) / (LEAST + 0.8)))
    stacks = {layer: shown(len(columns[layer]), min(most, ROWS if len(columns[layer]) > MOST else MOST),
                           marked[layer]) for layer in kept if layer is not None}
    rows = max(map(len, stacks.values()))
    tall = max(LEAST, min(LARGEST, room / (1.2 * rows - 0.2)))
    pitch = min(2.0 * tall, (room - tall) / max(1, rows - 1))
    for enough, font, pt in FONTS:
        wide = {layer: max([tall] + [measure(columns[layer][unit], pt)[0] + PAD for unit in stack
                                     if unit is not None]) for layer, stack in stacks.items()}
        if tall >= enough and max(wide.values()) <= max(slot - APART, tall):
            break
    places: dict[tuple[int, int], Point] = {}
    for number, layer in enumerate(kept):
        if layer is None:
            places[-1 - number, 0] = (number * slot, 0.0)
            continue
        for row, unit in enumerate(stacks[layer]):
            y = ((len(stacks[layer]) - 1) / 2 - row) * pitch
            places[layer, -1 - row if unit is None else unit] = (number * slot, y)
    return _Plan(columns, places, font, tall, wide)


def _at(point: tuple[float, float]) -> str:
    return f"({round(point[0], 2):g},{round(point[1], 2):g})"


def _connections(plan: _Plan) -> list[str]:
    """Every connection between units that are drawn, as one hairline path."""
    drawn = [(place, point) for place, point in plan.places.items() if min(place) >= 0]
    lines = [f"{_at(start)}--{_at(end)}" for (layer, _), start in drawn for (after, _), end in drawn
             if after == layer + 1]
    return [rf"\draw[net edge] {' '.join(lines)};"] if lines else []


def _units(plan: _Plan, highlight: Sequence[Mark], loss: bool) -> list[str]:
    """The units over their connections; a ring has the colour of the path that leaves the unit."""
    rings = {(layer + 1, target): colour for layer, _, target, colour in highlight}
    rings |= {(layer, source): colour for layer, source, _, colour in highlight}
    out = []
    for (layer, unit), point in plan.places.items():
        if layer < 0 or unit < 0:
            dots = r"\cdots" if layer < 0 else r"\vdots"
            out.append(rf"\netdots{{{point[0]:.2f}}}{{{point[1]:.2f}}}{{{dots}}}")
            continue
        last = loss and layer == len(plan.columns) - 1
        options = [f"net {'loss' if last else 'unit'}={plan.font}", f"minimum width={plan.wide[layer]:.2f}mm",
                   f"minimum height={plan.tall:.2f}mm", f"rounded corners={1.4 if last else plan.tall / 2:.2f}mm"]
        if (layer, unit) in rings:
            options.append(f"net ring={rings[layer, unit]}")
        out.append(rf"\node[{','.join(options)}] (n{layer}-{unit}) at {_at(point)} {{${plan.columns[layer][unit]}$}};")
    return out


def _paths(highlight: Sequence[Mark], weights: Mapping[tuple[int, int, int], str]) -> list[str]:
    """Highlighted connections as arrows, and the labels along connections."""
    colours = {(layer, source, target): colour for layer, source, target, colour in highlight}
    out = []
    for layer, source, target in dict.fromkeys([*colours, *weights]):
        colour, label = colours.get((layer, source, target)), weights.get((layer, source, target))
        # nearer to the source, where lines to the same unit are still apart
        text = rf" node[net weight,sloped,above,pos=.4]{{${label}$}}" if label else ""
        style = rf"\draw[net path={colour}]" if colour else r"\path[text=soft]"
        out.append(f"{style} (n{layer}-{source}) --{text} (n{layer + 1}-{target});")
    return out


def _caption(name: str, count: int, room: float) -> tuple[str, list[str]]:
    """The type and the lines of a caption; an elided layer says how many units it has."""
    for font, pt in ((r"\scriptsize", 8), (r"\tiny", 6)):
        lines: list[str] = [f"{count} units"] if count > MOST else []
        first = len(lines)
        for word in name.split():
            longer = f"{lines[-1]} {word}" if len(lines) > first else word
            if len(lines) > first and _long(longer, pt) <= room:
                lines[-1] = longer
            else:
                lines.append(word)
        if max([_long(line, pt) for line in lines], default=0.0) <= room:
            break
    return font, lines


def _long(words: str, pt: int) -> float:
    return measure(rf"\text{{{words}}}", pt)[0]
