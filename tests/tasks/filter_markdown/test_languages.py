"""The language of prose is told, and of what is none it is not."""

import pytest

from tasks.filter_markdown.language_codes import KNOWN, UNTOLD
from tasks.filter_markdown.languages import _identifier, language_of, prose_of

TEXTS = {
    "cs": "Tento příkaz spustí službu a načte konfiguraci ze souboru, který leží vedle něj.",
    "de": "Mit diesem Befehl wird der Dienst gestartet und die Konfiguration gelesen.",
    "en": "Run this command to start the service, which reads its configuration from a file.",
    "es": "Este comando inicia el servicio y lee la configuración desde el archivo.",
    "fr": "Cette commande démarre le service et lit la configuration à partir du fichier.",
    "ja": "このコマンドはサービスを開始し、ファイルから設定を読み込みます。",
    "ko": "이 명령은 서비스를 시작하고 파일에서 설정을 읽습니다.",
    "pt": "Este comando inicia o serviço e lê a configuração do arquivo ao lado dele.",
    "ru": "Эта команда запускает службу и читает конфигурацию из файла рядом с ней.",
    "zh": "此命令启动服务，并从文件中读取配置，然后等待下一个请求。",
}


@pytest.mark.parametrize("language", TEXTS)
def test_languages_are_told(language: str) -> None:
    """A sentence is enough, and so is a long text of which only pieces are looked at."""
    assert language_of(TEXTS[language]) == language
    assert language_of("\n".join([TEXTS[language]] * 500)) == language


@pytest.mark.parametrize("text", ["", "12.5 == { } [ ]", "x", "-- \n\n ++", "0x7f 0xff AB CD"])
def test_what_is_no_prose_has_no_language(text: str) -> None:
    """Too few letters tell nothing."""
    assert language_of(text) == UNTOLD


def test_code_is_not_read() -> None:
    """A German page with much code in English words is German."""
    code = "\n".join(["for every item in the list: return the value of this item"] * 50)
    text = f"{TEXTS['de']}\n\n{code}\n\n{TEXTS['de']}"
    start = text.index(code)
    prose = prose_of(text, [(start, start + len(code))])
    assert prose == f"{TEXTS['de']}\n\n\n\n{TEXTS['de']}"
    assert language_of(prose) == "de"
    assert prose_of(text, []) == text


def test_the_codes_are_those_of_the_detector() -> None:
    """All its languages with two letters, no more and no fewer: settings are checked by this list."""
    every = {label for label in _identifier()._full_model[2] if len(label) == 2}
    assert every == KNOWN
