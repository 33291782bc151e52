"""For what holds a descriptor, a lock or a client: it refuses to be copied into another process."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex

__all__ = ["StaysHere"]


class StaysHere:
    """A descriptor's number is another file elsewhere, and a copied client has this process's credentials."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Raise TypeError."""
        raise TypeError(f"{type(self).__name__} holds what belongs to this process: send what names it instead")
