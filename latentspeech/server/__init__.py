"""An OpenAI-compatible speech server; nothing is built yet."""
