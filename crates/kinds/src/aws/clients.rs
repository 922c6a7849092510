//! Clients of the two regions, made once from the user's environment.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use drstack_core::cloud::CloudError;
use drstack_core::kind::Place;

use super::account::{self, ExpectOwner};
use super::gather::Gather;
use super::interceptor::{Log, Watch};
use super::once::{Answers, Moments, Together, Told};
use crate::services::autoscaling::group::aws::Standing;
use crate::services::autoscaling::group::fleet::Answer;
use crate::services::route53::calls::Check;

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

/// A client whose every call is watched: there is no other way to make one here.
macro_rules! client {
    ($sdk:ident, $config:expr, $watch:expr) => {
        $sdk::Client::from_conf($sdk::config::Builder::from($config).interceptor($watch).build())
    };
}

/// Clients of one region.
pub(crate) struct Clients {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) scaling: aws_sdk_applicationautoscaling::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    /// Groups that steps look at in the same moment.
    pub(crate) groups: Gather<Standing>,
}

/// AWS, as one stack sees it: its two regions.
pub struct Aws {
    primary: Clients,
    standby: Clients,
    /// Whose the credentials are.
    pub(crate) account: Arc<str>,
    pub(crate) told: Told,
    /// The stack's roles, name and path.
    pub(crate) roles: Together<Vec<(String, String)>>,
    /// The stack's health checks.
    pub(crate) checks: Together<Vec<Check>>,
    /// When groups were last changed.
    pub(crate) changed: Moments,
    /// What EC2 Fleet answered, by the group that it launched for.
    pub(crate) fleets: Answers<Answer>,
    /// For the objects of the control bucket, whose calls need no lease: they take it, renew it and give it back.
    pub(crate) records: aws_sdk_s3::Client,
    /// What was called.
    pub(crate) log: Log,
    /// The standby region.
    pub(crate) standby_region: String,
    /// The primary region.
    primary_region: String,
}

impl Aws {
    /// Clients for `primary` and `standby`, with the credentials, profile and endpoints of the environment.
    ///
    /// # Errors
    /// [`CloudError::Denied`] where no credentials are to be found; others where nobody says which account they belong to.
    pub async fn connect(primary: &str, standby: &str) -> Result<Self, CloudError> {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(standby.to_owned()))
            .timeout_config(timeouts())
            .load()
            .await;
        let denied = |message: String| CloudError::Denied { operation: "credentials".to_owned(), message };
        let provider = config.credentials_provider().ok_or_else(|| denied("no credentials".to_owned()))?;
        let credentials =
            provider.provide_credentials().await.map_err(|error| denied(super::chain(&error)))?;
        let log = Log::default();
        // The standby region's own: the one of the whole partition is run from the region that may be lost.
        let watch = Watch::new("sts", standby, &log);
        let sts = client!(aws_sdk_sts, &regional(&config, standby, ATTEMPTS), watch);
        let account = account::of_caller(&credentials, &sts, standby).await?;
        let records = s3_config(&regional(&config, standby, ATTEMPTS));
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
            told: Told::default(),
            roles: Together::default(),
            checks: Together::default(),
            changed: Moments::default(),
            fleets: Answers::default(),
            log,
            standby_region: standby.to_owned(),
            primary_region: primary.to_owned(),
        })
    }

    /// Why these credentials may not be had on the day `primary` is lost, one sentence each.
    pub fn credential_warnings(primary: &str) -> Vec<String> {
        super::credentials::warnings(primary)
    }

    /// The same for the stack's own primary.
    pub(crate) fn warnings(&self) -> Vec<String> {
        Self::credential_warnings(&self.primary_region)
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
    fn new(shared: &SdkConfig, region: &str, attempts: u32, log: &Log, account: &Arc<str>) -> Self {
        let config = regional(shared, region, attempts);
        let watch = |service| Watch::new(service, region, log);
        let s3 = s3_config(&config).interceptor(watch("s3")).interceptor(ExpectOwner::new(account));
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            dynamodb: client!(aws_sdk_dynamodb, &config, watch("dynamodb")),
            ec2: client!(aws_sdk_ec2, &config, watch("ec2")),
            autoscaling: client!(aws_sdk_autoscaling, &config, watch("autoscaling")),
            scaling: client!(aws_sdk_applicationautoscaling, &config, watch("application-autoscaling")),
            iam: client!(aws_sdk_iam, &config, watch("iam")),
            ssm: client!(aws_sdk_ssm, &config, watch("ssm")),
            route53: client!(aws_sdk_route53, &config, watch("route53")),
            cloudwatch: client!(aws_sdk_cloudwatch, &config, watch("cloudwatch")),
            groups: Gather::default(),
        }
    }
}

/// How long anything may take.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build()
}

/// Settings of S3's client.
fn s3_config(config: &SdkConfig) -> aws_sdk_s3::config::Builder {
    // A server of one's own (moto, MinIO) has no DNS name for each bucket.
    let own_server = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()));
    aws_sdk_s3::config::Builder::from(config).force_path_style(own_server)
}

fn regional(shared: &SdkConfig, region: &str, attempts: u32) -> SdkConfig {
    let retry = RetryConfig::standard().with_max_attempts(attempts);
    shared.to_builder().region(Region::new(region.to_owned())).retry_config(retry).build()
}
