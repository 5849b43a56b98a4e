"""Two layers and their gradients, with one mistake in them."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def forward(X, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = sigmoid(Z1)
    y_pred = A1 @ W2 + b2
    return y_pred, (Z1, A1)


def loss(y_pred, y):
    return np.mean((y_pred - y) ** 2)


def backward(X, y, y_pred, cache, W2):
    Z1, A1 = cache
    dZ2 = 2 * (y_pred - y) / len(X)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * sigmoid_prime(A1)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
