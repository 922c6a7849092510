//! The bucket kind: the standby bucket, versioned, encrypted, not public, by TLS only, with expiring
//! old versions.

use drstack_core::kind::{Capabilities, Erased, FieldChange, Halfway, Kind, Lookup, Operation, Role, Staged};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::services::operation;

/// The desired state of a bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketSpec {
    /// Its name.
    pub name: String,
    /// The primary bucket it is a copy of; becomes its tag `drstack:source`.
    pub source: String,
    /// Days after which noncurrent versions expire; 0 for never.
    pub old_versions_days: u32,
    /// The KMS key that encrypts it; default: S3-managed keys, which need no key policy in a
    /// failover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// A bucket as S3 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketLive {
    /// True if versioning is enabled.
    pub versioning: bool,
    /// Default encryption: `AES256`, or the KMS key; empty if none is set.
    pub encryption: String,
    /// True if all four settings of the public access block are on.
    pub public_access_blocked: bool,
    /// Days after which old versions expire; 0 for never.
    pub old_versions_days: u32,
    /// True if a policy decides about calls without TLS: drstack's, which denies them, or the
    /// user's, which drstack never overwrites.
    #[serde(default)]
    pub tls_policy: bool,
    /// The primary bucket it is a copy of.
    pub source: String,
}

/// Encryption with S3-managed keys.
pub const MANAGED: &str = "AES256";

impl BucketSpec {
    fn encryption(&self) -> &str {
        self.kms_key.as_deref().unwrap_or(MANAGED)
    }
}

/// Returns the policy of a bucket that denies calls without TLS, and nothing else.
pub fn tls_policy(bucket: &str, partition: &str) -> Value {
    let arn = format!("arn:{partition}:s3:::{bucket}");
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "DrstackTlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [arn, format!("{arn}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }],
    })
}

/// The bucket kind.
pub struct Bucket;

impl Kind for Bucket {
    const NAME: &'static str = "bucket";
    const SUMMARY: &'static str =
        "S3 bucket in the standby region: versioned, encrypted, closed to the public";
    const LOOKUP: Lookup = Lookup::Name;
    const ROLE: Role = Role::Data;
    const OPERATIONS: &'static [Operation] = &[
        operation("s3", "CreateBucket"),
        operation("s3", "DeleteBucket"),
        operation("s3", "DeleteObjectVersion"),
        operation("s3", "GetBucketPolicy"),
        operation("s3", "GetBucketPublicAccessBlock"),
        operation("s3", "GetBucketTagging"),
        operation("s3", "GetBucketVersioning"),
        operation("s3", "GetEncryptionConfiguration"),
        operation("s3", "GetLifecycleConfiguration"),
        operation("s3", "ListAllMyBuckets"),
        operation("s3", "ListBucket"),
        operation("s3", "ListBucketVersions"),
        operation("s3", "PutBucketPolicy"),
        operation("s3", "PutBucketPublicAccessBlock"),
        operation("s3", "PutBucketTagging"),
        operation("s3", "PutBucketVersioning"),
        operation("s3", "PutEncryptionConfiguration"),
        operation("s3", "PutLifecycleConfiguration"),
    ];
    const CAPABILITIES: Capabilities =
        Capabilities { staged: Some(&Erased::<Self>::NEW), starts_empty: true, ..Capabilities::NONE };
    type Spec = BucketSpec;
    type Live = BucketLive;

    fn diff(spec: &BucketSpec, live: &BucketLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("versioning", &live.versioning, &true),
            FieldChange::of("encryption", &live.encryption.as_str(), &spec.encryption()),
            FieldChange::of("public_access_blocked", &live.public_access_blocked, &true),
            FieldChange::of("tls_policy", &live.tls_policy, &true),
            FieldChange::of("old_versions_days", &live.old_versions_days, &spec.old_versions_days),
            FieldChange::of("source", &live.source, &spec.source),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &BucketSpec, _id: &str) -> BucketLive {
        BucketLive {
            versioning: true,
            encryption: spec.encryption().to_owned(),
            public_access_blocked: true,
            tls_policy: true,
            old_versions_days: spec.old_versions_days,
            source: spec.source.clone(),
        }
    }
}

impl Staged for Bucket {
    /// The order of the calls: create, then tags, public access block, policy, versioning,
    /// encryption, and last the lifecycle of old versions.
    fn halfway(spec: &BucketSpec, _id: &str) -> Vec<Halfway<BucketLive>> {
        let bare = BucketLive {
            versioning: false,
            encryption: MANAGED.to_owned(),
            public_access_blocked: false,
            tls_policy: false,
            old_versions_days: 0,
            source: String::new(),
        };
        let tagged = BucketLive { source: spec.source.clone(), ..bare.clone() };
        let closed = BucketLive { public_access_blocked: true, ..tagged.clone() };
        let guarded = BucketLive { tls_policy: true, ..closed.clone() };
        let versioned = BucketLive { versioning: true, ..guarded.clone() };
        let encrypted = BucketLive { encryption: spec.encryption().to_owned(), ..versioned.clone() };
        let rest = [tagged, closed, guarded, versioned, encrypted].map(Halfway::tagged);
        [Halfway::untagged(bare)].into_iter().chain(rest).collect()
    }
}

#[cfg(feature = "aws")]
mod aws;

#[cfg(test)]
mod tests {
    use super::*;

    /// F6
    #[test]
    fn a_bucket_without_a_policy_gets_one_that_denies_calls_without_tls() {
        let statement = &tls_policy("copy", "aws-cn")["Statement"][0];
        assert_eq!(statement["Effect"], "Deny");
        assert_eq!(statement["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
        assert_eq!(statement["Resource"], json!(["arn:aws-cn:s3:::copy", "arn:aws-cn:s3:::copy/*"]));
        let spec =
            BucketSpec { name: "copy".into(), source: "a".into(), old_versions_days: 30, kms_key: None };
        let live = BucketLive { tls_policy: false, ..Bucket::expect(&spec, "copy") };
        let changes = Bucket::diff(&spec, &live);
        assert_eq!(changes.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(), ["tls_policy"]);
    }
}
