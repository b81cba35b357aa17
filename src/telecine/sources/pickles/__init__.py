"""Recordings that are Python pickles: BridgeData as its robots wrote it, GELLO."""
