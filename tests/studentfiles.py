"""Correct backprop as students write it: one file an interface, each with the network it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Student:
    """A file: the network in short text, its loss, a part of what the way of calling it says, the layout found, and the spec's adapter."""

    text: str
    net: str
    loss: str
    way: str
    layout: str
    rows: bool = True
    reduction: str = "mean"
    samples: tuple[int, ...] = (6, 7, 1)
    adapter: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


FILES: dict[str, Student] = {}


def student(name: str, net: str, loss: str, way: str, layout: str, text: str, **more: Any) -> None:
    """Add a file."""
    FILES[name] = Student(text, net, loss, way, layout, **more)


student("functions and tuples, helpers missing", "4-3-2 sigmoid sigmoid", "half_squared_error", "functions forward() and backward()", "rows, W as (in, out), b as (n,)", '''
def forward(X, W1, b1, W2, b2):
    z1 = np.dot(X, W1) + b1
    a1 = sigmoid(z1)
    z2 = np.dot(a1, W2) + b2
    return sigmoid(z2), (z1, a1, z2)

def backward(X, y, y_pred, cache, W1, W2):
    z1, a1, z2 = cache
    m = X.shape[0]
    dz2 = (y_pred - y) * sigmoid_derivative(z2)
    dW2 = np.dot(a1.T, dz2) / m
    db2 = np.sum(dz2, axis=0) / m
    dz1 = np.dot(dz2, W2.T) * sigmoid_derivative(z1)
    dW1 = np.dot(X.T, dz1) / m
    db1 = np.sum(dz1, axis=0) / m
    return dW1, db1, dW2, db2
''', notes=("sigmoid(z) is not in the file; supplied", "np was not imported; supplied", "sigmoid_derivative(z) is not in the file; supplied, as the slope at its input z"))

student("dictionaries, columns", "4-3-1 tanh sigmoid", "binary_cross_entropy", "functions forward_propagation() and backward_propagation()",
        "columns, W as (out, in), b as (n, 1)", '''
import numpy as np
from course_utils import load_data, sigmoid

def forward_propagation(X, parameters):
    Z1 = parameters["W1"] @ X + parameters["b1"]
    A1 = np.tanh(Z1)
    A2 = sigmoid(parameters["W2"] @ A1 + parameters["b2"])
    return A2, {"Z1": Z1, "A1": A1, "A2": A2}

def compute_cost(A2, Y):
    return float(-np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)))

def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    error = cache["A2"] - Y
    grads = {"dW2": error @ cache["A1"].T / m, "db2": error.sum(axis=1, keepdims=True) / m}
    below = parameters["W2"].T @ error * (1 - cache["A1"]**2)
    grads["dW1"] = below @ X.T / m
    grads["db1"] = below.sum(axis=1, keepdims=True) / m
    return grads

X, Y = load_data()
print(X.shape)
''', rows=False)

student("deep, keys made of numbers", "5-4-3-2 relu relu sigmoid", "binary_cross_entropy", "functions L_model_forward() and L_model_backward()",
        "columns, W as (out, in), b as (n, 1)", '''
import numpy as np

def relu(z):
    return np.maximum(z, 0)

def L_model_forward(X, parameters):
    caches, A = [], X
    L = len(parameters) // 2
    for l in range(1, L + 1):
        below = A
        Z = parameters["W" + str(l)] @ below + parameters["b" + str(l)]
        A = relu(Z) if l < L else 1 / (1 + np.exp(-Z))
        caches.append((below, Z))
    return A, caches

def L_model_backward(AL, Y, caches, parameters):
    grads, m = {}, Y.size
    dZ = AL - Y
    for l in reversed(range(1, len(caches) + 1)):
        below, _ = caches[l - 1]
        grads["dW" + str(l)] = dZ @ below.T / m
        grads["db" + str(l)] = dZ.sum(axis=1, keepdims=True) / m
        if l > 1:
            dZ = parameters["W" + str(l)].T @ dZ * (caches[l - 2][1] > 0)
    return grads
''', rows=False)

student("class with params and loss, classes as numbers", "4-3-2 relu softmax", "cross_entropy", "class TwoLayerNet",
        "rows, W as (in, out), b as (n,), y as numbers of classes", '''
import numpy as np
import matplotlib.pyplot as plt

class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, std=1e-4):
        self.params = {}
        self.params['W1'] = std * np.random.randn(input_size, hidden_size)
        self.params['b1'] = np.zeros(hidden_size)
        self.params['W2'] = std * np.random.randn(hidden_size, output_size)
        self.params['b2'] = np.zeros(output_size)

    def loss(self, X, y=None, reg=0.0):
        hidden = np.maximum(0, X.dot(self.params['W1']) + self.params['b1'])
        s = hidden.dot(self.params['W2']) + self.params['b2']
        if y is None:
            return s
        p = np.exp(s - s.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        N = len(X)
        loss = -np.log(p[range(N), y]).mean() + reg * (self.params['W1']**2).sum()
        p[range(N), y] -= 1
        p /= N
        grads = {'W2': hidden.T.dot(p), 'b2': p.sum(axis=0)}
        back = p.dot(self.params['W2'].T) * (hidden > 0)
        grads['W1'] = X.T.dot(back)
        grads['b1'] = back.sum(axis=0)
        return loss, grads
''')

