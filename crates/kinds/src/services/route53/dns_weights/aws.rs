//! Its calls, and the gate between two shares.

use std::time::Duration;

use aws_sdk_route53::types::HealthCheckObservation;
use drstack_core::cloud::{Call, CloudError};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{DnsWeights, DnsWeightsLive, DnsWeightsSpec, Gate};
use crate::aws::{Looked, Seen, SettingDriver, Target, each, setting};
use crate::services::checks::probe;
use crate::services::route53::dns_record::{share, weigh};

/// How errors name a ramp.
const RAMP: &str = "ramp";
/// How often the primary is asked while a share is held: enough for a rate.
const ASKED: u32 = 20;
/// How many of these may go wrong: 95 % answer well.
const FAIL: u32 = 1;
/// Longest that one answer may take: far more than users wait for.
const ANSWER: Duration = Duration::from_secs(10);
/// Per cent of Route 53's checkers by whose word an endpoint is healthy: more than 18 (developer guide, how Route 53 determines
/// whether a health check is healthy).
const CHECKERS: usize = 18;

impl SettingDriver for DnsWeights {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<DnsWeightsLive> {
        each(ids, |id| async move { look(at, &id).await }).await
    }

    /// A pair is made with the share that stays.
    async fn create(
        at: &Target<'_>,
        _: &Call,
        spec: &DnsWeightsSpec,
    ) -> Result<Seen<DnsWeightsLive>, CloudError> {
        look(at, spec.pair.text()).await?.ok_or_else(|| no_pair(spec))
    }

    /// The next share. A side gets more once what stands held for a while.
    async fn update(at: &Target<'_>, _: &Call, id: &str, spec: &DnsWeightsSpec) -> Result<(), CloudError> {
        let stands = share(at, id).await?.ok_or_else(|| no_pair(spec))?;
        let next = spec.next(stands);
        let Some(gate) = spec.gate(stands, next) else { return weigh(at, id, next).await };
        let side = Side::of(spec, gate);
        hold(at, id, gate, &side, stands).await?;
        weigh(at, id, next).await?;
        if next == spec.share { hold(at, id, gate, &side, next).await } else { Ok(()) }
    }
}

fn no_pair(spec: &DnsWeightsSpec) -> CloudError {
    let message = format!("`{}` is not answered by weight", spec.pair.text());
    CloudError::Conflict { operation: RAMP.to_owned(), message }
}

async fn look(at: &Target<'_>, id: &str) -> Result<Option<Seen<DnsWeightsLive>>, CloudError> {
    let share = share(at, id).await?;
    let live = |primary| DnsWeightsLive { pair: id.to_owned(), primary };
    Ok(share.map(|it| setting(id.to_owned(), live(it))))
}

/// The side that gets more.
enum Side {
    Primary,
    Standby,
}

impl Side {
    fn of(spec: &DnsWeightsSpec, gate: &Gate) -> Self {
        if gate.raises(spec.share) { Self::Primary } else { Self::Standby }
    }
}

/// Holds a share of the primary's. Where the side that gets more does not answer well it loses what it was given.
async fn hold(at: &Target<'_>, id: &str, gate: &Gate, side: &Side, share: u32) -> Result<(), CloudError> {
    let Some(why) = answers_badly(at, gate).await? else { return Ok(()) };
    let back = gate.back;
    let (who, has, is_given) = match side {
        Side::Primary => ("the primary", share, share > back),
        Side::Standby => ("the standby region", 100 - share.min(100), share < back),
    };
    let at_host = format!("{who} does not answer well with a share of {has} %: {why}");
    // Nothing was given yet: it is waited for.
    if !is_given {
        return Err(CloudError::Conflict { operation: RAMP.to_owned(), message: at_host });
    }
    weigh(at, id, back).await?;
    // Nobody tries that again without a person having looked.
    let (code, now) = match side {
        Side::Primary => ("PrimaryAnswersBadly", "the standby region serves alone again".to_owned()),
        Side::Standby => ("StandbyAnswersBadly", format!("the primary has its {back} % again")),
    };
    let message = format!("{at_host}; {now}");
    Err(CloudError::Invalid { operation: RAMP.to_owned(), code: code.to_owned(), message })
}

/// Asks for as long as the gate says; what is wrong, if anything is.
async fn answers_badly(at: &Target<'_>, gate: &Gate) -> Result<Option<String>, CloudError> {
    let time = Duration::from_secs(gate.seconds.into());
    let (mut turns, begin) = (interval(time / ASKED), Instant::now());
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut asked, mut failed) = (0, 0);
    while asked < ASKED {
        turns.tick().await;
        asked += 1;
        let answer = timeout(ANSWER, probe::answer(&gate.url, &gate.host)).await;
        let wrong = match answer {
            Ok(answer) => answer.err().map(|error| error.to_string()),
            Err(_) => Some(format!("`{}` took longer than {} s", gate.host, ANSWER.as_secs())),
        };
        let Some(wrong) = wrong else { continue };
        failed += 1;
        if failed > FAIL {
            return Ok(Some(format!("{failed} of {asked} probes failed, the last with {wrong}")));
        }
    }
    tokio::time::sleep_until(begin + time).await;
    let Some(check) = &gate.check else { return Ok(None) };
    let check = at.route53().get_health_check_status().health_check_id(check.text()).send().await;
    let check = check.map_err(|error| at.failed("route53:GetHealthCheckStatus", error))?;
    let all = &check.health_check_observations;
    let well = all.iter().filter(|it| is_well(it)).count();
    let says = || format!("{well} of {} checkers of Route 53 reach it", all.len());
    Ok((100 * well <= CHECKERS * all.len()).then(says))
}

/// The status is a sentence; of one who was answered well it begins so.
fn is_well(observed: &HealthCheckObservation) -> bool {
    let status = observed.status_report().and_then(|it| it.status());
    status.is_some_and(|it| it.starts_with("Success"))
}
