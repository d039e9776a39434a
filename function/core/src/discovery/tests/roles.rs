//! Cases of each role, one by one.

use std::fmt::Write;

use super::cluster;
use crate::discovery::{Index, LabelFilter, TargetGroup, discover};
use crate::labels::LabelSet;
use crate::scrape_config::discovery::{AttachMetadata, KubernetesSd, Role, Selector};

/// The objects that the cases of a role share.
fn index(manifests: &str) -> Index {
    let objects: Vec<serde_json::Value> = serde_norway::from_str(manifests).unwrap();
    Index::new(&cluster(objects))
}

/// One line a group and a target, names without their prefix.
fn render(groups: &[TargetGroup<'_>]) -> String {
    let labels = |labels: &LabelSet<'_>| {
        let labels = labels.iter().map(|(name, value)| (name.trim_start_matches("__meta_kubernetes_"), value));
        labels.map(|(name, value)| format!(" {name}={value}")).collect::<String>()
    };
    let mut text = String::new();
    for group in groups {
        writeln!(text, "{}:{}", group.source, labels(&group.labels)).unwrap();
        for target in &group.targets {
            writeln!(text, " {}", labels(target)).unwrap();
        }
    }
    text
}

/// Checks the groups that a config finds.
fn check(index: &Index, config: &KubernetesSd, expected: &str) {
    let groups = discover(config, None, index, &LabelFilter::ALL).unwrap();
    assert_eq!(render(&groups), expected, "{config:?}");
}

fn config(role: Role, change: impl FnOnce(&mut KubernetesSd)) -> KubernetesSd {
    let mut config = KubernetesSd::new(role);
    change(&mut config);
    config
}

fn selector(role: Role, label: &str, field: &str) -> Selector {
    Selector { role, label: label.to_owned(), field: field.to_owned() }
}

const ATTACH_ALL: AttachMetadata =
    AttachMetadata { node: true, namespace: true, deployment: true, job: true, cronjob: true };

const SHOP: &str = r"
- {kind: Namespace, metadata: {name: shop, labels: {env: prod}}}
- {kind: Node, metadata: {name: n1, labels: {zone: a}}, status: {addresses: [{type: Hostname, address: n1}]}}
- kind: Service
  metadata: {namespace: shop, name: api, labels: {app: api, 'a.b': one, 'a-b': two}, annotations: {note: ''}}
  spec: {ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv4, IPv6]}
- kind: Pod
  metadata:
    {namespace: shop, name: p1, uid: u1, labels: {app: api}, ownerReferences: [{kind: ReplicaSet, name: rs, controller: true}]}
  spec:
    nodeName: n1
    containers:
    - {name: main, image: i1, ports: [{name: web, containerPort: 80, protocol: TCP}, {containerPort: 81}]}
    - {name: quiet, image: i2}
    initContainers: [{name: side, image: i3, restartPolicy: Always, ports: [{name: m, containerPort: 90}]}]
  status:
    phase: Running
    podIP: '10.0.0.1'
    hostIP: '10.9.9.9'
    conditions: [{type: Ready, status: 'True'}]
    containerStatuses: [{name: main, containerID: 'c://1'}]
    initContainerStatuses: [{name: side, containerID: 'c://2'}]
- {kind: Pod, metadata: {namespace: shop, name: starting}, spec: {containers: [{name: a}]}}
- {kind: ReplicaSet, metadata: {namespace: shop, name: rs, ownerReferences: [{kind: Deployment, name: dep, controller: true}]}}
";

/// The labels of pod `p1` before and after those of a container.
const POD: &str = "pod_controller_kind=ReplicaSet pod_controller_name=rs pod_host_ip=10.9.9.9 pod_ip=10.0.0.1 \
                   pod_label_app=api pod_labelpresent_app=true pod_name=p1 pod_node_name=n1 pod_phase=Running \
                   pod_ready=true pod_uid=u1";
