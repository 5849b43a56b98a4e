"""How a line is proved: by SymPy on small shapes, and by high-precision differences that differentiate nothing."""
