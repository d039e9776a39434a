//! What the table says of single labels.

use super::*;

const ROLES: [Role; 6] = Role::ALL;

#[test]
fn rows_are_in_the_order_of_their_names() {
    assert!(ROWS.is_sorted_by_key(|row| row.name));
    assert!(ROWS.iter().all(|row| row.name.starts_with(PREFIX)));
    assert_eq!(MetaLabel::ServiceType.name(), "__meta_kubernetes_service_type");
    assert_eq!(MetaLabel::ServiceType as usize + 1, ROWS.len());
}

#[test]
fn rows_decide_which_labels_differ_between_targets() {
    for row in ROWS {
        assert_eq!(differs_between_targets(row.name), row.spread == Spread::Own, "{}", row.name);
    }
    let others = [
        (ADDRESS, true),
        ("__meta_kubernetes_node_label_zone", true),
        ("__meta_kubernetes_node_condition_ready", true),
        ("__meta_kubernetes_pod_label_statefulset_kubernetes_io_pod_name", true),
        ("__meta_kubernetes_pod_label_app", false),
        ("team", false),
    ];
    for (name, expected) in others {
        assert_eq!(differs_between_targets(name), expected, "{name}");
    }
}

#[test]
fn the_level_of_a_label_depends_on_the_role() {
    use Level::{Group, Part, Target};
    let cases = [
        ("__meta_kubernetes_namespace_label_env", [Some(Group); 6]),
        ("__meta_kubernetes_pod_name", [None, Some(Group), None, None, None, None]),
        ("__meta_kubernetes_pod_container_name", [None; 6]),
        ("__meta_kubernetes_pod_label_app", [None, Some(Group), None, None, None, None]),
        ("__meta_kubernetes_service_annotationpresent_a", [None, None, Some(Group), Some(Group), Some(Group), None]),
        ("__meta_kubernetes_service_port_name", [None, None, None, Some(Group), Some(Group), None]),
        ("__meta_kubernetes_node_label_zone", [Some(Group), Some(Group), None, None, None, None]),
        ("__meta_kubernetes_node_address_InternalIP", [None, Some(Group), None, None, None, None]),
        ("__meta_kubernetes_endpoints_label_a", [None, None, None, Some(Group), None, None]),
        ("__meta_kubernetes_endpointslice_label_a", [None, None, None, None, Some(Group), None]),
        ("__meta_kubernetes_endpointslice_port", [None, None, None, None, Some(Part), None]),
        ("__meta_kubernetes_endpointslice_endpoint_topology_present_a", [None; 6]),
        ("__meta_ec2_private_ip", [None; 6]),
        (ADDRESS, [None; 6]),
    ];
    for (name, expected) in cases {
        assert_eq!(ROLES.map(|role| level(role, name)), expected.map(|level| Some(level.unwrap_or(Target))), "{name}");
    }
    assert_eq!(ROLES.map(|role| level(role, "job")), [None; 6]);
    assert_eq!(ROLES.map(|role| level(role, INSTANCE)), [Some(Target), None, None, None, None, None]);
}
