"""The store that an address names."""

from functools import lru_cache

from telecine.core.text.addresses import StoreAddress
from telecine.storage.store import FileStore


def open_store(address: StoreAddress) -> FileStore:
    """The store below an address. Raises: StoreError when its extra is not installed, or settings are missing."""
    if address.scheme == "hf":
        from telecine.storage.hub import HubStore

        return HubStore(address)
    from telecine.storage.cloud import CloudStore

    return CloudStore(address)


@lru_cache(maxsize=8)
def _store(address: StoreAddress) -> FileStore:
    return open_store(address)


def folder_at(address: StoreAddress) -> FileStore:
    """The store below an address, opened once in a process. Raises: as `open_store`."""
    return _store(address)


def store_of(address: StoreAddress) -> FileStore:
    """The whole bucket or repository that an address is in, opened once in a process."""
    return _store(StoreAddress(address.scheme, address.container, ""))
