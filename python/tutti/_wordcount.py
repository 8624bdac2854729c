"""Words of files."""

import errno as _errno
import os
import warnings

from . import _check, _tutti

# tutti_wordcount_state: see tutti/wordcount.h.
WHOLE, EMPTY, GREW, SHRANK, BINARY, TWICE, DIRECTORY, FAILED = range(8)


def wordcount(word, paths, *, fold=False, per_file=False, top=None,
              recursive=False, errors="raise", on="auto", workers=None):
    """How often a word is in files; all words; the most frequent ones.

    A word is a run of bytes that are not space, without the ASCII punctuation
    at both ends: (the) and the, are "the", and "don't" is one word. Bytes above
    127 are letters; no locale is read.

    word:      what to count: str (as UTF-8) or bytes; None: all words, as many
               as `wc -w` counts. Punctuation at its own ends must be there:
               "C++" is not found in "C".
    paths:     a path, or an iterable of them; "-" is standard input. What is no
               plain file is read to its end.
    fold:      A to Z are a to z.
    per_file:  return the count of each file.
    top:       return so many of the most frequent words; `word` is None then.
    recursive: a directory stands for the plain files below it; links there are
               not followed, and what is no text is left out.
    errors:    "raise" an exception for the first file that cannot be counted,
               after the others have been; or "warn" of each, and return what
               was counted.
    on, workers: where, as for tutti.map: "auto", "serial", "threads",
               "threads:4". The interpreter's lock is free meanwhile.

    Returns the total; with per_file a dict of path (str) -> count; with top a
    list of (word, count), the most frequent first, then by bytes. In such words
    bytes that are no UTF-8 are surrogates, as in names of files.
    Raises OSError, such as FileNotFoundError, for a file that cannot be read;
    ValueError for one that is no text (a zero is in its first 8 KiB), and for
    arguments. Warns (RuntimeWarning) of files that are given twice, which are
    counted once, and of files that grew or ended early while they were read.
    Threads: any, several at once.
    Costs what reading the files costs; memory of some 100 bytes a file and,
    with top, of 100 to 200 a distinct word and worker.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"The cat (the) dog, the end"), file.flush()
    ...     tutti.wordcount("the", file.name)
    ...     tutti.wordcount(None, file.name)
    ...     tutti.wordcount(None, [file.name], top=2, fold=True)
    2
    6
    [('the', 3), ('cat', 1)]
    """
    if top is not None:
        top = _check.count("top", top)
        if per_file:
            raise ValueError("top and per_file: give one of them")
    if errors not in ("raise", "warn"):
        raise ValueError("errors must be 'raise' or 'warn', got %r"
                         % (errors,))
    if not isinstance(on, str):
        raise TypeError("on must be the name of a place, such as 'auto' or "
                        "'threads', got %s: words are counted in C"
                        % type(on).__name__)
    if workers is not None:
        workers = _check.count("workers", workers)
        if workers > 1000000:
            raise ValueError("workers must be 1 to 1000000, got %d" % workers)
    total, files, best = _tutti.wordcount(
        _word(word), _paths(paths), fold, recursive, top or 0, on, workers or 0)
    for file in files:
        _judge(file, errors)
    if top is not None:
        return best
    if per_file:
        return {os.fsdecode(path): count
                for path, count, state, *_ in files
                if state < BINARY or count}
    return total


def _word(word):
    if isinstance(word, str):
        return word.encode("utf-8", "surrogateescape")
    if word is None or isinstance(word, bytes):
        return word
    raise TypeError("word must be str, bytes or None, got %s"
                    % type(word).__name__)


def _paths(paths):
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    return [os.fsencode(path) for path in paths]


def _judge(file, errors):
    """Raises or warns of what was not counted whole."""
    path, count, state, error, found, sentence = file
    path, sentence = os.fsdecode(path), os.fsdecode(sentence)
    if state in (WHOLE, EMPTY) or (state == BINARY and found):
        return
    if errors == "raise" and state == FAILED:
        raise OSError(error, os.strerror(error), path)
    if errors == "raise" and state == DIRECTORY:
        raise IsADirectoryError(
            _errno.EISDIR, "Is a directory: recursive=True counts the files "
            "in it", path)
    if errors == "raise" and state == BINARY:
        raise ValueError(sentence)
    warnings.warn(sentence, RuntimeWarning, stacklevel=3)
