"""Copy or encode: which packets of a camera can be copied as they are, and what it costs where not."""
