"""Exams: one paper a student from the problem bank, with all keys, by the hundred."""
