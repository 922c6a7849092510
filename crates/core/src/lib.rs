//! The pure heart of drstack: stack language, compile, plan, engine.
//!
//! Nothing here calls a cloud, reads a clock or prints. Effects come in through two traits, [`cloud::Cloud`] and
//! [`control::ControlStore`]; time comes from tokio, whose clock the simulator pauses.

pub mod address;
pub mod answer;
pub mod budget;
pub mod bundle;
pub mod calls;
pub mod cloud;
pub mod compile;
pub mod component;
pub mod control;
pub mod copies;
pub mod diagnostic;
pub mod engine;
pub mod facts;
pub mod forecast;
pub mod graph;
pub mod intent;
pub mod keys;
pub mod kind;
pub mod link;
pub mod minimum;
pub mod objective;
pub mod observe;
pub mod part;
pub mod plan;
pub mod plan_file;
pub mod remark;
pub mod restored;
pub mod sides;
pub mod stack;
pub mod supply;
pub mod text;
pub mod verdict;
