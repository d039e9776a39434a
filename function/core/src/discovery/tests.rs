//! Cases of all roles.
