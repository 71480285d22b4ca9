from xml.etree import ElementTree

import pytest

from benchmarks.chart import svg
from benchmarks.results import Results
from benchmarks.tests.sample import document, results

SVG = "{http://www.w3.org/2000/svg}"


def test_a_bar_for_each_measured_server_to_one_scale() -> None:
    root = ElementTree.fromstring(svg(results()))
    plaintext = root.findall(f"{SVG}g")[0]
    widths = [float(bar.get("width", "0")) for bar in plaintext.findall(f"{SVG}rect")]
    assert len(widths) == 4
    assert widths[1] / widths[0] == pytest.approx(0.8, abs=0.001)
    assert widths[3] / widths[0] == pytest.approx(0.7, abs=0.001)


def test_a_server_without_figures_says_so_and_titles_are_escaped() -> None:
    text = svg(results())
    assert "not measured" in text
    assert "granian &amp; 2" in text


def test_nothing_to_show() -> None:
    empty = document() | {"measurements": []}
    with pytest.raises(ValueError, match="make bench"):
        svg(Results(empty))
