"""The end of a run, as it is shown."""

from tasks.models.published import Version
from tasks.run.summary import versions_table


def test_the_newest_versions_come_first():
    """The last ten versions side by side, with a dash where nothing was held out."""
    versions = [
        Version(
            version=f"v{n:02}", uri="u", line="r-1", line_name="o/r · m", source="https://h/o/r.git",
            commit_sha="c" * 40, documents=9, steps=3, loss_before=None, loss_after=1.5, accuracy=0.25,
        )
        for n in range(12)
    ]  # fmt: skip
    rows = versions_table(versions).splitlines()[2:]
    assert len(rows) == 10
    assert rows[0] == "| – | 1.500 | 25.0% | 3 | 9 | o/r@cccccccc | `v11` |"