student("class with lists, one example at a time", "4-3-2 sigmoid sigmoid", "half_squared_error", "class Network", "columns, W as (out, in), b as (n, 1)", '''
import numpy as np

class Network:
    def __init__(self, sizes):
        self.sizes = sizes
        self.biases = [np.random.randn(n, 1) for n in sizes[1:]]
        self.weights = [np.random.randn(n, k) for k, n in zip(sizes, sizes[1:])]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights):
            a = s(w @ a + b)
        return a

    def backprop(self, x, y):
        acts = [x]
        for b, w in zip(self.biases, self.weights):
            acts.append(s(w @ acts[-1] + b))
        nabla_b = [None for b in self.biases]
        nabla_w = [None for w in self.weights]
        delta = (acts[-1] - y) * acts[-1] * (1 - acts[-1])
        for l in range(1, len(self.sizes)):
            nabla_b[-l] = delta
            nabla_w[-l] = delta @ acts[-l - 1].T
            delta = self.weights[-l].T @ delta * acts[-l - 1] * (1 - acts[-l - 1])
        return (nabla_b, nabla_w)

    def update_mini_batch(self, mini_batch, eta):
        for x, y in mini_batch:
            nabla_b, nabla_w = self.backprop(x, y)
            self.weights = [w - eta * nw / len(mini_batch) for w, nw in zip(self.weights, nabla_w)]

def s(z):
    return 1 / (1 + np.exp(-z))
''', rows=False)

student("class that only applies gradients, added", "4-3-1 sigmoid sigmoid nobias", "squared_error", "class NeuralNetwork; gradients are what one update changes",
        "rows, W as (in, out)", '''
import numpy as np

def squash(t, slope=False):
    return t * (1 - t) if slope else 1 / (1 + np.exp(-t))

class NeuralNetwork:
    def __init__(self, x, y):
        self.input = x
        self.y = y
        self.weights1 = np.random.rand(x.shape[1], 3)
        self.weights2 = np.random.rand(3, 1)

    def feedforward(self):
        self.layer1 = squash(self.input @ self.weights1)
        self.output = squash(self.layer1 @ self.weights2)

    def backprop(self):
        e2 = 2 * (self.y - self.output) * squash(self.output, True)
        e1 = e2 @ self.weights2.T * squash(self.layer1, True)
        self.weights1 += self.input.T @ e1
        self.weights2 += self.layer1.T @ e2
''', reduction="sum")

student("class with a learning rate and a training step", "4-3-2 sigmoid sigmoid", "half_squared_error", "class MLP; gradients are what one update changes",
        "rows, W as (in, out), b as (1, n)", '''
import numpy as np

class MLP:
    def __init__(self, layer_sizes, lr=0.1):
        self.W = [np.random.randn(a, b) for a, b in zip(layer_sizes, layer_sizes[1:])]
        self.b = [np.zeros((1, n)) for n in layer_sizes[1:]]
        self.lr = lr

    def forward(self, X):
        self.a = [X]
        for W, b in zip(self.W, self.b):
            self.a.append(1 / (1 + np.exp(-(self.a[-1] @ W + b))))
        return self.a[-1]

    def train_step(self, X, y):
        out = self.forward(X)
        delta = (out - y) * out * (1 - out) / len(X)
        for i in reversed(range(len(self.W))):
            gW, gb = self.a[i].T @ delta, delta.sum(axis=0, keepdims=True)
            delta = delta @ self.W[i].T * self.a[i] * (1 - self.a[i])
            self.W[i] -= self.lr * gW
            self.b[i] -= self.lr * gb
''')

student("class with gradients in attributes", "4-3-2 relu identity", "mse", "class Net", "columns, W as (out, in), b as (n, 1)", '''
import numpy as np

class Net:
    def __init__(self, n_x, n_h, n_y):
        self.W1, self.b1 = np.random.randn(n_h, n_x), np.zeros((n_h, 1))
        self.W2, self.b2 = np.random.randn(n_y, n_h), np.zeros((n_y, 1))

    def forward(self, X):
        self.X = X
        self.Z1 = self.W1 @ X + self.b1
        self.A1 = np.maximum(0, self.Z1)
        return self.W2 @ self.A1 + self.b2

    def backward(self, y_hat, y):
        d = 2 * (y_hat - y) / y.size
        self.dW2, self.db2 = d @ self.A1.T, d.sum(axis=1, keepdims=True)
        d = self.W2.T @ d * (self.Z1 > 0)
        self.dW1, self.db1 = d @ self.X.T, d.sum(axis=1, keepdims=True)
''', rows=False)

