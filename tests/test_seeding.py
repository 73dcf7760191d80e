"""Seeds: what enters changes the draw, what does not cannot."""

import hashlib
import inspect
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synaug.seeding import derive_seed

PARTS = st.lists(st.one_of(st.text(max_size=5), st.integers(), st.floats(allow_nan=False)), max_size=4)


def test_the_seed_is_the_head_of_a_sha256_of_json() -> None:
    digest = hashlib.sha256(b'["thinning", "ag_news", 3, 0.5]').hexdigest()
    assert derive_seed("thinning", "ag_news", 3, 0.5) == int(digest[:8], 16)


def test_text_beyond_ascii_is_hashed_alike_everywhere() -> None:
    digest = hashlib.sha256(b'["\\u00e9t\\u00e9"]').hexdigest()
    assert derive_seed("été") == int(digest[:8], 16)


@given(PARTS)
def test_numpy_takes_every_seed(parts: list[str | int | float]) -> None:
    seed = derive_seed(*parts)
    assert 0 <= seed < 2**32
    np.random.RandomState(seed)
    assert seed == derive_seed(*parts)


def test_one_two_and_three_in_another_order_are_another_seed() -> None:
    assert len({derive_seed(*order) for order in permutations((1, 2, 3))}) == 6


def test_the_type_of_a_part_matters() -> None:
    assert len({derive_seed(part) for part in (1, "1", 1.0, True)}) == 4


def test_parts_do_not_run_into_each_other() -> None:
    found = [derive_seed(*parts) for parts in (("a", "b"), ("ab",), ("a", "", "b"), ('a", "b',), ("a,b",), ("a",))]
    assert len(set(found)) == len(found)


def test_neighbouring_seeds_are_unlike() -> None:
    seeds = np.array([derive_seed("folds", "trec", seed) for seed in range(2000)])
    assert len(np.unique(seeds)) == 2000
    ones = np.unpackbits(seeds.astype(">u4").view(np.uint8)).reshape(2000, 32).mean(0)
    np.testing.assert_allclose(ones, 0.5, atol=0.06)  # 5 standard errors


def test_a_numpy_integer_is_refused_since_it_would_hash_unlike_its_value() -> None:
    with pytest.raises(TypeError):
        derive_seed(np.int64(1))  # type: ignore[arg-type]


def test_nothing_but_its_parts_can_enter() -> None:
    assert [each.kind for each in inspect.signature(derive_seed).parameters.values()] == [
        inspect.Parameter.VAR_POSITIONAL
    ]
