"""Arguments that are numbers."""

import math


def count(name, value, least=1):
    """A whole number that is at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(
            "%s must be a whole number, got %s" % (name, type(value).__name__)
        )
    value = value.__index__()
    if value < least:
        raise ValueError(
            "%s must be greater than %d, got %d" % (name, least - 1, value)
        )
    return value


def seconds(name, value):
    """A time above 0."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(
            "%s must be a number of seconds, got %s"
            % (name, type(value).__name__)
        )
    if not 0 < value < math.inf:
        raise ValueError("%s must be above 0 seconds, got %r" % (name, value))
    return float(value)
