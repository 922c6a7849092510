//! The regions of AWS by partition, as of November 2026.

/// A partition: its name, what names of its regions begin with, and its regions. The last one has
/// all other names.
const PARTITIONS: [(&str, &str, &[&str]); 8] = [
    ("aws-cn", "cn-", &["cn-north-1", "cn-northwest-1"]),
    ("aws-us-gov", "us-gov-", &["us-gov-east-1", "us-gov-west-1"]),
    ("aws-eusc", "eusc-", &["eusc-de-east-1"]),
    ("aws-iso", "us-iso-", &["us-iso-east-1", "us-iso-west-1"]),
    ("aws-iso-b", "us-isob-", &["us-isob-east-1", "us-isob-west-1"]),
    ("aws-iso-e", "eu-isoe-", &["eu-isoe-west-1"]),
    ("aws-iso-f", "us-isof-", &["us-isof-east-1", "us-isof-south-1"]),
    ("aws", "", COMMERCIAL),
];

const COMMERCIAL: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Directions in names of regions: a new region has one of them, too.
const DIRECTIONS: [&str; 9] =
    ["north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest", "central"];

/// Longest part of a region's name that is an area: `us`, `eusc`, `isob`.
const LONGEST_AREA: usize = 4;

/// What is known of a region's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is a region.
    Region,
    /// It is named like one, and may be newer than this list.
    New,
    /// It is not named like one.
    No,
}

/// Returns what is known of `region`.
pub(super) fn known(region: &str) -> Known {
    if of(region).2.contains(&region) {
        return Known::Region;
    }
    let mut parts: Vec<&str> = region.split('-').collect();
    let is_number = |it: &str| it.bytes().all(|digit| digit.is_ascii_digit());
    let number = parts.pop().is_some_and(|it| is_number(it) && it.parse::<u8>().is_ok_and(|it| it > 0));
    let direction = parts.pop().is_some_and(|it| DIRECTIONS.contains(&it));
    let is_area = |it: &&str| {
        (2..=LONGEST_AREA).contains(&it.len()) && it.bytes().all(|letter| letter.is_ascii_lowercase())
    };
    let areas = !parts.is_empty() && parts.iter().all(is_area);
    if number && direction && areas { Known::New } else { Known::No }
}

/// Returns the regions that may be meant by `region`: those of its partition, and all. A typo within
/// a partition is likelier than another partition.
pub(super) fn candidates(region: &str) -> [Vec<&'static str>; 2] {
    let (_, prefix, own) = of(region);
    let own = if prefix.is_empty() { Vec::new() } else { own.to_vec() };
    [own, PARTITIONS.iter().flat_map(|(_, _, regions)| regions.iter().copied()).collect()]
}

/// Returns the partition of `region`, the second part of every ARN (botocore's `partitions.json`).
pub fn partition(region: &str) -> &'static str {
    of(region).0
}

fn of(region: &str) -> &'static (&'static str, &'static str, &'static [&'static str]) {
    let [.., last] = &PARTITIONS;
    PARTITIONS.iter().find(|(_, prefix, _)| region.starts_with(prefix)).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_known_new_or_mistyped() {
        let all = ["us-west-2", "cn-northwest-1", "us-west-9", "xx-southwest-1", "us-gov-central-1"];
        assert_eq!(all.map(known), [Known::Region, Known::Region, Known::New, Known::New, Known::New]);
        for mistyped in [
            "us-wset-2",
            "us-west-0",
            "us-gov-wets-1",
            "cn-noth-1",
            "west-1",
            "useast-west-1",
            " us-west-9",
            "us-west-9 ",
            "us-west-+9",
            "US-west-9",
        ] {
            assert_eq!(known(mistyped), Known::No, "{mistyped}");
        }
    }

    #[test]
    fn every_region_is_in_the_partition_of_its_name() {
        for (name, _, regions) in PARTITIONS {
            assert!(regions.is_sorted());
            regions.iter().for_each(|region| assert_eq!(partition(region), name, "{region}"));
        }
        assert_eq!(
            ["us-west-9", "cn-south-1", "us-gov-north-1"].map(partition),
            ["aws", "aws-cn", "aws-us-gov"]
        );
    }
}
