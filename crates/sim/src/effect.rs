//! Effects of admitted calls on the world. No time passes here.

use drstack_core::cloud::{Call, CloudError, Found, Owner, Scope};
use drstack_core::kind::{Action, DynKind, Halfway, Limit, Lookup, Place, Role, ShapeError};
use drstack_core::link::{KNOWN_LATER, targets};
use jiff::SignedDuration;
use serde_json::Value;

use crate::arn::placed;
use crate::capacity::{Given, allocate};
use crate::config::{SimConfig, millis};
use crate::dice;
use crate::state::{State, region};
use crate::world::{Change, Holder, Key, Object, World};

/// Time to terminate running instances.
pub(crate) const LETTING_GO: SignedDuration = SignedDuration::from_secs(5);

/// The created resource, once no further call is needed, and the age at which the work is done.
pub(crate) type Made = (Option<Found>, u64);

/// A change to one resource.
pub(crate) struct Effect<'a> {
    pub(crate) config: &'a SimConfig,
    pub(crate) kind: &'static dyn DynKind,
    pub(crate) call: &'a Call,
    /// Operation name in errors.
    pub(crate) operation: &'a str,
}

impl Effect<'_> {
    /// Makes call `number`, from 0, of those that the creation takes; the last one returns the
    /// resource.
    ///
    /// Also returns the age at which the work is done.
    pub(crate) fn create(&self, state: &mut State, spec: &Value, number: usize) -> Result<Made, CloudError> {
        self.closed(spec)?;
        if number > 0 {
            return self.go_on(state, spec, number);
        }
        let key = self.free_key(state, spec)?;
        if self.kind.check().is_some() {
            // The check passes, and no object exists afterwards.
            let live = self.expected(spec, &key)?;
            let owner = Owner::Ours(self.call.address.clone());
            let found = Found { id: key.id, owner, live };
            return Ok((Some(found), state.age() + self.work(Action::Create)));
        }
        let halfway = self.halfway(spec, &key)?;
        let stack = &*self.call.scope.stack;
        if let Some(object) = state.world.get(&key) {
            match object.owner.seen_by(stack) {
                Owner::Ours(of) if of != self.call.address => {
                    return Err(self.conflict(format!("AlreadyExists: {} is there for {of}", key.id)));
                }
                Owner::Ours(_) => {
                    // Like AWS: a token that comes back with other parameters is an error, not a
                    // repetition.
                    let changes = self.shaped(self.kind.diff(spec, &object.live))?;
                    if object.token == self.call.token && changes.iter().any(|change| change.replace) {
                        return Err(self.conflict("IdempotentParameterMismatch".to_owned()));
                    }
                    return Ok((Some(World::found(&key.id, object, stack)), object.ready));
                }
                Owner::Setting => {}
                Owner::Foreign | Owner::Unproven(None) if object.is_begun() && !halfway.is_empty() => {
                    return Ok((None, state.age()));
                }
                Owner::Stack(other) => {
                    return Err(self.conflict(format!("{} exists and belongs to stack {other}", key.id)));
                }
                Owner::Foreign | Owner::Unproven(_) => {
                    return Err(self.conflict(format!("{} exists and is not drstack's", key.id)));
                }
            }
        }
        if let Some(same) = state.terms.kinds.same_as(self.kind.name())
            && state.world.get(&Key::new(same, &key.region, &key.id)).is_some()
        {
            return Err(self.conflict(format!("ResourceInUse: {} exists already, as {same}", key.id)));
        }
        let owner = match state.world.get(&key) {
            Some(object) => object.owner.clone(),
            None if self.kind.role() == Role::Setting => Holder::Setting,
            None if halfway.first().is_some_and(|it| !it.tagged) => self.nobody(),
            None => self.holder(),
        };
        let created = state.age();
        let given = self.instances(state, &key, spec)?;
        let whole = self.granted(self.expected(spec, &key)?, &given)?;
        let object = Object {
            owner,
            live: halfway.first().map_or(whole, |it| it.live.clone()),
            then: None,
            created,
            ready: created + self.work(Action::Create),
            token: self.call.token.clone(),
            links: Vec::new(),
            runs: given.runs,
            exchange: None,
        };
        let (object, ready) = (self.linked(object)?, created + self.work(Action::Create));
        let found = World::found(&key.id, &object, stack);
        state.change(self.operation, Change::Put { key, object: Box::new(object) })?;
        Ok(if halfway.is_empty() { (Some(found), ready) } else { (None, created) })
    }

    /// Makes a further call of a creation. Progress that another caller has made meanwhile is kept.
    fn go_on(&self, state: &mut State, spec: &Value, number: usize) -> Result<Made, CloudError> {
        let key = self.free_key(state, spec)?;
        let halfway = self.halfway(spec, &key)?;
        let (before, next) = (halfway.get(number - 1), halfway.get(number));
        let Some(object) = state.world.get(&key).cloned() else {
            return Err(self.conflict(format!("{} went away while it was made", key.id)));
        };
        let owner = match object.owner.seen_by(&self.call.scope.stack) {
            Owner::Foreign | Owner::Unproven(None) if object.is_begun() => match next {
                Some(next) if !next.tagged => self.nobody(),
                _ => self.holder(),
            },
            Owner::Stack(_) | Owner::Foreign | Owner::Unproven(_) => {
                return Err(self.conflict(format!("{} is not this stack's", key.id)));
            }
            Owner::Ours(_) | Owner::Setting => object.owner.clone(),
        };
        let live = match (before, next) {
            (Some(before), _) if before.live != object.live => object.live.clone(),
            (_, Some(next)) => next.live.clone(),
            (_, None) => {
                let given = self.instances(state, &key, spec)?;
                self.granted(self.expected(spec, &key)?, &given)?
            }
        };
        let object = self.linked(Object { owner, live, ..object })?;
        let (found, ready) = (World::found(&key.id, &object, &self.call.scope.stack), object.ready);
        state.change(self.operation, Change::Put { key, object: Box::new(object) })?;
        Ok(if next.is_none() { (Some(found), ready) } else { (None, state.age()) })
    }

    /// Updates the resource to `spec`; returns the age at which the work is done.
    pub(crate) fn update(&self, state: &mut State, id: &str, spec: &Value) -> Result<u64, CloudError> {
        self.closed(spec)?;
        let key = state.meant(self.key(id.to_owned()));
        let Some(before) = state.world.get(&key).cloned() else {
            return Err(self.conflict(format!("{id} does not exist any more")));
        };
        match before.owner.seen_by(&self.call.scope.stack) {
            Owner::Ours(_) | Owner::Setting | Owner::Unproven(Some(_)) => {}
            Owner::Foreign | Owner::Unproven(None) if self.runs_on_ours(state, &before) => {}
            Owner::Stack(_) | Owner::Foreign | Owner::Unproven(None) => {
                return Err(self.conflict(format!("{id} is not this stack's")));
            }
        }
        let owner = self.tagged(&before.owner);
        let changes = self.shaped(self.kind.diff(spec, &before.live))?;
        if let Some(change) = changes.iter().find(|change| change.replace) {
            return Err(self.invalid("Immutable", format!("{} of {id} cannot be changed", change.field)));
        }
        let after = self.placed(self.shaped(self.kind.expect_after(spec, id, &before.live))?);
        let swap = self.swap(state, &key, spec, &before, &after)?;
        let launches = swap.as_ref().is_none_or(|swap| swap.launches);
        let (after, given, exchange) = match swap {
            Some(swap) => (swap.after, swap.given, Some(swap.exchange)),
            None => {
                let given = self.launched(state, &key, spec, &before, &after)?;
                (after, given, None)
            }
        };
        let after = self.granted(after, &given)?;
        let during = match self.kind.capacity().filter(|_| launches) {
            Some(capacity) => self.shaped(capacity.during(spec, id, &before.live))?,
            None => after.clone(),
        };
        let then = (during != after).then(|| after.clone());
        // A later round of a change only terminates instances, which takes no launch.
        let lets_go = self.kind.rounds() > 1 && then.is_none();
        let ready = state.age() + if lets_go { millis(LETTING_GO) } else { self.work(Action::Update) };
        let live = if then.is_some() { during } else { after };
        let exchange = exchange.map(|it| Box::new(it.begun(ready, self.work(Action::Update))));
        let object =
            self.linked(Object { live, then, ready, runs: given.runs, exchange, owner, ..before })?;
        state.change(self.operation, Change::Put { key, object: Box::new(object) })?;
        Ok(ready)
    }

    /// True for capacity that has lost its tags and runs on what has them.
    ///
    /// A failover raises it. AWS asks for no tags; drstack itself must not change what is others'.
    fn runs_on_ours(&self, state: &State, object: &Object) -> bool {
        let region = region(&self.call.scope, self.call.place);
        let is_ours = |id: &String| state.world.is_owned(&self.call.scope.stack, region, id);
        self.kind.capacity().is_some() && object.links.iter().any(is_ours)
    }

    /// Returns the owner after a change: a change rewrites the tags, if there are any.
    fn tagged(&self, before: &Holder) -> Holder {
        match before {
            Holder::Foreign if self.kind.capacity().is_some() => self.holder(),
            Holder::Stack { stack, .. } | Holder::Claimed { stack, .. } => {
                Holder::Stack { stack: stack.clone(), address: self.call.address.clone() }
            }
            Holder::Foreign | Holder::Setting => before.clone(),
        }
    }

    /// Deletes it and the settings on it; returns the age at which the work is done.
    pub(crate) fn delete(&self, state: &mut State, id: &str) -> Result<u64, CloudError> {
        let key = state.meant(self.key(id.to_owned()));
        let now = state.age();
        let Some(object) = state.world.get(&key) else { return Ok(now) };
        match object.owner.seen_by(&self.call.scope.stack) {
            Owner::Ours(_) => {}
            // No run finished it, so any run that knows of it may delete it.
            Owner::Foreign if object.is_begun() => {}
            // Like AWS, which checks no tags: drstack itself must not delete unproven objects.
            Owner::Unproven(_) => {}
            Owner::Setting => {
                return Err(self.conflict(format!("{id} is a setting, which cannot be removed")));
            }
            Owner::Stack(_) | Owner::Foreign => {
                return Err(self.conflict(format!("{id} is not this stack's")));
            }
        }
        let holders = state.world.held_by(&key);
        let is_setting =
            |holder: &&Key| state.world.get(holder).is_some_and(|object| object.owner == Holder::Setting);
        if let Some(holder) = holders.iter().find(|holder| !is_setting(holder)) {
            return Err(self.conflict(format!(
                "DependencyViolation: {id} is still used by {} {}",
                holder.kind, holder.id
            )));
        }
        for setting in holders {
            state.change(self.operation, Change::Drop(setting))?;
        }
        state.change(self.operation, Change::Drop(key))?;
        Ok(now + self.work(Action::Delete))
    }

    /// Returns the key of the resource to create: of the one that was begun for this address, or of a new
    /// one. What has another address by now is another resource.
    fn free_key(&self, state: &State, spec: &Value) -> Result<Key, CloudError> {
        let first = self.id(spec)?;
        let is_chosen =
            self.kind.lookup() == Lookup::Tag && !self.kind.keeps_name().is_some_and(|it| it.name_is_id());
        let (mut key, mut number) = (self.key(first.clone()), 0);
        while is_chosen && state.world.get(&key).is_some_and(|it| self.is_of_another(it)) {
            number += 1;
            let parts = [first.as_str(), &number.to_string()].map(str::to_owned);
            let seed = if self.kind.keeps_reference() { 0 } else { self.config.seed };
            key = self.key(dice::new_id(seed, self.kind.name(), &parts.each_ref().map(String::as_str)));
        }
        Ok(key)
    }

    /// True if the stack has `object` under another address.
    fn is_of_another(&self, object: &Object) -> bool {
        let stack = &*self.call.scope.stack;
        matches!(object.owner.seen_by(stack), Owner::Ours(of) if of != self.call.address)
    }

    /// Returns its name, or the id that this cloud chooses.
    ///
    /// The id follows from stack, address and token, so the order of calls does not matter and the
    /// same token finds the same resource.
    fn id(&self, spec: &Value) -> Result<String, CloudError> {
        let Call { scope, place, address, name, token } = self.call;
        match (self.kind.lookup(), name) {
            (Lookup::Name, Some(name)) => Ok(name.clone()),
            (Lookup::Name, None) => Err(self.invalid("MissingName", format!("{address} has no name"))),
            (Lookup::Tag, _) => {
                let is_name = self.kind.keeps_name().is_some_and(|it| it.name_is_id());
                if let Some(name) = spec.get("name").and_then(Value::as_str).filter(|_| is_name) {
                    return Ok(name.to_owned());
                }
                let parts = ["id", &scope.stack, region(scope, *place), address.as_str(), token];
                // A reference finds what was begun, whatever the run that looks.
                let seed = if self.kind.keeps_reference() { 0 } else { self.config.seed };
                Ok(dice::new_id(seed, self.kind.name(), &parts))
            }
        }
    }

    /// Returns the stack as owner, with the address of the call.
    fn holder(&self) -> Holder {
        Holder::Stack { stack: self.call.scope.stack.to_string(), address: self.call.address.clone() }
    }

    /// Returns the owner of what was begun and has no tags: its reference, if it keeps one, says which
    /// stack's it is.
    fn nobody(&self) -> Holder {
        match self.kind.keeps_reference() {
            true => Holder::Claimed { stack: self.call.scope.stack.to_string(), address: None },
            false => Holder::Foreign,
        }
    }

    fn key(&self, id: String) -> Key {
        Key {
            kind: self.kind.name().to_owned(),
            region: region(&self.call.scope, self.call.place).to_owned(),
            id,
        }
    }

    /// Refuses unresolved links, which a real cloud would not understand.
    fn closed(&self, spec: &Value) -> Result<(), CloudError> {
        if let Some(open) = targets(spec).first() {
            return Err(self.invalid("OpenLink", format!("{} still links to {open}", self.call.address)));
        }
        if holds(spec, KNOWN_LATER) {
            return Err(self.invalid("OpenLink", format!("{} holds a preview's value", self.call.address)));
        }
        Ok(())
    }

    fn linked(&self, object: Object) -> Result<Object, CloudError> {
        Ok(Object { links: self.shaped(self.kind.links(&object.live))?, ..object })
    }

    pub(crate) fn instances(&self, state: &State, key: &Key, spec: &Value) -> Result<Given, CloudError> {
        let Some(capacity) = self.kind.capacity() else { return Ok(Given::default()) };
        let demand = self.shaped(capacity.demand(spec))?;
        if demand.count == 0 {
            return Ok(Given::default());
        }
        let taken = self.shaped(state.taken(key))?;
        Ok(allocate(self.config, &key.region, &demand, &taken))
    }

    /// Returns `live` with the instances that were available; an error for kinds that need all of
    /// them.
    fn granted(&self, live: Value, given: &Given) -> Result<Value, CloudError> {
        let Some(why) = &given.short else { return Ok(live) };
        if let Some(capacity) = self.kind.capacity()
            && let Some(short) = self.shaped(capacity.short(&live, given.count, why))?
        {
            return Ok(short);
        }
        let (operation, message) = (self.operation.to_owned(), why.message.clone());
        Err(match why.limit {
            Limit::Quota => CloudError::Quota { operation, message },
            Limit::Capacity | Limit::Never => CloudError::NoCapacity { operation, message },
        })
    }

    pub(crate) fn work(&self, action: Action) -> u64 {
        let prior = || u64::try_from(self.kind.prior(action).as_millis()).unwrap_or(u64::MAX);
        self.config.work.get(self.kind.name()).map_or_else(prior, |span| millis(*span))
    }

    fn conflict(&self, message: String) -> CloudError {
        CloudError::Conflict { operation: self.operation.to_owned(), message }
    }

    fn invalid(&self, code: &str, message: String) -> CloudError {
        CloudError::Invalid { operation: self.operation.to_owned(), code: code.to_owned(), message }
    }

    /// Returns the live value of a whole object.
    fn expected(&self, spec: &Value, key: &Key) -> Result<Value, CloudError> {
        Ok(self.placed(self.shaped(self.kind.expect(spec, &key.id))?))
    }

    fn placed(&self, live: Value) -> Value {
        placed(live, &self.config.account, region(&self.call.scope, self.call.place))
    }

    /// Returns the states of an object whose creation takes several calls.
    fn halfway(&self, spec: &Value, key: &Key) -> Result<Vec<Halfway<Value>>, CloudError> {
        let mut halfway = self.shaped(self.kind.halfway(spec, &key.id))?;
        for it in &mut halfway {
            it.live = placed(it.live.take(), &self.config.account, region(&self.call.scope, self.call.place));
        }
        Ok(halfway)
    }

    pub(crate) fn shaped<T>(&self, result: Result<T, ShapeError>) -> Result<T, CloudError> {
        result.map_err(|error| self.invalid("Shape", error.to_string()))
    }
}

