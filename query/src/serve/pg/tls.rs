//! TLS of the PostgreSQL wire: reads a certificate and its key, gives what greets connections. Who
//! asks for TLS gets it, by SSLRequest or at once (`sslnegotiation=direct`).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pgwire::tokio::tokio_rustls::TlsAcceptor;
use pgwire::tokio::tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use pgwire::tokio::tokio_rustls::rustls::pki_types::pem::PemObject;
use pgwire::tokio::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use pgwire::tokio::tokio_rustls::rustls::{Error, ServerConfig};

use crate::error::QueryError;

/// Name of the protocol in the handshake (ALPN), which a direct negotiation must bring.
const PROTOCOL: &[u8] = b"postgresql";

/// A certificate and its key.
#[derive(Clone)]
pub struct PgTls(pub(super) TlsAcceptor);

impl fmt::Debug for PgTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgTls").finish_non_exhaustive()
    }
}

impl PgTls {
    /// Reads PEM files: the certificate with those that lead to its root, and its private key
    /// (PKCS #8, PKCS #1 or SEC1).
    ///
    /// # Errors
    /// [`QueryError::Parameter`] when one cannot be read, or they do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, QueryError> {
        let wrong = |what: &str, path: &Path, expected: String| QueryError::Parameter {
            what: format!("setting `{what}`"),
            found: path.display().to_string(),
            expected,
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| e.to_string())
            .and_then(
                |chain| {
                    if chain.is_empty() { Err("it holds none".to_owned()) } else { Ok(chain) }
                },
            )
            .map_err(|why| {
                wrong("pg.certificate", certificate, format!("a PEM file of certificates: {why}"))
            })?;
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|e| wrong("pg.key", key, format!("a PEM file of a private key: {e}")))?;
        let belongs = |e: Error| {
            wrong("pg.key", key, format!("the key of the certificate of `pg.certificate`: {e}"))
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(belongs)?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(belongs)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}
