use std::sync::{Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use drstack_core::cloud::CloudError;

use super::*;
use crate::aws::account::of_caller;
use crate::aws::errors::classify;

const ACCOUNT: &str = "123456789012";
const BUCKET: &str = "acme-models-us-west-2";

/// A server that gives every request this answer, and keeps the requests.
#[derive(Clone, Debug)]
struct Wire {
    answer: (u16, &'static str),
    heard: Arc<Mutex<Vec<HttpRequest>>>,
}

impl Wire {
    fn of(status: u16, body: &'static str) -> Self {
        Self { answer: (status, body), heard: Arc::default() }
    }

    fn heard(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let (status, body) = self.answer;
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))))
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn s3(wire: &Wire, path_style: bool) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .credentials_provider(Credentials::new("id", "key", None, None, "test"))
        .force_path_style(path_style)
        .http_client(wire.clone())
        .interceptor(ExpectOwner::new(&ACCOUNT.into()))
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// Sends each call of an action that kinds declare, and returns the results.
async fn send(action: &str, s3: &aws_sdk_s3::Client) -> Vec<Result<(), CloudError>> {
    macro_rules! calls {
        ($($operation:ident $(. $field:ident ($value:expr))*),+) => {
            vec![$(
                s3.$operation()$(.$field($value))*.send().await.map(drop).map_err(|error| classify("s3:Any", "us-west-2", &error))
            ),+]
        };
    }
    match action {
        "AbortMultipartUpload" => calls!(abort_multipart_upload.bucket(BUCKET).key("k").upload_id("u")),
        "CreateBucket" => calls!(create_bucket.bucket(BUCKET)),
        "DeleteBucket" => calls!(delete_bucket.bucket(BUCKET)),
        "DeleteObject" => calls!(delete_object.bucket(BUCKET).key("k")),
        "DeleteObjectVersion" => calls!(delete_objects.bucket(BUCKET)),
        "GetAccelerateConfiguration" => calls!(get_bucket_accelerate_configuration.bucket(BUCKET)),
        "GetBucketAcl" => calls!(get_bucket_acl.bucket(BUCKET)),
        "GetBucketCORS" => calls!(get_bucket_cors.bucket(BUCKET)),
        "GetBucketLogging" => calls!(get_bucket_logging.bucket(BUCKET)),
        "GetBucketNotification" => calls!(get_bucket_notification_configuration.bucket(BUCKET)),
        "GetBucketObjectLockConfiguration" => calls!(get_object_lock_configuration.bucket(BUCKET)),
        "GetBucketOwnershipControls" => calls!(get_bucket_ownership_controls.bucket(BUCKET)),
        "GetBucketPolicy" => calls!(get_bucket_policy.bucket(BUCKET)),
        "GetBucketWebsite" => calls!(get_bucket_website.bucket(BUCKET)),
        "GetBucketPublicAccessBlock" => calls!(get_public_access_block.bucket(BUCKET)),
        "GetBucketTagging" => calls!(get_bucket_tagging.bucket(BUCKET)),
        "GetBucketVersioning" => calls!(get_bucket_versioning.bucket(BUCKET)),
        "GetEncryptionConfiguration" => calls!(get_bucket_encryption.bucket(BUCKET)),
        "GetLifecycleConfiguration" => calls!(get_bucket_lifecycle_configuration.bucket(BUCKET)),
        "GetObject" => calls!(get_object.bucket(BUCKET).key("k"), head_object.bucket(BUCKET).key("k")),
        "GetReplicationConfiguration" => calls!(get_bucket_replication.bucket(BUCKET)),
        "ListAllMyBuckets" => calls!(list_buckets),
        "ListBucket" => calls!(list_objects_v2.bucket(BUCKET), head_bucket.bucket(BUCKET)),
        "ListBucketVersions" => calls!(list_object_versions.bucket(BUCKET)),
        "PutBucketPolicy" => calls!(put_bucket_policy.bucket(BUCKET).policy("{}")),
        "PutBucketPublicAccessBlock" => calls!(put_public_access_block.bucket(BUCKET)),
        "PutBucketTagging" => calls!(put_bucket_tagging.bucket(BUCKET)),
        "PutBucketVersioning" => calls!(put_bucket_versioning.bucket(BUCKET)),
        "PutEncryptionConfiguration" => calls!(put_bucket_encryption.bucket(BUCKET)),
        "PutLifecycleConfiguration" => {
            calls!(put_bucket_lifecycle_configuration.bucket(BUCKET), delete_bucket_lifecycle.bucket(BUCKET))
        }
        "PutObject" => calls!(put_object.bucket(BUCKET).key("k")),
        "PutObjectAcl" => calls!(put_object_acl.bucket(BUCKET).key("k")),
        "PutReplicationConfiguration" => {
            calls!(put_bucket_replication.bucket(BUCKET), delete_bucket_replication.bucket(BUCKET))
        }
        other => panic!("s3:{other} is declared, and this test does not call it"),
    }
}

