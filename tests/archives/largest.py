"""Makes the package that takes the most memory: as many entries as are allowed, with names so long that the central
directory just fits. The first one lies, so that it is all planned and hardly written: largest.py > PACKAGE."""

import struct
import sys

ENTRIES = 1 << 18
NAME = (32 << 20) // ENTRIES - 46


def entry(number, offset):
    name = b"%06d" % number + b"x" * (NAME - 6)
    crc = int(number == 0)
    head = struct.pack("<5H3I2H", 20, 0, 0, 0, 0x5A21, crc, 0, 0, len(name), 0)
    place = struct.pack("<3H2I", 0, 0, 0, 0o100644 << 16, offset)
    return b"PK\3\4" + head + name, b"PK\1\2\x14\3" + head + place + name


entries = [entry(number, number * (30 + NAME)) for number in range(ENTRIES)]
data, directory = (b"".join(parts) for parts in zip(*entries))
end = struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, ENTRIES, ENTRIES, len(directory), len(data))
locator = struct.pack("<IQI", 0, len(data) + len(directory), 1)
sys.stdout.buffer.write(data + directory + b"PK\6\6" + end + b"PK\6\7" + locator)
sys.stdout.buffer.write(b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
