"""Fronts: how a client's request reaches the function, and how the answer reaches the client.

A front is a function `ask(path, query, method, headers)` that returns an Answer. Path and
query are percent-encoded, as a client sends them.
"""

import base64
import http.client
import json
import re
import urllib.parse
from dataclasses import dataclass


@dataclass
class Answer:
    status: int
    headers: dict  # names in lower case
    body: bytes

    def json(self):
        return json.loads(self.body)


def http_front(host, port, host_header=None):
    """A client of an HTTP server. It sends the path without any change."""

    def ask(path, query="", method="GET", headers=None):
        connection = http.client.HTTPConnection(host, port, timeout=60)
        try:
            connection.putrequest(
                method, path + ("?" + query if query else ""), skip_host=True, skip_accept_encoding=True
            )
            connection.putheader("Host", host_header or f"{host}:{port}")
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)
        finally:
            connection.close()

    return ask


def event_front(invoke, make_event):
    """Our own gateway: it makes an event for the function, and an answer from the result."""

    def ask(path, query="", method="GET", headers=None):
        lower = {"host": "allocator.example.com", **{k.lower(): v for k, v in (headers or {}).items()}}
        result = invoke(make_event(path, query, method, lower))
        if "statusCode" not in result:
            # The function failed. A gateway hides its message.
            return Answer(502, {"content-type": "application/json"}, json.dumps({"invocation": result}).encode())
        answered = {k.lower(): v for k, v in (result.get("headers") or {}).items()}
        answered.update({k.lower(): v[-1] for k, v in (result.get("multiValueHeaders") or {}).items()})
        body = (result.get("body") or "").encode()
        if result.get("isBase64Encoded"):
            body = base64.b64decode(body)
        return Answer(result["statusCode"], answered, body)

    return ask


def http_api(path, query, method, headers):
    """Payload 2.0 of an HTTP API: the path is decoded, except %25, and is cut at a decoded `?`."""
    decoded = re.sub(r"(?:%(?!25)[0-9A-Fa-f]{2})+", lambda run: urllib.parse.unquote(run[0], errors="replace"), path)
    return _payload_2(
        decoded.split("?")[0], query, method, headers, "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
    )


def http_api_stage(path, query, method, headers):
    """An HTTP API with a named stage. The path contains the stage."""
    event = http_api("/live" + path, query, method, headers)
    event["requestContext"]["stage"] = "live"
    return event


def function_url(path, query, method, headers):
    """Payload 2.0 of a function URL: the path stays encoded."""
    return _payload_2(path, query, method, headers, "a1b2c3d4e5.lambda-url.eu-central-1.on.aws")


def _payload_2(path, query, method, headers, domain):
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": domain.split(".", 1)[0],
            "domainName": domain,
            "domainPrefix": domain.split(".", 1)[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": "Zb1c2d3e4f5g6h7=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "24/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795514400000,
        },
        "isBase64Encoded": False,
    }
    parameters = _decoded(query)
    if parameters:
        event["queryStringParameters"] = {k: ",".join(v) for k, v in parameters.items()}
    return event


def rest_api(path, query, method, headers):
    """Payload 1.0 of a REST API with {proxy+}: the path stays encoded. Only the context has the stage."""
    parameters = _decoded(query)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {k: [v] for k, v in headers.items()},
        "queryStringParameters": {k: v[-1] for k, v in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
            "domainPrefix": "a1b2c3d4e5",
            "extendedRequestId": "Zb1c2d3e4f5g6h7=",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": headers.get("user-agent")},
            "path": "/live" + path,
            "protocol": "HTTP/1.1",
            "requestId": "7c7d1a3e-9f0b-4a52-8c38-0d8a2f1f9a11",
            "requestTime": "24/Nov/2026:10:00:00 +0000",
            "requestTimeEpoch": 1795514400000,
            "resourceId": "abc123",
            "resourcePath": "/{proxy+}",
            "stage": "live",
        },
        "body": None,
        "isBase64Encoded": False,
    }


def load_balancer(path, query, method, headers):
    """An ALB: the path and the values of the query stay encoded."""
    return {
        "requestContext": {
            "elb": {
                "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop/0123456789abcdef"
            }
        },
        "httpMethod": method,
        "path": path,
        "queryStringParameters": dict(part.partition("=")[::2] for part in query.split("&") if part),
        "headers": headers,
        "body": "",
        "isBase64Encoded": False,
    }


def _decoded(query):
    return urllib.parse.parse_qs(query, keep_blank_values=True)


EVENTS = {
    "http-api": http_api,
    "http-api-stage": http_api_stage,
    "rest-api": rest_api,
    "function-url": function_url,
    "load-balancer": load_balancer,
}
