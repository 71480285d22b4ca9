from benchmarks.rounds import rotated


def test_every_server_comes_first_in_turn() -> None:
    orders = [rotated("abc", number) for number in range(4)]
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
