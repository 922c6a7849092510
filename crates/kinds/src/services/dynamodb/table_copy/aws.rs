use drstack_core::cloud::{Call, CloudError};
use serde::Deserialize;

use super::{TableCopy, TableCopyLive, TableCopySpec, copy_id, folder, manifest_key};
use crate::aws::{Looked, Seen, SettingDriver, Target, chain, each, has_code, setting};

const GET: &str = "s3:GetObject";
/// The export format that drstack imports.
const FORMAT: &str = "DYNAMODB_JSON";
/// The export type that restores a table by itself.
const FULL: &str = "FULL_EXPORT";

impl SettingDriver for TableCopy {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableCopyLive> {
        each(ids, |id| async move { look(at, id).await }).await
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

    async fn update(_: &Target<'_>, _: &Call, _: &str, _: &TableCopySpec) -> Result<(), CloudError> {
        Ok(())
    }
}

/// The fields of a manifest that drstack reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    export_time: String,
    output_format: String,
    export_type: Option<String>,
}

/// Finds the newest complete export. Ids begin with the time of the request, so it is the first
/// complete one from the end.
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
            return Ok(Some(setting(id, live)));
        }
    }
    Ok(None)
}

/// Lists the ids of all exports in `folder`, complete or not, in the order of their names.
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

/// Reads the manifest at `key`; none if the object or the bucket does not exist.
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
