"""The code of the lectures that started the project, its text unchanged: a NumPy listing that takes its helpers for granted, and a scalar autograd engine."""

LISTING = r"""
# Forward propagation in a neural network
def forward(X, W1, b1, W2, b2):
    # First layer: input to hidden
    z1 = np.dot(X, W1) + b1 # Matrix multiplication
    a1 = sigmoid(z1)         # Apply activation function

    # Second layer: hidden to output
    z2 = np.dot(a1, W2) + b2 # Matrix multiplication
    y_pred = sigmoid(z2)     # Apply activation function

    return y_pred, (z1, a1, z2)

# Backward propagation to compute gradients
def backward(X, y, y_pred, cache, W1, W2):
    z1, a1, z2 = cache
    m = X.shape[0]

    # Output layer gradient
    dz2 = y_pred - y                    # Derivative of loss w.r.t. z2
    dW2 = (1/m) * np.dot(a1.T, dz2)    # Gradient for W2
    db2 = (1/m) * np.sum(dz2, axis=0)  # Gradient for b2

    # Hidden layer gradient (chain rule)
    da1 = np.dot(dz2, W2.T)            #  $dL/da1 = dL/dz2 \cdot dz2/da1$ 
    dz1 = da1 * sigmoid_derivative(z1) #  $dL/dz1 = dL/da1 \cdot da1/dz1$ 
    dW1 = (1/m) * np.dot(X.T, dz1)    # Gradient for W1
    db1 = (1/m) * np.sum(dz1, axis=0)  # Gradient for b1

    return dW1, db1, dW2, db2

# Update parameters using gradient descent
def update_parameters(W1, b1, W2, b2, dW1, db1, dW2, db2,
    learning_rate):
    W1 = W1 - learning_rate * dW1 # Update weights for layer 1
    b1 = b1 - learning_rate * db1 # Update biases for layer 1
    W2 = W2 - learning_rate * dW2 # Update weights for layer 2
    b2 = b2 - learning_rate * db2 # Update biases for layer 2

    return W1, b1, W2, b2
"""

ENGINE = r"""
from typing import Union, List

Numberable = Union[float, int]

def ensure_number(num: Numberable):
    if isinstance(num, NumberWithGrad):
        return num
    else:
        return NumberWithGrad(num)        

class NumberWithGrad(object):
    def __init__(self, num: Numberable, depends_on: List[Numberable] = None, creation_op: str = ''):
        self.num = num
        self.grad = None
        self.depends_on = depends_on or []
        self.creation_op = creation_op

    def __add__(self, other: Numberable):
        return NumberWithGrad(self.num + ensure_number(other).num,
                              depends_on = [self, ensure_number(other)],
                              creation_op = 'add')
    
    def __mul__(self, other: Numberable = None):
        return NumberWithGrad(self.num * ensure_number(other).num,
                              depends_on = [self, ensure_number(other)],
                              creation_op = 'mul')


    def backward(self, backward_grad: Numberable = None):
        if backward_grad is None: # first time calling backward
            self.grad = 1
        else: 
            # Accumulate gradient
            if self.grad is None:
                self.grad = backward_grad
            else:
                self.grad += backward_grad
        
        if self.creation_op == "add":
            # Send backward self.grad
            self.depends_on[0].backward(self.grad)
            self.depends_on[1].backward(self.grad)    

        if self.creation_op == "mul":
            # Calculate derivative w.r.t first element
            new = self.depends_on[1] * self.grad
            self.depends_on[0].backward(new.num)

            # Calculate derivative w.r.t second element
            new = self.depends_on[0] * self.grad
            self.depends_on[1].backward(new.num)
"""
