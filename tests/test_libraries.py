"""Values and slopes against torch and JAX, where they are installed: two more opinions beside HIPS autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from symbolic.catalogue.entries import loss_network
from symbolic.derive import derive
from symbolic.functions import FUNCTIONS
from symbolic.losses import LOSSES
from symbolic.values import forward, gradients

POINTS = np.array([-7.3, -3.2, -1.7, -0.6, -0.2, 0.15, 0.4, 1.6, 3.4, 8.9])
# Name of a row: what the libraries call it (torch.nn.functional, jax.nn), with keywords where their defaults differ.
TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "sigmoid": ("sigmoid", {}), "tanh": ("tanh", {}), "relu": ("relu", {}), "leaky_relu": ("leaky_relu", {}), "elu": ("elu", {}), "selu": ("selu", {}),
    "softplus": ("softplus", {"threshold": 1000}), "softsign": ("softsign", {}), "silu": ("silu", {}), "gelu": ("gelu", {}), "gelu_tanh": ("gelu", {"approximate": "tanh"}),
    "mish": ("mish", {}), "hard_sigmoid": ("hardsigmoid", {}), "hard_tanh": ("hardtanh", {}), "relu6": ("relu6", {}),
}
JAX: dict[str, tuple[str, dict[str, Any]]] = {
    "sigmoid": ("sigmoid", {}), "relu": ("relu", {}), "leaky_relu": ("leaky_relu", {}), "elu": ("elu", {}), "selu": ("selu", {}), "softplus": ("softplus", {}),
    "softsign": ("soft_sign", {}), "silu": ("silu", {}), "gelu": ("gelu", {"approximate": False}), "gelu_tanh": ("gelu", {"approximate": True}), "mish": ("mish", {}),
    "hard_sigmoid": ("hard_sigmoid", {}), "hard_tanh": ("hard_tanh", {}), "relu6": ("relu6", {}),
}


def test_every_row_has_a_counterpart_or_a_reason() -> None:
    """identity and step are no functions of these libraries, PReLU has two arguments."""
    assert {n for n, r in FUNCTIONS.items() if r.activation} - set(TORCH) == {"identity", "step", "prelu"}


@pytest.mark.parametrize("name", TORCH)
def test_activations_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    called, options = TORCH[name]
    x = torch.tensor(POINTS.tolist(), dtype=torch.float64, requires_grad=True)
    y = getattr(torch.nn.functional, called)(x, **options)
    y.sum().backward()
    assert np.allclose(FUNCTIONS[name].numpy(POINTS), y.tolist(), rtol=1e-12, atol=1e-14)
    assert np.allclose(FUNCTIONS[name].numpy_slope(POINTS) + 0*POINTS, x.grad.tolist(), rtol=1e-7, atol=1e-14)  # torch keeps the 1/6 of the hard sigmoid in single precision


@pytest.mark.parametrize("name", JAX)
def test_activations_are_those_of_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    called, options = JAX[name]
    for x in POINTS.tolist():
        value, slope = jax.value_and_grad(lambda v: getattr(jax.nn, called)(v, **options))(x)
        assert np.isclose(float(FUNCTIONS[name].numpy(x)), float(value), rtol=1e-6), x  # constants of SELU have fewer digits there
        assert np.isclose(float(FUNCTIONS[name].numpy_slope(x)), float(slope), rtol=1e-6), x


Y_HAT, BINARY, ONE_HOT, SIGNS = [0.2, 0.7, 0.1], [0.0, 1.0, 1.0], [0.0, 1.0, 0.0], [1.0, -1.0, 1.0]
LOSS: dict[str, tuple[list[float], Callable[[Any, Any, Any, Any], Any]]] = {  # name: targets, and the loss in torch (F, torch, y_hat, y)
    "half_squared_error": (BINARY, lambda f, t, p, y: 0.5 * f.mse_loss(p, y, reduction="sum")),
    "squared_error": (BINARY, lambda f, t, p, y: f.mse_loss(p, y, reduction="sum")),
    "mse": (BINARY, lambda f, t, p, y: f.mse_loss(p, y)),
    "mae": (BINARY, lambda f, t, p, y: f.l1_loss(p, y)),
    "huber": (BINARY, lambda f, t, p, y: f.huber_loss(p, y, delta=1.0)),
    "binary_cross_entropy": (BINARY, lambda f, t, p, y: f.binary_cross_entropy(p, y)),
    "binary_cross_entropy_with_logits": (BINARY, lambda f, t, p, y: f.binary_cross_entropy_with_logits(p, y)),
    "cross_entropy": (ONE_HOT, lambda f, t, p, y: f.nll_loss(t.log(p)[None], y.argmax()[None])),
    "cross_entropy_with_logits": (ONE_HOT, lambda f, t, p, y: f.cross_entropy(p[None], y[None])),
    "kl_divergence": (ONE_HOT, lambda f, t, p, y: f.kl_div(t.log(p), y, reduction="sum")),
    "hinge": (SIGNS, lambda f, t, p, y: t.clamp(1 - y * p, min=0).mean()),
    "multiclass_hinge": (ONE_HOT, lambda f, t, p, y: 3 * f.multi_margin_loss(p[None], y.argmax()[None])),
    "focal": (BINARY, lambda f, t, p, y: ((1 - t.where(y == 1, p, 1 - p)) ** 2 * f.binary_cross_entropy(p, y, reduction="none")).mean()),
}


def test_every_loss_is_compared() -> None:
    assert set(LOSS) == set(LOSSES)


@pytest.mark.parametrize("name", LOSS)
def test_losses_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    targets, theirs = LOSS[name]
    p, y = torch.tensor(Y_HAT, dtype=torch.float64, requires_grad=True), torch.tensor(targets, dtype=torch.float64)
    loss = theirs(torch.nn.functional, torch, p, y)
    loss.backward()
    network = loss_network(name, 3)
    with mp.workdps(30):
        env = gradients(derive(network), forward(network, {"y_hat": [[mp.mpf(v)] for v in Y_HAT], "y": [[mp.mpf(v)] for v in targets]}))
    assert np.isclose(float(env["L"][0][0]), float(loss.detach()), rtol=1e-12)
    assert np.allclose([float(v) for row in env["L", "y_hat"] for v in row], p.grad.tolist(), rtol=1e-11, atol=1e-15)
