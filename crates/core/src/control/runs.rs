//! Past runs, as their journals tell them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::address::{Address, ComponentAddress};
use crate::control::journal::{Entry, StepId, written};
use crate::control::{ControlStore, StoreError};
use crate::kind::Action;

/// Journals that are read at once.
const AT_ONCE: usize = 16;

/// What is stored of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The run. Its name begins with its start time.
    pub run: String,
    /// True if it ended with a report: a failover or a failback.
    pub has_report: bool,
}

/// A run, as its journal tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `apply`, `failover`; none if the journal's first line is missing or damaged.
    pub purpose: Option<String>,
    /// Start time.
    pub started: Option<Timestamp>,
    /// End time, if it ended by itself.
    pub ended: Option<Timestamp>,
    /// Number of steps in its plan.
    pub planned: Option<usize>,
    /// Each step that was begun, by its index in the plan.
    pub steps: BTreeMap<StepId, ToldStep>,
    /// The run that took over from it.
    pub sealed_by: Option<String>,
    /// Lines that cannot be read: damaged, or of another version.
    pub unreadable: usize,
}

/// A step of a past run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldStep {
    /// The resource.
    pub address: Address,
    /// The action.
    pub action: Action,
    /// What came of it.
    pub end: StepEnd,
}

/// What came of a step of a past run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepEnd {
    /// Its call was about to be made; nothing was written after that.
    Begun,
    /// Done, with the name or id of the object.
    Done(String),
    /// Done with less than the stack wants: the rung of its ladder, and why.
    Degraded(String),
    /// Failed, with the error.
    Failed(String),
}

impl Told {
    fn hear(&mut self, entry: Entry) {
        match entry {
            Entry::RunStarted { purpose, steps, at, .. } => {
                (self.purpose, self.planned, self.started) = (Some(purpose), Some(steps), Some(at));
            }
            Entry::Intent { step, address, action, .. } => {
                self.steps.insert(step, ToldStep { address, action, end: StepEnd::Begun });
            }
            Entry::Done { step, id } => self.end(step, StepEnd::Done(id)),
            Entry::Degraded { step, rung } => self.end(step, StepEnd::Degraded(rung)),
            Entry::Failed { step, error, .. } => self.end(step, StepEnd::Failed(error)),
            Entry::RunFinished { at } => self.ended = Some(at),
            Entry::Sealed { by } => self.sealed_by = Some(by),
        }
    }

    fn end(&mut self, step: StepId, end: StepEnd) {
        let Some(told) = self.steps.get_mut(&step) else { return };
        // A step that was done with less is done as well.
        if !matches!((&told.end, &end), (StepEnd::Degraded(_), StepEnd::Done(_))) {
            told.end = end;
        }
    }

    /// True if it ended by itself, did all that it began, and gave the lock back.
    pub fn is_whole(&self) -> bool {
        let is_done = |it: &ToldStep| matches!(it.end, StepEnd::Done(_) | StepEnd::Degraded(_));
        let has_ended = self.ended.is_some() && self.sealed_by.is_none();
        has_ended && self.unreadable == 0 && self.steps.values().all(is_done)
    }

    /// Returns the number of steps that ended as `is` says.
    pub fn count(&self, is: impl Fn(&StepEnd) -> bool) -> usize {
        self.steps.values().filter(|it| is(&it.end)).count()
    }
}

/// Lists the runs that the control store holds, oldest first.
///
/// # Errors
/// The store's errors.
pub async fn folders(store: &dyn ControlStore) -> Result<Vec<Folder>, StoreError> {
    let mut all: BTreeMap<String, bool> = BTreeMap::new();
    for key in store.list("runs/").await? {
        let mut parts = key.split('/').skip(1);
        if let (Some(run), Some(name)) = (parts.next(), parts.next()) {
            *all.entry(run.to_owned()).or_default() |= name == "report.json";
        }
    }
    Ok(all.into_iter().map(|(run, has_report)| Folder { run, has_report }).collect())
}

/// Reads the journals of `runs`, in this order.
///
/// # Errors
/// The store's errors.
pub async fn told(store: &dyn ControlStore, runs: &[&str]) -> Result<Vec<Told>, StoreError> {
    let read = runs.iter().map(|run| async {
        let mut told = Told::default();
        for line in written(store, run).await? {
            match serde_json::from_slice(&line) {
                Ok(entry) => told.hear(entry),
                Err(_) => told.unreadable += 1,
            }
        }
        Ok(told)
    });
    stream::iter(read).buffered(AT_ONCE).try_collect().await
}

