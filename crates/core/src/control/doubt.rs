//! Doubts about the mode: compares the control bucket with its second copy and with what serves.

use crate::cloud::{Cloud, CloudError, Scope};
use crate::control::mode::{KeptMode, recorded};
use crate::control::record::{Record, name};
use crate::control::witness::{Doubt, OPERATION, Sign, TRIES, Testimony, keep, testimony};
use crate::control::{ControlStore, StoreError};
use crate::kind::Statement;
use crate::objective::{Mode, Standing};

/// Reads the mode of the stack whose control bucket is `control`, and checks it against the second
/// record.
///
/// # Errors
/// The store's errors; a record of a newer format is an error, not an absence. A record that cannot
/// be read, or is missing although it existed, is a [`Doubt`].
pub async fn mode(
    store: &dyn ControlStore,
    cloud: &dyn Cloud,
    scope: &Scope,
    control: &str,
) -> Result<KeptMode, StoreError> {
    let (recorded, testimony) = tokio::join!(recorded(store), testimony(cloud, scope));
    Ok(weigh(recorded?, testimony, scope, control))
}

/// Compares the control bucket (`recorded`) with the second record.
fn weigh(
    recorded: KeptMode,
    testimony: Result<Option<Testimony>, CloudError>,
    scope: &Scope,
    control: &str,
) -> KeptMode {
    let known = recorded.record.as_ref().map(|it| it.standing.epoch);
    let testimony = match testimony {
        Ok(Some(testimony)) => testimony,
        // The first record is enough without the second one.
        Ok(None) => return recorded,
        Err(error) => {
            let unseen = || match error {
                // It was read, and says nothing.
                CloudError::Conflict { operation, message } if operation == OPERATION => {
                    Doubt::Unreadable(message)
                }
                error => Doubt::Unseen(error),
            };
            let doubt = if known.is_none() { recorded.doubt.or_else(|| Some(unseen())) } else { None };
            return KeptMode { doubt, ..recorded };
        }
    };
    let epoch = testimony.record.standing.epoch;
    // Before the first change of mode it says only which control bucket the stack has. A record that is
    // damaged was written at a change.
    if epoch == 0 && known.is_none() && recorded.doubt.is_none() && testimony.control == control {
        return KeptMode { testimony: Some(testimony), ..recorded };
    }
    let mode = recorded.record.as_ref().map(|it| it.standing.mode);
    let doubt = match (known, mode) {
        // A stack of the same name may have counted further.
        _ if testimony.control != control => Some(Doubt::Elsewhere(testimony.control.clone())),
        (Some(known), _) if known > epoch => None,
        (Some(known), Some(mode)) if known == epoch => {
            (mode != testimony.record.standing.mode).then_some(Doubt::Contradicted(mode))
        }
        (Some(known), _) => Some(Doubt::Older(known)),
        (None, _) => recorded.doubt.clone().or(Some(Doubt::Missing)),
    };
    if doubt.is_none() {
        return KeptMode { testimony: Some(testimony), ..recorded };
    }
    // Before the first change of mode there is none that could be incomplete.
    let mut record = Record { complete: epoch == 0, ..testimony.record.clone() };
    // Epochs never fall.
    record.standing.epoch = known.map_or(epoch, |known| known.max(epoch));
    let record = Some(record);
    let witnesses = vec![format!("the parameter `{}`", name(&scope.stack))];
    KeptMode { record, doubt, witnesses, testimony: Some(testimony), ..recorded }
}

impl KeptMode {
    /// Compares the mode with observed signs; in doubt if they show a change of mode that is not
    /// recorded.
    #[must_use]
    pub fn beside(self, signs: &[Sign]) -> Self {
        let epoch = |sign: &Sign| match sign.witness {
            Statement::Epoch(epoch) | Statement::Mode(_, epoch) => epoch,
            Statement::Region(_) | Statement::Traffic => 0,
        };
        let epoch = signs.iter().map(epoch).max().unwrap_or_default();
        let known = self.record.as_ref().map(|it| it.standing.epoch);
        if signs.is_empty() || known.is_some_and(|known| epoch <= known) {
            return if self.is_denied_by(signs) { self.testified(signs) } else { self };
        }
        let serves = signs.iter().any(|it| match it.witness {
            Statement::Region(_) | Statement::Traffic => true,
            // An older one has not been changed since.
            Statement::Mode(mode, of) => mode == Mode::Active && of == epoch,
            Statement::Epoch(_) => false,
        });
        let mode = if serves { Mode::Active } else { Mode::Standby };
        let standing = Standing { mode, epoch: epoch.max(u64::from(serves)), ..Standing::default() };
        let record = Record { complete: false, ..Record::of_no_run(standing) };
        let doubt = self.doubt.or(Some(known.map_or(Doubt::Missing, Doubt::Older)));
        let witnesses = signs.iter().map(|it| it.address.to_string()).collect();
        Self { record: Some(record), doubt, witnesses, ..self }
    }

