//! Parses the questions that `/explain` answers.

use std::fmt;

use serde::Serialize;

use crate::report::ObjectRef;

/// A question about one object. Each variant has the name of its URL parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as in the URL")]
pub enum Question {
    /// Any object with this name: `web`, `shop/web`, an address, or the name of a job.
    Any {
        name: String,
    },
    Monitor {
        kind: MonitorKind,
        namespace: String,
        name: String,
    },
    Pod {
        namespace: String,
        name: String,
    },
    Service {
        namespace: String,
        name: String,
    },
    Target {
        address: String,
    },
    Collector {
        id: String,
    },
}

/// The four kinds of monitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in the CRDs")]
pub enum MonitorKind {
    ServiceMonitor,
    PodMonitor,
    Probe,
    ScrapeConfig,
}

impl MonitorKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::ServiceMonitor, Self::PodMonitor, Self::Probe, Self::ScrapeConfig];

    /// The kind of this object. `None` if it is no monitor.
    #[must_use]
    pub fn of(object: &ObjectRef) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == object.kind)
    }

    /// The kind as in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceMonitor => "ServiceMonitor",
            Self::PodMonitor => "PodMonitor",
            Self::Probe => "Probe",
            Self::ScrapeConfig => "ScrapeConfig",
        }
    }
}

/// Why the parameters of a URL are not a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// No parameter is one of [`Question::PARAMETERS`].
    #[error(
        "set one of the parameters any=NAME, monitor=KIND/NAMESPACE/NAME, pod=NAMESPACE/NAME, service=NAMESPACE/NAME, target=HOST:PORT, collector=ID"
    )]
    Unknown,
    /// The value of the parameter has the wrong form.
    #[error("{parameter} must be {form}: {value:?}")]
    Form {
        /// The name of the parameter.
        parameter: &'static str,
        /// The form that the value must have.
        form: &'static str,
        /// The value.
        value: String,
    },
}

impl Question {
    /// The names of the parameters, one for each variant.
    pub const PARAMETERS: [&'static str; 6] = ["any", "monitor", "pod", "service", "target", "collector"];

    /// Parses one parameter of the URL. A monitor, pod or service with a part of its name only is looked up as
    /// [`Question::Any`].
    ///
    /// # Errors
    /// [`QuestionError`] if the parameter has another name, or its value the wrong form.
    pub fn parse(parameter: &str, value: &str) -> Result<Self, QuestionError> {
        let value = value.trim();
        let wrong = |parameter, form| Err(QuestionError::Form { parameter, form, value: value.to_owned() });
        let any = || Ok(Self::Any { name: value.to_owned() });
        match parameter {
            "any" if parts(value).is_empty() => wrong("any", "the name of an object, such as shop/web"),
            "any" => any(),
            "monitor" => {
                let form = "KIND/NAMESPACE/NAME, with the kind ServiceMonitor, PodMonitor, Probe or ScrapeConfig";
                let [kind, namespace, name] = parts(value)[..] else {
                    return if matches!(parts(value).len(), 1 | 2) { any() } else { wrong("monitor", form) };
                };
                let known = MonitorKind::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(kind));
                let Some(kind) = known else { return wrong("monitor", form) };
                Ok(Self::Monitor { kind, namespace: namespace.to_owned(), name: name.to_owned() })
            }
            "pod" => match parts(value)[..] {
                [namespace, name] => Ok(Self::Pod { namespace: namespace.to_owned(), name: name.to_owned() }),
                [_] => any(),
                _ => wrong("pod", "NAMESPACE/NAME"),
            },
            "service" => match parts(value)[..] {
                [namespace, name] => Ok(Self::Service { namespace: namespace.to_owned(), name: name.to_owned() }),
                [_] => any(),
                _ => wrong("service", "NAMESPACE/NAME"),
            },
            "target" if value.is_empty() => wrong("target", "an address such as 10.0.0.1:8080"),
            "target" => Ok(Self::Target { address: value.to_owned() }),
            "collector" if value.is_empty() => wrong("collector", "the name of a collector"),
            "collector" => Ok(Self::Collector { id: value.to_owned() }),
            _ => Err(QuestionError::Unknown),
        }
    }

    /// The name and the value of the URL parameter. [`Question::parse`] reads them back.
    #[must_use]
    pub fn parameter(&self) -> (&'static str, String) {
        match self {
            Self::Any { name } => ("any", name.clone()),
            Self::Monitor { kind, namespace, name } => ("monitor", format!("{}/{namespace}/{name}", kind.as_str())),
            Self::Pod { namespace, name } => ("pod", format!("{namespace}/{name}")),
            Self::Service { namespace, name } => ("service", format!("{namespace}/{name}")),
            Self::Target { address } => ("target", address.clone()),
            Self::Collector { id } => ("collector", id.clone()),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parameter() {
            ("any" | "monitor", value) => f.write_str(&value),
            ("pod", value) => write!(f, "Pod/{value}"),
            ("service", value) => write!(f, "Service/{value}"),
            (parameter, value) => write!(f, "{parameter} {value}"),
        }
    }
}

/// The parts between slashes. No part at all if one of them is empty, so that no pattern of the caller matches.
fn parts(value: &str) -> Vec<&str> {
    let parts: Vec<_> = value.split('/').collect();
    if parts.contains(&"") { Vec::new() } else { parts }
}
