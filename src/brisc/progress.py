"""How long work reports its progress without knowing who watches."""

from collections.abc import Iterable, Sized
from typing import Protocol, TypeVar

T = TypeVar("T", covariant=True)
S = TypeVar("S")


class Items(Sized, Iterable[T], Protocol[T]):
    """What can be gone through once and says how long it is."""


class Track(Protocol):
    """Iterates over `items` while showing `description` and how far it is."""

    def __call__(self, items: Items[S], description: str) -> Iterable[S]: ...


def silent(items: Items[S], description: str) -> Iterable[S]:
    """The Track that shows nothing."""
    return items