student("layer objects", "4-3-2 relu sigmoid", "mse", "layer objects (Dense, ReLU, Sigmoid)", "rows, W as (in, out), b as (1, n)", '''
import numpy as np

class Dense:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out) * 0.1
        self.b = np.zeros((1, n_out))

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0, keepdims=True)
        return dout @ self.W.T

class ReLU:
    def forward(self, x):
        self.on = x > 0
        return x * self.on

    def backward(self, dout):
        return dout * self.on

class Sigmoid:
    def forward(self, x):
        self.a = 1 / (1 + np.exp(-x))
        return self.a

    def backward(self, dout):
        return dout * self.a * (1 - self.a)
''')

student("layer objects that update at once", "4-3-2 tanh tanh", "mse", "layer objects (Dense, Activation)", "columns, W as (out, in), b as (n, 1)", '''
import numpy as np

class Dense:
    def __init__(self, input_size, output_size):
        self.weights = np.random.randn(output_size, input_size)
        self.bias = np.random.randn(output_size, 1)

    def forward(self, input):
        self.input = input
        return self.weights @ input + self.bias

    def backward(self, output_gradient, learning_rate):
        back = self.weights.T @ output_gradient
        self.weights -= learning_rate * output_gradient @ self.input.T
        self.bias -= learning_rate * output_gradient.sum(axis=1, keepdims=True)
        return back

class Activation:
    def __init__(self, activation, activation_prime):
        self.activation, self.activation_prime = activation, activation_prime

    def forward(self, input):
        self.input = input
        return self.activation(input)

    def backward(self, output_gradient, learning_rate):
        return output_gradient * self.activation_prime(self.input)

def tanh(x):
    return np.tanh(x)

def tanh_prime(x):
    return 1 - np.tanh(x)**2
''', rows=False)

student("layer objects that return nothing", "4-3-2 relu softmax", "cross_entropy", "layer objects (Layer_Dense, Activation_ReLU)", "rows, W as (in, out), b as (1, n)", '''
import numpy as np

class Layer_Dense:
    def __init__(self, n_inputs, n_neurons):
        self.weights = np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T

class Activation_ReLU:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues):
        self.dinputs = np.where(self.inputs > 0, dvalues, 0)
''', notes=("the gradient that enters at the last pre-activation is ours, of the loss in the spec",))

student("flat script", "4-3-2 tanh identity", "mse", "a flat script", "rows, W as (out, in), b as (n, 1)", '''
import numpy as np, matplotlib.pyplot as plt
data = np.loadtxt("data.csv", delimiter=",")
X, Y = data[:, :4], data[:, 4:]
m = X.shape[0]
hidden = 3
lr = 0.1
W1, b1 = np.random.randn(hidden, 4), np.zeros((hidden, 1))
W2 = np.random.randn(2,
                     hidden)
b2 = np.zeros((2, 1))
for i in range(100000):
    Z1 = X @ W1.T + b1.T
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2.T + b2.T
    loss = ((Z2 - Y)**2).mean()
    dZ2 = 2 * (Z2 - Y) / (m * 2)
    dW2 = dZ2.T @ A1
    db2 = dZ2.sum(axis=0).reshape(-1, 1)
    dZ1 = dZ2 @ W2 * (1 - A1**2)
    dW1 = dZ1.T @ X
    db1 = dZ1.sum(axis=0).reshape(-1, 1)
    W1 = W1 - lr * dW1
    W2 = W2 - lr * dW2
    b1 -= lr * db1
    b2 -= lr * db2
plt.plot(loss); plt.show()
''')

student("flat script that adds, layers counted from 0", "3-4-1 sigmoid sigmoid nobias", "half_squared_error", "a flat script", "rows, W as (in, out)", '''
import numpy as np

def nonlin(t, slope=False):
    return t * (1 - t) if slope else 1 / (1 + np.exp(-t))

X = np.array([[0, 1, 1],
              [1, 0, 1]])
y = np.array([[1, 0]]).T
np.random.seed(3)
syn0 = 2 * np.random.random((3, 4)) - 1
syn1 = 2 * np.random.random((4, 1)) - 1
for step in range(60000):
    l1 = nonlin(X @ syn0)
    l2 = nonlin(l1 @ syn1)
    l2_delta = (y - l2) * nonlin(l2, True)
    l1_delta = l2_delta @ syn1.T * nonlin(l1, True)
    syn1 += l1.T @ l2_delta
    syn0 += X.T @ l1_delta
print(l2)
''', reduction="sum")

