"""The same networks by hand in NumPy and in other libraries: loss and gradients, training steps.

A contestant of a row gives (loss, gradients in the order W1, b1, W2, b2, ...), columns convention, so that they can be
compared; what a library needs once (tensors, a traced function) is made before it is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Work = Callable[[], Any]
DECAY, EPSILON, RATE = 0.9, 1e-8, 0.001  # of RMSprop


@dataclass(frozen=True)
class Model:
    """A stack of dense layers with its numbers, by our names: x, y, W1, b1, ..."""

    sizes: tuple[int, ...]
    activation: str
    last: str
    loss: str
    dtype: str
    values: dict[str, Any]

    @property
    def depth(self) -> int:
        return len(self.sizes) - 1

    @property
    def names(self) -> list[str]:
        return [f"{letter}{k}" for k in range(1, self.depth + 1) for letter in "Wb"]

    @property
    def batch(self) -> int:
        return int(self.values["x"].shape[1])

    def of(self, layer: int) -> str:
        return self.last if layer == self.depth else self.activation

    @property
    def scale(self) -> float:
        """What the sum of all squared errors is multiplied with."""
        share = {"half_squared_error": 0.5, "mse": 1 / self.sizes[-1]}.get(self.loss, 1.0)
        return share / self.batch

    def value(self, name: str) -> Any:
        """A number of the network as a matrix."""
        return np.reshape(self.values[name], np.shape(self.values[name]) or (1, 1))


# ---------------------------------------------------------------- NumPy by hand

ACTIVATE = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "identity": lambda z: z}
SLOPE = {"sigmoid": lambda z, a: a * (1 - a), "tanh": lambda z, a: 1 - a**2, "relu": lambda z, a: z > 0, "identity": lambda z, a: 1.0}


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def by_hand(m: Model) -> Work:
    """What a careful student writes."""
    p = {n: m.value(n) for n in m.names}
    x, y = m.value("x"), m.value("y")

    def run() -> Any:
        a, seen = x, []
        for k in range(1, m.depth + 1):
            z = p[f"W{k}"] @ a + p[f"b{k}"]
            seen.append((a, z))
            a = softmax(z) if m.of(k) == "softmax" else ACTIVATE[m.of(k)](z)
            seen[-1] += (a,)
        if m.last == "softmax":
            loss, dz = -np.sum(y * np.log(a)) / m.batch, (a - y) / m.batch
        else:
            loss, dz = m.scale * np.sum((a - y) ** 2), 2 * m.scale * (a - y) * SLOPE[m.last](z, a)
        slopes: list[Any] = []
        for k in range(m.depth, 0, -1):
            before = seen[k - 1][0]
            slopes = [dz @ before.T, dz.sum(axis=1, keepdims=True), *slopes]
            if k > 1:
                _, z, a = seen[k - 2]
                dz = (p[f"W{k}"].T @ dz) * SLOPE[m.of(k - 1)](z, a)
        return (loss, *slopes)

    return run


def by_hand_tuned(m: Model) -> Work:
    """The 16-16-16-4 tanh network with every array set aside beforehand."""
    W1, b1, W2, b2, W3, b3 = (m.value(n) for n in m.names)
    x, y = m.value("x"), m.value("y")
    n = m.batch
    z1, z2, z3, g1, g2 = (np.empty((k, n)) for k in (m.sizes[1], m.sizes[2], m.sizes[3], m.sizes[1], m.sizes[2]))
    d = [np.empty(v.shape) for v in (W1, b1, W2, b2, W3, b3)]
    one, factor = np.ones((n, 1)), 2 * m.scale

    def run() -> Any:
        np.dot(W1, x, z1)
        np.add(z1, b1, z1)
        np.tanh(z1, z1)
        np.dot(W2, z1, z2)
        np.add(z2, b2, z2)
        np.tanh(z2, z2)
        np.dot(W3, z2, z3)
        np.add(z3, b3, z3)
        np.subtract(z3, y, z3)
        loss = m.scale * np.vdot(z3, z3)
        np.multiply(z3, factor, z3)
        np.dot(z3, z2.T, d[4])
        np.dot(z3, one, d[5])
        np.dot(W3.T, z3, g2)
        np.multiply(z2, z2, z2)
        np.subtract(1, z2, z2)
        np.multiply(g2, z2, g2)
        np.dot(g2, z1.T, d[2])
        np.dot(g2, one, d[3])
        np.dot(W2.T, g2, g1)
        np.multiply(z1, z1, z1)
        np.subtract(1, z1, z1)
        np.multiply(g1, z1, g1)
        np.dot(g1, x.T, d[0])
        np.dot(g1, one, d[1])
        return (loss, *d)

    return run


def update_by_hand(m: Model) -> Work:
    """A training step in plain NumPy: gradients, then RMSprop."""
    own = Model(m.sizes, m.activation, m.last, m.loss, m.dtype, {n: v.copy() for n, v in m.values.items()})
    gradients, square = by_hand(own), {n: np.zeros_like(own.values[n]) for n in own.names}

    def run() -> Any:
        loss, *slopes = gradients()
        for name, g in zip(own.names, slopes, strict=True):
            square[name] = DECAY * square[name] + (1 - DECAY) * g**2
            own.values[name] -= RATE * g / (np.sqrt(square[name]) + EPSILON)
        return loss

    return run


def floor(m: Model) -> Work:
    """The five matrix products of the step, into arrays that are there."""
    W1, W2, x = m.values["W1"], m.values["W2"], m.values["x"]
    z1, z2, dW2, dA, dW1 = (np.ones(s, m.dtype) for s in ((512, 128), (10, 128), (10, 512), (512, 128), (512, 784)))

    def run() -> None:
        np.dot(W1, x, z1)
        np.dot(W2, z1, z2)
        np.dot(z2, z1.T, dW2)
        np.dot(W2.T, z2, dA)
        np.dot(dA, x.T, dW1)

    return run


# ---------------------------------------------------------------- libraries

@dataclass(frozen=True)
class Library:
    """A library: the module that must be there, its way to loss and gradients, and further works where it has them."""

    module: str
    make: Callable[[Model], Work | None]
    step: Callable[[Model, str], Work | None] = lambda m, name: None
    epoch: Callable[..., Any] = lambda m, batches: None
    gradcheck: Callable[[Model], Any] = lambda m: None


def _torch_parts(m: Model) -> tuple[Any, dict[str, Any], Callable[[Any, Any], Any]]:
    import torch

    torch.set_num_threads(1)
    p = {n: torch.tensor(m.value(n), requires_grad=True) for n in m.names}
    act = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "identity": lambda z: z, "softmax": lambda z: z}

    def loss(x: Any, y: Any) -> Any:
        a = x
        for k in range(1, m.depth + 1):
            a = act[m.of(k)](p[f"W{k}"] @ a + p[f"b{k}"])
        if m.last == "softmax":
            return -(y * torch.log_softmax(a, 0)).sum() / x.shape[1]
        return m.scale * ((a - y) ** 2).sum()

    return torch, p, loss


def _torch(m: Model) -> Work:
    torch, p, loss = _torch_parts(m)
    x, y = torch.tensor(m.value("x")), torch.tensor(m.value("y"))

    def run() -> Any:
        for w in p.values():
            w.grad = None
        value = loss(x, y)
        value.backward()
        return (value.detach().numpy(), *(w.grad.numpy() for w in p.values()))

    return run


def _torch_step(m: Model, name: str) -> Work | None:
    torch, p, loss = _torch_parts(m)
    x, y = torch.tensor(m.value("x")), torch.tensor(m.value("y"))
    optimizer = torch.optim.RMSprop(p.values(), lr=RATE, alpha=DECAY, eps=EPSILON)
    whole = loss
    if name == "torch.compile":
        try:
            whole = torch.compile(loss)
            whole(x, y).backward()
        except Exception as error:  # no C++ compiler, an old processor: torch says so in many ways
            print(f"  torch.compile does not run here: {type(error).__name__}")
            return None

    def run() -> Any:
        optimizer.zero_grad()
        value = whole(x, y)
        value.backward()
        optimizer.step()
        return value.item()

    return run


def _torch_epoch(m: Model, batches: list[tuple[Any, Any]]) -> Work:
    torch, p, loss = _torch_parts(m)
    start = {n: w.detach().clone() for n, w in p.items()}
    data = [(torch.tensor(x), torch.tensor(y)) for x, y in batches]
    optimizer = torch.optim.SGD(p.values(), lr=0.1)

    def run() -> Any:
        with torch.no_grad():
            for n, w in p.items():
                w.copy_(start[n])
        for x, y in data:
            optimizer.zero_grad()
            loss(x, y).backward()
            optimizer.step()
        return {n: w.detach().numpy() for n, w in p.items()}

    return run


def _torch_gradcheck(m: Model) -> Work:
    torch, p, loss = _torch_parts(m)
    x, y = torch.tensor(m.value("x")), torch.tensor(m.value("y"))

    def run() -> Any:
        assert torch.autograd.gradcheck(lambda *_: loss(x, y), tuple(p.values()), atol=1e-4, rtol=1e-3)

    return run


def _jax_parts(m: Model) -> tuple[Any, dict[str, Any], Callable[..., Any]]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    act = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu, "identity": lambda z: z, "softmax": lambda z: z}

    def loss(p: dict[str, Any], x: Any, y: Any) -> Any:
        a = x
        for k in range(1, m.depth + 1):
            a = act[m.of(k)](p[f"W{k}"] @ a + p[f"b{k}"])
        if m.last == "softmax":
            return -(y * jax.nn.log_softmax(a, axis=0)).sum() / x.shape[1]
        return m.scale * ((a - y) ** 2).sum()

    return jax, {n: jnp.asarray(m.value(n)) for n in m.names}, loss


def _jax(m: Model) -> Work:
    jax, p, loss = _jax_parts(m)
    x, y = m.value("x"), m.value("y")
    both = jax.jit(jax.value_and_grad(loss))

    def run() -> Any:
        value, slopes = jax.block_until_ready(both(p, x, y))
        return (np.asarray(value), *(np.asarray(slopes[n]) for n in m.names))

    return run


def _jax_step(m: Model, name: str) -> Work:
    jax, p, loss = _jax_parts(m)
    jnp = jax.numpy
    x, y = jnp.asarray(m.value("x")), jnp.asarray(m.value("y"))

    def move(p: Any, s: Any) -> Any:
        value, g = jax.value_and_grad(loss)(p, x, y)
        s = {n: DECAY * s[n] + (1 - DECAY) * g[n] ** 2 for n in s}
        return value, {n: p[n] - RATE * g[n] / (jnp.sqrt(s[n]) + EPSILON) for n in p}, s

    whole = jax.jit(move, donate_argnums=(0, 1))
    state = [p, {n: jnp.zeros_like(w) for n, w in p.items()}]

    def run() -> Any:
        value, *state[:] = jax.block_until_ready(whole(*state))
        return float(value)

    return run


def _jax_epoch(m: Model, batches: list[tuple[Any, Any]]) -> Work:
    jax, start, loss = _jax_parts(m)
    whole = jax.jit(lambda p, x, y: {n: p[n] - 0.1 * g for n, g in jax.grad(loss)(p, x, y).items()})

    def run() -> Any:
        p = start
        for x, y in batches:
            p = whole(p, x, y)
        return {n: np.asarray(jax.block_until_ready(p)[n]) for n in m.names}

    return run


def _casadi(m: Model) -> Work | None:
    """A function of symbols with its reverse mode, called through its buffers."""
    if m.batch > 4 or m.last == "softmax":
        return None
    import casadi

    p = {n: casadi.SX.sym(n, *m.value(n).shape) for n in m.names}
    x, y = casadi.SX.sym("x", *m.value("x").shape), casadi.SX.sym("y", *m.value("y").shape)
    act = {"sigmoid": lambda z: 1 / (1 + casadi.exp(-z)), "tanh": casadi.tanh, "identity": lambda z: z}
    a = x
    for k in range(1, m.depth + 1):
        a = act[m.of(k)](p[f"W{k}"] @ a + casadi.repmat(p[f"b{k}"], 1, m.batch))
    loss = m.scale * casadi.sumsqr(a - y)
    whole = casadi.Function("f", [x, y, *p.values()], [loss, *(casadi.reshape(casadi.gradient(loss, w), *w.shape) for w in p.values())])
    given = [np.ravel(m.value(n), order="F").copy() for n in ("x", "y", *m.names)]
    buffer, trigger = whole.buffer()
    room = [np.zeros(1), *(np.zeros(m.value(n).size) for n in m.names)]
    found = [room[0], *(flat.reshape(m.value(n).shape, order="F") for n, flat in zip(m.names, room[1:], strict=True))]
    for k, array in enumerate(given):
        buffer.set_arg(k, memoryview(array))
    for k, array in enumerate(room):
        buffer.set_res(k, memoryview(array))

    kept = whole, buffer, given, room  # casadi reads their memory, and would not keep them alive

    def run(kept: Any = kept) -> Any:
        trigger()
        return found

    return run


def _micrograd(m: Model) -> Work | None:
    if m.batch > 1 or m.last == "softmax" or m.activation != "sigmoid":
        return None
    from micrograd.engine import Value

    def sigmoid(z: Any) -> Any:
        import math
        out = Value(1 / (1 + math.exp(-z.data)), (z,), "sigmoid")

        def back() -> None:
            z.grad += out.data * (1 - out.data) * out.grad

        out._backward = back
        return out

    x, y = m.value("x").ravel().tolist(), m.value("y").ravel().tolist()
    weights = {n: m.value(n).tolist() for n in m.names}

    def run() -> Any:
        p = {n: [[Value(v) for v in row] for row in rows] for n, rows in weights.items()}
        a: list[Any] = x
        for k in range(1, m.depth + 1):
            a = [sigmoid(sum((w * v for w, v in zip(row, a, strict=True)), b[0])) for row, b in zip(p[f"W{k}"], p[f"b{k}"], strict=True)]
        loss = sum(((v - t) ** 2 for v, t in zip(a, y, strict=True)), Value(0.0)) * m.scale
        loss.backward()
        return (loss.data, *([[v.grad for v in row] for row in p[n]] for n in m.names))

    return run


def _autograd(m: Model) -> Work:
    import autograd.numpy as anp
    from autograd import value_and_grad

    act = {"sigmoid": lambda z: 1 / (1 + anp.exp(-z)), "tanh": anp.tanh, "relu": lambda z: anp.maximum(z, 0), "identity": lambda z: z, "softmax": lambda z: z}
    x, y, p = m.value("x"), m.value("y"), {n: m.value(n) for n in m.names}

    def loss(p: Any) -> Any:
        a = x
        for k in range(1, m.depth + 1):
            a = act[m.of(k)](anp.dot(p[f"W{k}"], a) + p[f"b{k}"])
        if m.last == "softmax":
            return -anp.sum(y * (a - anp.log(anp.sum(anp.exp(a), axis=0, keepdims=True)))) / m.batch
        return m.scale * anp.sum((a - y) ** 2)

    both = value_and_grad(loss)

    def run() -> Any:
        value, slopes = both(p)
        return (value, *(slopes[n] for n in m.names))

    return run


LIBRARIES: dict[str, Library] = {
    "torch": Library("torch", _torch, _torch_step, _torch_epoch, _torch_gradcheck),
    "jax": Library("jax", _jax, _jax_step, _jax_epoch),
    "casadi": Library("casadi", _casadi),
    "micrograd": Library("micrograd", _micrograd),
    "autograd": Library("autograd", _autograd),
}
