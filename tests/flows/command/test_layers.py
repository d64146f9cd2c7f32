"""The layers of the settings: what wins, what a flag can say, and which sources a person means."""

import json
import re
from pathlib import Path

import pytest

from flows.command.layers import read_settings, read_several, source_named
from flows.command.parser import parse
from tasks.errors import UserError


def settings_of(*arguments: str):
    """The settings that a call would run with."""
    return read_settings(parse(["run", *arguments]))


def several_of(*arguments: str):
    """The settings and the sources that a call of `several` would run with."""
    return read_several(parse(["several", *arguments]))


def test_flags_over_yaml_over_environment_over_defaults(tmp_path, monkeypatch):
    """Each layer wins over the one below, setting by setting."""
    monkeypatch.setenv("DOCS_MLM_TRAIN__SEED", "1")
    monkeypatch.setenv("DOCS_MLM_TRAIN__SAVE_STEPS", "1")
    monkeypatch.setenv("DOCS_MLM_TRAIN__LOGGING_STEPS", "1")
    path = tmp_path / "settings.yaml"
    path.write_text("train:\n  seed: 2\n  save_steps: 2\n")
    train = settings_of(str(path), "--train.seed", "3").train
    assert (train.seed, train.save_steps, train.logging_steps, train.save_total_limit) == (3, 2, 1, 2)


def test_flags_reach_every_kind_of_setting():
    """Lists, switches, paths, nested sizes and none are all given by flags."""
    chosen = settings_of(
        "demo", "--source.include", "a/*.md", "--source.include", "b/*.md", "--no-filter.keep-code",
        "--source.folder", "/docs", "--model.from-scratch.hidden-size", "96", "--train.report-to", "wandb",
    )  # fmt: skip
    assert chosen.source.include == ["a/*.md", "b/*.md"]
    assert chosen.filter.keep_code is False
    assert chosen.source.folder == Path("/docs")
    assert chosen.model.from_scratch.hidden_size == 96
    assert chosen.model.from_scratch.vocab_size == 4096, "the preset's own size stays"
    assert chosen.train.report_to == ["wandb"]
    assert settings_of("demo", "--model.from-scratch", "null").model.from_scratch is None


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A folder with one thing of each kind in it, in which the command is typed."""
    for name in ("markdown", "checkout/.git", "bare.git/objects"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("texts.json", "docs.bundle", "own.yaml"):
        (tmp_path / name).write_text("[]")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("https://host/owner/docs.git", "url"),
        ("git@host:owner/docs.git", "url"),
        ("bare.git", "url"),
        ("docs.bundle", "url"),
        ("markdown", "folder"),
        ("./markdown/", "folder"),
        ("checkout", "checkout"),
        ("texts.json", "json_file"),
    ],
)
def test_one_word_says_which_source_is_meant(word, kind, places):
    """A URL, a repository, a checkout, a folder and a JSON file are told apart by what is there."""
    _, (source,) = several_of("--sources", word)
    given = {name: value for name, value in source.model_dump(exclude_unset=True).items() if value}
    assert given == {kind: word if kind == "url" else Path(word)}


def test_braces_say_what_one_word_cannot():
    """A source's own settings stand in braces, as in YAML or as in JSON."""
    given = {"url": "https://host/docs.git", "ref": "v1"}
    assert source_named("{url: https://host/docs.git, ref: v1}") == given
    assert source_named(json.dumps(given)) == given


def test_sources_are_taken_together_from_flags_or_else_from_the_file(places):
    """Several flags with several words each are one list, which replaces the file's."""
    file = places / "several.yaml"
    file.write_text("sources: [markdown, {folder: checkout, recursive: false}]\nat_once: 2\ncorpus: joint\n")
    settings, sources = several_of(str(file))
    assert (settings.corpus, settings.at_once) == ("joint", 2)
    assert [(source.folder, source.recursive) for source in sources] == [
        (Path("markdown"), True),
        (Path("checkout"), False),
    ]
    settings, sources = several_of(
        str(file), "--sources", "https://a/b", "https://c/d", "--sources", "https://e/f", "--corpus", "each",
        "--at-once", "3",
    )  # fmt: skip
    assert (settings.corpus, settings.at_once) == ("each", 3)
    assert [source.url for source in sources] == ["https://a/b", "https://c/d", "https://e/f"]


