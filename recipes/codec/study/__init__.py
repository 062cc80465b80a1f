"""Where the error of the codec's copies comes from: its latents, its decoder, or parts of it."""
