//! Asks EC2 for the instances of an account.
//!
//! Input: an `ec2_sd` config. Output: its group. Requests go through the config's own
//! HTTP client, signed with its own credentials or the function's. Without the SDK's
//! EC2 client, which is larger than all else together: two actions are needed of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, Method, Request};
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_types::service_config::ServiceConfigKey;
use target_allocator_core::discovery::SourceGroup;
use target_allocator_core::discovery::ec2::{Page, failure, group, host, instances_query, zones, zones_query};
use target_allocator_core::scrape_config::discovery::Ec2Sd;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::time::sleep;
use url::Url;
use url::form_urlencoded::Serializer;

use super::http::{Ask, Asker};
use crate::error::chain;

/// How often a request is sent that the service is too busy for.
const ATTEMPTS: u32 = 3;

/// How long the first pause between them is.
const PAUSE: Duration = Duration::from_millis(100);

/// How long before their end credentials are renewed.
const EARLY: Duration = Duration::from_secs(300);

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Asks EC2.
#[derive(Default)]
pub struct Client {
    accounts: Mutex<BTreeMap<AccountKey, Arc<Account>>>,
}

/// All that an account depends on; holds secrets.
type AccountKey = [String; 7];

/// Where and as whom requests are sent.
struct Account {
    region: String,
    endpoint: Url,
    provider: SharedCredentialsProvider,
    credentials: AsyncMutex<Option<Credentials>>,
    /// Asked once: zones do not change.
    zones: OnceCell<BTreeMap<String, String>>,
}

/// Why there is no answer.
enum Failure {
    /// The credentials may be old.
    Denied(String),
    Busy(String),
    Other(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl Client {
    /// The group of the instances that the config means.
    pub async fn group(&self, http: Asker<'_>, config: &Ec2Sd) -> Result<SourceGroup, String> {
        let account = self.account(config).await?;
        let found = account.group(http, config).await;
        found.map_err(|failure| match failure {
            Failure::Denied(reason) => {
                self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(config));
                reason
            }
            Failure::Busy(reason) | Failure::Other(reason) => reason,
        })
    }

    async fn account(&self, config: &Ec2Sd) -> Result<Arc<Account>, String> {
        let key = key(config);
        if let Some(known) = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(known));
        }
        let account = Arc::new(Account::load(config).await?);
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&account));
        Ok(account)
    }
}

fn key(config: &Ec2Sd) -> AccountKey {
    let Ec2Sd { endpoint, region, access_key, secret_key, profile, role_arn, external_id, .. } = config;
    [endpoint, region, access_key, secret_key.expose(), profile, role_arn, external_id].map(str::to_owned)
}

impl Account {
    async fn load(config: &Ec2Sd) -> Result<Self, String> {
        let sdk = sdk_config(config).await;
        let region = sdk.region().ok_or("no region is known, set it in the config")?.to_string();
        let provider = sdk.credentials_provider().ok_or("there are no credentials")?;
        let provider = if config.role_arn.is_empty() { provider } else { assume_role(config, &sdk).await };
        let own = (!config.endpoint.is_empty()).then(|| config.endpoint.clone());
        let endpoint = own.or_else(|| endpoint_of_environment(&sdk));
        let endpoint = match (endpoint, host(&region)) {
            (Some(endpoint), _) => endpoint,
            (None, Some(host)) => format!("https://{host}/"),
            (None, None) => return Err(format!("the region is not the name of one: {region:?}")),
        };
        let endpoint = Url::parse(&endpoint).map_err(|error| format!("the endpoint is not a url: {error}"))?;
        Ok(Self { region, endpoint, provider, credentials: AsyncMutex::default(), zones: OnceCell::new() })
    }

    async fn group(&self, http: Asker<'_>, config: &Ec2Sd) -> Result<SourceGroup, Failure> {
        // As in Prometheus, instances are targets although nobody may ask for the zones.
        let zones = self.zones.get_or_try_init(|| self.zones(http, config)).await;
        let unknown = BTreeMap::new();
        let zones = zones.unwrap_or(&unknown);
        let mut pages: Vec<Page> = Vec::new();
        loop {
            let next = pages.last().map(Page::next_token);
            if next == Some(None) {
                return Ok(group(&self.region, config.port, zones, &pages));
            }
            let answer = self.ask(http, config, &instances_query(config, next.flatten())).await?;
            pages.push(Page::parse(&answer).map_err(|error| chain(&error))?);
        }
    }

