"""Optimizers as people write them, in one template an interface: the equations of a row, right or wrong, become lines of code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from symbolic.optimizers import Optimizer

# what options are called in each interface; one that is not named here keeps its name
WORDS = {"eta": "learning_rate", "lam": "weight_decay"}


@dataclass(frozen=True)
class Style:
    """How a file is written: whether options have defaults, and the names of options."""

    defaults: bool = True
    words: Mapping[str, str] = field(default_factory=lambda: WORDS)

    def named(self, option: str) -> str:
        return self.words.get(option, option)

    def options(self, row: Optimizer) -> str:
        return ", ".join([f"{self.named(n)}={float(o.default or 0)}" if self.defaults else self.named(n) for n, o in row.options.items()])


def lines(row: Optimizer, style: Style, named: Callable[[str], str]) -> list[str]:
    """The equations as assignments; named: how a quantity of the step is written."""
    def said(source: str) -> str:
        return re.sub(r"[A-Za-z]\w*", lambda m: f"np.{m[0]}" if m[0] in ("sqrt", "abs") else named(style.named(m[0])), source)

    return [f"{said(target)} = {said(source)}" for target, source in row.equations.items()]


def corrected(row: Optimizer) -> bool:
    """Whether the number of the step is needed."""
    return any("t" in re.findall(r"\w+", s) for s in row.equations.values())


def indented(found: list[str], by: int) -> str:
    return "\n".join(" " * by + s for s in found)


def dictionaries(row: Optimizer, name: str, style: Style) -> str:
    """def update_parameters_with_adam(parameters, grads, m, v, t, learning_rate, ...): ... return parameters, m, v"""
    states = list(row.states)
    inside = {"w": 'parameters["W" + str(l)]', "g": 'grads["dW" + str(l)]', **{s: f'{s}["dW" + str(l)]' for s in states}}
    own = lines(row, style, lambda n: inside.get(n, n))
    also = [s.replace('"dW"', '"db"').replace('"W"', '"b"') for s in own]
    takes = ", ".join(["parameters", "grads", *states, *(["t"] if corrected(row) else []), style.named("eta"), *([style.options(row)] if row.options else [])])
    start = ""
    if states:
        start = (f"def initialize_{name}(parameters):\n    L = len(parameters) // 2\n" + indented([f"{s} = {{}}" for s in states], 4) + "\n    for l in range(1, L + 1):\n" + indented(
            [f'{s}["d{k}" + str(l)] = np.zeros_like(parameters["{k}" + str(l)])' for s in states for k in "Wb"], 8) + f"\n    return {', '.join(states)}\n\n")
    return (f"{start}def update_parameters_with_{name}({takes}):\n    L = len(parameters) // 2\n    for l in range(1, L + 1):\n{indented([*own, *also], 8)}\n"
            f"    return {', '.join(['parameters', *states])}\n")


def instance(row: Optimizer, name: str, style: Style) -> str:
    """class Adam: def update(self, params, grads)"""
    inside = {"w": "params[key]", "g": "grads[key]", **{s: f"self.{s}[key]" for s in row.states}, **{style.named(n): f"self.{style.named(n)}" for n in ("eta", *row.options)}, "t": "self.t"}
    takes = ", ".join(["self", f"{style.named('eta')}=0.01", *([style.options(row)] if row.options else [])] if style.defaults else ["self", style.named("eta"), *([style.options(row)] if row.options else [])])
    kept = [f"self.{style.named(n)} = {style.named(n)}" for n in ("eta", *row.options)]
    begun = indented([f"if self.{s} is None: self.{s} = {{k: np.zeros_like(p) for k, p in params.items()}}" for s in row.states], 8)
    return (f"class {name.title().replace('_', '')}:\n    def __init__({takes}):\n{indented([*kept, *(f'self.{s} = None' for s in row.states), 'self.t = 0'], 8)}\n\n"
            f"    def update(self, params, grads):\n{begun}{chr(10) * bool(begun)}        self.t += 1\n        for key in params:\n"
            f"{indented(lines(row, style, lambda n: inside.get(n, n)), 12)}\n")


def settings(row: Optimizer, name: str, style: Style) -> str:
    """def adam(w, dw, config=None): ... return next_w, config"""
    inside = {"g": "dw", **{s: f"config['{s}']" for s in row.states}, **{style.named(n): f"config['{style.named(n)}']" for n in ("eta", *row.options)}, "t": "config['t']"}
    begun = ["if config is None: config = {}", f"config.setdefault('{style.named('eta')}', 0.01)", *(f"config.setdefault('{style.named(n)}', {float(o.default or 0)})" for n, o in row.options.items()),
             *(f"config.setdefault('{s}', np.zeros_like(w))" for s in row.states), *(["config.setdefault('t', 0)", "config['t'] += 1"] if corrected(row) else [])]
    own = [re.sub(r"^w = ", "next_w = ", s) for s in lines(row, style, lambda n: inside.get(n, n))]
    return f"def {name}(w, dw, config=None):\n{indented([*begun, *own], 4)}\n    return next_w, config\n"


def arrays(row: Optimizer, name: str, style: Style) -> str:
    """def adam_step(w, g, m, v, t, lr, ...): ... return w, m, v"""
    takes = ", ".join(["w", "g", *row.states, *(["t"] if corrected(row) else []), style.named("eta"), *([style.options(row)] if row.options else [])])
    return f"def {name}_step({takes}):\n{indented(lines(row, style, lambda n: n), 4)}\n    return {', '.join(['w', *row.states])}\n"


def closure(row: Optimizer, name: str, style: Style) -> str:
    """def make_adam(lr, ...): def step(params, grads): ... return step"""
    inside = {"w": "params[i]", "g": "grads[i]", **{s: f"{s}[i]" for s in row.states}, "t": "count[0]"}
    takes = ", ".join([style.named("eta"), *([style.options(row)] if row.options else [])])
    begun = [f"for i in range(len({s}), len(params)): {s}.append(0 * params[i])" for s in row.states]
    return (f"def make_{name}({takes}):\n{indented([f'{s} = []' for s in row.states] + ['count = [0]'], 4)}\n    def step(params, grads):\n        count[0] += 1\n{indented(begun, 8)}\n"
            f"        for i in range(len(params)):\n{indented(lines(row, style, lambda n: inside.get(n, n)), 12)}\n        return params\n    return step\n")


INTERFACES = {"dictionaries": dictionaries, "class": instance, "settings": settings, "arrays": arrays, "closure": closure}


def written(interface: str, row: Optimizer, name: str, style: Style | None = None) -> str:
    """A file with one optimizer."""
    return "import numpy as np\n\n" + INTERFACES[interface](row, name, style or Style())


# ---------------------------------------------------------------- as courses and libraries write them

FILES: dict[str, tuple[str, list[str]]] = {  # the text, and the optimizers that it holds
    "settings in a dictionary": ('''
import numpy as np
def sgd(w, dw, config=None):
    """performs sgd"""
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    w -= config["learning_rate"] * dw
    return w, config

def sgd_momentum(w, dw, config=None):
    if config is None: config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    next_w = None
    v = config["momentum"] * v - config["learning_rate"] * dw
    next_w = w + v
    config["velocity"] = v
    return next_w, config

def rmsprop(w, dw, config=None):
    if config is None: config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("cache", np.zeros_like(w))
    next_w = None
    config["cache"] = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw ** 2
    next_w = w - config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"])
    return next_w, config

def adam(w, dw, config=None):
    if config is None: config = {}
    config.setdefault("learning_rate", 1e-3)
    config.setdefault("beta1", 0.9)
    config.setdefault("beta2", 0.999)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    config.setdefault("t", 0)
    next_w = None
    config["t"] += 1
    lr, b1, b2, eps, m, v, t = (config[k] for k in ("learning_rate", "beta1", "beta2", "epsilon", "m", "v", "t"))
    m = b1 * m + (1 - b1) * dw
    v = b2 * v + (1 - b2) * (dw * dw)
    mt = m / (1 - b1 ** t)
    vt = v / (1 - b2 ** t)
    next_w = w - lr * mt / (np.sqrt(vt) + eps)
    config["m"], config["v"] = m, v
    return next_w, config
''', ["gradient descent", "Momentum", "RMSprop", "Adam"]),
    "classes with params and grads": ('''
import numpy as np
class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr
    def update(self, params, grads):
        for key in params.keys():
            params[key] -= self.lr * grads[key]

class Momentum:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr = lr
        self.momentum = momentum
        self.v = None
    def update(self, params, grads):
        if self.v is None:
            self.v = {}
            for key, val in params.items():
                self.v[key] = np.zeros_like(val)
        for key in params.keys():
            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]
            params[key] += self.v[key]

class Nesterov:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr = lr
        self.momentum = momentum
        self.v = None
    def update(self, params, grads):
        if self.v is None:
            self.v = {}
            for key, val in params.items():
                self.v[key] = np.zeros_like(val)
        for key in params.keys():
            params[key] += self.momentum * self.momentum * self.v[key]
            params[key] -= (1 + self.momentum) * self.lr * grads[key]
            self.v[key] *= self.momentum
            self.v[key] -= self.lr * grads[key]

class AdaGrad:
    def __init__(self, lr=0.01):
        self.lr = lr
        self.h = None
    def update(self, params, grads):
        if self.h is None:
            self.h = {k: np.zeros_like(v) for k, v in params.items()}
        for key in params.keys():
            self.h[key] += grads[key] * grads[key]
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)

class RMSprop:
    def __init__(self, lr=0.01, decay_rate=0.99):
        self.lr = lr
        self.decay_rate = decay_rate
        self.h = None
    def update(self, params, grads):
        if self.h is None:
            self.h = {k: np.zeros_like(v) for k, v in params.items()}
        for key in params.keys():
            self.h[key] *= self.decay_rate
            self.h[key] += (1 - self.decay_rate) * grads[key] * grads[key]
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)

class Adam:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.iter = 0
        self.m = None
        self.v = None
    def update(self, params, grads):
        if self.m is None:
            self.m, self.v = {}, {}
            for key, val in params.items():
                self.m[key] = np.zeros_like(val)
                self.v[key] = np.zeros_like(val)
        self.iter += 1
        lr_t = self.lr * np.sqrt(1.0 - self.beta2**self.iter) / (1.0 - self.beta1**self.iter)
        for key in params.keys():
            self.m[key] += (1 - self.beta1) * (grads[key] - self.m[key])
            self.v[key] += (1 - self.beta2) * (grads[key]**2 - self.v[key])
            params[key] -= lr_t * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)
''', ["gradient descent", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"]),
    "dictionaries with a state for each": ('''
import numpy as np
def initialize_velocity(parameters):
    L = len(parameters) // 2
    v = {}
    for l in range(1, L + 1):
        v["dW" + str(l)] = np.zeros(parameters["W" + str(l)].shape)
        v["db" + str(l)] = np.zeros(parameters["b" + str(l)].shape)
    return v

def update_parameters_with_gd(parameters, grads, learning_rate):
    L = len(parameters) // 2
    for l in range(1, L + 1):
        parameters["W" + str(l)] = parameters["W" + str(l)] - learning_rate * grads["dW" + str(l)]
        parameters["b" + str(l)] = parameters["b" + str(l)] - learning_rate * grads["db" + str(l)]
    return parameters

def update_parameters_with_momentum(parameters, grads, v, beta, learning_rate):
    L = len(parameters) // 2
    for l in range(1, L + 1):
        v["dW" + str(l)] = beta * v["dW" + str(l)] + (1 - beta) * grads['dW' + str(l)]
        v["db" + str(l)] = beta * v["db" + str(l)] + (1 - beta) * grads['db' + str(l)]
        parameters["W" + str(l)] = parameters["W" + str(l)] - learning_rate * v["dW" + str(l)]
        parameters["b" + str(l)] = parameters["b" + str(l)] - learning_rate * v["db" + str(l)]
    return parameters, v

def initialize_adam(parameters):
    L = len(parameters) // 2
    v = {}
    s = {}
    for l in range(1, L + 1):
        v["dW" + str(l)] = np.zeros(parameters["W" + str(l)].shape)
        v["db" + str(l)] = np.zeros(parameters["b" + str(l)].shape)
        s["dW" + str(l)] = np.zeros(parameters["W" + str(l)].shape)
        s["db" + str(l)] = np.zeros(parameters["b" + str(l)].shape)
    return v, s

def update_parameters_with_adam(parameters, grads, v, s, t, learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8):
    L = len(parameters) // 2
    v_corrected = {}
    s_corrected = {}
    for l in range(1, L + 1):
        v["dW" + str(l)] = beta1 * v["dW" + str(l)] + (1 - beta1) * grads['dW' + str(l)]
        v["db" + str(l)] = beta1 * v["db" + str(l)] + (1 - beta1) * grads['db' + str(l)]
        v_corrected["dW" + str(l)] = v["dW" + str(l)] / (1 - beta1**t)
        v_corrected["db" + str(l)] = v["db" + str(l)] / (1 - beta1**t)
        s["dW" + str(l)] = beta2 * s["dW" + str(l)] + (1 - beta2) * np.power(grads['dW' + str(l)], 2)
        s["db" + str(l)] = beta2 * s["db" + str(l)] + (1 - beta2) * np.power(grads['db' + str(l)], 2)
        s_corrected["dW" + str(l)] = s["dW" + str(l)] / (1 - beta2**t)
        s_corrected["db" + str(l)] = s["db" + str(l)] / (1 - beta2**t)
        parameters["W" + str(l)] = parameters["W" + str(l)] - learning_rate * v_corrected["dW" + str(l)] / (np.sqrt(s_corrected["dW" + str(l)]) + epsilon)
        parameters["b" + str(l)] = parameters["b" + str(l)] - learning_rate * v_corrected["db" + str(l)] / (np.sqrt(s_corrected["db" + str(l)]) + epsilon)
    return parameters, v, s, v_corrected, s_corrected

def update_lr(learning_rate0, epoch_num, decay_rate):
    return 1 / (1 + decay_rate * epoch_num) * learning_rate0
''', ["gradient descent", "Momentum, averaged form", "Adam"]),
    "objects that hold lists": ('''
import numpy as np
class Optimizer:
    def __init__(self, params, lr):
        self.params = params
        self.lr = lr
    def step(self, grads):
        raise NotImplementedError
class SGD(Optimizer):
    def __init__(self, params, lr=0.01, momentum=0.0, nesterov=False, weight_decay=0.0):
        super().__init__(params, lr)
        self.momentum, self.nesterov, self.wd = momentum, nesterov, weight_decay
        self.velocity = [np.zeros_like(p) for p in params]
    def step(self, grads):
        for i, (p, g) in enumerate(zip(self.params, grads)):
            g = g + self.wd * p
            self.velocity[i] = self.momentum * self.velocity[i] + g
            d = g + self.momentum * self.velocity[i] if self.nesterov else self.velocity[i]
            p -= self.lr * d
class AdamW(Optimizer):
    def __init__(self, params, lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr)
        self.b1, self.b2 = betas
        self.eps, self.wd = eps, weight_decay
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.t = 0
    def step(self, grads):
        self.t += 1
        for i, (p, g) in enumerate(zip(self.params, grads)):
            p *= 1 - self.lr * self.wd
            self.m[i] = self.b1 * self.m[i] + (1 - self.b1) * g
            self.v[i] = self.b2 * self.v[i] + (1 - self.b2) * g * g
            p -= self.lr * (self.m[i] / (1 - self.b1 ** self.t)) / (np.sqrt(self.v[i] / (1 - self.b2 ** self.t)) + self.eps)
''', ["Momentum, the decay of the weights in the gradient", "AdamW"]),
    "every array by itself": ('''
import numpy as np
def update(W1, b1, W2, b2, dW1, db1, dW2, db2, vW1, vb1, vW2, vb2, lr, beta):
    vW1 = beta * vW1 + (1 - beta) * dW1
    vb1 = beta * vb1 + (1 - beta) * db1
    vW2 = beta * vW2 + (1 - beta) * dW2
    vb2 = beta * vb2 + (1 - beta) * db2
    W1 = W1 - lr * vW1
    b1 = b1 - lr * vb1
    W2 = W2 - lr * vW2
    b2 = b2 - lr * vb2
    return W1, b1, W2, b2, vW1, vb1, vW2, vb2
''', ["Momentum, averaged form"]),
    "one array at a time": ('''
import numpy as np
class Adam:
    def __init__(self, lr=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.learning_rate, self.b1, self.b2, self.eps = lr, beta_1, beta_2, epsilon
        self.m = None
        self.v = None
        self.t = 0
    def update(self, w, grad_wrt_w):
        if self.m is None:
            self.m = np.zeros(np.shape(grad_wrt_w))
            self.v = np.zeros(np.shape(grad_wrt_w))
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * grad_wrt_w
        self.v = self.b2 * self.v + (1 - self.b2) * np.power(grad_wrt_w, 2)
        m_hat = self.m / (1 - self.b1 ** self.t)
        v_hat = self.v / (1 - self.b2 ** self.t)
        self.w_updt = self.learning_rate * m_hat / (np.sqrt(v_hat) + self.eps)
        return w - self.w_updt
''', ["Adam"]),
    "a state of states": ('''
import numpy as np
def init_state(params):
    return {"m": {k: np.zeros_like(p) for k, p in params.items()}, "v": {k: np.zeros_like(p) for k, p in params.items()}, "t": 0}
def adam_update(params, grads, state, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    state["t"] += 1
    t = state["t"]
    for k in params:
        state["m"][k] = b1 * state["m"][k] + (1 - b1) * grads[k]
        state["v"][k] = b2 * state["v"][k] + (1 - b2) * grads[k] ** 2
        params[k] -= lr * (state["m"][k] / (1 - b1 ** t)) / (np.sqrt(state["v"][k] / (1 - b2 ** t)) + eps)
    return params, state
''', ["Adam"]),
    "lines of notes": ('''
import numpy as np
def momentum_update(x, dx, v, mu=0.9, learning_rate=0.1):
    v = mu * v - learning_rate * dx
    x += v
    return x, v
def nesterov_update(x, dx, v, mu=0.9, learning_rate=0.1):
    v_prev = v
    v = mu * v - learning_rate * dx
    x = x + -mu * v_prev + (1 + mu) * v
    return x, v
def adagrad_update(x, dx, cache, learning_rate, eps):
    cache += dx**2
    x += - learning_rate * dx / (np.sqrt(cache) + eps)
    return x, cache
''', ["Momentum", "Nesterov", "Adagrad"]),
    "module variables": ('''
import numpy as np
learning_rate = 0.1
velocity = {}
def update_parameters(parameters, grads):
    for k in parameters:
        velocity[k] = 0.9 * velocity.get(k, 0) + grads["d" + k]
        parameters[k] = parameters[k] - learning_rate * velocity[k]
    return parameters
''', ["Momentum"]),
    "a rate that falls": ('''
import numpy as np
class SGD:
    def __init__(self, learning_rate=1., decay=0., momentum=0.):
        self.learning_rate = learning_rate
        self.current_learning_rate = learning_rate
        self.decay = decay
        self.iterations = 0
        self.momentum = momentum
        self.v = {}
    def update(self, params, grads):
        if self.decay:
            self.current_learning_rate = self.learning_rate * (1. / (1. + self.decay * self.iterations))
        for k in params:
            self.v[k] = self.momentum * self.v.get(k, 0) - self.current_learning_rate * grads[k]
            params[k] += self.v[k]
        self.iterations += 1
''', ["Momentum"]),
    "layer objects": ('''
import numpy as np
class Optimizer_SGD:
    def __init__(self, learning_rate=1., decay=0., momentum=0.):
        self.learning_rate = learning_rate
        self.current_learning_rate = learning_rate
        self.decay = decay
        self.iterations = 0
        self.momentum = momentum
    def pre_update_params(self):
        if self.decay:
            self.current_learning_rate = self.learning_rate * (1. / (1. + self.decay * self.iterations))
    def update_params(self, layer):
        if self.momentum:
            if not hasattr(layer, "weight_momentums"):
                layer.weight_momentums = np.zeros_like(layer.weights)
                layer.bias_momentums = np.zeros_like(layer.biases)
            weight_updates = self.momentum * layer.weight_momentums - self.current_learning_rate * layer.dweights
            layer.weight_momentums = weight_updates
            bias_updates = self.momentum * layer.bias_momentums - self.current_learning_rate * layer.dbiases
            layer.bias_momentums = bias_updates
        else:
            weight_updates = -self.current_learning_rate * layer.dweights
            bias_updates = -self.current_learning_rate * layer.dbiases
        layer.weights += weight_updates
        layer.biases += bias_updates
    def post_update_params(self):
        self.iterations += 1

class Optimizer_Adam:
    def __init__(self, learning_rate=0.001, decay=0., epsilon=1e-7, beta_1=0.9, beta_2=0.999):
        self.learning_rate = learning_rate
        self.current_learning_rate = learning_rate
        self.decay = decay
        self.iterations = 0
        self.epsilon = epsilon
        self.beta_1 = beta_1
        self.beta_2 = beta_2
    def pre_update_params(self):
        if self.decay:
            self.current_learning_rate = self.learning_rate * (1. / (1. + self.decay * self.iterations))
    def update_params(self, layer):
        if not hasattr(layer, "weight_cache"):
            layer.weight_momentums = np.zeros_like(layer.weights)
            layer.weight_cache = np.zeros_like(layer.weights)
            layer.bias_momentums = np.zeros_like(layer.biases)
            layer.bias_cache = np.zeros_like(layer.biases)
        layer.weight_momentums = self.beta_1 * layer.weight_momentums + (1 - self.beta_1) * layer.dweights
        layer.bias_momentums = self.beta_1 * layer.bias_momentums + (1 - self.beta_1) * layer.dbiases
        weight_momentums_corrected = layer.weight_momentums / (1 - self.beta_1 ** (self.iterations + 1))
        bias_momentums_corrected = layer.bias_momentums / (1 - self.beta_1 ** (self.iterations + 1))
        layer.weight_cache = self.beta_2 * layer.weight_cache + (1 - self.beta_2) * layer.dweights**2
        layer.bias_cache = self.beta_2 * layer.bias_cache + (1 - self.beta_2) * layer.dbiases**2
        weight_cache_corrected = layer.weight_cache / (1 - self.beta_2 ** (self.iterations + 1))
        bias_cache_corrected = layer.bias_cache / (1 - self.beta_2 ** (self.iterations + 1))
        layer.weights += -self.current_learning_rate * weight_momentums_corrected / (np.sqrt(weight_cache_corrected) + self.epsilon)
        layer.biases += -self.current_learning_rate * bias_momentums_corrected / (np.sqrt(bias_cache_corrected) + self.epsilon)
    def post_update_params(self):
        self.iterations += 1
''', ["Momentum", "Adam"]),
    "gradients for weights that decay alone": ('''
import numpy as np

def sgd_update(params, grads, lr, weight_decay):
    for k in params:
        g = grads[k]
        if k.startswith("W"):
            g = g + weight_decay * params[k]
        params[k] -= lr * g
    return params
''', ["Gradient descent, the decay of the weights in the gradient, the biases without decay"]),
    "sums over the examples": ('''
import numpy as np

def update(weights, biases, nabla_w, nabla_b, eta, m):
    weights = [w - (eta / m) * nw for w, nw in zip(weights, nabla_w)]
    biases = [b - (eta / m) * nb for b, nb in zip(biases, nabla_b)]
    return weights, biases
''', ["gradient descent"]),
    "twice the decay": ('''
import numpy as np

def update(params, grads, lr, reg):
    for k in params:
        params[k] = params[k] - lr * (grads[k] + 2 * reg * params[k])
    return params
''', ["Gradient descent, twice the decay of the weights in the gradient, as of lambda times the sum of squares"]),
    "settings of a dataclass": ('''
import numpy as np

from dataclasses import dataclass
@dataclass
class Config:
    lr: float = 0.1
    momentum: float = 0.9

class SGDMomentum:
    def __init__(self, config: Config):
        self.cfg = config
        self.v = {}
    def step(self, params, grads):
        for k in params:
            self.v[k] = self.cfg.momentum * self.v.get(k, 0.0) + grads[k]
            params[k] = params[k] - self.cfg.lr * self.v[k]
''', ["Momentum"]),
    "a dataclass": ('''
import numpy as np

from dataclasses import dataclass, field
@dataclass
class Adam:
    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    t: int = 0
    m: dict = field(default_factory=dict)
    v: dict = field(default_factory=dict)
    def step(self, params, grads):
        self.t += 1
        for k, g in grads.items():
            self.m[k] = self.beta1 * self.m.get(k, 0) + (1 - self.beta1) * g
            self.v[k] = self.beta2 * self.v.get(k, 0) + (1 - self.beta2) * g * g
            mh = self.m[k] / (1 - self.beta1 ** self.t)
            vh = self.v[k] / (1 - self.beta2 ** self.t)
            params[k] -= self.lr * mh / (np.sqrt(vh) + self.eps)
''', ["Adam"]),
    "dictionaries called w and dw": ('''
import numpy as np

class NAG:
    def __init__(self, lr, mu):
        self.lr, self.mu, self.v = lr, mu, {}
    def update(self, w, dw):
        for k in w:
            v_prev = self.v.get(k, np.zeros_like(w[k]))
            self.v[k] = self.mu * v_prev - self.lr * dw[k]
            w[k] += -self.mu * v_prev + (1 + self.mu) * self.v[k]
''', ["Nesterov"]),
    "settings with the number of the step": ('''
import numpy as np

def init_adam_states(params):
    return tuple((np.zeros_like(p), np.zeros_like(p)) for p in params)
def adam(params, grads, states, hyperparams):
    beta1, beta2, eps = 0.9, 0.999, 1e-6
    for p, g, (v, s) in zip(params, grads, states):
        v[:] = beta1 * v + (1 - beta1) * g
        s[:] = beta2 * s + (1 - beta2) * np.square(g)
        v_bias_corr = v / (1 - beta1 ** hyperparams['t'])
        s_bias_corr = s / (1 - beta2 ** hyperparams['t'])
        p[:] -= hyperparams['lr'] * v_bias_corr / (np.sqrt(s_bias_corr) + eps)
    hyperparams['t'] += 1
''', ["Adam"]),
    "a state taken apart": ('''
import numpy as np

def adam(params, grads, state, i, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v = state
    m = [beta1 * a + (1 - beta1) * g for a, g in zip(m, grads)]
    v = [beta2 * a + (1 - beta2) * g**2 for a, g in zip(v, grads)]
    mhat = [a / (1 - beta1 ** (i + 1)) for a in m]
    vhat = [a / (1 - beta2 ** (i + 1)) for a in v]
    params = [p - lr * a / (np.sqrt(b) + eps) for p, a, b in zip(params, mhat, vhat)]
    return params, (m, v)
''', ["Adam"]),
    "a state with names": ('''
import numpy as np

from collections import namedtuple
AdamState = namedtuple("AdamState", ["m", "v", "t"])
def init_adam(params):
    return AdamState({k: np.zeros_like(p) for k, p in params.items()}, {k: np.zeros_like(p) for k, p in params.items()}, 0)
def adam_update(params, grads, state, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    t = state.t + 1
    m = {k: beta1 * state.m[k] + (1 - beta1) * grads[k] for k in params}
    v = {k: beta2 * state.v[k] + (1 - beta2) * grads[k]**2 for k in params}
    new = {k: params[k] - lr * (m[k] / (1 - beta1**t)) / (np.sqrt(v[k] / (1 - beta2**t)) + eps) for k in params}
    return new, AdamState(m, v, t)
''', ["Adam"]),
    "new values without names": ('''
import numpy as np

def momentum(params, grads, velocity, lr, beta=0.9):
    return [p - lr * (beta * v + g) for p, v, g in zip(params, velocity, grads)], [beta * v + g for v, g in zip(velocity, grads)]
''', ["Momentum"]),
    "moments under other names": ('''
import numpy as np

def adam_update(theta, grad, first_moment, second_moment, t, lr=0.1):
    fm = 0.9 * first_moment + 0.1 * grad
    sm = 0.999 * second_moment + 0.001 * grad**2
    fu = fm / (1 - 0.9**t)
    su = sm / (1 - 0.999**t)
    return theta - lr * fu / (np.sqrt(su) + 1e-8), fm, sm
''', ["Adam"]),
    "parameters that hold their gradients": ('''
import numpy as np

class Parameter:
    def __init__(self, data):
        self.data = data
        self.grad = np.zeros_like(data)
class SGD:
    def __init__(self, params, lr=0.1, momentum=0.9):
        self.params = params
        self.lr = lr
        self.momentum = momentum
        self.v = [np.zeros_like(p.data) for p in params]
    def zero_grad(self):
        for p in self.params:
            p.grad[:] = 0
    def step(self):
        for i, p in enumerate(self.params):
            self.v[i] = self.momentum * self.v[i] + p.grad
            p.data -= self.lr * self.v[i]
''', ["Momentum"]),
    "a function of parameters that hold their gradients": ('''
import numpy as np

def sgd_step(params, lr):
    for p in params:
        p.data -= lr * p.grad
''', ["gradient descent"]),
}
STRANGE = {
    "Nadam": '''
import numpy as np
class Nadam:
    def __init__(self, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.b1, self.b2, self.eps, self.m, self.v, self.t = lr, beta1, beta2, eps, {}, {}, 0
    def update(self, params, grads):
        self.t += 1
        for k in params:
            self.m[k] = self.b1 * self.m.get(k, 0) + (1 - self.b1) * grads[k]
            self.v[k] = self.b2 * self.v.get(k, 0) + (1 - self.b2) * grads[k] ** 2
            m = self.b1 * self.m[k] / (1 - self.b1 ** (self.t + 1)) + (1 - self.b1) * grads[k] / (1 - self.b1 ** self.t)
            params[k] -= self.lr * m / (np.sqrt(self.v[k] / (1 - self.b2 ** self.t)) + self.eps)
''',
    "signs": '''
import numpy as np
def sign_update(params, grads, lr):
    return {k: params[k] - lr * np.sign(grads[k]) for k in params}
''',
    "gradients that are cut": '''
import numpy as np

def sgd(params, grads, lr):
    for k in params:
        g = np.clip(grads[k], -0.05, 0.05)
        params[k] -= lr * g
    return params
''',
    "a rate that falls by the epoch": '''
import numpy as np

def update_parameters(parameters, grads, learning_rate, epoch, decay_rate=0.1):
    learning_rate = learning_rate / (1 + decay_rate * epoch)
    for k in parameters:
        parameters[k] = parameters[k] - learning_rate * grads["d" + k]
    return parameters
''',
    "a rate that falls by a global": '''
import numpy as np

lr0 = 0.1
step_count = 0
def update_parameters(params, grads):
    global step_count
    step_count += 1
    lr = lr0 / np.sqrt(step_count)
    for k in params:
        params[k] -= lr * grads[k]
    return params
''',
    "a step that is counted elsewhere": '''
import numpy as np

def adam(params, grads, states, hyperparams):
    beta1, beta2, eps = 0.9, 0.999, 1e-6
    for k in params:
        states["m"][k] = beta1 * states["m"][k] + (1 - beta1) * grads[k]
        states["v"][k] = beta2 * states["v"][k] + (1 - beta2) * grads[k] ** 2
        params[k] -= hyperparams["lr"] * states["m"][k] / (1 - beta1 ** hyperparams["t"]) / (np.sqrt(states["v"][k] / (1 - beta2 ** hyperparams["t"])) + eps)
''',
}
