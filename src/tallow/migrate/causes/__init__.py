"""Why two engines differ: the causes of every row, found by what reproduces the values."""

from tallow.migrate.causes.classifier import Classifier
from tallow.migrate.causes.descriptions import DESCRIPTIONS

__all__ = ["DESCRIPTIONS", "Classifier"]
