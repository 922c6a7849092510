//! What exists and is not ready: a run that leaves it so says so at its end.

use std::collections::BTreeMap;

use drstack_core::address::Address;
use drstack_core::observe::{Look, look_again};
use drstack_core::plan::Remark;

use crate::failure::{Failure, Status, shape_failure};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::text::count;

impl Session {
    /// Fails if something that `planned` found not to be ready, and left as it was, still is not. An apply
    /// that ends well promises that the stack can fail over.
    pub(crate) async fn expect_ready(&self, planned: &PlanOutcome) -> Result<(), Failure> {
        let waiting = self.still_waiting(planned).await?;
        let Some(first) = waiting.first() else { return Ok(()) };
        let more = match waiting.len() - 1 {
            0 => String::new(),
            more => format!("; {} not either", count(more, "other")),
        };
        let standby = &self.stack.facts.standby;
        let message = format!(
            "{standby} is as the stack has it, and not ready yet: {}: {}{more}",
            first.address, first.text
        );
        let hint = "`drstack plan STACK` shows what is not ready; until it is, a failover has what is there";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Looks again at what was not ready. What cannot be looked at is not ready.
    async fn still_waiting(&self, planned: &PlanOutcome) -> Result<Vec<Remark>, Failure> {
        // What is no target of this run is not what it promises.
        let targets = &planned.options.targets;
        let is_meant = |it: &Address| targets.is_empty() || targets.iter().any(|name| it.is_within(name));
        let named = planned.report.waiting.iter().filter_map(|it| Some((Address::parse(&it.address)?, it)));
        let named: BTreeMap<Address, &Remark> = named.filter(|(address, _)| is_meant(address)).collect();
        let graph = &planned.compiled.graph.resources;
        let resources = named.keys().filter_map(|address| graph.get(address));
        let seen = look_again(&*self.cloud, &self.kinds, &self.scope, resources).await;
        let mut waiting = Vec::new();
        for (address, remark) in named {
            let text = match seen.get(&address) {
                Some(Look::Present(found)) => {
                    let resource = &graph[&address];
                    let Some(kind) = self.kinds.get(&resource.kind) else { continue };
                    let compared = kind.compare(&resource.spec, &found.id, &found.live);
                    match compared.map_err(|error| shape_failure(&error))?.ready.lacks() {
                        Some(text) => text,
                        None => continue,
                    }
                }
                Some(Look::Unknown(error)) => format!("could not look: {error}"),
                Some(Look::Absent) | None => remark.text.clone(),
            };
            waiting.push(Remark { address: address.to_string(), text });
        }
        Ok(waiting)
    }
}
