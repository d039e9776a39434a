// A cluster with many targets, and one with texts that try to be more than text.

export const HOSTILE = `"><img src=x onerror=alert(1)><script>alert(2)</script>'`;

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

// `count` targets of one job, and one of another.
export function many(count) {
  const addresses = Array.from({ length: count }, (_, at) => `10.1.${at >> 8}.${at & 255}`);
  const hostile = [
    { action: "replace", targetLabel: "note", replacement: HOSTILE },
    { action: "replace", sourceLabels: ["__meta_kubernetes_service_annotation_note"], targetLabel: "copied" },
  ];
  return {
    apiVersion: "v1",
    kind: "List",
    items: [
      ...service("many", "many", { app: "many" }, addresses),
      monitor("many", "many", "many"),
      ...service("odd", "odd", { app: "odd" }, ["10.9.9.9"], { note: HOSTILE }),
      monitor("odd", "odd", "odd", hostile),
      ...service("odd", "website", { app: "website" }, []),
      monitor("odd", "web", "web"),
      { apiVersion: "v1", kind: "Pod", metadata: { namespace: "odd", name: "x", labels: { app: HOSTILE } }, status: { phase: HOSTILE } },
      { ...monitor("odd", HOSTILE, "odd"), metadata: { namespace: "odd", name: HOSTILE } },
    ],
  };
}
