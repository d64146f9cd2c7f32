"""What S3, its credentials or its certificate said no with, and what a user can do about it."""

import logging
import ssl

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    LoginError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from tasks.errors import MissingStoreError

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
"""Codes that newer credentials from the same place may answer."""

_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_EXPIRED = "these credentials have run out: sign in again, or renew AWS_SESSION_TOKEN and what belongs to it"
_WAYS = dict.fromkeys(EXPIRED, _EXPIRED) | {
    "InvalidToken": _EXPIRED,
    "RequestTimeTooSkewed": "set this machine's clock, which is far from the server's",
    "InvalidAccessKeyId": "the server does not know this key: check AWS_ACCESS_KEY_ID, AWS_PROFILE and "
    "AWS_ENDPOINT_URL",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY, and a proxy that may alter requests",
    "AccessDenied": "the credentials need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, "
    "s3:DeleteObject and s3:AbortMultipartUpload on what is in it; a policy may demand encryption, too",
}
_ENCRYPTION = "the bucket demands encryption of what is written: set it as the bucket's default encryption"
_KMS = "check that the bucket's KMS key is enabled and that kms:GenerateDataKey and kms:Decrypt are allowed"
_LONGEST = 300
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}
_LASTING = {
    *_NO_TLS,
    "UNSUPPORTED_PROTOCOL",
    "NO_PROTOCOLS_AVAILABLE",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "TLSV1_ALERT_UNKNOWN_CA",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
}


def code_of(error: BaseException) -> str:
    """What S3 calls the reason of a refusal (`NoSuchBucket`); empty where it was no refusal."""
    cause = error.__cause__
    return str(cause.response["Error"].get("Code")) if isinstance(cause, ClientError) else ""


def said(error: BaseException) -> str:
    """S3's own code and words, on one line; empty where it was no refusal."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return ""
    text = " ".join(str(cause.response["Error"].get("Message") or "no reason given").split())
    return f"{code_of(error)}: {text[:_LONGEST]}"


def way_out(error: BaseException) -> str:
    """What a user can do about a refusal; empty where nothing is known that helps."""
    words = said(error)
    if words.startswith("KMS.") or "kms" in words.lower():
        return _KMS
    if "encrypt" in words.lower():
        return _ENCRYPTION
    if code_of(error).isdigit():
        return "this was no answer of S3: check AWS_ENDPOINT_URL, and whether it is to be http or https"
    return _WAYS.get(code_of(error), _WAYS["AccessDenied"] if words and is_denied(error) else "")


def is_denied(error: BaseException) -> bool:
    """Whether it is a matter of rights."""
    return isinstance(error, PermissionError)


def lacks_credentials(error: BaseException) -> str | None:
    """Why there are no credentials, and the way out; None where that is not what is wrong."""
    if isinstance(error, SSOError | TokenRetrievalError):
        return f"nobody is signed in ({error}): run `aws sso login`, with --profile where AWS_PROFILE is set"
    if isinstance(error, LoginError):
        return f"nobody is signed in ({error}): run `aws login`"
    if isinstance(error, CredentialRetrievalError | MetadataRetrievalError):
        return f"they could not be had ({str(error).strip(' :')}): mend that, or {_KEYS}"
    if isinstance(error, PartialCredentialsError | ProfileNotFound):
        return f"{error}: {_KEYS}"
    return _KEYS if isinstance(error, NoCredentialsError) else None


def no_program(error: OSError) -> MissingStoreError:
    """What to say where the program that a profile names for its credentials cannot be run."""
    return MissingStoreError(
        f"no S3 credentials: {error.strerror or error} ({error.filename!r}): mend credential_process in "
        f"AWS_CONFIG_FILE, or {_KEYS}"
    )


def tls_fault(error: BaseException) -> ssl.SSLError | None:
    """What is wrong with a server's certificate or its TLS for good; None where it may pass."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        # aiohttp's own kinds are SSL errors by name, and hold the one that has the words.
        if isinstance(one, ssl.SSLCertVerificationError) and hasattr(one, "verify_message"):
            return one
        if isinstance(one, ssl.SSLError) and getattr(one, "reason", None) in _LASTING:
            return one
        inner = [getattr(one, name, None) for name in ("certificate_error", "os_error")]
        if isinstance(one, BotoCoreError):
            inner.append(one.kwargs.get("error"))
        inner += [one.__cause__, one.__context__]
        waiting += [each for each in inner if isinstance(each, BaseException)]
    return None


def tls_way_out(fault: ssl.SSLError) -> str:
    """What is wrong with a server's certificate or its TLS, and what a user can do about it."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({fault.verify_message}): name in AWS_CA_BUNDLE a file with the "
            "certificate of whoever vouches for it, or check AWS_ENDPOINT_URL and this machine's clock"
        )
    if fault.reason in _NO_TLS:
        return "the server speaks no TLS: check AWS_ENDPOINT_URL, which may have to begin with http://"
    return f"the server and this machine agree on no TLS ({fault.reason}): check AWS_ENDPOINT_URL"


def _is_news(record: logging.LogRecord) -> bool:
    """Drop what the raised error says, and the tracebacks of the rest."""
    record.exc_info = None
    return "mandatory" not in record.getMessage()


for _client in ("botocore", "aiobotocore"):
    for _part in ("credentials", "tokens"):
        logging.getLogger(f"{_client}.{_part}").addFilter(_is_news)
