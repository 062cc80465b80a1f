"""When words are spoken: their symbols, their times, and the files that hold them."""
