//! TLS towards the target: whom it trusts is `tokometer-trust`'s, what it speaks is said here.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokometer_trust::{Distrust, Whom, client};

use crate::settings::{Settings, SettingsError};

/// The connector for the settings' target, and the name to check its certificate against.
pub(crate) fn connector(
    settings: &Settings,
) -> Result<(TlsConnector, ServerName<'static>), SettingsError> {
    let target = &settings.target;
    let name = ServerName::try_from(target.host.clone()).map_err(|error| SettingsError::Url {
        url: target.host.clone(),
        why: format!("a certificate cannot bear such a name: {error}"),
    })?;
    let file = settings.tls.ca_cert.as_deref();
    let whom = match (settings.tls.insecure, file) {
        (true, _) => Whom::Anyone,
        (false, None) => Whom::System,
        (false, Some(file)) => Whom::SystemAnd(file),
    };
    let mut config = client(whom).map_err(|distrust| SettingsError::Certificates {
        path: file.map_or_else(|| "the system's store".into(), Into::into),
        why: words(&distrust),
    })?;
    config.alpn_protocols =
        vec![if settings.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn words(distrust: &Distrust) -> String {
    match distrust {
        Distrust::Unreadable(error) => error.to_string(),
        Distrust::Empty => "the file holds no PEM certificate".into(),
        Distrust::Refused(error) => error.to_string(),
        Distrust::NoAuthority(why) => format!("there is no authority to trust: {why}"),
    }
}