student("local variables of a training function", "4-3-2 relu identity", "mse", "function train(), its local variables", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def train(X, y, hidden=10, lr=0.01, epochs=1000):
    W1 = np.random.randn(X.shape[1], hidden) * 0.01
    b1 = np.zeros(hidden)
    W2 = np.random.randn(hidden, y.shape[1]) * 0.01
    b2 = np.zeros(y.shape[1])
    for epoch in range(epochs):
        z1 = X @ W1 + b1
        a1 = np.maximum(z1, 0)
        out = a1 @ W2 + b2
        loss = np.mean((out - y)**2)
        dout = 2 * (out - y) / y.size
        dW2, db2 = a1.T @ dout, dout.sum(0)
        dz1 = dout @ W2.T * (z1 > 0)
        dW1, db1 = X.T @ dz1, dz1.sum(0)
        W1 -= lr * dW1
        b1 -= lr * db1
        W2 -= lr * dW2
        b2 -= lr * db2
    return loss
''')

student("returned without names", "4-3-2 tanh identity", "mse", "functions predict() and grad()", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def predict(X, W1, b1, W2, b2):
    return np.tanh(X @ W1 + b1) @ W2 + b2

def grad(X, Y, W1, b1, W2, b2):
    H = np.tanh(X @ W1 + b1)
    e = 2 * (H @ W2 + b2 - Y) / Y.size
    k = e @ W2.T * (1 - H * H)
    return X.T @ k, k.sum(0), H.T @ e, e.sum(0)
''')

student("bias in the first column of Theta", "4-3-2 sigmoid sigmoid", "half_squared_error", "function costFunction()",
        "rows, W as (out, in), b in W, for a first input of 1", '''
import numpy as np

def costFunction(Theta1, Theta2, X, y):
    m = X.shape[0]
    start = np.hstack([np.ones((m, 1)), X])
    h = 1 / (1 + np.exp(-start @ Theta1.T))
    mid = np.hstack([np.ones((m, 1)), h])
    end = 1 / (1 + np.exp(-mid @ Theta2.T))
    J = 0.5 * np.sum((end - y)**2) / m
    d3 = (end - y) * end * (1 - end)
    d2 = (d3 @ Theta2[:, 1:]) * h * (1 - h)
    Theta1_grad, Theta2_grad = d2.T @ start / m, d3.T @ mid / m
    return J, Theta1_grad, Theta2_grad
''')

student("a gradient for each example", "4-2 identity", "mse", "function backward()", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def backward(X, y, W, b):
    e = X @ W + b - y
    return 2 * X[:, :, None] * e[:, None, :] / e.shape[1], 2 * e / e.shape[1]
''')

student("one neuron in plain numbers", "1-1 sigmoid", "half_squared_error", "functions forward() and gradients()", "plain numbers", '''
import math

def forward(x, w, b):
    return 1 / (1 + math.exp(-(w * x + b)))

def gradients(x, y, w, b):
    a = forward(x, w, b)
    dz = (a - y) * a * (1 - a)
    return dz * x, dz
''', samples=(1,))

student("names of its own, by an adapter", "4-3-2 tanh identity", "mse", "functions guess() and blame()", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def guess(stuff, kern_a, kern_b, off_a, off_b):
    return np.tanh(stuff @ kern_a + off_a) @ kern_b + off_b

def blame(stuff, want, kern_a, kern_b, off_a, off_b):
    H = np.tanh(stuff @ kern_a + off_a)
    e = 2 * (H @ kern_b + off_b - want) / want.size
    k = e @ kern_b.T * (1 - H * H)
    return [e.sum(0), H.T @ e, k.sum(0), stuff.T @ k]
''', adapter={"rename": {"guess": "forward", "blame": "backward", "stuff": "x", "want": "y", "kern_a": "W1", "kern_b": "W2", "off_a": "b1", "off_b": "b2"},
             "returns": ["db2", "dW2", "db1", "dW1"]})

student("attributes of its own, by an adapter", "4-3-1 tanh identity", "mse", "class Machine", "rows, W as (in, out), b as (n,)", '''
import numpy as np

class Part:
    def __init__(self, k, n):
        self.m, self.c = np.random.randn(k, n), np.zeros(n)

class Machine:
    def __init__(self):
        self.low, self.high = Part(4, 3), Part(3, 1)

    def forward(self, X):
        self.X, self.h = X, np.tanh(X @ self.low.m + self.low.c)
        return self.h @ self.high.m + self.high.c

    def backward(self, X, y):
        e = 2 * (self.forward(X) - y) / y.size
        self.high.gm, self.high.gc = self.h.T @ e, e.sum(0)
        e = e @ self.high.m.T * (1 - self.h**2)
        self.low.gm, self.low.gc = X.T @ e, e.sum(0)
''', adapter={"attrs": {"W1": "low.m", "b1": "low.c", "W2": "high.m", "b2": "high.c", "dW1": "low.gm", "db1": "low.gc", "dW2": "high.gm", "db2": "high.gc"}})

