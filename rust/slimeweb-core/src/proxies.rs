//! The client's address and scheme behind a proxy, whose fields are used only where it is trusted.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use slimeweb_http::header::forwarded;
use slimeweb_http::{ConnectionInfo, Peer};

/// `serve(trusted_proxies=…)`: addresses, networks in CIDR form, `unix` for the peers of a Unix socket, `*` for all.
#[derive(Clone, Default)]
pub(crate) struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
    all: bool,
}

impl TrustedProxies {
    pub(crate) fn parse(entries: &[String]) -> PyResult<Self> {
        let mut trusted = Self::default();
        for entry in entries {
            match entry.as_str() {
                "*" => trusted.all = true,
                "unix" => trusted.unix = true,
                text => {
                    let network = text
                        .parse::<IpNet>()
                        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                        .map_err(|_| {
                            PyValueError::new_err(format!(
                                "trusted_proxies holds {text:?}: write an address (\"10.0.0.7\"), a network (\"10.0.0.0/8\"), \
                                 \"unix\" or \"*\""
                            ))
                        })?;
                    trusted.networks.push(network);
                }
            }
        }
        Ok(trusted)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.all || self.networks.iter().any(|network| network.contains(&address))
    }

    fn trusts_peer(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Tcp(address) => self.trusts(address.ip()),
            Peer::Unix => self.unix || self.all,
        }
    }

    /// The client's address: the peer's, or the last one in `X-Forwarded-For` that is no trusted proxy's.
    pub(crate) fn client(&self, connection: &ConnectionInfo, headers: &HeaderMap) -> String {
        let peer = match &connection.peer {
            Peer::Tcp(address) => address.ip().to_canonical().to_string(),
            Peer::Unix => "unix".to_owned(),
        };
        if !self.trusts_peer(&connection.peer) {
            return peer;
        }
        let mut client = peer;
        for hop in forwarded::addresses(headers) {
            // What is no address ends the search: entries before it cannot be trusted.
            let Some(address) = hop else { break };
            client = address.to_string();
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    /// The port that the client's connection comes from. None where it is a proxy's, or has none.
    pub(crate) fn client_port(&self, connection: &ConnectionInfo, headers: &HeaderMap) -> Option<u16> {
        let Peer::Tcp(address) = &connection.peer else { return None };
        let is_proxy =
            self.trusts_peer(&connection.peer) && matches!(forwarded::addresses(headers).next(), Some(Some(_)));
        (!is_proxy).then(|| address.port())
    }

    /// `http` or `https`: the connection's own, or what a trusted proxy says in `X-Forwarded-Proto`.
    pub(crate) fn scheme(&self, connection: &ConnectionInfo, headers: &HeaderMap) -> &'static str {
        if self.trusts_peer(&connection.peer)
            && let Some(scheme) = forwarded::scheme(headers)
        {
            return scheme;
        }
        if connection.tls { "https" } else { "http" }
    }
}