const SERVICE: &str = "service_annotation_note= service_annotationpresent_note=true service_label_a_b=one \
                       service_label_app=api service_labelpresent_a_b=true service_labelpresent_app=true \
                       service_name=api";

#[test]
fn pods_have_one_target_for_each_port() {
    let index = index(SHOP);
    let group = format!("pod/shop/p1: namespace=shop {POD}\n");
    let targets = "  __address__=10.0.0.1:80 pod_container_id=c://1 pod_container_image=i1 pod_container_init=false \
                   pod_container_name=main pod_container_port_name=web pod_container_port_number=80 \
                   pod_container_port_protocol=TCP\n  __address__=10.0.0.1:81 pod_container_id=c://1 \
                   pod_container_image=i1 pod_container_init=false pod_container_name=main pod_container_port_name= \
                   pod_container_port_number=81 pod_container_port_protocol=\n  __address__=10.0.0.1 \
                   pod_container_id= pod_container_image=i2 pod_container_init=false pod_container_name=quiet\n  \
                   __address__=10.0.0.1:90 pod_container_id=c://2 pod_container_image=i3 pod_container_init=true \
                   pod_container_name=side pod_container_port_name=m pod_container_port_number=90 \
                   pod_container_port_protocol=\n";
    check(&index, &KubernetesSd::new(Role::Pod), &format!("{group}{targets}"));

    let attached = POD.replace("rs pod_host_ip", "rs pod_deployment_name=dep pod_host_ip");
    let group = format!(
        "pod/shop/p1: namespace=shop namespace_label_env=prod namespace_labelpresent_env=true node_label_zone=a \
         node_labelpresent_zone=true node_name=n1 {attached}\n"
    );
    let attaching = config(Role::Pod, |config| config.attach_metadata = ATTACH_ALL);
    check(&index, &attaching, &format!("{group}{targets}"));

    // A node that is not seen takes its pods along; without the node's metadata nobody looks.
    let node = selector(Role::Node, "zone=b", "");
    check(
        &index,
        &config(Role::Pod, |config| config.selectors = vec![node.clone()]),
        &format!("{}{targets}", format_args!("pod/shop/p1: namespace=shop {POD}\n")),
    );
    let attaching = config(Role::Pod, |config| {
        config.selectors = vec![node];
        config.attach_metadata.node = true;
    });
    check(&index, &attaching, "");
    let finished = selector(Role::Pod, "", "status.phase=Succeeded");
    check(&index, &config(Role::Pod, |config| config.selectors = vec![finished]), "");
    check(&index, &config(Role::Pod, |config| config.namespaces.names = vec!["other".to_owned()]), "");
}

const SLICES: &str = r"
- kind: EndpointSlice
  metadata: {namespace: shop, name: s4, labels: {'kubernetes.io/service-name': api}}
  addressType: IPv4
  endpoints:
  - addresses: ['10.0.0.1']
    conditions: {ready: true, serving: true, terminating: false}
    hostname: h
    nodeName: n1
    zone: z
    targetRef: {kind: Pod, namespace: shop, name: p1}
    deprecatedTopology: {'t.io/zone': old}
  ports: [{name: web, port: 80, protocol: TCP, appProtocol: http}]
- kind: EndpointSlice
  metadata: {namespace: shop, name: s6, labels: {'kubernetes.io/service-name': api}}
  addressType: IPv6
  endpoints: [{addresses: ['fd00::1'], targetRef: {kind: Pod, namespace: shop, name: p1}}]
  ports: [{port: 80}]
- kind: EndpointSlice
  metadata: {namespace: team, name: orphan}
  addressType: FQDN
  endpoints:
  - {addresses: [db.test], targetRef: {kind: Pod, namespace: shop, name: gone}}
  - {addresses: ['::1'], targetRef: {kind: Node, name: n1}, nodeName: n2}
  ports: [{}, {port: 9}]
