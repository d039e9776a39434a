//! Generates pods as large as real ones. The allocator reads few of their fields, but the API server sends all of them.

use serde_json::{Value, json};

use super::{PODS_PER_NODE, World, namespace, node, service, uid, zone};

impl World {
    /// The address of a pod. A replacement has another address.
    pub(super) fn address(&self, number: usize) -> String {
        let block = if number < self.replaced { 128 } else { 0 };
        format!("10.{}.{}.{}", block + (number >> 16), (number >> 8) & 255, number & 255)
    }

    /// The name of a pod. A replacement has another name.
    pub(super) fn pod_name(&self, number: usize) -> String {
        let suffix = if number < self.replaced { 'n' } else { 'q' };
        format!("{}-7c9d8b6f5-{suffix}{number:06}", service(number % self.monitors))
    }

    pub(super) fn pod(&self, number: usize) -> String {
        let app = number % self.monitors;
        let ready_since = "2026-11-20T08:00:00Z";
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "namespace": namespace(app), "name": self.pod_name(number), "uid": uid(1, number),
                "generateName": format!("{}-7c9d8b6f5-", service(app)), "creationTimestamp": ready_since,
                "labels": {
                    "app.kubernetes.io/name": service(app), "app.kubernetes.io/part-of": "shop",
                    "app.kubernetes.io/version": "1.4.2", "pod-template-hash": "7c9d8b6f5",
                    "topology.kubernetes.io/zone": zone(number / PODS_PER_NODE), "team": namespace(app),
                },
                "annotations": {
                    "checksum/config": "6f1ed002ab5595859014ebf0951522d9a1c8f6f1f2f9d5f2b2b6f6f4c9a9c6d1",
                    "kubectl.kubernetes.io/restartedAt": ready_since, "prometheus.io/scrape": "true",
                },
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                    "blockOwnerDeletion": true, "name": format!("{}-7c9d8b6f5", service(app)), "uid": uid(7, app)}],
                "managedFields": managed_fields(),
            },
            "spec": {
                "nodeName": node(number / PODS_PER_NODE), "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "serviceAccountName": service(app), "dnsPolicy": "ClusterFirst", "enableServiceLinks": true,
                "terminationGracePeriodSeconds": 30, "priority": 0, "securityContext": {"runAsNonRoot": true},
                "tolerations": [
                    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                ],
                "volumes": [{"name": "config", "configMap": {"name": "config", "defaultMode": 420}},
                    {"name": "token", "projected": {"defaultMode": 420, "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}],
                "containers": [container("app", "http", 8080), container("exporter", "metrics", 9090)],
            },
            "status": {
                "phase": "Running", "podIP": self.address(number), "podIPs": [{"ip": self.address(number)}],
                "hostIP": format!("10.255.{}.{}", (number / PODS_PER_NODE) >> 8, (number / PODS_PER_NODE) & 255),
                "startTime": ready_since, "qosClass": "Burstable",
                "conditions": (["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
                    .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": ready_since, "lastProbeTime": null}))),
                "containerStatuses": (["app", "exporter"].map(|name| json!({
                    "name": name, "ready": true, "started": true, "restartCount": 0,
                    "image": format!("registry.example.com/shop/{name}:1.4.2"),
                    "imageID": format!("registry.example.com/shop/{name}@sha256:{}", "0f".repeat(32)),
                    "containerID": format!("containerd://{:064x}", number),
                    "state": {"running": {"startedAt": ready_since}}, "lastState": {},
                }))),
            },
        })
        .to_string()
    }
}

/// The pod of a collector.
pub(super) fn collector(number: usize) -> String {
    let name = format!("otel-collector-{number}");
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "monitoring", "name": name, "uid": uid(8, number), "labels": {"app": "otel-collector"}},
        "spec": {"nodeName": node(number), "containers": [{"name": "otc", "image": "registry.example.com/otelcol:0.165.0"}]},
        "status": {"phase": "Running", "podIP": format!("10.254.0.{number}"), "startTime": "2026-11-20T08:00:00Z",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T08:00:00Z"}]},
    })
    .to_string()
}

fn container(name: &str, port: &str, number: u16) -> Value {
    let probe = json!({"httpGet": {"path": "/healthz", "port": port, "scheme": "HTTP"},
        "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3});
    json!({"name": name, "image": format!("registry.example.com/shop/{name}:1.4.2"), "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": port, "containerPort": number, "protocol": "TCP"}],
        "env": [{"name": "LOG_LEVEL", "value": "info"},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}],
        "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
        "livenessProbe": probe, "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app", "readOnly": true},
            {"name": "token", "mountPath": "/var/run/secrets/tokens", "readOnly": true}]})
}

fn managed_fields() -> Value {
    json!([{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
        "time": "2026-11-20T08:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:generateName": {}, "f:labels": {".": {}, "f:app.kubernetes.io/name": {},
            "f:pod-template-hash": {}}, "f:ownerReferences": {".": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}, "f:name": {}, "f:ports": {}}}}}}])
}
