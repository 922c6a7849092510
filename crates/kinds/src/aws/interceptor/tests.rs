use std::sync::atomic::{AtomicUsize, Ordering};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use drstack_core::cloud::CloudError;

use super::super::errors::classify;
use super::*;

/// A server that answers each attempt with the next of these, and counts what reaches it.
#[derive(Clone, Debug)]
struct Wire(Arc<(Vec<(u16, &'static str)>, AtomicUsize)>);

impl Wire {
    fn of(answers: &[(u16, &'static str)]) -> Self {
        Self(Arc::new((answers.to_vec(), AtomicUsize::new(0))))
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
        HttpConnectorFuture::ready(Ok(answer))
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
    log.stand_alone("us-west-2");
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
