"""What was used longest ago is dropped first; weights are counted once."""
from __future__ import annotations

from captures.least_used import LeastUsed


def test_use_decides_what_is_dropped() -> None:
    cache: LeastUsed[str, int] = LeastUsed(3)
    for number, key in enumerate("abc"):
        cache.put(key, number)
    assert cache.get("a") == 0      # b is now the one used longest ago
    cache.put("d", 3)
    assert [cache.get(key) for key in "abcd"] == [0, None, 2, 3]


def test_weights_are_counted_once_and_the_last_value_stays() -> None:
    cache: LeastUsed[str, str] = LeastUsed(10)
    cache.put("a", "small", 4)
    cache.put("a", "larger", 6)
    assert (cache.weight, len(cache)) == (6, 1)
    cache.put("b", "too much", 20)
    assert (cache.get("a"), cache.get("b"), cache.weight) == (None, "too much", 20)
    cache.drop("b")
    cache.drop("b")
    assert (cache.weight, len(cache)) == (0, 0)
