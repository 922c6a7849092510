//! Finds the source of the credentials from the environment, and warns if it may be lost with the
//! primary.
//!
//! STS itself is no risk: the SDK calls it in the region it was configured for, which is the
//! standby (`aws_config::ConfigLoader::region`), whatever the profile says. The SDK knows the
//! global endpoint only as an option that drstack does not set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Maximum length of a chain of profiles; AWS's own tools follow fewer.
const MOST_PROFILES: usize = 16;

/// Variables for the endpoints that credentials are fetched from.
const ENDPOINTS: &[&str] =
    &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL_STS"];
/// Variables that are set if the machine provides credentials.
const MACHINE: &[&str] = &[
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Settings of the AWS configuration by section: `profile dr`, `default`, `sso-session corp`.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// Returns reasons why this program's credentials may not work once `primary` is lost, one sentence
/// each.
pub(crate) fn warnings(primary: &str) -> Vec<String> {
    let var = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let home = var("HOME").map(PathBuf::from).unwrap_or_default();
    let file = |name: &str, at: &str| var(name).map_or_else(|| home.join(at), PathBuf::from);
    let files =
        [file("AWS_CONFIG_FILE", ".aws/config"), file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];
    // A file that the SDK cannot read, it cannot use either.
    let text = files.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    judge(&var, &sections(&text.collect::<Vec<_>>().join("\n")), primary)
}

fn judge(var: &dyn Fn(&str) -> Option<String>, sections: &Sections, primary: &str) -> Vec<String> {
    let mut said = Vec::new();
    for name in ENDPOINTS {
        if var(name).is_some_and(|url| url.contains(primary)) {
            said.push(format!("`{name}` leads to {primary}: unset it before a failover"));
        }
    }
    // The SDK tries the sources in this order, and takes the first answer.
    if var("AWS_ACCESS_KEY_ID").is_some() && var("AWS_SECRET_ACCESS_KEY").is_some() {
        return said;
    }
    let name = var("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    let chain = chain(sections, &name);
    for (name, profile) in &chain {
        said.extend(of_profile(name, profile, sections, primary));
    }
    let asks_machine = match chain.last() {
        Some((_, last)) => {
            last.contains_key("credential_source") || last.contains_key("web_identity_token_file")
        }
        None => true,
    };
    let region = var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION"));
    let by_machine = MACHINE.iter().any(|name| var(name).is_some());
    if asks_machine && by_machine && region.as_deref() == Some(primary) {
        said.push(format!(
            "credentials come from this machine, which stands in {primary}: fail over from a machine elsewhere"
        ));
    }
    said
}

/// Returns a profile and those that it takes its credentials from.
fn chain<'s>(sections: &'s Sections, name: &str) -> Vec<(String, &'s BTreeMap<String, String>)> {
    let (mut chain, mut seen) = (Vec::new(), BTreeSet::new());
    let mut next = Some(name.to_owned());
    while let Some(name) = next.take().filter(|name| seen.len() < MOST_PROFILES && seen.insert(name.clone()))
    {
        let Some(profile) = sections.get(&format!("profile {name}")) else { break };
        next = profile.get("source_profile").cloned();
        chain.push((name, profile));
    }
    chain
}

fn of_profile(
    name: &str,
    profile: &BTreeMap<String, String>,
    sections: &Sections,
    primary: &str,
) -> Option<String> {
    let session = profile.get("sso_session").and_then(|it| sections.get(&format!("sso-session {it}")));
    let sso = session.unwrap_or(profile).get("sso_region");
    if sso.is_some_and(|region| region == primary) {
        return Some(format!(
            "profile `{name}` signs in through IAM Identity Center in {primary}: keep a profile with another way in for failovers"
        ));
    }
    let program = profile.get("credential_process")?;
    program.contains(primary).then(|| {
        format!(
            "profile `{name}` asks a program that is told {primary}: see that it works without that region"
        )
    })
}

/// Parses AWS's configuration files into sections; `default` and the names in the credentials file
/// are profiles.
fn sections(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut at = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(head) = line.strip_prefix('[').and_then(|it| it.split_once(']')) {
            let words: Vec<&str> = head.0.split_whitespace().collect();
            at = match words[..] {
                [one] => format!("profile {one}"),
                _ => words.join(" "),
            };
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) {
            let section = sections.entry(at.clone()).or_default();
            section.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &str = "
        [default]
        region = us-east-1
        [profile corp]
        sso_session = corp
        sso_account_id = 123456789012
        [sso-session corp]
        sso_region = us-east-1
        [profile old]
        sso_region = us-east-1
        [profile elsewhere]
        sso_region = eu-west-1
        [profile admin]
        role_arn = arn:aws:iam::123456789012:role/admin
        source_profile = corp
        region = us-east-1
        [profile keys]
        role_arn = arn:aws:iam::123456789012:role/admin
        source_profile = static
        region = us-east-1
        [profile vault]
        credential_process = vault read --region us-east-1
        [profile pod]
        role_arn = arn:aws:iam::123456789012:role/admin
        web_identity_token_file = /var/run/token
        [profile round]
        source_profile = round
        [static]
        aws_access_key_id = A
    ";

    fn said(vars: &[(&str, &str)]) -> String {
        let vars: BTreeMap<&str, &str> = vars.iter().copied().collect();
        let var = |name: &str| vars.get(name).map(|it| (*it).to_owned());
        judge(&var, &sections(FILES), "us-east-1").join("\n")
    }

    #[test]
    fn what_signs_in_through_the_primary_is_named() {
        for (profile, named) in [("corp", "corp"), ("old", "old"), ("admin", "corp")] {
            let said = said(&[("AWS_PROFILE", profile)]);
            assert!(said.contains(&format!("profile `{named}` signs in")), "{profile}: {said}");
        }
        assert!(said(&[("AWS_PROFILE", "vault")]).contains("asks a program"));
    }

    #[test]
    fn what_does_not_need_the_primary_is_not() {
        for profile in ["default", "elsewhere", "keys", "static", "round", "unknown"] {
            assert_eq!(said(&[("AWS_PROFILE", profile)]), "", "{profile}");
        }
        let keys = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S"), ("AWS_PROFILE", "corp")];
        assert_eq!(said(&keys), "", "keys of the environment come first");
    }

    #[test]
    fn machines_and_endpoints_in_the_primary_are_named() {
        let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token");
        for profile in ["unknown", "pod"] {
            let here = [token, ("AWS_REGION", "us-east-1"), ("AWS_PROFILE", profile)];
            assert!(said(&here).contains("come from this machine"), "{profile}");
            let there = [token, ("AWS_REGION", "us-west-2"), ("AWS_PROFILE", profile)];
            assert_eq!(said(&there), "", "{profile}");
        }
        let own = ("AWS_ENDPOINT_URL_STS", "https://vpce-1.sts.us-east-1.vpce.amazonaws.com");
        assert!(said(&[own]).contains("`AWS_ENDPOINT_URL_STS` leads to us-east-1"));
    }
}
