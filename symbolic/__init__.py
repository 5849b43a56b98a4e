"""chainrule: derive, check, print and teach the gradients of neural networks."""

__version__ = "0.1.0"
