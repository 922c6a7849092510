//! Limits named in scaling activities: errors of EC2 as another service reports them.

use drstack_core::kind::Limit;

use crate::services::ec2;

/// Error codes of launches that fail for a cause that time does not remove.
const NEVER: &[&str] = &[
    "InvalidAMIID",
    "InvalidKMSKey",
    "InvalidSnapshot.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidGroup.NotFound",
];

/// Phrases of EC2 that name a limit, for activities that carry the message without the code.
const SAID: &[(&str, Limit)] = &[
    ("current vCPU limit", Limit::Quota),
    ("Max spot instance count exceeded", Limit::Quota),
    ("do not have sufficient", Limit::Capacity),
    ("no Spot capacity available", Limit::Capacity),
];

/// Returns the limit that a scaling activity names.
///
/// Activities have no field for the error code. It is one word of their message, so each word is
/// checked; some messages hold only EC2's text and no code.
pub(crate) fn limit_in(message: &str) -> Option<Limit> {
    let said = || SAID.iter().find(|(text, _)| message.contains(text)).map(|(_, limit)| *limit);
    let mut words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
    let named = words.find_map(|word| {
        let word = word.trim_start_matches("Client.").trim_start_matches("Server.").trim_end_matches('.');
        match word {
            // A type that a zone does not offer; other zones may.
            "Unsupported" => Some(Limit::Capacity),
            _ if ec2::CODES.is_no_capacity(word) => Some(Limit::Capacity),
            _ if ec2::CODES.is_quota(word) => Some(Limit::Quota),
            _ if NEVER.iter().any(|it| word.starts_with(it)) => Some(Limit::Never),
            _ => None,
        }
    });
    named.or_else(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_known_by_its_code_and_by_what_ec2_says_of_it() {
        let quota = "You have requested more vCPU capacity than your current vCPU limit of 16 allows for the instance bucket. \
                     Launching EC2 instance failed.";
        let capacity =
            "We currently do not have sufficient g5.xlarge capacity in the Availability Zone you requested.";
        let coded = "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity.";
        assert_eq!(limit_in(quota), Some(Limit::Quota));
        assert_eq!(limit_in(capacity), Some(Limit::Capacity));
        assert_eq!(limit_in(coded), Some(Limit::Capacity));
        assert_eq!(limit_in("Instance failed to complete user's Lifecycle Action"), None);
    }
}
