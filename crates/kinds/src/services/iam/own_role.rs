//! Driver of roles that the stack creates: a trust policy and one inline policy.

use std::collections::BTreeSet;

use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::Kind;
use serde_json::Value;

use crate::aws::once::LastChanged;
use crate::aws::tags::{owned, owner_by_name};
use crate::aws::{Looked, Seen, Target};
use crate::services::iam::{calls as iam, changed};

/// A role that the stack creates; [`Kind::NAME`] is the last part of its address.
pub(crate) trait OwnRole: Kind {
    /// Returns its name.
    fn name(spec: &Self::Spec) -> &str;
    /// Returns the bucket that it replicates, if any.
    fn source(spec: &Self::Spec) -> Option<&str>;
    /// Returns the ARN of the policy that bounds it, if the stack names one.
    fn boundary(spec: &Self::Spec) -> Option<&str>;
    /// Returns the trust policy and the inline policy.
    fn policies(spec: &Self::Spec) -> (Value, Value);
    /// Returns the live state of `role`.
    fn live(role: iam::Role) -> Self::Live;
}

/// Implements the driver for such a role.
macro_rules! own_role {
    ($kind:ident) => {
        impl crate::aws::Driver for $kind {
            async fn read(at: &Target<'_>, ids: &[String]) -> Looked<Self::Live> {
                own_role::read::<Self>(at, ids).await
            }

            async fn list_owned(
                at: &Target<'_>,
                except: &[String],
            ) -> Result<Vec<Seen<Self::Live>>, CloudError> {
                own_role::list_owned::<Self>(at, except).await
            }

            async fn create(
                at: &Target<'_>,
                call: &Call,
                spec: &Self::Spec,
            ) -> Result<Seen<Self::Live>, CloudError> {
                own_role::create::<Self>(at, call, spec).await
            }

            async fn update(
                at: &Target<'_>,
                call: &Call,
                name: &str,
                spec: &Self::Spec,
                _: &[FieldChange],
            ) -> Result<(), CloudError> {
                own_role::update::<Self>(at, call, name, spec).await
            }

            async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
                crate::services::iam::calls::delete_role(at, name).await
            }
        }
    };
}
pub(crate) use own_role;

pub(crate) async fn read<K: OwnRole>(at: &Target<'_>, ids: &[String]) -> Looked<K::Live> {
    let roles = iam::roles_by_name(at, ids).await;
    ids.iter().zip(roles).map(|(id, role)| Ok(role?.map(|role| seen::<K>(at, id, role)))).collect()
}

pub(crate) async fn list_owned<K: OwnRole>(
    at: &Target<'_>,
    except: &[String],
) -> Result<Vec<Seen<K::Live>>, CloudError> {
    let mut names = iam::role_names(at).await?;
    let except: BTreeSet<&String> = except.iter().collect();
    names.retain(|name| !except.contains(name));
    let all = read::<K>(at, &names).await;
    let all: Result<Vec<_>, _> = all.into_iter().filter_map(Result::transpose).collect();
    Ok(all?.into_iter().filter(|seen| iam::is_for(&seen.owner, K::NAME)).collect())
}

pub(crate) async fn create<K: OwnRole>(
    at: &Target<'_>,
    call: &Call,
    spec: &K::Spec,
) -> Result<Seen<K::Live>, CloudError> {
    let ((trust, policy), name) = (K::policies(spec), K::name(spec));
    let (source, boundary) = (K::source(spec), K::boundary(spec));
    iam::create_role(at, name, source, boundary, (&trust, &policy), &owned(call, spec)).await?;
    at.aws.shared.get::<LastChanged>().now(&changed(name));
    let gone = || CloudError::Conflict {
        operation: "iam:CreateRole".to_owned(),
        message: format!("`{name}` is not known everywhere yet"),
    };
    iam::role(at, name).await?.map(|role| seen::<K>(at, name, role)).ok_or_else(gone)
}

pub(crate) async fn update<K: OwnRole>(
    at: &Target<'_>,
    call: &Call,
    name: &str,
    spec: &K::Spec,
) -> Result<(), CloudError> {
    let (trust, policy) = K::policies(spec);
    if let Some(boundary) = K::boundary(spec) {
        iam::put_boundary(at, name, boundary).await?;
    }
    iam::update_role(at, name, &trust, &policy, &owned(call, spec)).await?;
    at.aws.shared.get::<LastChanged>().now(&changed(name));
    Ok(())
}

fn seen<K: OwnRole>(at: &Target<'_>, name: &str, role: iam::Role) -> Seen<K::Live> {
    let owner = owner_by_name(&role.tags, at.scope, name);
    Seen { id: name.to_owned(), owner, live: K::live(role) }
}
