import pytest

from benchmarks.results import Results, Spread
from benchmarks.tests.sample import document, results


def test_a_rate_is_the_median_of_its_rounds() -> None:
    assert results().rate("plaintext", "slimeweb") == Spread(800, 450, 900)


def test_a_ratio_is_taken_within_each_round() -> None:
    # Medians would give 0.8 over 1.0; the slow second round compares like with like.
    ratio = results().ratio("plaintext", "slimeweb", "bare-hyper")
    assert ratio is not None
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((0.9, 0.8, 0.9))


def test_a_rival_counts_with_its_better_mode() -> None:
    against = results().against("plaintext", "slimeweb", "granian")
    assert against is not None
    assert against.rival == "granian-2"
    assert against.spread.median == pytest.approx(900 / 700)


def test_half_a_measure_is_none() -> None:
    assert results().rate("json", "granian-1") is None
    assert results().against("json", "slimeweb", "granian") is None


def test_a_server_that_ended_has_no_figures_at_all() -> None:
    ended = document()
    ended["failures"] = [{"server": "slimeweb", "workload": None, "reason": "ended"}]
    assert Results(ended).rate("plaintext", "slimeweb") is None
    assert Results(ended).rate("plaintext", "bare-hyper") is not None


def test_only_rounds_that_have_both_count() -> None:
    uneven = document()
    uneven["measurements"] = [
        each for each in uneven["measurements"] if (each["server"], each["round"]) != ("bare-hyper", 2)
    ]
    ratio = Results(uneven).ratio("plaintext", "slimeweb", "bare-hyper")
    assert ratio is not None
    assert ratio.median == pytest.approx(0.9)


def test_footprints() -> None:
    connection = results().footprint("slimeweb", "connection")
    assert connection is not None
    assert connection.median == 8500
    # It closed connections in one round, so it has no figure per connection.
    assert results().footprint("granian-1", "connection") is None
    assert results().footprint("bare-hyper", "rss") is None
