use super::{NetworkError, Transport};
use rustls::client::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{Error as TlsError, RootCertStore};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// An extra certificate of an authority cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the CA certificate: {0}; give a PEM file with one or more certificates")]
pub struct CertificateError(String);

/// The authorities that browsers trust, and those of the given PEM files.
pub(super) fn client_config(certificates: &[Vec<u8>]) -> Result<ClientConfig, CertificateError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for pem in certificates {
        let count = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| CertificateError(error.to_string()))?;
            roots.add(certificate).map_err(|error| CertificateError(error.to_string()))?;
        }
        if roots.len() == count {
            return Err(CertificateError("there is none in the file".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CertificateError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

pub(super) async fn connect<S: Transport>(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: S,
) -> Result<tokio_rustls::client::TlsStream<S>, NetworkError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| NetworkError::Request)?;
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(|error| {
        if is_certificate_error(&error) { NetworkError::Certificate(error) } else { NetworkError::Tls(error) }
    })
}

fn is_certificate_error(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<TlsError>());
    matches!(error, Some(TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_a_certificate_file_is_of_no_use() {
        let error = |pem: &[u8]| client_config(&[pem.to_vec()]).unwrap_err().to_string();
        assert!(error(b"").contains("none in the file"));
        assert!(
            error(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
                .contains("CA certificate")
        );
        assert!(client_config(&[]).is_ok());
    }
}
