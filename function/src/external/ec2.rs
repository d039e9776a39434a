//! `ec2_sd_configs`: requests to EC2 for the instances of an account.
//!
//! Input: an SD config. Output: its target group. The HTTP client of the config sends the requests. They are signed
//! with the credentials of the config, or with the credentials of the function. The EC2 client of the SDK is not used,
//! because it is larger than all other code together, and the function needs only two actions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, Method, Request, StatusCode};
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningError, SigningSettings, sign};
use aws_sigv4::sign::v4::{SigningParams, signing_params};
use aws_types::service_config::ServiceConfigKey;
use target_allocator_core::discovery::SourceGroup;
use target_allocator_core::discovery::ec2::{
    Ec2Error, Page, failure, group, host, instances_query, zones, zones_query,
};
use target_allocator_core::scrape_config::discovery::Ec2Sd;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::time::sleep;
use url::Url;
use url::form_urlencoded::Serializer;

use super::http_client::{Ask, Asker, FetchError};

/// Maximum number of attempts of a request that EC2 throttles.
const ATTEMPTS: u32 = 3;

/// The pause before the second attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// Credentials are renewed if they expire within this time.
const EARLY: Duration = Duration::from_secs(300);

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Sends requests to EC2.
#[derive(Default)]
pub struct Client {
    accounts: Mutex<BTreeMap<AccountKey, Arc<Account>>>,
}

/// Identifies an account by all settings that its responses depend on. Contains secrets.
type AccountKey = [String; 7];

/// The endpoint and the credentials of requests.
struct Account {
    region: String,
    endpoint: Url,
    provider: SharedCredentialsProvider,
    credentials: AsyncMutex<Option<Credentials>>,
    /// The zones. They are requested once, because they do not change.
    zones: OnceCell<BTreeMap<String, String>>,
}

/// The reason why the group cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("no region is known, set it in the config")]
    NoRegion,
    #[error("there are no credentials")]
    NoProvider,
    #[error("the region is not the name of one: {0:?}")]
    Region(String),
    #[error("the endpoint is not a url")]
    Endpoint(#[from] url::ParseError),
    #[error("there are no credentials")]
    Credentials(#[from] CredentialsError),
    /// The credentials may have expired.
    #[error("{0}")]
    Denied(Refused),
    /// EC2 throttles the requests.
    #[error("{0}")]
    Busy(Refused),
    #[error("{0}")]
    Refused(Refused),
    #[error(transparent)]
    Answer(#[from] Ec2Error),
    #[error(transparent)]
    Parameters(#[from] signing_params::BuildError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Request(#[from] ::http::Error),
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// The error in a response of EC2.
#[derive(Debug, thiserror::Error)]
#[error("ec2 answered {status}: {code}: {message}")]
pub struct Refused {
    status: StatusCode,
    code: String,
    message: String,
}

type Result<T> = std::result::Result<T, RequestError>;

impl Client {
    /// The target group of the instances that the config selects.
    pub async fn group(&self, http: Asker<'_>, config: &Ec2Sd) -> Result<SourceGroup> {
        let account = self.account(config).await?;
        let found = account.group(http, config).await;
        if matches!(found, Err(RequestError::Denied(_))) {
            self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(config));
        }
        found
    }

    async fn account(&self, config: &Ec2Sd) -> Result<Arc<Account>> {
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
    async fn load(config: &Ec2Sd) -> Result<Self> {
        let sdk = sdk_config(config).await;
        let region = sdk.region().ok_or(RequestError::NoRegion)?.to_string();
        let provider = sdk.credentials_provider().ok_or(RequestError::NoProvider)?;
        let provider = if config.role_arn.is_empty() { provider } else { assume_role(config, &sdk).await };
        let own = (!config.endpoint.is_empty()).then(|| config.endpoint.clone());
        let endpoint = own.or_else(|| endpoint_of_environment(&sdk));
        let endpoint = match (endpoint, host(&region)) {
            (Some(endpoint), _) => endpoint,
            (None, Some(host)) => format!("https://{host}/"),
            (None, None) => return Err(RequestError::Region(region)),
        };
        let endpoint = Url::parse(&endpoint)?;
        Ok(Self { region, endpoint, provider, credentials: AsyncMutex::default(), zones: OnceCell::new() })
    }

    async fn group(&self, http: Asker<'_>, config: &Ec2Sd) -> Result<SourceGroup> {
        // As in Prometheus, instances are targets even if the request for the zones is denied.
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
            pages.push(Page::parse(&answer)?);
        }
    }

    async fn zones(&self, http: Asker<'_>, config: &Ec2Sd) -> Result<BTreeMap<String, String>> {
        let answer = self.ask(http, config, &zones_query()).await?;
        Ok(zones(&answer)?)
    }

    /// The response to a query. The query is sent again if EC2 throttles it.
    async fn ask(&self, http: Asker<'_>, config: &Ec2Sd, query: &[(String, String)]) -> Result<String> {
        let mut attempt = 1;
        loop {
            match self.ask_once(http, config, query).await {
                Err(RequestError::Busy(_)) if attempt < ATTEMPTS => sleep(PAUSE * 2_u32.pow(attempt)).await,
                answer => return answer,
            }
            attempt += 1;
        }
    }

    async fn ask_once(&self, http: Asker<'_>, config: &Ec2Sd, query: &[(String, String)]) -> Result<String> {
        let body = Serializer::new(String::new()).extend_pairs(query).finish();
        let headers = self.signed(body.as_bytes()).await?;
        let ask = Ask { method: Method::POST, url: self.endpoint.clone(), headers, body: body.into() };
        let (parts, body) = http.fetch(&config.http_client, &ask).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if parts.status.is_success() {
            return Ok(body);
        }
        let (code, message) = failure(&body).unwrap_or_default();
        let refused = Refused { status: parts.status, code, message };
        let code = refused.code.as_str();
        let throttled = code == "RequestLimitExceeded" || code.starts_with("Throttling");
        Err(match code {
            "AuthFailure" | "UnauthorizedOperation" | "RequestExpired" | "ExpiredToken" => {
                RequestError::Denied(refused)
            }
            _ if throttled || refused.status.is_server_error() => RequestError::Busy(refused),
            _ => RequestError::Refused(refused),
        })
    }

    /// The headers of a signed request.
    async fn signed(&self, body: &[u8]) -> Result<HeaderMap> {
        let identity = self.credentials().await?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ec2")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?;
        let headers = [(CONTENT_TYPE.as_str(), FORM)];
        let url = self.endpoint.as_str();
        let signable = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body));
        let (instructions, _) = sign(signable?, &parameters.into())?.into_parts();
        let mut request = Request::post(url).header(CONTENT_TYPE, FORM).body(())?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.into_parts().0.headers)
    }

    async fn credentials(&self) -> Result<Credentials> {
        let mut latest = self.credentials.lock().await;
        let fresh =
            |credentials: &&Credentials| credentials.expiry().is_none_or(|expiry| SystemTime::now() + EARLY < expiry);
        if let Some(credentials) = latest.as_ref().filter(fresh) {
            return Ok(credentials.clone());
        }
        let credentials = self.provider.provide_credentials().await?;
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
    // A key without a secret, or a secret without a key, is ignored.
    if !access_key.is_empty() && !secret_key.expose().is_empty() {
        loader = loader.credentials_provider(Credentials::new(access_key, secret_key.expose(), None, None, "ec2_sd"));
    }
    loader.load().await
}

/// The endpoint from `AWS_ENDPOINT_URL_EC2`, `AWS_ENDPOINT_URL` or the profile.
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