const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";

#[tokio::test]
async fn every_call_that_names_a_bucket_names_the_account_that_has_to_own_it() {
    let declared = crate::policy::operations();
    let declared = declared.iter().filter(|it| it.service == "s3").map(|it| it.action);
    for (action, path_style) in declared.flat_map(|action| [(action, false), (action, true)]) {
        let wire = Wire::of(403, DENIED);
        let names_one = !matches!(action, "CreateBucket" | "ListAllMyBuckets");
        for refused in send(action, &s3(&wire, path_style)).await {
            let Err(CloudError::Denied { message, .. }) = refused else { panic!("{action}: {refused:?}") };
            let suspicion = "bucket `acme-models-us-west-2` may belong to another account than 123456789012";
            assert_eq!(message.contains(suspicion), names_one, "{action}: {message}");
        }
        let heard = wire.heard();
        assert!(!heard.is_empty(), "{action}");
        for request in heard {
            let expected = request.headers().get(EXPECTED);
            assert_eq!(expected, names_one.then_some(ACCOUNT), "{action}");
            let signed = request.headers().get("authorization").unwrap_or_default();
            assert_eq!(signed.contains(EXPECTED), names_one, "{action}: {signed}");
        }
    }
}

#[tokio::test]
async fn a_copy_names_the_owner_of_what_is_copied_too() {
    let wire = Wire::of(403, DENIED);
    let copy = s3(&wire, false).copy_object().bucket(BUCKET).key("k").copy_source("acme-models/k");
    assert!(copy.send().await.is_err());
    let heard = wire.heard();
    let said = [EXPECTED, EXPECTED_SOURCE].map(|name| heard[0].headers().get(name));
    assert_eq!(said, [Some(ACCOUNT); 2]);
}

#[tokio::test]
async fn what_is_refused_for_the_credentials_is_not_blamed_on_the_bucket() {
    let wire = Wire::of(403, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>");
    let refused = send("GetObject", &s3(&wire, false)).await.swap_remove(0).unwrap_err();
    assert!(!refused.to_string().contains("another account"), "{refused}");
}

/// Returns the account that this service reports.
async fn caller(credentials: &Credentials, wire: &Wire) -> Result<Arc<str>, CloudError> {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
        .region(aws_sdk_sts::config::Region::new("us-west-2"))
        .credentials_provider(credentials.clone())
        .http_client(wire.clone())
        .build();
    of_caller(credentials, &aws_sdk_sts::Client::from_conf(config), "us-west-2").await
}

const CALLED_BY: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>\
                         </GetCallerIdentityResult></GetCallerIdentityResponse>";

#[tokio::test]
async fn the_account_is_the_credentials_own_or_asked_of_the_standby_region_alone() {
    let plain = Credentials::new("id", "key", None, None, "test");
    let wire = Wire::of(200, CALLED_BY);
    assert_eq!(&*caller(&plain, &wire).await.unwrap(), ACCOUNT);
    let hosts: Vec<String> = wire.heard().iter().map(|it| it.uri().to_owned()).collect();
    assert_eq!(hosts, ["https://sts.us-west-2.amazonaws.com/"], "never the one of the whole partition");

    let stated = |account: &str| {
        let builder = Credentials::builder().access_key_id("id").secret_access_key("key");
        builder.account_id(account).provider_name("test").build()
    };
    assert_eq!(&*caller(&stated("210987654321"), &wire).await.unwrap(), "210987654321");
    assert!(wire.heard().is_empty(), "nobody has to be asked");
    for wrong in ["", "prod", "12345678901", "1234567890123"] {
        let error = caller(&stated(wrong), &wire).await.unwrap_err();
        assert!(error.to_string().contains("is not an account of 12 digits"), "{error}");
    }
}
