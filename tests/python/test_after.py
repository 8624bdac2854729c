"""What is to be done once a module is there."""

import importlib.util
import sys
import zipfile

import pytest

from tutti._after import after_import


@pytest.fixture
def later(tmp_path, monkeypatch):
    """A module to come: what was called for it, its name, and its folder."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    (tmp_path / "later.py").write_text("import sys\nx = sys.argv\n")
    seen = []
    after_import("later", lambda module: seen.append(module.x))
    yield seen
    sys.modules.pop("later", None)


def test_once_it_is_imported(later):
    assert not later
    import later as module

    assert later == [sys.argv] and module.__spec__.origin.endswith("later.py")
    after_import("later", lambda module: later.append(module.__name__))
    assert later == [sys.argv, "later"]


def test_who_asks_only(later):
    for _ in range(3):
        assert importlib.util.find_spec("later").name == "later"
    assert not later
    __import__("later")
    assert later == [sys.argv]


def test_an_import_that_failed(later, tmp_path):
    (tmp_path / "later.py").write_text("raise ValueError")
    with pytest.raises(ValueError):
        __import__("later")
    (tmp_path / "later.py").write_text("x = 'is there now'")
    importlib.invalidate_caches()
    __import__("later")
    assert later == ["is there now"]


def test_other_finders(later, monkeypatch):
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "later":
                return importlib.util.spec_from_loader(name, self)

        def create_module(self, spec):
            pass

        def exec_module(self, module):
            module.x = 5

    sys.path.pop(0)
    sys.path_importer_cache.clear()
    sys.meta_path.append(Finder())
    __import__("later")
    assert later == [5]


def test_a_loader_that_takes_no_attributes(later):
    class Loader:
        __slots__ = ()

        def create_module(self, spec):
            pass

        def exec_module(self, module):
            module.x = 6

        def find_spec(self, name, path=None, target=None):
            if name == "later":
                return importlib.util.spec_from_loader(name, self)

    sys.meta_path.append(Loader())
    sys.path.pop(0)
    sys.path_importer_cache.clear()
    assert __import__("later").x == 6


def test_a_loader_of_several_modules(later, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("later.py", "x = 7")
        archive.writestr("other.py", "y = 8")
    monkeypatch.syspath_prepend(str(tmp_path / "two.zip"))
    importlib.util.find_spec("later")
    assert __import__("other").y == 8 and not later
    __import__("later")
    assert later == [7]
    del sys.modules["other"]
