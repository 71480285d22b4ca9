"""JSON between bytes and Python objects: what is held, what is refused, and what the refusal says."""

import json
import math
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimeweb._core import json_dumps, json_loads
from slimeweb.errors import JsonError

MAX_DEPTH = 200
"""Lists and objects inside one another that either direction accepts."""

SMALL_STACK = 512 * 1024
"""Bytes: the smallest stack a worker may have."""

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
documents = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=40)


class Level(IntEnum):
    LOW = 1


class Colour(StrEnum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


class Opaque:
    pass


def on_a_small_stack(work: Callable[[], object]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    before = threading.stack_size(SMALL_STACK)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    if failures:
        raise failures[0]


class TestAgainstTheStandardLibrary:
    @given(documents)
    def test_it_reads_what_json_writes(self, document: Any) -> None:
        assert json_loads(json.dumps(document).encode()) == document
        assert json_loads(json.dumps(document, ensure_ascii=False, indent=2).encode()) == document

    @given(documents)
    def test_json_reads_what_it_writes(self, document: Any) -> None:
        assert json.loads(json_dumps(document)) == document

    @given(documents)
    def test_a_round_trip_keeps_values_types_and_order(self, document: Any) -> None:
        assert repr(json_loads(json_dumps(document))) == repr(document)

    @given(text | st.text('"\\\x00\x1f\x7f\x80é€😀abc ', max_size=40))
    def test_strings_come_out_byte_for_byte(self, value: str) -> None:
        expected = json.dumps(value, ensure_ascii=False).encode()
        assert json_dumps(value) == expected
        assert json_dumps({value: 0}) == b"{" + expected + b":0}"

    @given(st.binary(max_size=40) | st.text('[]{}":,.-+eE0123456789tfn \\u"dc\n', max_size=40).map(str.encode))
    def test_it_accepts_nothing_that_json_refuses(self, data: bytes) -> None:
        try:
            ours = json_loads(data)
        except JsonError:
            return
        assert ours == json.loads(data.decode("utf-8-sig"))

    @given(st.from_regex(rb"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True))
    def test_numbers_are_read_alike(self, data: bytes) -> None:
        try:
            expected = json.loads(data)
        except ValueError:
            expected = math.inf
        if isinstance(expected, float) and math.isinf(expected):
            with pytest.raises(JsonError):
                json_loads(data)
        else:
            assert repr(json_loads(data)) == repr(expected)


class TestLoads:
    def test_key_order_is_kept_and_the_last_of_two_values_wins(self) -> None:
        value = json_loads(b'{"b": 1, "a": 2, "b": 3}')
        assert list(value.items()) == [("b", 3), ("a", 2)]

    def test_alike_objects_keep_their_own_keys(self) -> None:
        rows = [{f"k{n}": n, "name": n, "é": n, "long" * 20: n} for n in range(300)]
        assert json_loads(json.dumps(rows).encode()) == rows

    def test_a_byte_order_mark_is_skipped(self) -> None:
        assert json_loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}

    @pytest.mark.parametrize("number", [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**400, -(10**4000)])
    def test_integers_are_exact(self, number: int) -> None:
        assert json_loads(str(number).encode()) == number

    def test_negative_zero_keeps_its_sign_as_a_float(self) -> None:
        assert math.copysign(1, json_loads(b"-0.0")) == -1

    @pytest.mark.parametrize(
        ("data", "phrase", "line", "column"),
        [
            (b"", "nothing there", 1, 1),
            (b" \n ", "ends where a value was expected", 2, 2),
            (b'{"a": 1,\n "b" 2}', 'expected ":"', 2, 6),
            (b'{"a": 1,}', "comma with nothing after it", 1, 9),
            (b"[1, 2 3]", 'expected "," or "]"', 1, 7),
            (b"[1,]", "comma with nothing after it", 1, 4),
            (b'{"a": 1 "b": 2}', 'expected "," or "}"', 1, 9),
            (b"{a: 1}", "key in double quotes", 1, 2),
            (b"{} x", "after the end", 1, 4),
            (b"[1\n,\ntru]", "true, false or null", 3, 4),
            (b"'a'", "expected a value", 1, 1),
            (b"01", "not a number", 1, 2),
            (b"[1.]", "not a number", 1, 4),
            (b"NaN", "expected a value", 1, 1),
            (b"Infinity", "expected a value", 1, 1),
            (b"-Infinity", "not a number", 1, 2),
            (b"[1e999]", "too large for a float", 1, 2),
            (b'["a\nb"]', "control character", 1, 4),
            (b'["a\\x"]', "escape", 1, 5),
            (b'["ab', "ends inside a string", 1, 5),
            ('["é€😀" x]'.encode(), 'expected "," or "]"', 1, 8),
            (b'["a", "\\n\xff"]', "not UTF-8", 1, 10),
            (b'["\xed\xa0\x80"]', "not UTF-8", 1, 3),
            (b'["\\ud800"]', "other half", 1, 9),
            (b'["x\\udc00"]', "other half", 1, 4),
            (b'["\\ud800\\u0041"]', "other half", 1, 9),
            ("{}".encode("utf-16"), "expected a value", 1, 1),
            (b"\xef\xbb\xbf[1,]", "comma with nothing after it", 1, 4),
        ],
    )
    def test_a_fault_is_named_and_placed(self, data: bytes, phrase: str, line: int, column: int) -> None:
        with pytest.raises(JsonError) as caught:
            json_loads(data)
        message = str(caught.value)
        assert phrase in message
        assert f"line {line}, column {column}" in message

    @pytest.mark.parametrize("shape", [("[", "]"), ('{"a":', "}")])
    def test_nesting_is_bounded_on_a_small_stack(self, shape: tuple[str, str]) -> None:
        opening, closing = shape
        document = opening * (MAX_DEPTH - 1) + ("[]" if opening == "[" else "{}") + closing * (MAX_DEPTH - 1)

        def within() -> None:
            json_loads(document.encode())

        def beyond() -> None:
            with pytest.raises(JsonError, match=f"more than {MAX_DEPTH}"):
                json_loads((opening * 1_000_000).encode())
            with pytest.raises(JsonError, match=f"more than {MAX_DEPTH}"):
                json_loads(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))

        on_a_small_stack(within)
        on_a_small_stack(beyond)

    @pytest.mark.parametrize("digits", [4301, 1_000_000])
    def test_an_endless_integer_is_refused(self, digits: int) -> None:
        with pytest.raises(JsonError, match="more digits than Python converts"):
            json_loads(b"[" + b"9" * digits + b"]")

    def test_the_interpreters_own_limit_on_digits_holds(self) -> None:
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(640)
        try:
            with pytest.raises(JsonError, match="line 1, column 2: an integer of more digits than Python converts"):
                json_loads(b"[" + b"9" * 641 + b"]")
        finally:
            sys.set_int_max_str_digits(before)


class TestDumps:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"a": [1, (True, None)], "b": {}}, b'{"a":[1,[true,null]],"b":{}}'),
            ([], b"[]"),
            (1.0, b"1.0"),
            (0.1, b"0.1"),
            (-0.0, b"-0.0"),
            (1e22, b"1e22"),
            (5e-324, b"5e-324"),
            (2**63, b"9223372036854775808"),
            (-(2**63), b"-9223372036854775808"),
            (10**300, b"1" + b"0" * 300),
            ("é\u2028😀", '"é\u2028😀"'.encode()),
            (Level.LOW, b"1"),
            (Colour.RED, b'"red"'),
            (Point(1, 2), b"[1,2]"),
            ({1: "a", 1.5: "b", None: "c", Colour.RED: "d"}, b'{"1":"a","1.5":"b","null":"c","red":"d"}'),
            ({True: 1, 2**70: 2, Level.LOW.value + 1: 3}, b'{"true":1,"1180591620717411303424":2,"2":3}'),
        ],
    )
    def test_what_it_writes(self, value: Any, expected: bytes) -> None:
        assert json_dumps(value) == expected

    def test_an_ordered_dict_is_written_in_its_own_order(self) -> None:
        ordered = OrderedDict(a=1, b=2)
        ordered.move_to_end("a")
        assert json_dumps(ordered) == b'{"b":2,"a":1}'

    def test_a_subclass_of_int_is_written_by_value(self) -> None:
        class Loud(int):
            def __repr__(self) -> str:
                return "not JSON"

            __str__ = __repr__

        assert json_dumps([Loud(7), Loud(2**80)]) == f"[7,{2**80}]".encode()

    @pytest.mark.parametrize(
        ("value", "error", "message"),
        [
            ({"items": [0, {"when": 1j}]}, TypeError, "$.items[1].when is a complex, which JSON cannot hold"),
            (Opaque(), TypeError, f"$ is a {__name__}.Opaque, which JSON cannot hold"),
            ({"a b": {1: object()}}, TypeError, '$["a b"]["1"] is an object, which JSON cannot hold'),
            ({"a": {(1, 2): 3}}, TypeError, "$.a has a key that is a tuple; JSON keys are strings, so use a str"),
            ([math.nan], ValueError, "$[0] is nan, which JSON cannot hold; use None or a str"),
            ((0, -math.inf), ValueError, "$[1] is -inf, which JSON cannot hold; use None or a str"),
            ({math.inf: 1}, ValueError, "$ has a key that is inf, which JSON cannot hold; use None or a str"),
            (["\ud800"], ValueError, "$[0] is a str with a lone surrogate, which UTF-8 cannot hold"),
            ({"\udfff": 1}, ValueError, "$ has a key that is a str with a lone surrogate, which UTF-8 cannot hold"),
            ([10**5000], ValueError, "$[0] is an int of more digits than Python converts; use a str"),
        ],
    )
    def test_what_it_refuses(self, value: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error) as caught:
            json_dumps(value)
        assert type(caught.value) is error
        assert str(caught.value) == message

    def test_a_circular_reference_is_refused_on_a_small_stack(self) -> None:
        loop: dict[str, Any] = {}
        loop["self"] = [loop]

        def refused() -> None:
            with pytest.raises(ValueError, match="circular reference") as caught:
                json_dumps(loop)
            assert len(str(caught.value)) < 400

        on_a_small_stack(refused)

    def test_nesting_up_to_the_bound_is_written_on_a_small_stack(self) -> None:
        value: Any = []
        for _ in range(MAX_DEPTH - 1):
            value = [value]
        on_a_small_stack(lambda: json_loads(json_dumps(value)))
        with pytest.raises(ValueError, match=f"more than {MAX_DEPTH} levels"):
            json_dumps([value])


