"""Images and multimodal LLMs on the core of latentspeech."""
