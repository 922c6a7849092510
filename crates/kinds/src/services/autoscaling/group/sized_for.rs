//! The mode that a group is sized for: a tag that outlives the records of the mode.
//!
//! What a failover raised says so itself. A stack that has lost both records of its mode is
//! therefore not taken for one that never failed over.

use drstack_core::objective::Mode;
use serde::{Deserialize, Serialize};

/// The change of mode that a group was last sized for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizedFor {
    /// The mode of the group's pool.
    pub mode: Mode,
    /// The epoch of the stack.
    pub epoch: u64,
}

impl SizedFor {
    /// Returns the tag's text: `active 3`.
    pub fn text(self) -> String {
        format!("{} {}", self.mode.name(), self.epoch)
    }

    /// Parses the tag's text; `None` if drstack did not write it.
    pub fn parse(text: &str) -> Option<Self> {
        let (mode, epoch) = text.split_once(' ')?;
        let mode = [Mode::Active, Mode::Standby].into_iter().find(|it| it.name() == mode)?;
        Some(Self { mode, epoch: epoch.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_says_mode_and_epoch_and_nothing_else_is_taken_for_it() {
        for (mode, text) in [(Mode::Active, "active 3"), (Mode::Standby, "standby 3")] {
            let sized_for = SizedFor { mode, epoch: 3 };
            assert_eq!((sized_for.text().as_str(), SizedFor::parse(text)), (text, Some(sized_for)));
        }
        for other in ["", "active", "active x", "other 3", "active -1"] {
            assert_eq!(SizedFor::parse(other), None, "{other}");
        }
    }
}