    /// True if the record says that a failback is complete, and neither the second record nor what serves
    /// knows of it. A failback writes the second record before it changes anything, so this one was
    /// written by somebody else.
    fn is_denied_by(&self, signs: &[Sign]) -> bool {
        let (Some(record), Some(second)) = (&self.record, &self.testimony) else { return false };
        let said = &second.record.standing;
        let serves = |sign: &Sign| match sign.witness {
            Statement::Region(_) | Statement::Traffic => true,
            Statement::Mode(mode, of) => mode == Mode::Active && of == said.epoch,
            Statement::Epoch(_) => false,
        };
        self.doubt.is_none()
            && record.complete
            && (record.standing.mode, said.mode) == (Mode::Standby, Mode::Active)
            && signs.iter().any(serves)
    }

    /// Returns the mode that the second record and `signs` show, in place of a record that they deny.
    fn testified(self, signs: &[Sign]) -> Self {
        let Some(second) = self.testimony.clone() else { return self };
        let mut record = Record { complete: false, ..second.record };
        // Epochs never fall.
        let known = self.standing().epoch;
        record.standing.epoch = record.standing.epoch.max(known);
        let witnesses = signs.iter().map(|it| it.address.to_string()).collect();
        Self { record: Some(record), doubt: Some(Doubt::Contradicted(Mode::Standby)), witnesses, ..self }
    }

    /// True if the second record is missing or differs from the first one, which is in no doubt.
    ///
    /// There is a second one before the first change of mode: it names the control bucket, so that
    /// another one is not taken for that of a new stack.
    pub fn is_kept_once(&self, control: &str) -> bool {
        let epoch = self.standing().epoch;
        let same = |it: &Testimony| it.record.standing.epoch == epoch && it.control == control;
        self.doubt.is_none() && !self.testimony.as_ref().is_some_and(same)
    }

