"""The version of this package, in a file that every part of it may import."""

VERSION = "0.1.0"
