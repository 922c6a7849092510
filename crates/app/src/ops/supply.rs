//! Says what the standby region lacks of the instances that a failover would add.

use drstack_core::address::Address;
use drstack_core::observe::Look;
use drstack_core::supply::{Lack, Quota, lacks, wanted};

use crate::failure::{Failure, shape_failure};
use crate::planned::PlanOutcome;
use crate::readiness::{Check, Finding, Weight};
use crate::session::Session;
use crate::text::{count, listed};

impl Session {
    /// Asks the standby region what it has for a failover of `planned`; `again` is the command that asks again.
    pub(super) async fn of_supply(
        &self,
        planned: &PlanOutcome,
        again: Option<String>,
    ) -> Result<Vec<Finding>, Failure> {
        let epoch = planned.mode.standing().epoch.saturating_add(1);
        let active = self.as_it_serves(&planned.facts.facts, epoch);
        let live = |address: &Address| match planned.seen.get(address) {
            Some(Look::Present(found)) => Some(found.live.clone()),
            _ => None,
        };
        let wanted = wanted(&active, &live, &planned.plan.outputs, &self.kinds);
        let wanted = wanted.map_err(|error| shape_failure(&error))?;
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let supply = self.cloud.supply(&self.scope, &wanted).await;
        let region = &self.stack.facts.standby;
        let unknown = supply.unknown.iter().map(|(what, error)| Finding {
            weight: Weight::Unknown,
            check: Check::Supply,
            address: region.clone(),
            text: format!("could not look at its {what}: {error}; {}", error.hint()),
            next: again.clone(),
        });
        let mut findings: Vec<Finding> = unknown.collect();
        for lack in lacks(&wanted, &supply) {
            let (text, next) = said(&lack, region);
            let weight = if lack.is_short() { Weight::NotReady } else { Weight::Note };
            findings.extend(lack.of().iter().map(|address| Finding {
                weight,
                check: Check::Supply,
                address: address.to_string(),
                text: text.clone(),
                next: next.clone(),
            }));
        }
        Ok(findings)
    }
}

/// Returns what to say of `lack`, and the command that mends it.
fn said(lack: &Lack, region: &str) -> (String, Option<String>) {
    match lack {
        Lack::NotOffered { types, instead, zones, .. } => {
            let place = match zones.is_empty() {
                true => region.to_owned(),
                false => listed(&zones.iter().collect::<Vec<_>>()),
            };
            let then = match instead {
                Some(instead) => format!("a failover takes {instead} in their place"),
                None => "a failover brings no instance up; name types that are offered there".to_owned(),
            };
            (format!("{} not offered in {place}: {then}", is(types)), None)
        }
        Lack::Quota { is_spot, adds, fits, quota, needs, .. } => {
            let Quota { name, unit, limit, used, raise } = quota;
            let then = match fits < adds {
                true => format!("the quotas of the account leave room for {fits}"),
                false => "they fit with other types than the best one".to_owned(),
            };
            let next = raise.as_ref().map(|it| it.replace(" N ", &format!(" {needs} ")));
            let option = if *is_spot { "spot" } else { "on-demand" };
            let adds = count(*adds as usize, &format!("{option} instance"));
            (
                format!(
                    "a failover adds {adds}, and {then}: of `{name}`, {used} of {limit} {unit} are in use"
                ),
                next,
            )
        }
        Lack::Addresses { adds, free, subnets, .. } => {
            let subnets = listed(&subnets.iter().collect::<Vec<_>>());
            let adds = count(*adds as usize, "instance");
            (format!("a failover adds {adds}, and {subnets} have {free} free addresses"), None)
        }
    }
}

fn is(names: &[String]) -> String {
    format!("{} {}", listed(names), if names.len() == 1 { "is" } else { "are" })
}
