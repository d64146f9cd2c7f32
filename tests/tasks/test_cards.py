"""Tables, text and code in the Markdown that the Prefect UI shows."""

from markdown_it import MarkdownIt

from tasks.cards import block, code, figures_table, printable, quote, table, text
from tasks.records import TrainedModel
from tests.tasks.filter_markdown.hostile import documents

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> list[tuple[str, str]]:
    """What a browser is given: each token's kind and contents, tags of blocks as well."""
    found = []
    for token in MARKDOWN.parse(markdown):
        if token.type == "inline":
            found += [(child.type, child.content) for child in token.children or []]
        else:
            found.append((token.type, token.content))
    return found


def test_text_and_code_hold_any_characters():
    """Line breaks, pipes and unprintable characters do not break a table."""
    assert text("a\n| b") == "a \\| b"
    assert code("a\n\x00b") == "`a��b`"


def test_without_held_out_documents_the_training_loss_is_told():
    """A run that evaluates nothing still says how it ended."""
    trained = TrainedModel(
        uri="u", key="k", global_step=1, resumed_from_step=0, tokens_per_second=1.0, loss=2.5,
        eval_before=None, eval_after=None, device="cpu", history=[], fill_samples=[],
    )  # fmt: skip
    assert "2.5000" in figures_table(trained)


def test_texts_are_read_as_they_are_written():
    """No text is markup, be it in a sentence, in a quotation or in a cell of a table."""
    for source in documents(3_000, seed=17):
        line = printable(" ".join(source.split()))
        if not line or line.encode("utf-8", "replace") != line.encode("utf-8", "ignore"):
            continue
        for before, markdown in (("A ", f"A {text(source)}"), ("", quote(source))):
            kinds = [(kind, said) for kind, said in shown(markdown) if not kind.startswith(("p", "b"))]
            assert {kind for kind, _ in kinds} <= {"text", "text_special"}, markdown
            assert "".join(said for _, said in kinds) == before + line


def test_a_cell_stays_a_cell():
    """Bars and line breaks in one cell do not move the others, even where it is Markdown."""
    for source in documents(1_000, seed=19):
        cells = f"{text(source)}.", f"{code(source)}.", "last"
        found = shown(table(("a", "b", "c"), [cells, ("1", "2", "3")]))
        kinds = [kind for kind, _ in found]
        assert (kinds.count("tr_open"), kinds.count("td_open")) == (3, 6), source
        assert [said for _, said in found if said in ("last", "1", "2", "3")] == ["last", "1", "2", "3"]
        assert table(("a",), [(source,)]).count("\n") == 2


def test_code_is_read_as_it_is_written():
    """A name is one piece of code, and a block holds any fences."""
    for source in ["", "`", "``", "a`b", "|", "\\", "<b>", "\ud800", "[x](y)"]:
        assert [kind for kind, _ in shown(f"A {code(source)} b {code(source)}")].count("code_inline") == 2
    for source in documents(500, seed=18):
        (fence,) = MARKDOWN.parse(block(source, "sh"))
        assert (fence.type, fence.info) == ("fence", "sh")
        assert fence.content.rstrip("\n") == printable(source).rstrip("\n")
