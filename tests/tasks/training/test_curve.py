"""The loss curve: a picture in Markdown, however long the run."""

import base64
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tasks.training.curve import loss_curve, thinned

SVG = "{http://www.w3.org/2000/svg}"


def picture(markdown: str) -> ElementTree.Element:
    """The picture that Markdown carries."""
    carried = re.fullmatch(r"!\[loss curve\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", markdown)
    return ElementTree.fromstring(base64.b64decode(carried[1]))


def test_held_out_losses_are_dots_and_training_is_a_line():
    """One line with a point a log point; a dot before, one for each evaluation, and one after."""
    history = [{"step": 1, "loss": 9.0}, {"step": 2, "loss": 7.0}, {"step": 2, "eval_loss": 6.5}]
    history += [{"step": 3, "loss": 6.0}]
    drawn = picture(loss_curve(history, eval_before=9.5, eval_after=5.5))
    assert len(drawn.find(f"{SVG}polyline").get("points").split()) == 3
    titles = [title.text for title in drawn.iter(f"{SVG}title")]
    assert titles == [
        "held out, step 0: 9.5000",
        "held out, step 2: 6.5000",
        "held out, step 3: 5.5000",
    ]


def test_a_curve_is_labelled_with_what_it_shows():
    """A loss of another kind is not in nats a masked token, and what is not drawn is not explained."""
    history = [{"step": 1, "loss": 9.0}, {"step": 2, "loss": 7.0}]
    told = {text.text for text in picture(loss_curve(history, unit="loss of ranking")).iter(f"{SVG}text")}
    assert "loss of ranking by step" in told
    assert "held out" not in told
    told = {text.text for text in picture(loss_curve(history, eval_before=9.5)).iter(f"{SVG}text")}
    assert {"loss (nats a masked token) by step", "held out"} <= told


def test_a_run_without_log_points_has_no_curve():
    """Nothing is drawn before the first log point."""
    assert loss_curve([], eval_before=9.0) == ""


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=2000), st.integers(1, 300))
def test_a_long_curve_is_thinned(losses, most):
    """At most so many points remain, the last step among them, within the range of what there was."""
    line = [(float(step), loss) for step, loss in enumerate(losses)]
    kept = thinned(line, most)
    assert len(kept) <= max(most, 1)
    assert kept[-1][0] == line[-1][0]
    assert min(losses) - 1e-3 <= min(loss for _, loss in kept) <= max(losses) + 1e-3


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 100)), min_size=1, max_size=50))
def test_every_point_lies_in_the_picture(points):
    """Whatever the steps and losses, flat curves among them, the line stays inside."""
    drawn = picture(loss_curve([{"step": step, "loss": loss} for step, loss in sorted(points)]))
    for point in drawn.find(f"{SVG}polyline").get("points").split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= 720
        assert 0 <= y <= 300
