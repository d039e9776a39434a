"""Tests the Lambda authorizer of both kinds of API, whose code is in template.yaml, with tokens of the test's own issuer."""

import contextlib
import io
import os
import textwrap
import time

from processes import ROOT, Issuer

ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc123/live/GET/jobs/a/targets"


def code():
    template = (ROOT / "template.yaml").read_text()
    before, _, rest = template.partition("      InlineCode: |\n")
    assert before and rest, "template.yaml has no InlineCode"
    lines = rest.splitlines(keepends=True)
    end = next(at for at, line in enumerate(lines) if line.strip() and not line.startswith(" " * 8))
    return textwrap.dedent("".join(lines[:end]))


def ask(handler, token):
    """What the authorizer allows, or None."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return handler({"type": "TOKEN", "authorizationToken": token, "methodArn": ARN}, None)
    except Exception as error:  # whatever the reason, the gateway is told the same
        assert str(error) == "Unauthorized", f"{error!r}: a gateway makes another answer of it"
        return None


def ask_http(handler, token):
    """The answer to the authorizer of an HTTP API, or None for a refusal."""
    with contextlib.redirect_stdout(io.StringIO()):
        answer = handler({"version": "2.0", "type": "REQUEST", "identitySource": [token]}, None)
    assert set(answer) == ({"isAuthorized", "context"} if answer["isAuthorized"] is True else {"isAuthorized"}), answer
    return answer.get("context")


def several_issuers(results, folder, text):
    """Each issuer has its own keys. A token of one issuer is never verified with the keys of another."""
    folders = [folder / "first", folder / "second"]
    for one in folders:
        one.mkdir()
    with Issuer(folders[0]) as first, Issuer(folders[1]) as second:
        both = folder / "both.crt"
        both.write_text(first.certificate.read_text() + second.certificate.read_text())
        os.environ |= {"ISSUERS": f"{first.url},{second.url}", "SSL_CERT_FILE": str(both)}
        module = {}
        exec(compile(text, "authorizer", "exec"), module)
        for name, front in {"REST": ask, "HTTP": ask_http}.items():

            def check(front=front):
                for issuer in (first, second):
                    allowed = front(module["handler"], f"Bearer {issuer.token()}")
                    assert allowed, f"{issuer.url} is refused"
                    assert allowed.get("context", allowed)["iss"] == issuer.url, allowed

            def check_swapped(front=front):
                for issuer, other in ((first, second), (second, first)):
                    token = issuer.token(iss=other.url)
                    assert front(module["handler"], f"Bearer {token}") is None, "let through"

            results.check(f"authorizer: {name} API, tokens of two issuers are let through", check)
            results.check(f"authorizer: {name} API, a token in the name of the other issuer is refused", check_swapped)


def section(results, folder):
    with Issuer(folder) as issuer:
        os.environ |= {"ISSUERS": issuer.url, "AUDIENCE": "target-allocator", "SSL_CERT_FILE": str(issuer.certificate)}
        text = code()
        module = {}
        exec(compile(text, "authorizer", "exec"), module)
        now, good = int(time.time()), issuer.token()
        head, payload, signature = good.split(".")
        refused = {
            "no token": "",
            "no bearer token": good,
            "not a token": "Bearer abc",
            "another audience": "Bearer " + issuer.token(aud=["other"]),
            "another issuer": "Bearer " + issuer.token(iss=issuer.url + "2"),
            "expired": "Bearer " + issuer.token(exp=now - 1),
            "for later": "Bearer " + issuer.token(nbf=now + 60),
            "without a time": "Bearer " + issuer.token(exp=None),
            "a wrong signature": f"Bearer {head}.{payload}.{signature[:-8]}AAAAAAAA",
            "a short signature": f"Bearer {head}.{payload}.AAAA",
            "no signature": f"Bearer {head}.{payload}.",
            "another's claims": "Bearer " + ".".join([head, issuer.token(pod="b").split(".")[1], signature]),
            "no algorithm": "Bearer eyJhbGciOiJub25lIiwia2lkIjoia2V5LTEifQ." + payload + ".",
            "an unknown key": "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImtleS0yIn0." + payload + "." + signature,
        }

        def check_refused(token):
            assert ask(module["handler"], token) is None, "let through"
            assert ask_http(module["handler"], token) is None, "let through by an HTTP API"

        def check_allowed():
            allowed = ask(module["handler"], f"Bearer {good}")
            assert allowed["principalId"] == "system:serviceaccount:monitoring:otel-collector", allowed
            assert allowed["context"] == {
                "sub": "system:serviceaccount:monitoring:otel-collector",
                "iss": issuer.url,
                "pod": "otel-collector-0",
            }, allowed["context"]
            [statement] = allowed["policyDocument"]["Statement"]
            assert statement["Effect"] == "Allow", statement
            # The gateway caches the policy for all requests with this token.
            assert statement["Resource"] == "arn:aws:execute-api:eu-central-1:123456789012:abc123/live/*", statement

        def fits():
            assert len(text) <= 4096, f"{len(text)} characters: more than CloudFormation takes in a template"

        results.check("authorizer: its code fits into a template", fits)
        results.check("authorizer: a token is let through, with its subject and pod", check_allowed)
        for name, token in refused.items():
            results.check(f"authorizer: {name} is refused", check_refused, token)
        several_issuers(results, folder, text)
        del os.environ["SSL_CERT_FILE"]
