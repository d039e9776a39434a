//! What API discovery says about the definition of a custom resource.
//!
//! Input: discovery documents of an API server. Output: whether the CustomResourceDefinition is there. What follows from
//! that is the matter of [`super::trust`].

use serde::Deserialize;

/// What the API server says about the definition of a custom resource when objects are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// The definition is there, so the objects were deleted one by one.
    Stays,
    /// The definition is being deleted. The API server deletes its objects, and offers no `create` meanwhile.
    Goes,
    /// There is no definition.
    Gone,
    /// The API server does not say.
    Unknown(String),
}

impl Definition {
    /// What the discovery document of an API group says about a resource.
    pub fn in_discovery(document: &[u8], api_version: &str, resource: &str) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Group {
            kind: String,
            group_version: String,
            resources: Vec<Verbs>,
        }
        #[derive(Deserialize)]
        struct Verbs {
            name: String,
            verbs: Vec<String>,
        }
        match serde_json::from_slice(document) {
            Ok(Group { kind, group_version, resources })
                if kind == "APIResourceList" && group_version == api_version =>
            {
                match resources.iter().find(|known| known.name == resource) {
                    Some(Verbs { verbs, .. }) if verbs.iter().any(|verb| verb == "create") => Self::Stays,
                    Some(_) => Self::Goes,
                    None => Self::Gone,
                }
            }
            Ok(Group { kind, group_version, .. }) => Self::Unknown(format!("got kind {kind} of {group_version}")),
            Err(error) => Self::Unknown(format!("got something else than an APIResourceList: {error}")),
        }
    }

    /// What the list of all API groups says about the version of a group that has no discovery document.
    pub fn in_groups(document: &[u8], api_version: &str) -> Self {
        #[derive(Deserialize)]
        struct Groups {
            kind: String,
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            versions: Vec<Version>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            group_version: String,
        }
        match serde_json::from_slice(document) {
            Ok(Groups { kind, groups }) if kind == "APIGroupList" && !groups.is_empty() => {
                let mut versions = groups.iter().flat_map(|group| &group.versions);
                if versions.any(|version| version.group_version == api_version) {
                    return Self::Unknown(format!("{api_version} is among the API groups, and is not found"));
                }
                Self::Gone
            }
            Ok(Groups { kind, groups }) => Self::Unknown(format!("got kind {kind} with {} groups", groups.len())),
            Err(error) => Self::Unknown(format!("got something else than an APIGroupList: {error}")),
        }
    }

    /// What it means that the list of the resource is not found. A definition has a list until it is gone.
    pub fn of_missing_list(self) -> Self {
        match self {
            Self::Stays | Self::Goes => Self::Unknown("API discovery has the resource".to_owned()),
            Self::Gone | Self::Unknown(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_that_is_being_deleted_takes_no_new_objects() {
        let group = |resources: &str| {
            format!(
                r#"{{"kind": "APIResourceList", "groupVersion": "monitoring.coreos.com/v1", "resources": [{resources}]}}"#
            )
        };
        let with = |verbs: &str| {
            group(&format!(r#"{{"name": "probes/status", "verbs": []}}, {{"name": "probes", "verbs": {verbs}}}"#))
        };
        let unknown = Definition::Unknown(String::new());
        let cases = [
            (with(r#"["create", "get", "list"]"#), Definition::Stays),
            (with(r#"["get", "list"]"#), Definition::Goes),
            (group(""), Definition::Gone),
            (with(r#"["create"]"#).replace("com/v1", "com/v2"), unknown.clone()),
            (r#"{"resources": []}"#.to_owned(), unknown.clone()),
            (r#"{"kind": "List", "items": []}"#.to_owned(), unknown.clone()),
            (r#"{"kind": "Status", "code": 403}"#.to_owned(), unknown.clone()),
            ("nonsense".to_owned(), unknown.clone()),
            (String::new(), unknown),
        ];
        for (document, expected) in cases {
            let said = match Definition::in_discovery(document.as_bytes(), "monitoring.coreos.com/v1", "probes") {
                Definition::Unknown(reason) => {
                    assert!(reason.starts_with("got "), "{reason}");
                    Definition::Unknown(String::new())
                }
                said => said,
            };
            assert_eq!(said, expected, "{document}");
        }
    }

    #[test]
    fn a_group_without_a_document_is_gone_only_if_the_list_of_groups_lacks_it() {
        let groups = |groups: &str| format!(r#"{{"kind": "APIGroupList", "groups": [{groups}]}}"#);
        let apps = r#"{"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]}"#;
        let monitoring =
            r#"{"name": "monitoring.coreos.com", "versions": [{"groupVersion": "monitoring.coreos.com/v1"}]}"#;
        let cases = [
            ("another group", groups(apps), true),
            (
                "another version of the group",
                groups(&format!("{apps}, {monitoring}")).replace("com/v1", "com/v2"),
                true,
            ),
            ("the version", groups(&format!("{apps}, {monitoring}")), false),
            ("no group at all", groups(""), false),
            ("an error", r#"{"kind": "Status", "code": 403}"#.to_owned(), false),
            ("another list", groups(apps).replace("APIGroupList", "List"), false),
            ("a group without versions", groups(r#"{"name": "apps"}"#), false),
            ("a page", "<html>".to_owned(), false),
            ("nothing", String::new(), false),
        ];
        for (name, document, is_gone) in cases {
            let said = Definition::in_groups(document.as_bytes(), "monitoring.coreos.com/v1");
            assert_eq!(said == Definition::Gone, is_gone, "{name}: {said:?}");
            assert!(is_gone || matches!(said, Definition::Unknown(_)), "{name}: {said:?}");
        }
    }

    #[test]
    fn a_definition_has_a_list_until_it_is_gone() {
        assert!(matches!(Definition::Stays.of_missing_list(), Definition::Unknown(_)));
        assert!(matches!(Definition::Goes.of_missing_list(), Definition::Unknown(_)));
        assert_eq!(Definition::Gone.of_missing_list(), Definition::Gone);
        let unknown = Definition::Unknown("403 Forbidden: no".to_owned());
        assert_eq!(unknown.clone().of_missing_list(), unknown);
    }
}
