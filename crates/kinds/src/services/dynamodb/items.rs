//! Reads and compares both sides of a table. Reads only.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use drstack_core::cloud::{CloudError, sha256};
use drstack_core::sides::{Copied, Entry, Listed, Reported, Sides, compare};
use jiff::Timestamp;

use crate::aws::Target;
use crate::services::cloudwatch::calls::{ServiceMetric, lately};
use crate::services::dynamodb::calls as dynamodb;

/// Maximum number of pages of 1 MiB read per side of a table.
///
/// A page costs 128 read units (`Scan`, eventually consistent), and the primary needs its own
/// capacity: one comparison takes 1,024.
const MOST_PAGES: usize = 8;

/// Compares the two sides of a table.
pub(crate) async fn sides(
    primary: &Target<'_>,
    standby: &Target<'_>,
    copied: &Copied,
    since: Option<Timestamp>,
) -> Result<Sides, CloudError> {
    let table = &*copied.name;
    let (ours, theirs) = tokio::try_join!(items(primary, table), items(standby, table))?;
    match ours.zip(theirs) {
        Some((ours, theirs)) => Ok(compare(copied, &ours, &theirs, since)),
        // A scan does not follow the order of keys, so a part of a table cannot be compared.
        None => {
            let reported = of_table(primary, standby.region, table).await?;
            Ok(Sides { reported, ..Sides::untold() })
        }
    }
}

/// Reads DynamoDB's metric of a table, in the region that was written to (Developer Guide,
/// "Monitoring global tables").
async fn of_table(primary: &Target<'_>, to: &str, table: &str) -> Result<Option<Reported>, CloudError> {
    let dimensions = &[("TableName", table), ("ReceivingRegion", to)];
    let told = [ServiceMetric { namespace: "AWS/DynamoDB", name: "ReplicationLatency", dimensions }];
    let found = lately(primary, &told).await?;
    Ok(found.first().copied().flatten().and_then(|(second, millis)| {
        let at = Timestamp::from_second(second).ok()?;
        Some(Reported { at, waiting: None, latency: Some(millis / 1000.0) })
    }))
}

/// Hashes of all items of a table by hashes of their keys; `None` if the table exceeds the limit.
async fn items(at: &Target<'_>, table: &str) -> Result<Option<Listed>, CloudError> {
    const OPERATION: &str = "dynamodb:Scan";
    let described = dynamodb::table(at, table).await?;
    let keys: Vec<String> = described
        .and_then(|it| it.key_schema)
        .unwrap_or_default()
        .into_iter()
        .map(|it| it.attribute_name)
        .collect();
    if keys.is_empty() {
        let message = format!("there is no table `{table}` in {}", at.region);
        return Err(CloudError::Other { operation: "dynamodb:DescribeTable".to_owned(), message });
    }
    let mut listed = Listed { is_whole: true, ..Listed::default() };
    let mut from = None;
    for _ in 0..MOST_PAGES {
        let page = at.dynamodb().scan().table_name(table).set_exclusive_start_key(from).send().await;
        let page = page.map_err(|error| at.failed(OPERATION, error))?;
        for item in page.items.unwrap_or_default() {
            let key: Vec<String> = keys.iter().filter_map(|key| item.get(key).map(written)).collect();
            let content = sha256(map(&item).as_bytes());
            let entry = Entry { is_there: true, content, version: None, modified: None };
            listed.entries.insert(sha256(key.join(",").as_bytes()), entry);
        }
        from = page.last_evaluated_key.filter(|it| !it.is_empty());
        if from.is_none() {
            return Ok(Some(listed));
        }
    }
    Ok(None)
}

/// Writes a value in one canonical form: sets and maps are sorted, and texts are quoted so that no
/// two values look alike.
fn written(value: &AttributeValue) -> String {
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all.join(",")
    };
    let bytes = |it: &aws_sdk_dynamodb::primitives::Blob| sha256(it.as_ref());
    match value {
        AttributeValue::S(text) => format!("{text:?}"),
        AttributeValue::N(number) => format!("n{number}"),
        AttributeValue::B(blob) => format!("b{}", bytes(blob)),
        AttributeValue::Bool(value) => format!("is{value}"),
        AttributeValue::Null(_) => "null".to_owned(),
        AttributeValue::L(all) => format!("[{}]", all.iter().map(written).collect::<Vec<_>>().join(",")),
        AttributeValue::M(all) => map(all),
        AttributeValue::Ss(all) => format!("s<{}>", sorted(all.iter().map(|it| format!("{it:?}")).collect())),
        AttributeValue::Ns(all) => format!("n<{}>", sorted(all.clone())),
        AttributeValue::Bs(all) => format!("b<{}>", sorted(all.iter().map(bytes).collect())),
        other => format!("{other:?}"),
    }
}

fn map(all: &HashMap<String, AttributeValue>) -> String {
    let all: BTreeMap<&String, String> = all.iter().map(|(key, value)| (key, written(value))).collect();
    let pairs: Vec<String> = all.into_iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_item_is_written_the_same_and_others_are_not() {
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let set = |all: &[&str]| AttributeValue::Ss(all.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(written(&set(&["a", "b"])), written(&set(&["b", "a"])));
        assert_ne!(
            written(&AttributeValue::L(vec![s("a"), s("b")])),
            written(&AttributeValue::L(vec![s("b"), s("a")]))
        );
        assert_ne!(written(&s("1")), written(&AttributeValue::N("1".to_owned())));
        assert_ne!(written(&set(&["a,b"])), written(&set(&["a", "b"])));
        let one = HashMap::from([("a".to_owned(), s("x")), ("b".to_owned(), s("y"))]);
        let other = HashMap::from([("b".to_owned(), s("y")), ("a".to_owned(), s("x"))]);
        assert_eq!(map(&one), map(&other));
    }
}
