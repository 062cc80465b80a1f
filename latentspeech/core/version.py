"""The version of this package, where every part of it may read it."""

VERSION = "0.1.0"
