"""The way in to `latentspeech.core.command.run_recipe` for programs that know this name."""

from latentspeech.core.command import run_recipe

__all__ = ["run_recipe"]
