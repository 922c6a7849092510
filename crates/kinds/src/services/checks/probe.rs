//! Evaluates checks: one attempt on a web server, a table, an object, or a command.
//!
//! A condition that does not hold yet is a [`CloudError::NotYet`], which the engine retries. A
//! failure that time does not remove is another error.

mod web;

pub(crate) use web::answer;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, TableStatus};
use drstack_core::cloud::CloudError;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::aws::{Target, chain, has_code};
use crate::services::checks::check::{CheckSpec, KeyValue, Probe};
use crate::services::checks::command::{never, not_yet, run};
use crate::services::dynamodb::calls as dynamodb;

/// Attribute of an item that holds the time of the last write by a check.
const CHECKED: &str = "drstack_checked";

/// Evaluates a check once.
pub(crate) async fn look(at: &Target<'_>, spec: &CheckSpec) -> Result<(), CloudError> {
    let attempt = async {
        match &spec.probe {
            Probe::Http { url, status, contains } => web::http(url, *status, contains.as_deref()).await,
            Probe::Answer { url, host } => web::answer(url, host).await,
            Probe::Table { name, item, writable } => table(at, name, item, *writable).await,
            Probe::Object { bucket, key, sha256 } => object(at, bucket, key, sha256).await,
            Probe::Command(command) => run(command).await,
        }
    };
    let late = || not_yet(format!("{} took longer than {} s", subject(&spec.probe), spec.timeout));
    tokio::time::timeout(Duration::from_secs(spec.timeout.into()), attempt)
        .await
        .unwrap_or_else(|_| Err(late()))
}

fn subject(probe: &Probe) -> String {
    match probe {
        Probe::Http { url, .. } => format!("`{}`", web::plain(url)),
        Probe::Answer { url, host } => format!("`{}` at `{host}`", web::plain(url)),
        Probe::Table { name, .. } => format!("table `{name}`"),
        Probe::Object { bucket, key, .. } => format!("`{key}` of `{bucket}`"),
        Probe::Command(command) => format!("`{}`", command.first().map_or("", String::as_str)),
    }
}

async fn table(
    at: &Target<'_>,
    name: &str,
    item: &BTreeMap<String, KeyValue>,
    writable: bool,
) -> Result<(), CloudError> {
    let status = dynamodb::table(at, name).await?.map(|it| it.table_status);
    match status {
        None => return Err(not_yet(format!("there is no table `{name}` in {}", at.region))),
        // A table that is being updated serves as before.
        Some(Some(TableStatus::Active | TableStatus::Updating)) => {}
        Some(other) => {
            let status = other.map_or_else(String::new, |it| it.as_str().to_owned());
            return Err(not_yet(format!("table `{name}` is {status}")));
        }
    }
    if item.is_empty() {
        return Ok(());
    }
    let value = |it: &KeyValue| match it {
        KeyValue::Text(text) => AttributeValue::S(text.clone()),
        KeyValue::Number(number) => AttributeValue::N(number.to_string()),
    };
    let key: HashMap<String, AttributeValue> =
        item.iter().map(|(name, it)| (name.clone(), value(it))).collect();
    let now = AttributeValue::S(Timestamp::now().to_string());
    if writable {
        let update = at.dynamodb().update_item().table_name(name).set_key(Some(key.clone()));
        let update =
            update.update_expression("SET #checked = :now").expression_attribute_names("#checked", CHECKED);
        let written = update.expression_attribute_values(":now", now.clone()).send().await;
        written.map_err(|error| at.failed("dynamodb:UpdateItem", error))?;
    }
    let get = at.dynamodb().get_item().table_name(name).set_key(Some(key)).consistent_read(true);
    let found = get.send().await.map_err(|error| at.failed("dynamodb:GetItem", error))?.item;
    match found {
        None => Err(not_yet(format!("table `{name}` has no such item yet"))),
        // Two concurrent runs write the same item; either write is proof.
        Some(found) if writable && !found.contains_key(CHECKED) => {
            Err(not_yet(format!("table `{name}` does not keep what is written")))
        }
        Some(_) => Ok(()),
    }
}

async fn object(at: &Target<'_>, bucket: &str, key: &str, sha256: &str) -> Result<(), CloudError> {
    let answer = match at.s3().get_object().bucket(bucket).key(key).send().await {
        Ok(answer) => answer,
        Err(error) if has_code(&error, &["NoSuchKey", "NoSuchBucket"]) => {
            return Err(not_yet(format!("there is no `{key}` in `{bucket}` yet")));
        }
        Err(error) => return Err(at.failed("s3:GetObject", error)),
    };
    let (mut body, mut hash) = (answer.body, Sha256::new());
    loop {
        let part = body.try_next().await;
        match part.map_err(|error| not_yet(format!("`{key}` of `{bucket}` broke off: {}", chain(&error))))? {
            Some(part) => hash.update(&part),
            None => break,
        }
    }
    let seen: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    match seen == sha256 {
        true => Ok(()),
        // A lost primary sends no newer object, and reading gigabytes again and again would not
        // help.
        false => {
            Err(never("OtherContent", format!("`{key}` of `{bucket}` has the SHA-256 {seen}, not {sha256}")))
        }
    }
}
