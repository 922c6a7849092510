use drstack_core::cloud::CloudError;

use super::fields::{ALIAS, RECORD};
use super::{DnsFact, is_zone_id};
use crate::aws::{Ask, Target};
use crate::ledger::FieldSetting;
use crate::services::route53::calls as route53;
use crate::services::route53::dns_record;

impl Ask for DnsFact {
    async fn ask(at: &Target<'_>, name: &str) -> Result<Option<DnsFact>, CloudError> {
        let (zone, record) = name.split_once('/').unwrap_or((name, ""));
        let zones = route53::zones(at, zone).await?;
        let Some((id, zone_name)) = zones.first() else { return Ok(None) };
        let zone = if is_zone_id(zone) { zone_name } else { zone };
        // An empty record means the zone's own name.
        let record = if record.is_empty() {
            route53::plain(zone)
        } else {
            route53::plain(&format!("{record}.{zone}"))
        };
        let mut fact = DnsFact { record, ..DnsFact::default() };
        for set in route53::records(at, id, &fact.record).await?.unwrap_or_default() {
            if dns_record::side_of(at.scope, &set).is_some() {
                continue;
            }
            match dns_record::simple(&set) {
                Some(simple) => {
                    let evaluates = set.alias_target().is_some_and(|it| it.evaluate_target_health);
                    fact.simple = Some(simple);
                    fact.not_carried.add(&ALIAS, [("EvaluateTargetHealth", FieldSetting::flag(evaluates))]);
                    fact.not_carried.add(
                        &RECORD,
                        [
                            ("HealthCheckId", FieldSetting::flag(set.health_check_id().is_some())),
                            (
                                "TrafficPolicyInstanceId",
                                FieldSetting::flag(set.traffic_policy_instance_id().is_some()),
                            ),
                        ],
                    );
                }
                None => fact.others.push(route53::describe(&set)),
            }
        }
        fact.zones = zones.into_iter().map(|(id, _)| id).collect();
        Ok(Some(fact))
    }
}
