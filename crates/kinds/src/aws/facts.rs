//! Facts: what the live regions are asked.

use drstack_core::cloud::{Captured, CloudError, Owner, Secrets};
use drstack_core::facts::FactQuery;
use serde::Serialize;

use super::{Target, s3};
use crate::facts::BucketFact;
use crate::resources::bucket::MANAGED;
use crate::resources::replication_rule;

/// The answer to `query`; `None` when what it is about does not exist.
pub(super) async fn capture(at: &Target<'_>, query: &FactQuery) -> Result<Option<Captured>, CloudError> {
    match query.kind.as_str() {
        "bucket" => plain(bucket(at, &query.name).await?),
        other => Err(CloudError::Other {
            operation: "capture".to_owned(),
            message: format!("this build cannot ask AWS about `{other}`"),
        }),
    }
}

fn plain<T: Serialize>(fact: Option<T>) -> Result<Option<Captured>, CloudError> {
    let Some(fact) = fact else { return Ok(None) };
    let value = serde_json::to_value(fact)
        .map_err(|error| CloudError::Other { operation: "capture".to_owned(), message: error.to_string() })?;
    Ok(Some(Captured { value, secrets: Secrets::default() }))
}

async fn bucket(at: &Target<'_>, name: &str) -> Result<Option<BucketFact>, CloudError> {
    let Some(versioning) = s3::versioning(at, name).await? else { return Ok(None) };
    let (encryption, replication) =
        tokio::try_join!(s3::encryption(at, name), replication_rule::config(at, name))?;
    let is_foreign =
        |id: Option<&str>| replication_rule::whose(at.scope, id.unwrap_or_default()) == Owner::Foreign;
    let foreign = replication.filter(|(_, rules)| rules.iter().any(|rule| is_foreign(rule.id.as_deref())));
    let kms_key = Some(encryption).filter(|it| !it.is_empty() && it != MANAGED);
    Ok(Some(BucketFact { versioning, foreign_role: foreign.map(|(role, _)| role), kms_key }))
}
