//! What a failover changed and the stack no longer names: parts of it, and settings of others.
//!
//! Nobody owns such settings, so no listing shows them: a role that a fence denied would stay denied
//! for good. The control bucket has their names until they are undone.

use std::collections::BTreeSet;

use drstack_core::address::ComponentAddress;
use drstack_core::bundle::Bundle;
use drstack_core::cloud::{Found, Owner};
use drstack_core::compile::{compile, queries};
use drstack_core::control::StoreError;
use drstack_core::control::mode::KeptMode;
use drstack_core::control::published::bundle;
use drstack_core::control::record;
use drstack_core::control::undo::{self, Setting};
use drstack_core::facts::{Fact, FactQuery, Facts};
use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::{DynKind, Place, Role};
use drstack_core::objective::{Mode, Standing};
use drstack_core::observe::{Look, Observed, Owned};
use drstack_core::plan::{Intent, Options, PlanReport, Remark};
use drstack_core::stack::Stack;
use jiff::SignedDuration;

use crate::failure::{Failure, Status, shape_failure, store_failure};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::text::count;

/// One run asks all its questions within this time.
const OF_ONE_RUN: SignedDuration = SignedDuration::from_mins(1);

impl Session {
    /// Fails if the stack no longer names what the record of a failover names: a part that failed over
    /// on its own, or a pool whose minimum the operator accepted. Under another name it would be in
    /// standby.
    fn expect_named(&self, options: &Options, now: &Standing) -> Result<(), Failure> {
        if (options.intent, options.mode) != (Intent::Converge, Mode::Active) {
            return Ok(());
        }
        let is_named = |name: &str| self.stack.components.keys().any(|it| it.is_within(name));
        let recorded = now.only.iter().map(String::as_str).chain(now.minimum.pools());
        let Some(name) = recorded.into_iter().find(|name| !is_named(name)) else { return Ok(()) };
        let message = format!("`{name}` has failed over, and the stack no longer names it");
        let hint = "write its name again, fail back, and rename or remove it after that";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Fails if an apply or a failback would leave a setting as runs changed it, or if the record of
    /// the failover names what the stack does not.
    pub(super) async fn expect_nothing_left(
        &self,
        options: &Options,
        want: &Graph,
        mode: &KeptMode,
        (report, seen): (&PlanReport, &Observed),
    ) -> Result<(), Failure> {
        self.expect_named(options, &mode.standing())?;
        self.expect_undone(options, want, mode).await?;
        self.expect_all_there(options, want, seen).await?;
        self.expect_way_back(options, report, seen)
    }

    /// Fails if a failover from files alone would leave what stands in the standby region for the stack: no
    /// bundle says what was applied, and the tags do.
    async fn expect_all_there(
        &self,
        options: &Options,
        want: &Graph,
        seen: &Observed,
    ) -> Result<(), Failure> {
        let is_meant = options.intent.fails_over() && options.targets.is_empty();
        if !is_meant || !self.decisions.files_alone {
            return Ok(());
        }
        let found = seen.seen.values().filter_map(|it| match it {
            Look::Present(it) => Some(it.id.as_str()),
            _ => None,
        });
        let found: BTreeSet<&str> = found.collect();
        let counts = |kind: &dyn DynKind| {
            kind.capacity().is_some() || kind.tells_who_serves() || kind.capabilities().is_read_elsewhere
        };
        // The second record of the mode belongs to no component.
        let of = |it: &Found| match &it.owner {
            Owner::Ours(address) if *address != record::address() => {
                Some((it.id.clone(), address.component()))
            }
            _ => None,
        };
        let observed = seen.others.iter().filter(|it| self.kinds.get(it.kind).is_some_and(counts));
        let mut standing: Vec<_> = observed.filter_map(|it| of(&it.found)).collect();
        // Kinds that the files have nothing of were not looked at.
        let in_graph: BTreeSet<&str> = want.resources.values().map(|it| it.kind.as_str()).collect();
        for kind in self.kinds.iter().filter(|kind| counts(*kind) && !in_graph.contains(kind.name())) {
            match self.cloud.list_owned(kind.name(), &self.scope, Place::Standby, &[]).await {
                Ok(listed) => standing.extend(listed.iter().filter_map(of)),
                Err(error) => self.warn(&format!(
                    "warning: nobody knows whether the files name all that stands in {}: {error}",
                    self.stack.facts.standby
                )),
            }
        }
        // What is renamed is found under its new name.
        let is_named = |(id, component): &(String, ComponentAddress)| {
            self.stack.components.contains_key(component) || found.contains(id.as_str())
        };
        let Some((id, component)) = standing.iter().find(|it| !is_named(it)) else {
            return self.expect_all_asked();
        };
        let message = format!(
            "`{id}` in {} is of `{component}`, and these files do not name it: all else would move without it",
            self.stack.facts.standby
        );
        let hint =
            "write it into the files again as it was; or name what is to move without it: `--only ADDRESS`";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Fails if the last run asked the primary about something that these files do not name: a table that only
    /// exports are kept of, for example, has nothing with tags in the standby region.
    fn expect_all_asked(&self) -> Result<(), Failure> {
        let Some(alone) = &self.alone else { return Ok(()) };
        let asked: BTreeSet<String> = queries(&self.stack).iter().map(FactQuery::key).collect();
        let answers = &alone.facts.answers;
        let Some(last) = answers.values().map(|it| it.captured_at).max() else { return Ok(()) };
        // Answers about what the stack no longer named by then are older.
        let is_of_last = |fact: &Fact| last.duration_since(fact.captured_at) < OF_ONE_RUN;
        let left = answers
            .iter()
            .filter(|(key, fact)| !asked.contains(*key) && !fact.value.is_null() && is_of_last(fact));
        let mut of_primary = left.filter_map(|(key, _)| key.strip_prefix("primary/"));
        let Some(what) = of_primary.next().map(|it| it.replacen('/', " ", 1)) else { return Ok(()) };
        let message = format!("the last run followed {what} of the primary, and these files do not name it");
        let hint =
            "write it into the files again as it was; or name what is to move without it: `--only ADDRESS`";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Fails if a setting that runs may have changed is not named any more.
    async fn expect_undone(&self, options: &Options, want: &Graph, mode: &KeptMode) -> Result<(), Failure> {
        let leaves = match options.intent {
            Intent::Converge => options.mode == Mode::Active,
            // Where the primary serves, all is undone.
            Intent::Failback => mode.standing().mode == Mode::Active || !mode.is_complete(),
            Intent::Destroy | Intent::Failover | Intent::PlannedFailover => false,
        };
        if !leaves {
            return Ok(());
        }
        let changed = self.to_undo(mode).await?;
        let is_named = |it: &&Setting| {
            want.resources.values().any(|now| now.kind == it.kind && now.name.as_ref() == Some(&it.name))
        };
        let Some(left) = changed.iter().find(|it| !is_named(it)) else { return Ok(()) };
        let message = format!(
            "{}: runs may have changed `{}` since the failover, and nothing would change it back once the stack no longer names it",
            left.address, left.name
        );
        let hint = "name it until the failback, and remove it after that";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Returns what runs may have changed since the failover: what they wrote down, and what the last
    /// complete apply names.
    async fn to_undo(&self, mode: &KeptMode) -> Result<BTreeSet<Setting>, Failure> {
        let mut unknown = None;
        let mut changed = match undo::settings(&*self.store).await {
            Ok(changed) => changed,
            Err(error @ StoreError::Broken { .. }) => {
                unknown = Some(error.to_string());
                BTreeSet::new()
            }
            Err(error) => return Err(store_failure(&error)),
        };
        let bytes = match bundle(&*self.store).await {
            Ok(bytes) => bytes,
            Err(StoreError::NoBucket { .. }) => None,
            Err(error) => return Err(store_failure(&error)),
        };
        let applied = bytes.map(|bytes| Bundle::from_bytes(&bytes).ok());
        let applied = applied
            .map(|it| it.and_then(|it| Some((it.stack(&self.app.catalog.components).ok()?, it.facts))));
        match applied {
            Some(Some((stack, facts))) => {
                let before = compile(&stack, &facts, Mode::Active).graph;
                changed.extend(before.resources.values().filter_map(|it| self.setting(it)));
            }
            Some(None) if changed.is_empty() => unknown = Some("the bundle cannot be used".to_owned()),
            _ => {}
        }
        if mode.doubt.is_some() && changed.is_empty() {
            unknown = Some(format!("`{}` has lost what it recorded", self.stack.facts.control));
        }
        if let Some(why) = unknown {
            self.warn(&format!(
                "warning: {why}, so nobody knows whether the stack named other roles in `deny_writers`: name every role that is denied"
            ));
        }
        Ok(changed)
    }

    /// Returns `resource` if it is a setting of others that a failback undoes.
    fn setting(&self, resource: &Resource) -> Option<Setting> {
        let kind = self.kinds.get(&resource.kind)?;
        let is_undone = kind.role() == Role::Setting && kind.needs_both_regions() && kind.traffic().is_none();
        let (kind, address) = (resource.kind.clone(), resource.address.clone());
        Some(Setting { kind, name: resource.name.clone()?, address }).filter(|_| is_undone)
    }

    /// Says which instances of the stack a failover leaves as they are, since it does not name them.
    pub(super) fn not_raised(&self, seen: &Observed) -> Result<Vec<Remark>, Failure> {
        let mut notes = Vec::new();
        let found =
            seen.seen.values().filter_map(|it| if let Look::Present(it) = it { Some(&*it.id) } else { None });
        let found: BTreeSet<&str> = found.collect();
        for owned in &seen.others {
            let Some(capacity) = self.kinds.get(owned.kind).and_then(|kind| kind.capacity()) else {
                continue;
            };
            let is_named = self.stack.components.keys().any(|name| *name == owned.address.component());
            // What is renamed is found under its new name.
            if is_named || found.contains(owned.found.id.as_str()) {
                continue;
            }
            let serving = capacity.serving(&owned.found.live).map_err(|error| shape_failure(&error))?;
            let text = format!(
                "NOT RAISED: `{}` stays at {}: what fails over does not name it",
                owned.found.id,
                count(serving as usize, "instance")
            );
            notes.push(Remark { address: owned.address.to_string(), text });
        }
        Ok(notes)
    }

    /// Fails if the files lack what of the `applied` stack leads users, tells applications where to write,
    /// serves them, or is restored for them: all else would move without it.
    pub(crate) fn expect_all_of(&self, applied: &Stack, facts: &Facts) -> Result<(), Failure> {
        let [before, now] = [applied, &self.stack].map(|it| compile(it, facts, Mode::Active).graph);
        let kind_of = |it: &Resource| self.kinds.get(&it.kind);
        let leads =
            |it: &&Resource| kind_of(it).is_some_and(|it| it.traffic().is_some() || it.tells_who_serves());
        let is_named =
            |it: &&Resource| self.stack.components.keys().any(|name| *name == it.address.component());
        // What is restored is known by its name, whatever its component is called.
        let restored = |it: &&Resource| kind_of(it).is_some_and(|it| it.role() == Role::Restored);
        let is_data = |it: &Resource| kind_of(it).is_some_and(|it| it.role().holds_data());
        let is_restored =
            |it: &&Resource| now.resources.values().any(|now| is_data(now) && now.name == it.name);
        // Of pools that are renamed there are as many as before.
        let pools = |graph: &Graph| {
            graph
                .resources
                .values()
                .filter(|it| kind_of(it).is_some_and(|it| it.capacity().is_some()))
                .count()
        };
        let are_fewer = pools(&now) < pools(&before);
        let serves = |it: &&Resource| are_fewer && kind_of(it).is_some_and(|it| it.capacity().is_some());
        let lost = |which: &dyn Fn(&&Resource) -> bool| before.resources.values().find(which);
        let message = if let Some(it) = lost(&|it| (leads(it) || serves(it)) && !is_named(it)) {
            let component = it.address.component();
            format!(
                "`{component}` was applied, and these files do not name it: all else would move without it"
            )
        } else if let Some(it) = lost(&|it| restored(it) && !is_restored(it)) {
            let (component, name) = (it.address.component(), it.name.as_deref().unwrap_or_default());
            format!("`{name}` of `{component}` was applied, and these files restore no such table")
        } else {
            return Ok(());
        };
        let hint = "write it into the files again as it was; or fail over with what was applied: `--unsigned` in place of `--with-files`";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Fails if an apply would publish a stack that no longer names what leads users to the standby region,
    /// or what tells applications that it serves: a failback by that stack could not lead them back.
    fn expect_way_back(
        &self,
        options: &Options,
        report: &PlanReport,
        seen: &Observed,
    ) -> Result<(), Failure> {
        if (options.intent, options.mode) != (Intent::Converge, Mode::Active) || !options.targets.is_empty() {
            return Ok(());
        }
        let is_kept = |it: &&Owned| report.kept.iter().any(|kept| kept.address == it.address.as_str());
        let is_declared =
            |it: &Owned| self.stack.components.keys().any(|name| *name == it.address.component());
        let leads = |it: &&Owned| {
            self.kinds.get(it.kind).is_some_and(|kind| kind.leads_users() || kind.tells_who_serves())
        };
        let mut left = seen.others.iter().filter(leads).filter(is_kept);
        let Some(left) = left.find(|it| !is_declared(it)) else { return Ok(()) };
        let message = format!(
            "`{}` of `{}` says that {} serves, and the stack no longer names it",
            left.found.id,
            left.address.component(),
            self.stack.facts.standby
        );
        let hint = "write it into the stack again until the failback, and remove it after that";
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Writes down what a run of `planned` changes and only a failback undoes, before the run.
    pub(super) async fn keep_what_to_undo(&self, planned: &PlanOutcome) -> Result<(), Failure> {
        if planned.options.mode != Mode::Active {
            return Ok(());
        }
        let graph = &planned.compiled.graph.resources;
        let changed = planned.plan.steps.iter().filter_map(|step| graph.get(&step.address));
        let settings: BTreeSet<Setting> = changed.filter_map(|it| self.setting(it)).collect();
        if settings.is_empty() {
            return Ok(());
        }
        undo::add(&*self.store, settings).await.map_err(|error| store_failure(&error))
    }
}
