use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use drstack_core::cloud::{Cloud, CloudError, Scope};
use drstack_core::control::journal::Journal;
use drstack_core::control::lock::{Holder, Lock};
use drstack_sim::{Sim, SimConfig};
use jiff::SignedDuration;

use super::super::errors::classify;
use super::*;

/// A server that gives each attempt the next of these answers, and counts the requests that reach
/// it.
#[derive(Clone, Debug)]
struct Wire(Arc<(Vec<(u16, &'static str)>, AtomicUsize)>, Duration);

impl Wire {
    fn of(answers: &[(u16, &'static str)]) -> Self {
        Self(Arc::new((answers.to_vec(), AtomicUsize::new(0))), Duration::ZERO)
    }

    /// Returns the same server with this delay for each answer.
    fn after(self, span: Duration) -> Self {
        Self(self.0, span)
    }

    fn heard(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

impl HttpConnector for Wire {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let number = self.0.1.fetch_add(1, Ordering::Relaxed);
        let (status, body) = self.0.0[number];
        let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        answer.headers_mut().insert("x-amzn-requestid", format!("request-{number}"));
        let span = self.1;
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(span).await;
            Ok(answer)
        })
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn client(wire: &Wire, region: &'static str, log: &Log) -> Client {
    let retry = RetryConfig::standard().with_max_attempts(3);
    let retry = retry.with_initial_backoff(std::time::Duration::from_millis(1));
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(Credentials::new("id", "key", None, None, "test"))
        .retry_config(retry)
        .http_client(wire.clone())
        .interceptor(Watch::new("dynamodb", region, log))
        .build();
    Client::from_conf(config)
}

const THROTTLED: (u16, &str) =
    (400, r#"{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slower"}"#);
const TABLES: (u16, &str) = (200, r#"{"TableNames": []}"#);

#[tokio::test]
async fn each_attempt_is_noted_and_throttling_counted() {
    let (wire, log) = (Wire::of(&[THROTTLED, TABLES]), Log::default());
    client(&wire, "us-west-2", &log).list_tables().send().await.unwrap();
    let notes: Vec<_> = log
        .notes()
        .into_iter()
        .map(|it| (it.operation, it.region, it.attempt, it.status, it.error, it.request_id.unwrap()))
        .collect();
    let note = |attempt, status, error: Option<&str>, id: &str| {
        let (operation, region) = ("ListTables".to_owned(), "us-west-2".to_owned());
        (operation, region, attempt, status, error.map(str::to_owned), id.to_owned())
    };
    assert_eq!(
        notes,
        [note(1, 400, Some("ThrottlingException"), "request-0"), note(2, 200, None, "request-1")]
    );
    assert_eq!(log.throttled("dynamodb", "us-west-2"), 1);
    assert_eq!((log.throttled("dynamodb", "us-east-1"), log.throttled("ec2", "us-west-2")), (0, 0));
}

#[tokio::test]
async fn a_cloud_that_stands_alone_sends_nothing_elsewhere() {
    let (wire, log) = (Wire::of(&[TABLES, TABLES]), Log::default());
    let (near, far) = (client(&wire, "us-west-2", &log), client(&wire, "us-east-1", &log));
    far.list_tables().send().await.unwrap();
    log.restrict_to_standby("us-west-2");
    let refused = far.list_tables().send().await.unwrap_err();
    let error = classify("dynamodb:ListTables", "us-east-1", &refused);
    let forbidden =
        CloudError::Forbidden { operation: "dynamodb:ListTables".to_owned(), region: "us-east-1".to_owned() };
    assert_eq!(error, forbidden, "{refused:?}");
    assert_eq!(wire.heard(), 1, "it was never sent");
    near.list_tables().send().await.unwrap();
    assert_eq!(wire.heard(), 2);
    assert_eq!(log.refused().len(), 1);
    assert_eq!(log.notes().len(), 2, "what was refused is no call");
}

#[test]
fn what_leaves_the_standby_region_is_refused() {
    let refused = |service, operation, region: &str| {
        Watch::new(service, region, &Log::default()).refused(operation, "us-west-2").is_some()
    };
    assert!(!refused("s3", "PutObject", "us-west-2"));
    assert!(!refused("autoscaling", "UpdateAutoScalingGroup", "us-west-2"));
    assert!(refused("s3", "PutObject", "us-east-1"), "the primary");
    assert!(refused("ec2", "DescribeVpcs", "eu-west-1"), "any other region");
    assert!(refused("iam", "GetRole", "us-west-2"), "a control plane of the whole partition");
    assert!(refused("route53", "ChangeResourceRecordSets", GLOBAL));
    assert!(refused("s3", "CreateBucket", "us-west-2"), "names of buckets are global");
}

/// Returns the permit of a run whose lease lasts for `left` from now, by the machine's clock.
async fn permit(left: SignedDuration) -> Permit {
    let scope = Scope {
        stack: "fleet".into(),
        primary: "us-east-1".into(),
        standby: "us-west-2".into(),
        secrets: Arc::default(),
    };
    let sim = Sim::in_memory(SimConfig::default(), crate::kinds(), &scope, Vec::new()).unwrap();
    let store = sim.control(&scope, "acme");
    store.ensure().await.unwrap();
    // A run starts nothing in the last ten seconds of the minute that a lease lasts.
    let since = Timestamp::now() - SignedDuration::from_secs(50) + left;
    let holder = Holder {
        owner: "anna".to_owned(),
        host: "laptop".to_owned(),
        purpose: "apply".to_owned(),
        run: "run".to_owned(),
        since,
        until: since,
        epoch: 1,
        in_flight: Default::default(),
    };
    let lock = Lock::take(Arc::clone(&store), holder, since).await.unwrap();
    Journal::new(store, "run").under(lock.lease()).permit()
}

/// The client would retry, but the lease expired meanwhile.
#[tokio::test]
async fn a_second_attempt_at_a_change_is_not_sent_once_the_lease_is_over() {
    let wire = Wire::of(&[THROTTLED, TABLES, TABLES]).after(Duration::from_millis(400));
    let log = Log::default();
    let client = client(&wire, "us-west-2", &log);
    log.under(Some(permit(SignedDuration::from_millis(300)).await));
    let refused = client.delete_table().table_name("features").send().await.unwrap_err();
    let error = classify("dynamodb:DeleteTable", "us-west-2", &refused);
    assert_eq!(error, CloudError::Lapsed { operation: "dynamodb:DeleteTable".to_owned() }, "{refused:?}");
    assert!(!error.is_transient());
    assert_eq!((wire.heard(), log.notes().len()), (1, 1), "the second attempt was never sent");
    client.list_tables().send().await.unwrap();
    assert_eq!(wire.heard(), 2, "whoever only looks needs no lease");
    log.under(None);
    assert!(client.delete_table().table_name("features").send().await.is_ok());
}

#[test]
fn what_is_not_known_to_read_counts_as_a_change() {
    let operations = crate::kinds();
    let names = operations.iter().flat_map(|kind| kind.operations()).map(|it| it.action);
    let reads: Vec<&str> = names.filter(|name| is_read(name)).collect();
    let starts = ["BatchGet", "Describe", "Get", "List", "Query", "Scan"];
    assert!(reads.iter().all(|name| starts.iter().any(|start| name.starts_with(start))), "{reads:?}");
    for change in
        ["PutParameter", "UpdateAutoScalingGroup", "DeleteVpc", "CopyImage", "ExportTableToPointInTime", ""]
    {
        assert!(!is_read(change), "{change}");
    }
}

/// Lock and journal have a client of their own, which writes with conditions: the lock is released
/// after the lease.
#[test]
fn what_is_written_to_the_records_needs_no_lease() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let permit = runtime.block_on(permit(SignedDuration::from_secs(-1)));
    let log = Log::default();
    let [records, others] = [Watch::of_records("us-west-2", &log), Watch::new("s3", "us-west-2", &log)];
    assert!(records.expect_permit("PutObject", Some(&permit)).is_ok());
    assert!(others.expect_permit("PutObject", Some(&permit)).is_err());
    assert!(others.expect_permit("PutObject", None).is_ok());
}

#[test]
fn codes_are_read_wherever_services_put_them() {
    let answer = |status: u16, header: Option<&'static str>, body: &'static str| {
        let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        if let Some(header) = header {
            answer.headers_mut().insert("x-amzn-errortype", header);
        }
        code(&answer)
    };
    assert_eq!(answer(400, None, THROTTLED.1), "ThrottlingException");
    assert_eq!(answer(400, Some("SlowDown:http://internal/"), ""), "SlowDown");
    let ec2 = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";
    assert_eq!(answer(503, None, ec2), "RequestLimitExceeded");
    assert_eq!(answer(404, None, ""), "404");
}
