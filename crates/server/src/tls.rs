//! TLS: certificate files, or a local authority for development.

use crate::config::{Config, Tls};
use crate::error::StartError;
use openpeer_core::uri::Domain;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::version::{TLS12, TLS13};
use std::path::Path;
use std::sync::Arc;

mod development;

pub(crate) use development::authority_path;

/// The TLS configuration, or `None` for plain HTTP.
pub(crate) fn server_config(config: &Config) -> Result<Option<Arc<ServerConfig>>, StartError> {
    match &config.tls {
        Some(files) => {
            let (chain, key) = read(files, &config.domain)?;
            build(&files.certificate, chain, key).map(Some)
        }
        None if config.dev => {
            let (chain, key) = development::certificate(&config.data, &config.domain)?;
            build(&authority_path(&config.data), chain, key).map(Some)
        }
        None => Ok(None),
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(files: &Tls, domain: &Domain) -> Result<Identity, StartError> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(&files.certificate, error))?;
    let Some(own) = chain.first() else {
        let detail = "no certificate in the file; give the PEM chain, the server's own certificate first";
        return Err(StartError::certificate(&files.certificate, detail));
    };
    check_name(&files.certificate, own, domain)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, error))?;
    Ok((chain, key))
}

fn unreadable(path: &Path, error: pem::Error) -> StartError {
    match error {
        pem::Error::Io(error) => StartError::unreadable(path, error),
        pem::Error::NoItemsFound => {
            StartError::certificate(path, "nothing usable in the file; give it in PEM form")
        }
        error => StartError::certificate(path, format!("not PEM ({error}); convert it with openssl")),
    }
}

fn check_name(path: &Path, own: &CertificateDer<'_>, domain: &Domain) -> Result<(), StartError> {
    let invalid = |detail: String| StartError::certificate(path, detail);
    let parsed =
        ParsedCertificate::try_from(own).map_err(|error| invalid(format!("{error}; order a new one")))?;
    let name = ServerName::try_from(domain.host()).map_err(|error| invalid(error.to_string()))?;
    verify_server_name(&parsed, &name)
        .map_err(|_| invalid(format!("it is not for {}; order one for that name", domain.host())))
}

fn build(
    path: &Path,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, StartError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(StartError::internal)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| {
            StartError::certificate(path, format!("{error}; give the key that belongs to it"))
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets instead of a session cache: resuming costs the server no memory, and saves most of the CPU when
    // everybody comes back after a restart of a proxy. One is enough: a client resumes one session at a time.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(StartError::internal)?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}
