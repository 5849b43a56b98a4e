"""What the names in a student's file stand for: W1, weights1, theta_1, self.w_hidden, dW1, grads['W1'], nabla_w[0], y_pred ...

The answer is the network's own name, with ``d:`` in front for a gradient; or one of the words in `WORDS` (x, y, y_hat, lr, cache ...).

>>> names = Names(2)
>>> [names.role(n) for n in ("W1", "weights2", "theta_1", "w_hidden", "b_out", "hidden_bias", "dW1", "grad_W2", "b1_grad", "dL_dW2", "y_pred", "eta")]
['W1', 'W2', 'W1', 'W1', 'b2', 'b1', 'd:W1', 'd:W2', 'd:b1', 'd:W2', 'y_hat', 'lr']
>>> [names.of(p) for p in (("nabla_w", 0), ("grads", "W1"), ("weights", 1), ("fc2", "bias"), ("layers", 0, "dW"), ("cache", "A2"))]
['d:W1', 'd:W1', 'W2', 'b2', 'd:W1', 'a2']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Part: TypeAlias = "str | int"

# role: the names it has in people's files, lower case without underscores
WORDS: dict[str, str] = {
    "x": "x inputs input inp xtrain xbatch xb xs features data xdata images inputdata inputslist inputlist trainx trainingdata samples xin",
    "y": "y ytrue targets target labels label t ytrain yb ys truth trainy actual expected ybatch groundtruth desired outputdata targetslist targetlist",
    "y_hat": "ypred yhat yp output outputs out preds pred prediction predictions predicted probs prob probabilities p o al aout yprob "
             "activatedoutput finaloutput outputlayer ypredicted predictedoutput finaloutputs oout",
    "loss": "loss l cost j mse bce lossvalue totalloss dataloss totalcost losses crossentropy",
    "cache": "cache caches memory forwardcache forwardpropcache tape intermediates intermediate ctx state saved activations",
    "lr": "lr learningrate alpha eta stepsize rate learnrate learning alphalr",
    "m": "m n batchsize numsamples numexamples nsamples nexamples bs msize",
    "epochs": "epochs epoch numepochs nepochs iterations numiterations niter numiters iters maxiter nsteps numsteps steps niterations nbepochs maxepochs",
    "parameters": "parameters params param model weightsdict theta par net networkparams network",
    "grads": "grads gradients grad dparams gradparams nabla derivatives gradientdict",
    "reg": "reg lambd lam lambda regularization l2 weightdecay regstrength l2reg",
    "sizes": "sizes layersizes layers layerdims layersdims dims topology architecture nodes nnarchitecture structure units neurons shape nunits layerssizes",
    "hidden_sizes": "hiddensizes hiddendims hiddenlayers hiddenlayersizes hiddens",
    "n_in": "inputsize nx ninput inputdim d nin numinputs nfeatures insize infeatures ninputs inputs dimin indim inputnodes inputunits nodesin fanin "
            "inputlayersize inputneurons numfeatures inputshape idim ni numinput inn inchannels",
    "n_hidden": "hiddensize hiddendim nh h nhidden hidden numhidden hiddenunits hiddennodes hiddenlayersize hiddenneurons nunits hdim hid nnhdim nhid",
    "n_out": "outputsize ny nout outputdim numclasses nclasses k noutputs outsize outfeatures outputnodes outputunits numoutputs dimout outdim outputs "
             "fanout outputlayersize outputneurons noutput odim no numoutput outn classes outchannels",
    "activation": "activation activationname act activationfunction nonlinearity activationtype activationfn",
    "seed": "seed randomseed randomstate",
    "verbose": "verbose printcost printloss plot debug printevery log",
    "shuffle": "shuffle",
    "batch": "minibatchsize batch minibatch",
    "upstream": "dout grad doutput outputgradient gradoutput outputerror dvalues dl dlout upstream delta error da dy g gradout accumgrad gradient dz outgrad grady",
}
GRADS_IN = {"grads", "gradients", "grad", "dparams", "gradparams", "nabla", "derivatives", "gradientdict", "gradient", "delta_nabla"}
_WEIGHT = r"(?:weights|weight|kernel|thetas|theta|synapse|syn|coef|omega|wts|wt|ws|w)"
_BIAS = r"(?:biases|bias|beta|intercept|bs|b)"
_LAST = {"o", "out", "output", "hy", "ho", "hiddenoutput", "y", "final", "hiddentooutput", "hout", "oh", "outputlayer", "hiddenout", "last", "who"}
_FIRST = {"h", "hidden", "xh", "ih", "inputhidden", "in", "input", "inputtohidden", "x", "inhidden", "hid", "hiddenlayer", "i", "first"}
_LAYER = r"(?:l|layer|fc|linear|dense|affine|lin|hidden|h|layers|d)"
_PREFIX = re.compile(r"^(?:d(?:l|j|c|e|loss|cost|error)?_?d_?|delta_nabla_?|nabla_?|gradients?_?(?:of_?)?|grads?_?|d_?|g_?)(?=[a-zA-Z])(.+)$", re.IGNORECASE)
_SUFFIX = re.compile(r"^(.+?)_?(?:grads?|gradients?|_g|_d|_delta|derivative)$", re.IGNORECASE)


_TOKEN = re.compile(r"\.([A-Za-z_]\w*)|\[(-?\d+)\]|\[('[^']*'|\"[^\"]*\")\]")


def plain(name: str) -> str:
    """Lower case, without underscores."""
    return name.strip("_").lower().replace("_", "")


_OF: dict[str, list[str]] = {}
for _role, _words in WORDS.items():
    for _word in _words.split():
        _OF.setdefault(_word, []).append(_role)


@dataclass(frozen=True)
class Names:
    """The names of a network of so many layers; zero: the file counts its layers from 0; rename: the person's own words.

    known: names of plain equations, which stand for themselves; equations: that nothing else is a parameter.
    """

    depth: int
    zero: bool = False
    rename: Mapping[str, str] = field(default_factory=dict)
    known: tuple[str, ...] = ()
    found: dict[str, str | None] = field(default_factory=dict, compare=False, repr=False)

    def role(self, name: str) -> str | None:
        """What one name stands for; None where that is not known."""
        if name not in self.found:
            self.found[name] = self._role(name)
        return self.found[name]

    def _role(self, name: str) -> str | None:
        given = self.rename.get(name)
        if given is not None:
            return self._canonical(given)
        if self.known:
            return self._own(name)
        return self.parameter(name) or self.value(name) or self._word(name) or self.gradient(name)

    def roles(self, name: str) -> list[str]:
        """Every word that it may be, the likeliest first."""
        first = self.role(name)
        return list(dict.fromkeys([*([first] if first else []), *(_OF.get(plain(name), []) if not self.known or not first else [])]))

    def _canonical(self, given: str) -> str:
        """The person's word for a role, as in `rename: {foo: dW1}`."""
        return self.gradient(given) or given if self.parameter(given) is None and given not in WORDS else given

    def _own(self, name: str) -> str | None:
        """Names of plain equations, whatever their case; gradients of them; else the common words."""
        same = [k for k in self.known if k == name] or [k for k in self.known if k.lower() == name.lower()]
        if len(same) == 1:
            return same[0]
        for pattern in (_PREFIX, _SUFFIX):
            if (m := pattern.match(name)) and (of := [k for k in self.known if k.lower() == m[1].strip("_").lower()]):
                return f"d:{of[0]}"
        return next((r for r in _OF.get(plain(name), ()) if r not in ("x", "y", "m", "cache")), None)

    def _word(self, name: str) -> str | None:
        if name in ("l", "j"):  # a layer or a place; L and J are losses
            return None
        word, number = re.fullmatch(r"(.*?)(?:layer)?(\d*)", plain(name)).groups()  # type: ignore[union-attr]
        if number and "n_hidden" in _OF.get(word, ()) and 1 <= int(number) < self.depth:
            return f"n{int(number)}"  # hidden1, n_hidden_2
        return next(iter(_OF.get(plain(name), ())), None)

    def parameter(self, name: str) -> str | None:
        """W1, b1, ...; 'W*' or 'b*' for a list of all of them."""
        low = name.strip("_").lower()
        for letter, word in (("W", _WEIGHT), ("b", _BIAS)):
            for pattern in (rf"{word}_?(\w*)", rf"(\w+?)_{word}", rf"(hidden|output|input|out){word}"):
                m = re.fullmatch(pattern, low)
                if m and (layer := self.layer(m[1])) is not None:
                    if layer == 0 and self.depth > 1 and len(low.strip("_")) == 1 and letter == "b" and "." in low:
                        continue
                    return f"{letter}{layer}" if layer else f"{letter}*" if self.depth > 1 else f"{letter}1"
        return None

    def layer(self, tag: str) -> int | None:
        """The number of a layer, counted from 1, by the end of a name; 0 for no tag, None for a tag that is none."""
        tag = re.sub(rf"^{_LAYER}_?(?=\d)", "", tag.strip("_"))
        if not tag:
            return 0
        if tag.isdigit():
            number = int(tag) + self.zero
            return number if 1 <= number <= self.depth else None
        word = plain(tag)
        if word in _FIRST and (self.depth > 1 or word not in ("h", "hidden")):
            return 1
        return self.depth if word in _LAST else None

    def value(self, name: str) -> str | None:
        """z1, a1, ... by their exact names; the last activation may be called y_hat."""
        m = re.fullmatch(r"([za])_?(\d+)", name.strip("_").lower())
        if m and 1 <= int(m[2]) <= self.depth:
            return f"{m[1]}{int(m[2])}"
        if m and m[1] == "a" and int(m[2]) == 0:
            return "x"
        return f"{name[0].lower()}1" if self.depth == 1 and name.lower() in ("z", "a") else None

    def gradient(self, name: str) -> str | None:
        """d:W1 for dW1, grad_W1, W1_grad ...; d:z1 for dz1, delta1."""
        m = re.fullmatch(r"(?:delta|d_?z|error|err)_?(\d+)|(?:l|layer|z)_?(\d+)_?delta", name.strip("_").lower())
        if m and 1 <= int(m[1] or m[2]) <= self.depth:
            return f"d:z{int(m[1] or m[2])}"
        for pattern in (_PREFIX, _SUFFIX):
            m = pattern.match(name.strip("_"))
            of = m and (self.parameter(m[1]) or self.value(m[1]))
            if of:
                return f"d:{of}"
        return None

    def of(self, parts: Sequence[Part]) -> str | None:
        """What a path stands for: its last part, with the number of the layer from the parts before it."""
        parts = [p.strip(".%") if isinstance(p, str) else p for p in parts]
        if not self.known and len(parts) > 1 and isinstance(parts[0], str) and (given := self.rename.get(path_words(parts))):
            return self._canonical(given)
        within = any(isinstance(p, str) and (plain(p) in GRADS_IN or p in GRADS_IN) for p in parts[:-1])
        role = self._of(parts)
        if role and within and not role.startswith("d:") and role[0] in "Wbza" and role != "y":
            return f"d:{role}"
        return role

    def _of(self, parts: Sequence[Part]) -> str | None:
        last = parts[-1]
        if isinstance(last, int):
            if len(parts) < 2 or not isinstance(parts[-2], str):
                return None
            listed = self.role(parts[-2])
            if listed and listed.endswith("*") and last < self.depth:
                return f"{listed[:-1]}{last + 1}"
            if listed in ("d:W1", "d:b1", "W1", "b1") and self.depth == 1 and last == 0 and self.parameter(parts[-2].removeprefix("nabla_").removeprefix("d")):
                return listed
            return None
        role = self.role(last)
        if len(parts) > 1 and role and (role.endswith("*") or self.depth == 1):
            number = self._container(parts[:-1])
            return f"{role[:-1]}{number}" if number and role.endswith("*") else role
        return role

    def _container(self, parts: Sequence[Part]) -> int | None:
        """The layer that a container of parameters stands for: fc2, layers[1], hidden."""
        last = parts[-1]
        if isinstance(last, int):
            return last + 1 if last < self.depth else None
        if isinstance(last, str):
            m = re.fullmatch(rf"{_LAYER}_?(\d+)", last.lower())
            if m:
                return int(m[1]) if 1 <= int(m[1]) <= self.depth else None
            return self.layer(last) or (self._container(parts[:-1]) if len(parts) > 1 else None)
        return None


def path_words(parts: Sequence[Part]) -> str:
    """A path as a person writes it in the spec: layers[0].W."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")


def parts(text: str) -> tuple[Part, ...]:
    """The parts of a path: r[0]['dW1'].x is (r, 0, dW1, .x).

    >>> parts("[0]['dW1'].x")
    (0, 'dW1', '.x')
    """
    return tuple(f".{a}" if a else int(i) if i else k[1:-1] for a, i, k in _TOKEN.findall(text))


def counts_from_zero(names: Iterable[str]) -> bool:
    """Whether the layers of a file are numbered from 0, as in syn0, syn1."""
    found = set()
    for name in names:
        for word in (_WEIGHT, _BIAS):
            m = re.fullmatch(rf"{word}_?(\d+)", name.strip("_").lower())
            if m:
                found.add(int(m[1]))
    return 0 in found
