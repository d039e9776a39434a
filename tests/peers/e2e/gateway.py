"""An HTTP API with a JWT authorizer like that of API Gateway, in front of a function.

    gateway.py INVOKE_URL ISSUER CERTIFICATE AUDIENCE FOLDER

It checks a token like the authorizer: RS256 by the keys of the issuer, `iss`, `aud`, `exp`, `nbf`, `iat`. It does not
check the subject. It sends the function an event of payload format 2.0 with the claims, and returns the answer.

The file FOLDER/valid-since is optional. Tokens issued before the time in this file are refused. Tokens then expire
sooner than the API server can make them expire. FOLDER/seen.jsonl gets a line for each request.
"""

import base64
import hashlib
import http.client
import json
import ssl
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "aws"))

from fronts import event_front, http_api
from serving import serve

# The prefix of a SHA-256 hash in an RSA signature.
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


class Refused(Exception):
    """The authorizer refuses the request."""


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Authorizer:
    def __init__(self, issuer: str, certificate: str, audience: str, folder: Path) -> None:
        self.issuer, self.audience, self.folder = issuer, audience, folder
        context = ssl.create_default_context(cafile=certificate)

        def fetch(url: str) -> dict:
            with urllib.request.urlopen(url, context=context, timeout=10) as answer:
                return json.load(answer)

        discovery = fetch(f"{issuer}/.well-known/openid-configuration")
        assert discovery["issuer"] == issuer, f"the issuer says that it is {discovery['issuer']}"
        self.keys = {key["kid"]: key for key in fetch(discovery["jwks_uri"])["keys"] if key["kty"] == "RSA"}

    def claims(self, header: str | None) -> dict:
        if not header:
            raise Refused("no token")
        try:
            head, payload, signature = header.removeprefix("Bearer ").split(".")
            claims, kid = json.loads(decoded(payload)), json.loads(decoded(head))["kid"]
            self.check_signature(f"{head}.{payload}".encode(), decoded(signature), self.keys[kid])
        except (ValueError, KeyError) as error:
            raise Refused(f"not a token of this issuer: {error!r}") from error
        now = time.time()
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims["iss"] != self.issuer or self.audience not in audiences:
            raise Refused(f"a token of {claims['iss']} for {audiences}")
        if claims["exp"] <= now or claims.get("nbf", 0) > now + 1 or claims.get("iat", 0) > now + 1:
            raise Refused("a token for another time")
        valid_since = self.folder / "valid-since"
        if valid_since.exists() and claims["iat"] < float(valid_since.read_text()):
            raise Refused("a token that is too old")
        return claims

    @staticmethod
    def check_signature(signed: bytes, signature: bytes, key: dict) -> None:
        modulus, exponent = (int.from_bytes(decoded(key[part])) for part in ("n", "e"))
        length = (modulus.bit_length() + 7) // 8
        found = pow(int.from_bytes(signature), exponent, modulus).to_bytes(length)
        hashed = SHA256 + hashlib.sha256(signed).digest()
        if found != b"\0\1" + b"\xff" * (length - 3 - len(hashed)) + b"\0" + hashed:
            raise ValueError("wrong signature")


def flat(value: object) -> str:
    """A claim as API Gateway passes it on: as text."""
    match value:
        case dict():
            return "map[" + " ".join(f"{name}:{flat(part)}" for name, part in sorted(value.items())) + "]"
        case list():
            return "[" + " ".join(map(flat, value)) + "]"
        case _:
            return str(value)


def main(invoke_url: str, issuer: str, certificate: str, audience: str, folder: Path) -> None:
    authorizer = Authorizer(issuer, certificate, audience, folder)
    function = urlsplit(invoke_url)
    lock = threading.Lock()

    def invoke(event: dict) -> dict:
        connection = http.client.HTTPConnection(function.hostname, function.port, timeout=30)
        try:
            connection.request("POST", function.path, json.dumps(event).encode())
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def answer(path: str, query: str, headers: dict) -> tuple[int, dict, bytes, dict]:
        refusal = {"content-type": "application/json"}
        try:
            claims = authorizer.claims(headers.get("authorization"))
        except Refused as refused:
            return 401, refusal | {"www-authenticate": "Bearer"}, b'{"message":"Unauthorized"}', {"refused": str(refused)}

        def event(*parts: object) -> dict:
            made = http_api(*parts)
            texts = {name: flat(value) for name, value in claims.items()}
            made["requestContext"]["authorizer"] = {"jwt": {"claims": texts, "scopes": None}}
            return made

        answered = event_front(invoke, event)(path, query, "GET", headers)
        if answered.status == 502:
            # The function failed. The gateway hides its message.
            return 500, refusal, b'{"message":"Internal Server Error"}', claims
        return answered.status, answered.headers, answered.body, claims

    def recorded(path_and_query: str, sent: dict) -> tuple[int, dict, bytes]:
        path, _, query = path_and_query.partition("?")
        headers = {name.lower(): value for name, value in sent.items()}
        try:
            status, answered, body, claims = answer(path, query, headers)
        except (OSError, ValueError) as error:
            status, answered, claims = 500, {"content-type": "application/json"}, {"refused": repr(error)}
            body = b'{"message":"Internal Server Error"}'
        seen = {"path": path, "query": query, "status": status, "at": time.time()}
        with lock, open(folder / "seen.jsonl", "a") as log:
            log.write(json.dumps(seen | {"issued": claims.get("iat"), "refused": claims.get("refused")}) + "\n")
        return status, answered, body

    serve(recorded)


if __name__ == "__main__":
    main(*sys.argv[1:5], Path(sys.argv[5]))
