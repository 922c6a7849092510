//! Certificate authorities of a network that looks into its connections, named as for the AWS
//! command line.

use std::path::Path;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use drstack_core::cloud::CloudError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The variable that names the file, as the AWS command line reads it.
const VARIABLE: &str = "AWS_CA_BUNDLE";

/// Returns a client that trusts the authorities of the file in `AWS_CA_BUNDLE`, in the place of the
/// machine's; `None` if the variable is not set.
///
/// # Errors
/// A file that cannot be read, or holds no certificates.
pub(super) fn client() -> Result<Option<SharedHttpClient>, CloudError> {
    let Some(file) = std::env::var_os(VARIABLE).filter(|it| !it.is_empty()) else { return Ok(None) };
    let store = TrustStore::empty().with_pem_certificate(authorities(Path::new(&file))?);
    let context = TlsContext::builder().with_trust_store(store).build();
    let context = context.map_err(|error| invalid(Path::new(&file), &error.to_string()))?;
    let provider = Provider::Rustls(CryptoMode::AwsLc);
    Ok(Some(Builder::new().tls_provider(provider).tls_context(context).build_https()))
}

/// Reads the certificates of `file`. The TLS library takes it for granted that each is one.
fn authorities(file: &Path) -> Result<Vec<u8>, CloudError> {
    let text = std::fs::read(file).map_err(|error| invalid(file, &error.to_string()))?;
    let all = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|error| invalid(file, &error.to_string()))?;
    if all.is_empty() {
        return Err(invalid(file, "it holds no certificate in PEM form"));
    }
    for certificate in &all {
        webpki::anchor_from_trusted_cert(certificate).map_err(|error| invalid(file, &error.to_string()))?;
    }
    Ok(text)
}

fn invalid(file: &Path, why: &str) -> CloudError {
    CloudError::Invalid {
        operation: VARIABLE.to_owned(),
        code: format!("`{}`", file.display()),
        message: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let said = || authorities(&file).unwrap_err().to_string();
        let start = format!("AWS_CA_BUNDLE refused: `{}`: ", file.display());
        assert!(said().starts_with(&start), "{}", said());
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n", broken] {
            std::fs::write(&file, text).unwrap();
            assert!(said().starts_with(&start), "{text}: {}", said());
        }
    }
}