- kind: EndpointSlice
  metadata: {namespace: team, name: without-ports}
  addressType: IPv4
  endpoints: [{addresses: ['10.0.0.1'], targetRef: {kind: Pod, namespace: shop, name: p1}}]
- kind: EndpointSlice
  metadata: {namespace: team, name: afar}
  addressType: IPv4
  endpoints: [{addresses: ['10.0.0.1'], targetRef: {kind: Pod, namespace: shop, name: p1}}]
  ports: [{port: 80}, {port: 81}, {port: 90}]
";

#[test]
fn endpoint_slices_have_one_target_for_each_address_and_port() {
    let index = index(&format!("{SHOP}{SLICES}"));
    let in_shop = config(Role::EndpointSlice, |config| config.namespaces.names = vec!["shop".to_owned()]);
    let slice = "endpointslice_label_kubernetes_io_service_name=api \
                 endpointslice_labelpresent_kubernetes_io_service_name=true";
    let main = "pod_container_image=i1 pod_container_init=false pod_container_name=main";
    check(
        &index,
        &in_shop,
        &format!(
            "endpointslice/shop/s4: endpointslice_address_type=IPv4 {slice} endpointslice_name=s4 namespace=shop \
             {SERVICE}\n  __address__=10.0.0.1:80 endpointslice_address_target_kind=Pod \
             endpointslice_address_target_name=p1 endpointslice_endpoint_conditions_ready=true \
             endpointslice_endpoint_conditions_serving=true endpointslice_endpoint_conditions_terminating=false \
             endpointslice_endpoint_hostname=h endpointslice_endpoint_node_name=n1 \
             endpointslice_endpoint_topology_present_t_io_zone=true endpointslice_endpoint_topology_t_io_zone=old \
             endpointslice_endpoint_zone=z endpointslice_port=80 endpointslice_port_app_protocol=http \
             endpointslice_port_name=web endpointslice_port_protocol=TCP {main} pod_container_port_name=web \
             pod_container_port_number=80 pod_container_port_protocol=TCP {POD}\n  __address__=10.0.0.1:81 {main} \
             pod_container_port_name= pod_container_port_number=81 pod_container_port_protocol= {POD}\n  \
             __address__=10.0.0.1:90 pod_container_image=i3 pod_container_init=true pod_container_name=side \
             pod_container_port_name=m pod_container_port_number=90 pod_container_port_protocol= {POD}\n\
             endpointslice/shop/s6: endpointslice_address_type=IPv6 {slice} endpointslice_name=s6 namespace=shop \
             {SERVICE}\n"
        ),
    );

    // Within its namespace a slice does not see the pod of another one.
    let in_team = config(Role::EndpointSlice, |config| {
        config.namespaces.names = vec!["team".to_owned()];
        config.attach_metadata.node = true;
    });
    let (pod, node) = ("endpointslice_address_target_kind=Pod", "endpointslice_address_target_kind=Node");
    check(
        &index,
        &in_team,
        &format!(
            "endpointslice/team/afar: endpointslice_address_type=IPv4 endpointslice_name=afar namespace=team\n  \
             __address__=10.0.0.1:80 {pod} endpointslice_address_target_name=p1 endpointslice_port=80\n  \
             __address__=10.0.0.1:81 {pod} endpointslice_address_target_name=p1 endpointslice_port=81\n  \
             __address__=10.0.0.1:90 {pod} endpointslice_address_target_name=p1 endpointslice_port=90\n\
             endpointslice/team/orphan: endpointslice_address_type=FQDN endpointslice_name=orphan namespace=team\n  \
             __address__=db.test {pod} endpointslice_address_target_name=gone\n  __address__=db.test:9 {pod} \
             endpointslice_address_target_name=gone endpointslice_port=9\n  __address__=::1 {node} \
             endpointslice_address_target_name=n1 endpointslice_endpoint_node_name=n2 node_label_zone=a \
             node_labelpresent_zone=true node_name=n1\n  __address__=[::1]:9 {node} \
             endpointslice_address_target_name=n1 endpointslice_endpoint_node_name=n2 endpointslice_port=9 \
             node_label_zone=a node_labelpresent_zone=true node_name=n1\n\
             endpointslice/team/without-ports: endpointslice_address_type=IPv4 endpointslice_name=without-ports \
             namespace=team\n"
        ),
    );

    // A pod that the selector passes over lends nothing, nor does such a service.
    let narrow = config(Role::EndpointSlice, |config| {
        config.selectors = vec![
            selector(Role::Pod, "app!=api", ""),
            selector(Role::Service, "app!=api", ""),
            selector(Role::EndpointSlice, "kubernetes.io/service-name", "metadata.name=s6"),
        ];
    });
    check(
        &index,
        &narrow,
        &format!(
            "endpointslice/shop/s6: endpointslice_address_type=IPv6 {slice} endpointslice_name=s6 namespace=shop\n  \
             __address__=[fd00::1]:80 {pod} endpointslice_address_target_name=p1 endpointslice_port=80\n"
        ),
    );
}

