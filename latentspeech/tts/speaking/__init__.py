"""Speaking one piece of text while it is written."""