/// Runs that are read at once on the way back.
const BACK: usize = 4;

/// What leads users: kinds of components, and the names of their resources that do.
#[derive(Clone, Debug, Default)]
pub struct Leading<'a> {
    /// Kinds of components.
    pub kinds: BTreeSet<&'a str>,
    /// Names of resources in them.
    pub resources: BTreeSet<&'a str>,
}

impl Leading<'_> {
    fn has(&self, address: &Address) -> bool {
        self.kinds.contains(address.component().kind()) && self.resources.contains(address.resource())
    }
}

/// Returns the components that lead users, and of which the bundle of run `since`, or the last whole apply if there is none,
/// does not say how they are: a run changed them and published nothing. Each is named with the newest such run. `holder`
/// is the run that has the lock.
///
/// # Errors
/// The store's errors.
pub async fn unsettled(
    store: &dyn ControlStore,
    leading: &Leading<'_>,
    since: Option<&str>,
    holder: Option<&str>,
) -> Result<BTreeMap<ComponentAddress, String>, StoreError> {
    let all = folders(store).await?;
    // The names of runs begin with their times.
    let newest = all.iter().rev().map(|it| it.run.as_str());
    let newest: Vec<&str> = newest.take_while(|run| since.is_none_or(|since| *run > since)).collect();
    let (mut found, mut unpublished) = (BTreeMap::new(), BTreeMap::new());
    let mut is_settled = false;
    for some in newest.chunks(BACK) {
        for (run, told) in some.iter().zip(told(store, some).await?) {
            let changed = told.steps.values().map(|it| &it.address).filter(|it| leading.has(it));
            let add = |to: &mut BTreeMap<ComponentAddress, String>| {
                for it in changed {
                    to.entry(it.component()).or_insert_with(|| (*run).to_owned());
                }
            };
            let is_whole = told.is_whole() && holder != Some(*run);
            match (told.purpose.as_deref(), is_whole) {
                // What came after it was done while the standby region served, and is published by none.
                (Some("failover"), _) if is_settled => return Ok(found),
                (Some("failover"), _) => unpublished.clear(),
                (Some("apply" | "sync"), true) => {
                    add(&mut unpublished);
                    is_settled |= told.purpose.as_deref() == Some("apply");
                    if is_settled && since.is_none() {
                        return Ok(found);
                    }
                }
                // A failback has its files, which need not be those of the bundle.
                _ if !is_settled => add(&mut found),
                _ => {}
            }
        }
    }
    for (component, run) in unpublished {
        found.entry(component).or_insert(run);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::control::Condition;
    use crate::control::journal::{FORMAT, Journal};
    use crate::control::memory::Memory;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn intent(step: StepId, address: &str) -> Entry {
        let address = Address::parse(address).unwrap();
        Entry::Intent { step, address, action: Action::Create, token: String::new() }
    }

    #[tokio::test]
    async fn a_run_is_told_as_its_journal_has_it() {
        let store = Arc::new(Memory::default());
        let mut journal = Journal::new(store.clone(), "20260101T000000Z-a");
        let begin = Entry::RunStarted {
            format: FORMAT,
            purpose: "failover".to_owned(),
            steps: 4,
            begun: [].into(),
            at: at(1),
        };
        let failed =
            Entry::Failed { step: 2, without_trace: true, unanswered: false, error: "no".to_owned() };
        let all = [begin, intent(0, "a.a/x"), intent(1, "a.a/y"), intent(2, "a.a/z"), intent(3, "a.a/w")];
        journal.append(&all).await.unwrap();
        let ends = [
            Entry::Done { step: 0, id: "x-1".to_owned() },
            Entry::Degraded { step: 1, rung: "spot".to_owned() },
            Entry::Done { step: 1, id: "y-1".to_owned() },
            failed,
        ];
        journal.append(&ends).await.unwrap();
        let damaged = "runs/20260101T000000Z-a/journal/000002.jsonl";
        store.put(damaged, b"{\"entry\":".to_vec(), Condition::Always).await.unwrap();
        store.put("runs/20260101T000000Z-a/report.json", b"{}".to_vec(), Condition::Always).await.unwrap();

        let all = folders(&*store).await.unwrap();
        assert_eq!(all, [Folder { run: "20260101T000000Z-a".to_owned(), has_report: true }]);
        let told = told(&*store, &["20260101T000000Z-a", "none"]).await.unwrap();
        assert_eq!(told[1], Told::default());
        let told = &told[0];
        assert_eq!(told.unreadable, 1);
        assert_eq!((told.purpose.as_deref(), told.planned, told.ended), (Some("failover"), Some(4), None));
        let ends: Vec<&StepEnd> = told.steps.values().map(|it| &it.end).collect();
        let wanted = [
            &StepEnd::Done("x-1".to_owned()),
            &StepEnd::Degraded("spot".to_owned()),
            &StepEnd::Failed("no".to_owned()),
            &StepEnd::Begun,
        ];
        assert_eq!(ends, wanted);
        assert_eq!(told.count(|it| matches!(it, StepEnd::Begun)), 1);
    }

    fn leading() -> Leading<'static> {
        Leading { kinds: ["traffic"].into(), resources: ["dns-record"].into() }
    }

    /// Writes the journal of a run that changed something of `traffic.api`; its steps end if it is `whole`.
    async fn ran(store: &Arc<Memory>, run: &str, purpose: &str, whole: bool) {
        let mut journal = Journal::new(store.clone(), run);
        let (purpose, begun) = (purpose.to_owned(), [].into());
        let begin = Entry::RunStarted { format: FORMAT, purpose, steps: 1, begun, at: at(1) };
        journal
            .append(&[begin, intent(0, "traffic.api/dns-record"), intent(1, "pool.a/group")])
            .await
            .unwrap();
        if whole {
            let done = |step| Entry::Done { step, id: "x".to_owned() };
            journal.append(&[done(0), done(1), Entry::RunFinished { at: at(2) }]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_leads_users_is_unsettled_from_a_run_that_died_until_one_that_is_whole_or_published() {
        // The runs in their order, the run of the bundle, and which run left it unsettled.
        type Life = (&'static [(&'static str, bool)], Option<&'static str>, Option<&'static str>);
        let lives: [Life; 12] = [
            (&[("apply", true)], None, None),
            (&[("apply", true)], Some("0"), None),
            (&[("apply", true), ("apply", false)], Some("0"), Some("1")),
            (&[("apply", true), ("apply", false), ("apply", true)], Some("2"), None),
            (&[("apply", true), ("sync", false), ("failover", true)], Some("0"), Some("1")),
            // It did all of it, and what it did was not published.
            (&[("apply", true), ("apply", true)], Some("0"), Some("1")),
            // While the standby region serves, an apply publishes nothing.
            (&[("apply", true), ("failover", true), ("apply", true)], Some("0"), None),
            (&[("apply", true), ("failover", true), ("apply", false), ("apply", true)], Some("0"), None),
            (
                &[("apply", true), ("failover", true), ("apply", true), ("failback", true)],
                Some("0"),
                Some("3"),
            ),
            (&[("apply", true), ("failover", true), ("failback", true), ("apply", true)], Some("3"), None),
            (
                &[("apply", true), ("failover", true), ("failback", true), ("apply", false)],
                Some("0"),
                Some("3"),
            ),
            (&[("apply", true), ("destroy", true)], None, Some("1")),
        ];
        for (runs, since, left) in lives {
            let store = Arc::new(Memory::default());
            for (number, (purpose, whole)) in runs.iter().enumerate() {
                ran(&store, &number.to_string(), purpose, *whole).await;
            }
            let found = unsettled(&*store, &leading(), since, None).await.unwrap();
            let expected = left.map(|run| (ComponentAddress::new("traffic.api"), run.to_owned()));
            assert_eq!(found, expected.into_iter().collect(), "{runs:?} since {since:?}");
        }
        // A run that has the lock has published nothing yet, however whole it looks.
        let store = Arc::new(Memory::default());
        ran(&store, "0", "apply", true).await;
        let found = unsettled(&*store, &leading(), None, Some("0")).await.unwrap();
        assert_eq!(found.len(), 1);
    }
}
