//! `policy = "weighted"`: Route 53 answers with both sides, and a failback returns the primary's
//! share step by step.

use drstack_core::address::Address;
use drstack_core::component::{CompileCx, Problem};
use drstack_core::link::Link;
use drstack_core::objective::Mode;
use jiff::SignedDuration;

use super::{Policy, TrafficTable};
use crate::components::pool::Share;
use crate::services::route53::dns_weights::{DnsWeightsSpec, Gate, MOST_SHARES};

/// Default seconds of a step: the time for which resolvers cache an answer, and within which Route
/// 53's servers know of a change.
const PAUSE: u32 = 60;
/// Minimum and maximum seconds of a step: less shows nothing, more keeps the standby region's
/// capacity longer than an operator watches.
const PAUSES: (i64, i64) = (1, 3600);
/// Help for an invalid ramp.
const RAMP: &str = "write rising shares that end with all of it: `ramp = [\"5%\", \"25%\", \"100%\"]`";

/// Reports problems of the fields that set the weights.
pub(super) fn check(spec: &TrafficTable, out: &mut Vec<Problem>) {
    let given = [
        ("standby_share", spec.standby_share.is_some()),
        ("ramp", spec.ramp.is_some()),
        ("ramp_pause", spec.ramp_pause.is_some()),
    ];
    for (field, _) in given.iter().filter(|(_, given)| *given && spec.policy == Policy::Failover) {
        let message =
            format!("`{field}` says how records share by weight, and these are answered one at a time");
        let help = format!("write `policy = \"weighted\"`, or leave `{field}` out");
        out.push(Problem::error("DR255", field, message, help));
    }
    let mut refuse = |field: &'static str, message: String, help: &str| {
        out.push(Problem::error("DR255", field, message, help));
    };
    if let Some(share) = spec.standby_share.as_ref().filter(|it| it.percent().is_none_or(|it| it >= 100)) {
        let help = "write a whole per cent below 100: `\"10%\"`";
        refuse("standby_share", format!("`{}` is no share that leaves the primary some", share.0), help);
    }
    if let Some(ramp) = &spec.ramp {
        if !is_ramp(ramp) {
            let said: Vec<&str> = ramp.iter().map(|it| it.0.as_str()).collect();
            refuse("ramp", format!("`{}` is no way up to 100 %", said.join(", ")), RAMP);
        }
        if !spec.watch {
            let message =
                "`ramp` asks `probe` between two steps, and `watch = false` says that it cannot be asked";
            refuse("ramp", message.to_owned(), "leave one of the two out");
        }
    }
    if let Some(text) = &spec.ramp_pause {
        if pause(text).is_none() {
            let help = "write a time from one second to one hour: `2m`";
            refuse("ramp_pause", format!("`{text}` is no time to hold a step for"), help);
        }
        if spec.ramp.is_none() && spec.policy == Policy::Weighted {
            refuse("ramp_pause", "`ramp_pause` goes with `ramp`".to_owned(), RAMP);
        }
    }
}

fn is_ramp(ramp: &[Share]) -> bool {
    let shares: Option<Vec<u32>> = ramp.iter().map(Share::percent).collect();
    shares.is_some_and(|it| {
        (1..=MOST_SHARES).contains(&it.len())
            && it[0] > 0
            && it.windows(2).all(|two| two[0] < two[1])
            && it.last() == Some(&100)
    })
}

fn pause(text: &str) -> Option<u32> {
    let time = text.parse::<SignedDuration>().ok()?.as_secs();
    u32::try_from(time).ok().filter(|_| (PAUSES.0..=PAUSES.1).contains(&time))
}

/// Returns the primary's share of 100 while both are healthy; none if it is answered whenever it is
/// healthy.
pub(super) fn standing(spec: &TrafficTable) -> Option<u32> {
    let standby = spec.standby_share.as_ref().and_then(Share::percent).unwrap_or(0);
    (spec.policy == Policy::Weighted).then_some(100 - standby.min(100))
}

/// The probe of a side: the URL that users request, and the host that has to answer.
type Asked = (String, String);

/// Returns the weights of `pair`.
///
/// With a ramp, a region that failed over serves alone until the failback: a primary that is
/// healthy again must not get all users at once. A planned failover moves by the same shares, if
/// the standby's answer is known.
pub(super) fn of(
    spec: &TrafficTable,
    cx: &CompileCx<'_>,
    (pair, check): (&Address, &Address),
    primary: Asked,
    standby: Option<Asked>,
) -> Option<DnsWeightsSpec> {
    let all = standing(spec)?;
    let weights = |share, steps, gate| DnsWeightsSpec { pair: Link::id(pair), share, steps, gate };
    let Some(ramp) = &spec.ramp else { return Some(weights(all, Vec::new(), None)) };
    // Shares of the traffic that changes sides; a small share of a small share is at least one in a
    // hundred.
    let steps = ramp.iter().filter_map(Share::percent).map(|it| (all * it / 100).max(1));
    let mut steps: Vec<u32> = steps.filter(|it| *it < all).collect();
    steps.dedup();
    let seconds = spec.ramp_pause.as_deref().and_then(pause).unwrap_or(PAUSE);
    Some(match (cx.mode, standby) {
        (Mode::Standby, _) => {
            let (url, host) = primary;
            weights(all, steps, Some(Gate { url, host, check: Some(Link::id(check)), seconds, back: 0 }))
        }
        (Mode::Active, Some((url, host))) if cx.planned => {
            let steps = steps.iter().map(|it| all - it).collect();
            weights(0, steps, Some(Gate { url, host, check: None, seconds, back: all }))
        }
        (Mode::Active, _) => weights(0, Vec::new(), None),
    })
}
