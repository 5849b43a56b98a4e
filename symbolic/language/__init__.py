"""The trees that everything is written in: reading them from text, their arithmetic, and the rows of the table of functions."""
