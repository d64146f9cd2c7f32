"""What `docs-mlm preview` prints: figures, marks that are left in prose, and documents side by side."""

from rich.table import Table
from rich.text import Text

from flows.command.display import OUT, add_documents, new_table, print_json, show, styled
from tasks.filter_markdown.look import side_by_side
from tasks.run.preview import Preview


def show_preview(preview: Preview, *, as_json: bool) -> None:
    """What a model would learn from."""
    if as_json:
        print_json(preview.as_json())
        return
    looked = f", {preview.looked_at:,} of {preview.read.found:,} documents looked at"
    looked = looked if preview.looked_at < preview.read.found else ""
    OUT.print(Text.assemble(styled(preview.name, "bold"), f" in {preview.seconds:.1f} s{looked}\n"))
    documents = new_table("documents", "")
    add_documents(documents, preview.documents())
    documents.add_row("characters kept", f"{preview.counts.characters:,}")
    show(documents)
    if preview.warning:
        OUT.print(styled(f"Mind: {preview.warning}.", "yellow"))
        OUT.print()
    for table in look_tables(preview):
        show(table)
    for sample in preview.look.samples:
        OUT.print(styled(sample.path, "bold"))
        pairs = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
        for head in ("as found", "as kept"):
            pairs.add_column(head, overflow="fold", ratio=1)
        for raw, cleaned in side_by_side(sample):
            pairs.add_row(raw, cleaned)
        show(pairs)


def look_tables(preview: Preview) -> list[Table]:
    """The marks that are left, the largest groups of near copies, and the lines that were taken out."""
    tables: list[Table] = []
    if preview.look.residue:
        marks = new_table("marks that are left in prose", "times", "documents")
        for mark, left in preview.look.residue.items():
            marks.add_row(mark, f"{left['marks']:,}", f"{left['documents']:,}")
        tables.append(marks)
    if preview.look.groups:
        groups = new_table("near copies", "for example")
        for group in preview.look.groups:
            groups.add_row(f"{group['documents']:,}", ", ".join(group["paths"]))
        tables.append(groups)
    if preview.look.boilerplate:
        lines = new_table("boilerplate that was taken out", "documents")
        for line, count in preview.look.boilerplate.items():
            lines.add_row(line[:200], f"{count:,}")
        tables.append(lines)
    return tables
