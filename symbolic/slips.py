"""Mistakes that people make in backpropagation: the right machinery with one wrong row.

A slip changes one thing: a rule, the network, how terms are gathered, the update, or the forward pass. What follows
from it is worked out by the same walk backwards, so a slip reproduces wrong values and wrong formulas alike.

>>> from .layers import stack
>>> from .network import LayerPlan
>>> net = stack(("x", 2), "y", [LayerPlan(2, "sigmoid"), LayerPlan(1, "sigmoid")], "half_squared_error")
>>> wrong = next(SLIPS["output-slope"].apply(net))
>>> print(ex.text(wrong.derivation.steps["z2"].result), "|", wrong.said)
(dL/da2) | `dL/da2` was used as `dL/dz2`: the slope of the sigmoid is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import Any

from mpmath import mp

from . import expr as ex
from .derive import Derivation, Step, derive, derived, rederive
from .errors import ChainruleError
from .expr import Expr
from .language.arithmetic import MP, Env, Matrix, entries, spread_out
from .network import Network
from .values import forward, gradients
from .verify import AGREE
from .wrong import gathered, losses, rules, steps, ways
from .wrong.changes import Changed, Recall, Update, Ways, and_all, updated

MOST_PLACES = 60  # of one slip in one network


@dataclass(frozen=True)
class Working:
    """A problem worked out in one way: the right one, or with a slip.

    update: how parameters move; said: the marker's sentence with its place filled in; handed: what is returned for a value,
    in terms of named gradients; recall: leaves that earlier calls leave behind.
    """

    network: Network
    derivation: Derivation
    update: Update = updated
    said: str = ""
    handed: Mapping[str, Expr] = field(default_factory=dict)
    recall: Recall | None = None

    def values(self, leaves: Env, rate: Any = None, trained: Sequence[str] = (), key: Any = None, steps: int = 1,
               only: Iterable[str] | None = None) -> dict[Any, Matrix]:
        """Every value under its name, gradient under (of, wrt), updated parameter and later loss under (None, name).

        A vector-valued output is differentiated with the seed of ones. rate: None for no update. key: the one value that is
        wanted, so that the rest need not be computed. steps: how many updates; all else is then what stands before the last.
        only: the equations to compute, where leaves already holds the others.
        """
        for _ in range(steps - 1):
            env = self.values(leaves, rate, trained, (None, ""))
            leaves = {**leaves, **{n: env[None, n] for n in trained}}
        output = self.network.output
        shape = self.network.symbols[output].shape
        env = forward(self.network, {**leaves, **(self.recall([leaves]) if self.recall else {})}, only=only, partly=True)
        if isinstance(key, str):
            return env
        seed = [[mp.mpf(1)] * int(shape[1]) for _ in range(int(shape[0]))] if shape else None
        env = gradients(self.derivation if self.handed else self._as_far_as(key), env, seed, partly=True)
        env.update({(output, n): spread_out(entries(e, env, MP), e.shape) for n, e in self.handed.items() if (output, n) in env})
        if rate is not None and not shape and output in env and all(n in env for n in trained) and (key is None or key[0] is None):
            after = self.update(env, self.derivation, trained, rate)
            env.update({(None, n): m for n, m in after.items()})
            env[None, output] = forward(self.network, {**leaves, **after})[output]
        return env

    def _as_far_as(self, key: Any) -> Derivation:
        """The walk back to one gradient; all of it where no gradient is named."""
        steps = list(self.derivation.steps.items())
        names = [name for name, _ in steps]
        if key is None or key[0] is None or key[1] not in names:
            return self.derivation
        return replace(self.derivation, steps=dict(steps[:names.index(key[1]) + 1]))


def right(network: Network) -> Working:
    """The problem without a slip."""
    return Working(network, derive(network))


@dataclass(frozen=True)
class Slip:
    """A mistake. kind: rule, network, accumulation, update, forward, state (several calls) or optimizer; step: where it acts, in words.

    change: all the ways in which it can be made in a network; sentence: what a marker would write, with the places in braces and
    names between backticks.
    """

    name: str
    kind: str
    step: str
    change: Ways
    sentence: str

    def apply(self, network: Network) -> Iterator[Working]:
        """The network worked out with this slip, once for every place where it can be made; a theorem would hide it."""
        network = replace(network, shortcuts=())
        for changed in islice(self.change(network), MOST_PLACES):
            derivation = rederived(network, changed)
            if derivation is not None:
                yield Working(derivation.network, derivation, changed.update, self.said(changed), changed.handed, changed.recall)

    def said(self, changed: Changed) -> str:
        """The sentence, once for each of its places."""
        return " ".join(dict.fromkeys(self.sentence.format(**places) for places in (changed.places, *changed.also)))


def rederived(network: Network, changed: Changed) -> Derivation | None:
    """The derivation with a mistake in it; None where the mistake does not even fit the shapes."""
    try:
        derivation = derive(changed.on(network), rules=changed.rules) if changed.equations is None else \
            rederive(derived(network), changed.on(network), changed.equations, changed.rules)
        return derivation if changed.gather is None else replace(derivation, steps=_gathered_steps(derivation, changed.gather))
    except ChainruleError:
        return None


def _gathered_steps(derivation: Derivation, gather: Callable[[Step], Step]) -> dict[str, Step]:
    """All steps as a slip gathers them; what needs one of another shape cannot be computed."""
    steps: dict[str, Step] = {}
    for name, step in derivation.steps.items():
        made = gather(step) if step.terms else step
        if all(t.through in steps and steps[t.through].shape == derivation.steps[t.through].shape for t in step.terms):
            steps[name] = made
    return steps


# ---------------------------------------------------------------- the table, the simplest first

# Published mistakes that stand here only in part, and why:
# an index of the wrong place: `wrong-input` and `wrong-error` where another value of the same shape is taken (h[t] for h[t-1], another layer's); an index that
#   is off within one array (x[-1] that wraps around) could be any of its entries, so it is told as the first wrong gradient with its largest error;
# a pool or a convolution: `kernel-turned`, `kernel-flipped`, `pool-spread`; ties never occur at the test points, and a loop that returns after its first window
#   leaves zeros, told as such;
# two names for one array (dx = dout; dx[x < 0] = 0): the gradients are right, so no slip gives them; `check` compares all inputs before and after;
# an attribute that is stale or misspelt: `not-stored` where it leaves zeros, `batch-cached` and `not-reset` for what an earlier call left, and else no gradient
#   comes back: the verdict MISSING.

SLIPS: dict[str, Slip] = {s.name: s for s in (
    Slip("sign", "network", "any value or gradient", ways.negated, "The sign is turned around."),
    Slip("transposed", "accumulation", "any gradient", ways.transposed, "It is transposed: `d{L}/d{v}` has the shape of `{v}`."),
    Slip("output-slope", "rule", "activation of the output layer", ways.slope_missing(True),
         "`d{L}/d{a}` was used as `d{L}/d{z}`: the slope of the {function} is missing."),
    Slip("hidden-slope", "rule", "any other activation", and_all(ways.slope_missing(False)),
         "The slope of the {function} is missing: `d{L}/d{z}` is `d{L}/d{a}` times that slope."),
    Slip("chain-broken", "rule", "nested functions", ways.chain_broken, "The slope of the {which} function, {function}, is missing: the chain rule multiplies by both."),
    Slip("own-factor", "rule", "product", ways.own_factor, "The slope of a product with respect to one factor is the other factor; the factor itself was taken."),
    Slip("factor-doubled", "network", "loss", ways.twice, "It is twice the right value: a factor 1/2, such as the one before a square, was forgotten."),
    Slip("factor-halved", "network", "loss", ways.half, "It is half the right value: a factor 2, such as the one of a square, was forgotten."),
    Slip("bias-mean", "accumulation", "bias of a batch", and_all(ways.bias_mean), "The gradient of `{v}` is the sum over the examples; their mean was taken."),
    Slip("mean-forgotten", "network", "loss", ways.mean_forgotten, "It is {n} times the right value: `{L}` is a mean, and the division by {n} was forgotten."),
    Slip("mean-twice", "network", "loss", ways.mean_too_often, "It was divided by {n} once too often."),
    Slip("other-loss", "network", "loss", ways.other_loss, "This is the gradient under {loss}, not under the loss of this problem."),
    Slip("overwritten", "accumulation", "value used more than once", ways.overwritten,
         "`{v}` is used more than once: the gradients of all its uses add up, and one of them was kept alone."),
    Slip("path-forgotten", "accumulation", "value used three times or more", ways.path_forgotten,
         "`{v}` is used more than once: the gradients of all its uses add up, and that through `{at}` is missing."),
    Slip("upstream-ignored", "accumulation", "any gradient", ways.upstream_ignored,
         "This is the local slope alone: it was not multiplied by the gradient that arrives from above."),
    Slip("elementwise", "rule", "matrix product", ways.elementwise, "An entrywise product was taken where a matrix product belongs."),
    Slip("untransposed", "rule", "matrix product", ways.untransposed, "A transpose is missing: going back through a product transposes the other factor."),
    Slip("slope-twice", "rule", "any activation", and_all(ways.slope_twice), "The slope of the {function} at `{z}` was multiplied in twice."),
    Slip("slope-elsewhere", "rule", "any activation", ways.slope_elsewhere, "The slope of the {function} was taken at the wrong value, `{where}`."),
    Slip("diagonal", "rule", "softmax", ways.diagonal, "Only the diagonal p(1 - p) of the {function}'s Jacobian was used."),
    Slip("operand", "forward", "any equation", ways.operands, "`{other}` was used in place of `{used}`."),
    Slip("term-left-out", "forward", "any sum", ways.term_left_out, "The term `{term}` of `{at}` was left out."),
    Slip("not-applied", "forward", "any activation", ways.not_applied, "The {function} was not applied to `{z}`."),
    Slip("slope-of-another", "rule", "any activation", and_all(ways.slope_of_another, "other"), "The slope of the {other} was used in place of that of the {function}."),
    Slip("function-for-slope", "rule", "any activation", and_all(rules.function_for_slope),
         "The {function} itself was used where its slope belongs: `{a}` in place of the derivative at `{z}`."),
    Slip("slope-inverted", "rule", "any activation", and_all(rules.slope_inverted), "One over the slope of the {function} at `{z}` was used: the slope is upside down."),
    Slip("slope-incomplete", "rule", "any activation", and_all(rules.slope_incomplete, "form"), "`{form}` was used as the slope of the {function} at `{z}`: a part of it is missing."),
    Slip("other-leak", "rule", "leaky ReLU", and_all(rules.other_leak, "leak"), "The slope of the {function} below 0 was taken as {leak} on the way back."),
    Slip("mask-of-gradient", "rule", "activation with a kink", and_all(rules.mask_of_gradient),
         "The slope of the {function} was taken at the gradient that arrives; it belongs at `{z}`."),
    Slip("slope-of-layer", "rule", "any activation", rules.slope_of_layer, "The slope of another layer (`{other}`: {of}, at `{where}`) was used for `{a}`."),
    Slip("softmax-flattened", "rule", "softmax of a batch", rules.softmax_flattened, "The Jacobian of the {function} was taken over the whole batch; every example has its own."),
    Slip("factors-swapped", "rule", "matrix product", rules.factors_swapped, "The factors of a product of `{at}` stand in the wrong order on the way back."),
    Slip("inverse", "rule", "matrix product", rules.inverse, "The inverse of a matrix was used on the way back through `{at}`; it is the transpose."),
    Slip("exponent-left", "rule", "power", rules.exponent_left, "The exponent of a power in `{at}` did not come down as a factor."),
    Slip("exponent-kept", "rule", "power", rules.exponent_kept, "The exponent of a power in `{at}` came down and did not drop by one."),
    Slip("quotient-sign", "rule", "quotient", rules.quotient_sign, "The minus sign of the quotient rule is missing in `{at}`."),
    Slip("mask-forgotten", "rule", "dropout", rules.mask_forgotten, "Dropout at `{at}`, on the way back: {what}."),
    Slip("kernel-turned", "rule", "convolution", rules.kernel_turned, "The kernel of `{at}` is turned by half a circle {what}, where it should not be."),
    Slip("pool-spread", "rule", "maximum", rules.pool_spread, "The gradient of a maximum in `{at}` was given to every entry ({what}); only the largest one gets it."),
    Slip("raw-error", "accumulation", "any value", gathered.raw_error, "`{other}` was sent back to `{v}` in place of `{used}`."),
    Slip("wrong-input", "accumulation", "any parameter", gathered.wrong_input, "`{other}` was used in `d{L}/d{v}` in place of `{used}`."),
    Slip("wrong-error", "accumulation", "any parameter", gathered.wrong_error, "`{other}` was used in `d{L}/d{v}` in place of `{used}`."),
    Slip("statistics-constant", "accumulation", "normalization", gathered.statistics_constant,
         "`{v}` was taken as a constant: mean and variance depend on the examples, so gradients pass through them too."),
    Slip("not-carried", "accumulation", "recurrent state", and_all(gathered.not_carried),
         "Nothing was sent back to `{v}` from the time step after it: the gradient of a state is carried back through time."),
    Slip("not-stored", "accumulation", "any parameter", and_all(gathered.not_stored), "`d{L}/d{v}` is 0: it was never computed, or stored under another name."),
    Slip("bias-unsummed", "accumulation", "bias of a batch", and_all(gathered.bias_unsummed), "`d{L}/d{v}` was not summed over the examples."),
    Slip("bias-axis", "accumulation", "bias of a batch", and_all(gathered.bias_axis), "`d{L}/d{v}` was summed over the wrong axis: it is the sum over the examples."),
    Slip("mean-on-some", "accumulation", "gradients of a batch", gathered.mean_on_some,
         "Only the gradients of the {which} are {what}: the mean over the examples belongs to all gradients alike."),
    Slip("clipped", "accumulation", "all gradients", gathered.clipped, "The gradients were clipped to {bound}, {how}, before they were returned."),
    Slip("error-clipped", "accumulation", "output layer", gathered.error_clipped, "`d{L}/d{v}` was clipped to 1: beyond the bound nothing is learned."),
    Slip("resent", "accumulation", "engine", gathered.engine(resend=True),
         "A value that is used more than once (`{v}`) sends all that it has gathered at every visit, so that the first part is sent again: "
         "it must send once, when everything has arrived, or only what is new."),
    Slip("assigned", "accumulation", "engine", gathered.engine(assign=True),
         "The gradient of a value that is used more than once (`{v}`) was assigned with `=`; the gradients of all uses add up with `+=`."),
    Slip("backward-twice", "accumulation", "engine", gathered.engine(sweeps=2), "Backward was called twice, and the gradients were not set back to 0 in between."),
    Slip("all-pairs", "network", "loss of a batch", losses.all_pairs,
         "Every prediction was compared with every target ({how} of {n} times {n}): a list minus a column is a square table in NumPy."),
    Slip("one-example", "network", "loss of a batch", losses.one_example, "Only the {which} example counts ({how} divided by {n}): the others were overwritten."),
    Slip("log-epsilon", "network", "loss with a logarithm", losses.log_epsilon, "{epsilon} was added inside the logarithm of `{L}`."),
    Slip("penalty-forgotten", "network", "regularization", losses.penalty_forgotten, "What regularization adds is missing{what}."),
    Slip("penalty-scaled", "network", "regularization", losses.penalty_scaled, "What regularization adds is {what}."),
    Slip("penalty-sign", "network", "regularization", losses.penalty_sign, "What regularization adds has the wrong sign."),
    Slip("penalty-on-bias", "network", "regularization", losses.penalty_on_bias, "The biases are penalized too; regularization is for weights."),
    Slip("log-forgotten", "forward", "loss with a logarithm", losses.log_forgotten, "The logarithm in `{L}` was forgotten."),
    Slip("kernel-flipped", "forward", "convolution", losses.kernel_flipped, "The kernel of `{at}` was turned by half a circle before it slides."),
    Slip("batch-cached", "state", "second call", losses.batch_cached, "{what} divided by the number of examples of the first call, not by {n}."),
    Slip("not-reset", "state", "second call", gathered.not_reset, "The gradients of the calls before were added: they were not set back to 0."),
    Slip("updated-first", "state", "update inside backward", gathered.updated_first,
         "The weights were updated before the error was sent back through them; all gradients come first."),
    Slip("uphill", "update", "update", ways.moved(lambda v, d, names, rate: updated(v, d, names, -rate)), "The gradient was added; descent subtracts it."),
    Slip("no-rate", "update", "update", ways.moved(lambda v, d, names, rate: updated(v, d, names, 1)), "The gradient was not multiplied by the learning rate."),
    Slip("bias-fixed", "update", "update", ways.moved(ways.weights_only), "The biases were not updated."),
    Slip("one-by-one", "update", "update", ways.moved(ways.one_by_one),
         "The upper weights were updated before the error was sent back through them; all gradients come first."),
    Slip("no-correction", "optimizer", "running averages", steps.each(*((which, "/.*", "") for which in ("hat", "m_hat", "v_hat"))),
         "The running averages start at 0 and were not corrected for it: they are to be divided by 1 minus the power of beta."),
    Slip("correction-upside-down", "optimizer", "running averages", steps.each(*((which, "/", "*") for which in ("hat", "m_hat", "v_hat"))),
         "The running averages were multiplied by 1 minus the power of beta; they are to be divided by it."),
    Slip("power-forgotten", "optimizer", "running averages", steps.each(*((which, r"\*\*t", by) for by in ("", "*t") for which in ("hat", "m_hat", "v_hat"))),
         "The correction needs beta to the power of the number of the step; the power was forgotten."),
    Slip("shares-exchanged", "optimizer", "running averages", steps.each(("state", r"(\w+)\*(\w+) \+ \(1 - \1\)\*", r"(1 - \1)*\2 + \1*")),
         "The shares of the old average and of the new gradient are exchanged."),
    Slip("betas-exchanged", "optimizer", "running averages", steps.made(steps.edited(("", "beta1", "beta_"), ("", "beta2", "beta1"), ("", "beta_", "beta2")),
         *(steps.edited((which, f"beta{k}", f"beta{3 - k}")) for which, k in (("m", 1), ("m_hat", 1), ("v", 2), ("v_hat", 2)))),
         "A beta stands where the other belongs: the first is that of the average of the gradient, the second that of its squares."),
    Slip("share-forgotten", "optimizer", "running averages", steps.each(*((which, r"\(1 - \w+\)\*", "") for which in ("state", "m", "v"))),
         "The new gradient was added whole; in a running average it counts with the share that the old one gives up."),
    Slip("square-forgotten", "optimizer", "running averages", steps.each(("state", r"g\*\*2", "g")), "The gradient was averaged where its square belongs."),
    Slip("root-forgotten", "optimizer", "step", steps.each(("w", r"sqrt\((\w+)\)", r"\1"), ("w", r"sqrt(\(\w+ \+ epsilon\))", r"\1")),
         "The step was divided by the average of the squares, not by its root."),
    Slip("epsilon-moved", "optimizer", "step", steps.each(("w", r"\(sqrt\((\w+)\) \+ epsilon\)", r"sqrt(\1 + epsilon)"), ("w", r"sqrt\((\w+) \+ epsilon\)", r"(sqrt(\1) + epsilon)"),
         ("w", r"sqrt\(v_hat\) \+ epsilon", "sqrt(v_hat) + epsilon/sqrt(1 - beta2**t)")), "Epsilon stands elsewhere: inside the root in place of beside it, or beside another root."),
    Slip("epsilon-forgotten", "optimizer", "step", steps.each(("w", r" \+ epsilon", "")), "Epsilon was left out: where an average is 0, the step is a division by 0."),
    Slip("gradient-again", "optimizer", "step", steps.each(("w", r"^w ([-+]) (.+)", r"w \1 g*(\2)")), "The step was multiplied by the gradient once more."),
    Slip("rate-twice", "optimizer", "step", steps.each(("w", r"^w ([-+]) (.+)", r"w \1 eta*(\2)")), "The learning rate was multiplied in twice."),
    Slip("rate-forgotten", "optimizer", "step", steps.each(("", r"(?<!\w)eta\*", "")), "The step was not multiplied by the learning rate."),
    Slip("memory-lost", "optimizer", "state", steps.each(*((which, r"(?<!\w)TARGET(?!\w)", "0") for which in ("state", "m", "v"))),
         "What is remembered from the steps before was taken as 0: it is carried from step to step."),
    Slip("memory-stale", "optimizer", "state", steps.made(steps.stale), "The parameter was moved before what is remembered had taken in the new gradient."),
    Slip("memory-unused", "optimizer", "state", steps.each(("w", r"^w - eta\*v\Z", "w - eta*g")), "The step was taken with the gradient alone; the velocity was not used."),
    Slip("decay-forgotten", "optimizer", "weight decay", steps.each(("", r" \+ lam\*w", "")), "The decay of the weights, lambda times w, was left out of the step."),
    Slip("decay-in-gradient", "optimizer", "weight decay", steps.made(steps.edited(("w", r" \+ lam\*w", ""), ("state", steps.G, "(g + lam*w)"))),
         "The decay was added to the gradient, and so to the averages; here it stands beside them."),
    Slip("decay-sign", "optimizer", "weight decay", steps.each(("", r"\+ lam\*w", "- lam*w")), "The decay lets the weights grow: lambda times w is taken off with the gradient."),
    Slip("step-backwards", "optimizer", "step", steps.each(("w", "^w - ", "w + "), ("w", r"^w \+ ", "w - ")), "The step was added; descent subtracts it."),
)}


# ---------------------------------------------------------------- finding the slip

@dataclass(frozen=True)
class Case:
    """Numbers at which answers are compared, and whether an answer there is the claimed one."""

    leaves: Env
    agrees: Callable[[Matrix], bool]


# Which kinds of slip can move what: a value, a gradient, an update (there what went wrong in it comes first).
_VALUE, _GRADIENT, _UPDATE = ("network", "forward"), ("rule", "network", "accumulation", "forward"), ("update",)


class Suspects:
    """Every slip worked out on one network, each as far as it is needed.

    rate, trained, steps: the learning rate, the parameters it moves, and how often, for updates.
    """

    def __init__(self, network: Network, rate: Any = None, trained: Sequence[str] = (), steps: int = 1) -> None:
        self.network, self.rate, self.trained, self.steps = network, rate, trained, steps
        self._workings: dict[str, list[Working]] = {}

    def explain(self, key: Any, cases: Sequence[Case]) -> tuple[Slip, str] | None:
        """The first slip of the table whose answer is the claimed one in every case, with its sentence; None for none.

        A slip that does not change the answer explains nothing.
        key: a name, (of, wrt) for a gradient, (None, name) for what an update gives.
        """
        turns = (_VALUE,) if isinstance(key, str) else (_UPDATE, _GRADIENT) if key[0] is None else (_GRADIENT,)
        for slip in (s for kinds in turns for s in SLIPS.values() if s.kind in kinds):
            for working in self._of(slip):
                found = [m for m in takewhile(lambda m: m is not None, (self._agreeing(working, key, case) for case in cases)) if m is not None]
                if len(found) == len(cases) and any(not same(m, t) for m, t in zip(found, self._truth(key, cases), strict=True)):
                    return slip, working.said
        return None

    def _of(self, slip: Slip) -> list[Working]:
        if slip.name not in self._workings:
            self._workings[slip.name] = list(slip.apply(self.network))
        return self._workings[slip.name]

    def _truth(self, key: Any, cases: Sequence[Case]) -> list[Matrix]:
        whole = right(self.network)
        return [whole.values(case.leaves, self.rate, self.trained, key, self.steps).get(key) or [[mp.nan]] for case in cases]

    def _agreeing(self, working: Working, key: Any, case: Case) -> Matrix | None:
        """The answer of a working where it is the claimed one."""
        try:
            answer = working.values(case.leaves, self.rate, self.trained, key, self.steps).get(key)
        except (ArithmeticError, KeyError, ValueError):  # the wrong network has no value at these numbers
            return None
        return answer if answer is not None and case.agrees(answer) else None


def difference(claimed: Matrix, ours: Matrix) -> tuple[int, int, Any, Any] | None:
    """The entry at which two values differ most, with both numbers; None where they agree to 30 digits."""
    worst, found = mp.mpf(10) ** -AGREE, None
    for i, (xs, ys) in enumerate(zip(claimed, ours, strict=True)):
        for j, (x, y) in enumerate(zip(xs, ys, strict=True)):
            error = abs(x - y) / max(abs(x), abs(y), mp.mpf(10) ** -25)
            if not error < worst:
                worst, found = error, (i, j, x, y)
    return found


def same(claimed: Matrix, ours: Matrix) -> bool:
    """Whether two values have one shape and agree to 30 digits."""
    return (len(claimed), len(claimed[0])) == (len(ours), len(ours[0])) and difference(claimed, ours) is None


def misfit(claimed_products: Sequence[str], result: Expr) -> tuple[Slip, str] | None:
    """The slip behind a formula whose shapes do not fit: entrywise products only, where ours has a matrix product.

    claimed_products: the signs of the products in the formula, '*' or '@'.
    """
    if claimed_products and "@" not in claimed_products and any(e.op == "matmul" for e in ex.walk(result)):
        return SLIPS["elementwise"], SLIPS["elementwise"].sentence
    return None


def explain(network: Network, leaves: Env, key: Any, agrees: Callable[[Matrix], bool], rate: Any = None,
            trained: Sequence[str] = ()) -> tuple[Slip, str] | None:
    """Which slip gives the claimed value at these numbers, with its sentence; None where none of the table does."""
    return Suspects(network, rate, trained).explain(key, [Case(leaves, agrees)])

