//! Generates test clusters of any size, as the JSON that an API server sends.
//!
//! Input: the numbers of pods and monitors. Output: the text of each object, one at a time. Equal numbers give equal
//! texts. Pods have the size (4.4 kB) and the fields of pods of a deployment behind a service with a ServiceMonitor.

pub mod allocation;
mod pod;

use std::fmt::Write;

use serde::de::DeserializeOwned;
use serde_json::json;
use target_allocator_core::objects::{Cluster, Collection, Object, Pod};

/// The size of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// The number of scraped pods. Each gives one target.
    pub pods: usize,
    /// The number of services. Each has one ServiceMonitor.
    pub monitors: usize,
    /// The number of pods of the StatefulSet `otel-collector` in the namespace `monitoring`.
    pub collectors: usize,
    /// The number of replaced pods. Pods with a smaller number have another name and address than at the start.
    pub replaced: usize,
}

/// Number of pods on one node.
const PODS_PER_NODE: usize = 30;
/// Maximum number of endpoints in one slice: the default of the Kubernetes control plane.
const ENDPOINTS_PER_SLICE: usize = 100;
/// Number of zones of the nodes.
const ZONES: usize = 3;
/// Number of services in one namespace.
const SERVICES_PER_NAMESPACE: usize = 10;

impl World {
    /// A cluster of `pods` pods behind `monitors` services, with 20 collectors and no replaced pod.
    #[must_use]
    pub const fn new(pods: usize, monitors: usize) -> Self {
        Self { pods, monitors, collectors: 20, replaced: 0 }
    }

