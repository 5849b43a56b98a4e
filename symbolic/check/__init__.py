"""Check hand-written gradients: a student's file runs locked in a child process, and its numbers are judged here."""
