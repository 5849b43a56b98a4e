"""The rows from which networks are stacked: layer types, initial values, primitive operations, and the theorems that hold of them."""
