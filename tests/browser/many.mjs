// A cluster with many targets, and a cluster with hostile texts.

export const HOSTILE = {
  markup: `"><img src=x onerror=alert(1)><script>alert(2)</script>'`,
  "the end of what it stands in": `</title></style></pre></textarea></script><svg onload=alert(3)>-->`,
  "an attribute": `x" onfocus="alert(4)" autofocus="`,
  "a link": `javascript:alert(5)//`,
  "another direction": `\u202e\u2067exe.gnp`,
  "no width": `a\u200b\u2060\ufeff\u00adb`,
  "a heap of accents": `a${"\u0301".repeat(200)}`,
  "very long": "x".repeat(3_000),
  entities: `&lt;b&gt;&#x3c;script&#x3e;alert(6)`,
};

const service = (namespace, name, labels, addresses, annotations = {}) => [
  { apiVersion: "v1", kind: "Service", metadata: { namespace, name, labels, annotations }, spec: { ports: [{ name: "http", port: 80 }] } },
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  },
];

const monitor = (namespace, name, app, relabelings = []) => ({
  apiVersion: "monitoring.coreos.com/v1",
  kind: "ServiceMonitor",
  metadata: { namespace, name },
  spec: { selector: { matchLabels: { app } }, endpoints: [{ port: "http", relabelings }] },
});

// `count` targets of one job, and one target of another job.
export function many(count) {
  const addresses = Array.from({ length: count }, (_, at) => `10.1.${at >> 8}.${at & 255}`);
  const hostile = Object.values(HOSTILE).flatMap((text, at) => {
    const relabelings = [
      { action: "replace", targetLabel: "note", replacement: text },
      { action: "replace", sourceLabels: ["__meta_kubernetes_service_annotation_note"], targetLabel: "copied" },
    ];
    return [
      ...service("odd", `odd-${at}`, { app: `odd-${at}` }, [`10.9.9.${at}`, text], { note: text }),
      monitor("odd", `odd-${at}`, `odd-${at}`, relabelings),
      { apiVersion: "v1", kind: "Pod", metadata: { namespace: "odd", name: text, labels: { app: text } }, status: { phase: text } },
      monitor("odd", text, `odd-${at}`),
      monitor("odd", `no port ${text}`, `odd-${at}`, [{ action: "keep", sourceLabels: [text], regex: text }]),
      { ...monitor("odd", `left out ${text}`, text), spec: { selector: { matchLabels: { app: "left-out" } }, endpoints: [{ port: text, bearerTokenSecret: { name: text, key: text } }] } },
    ];
  });
  return {
    apiVersion: "v1",
    kind: "List",
    items: [
      ...service("many", "many", { app: "many" }, addresses),
      monitor("many", "many", "many"),
      ...service("near", "website", { app: "website" }, []),
      monitor("near", "web", "web"),
      ...hostile,
    ],
  };
}
