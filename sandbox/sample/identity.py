"""Ids and entropy of generated resources: a pure function of seed, kind and index.

The 122 free bits of a version 4 UUID are cut into `size` strata of equal width, and resource `index` takes a random
point of stratum `index`. Ids therefore look random, are spread evenly, and ascend with the index, so that a row is
found by its id without a table and a million rows need no memory.
"""

import hashlib
import struct

_FREE_BITS = 122
_LOW_62 = (1 << 62) - 1
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
_WORDS = struct.Struct("<16I")


def entropy(seed: int, kind: str, index: int, salt: str = "") -> tuple[int, ...]:
    """Return sixteen independent 32-bit words, the same for the same arguments on every machine."""
    text = f"{kind}/{seed}/{index}/{salt}".encode()
    words: tuple[int, ...] = _WORDS.unpack(hashlib.blake2b(text, digest_size=64).digest())
    return words


def id_from_words(words: tuple[int, ...], index: int, size: int) -> str:
    """Return the UUIDv4 of row `index` of `size`, placed inside its stratum by the first four words."""
    low = -(-(index << _FREE_BITS) // size)
    width = -(-((index + 1) << _FREE_BITS) // size) - low
    point = low + ((words[0] << 96 | words[1] << 64 | words[2] << 32 | words[3]) * width >> 128)
    bits = (point >> 74) << 80 | 4 << 76 | ((point >> 62) & 0xFFF) << 64 | 2 << 62 | (point & _LOW_62)
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def id_at(seed: int, kind: str, index: int, size: int) -> str:
    """Return the id of row `index` (0-based) of a generated collection of `size` rows."""
    return id_from_words(entropy(seed, kind, index), index, size)


def loose_ids(seed: int, kind: str, index: int, count: int) -> list[str]:
    """Return `count` random version 4 ids for the parts of a resource; they have no order and tell no index."""
    found: list[str] = []
    for start in range(0, count, 4):
        text = f"{kind}/{seed}/{index}/ids{start}".encode()
        digits = hashlib.blake2b(text, digest_size=64).hexdigest()
        for at in range(0, 32 * min(4, count - start), 32):
            h = digits[at : at + 32]
            found.append(f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:]}")
    return found


def stratum_of(identifier: str, size: int) -> int | None:
    """Return the only index whose row can have this id, or None when it is not a lower-case version 4 UUID."""
    digits = identifier.replace("-", "")
    if len(identifier) != 36 or len(digits) != 32:
        return None
    try:
        bits = int(digits, 16)
    except ValueError:
        return None
    point = (bits >> 80) << 74 | ((bits >> 64) & 0xFFF) << 62 | (bits & _LOW_62)
    return point * size >> _FREE_BITS