def test_sources_share_what_is_said_of_the_source(places):
    """`--source.*` goes for every source that does not say otherwise itself; stages are set as in `run`."""
    settings, sources = several_of(
        "demo", "--sources", "markdown", "{url: https://a/b, include: [a.md]}", "--source.include", "*.rst",
        "--source.max-file-bytes", "5", "--train.seed", "3",
    )  # fmt: skip
    assert [source.include for source in sources] == [["*.rst"], ["a.md"]]
    assert [source.max_file_bytes for source in sources] == [5, 5]
    assert settings.train.seed == 3
    assert settings.model.from_scratch.vocab_size == 4096, "the preset's"
    assert "source" not in settings.as_parameters()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--source", "https://a/b"], "--source https://a/b: name the setting too, as in --source.url"),
        (["--source.include", "["], "a flag cannot be read"),
    ],
)
def test_a_flag_that_cannot_be_read_is_the_users(arguments, expected):
    """It ends with a message, as a value that is out of bounds does."""
    with pytest.raises(UserError, match=re.escape(expected)):
        settings_of(*arguments)


def test_an_environment_that_cannot_be_read_is_the_users(monkeypatch):
    """A stage's variable holds JSON or nothing."""
    monkeypatch.setenv("DOCS_MLM_TRAIN", "soon")
    with pytest.raises(UserError, match=r"the environment cannot be read: .*train"):
        settings_of()


def test_a_run_takes_no_list_of_sources(tmp_path):
    """What `several` adds is unknown to `run`."""
    file = tmp_path / "several.yaml"
    file.write_text("sources: [markdown]\n")
    with pytest.raises(UserError, match="sources: there is no such setting"):
        settings_of(str(file))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "there is no source: give --sources URL_OR_FOLDER"),
        (["--sources", "{url: https://a/b, folder: /c}"], "source 1: give one source, not 2 (url, folder)"),
        (["--sources", "markdown", "{ref: v1}"], "source 2 is none: give one of url, checkout, folder"),
        (["--sources", "markdown", "{url: u, ulr: v}"], "source 2 ulr: there is no such setting"),
        (["--sources", "{url:u}"], "write it like {url: URL, ref: REF}"),
        (["--sources", "{url: u"], "write it like {url: URL, ref: REF}"),
        (["--sources", "absent"], "there is no absent: give the URL"),
        (["--sources", "markdown", "demo"], "settings come before --sources"),
        (["--sources", "markdown", "own.yaml"], "settings come before --sources"),
        (["--sources", "markdown", "--source.url", "https://a/b"], "say --sources https://a/b instead"),
        (["--sources", "markdown", "--source.ref", "v1"], "source 1: ref is for a Git source"),
        (["--sources", "markdown", "--at-once", "0"], "at_once is '0'"),
        (["--sources", "markdown", "--corpus", "all"], "corpus is 'all'"),
        (["string.yaml"], "sources is 'markdown': give"),
        (["number.yaml"], "source 1 is 5"),
    ],
)
def test_a_wrong_source_is_named(arguments, expected, places):
    """One line says which source it is, and what to give."""
    (places / "string.yaml").write_text("sources: markdown")
    (places / "number.yaml").write_text("sources: [5]")
    with pytest.raises(UserError) as error:
        several_of(*arguments)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


DEFAULT_MODEL = "google-bert/bert-base-uncased"


@pytest.mark.parametrize("verb", [settings_of, lambda *words: several_of(*words, "--sources", "https://a/b")])
@pytest.mark.parametrize("name", ["other/bert", DEFAULT_MODEL])
def test_who_names_a_model_trains_no_new_one(verb, name, tmp_path, monkeypatch):
    """A name over or beside a new BERT is refused, be it the default's; the way out works."""
    both = tmp_path / "both.yaml"
    both.write_text(f"model:\n  name_or_path: {name}\n  from_scratch:\n    vocab_size: 300\n")
    named = ("--model.name-or-path", name)
    for words in (("demo", *named), (*named, "--model.from-scratch.vocab-size", "300"), (str(both),)):
        with pytest.raises(UserError, match=rf"both name_or_path '{name}' and from_scratch"):
            verb(*words)
    chosen = verb("demo", *named, "--model.from-scratch", "null")
    model = (chosen if verb is settings_of else chosen[0]).model
    assert (model.name_or_path, model.from_scratch) == (name, None)
    monkeypatch.setenv("DOCS_MLM_MODEL__FROM_SCRATCH", '{"vocab_size": 300}')
    with pytest.raises(UserError, match=rf"both name_or_path '{name}' and from_scratch"):
        verb(*named)


def test_a_new_model_goes_over_the_default_of_a_lower_layer(monkeypatch):
    """A preset's or the environment's default name gives way to a new BERT that is asked for above it."""
    assert settings_of("full", "--model.from-scratch.vocab-size", "300").model.from_scratch.vocab_size == 300
    monkeypatch.setenv("DOCS_MLM_MODEL__NAME_OR_PATH", DEFAULT_MODEL)
    assert settings_of("demo").model.from_scratch.vocab_size == 4096
