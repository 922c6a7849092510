//! The control bucket.

use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use drstack_core::answer::{Answer, OBJECT, Unread};
use drstack_core::cloud::{CloudError, Owner, Scope};
use drstack_core::control::{Condition, ControlStore, StoreError, Stored, Version};
use drstack_core::kind::Place;
use futures_util::future::BoxFuture;

use super::tags::{ADDRESS, STACK, Tags, owner};
use super::{Aws, Target, has_code};
use crate::services::s3::calls as s3;

/// Days for which old versions of locks, facts and journals are kept.
const OLD_VERSIONS_DAYS: u32 = 30;

/// Value of the control bucket's tag `drstack:address`.
const CONTROL: &str = "control/bucket";

/// The control store: a bucket in the standby region.
pub(super) struct Store {
    aws: Arc<Aws>,
    scope: Scope,
    bucket: String,
}

impl Store {
    pub(super) fn new(aws: Arc<Aws>, scope: Scope, bucket: &str) -> Self {
        Self { aws, scope, bucket: bucket.to_owned() }
    }

    fn at(&self) -> Target<'_> {
        Target { aws: &self.aws, scope: &self.scope, place: Place::Standby, region: &self.scope.standby }
    }

    fn no_bucket(&self) -> StoreError {
        StoreError::NoBucket { bucket: self.bucket.clone() }
    }

    fn tags(&self, mut tags: Tags) -> Tags {
        tags.insert(STACK.to_owned(), self.scope.stack.to_string());
        tags.insert(ADDRESS.to_owned(), CONTROL.to_owned());
        tags
    }

    /// Brings the settings to their desired state: versioned, encrypted, not public, by TLS only, old
    /// versions expiring.
    ///
    /// A bucket that was just created has no live settings to compare.
    async fn settle(&self, live: Option<(Option<bool>, String, bool, bool, u32)>) -> Result<(), CloudError> {
        let (at, bucket) = (self.at(), &self.bucket);
        let (versioned, encryption, shut, guarded, days) = live.unwrap_or_default();
        if !shut {
            s3::put_public_access_block(&at, bucket).await?;
        }
        if !guarded {
            s3::put_tls_policy(&at, bucket).await?;
        }
        if versioned != Some(true) {
            s3::put_versioning(&at, bucket).await?;
        }
        if encryption.is_empty() {
            s3::put_encryption(&at, bucket, None).await?;
        }
        if days == 0 {
            s3::put_old_versions_days(&at, bucket, OLD_VERSIONS_DAYS).await?;
        }
        Ok(())
    }

    async fn make(&self) -> Result<(), StoreError> {
        let (at, bucket) = (self.at(), &self.bucket);
        let Some(tags) = s3::tags(&at, bucket).await? else {
            s3::create(&at, bucket).await?;
            s3::put_tags(&at, bucket, &self.tags(Tags::new())).await?;
            return Ok(self.settle(None).await?);
        };
        match owner(&tags, &self.scope) {
            Owner::Ours(_) | Owner::Unproven(Some(_)) => {}
            Owner::Stack(other) => {
                let message =
                    format!("`{bucket}` is the control bucket of stack `{other}`; name another one");
                return Err(CloudError::Invalid {
                    operation: "s3:CreateBucket".to_owned(),
                    code: "BucketAlreadyOwnedByYou".to_owned(),
                    message,
                }
                .into());
            }
            Owner::Foreign | Owner::Setting | Owner::Unproven(None) => {
                // `destroy --delete-data control` would delete its versions too.
                if !s3::is_empty(&at, bucket).await? {
                    let message = format!("`{bucket}` exists and holds objects; name a new control bucket");
                    return Err(CloudError::Invalid {
                        operation: "s3:CreateBucket".to_owned(),
                        code: "BucketAlreadyOwnedByYou".to_owned(),
                        message,
                    }
                    .into());
                }
                s3::put_tags(&at, bucket, &self.tags(tags)).await?;
            }
        }
        let live = tokio::try_join!(
            s3::versioning(&at, bucket),
            s3::encryption(&at, bucket),
            s3::public_access_blocked(&at, bucket),
            s3::has_policy(&at, bucket),
            s3::old_versions_days(&at, bucket),
        )?;
        Ok(self.settle(Some(live)).await?)
    }

    fn failed<E>(&self, operation: &str, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match has_code(&error, &["NoSuchBucket"]) {
            true => self.no_bucket(),
            false => self.at().failed(operation, error).into(),
        }
    }
}

/// Returns the status of a refusal; some servers answer a lost race without a code.
fn status<E>(error: &SdkError<E, HttpResponse>) -> u16 {
    match error {
        SdkError::ServiceError(refusal) => refusal.raw().status().as_u16(),
        SdkError::ResponseError(refusal) => refusal.raw().status().as_u16(),
        _ => 0,
    }
}

impl ControlStore for Store {
    fn ensure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.make())
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move {
            const OPERATION: &str = "s3:GetObject";
            let at = self.at();
            let answer = match self.aws.records.get_object().bucket(&self.bucket).key(key).send().await {
                Ok(answer) => answer,
                Err(error) if has_code(&error, &["NoSuchKey"]) => return Ok(None),
                Err(error) => return Err(self.failed(OPERATION, error)),
            };
            let version = answer.e_tag.unwrap_or_default();
            let (mut parts, mut body) = (answer.body, Answer::begin(OBJECT));
            let unread = |why: Unread<_>| StoreError::unread(&why, key, OPERATION, at.region);
            while body.takes(parts.try_next()).await.map_err(unread)? {}
            Ok(Some((body.into_bytes(), version)))
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let put = self.aws.records.put_object().bucket(&self.bucket).key(key).body(body.into());
            let conditional = condition != Condition::Always;
            let put = match condition {
                Condition::Always => put,
                Condition::Absent => put.if_none_match("*"),
                Condition::Matches(version) => put.if_match(version),
            };
            match put.send().await {
                Ok(answer) => Ok(answer.e_tag.unwrap_or_default()),
                // 412: the condition does not hold; 409: another write is in progress; no such key:
                // the object to match is gone.
                Err(error)
                    if conditional
                        && (matches!(status(&error), 409 | 412) || has_code(&error, &["NoSuchKey"])) =>
                {
                    Err(StoreError::Refused { key: key.to_owned() })
                }
                Err(error) => Err(self.failed("s3:PutObject", error)),
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let gone = self.aws.records.delete_object().bucket(&self.bucket).key(key).send().await;
            gone.map(drop).map_err(|error| self.failed("s3:DeleteObject", error))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let list = self.aws.records.list_objects_v2().bucket(&self.bucket).prefix(prefix);
            let mut pages = list.into_paginator().send();
            let mut keys = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.failed("s3:ListBucket", error))?;
                keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|it| it.key));
            }
            keys.sort();
            Ok(keys)
        })
    }

    fn destroy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let at = self.at();
            match s3::tags(&at, &self.bucket).await? {
                None => Ok(()),
                Some(tags) => match owner(&tags, &self.scope) {
                    Owner::Ours(_) | Owner::Unproven(Some(_)) => {
                        Ok(s3::empty_and_delete(&at, &self.bucket).await?)
                    }
                    _ => Err(CloudError::Denied {
                        operation: "s3:DeleteBucket".to_owned(),
                        message: format!("`{}` does not carry this stack's tags", self.bucket),
                    }
                    .into()),
                },
            }
        })
    }
}