student("one neuron of columns", "4-1 sigmoid", "binary_cross_entropy", "function propagate()", "columns, W as (in, out)", '''
import numpy as np

def propagate(w, b, X, Y):
    m = X.shape[1]
    A = 1 / (1 + np.exp(-(w.T @ X + b)))
    cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
    grads = {"dw": X @ (A - Y).T / m, "db": np.sum(A - Y) / m}
    return grads, cost
''', rows=False)

student("functions that share global variables", "4-3-2 tanh identity", "mse", "functions forward() and backward()", "rows, W as (in, out), b as (1, n)", '''
import numpy as np
X, Y = np.random.rand(5, 4), np.random.rand(5, 2)
W1, b1 = np.random.rand(4, 3), np.zeros((1, 3))
W2, b2 = np.random.rand(3, 2), np.zeros((1, 2))

def forward():
    global a1, out
    a1 = np.tanh(X @ W1 + b1)
    out = a1 @ W2 + b2
    return out

def backward():
    d = 2 * (out - Y) / Y.size
    below = d @ W2.T * (1 - a1**2)
    dW2, db2 = a1.T @ d, d.sum(axis=0, keepdims=True)
    dW1, db1 = X.T @ below, below.sum(axis=0, keepdims=True)
    return dW1, db1, dW2, db2

for i in range(100):
    forward(); backward()
''')

student("parameters in a tuple", "4-3-2 relu identity", "mse", "functions forward() and backward()", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def forward(params, X):
    W1, b1, W2, b2 = params
    z = X @ W1 + b1
    return np.maximum(z, 0) @ W2 + b2, z

def backward(params, X, Y, cache, yhat):
    W1, b1, W2, b2 = params
    g = 2 * (yhat - Y) / Y.size
    below = g @ W2.T * (cache > 0)
    return X.T @ below, below.sum(0), np.maximum(cache, 0).T @ g, g.sum(0)
''')

student("gradients under the names of the parameters", "4-3-2 tanh softmax", "cross_entropy", "functions forward() and compute_gradients()", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def forward(model, X):
    h = np.tanh(X @ model["W1"] + model["b1"])
    e = np.exp(h @ model["W2"] + model["b2"])
    return h, e / e.sum(axis=1, keepdims=True)

def compute_gradients(model, X, y):
    h, p = forward(model, X)
    d = (p - y) / len(X)
    below = d @ model["W2"].T * (1 - h**2)
    return {"W1": X.T @ below, "b1": below.sum(0), "W2": h.T @ d, "b2": d.sum(0)}
''')

student("a list of examples, made columns inside", "4-3-2 sigmoid sigmoid nobias", "half_squared_error", "class Machine; gradients are what one update changes",
        "examples as rows, W as (out, in)", '''
import numpy as np

class Machine:
    def __init__(self, inputnodes, hiddennodes, outputnodes, learningrate):
        self.wih, self.who = np.random.rand(hiddennodes, inputnodes), np.random.rand(outputnodes, hiddennodes)
        self.lr = learningrate

    def train(self, inputs_list, targets_list):
        x, t = np.array(inputs_list, ndmin=2).T, np.array(targets_list, ndmin=2).T
        h = 1 / (1 + np.exp(-self.wih @ x))
        o = 1 / (1 + np.exp(-self.who @ h))
        d = (t - o) * o * (1 - o)
        below = self.who.T @ d * h * (1 - h)
        self.who += self.lr * d @ h.T
        self.wih += self.lr * below @ x.T
''', reduction="sum")

student("a script without end whose rate is a number", "3-4-1 sigmoid sigmoid nobias", "half_squared_error", "a flat script", "rows, W as (in, out)", '''
import numpy as np
X = np.random.rand(10, 3); y = np.random.rand(10, 1)
W1 = np.random.rand(3, 4); W2 = np.random.rand(4, 1)
s = lambda t: 1 / (1 + np.exp(-t))
while True:
    h = s(X @ W1); o = s(h @ W2)
    e = (o - y) * o * (1 - o)
    back = e @ W2.T * h * (1 - h)
    W2 = W2 - 0.1 * h.T @ e
    W1 = W1 - 0.1 * X.T @ back
''', reduction="sum")


