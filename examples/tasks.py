"""Functions for `tutti map examples/tasks.py:score --over lines.txt`."""


def score(line):
    """How far a line is from reading the same backwards: the fewest letters
    that must be put in to make it so."""
    letters = [letter for letter in line.lower() if letter.isalnum()]
    row = [0] * len(letters)
    for start in range(len(letters) - 2, -1, -1):
        before = 0
        for end in range(start + 1, len(letters)):
            kept = row[end]
            if letters[start] == letters[end]:
                row[end] = before
            else:
                row[end] = 1 + min(row[end], row[end - 1])
            before = kept
    return row[-1] if row else 0
