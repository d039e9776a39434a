//! Who may ask: keys of ours, since the peer leaves it to TLS.
//!
//! `allowed_subjects` says whom the function answers, `collector_identity` whose
//! share they may ask for. [`crate::access`] applies them.

use super::ConfigError;

/// Who may ask, and whose share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRules {
    /// Subjects that may ask; the collectors' service accounts if the config does not say.
    pub subjects: Option<Vec<Pattern>>,
    /// Collectors whose share one who asks may ask for.
    pub collectors: Pattern,
}

impl Default for AccessRules {
    /// The collectors, each for its own share.
    fn default() -> Self {
        Self { subjects: None, collectors: Pattern(vec![Part::Known(Known::Pod)]) }
    }
}

/// A text with blanks, such as `{pod}-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub(crate) Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// `*`: any text.
    Any,
    /// `{pod}`: what is known of the one who asks.
    Known(Known),
}

/// What a pattern may say of the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The pod that the token was made for.
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

    /// As it is written between braces.
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

pub(super) fn read(subjects: Option<Vec<String>>, identity: Option<String>) -> Result<AccessRules, ConfigError> {
    let subjects = subjects.map(|subjects| {
        if subjects.is_empty() {
            let reason =
                "names nobody: name those who may ask, as in system:serviceaccount:NAMESPACE:NAME, or leave it out";
            return Err(ConfigError::key("allowed_subjects", reason));
        }
        subjects.iter().map(|text| read_subject(text)).collect()
    });
    let collectors = match identity.as_deref() {
        None | Some("pod") => AccessRules::default().collectors,
        Some("any") => Pattern(vec![Part::Any]),
        Some(text) => read_identity(text)?,
    };
    Ok(AccessRules { subjects: subjects.transpose()?, collectors })
}

fn read_subject(text: &str) -> Result<Pattern, ConfigError> {
    if text.is_empty() {
        return Err(ConfigError::key("allowed_subjects", "a subject is empty: write * for any"));
    }
    Ok(Pattern(texts_and_stars(text).collect()))
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
    // A text alone is the slip of someone who meant one of the words.
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
