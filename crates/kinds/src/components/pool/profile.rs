//! The instance profile of a pool, and the role made for it.

use drstack_core::component::{CompileCx, Component, ResourceSet};
use drstack_core::facts::FactQuery;
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_core::objective::Mode;

use super::{NAME_LIMIT, PoolTable};
use crate::components::bucket::KEY;
use crate::components::{Fence, account};
use crate::facts::GroupFact;
use crate::names;
use crate::resources::{InstanceProfile, InstanceRole};
use crate::services::iam::instance_profile::InstanceProfileSpec;
use crate::services::iam::instance_role::InstanceRoleSpec;
use crate::services::ssm::parameter::folder;

/// Returns the instance profile: the named one, one for the data that the pool reads, or the
/// followed group's.
pub(super) fn profile(
    spec: &PoolTable,
    fact: Option<&GroupFact>,
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
) -> Option<Link> {
    if let Some(name) = &spec.instance_profile {
        return Some(Link::Known(name.clone()));
    }
    let followed = fact.and_then(|fact| fact.profile.as_deref());
    if spec.buckets.is_empty() && spec.tables.is_empty() {
        return followed.map(|name| Link::Known(name.to_owned()));
    }
    if let (Some(followed), Mode::Standby) = (followed, cx.mode) {
        replaced(spec, followed, out);
    }
    let name = names::owned(&cx.stack.name, cx.address, "instances", NAME_LIMIT);
    let role = role(spec, cx, &name);
    let is_owned = !role.buckets.is_empty();
    let role = Resource::named::<InstanceRole>(cx.resource("instance-role"), Place::Global, &name, &role);
    let role = out.add(match is_owned {
        true => role.resting_on(&FactQuery::account(), cx.facts),
        false => role.whatever_is_answered(),
    });
    let profile = InstanceProfileSpec { name: name.clone(), role: Link::id(&role) };
    let profile =
        Resource::named::<InstanceProfile>(cx.resource("instance-profile"), Place::Global, &name, &profile);
    Some(Link::id(&out.add(profile.whatever_is_answered())))
}

/// Returns the role: it reads what the pool names, with the keys of the copies, and the stack's
/// parameters where a fence writes some.
fn role(spec: &PoolTable, cx: &CompileCx<'_>, name: &str) -> InstanceRoleSpec {
    let texts = |links: Vec<Link>| links.into_iter().map(|link| link.text().to_owned());
    let mut role = InstanceRoleSpec {
        also: Vec::new(),
        name: name.to_owned(),
        account: account(cx),
        buckets: spec.buckets.iter().flat_map(|it| texts(cx.export(it, "arn"))).collect(),
        tables: spec.tables.iter().flat_map(|it| texts(cx.export(it, "arn"))).collect(),
        keys: spec.buckets.iter().flat_map(|it| texts(cx.export(it, KEY))).collect(),
        parameters: cx.sorts.contains(Fence::NAME).then(|| {
            let (partition, region) = (names::partition(&cx.stack.standby), &cx.stack.standby);
            format!("arn:{partition}:ssm:{region}:*:parameter{}*", folder(&cx.stack.name))
        }),
        permissions_boundary: cx.stack.permissions_boundary.clone(),
    };
    role.buckets.sort();
    role.tables.sort();
    role.keys.sort();
    role.keys.dedup();
    role
}

/// Warns that the instances lose what the profile of the followed group allows.
fn replaced(spec: &PoolTable, followed: &str, out: &mut ResourceSet) {
    let (field, what) = match (spec.buckets.is_empty(), spec.tables.is_empty()) {
        (false, true) => ("buckets", "`buckets`"),
        (true, _) => ("tables", "`tables`"),
        (false, false) => ("buckets", "`buckets` and `tables`"),
    };
    let message = format!(
        "{what} replace the followed group's instance profile `{followed}` by one that only reads them: it lacks every other \
         permission, such as to write, to pull images, to send logs and to open sessions"
    );
    let help = format!(
        "name the profile, and allow its role the copies in the standby region: `instance_profile = \"{followed}\"`"
    );
    out.warn("DR239", field, message, help);
}
