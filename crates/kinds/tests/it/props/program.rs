//! The program on an operator's machine: the application as the command line calls it, on the
//! simulated cloud.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use drstack_app::accepted::Accepted;
use drstack_app::app::{App, Clouds};
use drstack_app::failure::{Failure, Status};
use drstack_app::freshness::Demands;
use drstack_app::host::Host;
use drstack_app::open::Source;
use drstack_app::operator::{News, Operator};
use drstack_app::ops::apply::{Apply, apply};
use drstack_app::ops::destroy::{Destroy, destroy};
use drstack_app::ops::failback::{Failback, failback};
use drstack_app::ops::failover::{self, Failover, failover};
use drstack_app::ops::unlock;
use drstack_app::planned::PlanOutcome;
use drstack_app::report::timeline::Report;
use drstack_app::session::Session;
use drstack_app::trust::Trust;
use drstack_core::cloud::{Cloud, Scope};
use drstack_core::control::ControlStore;
use drstack_core::engine::execute::PARALLELISM;
use drstack_core::plan::{Intent, Options};
use drstack_core::stack::Stack;
use drstack_core::verdict::{Evidence, Verdict};
use futures_util::future::{BoxFuture, FutureExt};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::desk::OperatorCloud;
use super::planted::{self, Flaw};

/// An operator at a machine, with a stack.
pub(crate) struct Program<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) desk: OperatorCloud,
    /// Name of its run, a new one each time.
    pub(crate) run: String,
    pub(crate) delete_data: &'a BTreeSet<String>,
    pub(crate) flaw: Option<Flaw>,
    /// The minimums that a failover accepts.
    pub(crate) minimum: Vec<Accepted>,
    /// The verdict on the last failover, with its evidence.
    pub(crate) judged: Mutex<Option<(Verdict, Evidence)>>,
    /// How long its last run took.
    pub(crate) took: Mutex<Duration>,
}

/// How the program ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// Everything is done, after this number of steps.
    Done(usize),
    /// Exit 4.
    Locked(String),
    /// Exit 1, or any other.
    Failed(String),
}

pub(crate) fn scope(stack: &Stack) -> Scope {
    Scope {
        stack: stack.facts.name.as_str().into(),
        primary: stack.facts.primary.as_str().into(),
        standby: stack.facts.standby.as_str().into(),
        secrets: Arc::default(),
    }
}

impl Program<'_> {
    pub(crate) async fn apply(&self) -> End {
        let ear = Arc::new(Ear::default());
        let ended = async {
            let mut session = Session::open(&self.app(&ear), self.stack.clone()).await?;
            let how = Apply {
                file: None,
                mode: None,
                targets: Vec::new(),
                delete_data: self.delete_data.clone(),
                signing_key: None,
                with_files: false,
                auto_approve: false,
                parallelism: PARALLELISM,
                typed: String::new(),
            };
            apply(&mut session, how).await
        };
        self.end(ended.await, &ear)
    }

    pub(crate) async fn destroy(&self) -> End {
        let ear = Arc::new(Ear::default());
        let ended = async {
            let mut session = Session::open(&self.app(&ear), self.stack.clone()).await?;
            let how = Destroy {
                targets: Vec::new(),
                delete_data: self.delete_data.clone(),
                auto_approve: false,
                parallelism: PARALLELISM,
                typed: String::new(),
            };
            destroy(&mut session, how).await
        };
        self.end(ended.await, &ear)
    }

    /// `drstack failover`, of `only` these addresses or of all.
    pub(crate) async fn failover(&self, only: &[String]) -> End {
        self.fail_over(&self.how(only)).await
    }

    /// `drstack failover` with the options `how`.
    pub(crate) async fn fail_over(&self, how: &Failover) -> End {
        let ear = Arc::new(Ear::default());
        let ended = async {
            let mut session = self.for_failover(&ear, how).await?;
            failover(&mut session, how).await
        };
        self.end(ended.await, &ear)
    }

    /// Plans a failover.
    pub(crate) async fn plan_failover(&self, only: &[String]) -> Result<PlanOutcome, Failure> {
        let (ear, how) = (Arc::new(Ear::default()), self.how(only));
        let mut session = self.for_failover(&ear, &how).await?;
        failover::planned(&mut session, &how).await
    }

    /// `drstack failback`.
    pub(crate) async fn failback(&self) -> End {
        let ear = Arc::new(Ear::default());
        let ended = async {
            let mut session = Session::open(&self.app(&ear), self.stack.clone()).await?;
            let how = Failback {
                dry_run: false,
                auto_approve: true,
                parallelism: PARALLELISM,
                typed: String::new(),
            };
            failback(&mut session, &how).await
        };
        self.end(ended.await, &ear)
    }

    /// Returns how long its last run took.
    pub(crate) fn took(&self) -> Duration {
        *self.took.lock().unwrap()
    }

    pub(crate) async fn unlock(&self) -> Result<(), Failure> {
        let session = Session::open(&self.app(&Arc::default()), self.stack.clone()).await?;
        let held = unlock::look(&session).await?;
        unlock::unlock(&session, &held).await
    }

    /// Plans an apply or a destroy in the stack's current mode.
    pub(crate) async fn plan(&self, intent: Intent) -> Result<PlanOutcome, Failure> {
        let mut session = Session::open(&self.app(&Arc::default()), self.stack.clone()).await?;
        let mode = session.mode().await?.standing().mode;
        let options = Options { intent, mode, targets: Vec::new(), delete_data: self.delete_data.clone() };
        session.plan(&options).await
    }

    /// Plans with these options.
    pub(crate) async fn plan_with(&self, options: &Options) -> Result<PlanOutcome, Failure> {
        Session::open(&self.app(&Arc::default()), self.stack.clone()).await?.plan(options).await
    }

    /// Returns the options for a failover of `only` these addresses, or of all.
    pub(crate) fn how(&self, only: &[String]) -> Failover {
        let minimum = planted::forget_minimum(self.flaw, &self.minimum);
        Failover {
            only: only.to_vec(),
            planned: false,
            drain_timeout: SignedDuration::from_mins(15),
            not_waiting_for: planted::go_alone(self.flaw, self.stack, only),
            minimum,
            detected_at: None,
            with_files: false,
            dry_run: false,
            auto_approve: true,
            parallelism: PARALLELISM,
            command: "drstack failover".to_owned(),
        }
    }

    async fn for_failover(&self, ear: &Arc<Ear>, how: &Failover) -> Result<Session, Failure> {
        // The commands are the stack's own, so trust in them is not tested here.
        let trust = Trust { planned: how.planned, unsigned: true, ..Trust::default() };
        let source = Source::Files(Box::new(self.stack.clone()), Demands::default());
        let session = Session::for_failover(&self.app(ear), source, &trust).await?;
        Ok(planted::look_everywhere(self.flaw, session))
    }

    /// Returns the application on this machine.
    fn app(&self, ear: &Arc<Ear>) -> App {
        let seat =
            Arc::new(Seat { desk: self.desk.clone(), run: self.run.clone(), runs: AtomicUsize::new(0) });
        let catalog = planted::catalog(self.flaw, &self.desk);
        App { catalog, clouds: seat.clone(), host: seat, operator: ear.clone(), typed: Vec::new() }
    }

    fn end(&self, ended: Result<Status, Failure>, ear: &Ear) -> End {
        let heard = std::mem::take(&mut *ear.heard());
        *self.took.lock().unwrap() = heard.took;
        if let Some((_, evidence)) = heard.judged {
            let evidence = planted::hopeful(self.flaw, evidence);
            *self.judged.lock().unwrap() = Some((Verdict::of(&evidence), evidence));
        }
        match ended {
            // A failover may be complete and still no recovery: `judged` has the verdict.
            Ok(Status::Done | Status::NotReady) | Err(_) if heard.is_complete => End::Done(heard.done),
            Ok(Status::Done) => End::Done(heard.done),
            Ok(status) => End::Failed(format!("{status:?}: {:?}", heard.failed)),
            Err(failure) if failure.status == Status::Locked => End::Locked(failure.message),
            Err(failure) => End::Failed(format!("{} {:?}", failure.message, heard.failed)),
        }
    }
}

