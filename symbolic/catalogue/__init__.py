"""Every row of every table as an entry of the reference: formula, derivation, plot, NumPy."""
