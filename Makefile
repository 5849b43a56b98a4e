# The two commands of the README. Each brings its own .venv and, on Debian and Ubuntu, a TeX engine;
# a second run finds both and is quick. The work is in .ci/setup.sh.

BIN   := .venv/bin
SETUP := sh .ci/setup.sh
FILES := pyproject.toml .ci/setup.sh

.PHONY: demo test lint clean

demo: .venv/demo.stamp
	@$(SETUP) tex
	@$(BIN)/chainrule derive examples/41-two-layers.yaml -o output
	@echo "The PDFs are here:" && ls -1 $(CURDIR)/output/41-two-layers-*.pdf
	@echo "Your own network, once in every new terminal:  . $(CURDIR)/.venv/bin/activate   then: chainrule derive FILE.yaml"

test: .venv/test.stamp
	@$(SETUP) tex poppler letters
	$(BIN)/python -m pytest -n auto

# Style and types, for who changes the code: needs ruff and mypy (pip install ruff mypy); not a part of `make test`.
lint:
	ruff check symbolic tests benchmarks
	mypy symbolic

# Removes what was built, never what a person wrote: of output/ only what git ignores there.
clean:
	rm -rf .venv build dist .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -e .git ]; then git clean -fdqX output; fi

.venv/demo.stamp: $(FILES)
	@$(SETUP) python .
	@touch $@

.venv/test.stamp: $(FILES)
	@$(SETUP) python '.[test]'
	@touch $@ .venv/demo.stamp
