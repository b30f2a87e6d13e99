"""What ``rng=`` takes, and the streams that a seed gives."""

import numpy as np
import pytest

from neuronsim import seeds
from neuronsim.errors import SettingError


@pytest.mark.parametrize("seed", [0, 7, 2**63, 2**70, np.int8(5), np.uint64(2**64 - 1)])
def test_a_whole_number_is_the_seed(seed):
    found = seeds.seed_of(seed)
    assert type(found) is int
    assert found == int(seed)


def test_none_is_a_fresh_one_each_time():
    found = {seeds.seed_of(None) for _ in range(20)}
    assert len(found) == 20
    assert all(0 <= seed < 2**63 for seed in found)


def test_a_generator_gives_another_each_time_and_the_same_again():
    def three() -> list[int]:
        rng = np.random.default_rng(4)
        return [seeds.seed_of(rng) for _ in range(3)]

    assert len(set(three())) == 3
    assert three() == three()


def test_a_seed_sequence_always_gives_the_same():
    sequence = np.random.SeedSequence(4)
    assert seeds.seed_of(sequence) == seeds.seed_of(sequence) != seeds.seed_of(np.random.SeedSequence(5))


@pytest.mark.parametrize("wrong", [-1, True, np.True_, 1.0, "1", [1]])
def test_refused(wrong):
    with pytest.raises(SettingError, match="rng="):
        seeds.seed_of(wrong)


def test_each_purpose_has_a_stream_of_its_own():
    purposes = (seeds.WIRING, seeds.WEIGHTS, seeds.ORDER, seeds.NOISE, seeds.SPLITS)
    drawn = [seeds.generator(1, purpose).integers(2**63) for purpose in purposes]
    assert len(set(drawn)) == len(purposes)
    assert [seeds.generator(1, purpose).integers(2**63) for purpose in purposes] == drawn
