"""The ``check`` block of a spec: at most three lines for a file that is written in its own words.

>>> Adapter.model_validate({"rename": {"foo": "W1"}, "returns": ["dW1", "db1"]}).renames
{'foo': 'W1'}
"""

from __future__ import annotations

from pydantic import Field, field_validator

from ..reading.keys import Keys


def _words(raw: object) -> object:
    return [w.strip() for w in raw.split(",")] if isinstance(raw, str) else raw


class Adapter(Keys):
    """What the names, results and arrays of the students' files are."""

    returns: list[str] = Field(default_factory=list, description="What the function of the gradients returns, in order.", examples=[["dW1", "db1", "dW2", "db2"]])
    attrs: dict[str, str] = Field(default_factory=dict, description="Where an object keeps a value: name of the network, path of attributes.",
                                  examples=[{"W1": "hidden.w", "dW1": "hidden.gw"}])
    rename: dict[str, str] = Field(default_factory=dict, description="The file's own names: of variables, parameters, functions (forward, backward, loss, train).",
                                   examples=[{"kernel_a": "W1", "my_backward": "backward"}])
    recover_from_update: bool | float = Field(default=False, description="The gradient is old minus new parameter after one update; a number: divided by this "
                                              "learning rate, where the file fixes it.", examples=[True, 0.1])
    script: bool = Field(default=False, description="Take the file as a flat script, whatever it defines.", examples=[True])
    locals: str = Field(default="", description="The function whose local variables hold the gradients.", examples=["train"])
    layout: list[str] = Field(default_factory=list, description="How arrays are laid out: rows or columns, in_out or out_in, line, flat or column for biases, first or last "
                              "for biases within W, vectors, classes.", examples=[["columns", "out_in"]])
    preset: str = Field(default="", description="A convention from the list of presets.", examples=["nielsen"])

    max_hint: int = Field(default=4, ge=0, le=4, description="The most that a report may say: 0 the verdict alone, 1 where, 2 the cause, 3 the formula, 4 the corrected line.",
                          examples=[2])

    @field_validator("returns", "layout", mode="before")
    @classmethod
    def _listed(cls, raw: object) -> object:
        return _words(raw)

    @field_validator("recover_from_update", mode="before")
    @classmethod
    def _rate(cls, raw: object) -> object:
        return {"true": True, "yes": True, "false": False, "no": False}.get(str(raw).lower(), raw)

    @property
    def renames(self) -> dict[str, str]:
        """Names of the file and what they stand for, those of attributes too."""
        return {**self.rename, **{path: name for name, path in self.attrs.items()}, **({self.locals: "train"} if self.locals else {})}
