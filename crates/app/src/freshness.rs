//! Age of a bundle: a signature proves who published it, and not that nothing newer was.

use std::fmt;
use std::str::FromStr;

use drstack_core::bundle::Bundle;
use drstack_core::keys::PublicKey;
use jiff::{SignedDuration, Timestamp};

use crate::failure::{Failure, Status};
use crate::text::duration;

/// Age from which an apply without changes publishes the bundle again: then its age says when an
/// apply last found it true. Once a day is seldom enough for a bucket that keeps older versions.
pub(crate) const RENEWED: SignedDuration = SignedDuration::from_hours(24);

/// Age from which a failover warns: two days in which no apply has renewed it.
const OLD: SignedDuration = SignedDuration::from_hours(48);

/// What the operator demands of a bundle.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// The public key that has to have signed it.
    pub verify_key: Option<PublicKey>,
    /// The earliest moment at which it may have been published.
    pub not_before: Option<NotBefore>,
}

/// The earliest moment, or the greatest age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBefore {
    /// A moment.
    At(Timestamp),
    /// An age.
    Within(SignedDuration),
}

impl NotBefore {
    /// Returns the moment, seen from `now`.
    fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            // More than all of time is no limit.
            Self::Within(age) => now.checked_sub(age).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for NotBefore {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let age = || text.parse().ok().filter(|it: &SignedDuration| it.is_positive());
        let found = text.parse().map(Self::At).ok().or_else(|| age().map(Self::Within));
        found.ok_or_else(|| "write a moment, `2026-11-24T03:00:00Z`, or an age, `36h`".to_owned())
    }
}

impl fmt::Display for NotBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => moment.fmt(f),
            Self::Within(age) => write!(f, "{age:#}"),
        }
    }
}

impl Demands {
    /// Fails if the absence of the bundle is not accepted: whoever deletes it gets no failover with what
    /// nobody signed. `key` has to have signed it.
    pub(crate) fn accept_none(&self, key: Option<&PublicKey>, control: &str) -> Result<(), Failure> {
        let why = match (&self.verify_key, key, self.not_before) {
            (Some(_), ..) => "`--verify-key` demands",
            (None, Some(_), _) => "`signing` of the stack demands",
            (None, None, Some(_)) => "`--not-before` demands",
            (None, None, None) => return Ok(()),
        };
        let message = format!("there is no bundle in `{control}`, and {why} one");
        let hint = "bring back the newest version of `bundle.json` and `bundle.json.sig` in the control bucket; or fail over with these files and what the primary last said there, which nobody signed: `--unsigned`";
        Err(Failure::new(Status::Failed, message, hint))
    }

    /// Fails if the bundle was published before the moment that the operator named.
    pub(crate) fn expect_fresh(&self, bundle: &Bundle, now: Timestamp) -> Result<(), Failure> {
        let Some(earliest) = self.not_before.map(|it| it.moment(now)) else { return Ok(()) };
        if bundle.applied_at >= earliest {
            return Ok(());
        }
        let message = format!(
            "the bundle was published {:.0} by run {}, and `--not-before` demands {earliest:.0} or later",
            bundle.applied_at, bundle.run
        );
        let hint = "bring back the newest version of `bundle.json` and `bundle.json.sig` in the control bucket, or name an earlier moment";
        Err(Failure::new(Status::Failed, message, hint))
    }
}

/// Returns the age of the bundle and its signer, which is the caller's `own` key or one that the
/// bundle names itself.
pub(crate) fn age(bundle: &Bundle, own: Option<&PublicKey>, now: Timestamp) -> String {
    let age = duration(now.duration_since(bundle.applied_at).unsigned_abs());
    let signed = match (own, &bundle.stack.signing) {
        (Some(key), _) => format!("signed by {key}"),
        (None, Some(key)) => format!("signed by the key that it names itself, {key}"),
        (None, None) => "not signed".to_owned(),
    };
    format!("The bundle is {age} old: published {:.0} by run {}, {signed}.", bundle.applied_at, bundle.run)
}

/// Returns a warning about a bundle that no apply has renewed for long, or that is of the future.
pub(crate) fn doubt(bundle: &Bundle, now: Timestamp) -> Option<String> {
    let old = now.duration_since(bundle.applied_at);
    let why = if old > OLD {
        format!("the bundle is {} old, and each day's first apply renews it", duration(old.unsigned_abs()))
    } else if old < -OLD {
        format!("the bundle is of {:.0}, which is yet to come", bundle.applied_at)
    } else {
        return None;
    };
    Some(format!(
        "warning: {why}: somebody may have put an older one back, or no apply has run since; `--not-before 48h` refuses such a bundle"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_moment_or_an_age() {
        let now: Timestamp = "2026-11-24T03:00:00Z".parse().unwrap();
        let moment = |text: &str| text.parse::<NotBefore>().map(|it| it.moment(now).to_string());
        assert_eq!(moment("36h").unwrap(), "2026-11-22T15:00:00Z");
        assert_eq!(moment("2026-11-20T00:00:00Z").unwrap(), "2026-11-20T00:00:00Z");
        assert_eq!("36h".parse::<NotBefore>().unwrap().to_string().parse(), "36h".parse::<NotBefore>());
        for other in ["", "yesterday", "-3h", "3"] {
            assert!(moment(other).is_err(), "{other}");
        }
    }
}