#[test]
fn endpoints_mark_addresses_that_are_not_ready() {
    let index = index(&format!(
        "{SHOP}{}",
        r"
- kind: Endpoints
  metadata: {namespace: shop, name: api, labels: {app: api}}
  subsets:
  - addresses: [{ip: '10.0.0.1', nodeName: n1, hostname: h, targetRef: {kind: Pod, namespace: shop, name: p1}}]
    notReadyAddresses: [{ip: '::1', targetRef: {kind: Node, name: n1}}]
    ports: [{name: web, port: 80, protocol: SCTP}]
  - ports: [{port: 1}]
"
    ));
    let main = "pod_container_image=i1 pod_container_init=false pod_container_name=main";
    let attaching = config(Role::Endpoints, |config| config.attach_metadata.node = true);
    let node = "node_label_zone=a node_labelpresent_zone=true node_name=n1";
    check(
        &index,
        &attaching,
        &format!(
            "endpoints/shop/api: endpoints_label_app=api endpoints_labelpresent_app=true endpoints_name=api \
             namespace=shop {SERVICE}\n  __address__=10.0.0.1:80 endpoint_address_target_kind=Pod \
             endpoint_address_target_name=p1 endpoint_hostname=h endpoint_node_name=n1 endpoint_port_name=web \
             endpoint_port_protocol=SCTP endpoint_ready=true {node} {main} pod_container_port_name=web \
             pod_container_port_number=80 pod_container_port_protocol=SCTP {POD}\n  __address__=[::1]:80 \
             endpoint_address_target_kind=Node endpoint_address_target_name=n1 endpoint_port_name=web \
             endpoint_port_protocol=SCTP endpoint_ready=false {node}\n  __address__=10.0.0.1:81 {main} \
             pod_container_port_name= pod_container_port_number=81 pod_container_port_protocol= {POD}\n  \
             __address__=10.0.0.1:90 pod_container_image=i3 pod_container_init=true pod_container_name=side \
             pod_container_port_name=m pod_container_port_number=90 pod_container_port_protocol= {POD}\n"
        ),
    );
}

