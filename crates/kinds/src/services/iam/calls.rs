//! Calls of IAM that several kinds share.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{EntityType, Tag};
use drstack_core::address::Address;
use drstack_core::cloud::{CloudError, Owner};
use serde_json::Value;

use crate::aws::built;
use crate::aws::once::SingleFlight;
use crate::aws::tags::{self, Tags};
use crate::aws::{Target, absent, has_code};

/// Single-flight listing of the stack's roles, by name and path, for kinds that need it at the same
/// moment.
#[derive(Default)]
struct Roles(SingleFlight<Vec<(String, String)>>);

/// Name of the one inline policy of a role that drstack creates.
const POLICY: &str = "drstack";

/// Maximum number of items in one page of IAM.
const PAGE: i32 = 1000;

/// Error codes of IAM for a missing object.
const NONE: &[&str] = &["NoSuchEntity", "NoSuchEntityException"];

/// A role with its inline policy.
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) trust: Value,
    /// Null if the inline policy is missing.
    pub(crate) policy: Value,
    /// ARN of the policy that bounds it.
    pub(crate) permissions_boundary: Option<String>,
    pub(crate) tags: Tags,
}

/// Returns the path of the stack's roles and profiles, so that one listing finds them.
pub(crate) fn path(at: &Target<'_>) -> String {
    format!("/drstack/{}/", at.scope.stack)
}

/// Part of the path of replication roles; the bucket's name follows.
const SOURCE: &str = "source/";

/// Decodes a policy document, which IAM returns percent-encoded.
fn document(text: Option<&str>) -> Value {
    let text = percent_encoding::percent_decode_str(text.unwrap_or_default()).decode_utf8_lossy();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Reads the role of this name.
pub(crate) async fn role(at: &Target<'_>, name: &str) -> Result<Option<Role>, CloudError> {
    let (role, policy) = tokio::join!(
        at.iam().get_role().role_name(name).send(),
        at.iam().get_role_policy().role_name(name).policy_name(POLICY).send(),
    );
    let Some(role) = absent(at, "iam:GetRole", NONE, role)?.and_then(|it| it.role) else { return Ok(None) };
    let policy = absent(at, "iam:GetRolePolicy", NONE, policy)?;
    Ok(Some(Role {
        arn: role.arn,
        trust: document(role.assume_role_policy_document.as_deref()),
        policy: policy.map_or(Value::Null, |it| document(Some(&it.policy_document))),
        permissions_boundary: role.permissions_boundary.and_then(|it| it.permissions_boundary_arn),
        tags: role.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
    }))
}

/// Number of roles above which one listing of all of the account's roles is cheaper than single
/// reads.
const BULK: usize = 4;

/// Reads the roles of these names, in order.
pub(crate) async fn roles_by_name(
    at: &Target<'_>,
    names: &[String],
) -> Vec<Result<Option<Role>, CloudError>> {
    if names.len() < BULK {
        let looks: Vec<_> = names.iter().map(|name| role(at, name)).collect();
        return futures_util::future::join_all(looks).await;
    }
    match all_roles(at).await {
        Ok(mut roles) => names.iter().map(|name| Ok(roles.remove(name))).collect(),
        Err(error) => names.iter().map(|_| Err(error.clone())).collect(),
    }
}

async fn all_roles(at: &Target<'_>) -> Result<BTreeMap<String, Role>, CloudError> {
    let mut roles = BTreeMap::new();
    let ask = at.iam().get_account_authorization_details().filter(EntityType::Role).max_items(PAGE);
    let mut pages = ask.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("iam:GetAccountAuthorizationDetails", error))?;
        for role in page.role_detail_list.unwrap_or_default() {
            let inline = role.role_policy_list.unwrap_or_default();
            let policy = inline.iter().find(|it| it.policy_name.as_deref() == Some(POLICY));
            let found = Role {
                arn: role.arn.unwrap_or_default(),
                trust: document(role.assume_role_policy_document.as_deref()),
                policy: policy.map_or(Value::Null, |it| document(it.policy_document.as_deref())),
                permissions_boundary: role.permissions_boundary.and_then(|it| it.permissions_boundary_arn),
                tags: role.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
            };
            roles.insert(role.role_name.unwrap_or_default(), found);
        }
    }
    Ok(roles)
}

/// Creates a role, or reuses the stack's existing one, and sets its policy.
///
/// The path of a replication role names its bucket, so that the listing finds the bucket too.
pub(crate) async fn create_role(
    at: &Target<'_>,
    name: &str,
    source: Option<&str>,
    boundary: Option<&str>,
    (trust, policy): (&Value, &Value),
    tags: &Tags,
) -> Result<(), CloudError> {
    const OPERATION: &str = "iam:CreateRole";
    let made = at
        .iam()
        .create_role()
        .role_name(name)
        .path(source.map_or_else(|| path(at), |bucket| format!("{}{SOURCE}{bucket}/", path(at))))
        .assume_role_policy_document(trust.to_string())
        .set_permissions_boundary(boundary.map(str::to_owned))
        .set_tags(Some(tag_list(OPERATION, tags)?))
        .send()
        .await;
    match made {
        Ok(_) => {}
        Err(error) if has_code(&error, &["EntityAlreadyExists", "EntityAlreadyExistsException"]) => {
            expect_ours(at, name).await?;
        }
        Err(error) => return Err(at.failed(OPERATION, error)),
    }
    put_policy(at, name, policy).await
}

