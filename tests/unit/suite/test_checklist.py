"""Lines of a checklist, and how people see them."""

from suite.checklist import failed, is_green, judged, passed, skipped, told, warned


def test_skip_of_what_is_required_is_a_failure() -> None:
    assert "FAIL" == skipped(4, "x", "no", "do", required=True).status
    assert "SKIP" == skipped(4, "x", "no", "do", required=False).status


def test_faults_are_told_in_one_line() -> None:
    line = judged(3, "x", ("one", "two"), "good", "do")
    assert ("FAIL", "one; two", "do") == (line.status, line.reason, line.fix)
    line = judged(3, "x", (), "good", "do")
    assert ("PASS", "good", "") == (line.status, line.reason, line.fix)


def test_lines_have_what_to_do_below_them_and_a_verdict_at_the_end() -> None:
    lines = [passed(1, "all", "well"), warned(12, "some", "odd", "look")]
    assert [
        "PASS  1 all: well",
        "WARN 12 some: odd",
        "        look",
        "live: green (1 PASS, 1 WARN, 0 FAIL, 0 SKIP)",
    ] == list(told(lines, "live"))
    lines.append(failed(13, "last", "bad", "mend"))
    assert not is_green(lines)
    assert "x: NOT green (1 PASS, 1 WARN, 1 FAIL, 0 SKIP)" == list(told(lines, "x"))[-1]
