# make demo needs Python 3.11 or later; make test also Debian's package manager.
.PHONY: setup demo test lint

setup:
	@bash tools/setup.sh

# make demo TEXT="Any sentence." PROMPT=ref.wav
demo: export TEXT ?= The tide comes in at six, and by noon the boats are gone.
demo: export PROMPT ?=
demo:
	@bash tools/setup.sh --speak
	@if [ -n "$$PROMPT" ]; then set -- --prompt "$$PROMPT"; else set -- --voice heart; fi; \
	.venv/bin/latentspeech synth "$$@" --text "$$TEXT" --out demo.wav

# A file stays on one process, as its tests share models.
test: setup
	@OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not gpu"

lint: setup
	@bash tools/lint.sh