    async fn zones(&self, http: Asker<'_>, config: &Ec2Sd) -> Result<BTreeMap<String, String>, Failure> {
        let answer = self.ask(http, config, &zones_query()).await?;
        Ok(zones(&answer).map_err(|error| chain(&error))?)
    }

    /// The answer to a query, asked again while the service is too busy.
    async fn ask(&self, http: Asker<'_>, config: &Ec2Sd, query: &[(String, String)]) -> Result<String, Failure> {
        let mut attempt = 1;
        loop {
            match self.ask_once(http, config, query).await {
                Err(Failure::Busy(_)) if attempt < ATTEMPTS => sleep(PAUSE * 2_u32.pow(attempt)).await,
                answer => return answer,
            }
            attempt += 1;
        }
    }

    async fn ask_once(&self, http: Asker<'_>, config: &Ec2Sd, query: &[(String, String)]) -> Result<String, Failure> {
        let body = Serializer::new(String::new()).extend_pairs(query).finish();
        let headers = self.signed(body.as_bytes()).await?;
        let ask = Ask { method: Method::POST, url: self.endpoint.clone(), headers, body: body.into() };
        let (parts, body) = http.fetch(&config.http_client, &ask).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if parts.status.is_success() {
            return Ok(body);
        }
        let (code, message) = failure(&body).unwrap_or_default();
        let reason = format!("ec2 answered {}: {code}: {message}", parts.status);
        let throttled = code == "RequestLimitExceeded" || code.starts_with("Throttling");
        Err(match code.as_str() {
            "AuthFailure" | "UnauthorizedOperation" | "RequestExpired" | "ExpiredToken" => Failure::Denied(reason),
            _ if throttled || parts.status.is_server_error() => Failure::Busy(reason),
            _ => Failure::Other(reason),
        })
    }

    /// The headers of a signed request.
    async fn signed(&self, body: &[u8]) -> Result<HeaderMap, String> {
        let identity = self.credentials().await?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ec2")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| chain(&error))?;
        let headers = [(CONTENT_TYPE.as_str(), FORM)];
        let url = self.endpoint.as_str();
        let signable = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body));
        let signable = signable.map_err(|error| chain(&error))?;
        let (instructions, _) = sign(signable, &parameters.into()).map_err(|error| chain(&error))?.into_parts();
        let mut request = Request::post(url).header(CONTENT_TYPE, FORM).body(()).map_err(|error| chain(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.into_parts().0.headers)
    }

    async fn credentials(&self) -> Result<Credentials, String> {
        let mut latest = self.credentials.lock().await;
        let fresh =
            |credentials: &&Credentials| credentials.expiry().is_none_or(|expiry| SystemTime::now() + EARLY < expiry);
        if let Some(credentials) = latest.as_ref().filter(fresh) {
            return Ok(credentials.clone());
        }
        let credentials = self.provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| format!("there are no credentials: {}", chain(&error)))?;
        *latest = Some(credentials.clone());
        Ok(credentials)
    }
}

async fn sdk_config(config: &Ec2Sd) -> SdkConfig {
    let Ec2Sd { region, access_key, secret_key, profile, .. } = config;
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if !region.is_empty() {
        loader = loader.region(Region::new(region.clone()));
    }
    if !profile.is_empty() {
        loader = loader.profile_name(profile);
    }
    // One without the other is not used.
    if !access_key.is_empty() && !secret_key.expose().is_empty() {
        loader = loader.credentials_provider(Credentials::new(access_key, secret_key.expose(), None, None, "ec2_sd"));
    }
    loader.load().await
}

/// What `AWS_ENDPOINT_URL_EC2`, `AWS_ENDPOINT_URL` or the profile says.
fn endpoint_of_environment(sdk: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("EC2").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service = key.ok().and_then(|key| sdk.service_config()?.load_config(key));
    of_service.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

async fn assume_role(config: &Ec2Sd, sdk: &SdkConfig) -> SharedCredentialsProvider {
    let Ec2Sd { role_arn, external_id, .. } = config;
    let mut builder = AssumeRoleProvider::builder(role_arn).configure(sdk);
    if !external_id.is_empty() {
        builder = builder.external_id(external_id);
    }
    SharedCredentialsProvider::new(builder.build().await)
}
