//! The client's address and scheme behind a proxy, whose fields are used only where it is trusted.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
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
        let hops = headers.get_all("x-forwarded-for").into_iter().rev();
        for hop in hops.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
            // An empty element of a list is none (RFC 9110, section 5.6.1).
            if hop.is_empty() {
                continue;
            }
            // What is no address ends the search: entries before it cannot be trusted.
            let Some(address) = std::str::from_utf8(hop).ok().and_then(hop_address) else { break };
            client = address.to_string();
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    /// `http` or `https`: the connection's own, or what a trusted proxy says in `X-Forwarded-Proto`.
    pub(crate) fn scheme(&self, connection: &ConnectionInfo, headers: &HeaderMap) -> &'static str {
        if self.trusts_peer(&connection.peer)
            && let Some(scheme) = forwarded_scheme(headers)
        {
            return scheme;
        }
        if connection.tls { "https" } else { "http" }
    }
}

/// The scheme that the client used: of several, the first, since each proxy appends the one that it received.
fn forwarded_scheme(headers: &HeaderMap) -> Option<&'static str> {
    let values = headers.get_all("x-forwarded-proto").into_iter();
    let mut schemes = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let first = schemes.find(|scheme| !scheme.is_empty())?;
    let first = first.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(first);
    let is = |name: &[u8]| first.eq_ignore_ascii_case(name);
    if is(b"https") || is(b"wss") {
        Some("https")
    } else if is(b"http") || is(b"ws") {
        Some("http")
    } else {
        None
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn hop_address(text: &str) -> Option<IpAddr> {
    // Some proxies quote what has colons, as RFC 7239 would.
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    text.parse::<IpAddr>()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_matches(['[', ']']).parse::<IpAddr>())
        .ok()
        .map(|address| address.to_canonical())
}
