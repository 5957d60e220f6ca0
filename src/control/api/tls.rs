//! TLS of the listener, by rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// What accepts TLS connections with a certificate chain and its key, both PEM files.
///
/// # Errors
/// One plain sentence, without anything of the key.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let name = certificate.display();
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| format!("api.tls_certificate = {name}: {e}"))?;
    if chain.is_empty() {
        return Err(format!("api.tls_certificate = {name}: there is no certificate in it"));
    }
    let key_name = key.display();
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("api.tls_key = {key_name}: {e}"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| format!("api.tls_certificate = {name}, api.tls_key = {key_name}: {e}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
