//! Certificates, keys and what TLS is offered with.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::Error;

/// A certificate chain with its key, and HTTP/2 and HTTP/1.1 to choose from (ALPN, RFC 7301).
#[derive(Debug, Clone)]
pub struct TlsConfig(pub(crate) Arc<ServerConfig>);

impl TlsConfig {
    /// Reads a PEM certificate chain, the server's own first, and its PEM key (PKCS #8, PKCS #1 or SEC 1, unencrypted).
    ///
    /// # Errors
    /// [`Error::Tls`] naming the file that cannot be read, or holds nothing usable.
    pub fn from_pem_files(cert: &Path, key: &Path) -> Result<Self, Error> {
        let tls = |path: &Path, reason: String| Error::Tls { path: path.to_owned(), reason };
        let chain = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| tls(cert, format!("{error}; it should be a PEM certificate chain")))?;
        if chain.is_empty() {
            return Err(tls(cert, "it holds no PEM certificate".to_owned()));
        }
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| tls(key, format!("{error}; it should be an unencrypted PEM private key")))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| tls(cert, error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| tls(key, format!("{error}; is it the key of {}?", cert.display())))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file_that_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key, other) =
            (directory.path().join("cert"), directory.path().join("key"), directory.path().join("other"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::write(&other, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();

        TlsConfig::from_pem_files(&cert, &key).unwrap();
        let missing = directory.path().join("missing");
        for (cert, key, blamed) in [
            (&missing, &key, &missing),
            (&cert, &missing, &missing),
            (&key, &key, &key),
            (&cert, &cert, &cert),
            (&cert, &other, &other),
        ] {
            let error = TlsConfig::from_pem_files(cert, key).unwrap_err();
            assert!(matches!(&error, Error::Tls { path, .. } if path == blamed), "{error}");
        }
    }
}
