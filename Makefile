# make demo and make test need nothing but Python 3.11, make and Debian's package manager.
.PHONY: setup demo test lint

setup:
	@bash tools/setup.sh

demo: setup
	@bash egs/mini/run.sh --debug

test: setup
	@OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 -m "not slow and not gpu"

lint: setup
	@bash tools/lint.sh
