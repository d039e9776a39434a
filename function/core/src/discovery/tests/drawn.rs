//! Objects drawn from bytes, with every field that becomes a label.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Choices drawn from bytes: equal bytes make equal objects.
struct Choices<'b>(std::slice::Iter<'b, u8>);

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % limit
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn many(&mut self, mut make: impl FnMut(&mut Self) -> Value) -> Value {
        (0..self.below(4)).map(|_| make(self)).collect()
    }

    fn map(&mut self) -> Value {
        let keys = ["a.b", "a-b", "a_b", "ü", "", "kubernetes.io/service-name", "present_x", "x"];
        (0..self.below(5)).map(|_| (self.one(&keys).to_owned(), json!(self.one(&["", "a", "b", "💥"])))).collect()
    }

    fn metadata(&mut self) -> Value {
        let owner = |choices: &mut Self| {
            let kind = choices.one(&["ReplicaSet", "Job", "Deployment", "CronJob", ""]);
            json!({"kind": kind, "name": choices.one(&["a", "b", ""]), "controller": choices.below(2) == 0})
        };
        json!({
            "namespace": self.one(&["a", "b", ""]), "name": self.one(&["a", "b", "c", ""]), "uid": self.one(&["", "u"]),
            "labels": self.map(), "annotations": self.map(), "ownerReferences": self.many(owner),
        })
    }

    fn port(&mut self) -> i32 {
        [0, 80, 443, -1, i32::MAX, i32::MIN][self.below(6)]
    }

    fn address(&mut self) -> &'static str {
        self.one(&["", "10.0.0.1", "::1", "name.test", "a:b:c"])
    }

    fn reference(&mut self) -> Value {
        let kind = self.one(&["Pod", "Pod", "Node", "", "Other"]);
        json!({"kind": kind, "namespace": self.one(&["a", "b", ""]), "name": self.one(&["a", "b", "c", ""])})
    }

    fn container(&mut self) -> Value {
        json!({
            "name": self.one(&["a", "b"]), "image": self.one(&["", "i"]),
            "ports": self.many(|choices| json!({
                "containerPort": choices.port(), "name": choices.one(&["", "web"]), "protocol": choices.one(&["", "TCP"]),
            })),
        })
    }

    /// One of the values, or nothing.
    fn some(&mut self, of: &[&str]) -> Value {
        if self.below(2) == 0 { Value::Null } else { json!(self.one(of)) }
    }

    /// Whether a condition holds, or that it is not known.
    fn truth(&mut self) -> Value {
        [Value::Null, json!(true), json!(false)][self.below(3)].clone()
    }

    fn pod_status(&mut self) -> Value {
        let ready = self.many(|c| json!({"type": "Ready", "status": c.one(&["True", "False", "Unknown"])}));
        let container = |c: &mut Self| json!({"name": c.one(&["a", "b"]), "containerID": c.one(&["", "c://1"])});
        json!({
            "phase": self.one(&["", "Running"]), "podIP": self.address(), "hostIP": self.address(), "conditions": ready,
            "containerStatuses": self.many(container), "initContainerStatuses": self.many(container),
        })
    }

    fn slice_endpoint(&mut self) -> Value {
        let conditions = json!({"ready": self.truth(), "serving": self.truth(), "terminating": self.truth()});
        json!({
            "addresses": self.many(|choices| json!(choices.address())), "targetRef": self.reference(),
            "conditions": conditions, "hostname": self.some(&["", "h"]), "zone": self.some(&["", "z1", "z2"]),
            "nodeName": self.some(&["a", "b"]), "deprecatedTopology": self.map(),
        })
    }

    fn slice_port(&mut self) -> Value {
        let number = if self.below(3) == 0 { Value::Null } else { json!(self.port()) };
        json!({
            "port": number, "name": self.some(&["", "web"]), "protocol": self.some(&["TCP"]),
            "appProtocol": self.some(&["http"]),
        })
    }

    fn endpoints_address(&mut self) -> Value {
        json!({
            "ip": self.address(), "targetRef": self.reference(), "hostname": self.one(&["", "h"]),
            "nodeName": self.some(&["a", "b"]),
        })
    }

    fn object(&mut self) -> Value {
        let metadata = self.metadata();
        match self.below(10) {
            0 => json!({"kind": "Namespace", "metadata": metadata}),
            1 => {
                let mut metadata = metadata;
                metadata["namespace"] = json!("");
                let kinds = ["InternalIP", "Hostname", "İ", "a.b", "a-b"];
                let address = |c: &mut Self| json!({"type": c.one(&kinds), "address": c.address()});
                let condition = |c: &mut Self| json!({"type": c.one(&kinds), "status": c.one(&["True", "Σ"])});
                let status = json!({"addresses": self.many(address), "conditions": self.many(condition)});
                let spec = json!({"providerID": self.one(&["", "aws:///i-1"])});
                json!({"kind": "Node", "metadata": metadata, "spec": spec, "status": status})
            }
            2 => {
                let spec = json!({
                    "nodeName": self.one(&["", "a", "b"]),
                    "containers": self.many(Self::container), "initContainers": self.many(Self::container),
                });
                json!({"kind": "Pod", "metadata": metadata, "spec": spec, "status": self.pod_status()})
            }
            3 => {
                let spec = json!({
                    "type": self.one(&["", "ExternalName", "LoadBalancer"]),
                    "ipFamilyPolicy": self.one(&["PreferDualStack", "SingleStack"]),
                    "ipFamilies": self.many(|choices| json!(choices.one(&["IPv4", "IPv6"]))),
                    "clusterIP": self.one(&["", "10.1.1.1"]), "externalName": self.one(&["", "x.test"]),
                    "loadBalancerIP": self.one(&["", "192.0.2.1"]),
                    "ports": self.many(|c| json!({"port": c.port(), "name": c.one(&["", "web"]), "protocol": "TCP"})),
                });
                json!({"kind": "Service", "metadata": metadata, "spec": spec})
            }
            4 => {
                let port = |c: &mut Self| json!({"port": c.port(), "name": c.one(&["", "web"]), "protocol": "TCP"});
                let subset = |c: &mut Self| {
                    json!({
                        "addresses": c.many(Self::endpoints_address), "ports": c.many(port),
                        "notReadyAddresses": c.many(Self::endpoints_address),
                    })
                };
                json!({"kind": "Endpoints", "metadata": metadata, "subsets": self.many(subset)})
            }
            5 | 6 => {
                let (endpoints, ports) = (self.many(Self::slice_endpoint), self.many(Self::slice_port));
                let kind = self.one(&["IPv4", "IPv6", "FQDN", ""]);
                json!({
                    "kind": "EndpointSlice", "metadata": metadata, "addressType": kind,
                    "endpoints": endpoints, "ports": ports,
                })
            }
            7 => {
                let host = |c: &mut Self| json!(c.one(&["", "*", "*.a.b", "x.a.b", "*a"]));
                let rule = |c: &mut Self| {
                    let paths = c.many(|choices| json!({"path": choices.one(&["", "/x"])}));
                    let http = if c.below(2) == 0 { Value::Null } else { json!({"paths": paths}) };
                    json!({"host": host(c), "http": http})
                };
                let class = self.some(&["nginx"]);
                let spec =
                    json!({"ingressClassName": class, "rules": self.many(rule), "tls": [{"hosts": self.many(host)}]});
                json!({"kind": "Ingress", "metadata": metadata, "spec": spec})
            }
            _ => {
                let mut metadata = metadata;
                let owner = json!({"kind": self.one(&["Deployment", "CronJob"]), "name": "a", "controller": true});
                metadata["ownerReferences"] = json!([owner]);
                json!({"kind": self.one(&["ReplicaSet", "Job"]), "metadata": metadata})
            }
        }
    }
}

/// As many choices as some tens of objects need.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..2500)
}

pub(crate) fn objects(bytes: &[u8]) -> Vec<Value> {
    let mut choices = Choices(bytes.iter());
    (0..30).map(|_| choices.object()).collect()
}
