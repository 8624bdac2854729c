from concurrent.futures.process import BrokenProcessPool
from os import PathLike
from pickle import PicklingError
from typing import Any, Callable, Iterable, List, Optional, TypeVar, Union

R = TypeVar("R")

__version__: str

class Error(Exception): ...
class TaskTimeoutError(Error, TimeoutError): ...
class UnpicklableError(Error, PicklingError): ...
class WorkerLostError(Error, BrokenProcessPool): ...

MISSING: object

class Task:
    @property
    def index(self) -> int: ...
    @property
    def worker(self) -> int: ...

task: Task

def map(
    f: Callable[..., R],
    *iterables: Iterable[Any],
    on: str = ...,
    workers: Optional[int] = ...,
    retries: int = ...,
    task_timeout: Optional[float] = ...,
    seed: Optional[int] = ...,
    errors: str = ...,
    progress: bool = ...,
) -> List[R]: ...
def explain() -> str: ...
def timeline(columns: int = ...) -> str: ...
def trace(path: Union[str, "PathLike[str]"]) -> None: ...
def cpu_count() -> int: ...