FRAMEWORKS: dict[str, Student] = {}  # run where the library is installed
FRAMEWORKS['torch module with a function of its own'] = Student('''
import torch
import torch.nn as nn
class MySigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        a = 1/(1+torch.exp(-z))
        ctx.save_for_backward(a)
        return a
    @staticmethod
    def backward(ctx, grad_output):
        a, = ctx.saved_tensors
        return grad_output * a * (1 - a)
class Net(nn.Module):
    def __init__(self, d_in=4, h=3, d_out=2):
        super().__init__()
        self.fc1 = nn.Linear(d_in, h)
        self.fc2 = nn.Linear(h, d_out)
    def forward(self, x):
        return MySigmoid.apply(self.fc2(torch.relu(self.fc1(x))))
''', "4-3-2 relu sigmoid", "mse", 'torch.nn.Module Net', 'rows, W as (out, in), b as (n,)', samples=(6, 1))
FRAMEWORKS['torch sequential'] = Student('''
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    def forward(self, x):
        return self.net(x)
''', "4-3-2 tanh identity", "mse", 'torch.nn.Module Net', 'rows, W as (out, in), b as (n,)', samples=(6, 1))
FRAMEWORKS['torch function of one layer'] = Student('''
import torch
class Lin(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight, bias):
        ctx.save_for_backward(input, weight)
        return input.mm(weight.t()) + bias
    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        return grad_output.mm(weight), grad_output.t().mm(input), grad_output.sum(0)
''', "4-2 identity", "mse", 'torch.autograd.Function Lin', 'rows, W as (out, in), b as (n,)', samples=(6, 1))
FRAMEWORKS['torch by hand'] = Student('''
import torch
def forward(X, W1, b1, W2, b2):
    h = torch.tanh(X @ W1 + b1)
    return h @ W2 + b2, h
def backward(X, y, y_pred, h, W2):
    e = 2*(y_pred - y)/y.numel()
    dW2, db2 = h.T @ e, e.sum(0)
    d = e @ W2.T*(1-h*h)
    dW1, db1 = X.T @ d, d.sum(0)
    return dW1, db1, dW2, db2
''', "4-3-2 tanh identity", "mse", 'functions forward() and backward()', 'rows, W as (in, out), b as (n,)', samples=(6, 1))
FRAMEWORKS['jax with custom_vjp'] = Student('''
import jax
import jax.numpy as jnp
@jax.custom_vjp
def sig(z):
    return 1/(1+jnp.exp(-z))
def sig_fwd(z):
    a = sig(z)
    return a, a
def sig_bwd(a, g):
    return (g*a*(1-a),)
sig.defvjp(sig_fwd, sig_bwd)
def predict(params, X):
    h = jnp.tanh(X @ params["W1"] + params["b1"])
    return sig(h @ params["W2"] + params["b2"])
def loss(params, X, y):
    return jnp.mean((predict(params, X) - y)**2)
''', "4-3-2 tanh sigmoid", "mse", 'loss(), differentiated by jax.grad', 'rows, W as (in, out), b as (1, n)', samples=(6, 1))
FRAMEWORKS['jax by arguments'] = Student('''
import jax, jax.numpy as jnp
def loss(W1, b1, W2, b2, X, y):
    return jnp.mean((jnp.tanh(X @ W1 + b1) @ W2 + b2 - y)**2)
grad = jax.jit(jax.grad(loss, argnums=(0,1,2,3)))
''', "4-3-2 tanh identity", "mse", 'loss(), differentiated by jax.grad', 'rows, W as (in, out), b as (1, n)', samples=(6, 1))
FRAMEWORKS['torch training loop'] = Student('''
import torch
torch.manual_seed(0)
X = torch.randn(6, 4)
y = torch.randn(6, 2)
W1 = torch.randn(4, 3, requires_grad=True)
b1 = torch.zeros(3, requires_grad=True)
W2 = torch.randn(3, 2, requires_grad=True)
b2 = torch.zeros(2, requires_grad=True)
lr = 0.1
for epoch in range(500):
    h = torch.tanh(X @ W1 + b1)
    y_pred = h @ W2 + b2
    loss = ((y_pred - y)**2).mean()
    loss.backward()
    with torch.no_grad():
        W1 -= lr * W1.grad
        b1 -= lr * b1.grad
        W2 -= lr * W2.grad
        b2 -= lr * b2.grad
        W1.grad.zero_(); b1.grad.zero_(); W2.grad.zero_(); b2.grad.zero_()
''', "4-3-2 tanh identity", "mse", 'a flat script', 'rows, W as (in, out), b as', samples=(6,))
FRAMEWORKS['torch module with the loss'] = Student('''
import torch
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.second = nn.Linear(3, 2)
    def forward(self, x, y):
        return F.mse_loss(self.second(torch.tanh(self.first(x))), y)
''', "4-3-2 tanh identity", "mse", 'torch.nn.Module Net', 'rows, W as (out, in), b as (n,)', samples=(6, 1))
FRAMEWORKS['torch module with output and loss'] = Student('''
import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.second = nn.Linear(3, 2)
    def forward(self, x, targets=None):
        out = self.second(torch.tanh(self.first(x)))
        loss = None if targets is None else ((out - targets)**2).mean()
        return out, loss
''', "4-3-2 tanh identity", "mse", 'torch.nn.Module Net', 'rows, W as (out, in), b as (n,)', samples=(6, 1))
FRAMEWORKS['jax pairs with custom_vjp'] = Student('''
import jax
import jax.numpy as jnp
from jax import custom_vjp, grad
@custom_vjp
def act(z):
    return jnp.tanh(z)
def act_fwd(z):
    a = jnp.tanh(z)
    return a, a
def act_bwd(a, g):
    return (g * (1 - a**2),)
act.defvjp(act_fwd, act_bwd)
def predict(params, x):
    for W, b in params[:-1]:
        x = act(jnp.dot(x, W) + b)
    W, b = params[-1]
    return jnp.dot(x, W) + b
def loss(params, x, y):
    return jnp.mean((predict(params, x) - y)**2)
gradients = grad(loss)
''', "4-3-2 tanh identity", "mse", 'loss(), differentiated by jax.grad', 'rows, W as (in, out), b as (1, n)', samples=(6, 1))
FRAMEWORKS['jax nested lists'] = Student('''
import jax.numpy as jnp
from jax import grad
def loss(params, X, y):
    (W1, b1), (W2, b2) = params
    h = jnp.tanh(X @ W1 + b1)
    return jnp.mean((h @ W2 + b2 - y)**2)
''', "4-3-2 tanh identity", "mse", 'loss(), differentiated by jax.grad', 'rows, W as (in, out), b as (1, n)', samples=(6, 1))
student("container of layers with the loss", "4-3-2 relu identity", "mse", "layer objects (Linear, Relu)", "rows, W as (in, out), b as", '''
import numpy as np

class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T

class Relu:
    def forward(self, x):
        self.on = x > 0
        return x * self.on
    def backward(self, dout):
        return dout * self.on

class MSE:
    def forward(self, y_pred, y):
        self.d = y_pred - y
        return (self.d**2).mean()
    def backward(self):
        return 2 * self.d / self.d.size

class Sequential:
    def __init__(self, layers, loss):
        self.layers, self.loss_layer = layers, loss
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def loss(self, x, y):
        return self.loss_layer.forward(self.forward(x), y)
    def backward(self):
        dout = self.loss_layer.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout
''')
student("nested lists of parameters", "4-3-2 tanh identity", "mse", "functions forward() and backward()", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def forward(X, params):
    (W1, b1), (W2, b2) = params
    h = np.tanh(X @ W1 + b1)
    return h @ W2 + b2, h

def backward(X, y, y_pred, h, params):
    (W1, b1), (W2, b2) = params
    e = 2 * (y_pred - y) / y.size
    d = e @ W2.T * (1 - h**2)
    return [[X.T @ d, d.sum(axis=0)], [h.T @ e, e.sum(axis=0)]]
''')


# ---- as code is written outside courses: closures, lists of layers, functions that are layers

student("forward returns its backward", "4-3-2 relu identity", "half_squared_error", "functions forward() and backward(), which forward() returns", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def forward(x, W1, b1, W2, b2):
    h = x @ W1 + b1
    a = np.maximum(h, 0)
    def backward(dout):
        dW2, db2 = a.T @ dout, dout.sum(axis=0)
        dh = (dout @ W2.T) * (h > 0)
        dW1, db1 = x.T @ dh, dh.sum(axis=0)
        return dW1, db1, dW2, db2
    return a @ W2 + b2, backward
''')

