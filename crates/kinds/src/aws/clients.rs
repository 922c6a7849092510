//! Clients of the two regions, created once from the user's environment.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use drstack_core::cloud::CloudError;
use drstack_core::kind::Place;

use super::account;
use super::expect_owner::ExpectOwner;
use super::interceptor::{Log, Watch};
use super::shared::Shared;
use super::trusted;

/// Maximum attempts of one call, including the first: enough to get past some seconds of
/// throttling.
const ATTEMPTS: u32 = 5;
/// Maximum attempts of a call to the primary: a plan made while that region is lost waits for each
/// of them.
const PRIMARY_ATTEMPTS: u32 = 3;
/// Connect timeout. A lost region mostly does not answer at all.
const CONNECT: Duration = Duration::from_secs(3);
/// Timeout of one attempt; S3 and DynamoDB control calls answer within seconds.
const ATTEMPT: Duration = Duration::from_secs(20);
/// Timeout of a call with all of its attempts.
const OPERATION: Duration = Duration::from_secs(60);

/// The client of one service.
pub(crate) trait Client: Send + Sync + 'static {
    /// IAM prefix of the service.
    const SERVICE: &'static str;
    /// Creates a client with these settings; `watch` sees its every call.
    fn new(config: &SdkConfig, watch: Watch, account: &Arc<str>) -> Self;
}

/// Clients of one region, and values that services cache for it.
pub(crate) struct Clients {
    config: SdkConfig,
    region: String,
    account: Arc<str>,
    log: Log,
    made: Shared,
    /// Values that services cache between their calls to this region.
    pub(crate) shared: Shared,
}

/// AWS for one stack: its two regions.
pub struct Aws {
    primary: Clients,
    standby: Clients,
    /// The account of the credentials.
    pub(crate) account: Arc<str>,
    /// Responses read while capturing facts; the observe that follows uses each once.
    pub(crate) told: Shared,
    /// Values that services cache between their calls.
    pub(crate) shared: Shared,
    /// Client for the objects of the control bucket. Its calls need no lease, because they take,
    /// renew and release it.
    pub(crate) records: aws_sdk_s3::Client,
    /// The call log.
    pub(crate) log: Log,
    /// The standby region.
    pub(crate) standby_region: String,
    /// The primary region.
    primary_region: String,
}

/// Returns the error for credentials that the SDK did not find.
fn no_credentials(error: &CredentialsError) -> CloudError {
    let message = match error {
        // The SDK says here that a provider "was not enabled".
        CredentialsError::CredentialsNotLoaded(_) => {
            "neither the environment, nor a profile, nor this machine has any".to_owned()
        }
        other => super::chain(other),
    };
    CloudError::NoCredentials { message }
}

impl Aws {
    /// Creates clients for `primary` and `standby`, with the credentials, profile and endpoints of
    /// the environment.
    ///
    /// # Errors
    ///
    /// [`CloudError::NoCredentials`] if there are none; other errors if their account cannot be
    /// found, or the authorities that the environment names cannot be read.
    pub async fn connect(primary: &str, standby: &str) -> Result<Self, CloudError> {
        let mut config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(standby.to_owned()))
            .timeout_config(timeouts());
        if let Some(client) = trusted::client()? {
            config = config.http_client(client);
        }
        let config = config.load().await;
        let provider = config.credentials_provider().ok_or_else(|| {
            no_credentials(&CredentialsError::not_loaded("the SDK has no provider of credentials"))
        })?;
        let credentials = provider.provide_credentials().await.map_err(|error| no_credentials(&error))?;
        let log = Log::default();
        // Use the standby region's own endpoint: the global one runs in the region that may be
        // lost.
        let watch = Watch::new("sts", standby, &log);
        let sts = aws_sdk_sts::config::Builder::from(&regional(&config, standby, ATTEMPTS));
        let sts = aws_sdk_sts::Client::from_conf(sts.interceptor(watch).build());
        let account = account::of_caller(&credentials, &sts, standby).await?;
        let records = crate::services::s3::settings::of(&regional(&config, standby, ATTEMPTS));
        Ok(Self {
            records: aws_sdk_s3::Client::from_conf(
                records
                    .interceptor(Watch::of_records(standby, &log))
                    .interceptor(ExpectOwner::new(&account))
                    .build(),
            ),
            primary: Clients::new(&config, primary, PRIMARY_ATTEMPTS, &log, &account),
            standby: Clients::new(&config, standby, ATTEMPTS, &log, &account),
            account,
            told: Shared::default(),
            shared: Shared::default(),
            log,
            standby_region: standby.to_owned(),
            primary_region: primary.to_owned(),
        })
    }

    /// Returns reasons why these credentials may not work once `primary` is lost, one sentence
    /// each.
    pub fn credential_warnings(primary: &str) -> Vec<String> {
        super::credentials::warnings(primary)
    }

    /// Returns the same for the stack's own primary.
    pub(crate) fn warnings(&self) -> Vec<String> {
        Self::credential_warnings(&self.primary_region)
    }

    /// Returns the clients for `place`. Global services are called through the standby's.
    pub(crate) fn at(&self, place: Place) -> &Clients {
        match place {
            Place::Primary => &self.primary,
            Place::Standby | Place::Global => &self.standby,
        }
    }
}

impl Clients {
    fn new(shared: &SdkConfig, region: &str, attempts: u32, log: &Log, account: &Arc<str>) -> Self {
        Self {
            config: regional(shared, region, attempts),
            region: region.to_owned(),
            account: Arc::clone(account),
            log: log.clone(),
            made: Shared::default(),
            shared: Shared::default(),
        }
    }

    /// Returns the client of a service.
    pub(crate) fn client<C: Client>(&self) -> Arc<C> {
        self.made
            .get_or(|| C::new(&self.config, Watch::new(C::SERVICE, &self.region, &self.log), &self.account))
    }
}

/// Returns the timeouts of all calls.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build()
}

fn regional(shared: &SdkConfig, region: &str, attempts: u32) -> SdkConfig {
    let retry = RetryConfig::standard().with_max_attempts(attempts);
    shared.to_builder().region(Region::new(region.to_owned())).retry_config(retry).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B23
    #[test]
    fn what_has_no_credentials_is_named_and_not_a_provider_of_the_sdk() {
        let said = no_credentials(&CredentialsError::not_loaded("no providers in chain")).to_string();
        let expected =
            "no credentials were found: neither the environment, nor a profile, nor this machine has any";
        assert_eq!(said, expected);
        let said = no_credentials(&CredentialsError::provider_error("the SSO token has expired")).to_string();
        assert!(said.starts_with("no credentials were found: ") && said.contains("SSO token"), "{said}");
    }
}
