//! The AWS objects of a stack: names and ids for other tools.

use std::collections::BTreeMap;

use drstack_core::address::Address;
use drstack_core::calls::region;
use drstack_core::cloud::Owner;
use drstack_core::observe::Look;
use drstack_core::plan::{Intent, Options};

use crate::failure::{Failure, Status, shape_failure};
use crate::session::Session;

/// An AWS object of a stack.
#[derive(Clone, Debug)]
pub struct Output {
    /// The resource.
    pub address: Address,
    /// Its kind.
    pub kind: String,
    /// A region, or `global`.
    pub region: String,
    /// Name or id of the object.
    pub id: String,
    /// What other resources may refer to, such as its ARN.
    pub values: BTreeMap<String, String>,
}

/// Returns the objects of the stack of `session` that exist, by address, and the number of those that
/// do not.
///
/// # Errors
/// Returns an error if one of them could not be observed: a tool would take it for absent.
pub async fn output(session: &mut Session) -> Result<(Vec<Output>, usize), Failure> {
    let mode = session.mode().await?.standing().mode;
    let (intent, targets, delete_data) = (Intent::Converge, Vec::new(), Default::default());
    let planned = session.plan(&Options { intent, mode, targets, delete_data }).await?;
    let (mut outputs, mut absent) = (Vec::new(), 0);
    for (address, look) in &planned.seen {
        let Some(resource) = planned.compiled.graph.resources.get(address) else { continue };
        let Some(kind) = session.kinds.get(&resource.kind).filter(|kind| kind.check().is_none()) else {
            continue;
        };
        match look {
            // A setting is of an object that is not the stack's.
            Look::Present(found) if !matches!(found.owner, Owner::Ours(_)) => {}
            Look::Present(found) => outputs.push(Output {
                address: address.clone(),
                kind: resource.kind.clone(),
                region: region(&session.scope, resource.place).to_owned(),
                id: found.id.clone(),
                values: kind.outputs(&found.id, &found.live).map_err(|error| shape_failure(&error))?,
            }),
            Look::Absent => absent += 1,
            Look::Unknown(error) => {
                let message = format!("could not look at {address}: {error}");
                return Err(Failure::new(Status::Failed, message, error.hint()));
            }
        }
    }
    Ok((outputs, absent))
}
