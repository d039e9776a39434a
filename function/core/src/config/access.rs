//! The keys of access control. The operator has no such keys, because it leaves access control to TLS.
//!
//! Input: `allowed_subjects` (callers that are admitted), `viewers` (callers that may read everything except
//! credentials) and `collector_identity` (the share that a collector may request). Output: [`AccessRules`], which
//! [`crate::access`] applies.

use super::ConfigError;

/// The admitted callers, and the shares that they may request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRules {
    /// The admitted subjects. If absent, the collectors' service accounts.
    pub subjects: Option<Vec<Pattern>>,
    /// Subjects that may read everything except credentials.
    pub viewers: Vec<Pattern>,
    /// The collectors whose share a caller may request.
    pub collectors: Pattern,
}

impl Default for AccessRules {
    /// Collectors may request only their own share. There are no viewers.
    fn default() -> Self {
        Self { subjects: None, viewers: Vec::new(), collectors: Pattern(vec![Part::Known(Known::Pod)]) }
    }
}

/// A text with placeholders, such as `{pod}-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub(crate) Vec<Part>);

impl Pattern {
    /// Parses a subject in which `*` matches any text. An empty subject is `None`.
    #[must_use]
    pub fn subject(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(texts_and_stars(text).collect()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// `*`: any text.
    Any,
    /// A property of the caller, such as `{pod}`.
    Known(Known),
}

/// A property of the caller that a pattern can refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The pod that the token was issued for.
    Pod,
    /// The node of that pod.
    Node,
    /// The namespace of the service account.
    Namespace,
    /// The name of the service account.
    ServiceAccount,
    /// The whole subject.
    Subject,
}

impl Known {
    const ALL: [Self; 5] = [Self::Pod, Self::Node, Self::Namespace, Self::ServiceAccount, Self::Subject];

    /// The name of the property, as in braces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Node => "node",
            Self::Namespace => "namespace",
            Self::ServiceAccount => "serviceaccount",
            Self::Subject => "subject",
        }
    }
}

/// The keys of the file.
pub(super) struct Keys {
    pub(super) allowed_subjects: Option<Vec<String>>,
    pub(super) viewers: Option<Vec<String>>,
    pub(super) collector_identity: Option<String>,
}

pub(super) fn read(keys: Keys) -> Result<AccessRules, ConfigError> {
    let Keys { allowed_subjects, viewers, collector_identity } = keys;
    if allowed_subjects.as_ref().is_some_and(Vec::is_empty) {
        let reason = "the list is empty: name the subjects that may ask, as in system:serviceaccount:NAMESPACE:NAME, \
            or leave the key out";
        return Err(ConfigError::key("allowed_subjects", reason));
    }
    let collectors = match collector_identity.as_deref() {
        None | Some("pod") => AccessRules::default().collectors,
        Some("any") => Pattern(vec![Part::Any]),
        Some(text) => read_identity(text)?,
    };
    Ok(AccessRules {
        subjects: allowed_subjects.map(|texts| read_subjects("allowed_subjects", &texts)).transpose()?,
        viewers: read_subjects("viewers", &viewers.unwrap_or_default())?,
        collectors,
    })
}

fn read_subjects(key: &'static str, texts: &[String]) -> Result<Vec<Pattern>, ConfigError> {
    let empty = || ConfigError::key(key, "a subject is empty: write * for any subject");
    texts.iter().map(|text| Pattern::subject(text).ok_or_else(empty)).collect()
}

fn read_identity(text: &str) -> Result<Pattern, ConfigError> {
    let wrong = || {
        let reason =
            format!("must be pod, any, or a pattern of {{pod}}, {{node}}, {{subject}} and the like and *: {text:?}");
        ConfigError::key("collector_identity", reason)
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(wrong)?;
        parts.extend(texts_and_stars(before));
        parts.push(Part::Known(Known::ALL.into_iter().find(|known| known.name() == name).ok_or_else(wrong)?));
        rest = after;
    }
    parts.extend(texts_and_stars(rest));
    // A pattern without placeholders is an error. The author probably forgot the braces.
    if parts.iter().all(|part| matches!(part, Part::Text(_))) {
        return Err(wrong());
    }
    Ok(Pattern(parts))
}

fn texts_and_stars(text: &str) -> impl Iterator<Item = Part> {
    let stars = std::iter::once(None).chain(std::iter::repeat(Some(Part::Any)));
    let texts = text.split('*').map(|text| (!text.is_empty()).then(|| Part::Text(text.to_owned())));
    stars.zip(texts).flat_map(|(star, text)| star.into_iter().chain(text))
}
