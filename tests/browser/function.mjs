// Runs the built function with our own Lambda Runtime API, behind our own HTTP API. The payload has
// version 2.0. The path has a stage and the name of the cluster.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";

const STAGE = "live";

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

// Answers the polls of the function with the events in `waiting`, and returns its results.
function runtimeApi() {
  const waiting = [];
  const running = new Map();
  let poll;
  let count = 0;
  const next = () => {
    if (!poll || waiting.length === 0) return;
    const { event, done } = waiting.shift();
    const id = `request-${count++}`;
    running.set(id, done);
    poll.setHeader("Lambda-Runtime-Aws-Request-Id", id);
    poll.setHeader("Lambda-Runtime-Deadline-Ms", String(Date.now() + 25_000));
    poll.setHeader("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-1:1:function:f");
    poll.end(JSON.stringify(event));
    poll = undefined;
  };
  const server = createServer(async (request, response) => {
    const [, , , , id, what] = request.url.split("/");
    if (id === "next") {
      poll = response;
      next();
      return;
    }
    const text = await body(request);
    const answer = what === "response" ? JSON.parse(text) : { statusCode: 502, body: text };
    running.get(id)?.(answer);
    running.delete(id);
    response.writeHead(202).end();
  });
  const invoke = (event) =>
    new Promise((done) => {
      waiting.push({ event, done });
      next();
    });
  return { server, invoke };
}

function httpApi(invoke) {
  return createServer(async (request, response) => {
    const [path, query = ""] = request.url.split("?");
    const decoded = decodeURIComponent(path);
    const answer = await invoke({
      version: "2.0",
      routeKey: "$default",
      rawPath: decoded,
      rawQueryString: query,
      headers: request.headers,
      requestContext: {
        accountId: "1",
        apiId: "a",
        domainName: "a.execute-api.eu-central-1.amazonaws.com",
        domainPrefix: "a",
        http: { method: request.method, path: decoded, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "t" },
        requestId: "r",
        routeKey: "$default",
        stage: STAGE,
        time: "24/Nov/2026:10:00:00 +0000",
        timeEpoch: 0,
      },
      isBase64Encoded: false,
    });
    const content = Buffer.from(answer.body ?? "", answer.isBase64Encoded ? "base64" : "utf8");
    response.writeHead(answer.statusCode, answer.headers).end(content);
  });
}

// Starts the function with these settings. `base` is the URL of the pages of its first cluster.
export async function start(program, settings, cluster) {
  const { server: runtime, invoke } = runtimeApi();
  const front = httpApi(invoke);
  const api = `127.0.0.1:${await listen(runtime)}`;
  const port = await listen(front);
  const child = spawn(program, {
    env: {
      AWS_LAMBDA_RUNTIME_API: api,
      AWS_LAMBDA_FUNCTION_NAME: "target-allocator",
      AWS_LAMBDA_FUNCTION_VERSION: "1",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512",
      ...settings,
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const stop = () => {
    child.kill();
    for (const server of [front, runtime]) {
      server.close();
      server.closeAllConnections();
    }
  };
  return { base: `http://127.0.0.1:${port}/${STAGE}/${cluster}/`, top: `http://127.0.0.1:${port}/${STAGE}/`, stop };
}