    /// Writes the record a second time; a newer one is left in place.
    ///
    /// # Errors
    /// The cloud's errors.
    pub async fn testify(&self, cloud: &dyn Cloud, scope: &Scope, control: &str) -> Result<(), CloudError> {
        let record = self.record.clone().unwrap_or_else(|| Record::of_no_run(Standing::default()));
        let testimony = Testimony { record, control: control.to_owned(), in_part: false };
        let mut tries = 1;
        loop {
            match keep(cloud, scope, &testimony, self.testimony.is_some()).await {
                Err(error) if error.is_transient() && tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::address::Address;
    use crate::control::record::FORMAT;
    use crate::control::witness::{LONGEST, broken};

    fn scope() -> Scope {
        let [stack, primary, standby] = ["demo", "us-east-1", "us-west-2"].map(Into::into);
        Scope { stack, primary, standby, secrets: std::sync::Arc::default() }
    }

    fn record(mode: Mode, epoch: u64) -> Record {
        let standing = Standing { mode, epoch, ..Standing::default() };
        Record {
            format: FORMAT,
            standing,
            since: Timestamp::UNIX_EPOCH,
            detected: None,
            served: None,
            run: "run".to_owned(),
            complete: true,
        }
    }

    fn recorded(record: Option<Record>) -> KeptMode {
        KeptMode { record, ..KeptMode::default() }
    }

    fn testimony(mode: Mode, epoch: u64, control: &str) -> Testimony {
        Testimony { record: record(mode, epoch), control: control.to_owned(), in_part: false }
    }

    fn weighed(first: Option<Record>, second: Option<Testimony>) -> KeptMode {
        weigh(recorded(first), Ok(second), &scope(), "ours")
    }

    fn sign(witness: Statement) -> Sign {
        Sign { address: Address::parse("fence.writers/it").unwrap(), witness }
    }

    #[test]
    fn a_record_that_is_missing_while_it_is_kept_a_second_time_is_a_doubt() {
        let kept = weighed(None, Some(testimony(Mode::Active, 3, "ours")));
        assert_eq!(kept.doubt, Some(Doubt::Missing));
        assert_eq!(
            (kept.standing().mode, kept.standing().epoch, kept.is_complete()),
            (Mode::Active, 3, false)
        );
        assert_eq!(kept.next(Mode::Active, &[]).epoch, 3, "it goes on");
        assert_eq!(kept.next(Mode::Standby, &[]).epoch, 4);
        assert_eq!(weighed(None, None).doubt, None, "it never failed over");
    }

    #[test]
    fn an_older_record_or_another_bucket_is_a_doubt_and_an_older_second_record_is_none() {
        let older = weighed(Some(record(Mode::Active, 1)), Some(testimony(Mode::Standby, 2, "ours")));
        assert_eq!((older.doubt.clone(), older.standing().epoch), (Some(Doubt::Older(1)), 2));
        for first in [None, Some(record(Mode::Standby, 1)), Some(record(Mode::Active, 2))] {
            let elsewhere = weighed(first, Some(testimony(Mode::Active, 2, "theirs")));
            assert_eq!(elsewhere.doubt, Some(Doubt::Elsewhere("theirs".to_owned())));
        }
        let contradicted = weighed(Some(record(Mode::Standby, 2)), Some(testimony(Mode::Active, 2, "ours")));
        assert_eq!(contradicted.doubt, Some(Doubt::Contradicted(Mode::Standby)));
        assert_eq!(contradicted.standing().mode, Mode::Active);
        let first = record(Mode::Active, 3);
        for second in [testimony(Mode::Standby, 2, "ours"), testimony(Mode::Active, 3, "ours")] {
            let kept = weighed(Some(first.clone()), Some(second));
            assert_eq!((kept.doubt, kept.record.as_ref()), (None, Some(&first)));
        }
    }

    #[test]
    fn another_bucket_is_not_believed_for_its_higher_epoch() {
        let kept = weighed(Some(record(Mode::Active, 9)), Some(testimony(Mode::Standby, 2, "theirs")));
        assert_eq!(kept.doubt, Some(Doubt::Elsewhere("theirs".to_owned())));
        assert_eq!(kept.standing().mode, Mode::Standby);
        assert_eq!(kept.next(Mode::Active, &[]).epoch, 10, "epochs never fall");
    }

    #[test]
    fn before_the_first_change_of_mode_the_second_record_names_the_control_bucket_alone() {
        let kept = weighed(None, Some(testimony(Mode::Standby, 0, "ours")));
        assert_eq!((kept.doubt.clone(), kept.record.clone()), (None, None));
        assert!(!kept.is_kept_once("ours") && weighed(None, None).is_kept_once("ours"));
        let damaged = Doubt::Damaged("cut short".to_owned());
        let first = KeptMode { doubt: Some(damaged.clone()), ..KeptMode::default() };
        let kept = weigh(first, Ok(Some(testimony(Mode::Standby, 0, "ours"))), &scope(), "ours");
        assert_eq!((kept.doubt.clone(), kept.standing().mode), (Some(damaged), Mode::Standby));
        assert!(kept.record.is_some(), "the second record says that the primary serves");
        let elsewhere = weighed(None, Some(testimony(Mode::Standby, 0, "theirs")));
        assert_eq!(elsewhere.doubt, Some(Doubt::Elsewhere("theirs".to_owned())));
    }

    #[test]
    fn who_could_not_look_at_the_second_record_does_not_take_a_missing_first_one_for_none() {
        let lost = || CloudError::Throttled { operation: "mode".to_owned() };
        let weigh = |first| weigh(recorded(first), Err(lost()), &scope(), "ours");
        assert!(matches!(weigh(None).doubt, Some(Doubt::Unseen(_))));
        assert_eq!(weigh(Some(record(Mode::Standby, 2))).doubt, None);
    }

    #[test]
    fn a_second_record_that_is_damaged_is_made_anew_by_who_states_the_mode() {
        let weigh = |first| weigh(recorded(first), Err(broken("damaged".to_owned())), &scope(), "ours");
        assert_eq!(weigh(None).doubt, Some(Doubt::Unreadable("damaged".to_owned())));
        assert_eq!(weigh(Some(record(Mode::Standby, 2))).doubt, None);
    }

    #[test]
    fn what_applications_are_told_of_a_failover_is_a_witness_of_it() {
        let traffic = weighed(None, None).beside(&[sign(Statement::Traffic)]);
        assert_eq!((traffic.doubt.clone(), traffic.standing().mode), (Some(Doubt::Missing), Mode::Active));
        assert_eq!(traffic.standing().epoch, 1);
        let signs = [sign(Statement::Epoch(4)), sign(Statement::Region("us-west-2".to_owned()))];
        let fence = weighed(None, None).beside(&signs);
        assert_eq!((fence.standing().mode, fence.standing().epoch), (Mode::Active, 4));
        // Failed back: epochs never fall.
        let back = weighed(None, None).beside(&[sign(Statement::Epoch(4))]);
        assert_eq!((back.doubt.clone(), back.standing().mode), (Some(Doubt::Missing), Mode::Standby));
        assert_eq!(back.next(Mode::Active, &[]).epoch, 5);
        // What a change of mode has sized says so itself, as of its newest epoch.
        for (newest, mode) in [(Mode::Active, Mode::Active), (Mode::Standby, Mode::Standby)] {
            let signs =
                [(Mode::Active, 3), (newest, 4)].map(|(mode, epoch)| sign(Statement::Mode(mode, epoch)));
            let sized = weighed(None, None).beside(&signs);
            assert_eq!((sized.standing().mode, sized.standing().epoch), (mode, 4));
        }
        let behind = weighed(Some(record(Mode::Standby, 2)), None).beside(&signs);
        assert_eq!((behind.doubt.clone(), behind.standing().epoch), (Some(Doubt::Older(2)), 4));
    }

    #[test]
    fn a_failback_that_neither_the_second_record_nor_what_serves_knows_of_is_a_doubt() {
        let first = || Some(record(Mode::Standby, 3));
        let kept = |second| weighed(first(), second);
        let second = || Some(testimony(Mode::Active, 2, "ours"));
        let serves = [Statement::Traffic, Statement::Mode(Mode::Active, 2), Statement::Region("west".into())];
        for sign in serves.map(sign) {
            let denied = kept(second()).beside(std::slice::from_ref(&sign));
            assert_eq!(denied.doubt, Some(Doubt::Contradicted(Mode::Standby)), "{sign:?}");
            assert_eq!((denied.standing().mode, denied.is_complete()), (Mode::Active, false));
            assert_eq!(denied.next(Mode::Standby, &[]).epoch, 4, "epochs never fall");
            // The second record was not written, or is of the failback.
            for other in [None, Some(testimony(Mode::Standby, 3, "ours"))] {
                assert_eq!(kept(other).beside(std::slice::from_ref(&sign)).doubt, None, "{sign:?}");
            }
        }
        // What is left of the failover serves nobody.
        let left = [sign(Statement::Epoch(2)), sign(Statement::Mode(Mode::Active, 1))];
        assert_eq!(kept(second()).beside(&left).doubt, None);
        assert_eq!(kept(second()).beside(&[]).doubt, None);
    }

    #[test]
    fn signs_of_what_is_recorded_are_no_doubt() {
        let signs = [sign(Statement::Epoch(2)), sign(Statement::Traffic)];
        for record in [record(Mode::Active, 2), record(Mode::Standby, 3)] {
            let kept = weighed(Some(record.clone()), None).beside(&signs);
            assert_eq!((kept.doubt, kept.record), (None, Some(record)));
        }
    }

    #[test]
    fn a_second_record_that_is_too_long_says_so_and_leaves_out_the_parts_alone() {
        let only = (0..400).map(|it| format!("pool.inference-{it}")).collect();
        let mut long = testimony(Mode::Active, 1, "ours");
        long.record.standing.only = only;
        let text = long.text();
        assert!(text.len() <= LONGEST, "{}", text.len());
        let read: Testimony = serde_json::from_str(&text).unwrap();
        assert!(read.in_part && read.record.standing.only.is_empty());
        let kept = weighed(None, Some(read));
        let named = ["pool.inference-1".to_owned()];
        assert_eq!(kept.next(Mode::Active, &named).only, named);
    }
}
