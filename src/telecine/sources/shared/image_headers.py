"""What the first bytes of a coded frame say, for all formats that store frames as files. Pure."""

MAGIC = (
    (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG", "png"), (b"RIFF", "webp"), (b"GIF8", "gif"),
    (b"BM", "bmp"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
)  # fmt: skip
