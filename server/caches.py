"""A least-recently-used cache that is limited in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByteLimitedCache(Generic[Value]):
    """Keeps the most recently used values whose sizes add up to at most ``limit`` bytes; thread-safe."""

    def __init__(self, limit: int, size_of: Callable[[Value], int]) -> None:
        self.limit = limit
        self._size_of = size_of
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        """Tell whether the key is held, without counting as a use."""
        return key in self._values

    def get(self, key: str) -> Value | None:
        """Return the value and mark it as the most recently used; None if it is not held."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def among(self, keys: Iterable[str]) -> tuple[dict[str, Value], list[str]]:
        """Return the values that are held, each as if by :meth:`get`, and the keys that are not."""
        needed = dict.fromkeys(keys)
        found = {key: value for key in needed if (value := self.get(key)) is not None}
        return found, [key for key in needed if key not in found]

    def put(self, key: str, value: Value) -> None:
        """Hold a value, dropping the least recently used ones; one larger than the limit is not held."""
        size = self._size_of(value)
        with self._lock:
            if (old := self._values.pop(key, None)) is not None:
                self._size -= self._size_of(old)
            if size > self.limit:
                return
            self._values[key] = value
            self._size += size
            while self._size > self.limit:
                _, dropped = self._values.popitem(last=False)
                self._size -= self._size_of(dropped)
