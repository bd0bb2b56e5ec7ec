"""The browser fixture itself: it sees errors, requests and overflow, or the pages' tests would pass over anything."""

GOOD = "<!doctype html><meta name=viewport content='width=device-width'><title>t</title><p id=a>one</p>"


def page(tmp_path, text):
    path = tmp_path / "page.html"
    path.write_text(text)
    return path


def test_a_good_page_has_no_problems(browser, tmp_path):
    browser.open(page(tmp_path, GOOD), width=390, height=800)
    assert browser.run("return document.getElementById('a').textContent") == "one"
    assert browser.run("return innerWidth") == 390
    assert browser.problems() == []
    assert browser.overflow() == 0


def test_errors_requests_and_overflow_are_seen(browser, tmp_path):
    browser.open(page(tmp_path, GOOD + "<script>undefined_name()</script>"))
    assert any("undefined_name" in problem for problem in browser.problems())
    browser.open(page(tmp_path, GOOD + "<img src='http://example.invalid/a.png'>"))
    assert any("example.invalid" in problem for problem in browser.problems())
    browser.open(page(tmp_path, GOOD + "<div style='width: 1000px'>wide</div>"), width=390, height=800)
    assert browser.overflow() > 0
    assert browser.run("return new Promise(done => setTimeout(() => done(7), 5))") == 7


def test_a_screenshot_is_a_png(browser, tmp_path):
    browser.open(page(tmp_path, GOOD))
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes()[:4] == b"\x89PNG"
