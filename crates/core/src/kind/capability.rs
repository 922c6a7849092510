//! What only some kinds can do. A kind that names no capability meets none of them.

use super::{
    DynCapacity, DynCheck, DynKeepsName, DynReplication, DynRevised, DynRights, DynStaged, DynTraffic,
    DynWitness,
};

/// Capabilities of a kind; the core asks for them by `kind.capacity()` and the like.
///
/// A kind names those it has, each beside an implementation of the trait:
/// `Capabilities { capacity: Some(&Erased::<Self>::NEW), ..Capabilities::NONE }`.
#[derive(Clone, Copy)]
pub struct Capabilities {
    /// It runs instances: [`super::Capacity`].
    pub capacity: Option<&'static dyn DynCapacity>,
    /// It keeps data in both regions: [`super::Replication`].
    pub replication: Option<&'static dyn DynReplication>,
    /// It moves traffic between the regions: [`super::Traffic`].
    pub traffic: Option<&'static dyn DynTraffic>,
    /// It is a check, and has no object: [`super::Check`].
    pub check: Option<&'static dyn DynCheck>,
    /// It says which region serves: [`super::Witness`].
    pub witness: Option<&'static dyn DynWitness>,
    /// It can never be renamed: [`super::KeepsName`].
    pub keeps_name: Option<&'static dyn DynKeepsName>,
    /// Its creation takes several calls: [`super::Staged`].
    pub staged: Option<&'static dyn DynStaged>,
    /// It grants or denies rights: [`super::Rights`].
    pub rights: Option<&'static dyn DynRights>,
    /// An update depends on what was there before: [`super::Revised`].
    pub revised: Option<&'static dyn DynRevised>,
    /// Field of spec and live value with the ids of what it carries traffic for, as a route table does for subnets. A
    /// carrier, and what hangs on it, is there before what runs on the carried, and goes after the carried.
    pub carries: Option<&'static str>,
    /// It keeps a text in the standby region by name: its spec is `{name, value}`, its live value `{value}`. The second
    /// record of the mode is kept in one.
    pub keeps_text: bool,
    /// Changing it needs both regions, so an unplanned failover leaves it as it is. The first apply after a failover
    /// changes it. A failback begins with it if it moves traffic, else with undoing it. What moves traffic is part of
    /// a planned failover too, which has both regions.
    pub needs_both_regions: bool,
    /// Field of a component with which it uses such data as it is, where that exists and is another owner's.
    pub adopted_by: Option<&'static str>,
    /// Kind of the data that it uses as it is, under the same id: nothing deletes that, whoever made it.
    pub adopts: Option<&'static str>,
    /// Kind whose objects are the same things in AWS: under one id there is one of either.
    pub same_as: Option<&'static str>,
    /// What leads users reads it. It has to be there before a failover: one that is made then is read by
    /// nothing, so traffic would not move.
    pub is_read_elsewhere: bool,
    /// It is found and never made: an apply while the primary serves brings it about. Why there is none once the
    /// standby region is to serve, as a sentence about what needs it.
    pub is_found: Option<&'static str>,
    /// Field of its spec with the name of another resource of its component: its text ([`Self::keeps_text`]) changes
    /// only along with that.
    pub along: Option<&'static str>,
    /// Users find a region by it, as by a DNS record: it goes before what serves them shrinks or goes.
    pub leads_users: bool,
    /// Made again it is empty: replication brings what is written from then on, and nothing of before.
    pub starts_empty: bool,
}

impl Capabilities {
    /// None of them.
    pub const NONE: Self = Self {
        capacity: None,
        replication: None,
        traffic: None,
        check: None,
        witness: None,
        keeps_name: None,
        staged: None,
        rights: None,
        revised: None,
        carries: None,
        keeps_text: false,
        needs_both_regions: false,
        adopted_by: None,
        adopts: None,
        same_as: None,
        is_read_elsewhere: false,
        is_found: None,
        along: None,
        leads_users: false,
        starts_empty: false,
    };
}
