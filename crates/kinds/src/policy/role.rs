//! Roles of an operator, by what the commands do.

/// Who runs drstack, by what the commands do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Commands that change nothing: `plan`, `graph`, `output`.
    Read,
    /// `sync`, and `status` after it: they create and change, and delete nothing.
    Sync,
    /// Commands that need both regions: `apply`, `destroy`, `failback`, `unlock`, and a planned
    /// failover.
    Apply,
    /// `failover` alone, which calls the standby region only.
    Failover,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Read, Self::Sync, Self::Apply, Self::Failover];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Sync => "sync",
            Self::Apply => "apply",
            Self::Failover => "failover",
        }
    }
}