impl State {
    /// Returns one resource as the stack sees it, unless it is so new that a read may miss it.
    pub(crate) fn look(
        &self,
        config: &SimConfig,
        kind: &str,
        scope: &Scope,
        place: Place,
        id: &str,
    ) -> Option<Found> {
        let object = self.world.get(&self.meant(Key::new(kind, region(scope, place), id)))?;
        self.is_visible(config, object).then(|| World::found(id, object, &scope.stack))
    }

    /// Returns the key under which the world has it, where it is the same thing in two kinds.
    pub(crate) fn meant(&self, key: Key) -> Key {
        let same = || Some(Key::new(self.terms.kinds.same_as(&key.kind)?, &key.region, &key.id));
        match self.world.get(&key) {
            Some(_) => key,
            None => same().filter(|same| self.world.get(same).is_some()).unwrap_or(key),
        }
    }

    /// Returns all resources of one kind that the stack owns there, by id.
    pub(crate) fn owned(&self, config: &SimConfig, kind: &str, scope: &Scope, place: Place) -> Vec<Found> {
        // As in AWS, one kind lists what is the same thing in another.
        let kinds = &self.terms.kinds;
        let listed_by_other = kinds.get(kind).is_some_and(|kind| kind.capabilities().same_as.is_some());
        let own = (!listed_by_other).then_some(kind).into_iter();
        own.clone()
            .chain(own.filter_map(|kind| kinds.same_as(kind)))
            .flat_map(|kind| self.world.of_kind(kind, region(scope, place)))
            .filter(|(_, object)| self.is_visible(config, object))
            .map(|(id, object)| World::found(id, object, &scope.stack))
            .filter(|found| found.owner.claims())
            .collect()
    }

    fn is_visible(&self, config: &SimConfig, object: &Object) -> bool {
        !object.is_made() || object.created.saturating_add(millis(config.lag)) <= self.world.age
    }
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(map) => map.values().any(|item| holds(item, text)),
        _ => false,
    }
}
