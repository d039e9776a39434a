//! The roles of `kubernetes_sd_configs`, one row each.
//!
//! To add a role, add a row here, the role to `Role`, and a file with an `impl RoleObject` for its objects.
//! The name of a role is that of [`Role::name`](crate::scrape_config::discovery::Role::name).

/// Passes all rows to the macro `$with`. A row has these columns:
/// - the role, which is also the name of the type of its objects,
/// - the first part of a group's `source`, as Prometheus writes it,
/// - the field with the objects in `Index`, and in all other structs with a field for each role.
macro_rules! for_each_role {
    ($with:ident) => {
        $with! {
            Endpoints: "endpoints", endpoints;
            EndpointSlice: "endpointslice", endpoint_slices;
            Ingress: "ingress", ingresses;
            Node: "node", nodes;
            Pod: "pod", pods;
            Service: "svc", services;
        }
    };
}

pub(super) use for_each_role;
