//! The newest complete export of a table, as it stands in the control bucket: what a failover restores the table from. Nobody makes
//! it here: an export of the primary does, and its manifest is written last (DynamoDB Developer Guide, "DynamoDB table export
//! output format").

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{Action, FieldChange, Kind, Lookup, Operation};
use drstack_core::restored::{AS_OF, EXPORT};
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted: any complete export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableCopySpec {
    /// The control bucket.
    pub bucket: String,
    /// Where in that bucket the exports of the table stand; no `/` at the end.
    pub prefix: String,
}

/// What the manifest says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableCopyLive {
    /// Id of the newest complete export, which is its folder's name.
    pub export: String,
    /// The moment of which it shows the table, as the manifest writes it.
    pub as_of: String,
}

/// How the copy at `prefix` is looked up.
pub fn copy_id(bucket: &str, prefix: &str) -> String {
    format!("{bucket}/{prefix}")
}

/// The folder of the exports at `prefix`, and what one of them holds: `data/` is what is imported.
pub fn folder(prefix: &str) -> String {
    format!("{prefix}/AWSDynamoDB/")
}

/// See the module.
pub struct TableCopy;

impl Kind for TableCopy {
    const NAME: &'static str = "table-copy";
    const SUMMARY: &'static str =
        "newest complete export of a table in the control bucket, which a failover restores";
    const LOOKUP: Lookup = Lookup::Name;
    const SETTING: bool = true;
    const OPERATIONS: &'static [Operation] = &[operation("s3", "GetObject"), operation("s3", "ListBucket")];
    type Spec = TableCopySpec;
    type Live = TableCopyLive;

    fn diff(_spec: &TableCopySpec, _live: &TableCopyLive) -> Vec<FieldChange> {
        // How old it may be is the business of who makes it.
        Vec::new()
    }

    fn expect(_spec: &TableCopySpec, _id: &str) -> TableCopyLive {
        TableCopyLive { export: "newest".to_owned(), as_of: String::new() }
    }

    fn outputs(id: &str, live: &TableCopyLive) -> BTreeMap<String, String> {
        [("id", id), (EXPORT, &live.export), (AS_OF, &live.as_of)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn prior(_action: Action) -> Duration {
        // One listing and one object.
        Duration::from_secs(1)
    }
}

/// The object that is written last of an export in `folder`.
pub fn manifest_key(folder: &str, export: &str) -> String {
    format!("{folder}{export}/manifest-summary.json")
}

#[cfg(feature = "aws")]
pub(crate) mod aws {
    use drstack_core::cloud::{Call, CloudError, Owner};
    use drstack_core::kind::FieldChange;
    use serde::Deserialize;

    use super::{TableCopy, TableCopyLive, TableCopySpec, copy_id, folder, manifest_key};
    use crate::aws::{Driver, Looked, Seen, Target, chain, each, has_code};

    const GET: &str = "s3:GetObject";
    /// The format that is imported.
    const FORMAT: &str = "DYNAMODB_JSON";
    /// The sort of export that a table can be restored from alone.
    const FULL: &str = "FULL_EXPORT";

    impl Driver for TableCopy {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableCopyLive> {
            each(ids, |id| async move { look(at, id).await }).await
        }

        async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<TableCopyLive>>, CloudError> {
            Ok(Vec::new())
        }

        async fn create(
            at: &Target<'_>,
            _: &Call,
            spec: &TableCopySpec,
        ) -> Result<Seen<TableCopyLive>, CloudError> {
            let none = || CloudError::Invalid {
                operation: "s3:ListBucket".to_owned(),
                code: "NoExport".to_owned(),
                message: format!("no export stands complete at `{}/{}`", spec.bucket, spec.prefix),
            };
            look(at, copy_id(&spec.bucket, &spec.prefix)).await?.ok_or_else(none)
        }

        async fn update(
            _: &Target<'_>,
            _: &Call,
            _: &str,
            _: &TableCopySpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            Ok(())
        }

        async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
            Ok(())
        }
    }

    /// What of a manifest matters here.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Manifest {
        export_time: String,
        output_format: String,
        export_type: Option<String>,
    }

    /// Ids of exports begin with the time at which they were asked for: the first complete one from the end is the newest.
    async fn look(at: &Target<'_>, id: String) -> Result<Option<Seen<TableCopyLive>>, CloudError> {
        let Some((bucket, prefix)) = id.split_once('/') else {
            let message = format!("`{id}` does not say which exports are meant");
            return Err(CloudError::Other { operation: "read".to_owned(), message });
        };
        let folder = folder(prefix);
        for export in exports(at, bucket, &folder).await?.into_iter().rev() {
            let Some(manifest) = manifest(at, bucket, &manifest_key(&folder, &export)).await? else {
                continue;
            };
            let is_full = manifest.export_type.as_deref().is_none_or(|it| it == FULL);
            if is_full && manifest.output_format == FORMAT {
                let live = TableCopyLive { export, as_of: manifest.export_time };
                return Ok(Some(Seen { id, owner: Owner::Setting, live }));
            }
        }
        Ok(None)
    }

    /// Ids of all exports in `folder`, complete or not, in the order of their names.
    async fn exports(at: &Target<'_>, bucket: &str, folder: &str) -> Result<Vec<String>, CloudError> {
        let mut found = Vec::new();
        let list = at.s3().list_objects_v2().bucket(bucket).prefix(folder).delimiter("/");
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if has_code(&error, &["NoSuchBucket"]) => return Ok(Vec::new()),
                Err(error) => return Err(at.failed("s3:ListBucket", error)),
            };
            let folders = page.common_prefixes.unwrap_or_default().into_iter().filter_map(|it| it.prefix);
            let id = |it: String| Some(it.strip_prefix(folder)?.trim_end_matches('/').to_owned());
            found.extend(folders.filter_map(id));
        }
        found.sort();
        Ok(found)
    }

    /// What the manifest at `key` says; none where there is no such object, or no such bucket.
    pub(crate) async fn manifest(
        at: &Target<'_>,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Manifest>, CloudError> {
        let broken = |why: String| CloudError::Other {
            operation: GET.to_owned(),
            message: format!("`{key}` of `{bucket}` cannot be read: {why}"),
        };
        let answer = match at.s3().get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if has_code(&error, &["NoSuchKey", "NoSuchBucket"]) => return Ok(None),
            Err(error) => return Err(at.failed(GET, error)),
        };
        let bytes = answer.body.collect().await.map_err(|error| broken(chain(&error)))?.into_bytes();
        serde_json::from_slice(&bytes).map(Some).map_err(|error| broken(error.to_string()))
    }
}
