//! The target of a side: a DNS name, or a load balancer by alias.

use std::borrow::Cow;
use std::fmt::{self, Formatter};

use drstack_core::component::{Problem, Ref};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::probe::is_full_name;
use super::{NAME, TrafficTable};
use crate::components::Pool;
use crate::facts::is_zone_id;

/// The target of a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Target {
    /// A DNS name, by CNAME.
    Name(String),
    /// A load balancer, by alias.
    Alias(Alias),
}

/// A load balancer, as Route 53 wants it: `{ alias = "lb-1.us-east-1.elb.amazonaws.com", zone = "Z35SXDOTRQ7X7K" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// Its DNS name.
    pub alias: String,
    /// Id of its own hosted zone, the `CanonicalHostedZoneId` of `describe-load-balancers`.
    pub zone: String,
}

impl Target {
    /// Returns the DNS name, as Route 53 writes it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Name(name) => name.to_ascii_lowercase(),
            Self::Alias(Alias { alias, .. }) => alias.to_ascii_lowercase(),
        }
    }

    /// Returns the zone of the load balancer.
    pub(super) fn zone(&self) -> Option<&str> {
        match self {
            Self::Name(_) => None,
            Self::Alias(Alias { zone, .. }) => Some(zone),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Target;
            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a DNS name or `{ alias = \"...\", zone = \"...\" }`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Target, E> {
                Ok(Target::Name(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                Alias::deserialize(MapAccessDeserializer::new(map)).map(Target::Alias)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let alias = generator.subschema_for::<Alias>();
        json_schema!({
            "anyOf": [{ "type": "string" }, alias],
            "description": "A DNS name, or a load balancer by alias",
        })
    }
}

/// The target in the standby region.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum StandbyTarget {
    /// `"@pool.NAME"`, which is refused until pools have load balancers.
    Pool(Ref<Pool>),
    /// The target of the record.
    Of(Target),
}

impl<'de> Deserialize<'de> for StandbyTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Target::deserialize(deserializer)? {
            Target::Name(text) if text.starts_with('@') => {
                let reference: Result<_, serde::de::value::Error> =
                    Ref::deserialize(StringDeserializer::new(text));
                reference.map(Self::Pool).map_err(D::Error::custom)
            }
            target => Ok(Self::Of(target)),
        }
    }
}

impl JsonSchema for StandbyTarget {
    fn schema_name() -> Cow<'static, str> {
        "StandbyTarget".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let alias = generator.subschema_for::<Alias>();
        json_schema!({
            "anyOf": [
                { "type": "string", "pattern": r"^(@(module\.[^.]+\.)?[a-z-]+\..+|[^@].*|.*\$\{.*)$" },
                alias,
            ],
            "description": "The DNS name of a load balancer in the standby region, or that load balancer by alias",
        })
    }
}

/// Reports problems of the two targets.
pub(super) fn check(spec: &TrafficTable, out: &mut Vec<Problem>) {
    one("primary_target", &spec.primary_target, out);
    let standby = match &spec.standby_target {
        StandbyTarget::Pool(pool) => {
            let message = format!("not yet: `{pool:?}` has no load balancer of its own");
            let help = "write the DNS name of the one in the standby region";
            return out.push(Problem::error("DR254", "standby_target", message, help));
        }
        StandbyTarget::Of(target) => target,
    };
    one("standby_target", standby, out);
    if standby.name() == spec.primary_target.name() {
        let message = format!("both sides lead to `{}`", said(standby));
        let help = "write the DNS name that answers in the standby region";
        out.push(Problem::error("DR254", "standby_target", message, help));
    }
    if standby.zone().is_some() != spec.primary_target.zone().is_some() {
        let help = "write both as DNS names, or both as `{ alias = \"...\", zone = \"...\" }`";
        let message = "one side is an alias and the other is not: records of one name are of one type";
        out.push(Problem::error("DR256", "standby_target", message, help));
    }
    if spec.record == APEX && spec.primary_target.zone().is_none() {
        let message = "the zone's own name cannot be a CNAME";
        let help = "lead to load balancers: `primary_target = { alias = \"...\", zone = \"...\" }`, and the standby's too";
        out.push(Problem::error("DR256", "record", message, help));
    }
}

/// The value of `record` for the zone's own name.
pub(super) const APEX: &str = "";

fn said(target: &Target) -> &str {
    match target {
        Target::Name(text) | Target::Alias(Alias { alias: text, .. }) => text,
    }
}

fn one(field: &'static str, target: &Target, out: &mut Vec<Problem>) {
    let text = said(target);
    if !is_full_name(text) {
        let what = if text.is_empty() { "an empty text".to_owned() } else { format!("`{text}`") };
        let message = format!("{what} is not a DNS name that `{field}` can be");
        out.push(Problem::error("DR250", field, message, NAME));
    }
    if let Some(zone) = target.zone().filter(|zone| !is_zone_id(zone)) {
        let message = format!("`{zone}` is not the id of a hosted zone");
        let help = "write the load balancer's `CanonicalHostedZoneId`, as `aws elbv2 describe-load-balancers` shows it";
        out.push(Problem::error("DR256", field, message, help));
    }
}
