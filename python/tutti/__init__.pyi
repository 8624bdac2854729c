import concurrent.futures
from concurrent.futures.process import BrokenProcessPool
from os import PathLike
from pickle import PicklingError
from typing import (
    Any,
    Callable,
    Dict,
    Generator,
    Generic,
    Iterable,
    Iterator,
    List,
    Literal,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
    Union,
    overload,
)

import numpy

R = TypeVar("R")
T = TypeVar("T")

__version__: str

class Error(Exception): ...
class TaskTimeoutError(Error, TimeoutError): ...
class UnpicklableError(Error, PicklingError): ...
class UnreadableError(UnpicklableError, BrokenProcessPool): ...
class WorkerLostError(Error, BrokenProcessPool): ...
class InitializerError(Error, BrokenProcessPool): ...

MISSING: object

class Task:
    @property
    def index(self) -> int: ...
    @property
    def worker(self) -> int: ...
    @property
    def rng(self) -> numpy.random.Generator: ...
    @property
    def seed(self) -> int: ...

task: Task

@overload
def map(
    f: "_Kernel",
    items: Any,
    /,
    *,
    on: Union[str, "Pool", "Executor"] = ...,
    workers: Optional[int] = ...,
    retries: int = ...,
    task_timeout: Optional[float] = ...,
    seed: Optional[int] = ...,
    errors: str = ...,
    progress: bool = ...,
    deterministic: bool = ...,
) -> numpy.ndarray[Any, Any]: ...
@overload
def map(
    f: Callable[..., R],
    *iterables: Iterable[Any],
    on: Union[str, "Pool", "Executor"] = ...,
    workers: Optional[int] = ...,
    retries: int = ...,
    task_timeout: Optional[float] = ...,
    seed: Optional[int] = ...,
    errors: str = ...,
    progress: bool = ...,
    deterministic: bool = ...,
) -> List[R]: ...
def starmap(
    f: Callable[..., R],
    tuples: Iterable[Iterable[Any]],
    *,
    on: Union[str, "Pool", "Executor"] = ...,
    workers: Optional[int] = ...,
    retries: int = ...,
    task_timeout: Optional[float] = ...,
    seed: Optional[int] = ...,
    errors: str = ...,
    progress: bool = ...,
    deterministic: bool = ...,
) -> List[R]: ...
class _Results(Iterator[R]):
    def __next__(self) -> R: ...
    def close(self) -> None: ...

def imap(
    f: Callable[..., R],
    *iterables: Iterable[Any],
    on: Union[str, "Pool", "Executor"] = ...,
    workers: Optional[int] = ...,
    retries: int = ...,
    task_timeout: Optional[float] = ...,
    seed: Optional[int] = ...,
    errors: str = ...,
) -> _Results[R]: ...
def imap_unordered(
    f: Callable[..., R],
    *iterables: Iterable[Any],
    on: Union[str, "Pool", "Executor"] = ...,
    workers: Optional[int] = ...,
    retries: int = ...,
    task_timeout: Optional[float] = ...,
    seed: Optional[int] = ...,
    errors: str = ...,
) -> _Results[R]: ...
def submit(f: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]: ...
class _Kernel:
    @property
    def name(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def form(self) -> str: ...
    @property
    def item(self) -> str: ...
    @property
    def result(self) -> str: ...
    def __call__(self, x: Any) -> Any: ...
    def launch(
        self,
        n: int,
        *arguments: Any,
        on: str = ...,
        workers: Optional[int] = ...,
    ) -> None: ...

def kernel(
    text: Any,
    name: Optional[str] = ...,
    *,
    signature: Optional[str] = ...,
    width: Optional[int] = ...,
) -> _Kernel: ...
def reduce(
    f: Any,
    items: Any,
    op: str = ...,
    *,
    on: Union[str, "Pool", "Executor"] = ...,
    workers: Optional[int] = ...,
    retries: int = ...,
    task_timeout: Optional[float] = ...,
    progress: bool = ...,
) -> Any: ...
_Path = Union[str, bytes, "PathLike[str]", "PathLike[bytes]"]
@overload
def wordcount(
    word: None,
    paths: Union[_Path, Iterable[_Path]],
    *,
    fold: bool = ...,
    per_file: bool = ...,
    top: int,
    recursive: bool = ...,
    errors: str = ...,
    on: str = ...,
    workers: Optional[int] = ...,
) -> List[Tuple[str, int]]: ...
@overload
def wordcount(
    word: Union[str, bytes, None],
    paths: Union[_Path, Iterable[_Path]],
    *,
    fold: bool = ...,
    per_file: Literal[True],
    top: None = ...,
    recursive: bool = ...,
    errors: str = ...,
    on: str = ...,
    workers: Optional[int] = ...,
) -> Dict[str, int]: ...
@overload
def wordcount(
    word: Union[str, bytes, None],
    paths: Union[_Path, Iterable[_Path]],
    *,
    fold: bool = ...,
    per_file: Literal[False] = ...,
    top: None = ...,
    recursive: bool = ...,
    errors: str = ...,
    on: str = ...,
    workers: Optional[int] = ...,
) -> int: ...

class _Expectation:
    value: float
    stderr: float
    f_variance: float
    samples: int
    density: float
    density_stderr: float
    def __float__(self) -> float: ...

def expect(
    f: Any,
    box: Iterable[Iterable[float]],
    samples: Optional[float] = ...,
    *,
    density: Any = ...,
    seed: int = ...,
    stderr: Optional[float] = ...,
    method: str = ...,
    vectorized: bool = ...,
    bits: int = ...,
    on: Union[str, "Pool", "Executor"] = ...,
    workers: Optional[int] = ...,
    progress: bool = ...,
) -> _Expectation: ...
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

class Future(concurrent.futures.Future[R]):
    def __await__(self) -> Generator[Any, None, R]: ...

class Executor(concurrent.futures.Executor):
    def __init__(
        self,
        max_workers: Optional[int] = ...,
        mp_context: Any = ...,
        initializer: Optional[Callable[..., object]] = ...,
        initargs: Iterable[Any] = ...,
        *,
        max_tasks_per_child: Optional[int] = ...,
        task_timeout: Optional[float] = ...,
        share: Optional[Dict[str, Any]] = ...,
    ) -> None: ...
    def submit(
        self, fn: Callable[..., R], /, *args: Any, **kwargs: Any
    ) -> Future[R]: ...
    def map(
        self,
        fn: Callable[..., R],
        *iterables: Iterable[Any],
        timeout: Optional[float] = ...,
        chunksize: int = ...,
        buffersize: Optional[int] = ...,
    ) -> Iterator[R]: ...
    def shutdown(
        self, wait: bool = ..., *, cancel_futures: bool = ...
    ) -> None: ...
    def terminate_workers(self) -> None: ...
    def kill_workers(self) -> None: ...
