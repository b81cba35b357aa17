"""Headers of coded video read bit by bit, without decoding: H.264, H.265, AV1."""