student("layers that return their pullbacks", "4-3-2 tanh identity", "mse", "layers that are functions: dense()", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def dense(x, W, b):
    def pullback(g):
        return g @ W.T, x.T @ g, g.sum(0)
    return x @ W + b, pullback

def tanh(x):
    out = np.tanh(x)
    def pullback(g):
        return g * (1 - out * out)
    return out, pullback
''')

student("affine_forward and affine_backward", "4-3-2 relu softmax", "cross_entropy", "layers that are functions: affine_forward()", "rows, W as (in, out), b as (n,), y as numbers of classes", '''
import numpy as np

def affine_forward(x, w, b):
    return x.dot(w) + b, (x, w)

def affine_backward(dout, cache):
    x, w = cache
    return dout.dot(w.T), x.T.dot(dout), dout.sum(axis=0)

def relu_forward(x):
    return np.maximum(0, x), x

def relu_backward(dout, x):
    return dout * (x > 0)

def softmax_loss(x, y):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(x)), y]).mean()
    p[np.arange(len(x)), y] -= 1
    return loss, p / len(x)
''')

student("layers as dictionaries in a list", "4-3-2 relu sigmoid", "half_squared_error", "class Net; gradients are what one update changes", "rows, W as (in, out), b as (1, n)", '''
import numpy as np

