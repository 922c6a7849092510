//! Settings of the sim: the `[sim]` table of a stack, or a file given with `--sim`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operation::{Failure, Operation};

/// How the simulated cloud behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct SimConfig {
    /// Decides every id and every random choice.
    pub seed: u64,
    /// The account that the credentials belong to.
    pub account: String,
    /// How long a call takes, beside the work it does: `"40ms"`.
    #[schemars(with = "String")]
    pub latency: SignedDuration,
    /// By how much a call may be faster or slower than `latency`.
    #[schemars(with = "String")]
    pub jitter: SignedDuration,
    /// How long resources of a kind take to be made, changed or removed, by kind; otherwise the kind's own estimate.
    #[schemars(with = "BTreeMap<String, String>")]
    pub work: BTreeMap<String, SignedDuration>,
    /// Share of calls that are throttled, 0 to 1.
    pub throttle: f64,
    /// Calls per second that a region accepts before it throttles; unlimited where absent.
    pub rate: Option<u32>,
    /// Calls that go wrong.
    pub faults: Vec<Fault>,
    /// Instances to be had, by `type`, `type@region` or `type@zone`; unlimited where nothing is said.
    pub capacity: BTreeMap<String, u32>,
    /// Of these, the ones to be had on-demand, in the same way; as many as there are where nothing is said.
    pub on_demand: BTreeMap<String, u32>,
    /// Of these, the ones to be had on spot, in the same way; as many as there are where nothing is said.
    pub spot: BTreeMap<String, u32>,
    /// Instances the account may run, by `type` or `type@region`; unlimited where nothing is said.
    pub quota: BTreeMap<String, u32>,
    /// Types that are not offered, by `type` or `type@region`.
    pub not_offered: BTreeSet<String>,
    /// For how long a look or a listing may miss what was just made.
    #[schemars(with = "String")]
    pub lag: SignedDuration,
    /// Regions that are lost: nothing there answers. `global` stands for services of the whole partition.
    pub down: BTreeSet<String>,
    /// How long a caller waits for a region that is lost, or for an answer that never comes.
    #[schemars(with = "String")]
    pub timeout: SignedDuration,
    /// Fields of what a region answers about an object, in place of the simulated ones, by fact: `"primary/table/acme-features"`.
    pub answers: BTreeMap<String, serde_json::Map<String, Value>>,
    /// What replication has yet to bring when a run begins, by the name of the primary's bucket or table; nothing where absent.
    pub backlog: BTreeMap<String, Backlog>,
    /// World time that passes between two runs.
    #[schemars(with = "String")]
    pub between_runs: SignedDuration,
    /// Number of the call at which the program dies, before the call has any effect.
    pub kill_at: Option<u64>,
    /// Number of the call at which the program dies, after its effect and before its answer.
    pub kill_after: Option<u64>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            account: "123456789012".to_owned(),
            latency: SignedDuration::from_millis(40),
            jitter: SignedDuration::from_millis(10),
            work: BTreeMap::new(),
            throttle: 0.0,
            rate: None,
            faults: Vec::new(),
            capacity: BTreeMap::new(),
            on_demand: BTreeMap::new(),
            spot: BTreeMap::new(),
            quota: BTreeMap::new(),
            not_offered: BTreeSet::new(),
            lag: SignedDuration::ZERO,
            down: BTreeSet::new(),
            timeout: SignedDuration::from_secs(5),
            answers: BTreeMap::new(),
            backlog: BTreeMap::new(),
            // As long as a person needs for the next command.
            between_runs: SignedDuration::from_mins(1),
            kill_at: None,
            kill_after: None,
        }
    }
}

/// Data that is not the same on both sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backlog {
    /// Objects or items that the standby does not have yet.
    pub waiting: u64,
    /// How long it takes from the beginning of the run until the last of them is there; they never come where absent.
    #[schemars(with = "Option<String>")]
    pub drains: Option<SignedDuration>,
    /// Objects or items that only the standby has.
    pub standby_only: u64,
    /// There is too much to compare.
    pub untold: bool,
}

