"""``python -m symbolic`` is ``chainrule``."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="chainrule")