/// The machine that a program runs on, with the cloud that it reaches from there.
struct Seat {
    desk: OperatorCloud,
    run: String,
    /// Number of runs that have begun. A failback may take two.
    runs: AtomicUsize,
}

impl Clouds for Seat {
    fn connect<'a>(&'a self, _: &'a Stack, _: &'a Scope) -> BoxFuture<'a, Result<Arc<dyn Cloud>, Failure>> {
        std::future::ready(Ok(Arc::new(self.desk.clone()) as Arc<dyn Cloud>)).boxed()
    }

    fn control<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn ControlStore>, Failure>> {
        unreachable!("each property has the files of its stack")
    }
}

impl Host for Seat {
    fn user(&self) -> String {
        self.run.clone()
    }

    fn name(&self) -> String {
        "machine".to_owned()
    }

    fn run(&self, _: Timestamp) -> String {
        match self.runs.fetch_add(1, Ordering::Relaxed) {
            0 => self.run.clone(),
            again => format!("{}-{again}", self.run),
        }
    }

    fn rest(&self, span: Duration) -> BoxFuture<'_, ()> {
        self.desk.rest(span).boxed()
    }

    fn requests_to_stop(&self) -> watch::Receiver<u32> {
        watch::channel(0).1
    }

    fn hold(&self, _: bool) {}
}

/// Records the results that the program reports.
#[derive(Default)]
struct Ear(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    /// Steps that were done.
    done: usize,
    /// How long the last run took.
    took: Duration,
    /// True if a change of mode is complete.
    is_complete: bool,
    /// Failed steps and blocked addresses.
    failed: Vec<String>,
    judged: Option<(Verdict, Evidence)>,
}

impl Ear {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap()
    }
}

impl Operator for Ear {
    fn tell(&self, news: News<'_>) {
        let mut heard = self.heard();
        match news {
            News::Plan { planned, .. } => {
                let blocked = planned.report.blocked.iter();
                heard.failed = blocked.map(|it| format!("{}: {}", it.address, it.text)).collect();
            }
            News::Finished { summary, .. } => {
                heard.done += summary.done;
                heard.took = summary.elapsed;
            }
            News::StepFailed { address, message, .. } => heard.failed.push(format!("{address}: {message}")),
            News::StandbyServes { .. } => heard.is_complete = true,
            News::Report { report, evidence } => {
                heard.is_complete = report.complete;
                heard.judged = report.verdict.map(|verdict| (verdict, evidence.clone()));
            }
            _ => {}
        }
    }

    /// A random stack may have nothing in common with the one before it, which an apply and a destroy
    /// ask about: they are approved here, and not beforehand.
    fn approve(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn page(&self, _: &Report) -> String {
        String::new()
    }
}
