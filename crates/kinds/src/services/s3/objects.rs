//! Lists and compares both sides of a bucket. Reads only.

use aws_smithy_types::DateTime;
use drstack_core::cloud::CloudError;
use drstack_core::sides::{Copied, Entry, Listed, Reported, Sides, compare};
use jiff::Timestamp;

use crate::aws::Target;
use crate::services::cloudwatch::calls::{ServiceMetric, lately};

/// Maximum number of versions and delete markers listed per side: 200 calls, some 20 seconds, and
/// 40 MB of memory.
const MOST_VERSIONS: usize = 200_000;

/// Version of objects older than the bucket's versioning; it does not identify their content.
const NO_VERSION: &str = "null";

/// Compares the two sides of a bucket.
pub(crate) async fn sides(
    primary: &Target<'_>,
    standby: &Target<'_>,
    copied: &Copied,
    since: Option<Timestamp>,
) -> Result<Sides, CloudError> {
    let (ours, theirs, reported) = tokio::try_join!(
        objects(primary, &copied.name),
        objects(standby, &copied.copy),
        of_rule(standby, copied)
    )?;
    Ok(Sides { reported, ..compare(copied, &ours, &theirs, since) })
}

/// Lists the newest state of each key of a bucket, in key order.
async fn objects(at: &Target<'_>, bucket: &str) -> Result<Listed, CloudError> {
    let mut listed = Listed { is_whole: true, ..Listed::default() };
    let (mut seen, mut key, mut version) = (0, None, None);
    loop {
        let ask = at.buckets().list_object_versions().bucket(bucket);
        let page = ask.set_key_marker(key).set_version_id_marker(version).send().await;
        let page = page.map_err(|error| at.failed("s3:ListBucketVersions", error))?;
        let (versions, marks) = (page.versions.unwrap_or_default(), page.delete_markers.unwrap_or_default());
        seen += versions.len() + marks.len();
        for it in versions.into_iter().filter(|it| it.is_latest == Some(true)) {
            let content = it.size.unwrap_or_default().to_string();
            let version = it.version_id.filter(|it| it != NO_VERSION);
            let entry = Entry { is_there: true, content, version, modified: moment(it.last_modified) };
            listed.entries.insert(it.key.unwrap_or_default(), entry);
        }
        for it in marks.into_iter().filter(|it| it.is_latest == Some(true)) {
            let modified = moment(it.last_modified);
            let entry = Entry { is_there: false, content: String::new(), version: None, modified };
            listed.entries.insert(it.key.unwrap_or_default(), entry);
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
        if page.is_truncated != Some(true) || key.is_none() {
            return Ok(listed);
        }
        if seen >= MOST_VERSIONS {
            listed.is_whole = false;
            return Ok(listed);
        }
    }
}

/// Reads S3's metrics of a rule, in the region that it replicates to (S3 User Guide, "Using S3
/// Replication metrics").
async fn of_rule(standby: &Target<'_>, copied: &Copied) -> Result<Option<Reported>, CloudError> {
    let Some(rule) = copied.metrics.as_deref() else { return Ok(None) };
    let (from, to) = (&*copied.name, &*copied.copy);
    let dimensions = &[("SourceBucket", from), ("DestinationBucket", to), ("RuleId", rule)];
    let told = |name| ServiceMetric { namespace: "AWS/S3", name, dimensions };
    let told = [told("OperationsPendingReplication"), told("ReplicationLatency")];
    let found = lately(standby, &told).await?;
    let [waiting, latency] = found.as_slice() else { return Ok(None) };
    let Some((second, count)) = waiting else { return Ok(None) };
    let of_then = latency.filter(|(then, _)| then == second).map(|(_, seconds)| seconds);
    Ok(Timestamp::from_second(*second).ok().map(|at| {
        // Rounded up: half an operation is one pending. S3's counts are far below what a float
        // holds exactly.
        let waiting = Some(count.ceil().max(0.0) as u64);
        Reported { at, waiting, latency: of_then }
    }))
}

fn moment(it: Option<DateTime>) -> Option<Timestamp> {
    let it = it?;
    Timestamp::new(it.secs(), i32::try_from(it.subsec_nanos()).ok()?).ok()
}