#[test]
fn services_have_one_target_for_each_port() {
    let index = index(
        r"
- {kind: Service, metadata: {namespace: a, name: headless}, spec: {type: ClusterIP, clusterIP: None, ports: [{name: w, port: 80, protocol: TCP}]}}
- {kind: Service, metadata: {namespace: a, name: outside}, spec: {type: ExternalName, externalName: x.test, ports: [{port: 1}]}}
- {kind: Service, metadata: {namespace: b, name: lb}, spec: {type: LoadBalancer, clusterIP: '10.1.1.1', loadBalancerIP: '192.0.2.1', ports: [{port: 2}]}}
- {kind: Service, metadata: {namespace: b, name: portless}}
",
    );
    let cases = [
        (
            "spec.type=ClusterIP",
            "svc/a/headless: namespace=a service_name=headless\n  __address__=headless.a.svc:80 \
             service_cluster_ip=None service_port_name=w service_port_number=80 service_port_protocol=TCP \
             service_type=ClusterIP\n",
        ),
        (
            "spec.type=ExternalName",
            "svc/a/outside: namespace=a service_name=outside\n  __address__=outside.a.svc:1 \
             service_external_name=x.test service_port_name= service_port_number=1 service_port_protocol= \
             service_type=ExternalName\n",
        ),
        (
            "metadata.namespace=b",
            "svc/b/lb: namespace=b service_name=lb\n  __address__=lb.b.svc:2 service_cluster_ip=10.1.1.1 \
             service_loadbalancer_ip=192.0.2.1 service_port_name= service_port_number=2 service_port_protocol= \
             service_type=LoadBalancer\nsvc/b/portless: namespace=b service_name=portless\n",
        ),
    ];
    for (field, expected) in cases {
        let selectors = vec![selector(Role::Service, "", field)];
        check(&index, &config(Role::Service, |config| config.selectors = selectors), expected);
    }
}

#[test]
fn nodes_have_one_target_at_their_preferred_address() {
    let index = index(
        r"
- kind: Node
  metadata: {name: a, labels: {zone: z}}
  spec: {providerID: 'aws:///i-1', unschedulable: true}
  status:
    addresses:
    - {type: Hostname, address: a.test}
    - {type: InternalIP, address: 'fd00::1'}
    - {type: InternalIP, address: '10.0.0.1'}
    conditions: [{type: DiskPressure, status: 'False'}, {type: Ready, status: 'True'}, {type: Ready, status: Unknown}]
    daemonEndpoints: {kubeletEndpoint: {Port: 10250}}
- {kind: Node, metadata: {name: b}, status: {addresses: [{type: Other, address: b}]}}
- {kind: Node, metadata: {name: c}, status: {addresses: [{type: Hostname, address: c.test}, {type: ExternalDNS, address: x.test}]}}
",
    );
    let a = "node/a: node_condition_diskpressure=false node_condition_ready=unknown node_label_zone=z \
             node_labelpresent_zone=true node_name=a node_provider_id=aws:///i-1\n  __address__=[fd00::1]:10250 \
             node_address_Hostname=a.test node_address_InternalIP=fd00::1 instance=a\n";
    let c = "node/c: node_name=c node_provider_id=\n  __address__=x.test:0 node_address_ExternalDNS=x.test \
             node_address_Hostname=c.test instance=c\n";
    check(&index, &KubernetesSd::new(Role::Node), &format!("{a}{c}"));
    let unschedulable = vec![selector(Role::Node, "", "spec.unschedulable=true")];
    check(&index, &config(Role::Node, |config| config.selectors = unschedulable), a);
    check(&index, &config(Role::Node, |config| config.namespaces.names = vec!["x".to_owned()]), &format!("{a}{c}"));
}

#[test]
fn ingresses_have_one_target_for_each_path() {
    let index = index(
        r"
- kind: Ingress
  metadata: {namespace: a, name: i}
  spec:
    ingressClassName: nginx
    tls: [{hosts: ['*.s.test', exact.test]}]
    rules:
    - {host: a.s.test, http: {paths: [{path: /x}, {path: ''}]}}
    - {host: a.b.s.test}
    - {host: exact.test, http: {paths: null}}
    - {http: null}
",
    );
    check(
        &index,
        &KubernetesSd::new(Role::Ingress),
        "ingress/a/i: ingress_class_name=nginx ingress_name=i namespace=a\n  __address__=a.s.test \
         ingress_host=a.s.test ingress_path=/x ingress_scheme=https\n  __address__=a.s.test ingress_host=a.s.test \
         ingress_path=/ ingress_scheme=https\n  __address__=a.b.s.test ingress_host=a.b.s.test ingress_path=/ \
         ingress_scheme=http\n  __address__= ingress_host= ingress_path=/ ingress_scheme=http\n",
    );
}