class Net:
    def __init__(self, sizes, lr=0.1):
        self.lr, self.layers = lr, []
        for i in range(len(sizes) - 1):
            self.layers.append({"W": np.random.randn(sizes[i], sizes[i + 1]), "b": np.zeros((1, sizes[i + 1]))})

    def forward(self, X):
        self.a = [X]
        for k, layer in enumerate(self.layers):
            z = self.a[-1] @ layer["W"] + layer["b"]
            self.a.append(np.maximum(z, 0) if k < len(self.layers) - 1 else 1 / (1 + np.exp(-z)))
        return self.a[-1]

    def backward(self, X, y):
        out, count = self.a[-1], len(self.layers)
        dz = (out - y) * out * (1 - out) / len(X)
        for k in range(count - 1, -1, -1):
            below = dz @ self.layers[k]["W"].T * (self.a[k] > 0)
            self.layers[k]["W"] -= self.lr * self.a[k].T @ dz
            self.layers[k]["b"] -= self.lr * dz.sum(axis=0, keepdims=True)
            dz = below
''')

student("pairs in a list, the last layer first", "4-3-2 tanh identity", "half_squared_error", "functions forward() and backward()", "rows, W as (in, out), b as (n,)", '''
import numpy as np

def forward(params, x):
    acts = [x]
    for k, (W, b) in enumerate(params):
        z = acts[-1] @ W + b
        acts.append(np.tanh(z) if k < len(params) - 1 else z)
    return acts[-1], acts

def backward(params, acts, y):
    grads, d = [], (acts[-1] - y) / len(y)
    for k in reversed(range(len(params))):
        W, b = params[k]
        grads.append((acts[k].T @ d, d.sum(0)))
        d = d @ W.T * (1 - acts[k] ** 2)
    return grads
''', notes=("the list of gradients begins with the last layer",))

student("lists that count from 1", "4-3-2 sigmoid sigmoid", "half_squared_error", "class Network", "columns, W as (out, in), b as (n, 1)", '''
import numpy as np

class Network:
    def __init__(self, topology):
        self.L = len(topology)
        self.weights, self.biases = [None], {}
        for l in range(1, self.L):
            self.weights.append(np.random.randn(topology[l], topology[l - 1]))
            self.biases[l] = np.zeros((topology[l], 1))

    def forward(self, X):
        self.a = [X]
        for l in range(1, self.L):
            self.a.append(1 / (1 + np.exp(-(self.weights[l] @ self.a[-1] + self.biases[l]))))
        return self.a[-1]

    def backward(self, X, Y):
        dW, db = [None] * self.L, {}
        delta = (self.a[-1] - Y) * self.a[-1] * (1 - self.a[-1]) / X.shape[1]
        for l in range(self.L - 1, 0, -1):
            dW[l], db[l] = delta @ self.a[l - 1].T, delta.sum(axis=1, keepdims=True)
            delta = self.weights[l].T @ delta * self.a[l - 1] * (1 - self.a[l - 1])
        return dW, db
''')

student("objects that hold a layer each", "4-3-2 sigmoid sigmoid", "half_squared_error", "class Network", "rows, W as (in, out), b as (n,)", '''
import numpy as np

class Layer:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)

class Network:
    def __init__(self, sizes):
        self.layers = [Layer(a, b) for a, b in zip(sizes, sizes[1:])]

    def forward(self, X):
        self.acts = [X]
        for layer in self.layers:
            self.acts.append(1 / (1 + np.exp(-(self.acts[-1] @ layer.W + layer.b))))
        return self.acts[-1]

    def backward(self, y):
        out = self.acts[-1]
        delta = (out - y) * out * (1 - out) / len(y)
        for layer, a in zip(reversed(self.layers), reversed(self.acts[:-1])):
            layer.dW, layer.db = a.T @ delta, delta.sum(axis=0)
            delta = delta @ layer.W.T * a * (1 - a)
''')

student("local gradients of one layer after another", "4-3-2 sigmoid sigmoid", "half_squared_error", "function train(), its local variables", "rows, W as (in, out), b as (1, n)", '''
import numpy as np

def train(X, y, weights, biases, epochs=1000, lr=0.1):
    for epoch in range(epochs):
        acts = [X]
        for W, b in zip(weights, biases):
            acts.append(1 / (1 + np.exp(-(acts[-1] @ W + b))))
        delta = (acts[-1] - y) * acts[-1] * (1 - acts[-1])
        for i in range(len(weights) - 1, -1, -1):
            dW = acts[i].T @ delta / len(X)
            db = delta.mean(axis=0)
            delta = delta @ weights[i].T * acts[i] * (1 - acts[i])
            weights[i] -= lr * dW
            biases[i] -= lr * db
    return weights, biases
''')
