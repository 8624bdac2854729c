"""The options of python -m tutti map: those of the command."""


class Refusal(Exception):
    """What was asked cannot be done; the sentence says why."""


def whole(text):
    """A whole number, as the command reads it; or ValueError."""
    if not text.lstrip("+-").isdigit():  # int() takes blanks and underlines
        raise ValueError(text)
    return int(text)


def parse_range(name, text):
    try:
        numbers = [whole(field) for field in text.split(":")]
        given = range(*(numbers if len(numbers) > 1 else [0] + numbers))
    except (ValueError, TypeError):
        given = range(0)
    if given:
        return given
    raise Refusal(
        "%s %s: expected [FIRST:]LAST[:STEP], at least one number" % (name, text)
    )


def parse_count(name, text):
    try:
        if 1 <= whole(text) <= 1024:
            return whole(text)
    except ValueError:
        pass
    raise Refusal(
        "%s %s: expected a whole number from 1 to 1024" % (name, text)
    )


def parse_seconds(name, text):
    try:
        if 0 < float(text) < float("inf"):
            return float(text)
    except ValueError:
        pass
    raise Refusal(
        "%s %s: expected seconds above 0, such as 30 or 0.5" % (name, text)
    )


def parse_errors(name, text):
    if text in ("raise", "return"):
        return text
    raise Refusal("%s %s: expected raise|return" % (name, text))


def parse_word(name, text):
    return text


# An option and what reads its value; None: it has none.
OPTIONS = {
    "--range": parse_range,
    "--over": parse_word,
    "--output": parse_word,
    "--on": parse_word,
    "--workers": parse_count,
    "--task-timeout": parse_seconds,
    "--errors": parse_errors,
    "--progress": None,
    "--explain": None,
    "--trace": parse_word,
}


class Options:
    """What was asked; each option is an attribute."""

    def __init__(self, arguments):
        self.function = self.range = self.over = self.output = None
        self.on, self.errors = "auto", "raise"
        self.workers = self.task_timeout = self.trace = None
        self.progress = self.explain = False
        left = iter(arguments)
        for argument in left:
            if argument == "--":
                for word in left:
                    self._operand(word)
            elif argument[:1] == "-" and argument != "-":
                self._option(argument, left)
            else:
                self._operand(argument)
        if self.function is None:
            raise Refusal("the function is missing: expected FILE.py:NAME")
        if self.over is not None and self.range is not None:
            raise Refusal("--range and --over: give one of them")

    def _operand(self, word):
        if self.function is not None:
            raise Refusal("unexpected argument '%s'" % word)
        self.function = word

    def _option(self, argument, left):
        name, equals, value = argument.partition("=")
        if argument[:2] == "-o":
            name, value = "--output", argument[2:]
            equals = value
        if name not in OPTIONS or (equals and OPTIONS[name] is None):
            raise Refusal("unknown option %s" % argument)
        attribute = name[2:].replace("-", "_")
        if OPTIONS[name] is None:
            setattr(self, attribute, True)
            return
        if not equals:
            value = next(left, None)
        if not value:
            raise Refusal("%s: its value is missing" % name)
        setattr(self, attribute, OPTIONS[name](name, value))