/// Calls that go wrong. Each field that is given narrows down which; with neither `share` nor `at` all of them do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only calls on this kind.
    #[serde(default)]
    pub kind: Option<String>,
    /// Only calls that do this.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// Only calls to this region; `global` for services of the whole partition.
    #[serde(default)]
    pub region: Option<String>,
    /// Only calls whose address, id or key contains this.
    #[serde(default)]
    pub subject: Option<String>,
    /// How they go wrong.
    pub error: Failure,
    /// This share of the calls that match, 0 to 1.
    #[serde(default)]
    pub share: Option<f64>,
    /// Only the call of this number among those that match, counted from 1 in each run.
    #[serde(default)]
    pub at: Option<u64>,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// They have another shape.
    #[error("settings of the sim: {0}")]
    Shape(#[from] serde_json::Error),
    /// They are not TOML, or have another shape.
    #[error("settings of the sim: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value makes no sense.
    #[error("settings of the sim: `{field}` {problem}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl SimConfig {
    /// From the `[sim]` table of a stack; `null`, for a stack without one, means the defaults.
    pub fn from_value(table: &Value) -> Result<Self, ConfigError> {
        if table.is_null() {
            return Ok(Self::default());
        }
        Self::deserialize(table)?.checked()
    }

    /// From the text of a file given with `--sim`: the same fields at the top level, or within a `[sim]` table.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let mut table: toml::Table = toml::from_str(text)?;
        let fields = match table.remove("sim") {
            Some(fields) if table.is_empty() => fields,
            // Reading the whole text again keeps line and column in the error.
            _ => return toml::from_str::<Self>(text)?.checked(),
        };
        Self::deserialize(fields)?.checked()
    }

    /// Returns the answer to the fact `key`, with the fields that the settings replace.
    pub(crate) fn answered(&self, key: &str, simulated: &Value) -> Value {
        let mut answer = simulated.clone();
        if let (Some(fields), Value::Object(all)) = (self.answers.get(key), &mut answer) {
            all.extend(fields.clone());
        }
        answer
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let share = |share: f64| (0.0..=1.0).contains(&share);
        let wrong = |field, problem| Err(ConfigError::Value { field, problem });
        if !share(self.throttle) {
            return wrong("throttle", "is a share from 0 to 1");
        }
        if !self.faults.iter().all(|fault| fault.share.is_none_or(share)) {
            return wrong("faults.share", "is a share from 0 to 1");
        }
        if self.faults.iter().any(|fault| fault.at == Some(0)) {
            return wrong("faults.at", "counts from 1");
        }
        if self.rate == Some(0) {
            return wrong("rate", "has to be at least 1; to lose a region name it in `down`");
        }
        let spans = [self.latency, self.jitter, self.lag, self.timeout, self.between_runs];
        let drains = self.backlog.values().filter_map(|it| it.drains.as_ref());
        if spans.iter().chain(self.work.values()).chain(drains).any(SignedDuration::is_negative) {
            return wrong("latency, jitter, work, lag, timeout, drains, between_runs", "cannot be negative");
        }
        Ok(self)
    }
}

/// Whole milliseconds of a span, which is the resolution of tokio's clock and of the world's.
pub(crate) fn millis(span: SignedDuration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(0)
}

/// The same as a duration to sleep.
pub(crate) fn duration(span: SignedDuration) -> Duration {
    Duration::from_millis(millis(span))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_a_file_and_the_table_of_a_stack_read_the_same() {
        let text = "seed = 7\nlatency = \"1s 200ms\"\ndown = [\"us-east-1\"]\n[[faults]]\nkind = \"vpc\"\n\
                    operation = \"create\"\nerror = \"timeout-after-effect\"\nat = 2\n";
        let flat = SimConfig::from_toml(text).unwrap();
        assert_eq!(flat.latency, SignedDuration::from_millis(1200));
        assert_eq!(flat.faults[0].error, Failure::TimeoutAfterEffect);
        let table = text.replace("[[faults]]", "[[sim.faults]]");
        assert_eq!(SimConfig::from_toml(&format!("[sim]\n{table}")).unwrap(), flat);
        let value = json!({"seed": 7, "latency": "1200ms", "down": ["us-east-1"],
            "faults": [{"kind": "vpc", "operation": "create", "error": "timeout-after-effect", "at": 2}]});
        assert_eq!(SimConfig::from_value(&value).unwrap(), flat);
        assert_eq!(SimConfig::from_value(&Value::Null).unwrap(), SimConfig::default());
    }

    #[test]
    fn the_settings_in_the_readme_are_settings() {
        let readme = include_str!("../README.md");
        let text = readme.split("```").nth(1).and_then(|block| block.strip_prefix("toml")).unwrap();
        let config = SimConfig::from_toml(text).unwrap();
        assert_eq!((config.seed, config.kill_at, config.faults.len()), (7, Some(12), 1));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, said) in [
            ("throttle = 1.5", "`throttle` is a share"),
            ("latency = \"-4ms\"", "cannot be negative"),
            ("[[faults]]\nerror = \"denied\"\nat = 0", "counts from 1"),
            ("rate = 0", "`rate`"),
            ("letancy = \"4ms\"", "unknown field `letancy`"),
            ("latency = 4", "line 1"),
        ] {
            let error = SimConfig::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
