"""Whose fault it was, told from Git's own words."""

import pytest

from tasks.clone_docs.git.errors import BrokenCloneError, MalformedObjectsError, RefusedObjectError, error_of
from tasks.errors import DocsMlmError, NetworkError, UnknownHostError, UserError

SSH = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights"


@pytest.mark.parametrize(
    ("printed", "kind"),
    [
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", UserError),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'", UserError),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 403", UserError),
        (f"git@x: Permission denied (publickey).\n{SSH}", UserError),
        (f"Host key verification failed.\n{SSH}", UserError),
        (f"ERROR: Repository not found.\n{SSH}", UserError),
        ("remote: Repository not found.\nfatal: repository 'https://x/' not found", UserError),
        (f"fatal: '/x' does not appear to be a git repository\n{SSH}", UserError),
        ("fatal: remote error: access denied or repository not exported: /x", UserError),
        ("fatal: transport 'ext' not allowed", UserError),
        ("fatal: unable to access 'https://x/': SSL certificate problem: self-signed", UserError),
        ("fatal: dumb http transport does not support shallow capabilities", UserError),
        ("error: unable to write file\nfatal: write error: No space left on device", UserError),
        ("fatal: remote error: upload-pack: not our ref abc", RefusedObjectError),
        ("error: Server does not allow request for unadvertised object abc", RefusedObjectError),
        ("error: object abc: hasDotgit\nfatal: fsck error in packed object", MalformedObjectsError),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", UnknownHostError),
        (f"ssh: Could not resolve hostname x: Name or service not known\n{SSH}", UnknownHostError),
        (f"ssh: connect to host x port 22: Connection refused\n{SSH}", NetworkError),
        ("fatal: unable to access 'https://x/': Failed to connect to x port 443", NetworkError),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 502", NetworkError),
        ("error: RPC failed; HTTP 429\nfatal: the remote end hung up unexpectedly", NetworkError),
        ("error: RPC failed; curl 28 Operation too slow\nfatal: early EOF", NetworkError),
        ("error: RPC failed; curl 56 GnuTLS recv error (-9)\nfatal: early EOF", NetworkError),
        ("fatal: protocol error: bad line length character: <htm", NetworkError),
        (SSH, NetworkError),
        ("remote: fatal: bad tree object abc\nfatal: early EOF", UserError),
        ("fatal: aborting due to possible repository corruption on the remote side.", UserError),
        ("fatal: bad object HEAD", BrokenCloneError),
        ("", BrokenCloneError),
    ],
)  # fmt: skip
def test_words_of_a_transfer_tell_whose_fault_it_was(printed: str, kind: type[DocsMlmError]) -> None:
    """A mistake is not retried, a network fault is, and a broken clone is made again."""
    error = error_of(printed, command="fetch", status=128, place="https://x/")
    assert type(error) is kind
    assert "https://x/" in str(error) or "work folder" in str(error)


def test_a_local_command_never_blames_the_network() -> None:
    """A missing file in the clone is no missing repository; a full disk is a full disk."""
    told = error_of("fatal: /clone/x: No such file or directory", command="ls-tree", status=128, place="x")
    assert type(told) is BrokenCloneError
    full = error_of("fatal: No space left on device", command="ls-tree", status=128, place="x")
    assert type(full) is UserError


@pytest.mark.parametrize(
    "printed", [SSH, "fatal: the remote end hung up upon initial contact", "fatal: early EOF"]
)
@pytest.mark.parametrize("command", ["fetch", "ls-remote"])
def test_a_repository_on_this_machine_is_no_network(printed: str, command: str) -> None:
    """To a local path no line can break: it is damaged, which the user must mend, and nothing is retried."""
    error = error_of(printed, command=command, status=128, place="/docs", local=True)
    assert type(error) is UserError
    assert "/docs is damaged" in str(error)
