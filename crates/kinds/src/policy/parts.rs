//! A policy as several: a managed policy takes [`MOST_CHARACTERS`].

use serde_json::{Value, json};

/// Most characters of a managed policy without white space (IAM User Guide, "IAM and AWS STS
/// quotas").
pub const MOST_CHARACTERS: usize = 6144;

/// Returns the number of characters that IAM counts: white space is none.
pub fn characters(policy: &Value) -> usize {
    policy.to_string().chars().count()
}

/// Splits `policy` into policies that allow the same together, each small enough for a managed one.
pub fn parts(policy: &Value) -> Vec<Value> {
    let whole = |statements: &[Value]| json!({"Version": policy["Version"], "Statement": statements});
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    let mut waiting: Vec<Value> =
        policy["Statement"].as_array().into_iter().flatten().rev().cloned().collect();
    while let Some(statement) = waiting.pop() {
        if characters(&whole(std::slice::from_ref(&statement))) > MOST_CHARACTERS
            && let Some(halves) = halves(&statement)
        {
            waiting.extend(halves);
            continue;
        }
        let last = parts.last_mut().filter(|part| {
            let with: Vec<Value> = part.iter().chain([&statement]).cloned().collect();
            part.is_empty() || characters(&whole(&with)) <= MOST_CHARACTERS
        });
        match last {
            Some(part) => part.push(statement),
            None => parts.push(vec![statement]),
        }
    }
    parts.iter().map(|it| whole(it)).collect()
}

/// Splits a statement by its resources: IAM holds each resource of a request against every
/// statement.
fn halves(statement: &Value) -> Option<[Value; 2]> {
    let resources = statement["Resource"].as_array().filter(|it| it.len() > 1)?;
    let (first, second) = resources.split_at(resources.len() / 2);
    let sid = statement["Sid"].as_str().unwrap_or_default();
    let half = |resources: &[Value], more: &str| {
        let mut half = statement.clone();
        half["Sid"] = json!(format!("{sid}{more}"));
        half["Resource"] = json!(resources);
        half
    };
    Some([half(second, "B"), half(first, "A")])
}
