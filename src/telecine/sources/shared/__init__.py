"""What several formats use: arrays as streams, decompression within bounds, sample order, fingerprints."""
