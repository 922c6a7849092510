//! Clients of the two regions, made once from the user's environment.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use drstack_core::cloud::CloudError;
use drstack_core::kind::Place;

use super::once::{Moments, Told};

/// Attempts of one call, the first included: rides out throttling for some seconds, then says so.
const ATTEMPTS: u32 = 5;
/// Attempts of a call to the primary: a plan made while that region is lost waits for each of them.
const PRIMARY_ATTEMPTS: u32 = 3;
/// Longest that connecting may take. A region that is lost mostly does not answer at all.
const CONNECT: Duration = Duration::from_secs(3);
/// Longest that one attempt may take; S3 and DynamoDB control calls answer within seconds.
const ATTEMPT: Duration = Duration::from_secs(20);
/// Longest that a call may take with all of its attempts.
const OPERATION: Duration = Duration::from_secs(60);

/// Clients of one region.
pub(crate) struct Clients {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) scaling: aws_sdk_applicationautoscaling::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
}

/// AWS, as one stack sees it: its two regions.
pub struct Aws {
    primary: Clients,
    standby: Clients,
    pub(crate) told: Told,
    /// When groups were last changed.
    pub(crate) changed: Moments,
}

impl Aws {
    /// Clients for `primary` and `standby`, with the credentials, profile and endpoints of the environment.
    ///
    /// # Errors
    /// [`CloudError::Denied`] where no credentials are to be found.
    pub async fn connect(primary: &str, standby: &str) -> Result<Self, CloudError> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(standby.to_owned()))
            .timeout_config(timeouts)
            .load()
            .await;
        let denied = |message: String| CloudError::Denied { operation: "credentials".to_owned(), message };
        let provider = config.credentials_provider().ok_or_else(|| denied("no credentials".to_owned()))?;
        provider.provide_credentials().await.map_err(|error| denied(super::chain(&error)))?;
        Ok(Self {
            primary: Clients::new(&config, primary, PRIMARY_ATTEMPTS),
            standby: Clients::new(&config, standby, ATTEMPTS),
            told: Told::default(),
            changed: Moments::default(),
        })
    }

    /// The clients that serve `place`. Global services are called through the standby's.
    pub(crate) fn at(&self, place: Place) -> &Clients {
        match place {
            Place::Primary => &self.primary,
            Place::Standby | Place::Global => &self.standby,
        }
    }
}

impl Clients {
    fn new(shared: &SdkConfig, region: &str, attempts: u32) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(attempts);
        let config = shared.to_builder().region(Region::new(region.to_owned())).retry_config(retry).build();
        // A server of one's own (moto, MinIO) has no DNS name for each bucket.
        let own_server = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()));
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(own_server).build();
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            ec2: aws_sdk_ec2::Client::new(&config),
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            scaling: aws_sdk_applicationautoscaling::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
        }
    }
}
