"""The demo's repository is the same on every run, and grows from docs-mlm's own dependencies alone."""

from git import Repo

from tasks.clone_docs.demo_docs import dependencies, markdown_of, write_repository


def test_only_own_dependencies_are_read():
    """Prefect, a dependency, is among the packages; pytest, installed beside, is not."""
    names = {package.metadata["Name"].lower() for package in dependencies()}
    assert {"prefect", "torch", "transformers", "pydantic"} <= names
    assert "pytest" not in names


def test_many_packages_describe_themselves():
    """There are enough Markdown descriptions to train on."""
    texts = [text for package in dependencies() if (text := markdown_of(package))]
    assert len(texts) >= 50
    assert sum(map(len, texts)) > 300_000


def test_the_same_documents_are_the_same_commit(tmp_path):
    """Author and date are fixed, so that a second demo finds the first one's results."""
    documents = {"a.md": "# A\n", "b.md": "# B\n"}
    first = write_repository(tmp_path / "one", documents)
    assert write_repository(tmp_path / "one", documents) == first
    assert write_repository(tmp_path / "two", documents) == first


def test_documents_that_are_gone_leave_the_repository(tmp_path):
    """A package that was removed leaves no document behind."""
    write_repository(tmp_path / "repo", {"a.md": "# A\n", "b.md": "# B\n"})
    write_repository(tmp_path / "repo", {"b.md": "# new\n"})
    with Repo(tmp_path / "repo") as repo:
        assert [entry.path for entry in repo.head.commit.tree] == ["b.md"]
        assert len(list(repo.iter_commits())) == 1
