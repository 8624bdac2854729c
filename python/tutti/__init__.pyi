from concurrent.futures.process import BrokenProcessPool
from os import PathLike
from pickle import PicklingError
from typing import (
    Any,
    Callable,
    Dict,
    Generic,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    TypeVar,
    Union,
)

R = TypeVar("R")
T = TypeVar("T")

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
    deterministic: bool = ...,
) -> List[R]: ...
def explain() -> str: ...
def timeline(columns: int = ...) -> str: ...
def trace(path: Union[str, "PathLike[str]"]) -> None: ...
def cpu_count() -> int: ...

class _AsyncResult(Generic[R]):
    def ready(self) -> bool: ...
    def successful(self) -> bool: ...
    def wait(self, timeout: Optional[float] = ...) -> None: ...
    def get(self, timeout: Optional[float] = ...) -> R: ...

class _IMapIterator(Iterator[R]):
    def __next__(self) -> R: ...
    def next(self, timeout: Optional[float] = ...) -> R: ...

class Pool:
    def __init__(
        self,
        processes: Optional[int] = ...,
        initializer: Optional[Callable[..., object]] = ...,
        initargs: Iterable[Any] = ...,
        maxtasksperchild: Optional[int] = ...,
        context: Any = ...,
        *,
        share: Optional[Dict[str, Any]] = ...,
        task_timeout: Optional[float] = ...,
        retries: int = ...,
    ) -> None: ...
    def apply(
        self,
        func: Callable[..., R],
        args: Iterable[Any] = ...,
        kwds: Mapping[str, Any] = ...,
    ) -> R: ...
    def apply_async(
        self,
        func: Callable[..., R],
        args: Iterable[Any] = ...,
        kwds: Mapping[str, Any] = ...,
        callback: Optional[Callable[[R], object]] = ...,
        error_callback: Optional[Callable[[BaseException], object]] = ...,
    ) -> _AsyncResult[R]: ...
    def map(
        self,
        func: Callable[[T], R],
        iterable: Iterable[T],
        chunksize: Optional[int] = ...,
    ) -> List[R]: ...
    def map_async(
        self,
        func: Callable[[T], R],
        iterable: Iterable[T],
        chunksize: Optional[int] = ...,
        callback: Optional[Callable[[List[R]], object]] = ...,
        error_callback: Optional[Callable[[BaseException], object]] = ...,
    ) -> _AsyncResult[List[R]]: ...
    def starmap(
        self,
        func: Callable[..., R],
        iterable: Iterable[Iterable[Any]],
        chunksize: Optional[int] = ...,
    ) -> List[R]: ...
    def starmap_async(
        self,
        func: Callable[..., R],
        iterable: Iterable[Iterable[Any]],
        chunksize: Optional[int] = ...,
        callback: Optional[Callable[[List[R]], object]] = ...,
        error_callback: Optional[Callable[[BaseException], object]] = ...,
    ) -> _AsyncResult[List[R]]: ...
    def imap(
        self,
        func: Callable[[T], R],
        iterable: Iterable[T],
        chunksize: int = ...,
    ) -> _IMapIterator[R]: ...
    def imap_unordered(
        self,
        func: Callable[[T], R],
        iterable: Iterable[T],
        chunksize: int = ...,
    ) -> _IMapIterator[R]: ...
    def close(self) -> None: ...
    def terminate(self) -> None: ...
    def join(self) -> None: ...
    def __enter__(self) -> "Pool": ...
    def __exit__(self, *unused: object) -> None: ...
