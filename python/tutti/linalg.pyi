from concurrent.futures import Executor
from typing import Any, Optional, Union

import numpy
from numpy.typing import ArrayLike

__all__ = ["add", "dot", "matmul", "matvec", "multiply", "sum"]

Array = numpy.ndarray[Any, Any]

def sum(
    x: ArrayLike,
    *,
    on: Union[str, Executor, Any] = ...,
    workers: Optional[int] = ...,
) -> Any: ...
def dot(
    a: ArrayLike,
    b: ArrayLike,
    *,
    on: Union[str, Executor, Any] = ...,
    workers: Optional[int] = ...,
) -> Any: ...
def matmul(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Optional[Array] = ...,
    on: Union[str, Executor, Any] = ...,
    workers: Optional[int] = ...,
) -> Array: ...
def matvec(
    a: ArrayLike,
    x: ArrayLike,
    *,
    out: Optional[Array] = ...,
    on: Union[str, Executor, Any] = ...,
    workers: Optional[int] = ...,
) -> Array: ...
def multiply(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Optional[Array] = ...,
    on: Union[str, Executor, Any] = ...,
    workers: Optional[int] = ...,
) -> Any: ...
def add(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Optional[Array] = ...,
    on: Union[str, Executor, Any] = ...,
    workers: Optional[int] = ...,
) -> Any: ...
