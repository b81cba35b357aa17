"""Coded headers written bit by bit, for what no encoder at hand writes."""


def ue(value):
    """An unsigned Exp-Golomb number as text of bits."""
    text = f"{value + 1:b}"
    return "0" * (len(text) - 1) + text


def se(value):
    """A signed one."""
    return ue(2 * value - 1 if value > 0 else -2 * value)


def u(value, bits):
    """A number of that many bits."""
    return f"{value:0{bits}b}" if bits else ""


def packed(*parts):
    """Bytes of texts of bits, a stop bit put behind."""
    text = "".join(parts).replace(" ", "") + "1"
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def escaped(data):
    """With escapes where the bytes look like a start code."""
    out, zeros = bytearray(), 0
    for byte in data:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def annex_b(*units):
    """A packet of NAL units."""
    return b"".join(b"\0\0\0\1" + escaped(unit) for unit in units)
