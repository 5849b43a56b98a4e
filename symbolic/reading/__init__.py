"""The YAML that a person writes: its text with line numbers, its numbers and words, and what is wrong with them."""