    /// The namespaces.
    pub fn namespaces(&self) -> impl Iterator<Item = String> {
        let teams = (0..self.monitors.div_ceil(SERVICES_PER_NAMESPACE)).map(|number| format!("team-{number}"));
        teams.chain(["monitoring".to_owned()]).map(|name| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": name, "uid": uid(6, 0), "labels": {"kubernetes.io/metadata.name": name, "tier": "prod"},
            }})
            .to_string()
        })
    }

    /// The nodes, in three zones.
    pub fn nodes(&self) -> impl Iterator<Item = String> {
        (0..(self.pods / PODS_PER_NODE).max(self.collectors).max(1)).map(|number| {
            json!({"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": node(number), "uid": uid(5, number), "labels": {
                    "kubernetes.io/hostname": node(number), "node.kubernetes.io/instance-type": "m7g.4xlarge",
                    "topology.kubernetes.io/region": "eu-west-1", "topology.kubernetes.io/zone": zone(number),
                }},
                "spec": {"providerID": format!("aws:///{}/i-{number:017x}", zone(number))},
                "status": {"addresses": [{"type": "InternalIP", "address": format!("10.255.{}.{}", number >> 8, number & 255)}],
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}},
            })
            .to_string()
        })
    }

    /// The services.
    pub fn services(&self) -> impl Iterator<Item = String> {
        (0..self.monitors).map(|number| {
            json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"namespace": namespace(number), "name": service(number), "uid": uid(2, number), "labels": {
                    "app.kubernetes.io/name": service(number), "app.kubernetes.io/part-of": "shop",
                    "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "service-1.4.2",
                }},
                "spec": {"type": "ClusterIP", "clusterIP": "None",
                    "selector": {"app.kubernetes.io/name": service(number)},
                    "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                    "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080},
                        {"name": "metrics", "port": 9090, "protocol": "TCP", "targetPort": 9090}]},
            })
            .to_string()
        })
    }

    /// The endpoint slices of the services.
    pub fn endpoint_slices(&self) -> impl Iterator<Item = String> {
        (0..self.monitors).flat_map(move |number| {
            let pods: Vec<_> = (number..self.pods).step_by(self.monitors).collect();
            let slices: Vec<_> = pods
                .chunks(ENDPOINTS_PER_SLICE)
                .enumerate()
                .map(|(part, pods)| self.slice(number, part, pods))
                .collect();
            slices
        })
    }

    /// A pod and its endpoint slice: the objects that a watch sends when the pod is replaced.
    #[must_use]
    pub fn pod_and_slice(&self, pod: usize) -> [String; 2] {
        let part = pod / self.monitors / ENDPOINTS_PER_SLICE;
        let pods: Vec<_> = (pod % self.monitors..self.pods)
            .step_by(self.monitors)
            .skip(part * ENDPOINTS_PER_SLICE)
            .take(ENDPOINTS_PER_SLICE)
            .collect();
        [self.pod(pod), self.slice(pod % self.monitors, part, &pods)]
    }

    fn slice(&self, number: usize, part: usize, pods: &[usize]) -> String {
        let endpoints: Vec<_> = pods
            .iter()
            .map(|pod| {
                json!({"addresses": [self.address(*pod)], "nodeName": node(pod / PODS_PER_NODE),
                    "zone": zone(pod / PODS_PER_NODE),
                    "conditions": {"ready": true, "serving": true, "terminating": false},
                    "targetRef": {"kind": "Pod", "namespace": namespace(number), "name": self.pod_name(*pod),
                        "uid": uid(1, *pod)}})
            })
            .collect();
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"namespace": namespace(number), "name": format!("{}-{part:05}", service(number)),
                "uid": uid(3, number * 100 + part), "labels": {
                    "app.kubernetes.io/name": service(number), "app.kubernetes.io/part-of": "shop",
                    "kubernetes.io/service-name": service(number),
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                }},
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"},
                {"name": "metrics", "port": 9090, "protocol": "TCP"}],
        })
        .to_string()
    }

    /// The pods behind the services, and the pods of the collectors.
    pub fn pods(&self) -> impl Iterator<Item = String> {
        (0..self.pods).map(|number| self.pod(number)).chain((0..self.collectors).map(pod::collector))
    }

    /// The monitors.
    pub fn service_monitors(&self) -> impl Iterator<Item = String> {
        (0..self.monitors).map(|number| {
            json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
                "metadata": {"namespace": namespace(number), "name": service(number), "uid": uid(4, number)},
                "spec": {"selector": {"matchLabels": {"app.kubernetes.io/name": service(number)}},
                    "jobLabel": "app.kubernetes.io/name",
                    "endpoints": [{"port": "metrics", "interval": if number % 3 == 0 { "15s" } else { "30s" },
                        "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}]}]},
            })
            .to_string()
        })
    }

    /// The decoded objects that targets are computed from. Does not contain nodes.
    ///
    /// # Errors
    /// If a text cannot be decoded.
    pub fn cluster(&self) -> serde_json::Result<Cluster> {
        Ok(Cluster {
            namespaces: read(self.namespaces())?,
            services: read(self.services())?,
            endpoint_slices: read(self.endpoint_slices())?,
            pods: read(self.pods())?,
            service_monitors: read(self.service_monitors())?,
            ..Cluster::default()
        })
    }

    /// Replaces pods in `cluster` until the first `replaced` pods are replacements. A smaller number than before
    /// restores original pods. Unchanged objects stay shared in memory.
    ///
    /// # Errors
    /// If a text cannot be decoded.
    pub fn replace_pods(&self, replaced: usize, cluster: &mut Cluster) -> serde_json::Result<()> {
        let after = Self { replaced, ..*self };
        for number in self.replaced.min(replaced)..self.replaced.max(replaced) {
            cluster.pods.remove(&namespace(number % self.monitors), &self.pod_name(number));
            let [pod, slice] = after.pod_and_slice(number);
            cluster.pods.insert(serde_json::from_str::<Pod>(&pod)?);
            cluster.endpoint_slices.update(serde_json::from_str(&slice)?);
        }
        Ok(())
    }

    /// All objects as one `List`, in an order in which `kubectl` can create them.
    #[must_use]
    pub fn list(&self) -> String {
        let mut text = String::from("{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[");
        let objects = self
            .namespaces()
            .chain(self.nodes())
            .chain(self.services())
            .chain(self.pods())
            .chain(self.endpoint_slices())
            .chain(self.service_monitors());
        for (position, object) in objects.enumerate() {
            let separator = if position == 0 { "" } else { ",\n" };
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{separator}{object}");
        }
        text.push_str("]}");
        text
    }
}

fn read<T: Object + DeserializeOwned>(texts: impl Iterator<Item = String>) -> serde_json::Result<Collection<T>> {
    texts.map(|text| serde_json::from_str::<T>(&text)).collect()
}

fn namespace(service: usize) -> String {
    format!("team-{}", service / SERVICES_PER_NAMESPACE)
}

fn service(number: usize) -> String {
    format!("service-{number}")
}

fn node(number: usize) -> String {
    format!("ip-10-255-{}-{}.eu-west-1.compute.internal", number >> 8, number & 255)
}

fn zone(node: usize) -> String {
    format!("eu-west-1{}", ["a", "b", "c"][node % ZONES])
}

fn uid(kind: usize, number: usize) -> String {
    format!("{kind:08x}-5b5e-4c3d-9f10-{number:012x}")
}
