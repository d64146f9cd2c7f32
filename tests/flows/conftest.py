"""A documentation repository to run on, over real Git and S3 servers, and the command in this process."""

import random
from pathlib import Path

import pytest

from flows.command.main import main
from tasks.records import STAGES
from tasks.settings import Settings
from tests.git_server import GitServer, make_repository
from tests.s3_server import s3_server
from tests.tiny import SIZES

MADE = tuple(stage for stage in STAGES if stage not in ("embedding", "evaluation", "index"))
"""The results of a run without a retrieval model and probes, in order."""
WORDS = [
    "server",
    "cluster",
    "agent",
    "gateway",
    "policy",
    "portal",
    "resource",
    "region",
    "network",
    "storage",
    "identity",
    "token",
    "deploy",
    "connect",
    "install",
    "configure",
    "restart",
    "monitor",
    "create",
    "delete",
    "update",
    "enable",
    "secure",
    "scale",
]


def make_documents(count: int = 30, seed: int = 1) -> dict[str, str]:
    """Markdown documents of a few hundred characters, and two that are worth nothing."""
    draw = random.Random(seed)

    def sentence() -> str:
        return "To " + " the ".join(draw.choice(WORDS) for _ in range(6)) + ", run the command."

    def document(number: int) -> str:
        paragraphs = [" ".join(sentence() for _ in range(4)) for _ in range(3)]
        return f"---\ntitle: {number}\n---\n# Page {number}\n\n" + "\n\n".join(paragraphs) + "\n"

    pages = {f"docs/page-{number:02}.md": document(number) for number in range(count)}
    return pages | {"README.md": "short", "docs/copy.md": pages["docs/page-00.md"], "logo.svg": "<svg/>"}


def with_headings(documents: dict[str, str]) -> dict[str, str]:
    """The documents with titles and headings that say what they are about."""
    found = {}
    for path, text in documents.items():
        words = text.split()[-12:]
        if path.startswith("docs/page"):
            text = text.replace("# Page", f"# {words[0]} {words[3]} {words[5]} page").replace(
                "\n\nTo", f"\n\n## {words[1]} the {words[4]} {words[7]}\n\nTo", 1
            )
        found[path] = text
    return found


DOCUMENTS = make_documents()
PAGES = with_headings(DOCUMENTS)
"""The same, to be searched."""


@pytest.fixture(scope="session")
def repositories(tmp_path_factory):
    """A folder whose repositories are served over smart HTTP."""
    root = tmp_path_factory.mktemp("repositories")
    make_repository(root / "docs.git", DOCUMENTS)
    with GitServer(root) as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """A real S3 server."""
    with s3_server(tmp_path_factory.mktemp("s3") / "buckets", remembers_s=1) as server:
        yield server


@pytest.fixture
def server_url(prefect_server):
    """The address of the tests' Prefect server, for other processes."""
    from prefect.settings import PREFECT_API_URL

    return str(PREFECT_API_URL.value())


@pytest.fixture
def chosen(repositories, tmp_path):
    """Settings of a run that takes seconds: a tiny BERT on a small repository."""

    def choose(**changes) -> Settings:
        basis = {
            "source": {"url": repositories.url("docs.git")},
            "tokenize": {"max_seq_length": 48},
            "model": {"from_scratch": SIZES.model_dump()},
            "train": {
                "max_steps": 6,
                "per_device_train_batch_size": 8,
                "learning_rate": 0.003,
                "logging_steps": 2,
                "precision": "fp32",
            },
            "evaluate": {"enabled": False},
            "store": str(tmp_path / "store"),
            "work_dir": str(tmp_path / "work"),
        }
        for stage, values in changes.items():
            basis[stage] = basis.get(stage, {}) | values if isinstance(values, dict) else values
        return Settings.model_validate(basis)

    return choose


@pytest.fixture
def command(prefect_server, capsys, monkeypatch, tmp_path):
    """Run `docs-mlm` in this process: its exit code, and what it printed on both streams."""
    monkeypatch.setenv("DOCS_MLM_WORK_DIR", str(tmp_path / "work"))

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err

    return run


def files_under(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


async def every(read, **chosen) -> list:
    """All that a Prefect client's method reads: a server tells 200 of them at a time."""
    found: list = []
    while more := await read(**chosen, offset=len(found)):
        found += more
    return found
