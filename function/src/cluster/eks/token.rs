//! Tokens for the API server of an EKS cluster.
//!
//! Input: credentials. Output: a token. A token is a signed request to STS for the identity of the caller. The cluster
//! sends this request to STS to identify the caller. Signing needs no network.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::{BoxFuture, FutureExt};
use http::HeaderValue;
use tokio::sync::Mutex;

use crate::cluster::bearer::{Bearer, BoxError};

/// The API server accepts a token for 15 minutes after it was signed.
const RENEW_AFTER: Duration = Duration::from_secs(600);

/// Validity of the signed request for STS. This is the maximum that the API server accepts.
const EXPIRES_IN: Duration = Duration::from_secs(60);

/// Signs tokens, and keeps the latest token.
#[derive(Clone)]
pub struct Tokens {
    credentials: SharedCredentialsProvider,
    region: String,
    cluster: Arc<str>,
    latest: Arc<Mutex<Option<(SystemTime, String)>>>,
}

impl Tokens {
    /// Tokens for a cluster in this region.
    pub fn new(credentials: SharedCredentialsProvider, region: String, cluster: &str) -> Self {
        Self { credentials, region, cluster: cluster.into(), latest: Arc::default() }
    }

    async fn current(&self) -> Result<String, BoxError> {
        let now = SystemTime::now();
        let mut latest = self.latest.lock().await;
        if let Some((signed, token)) = latest.as_ref() {
            // If the clock was set back, the age of the token is unknown.
            if now.duration_since(*signed).is_ok_and(|age| age < RENEW_AFTER) {
                return Ok(token.clone());
            }
        }
        let credentials = self.credentials.provide_credentials().await?;
        let token = token(&credentials, &self.region, &self.cluster, now)?;
        *latest = Some((now, token.clone()));
        Ok(token)
    }
}

impl Bearer for Tokens {
    fn bearer(&self) -> BoxFuture<'_, Result<HeaderValue, BoxError>> {
        async {
            let mut header = HeaderValue::from_str(&format!("Bearer {}", self.current().await?))?;
            header.set_sensitive(true);
            Ok(header)
        }
        .boxed()
    }
}

fn token(credentials: &Credentials, region: &str, cluster: &str, now: SystemTime) -> Result<String, BoxError> {
    let url = format!("https://{}/?Action=GetCallerIdentity&Version=2011-06-15", sts_host(region));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES_IN);
    let identity = credentials.clone().into();
    let parameters =
        SigningParams::builder().identity(&identity).region(region).name("sts").time(now).settings(settings).build()?;
    let headers = [("x-k8s-aws-id", cluster)];
    let signable = SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
    let mut request = http::Request::get(&url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(request.uri().to_string())))
}

fn sts_host(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("sts.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::UNIX_EPOCH;

    use super::*;

    /// The token that botocore signs with equal credentials at the same time. `aws eks get-token` uses botocore.
    const SIGNATURES: [(&str, Option<&str>, &str); 3] = [
        ("eu-central-1", None, "02ffad8d50e6a6de0819508f8dd1822454e677048e7784a12e30b13c8b00512b"),
        ("eu-central-1", Some("session/token+=="), "de517fd6725e35b28fa9136c978469a930bbae6f2a4281b85e689aaf91f1ee2c"),
        ("cn-north-1", None, "bd91fa9c9203abe74730b6ad4bbdc41def2670e3926f3e530acfcf2216022acc"),
    ];

    #[test]
    fn tokens_are_those_of_the_aws_cli() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_524_045);
        for (region, session, signature) in SIGNATURES {
            let credentials = Credentials::new("AKIDEXAMPLE", "secret/key", session.map(str::to_owned), None, "test");
            let token = token(&credentials, region, "shop", now).unwrap();
            let encoded = token.strip_prefix("k8s-aws-v1.").unwrap();
            let url = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap();
            let (address, query) = url.split_once('?').unwrap();
            assert_eq!(address, format!("https://{}/", sts_host(region)));
            let fields: BTreeSet<_> = query.split('&').collect();
            let mut expected = BTreeSet::from([
                "Action=GetCallerIdentity".to_owned(),
                "Version=2011-06-15".to_owned(),
                "X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned(),
                format!("X-Amz-Credential=AKIDEXAMPLE%2F20261124%2F{region}%2Fsts%2Faws4_request"),
                "X-Amz-Date=20261124T124045Z".to_owned(),
                "X-Amz-Expires=60".to_owned(),
                "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id".to_owned(),
                format!("X-Amz-Signature={signature}"),
            ]);
            if session.is_some() {
                expected.insert("X-Amz-Security-Token=session%2Ftoken%2B%3D%3D".to_owned());
            }
            assert_eq!(fields, expected.iter().map(String::as_str).collect(), "{region}");
        }
    }

    #[tokio::test]
    async fn a_token_is_signed_anew_before_it_expires() {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret/key", None, None, "test");
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (age, kept) in [(minutes(0), true), (minutes(9), true), (minutes(11), false)] {
            let signed = (SystemTime::now() - age, "before".to_owned());
            let tokens = Tokens {
                credentials: SharedCredentialsProvider::new(credentials.clone()),
                region: "eu-central-1".to_owned(),
                cluster: "shop".into(),
                latest: Arc::new(Mutex::new(Some(signed))),
            };
            assert_eq!(tokens.current().await.unwrap() == "before", kept, "{age:?}");
        }
    }
}