class TestDefault:
    def test_it_is_asked_for_what_json_has_no_form_for(self) -> None:
        assert json_dumps({"d": date(2024, 2, 29), "n": 1}, str) == b'{"d":"2024-02-29","n":1}'

    def test_its_answer_may_need_asking_again(self) -> None:
        class Shade(Enum):
            DARK = date(2024, 2, 29)

        def default(value: Any) -> Any:
            return [value.value] if isinstance(value, Enum) else str(value)

        assert json_dumps([Shade.DARK], default) == b'[["2024-02-29"]]'

    def test_it_declines_by_returning_not_implemented(self) -> None:
        with pytest.raises(TypeError, match=r"^\$\.a is a complex, which JSON cannot hold$") as caught:
            json_dumps({"a": 1j}, lambda _: NotImplemented)
        assert caught.value.__cause__ is None

    def test_it_declines_by_raising_type_error(self) -> None:
        def default(value: Any) -> Any:
            raise TypeError("never heard of it")

        with pytest.raises(TypeError, match=r"^\$\.a is a complex, which JSON cannot hold$") as caught:
            json_dumps({"a": 1j}, default)
        assert str(caught.value.__cause__) == "never heard of it"

    def test_its_other_exceptions_pass_with_the_path_as_a_note(self) -> None:
        def default(value: Any) -> Any:
            raise LookupError("gone")

        with pytest.raises(LookupError, match="gone") as caught:
            json_dumps({"a": [1j]}, default)
        assert caught.value.__notes__ == ["while writing $.a[0] as JSON"]

    def test_one_that_returns_its_argument_ends(self) -> None:
        with pytest.raises(ValueError, match="levels deep"):
            json_dumps(1j, lambda value: value)

    def test_one_that_changes_the_containers_being_written_is_harmless(self) -> None:
        table: dict[str, Any] = {"a": 1j, "b": 2}
        row: list[Any] = [1j, 2, 3]

        def default(value: Any) -> Any:
            table.clear()
            row.clear()
            return 0

        assert json_dumps({"table": table, "row": row}, default) == b'{"table":{"a":0,"b":2},"row":[]}'
        row[:] = [1j, 2, 3]
        assert json_dumps(row, default) == b"[0]"


class TestThreads:
    def test_a_dict_and_a_list_that_change_while_they_are_written(self) -> None:
        """Each document stays well formed and holds all that nobody touched."""
        table: dict[str, Any] = {str(n): n for n in range(50)}
        row: list[Any] = list(range(50))
        stop = threading.Event()
        started = threading.Barrier(3)

        def change() -> None:
            started.wait()
            turn = 0
            while not stop.is_set():
                turn += 1
                table[f"new{turn % 97}"] = [turn]
                table.pop(f"new{(turn * 7) % 97}", None)
                row.append(str(turn))
                if len(row) > 200:
                    del row[10:]

        threads = [threading.Thread(target=change) for _ in range(2)]
        for thread in threads:
            thread.start()
        started.wait()
        try:
            for _ in range(2_000):
                seen = json.loads(json_dumps({"table": table, "row": row}))
                assert [seen["table"].get(str(n)) for n in range(50)] == list(range(50))
                assert seen["row"][:10] == list(range(10))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
