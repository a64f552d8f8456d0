//! One configuration for all AWS clients: where, as whom, how patiently.

use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::credentials;
use crate::names::Region;

/// How long we wait for AWS, and how often a read is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// For one attempt, connecting included.
    pub attempt: Duration,
    /// For all attempts and the pauses between them.
    pub operation: Duration,
    /// Attempts of a read. A mutating call has one, always.
    pub attempts: u32,
    /// The first pause between attempts; the following ones double.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(4),
            attempt: Duration::from_secs(15),
            operation: Duration::from_secs(45),
            attempts: 4,
            pause: Duration::from_millis(500),
        }
    }
}

impl Patience {
    fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }

    fn retries(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_initial_backoff(self.pause)
            .with_max_backoff(self.operation)
    }
}

/// The configuration that all AWS adapters are built from.
#[derive(Debug, Clone)]
pub struct Connection {
    sdk: SdkConfig,
    overrides: Vec<String>,
}

/// Reads region, credentials and endpoints the way every AWS tool does: option, environment,
/// profile. Nothing is asked of the network yet.
pub async fn connect(region: Option<&Region>, profile: Option<&str>) -> Connection {
    let region = region_chain(region, profile);
    let credentials = credentials::chain(&region, profile).await;
    let patience = Patience::default();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(credentials)
        .timeout_config(patience.timeouts())
        .retry_config(patience.retries())
        .app_name(app_name());
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    Connection::new(loader.load().await, service_endpoints(&|name| std::env::var(name).ok()))
}

/// The region that the environment or the AWS profile names. Nothing is asked of the network.
pub async fn configured_region() -> Option<String> {
    region_chain(None, None).region().await.map(|region| region.to_string())
}

/// Option, environment, profile. Not the instance metadata service: a deployment says where it
/// goes, it does not inherit it from the machine that starts it.
fn region_chain(region: Option<&Region>, profile: Option<&str>) -> RegionProviderChain {
    let mut from_profile = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        from_profile = from_profile.profile_name(profile);
    }
    let given = region.map(|region| aws_config::Region::new(region.to_string()));
    RegionProviderChain::first_try(given)
        .or_else(aws_config::environment::EnvironmentVariableRegionProvider::new())
        .or_else(from_profile.build())
}

fn app_name() -> AppName {
    AppName::new(concat!("surefoot-", env!("CARGO_PKG_VERSION")))
        .expect("letters, digits, dots and dashes are allowed")
}

/// The services we call, as the variables `AWS_ENDPOINT_URL_…` spell them. Source: AWS SDKs and
/// tools reference, service-specific endpoints.
const SERVICES: [&str; 6] =
    ["APPRUNNER", "ECR", "CLOUDWATCH_LOGS", "SECRETS_MANAGER", "STS", "IAM"];

fn service_endpoints(variable: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if ignored.is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return Vec::new();
    }
    // The SDK's configuration hides one that is no address, and its clients meet it all the same.
    let hidden = variable("AWS_ENDPOINT_URL").filter(|url| !is_web_address(url));
    SERVICES
        .iter()
        .filter_map(|service| variable(&format!("AWS_ENDPOINT_URL_{service}")))
        .chain(hidden)
        .filter(|url| !url.is_empty())
        .collect()
}

impl Connection {
    fn new(sdk: SdkConfig, service_endpoints: Vec<String>) -> Self {
        let mut overrides: Vec<String> =
            sdk.endpoint_url().map(str::to_owned).into_iter().collect();
        overrides.extend(service_endpoints);
        overrides.dedup();
        if !overrides.iter().any(|url| is_loopback_url(url)) {
            return Self { sdk, overrides };
        }
        let plain = overrides.iter().all(|url| is_loopback_url(url) && url.starts_with("http:"))
            && sdk.endpoint_url().is_some();
        Self { sdk: direct(sdk, plain), overrides }
    }

    /// A connection to one endpoint for all services, with fixed test credentials: nothing of the
    /// machine (profile, environment, proxy) leaks in.
    pub fn to_endpoint(endpoint: &str, region: &Region, patience: Patience) -> Self {
        let keys = Credentials::new("AKIDSUREFOOTTEST", "not-a-secret", None, None, "surefoot");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new(region.to_string()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .timeout_config(patience.timeouts())
            .retry_config(patience.retries())
            .app_name(app_name())
            .build();
        Self::new(sdk, Vec::new())
    }

    /// The region, if one is configured and well-formed.
    pub fn region(&self) -> Option<Region> {
        self.sdk.region().and_then(|region| region.as_ref().parse().ok())
    }

    /// The same, in another region.
    #[must_use]
    pub fn in_region(&self, region: &Region) -> Self {
        let region = aws_config::Region::new(region.to_string());
        let sdk = self.sdk.to_builder().region(region).build();
        Self { sdk, overrides: self.overrides.clone() }
    }

    /// The endpoint that stands in for AWS's own, if one is configured. Endpoints that a profile's
    /// `services` section sets for one service alone are followed, but not seen here.
    pub fn endpoint_override(&self) -> Option<String> {
        self.overrides.first().cloned()
    }

    /// Every endpoint that is configured: more than one means that a world would be put together
    /// from several.
    pub fn endpoint_overrides(&self) -> &[String] {
        &self.overrides
    }

    /// An endpoint that is configured, and is no address that could be asked.
    pub fn unusable_endpoint(&self) -> Option<&str> {
        self.overrides.iter().map(String::as_str).find(|url| !is_web_address(url))
    }

    pub(in crate::world) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }
}

/// The same configuration without the proxies of the environment: an endpoint on this very machine
/// is not reached through one, and in plain HTTP it needs no certificate store either.
fn direct(sdk: SdkConfig, plain: bool) -> SdkConfig {
    #[expect(
        deprecated,
        reason = "the only switch of the SDK's default client: before this version it ignores proxies"
    )]
    let version = BehaviorVersion::v2025_01_17();
    let sdk = sdk.into_builder().behavior_version(version);
    if plain { sdk.http_client(HttpClient::new().build_http()).build() } else { sdk.build() }
}

fn is_web_address(url: &str) -> bool {
    url::Url::parse(url)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
}

fn is_loopback_url(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| crate::world::is_loopback(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_no_address_is_known() {
        for (url, fit) in [
            ("http://127.0.0.1:4566", true),
            ("https://ecr.example", true),
            ("nonsense", false),
            ("localhost:4566", false),
            ("ftp://h", false),
            ("http://", false),
        ] {
            assert_eq!(is_web_address(url), fit, "{url}");
        }
    }

    #[test]
    fn endpoints_of_single_services_count_as_overrides() {
        let variable = |name: &str| (name == "AWS_ENDPOINT_URL_ECR").then(|| "http://e".to_owned());
        assert_eq!(service_endpoints(&variable), ["http://e"]);
        let ignoring = |name: &str| match name {
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" => Some("true".to_owned()),
            other => variable(other),
        };
        assert!(service_endpoints(&ignoring).is_empty());
    }

    #[test]
    fn a_connection_says_where_it_leads() {
        let region: Region = "eu-central-1".parse().unwrap();
        let connection =
            Connection::to_endpoint("http://127.0.0.1:1", &region, Patience::default());
        assert_eq!(connection.endpoint_override().as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(connection.region(), Some(region));
        let there: Region = "us-east-1".parse().unwrap();
        let moved = connection.in_region(&there);
        assert_eq!(moved.region(), Some(there));
        assert_eq!(moved.endpoint_override(), connection.endpoint_override());
    }
}