async fn expect_ours(at: &Target<'_>, name: &str) -> Result<(), CloudError> {
    let owner = role(at, name).await?.map(|role| tags::owner_by_name(&role.tags, at.scope, name));
    match owner.is_some_and(|it| it.is_ours()) {
        true => Ok(()),
        false => Err(CloudError::Invalid {
            operation: "iam:CreateRole".to_owned(),
            code: "EntityAlreadyExists".to_owned(),
            message: format!("role `{name}` exists and is not this stack's"),
        }),
    }
}

/// Converts tags to IAM's type.
pub(crate) fn tag_list(operation: &str, tags: &Tags) -> Result<Vec<Tag>, CloudError> {
    tags.iter().map(|(key, value)| built(operation, Tag::builder().key(key).value(value).build())).collect()
}

/// Sets the role's inline policy and replaces an existing one.
pub(crate) async fn put_policy(at: &Target<'_>, name: &str, policy: &Value) -> Result<(), CloudError> {
    put_inline_policy(at, name, POLICY, policy).await
}

/// Reads the inline policy of this name on any role: null if the role has none, `None` if the role
/// does not exist.
pub(crate) async fn inline_policy(
    at: &Target<'_>,
    role: &str,
    name: &str,
) -> Result<Option<Value>, CloudError> {
    let (found, policy) = tokio::join!(
        at.iam().get_role().role_name(role).send(),
        at.iam().get_role_policy().role_name(role).policy_name(name).send(),
    );
    let found = absent(at, "iam:GetRole", NONE, found)?;
    let policy = absent(at, "iam:GetRolePolicy", NONE, policy)?;
    Ok(found.map(|_| policy.map_or(Value::Null, |it| document(Some(&it.policy_document)))))
}

/// Writes an inline policy of this name to a role and keeps its other policies.
pub(crate) async fn put_inline_policy(
    at: &Target<'_>,
    role: &str,
    name: &str,
    policy: &Value,
) -> Result<(), CloudError> {
    let put = at.iam().put_role_policy().role_name(role).policy_name(name);
    let put = put.policy_document(policy.to_string()).send().await;
    put.map(drop).map_err(|error| at.failed("iam:PutRolePolicy", error))
}

/// Deletes the inline policy of this name from a role.
pub(crate) async fn delete_inline_policy(at: &Target<'_>, role: &str, name: &str) -> Result<(), CloudError> {
    let gone = at.iam().delete_role_policy().role_name(role).policy_name(name).send().await;
    absent(at, "iam:DeleteRolePolicy", NONE, gone).map(drop)
}

/// Bounds a role by the managed policy of this ARN.
pub(crate) async fn put_boundary(at: &Target<'_>, name: &str, boundary: &str) -> Result<(), CloudError> {
    let put = at.iam().put_role_permissions_boundary().role_name(name).permissions_boundary(boundary);
    put.send().await.map(drop).map_err(|error| at.failed("iam:PutRolePermissionsBoundary", error))
}

/// Updates a role to its desired state.
pub(crate) async fn update_role(
    at: &Target<'_>,
    name: &str,
    trust: &Value,
    policy: &Value,
    tags: &Tags,
) -> Result<(), CloudError> {
    let trusted = at.iam().update_assume_role_policy().role_name(name).policy_document(trust.to_string());
    trusted.send().await.map_err(|error| at.failed("iam:UpdateAssumeRolePolicy", error))?;
    put_policy(at, name, policy).await?;
    let tagged = at.iam().tag_role().role_name(name).set_tags(Some(tag_list("iam:TagRole", tags)?));
    tagged.send().await.map(drop).map_err(|error| at.failed("iam:TagRole", error))
}

/// Deletes the role and its inline policy.
pub(crate) async fn delete_role(at: &Target<'_>, name: &str) -> Result<(), CloudError> {
    delete_inline_policy(at, name, POLICY).await?;
    let gone = at.iam().delete_role().role_name(name).send().await;
    absent(at, "iam:DeleteRole", NONE, gone).map(drop)
}

/// Lists the stack's roles: name and path.
async fn roles(at: &Target<'_>) -> Result<Vec<(String, String)>, CloudError> {
    at.aws.shared.get::<Roles>().0.ask(list_roles(at)).await
}

async fn list_roles(at: &Target<'_>) -> Result<Vec<(String, String)>, CloudError> {
    let mut roles = Vec::new();
    let mut pages = at.iam().list_roles().path_prefix(path(at)).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("iam:ListRoles", error))?;
        roles.extend(page.roles.into_iter().map(|role| (role.role_name, role.path)));
    }
    Ok(roles)
}

/// Lists the names of the stack's roles.
pub(crate) async fn role_names(at: &Target<'_>) -> Result<Vec<String>, CloudError> {
    Ok(roles(at).await?.into_iter().map(|(name, _)| name).collect())
}

/// Lists the buckets that the stack's roles replicate, each once.
pub(crate) async fn role_sources(at: &Target<'_>) -> Result<Vec<String>, CloudError> {
    let start = format!("{}{SOURCE}", path(at));
    let bucket = |(_, path): (String, String)| {
        path.strip_prefix(&start).map(|rest| rest.trim_end_matches('/').to_owned())
    };
    let mut buckets: Vec<String> = roles(at).await?.into_iter().filter_map(bucket).collect();
    buckets.sort();
    buckets.dedup();
    Ok(buckets)
}

/// True if the role's address ends in `resource`.
pub(crate) fn is_for(owner: &Owner, resource: &str) -> bool {
    matches!(owner, Owner::Ours(address) | Owner::Unproven(Some(address)) if Address::resource(address) == resource)
}
