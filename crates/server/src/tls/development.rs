//! A certificate authority of one's own for development.
//!
//! ```text
//! DATA/dev-ca.pem       the authority's certificate, to be trusted by clients (`--cacert`)
//! DATA/dev-ca.key.pem   its private key, readable by its owner only
//! ```
//! The server's certificate is made anew at each start and never written. The authority can only certify the domain
//! and loopback (RFC 5280 section 4.2.1.10), so that a stolen key is good for little.

use super::Identity;
use crate::defaults::DEV_CERTIFICATE_DAYS;
use crate::error::StartError;
use openpeer_core::uri::Domain;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::PrivateKeyDer;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// The authority's certificate in a data directory.
pub(crate) fn authority_path(data: &Path) -> PathBuf {
    data.join("dev-ca.pem")
}

/// A certificate for the domain and for loopback, signed by the authority of the data directory.
pub(super) fn certificate(data: &Path, domain: &Domain) -> Result<Identity, StartError> {
    let authority = authority(data, domain)?;
    let key = KeyPair::generate().map_err(StartError::internal)?;
    let names = [domain.host(), "localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).map_err(StartError::internal)?;
    params.distinguished_name.push(DnType::CommonName, domain.host());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_life(&mut params, DEV_CERTIFICATE_DAYS);
    let certificate = params.signed_by(&key, &authority).map_err(StartError::internal)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(StartError::internal)?;
    Ok((vec![certificate.der().clone()], key))
}

fn authority(data: &Path, domain: &Domain) -> Result<Issuer<'static, KeyPair>, StartError> {
    fs::create_dir_all(data).map_err(|error| StartError::unwritable(data, error))?;
    let key_path = data.join("dev-ca.key.pem");
    let key = match fs::read_to_string(&key_path) {
        Ok(text) => KeyPair::from_pem(&Zeroizing::new(text)).map_err(|error| {
            StartError::certificate(&key_path, format!("{error}; delete it to get a new one"))
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate().map_err(StartError::internal)?;
            write_private(&key_path, Zeroizing::new(key.serialize_pem()).as_bytes())
                .map_err(|error| StartError::unwritable(&key_path, error))?;
            key
        }
        Err(error) => return Err(StartError::unreadable(&key_path, error)),
    };
    let params = authority_params(domain)?;
    write_certificate(&authority_path(data), &params, &key)?;
    Ok(Issuer::new(params, key))
}

fn authority_params(domain: &Domain) -> Result<CertificateParams, StartError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(StartError::internal)?;
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Open Peer development CA of {}", domain.host()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName(domain.host().to_owned()),
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(
                std::net::Ipv6Addr::LOCALHOST.octets(),
                128,
            )),
        ],
        excluded_subtrees: Vec::new(),
    });
    set_life(&mut params, 10 * DEV_CERTIFICATE_DAYS);
    Ok(params)
}

/// Writes the authority's certificate unless there is one: clients may pin the file.
fn write_certificate(path: &Path, params: &CertificateParams, key: &KeyPair) -> Result<(), StartError> {
    if path.exists() {
        return Ok(());
    }
    let certificate = params.self_signed(key).map_err(StartError::internal)?;
    fs::write(path, certificate.pem()).map_err(|error| StartError::unwritable(path, error))
}

fn set_life(params: &mut CertificateParams, days: u64) {
    let now = SystemTime::now();
    // A day of grace for clients whose clock is behind.
    params.not_before = (now - Duration::from_secs(86_400)).into();
    params.not_after = (now + Duration::from_secs(days * 86_400)).into();
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use std::sync::Arc;

    #[test]
    fn the_authority_stays_and_certifies_only_its_domain() {
        let data = tempfile::tempdir().unwrap();
        let domain = Domain::from_text("a.test:8443").unwrap();
        let (first, _) = certificate(data.path(), &domain).unwrap();
        let pem = fs::read(authority_path(data.path())).unwrap();
        let (second, _) = certificate(data.path(), &domain).unwrap();
        assert_eq!(pem, fs::read(authority_path(data.path())).unwrap());

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let verify = |certificate: &CertificateDer<'_>, name: &str| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now())
        };
        for certificate in [&first[0], &second[0]] {
            for name in ["a.test", "localhost", "127.0.0.1", "::1"] {
                verify(certificate, name).unwrap();
            }
            assert!(verify(certificate, "b.test").is_err());
        }

        let other = Domain::from_text("b.test").unwrap();
        let (foreign, _) = certificate(data.path(), &other).unwrap();
        assert!(verify(&foreign[0], "b.test").is_err(), "the name constraint does not hold");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        certificate(data.path(), &Domain::from_text("a.test").unwrap()).unwrap();
        let mode = fs::metadata(data.path().join("dev-ca.key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
