//! IAM policies, one for each role of the operator: the calls that kinds, facts and the control
//! bucket declare for the commands of that role, and no other.

mod calls;
mod grants;
mod limits;
mod parts;
mod role;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::kind::{Operation, Side};
use drstack_core::stack::Stack;
use serde_json::{Value, json};

use crate::facts;
pub use calls::{CONTROL, SIDES, SUPPLY};
pub use parts::{MOST_CHARACTERS, characters, parts};
pub use role::Role;

use calls::Calls;
use limits::Limits;

/// Returns every declared operation, each once, wherever its call goes.
pub fn operations() -> BTreeSet<Operation> {
    let kinds = crate::kinds();
    let of_kinds = kinds.iter().flat_map(|kind| kind.operations().iter().copied());
    of_kinds
        .chain(facts::ALL.iter().flat_map(|(_, operations)| operations.iter().copied()))
        .chain(CONTROL.iter().chain(SIDES).chain(SUPPLY).copied())
        .map(|it| it.on(Side::OfKind))
        .collect()
}

/// Builds the policy of `role`, for `stack` or for every stack.
///
/// A policy for every stack knows neither regions nor names: tags, paths and prefixes limit it to
/// what drstack creates.
pub fn policy(role: Role, stack: Option<&Stack>) -> Value {
    let limits = stack.map_or_else(Limits::none, Limits::of);
    let mut statements: BTreeMap<&str, Statement> = BTreeMap::new();
    for ((service, action), call) in Calls::of(role, limits.kinds()).0 {
        for grant in grants::of(service, action, &call, role, &limits) {
            let statement = statements.entry(grant.sid).or_default();
            statement.actions.insert(format!("{service}:{action}"));
            statement.resources = grant.resources;
            statement.condition = grant.condition;
        }
    }
    let statements: Vec<Value> = statements.into_iter().map(|(sid, it)| it.write(sid)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A statement that allows.
#[derive(Default)]
struct Statement {
    actions: BTreeSet<String>,
    resources: Vec<String>,
    condition: Value,
}

impl Statement {
    fn write(self, sid: &str) -> Value {
        let Self { actions, resources, condition } = self;
        let resource = match &resources[..] {
            [one] => json!(one),
            all => json!(all),
        };
        let mut statement = json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource});
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        statement
    }
}
